# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: what a task changes in what the host notes of the fix of a patch."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict


def with_fix(snapshot: Snapshot, wanted: Wanted, plan: Plan, stored: Stored, boot: Acceptance) -> Plan:
    """The plan of a task that names a fix, with the step that notes it where the host has noted another one, or none.

    `stored` and `boot` are what the host has noted. Nothing is noted of a patch that this collection neither loads nor
    has loaded: there is no record of it.
    """
    fix, is_going = wanted.fix, wanted.state in (State.ABSENT, State.REVERTED)
    if fix is None or is_going or plan.refusals or not snapshot.is_known or not snapshot.privileged:
        return plan
    loaded = predict(snapshot, plan).patch(wanted.name)
    brought = [file for file in plan.loads if file.name == wanted.name]
    noted = brought[-1] if brought else stored.get(wanted.name)
    is_other = wanted.file is not None and noted is not None and noted.sha256 != wanted.file.sha256
    if loaded is None or noted is None or is_other:
        return plan
    before = plan.acceptance or boot
    acceptance = before.with_fix(noted.sha256, fix)
    if noted.fix == fix and acceptance == before:
        return plan
    step = Step(Action.NOTE_FIX, wanted.name)
    changed = None if acceptance == boot else acceptance
    return replace(plan, boot=(*plan.boot, step), acceptance=changed, fix=fix)
