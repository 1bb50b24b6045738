# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: the snapshot that a plan leads to, and in what another one differs from it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    PatchedObject,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of


def predict(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """The snapshot that the plan leads to."""
    for step in plan.steps:
        snapshot = replace(snapshot, patches=tuple(_after_step(snapshot, step)), modules=_modules_after(snapshot, step))
    return snapshot


def _modules_after(snapshot: Snapshot, step: Step) -> frozenset[str]:
    if step.action in (Action.LOAD, Action.LOAD_TARGET):
        return snapshot.modules.union([step.patch])
    return snapshot.modules.difference([step.patch]) if step.action == Action.UNLOAD else snapshot.modules


def _after_step(snapshot: Snapshot, step: Step) -> list[LoadedPatch]:
    patches = list(snapshot.patches)
    patch = snapshot.patch(step.patch)
    if step.action == Action.LOAD and step.file:
        return _after_load(snapshot, step.patch, step.file)
    if step.action == Action.LOAD_TARGET:
        return [_with_target(patch, step.patch) for patch in patches]
    if patch is None:
        return patches
    place = patches.index(patch)
    if step.action == Action.UNLOAD:
        del patches[place]
    elif step.action == Action.DISABLE:
        patches[place] = replace(patch, enabled=False)
    elif step.action == Action.WAIT:
        if patch.replace and patch.enabled and patch.in_transition:
            # klp_unpatch_replaced_patches() in kernel/livepatch/core.c
            patches = [replace(_dropped(other), enabled=False) for other in patches]
        patches[place] = replace(_without_no_ops(patch) if patch.enabled else _dropped(patch), in_transition=False)
    elif step.action == Action.ENABLE:
        patches[place] = replace(patch, enabled=True)
        if abi_of(snapshot).enabling_moves_last:
            patches.append(patches.pop(place))
    return patches


def _after_load(snapshot: Snapshot, name: str, file: PatchFile) -> list[LoadedPatch]:
    by_kernel = abi_of(snapshot).loading_enables
    patches = list(snapshot.patches)
    if by_kernel and file.replace:
        patches = [replace(_dropped(patch), enabled=False) for patch in patches]
    newest = max((patch.load_index for patch in patches), default=0)
    loaded = LoadedPatch(
        name=name,
        enabled=by_kernel or file.enables_itself,
        replace=file.replace,
        functions=file.functions or (),
        identity=file.identity,
        load_index=newest + 1,
        objects=_objects_of(file),
    )
    return [*patches, loaded]


def _objects_of(file: PatchFile) -> tuple[PatchedObject, ...]:
    """The objects of a file. Which of them are patched follows from the modules."""
    names = {function.object for function in file.functions or ()} if file.objects is None else file.objects
    return tuple(map(PatchedObject, sorted(names)))


def _dropped(patch: LoadedPatch) -> LoadedPatch:
    """A disabled patch of a per_task kernel, of which sysfs shows nothing."""
    return replace(patch, functions=(), objects=(), replace=None, no_ops=())


def _without_no_ops(patch: LoadedPatch) -> LoadedPatch:
    """A patch whose transition has ended: what it has replaced is gone, and so is what ended that."""
    functions = tuple(function for function in patch.functions if function not in patch.no_ops)
    added = {function.object for function in patch.no_ops}.difference(function.object for function in functions)
    objects = tuple(entry for entry in patch.objects if entry.name not in added)
    return replace(patch, functions=functions, objects=objects, no_ops=())


def _with_target(patch: LoadedPatch, name: str) -> LoadedPatch:
    """A patch after a module is loaded: the modules tell then whether that is patched."""
    return replace(
        patch, objects=tuple(replace(entry, patched=None) if entry.name == name else entry for entry in patch.objects)
    )


def concerned(plan: Plan, *snapshots: Snapshot) -> frozenset[str]:
    """The patches that a plan is about: its own, and those that replace one of their functions in a snapshot."""
    own = {*plan.names, plan.about}
    patches = [patch for snapshot in snapshots for patch in snapshot.patches]
    functions = {function for file in plan.loads for function in file.functions or ()}
    functions.update(function for patch in patches if patch.name in own for function in patch.functions)
    return frozenset(own.union(patch.name for patch in patches if patch.shares(functions)))


def changes_of_others(before: Snapshot, found: Snapshot, names: t.Container[str]) -> tuple[str, ...]:
    """Sentences about the patches that are not among these and have changed."""
    others = sorted({patch.name for patch in before.patches + found.patches if patch.name not in names})
    conditions = ((name, _settled(before.patch(name)), _settled(found.patch(name))) for name in others)
    return tuple(f"{name} is {now} and was {was}" for name, was, now in conditions if now != was)


def changes_since(expected: Snapshot, found: Snapshot, plan: Plan) -> tuple[str, ...]:
    """Sentences about what the plan relies on and is not as expected: its patches, those on their functions, and any
    running transition, beside which the kernel begins no other one.
    """
    moving = [patch.name for snapshot in (expected, found) for patch in snapshot.patches if patch.in_transition]
    names = sorted(concerned(plan, expected, found).union(moving))
    pairs = [(name, expected.patch(name), found.patch(name)) for name in names]
    conditions = [(name, _condition(was), _condition(now)) for name, was, now in pairs]
    changed = [f"{name} is {now} and was {was}" for name, was, now in conditions if now != was]
    anew = [f"{name} was loaded anew" for name, was, now in pairs if was and now and now.is_loaded_anew(was)]
    return (*changed, *anew)


def _settled(patch: LoadedPatch | None) -> str:
    return _condition(replace(patch, in_transition=False) if patch else None)


def deviations(predicted: Snapshot, found: Snapshot, names: t.Container[str]) -> list[str]:
    """Sentences about what differs in the found snapshot: what is loaded, what is enabled, what is live.

    Only the patches in `names` count.
    """
    sentences = []
    for name in sorted({patch.name for patch in predicted.patches + found.patches if patch.name in names}):
        should_be, is_now = predicted.patch(name), found.patch(name)
        wanted, seen = _condition(should_be), _condition(is_now)
        if wanted != seen:
            sentences.append(f"{name} is {seen} and should be {wanted}")
        elif should_be and is_now and should_be.identity.compare(is_now.identity) == "different":
            sentences.append(f"{name} is a different build ({is_now.identity}), and should be {should_be.identity}")
    if not sentences:
        sentences += _stack_deviations(predicted, found, names)
    return sentences


def _condition(patch: LoadedPatch | None) -> str:
    if patch is None:
        return "not loaded"
    condition = "enabled" if patch.enabled else "disabled"
    return condition + " and in transition" if patch.in_transition else condition


def _stack_deviations(predicted: Snapshot, found: Snapshot, names: t.Container[str]) -> t.Iterator[str]:
    """Differences of the function stacks, among those of these patches whose functions were known beforehand."""
    known = {patch.name for patch in predicted.patches if patch.functions and patch.name in names}
    wanted, seen = predicted.stacks(), found.stacks()
    for function in sorted({*wanted, *seen}):
        should, is_now = (
            [patch.name for patch in stacks.get(function, ()) if patch.name in known] for stacks in (wanted, seen)
        )
        if should != is_now:
            yield (
                f"{function} has the stack {', '.join(is_now) or 'of no patch'} "
                f"and should have {', '.join(should) or 'none'}"
            )
