# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: the way back from a plan that was carried out by half."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import (
    DISABLE,
    ENABLE,
    LOAD,
    UNLOAD,
    UNLOAD_TARGET,
    WAIT,
    Kept,
    Plan,
    Step,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    STOP_MACHINE,
    LoadedPatch,
    Snapshot,
)


def settling(before: Snapshot, now: Snapshot, plan: Plan, kept: Kept) -> list[Step]:
    """What comes before all of the way back: until a transition has ended, a per_task kernel starts no other (EBUSY).

    One of the plan's is reversed if it leads to where the patch was not, or to where it could not stay.
    """
    moving = now.in_transition
    if moving is None or now.abi == STOP_MACHINE:
        return []
    was = before.patch(moving.name)
    is_same = was is not None and not is_other_content(moving, was, plan)
    if was and is_same and was.in_transition and was.enabled == moving.enabled:
        return []
    wait = Step(WAIT, moving.name)
    should_be_up = was is not None and was.enabled and is_same
    if was and should_be_up:
        up = replace(
            now, patches=tuple(replace(patch, enabled=patch.enabled or patch == moving) for patch in now.patches)
        )
        should_be_up = was not in _rising(before, up, plan, kept)
        if moving.enabled and moving.name in kept and _per_task_way_back(before, up, plan, kept):
            # It may be stalled, and more is to be done: going down it is not in the way, and it is loaded again.
            should_be_up = False
    if moving.name not in plan.names or moving.enabled == should_be_up:
        return [wait]
    return [Step(ENABLE if should_be_up else DISABLE, moving.name), wait]


def way_back(before: Snapshot, now: Snapshot, plan: Plan, kept: Kept) -> list[Step]:
    """The steps from a half-done plan back to the snapshot before, for the patches that the plan was about.

    `kept` are the files that were loaded before; without them, an unloaded patch cannot be brought back.
    """
    back = _stop_machine_way_back if now.abi == STOP_MACHINE else _per_task_way_back
    targets = [name for name in reversed(plan.targets) if name in now.modules and name not in before.modules]
    return back(before, now, plan, kept) + [Step(UNLOAD_TARGET, name) for name in targets]


def is_other_content(now: LoadedPatch, before: LoadedPatch, plan: Plan) -> bool:
    """Whether another content is loaded under this name than before. Where the kernel shows no mark, the plan tells."""
    relation = now.identity.compare(before.identity)
    if relation != "unknown":
        return relation == "different"
    is_loaded_anew = None not in (now.instance, before.instance) and now.instance != before.instance
    return is_loaded_anew and any(
        file.name == now.name and file.identity.compare(before.identity) != "same" for file in plan.loads
    )


def is_gone(before: LoadedPatch, now: Snapshot, plan: Plan) -> bool:
    """Whether the patch is not loaded any more, or another content is under its name."""
    patch = now.patch(before.name)
    return patch is None or is_other_content(patch, before, plan)


def _is_as_before(now: LoadedPatch | None, before: LoadedPatch, plan: Plan) -> bool:
    return now is not None and now.enabled == before.enabled and not is_other_content(now, before, plan)


def _new(plan: Plan, before: Snapshot) -> list[str]:
    return [name for name in plan.names if before.patch(name) is None]


def _stays_out(patch: LoadedPatch, below: t.Iterable[LoadedPatch], before: Snapshot, plan: Plan) -> bool:
    """Whether the patch would come back above one of these and so put older code above newer.

    What was not there before has come since, and is newer. That one covered the patch counts only if nothing of the
    patch was live, or it was to go anyway: otherwise what it alone had patched would be lost.
    """
    if any(before.patch(lower.name) is None and lower.shares(patch.functions) for lower in below):
        return True
    is_no_loss = before.effect(patch) == "none" or _is_to_go(patch, plan)
    return is_no_loss and not before.covering(patch).isdisjoint(below)


def _is_to_go(patch: LoadedPatch, plan: Plan) -> bool:
    actions = [step.action for step in plan.steps if step.patch == patch.name and step.action != WAIT]
    return actions[-1:] in ([UNLOAD], [DISABLE])


def _strangers(now: Snapshot, before: Snapshot, plan: Plan) -> list[LoadedPatch]:
    """The enabled patches that somebody else has loaded since."""
    return [
        patch
        for patch in now.patches
        if patch.enabled and before.patch(patch.name) is None and patch.name not in plan.names
    ]


def _movable(
    names: t.Iterable[str], strangers: list[LoadedPatch], before: Snapshot, now: Snapshot, plan: Plan
) -> list[str]:
    """These patches without those that are where they were, and would come above what somebody else has loaded."""
    newer = {function for patch in strangers for function in patch.functions}
    below = [
        patch.name
        for patch in before.patches
        if patch.shares(newer) and _is_as_before(now.patch(patch.name), patch, plan)
    ]
    return [name for name in names if name not in below]


def _per_task_way_back(before: Snapshot, now: Snapshot, plan: Plan, kept: Kept) -> list[Step]:
    """Lower from the top, load what is missing in the old order, and take out what is new.

    A patch that was loaded and disabled is loaded again only where that is harmless: it enables it for a moment. What
    is new and down does nothing; that it cannot be unloaded must not keep what was live from coming back.
    """
    rising = [patch.name for patch in _rising(before, now, plan, kept)]
    steps = []
    for patch in reversed(now.patches):
        was = before.patch(patch.name)
        if patch.name not in plan.names and patch.name not in rising:
            continue
        goes_out = was is None or patch.name in rising or is_other_content(patch, was, plan)
        if patch.enabled and (goes_out or not (was and was.enabled)):
            steps += [Step(DISABLE, patch.name), Step(WAIT, patch.name)]
        if goes_out and was is not None:
            steps.append(Step(UNLOAD, patch.name))
    lowered = {step.patch for step in steps}
    staying = [patch for patch in now.patches if patch.enabled and patch.name not in lowered]
    for patch in before.patches:
        comes_back = not patch.enabled and patch.name in plan.names and is_gone(patch, now, plan)
        if patch.name in rising or (comes_back and _is_harmless(kept.get(patch.name), staying)):
            steps += [Step(LOAD, patch.name, kept[patch.name]), Step(WAIT, patch.name)]
            steps += [] if patch.enabled else [Step(DISABLE, patch.name), Step(WAIT, patch.name)]
    return steps + [Step(UNLOAD, name) for name in reversed(_new(plan, before)) if now.patch(name)]


def _is_harmless(file: PatchFile | None, staying: t.Iterable[LoadedPatch]) -> bool:
    """Whether a disabled patch may be loaded again, which enables it for a moment: it disables and covers nobody."""
    return (
        file is not None
        and file.replace is False
        and file.functions is not None
        and not any(patch.shares(file.functions) for patch in staying)
    )


def _rising(before: Snapshot, now: Snapshot, plan: Plan, kept: Kept) -> list[LoadedPatch]:
    """The patches to be loaded again: those that are missing, and those that have to come above them."""
    rising: list[LoadedPatch] = []
    were_up = [patch for patch in before.patches if patch.enabled]
    strangers = _strangers(now, before, plan)
    movable = [name for name in _movable((*plan.names, plan.about), strangers, before, now, plan) if name in kept]
    staying = [
        patch for patch in were_up if patch.name not in movable and _is_as_before(now.patch(patch.name), patch, plan)
    ]
    staying += strangers
    for patch in were_up:
        can_move = patch.name in movable
        if _is_as_before(now.patch(patch.name), patch, plan):
            if can_move and any(_is_under(lower, patch, were_up, kept) for lower in rising):
                rising.append(patch)
        elif can_move and not _stays_out(patch, staying, before, plan):
            rising.append(patch)
    # What would disable patches that cannot be brought back above it stays out.
    return [
        patch
        for patch in rising
        if not _replaces(patch, were_up, kept)
        or (
            not strangers
            and all(
                upper in rising
                for upper in were_up[were_up.index(patch) + 1 :]
                if _is_as_before(now.patch(upper.name), upper, plan)
            )
        )
    ]


def _is_under(lower: LoadedPatch, upper: LoadedPatch, were_up: t.Sequence[LoadedPatch], kept: Kept) -> bool:
    """Whether loading the lower one anew would change what is live, unless the upper one is loaded after it."""
    return upper.shares(lower.functions) or _replaces(lower, were_up, kept)


def _replaces(patch: LoadedPatch, were_up: t.Sequence[LoadedPatch], kept: Kept) -> bool:
    """Whether loading the patch may disable all others. It has not if something below it was still enabled."""
    replaces = patch.replace if patch.replace is not None else kept[patch.name].replace
    return were_up.index(patch) == 0 if replaces is None else replaces


def _stop_machine_way_back(before: Snapshot, now: Snapshot, plan: Plan, kept: Kept) -> list[Step]:
    """Lower what is out of place, take out what is new, bring back what is missing, raise in the old order."""
    changed = [patch for patch in before.patches if patch.name in plan.names]
    is_covering = any(upper.name == plan.about for patch in changed for upper in before.covering(patch))
    strangers = _strangers(now, before, plan)
    names = (*plan.names, plan.about) if is_covering else plan.names
    movable = _movable(names, strangers, before, now, plan)
    gone = [patch.name for patch in changed if is_gone(patch, now, plan)]
    were_up = [patch for patch in before.patches if patch.enabled and patch.name in movable]
    are_up = [patch.name for patch in now.patches if patch.enabled and patch.name in movable]
    in_place = []
    for was, is_now in zip(were_up, are_up):
        if was.name != is_now or is_now in gone:
            break
        in_place.append(is_now)
    steps = [Step(DISABLE, name) for name in reversed(are_up) if name not in in_place]
    # What is new and down does nothing: that it cannot be unloaded must not keep what was live from coming back. But
    # with CONFIG_LIVEPATCH_STACK it has to go before what comes behind it can be enabled.
    new = [Step(UNLOAD, name) for name in _new(plan, before) if now.patch(name)]
    steps += [] if now.list_order is False else new
    for name in gone:
        steps += [Step(UNLOAD, name)] if now.patch(name) else []
        steps += [Step(LOAD, name, kept[name])] if name in kept else []
    lost = [name for name in gone if name not in kept]
    rising = [patch for patch in were_up if patch.name not in (*in_place, *lost)]
    if now.list_order:
        # The kernel's list decides, and what is loaded again is its last.
        places = {patch.name: place for place, patch in enumerate(now.patches) if patch.name not in gone}
        rising.sort(key=lambda patch: places.get(patch.name, len(now.patches)))
    staying = [patch for patch in before.patches if patch.enabled and patch not in rising]
    below = [patch for patch in staying if _is_as_before(now.patch(patch.name), patch, plan)] + strangers
    for patch in rising:
        if not _stays_out(patch, below, before, plan):
            steps.append(Step(ENABLE, patch.name))
        below.append(patch)
    return steps + (new if now.list_order is False else [])
