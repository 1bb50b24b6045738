# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Texts that are harmless wherever they are put: as a part of a path, and in a file that Ansible may render."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_SENTENCE = re.compile(r"[A-Za-z0-9 ._+,:;()/'-]*")


def is_name(text: str) -> bool:
    """Whether the text can be the name of a file, and is neither hidden nor an option."""
    return len(text) <= 255 and _NAME.fullmatch(text) is not None


def is_sentence(text: str) -> bool:
    """Whether the text has only characters that no template can be made of."""
    return _SENTENCE.fullmatch(text) is not None
