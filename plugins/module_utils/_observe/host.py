# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads a host's kernel into a `Snapshot`. Changes nothing, and does not fail on a kernel without live patching.

Every function takes a `Files`, which may have another root than `/`: tests use recorded trees.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    STOP_MACHINE,
    Function,
    Identity,
    LoadedPatch,
    Option,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe import state_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.abi import (
    STATE_FILE,
    SYSFS,
    detect_abi,
    detect_stacking,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.config import (
    MODULE_PLTS,
    REQUIRED_OPTIONS,
    read_config,
    vermagic_words,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.irreversible import (
    MODULES_DISABLED,
    ftrace_has_failed,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.owners import read_owners
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

LIVEPATCH_TAINT = "K"
"""The taint of a live patch module in /proc/modules (Documentation/admin-guide/tainted-kernels.rst)."""

PERMANENT = "[permanent]"
"""/proc/modules shows this among the users of a module that has no exit function (kernel/module/procfs.c)."""


def read_snapshot(files: Files | None = None) -> Snapshot:
    """Read the kernel's release, configuration, ABI and live patches."""
    files = files or Files()
    release = files.text("/proc/sys/kernel/osrelease") or os.uname().release
    config_path, config = read_config(files, release)
    abi, evidence, why = detect_abi(files, config_path, config)
    modules = _read_modules(files)
    owners = read_owners(files, release)
    patches = [
        _read_patch(files, module, index, owners)
        for index, module in enumerate(modules)
        if LIVEPATCH_TAINT in module.taint
    ]
    disagreements: list[str] = []
    stacking_enforced = None
    if abi == STOP_MACHINE:
        patches, disagreements = _order_by_state_file(files, patches)
        stacking_enforced, reason = detect_stacking(config_path, config, patches)
        evidence.append(reason)
    return Snapshot(
        release=release,
        machine=os.uname().machine,
        abi=abi,
        abi_evidence=tuple(evidence),
        why_unsupported=why,
        options=tuple(
            Option(name, config.get(name), config_path is not None, needed_by)
            for name, needed_by in REQUIRED_OPTIONS.items()
        ),
        config_path=config_path,
        patches=tuple(patches),
        modules=frozenset(module.name for module in modules),
        taint=files.number("/proc/sys/kernel/tainted"),
        privileged=os.geteuid() == 0,
        unreadable=tuple(files.unreadable),
        stacking_enforced=stacking_enforced,
        disagreements=tuple(disagreements),
        vermagic_words=vermagic_words(config) if config_path is not None else None,
        module_plts=config.get(MODULE_PLTS) == "y" if config_path is not None else None,
        modules_disabled=bool(files.flag(MODULES_DISABLED)),
        ftrace_failed=ftrace_has_failed(files),
    )


def _order_by_state_file(files: Files, patches: list[LoadedPatch]) -> tuple[list[LoadedPatch], list[str]]:
    """The patches in the kernel's order, and sentences about contradictions of the state file and sysfs.

    A module that is loaded but not registered (its registration is running, or it was removed) is not in the file.
    """
    text = files.text(STATE_FILE)
    if text is None:
        return patches, [f"{STATE_FILE} cannot be read: the order of the patches is taken from /proc/modules."]
    state = state_file.parse(text)
    sentences = [f"{STATE_FILE}: {problem}" for problem in state.problems]
    by_name = {patch.name: patch for patch in patches}
    for entry in state.entries:
        patch = by_name.get(entry.name)
        if patch is None:
            sentences.append(f"{STATE_FILE} lists {entry.name}, which is not a loaded live patch module.")
        elif entry.enabled is not None and entry.enabled != patch.enabled:
            sysfs = "enabled" if patch.enabled else "disabled"
            sentences.append(f"{STATE_FILE} shows {entry.name} as {entry.state}, sysfs as {sysfs}.")
    listed = [entry.name for entry in state.entries]
    sentences += [f"{STATE_FILE} does not list the loaded patch {name}." for name in by_name if name not in listed]
    return sorted(patches, key=lambda patch: listed.index(patch.name) if patch.name in listed else -1), sentences


class _Module(t.NamedTuple):
    name: str
    refcount: int | None
    taint: str
    permanent: bool
    users: tuple[str, ...]
    is_live: bool


def _read_modules(files: Files) -> list[_Module]:
    """All modules in the order in which they were loaded: /proc/modules has the newest first."""
    modules = []
    for line in (files.text("/proc/modules") or "").splitlines():
        fields = line.split()
        if len(fields) < 6:
            continue
        taint = fields[-1].strip("()") if fields[-1].startswith("(") else ""
        refcount = int(fields[2]) if fields[2].isdecimal() else None
        users = tuple(user for user in fields[3].split(",") if user not in ("", "-", PERMANENT))
        permanent = PERMANENT in fields[3].split(",")
        modules.append(_Module(fields[0], refcount, taint, permanent, users, is_live=fields[4] == "Live"))
    modules.reverse()
    return modules


def _read_patch(files: Files, module: _Module, load_index: int, owners: t.Mapping[str, str]) -> LoadedPatch:
    sysfs = f"{SYSFS}/{module.name}"
    # Before the rest is read: after a transition the kernel drops the patch, and lets its module go a moment later.
    is_dropped = not files.is_dir(sysfs)
    return LoadedPatch(
        name=module.name,
        enabled=bool(files.flag(sysfs + "/enabled")),
        in_transition=bool(files.flag(sysfs + "/transition")),
        replace=files.flag(sysfs + "/replace"),
        functions=tuple(_read_functions(files, sysfs)),
        refcount=module.refcount,
        taint=module.taint,
        identity=Identity(
            build_id=_read_build_id(files, module.name),
            srcversion=files.text(f"/sys/module/{module.name}/srcversion"),
        ),
        load_index=load_index,
        instance=files.inode(f"/sys/module/{module.name}"),
        permanent=module.permanent,
        owner=owners.get(module.name),
        pinned=is_dropped and _is_held(files, module),
    )


def _is_held(files: Files, module: _Module) -> bool:
    """Whether the kernel holds the module on its own account, as it does while it loads it and if it is in use."""
    refcount = files.number(f"/sys/module/{module.name}/refcnt") or 0
    return module.is_live and refcount > len(module.users)


def _read_functions(files: Files, sysfs: str) -> t.Iterator[Function]:
    for object_name in files.names(sysfs):
        if files.is_dir(f"{sysfs}/{object_name}"):
            for entry in files.names(f"{sysfs}/{object_name}"):
                name, comma, sympos = entry.rpartition(",")
                if comma and sympos.isdecimal():
                    yield Function(object_name, name, int(sympos))


def _read_build_id(files: Files, module: str) -> str | None:
    """The build-id in the ELF note that the kernel shows; the note is three 32 bit words, the name "GNU", the id."""
    note = files.bytes(f"/sys/module/{module}/notes/.note.gnu.build-id")
    return note[16:].hex() if note and len(note) > 16 and note[12:16] == b"GNU\0" else None
