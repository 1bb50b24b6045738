# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads which tasks stall the running transition."""

from __future__ import annotations

import re

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    StallingTask,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of, one_line
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


def read_stalling_tasks(files: Files, enabling: bool) -> tuple[StallingTask, ...]:
    """The tasks that stall the running transition, with their kernel stacks.

    While the kernel enables a patch these are the tasks whose patch_state is 0, while it disables one those at 1; -1
    is the patch_state of a task outside of a transition (kernel/livepatch/transition.c).
    """
    holding = 0 if enabling else 1
    stalling_tasks = []
    for pid in known_or(files.names("/proc"), []):
        if pid.isdecimal():
            for tid in known_or(files.names(f"/proc/{pid}/task"), []):
                task = f"/proc/{pid}/task/{tid}"
                if files.number(task + "/patch_state") == holding:
                    stack = known_or(files.text(task + "/stack"), "")
                    frames = tuple(_frame(line) for line in lines_of(stack))
                    command = one_line(known_or(files.text(task + "/comm"), "?"))
                    is_kernel_thread = _is_kernel_thread(known(files.text(task + "/stat")))
                    stalling_tasks.append(StallingTask(int(pid), int(tid), command, frames, is_kernel_thread))
    return tuple(stalling_tasks)


PF_KTHREAD = 0x00200000
"""include/linux/sched.h"""


def _is_kernel_thread(stat: str | None) -> bool | None:
    """Whether the flags of a task say so, the ninth field of its `stat`; None if they cannot be told.

    The second field is the task's name in parentheses, which may hold any character (fs/proc/array.c, do_task_stat()).
    """
    fields = (stat or "").rpartition(")")[2].split()
    return bool(int(fields[6]) & PF_KTHREAD) if len(fields) > 6 and fields[6].isdecimal() else None


def _frame(line: str) -> str:
    """`hrtimer_nanosleep+0x9d/0x120` of `[<0>] hrtimer_nanosleep+0x9d/0x120`."""
    return re.sub(r"^\[<[0-9a-f]+>\]\s*", "", line.strip())
