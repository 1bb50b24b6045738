# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Carries out single steps on one kernel, as patiently as a task asks for, and says what is wrong where one fails."""

from __future__ import annotations

import errno
import random
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.after_load import check_registered
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.forced import Forced
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.goal import Goal
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.modules import loads_target, unloads
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.moving import Moving
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.explain import explain, may_pass
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import doubts
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import (
    FileChanged,
    HandsOff,
    Stalled,
    StepFailed,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
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


_WITHOUT_PATCHES = (Action.WAIT, Action.LOAD_TARGET, Action.UNLOAD_TARGET)
"""The steps that change no patch. openEuler's kernels stop all CPUs also to unload one, by
klp_module_delete_safety_check() in kernel/livepatch/core.c, and those that enable what they load also to load it."""


def file_changed(error: FileChanged) -> Finding:
    """What to say when the file to load is not the one that was inspected."""
    return Finding(
        reason="file_changed",
        seen=f"The file {error} is not the one that was inspected: its digest differs.",
        remedy="Find out who writes to that file, then run the task again.",
    )


class Steps:
    """Carries out the steps of one run; Executor says which.

    `patience` is for the steps that come. `goal` is what the run leads to, which a load is compared with; None while it
    is rolled back. `moving` knows the transitions that were running before, `loads_later` names the patches that a
    later step loads, `foreign` those of somebody else, whose transitions are not forced. `before_force` is called with
    the patch whose transition is to be forced. `stuck` is the last transition that did not end in time.
    """

    def __init__(
        self,
        kernel: KernelProtocol,
        abi: str | None,
        patience: Patience,
        path_of: t.Callable[[PatchFile], str],
        before_force: t.Callable[[str], None],
        force: Forced,
    ) -> None:
        self.patience = patience
        self.goal: Goal | None = None
        self.moving = Moving()
        self.loads_later: list[str] = []
        self.foreign: list[str] = []
        self.stuck: Stalled | None = None
        self._kernel = kernel
        self._abi = abi
        self._path_of = path_of
        self._before_force = before_force
        self._force = force

    def carry_out(self, step: Step) -> bool:
        """Carry out a step. Returns whether it has changed something, or waited.

        It may find all done, by the kernel or somebody else. Raises StepFailed, and Stalled for a transition that is
        left running.
        """
        actions: dict[str, t.Callable[[Step], bool]] = {
            Action.LOAD: self._load,
            Action.UNLOAD: self._unload,
            Action.ENABLE: lambda step: self._write_enabled(step, True),
            Action.DISABLE: lambda step: self._write_enabled(step, False),
            Action.WAIT: self._wait,
            Action.LOAD_TARGET: lambda step: loads_target(self._kernel, step.patch, self.patience.timeout),
            Action.UNLOAD_TARGET: lambda step: unloads(self._kernel, step.patch),
        }
        try:
            self.moving.check(self._kernel, step)
            self._check_cpus(step)
            has_changed = actions[step.action](step)
            self.moving.check_end(self._kernel, step)
            return has_changed
        except OSError as error:
            self._raise(step, error, self._kernel.log.new_lines())
        except FileChanged as error:
            raise StepFailed(str(step), file_changed(error)) from error
        except FindingError as error:
            raise StepFailed(str(step), error.finding) from error

    def _check_cpus(self, step: Step) -> None:
        """Raise HandsOff if a step that changes a patch would wait for a CPU that does not schedule."""
        if step.action in _WITHOUT_PATCHES:
            return
        refusal = self._kernel.ask_cpus().refusal
        if refusal:
            raise HandsOff(str(step), refusal)

    def _raise(self, step: Step, error: OSError, lines: tuple[str, ...]) -> t.NoReturn:
        number = error.errno or 0
        finding = explain(step.action, number, lines, self._abi)
        finding = replace(finding, remedy=finding.remedy.replace("<name>", step.patch))
        raise StepFailed(str(step), finding, number, log=lines) from error

    def _load(self, step: Step) -> bool:
        if step.file is None:
            return False
        self._load_file(step, step.file)
        if step.file.abi == STOP_MACHINE:
            check_registered(step, step.file, lambda: observe(self._kernel))
        elif self.goal:
            self.goal.check_load(step, self._kernel.snapshot, self.loads_later)
        return True

    def _load_file(self, step: Step, file: PatchFile) -> None:
        """Load a file. If its module enables the patch, a task may sit in one of the functions: try again then."""
        tries = self.patience.retries if file.enables_itself and self._abi == STOP_MACHINE else 0
        while True:
            try:
                self._kernel.load(self._path_of(file), file.sha256, file.loaded_with or "")
                return
            except OSError as error:
                lines = self._kernel.log.new_lines()
                if not tries or not may_pass(error.errno, lines):
                    self._raise(step, error, lines)
            tries -= 1
            self._wait_for_next_try(step, tries)

    def _wait_for_next_try(self, step: Step, tries: int) -> None:
        left = "the last try follows" if not tries else f"{tries + 1} tries follow"
        self._kernel.sleep(self.patience.delay * random.uniform(0.5, 1.5), f"{step}: a function is in use; {left}")

    def _write_enabled(self, step: Step, value: bool) -> bool:
        """Try again while a task sits in one of the functions; the kernel changes nothing when it refuses."""
        tries = self.patience.retries
        while True:
            if bool(self._kernel.enabled(step.patch)) == value:
                # Another patch with replace disables it, and some modules enable themselves on stop_machine kernels.
                return False
            try:
                self._kernel.write_enabled(step.patch, value)
                return True
            except OSError as error:
                lines = self._kernel.log.new_lines()
                if error.errno == errno.ENOENT and observe(self._kernel).patch(step.patch):
                    raise StepFailed(str(step), _dropped(step.patch), error.errno, log=lines) from error
                if not tries or not may_pass(error.errno, lines):
                    self._raise(step, error, lines)
            tries -= 1
            self._wait_for_next_try(step, tries)

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
            self._kernel.sleep(POLL_SECONDS, f"{step}: its module is in use")

    def _wait(self, step: Step) -> bool:
        is_running = self._kernel.transition_target(step.patch) is not None
        if self._ends(step.patch, self.patience.timeout):
            return is_running
        enabling = self._kernel.transition_target(step.patch)
        if enabling is None:
            return True
        stalling_tasks = with_held_by(self._kernel.stalling_tasks(enabling), self._kernel.snapshot())
        self.stuck = Stalled(step.patch, stalling_tasks)
        # The next run knows nothing of what was to be loaded again: it must not be left to that one.
        if self.patience.on_stall == OnStall.REPORT and not self.loads_later:
            raise self.stuck
        # A module that is disabled by force stays, and so cannot be loaded again.
        if self.patience.on_stall == OnStall.FORCE and step.patch not in (*self.loads_later, *self.foreign):
            self._before_force(step.patch)
            found = self._kernel.snapshot()
            self._kernel.force(step.patch)
            if self._ends(step.patch, FORCE_SECONDS):
                self._force.note(step.patch, enabling, found, self._kernel.snapshot())
                return True
        raise _stall(step, self.patience, stalling_tasks)

    def _ends(self, name: str, seconds: float) -> bool:
        """Whether no transition of the patch is running, or it ends within these seconds."""
        deadline = self._kernel.now() + seconds
        while self._kernel.transition_target(name) is not None:
            if self._kernel.now() >= deadline and self.patience.on_stall != OnStall.WAIT:
                return False
            self._kernel.sleep(POLL_SECONDS, f"waiting for the transition of {name}")
        return True


def _dropped(name: str) -> Finding:
    """What is said of a loaded patch whose file in sysfs is gone: a per_task kernel drops what is disabled."""
    return Finding(
        reason="changed_meanwhile",
        seen=f"{name} was disabled by somebody else, or replaced, in the same moment. Its module is still loaded.",
        remedy="Look for another tool that changes live patches on this host, then run the task again.",
    )


def observe(kernel: KernelProtocol) -> Snapshot:
    """The host now. Raises StepFailed if it does not tell what is loaded, enabled and live."""
    now = kernel.snapshot()
    for doubt in doubts(now):
        raise StepFailed("read the host", doubt)
    return now


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
