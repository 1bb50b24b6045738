# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: the steps from a plan that was carried out by half back to the snapshot before it."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_per_task import per_task_steps
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_stop_machine import stop_machine_steps


def rollback_steps(before: Snapshot, now: Snapshot, plan: Plan, stored: Stored) -> list[Step]:
    """The steps from a plan that was carried out in part back to the snapshot before it, for the patches of the plan.

    `stored` has the files that were loaded before: without its file an unloaded patch cannot be loaded again.
    """
    back = per_task_steps if abi_of(now).has_transitions else stop_machine_steps
    targets = [name for name in reversed(plan.targets) if name in now.modules and name not in before.modules]
    return back(before, now, plan, stored) + [Step(Action.UNLOAD_TARGET, name) for name in targets]
