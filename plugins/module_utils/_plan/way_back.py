# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: whether a plan could be rolled back after its last step, when its proof fails."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import NO_WAY_BACK
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    Snapshot,
    names_of,
    users_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import lost_after, plan_rollback


def find_no_way_back(before: Snapshot, plan: Plan, stored: Stored) -> t.Iterator[Finding]:
    """The refusal of a plan that could not be rolled back, since a patch that would have to be moved cannot be.

    A per_task kernel enables a patch by loading its module alone: what is to come back below another one, or would
    disable it, comes back only if that one can be unloaded and loaded again. That a file is not at hand is no such
    reason: the user is warned of it.
    """
    after = predict(before, plan)
    held = [patch for patch in after.patches if patch.enabled and before.patch(patch.name) and _why_held(patch)]
    if not (held and abi_of(before).loading_enables):
        return
    freed_before, freed = _freed(before), _freed(after)
    back = plan_rollback(freed_before, freed, plan, stored).steps
    lost = lost_after(before, after, plan_rollback(before, after, plan, stored).steps)
    lost -= lost_after(freed_before, freed, back)
    unloaded = {step.patch for step in back if step.action == Action.UNLOAD}
    in_the_way = [patch for patch in held if patch.name in unloaded]
    missing = [patch for patch in before.patches if patch.enabled and patch.shares(lost)]
    if not (missing and in_the_way):
        return
    reasons = ", and ".join(f"{patch.name} {_why_held(patch)}" for patch in in_the_way)
    yield Finding(
        reason=NO_WAY_BACK,
        seen=f"If this fails, {names_of(missing)} cannot come back: {reasons}.",
        remedy=f"Leave {names_of(missing)} enabled; or {_how_to_free(in_the_way)} first.",
        why=f"On this kernel {names_of(in_the_way)} would have to be unloaded, and loaded again above what comes back.",
    )


def _why_held(patch: LoadedPatch) -> str:
    """Why a rollback does not unload a patch and load it again; empty if it does."""
    if patch.users:
        return f"has {users_of(patch)}"
    if patch.permanent:
        return "has no exit function"
    if patch.marked:
        return "may be held by the kernel, since a transition was forced"
    return f"belongs to {patch.tool or 'another tool'}" if patch.owner else ""


def _how_to_free(patches: t.Sequence[LoadedPatch]) -> str:
    used = [patch for patch in patches if patch.users]
    others = [patch for patch in patches if patch not in used]
    ways = [f"end what uses {names_of(used)}"] if used else []
    return " and ".join([*ways, f"take {names_of(others)} out"] if others else ways)


def _freed(snapshot: Snapshot) -> Snapshot:
    """The snapshot as if every module could be unloaded by this collection."""
    free = (replace(patch, refcount=None, permanent=False, marked=False, owner=None) for patch in snapshot.patches)
    return replace(snapshot, patches=tuple(free))
