# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Copies of the patch files that this collection loaded, kept on the host while their modules are loaded.

A per_task kernel can enable a disabled patch only by loading its file again, and rolling back an unload needs it too.
The copies also tell the identity of a loaded module where the kernel shows neither build-id nor srcversion.
The files of what a patch displaced (patches that it superseded, an earlier build of the same name) stay as long as
the patch. All copies are in /run: a reboot removes them, as it removes the loaded modules.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Reading, known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import MAX_BYTES
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
    path = f"{DIRECTORY}/{name}.json"
    text = files.text(path)
    if not isinstance(text, str):
        return text
    try:
        data = json.loads(text)
        return StoredCopy(
            path=copy_path(name, data["sha256"]),
            sha256=data["sha256"],
            instance=data["sysfs_inode"],
            file=_parse_file(data["patch_file"]),
            displaced=tuple(map(_parse_displaced, data.get("displaced", ()))),
            proven=data.get("proven", True),
        )
    except (ValueError, KeyError, TypeError):
        return files.damaged(path)


def _parse_file(data: t.Mapping[str, t.Any] | None) -> PatchFile | None:
    """A patch file from its plain types; None if another version of this collection wrote them in another format."""
    try:
        return PatchFile.from_dict(data) if data else None
    except (TypeError, KeyError):
        return None


def _parse_displaced(data: t.Mapping[str, t.Any]) -> Displaced:
    return Displaced(data["name"], data["enabled"], _parse_file(data["file"]), tuple(data["under"]))


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


def _read_regular(path: str) -> bytes:
    """The content of a regular file, at most `MAX_BYTES` + 1. Raises FileChanged if it is anything else; OSError.

    In the directory of the user's file somebody else may put a link, or a pipe that never ends, in its place.
    """
    try:
        with durable.open_regular(path, os.O_NOFOLLOW) as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.EINVAL):
            raise FileChanged(path) from error
        raise


def note(files: Files, patch: LoadedPatch, file: PatchFile, displaced: t.Iterable[Displaced], proven: bool) -> None:
    """Record that this patch was loaded from the copy of this file, and what it displaced. Raises OSError."""
    record = {
        "sha256": file.sha256,
        "sysfs_inode": patch.instance,
        "patch_file": file.to_dict(),
        "displaced": [other.to_dict() for other in displaced],
        "proven": proven,
    }
    durable.write(files, f"{DIRECTORY}/{patch.name}.json", json.dumps(record).encode())


def note_proof(files: Files, patch: LoadedPatch, proven: bool) -> None:
    """Record whether the effect of this patch was proven, if there is a record of it. Raises OSError."""
    copy = known(read(files, patch.name))
    if copy and copy.file and copy.instance == patch.instance and copy.proven != proven:
        note(files, patch, copy.file, copy.displaced, proven)


def prune(files: Files, loaded: t.Iterable[LoadedPatch]) -> None:
    """Remove the records of modules that are not loaded, or were loaded again, and the copies that no record names."""
    patches = {f"{patch.name}.json": patch for patch in loaded}
    needed = set()
    entries = known_or(files.names(DIRECTORY), [])
    for entry in entries:
        if entry.endswith(".json"):
            patch = patches.get(entry)
            copy = known(read(files, patch.name)) if patch else None
            if patch is None or copy is None or copy.instance != patch.instance:
                _remove(files, entry)
            else:
                needed.add(copy.path)
                displaced = (other.file for other in copy.displaced)
                needed.update(copy_path(file.name, file.sha256) for file in displaced if file)
    for entry in entries:
        if entry.endswith((".ko", ".part")) and f"{DIRECTORY}/{entry}" not in needed:
            _remove(files, entry)


def _remove(files: Files, entry: str) -> None:
    # A copy too many does no harm, and the kernel has been changed already.
    with contextlib.suppress(OSError):
        os.unlink(files.path(f"{DIRECTORY}/{entry}"))
