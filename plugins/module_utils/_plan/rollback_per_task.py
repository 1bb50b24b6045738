# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: rolling back on per_task kernels, where loading a patch enables it and transitions run one at a time."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Function,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import (
    Again,
    Below,
    is_above_any,
    is_as_before,
    is_different_build,
    is_gone,
    may_replace,
    movable_of,
    new_patches,
    overtaken,
    stays_out,
    strangers_in,
    stuck_in,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.states import clash


def settling(before: Snapshot, now: Snapshot, plan: Plan, stored: Stored) -> list[Step]:
    """The steps that end a running transition before rolling back: the kernel begins no second one (EBUSY).

    A transition of the plan is reversed if the patch was not in that state before, or could not stay in it.
    """
    moving = now.in_transition
    if moving is None or not abi_of(now).has_transitions:
        return []
    was = before.patch(moving.name)
    is_same = was is not None and not is_different_build(moving, was, plan)
    if was and is_same and was.in_transition and was.enabled == moving.enabled:
        return []
    wait = Step(Action.WAIT, moving.name)
    should_be_up = was is not None and was.enabled and is_same
    if was and should_be_up:
        up = replace(
            now, patches=tuple(replace(patch, enabled=patch.enabled or patch == moving) for patch in now.patches)
        )
        should_be_up = was not in _rising(before, up, plan, stored)
        if moving.enabled and moving.name in stored and per_task_steps(before, up, plan, stored):
            # It may be stalled, and more is to be done: going down it is not in the way, and it is loaded again.
            should_be_up = False
    if moving.name not in plan.name_set or moving.enabled == should_be_up:
        return [wait]
    return [Step(Action.ENABLE if should_be_up else Action.DISABLE, moving.name), wait]


def per_task_steps(
    before: Snapshot, now: Snapshot, plan: Plan, stored: Stored, moved: t.Sequence[str] = ()
) -> list[Step]:
    """Load what is missing in the old order, above what is new; disable that from the top, and unload it.

    So no function is without a patch in between, and what is new still is there if the kernel does not take the old.
    Only what has the name of a missing patch, or is above it and loaded again, goes before, and what has set a system
    state that the missing one does not know. `moved` are patches that are loaded again although the plan is not about
    them. A patch that was loaded and disabled is loaded again only where that is harmless, since loading enables it for
    a moment. A new patch that is disabled is unloaded last: a failure there must not keep other patches from coming
    back.
    """
    rising = {patch.name for patch in _rising(before, now, plan, stored, moved)}
    may_stay = not any(_clashes(name, rising, now, plan, stored) for name in plan.names)
    first: list[Step] = []
    last: list[Step] = []
    for patch in reversed(now.patches):
        was = before.patch(patch.name)
        if patch.name not in plan.name_set and patch.name not in rising:
            continue
        goes_out = was is None or patch.name in rising or is_different_build(patch, was, plan)
        is_new = may_stay and patch.name not in rising and not (was and was.enabled)
        steps = last if is_new else first
        if patch.enabled and (goes_out or not (was and was.enabled)):
            steps += [Step(Action.DISABLE, patch.name), Step(Action.WAIT, patch.name)]
        if goes_out and was is not None:
            steps.append(Step(Action.UNLOAD, patch.name))
    lowered = {step.patch for step in (*first, *last)}
    staying = [patch for patch in now.patches if patch.enabled and patch.name not in lowered]
    covered = {function for patch in staying for function in patch.functions}
    loads: list[Step] = []
    for patch in before.patches:
        comes_back = not patch.enabled and patch.name in plan.name_set and is_gone(patch, now, plan)
        if patch.name in rising:
            loads += [Step(Action.LOAD, patch.name, stored[patch.name]), Step(Action.WAIT, patch.name)]
        elif comes_back and _is_harmless(stored.get(patch.name), covered):
            last += [Step(Action.LOAD, patch.name, stored[patch.name]), Step(Action.WAIT, patch.name)]
            last += [Step(Action.DISABLE, patch.name), Step(Action.WAIT, patch.name)]
    new = [Step(Action.UNLOAD, name) for name in reversed(new_patches(plan, before)) if now.patch(name)]
    return [*first, *loads, *last, *new]


def _clashes(name: str, rising: t.Iterable[str], now: Snapshot, plan: Plan, stored: Stored) -> bool:
    """Whether the kernel takes one of the rising patches only when this patch of the plan is disabled."""
    patch = now.patch(name)
    if patch is None or not patch.enabled:
        return False
    file = plan.file_of(name)
    return bool(file and file.states) and any(clash(stored[other], file) for other in rising)


def _is_harmless(file: PatchFile | None, covered: t.AbstractSet[Function]) -> bool:
    """Whether loading a disabled patch again, which enables it for a moment, disables and covers no other patch.

    `covered` are the functions of those that stay.
    """
    return (
        file is not None and file.replace is False and file.functions is not None and covered.isdisjoint(file.functions)
    )


def _rising(
    before: Snapshot, now: Snapshot, plan: Plan, stored: Stored, moved: t.Sequence[str] = ()
) -> list[LoadedPatch]:
    """The patches to be loaded again: those that are missing, and those that have to come above them."""
    rising: list[LoadedPatch] = []
    were_up = [patch for patch in before.patches if patch.enabled]
    strangers = strangers_in(now, before, plan)
    above = overtaken(before, plan)
    stuck = stuck_in(before, now)
    above = above if all(name in stored and name not in stuck for name in above) else []
    names = (*plan.names, plan.about, *above, *moved)
    movable = movable_of(names, strangers, before, now, plan).intersection(stored)
    as_before = {patch.name for patch in were_up if is_as_before(now.patch(patch.name), patch, plan)}
    staying = [patch for patch in were_up if patch.name not in movable and patch.name in as_before]
    below, again = Below([*staying, *strangers], before), Again(were_up, stored)
    for patch in were_up:
        can_move = patch.name in movable
        is_raised = patch.name == plan.about and is_above_any(patch.name, above, now)
        if patch.name in as_before and not (can_move and is_raised):
            rises = can_move and again.is_under(patch)
        else:
            rises = can_move and not stays_out(patch, below, before, plan)
        if rises:
            rising.append(patch)
            again.add(patch)
    # What would disable patches that cannot be brought back above it stays out.
    lying = as_before.difference(patch.name for patch in rising)
    last = max((place for place, patch in enumerate(were_up) if patch.name in lying), default=0)
    free = {patch.name for patch in were_up[last:]}
    return [
        patch for patch in rising if not may_replace(patch, were_up, stored) or (not strangers and patch.name in free)
    ]
