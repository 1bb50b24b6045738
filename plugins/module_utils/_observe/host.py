# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads a host's kernel into a `Snapshot`. Changes nothing, and does not fail on a kernel without live patching.

Every function takes a `Files`, which may have another root than `/`: tests use recorded trees.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import (
    Absent,
    Reading,
    Unreadable,
    known,
    known_or,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Identity,
    LoadedPatch,
    Option,
    PatchedObject,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe import state_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.abi import (
    STATE_FILE,
    SYSFS,
    detect_abi,
    detect_stacking,
    of_another_kernel,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.config import (
    ISOLATE_KPROBE,
    LONG_SYMBOLS,
    MODULE_PLTS,
    REQUIRED_OPTIONS,
    read_config,
    vermagic_words,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.irreversible import (
    MODULES_DISABLED,
    ftrace_has_failed,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.notes import DamagedNotes, build_id
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.owners import read_owners
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import read_running_kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

LIVEPATCH_TAINT = "K"
"""The taint of a live patch module in /proc/modules (Documentation/admin-guide/tainted-kernels.rst)."""

PERMANENT = "[permanent]"
"""/proc/modules shows this among the users of a module that has no exit function (kernel/module/procfs.c)."""


MODULES = "/proc/modules"

READS = 3

READ_AGAIN_SECONDS = 0.1

_Value = t.TypeVar("_Value")


def read_snapshot(files: Files | None = None, pause: t.Callable[[float], None] = time.sleep) -> Snapshot:
    """Read the kernel's release, configuration, ABI and live patches.

    A patch that is loaded or unloaded meanwhile makes the sources contradict each other for a moment, and memory may be
    short for one: then this reads again, `READS` times in all. So it does where the kernel still holds the module of a
    patch that it has dropped, as it does for a moment after any transition.
    """
    files = files or Files()
    snapshot = _read_once(files)
    for _again in range(READS - 1):
        if (snapshot.is_known and not _is_any_held(snapshot)) or _stays_unreadable(snapshot):
            break
        pause(READ_AGAIN_SECONDS)
        del files.unreadable[:]
        snapshot = _read_once(files)
    return snapshot


def _stays_unreadable(snapshot: Snapshot) -> bool:
    return any(problem.reason in ("EACCES", "EPERM") for problem in snapshot.undecided)


def _is_any_held(snapshot: Snapshot) -> bool:
    return any(patch.pinned for patch in snapshot.patches)


class _Sources:
    """Reads what a plan relies on. Remembers what could not be read, and what contradicts something else."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.undecided: list[Unreadable] = []
        self.disagreements: list[str] = []
        self.registered: dict[str, None] = {}

    def known_or(self, reading: Reading[_Value], default: _Value) -> _Value:
        if isinstance(reading, Unreadable):
            self.undecided.append(reading)
        return known_or(reading, default)


def _read_once(files: Files) -> Snapshot:
    release, marks = read_running_kernel(files)
    config_path, config = read_config(files, release)
    listed = files.text(MODULES)
    # Before the rest is read: after a transition the kernel drops the patch, and lets its module go a moment later.
    registered = files.folders(SYSFS)
    abi, evidence, why, contradiction = detect_abi(files, config_path, config, registered)
    sources = _Sources(files)
    modules = _read_modules(sources, listed, has_modules=abi is not None)
    sources.registered = dict.fromkeys(sources.known_or(registered, []))
    patches = _read_patches(sources, modules, read_owners(files, release))
    stacking_enforced = None
    if abi == STOP_MACHINE:
        patches = _order_by_state_file(sources, patches)
        stacking_enforced, reason = detect_stacking(None if contradiction else config_path, config, patches)
        evidence.append(reason)
        if stacking_enforced is False and config.get("CONFIG_LIVEPATCH_STACK") == "y":
            contradiction = contradiction or of_another_kernel(reason)
    elif abi == PER_TASK:
        patches = _order_by_stack_order(sources, patches)
    is_configured = config_path is not None and contradiction is None
    return Snapshot(
        release=release,
        machine=os.uname().machine,
        abi=abi,
        abi_evidence=tuple(evidence),
        why_unsupported=why,
        options=tuple(
            Option(name, config.get(name) if is_configured else None, is_configured, needed_by)
            for name, needed_by in REQUIRED_OPTIONS.items()
        ),
        config_path=config_path,
        config_contradiction=contradiction,
        patches=tuple(patches),
        modules=frozenset(module.name for module in modules),
        taint=known(files.number("/proc/sys/kernel/tainted")),
        privileged=os.geteuid() == 0,
        unreadable=tuple(files.unreadable),
        stacking_enforced=stacking_enforced,
        kprobes_isolated=config.get(ISOLATE_KPROBE) == "y" if is_configured and abi == STOP_MACHINE else None,
        undecided=tuple(sources.undecided),
        disagreements=tuple(sources.disagreements),
        vermagic_words=vermagic_words(config) if is_configured else None,
        long_symbols=config.get(LONG_SYMBOLS) == "y" if is_configured else None,
        module_plts=config.get(MODULE_PLTS) == "y" if is_configured else None,
        modules_disabled=bool(known(files.flag(MODULES_DISABLED))),
        ftrace_failed=ftrace_has_failed(files),
        marks=marks,
    )


def _read_patches(sources: _Sources, modules: list[_Module], owners: t.Mapping[str, str]) -> list[LoadedPatch]:
    """The loaded live patch modules, in the order in which they were loaded."""
    patches = [
        _read_patch(sources, module, index, owners)
        for index, module in enumerate(modules)
        if LIVEPATCH_TAINT in module.taint
    ]
    for name in sorted(set(sources.registered).difference(patch.name for patch in patches)):
        sources.disagreements.append(f"{SYSFS} has {name}, which {MODULES} does not show as a live patch module.")
    return patches


def _order_by_state_file(sources: _Sources, patches: list[LoadedPatch]) -> list[LoadedPatch]:
    """The patches in the kernel's order.

    A module that is loaded but not registered (its registration is running, or it was removed) is neither in the file
    nor in sysfs.
    """
    text = sources.files.text(STATE_FILE)
    if isinstance(text, Absent):
        # Without it nothing tells in which order the patches cover each other.
        text = Unreadable(STATE_FILE, text.reason) if patches else ""
    state = state_file.parse(sources.known_or(text, ""))
    sources.disagreements += [f"{STATE_FILE}: {problem}" for problem in state.problems]
    by_name = {patch.name: patch for patch in patches}
    for entry in state.entries:
        patch = by_name.get(entry.name)
        if patch is None:
            sources.disagreements.append(f"{STATE_FILE} lists {entry.name}, which is not a loaded live patch module.")
        elif entry.enabled is not None and entry.enabled != patch.enabled:
            sysfs = "enabled" if patch.enabled else "disabled"
            sources.disagreements.append(f"{STATE_FILE} shows {entry.name} as {entry.state}, sysfs as {sysfs}.")
    listed = {entry.name: place for place, entry in enumerate(state.entries)}
    if not isinstance(text, Unreadable):
        missing = [name for name in sources.registered if name in by_name and name not in listed]
        sources.disagreements += [f"{STATE_FILE} does not list the loaded patch {name}." for name in missing]
    return sorted(patches, key=lambda patch: listed.get(patch.name, -1))


def _order_by_stack_order(sources: _Sources, patches: list[LoadedPatch]) -> list[LoadedPatch]:
    """The patches in the kernel's order, where it tells (Linux 6.14): a module is listed before it is on the stack.

    A module that is loaded and disabled is on no stack, and keeps its place: a plan predicts that.
    """
    order: dict[str, int] = {}
    for name in sources.registered:
        number = sources.known_or(sources.files.number(f"{SYSFS}/{name}/stack_order"), None)
        if number is not None:
            order[name] = number
    if len(set(order.values())) < len(order):
        sources.disagreements.append(f"{SYSFS} shows two patches at one place: {order}.")
    on_stack = iter(sorted((patch for patch in patches if patch.name in order), key=lambda patch: order[patch.name]))
    return [next(on_stack) if patch.name in order else patch for patch in patches]


class _Module(t.NamedTuple):
    name: str
    refcount: int | None
    taint: str
    permanent: bool
    users: tuple[str, ...]
    is_live: bool


def _read_modules(sources: _Sources, text: Reading[str], has_modules: bool) -> list[_Module]:
    """All modules in the order in which they were loaded: /proc/modules has the newest first."""
    modules = []
    if isinstance(text, Absent) and has_modules:
        text = Unreadable(MODULES, text.reason)
    for line in lines_of(sources.known_or(text, "")):
        fields = line.split()
        if len(fields) < 6:
            sources.undecided.append(sources.files.damaged(MODULES))
            continue
        taint = fields[-1].strip("()") if fields[-1].startswith("(") else ""
        refcount = int(fields[2]) if fields[2].isdecimal() else None
        users = tuple(user for user in fields[3].split(",") if user not in ("", "-", PERMANENT))
        permanent = PERMANENT in fields[3].split(",")
        modules.append(_Module(fields[0], refcount, taint, permanent, users, is_live=fields[4] == "Live"))
    modules.reverse()
    return modules


def _read_patch(sources: _Sources, module: _Module, load_index: int, owners: t.Mapping[str, str]) -> LoadedPatch:
    files, sysfs, is_registered = sources.files, f"{SYSFS}/{module.name}", module.name in sources.registered
    objects = tuple(_read_objects(sources, sysfs)) if is_registered else ()
    return LoadedPatch(
        name=module.name,
        enabled=is_registered and _read_enabled(sources, sysfs),
        in_transition=is_registered and sources.known_or(files.flag(sysfs + "/transition"), False),
        replace=known(files.flag(sysfs + "/replace")) if is_registered else None,
        functions=tuple(sorted(_read_functions(sources, sysfs, objects))),
        refcount=module.refcount,
        taint=module.taint,
        identity=Identity(
            build_id=read_build_id(files, module.name),
            srcversion=known(files.text(f"/sys/module/{module.name}/srcversion")),
        ),
        load_index=load_index,
        instance=known(files.inode(f"/sys/module/{module.name}")),
        permanent=module.permanent,
        owner=owners.get(module.name),
        pinned=not is_registered and _is_held(files, module),
        objects=objects,
    )


def _read_enabled(sources: _Sources, sysfs: str) -> bool:
    enabled = sources.files.flag(sysfs + "/enabled")
    if isinstance(enabled, Absent):
        sources.disagreements.append(f"{sysfs} has no file enabled.")
    return sources.known_or(enabled, False)


def _is_held(files: Files, module: _Module) -> bool:
    """Whether the kernel holds the module on its own account, as it does while it loads it and if it is in use."""
    refcount = known_or(files.number(f"/sys/module/{module.name}/refcnt"), 0)
    return module.is_live and refcount > len(module.users)


def _read_objects(sources: _Sources, sysfs: str) -> t.Iterator[PatchedObject]:
    """The objects: those with callbacks alone have a directory as well (klp_init_object() in core.c)."""
    for name in sources.known_or(sources.files.folders(sysfs), []):
        # Where the file cannot be read, whether a function is live is not known either.
        yield PatchedObject(name, sources.known_or(sources.files.flag(f"{sysfs}/{name}/patched"), None))


def _read_functions(sources: _Sources, sysfs: str, objects: t.Iterable[PatchedObject]) -> t.Iterator[Function]:
    for patched in objects:
        for entry in sources.known_or(sources.files.names(f"{sysfs}/{patched.name}"), []):
            name, comma, sympos = entry.rpartition(",")
            if comma and sympos.isdecimal():
                yield Function(patched.name, name, int(sympos))


def read_build_id(files: Files, module: str) -> str | None:
    """The build-id in the ELF notes of a module that the kernel shows."""
    note = known(files.bytes(f"/sys/module/{module}/notes/.note.gnu.build-id"))
    try:
        return build_id(note) if note else None
    except DamagedNotes:
        return None
