# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Writes files so that each is either complete or as before, and opens only regular files."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


def make_directory(files: Files, path: str) -> None:
    """Make the directory, for root alone. Raises OSError, also if it belongs to somebody else."""
    directory = files.path(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise NotADirectoryError(errno.ENOTDIR, "it is not a directory of root's", directory)


def write(files: Files, path: str, content: bytes, sync: bool = False) -> None:
    """Write a complete file, for root alone, or leave the old one. Raises OSError (a full disk, for example).

    With `sync` the file is on disk (fsync) when this returns.
    """
    make_directory(files, os.path.dirname(path))
    part = files.path(path) + ".part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    _put(descriptor, part, files.path(path), content, sync)


def publish(files: Files, path: str, content: bytes) -> None:
    """Write a complete file that all may read into a directory that is there, or leave the old one. Raises OSError.

    The directory may belong to somebody else: nothing that is there already is opened.
    """
    part = files.path(path) + ".part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    _put(descriptor, part, files.path(path), content, mode=0o644)


def _put(descriptor: int, part: str, place: str, content: bytes, sync: bool = False, mode: int | None = None) -> None:
    """Write the part, which is open, and put it into its place; remove it if that fails. Raises OSError."""
    try:
        with open(descriptor, "wb") as stream:
            if mode is not None:
                os.fchmod(descriptor, mode)
            stream.write(content)
            if sync:
                stream.flush()
                os.fsync(descriptor)
        os.replace(part, place)
        if sync:
            sync_directory(os.path.dirname(part))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def overwrite(files: Files, path: str, content: bytes) -> bool:
    """Write new content over the old one of the same length, on disk when this returns. Raises OSError.

    That takes no room on the disk. Whether there was such a file; else nothing is written.
    """
    try:
        descriptor = os.open(files.path(path), os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != len(content):
            return False
        if os.pwrite(descriptor, content, 0) != len(content):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        os.fsync(descriptor)
        return True
    finally:
        os.close(descriptor)


def sync_directory(directory: str) -> None:
    """Write the names in a directory to disk (fsync). Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: str, flags: int = 0) -> t.BinaryIO:
    """Open a regular file for reading. Raises OSError, with EINVAL for anything else, such as an endless pipe."""
    # pylint: disable-next=consider-using-with
    stream = open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "it is not a regular file")
    return stream


def digest(stream: t.BinaryIO) -> str:
    """The SHA-256 of all of a stream, in hexadecimal."""
    result = hashlib.sha256()
    stream.seek(0)
    for chunk in iter(lambda: stream.read(1 << 20), b""):
        result.update(chunk)
    return result.hexdigest()
