# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Carries out a plan's steps, reads the host again to prove the result, and rolls back where one fails."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.after_load import still_to_lower
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.forced import Forced
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.goal import Goal
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.moved import Moved
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.moving import Moving, is_refused, overtaken_by
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.steps import Steps, observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, sentence
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import (
    UNTOLD,
    Failure,
    HandsOff,
    Outcome,
    Prove,
    Stalled,
    StepFailed,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Patience
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replaced import (
    with_replaced,
    without_only_fix,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import (
    Rollback,
    bring_again,
    fixed,
    plan_rollback,
    turning_back,
    while_stalled,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_per_task import settling
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import is_as_before

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol

LOG_LINES_MAX = 60


def _without_unreached(plan: Plan, before: Snapshot, unreached: t.Iterable[Step]) -> Plan:
    """The plan without the new patches that it did not get to load: if one is there now, somebody else loaded it."""
    loads = (step.patch for step in unreached if step.action == Action.LOAD)
    return plan.without([name for name in loads if not before.patch(name)])


def _broken(error: Exception, skipped: t.Sequence[Step]) -> StepFailed:
    """What is said of an exception that nobody expects: a fault of this collection, or a read that failed."""
    return StepFailed(
        str(skipped[0]) if skipped else "prove the result",
        Finding(
            reason="internal_error",
            seen=f"{type(error).__name__}: {sentence(str(error))}",
            remedy="Report this with the result, then look at the host before the task is run again.",
            why="This is a fault of the collection, or of a read that must not fail.",
        ),
        log=(),
    )


def _nothing(_what: object) -> None:
    """What is done before a transition is forced, or others' patches are moved, where nobody notes it."""


class _Failed(t.NamedTuple):
    """A step back that has failed: why, in a clause, and after how many steps that were done."""

    step: Step
    why: str
    place: int

    def is_done_in(self, done: t.Sequence[Step]) -> bool:
        """Whether another try has succeeded."""
        return self.step in done[self.place :]


class Executor:
    """Carries out one plan on one kernel.

    `before_force` is called with the patch whose transition is to be forced, `before_move` with all patches that
    rolling back moves although the plan does not: if the run is interrupted then, the next one brings them back.
    """

    def __init__(
        self,
        kernel: KernelProtocol,
        abi: str | None,
        patience: Patience,
        path_of: t.Callable[[PatchFile], str],
        before_force: t.Callable[[str], None] = _nothing,
        before_move: t.Callable[[tuple[str, ...]], None] = _nothing,
        earlier_force: bool = False,
    ) -> None:
        self._kernel = kernel
        self._moved = Moved(before_move)
        self._force = Forced(earlier_force)
        self._steps = Steps(kernel, abi, patience, path_of, before_force, self._force)
        self._goal: Goal | None = None
        self._hands_off: Finding | None = None

    def carry_out(self, before: Snapshot, plan: Plan, stored: Stored, prove: Prove) -> Outcome:
        """Carry out the plan; if that fails, roll it back. `stored` are the files to load again what was unloaded."""
        outcome = self._carry_out(before, plan, stored, prove)
        others = self._goal.others if self._goal else ()
        pinned = tuple(self._force.pinned)
        return replace(
            outcome, forced=tuple(self._force.names), pinned=pinned, others=others, hands_off=self._hands_off
        )

    def _carry_out(self, before: Snapshot, plan: Plan, stored: Stored, prove: Prove) -> Outcome:
        done: list[Step] = []
        skipped = list(plan.steps)
        self._goal = Goal(before, predict(before, plan), plan)
        self._steps.goal, self._steps.moving = self._goal, Moving(before)
        self._steps.foreign = [patch.name for patch in before.patches if patch.owner and patch.name != plan.about]
        self._force.begin(before)
        try:
            self._carry_out_steps(skipped, done)
            plan = replace(plan, steps=tuple(step for step in plan.steps if not self._force.stays(step)))
            self._goal = Goal(before, predict(before, plan), plan)
            proofs = prove(self.prove_state())
            return Outcome(self._goal.found, plan, tuple(done), proofs=proofs)
        except Stalled as stalled:
            return Outcome(self._kernel.snapshot(), plan, tuple(done), stalled=stalled)
        except StepFailed as failed:
            return self._rolled_back(before, plan, stored, done, skipped, failed)
        # Whatever else is raised, a half-done change must not stay.
        # pylint: disable-next=broad-except
        except Exception as error:
            return self._rolled_back(before, plan, stored, done, skipped, _broken(error, skipped))

    def prove_state(self) -> Snapshot:
        """The host now, which is as the plan has it. Raises StepFailed if it is not, or does not tell."""
        now = observe(self._kernel)
        return self._goal.prove(now) if self._goal else now

    def _carry_out_steps(self, skipped: list[Step], done: list[Step]) -> None:
        """Carry out the steps; each goes from `skipped` to `done` when it has succeeded, and was not done already."""
        while skipped:
            skipped[:0] = still_to_lower(self._kernel, skipped[0], done)
            self._steps.loads_later = [step.patch for step in skipped[1:] if step.action == Action.LOAD]
            is_left = self._force.stays(skipped[0])
            if not is_left and (self._steps.carry_out(skipped[0]) or _is_own_wait(skipped[0], done)):
                done.append(skipped[0])
            del skipped[0]

    def _rolled_back(
        self, before: Snapshot, plan: Plan, stored: Stored, done: list[Step], skipped: list[Step], failed: StepFailed
    ) -> Outcome:
        log = (failed.log + self._kernel.log.new_lines())[:LOG_LINES_MAX]
        # The kernel's answer, unlike a time that was up, means that nothing was changed by this step.
        unreached = skipped if is_refused(failed) else skipped[1:]
        reached = _without_unreached(plan, before, unreached)
        # What was forced is left, whatever else is: the task is not planned anew as if nothing had been done.
        forced = self._force.names
        overtaken = () if forced else overtaken_by(before, self._kernel.snapshot(), plan, done, failed)
        rolled_back: tuple[Step, ...] = ()
        not_restored: tuple[str, ...] = ()
        self._steps.stuck = None
        if isinstance(failed, HandsOff):
            self._hands_off = failed.finding
            not_restored = self._left(before, plan)
        elif Plan(tuple(done)).changes or not overtaken:
            rolled_back, not_restored = self.roll_back(before, reached, stored, plan)
        failure = Failure(
            attempted=failed.attempted,
            finding=failed.finding,
            errno=failed.number,
            kernel_log=log,
            stalling_tasks=failed.stalling_tasks,
            rolled_back=rolled_back,
            not_restored=not_restored,
            stuck=self.stuck if self.stuck and any(self.stuck.name in each for each in not_restored) else None,
            overtaken=overtaken,
        )
        return Outcome(self._kernel.snapshot(), reached, tuple(done), failure)

    @property
    def stuck(self) -> Stalled | None:
        """The last transition that did not end in time, of those of the rollback after one has begun."""
        return self._steps.stuck

    def roll_back(
        self, before: Snapshot, plan: Plan, stored: Stored, about: Plan | None = None
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Go back to the snapshot before, as far as it goes: the steps, and in what the host still differs.

        `plan` is what was reached of `about`.
        """
        patience, self._steps.patience = self._steps.patience, self._steps.patience.for_rollback
        self._goal = self._steps.goal = None
        self._steps.moving = Moving()
        done: list[Step] = []
        trouble: list[str] = []
        try:
            plan = self._settle(before, self._force.without_pinned(plan, before, observe(self._kernel)), stored, done)
            trouble += self._carry_out_rollback(before, plan, stored, done)
        except StepFailed as failed:
            trouble.append(_failed_as_well(failed))
            self._hands_off = failed.finding if isinstance(failed, HandsOff) else None
        finally:
            self._steps.patience = patience
        about = self._moved.with_all(replace(about or plan, replaced=plan.replaced))
        return tuple(done), (*self._left(before, about), *trouble)

    def _left(self, before: Snapshot, about: Plan) -> tuple[str, ...]:
        """In what the host differs from the snapshot before now, as far as the plan is about it."""
        now = self._kernel.snapshot()
        if not now.is_known:
            return (UNTOLD,)
        self._goal = Goal(before, _settled(before, now), about)
        return tuple(self._goal.deviations(now))

    def _carry_out_rollback(self, before: Snapshot, plan: Plan, stored: Stored, done: list[Step]) -> list[str]:
        """Go back as far as it goes; once more if functions are without a patch then, and the kernel has refused steps.

        What it refuses may be in use for a moment alone. What has stalled is not waited for again.
        """
        start = observe(self._kernel)
        rollback, failures = self._go_as_far_as_possible(before, plan, stored, done)
        plan = self._moved.with_all(plan)
        now = observe(self._kernel)
        is_refused_only = failures and not _stalled(failures)
        if is_refused_only and not fixed(before).issubset(fixed(now)):
            rollback, more = self._go_as_far_as_possible(before, with_replaced(plan, before, now), stored, done)
            failures += more
        tried = [*(failed.step.patch for failed in failures), *(step.patch for step in done)]
        now, again = self._bring_again(before, start, plan, stored, tried, done, failures)
        is_back = {patch.name for patch in before.patches if is_as_before(now.patch(patch.name), patch, plan)}
        lasting = [failed for failed in failures if failed.step.patch not in is_back and not failed.is_done_in(done)]
        failed_as_well = dict.fromkeys(failed.why for failed in lasting)
        return [*failed_as_well, *rollback.why_staying, *again]

    def _go_as_far_as_possible(
        self, before: Snapshot, plan: Plan, stored: Stored, done: list[Step]
    ) -> tuple[Rollback, list[_Failed]]:
        """A patch that a step fails for stays as it is, and the others go on without it. Returns what has failed."""
        failures: list[_Failed] = []
        while True:
            stuck = [failed.step.patch for failed in failures]
            now = observe(self._kernel)
            rollback = plan_rollback(before, now, plan, stored, stuck)
            # What has been taken out once, and is not back yet, is missing as well.
            plan = self._moved.note(plan, rollback.moved)
            failed = self._go_back(while_stalled(now, rollback.steps, _stalled(failures)), done, failures)
            if failed is None or failed in stuck:
                return rollback, failures
            plan = plan.without([failed])

    def _bring_again(
        self,
        before: Snapshot,
        start: Snapshot,
        plan: Plan,
        stored: Stored,
        tried: t.Collection[str],
        done: list[Step],
        failures: list[_Failed],
    ) -> tuple[Snapshot, list[str]]:
        """Bring again what functions are without, each patch once: what comes back may have disabled another.

        What the kernel refuses is tried once more: it may be in use for a moment alone. Returns the host afterwards,
        and why it is not as it was before.
        """
        reasons: list[str] = []
        brought: list[str] = []
        refused: set[str] = set()
        while True:
            now = observe(self._kernel)
            steps, again = bring_again(before, start, now, plan, stored, tried=tried, brought=brought)
            steps = while_stalled(now, steps, _stalled(failures))
            if not steps:
                return now, reasons
            plan = self._moved.note(plan, [step.patch for step in steps if before.patch(step.patch)])
            failed = self._go_back(steps, done, failures)
            if failed and failed not in refused and failures[-1].step.action != Action.WAIT:
                refused.add(failed)
                continue
            brought += [step.patch for step in steps if step.action in (Action.LOAD, Action.ENABLE)]
            if failed is None:
                reasons += again.why_staying

    def _go_back(self, steps: t.Iterable[Step], done: list[Step], failures: list[_Failed]) -> str | None:
        """Carry out steps as far as it goes. Returns the patch that one fails for, if one does, and notes why."""
        for step in steps:
            try:
                self._carry_out_all([step], done)
            except HandsOff:
                raise
            except StepFailed as failed:
                failures.append(_Failed(step, _failed_as_well(failed), len(done)))
                self._carry_out_all(turning_back(observe(self._kernel), step), done)
                return step.patch
        return None

    def _settle(self, before: Snapshot, plan: Plan, stored: Stored, done: list[Step]) -> Plan:
        """Let a running transition end on the right side. Returns the plan with what its loads have disabled by now."""
        steps = settling(before, observe(self._kernel), plan, stored)
        try:
            self._carry_out_all(steps, done)
        except HandsOff:
            raise
        except StepFailed:
            moving = observe(self._kernel).in_transition
            if moving and moving.name in [step.patch for step in steps]:
                raise
        now = observe(self._kernel)
        return without_only_fix(with_replaced(plan, before, now), before, now, stored)

    def _carry_out_all(self, steps: t.Iterable[Step], done: list[Step]) -> None:
        for step in steps:
            if self._steps.carry_out(step) and step.action != Action.WAIT:
                done.append(step)


def _is_own_wait(step: Step, done: list[Step]) -> bool:
    """Whether a step waits for a transition that the run itself has begun, and that may have ended at once."""
    return step.action == Action.WAIT and bool(done) and done[-1].patch == step.patch


def _stalled(failures: t.Iterable[_Failed]) -> set[str]:
    """The patches whose transitions did not end in time."""
    return {failed.step.patch for failed in failures if failed.step.action == Action.WAIT}


def _failed_as_well(failed: StepFailed) -> str:
    return f"to {failed.attempted} failed as well ({failed.finding.cause.rstrip('.')})"


def _settled(before: Snapshot, now: Snapshot) -> Snapshot:
    """The snapshot before, with those transitions at their end that have ended meanwhile."""
    moving = {patch.name for patch in now.patches if patch.in_transition}
    patches = tuple(
        replace(patch, in_transition=patch.in_transition and patch.name in moving) for patch in before.patches
    )
    return replace(before, patches=patches)
