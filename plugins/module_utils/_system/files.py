# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the files of a host. A `Files` may have another root than `/`: tests use recorded trees."""

from __future__ import annotations

import errno
import os
import time

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Unreadable


class Files:
    """The files of a host below `root`. `unreadable` collects the paths that exist and could not be read."""

    def __init__(self, root: str = "/") -> None:
        self.root = root
        self.unreadable: list[Unreadable] = []

    def path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def bytes(self, path: str) -> bytes | None:
        """The content; None if there is no such file, or if it cannot be read, which `unreadable` then says."""
        try:
            with open(self.path(path), "rb") as stream:
                return stream.read()
        except OSError as error:
            self._note(path, error)
            return None

    def text(self, path: str) -> str | None:
        content = self.bytes(path)
        return None if content is None else content.decode("utf-8", "replace").strip()

    def number(self, path: str) -> int | None:
        try:
            return int(self.text(path) or "")
        except ValueError:
            return None

    def flag(self, path: str) -> bool | None:
        number = self.number(path)
        return None if number is None else number != 0

    def error(self, path: str) -> int | None:
        """The errno with which reading a file fails; None if it succeeds."""
        try:
            with open(self.path(path), "rb") as stream:
                stream.read()
        except OSError as error:
            return error.errno
        return None

    def names(self, path: str) -> list[str]:
        """The sorted entries of a directory; none if there is no such directory."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError as error:
            self._note(path, error)
            return []

    def is_dir(self, path: str) -> bool:
        return os.path.isdir(self.path(path))

    def inode(self, path: str) -> int | None:
        try:
            return os.stat(self.path(path)).st_ino
        except OSError:
            return None

    def _note(self, path: str, error: OSError) -> None:
        # A task or a patch may end while it is being read: ESRCH, ENOENT and ENODEV are answers, not failures.
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ESRCH, errno.ENODEV):
            self.unreadable.append(Unreadable(path, errno.errorcode.get(error.errno or 0, str(error))))


def time_now() -> str:
    """The time of this host's clock in UTC, in the format of ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
