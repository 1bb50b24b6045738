# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""A small patch file as text, which travels in a module's arguments and saves the round trip of a copy."""

from __future__ import annotations

import base64
import zlib


def pack(content: bytes) -> str:
    """The content as text of letters, digits and a few signs."""
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def unpack(text: str, most: int) -> bytes:
    """The content that `pack` was given, at most `most` + 1 bytes of it: whoever compares digests sees that."""
    return zlib.decompressobj().decompress(base64.b64decode(text), most + 1)
