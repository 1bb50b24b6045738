# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: rolling back on stop_machine kernels, where a loaded patch is enabled and disabled in its place."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import (
    Below,
    is_as_before,
    is_gone,
    movable_of,
    new_patches,
    overtaken,
    stays_out,
    strangers_in,
)


def stop_machine_steps(
    before: Snapshot,
    now: Snapshot,
    plan: Plan,
    stored: Stored,
    moved: t.Sequence[str] = (),
    *,
    down_last: bool = False,
) -> list[Step]:
    """Unload what is in the way, load what is missing, enable in the old order, and disable what is new.

    Where the kernel's list may decide (CONFIG_LIVEPATCH_STACK), what is new is the last of it and goes first. `moved`
    are patches that come above what comes back although the plan is not about them. With `down_last` what stays
    disabled is loaded last: it is in nobody's way then.
    """
    changed = [patch for patch in before.patches if patch.name in plan.name_set]
    about = before.patch(plan.about)
    is_covering = any(map(Below([about] if about else [], before).covered, changed))
    strangers = strangers_in(now, before, plan)
    above = overtaken(before, plan)
    is_free = now.stacking_enforced is False
    behind = [] if is_free else _behind(moved, now)
    names = (*plan.names, *((plan.about,) if is_covering else ()), *above, *moved, *behind)
    movable = movable_of(names, strangers, before, now, plan)
    # Where the kernel's list decides, they come above it only if they are loaded after it.
    again = [plan.about, *above] if above and _is_out_of_place(before, now, plan) else []
    again = again if all(name in stored for name in again) else []
    again += [] if is_free else moved
    gone = _gone(changed, again, before, now, plan)
    were_up = [patch for patch in before.patches if patch.enabled and patch.name in movable]
    are_up = [patch.name for patch in now.patches if patch.enabled and patch.name in movable]
    going = frozenset(gone)
    in_place = frozenset(_in_place([patch.name for patch in were_up], are_up, going))
    lowered = [name for name in reversed(are_up) if name not in in_place]
    lost = going.difference(stored)
    rising = [patch for patch in were_up if not (patch.name in in_place or patch.name in lost)]
    if now.stacking_enforced or again:
        # The kernel's list decides, and what is loaded again is its last.
        places = {patch.name: place for place, patch in enumerate(now.patches) if patch.name not in going}
        rising.sort(key=lambda patch: places.get(patch.name, len(now.patches)))
    rises = {patch.name for patch in rising}
    staying = [patch for patch in before.patches if patch.enabled and patch.name not in rises]
    staying = [patch for patch in staying if is_as_before(now.patch(patch.name), patch, plan)]
    below = Below([*staying, *strangers], before)
    enabled: dict[str, None] = {}
    for patch in rising:
        if not stays_out(patch, below, before, plan):
            enabled[patch.name] = None
        below.add(patch)
    loads: list[Step] = []
    for name in sorted(gone, key=lambda name: down_last and name not in enabled):
        loads += [Step(Action.UNLOAD, name)] if now.patch(name) else []
        loads += [Step(Action.LOAD, name, stored[name])] if name in stored else []
        # One that enables itself waits for its turn.
        is_up = name in stored and stored[name].enables_itself
        loads += [Step(Action.DISABLE, name)] if is_up else []
    # What is new and down does nothing: that it cannot be unloaded must not keep what was live from coming back. But
    # with CONFIG_LIVEPATCH_STACK it has to go before what comes behind it can be enabled.
    new = [Step(Action.UNLOAD, name) for name in new_patches(plan, before) if now.patch(name)]
    if not is_free:
        down = [Step(Action.DISABLE, name) for name in lowered]
        return [*down, *new, *loads, *(Step(Action.ENABLE, name) for name in enabled)]
    first = [Step(Action.DISABLE, name) for name in lowered if name in going]
    last = [Step(Action.DISABLE, name) for name in lowered if not (name in going or name in enabled)]
    return [*first, *loads, *_raise(enabled, frozenset(lowered).difference(going)), *last, *new]


def _gone(
    changed: t.Sequence[LoadedPatch], again: t.Collection[str], before: Snapshot, now: Snapshot, plan: Plan
) -> list[str]:
    """What is to be loaded, in the old order: what is gone, and what comes behind that in the kernel's list."""
    gone = {patch.name for patch in changed if is_gone(patch, now, plan)}.union(again)
    if now.stacking_enforced is not False:
        first = next((place for place, patch in enumerate(changed) if patch.enabled and patch.name in gone), None)
        # It is in the way of what was enabled before it, and would then be in front of it.
        blocking = [] if first is None else [patch for patch in changed[first:] if not patch.enabled]
        gone.update(patch.name for patch in blocking if now.patch(patch.name))
    return [patch.name for patch in before.patches if patch.name in gone]


def _in_place(were_up: t.Sequence[str], are_up: t.Sequence[str], gone: t.Container[str]) -> list[str]:
    """The patches that are enabled in their old order, as far as that goes."""
    in_place: list[str] = []
    for was, is_now in zip(were_up, are_up):
        if was != is_now or is_now in gone:
            break
        in_place.append(is_now)
    return in_place


def _behind(moved: t.Sequence[str], now: Snapshot) -> list[str]:
    """With CONFIG_LIVEPATCH_STACK: the enabled patches behind those that are moved, which have to be disabled before.

    None if one of them belongs to another tool: the kernel does not disable the others then.
    """
    names = frozenset(moved)
    up = (place for place, patch in enumerate(now.patches) if patch.enabled and patch.name in names)
    behind = [patch for patch in now.patches[min(up, default=len(now.patches)) :] if patch.enabled]
    behind = [patch for patch in behind if patch.name not in names]
    return [patch.name for patch in behind if not patch.owner]


def _raise(names: t.Iterable[str], lowered: t.Container[str]) -> t.Iterator[Step]:
    """Enabling moves a patch to the end of the list: one that is enabled out of place is disabled and enabled again."""
    for name in names:
        if name in lowered:
            yield Step(Action.DISABLE, name)
        yield Step(Action.ENABLE, name)


def _is_out_of_place(before: Snapshot, now: Snapshot, plan: Plan) -> bool:
    """Whether the kernel's list may decide, and the wanted patch has lost its place in it by being unloaded."""
    was, loaded = before.patch(plan.about), now.patch(plan.about)
    is_loaded_anew = loaded is None or (was is not None and loaded.instance != was.instance)
    return now.stacking_enforced is not False and is_loaded_anew
