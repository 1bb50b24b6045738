# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What a plan relies on, and may not be so any more when a step comes to it."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import Overtaken, StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import changes_since, predict

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol


class Moving:
    """The transitions that were running when the host was read, for which nothing has been done yet."""

    def __init__(self, before: Snapshot | None = None) -> None:
        self._before = before
        self._targets = {patch.name: patch.enabled for patch in before.patches if patch.in_transition} if before else {}

    def check(self, kernel: KernelProtocol, step: Step) -> None:
        """Raise Overtaken if a step is to reverse a transition that has ended meanwhile: it would begin another one."""
        if step.action == Action.WAIT:
            return
        target = self._targets.pop(step.patch, None)
        value = {Action.ENABLE: True, Action.DISABLE: False}.get(step.action)
        if None in (target, value) or target == value or kernel.transition_target(step.patch) is not None:
            return
        finding = Finding(
            reason="changed_meanwhile",
            seen=f"The transition of {step.patch} has ended, which was to be reversed.",
            remedy="Run the task again.",
        )
        raise Overtaken(str(step), finding)

    def check_end(self, kernel: KernelProtocol, step: Step) -> None:
        """Raise Overtaken if a transition has ended otherwise than the plan has it, for which a step has waited.

        Whether a patch replaces others is not always known before, nor which of the functions that it shows are its
        own.
        """
        target = self._targets.pop(step.patch, None) if step.action == Action.WAIT else None
        if target is None or self._before is None:
            return
        expected, now = predict(self._before, Plan((step,))), kernel.snapshot()
        if now.is_known and _shape(expected) != _shape(now):
            finding = Finding(
                reason="changed_meanwhile",
                seen=f"The transition of {step.patch} has ended, and the host is not as it was expected to be then.",
                remedy="Run the task again.",
            )
            raise Overtaken(str(step), finding)


def _shape(snapshot: Snapshot) -> dict[str, tuple[bool, bool, tuple[Function, ...]]]:
    """What a plan relies on of each patch. The kernel drops a disabled one from sysfs a moment later (core.c)."""
    return {
        patch.name: (patch.enabled, patch.in_transition, patch.functions if patch.enabled else ())
        for patch in snapshot.patches
    }


def is_refused(failed: StepFailed) -> bool:
    """Whether a step has changed nothing: the kernel has answered, or was not asked."""
    return failed.number is not None or isinstance(failed, Overtaken)


def overtaken_by(
    before: Snapshot, now: Snapshot, plan: Plan, done: t.Iterable[Step], failed: StepFailed
) -> tuple[str, ...]:
    """What the plan relied on and is not so any more, if that may be why a step failed: the kernel has refused it."""
    if not (now.is_known and is_refused(failed)):
        return ()
    return changes_since(predict(before, Plan(tuple(done))), now, plan)
