# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: a snapshot, a patch file and a wanted state make an ordered list of steps, or refusals.

Nothing here touches a host, so the whole behaviour can be tested as a table, and check mode is the plan itself.
"""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import BUILD
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import doubts
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.change import ChangeSet, change_set
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.order import steps_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.refusals import notes_of, refusals_of


def make_plan(snapshot: Snapshot, wanted: Wanted, stored: Stored | None = None) -> Plan:
    """Plan the steps from the snapshot to what is wanted, or refuse."""
    refusals = doubts(snapshot) or _refuse_host(snapshot, wanted)
    if refusals:
        return Plan(refusals=tuple(refusals))
    loaded = snapshot.patch(wanted.name)
    relation = relation_of(loaded, wanted.file) if loaded and wanted.file else "same"
    if loaded and wanted.file and relation == "different" and not wanted.reload:
        refusal = _not_the_loaded(loaded, wanted.file, wanted.state)
        return Plan(refusals=(refusal,), intended=_misfit(snapshot, wanted, stored or {}))
    waits = _waits(snapshot, wanted.name)
    settled = predict(snapshot, Plan(waits))
    change = change_set(settled, wanted, stored or {}, other_build=relation == "different")
    steps = steps_of(change)
    refusals = refusals_of(change, steps)
    if refusals:
        return Plan(refusals=tuple(refusals), intended=tuple(steps))
    is_waiting = (
        _starts_transition(steps)
        or _unloads_moving(snapshot, steps)
        or _is_being_uncovered(snapshot, wanted)
        or _is_replaced(loaded, settled)
    )
    steps = [*_load_targets(snapshot, wanted, steps), *(waits if is_waiting else ()), *steps]
    return Plan(tuple(steps), intended=tuple(steps), notes=tuple(_notes(wanted, loaded, relation, change, steps)))


def _waits(snapshot: Snapshot, name: str) -> tuple[Step, ...]:
    """The wait for the transition of another patch, if one is running.

    The kernel runs one transition at a time and answers EBUSY to a second one (kernel/livepatch/core.c).
    """
    other = snapshot.in_transition
    return (Step(Action.WAIT, other.name),) if other and other.name != name else ()


def _starts_transition(steps: list[Step]) -> bool:
    return any(step.action in (Action.LOAD, Action.DISABLE) for step in steps)


def _unloads_moving(snapshot: Snapshot, steps: list[Step]) -> bool:
    """Whether a module is unloaded whose patch is in transition: the kernel holds it until that has ended."""
    moving = snapshot.in_transition
    return moving is not None and Step(Action.UNLOAD, moving.name) in steps


def _is_being_uncovered(snapshot: Snapshot, wanted: Wanted) -> bool:
    """Whether a patch that is being disabled still covers the wanted one."""
    loaded, other = snapshot.patch(wanted.name), snapshot.in_transition
    if wanted.state != State.ENABLED or loaded is None or other is None or other.enabled:
        return False
    return other in snapshot.covering(loaded)


def _is_replaced(loaded: LoadedPatch | None, settled: Snapshot) -> bool:
    """Whether the transition of another patch disables the wanted one when it ends: the steps rely on that."""
    then = settled.patch(loaded.name) if loaded else None
    return bool(loaded and then and loaded.enabled and not then.enabled)


def _load_targets(snapshot: Snapshot, wanted: Wanted, steps: list[Step]) -> list[Step]:
    """The steps that load modules which a file needs and which are not loaded; none if the task does not permit it."""
    if not wanted.load_targets:
        return []
    files = [step.file for step in steps if step.action == Action.LOAD and step.file]
    needed = [name for file in files for name in file.depends]
    if not abi_of(snapshot).patches_modules_later:
        needed += [name for file in files for name in file.targets]
    missing = [name for name in dict.fromkeys(needed) if name not in snapshot.modules]
    return [Step(Action.LOAD_TARGET, name) for name in missing]


def _refuse_host(snapshot: Snapshot, wanted: Wanted) -> list[Finding]:
    if wanted.name in snapshot.modules and snapshot.patch(wanted.name) is None:
        return [
            Finding(
                reason="not_a_live_patch",
                seen=f"The module {wanted.name} is loaded, but it is not a live patch.",
                remedy="Give the name of a live patch module.",
                why="Other modules are not touched.",
            )
        ]
    if snapshot.abi is None and wanted.state in (State.ENABLED, State.PRESENT):
        return [
            Finding(
                reason="unsupported_kernel",
                seen=f"The kernel {snapshot.release} cannot be live-patched.",
                remedy="Boot a kernel that is built with CONFIG_LIVEPATCH=y.",
                why=snapshot.why_unsupported or "",
            )
        ]
    return []


def _misfit(snapshot: Snapshot, wanted: Wanted, stored: Stored) -> tuple[Step, ...]:
    """The steps to look at where the file is for another kernel: that is what is wrong with it, not its build."""
    file = wanted.file
    if file is None or (file.kernel.may_be(snapshot.kernel) and file.machine == snapshot.machine):
        return ()
    return tuple(steps_of(change_set(snapshot, wanted, stored, other_build=True)))


def relation_of(loaded: LoadedPatch, file: PatchFile) -> str:
    """Whether the loaded patch is the build in the file, loaded as the file is to be: same, different or unknown.

    Where no mark tells, the functions may. They do not while the transition of a patch with replace is running: until
    it ends, the kernel shows those of the others as well (klp_add_nops() in kernel/livepatch/core.c).
    """
    relation = loaded.identity.compare(file.identity)
    builds = loaded.identity.compare_builds(file.identity)
    shown = set(loaded.functions) if loaded.active else set()
    is_other = bool(shown and file.functions is not None and shown != set(file.functions))
    return "different" if builds == "unknown" and is_other else relation


def _not_the_loaded(loaded: LoadedPatch, file: PatchFile, state: str) -> Finding:
    is_same_build = loaded.identity.compare_builds(file.identity) == "same"
    return _other_parameters(loaded, file) if is_same_build else _different_build(loaded, file, state)


def _other_parameters(loaded: LoadedPatch, file: PatchFile) -> Finding:
    return Finding(
        reason="other_parameters",
        seen=f"{loaded.name} is loaded with {_shown(loaded.identity.loaded_with)}, and the task asks for "
        f"{_shown(file.loaded_with)}.",
        remedy="Set reload: true to unload it and load it with these; or leave parameters out to keep it as it is.",
        why="The kernel takes parameters only when it loads a module.",
    )


def _shown(loaded_with: str | None) -> str:
    return f"the parameters {loaded_with}" if loaded_with else "no parameters"


def _different_build(loaded: LoadedPatch, file: PatchFile, state: str) -> Finding:
    marks = f"loaded is {loaded.identity}; the file {file.path} is {file.identity}."
    if loaded.identity.compare(file.identity) == "unknown":
        marks = (
            f"the kernel shows {', '.join(map(str, loaded.functions))}; the file {file.path} replaces "
            f"{', '.join(map(str, file.functions or ())) or 'no function'}."
        )
    return Finding(
        reason=BUILD,
        seen=f"A patch named {loaded.name} is loaded in a different build: {marks}",
        remedy="Build the patch under another name, or set reload: true to unload the loaded one and load the file."
        if state in (State.ENABLED, State.PRESENT)
        else "Give name, and not src, if the loaded build is meant; reload: true means that one as well.",
        why="The kernel has one module of a name.",
    )


def _unknown(loaded: LoadedPatch, file: PatchFile) -> Finding:
    if loaded.identity.compare_builds(file.identity) == "same":
        return Finding(
            reason="parameters_unknown",
            seen=f"The parameters that {loaded.name} was loaded with are unknown.",
            remedy="Unload it and load the file, if they matter.",
            why="This collection did not load it.",
            severity=WARN,
        )
    return Finding(
        reason="build_unknown",
        seen=f"Whether the loaded patch {loaded.name} is the build in {file.path} is unknown.",
        remedy="Unload it and load the file, if that matters.",
        why="The kernel shows neither its build-id nor its srcversion, and this collection did not load it.",
        severity=WARN,
    )


def _notes(
    wanted: Wanted, loaded: LoadedPatch | None, relation: str, change: ChangeSet, steps: list[Step]
) -> t.Iterator[Finding]:
    if relation == "unknown" and loaded and wanted.file:
        yield _unknown(loaded, wanted.file)
    yield from notes_of(change, steps)
