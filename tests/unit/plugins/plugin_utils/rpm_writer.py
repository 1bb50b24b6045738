# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes RPM packages, after rpm's description of the format: stand-ins for the vendor's, which no test can download.

Their layout is the one that SysCare's builder gives a patch. `test_real_rpmbuild.py` compares it with rpmbuild's.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import struct
import typing as t
from dataclasses import dataclass, field

UUID = "0d9c1c9e-6c0e-4a5e-9d3c-7b9d0f6f4a11"
DIRECTORY = f"usr/lib/syscare/patches/{UUID}"
KERNEL = "5.10.0-60.18.0.50.oe2203"

REGULAR, FOLDER, LINK, PIPE, DEVICE = 0o100640, 0o040750, 0o120777, 0o010640, 0o060640

STRING, STRINGS, TRANSLATED, NUMBERS, BYTES = 6, 8, 9, 4, 7

Tag = tuple[int, t.Any]
"""A type and a value."""

COMPRESS: dict[str, t.Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
}


@dataclass
class Entry:
    """An entry of the archive. `name` is as the archive has it."""

    name: str
    content: bytes = b""
    mode: int = REGULAR
    links: int = 1

    @property
    def path(self) -> str:
        return self.name[1:] if self.name.startswith("./") else "/" + self.name


def cpio(entries: t.Iterable[Entry], trailer: bool = True) -> bytes:
    archive = b""
    for number, entry in enumerate([*entries, *([Entry("TRAILER!!!", mode=0)] if trailer else [])]):
        name = entry.name.encode() + b"\0"
        fields = [number, entry.mode, 0, 0, entry.links, 0, len(entry.content), 0, 0, 0, 0, len(name), 0]
        head = b"070701" + b"".join(b"%08x" % value for value in fields) + name
        archive += _padded(head, 4) + _padded(entry.content, 4)
    return archive


def header(tags: dict[int, Tag]) -> bytes:
    index, data = b"", b""
    for tag, (kind, value) in sorted(tags.items()):
        if kind == NUMBERS:
            data = _padded(data, 4)
        index += struct.pack(">IIII", tag, kind, len(data), len(value) if kind not in (STRING, TRANSLATED) else 1)
        data += _encoded(kind, value)
    return b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", len(tags), len(data)) + index + data


def _encoded(kind: int, value: t.Any) -> bytes:
    if kind == NUMBERS:
        return struct.pack(f">{len(value)}I", *value)
    if kind == BYTES:
        return bytes(value)
    texts = value if kind == STRINGS else [value]
    return b"".join(text.encode() + b"\0" for text in texts)


def _padded(data: bytes, to: int) -> bytes:
    return data + bytes(-len(data) % to)


@dataclass
class Rpm:
    """A package in the making: a cumulative patch of openEuler's kernel, unless a test changes something.

    `tags` and `signature_tags` are put over what belongs there, with None in the place of what is to be missing.
    """

    module: bytes = b""
    name: str = f"patch-kernel-{KERNEL}-ACC"
    version: str = "1"
    release: str = "6"
    architecture: str = "x86_64"
    description: str = "Fixes CVE-2023-3389 and CVE-2022-30594."
    compressor: str = "gzip"
    entries: list[Entry] = field(default_factory=list)
    tags: dict[int, Tag | None] = field(default_factory=dict)
    signature_tags: dict[int, Tag | None] = field(default_factory=dict)
    archive: bytes | None = None
    payload: bytes | None = None

    def all_entries(self) -> list[Entry]:
        usual = [
            Entry(f"./{DIRECTORY}", mode=FOLDER, links=2),
            Entry(f"./{DIRECTORY}/patch_info", b"112574B6EDEE4BA4A05F..."),
            Entry(f"./{DIRECTORY}/vmlinux-0d9c1c9e.ko", self.module),
        ]
        return [*(usual if self.module else []), *self.entries]

    def content(self) -> bytes:
        """The file."""
        entries = self.all_entries()
        archive = cpio(entries) if self.archive is None else self.archive
        payload = COMPRESS[self.compressor](archive) if self.payload is None else self.payload
        main = header(_without_none({**self._main_tags(entries, payload), **self.tags}))
        digests: dict[int, Tag | None] = {273: (STRING, hashlib.sha256(main).hexdigest())}
        signature = header(_without_none({**digests, **self.signature_tags}))
        lead = struct.pack(">4sBBHH66sHH16s", b"\xed\xab\xee\xdb", 3, 0, 0, 1, self.name[:65].encode(), 1, 5, b"")
        return lead + _padded(signature, 8) + main + payload

    def _main_tags(self, entries: list[Entry], payload: bytes) -> dict[int, Tag | None]:
        split = [entry.path.rpartition("/") for entry in entries]
        directories = list(dict.fromkeys(f"{directory}/" for directory, _slash, _name in split))
        digests = [hashlib.sha256(e.content).hexdigest() if e.mode == REGULAR else "" for e in entries]
        return {
            1000: (STRING, self.name),
            1001: (STRING, self.version),
            1002: (STRING, self.release),
            1004: (TRANSLATED, f"Syscare patch {self.name.rpartition('-')[2]} for kernel"),
            1005: (TRANSLATED, self.description),
            1022: (STRING, self.architecture),
            1035: (STRINGS, digests),
            1116: (NUMBERS, [directories.index(f"{directory}/") for directory, _slash, _name in split]),
            1117: (STRINGS, [name for _directory, _slash, name in split]),
            1118: (STRINGS, directories),
            1124: (STRING, "cpio"),
            1125: (STRING, self.compressor),
            5011: (NUMBERS, [8]),
            5092: (STRINGS, [hashlib.sha256(payload).hexdigest()]),
            5093: (NUMBERS, [8]),
        }


def _without_none(tags: dict[int, Tag | None]) -> dict[int, Tag]:
    return {tag: value for tag, value in tags.items() if value is not None}
