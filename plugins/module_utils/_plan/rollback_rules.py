# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: what both ways of rolling back ask: what is gone, what is somebody else's, what may come back."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Function,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of


def is_different_build(now: LoadedPatch, before: LoadedPatch, plan: Plan) -> bool:
    """Whether a different build than before is loaded under this name. Without marks of builds, the plan decides."""
    relation = now.identity.compare(before.identity)
    if relation != "unknown":
        return relation == "different"
    return now.is_loaded_anew(before) and any(
        file.name == now.name and file.identity.compare(before.identity) != "same" for file in plan.loads
    )


def is_new(patch: LoadedPatch, before: Snapshot, plan: Plan) -> bool:
    """Whether the plan has brought this patch, or this build of it."""
    was = before.patch(patch.name)
    return was is None or is_different_build(patch, was, plan)


def is_gone(before: LoadedPatch, now: Snapshot, plan: Plan) -> bool:
    """Whether the patch is not loaded any more, or a different build is loaded under its name."""
    patch = now.patch(before.name)
    return patch is None or is_different_build(patch, before, plan)


def is_as_before(now: LoadedPatch | None, before: LoadedPatch, plan: Plan) -> bool:
    return now is not None and now.enabled == before.enabled and not is_different_build(now, before, plan)


def without_pinned(plan: Plan, before: Snapshot, now: Snapshot, pinned: t.Collection[str] = ()) -> Plan:
    """The plan without patches that cannot come back, since the kernel holds their modules, and those in their place.

    `pinned` are such patches, beside those that the kernel shows to be. What the plan has enabled stays then: without
    it neither would be.
    """
    held = [patch.name for patch in now.patches if patch.pinned or patch.name in pinned]
    lost = [patch.name for patch in before.patches if patch.enabled and patch.name in held]
    new = [patch.name for patch in now.patches if patch.enabled and before.patch(patch.name) is None]
    return plan.without([*lost, *new]) if lost else plan


def new_patches(plan: Plan, before: Snapshot) -> list[str]:
    return [name for name in plan.names if before.patch(name) is None]


def stays_out(patch: LoadedPatch, below: t.Iterable[LoadedPatch], before: Snapshot, plan: Plan) -> bool:
    """Whether loading the patch again would put its older code above the newer code of one of these.

    A patch that was not loaded before is newer. One that covered the patch counts as newer only if nothing of the patch
    was live, or the plan was to unload or disable it: otherwise functions that it alone had patched would be lost.
    """
    if any(before.patch(lower.name) is None and lower.shares(patch.functions) for lower in below):
        return True
    is_no_loss = before.is_covered(patch) or _is_to_go(patch, plan)
    return is_no_loss and not before.covering(patch).isdisjoint(below)


def _is_to_go(patch: LoadedPatch, plan: Plan) -> bool:
    actions = [step.action for step in plan.steps if step.patch == patch.name and step.action != Action.WAIT]
    return actions[-1:] in ([Action.UNLOAD], [Action.DISABLE])


def overtaken(before: Snapshot, plan: Plan) -> list[str]:
    """The patches that the plan raises the wanted one above, and those on them: it comes back below them if they move.

    None if one of them belongs to another tool.
    """
    raised = before.patch(plan.about)
    if raised is None or not raised.enabled or raised.name not in plan.names or _is_to_go(raised, plan):
        return []
    moved = [raised]
    for patch in before.patches[before.patches.index(raised) + 1 :]:
        if patch.enabled and any(patch.shares(lower.functions) for lower in moved):
            moved.append(patch)
    names = [patch.name for patch in moved[1:]]
    return [] if any(patch.owner for patch in moved[1:]) else names


def is_under(lower: LoadedPatch, upper: LoadedPatch, were_up: t.Sequence[LoadedPatch], stored: Stored) -> bool:
    """Whether loading the lower patch again changes what is live, unless the upper one is loaded after it."""
    return upper.shares(lower.functions) or may_replace(lower, were_up, stored)


def may_replace(patch: LoadedPatch, were_up: t.Sequence[LoadedPatch], stored: Stored) -> bool:
    """Whether loading the patch may disable all others. It did not before if a patch below it was enabled."""
    replaces = patch.replace if patch.replace is not None else stored[patch.name].replace
    return were_up.index(patch) == 0 if replaces is None else replaces


def is_above_any(name: str, others: t.Collection[str], now: Snapshot) -> bool:
    """Whether this patch is enabled, and one of the others is below it in the kernel's order."""
    names = [patch.name for patch in now.patches if patch.enabled]
    return name in names and not set(names[: names.index(name)]).isdisjoint(others)


def strangers_in(now: Snapshot, before: Snapshot, plan: Plan) -> list[LoadedPatch]:
    """The enabled patches that somebody else has loaded since the snapshot before."""
    return [
        patch
        for patch in now.patches
        if patch.enabled and before.patch(patch.name) is None and patch.name not in plan.names
    ]


def in_use(now: Snapshot) -> set[str]:
    """The patches that a per_task kernel could not enable again: that needs their modules to be unloaded before."""
    return {patch.name for patch in now.patches if patch.users and abi_of(now).loading_enables}


def stuck_in(before: Snapshot, now: Snapshot) -> set[str]:
    """Those, and the patches whose modules a per_task kernel may hold once they are disabled: force has marked them.

    Only the snapshot before is joined with the books, which know of the force.
    """
    marked = {patch.name for patch in before.patches if patch.marked and abi_of(before).loading_enables}
    return in_use(now).union(marked)


def movable_of(
    names: t.Iterable[str], strangers: list[LoadedPatch], before: Snapshot, now: Snapshot, plan: Plan
) -> list[str]:
    """These patches, without those that could not be enabled again: in use, or marked by force.

    Those as before that would come above somebody else's new patch are left out as well.
    """
    newer = {function for patch in strangers for function in patch.functions}
    below = [
        patch.name
        for patch in before.patches
        if patch.shares(newer) and is_as_before(now.patch(patch.name), patch, plan)
    ]
    stuck = stuck_in(before, now)
    return [name for name in names if name not in below and name not in stuck]


def covers_to_move(
    before: Snapshot, now: Snapshot, plan: Plan, stored: Stored, lost: t.Collection[Function]
) -> list[str]:
    """The patches that have to be loaded again for what is missing to come back below them: it may replace them.

    None if one of them belongs to another tool, or cannot be loaded again.
    """
    missing = [
        patch
        for patch in before.patches
        if patch.enabled and patch.shares(lost) and not is_as_before(now.patch(patch.name), patch, plan)
    ]
    were_up = [patch for patch in before.patches if patch.enabled]
    moved: list[LoadedPatch] = []
    for place, patch in enumerate(were_up):
        below = [other for other in were_up[:place] if other.name in stored and (other in missing or other in moved)]
        if patch not in missing and any(is_under(lower, patch, were_up, stored) for lower in below):
            moved.append(patch)
    stuck = stuck_in(before, now)
    can_move = all(
        patch.name in stored and not (patch.owner or patch.permanent or patch.name in stuck) for patch in moved
    )
    return [patch.name for patch in moved] if can_move else []
