# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the headers of an RPM package (rpm.org: docs/manual/format_v4.md). All of it is data: nothing is believed.

A package is a lead, a header with digests and signatures, a header that describes the package, and the payload.
"""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import PACKAGE
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused, damaged, too_big

_LEAD = struct.Struct(">4sBBHH66sHH16s")
_HEADER_MAGIC = b"\x8e\xad\xe8\x01"
_START = struct.Struct(">4s4xII")
_ENTRY = struct.Struct(">IIII")

MOST_TAGS = 1000
MOST_BYTES = 4 * 1024**2
"""How much one header may have. Those of a thousand files take some hundred kilobytes."""

MOST_VALUES = 100_000
"""How many values one tag may have."""

NAME, VERSION, RELEASE, SUMMARY, DESCRIPTION, ARCH = 1000, 1001, 1002, 1004, 1005, 1022
DIR_INDEXES, BASE_NAMES, DIR_NAMES = 1116, 1117, 1118
PAYLOAD_FORMAT, PAYLOAD_COMPRESSOR = 1124, 1125
FILE_DIGESTS, FILE_DIGEST_ALGORITHM = 1035, 5011
PAYLOAD_DIGEST, PAYLOAD_DIGEST_ALGORITHM = 5092, 5093
HEADER_SHA256 = 273
SIGNATURES = (267, 268, 278, 1002, 1005, 1006)
"""DSA, RSA and OpenPGP over the header, and PGP, GPG and PGP5 over header and payload: any tells that one was made."""

_STRING, _STRINGS, _TRANSLATED = 6, 8, 9
_NUMBERS = {2: "B", 3: "H", 4: "I", 5: "Q"}


class Header:
    """One header: what its tags say. Each method raises Refused if the entry is not of that type, or leads outside."""

    def __init__(self, entries: dict[int, tuple[int, int, int]], data: bytes) -> None:
        self._entries, self._data = entries, data

    def has(self, tag: int) -> bool:
        return tag in self._entries

    def texts(self, tag: int) -> list[str]:
        """The texts of a tag; none if it is not there."""
        if tag not in self._entries:
            return []
        kind, offset, count = self._entries[tag]
        if kind not in (_STRING, _STRINGS, _TRANSLATED) or count > (1 if kind == _STRING else MOST_VALUES):
            raise damaged(f"tag {tag} is no text")
        found = []
        for _number in range(count):
            end = self._data.find(b"\0", offset)
            if end < 0:
                raise damaged(f"the text of tag {tag} has no end")
            found.append(self._data[offset:end].decode("utf-8", "replace"))
            offset = end + 1
        return found

    def text(self, tag: int) -> str:
        """The first text of a tag; empty if there is none."""
        return next(iter(self.texts(tag)), "")

    def numbers(self, tag: int) -> list[int]:
        """The numbers of a tag; none if it is not there."""
        if tag not in self._entries:
            return []
        kind, offset, count = self._entries[tag]
        form = _NUMBERS.get(kind)
        if form is None or count > MOST_VALUES or offset + count * struct.calcsize(form) > len(self._data):
            raise damaged(f"tag {tag} is no list of numbers")
        return list(struct.unpack_from(f">{count}{form}", self._data, offset))


class Headers(t.NamedTuple):
    """Both headers, the bytes of the second one, and where the payload begins."""

    signature: Header
    main: Header
    main_bytes: bytes
    payload_at: int


def read_headers(content: bytes) -> Headers:
    """Read what stands before the payload. Raises Refused."""
    if len(content) < _LEAD.size:
        raise damaged("it ends in its lead")
    magic, major, _minor, kind, *_rest = _LEAD.unpack_from(content)
    if magic != PACKAGE or major not in (3, 4):
        raise damaged("its lead is not one of an RPM package")
    if kind != 0:
        raise Refused("not_a_vendor_patch", "is a package of sources", "Give the package of the built patch.")
    signature, end = _read_header(content, _LEAD.size, "signature header")
    start = end + -end % 8
    main, payload_at = _read_header(content, start, "header")
    return Headers(signature, main, content[start:payload_at], payload_at)


def _read_header(content: bytes, start: int, called: str) -> tuple[Header, int]:
    """The header that begins there, and where it ends."""
    if len(content) < start + _START.size:
        raise damaged(f"it ends before its {called}")
    magic, tags, size = _START.unpack_from(content, start)
    if magic != _HEADER_MAGIC:
        raise damaged(f"its {called} does not begin as one")
    if tags > MOST_TAGS or size > MOST_BYTES:
        raise too_big(f"a {called} of {tags} tags and {size} bytes")
    index = start + _START.size
    end = index + tags * _ENTRY.size + size
    if end > len(content):
        raise damaged(f"it ends in its {called}")
    entries: dict[int, tuple[int, int, int]] = {}
    for number in range(tags):
        tag, kind, offset, count = _ENTRY.unpack_from(content, index + number * _ENTRY.size)
        if tag in entries:
            raise damaged(f"its {called} has tag {tag} twice")
        if offset > size:
            raise damaged(f"tag {tag} leads out of its {called}")
        entries[tag] = kind, offset, count
    return Header(entries, content[end - size : end]), end
