# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: which changes of somebody else's patches are refused, unless the task has `force_owner`."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import UNKNOWN_OWNER, LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.change import ChangeSet


def refuse_owned(change: ChangeSet, steps: list[Step]) -> list[Finding]:
    """Refuse to do anything with the patches of a tool that is known."""
    touched = {step.patch for step in steps if step.action != Action.WAIT}
    return [
        Finding(
            reason="owned",
            seen=f"{patch.name} is managed by {patch.tool}.",
            remedy=f"Change it with {patch.tool}, or set force_owner: true and tell {patch.tool} afterwards.",
            why=f"{patch.tool} does not notice what others do to its patches.",
        )
        for patch in change.snapshot.patches
        if patch.tool and patch.name in touched
    ]


def refuse_unknown_owner(change: ChangeSet, steps: list[Step]) -> list[Finding]:
    """Refuse to disable, unload or replace patches that nobody known has loaded.

    To enable such a patch, or to load the same build of a disabled one again, takes nothing away and is not refused.
    """
    if not change.snapshot.privileged:
        # The books are readable for root alone: to anybody else every owner is unknown.
        return []
    lowered = {step.patch for step in steps if step.action in (Action.DISABLE, Action.UNLOAD)}
    if _is_enabled_again(change):
        lowered.discard(change.wanted.name)
    return [
        Finding(
            reason="owner_unknown",
            seen=f"Who manages {patch.name} is unknown: this collection did not load it, and no tool that it knows "
            "has a file for it.",
            remedy="Change it with the tool that loaded it; or set force_owner: true if no tool did, as after insmod "
            "by hand.",
            why="Its owner would not notice, and may rely on it.",
        )
        for patch in change.snapshot.patches
        if patch.owner == UNKNOWN_OWNER and (patch.name in lowered or _is_replaced(change, patch))
    ]


def _is_enabled_again(change: ChangeSet) -> bool:
    """Whether the wanted patch is unloaded only to be enabled by loading the same build again."""
    loaded, file = change.loaded, change.file
    if loaded is None or loaded.enabled or file is None:
        return False
    is_same = loaded.identity.compare_builds(file.identity) == "same"
    return is_same and change.moves.in_ and change.wanted.state == State.ENABLED


def _is_replaced(change: ChangeSet, patch: LoadedPatch) -> bool:
    """Whether loading the wanted patch disables this one, or may do so."""
    if not (change.abi.loading_enables and change.moves.in_ and change.file):
        return False
    return change.file.replace is not False and patch.enabled and patch.name != change.wanted.name
