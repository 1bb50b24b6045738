# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""A run that changes something: one at a time on a host, after what an interrupted one has left is cleared up."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import (
    Assessment,
    observe,
    state_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.bookkeeping import not_accepted
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.contained import without_contained
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.left_transition import (
    is_left,
    reversed_result,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.recovery import (
    LeftBehind,
    Recovery,
    RecoveryStopped,
    left_behind,
    recover,
    take_back,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain, diff, with_notes
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.transaction import Transaction
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    INFO,
    WARN,
    Finding,
    FindingError,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import AS_BEFORE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import forbids_changes
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.next_boot import boot_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal, lock

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Step
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Task


REPLANS = 2
"""How often a task is planned anew because the host has changed between its reading and a step."""


def change(assessment: Assessment) -> Plain:
    """Check the plan, and carry it out unless it is refused or the task runs in check mode."""
    task, kernel, run = assessment.task, assessment.kernel, Transaction(assessment)
    if not assessment.before.is_known:
        return assessment.unchanged(run.plan.refusals)
    if task.check_mode:
        return _predict(assessment)
    # What an interrupted run has taken out is a reason to roll that back, and not to refuse.
    may_recover = assessment.before.privileged and journal.is_noted(kernel.files())
    if not (run.plan.all_steps or assessment.lacks_proof or may_recover):
        return run.without_change()
    if task.only_if_settled or assessment.lacks_file:
        return {"changed": False, "needs_job" if task.only_if_settled else "needs_file": True}
    recovery = Recovery()
    try:
        with lock.lock(kernel.files(), task.patience.timeout if run.plan.all_steps else 0):
            recovery = recover(task, kernel)
            result = _carry_out(task, kernel, recovery, assessment.catalog.digests)
            if recovery.unproven and result.get("failed") and not forbids_changes(result):
                result, recovery = _taken_back(task, kernel, recovery.unproven, result)
    except FindingError as error:
        steps = error.steps if isinstance(error, RecoveryStopped) else ()
        return _with_steps(run.failed_before(error.finding), assessment, steps)
    except lock.Locked as holder:
        if not run.plan.all_steps:
            return with_notes(run.without_change(), after=[_other_run(holder)])
        return run.failed_before(
            Finding(
                reason="locked",
                seen=f"Another run has been changing this host for more than {task.patience.timeout:g} s: {holder}.",
                remedy="Wait until it has ended, then run the task again.",
            )
        )
    except OSError as error:
        now = Transaction(Assessment(task, kernel, recovery.catalog))
        result = now.failed_before(
            Finding(
                reason="no_room",
                seen=f"{error.filename or copies.DIRECTORY} cannot be written: {error.strerror}.",
                remedy="See that /run is writable and has room, then run the task again.",
            ),
            error.errno,
        )
        if now.books.boot != run.books.boot and not recovery.changed:
            # What was forgotten could not be written back either.
            result = with_notes(result, after=[not_accepted(task.wanted.name, error)])
    if result.get("failed"):
        result = _with_recovery(result, recovery)
    result = with_notes(result, after=_write_metrics(kernel))
    return with_notes(_with_steps(result, assessment, recovery.steps), before=recovery.notes)


def _write_metrics(kernel: KernelProtocol) -> list[Finding]:
    """Write the metrics of the host, where they are wanted; what kept them from being written."""
    if isinstance(kernel.files().inode(boot_store.SETTINGS), Absent):
        return []
    # Here and not above: few hosts write them.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.metrics import metrics_after_change

    return metrics_after_change(kernel)


def _with_steps(result: Plain, assessment: Assessment, steps: t.Collection[Step]) -> Plain:
    """The result of a task before which these steps rolled an interrupted run back, on the host of this assessment."""
    if not steps:
        return result
    before = diff(assessment.before, assessment.books, assessment.before, assessment.books)
    changes = {"diff": {**before, **result.get("diff", {}), "before": before["before"]}}
    return {**result, **changes, "changed": True, "actions": [*map(str, steps), *result.get("actions", ())]}


def _with_recovery(result: Plain, recovery: Recovery) -> Plain:
    """The failed result of a task before which an interrupted run was rolled back."""
    if recovery.not_restored:
        differs = "; ".join(recovery.not_restored)
        msg = result["msg"].replace(AS_BEFORE, "").rstrip()
        msg += f" Besides, an interrupted run could not be rolled back wholly: {differs}."
        if "not_restored" in result:
            result["not_restored"] = [*result["not_restored"], *recovery.not_restored]
        return {**result, "msg": msg}
    if recovery.changed:
        result["msg"] += " Besides, what an interrupted run had left was rolled back (see findings)."
    return result


def _carry_out(task: Task, kernel: KernelProtocol, recovery: Recovery, digests: copies.Digests) -> Plain:
    """Carry out the task, as often as the host changes before a step. Raises OSError, as Transaction.carry_out does."""
    prune = not recovery.has_lost
    replanned: list[Finding] = []
    earlier: list[str] = []
    while True:
        assessment = Assessment(task, kernel, recovery.catalog, digests=digests)
        run = Transaction(assessment, stays=not recovery.unproven)
        result = run.carry_out(prune)
        if not run.overtaken or len(replanned) == REPLANS:
            break
        replanned.append(_overtaken(run.overtaken))
        earlier += [*result["actions"], *result["rolled_back"]]
    if earlier and "actions" in result:
        result["actions"] = [*earlier, *result["actions"]]
    if is_left(task, run.before, result):
        result = reversed_result(task, kernel, result, prune)
    return with_notes(without_contained(run, result, prune), before=replanned)


def _taken_back(task: Task, kernel: KernelProtocol, left: LeftBehind, result: Plain) -> tuple[Plain, Recovery]:
    """The result of a failed proof of what an interrupted run had enabled, after that was rolled back as well."""
    recovery = take_back(task, kernel, left)
    after, books = observe(kernel)
    name = task.wanted.name
    now = {"state": state_of(after, name), "boot": boot_of(books.boot, after, name)}
    return {**result, **now, "diff": diff(after, books, after, books)}, recovery


def _overtaken(changes: t.Iterable[str]) -> Finding:
    return Finding(
        reason="replanned",
        seen=f"The host has changed since it was read: {'; '.join(changes)}.",
        remedy="Nothing needs to be done.",
        why="The plan relied on that: nothing of it was left, and the task was planned anew.",
        severity=INFO,
    )


def _other_run(who: object) -> Finding:
    return Finding(
        reason="other_run",
        seen=f"Another run is changing this host ({who}).",
        remedy="Run the task again when it has ended.",
        severity=WARN,
    )


def _predict(assessment: Assessment) -> Plain:
    """The result of check mode: what would be done after an interrupted run has been rolled back."""
    try:
        left = left_behind(assessment.task, assessment.kernel) if assessment.before.privileged else Absent()
    except FindingError as error:
        return Transaction(assessment).failed_before(error.finding)
    if not isinstance(left, LeftBehind):
        return Transaction(assessment).without_change()
    now = assessment
    if left.steps_back:
        recovered = left.recovered if left.has_to_go else None
        assessment = Assessment(assessment.task, assessment.kernel, left.catalog, recovered, left.accepted)
    result = _with_steps(Transaction(assessment).without_change(), now, left.steps_back)
    note = Finding(
        reason="interrupted_run",
        seen=f"Another run is changing this host, or was interrupted ({left.note}).",
        remedy="Nothing needs to be done.",
        why="If it was interrupted, its partial changes would be rolled back first." if left.steps_back else "",
        severity=WARN,
    )
    return with_notes(result, before=[note])
