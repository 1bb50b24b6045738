# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Tells a CPU that a real-time task keeps for itself from one that is stuck: neither runs what is sent there.

The threads that stop_machine waits for are of a class above all real-time tasks (kernel/sched/stop_task.c): they run
there at once. So the task has to be seen at work outside of the kernel, which a CPU that is stuck does not come to.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import one_line

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

RUNTIME = "/proc/sys/kernel/sched_rt_runtime_us"
"""The share of a CPU that real-time tasks may take; -1 if they may take all of it (sched-rt-group.rst)."""

SECONDS = 1.0
"""How long the tasks are watched."""

TICKS = 10
"""How many of the 100 ticks in SECONDS (USER_HZ) a task has to be outside of the kernel. The kernel rounds the times:
one that never leaves it may seem to be outside for a tick or two (cputime_adjust() in kernel/sched/cputime.c)."""

_HIGHEST = 99
"""The priority of the task that was sent there: it takes the place of a lower one."""

_FIFO, _RR, _DEADLINE = 1, 2, 6
"""Policies (include/uapi/linux/sched.h). What has a deadline comes before all priorities."""


@dataclass(frozen=True)
class _Seen:
    """A real-time task that is ready to run on a CPU, and the ticks that it has spent outside of the kernel."""

    cpu: int
    ticks: int
    name: str


def takers(files: Files, cpus: t.Collection[int]) -> dict[int, str]:
    """The tasks that keep these CPUs for themselves, by CPU: `spin (pid 42)`. Waits for `SECONDS`."""
    before = _tasks(files, cpus)
    if not before:
        return {}
    time.sleep(SECONDS)
    found: dict[int, str] = {}
    for place, was in before.items():
        now = _task(files, place)
        if now and now.cpu == was.cpu and now.ticks - was.ticks >= TICKS:
            found[now.cpu] = now.name
    return found


def is_unlimited(files: Files) -> bool:
    """Whether real-time tasks may keep a CPU from all others for ever."""
    return files.number(RUNTIME) == -1


def _tasks(files: Files, cpus: t.Collection[int]) -> dict[str, _Seen]:
    """The real-time tasks that are ready to run on these CPUs, by their directories."""
    found: dict[str, _Seen] = {}
    for pid in known_or(files.names("/proc"), []):
        for tid in known_or(files.names(f"/proc/{pid}/task"), []) if pid.isdecimal() else ():
            place = f"/proc/{pid}/task/{tid}"
            seen = _task(files, place)
            if seen and seen.cpu in cpus:
                found[place] = seen
    return found


def _task(files: Files, place: str) -> _Seen | None:
    """The task in this directory, if it is a real-time task of the highest priority and ready to run."""
    stat = known_or(files.text(place + "/stat"), "")
    # The name is in parentheses, and may have any character (fs/proc/array.c, do_task_stat()).
    start, _name, rest = stat.rpartition(")")
    fields = rest.split()
    try:
        state, ticks, cpu, priority, policy = fields[0], *(int(fields[number]) for number in (11, 36, 37, 38))
    except (IndexError, ValueError):
        return None
    is_highest = policy == _DEADLINE or (policy in (_FIFO, _RR) and priority == _HIGHEST)
    if state != "R" or not is_highest:
        return None
    return _Seen(cpu, ticks, f"{one_line(start.partition('(')[2])} (pid {start.partition('(')[0].strip()})")
