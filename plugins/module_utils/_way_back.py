# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: the way back from a plan that was carried out by half."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._snapshot import STOP_MACHINE, LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._steps import (
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


def way_back(before: Snapshot, now: Snapshot, plan: Plan, kept: Kept) -> list[Step]:
    """The steps from a half-done plan back to the snapshot before, for the patches that the plan was about.

    C(kept) are the files that were loaded before; without them, an unloaded patch cannot be brought back.
    """
    if now.abi == STOP_MACHINE:
        steps = _stop_machine_way_back(before, now, plan, kept)
    else:
        steps = [
            step
            for name in (*reversed(_new(plan, before)), *_known(plan, before))
            for step in _steps_back(name, before.patch(name), now.patch(name), kept.get(name))
        ]
    targets = [name for name in reversed(plan.targets) if name in now.modules and name not in before.modules]
    return steps + [Step(UNLOAD_TARGET, name) for name in targets]


def _new(plan: Plan, before: Snapshot) -> list[str]:
    return [name for name in plan.names if before.patch(name) is None]


def _known(plan: Plan, before: Snapshot) -> list[str]:
    """Those that were loaded before, in their order then."""
    return [patch.name for patch in before.patches if patch.name in plan.names]


def _steps_back(name: str, before: LoadedPatch | None, now: LoadedPatch | None, kept: PatchFile | None) -> list[Step]:
    """One patch's way back on a per_task kernel."""
    load = [Step(LOAD, name, kept), Step(WAIT, name)]
    disable = [Step(DISABLE, name), Step(WAIT, name)]
    settle = [Step(WAIT, name)] if now and now.in_transition else []
    lower = disable if now and now.enabled else settle
    if before is None:
        return [*lower, Step(UNLOAD, name)] if now else []
    other_content = _differs(now, before)
    if before.enabled and now and not other_content and not now.enabled and now.in_transition:
        return [Step(ENABLE, name), Step(WAIT, name)]
    if now and not other_content and now.enabled == before.enabled:
        return settle
    if now and not other_content and not before.enabled:
        return lower
    if kept is None:
        return []
    unload = [*lower, Step(UNLOAD, name)] if now else []
    return [*unload, *load] if before.enabled else [*unload, *load, *disable]


def _stop_machine_way_back(before: Snapshot, now: Snapshot, plan: Plan, kept: Kept) -> list[Step]:
    """Lower what is out of place, take out what is new, bring back what is missing, raise in the old order."""
    gone = [
        name
        for name in _known(plan, before)
        if now.patch(name) is None or _differs(now.patch(name), before.patch(name))
    ]
    were_up = [patch.name for patch in before.patches if patch.enabled and patch.name in plan.names]
    are_up = [patch.name for patch in now.patches if patch.enabled and patch.name in plan.names]
    in_place = []
    for was, is_now in zip(were_up, are_up):
        if was != is_now or was in gone:
            break
        in_place.append(was)
    steps = [Step(DISABLE, name) for name in reversed(are_up) if name not in in_place]
    steps += [Step(UNLOAD, name) for name in _new(plan, before) if now.patch(name)]
    for name in gone:
        if name in kept:
            steps += [Step(UNLOAD, name)] if now.patch(name) else []
            steps.append(Step(LOAD, name, kept[name]))
    lost = [name for name in gone if name not in kept and now.patch(name) is None]
    if now.list_order:
        # What is loaded again is the last of the kernel's list, and is enabled last.
        were_up.sort(key=gone.__contains__)
    return steps + [Step(ENABLE, name) for name in were_up if name not in in_place and name not in lost]


def _differs(now: LoadedPatch | None, before: LoadedPatch | None) -> bool:
    return now is not None and before is not None and now.identity.compare(before.identity) == "different"
