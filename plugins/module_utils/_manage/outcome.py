# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""How a run ended, in the words of its result and of the host's log."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain, describe_stalling_tasks
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import (
    Failure,
    Outcome,
    Stalled,
    errno_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnStall, State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    Snapshot,
    StallingTask,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.stalling import how_to_end, who_holds
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replaced import other_flags


def ending_of(outcome: Outcome) -> str:
    """How a run ended, for the host's log."""
    failure = outcome.failure
    if failure:
        words = f"failed ({failure.finding.reason}): {failure.attempted}"
        steps = "; ".join(map(str, failure.rolled_back))
        words += f"; rolled back by: {steps}" if steps else ""
        return words + (f"; not restored: {'; '.join(failure.not_restored)}" if failure.not_restored else "")
    if outcome.stalled:
        return f"left {outcome.stalled.name} in transition; to be done: {'; '.join(map(str, outcome.skipped))}"
    return f"done{'; forced: ' if outcome.forced else ''}{', '.join(outcome.forced)}"


def notes_of(outcome: Outcome, wanted: Wanted) -> list[Finding]:
    """What the user should know after a run that was to bring this, beside its failure."""
    notes = [_forced(name, name in outcome.pinned) for name in outcome.forced]
    held = [name for name in outcome.pinned if name not in outcome.forced]
    if held:
        notes.append(_held(held))
    notes += other_flags(outcome.reached, outcome.after)
    if outcome.others:
        notes.append(
            Finding(
                reason="others_changed",
                seen=f"Somebody else has changed other live patches meanwhile: {'; '.join(outcome.others)}.",
                remedy="Nothing needs to be done.",
                why="This task is not about them, and what it is about is as planned.",
                severity=INFO,
            )
        )
    if outcome.stalled:
        tasks = outcome.stalled.stalling_tasks
        steps = "; ".join(str(step) for step in outcome.skipped)
        notes.append(
            Finding(
                reason="transition_stalled",
                seen=f"The transition of {outcome.stalled.name} is still running; {who_holds(tasks)}.",
                remedy=how_to_end(tasks, OnStall.REPORT),
                why=f"Left for the next run: {steps}." if steps else "",
                severity=WARN,
            )
        )
    if outcome.failure and outcome.failure.stuck:
        notes.append(_stuck(outcome.failure.stuck, outcome.after, wanted))
    return notes


def _stuck(stuck: Stalled, after: Snapshot, wanted: Wanted) -> Finding:
    """What is said of a transition that did not end in time while a task was rolled back.

    If the task has enabled its patch, it would do so once more. No rollback forces a transition, and none is advised
    to: the module would stay, and could not be loaded again.
    """
    moving, patch = after.in_transition, after.patch(wanted.name)
    if moving and moving.name == stuck.name:
        ends = f"It is still running, and {'enables' if moving.enabled else 'disables'} {stuck.name}."
    else:
        ends = f"It was reversed, and {stuck.name} stays {_how_it_is(after.patch(stuck.name))}."
    then = "run the task again"
    if patch and wanted.state in (State.ENABLED, State.PRESENT):
        # What it has superseded may be back above it.
        allowing = " and on_covered: allow" if after.covering(patch) else ""
        then = f"run a task with state: reverted{allowing} for {wanted.name}"
    return Finding(
        reason="transition_stalled",
        seen=f"The transition of {stuck.name} did not end while the task was rolled back; "
        f"{who_holds(stuck.stalling_tasks)}.",
        remedy=how_to_end(stuck.stalling_tasks, OnStall.FORCE, then),
        why=ends,
        severity=WARN,
    )


def _how_it_is(patch: LoadedPatch | None) -> str:
    return "unloaded" if patch is None else "enabled" if patch.enabled else "disabled"


def _forced(name: str, is_pinned: bool) -> Finding:
    stays = ", and its module stays loaded" if is_pinned else ""
    return Finding(
        reason="forced",
        seen=f"The transition of {name} was forced: tasks may run old and new code together{stays}.",
        remedy="Plan a reboot: until then the kernel may not let live patch modules go.",
        severity=WARN,
        only_reboot=True,
    )


def _held(names: list[str]) -> Finding:
    return Finding(
        reason="forced",
        seen=f"The kernel holds the modules of {', '.join(names)}, which are disabled: a transition was forced.",
        remedy="Plan a reboot: nothing else unloads them, or enables them again.",
        severity=WARN,
        only_reboot=True,
    )


ABOUT_SUCCESS = ("file", "patch", "proofs")
"""What a result has for what was reached: beside a failure it would only bury the message."""

OF_SUCCESS = ("fix_lost", "live_after", "not_remembered", "order_changes")
"""The reasons of notes about the host after a plan: it has not come to that."""


def failed(result: Plain, failure: Failure) -> Plain:
    """The result of a failed run."""
    kept = {key: value for key, value in result.items() if key not in ABOUT_SUCCESS}
    return {
        **kept,
        "findings": [finding for finding in result["findings"] if finding["reason"] not in OF_SUCCESS],
        "failed": True,
        # Without a trace the host is unchanged; otherwise the user must know.
        "changed": bool(failure.not_restored),
        "msg": failure.message,
        "reason": failure.finding.reason,
        "cause": failure.finding.cause,
        "remedy": failure.finding.remedy,
        "attempted": failure.attempted,
        "errno": errno_name(failure.errno) if failure.errno is not None else None,
        "kernel_log": list(failure.kernel_log),
        "stalling_tasks": describe_stalling_tasks(_stalling_tasks(failure)),
        "rolled_back": [str(step) for step in failure.rolled_back],
        "not_restored": list(failure.not_restored),
    }


def _stalling_tasks(failure: Failure) -> t.Iterable[StallingTask]:
    """The tasks that have held the transition of the failed step, or one of the rollback, as they were seen last."""
    back = failure.stuck.stalling_tasks if failure.stuck else ()
    return {(task.pid, task.tid): task for task in (*failure.stalling_tasks, *back)}.values()
