# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: the steps from a plan that was carried out by half back to the snapshot before it, and what they must keep."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Function,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_per_task import per_task_steps
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import (
    covers_to_move,
    in_use,
    is_as_before,
    is_new,
    new_patches,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_stop_machine import stop_machine_steps


@dataclass(frozen=True)
class Rollback:
    """How to roll back: the steps, and the patches of others that they take out and load again (`moved`).

    `staying` are the patches that would have to go, and stay: without them no patch would be live on `needed`.
    """

    steps: tuple[Step, ...] = ()
    moved: tuple[str, ...] = ()
    staying: tuple[str, ...] = ()
    needed: tuple[Function, ...] = ()

    @property
    def why_staying(self) -> list[str]:
        """Why the host is not as it was before, in a sentence."""
        return [why_staying(self.staying, self.needed)] if self.staying else []


def why_staying(names: t.Iterable[str], needed: t.Iterable[Function]) -> str:
    """The sentence that patches stay, since they have the only fix of functions."""
    functions = ", ".join(map(str, sorted(needed)))
    return f"without {', '.join(names)} no patch would be live on {functions}, where one was before"


def rollback_steps(before: Snapshot, now: Snapshot, plan: Plan, stored: Stored) -> list[Step]:
    """The steps from a plan that was carried out in part back to the snapshot before it, for the patches of the plan.

    `stored` has the files that were loaded before: without its file an unloaded patch cannot be loaded again.
    """
    return list(plan_rollback(before, now, plan, stored).steps)


def plan_rollback(
    before: Snapshot, now: Snapshot, plan: Plan, stored: Stored, stuck: t.Collection[str] = ()
) -> Rollback:
    """Roll back so that no function is left without a patch which has one now and had one before.

    Where something cannot come back, because its file is not at hand or somebody's patch covers it, what the plan has
    brought in its place stays. `stuck` are patches that could not be moved.
    """
    rollback = _shortest(before, now, plan, stored, stuck)
    lost = lost_after(before, now, rollback.steps).intersection(fixed(now))
    needed = [patch for patch in now.patches if patch.enabled and patch.shares(lost)]
    names = [patch.name for patch in needed]
    if set(names).issubset(stuck):
        targets = [name for name in reversed(plan.targets) if name in now.modules and name not in before.modules]
        return replace(rollback, steps=(*rollback.steps, *(Step(Action.UNLOAD_TARGET, name) for name in targets)))
    functions = {function for patch in needed for function in patch.functions}
    covered = [
        patch.name
        for patch in before.patches
        if patch.enabled and patch.shares(functions) and not is_as_before(now.patch(patch.name), patch, plan)
    ]
    # The modules that were loaded first stay as well: they are for a patch that stays, perhaps.
    plan = plan.without([*names, *covered, *plan.targets])
    rest = plan_rollback(before, now, plan, stored, [*stuck, *names])
    return replace(rest, staying=(*names, *rest.staying), needed=tuple(sorted(lost.union(rest.needed))))


def _shortest(before: Snapshot, now: Snapshot, plan: Plan, stored: Stored, stuck: t.Collection[str]) -> Rollback:
    """Move no patch beside those of the plan, unless more comes back with that, or the kernel refuses to enable."""
    back = per_task_steps if abi_of(now).has_transitions else stop_machine_steps

    def moving(names: t.Sequence[str]) -> Rollback:
        return Rollback(tuple(back(before, now, plan, stored, names)), tuple(names))

    rollback = moving([])
    lost = lost_after(before, now, rollback.steps)
    moved = covers_to_move(before, now, plan, stored, lost) if lost else []
    longer = moving(moved) if moved else rollback
    above = _above_what_stays_down(before, now, longer.steps, stored)
    if above:
        longer = moving([*moved, *above])
    in_front = _in_front(now, plan, stored) if _in_the_way(now, longer.steps) else []
    if in_front:
        longer = moving([*longer.moved, *in_front])
    is_refused = bool(_in_the_way(now, rollback.steps))
    if longer.moved and not any(step.patch in stuck for step in longer.steps) and not _in_the_way(now, longer.steps):
        still_lost = lost_after(before, now, longer.steps)
        if still_lost < lost or ((in_front or is_refused) and still_lost <= lost):
            return longer
    if stuck or not is_refused:
        # Where a step has failed, what is refused then makes the executor try all of it once more.
        return rollback
    down_last = stop_machine_steps(before, now, plan, stored, down_last=True)
    return rollback if _in_the_way(now, down_last) else Rollback(tuple(down_last))


def _above_what_stays_down(before: Snapshot, now: Snapshot, steps: t.Sequence[Step], stored: Stored) -> list[str]:
    """With CONFIG_LIVEPATCH_STACK: the patches that keep one down which is then in the way of what comes behind it.

    They go and come back behind it if they are to be enabled again anyway, and all of them can be moved.
    """
    down = {patch.name for patch in _in_the_way(now, steps)} if now.stacking_enforced else set()
    loaded = {step.patch for step in steps if step.action == Action.LOAD}
    rising = {step.patch for step in steps if step.action == Action.ENABLE}.difference(loaded)
    functions: set[Function] = set()
    above: list[LoadedPatch] = []
    for patch in before.patches:
        if patch.enabled and (patch.name in down or patch.shares(functions)):
            functions.update(patch.functions)
            above += [patch] if patch.name in rising else []
    names = [patch.name for patch in above]
    return names if _can_move((*above, *(patch for patch in now.patches if patch.name in names)), stored) else []


def _in_front(now: Snapshot, plan: Plan, stored: Stored) -> list[str]:
    """The disabled patches that the plan is not about: what is loaded again comes behind them, unless they go as well.

    None if one of them belongs to another tool, or cannot be loaded again.
    """
    down = [patch for patch in now.patches if not patch.enabled and patch.name not in plan.name_set]
    return [patch.name for patch in down] if _can_move(down, stored) else []


def _can_move(patches: t.Iterable[LoadedPatch], stored: Stored) -> bool:
    return all(patch.name in stored and not (patch.owner or patch.permanent or patch.users) for patch in patches)


def _in_the_way(now: Snapshot, steps: t.Iterable[Step]) -> list[LoadedPatch]:
    """The patches that are disabled in front of one that could not be enabled then, with steps that load patches again.

    CONFIG_LIVEPATCH_STACK enables the first disabled one. Where nothing tells, the kernel may have it.
    """
    plan = Plan(tuple(steps))
    if abi_of(now).stacking is False or not plan.loads:
        return []
    patches = predict(replace(now, stacking_enforced=True), plan).patches
    last = max((place for place, patch in enumerate(patches) if patch.enabled), default=0)
    return [patch for patch in patches[:last] if not patch.enabled]


def fixed(snapshot: Snapshot) -> set[Function]:
    """The functions that an enabled patch replaces."""
    return {function for patch in snapshot.patches if patch.enabled for function in patch.functions}


def lost_after(before: Snapshot, now: Snapshot, steps: t.Iterable[Step]) -> set[Function]:
    """The functions on which a patch was live before, and none is after these steps."""
    after = predict(now, Plan(tuple(steps)))
    # The file of a patch that comes back may not show its functions; the kernel has shown them.
    pairs = [(was, after.patch(was.name)) for was in before.patches]
    back = [was for was, now in pairs if now and now.enabled and was.identity.compare(now.identity) != "different"]
    return fixed(before).difference(fixed(after), *(patch.functions for patch in back))


def while_stalled(now: Snapshot, steps: t.Sequence[Step], stalled: t.Collection[str]) -> list[Step]:
    """What of these steps is left while a transition runs that was waited for in vain, as for these patches.

    Until it ends the kernel takes nothing but that what is disabled goes (kernel/livepatch/core.c, enabled_store() and
    klp_enable_patch()).
    """
    moving = now.in_transition
    if moving is None or moving.name not in stalled:
        return list(steps)
    comes_back = {step.patch for step in steps if step.action == Action.LOAD}
    down = {patch.name for patch in now.patches if not (patch.enabled or patch.in_transition)} - comes_back
    return [step for step in steps if step.action == Action.UNLOAD and step.patch in down]


def turning_back(now: Snapshot, step: Step) -> list[Step]:
    """Reverse a transition that stalls, unless a function has nothing else: the kernel takes no other patch before.

    No task's stack is read before a transition begins: the kernel itself reads them while it runs, and while it can
    be reversed, a reading beforehand would be less certain, and change nothing of what is done.

    What is being disabled is enabled again. What is being enabled is disabled if others are on its functions.
    """
    patch = now.patch(step.patch)
    if step.action != Action.WAIT or patch is None or not patch.in_transition:
        return []
    if not patch.enabled:
        return [Step(Action.ENABLE, step.patch), step]
    others = fixed(replace(now, patches=tuple(other for other in now.patches if other != patch)))
    return [Step(Action.DISABLE, step.patch), step] if others.issuperset(patch.functions) else []


def bring_again(
    before: Snapshot,
    start: Snapshot,
    now: Snapshot,
    plan: Plan,
    stored: Stored,
    *,
    tried: t.Container[str],
    brought: t.Container[str],
) -> tuple[list[Step], Rollback]:
    """The steps that bring again what rolling back has taken out, where that has left functions without a patch.

    `start` is the host when rolling back began. The kernel may have refused what was to come in its place. Where
    nothing was, that is tried once more: `tried` are the patches of the steps, one of which may have disabled others.
    What was not tried, since it would have come above what stays, comes back as well if it alone had a function. What
    was `brought` again once is not again.
    """
    lost = fixed(before).difference(fixed(now))
    # A module that somebody uses is not unloaded: to try it once more would keep the others from coming back.
    held = in_use(start)
    taken = [patch for patch in start.patches if patch.enabled and patch.shares(lost)]
    lost_before = lost.difference(fixed(start))
    missing = [patch for patch in before.patches if patch.enabled and patch.shares(lost_before)]
    steps: list[Step] = []
    names: set[str] = set()
    highest = _highest(before, now, plan)
    for patch in [
        *taken,
        *(p for p in missing if p.name in tried or _may_come_above(p, before, highest, plan, stored, now)),
    ]:
        file, there = _file_of(patch, before, plan, stored), now.patch(patch.name)
        is_held = patch.name in held and there is not None
        is_due = patch.name not in names and patch.name not in brought
        if file and is_due and not is_held and not (there and there.enabled):
            abi = abi_of(now)
            names.add(patch.name)
            steps += abi.enable_again(patch.name, file) if there else abi.load(patch.name, file)
            steps += [] if there or abi.loading_enables else abi.enable(patch.name)
    if steps and abi_of(now).stacking is not False:
        # With CONFIG_LIVEPATCH_STACK what could not be enabled is in the way.
        down = [patch.name for patch in now.patches if not patch.enabled and patch.name in plan.name_set]
        steps = [*(Step(Action.UNLOAD, name) for name in down if name not in names), *steps]
    staying = [patch.name for patch in taken if patch.name in names and is_new(patch, before, plan)]
    return steps, Rollback(staying=tuple(staying), needed=tuple(lost.intersection(fixed(start))))


def _highest(before: Snapshot, now: Snapshot, plan: Plan) -> dict[Function, int]:
    """The highest place before, for each function, of the patches that are enabled on it now and are not the plan's.

    What somebody else has loaded since comes behind all.
    """
    new = frozenset(new_patches(plan, before))
    places = {patch.name: place for place, patch in enumerate(before.patches)}
    highest: dict[Function, int] = {}
    for patch in now.patches:
        if patch.enabled and patch.name not in new:
            place = places.get(patch.name, len(places))
            highest.update((function, max(place, highest.get(function, 0))) for function in patch.functions)
    return highest


def _may_come_above(
    patch: LoadedPatch, before: Snapshot, highest: t.Mapping[Function, int], plan: Plan, stored: Stored, now: Snapshot
) -> bool:
    """Whether a patch of the plan, loaded again, disables nothing and covers nothing but what was below it, or is new.

    What is new is of the plan itself: what somebody else has loaded is not covered.
    """
    file = stored.get(patch.name)
    if file is None or patch.name not in plan.name_set or (abi_of(now).loading_enables and file.replace is not False):
        return False
    place = before.patches.index(patch)
    return all(highest.get(function, -1) < place for function in patch.functions)


def _file_of(patch: LoadedPatch, before: Snapshot, plan: Plan, stored: Stored) -> PatchFile | None:
    """The file that a patch was loaded from, before the plan or by it."""
    if not is_new(patch, before, plan):
        return stored.get(patch.name)
    return plan.file_of(patch.name)
