# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: which patches a plan's own loads have disabled, or may have, whatever their files show of the replace flag."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.added import added_functions
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    Snapshot,
    names_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of


def with_replaced(plan: Plan, before: Snapshot, found: Snapshot) -> Plan:
    """The plan, which is also about those patches from before it that its loads have disabled, or may have."""
    # Rolling back unloads those patches of a plan that were not there before: not those of somebody else.
    names = [name for name in replaced_by(plan, before, found) if name not in plan.name_set and before.patch(name)]
    return replace(plan, replaced=(*plan.replaced, *names)) if names else plan


def replaced_by(plan: Plan, before: Snapshot, found: Snapshot) -> list[str]:
    """The patches that are disabled now, were not before, and that a load of the plan may have disabled.

    A patch with the replace flag disables all others when its transition ends (klp_unpatch_replaced_patches() in
    kernel/livepatch/core.c). Their modules stay loaded.
    """
    may_replace = _may_replace_by_file(plan) or bool(_shown_loads(plan, found))
    if not (may_replace and abi_of(found).loading_enables):
        return []
    return [patch.name for patch in found.patches if not patch.enabled and _was_enabled(before.patch(patch.name))]


def _was_enabled(before: LoadedPatch | None) -> bool:
    """Whether it was enabled, or came after the first reading: loading enabled it then."""
    return before is None or before.enabled


def _may_replace_by_file(plan: Plan) -> bool:
    return any(file.replace is not False for file in plan.loads)


def _shown_loads(plan: Plan, found: Snapshot) -> list[LoadedPatch]:
    """The patches that the plan has loaded, and of which the kernel does not show that they replace nothing.

    Older kernels show the flag of no patch, and none shows that of a disabled patch.
    """
    patches = (found.patch(file.name) for file in plan.loads)
    return [patch for patch in patches if patch and patch.replace is not False]


def disabled_by_load(plan: Plan, goal: Snapshot, before: Snapshot, found: Snapshot) -> Finding | None:
    """The finding that the plan's own load has disabled others, which are enabled in its goal; None if the kernel does
    not show its replace flag.
    """
    shown = [patch.name for patch in _shown_loads(plan, found) if patch.replace]
    names = lost_by_load(plan, goal, before, found)
    if not (shown and names):
        return None
    seen = f"Loading {', '.join(shown)} has disabled {', '.join(names)}: the kernel shows the replace flag."
    return _replaces_others(plan, seen)


def will_disable(plan: Plan, goal: Snapshot, found: Snapshot, name: str, later: t.Container[str]) -> Finding | None:
    """The finding that a patch which the plan has loaded right now is about to disable others, which are enabled in its
    goal. Those that are loaded `later` are not in its way.
    """
    loaded, staying = found.patch(name), frozenset(to_stay(goal, name, later))
    names = [patch.name for patch in found.patches if patch.name in staying]
    evidence = _evidence_of_flag(loaded, plan) if loaded and names else ""
    return _replaces_others(plan, f"Loading {name} disables {', '.join(names)}: {evidence}.") if evidence else None


def to_stay(goal: Snapshot, name: str, later: t.Container[str]) -> list[str]:
    """The other patches that are enabled in a goal, and are not loaded later."""
    return [patch.name for patch in goal.patches if patch.enabled and patch.name != name and patch.name not in later]


def _evidence_of_flag(loaded: LoadedPatch, plan: Plan) -> str:
    """What the kernel shows of the replace flag of a patch, as a clause; empty if it shows none.

    Before Linux 6.11 it does not show the flag itself. During the transition of a patch that has it, it lists functions
    of other patches as that one's, to end them (klp_add_nops() in kernel/livepatch/core.c).
    """
    if loaded.replace:
        return "the kernel shows the replace flag"
    if loaded.replace is not None or not loaded.in_transition:
        return ""
    shown = next((file.functions for file in plan.loads if file.name == loaded.name), None)
    added = added_functions(loaded, shown, ()) if shown else []
    return f"the kernel has added {', '.join(map(str, added))} to it" if added else ""


def _replaces_others(plan: Plan, seen: str) -> Finding:
    return Finding(
        reason="replaces_others",
        seen=seen,
        remedy="Name those patches in supersedes, or build this one without replace.",
        why="The file does not show the flag." if not _may_replace_by_file(plan) else "",
    )


def lost_by_load(plan: Plan, goal: Snapshot, before: Snapshot, found: Snapshot) -> list[str]:
    """The patches that a load of the plan may have disabled, and that are not to go by the plan."""
    staying = {patch.name for patch in goal.patches if patch.enabled}
    return [name for name in replaced_by(plan, before, found) if name not in plan.name_set or name in staying]


def names_of_suspects(plan: Plan, goal: Snapshot, before: Snapshot, found: Snapshot) -> str:
    """The loads of the plan that may have disabled others, where the kernel does not show their replace flag."""
    names = lost_by_load(plan, goal, before, found)
    is_by_other = any(
        patch.enabled and patch.replace and patch.name not in plan.name_set and before.patch(patch.name) is None
        for patch in found.patches
    )
    return names_of(_shown_loads(plan, found)) if names and not is_by_other else ""


def other_flags(plan: Plan, found: Snapshot) -> t.Iterator[Finding]:
    """A warning for each patch of which the kernel shows another replace flag than its file does."""
    for file in plan.loads:
        patch = found.patch(file.name)
        if patch is None or None in (file.replace, patch.replace) or patch.replace == file.replace:
            continue
        shows, lacks = ("The kernel", "its file") if patch.replace else ("Its file", "the kernel")
        yield Finding(
            reason="other_flag",
            seen=f"{shows} shows the replace flag of {file.name}, and {lacks} does not.",
            remedy="Correct the replace flag in what tells it (the source, the manifest or the task).",
            why="Whether other patches stay enabled depends on it.",
            severity=WARN,
        )


def without_only_fix(plan: Plan, before: Snapshot, now: Snapshot, stored: Stored) -> Plan:
    """The plan without a new patch that has disabled all others, where no one of those can come back.

    Without it the host would have none of its fixes.
    """
    enabled = [patch.name for patch in now.patches if patch.enabled]
    lost = [patch.name for patch in before.patches if patch.enabled and patch.name not in enabled]
    if not plan.replaced or any(name in stored for name in lost) or any(before.patch(name) for name in enabled):
        return plan
    return plan.without(enabled)
