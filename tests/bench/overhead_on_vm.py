# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run on a VM by overhead.yml: measure a patched function, and what changes it, in both ways. Prints JSON.

Ticks are those of the time stamp counter, changes are in nanoseconds. Where QEMU counts instructions, both are
instructions.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SYSFS = Path("/sys/kernel/livepatch")
ROUNDS = 5
TASKS = (0, 500, 1000, 2000)
"""How many sleeping tasks there are besides those of the system."""


class Cost(NamedTuple):
    """Nanoseconds of a change: how long it lasted, and how long the process that made it has worked."""

    lasted: int
    worked: int


Changes = dict[str, Cost]


def insmod(name: str) -> None:
    subprocess.run(["insmod", f"/srv/{name}.ko"], check=True)


def rmmod(name: str) -> None:
    """Remove a module. The kernel lets a live patch go only when its last work on it is done."""
    for _attempt in range(50):
        if subprocess.run(["rmmod", name], check=False, stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.1)
    raise SystemExit(f"{name} cannot be removed")


def write_enabled(name: str, value: str) -> None:
    (SYSFS / name / "enabled").write_text(value, encoding="ascii")


def wait_for_transition(name: str) -> None:
    while (SYSFS / name).exists() and (SYSFS / name / "transition").read_text(encoding="ascii") != "0\n":
        time.sleep(0.1)


def ticks_of_a_call() -> float:
    """The least of some rounds: what a timer or another processor takes is no cost of the call."""
    path = Path("/sys/module/klp_cost/parameters/measured")
    rounds = [path.read_text(encoding="ascii").split() for _round in range(ROUNDS)]
    return min(int(ticks) / int(calls) for calls, ticks, _nanoseconds in rounds)


def spent() -> tuple[int, float]:
    """The nanoseconds of the clock, and those that this process and its children have worked."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter_ns(), 1e9 * sum(one.ru_utime + one.ru_stime for one in usage)


def cost(change: Callable[[], None]) -> Cost:
    before = spent()
    change()
    after = spent()
    return Cost(after[0] - before[0], round(after[1] - before[1]))


class Sleepers:
    """Tasks that sleep until the end."""

    def __init__(self, count: int) -> None:
        threading.stack_size(64 * 1024)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._end.wait) for _number in range(count)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        time.sleep(1)

    def __exit__(self, *_of: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()


def tasks_now() -> int:
    """All threads of the system, which both ways look at."""
    return len(list(Path("/proc").glob("[0-9]*/task/[0-9]*")))


def changes_by_jump() -> Changes:
    """A registered patch is enabled and disabled. Another thread of the kernel does it, which stops the machine."""
    enabling = cost(lambda: write_enabled("lp_jump1", "1"))
    disabling = cost(lambda: write_enabled("lp_jump1", "0"))
    return {"enable": enabling, "disable": disabling}


def changes_by_ftrace() -> Changes:
    """Loading enables, so that has the work of insmod in it; a disabled patch has to be loaded again."""
    enabling = cost(lambda: insmod("lp_ftrace1"))
    wait_for_transition("lp_ftrace1")
    disabling = cost(lambda: write_enabled("lp_ftrace1", "0"))
    wait_for_transition("lp_ftrace1")
    rmmod("lp_ftrace1")
    return {"enable": enabling, "disable": disabling}


def by_number_of_tasks(change: Callable[[], Changes]) -> list[dict[str, object]]:
    """For each number of tasks the least of some rounds."""
    rows: list[dict[str, object]] = []
    for count in TASKS:
        with Sleepers(count):
            tasks = tasks_now()
            rounds = [change() for _round in range(ROUNDS)]
        rows.append({"tasks": tasks, **{name: min(one[name] for one in rounds) for name in rounds[0]}})
    return rows


def by_ftrace() -> dict[str, object]:
    """Measure mainline's way: each call goes through ftrace's handler."""
    calls = {}
    for name in ("lp_ftrace1", "lp_ftrace2"):
        insmod(name)
        wait_for_transition(name)
        calls[name] = ticks_of_a_call()
    for name in ("lp_ftrace2", "lp_ftrace1"):
        write_enabled(name, "0")
        wait_for_transition(name)
        rmmod(name)
    return {"one": calls["lp_ftrace1"], "two": calls["lp_ftrace2"], "changes": by_number_of_tasks(changes_by_ftrace)}


def by_jump() -> dict[str, object]:
    """Measure openEuler's way, by the emulation: the function begins with a jump."""
    calls = {}
    insmod("klp_stop_machine_emulation")
    for name in ("lp_jump1", "lp_jump2"):
        insmod(name)
        write_enabled(name, "1")
        calls[name] = ticks_of_a_call()
    for name in ("lp_jump2", "lp_jump1"):
        write_enabled(name, "0")
    return {"one": calls["lp_jump1"], "two": calls["lp_jump2"], "changes": by_number_of_tasks(changes_by_jump)}


def counts(name: str) -> bool:
    """Whether this VM's figures mean something: its clocks count instructions, or its processor is a real one."""
    clocks = Path("/sys/devices/system/clocksource/clocksource0/available_clocksource")
    return name.startswith("counted") or "kvm-clock" in clocks.read_text(encoding="ascii")


def main(name: str) -> None:
    figures: dict[str, object] = {}
    if counts(name):
        # The service of sshd may not have so many tasks.
        Path("/sys/fs/cgroup/cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        insmod("klp_cost")
        spectre = Path("/sys/devices/system/cpu/vulnerabilities/spectre_v2").read_text(encoding="ascii").strip()
        figures = {"release": platform.release(), "spectre_v2": spectre, "unpatched": ticks_of_a_call()}
        figures["ftrace"] = by_ftrace()
        figures["jump"] = by_jump()
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1])
