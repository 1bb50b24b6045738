# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Copies of the patch files that this collection loaded, kept on the host while their modules are loaded.

A per_task kernel can enable a disabled patch only by loading its file again, and undoing an unload needs the file too.
The copies also tell the identity of a loaded module where the kernel shows neither build-id nor srcversion.
They live in /run: like the loaded modules they are gone after a reboot.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._host import Files

DIRECTORY = "/run/openeuler-livepatch"


class Record(t.NamedTuple):
    """A kept copy: where it is, its digest, and what was read in the file (see C(_patch_file.PatchFile))."""

    path: str
    sha256: str
    patch_file: dict[str, t.Any]


def read_record(files: Files, name: str) -> Record | None:
    """The record of the module that is loaded under this name now, or None.

    A module that somebody else unloaded and loaded again has another sysfs inode: kernfs never hands out
    the number of a removed directory again before it has wrapped around.
    """
    path = f"{DIRECTORY}/{name}.json"
    if files.inode(path) is None:
        return None
    try:
        record = json.loads(files.text(path) or "")
        if record["sysfs_inode"] == files.inode("/sys/module/" + name):
            return Record(f"{DIRECTORY}/{name}.ko", record["sha256"], record["patch_file"])
    except (ValueError, KeyError, TypeError):
        return None
    return None


def keep(files: Files, name: str, patch_file_path: str, sha256: str, patch_file: dict[str, t.Any]) -> None:
    """Keep a copy of the file that has just been loaded. Raises OSError (a full /run, for example)."""
    directory = files.path(DIRECTORY)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    copy = os.path.join(directory, name + ".ko")
    if os.path.abspath(patch_file_path) != os.path.abspath(copy):
        shutil.copyfile(patch_file_path, copy + ".part")
        os.chmod(copy + ".part", 0o600)
        os.replace(copy + ".part", copy)
    record = {"sha256": sha256, "sysfs_inode": files.inode("/sys/module/" + name), "patch_file": patch_file}
    with open(os.path.join(directory, name + ".json.part"), "w", encoding="utf-8") as stream:
        json.dump(record, stream)
    os.replace(os.path.join(directory, name + ".json.part"), os.path.join(directory, name + ".json"))


def forget(files: Files, name: str) -> None:
    """Remove the copy of a module that has been unloaded."""
    for suffix in (".json", ".ko"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(files.path(f"{DIRECTORY}/{name}{suffix}"))
