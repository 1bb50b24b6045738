# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The content of files, and digests of it."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import digest as digest_of_stream
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular

Plain = t.Dict[str, t.Any]
"""Data as JSON has it."""


MOST_BYTES = 64 * 1024**2
"""No text that decides about a build is longer; `read_bytes` takes a longer one for one that cannot be read."""


def read_bytes(path: str) -> bytes | None:
    """The content of a regular file, or None if it cannot be read."""
    try:
        with open_regular(path) as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError:
        return None
    return content if len(content) <= MOST_BYTES else None


def read_text(path: str) -> str | None:
    """The content of a regular file without what may command a terminal, or None if it cannot be read."""
    content = read_bytes(path)
    # Not by a stream of text, for which a carriage return ends a line.
    return None if content is None else clean(content.decode("utf-8", "replace"))


def digest(path: str) -> str | None:
    """The SHA-256 of a regular file, or None if it cannot be read."""
    try:
        with open_regular(path) as stream:
            return digest_of_stream(stream)
    except OSError:
        return None


def digest_of(value: t.Any) -> str:
    """The SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
