# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: which patches a plan's own loads have disabled, or may have, whatever their files show of the replace flag."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of


def with_replaced(plan: Plan, before: Snapshot, found: Snapshot) -> Plan:
    """The plan, which is also about those patches from before it that its loads have disabled, or may have."""
    # Rolling back unloads those patches of a plan that were not there before: not those of somebody else.
    names = [name for name in replaced_by(plan, before, found) if name not in plan.names and before.patch(name)]
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


def disabled_by_load(plan: Plan, before: Snapshot, found: Snapshot) -> Finding | None:
    """The finding that the plan's own load has disabled others; None if the kernel does not show its replace flag."""
    shown = [patch.name for patch in _shown_loads(plan, found) if patch.replace]
    names = [name for name in replaced_by(plan, before, found) if name not in plan.names]
    if not (shown and names):
        return None
    return Finding(
        reason="replaces_others",
        seen=f"Loading {', '.join(shown)} has disabled {', '.join(names)}: the kernel shows the replace flag.",
        remedy="Name those patches in supersedes, or build this one without replace.",
        why="The file does not show the flag." if not _may_replace_by_file(plan) else "",
    )


def names_of_suspects(plan: Plan, before: Snapshot, found: Snapshot) -> str:
    """The loads of the plan that may have disabled others, where the kernel does not show their replace flag."""
    names = set(replaced_by(plan, before, found)).difference(plan.names)
    return ", ".join(patch.name for patch in _shown_loads(plan, found)) if names else ""
