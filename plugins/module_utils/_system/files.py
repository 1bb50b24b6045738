# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the files of a host. A `Files` may have another root than `/`: tests use recorded trees."""

from __future__ import annotations

import errno
import os
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Reading, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean

_Value = t.TypeVar("_Value")

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESRCH, errno.ENODEV)
"""A task or a patch may end while it is being read: these are answers, not failures."""


class Files:
    """The files of a host below `root`. `unreadable` collects the paths that exist and could not be read."""

    def __init__(self, root: str = "/") -> None:
        self.root = root
        self.unreadable: list[Unreadable] = []

    def path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def part(self, path: str, offset: int, count: int) -> Reading[bytes]:
        """At most `count` bytes of a file, from `offset` on."""
        return self._read(path, lambda place: _content(place, offset, count))

    def bytes(self, path: str) -> Reading[bytes]:
        """The content of a file."""
        return self._read(path, _content)

    def text(self, path: str) -> Reading[str]:
        """The content as text, without blanks and line breaks around it, and without what may command a terminal.

        Any user may give a process, and with it a line of many files, such a name.
        """
        content = self.bytes(path)
        return clean(content.decode("utf-8", "replace")).strip() if isinstance(content, bytes) else content

    def number(self, path: str) -> Reading[int]:
        """The number that is the content."""
        text = self.text(path)
        if not isinstance(text, str):
            return text
        try:
            return int(text)
        except ValueError:
            return self.damaged(path)

    def flag(self, path: str) -> Reading[bool]:
        """Whether the number that is the content is not 0."""
        number = self.number(path)
        return number != 0 if isinstance(number, int) else number

    def names(self, path: str) -> Reading[list[str]]:
        """The sorted entries of a directory; Absent if it is none."""
        return self._read(path, lambda place: sorted(os.listdir(place)))

    def folders(self, path: str) -> Reading[list[str]]:
        """The sorted names of the directories in a directory; Absent if it is none."""
        return self._read(path, _folders)

    def inodes(self, path: str) -> Reading[dict[str, int]]:
        """The names in a directory with the numbers of their inodes; Absent if it is none."""
        return self._read(path, _inodes)

    def inode(self, path: str) -> Reading[int]:
        """The number of a file's or directory's inode."""
        return self._read(path, lambda place: os.stat(place).st_ino)

    def read(self, path: str, read: t.Callable[[str], _Value]) -> Reading[_Value]:
        """What `read` returns for the place of a file. It may raise OSError."""
        return self._read(path, read)

    def damaged(self, path: str, reason: str = "damaged") -> Unreadable:
        """What is said of a file whose content makes no sense, or is of another version."""
        problem = Unreadable(path, reason)
        self.unreadable.append(problem)
        return problem

    def _read(self, path: str, read: t.Callable[[str], _Value]) -> Reading[_Value]:
        try:
            return read(self.path(path))
        except OSError as error:
            reason = errno.errorcode.get(error.errno or 0, str(error))
            if error.errno in GONE:
                return Absent(reason)
            problem = Unreadable(path, reason)
            self.unreadable.append(problem)
            return problem


def _content(place: str, offset: int = 0, count: int = -1) -> bytes:
    with open(place, "rb") as stream:
        if offset:
            stream.seek(offset)
        return stream.read(count)


def _inodes(place: str) -> dict[str, int]:
    with os.scandir(place) as entries:
        return {entry.name: entry.inode() for entry in entries}


def _folders(place: str) -> list[str]:
    with os.scandir(place) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))


def seconds_since_boot() -> float:
    """How long the kernel has been running, suspended or not. The wall clock may jump, this one does not.

    /proc/uptime has the same number as text: that is a function of the kernel, which a patch may replace.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def time_now() -> str:
    """The time of this host's clock in UTC, in the format of ISO 8601."""
    # Without an argument gmtime asks time(2), which lags behind by up to a tick: a moment ago is the second before.
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time()))
