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

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import MAX_BYTES
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

DIRECTORY = "/run/openeuler-livepatch"


class Record(t.NamedTuple):
    """A stored copy: its path, its SHA-256, and its `PatchFile` in plain types.

    `displaced` has what the patch displaced, each a `Displaced` in plain types. `proven` is false if the run that
    enabled the patch could not prove its effect, until a later run does.
    """

    path: str
    sha256: str
    patch_file: dict[str, t.Any]
    displaced: tuple[dict[str, t.Any], ...] = ()
    proven: bool = True


def read_record(files: Files, name: str) -> Record | None:
    """The record of the module that is loaded under this name now; None without one.

    A record of an earlier load does not count. Each load has another sysfs inode: kernfs gives the number of a removed
    directory to another one only after the numbers have wrapped around.
    """
    record = _read(files, name)
    return record[1] if record and record[0] == files.inode("/sys/module/" + name) else None


def read_record_of(files: Files, name: str, sha256: str) -> Record | None:
    """The record under this name if it is of the file with this digest, whether or not the module is loaded."""
    record = _read(files, name)
    return record[1] if record and record[1].sha256 == sha256 else None


def _read(files: Files, name: str) -> tuple[int | None, Record] | None:
    path = f"{DIRECTORY}/{name}.json"
    if files.inode(path) is None:
        return None
    try:
        data = json.loads(files.text(path) or "")
        path = copy_path(name, data["sha256"])
        displaced = tuple(data.get("displaced", ()))
        proven = data.get("proven", True)
        return data["sysfs_inode"], Record(path, data["sha256"], data["patch_file"], displaced, proven)
    except (ValueError, KeyError, TypeError):
        return None


def copy_path(name: str, sha256: str, directory: str = DIRECTORY) -> str:
    """The path of a file's copy. It names the digest: while a different build takes the place of one, both exist."""
    return f"{directory}/{name}-{sha256[:16]}.ko"


def store(files: Files, name: str, source: str, sha256: str, directory: str = DIRECTORY) -> str:
    """Copy a file that is about to be loaded to where only root can change it, and return the path of the copy.

    Raises FileChanged if its digest is another one, so that the inspected file is the one that is loaded; OSError.
    In another directory than `DIRECTORY` the copy is on disk (fsync) when this returns.
    """
    path = copy_path(name, sha256, directory)
    is_stored = source == path
    content = _read_regular(files.path(path) if is_stored else source)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise FileChanged(source)
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


def keep(
    files: Files,
    name: str,
    sha256: str,
    patch_file: dict[str, t.Any],
    displaced: t.Sequence[dict[str, t.Any]] = (),
    proven: bool = True,
) -> None:
    """Record that the module of this name was loaded from the copy with this digest. Raises OSError."""
    record = {
        "sha256": sha256,
        "sysfs_inode": files.inode("/sys/module/" + name),
        "patch_file": patch_file,
        "displaced": list(displaced),
        "proven": proven,
    }
    durable.write(files, f"{DIRECTORY}/{name}.json", json.dumps(record).encode())


def note_proof(files: Files, name: str, proven: bool) -> None:
    """Record whether the effect of the patch that is loaded under this name was proven. Raises OSError."""
    record = read_record(files, name)
    if record and record.proven != proven:
        keep(files, name, record.sha256, record.patch_file, record.displaced, proven)


def prune(files: Files, loaded: t.Collection[str]) -> None:
    """Remove the records of modules that are not loaded, or were loaded again, and the copies that no record names."""
    entries = files.names(DIRECTORY)
    needed = set()
    for entry in entries:
        if entry.endswith(".json"):
            name = entry[: -len(".json")]
            record = read_record(files, name) if name in loaded else None
            if record is None:
                _remove(files, entry)
            else:
                needed.add(record.path)
                files_of_displaced = (one["file"] for one in record.displaced)
                needed.update(copy_path(file["name"], file["sha256"]) for file in files_of_displaced if file)
    for entry in entries:
        if entry.endswith((".ko", ".part")) and f"{DIRECTORY}/{entry}" not in needed:
            _remove(files, entry)


def _remove(files: Files, entry: str) -> None:
    # A copy too many does no harm, and the kernel has been changed already.
    with contextlib.suppress(OSError):
        os.unlink(files.path(f"{DIRECTORY}/{entry}"))
