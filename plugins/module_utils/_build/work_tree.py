# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The copy of a kernel's source in which a builder works. The copy stays, with the objects compiled in it.

kpatch-build and klp-build edit their source tree, and reuse the objects in it. So each source, configuration and
compiler has its own copy: the user's tree never changes, and the next build compiles only what the patch changes. make
decides by times, so each file that `prepare` corrects gets a new time. A link of the source is a link of the copy, and
nothing is written or removed through it (see own_files.py); make alone builds in a folder that a link leads out to.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import own_files, source_index
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.cache import LOCK, TREES
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import digest_of, read_bytes, read_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Vmlinux
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_index import File, Index
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding


class WorkTree:
    """A directory of the cache: `source` with the copy, `kpatch` for kpatch-build, `out` for its result."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.source = os.path.join(path, "source")
        self.kpatch = os.path.join(path, "kpatch")
        self.out = os.path.join(path, "out")
        self.symvers = os.path.join(path, "Module.symvers")
        self._index = os.path.join(path, "index")
        self._state = os.path.join(path, "state.json")

    def is_primed(self, identity: str) -> bool:
        """Whether a build of the whole kernel from a source with this identity has succeeded in the tree."""
        return bool(self._read_state().get("primed") == identity)

    @property
    def objects(self) -> int | None:
        """How many objects a whole build compiles; None before the first one."""
        count = self._read_state().get("objects")
        return count if isinstance(count, int) else None

    def note_primed(self, identity: str, objects: int) -> None:
        self._write_state(dict(self._read_state(), primed=identity, objects=max(objects, self.objects or 0)))

    @property
    def ended_well(self) -> bool:
        """Whether the last run in the tree came to its end, and cleaned up after itself."""
        return not self._read_state().get("running")

    def note_running(self, running: bool) -> None:
        self._write_state(dict(self._read_state(), running=running))

    def discard(self) -> None:
        """Remove the copy and all that is known of it: the next `prepare` makes it anew."""
        shutil.rmtree(self.source, ignore_errors=True)
        for path in (self._index, self._state):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _read_state(self) -> dict[str, t.Any]:
        try:
            state = json.loads(read_text(self._state) or "{}")
        except (ValueError, RecursionError):
            return {}
        return state if isinstance(state, dict) else {}

    def _write_state(self, state: dict[str, t.Any]) -> None:
        part = self._state + ".part"
        with open(part, "w", encoding="utf-8") as stream:
            json.dump(state, stream)
        os.replace(part, self._state)

    @contextlib.contextmanager
    def locked(self, who: str, waiting: t.Callable[[str], None], seconds: float) -> t.Iterator[bool]:
        """Lock the tree. Calls `waiting` once with the name of a build that has it. Yields False after `seconds`."""
        deadline = time.monotonic() + seconds
        told = False
        while True:
            with self._open_lock() as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    if not told:
                        lock.seek(0)
                        waiting(lock.read().strip() or "another build")
                        told = True
                else:
                    # The tree may have been removed as an old one in the meantime.
                    if _is_file(lock, os.path.join(self.path, LOCK)):
                        lock.seek(0)
                        lock.truncate()
                        lock.write(who)
                        lock.flush()
                        yield True
                        return
                    continue
            if time.monotonic() > deadline:
                yield False
                return
            time.sleep(0.2)

    def _open_lock(self) -> t.TextIO:
        path = os.path.join(self.path, LOCK)
        while True:
            os.makedirs(self.path, exist_ok=True)
            # Another build may remove the tree as an old one at this moment.
            with contextlib.suppress(FileNotFoundError):
                return open(path, "a+", encoding="utf-8", errors="replace")

    def prepare(self, origin: str, content: Index, config: bytes, added: t.Sequence[str]) -> None:
        """Make the copy equal to its origin, whose index is `content`. `added` has the files that the patches add.

        This finds and corrects, by size and times, what an interrupted build has left. Raises BuildError if the origin
        has changed since.
        """
        state = self._read_state()
        for path in _texts(state.get("added")):
            if path not in content:
                with contextlib.suppress(OSError):
                    own_files.remove(self.source, path)
        have = source_index.load(self._index)
        if not have:
            shutil.rmtree(self.source, ignore_errors=True)
            os.makedirs(self.source)
        for path in have.keys() - content.keys():
            with contextlib.suppress(OSError):
                own_files.remove(self.source, path)
        folders, unchanged = source_index.folders_and_unchanged(self.source, have)
        # A run that ended early may have left a link, as the source had it then, in the place of a folder.
        for folder in {os.path.dirname(path) for path in content} - folders:
            own_files.make_folder(self.source, folder)
        copied = {}
        for path, file in content.items():
            is_equal = path in unchanged and have[path].sha256 == file.sha256
            copied[path] = have[path] if is_equal else self._bring(origin, path, file, have)
        if copied != have:
            source_index.store(self._index, copied)
        self._write_state(dict(state, added=list(added)))
        own_files.write(self.source, ".config", config)

    def _bring(self, origin: str, path: str, wanted: File, index: Index) -> File:
        """Make a file of the copy equal to `wanted`, and return its entry for the index. Raises BuildError."""
        target, have = os.path.join(self.source, path), index.get(path)
        is_in_index = have is not None and have.sha256 == wanted.sha256
        if is_in_index and _is_file_or_link(target) and source_index.file_digest(target) == wanted.sha256:
            return _file_now(target, wanted.sha256)
        original = os.path.join(origin, path)
        with contextlib.suppress(FileNotFoundError):
            _copy(origin, path, target, keep_time=not index)
        if not source_index.is_unchanged(original, wanted):
            raise BuildError(
                Finding(
                    reason="inputs_changed",
                    seen=f"{original} changed while it was copied.",
                    remedy="Run the task again when nothing changes the source.",
                )
            )
        return _file_now(target, wanted.sha256)

    def set_version(self, base: str) -> None:
        """Let the copy's Makefile say this version, of two or three numbers, as distributions do before they build."""
        sublevel = base.encode().split(b".")[2:3]
        content = read_bytes(os.path.join(self.source, "Makefile")) or b""
        content = re.sub(rb"(?m)^SUBLEVEL *=.*$", b" ".join([b"SUBLEVEL =", *sublevel]), content, count=1)
        content = re.sub(rb"(?m)^EXTRAVERSION *=.*$", b"EXTRAVERSION =", content, count=1)
        own_files.write(self.source, "Makefile", content)

    def vmlinux_for(self, vmlinux: Vmlinux, release: str) -> str:
        """The vmlinux for kpatch-build, which takes the release from the text in it.

        Where there is no such text, it is a copy with the text behind its end.
        """
        if not vmlinux.is_debug_only:
            return vmlinux.path
        copy = os.path.join(self.path, "vmlinux")
        shutil.copyfile(vmlinux.path, copy)
        with open(copy, "ab") as stream:
            stream.write(b"\nLinux version " + release.encode() + b" (debuginfo)\n")
        return copy

    def store_symvers(self) -> None:
        """Store the symbol versions of the original source, which the build of the patched source overwrites."""
        original = os.path.join(self.source, "Module.symvers")
        part = self.symvers + ".part"
        with contextlib.suppress(OSError):
            shutil.copyfile(original, part)
            if not self._patched_may_be_in(original):
                os.replace(part, self.symvers)

    def _patched_may_be_in(self, path: str) -> bool:
        """Whether something has written the file after kpatch-build made its folder for the patched objects."""
        try:
            return os.stat(path).st_mtime_ns >= os.stat(os.path.join(self.kpatch, "tmp", "patched")).st_mtime_ns
        except OSError:
            return False

    def bring_symvers(self) -> bool:
        """Copy the stored symbol versions into the source, and return whether there are any."""
        versions = read_bytes(self.symvers)
        if versions is None:
            return False
        own_files.write(self.source, "Module.symvers", versions)
        return True


def _texts(value: t.Any) -> list[str]:
    """The texts in a list; none if it is no list."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _is_file(stream: t.TextIO, path: str) -> bool:
    """Whether the file at this path is the open one."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except OSError:
        return False


def work_tree(cache_dir: str, *inputs: t.Any) -> WorkTree:
    """The tree for these inputs, which are plain data. Other inputs have another tree."""
    return WorkTree(os.path.join(cache_dir, TREES, digest_of(list(inputs))[:16]))


def origin_content(cache_dir: str, origin: str, keep: bool, with_objects: bool = False) -> Index:
    """The index of the user's source tree now. With `keep` the cache stores it, so that the next call is fast."""
    place = os.path.realpath(origin)
    path = os.path.join(cache_dir, "index-" + digest_of([place, "objects"] if with_objects else place)[:16])
    old = source_index.load(path)
    new = source_index.refresh(origin, old, with_objects)
    if keep and new != old:
        # A cache that cannot be written is a finding of the checks; this only makes the next call faster.
        with contextlib.suppress(OSError):
            os.makedirs(cache_dir, exist_ok=True)
            source_index.store(path, new)
    return new


def _copy(origin: str, path: str, target: str, keep_time: bool) -> None:
    source = os.path.join(origin, path)
    own_files.clear(target)
    if os.path.islink(source):
        os.symlink(own_files.link_for_copy(origin, path), target)
        return
    if keep_time:
        shutil.copy2(source, target)
    else:
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    os.chmod(target, os.stat(target).st_mode | 0o600)


def _file_now(path: str, sha256: str) -> File:
    return source_index.file_of(sha256, os.lstat(path))


def _is_file_or_link(path: str) -> bool:
    return os.path.islink(path) or os.path.isfile(path)
