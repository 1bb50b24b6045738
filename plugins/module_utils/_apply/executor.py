# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Carries out a plan's steps, reads the host again to prove the result, and rolls back where one fails."""

from __future__ import annotations

import errno
import random
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.after_load import (
    check_registered,
    still_to_lower,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.forced import Forced
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.goal import Goal
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.modules import loads_target, unloads
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.moving import Moving, overtaken_by
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.explain import explain, may_pass
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import doubts
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError, sentence
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import (
    UNTOLD,
    Failure,
    FileChanged,
    Outcome,
    Overtaken,
    Prove,
    Stalled,
    StepFailed,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnStall, Patience
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    STOP_MACHINE,
    Snapshot,
    StallingTask,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.stalling import (
    how_to_end,
    who_holds,
    with_held_by,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replaced import (
    with_replaced,
    without_only_fix,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import rollback_steps
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_per_task import settling

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol

POLL_SECONDS = 0.05

UNLOAD_SECONDS = 10.0
"""A kernel worker releases a disabled patch shortly after its transition has ended; until then unloading is EAGAIN."""

UNLOAD_ERRNOS = (errno.EAGAIN, errno.EBUSY, errno.EINVAL)
"""openEuler's kernels answer EBUSY while a task is still in the module's text, EINVAL while they cannot tell that of
some task (kernel/module.c)."""

FORCE_SECONDS = 10.0
"""How long a forced transition may take to end: the kernel ends it at once."""

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


def file_changed(error: FileChanged) -> Finding:
    """What to say when the file to load is not the one that was inspected."""
    return Finding(
        reason="file_changed",
        seen=f"The file {error} is not the one that was inspected: its digest differs.",
        remedy="Find out who writes to that file, then run the task again.",
    )


def _nothing(_name: str) -> None:
    """What is done before a transition is forced, where nobody notes it."""


class Executor:
    """Carries out one plan on one kernel. `before_force` is called with the patch whose transition is to be forced."""

    def __init__(
        self,
        kernel: KernelProtocol,
        abi: str | None,
        patience: Patience,
        path_of: t.Callable[[PatchFile], str],
        before_force: t.Callable[[str], None] = _nothing,
        earlier_force: bool = False,
    ) -> None:
        self._kernel = kernel
        self._abi = abi
        self._patience = patience
        self._path_of = path_of
        self._before_force = before_force
        self._force = Forced(earlier_force)
        self._loads_later: list[str] = []
        self._moving = Moving()
        self._goal: Goal | None = None

    def carry_out(self, before: Snapshot, plan: Plan, stored: Stored, prove: Prove) -> Outcome:
        """Carry out the plan; if that fails, roll it back. `stored` are the files to load again what was unloaded."""
        outcome = self._carry_out(before, plan, stored, prove)
        others = self._goal.others if self._goal else ()
        return replace(outcome, forced=tuple(self._force.names), pinned=tuple(self._force.pinned), others=others)

    def _carry_out(self, before: Snapshot, plan: Plan, stored: Stored, prove: Prove) -> Outcome:
        done: list[Step] = []
        skipped = list(plan.steps)
        self._goal = Goal(before, predict(before, plan), plan)
        self._moving = Moving(before)
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
        now = self._observe()
        return self._goal.prove(now) if self._goal else now

    def _carry_out_steps(self, skipped: list[Step], done: list[Step]) -> None:
        """Carry out the steps; each goes from `skipped` to `done` when it has succeeded, and was not done already."""
        while skipped:
            skipped[:0] = still_to_lower(self._kernel, skipped[0], done)
            self._loads_later = [step.patch for step in skipped[1:] if step.action == Action.LOAD]
            is_left = self._force.stays(skipped[0])
            if not is_left and (self._carry_out_step(skipped[0]) or _is_own_wait(skipped[0], done)):
                done.append(skipped[0])
            del skipped[0]

    def _rolled_back(
        self, before: Snapshot, plan: Plan, stored: Stored, done: list[Step], skipped: list[Step], failed: StepFailed
    ) -> Outcome:
        log = (failed.log + self._kernel.log.new_lines())[:LOG_LINES_MAX]
        # The kernel's answer, unlike a time that was up, means that nothing was changed by this step.
        is_untouched = failed.number is not None or isinstance(failed, Overtaken)
        unreached = skipped if is_untouched else skipped[1:]
        reached = _without_unreached(plan, before, unreached)
        overtaken = overtaken_by(before, self._kernel.snapshot(), plan, done, failed)
        rolled_back: tuple[Step, ...] = ()
        not_restored: tuple[str, ...] = ()
        if Plan(tuple(done)).changes or not overtaken:
            rolled_back, not_restored = self.roll_back(before, reached, stored, about=plan)
        failure = Failure(
            attempted=failed.attempted,
            finding=failed.finding,
            errno=failed.number,
            kernel_log=log,
            stalling_tasks=failed.stalling_tasks,
            rolled_back=rolled_back,
            not_restored=not_restored,
            overtaken=overtaken,
        )
        return Outcome(self._kernel.snapshot(), reached, tuple(done), failure)

    def _carry_out_step(self, step: Step) -> bool:
        """Whether the step has changed something, or waited: it may find all done, by the kernel or somebody else."""
        actions: dict[str, t.Callable[[Step], bool]] = {
            Action.LOAD: self._load,
            Action.UNLOAD: self._unload,
            Action.ENABLE: lambda step: self._write_enabled(step, True),
            Action.DISABLE: lambda step: self._write_enabled(step, False),
            Action.WAIT: self._wait,
            Action.LOAD_TARGET: lambda step: loads_target(self._kernel, step.patch),
            Action.UNLOAD_TARGET: lambda step: unloads(self._kernel, step.patch),
        }
        try:
            self._moving.check(self._kernel, step)
            return actions[step.action](step)
        except OSError as error:
            self._raise(step, error, self._kernel.log.new_lines())
        except FileChanged as error:
            raise StepFailed(str(step), file_changed(error)) from error
        except FindingError as error:
            raise StepFailed(str(step), error.finding) from error

    def _raise(self, step: Step, error: OSError, lines: tuple[str, ...]) -> t.NoReturn:
        number = error.errno or 0
        raise StepFailed(str(step), explain(step.action, number, lines, self._abi), number, log=lines) from error

    def _load(self, step: Step) -> bool:
        if step.file is None:
            return False
        self._kernel.load(self._path_of(step.file), step.file.sha256, step.file.loaded_with or "")
        if step.file.abi == STOP_MACHINE:
            check_registered(step, step.file, self._observe)
        elif self._goal:
            self._goal.check_load(step, self._kernel.snapshot(), self._loads_later)
        return True

    def _write_enabled(self, step: Step, value: bool) -> bool:
        """Try again while a task sits in one of the functions; the kernel changes nothing when it refuses."""
        tries = self._patience.retries
        while True:
            if bool(self._kernel.enabled(step.patch)) == value:
                # Another patch with replace disables it, and early openEuler 5.10 kernels enable what they load.
                return False
            try:
                self._kernel.write_enabled(step.patch, value)
                return True
            except OSError as error:
                lines = self._kernel.log.new_lines()
                if not tries or not may_pass(error.errno, lines):
                    self._raise(step, error, lines)
            tries -= 1
            self._kernel.sleep(self._patience.delay * random.uniform(0.5, 1.5))

    def _unload(self, step: Step) -> bool:
        deadline = self._kernel.now() + UNLOAD_SECONDS
        while True:
            try:
                return unloads(self._kernel, step.patch)
            except OSError as error:
                if error.errno not in UNLOAD_ERRNOS or self._kernel.now() >= deadline:
                    if self._force.holds(step.patch, error.errno):
                        return False
                    raise
            self._kernel.sleep(POLL_SECONDS)

    def _wait(self, step: Step) -> bool:
        is_running = self._kernel.transition_target(step.patch) is not None
        if self._ends(step.patch, self._patience.timeout):
            return is_running
        enabling = self._kernel.transition_target(step.patch)
        if enabling is None:
            return True
        stalling_tasks = with_held_by(self._kernel.stalling_tasks(enabling), self._kernel.snapshot())
        # The next run knows nothing of what was to be loaded again: it must not be left to that one.
        if self._patience.on_stall == OnStall.REPORT and not self._loads_later:
            raise Stalled(step.patch, stalling_tasks)
        # A module that is disabled by force stays, and so cannot be loaded again.
        if self._patience.on_stall == OnStall.FORCE and step.patch not in self._loads_later:
            self._before_force(step.patch)
            found = self._kernel.snapshot()
            self._kernel.force(step.patch)
            if self._ends(step.patch, FORCE_SECONDS):
                self._force.note(step.patch, enabling, found, self._kernel.snapshot())
                return True
        raise _stall(step, self._patience, stalling_tasks)

    def _ends(self, name: str, seconds: float) -> bool:
        """Whether no transition of the patch is running, or it ends within these seconds."""
        deadline = self._kernel.now() + seconds
        while self._kernel.transition_target(name) is not None:
            if self._kernel.now() >= deadline and self._patience.on_stall != OnStall.WAIT:
                return False
            self._kernel.sleep(POLL_SECONDS)
        return True

    def roll_back(
        self, before: Snapshot, plan: Plan, stored: Stored, about: Plan | None = None
    ) -> tuple[tuple[Step, ...], tuple[str, ...]]:
        """Go back to the snapshot before, as far as it goes: the steps, and in what the host still differs.

        `plan` is what was reached of `about`.
        """
        patience, self._patience = self._patience, self._patience.for_rollback
        self._goal, self._moving = None, Moving()
        done: list[Step] = []
        trouble: list[str] = []
        try:
            plan = self._settle(before, self._force.without_pinned(plan, before, self._observe()), stored, done)
            trouble += self._carry_out_rollback(before, plan, stored, done)
        except StepFailed as failed:
            trouble.append(_failed_as_well(failed))
        finally:
            self._patience = patience
        now = self._kernel.snapshot()
        if not now.is_known:
            return tuple(done), (UNTOLD, *trouble)
        self._goal = Goal(before, _settled(before, now), replace(about or plan, replaced=plan.replaced))
        return tuple(done), tuple(self._goal.deviations(now) + trouble)

    def _observe(self) -> Snapshot:
        """The host now. Raises StepFailed if it does not tell what is loaded, enabled and live."""
        now = self._kernel.snapshot()
        for doubt in doubts(now):
            raise StepFailed("read the host", doubt)
        return now

    def _carry_out_rollback(self, before: Snapshot, plan: Plan, stored: Stored, done: list[Step]) -> list[str]:
        """Go back as far as it goes: a patch that a step fails for stays as it is, and the others go on without it."""
        trouble = []
        while True:
            for step in rollback_steps(before, self._observe(), plan, stored):
                try:
                    self._carry_out_all([step], done)
                except StepFailed as failed:
                    trouble.append(_failed_as_well(failed))
                    self._turn_back(step, done)
                    plan = plan.without([step.patch])
                    break
            else:
                return trouble

    def _turn_back(self, step: Step, done: list[Step]) -> None:
        """Enable a patch again whose disabling stalls: until that has ended the kernel takes no other patch."""
        patch = self._observe().patch(step.patch)
        if step.action == Action.WAIT and patch and patch.in_transition and not patch.enabled:
            self._carry_out_all([Step(Action.ENABLE, step.patch), step], done)

    def _settle(self, before: Snapshot, plan: Plan, stored: Stored, done: list[Step]) -> Plan:
        """Let a running transition end on the right side. Returns the plan with what its loads have disabled by now."""
        steps = settling(before, self._observe(), plan, stored)
        try:
            self._carry_out_all(steps, done)
        except StepFailed:
            moving = self._observe().in_transition
            if moving and moving.name in [step.patch for step in steps]:
                raise
        now = self._observe()
        return without_only_fix(with_replaced(plan, before, now), before, now, stored)

    def _carry_out_all(self, steps: t.Iterable[Step], done: list[Step]) -> None:
        for step in steps:
            if self._carry_out_step(step) and step.action != Action.WAIT:
                done.append(step)


def _is_own_wait(step: Step, done: list[Step]) -> bool:
    """Whether a step waits for a transition that the run itself has begun, and that may have ended at once."""
    return step.action == Action.WAIT and bool(done) and done[-1].patch == step.patch


def _stall(step: Step, patience: Patience, stalling_tasks: tuple[StallingTask, ...]) -> StepFailed:
    """What is said of a transition that did not end in time."""
    return StepFailed(
        str(step),
        Finding(
            reason="transition_stalled",
            seen=f"The transition did not end within {patience.timeout:g} s; {who_holds(stalling_tasks)}.",
            remedy=how_to_end(stalling_tasks, patience.on_stall),
        ),
        stalling_tasks=stalling_tasks,
    )


def _failed_as_well(failed: StepFailed) -> str:
    return f"to {failed.attempted} failed as well ({failed.finding.cause.rstrip('.')})"


def _settled(before: Snapshot, now: Snapshot) -> Snapshot:
    """The snapshot before, with those transitions at their end that have ended meanwhile."""
    moving = {patch.name for patch in now.patches if patch.in_transition}
    patches = tuple(
        replace(patch, in_transition=patch.in_transition and patch.name in moving) for patch in before.patches
    )
    return replace(before, patches=patches)
