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
        file.identity.compare(before.identity) != "same" for file in plan.loads_by_name.get(now.name, ())
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
    held = {patch.name for patch in now.patches if patch.pinned}.union(pinned)
    lost = [patch.name for patch in before.patches if patch.enabled and patch.name in held]
    new = [patch.name for patch in now.patches if patch.enabled and before.patch(patch.name) is None]
    return plan.without([*lost, *new]) if lost else plan


def new_patches(plan: Plan, before: Snapshot) -> list[str]:
    return [name for name in plan.names if before.patch(name) is None]


class Below:
    """Patches of two snapshots above which another one of the first may come."""

    def __init__(self, patches: t.Iterable[LoadedPatch], before: Snapshot) -> None:
        self._before = before
        self._new: set[Function] = set()
        self._highest: dict[Function, int] = {}
        for patch in patches:
            self.add(patch)

    def add(self, patch: LoadedPatch) -> None:
        self._new.update(patch.functions if self._before.patch(patch.name) is None else ())
        place = self._before.place_of(patch)
        if place is not None and (patch.enabled or patch.in_transition):
            self._highest.update((each, max(place, self._highest.get(each, 0))) for each in patch.functions)

    def has_newer_than(self, patch: LoadedPatch) -> bool:
        """Whether one of them that was not loaded before is on a function of this patch."""
        return patch.shares(self._new)

    def covered(self, patch: LoadedPatch) -> bool:
        """Whether one of them covered this patch before."""
        place = self._before.place_of(patch)
        is_on_stack = place is not None and (patch.enabled or patch.in_transition)
        return is_on_stack and any(self._highest.get(each, -1) > (place or 0) for each in patch.functions)


class Again:
    """Patches that are loaded again, so far: what was above one of them has to be loaded after it."""

    def __init__(self, were_up: t.Sequence[LoadedPatch], stored: Stored) -> None:
        self._were_up, self._stored = were_up, stored
        self._functions: set[Function] = set()
        self._may_replace = False

    def add(self, patch: LoadedPatch) -> None:
        self._functions.update(patch.functions)
        self._may_replace = self._may_replace or may_replace(patch, self._were_up, self._stored)

    def is_under(self, upper: LoadedPatch) -> bool:
        """Whether loading one of them changes what is live, unless this one is loaded after it."""
        return self._may_replace or upper.shares(self._functions)


def stays_out(patch: LoadedPatch, below: Below, before: Snapshot, plan: Plan) -> bool:
    """Whether loading the patch again would put its older code above the newer code of one of these.

    A patch that was not loaded before is newer. One that covered the patch counts as newer only if nothing of the patch
    was live, or the plan was to unload or disable it: otherwise functions that it alone had patched would be lost.
    """
    if below.has_newer_than(patch):
        return True
    is_no_loss = before.is_covered(patch) or _is_to_go(patch, plan)
    return is_no_loss and below.covered(patch)


def _is_to_go(patch: LoadedPatch, plan: Plan) -> bool:
    return plan.last_actions.get(patch.name) in (Action.UNLOAD, Action.DISABLE)


def overtaken(before: Snapshot, plan: Plan) -> list[str]:
    """The patches that the plan raises the wanted one above, and those on them: it comes back below them if they move.

    None if one of them belongs to another tool.
    """
    raised = before.patch(plan.about)
    if raised is None or not raised.enabled or raised.name not in plan.name_set or _is_to_go(raised, plan):
        return []
    moved: list[LoadedPatch] = []
    functions = set(raised.functions)
    for patch in before.patches[before.patches.index(raised) + 1 :]:
        if patch.enabled and patch.shares(functions):
            moved.append(patch)
            functions.update(patch.functions)
    return [] if any(patch.owner for patch in moved) else [patch.name for patch in moved]


def may_replace(patch: LoadedPatch, were_up: t.Sequence[LoadedPatch], stored: Stored) -> bool:
    """Whether loading the patch may disable all others. It did not before if a patch below it was enabled."""
    replaces = patch.replace if patch.replace is not None else stored[patch.name].replace
    return were_up[0] == patch if replaces is None else replaces


def is_above_any(name: str, others: t.Collection[str], now: Snapshot) -> bool:
    """Whether this patch is enabled, and one of the others is below it in the kernel's order."""
    names = [patch.name for patch in now.patches if patch.enabled]
    return name in names and not set(names[: names.index(name)]).isdisjoint(others)


def strangers_in(now: Snapshot, before: Snapshot, plan: Plan) -> list[LoadedPatch]:
    """The enabled patches that somebody else has loaded since the snapshot before."""
    return [
        patch
        for patch in now.patches
        if patch.enabled and before.patch(patch.name) is None and patch.name not in plan.name_set
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
) -> set[str]:
    """These patches, without those that could not be enabled again: in use, or marked by force.

    Those as before that would come above somebody else's new patch are left out as well.
    """
    newer = {function for patch in strangers for function in patch.functions}
    below = {
        patch.name
        for patch in before.patches
        if patch.shares(newer) and is_as_before(now.patch(patch.name), patch, plan)
    }
    return set(names).difference(below, stuck_in(before, now))


def covers_to_move(
    before: Snapshot, now: Snapshot, plan: Plan, stored: Stored, lost: t.Collection[Function]
) -> list[str]:
    """The patches that have to be loaded again for what is missing to come back below them: it may replace them.

    None if one of them belongs to another tool, or cannot be loaded again.
    """
    missing = {
        patch.name
        for patch in before.patches
        if patch.enabled and patch.shares(lost) and not is_as_before(now.patch(patch.name), patch, plan)
    }
    were_up = [patch for patch in before.patches if patch.enabled]
    moved: list[LoadedPatch] = []
    again = Again(were_up, stored)
    for patch in were_up:
        is_moved = patch.name not in missing and again.is_under(patch)
        moved += [patch] if is_moved else []
        if patch.name in stored and (is_moved or patch.name in missing):
            again.add(patch)
    stuck = stuck_in(before, now)
    can_move = all(
        patch.name in stored and not (patch.owner or patch.permanent or patch.name in stuck) for patch in moved
    )
    return [patch.name for patch in moved] if can_move else []
