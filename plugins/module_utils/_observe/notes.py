# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""ELF notes as the kernel shows them below /sys, read with the standard library alone."""

from __future__ import annotations

import struct
import sys
import typing as t

GNU = b"GNU"

BUILD_ID = 3
"""The type of a note of GNU that has the build-id (NT_GNU_BUILD_ID in elf.h)."""

_ALIGNMENT = 4


class DamagedNotes(ValueError):
    """The bytes are not a list of notes."""


class Note(t.NamedTuple):
    owner: bytes
    type: int
    content: bytes


def parse_notes(content: bytes, byteorder: str = sys.byteorder) -> list[Note]:
    """The notes. Each is three words, the owner's name and the content, both filled up to a multiple of four bytes.

    Raises DamagedNotes.
    """
    header = struct.Struct("<3I" if byteorder == "little" else ">3I")
    notes, at = [], 0
    while at < len(content):
        try:
            name_size, size, kind = header.unpack_from(content, at)
        except struct.error as error:
            raise DamagedNotes(f"{len(content) - at} bytes after the last note") from error
        name_at = at + header.size
        content_at = name_at + _aligned(name_size)
        end = content_at + size
        if end > len(content):
            raise DamagedNotes(f"a note of {end - at} bytes in {len(content) - at}")
        owner = content[name_at : name_at + name_size].rstrip(b"\0")
        notes.append(Note(owner, kind, content[content_at:end]))
        at = content_at + _aligned(size)
    return notes


def _aligned(size: int) -> int:
    return (size + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT


def build_id(content: bytes, byteorder: str = sys.byteorder) -> str | None:
    """The build-id among the notes, in hex; None if there is none. Raises DamagedNotes."""
    for note in parse_notes(content, byteorder):
        if (note.owner, note.type) == (GNU, BUILD_ID):
            if not note.content:
                raise DamagedNotes("an empty build-id")
            return note.content.hex()
    return None
