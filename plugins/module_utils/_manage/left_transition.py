# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""A transition that an earlier run has left, and that does not end in time for this one either."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import Assessment, state_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.transaction import Transaction
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnStall, State, Task
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol


def is_left(task: Task, before: Snapshot, result: Plain) -> bool:
    """Whether a run has failed for the transition of its patch that was running before it, and is to be reversed."""
    wanted, patch = task.wanted, before.patch(task.wanted.name)
    asked = wanted.state == State.ENABLED and task.patience.on_stall == OnStall.ROLL_BACK
    is_stalled = result.get("reason") == "transition_stalled" and not (result["rolled_back"] or result["not_restored"])
    return bool(asked and is_stalled and patch and patch.in_transition and patch.enabled)


def reversed_result(task: Task, kernel: KernelProtocol, result: Plain, prune: bool) -> Plain:
    """Reverse the transition, as `state: reverted` does, and return the failed result, which tells it.

    The host's lock is held. Raises OSError as any run does.
    """
    wanted = replace(task.wanted, state=State.REVERTED, file=None, supersedes=(), boot=None)
    assessment = Assessment(replace(task, wanted=wanted, file_path=None, packed=None), kernel)
    patch = assessment.before.patch(wanted.name)
    if not (patch and patch.in_transition):
        # It has ended in this moment: the next run finds the patch enabled.
        return {**result, "state": state_of(assessment.before, wanted.name)}
    run = Transaction(assessment)
    back = run.carry_out(prune)
    seen = f"Failed to {result['attempted']}. {result['cause']} {result['remedy']}"
    left = "The transition, which an earlier run had left,"
    if back.get("failed") or back.get("needs_file"):
        why = back.get("msg", "The file of what comes back is gone.")
        # It may have ended meanwhile.
        now: Plain = {key: back[key] for key in ("changed", "state", "not_restored", "reboot_required") if key in back}
        return {**result, **now, "msg": f"{result['msg']} {left} was not reversed: {why}"}
    kept = ("state", "boot", "diff", "reboot_required")
    steps = [str(step) for step in run.done if step.action != Action.WAIT]
    return {
        **result,
        **{key: back[key] for key in kept},
        "changed": True,
        "msg": f"{seen} {left} was reversed: {'; '.join(steps)}.",
        "rolled_back": steps,
    }
