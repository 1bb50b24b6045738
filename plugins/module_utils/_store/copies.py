# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Copies of the patch files that this collection loaded, kept on the host while their modules are loaded.

A per_task kernel can enable a disabled patch only by loading its file again, and rolling back an unload needs it too.
The copies also tell the identity of a loaded module where the kernel shows neither build-id nor srcversion.
The files of what a patch displaced (patches that it superseded, an earlier build of the same name), to any depth, stay
as long as the patch. All copies are in /run: a reboot removes them, as it removes the loaded modules.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import PATCH_FILE_MAX
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.displaced import all_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import CameBack, Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import (
    Absent,
    Reading,
    Unreadable,
    known,
    known_or,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import state
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

DIRECTORY = "/run/openeuler-livepatch"


def read(files: Files, name: str) -> Reading[StoredCopy]:
    """The record of the module that was last loaded under this name from a copy.

    `instance` tells whether that module is loaded now. Each load has another sysfs inode: kernfs gives the number of a
    removed directory to another one only after the numbers have wrapped around.
    """
    return state.read(files, f"{DIRECTORY}/{name}.json", lambda data: _stored_copy(name, data))


def _stored_copy(name: str, data: object) -> StoredCopy:
    # Version 1.0 did not write the others.
    later = ("displaced", "proven", "forced", "taint", "trouble", "came_back", "at_boot")
    record = state.only(data, ("sha256", "sysfs_inode", "patch_file"), later)
    sha256 = state.text(record["sha256"])
    return StoredCopy(
        path=copy_path(name, sha256) if sha256 else "",
        sha256=sha256,
        instance=state.optional(state.number, record["sysfs_inode"]),
        file=_parse_file(record["patch_file"]),
        displaced=tuple(map(_parse_displaced, state.items(record.get("displaced", [])))),
        proven=state.flag(record.get("proven", True)),
        forced=state.optional(state.flag, record.get("forced")),
        taint=state.optional(state.number, record.get("taint")),
        trouble=state.text(record.get("trouble", "")),
        came_back=state.optional(CameBack, record.get("came_back")),
        at_boot=state.flag(record.get("at_boot", False)),
    )


def _parse_file(data: object) -> PatchFile | None:
    """A patch file from its plain types; None if another version of this collection wrote them in another format.

    Version 1.0 loaded patches without parameters, and so they are recorded there.
    """
    try:
        return state.patch_file(data).loaded_as(None) if data else None
    except state.MISFITS:
        return None


def _parse_displaced(data: object) -> Displaced:
    # Version 1.0 remembered one step.
    other = state.only(data, ("name", "enabled", "file", "under"), ("displaced",))
    return Displaced(
        state.text(other["name"]),
        state.flag(other["enabled"]),
        _parse_file(other["file"]),
        state.texts(other["under"]),
        tuple(map(_parse_displaced, state.items(other.get("displaced", [])))),
    )


def copy_path(name: str, sha256: str, directory: str = DIRECTORY) -> str:
    """The path of a file's copy. It names the digest: while a different build takes the place of one, both exist."""
    return f"{directory}/{name}-{sha256[:16]}.ko"


def store(files: Files, name: str, source: str | bytes, sha256: str, directory: str = DIRECTORY) -> str:
    """Copy a file that is about to be loaded to where only root can change it, and return the path of the copy.

    `source` is its path or its content. Raises FileChanged if its digest is another one, so that the inspected file is
    the one that is loaded; OSError.
    In another directory than `DIRECTORY` the copy is on disk (fsync) when this returns.
    """
    path = copy_path(name, sha256, directory)
    is_stored = source == path
    content = source if isinstance(source, bytes) else _read_regular(files.path(path) if is_stored else source)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise FileChanged(name if isinstance(source, bytes) else source)
    if not is_stored:
        durable.write(files, path, content, sync=directory != DIRECTORY)
    return path


def digest(files: Files, path: str) -> Reading[str]:
    """The SHA-256 of a regular file; Unreadable with EINVAL if it is anything else, which `store` would refuse."""
    return files.read(path, _digest)


def _digest(place: str) -> str:
    try:
        with durable.open_regular(place, os.O_NOFOLLOW) as stream:
            return durable.digest(stream)
    except OSError as error:
        if error.errno in _NOT_REGULAR:
            raise OSError(errno.EINVAL, "it is not a regular file") from error
        raise


class Digests:
    """The digests of files that one run looks at more than once, before it has the host's lock and when it has it.

    A file is read again only if it was written since, or is another one.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Reading[_Mark], Reading[str]]] = {}

    def of(self, files: Files, path: str) -> Reading[str]:
        """As `digest`."""
        mark = files.read(path, _mark_of_inode)
        if path not in self._known or self._known[path][0] != mark or not isinstance(mark, tuple):
            self._known[path] = mark, digest(files, path)
        return self._known[path][1]


_Mark = t.Tuple[int, ...]
"""What changes with each writing to a file, and when another one is in its place."""


def _mark_of_inode(place: str) -> _Mark:
    found = os.lstat(place)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


_NOT_REGULAR = (errno.ELOOP, errno.EISDIR, errno.EINVAL)


def _read_regular(path: str) -> bytes:
    """The content of a regular file, at most `PATCH_FILE_MAX` + 1. Raises FileChanged if it is anything else; OSError.

    In the directory of the user's file somebody else may put a link, or a pipe that never ends, in its place.
    """
    try:
        with durable.open_regular(path, os.O_NOFOLLOW) as stream:
            return stream.read(PATCH_FILE_MAX + 1)
    except OSError as error:
        if error.errno in _NOT_REGULAR:
            raise FileChanged(path) from error
        raise


def note(
    files: Files,
    patch: LoadedPatch,
    file: PatchFile,
    displaced: t.Iterable[Displaced],
    proven: bool,
    forced: bool | None = None,
    came_back: CameBack | None = None,
) -> None:
    """Record that this patch was loaded from the copy of this file, and what it displaced. Raises OSError.

    What is recorded of this load already stays: whether it was forced, the taint, and whether a revert has brought it
    back. `forced` and `came_back` are for a new record. What the kernel shows of the replace flag counts for more than
    what the file shows: when the patch comes back, that decides what may be loaded beside it.
    """
    file = file if patch.replace is None else replace(file, replace=patch.replace)
    earlier = read(files, patch.name)
    copy = StoredCopy(copy_path(patch.name, file.sha256), file.sha256, patch.instance, file, tuple(displaced), proven)
    if isinstance(earlier, StoredCopy) and earlier.instance == patch.instance:
        copy = replace(copy, forced=earlier.forced, taint=earlier.taint, trouble=earlier.trouble)
        copy = replace(copy, came_back=earlier.came_back, at_boot=earlier.at_boot)
    elif not isinstance(earlier, Unreadable):
        copy = replace(copy, forced=forced, came_back=came_back)
    _write(files, patch.name, copy)


def note_enabled(files: Files, patch: LoadedPatch) -> None:
    """Record that a task has enabled this patch, which somebody else had loaded. Raises OSError."""
    _write(files, patch.name, StoredCopy("", "", patch.instance))


def note_proof(
    files: Files, patch: LoadedPatch, proven: bool, taint: int | None = None, is_first: bool = False
) -> None:
    """Record whether the effect of this patch was proven, if there is a record of it. Raises OSError.

    `taint` is the kernel's at that moment. A later proof does not replace that of the first one: what has happened
    between the two would be hidden.
    """
    _update(files, patch, lambda copy: replace(copy, proven=proven, taint=_taint(copy, taint, is_first)))


def _taint(copy: StoredCopy, taint: int | None, is_first: bool) -> int | None:
    return taint if is_first or copy.taint is None else copy.taint


def note_trouble(files: Files, patch: LoadedPatch, trouble: str) -> None:
    """Record the trouble that the kernel got into with this patch, if there is a record of it. Raises OSError."""
    _update(files, patch, lambda copy: replace(copy, proven=False, trouble=trouble))


def note_force(files: Files, patch: LoadedPatch) -> None:
    """Record that a transition of this patch was forced, if there is a record of the patch. Raises OSError."""
    _update(files, patch, lambda copy: replace(copy, forced=True))


def note_boot(files: Files, patch: LoadedPatch) -> None:
    """Record that a boot has loaded this patch. Raises OSError."""
    _update(files, patch, lambda copy: replace(copy, at_boot=True))


def _update(files: Files, patch: LoadedPatch, change: t.Callable[[StoredCopy], StoredCopy]) -> None:
    copy = known(read(files, patch.name))
    # What another version wrote of a file is not understood, and would be lost.
    is_understood = copy is not None and (copy.file is not None or not copy.sha256)
    if copy and is_understood and copy.instance == patch.instance and change(copy) != copy:
        _write(files, patch.name, change(copy))


def _write(files: Files, name: str, copy: StoredCopy) -> None:
    record = {
        "sha256": copy.sha256,
        "sysfs_inode": copy.instance,
        "patch_file": copy.file.to_dict() if copy.file else None,
        "displaced": [other.to_dict() for other in copy.displaced],
        "proven": copy.proven,
        "forced": copy.forced,
        "taint": copy.taint,
        "trouble": copy.trouble,
        "came_back": copy.came_back.value if copy.came_back else None,
        "at_boot": copy.at_boot,
    }
    state.write(files, f"{DIRECTORY}/{name}.json", record)


def unrecorded(files: Files, names: t.Collection[str]) -> frozenset[str]:
    """Those of these patches without a record of which a copy is there, kept for no other patch.

    The copy is made before the module is loaded, and the record afterwards: a full disk keeps the record away. What is
    kept for a patch that another tool has unloaded meanwhile is still named by that one's record.
    """
    if not names:
        return frozenset()
    entries = known_or(files.names(DIRECTORY), [])
    named = _named_by_records(files, entries)
    alone = (entry for entry in entries if entry.endswith(".ko") and f"{DIRECTORY}/{entry}" not in named)
    return frozenset(names).intersection(map(_name_of, alone))


def _name_of(entry: str) -> str:
    """The patch of a copy: the names of modules have no hyphens."""
    return entry.rpartition("-")[0]


def _displaced_paths(copy: StoredCopy) -> t.Iterator[str]:
    for other in all_of(copy.displaced):
        if other.file:
            yield copy_path(other.file.name, other.file.sha256)


def prune(files: Files, loaded: t.Iterable[LoadedPatch], without_record: t.Collection[str] = ()) -> None:
    """Remove the records of modules that are not loaded, or were loaded again, and the copies that no record names.

    The copies of the loaded patches in `without_record` stay, unless they have a record now. Nothing is removed where
    the record of a loaded patch cannot be read, or a note of a run that could not be understood is kept: either may
    name any of the copies.
    """
    patches = {f"{patch.name}.json": patch for patch in loaded}
    records = {entry: read(files, patch.name) for entry, patch in patches.items()}
    entries = known_or(files.names(DIRECTORY), [])
    if any(map(_is_unclear, records.values())) or any(state.ASIDE in entry for entry in entries):
        return
    needed: set[str] = set()
    recorded = set()
    for entry in entries:
        if entry.endswith(".json"):
            patch, copy = patches.get(entry), known(records.get(entry, Absent()))
            if patch is None or copy is None or copy.instance != patch.instance:
                _remove(files, entry)
            else:
                recorded.add(patch.name)
                needed.add(copy.path)
                needed.update(_displaced_paths(copy))
    staying = {patch.name for patch in patches.values()}.intersection(without_record).difference(recorded)
    for entry in entries:
        is_needed = f"{DIRECTORY}/{entry}" in needed or (entry.endswith(".ko") and _name_of(entry) in staying)
        if entry.endswith((".ko", ".part")) and not is_needed:
            _remove(files, entry)


def remove_brought(files: Files, names: t.Collection[str]) -> None:
    """Remove the copies of patches that a run has brought in vain, unless a record names them.

    Without its record, the copy of a patch that is loaded later would claim that one for the collection.
    """
    entries = known_or(files.names(DIRECTORY), [])
    named = _named_by_records(files, entries)
    for entry in entries:
        if entry.endswith(".ko") and _name_of(entry) in names and f"{DIRECTORY}/{entry}" not in named:
            _remove(files, entry)


def _named_by_records(files: Files, entries: t.Iterable[str]) -> set[str]:
    records = (known(read(files, entry[: -len(".json")])) for entry in entries if entry.endswith(".json"))
    return {path for copy in records if copy for path in (copy.path, *_displaced_paths(copy))}


def _is_unclear(record: Reading[StoredCopy]) -> bool:
    """Whether a record may name copies that are not known: it could not be read, or another version wrote it."""
    is_foreign = isinstance(record, StoredCopy) and bool(record.sha256) and not record.file
    return isinstance(record, Unreadable) or is_foreign


def _remove(files: Files, entry: str) -> None:
    # A copy too many does no harm, and the kernel has been changed already.
    with contextlib.suppress(OSError):
        os.unlink(files.path(f"{DIRECTORY}/{entry}"))
