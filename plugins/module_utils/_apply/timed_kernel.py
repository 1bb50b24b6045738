# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Where the time of a run on a host goes."""

from __future__ import annotations

import os
import time
import typing as t
from functools import partial

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol

PART_OF = {
    "snapshot": "reading",
    "stalling_tasks": "reading",
    "enabled": "reading",
    "transition_target": "reading",
    "conditions": "checking",
    "ask_cpus": "checking",
    "load": "changing",
    "load_target": "changing",
    "unload": "changing",
    "write_enabled": "changing",
    "force": "changing",
    "sleep": "waiting",
}
"""The calls of a kernel that take time, and what they are for. All else is `deciding`, with the collection's books."""

PARTS = ("starting", *dict.fromkeys(PART_OF.values()), "deciding")
"""Where the time of a run on the host goes, in order."""


def seconds_of_start() -> float:
    """How long this process has run: the start of Python, the receipt of the module and its imports.

    The kernel notes the start in ticks of USER_HZ (proc_pid_stat(5), field 22); 0.0 where it does not show that.
    """
    try:
        with open("/proc/self/stat", encoding="ascii", errors="replace") as stream:
            # The name of the program is in brackets, and may have blanks.
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


class TimedKernel:
    """A kernel that notes how many seconds its calls take."""

    def __init__(self, kernel: KernelProtocol) -> None:
        self._kernel = kernel
        self._started = time.monotonic()
        self._starting = seconds_of_start()
        self._seconds = dict.fromkeys(PART_OF.values(), 0.0)

    def __getattr__(self, name: str) -> t.Any:
        value = getattr(self._kernel, name)
        part = PART_OF.get(name)
        return partial(self._call, part, value) if part else value

    def _call(self, part: str, call: t.Callable[..., t.Any], *arguments: t.Any, **named: t.Any) -> t.Any:
        started = time.monotonic()
        try:
            return call(*arguments, **named)
        finally:
            self._seconds[part] += time.monotonic() - started

    def seconds(self) -> dict[str, float]:
        """The seconds of each part so far, which together are the time of this process."""
        deciding = time.monotonic() - self._started - sum(self._seconds.values())
        seconds = {"starting": self._starting, **self._seconds, "deciding": deciding}
        return {part: round(seconds[part], 3) for part in PARTS}
