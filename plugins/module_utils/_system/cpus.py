# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Asks the CPUs of a host whether they schedule, by a child process on each, all at once.

stop_machine waits for a thread on each CPU while all others stand still with interrupts off: one CPU that does not
schedule hangs the host (kernel/stop_machine.c). No file tells whether a CPU schedules; a task that runs there does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import signal
import struct
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CpuAnswers
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.cpu_takers import is_unlimited, takers

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

ONLINE = "/sys/devices/system/cpu/online"

SECONDS = 10.0
"""How long the CPUs may take to answer, all together."""

REAP_SECONDS = 0.5
"""How long to wait for children that have answered, and are about to end."""

MOST_CPUS = 8192
"""The kernel's own limit (CONFIG_NR_CPUS of x86); a longer list is none of a kernel."""

_RECORD = struct.Struct("=HHI")
"""What a child says: BEGUN or RAN, the number of its CPU, an errno or 0. A pipe takes it at once (PIPE_BUF)."""

_BEGUN, _RAN = 1, 2

WITHHELD = "withheld from this process, as by a cpuset"

NOT_REAL_TIME = "the kernel refuses a real-time policy, and nothing else has run there"

NOT_BEGUN = "no process to ask it could be started"


def ask(files: Files, seconds: float = SECONDS) -> CpuAnswers:
    """Ask every online CPU whether it schedules. This takes some milliseconds, and `seconds` if one does not answer."""
    listed = files.text(ONLINE)
    numbers = parse_list(listed) if isinstance(listed, str) else None
    if numbers is None:
        return CpuAnswers(problem=f"Which CPUs are online cannot be told: {ONLINE} cannot be read.")
    if not hasattr(os, "sched_setaffinity"):
        # PyPy 3.7, for one.
        return CpuAnswers(problem="The CPUs cannot be asked whether they schedule: this Python cannot pin a process.")
    try:
        said = question(numbers, seconds)
    except OSError as error:
        return CpuAnswers(problem=f"The CPUs cannot be asked whether they schedule: {error.strerror}.")
    silent = [number for number in numbers if _is_stuck(said, number)]
    taken = takers(files, silent) if silent else {}
    stuck = tuple(number for number in silent if number not in taken)
    unknown = {number: why for number in numbers for why in [_why_unknown(said, number)] if why}
    return CpuAnswers(stuck, unknown, seconds, taken=taken, is_unlimited=bool(taken) and is_unlimited(files))


def parse_list(text: str) -> list[int] | None:
    """The numbers in a list such as `0-3,5` (Documentation/core-api/kernel-api.rst); None if it is anything else."""
    numbers: list[int] = []
    for part in text.split(","):
        found = re.match(r"^([0-9]{1,5})(?:-([0-9]{1,5}))?$", part)
        if not found:
            return None
        numbers += range(int(found[1]), int(found[2] or found[1]) + 1)
    return numbers if 0 < len(numbers) <= MOST_CPUS else None


_Said = t.Dict[t.Tuple[int, int], int]
"""The errno in each record, by its kind and CPU."""


def _is_stuck(said: _Said, number: int) -> bool:
    """Whether a child with a real-time policy was sent there, and did not run.

    Among those of the highest priority the first to come keeps the CPU (sched(7)): see `takers`.
    """
    return said.get((_BEGUN, number)) == 0 and (_RAN, number) not in said


def _why_unknown(said: _Said, number: int) -> str:
    if (_BEGUN, number) not in said:
        return NOT_BEGUN
    if (_RAN, number) not in said:
        # Anything may keep an ordinary task from running: it proves nothing.
        return NOT_REAL_TIME if said[_BEGUN, number] else ""
    return WITHHELD if said[_RAN, number] else ""


def question(numbers: t.Iterable[int], seconds: float) -> _Said:
    """Start the children, hear what they say, and leave behind who does not answer."""
    inherited = [int(name) for name in os.listdir("/proc/self/fd")]
    reader, writer = os.pipe()
    children: list[int] = []
    try:
        try:
            with _staying_here():
                for number in numbers:
                    with contextlib.suppress(OSError):
                        children.append(_start_child(number, writer, (*inherited, reader)))
        finally:
            os.close(writer)
        return _hear(reader, seconds)
    finally:
        os.close(reader)
        _reap(children)


@contextlib.contextmanager
def _staying_here() -> t.Iterator[None]:
    """Keep this process on the CPU that it runs on, so that its children begin there, and do not wait for their turn.

    One that began on a CPU that is stuck could not even close what it has inherited: Ansible would wait for the end of
    the output, and other runs for the lock. Whoever runs here knows that this CPU schedules.
    """
    earlier, policy, param = os.sched_getaffinity(0), os.sched_getscheduler(0), os.sched_getparam(0)
    with contextlib.suppress(OSError, ValueError, IndexError):
        os.sched_setaffinity(0, {_this_cpu()})
    with contextlib.suppress(OSError):
        _become_real_time()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, policy, param)
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, earlier)


def _this_cpu() -> int:
    """The CPU that this process runs on: field 39 of its stat, counted behind its name (proc(5))."""
    with open("/proc/self/stat", "rb") as stream:
        return int(stream.read().rpartition(b")")[2].split()[36])


def _start_child(number: int, writer: int, inherited: t.Iterable[int]) -> int:
    child = os.fork()
    if child:
        return child
    # Nothing of what this process would do at its end may be done by the child.
    try:
        _answer(number, writer, inherited)
    finally:
        os._exit(0)


def _answer(number: int, writer: int, inherited: t.Iterable[int]) -> None:
    """What a child does: become a real-time task, go to its CPU, and say so from there."""
    for descriptor in inherited:
        # The one that listed them is closed already, and its number may be that of the pipe.
        if descriptor != writer:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    _say(writer, _BEGUN, number, _errno_of(_become_real_time))
    # When this returns, the child runs there: the kernel has moved it (affine_move_task() in kernel/sched/core.c).
    _say(writer, _RAN, number, _errno_of(lambda: os.sched_setaffinity(0, {number})))


def _become_real_time() -> None:
    """As of the highest priority: ordinary load, and lower real-time tasks, do not count as a CPU that is stuck."""
    priority = os.sched_get_priority_max(os.SCHED_FIFO)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


def _errno_of(call: t.Callable[[], None]) -> int:
    try:
        call()
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def _say(writer: int, kind: int, number: int, answer: int) -> None:
    os.write(writer, _RECORD.pack(kind, number, answer))


def _hear(reader: int, seconds: float) -> _Said:
    """What the children say, until all have ended or the time is up."""
    said: _Said = {}
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return said
        # Records are written whole, and so they are read: the size is a multiple of theirs.
        content = os.read(reader, _RECORD.size * 512)
        if not content:
            return said
        said.update(((kind, number), answer) for kind, number, answer in _RECORD.iter_unpack(content))


def _reap(children: t.Iterable[int]) -> None:
    """Reap the children that have ended, and kill the others. One on a CPU that is stuck does not die: it is left."""
    deadline = time.monotonic() + REAP_SECONDS
    left = list(children)
    while True:
        left = [child for child in left if not _has_ended(child)]
        if not left:
            return
        for child in left:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        if time.monotonic() >= deadline:
            return
        time.sleep(0.001)


def _has_ended(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except OSError:
        # Somebody else has reaped it.
        return True
