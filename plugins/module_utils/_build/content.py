# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The content of files, and digests of it."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import digest as digest_of_stream

Plain = t.Dict[str, t.Any]
"""Data as JSON has it."""


def read_text(path: str) -> str | None:
    """The content of a file, or None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return None


def digest(path: str) -> str | None:
    """The SHA-256 of a file, or None if it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return digest_of_stream(stream)
    except OSError:
        return None


def digest_of(value: t.Any) -> str:
    """The SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
