# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: a snapshot, a patch file and a wanted state make an ordered list of steps, or refusals.

Nothing here touches a host, so the whole behaviour can be tested as a table, and check mode is the plan itself.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._snapshot import (
    PER_TASK,
    LoadedPatch,
    Snapshot,
)

ABSENT = "absent"
PRESENT = "present"
ENABLED = "enabled"
DISABLED = "disabled"
STATES = (ENABLED, DISABLED, PRESENT, ABSENT)

LOAD = "load"
ENABLE = "enable"
DISABLE = "disable"
WAIT = "wait"
UNLOAD = "unload"


@dataclass(frozen=True)
class Wanted:
    """What the user asks for. C(file) is the patch file given with the task, None if only a name was given."""

    name: str
    state: str
    file: PatchFile | None = None
    reload: bool = False


@dataclass(frozen=True)
class Step:
    """One thing to do with a patch.

    C(load) inserts the module, which on per_task kernels also enables it; C(enable) and C(disable) write 1 and 0
    to C(enabled), which while a transition is running reverses it; C(wait) waits until no transition of the patch
    is running; C(unload) removes the module.
    C(file) of a load is what will be loaded.
    """

    action: str
    patch: str
    file: PatchFile | None = None

    def __str__(self) -> str:
        if self.action == WAIT:
            return f"wait for the transition of {self.patch}"
        return f"{self.action} {self.patch}"


@dataclass(frozen=True)
class Refusal:
    """Why a step would fail or do harm, found before anything is touched. C(reason) is a stable key."""

    reason: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Plan:
    """Steps, or refusals; never both. C(warnings) are sentences for the user."""

    steps: tuple[Step, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether something would change: waiting for a transition that is already running is no change."""
        return any(step.action != WAIT for step in self.steps)

    @property
    def loads(self) -> PatchFile | None:
        """The file that a step loads, if one does."""
        return next((step.file for step in self.steps if step.action == LOAD), None)


def make_plan(snapshot: Snapshot, wanted: Wanted, kept: PatchFile | None = None) -> Plan:
    """Plan the way from the snapshot to what is wanted.

    C(kept) is the file of which the host keeps a copy because this collection loaded it under the wanted name.
    """
    refusals = _refuse_host(snapshot, wanted)
    if refusals:
        return Plan(refusals=tuple(refusals))
    loaded = snapshot.patch(wanted.name)
    relation = loaded.identity.compare(wanted.file.identity) if loaded and wanted.file else "same"
    if loaded and wanted.file and relation == "different" and not wanted.reload:
        return Plan(refusals=(_different_content(loaded, wanted.file),))
    file = wanted.file or kept
    replacing = relation == "different" and wanted.state in (ENABLED, PRESENT)
    steps = _steps(loaded, wanted.name, wanted.state, file, replacing)
    if any(step.action == LOAD for step in steps):
        refusals = _refuse_load(snapshot, wanted, file, loaded)
    if steps and not snapshot.privileged:
        refusals.append(
            Refusal(
                "not_root",
                "Live patches can be changed by root only, and the module does not run as root.",
                "Use become: true.",
            )
        )
    if refusals:
        return Plan(refusals=tuple(refusals))
    steps = _wait_for_others(snapshot, wanted.name, steps)
    return Plan(steps=tuple(steps), warnings=tuple(_warnings(wanted, loaded, relation)))


def _steps(loaded: LoadedPatch | None, name: str, state: str, file: PatchFile | None, replacing: bool) -> list[Step]:
    """The steps for one patch on a per_task kernel."""
    load = [Step(LOAD, name, file), Step(WAIT, name)]
    if loaded is None:
        return load if state in (ENABLED, PRESENT) else []
    settle = [Step(WAIT, name)] if loaded.in_transition else []
    disable = [Step(DISABLE, name), Step(WAIT, name)] if loaded.enabled else settle
    unload = [*disable, Step(UNLOAD, name)]
    if state == ABSENT:
        return unload
    if state == DISABLED:
        return disable
    if replacing:
        return unload + load
    if state == ENABLED and not loaded.enabled:
        # A per_task kernel drops a disabled patch: only inserting the module again enables it.
        return unload + load
    return settle


def _wait_for_others(snapshot: Snapshot, name: str, steps: list[Step]) -> list[Step]:
    """The kernel runs one transition at a time and answers EBUSY to a second one (kernel/livepatch/core.c)."""
    other = snapshot.in_transition
    starts_transition = any(step.action in (LOAD, DISABLE) for step in steps)
    if other is None or other.name == name or not starts_transition:
        return steps
    return [Step(WAIT, other.name), *steps]


def _refuse_host(snapshot: Snapshot, wanted: Wanted) -> list[Refusal]:
    if wanted.name in snapshot.modules and snapshot.patch(wanted.name) is None:
        return [
            Refusal(
                "not_a_live_patch",
                f"The module {wanted.name} is loaded, but it is not a live patch.",
                "Give the name of a live patch module.",
            )
        ]
    if snapshot.abi is None and wanted.state in (ENABLED, PRESENT):
        return [
            Refusal(
                "unsupported_kernel",
                f"The kernel {snapshot.release} cannot be live-patched: {snapshot.why_unsupported}",
                "Boot a kernel that is built with CONFIG_LIVEPATCH=y.",
            )
        ]
    if snapshot.abi not in (None, PER_TASK):
        return [
            Refusal(
                "unsupported_abi",
                f"The kernel {snapshot.release} applies patches by {snapshot.abi}, "
                "which this version of the collection does not do yet.",
                "Use a later version of openeuler.livepatch.",
            )
        ]
    return []


def _different_content(loaded: LoadedPatch, file: PatchFile) -> Refusal:
    return Refusal(
        "different_content",
        f"A patch named {loaded.name} is loaded with another content: "
        f"loaded is {loaded.identity}; the file {file.path} is {file.identity}.",
        "Build the patch under another name, or set reload: true to unload the loaded one and load the file.",
    )


def _refuse_load(
    snapshot: Snapshot, wanted: Wanted, file: PatchFile | None, loaded: LoadedPatch | None
) -> list[Refusal]:
    if file is None:
        return [_no_file(wanted, loaded)]
    refusals = []
    if file.machine != snapshot.machine:
        refusals.append(
            Refusal(
                "wrong_architecture",
                f"{file.path} is built for {file.machine}, the host is {snapshot.machine}.",
                f"Build the patch for {snapshot.machine}.",
            )
        )
    if file.release != snapshot.release:
        # With MODVERSIONS the kernel does not compare the release, but a patch fits only the code that it is made for.
        refusals.append(
            Refusal(
                "wrong_vermagic",
                f"{file.path} is built for kernel {file.release}, the host runs {snapshot.release}.",
                f"Build the patch for {snapshot.release}.",
            )
        )
    if file.abi != snapshot.abi:
        refusals.append(
            Refusal(
                "wrong_abi",
                f"{file.path} is built for {file.abi} kernels, the host's kernel is {snapshot.abi}.",
                "Build the patch against the host's kernel: this one calls functions that it does not have.",
            )
        )
    others = _other_enabled(snapshot, wanted.name)
    if others and file.replace is not False:
        refusals.append(_replaces_others(file, others))
    return refusals


def _replaces_others(file: PatchFile, others: list[LoadedPatch]) -> Refusal:
    """A patch with C(klp_patch.replace) disables every other one; only loading their files again would undo that."""
    names = ", ".join(patch.name for patch in others)
    if file.replace:
        return Refusal(
            "replaces_others",
            f"{file.path} has the replace flag: loading it would disable {names}.",
            "Set state: absent for those patches first, or build this one without replace.",
        )
    return Refusal(
        "may_replace_others",
        f"{file.path} does not show whether it has the replace flag (those of kpatch-build have it unless they were "
        f"built with -R); if it has, loading it would disable {names}.",
        "Set state: absent for those patches first.",
    )


def _no_file(wanted: Wanted, loaded: LoadedPatch | None) -> Refusal:
    if loaded is None:
        return Refusal(
            "not_loaded",
            f"No patch named {wanted.name} is loaded, and no file was given to load.",
            "Give src.",
        )
    return Refusal(
        "needs_file",
        f"{wanted.name} is loaded and disabled; on this kernel only loading its file again enables it.",
        "Give src.",
    )


def _warnings(wanted: Wanted, loaded: LoadedPatch | None, relation: str) -> t.Iterator[str]:
    if relation == "unknown" and loaded and wanted.file:
        yield (
            f"Whether the loaded patch {wanted.name} has the content of {wanted.file.path} is unknown: "
            "the kernel shows neither its build-id nor its srcversion, and it was not loaded by this collection."
        )


def _other_enabled(snapshot: Snapshot, name: str) -> list[LoadedPatch]:
    return [patch for patch in snapshot.patches if patch.enabled and patch.name != name]


def predict(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """The snapshot that carrying out the plan should lead to."""
    patches = list(snapshot.patches)
    for step in plan.steps:
        patches = [_after_step(patch, step) for patch in patches]
        if step.action == UNLOAD:
            patches = [patch for patch in patches if patch.name != step.patch]
        elif step.action == LOAD and step.file:
            patches.append(
                LoadedPatch(
                    name=step.patch,
                    enabled=True,
                    replace=step.file.replace,
                    functions=step.file.functions or (),
                    identity=step.file.identity,
                )
            )
    return replace(snapshot, patches=tuple(patches))


def _after_step(patch: LoadedPatch, step: Step) -> LoadedPatch:
    if patch.name != step.patch:
        return patch
    if step.action == DISABLE:
        return replace(patch, enabled=False)
    if step.action == WAIT:
        return replace(patch, in_transition=False, functions=patch.functions if patch.enabled else ())
    return patch


def deviations(predicted: Snapshot, found: Snapshot) -> list[str]:
    """In what the found snapshot is not the predicted one: which patches are loaded, and whether they are active."""
    sentences = []
    for name in sorted({patch.name for patch in predicted.patches + found.patches}):
        wanted, seen = _condition(predicted.patch(name)), _condition(found.patch(name))
        if wanted != seen:
            sentences.append(f"{name} is {seen} and should be {wanted}")
    return sentences


def _condition(patch: LoadedPatch | None) -> str:
    if patch is None:
        return "not loaded"
    condition = "enabled" if patch.enabled else "disabled"
    return condition + " and in transition" if patch.in_transition else condition


def way_back(before: Snapshot, now: Snapshot, plan: Plan, kept: PatchFile | None) -> list[Step]:
    """The steps from a half-done plan back to the snapshot before, for the patches that the plan was about.

    C(kept) is the file that was loaded before; without it, an unloaded patch cannot be brought back.
    """
    names = {step.patch for step in plan.steps if step.action != WAIT}
    return [step for name in sorted(names) for step in _steps_back(name, before.patch(name), now.patch(name), kept)]


def _steps_back(name: str, before: LoadedPatch | None, now: LoadedPatch | None, kept: PatchFile | None) -> list[Step]:
    if before is None:
        return _steps(now, name, ABSENT, None, False)
    other_content = now is not None and now.identity.compare(before.identity) == "different"
    if before.enabled and now and not other_content and not now.enabled and now.in_transition:
        return [Step(ENABLE, name), Step(WAIT, name)]
    must_load = now is None or other_content or (before.enabled and not now.enabled)
    if must_load and kept is None:
        return []
    steps = _steps(now, name, ENABLED if before.enabled or must_load else DISABLED, kept, other_content)
    if must_load and not before.enabled:
        steps += [Step(DISABLE, name), Step(WAIT, name)]
    return steps
