# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CPU that a real-time task keeps for itself is not stuck: what tells the two apart, and what follows."""

from __future__ import annotations

import pathlib
import types
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CpuAnswers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE, WARN
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import cpu_takers, cpus
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file

OTHER, FIFO, RR, DEADLINE = 0, 1, 2, 6


def stat(
    pid: int, name: str = "spin", state: str = "R", user: int = 0, system: int = 0, cpu: int = 1, **last: int
) -> str:
    """A line of Linux 6.12: fs/proc/array.c, do_task_stat()."""
    policy, priority = last.get("policy", FIFO), last.get("priority", 99)
    first = f"{pid} ({name}) {state} 1 {pid} 1 34816 {pid} 4194304 94 0 0 0 {user} {system} 0 0 -100 0 1 0 5000 2560000"
    return (
        f"{first} 200 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 {cpu} {priority} {policy} 0 0 0 0 0 0 0 0 0 0 0\n"
    )


class Host:
    """The tasks of a host, before the collection has watched them and after."""

    def __init__(self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.slept: list[float] = []
        self.later: dict[int, str | None] = {}
        monkeypatch.setattr(cpu_takers, "time", types.SimpleNamespace(sleep=self.sleep))

    def task(self, pid: int, before: str, after: str | None) -> None:
        place = self.place(pid)
        place.parent.mkdir(parents=True)
        place.write_text(before)
        self.later[pid] = after

    def place(self, pid: int) -> pathlib.Path:
        return self.root / f"proc/{pid}/task/{pid}/stat"

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        for pid, line in self.later.items():
            if line is None:
                self.place(pid).unlink()
            else:
                self.place(pid).write_text(line)

    def takers(self, *numbers: int) -> dict[int, str]:
        return cpu_takers.takers(Files(str(self.root)), numbers)


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["spin", "a b", "x) R 1 (y"])
@pytest.mark.parametrize("policy", [{}, {"policy": RR}, {"policy": DEADLINE, "priority": 0}])
def test_a_task_that_spins_outside_of_the_kernel_takes_its_cpu(host: Host, name: str, policy: dict[str, t.Any]) -> None:
    host.task(42, stat(42, name, user=7, **policy), stat(42, name, user=102, **policy))
    # The one that was sent there waits behind it.
    host.task(43, stat(43, "python3"), stat(43, "python3"))
    assert host.takers(1, 3) == {1: f"{name} (pid 42)"}
    assert host.slept == [cpu_takers.SECONDS]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, {"system": 100}, id="it does not leave the kernel"),
        pytest.param({}, {"user": 2, "system": 98}, id="the kernel has rounded"),
        pytest.param({}, {}, id="it does not run"),
        pytest.param({"priority": 98}, {"user": 100, "priority": 98}, id="the one that was sent goes before it"),
        pytest.param(
            {"policy": OTHER, "priority": 0}, {"user": 100, "policy": OTHER, "priority": 0}, id="no real time"
        ),
        pytest.param({"state": "S"}, {"user": 100}, id="it has slept meanwhile"),
        pytest.param({}, {"user": 100, "state": "S"}, id="it sleeps by now"),
        pytest.param({"cpu": 2}, {"user": 100, "cpu": 2}, id="it runs elsewhere"),
        pytest.param({}, {"user": 100, "cpu": 2}, id="it has moved"),
        pytest.param({}, None, id="it has ended"),
    ],
)
def test_what_is_no_sign_that_a_cpu_schedules(
    host: Host, before: dict[str, t.Any], after: dict[str, t.Any] | None
) -> None:
    host.task(42, stat(42, **before), None if after is None else stat(42, **after))
    assert host.takers(1) == {}


@pytest.mark.parametrize("line", ["", "42 (spin) R 1", "42 (spin) R " + "x " * 50, "\x00"])
def test_a_task_that_does_not_tell_is_none(host: Host, line: str) -> None:
    host.task(42, line, line)
    assert (host.takers(1), host.slept) == ({}, [])


@pytest.mark.parametrize(("runtime", "unlimited"), [("-1", True), ("950000", False), ("0", False), (None, False)])
def test_a_cpu_that_does_not_answer_is_asked_who_takes_it(
    host: Host, monkeypatch: pytest.MonkeyPatch, runtime: str | None, unlimited: bool
) -> None:
    host.task(42, stat(42), stat(42, user=95))
    for path, text in ((cpus.ONLINE, "0-2"), (cpu_takers.RUNTIME, runtime)):
        place = host.root / path.lstrip("/")
        place.parent.mkdir(parents=True)
        if text is not None:
            place.write_text(text + "\n")
    said = {(kind, number): 0 for kind in (cpus._BEGUN, cpus._RAN) for number in (0, 1, 2)}
    del said[cpus._RAN, 1], said[cpus._RAN, 2]
    monkeypatch.setattr(cpus, "question", lambda numbers, seconds: said)
    answers = cpus.ask(Files(str(host.root)))
    assert (answers.stuck, answers.taken, answers.is_unlimited) == ((2,), {1: "spin (pid 42)"}, unlimited)


@pytest.mark.parametrize(
    ("abi", "unlimited", "severity"),
    [(STOP_MACHINE, True, WARN), (STOP_MACHINE, False, WARN), (PER_TASK, False, WARN), (PER_TASK, True, REFUSE)],
)
def test_what_takes_a_cpu_is_a_refusal_only_where_the_kernel_would_wait_for_ever(
    tmp_path: pathlib.Path, abi: str, unlimited: bool, severity: str
) -> None:
    """stop_machine goes before all real-time tasks; ftrace waits for a thread that does not."""
    host = ModelHost(tmp_path, abi=abi)
    host.kernel.ask_cpus = lambda: CpuAnswers(taken={1: "spin (pid 42)"}, is_unlimited=unlimited)
    result = host.run("fix", file=patch_file("fix", abi=abi))
    (finding,) = [finding for finding in result["findings"] if finding["reason"] == "cpu_taken"]
    assert (finding["severity"], host.stack) == (severity, [] if severity == REFUSE else ["fix"])
    assert finding["cause"].startswith("CPU 1 runs spin (pid 42), a real-time task of the highest priority, and")
    assert ("End it" in finding["remedy"]) is (severity == REFUSE)
    assert result["reboot_required"] is False
