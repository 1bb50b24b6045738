# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: who stalls a transition, by which function, and what can be done about it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnStall
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot, StallingTask

TOLD_MOST = 5
"""How many tasks a sentence names."""

_FRAME = re.compile(r"([^\s+]+)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[([^\s\]]+)\])?")
"""A line of /proc/PID/stack: symbol, and the module that has it (lib/vsprintf.c, %pB)."""


def with_held_by(tasks: t.Iterable[StallingTask], snapshot: Snapshot) -> tuple[StallingTask, ...]:
    """The tasks with the frame that holds each of them.

    The kernel looks on a task's stack for every function of the moving patch: for the code that the patch replaces, the
    function itself or that of a patch below, if it is enabled, and for its own code if it is disabled
    (klp_check_stack_func() in kernel/livepatch/transition.c). A patch has its code in its module, under whatever name.
    """
    moving = snapshot.in_transition
    if moving is None:
        return tuple(tasks)
    names: set[tuple[str, str]] = set()
    patches = {moving.name}
    if moving.enabled:
        names = {(function.object, function.name) for function in moving.functions}
        patches = {patch.name for patch in snapshot.patches if patch != moving and patch.shares(moving.function_set)}
    return tuple(replace(task, held_by=_holding_frame(task.stack, names, patches)) for task in tasks)


def _holding_frame(
    stack: t.Iterable[str], names: t.Container[tuple[str, str]], patches: t.Container[str]
) -> str | None:
    for frame in stack:
        match = _FRAME.match(frame)
        if match:
            symbol, module = match[1], match[2] or "vmlinux"
            if (module, symbol) in names or module in patches:
                return frame
    return None


def who_holds(tasks: t.Sequence[StallingTask]) -> str:
    """Who holds a transition, as the second half of a sentence."""
    if not tasks:
        return (
            "/proc shows no task that holds it (it shows neither the idle tasks of the CPUs nor, in a container, those "
            "outside of it)"
        )
    more = f" and {len(tasks) - TOLD_MOST} more" if len(tasks) > TOLD_MOST else ""
    return f"it is held by {', '.join(map(str, tasks[:TOLD_MOST]))}{more}"


def how_to_end(tasks: t.Sequence[StallingTask], on_stall: OnStall, then: str = "run the task again") -> str:
    """What can be done about the tasks that hold a transition, for a task with this `on_stall`, and what `then`."""
    threads = [task for task in tasks if task.is_kernel_thread]
    if tasks and not threads:
        return f"End or wake those tasks, or set a longer timeout, then {then}."
    others = "End or wake the tasks that are none. " if len(threads) < len(tasks) else ""
    force = "" if on_stall == OnStall.FORCE else " The last resort is on_stall: force: tasks may run mixed code then."
    if not threads:
        return f"Wait longer (timeout, on_stall: wait), then {then}; or reboot the host.{force}"
    return (
        f"A kernel thread cannot be ended: stop what gives it work, or wait longer (timeout, on_stall: wait), then "
        f"{then}; or reboot the host. {others}".strip()
        + force
    )
