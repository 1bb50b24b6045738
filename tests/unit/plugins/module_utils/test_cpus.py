# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPUs are asked whether they schedule: by real children, over system calls that answer as those of a host would."""

from __future__ import annotations

import errno
import os
import pathlib
import signal
import time
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CPU_STUCK, CpuAnswers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import cpus
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

SOON = 1.0
"""For tests in which some CPU does not answer."""


class Host:
    """The system calls of a host with CPUs that answer in these ways. Children inherit it, as they inherit the rest."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: pathlib.Path, online: str | None = "0-3") -> None:
        self.stuck: set[int] = set()
        self.withheld: set[int] = set()
        self.refuses_real_time = 0
        self.affinity: list[set[int]] = []
        self.policies: list[int] = []
        self.children: list[int] = []
        self.files = Files(str(root))
        self._me = os.getpid()
        self._fork = os.fork
        if online is not None:
            place = root / cpus.ONLINE.lstrip("/")
            place.parent.mkdir(parents=True)
            place.write_text(f"{online}\n")
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
        monkeypatch.setattr(os, "sched_setaffinity", self.set_affinity)
        monkeypatch.setattr(os, "sched_setscheduler", self.set_scheduler)
        monkeypatch.setattr(os, "fork", self.fork)

    def fork(self) -> int:
        child = self._fork()
        if child:
            self.children.append(child)
        return child

    def set_affinity(self, pid: int, numbers: t.Iterable[int]) -> None:
        assert pid == 0
        if os.getpid() == self._me:
            self.affinity.append(set(numbers))
            return
        (number,) = numbers
        if number in self.withheld:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if number in self.stuck:
            # As on such a CPU: it does not go on, and no signal but the last one gets through.
            signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
            time.sleep(60)

    def set_scheduler(self, pid: int, policy: int, param: os.sched_param) -> None:
        assert pid == 0
        if os.getpid() == self._me:
            self.policies.append(policy)
        if policy != os.SCHED_FIFO:
            return
        assert param.sched_priority == 99
        if self.refuses_real_time:
            raise OSError(self.refuses_real_time, os.strerror(self.refuses_real_time))

    def ask(self) -> CpuAnswers:
        return cpus.ask(self.files, SOON if self.stuck else 60)


@pytest.fixture(name="host")
def fixture_host(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Host:
    return Host(monkeypatch, tmp_path)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_cpus_that_all_schedule(host: Host) -> None:
    answers = host.ask()
    assert (answers.stuck, answers.unknown, answers.refusal, answers.doubt) == ((), {}, None, "")
    assert len(host.children) == 4
    assert all(map(is_gone, host.children))


def test_a_cpu_that_is_stuck(host: Host) -> None:
    host.stuck = {1, 3}
    begun = time.monotonic()
    answers = host.ask()
    assert time.monotonic() - begun < SOON + cpus.REAP_SECONDS + 2
    assert (answers.stuck, answers.unknown, answers.doubt) == ((1, 3), {}, "")
    refusal = answers.refusal
    assert refusal is not None
    assert (refusal.reason, refusal.severity, refusal.only_reboot) == (CPU_STUCK, REFUSE, True)
    assert refusal.seen == "CPUs 1, 3 have run nothing for 1 s, not even a real-time task."
    assert all(map(is_gone, host.children)), "a child that can be killed is killed"


def test_a_cpu_that_a_cpuset_withholds_is_not_stuck(host: Host) -> None:
    host.withheld = {2}
    answers = host.ask()
    assert (answers.stuck, answers.unknown, answers.refusal) == ((), {2: cpus.WITHHELD}, None)
    assert "CPU 2 (withheld from this process, as by a cpuset)" in answers.doubt


def test_without_a_real_time_policy_an_answer_still_counts_and_silence_does_not(host: Host) -> None:
    """With CONFIG_RT_GROUP_SCHED a control group without a share of real time gets EPERM."""
    host.refuses_real_time = errno.EPERM
    assert not host.ask().unknown
    host.stuck = {1}
    answers = host.ask()
    assert (answers.stuck, answers.unknown) == ((), {1: cpus.NOT_REAL_TIME})


def test_children_are_born_where_their_parent_runs_and_it_is_free_afterwards(host: Host) -> None:
    """One born on a CPU that is stuck could not close what it has inherited."""
    host.ask()
    here, earlier = host.affinity
    assert (len(here), earlier) == (1, {0, 1, 2, 3})
    assert host.policies == [os.SCHED_FIFO, os.SCHED_OTHER]


def test_who_is_left_behind_holds_nothing_of_this_process(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Ansible waits for the end of the output, and other runs for the lock."""
    monkeypatch.setattr(os, "kill", lambda pid, number: None)
    host.stuck = {0}
    reader, writer = os.pipe()
    host.ask()
    os.close(writer)
    assert os.read(reader, 1) == b"", "the pipe has no other writer"
    os.close(reader)
    monkeypatch.undo()
    left = [child for child in host.children if not is_gone(child)]
    assert len(left) == 1
    os.kill(left[0], signal.SIGKILL)
    os.waitpid(left[0], 0)


def test_a_python_that_cannot_pin_a_process(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPy 3.7 of Debian 11 has shown it in Molecule's scenario userlands."""
    monkeypatch.delattr(os, "sched_setaffinity")
    answers = cpus.ask(host.files)
    assert (answers.refusal, host.children) == (None, [])
    assert answers.problem == "The CPUs cannot be asked whether they schedule: this Python cannot pin a process."


def test_a_host_that_starts_no_process(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refuse)
    answers = host.ask()
    assert (answers.stuck, set(answers.unknown.values())) == ((), {cpus.NOT_BEGUN})
    monkeypatch.setattr(os, "pipe", refuse)
    assert host.ask().doubt.startswith("The CPUs cannot be asked whether they schedule: Resource temporarily")


@pytest.mark.parametrize("online", [None, "", "0-", "x", "1,,2", "0-99999", "3-1"])
def test_a_list_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, online: str | None) -> None:
    host = Host(monkeypatch, tmp_path, online)
    answers = host.ask()
    assert (answers.stuck, answers.problem) == (
        (),
        f"Which CPUs are online cannot be told: {cpus.ONLINE} cannot be read.",
    )
    assert answers.doubt
    assert not host.children


@pytest.mark.parametrize(
    ("text", "expected"), [("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,4,6-7", [0, 1, 4, 6, 7]), ("5", [5])]
)
def test_lists_of_cpus(text: str, expected: list[int]) -> None:
    assert cpus.parse_list(text) == expected


def test_the_cpus_of_this_machine_schedule() -> None:
    """The real calls on the real host, which may withhold CPUs or a real-time policy, and has no CPU that is stuck."""
    affinity, policy = os.sched_getaffinity(0), os.sched_getscheduler(0)
    answers = cpus.ask(Files())
    assert (answers.stuck, answers.problem) == ((), "")
    assert (os.sched_getaffinity(0), os.sched_getscheduler(0)) == (affinity, policy)
