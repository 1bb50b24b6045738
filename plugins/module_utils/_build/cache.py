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
    _finish(os.path.join(cache_dir, TREES))
    trees, now = _trees(cache_dir, own, note=_note_size), time.time()
    return [
        {"path": tree.path, "size": tree.size, "unused_days": round((now - tree.used) / DAY_SECONDS, 1), "why": why}
        for tree, why in _old_ones(trees, own, max_age_days, max_size_gib, remove=_remove)
    ]


def prunable(cache_dir: str, own: str, max_age_days: float, max_size_gib: float) -> int:
    """How many bytes `prune` would free. Writes nothing."""
    trees = _trees(cache_dir, own, note=lambda *_size: None)
    return sum(tree.size for tree, _why in _old_ones(trees, own, max_age_days, max_size_gib, remove=lambda _path: True))


def _old_ones(
    trees: list[_Tree], own: str, max_age_days: float, max_size_gib: float, remove: t.Callable[[str], bool]
) -> t.Iterator[tuple[_Tree, str]]:
    """The trees that `remove` has removed, the oldest first, and why."""
    now, together = time.time(), sum(tree.size for tree in trees)
    together += _known_size(own, None) or (_size(own) if trees else 0)
    for tree in sorted(trees, key=lambda tree: tree.used):
        is_old = (now - tree.used) / DAY_SECONDS > max_age_days
        why = "age" if is_old else "size" if together > max_size_gib * GIB else ""
        if why and remove(tree.path):
            together -= tree.size
            yield tree, why


def _trees(cache_dir: str, own: str, note: t.Callable[[str, int, int], None]) -> list[_Tree]:
    """All trees but `own`. `note` gets path, time of the last use and size of each that had to be measured."""
    trees = []
    for path in _entries(os.path.join(cache_dir, TREES), _TREE.match):
        if path == own:
            continue
        with contextlib.suppress(OSError):
            used = os.stat(os.path.join(path, LOCK))
            size = _known_size(path, used.st_mtime_ns)
            if size is None:
                size = _size(path)
                note(path, used.st_mtime_ns, size)
            trees.append(_Tree(path, used.st_mtime, size))
    return trees


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
