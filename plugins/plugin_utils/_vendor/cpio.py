# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads a cpio archive of the format "newc", the payload of RPM packages. Nothing is written anywhere."""

from __future__ import annotations

import re
import stat
import typing as t

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import damaged, too_big, unsafe

MOST_ENTRIES = 1000
MOST_NAME = 4096
"""How long a name may be, as in the kernel (PATH_MAX)."""

_END = "TRAILER!!!"
_HEADER = re.compile(rb"07070[12]((?:[0-9A-Fa-f]{8}){13})")
_SIZE = 110
_MODE, _LINKS, _LENGTH, _NAME = 1, 4, 6, 11
"""The places of these fields: c_mode, c_nlink, c_filesize, c_namesize."""

_BUILD_ID_LINKS = "usr/lib/.build-id/"
"""Where rpmbuild itself puts links to all ELF files of a package, if the distribution wants that."""


class File(t.NamedTuple):
    """A regular file of an archive: its path without a leading slash, and its content."""

    path: str
    content: bytes


def read_files(archive: bytes) -> list[File]:
    """The regular files. Raises Refused if the archive is damaged, or has what a package of a patch has not."""
    found: dict[str, File] = {}
    seen: set[str] = set()
    for mode, links, name, content in _entries(archive):
        path = _safe(name)
        if path in seen:
            raise unsafe(f"it has {path} twice")
        seen.add(path)
        if stat.S_ISREG(mode):
            if links > 1:
                raise unsafe(f"{path} is a hard link")
            found[path] = File(path, content)
        elif not stat.S_ISDIR(mode) and not (stat.S_ISLNK(mode) and path.startswith(_BUILD_ID_LINKS)):
            raise unsafe(f"{path} is {'a link' if stat.S_ISLNK(mode) else 'no regular file'}")
    return list(found.values())


def _entries(archive: bytes) -> t.Iterator[tuple[int, int, str, bytes]]:
    """Mode, number of links, name and content of each entry."""
    at = 0
    for _number in range(MOST_ENTRIES + 1):
        header = _HEADER.match(archive, at)
        if header is None:
            raise damaged("its archive does not go on with an entry")
        digits = header.group(1)
        fields = [int(digits[place : place + 8], 16) for place in range(0, len(digits), 8)]
        if not 1 < fields[_NAME] <= MOST_NAME:
            raise damaged(f"an entry of its archive has a name of {fields[_NAME]} bytes")
        name_at = at + _SIZE
        start = _aligned(name_at + fields[_NAME])
        end = start + fields[_LENGTH]
        if end > len(archive):
            raise damaged("its archive ends in an entry")
        name = archive[name_at : name_at + fields[_NAME]]
        if name.find(b"\0") != len(name) - 1:
            raise damaged("the name of an entry of its archive does not end where it says")
        text = name[:-1].decode("utf-8", "replace")
        if text == _END:
            return
        yield fields[_MODE], fields[_LINKS], text, archive[start:end]
        at = _aligned(end)
    raise too_big(f"more than {MOST_ENTRIES} entries")


def _safe(name: str) -> str:
    """The path of an entry below the folder that the archive is for."""
    path = name[2:] if name.startswith("./") else name
    if name == ".":
        return path
    if path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
        raise unsafe(f"the path {name} in it may lead out of its folder")
    return path


def _aligned(place: int) -> int:
    return place + -place % 4
