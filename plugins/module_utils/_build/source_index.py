# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The index of a source tree: the digest of each file. A file is read again only if its size or a time has changed.

Whoever writes a file may set the time of its content back (`touch -r`, `cp -p`, tar); the time of its inode he may not.
"""

from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import digest

NOT_SOURCE = (".o", ".a", ".ko", ".cmd", ".mod", ".order")
"""The files that a build leaves between the sources."""

NOT_SOURCE_AT_TOP = (".git", ".config", "Module.symvers", "System.map", "klp-tmp")


class File(t.NamedTuple):
    """One file: its digest (of a symbolic link: of its target), size, and the times of content and inode in ns."""

    sha256: str
    size: int
    mtime: int
    ctime: int

    def is_that_of(self, status: os.stat_result) -> bool:
        """Whether nothing says that the file has changed since."""
        return (self.size, self.mtime, self.ctime) == (status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def file_of(sha256: str, status: os.stat_result) -> File:
    return File(sha256, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


Index = t.Dict[str, File]
"""Path below the tree -> file."""


def walk(tree: str, left_out: t.Container[str] = ()) -> t.Iterator[tuple[str, os.DirEntry[str]]]:
    """What is below a tree, but for the paths `left_out`, in no particular order: its path there, and its entry.

    An entry can be asked for its status up to the next one. No link is followed.
    """
    pending = [""]
    while pending:
        folder = pending.pop()
        # From its folder, the kernel finds each of 90 000 files faster than by its path.
        descriptor = os.open(os.path.join(tree, folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    path = folder + entry.name
                    if path in left_out:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(path + "/")
                    yield path, entry
        finally:
            os.close(descriptor)


def scan(tree: str, with_objects: bool = False) -> t.Iterator[tuple[str, os.stat_result]]:
    """Every source file and symbolic link below a tree, in no particular order. `with_objects` adds what is built."""
    # .git may also be a file or a link that leads to the user's repository, in which git would write.
    for path, entry in walk(tree, (".git",) if with_objects else NOT_SOURCE_AT_TOP):
        if _is_file_or_link(entry) and (with_objects or _is_source(path)):
            yield path, entry.stat(follow_symlinks=False)


def folders_and_unchanged(tree: str, index: Index) -> tuple[set[str], set[str]]:
    """The folders below a tree, and the paths of the index whose files have the size and the times that it says."""
    folders, unchanged = {""}, set()
    for path, entry in walk(tree):
        if entry.is_dir(follow_symlinks=False):
            folders.add(path)
        elif path in index and _is_file_or_link(entry) and index[path].is_that_of(entry.stat(follow_symlinks=False)):
            unchanged.add(path)
    return folders, unchanged


def _is_file_or_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_symlink()


def _is_source(path: str) -> bool:
    if "/" not in path and (path in NOT_SOURCE_AT_TOP or path.startswith(("vmlinux", ".tmp_"))):
        # The linker scripts vmlinux.lds.S are sources, and are not at the top.
        return False
    return not path.endswith(NOT_SOURCE)


def file_digest(path: str) -> str:
    """The SHA-256 of a file's content, or of a symbolic link's target."""
    if os.path.islink(path):
        return hashlib.sha256(b"link to " + os.fsencode(os.readlink(path))).hexdigest()
    with open(path, "rb") as stream:
        return digest(stream)


def refresh(tree: str, old: Index, with_objects: bool = False) -> Index:
    """The index of a tree now. Takes the digests of files whose size and times are unchanged from the old index."""
    index = {}
    for path, status in scan(tree, with_objects):
        known = old.get(path)
        if known and known.is_that_of(status):
            index[path] = known
        else:
            index[path] = file_of(file_digest(os.path.join(tree, path)), status)
    return index


def identity(index: Index) -> str:
    """One SHA-256 for the content of a tree. It does not depend on the path of the tree or the times of its files."""
    together = hashlib.sha256()
    for path in sorted(index):
        # With its length, no name is two lines.
        together.update(f"{index[path].sha256} {len(path)} {path}\n".encode("utf-8", "surrogateescape"))
    return together.hexdigest()


def load(path: str) -> Index:
    """A stored index; empty if there is none or it is damaged."""
    index = {}
    try:
        # Without it, a carriage return in a name would end the line.
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            for line in stream:
                sha256, size, mtime, ctime, name = line.rstrip("\n").split(" ", 4)
                if not name or name.startswith("/") or ".." in name.split("/"):
                    return {}
                index[name] = File(sha256, int(size), int(mtime), int(ctime))
    except (OSError, ValueError):
        return {}
    return index


def store(path: str, index: Index) -> None:
    """Write an index: the file at `path` is the old one or the new one at every moment. Raises OSError."""
    part = f"{path}.{os.getpid()}.part"
    with open(part, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        for name, file in index.items():
            if "\n" not in name:
                stream.write(f"{file.sha256} {file.size} {file.mtime} {file.ctime} {name}\n")
    os.replace(part, path)


def is_unchanged(path: str, file: File) -> bool:
    """Whether size and times of a file are as the index says."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    regular = stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)
    return regular and file.is_that_of(status)
