# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Removes the trees of a cache that nobody has used for long, and the oldest ones where they are too large together.

A build holds the lock of its tree, so a tree in use is never removed. The time of the lock tells when it was used last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, read_text

TREES = "trees"

LOCK = "lock"

SIZE = "size"

DAY_SECONDS = 86400

GIB = 1024**3

_TREE = re.compile(r"[0-9a-f]{16}\Z")

_GONE = ".gone-"
"""How the name of a tree begins that is being removed: none that is half removed is used."""


@dataclass(frozen=True)
class _Tree:
    path: str
    used: float
    size: int


def prune(cache_dir: str, own: str, max_age_days: float, max_size_gib: float) -> list[Plain]:
    """Remove old trees but `own`, and return what was removed: `path`, `size` in bytes, `unused_days` and `why`."""
    folder = os.path.join(cache_dir, TREES)
    _finish(folder)
    paths = [path for path in _entries(folder, _TREE.match) if path != own]
    trees = sorted(_trees(paths), key=lambda tree: tree.used)
    now, together = time.time(), sum(tree.size for tree in trees)
    together += _known_size(own, None) or (_size(own) if trees else 0)
    removed: list[Plain] = []
    for tree in trees:
        days = (now - tree.used) / DAY_SECONDS
        why = "age" if days > max_age_days else "size" if together > max_size_gib * GIB else ""
        if why and _remove(tree.path):
            together -= tree.size
            removed.append({"path": tree.path, "size": tree.size, "unused_days": round(days, 1), "why": why})
    return removed


def _trees(paths: t.Iterable[str]) -> t.Iterator[_Tree]:
    for path in paths:
        with contextlib.suppress(OSError):
            used = os.stat(os.path.join(path, LOCK))
            size = _known_size(path, used.st_mtime_ns)
            if size is None:
                size = _size(path)
                _note_size(path, used.st_mtime_ns, size)
            yield _Tree(path, used.st_mtime, size)


def _known_size(path: str, used: int | None) -> int | None:
    """The size that was noted after the last use of a tree, or after any; to measure one takes seconds."""
    try:
        noted_at, size = (int(word) for word in (read_text(os.path.join(path, SIZE)) or "").split())
    except ValueError:
        return None
    return size if used in (None, noted_at) else None


def _note_size(path: str, used: int, size: int) -> None:
    part = os.path.join(path, f"{SIZE}.part")
    with open(part, "w", encoding="ascii") as stream:
        stream.write(f"{used} {size}\n")
    os.replace(part, os.path.join(path, SIZE))


def _entries(folder: str, wanted: t.Callable[[str], t.Any]) -> list[str]:
    """The directories in a folder whose names are wanted; a link is none."""
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if wanted(entry.name) and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _size(path: str) -> int:
    """How many bytes a tree takes on the disk."""
    together, pending = 0, [path]
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                together += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
    return together


def _remove(path: str) -> bool:
    """Remove a tree, unless a build has its lock. Whoever waits for the lock finds the tree gone, and makes it anew."""
    try:
        with open(os.path.join(path, LOCK), "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = os.path.join(os.path.dirname(path), f"{_GONE}{os.path.basename(path)}-{os.getpid()}")
            os.rename(path, gone)
    except OSError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _finish(folder: str) -> None:
    """Remove what an interrupted run has begun to remove."""
    for path in _entries(folder, lambda name: name.startswith(_GONE)):
        shutil.rmtree(path, ignore_errors=True)
