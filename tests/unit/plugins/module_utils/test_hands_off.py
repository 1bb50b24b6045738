# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel that must not be changed any more: after a lockup, and with a CPU that does not schedule."""

from __future__ import annotations

import errno
import pathlib
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CpuAnswers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    OnStall,
    Patience,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import forbids_changes
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.caution import trouble_since
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    ModelKernel,
    content_of,
    patch_file,
)

ABIS = pytest.mark.parametrize("abi", [STOP_MACHINE, PER_TASK])

LOCKUP = "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [cat:123]"

GRAVE = {
    LOCKUP: "a soft lockup",
    "watchdog: Watchdog detected hard LOCKUP on cpu 1": "a hard lockup",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:": "an RCU stall",
    "INFO: task migration/1:22 blocked for more than 120 seconds.": "a hung thread of the kernel's scheduler",
    "Kernel panic - not syncing: softlockup: hung tasks": "a panic",
}


class Locking(ModelKernel):
    """A kernel that prints something a moment after a change, and may have a CPU that does not schedule then."""

    prints: tuple[str, ...] = ()
    stuck_then: tuple[int, ...] = ()
    taint = 0

    def sleep(self, seconds: float, waits_for: str) -> None:
        super().sleep(seconds, waits_for)
        self.log.coming += self.prints
        self.stuck_cpus = self.stuck_cpus or self.stuck_then
        if self.taint:
            pathlib.Path(self.root, "proc/sys/kernel/tainted").write_text(f"{self.taint}\n")


class Host(ModelHost):
    """A model host with such a kernel."""

    kind = Locking

    def __init__(self, root: pathlib.Path, abi: str, **kernel: t.Any) -> None:
        super().__init__(root, abi=abi, **kernel)
        for path in ("proc/sys/kernel", "proc/22", "sys/module/fix", "sys/module/old", "sys/module/other"):
            (root / path).mkdir(parents=True, exist_ok=True)
        (root / "proc/sys/kernel/tainted").write_text("0\n")
        (root / "proc/22/stat").write_text("22 (migration/1) S 2 0 0\n")
        self.abi = abi

    @property
    def locking(self) -> Locking:
        assert isinstance(self.kernel, Locking)
        return self.kernel

    def lock_up(self) -> None:
        """From now on a CPU locks up a moment after a change."""
        self.locking.prints, self.locking.taint = (LOCKUP,), 1 << 14

    def accepted(self) -> list[str]:
        return [entry.name for entry in boot_store.read(self.kernel.files()).due(KernelId(RELEASE))]

    def file(self, name: str, content: str = "1") -> PatchFile:
        return patch_file(name, content, abi=self.abi)

    def task(
        self, name: str, state: State = State.ENABLED, content: str | None = None, **changes: t.Any
    ) -> dict[str, t.Any]:
        """Run a task that watches the kernel; with `content` it brings this build of the file."""
        path, file = self.root / "sent.ko", None
        if content:
            file = self.file(name, content)
            self.kernel.add_file(file)
            path.write_bytes(content_of(name, content))
        of_task = {key: changes.pop(key) for key in ("check_mode", "patience") if key in changes}
        wanted = Wanted(name, state, file, **changes)
        task = Task(wanted, str(path) if file else None, verification=Verification(watch=30), **of_task)
        return manage(task, self.kernel)


def enable(host: Host, name: str = "fix", **task: t.Any) -> dict[str, t.Any]:
    return host.task(name, content="1", **task)


def reasons(result: dict[str, t.Any]) -> list[str]:
    return [finding["reason"] for finding in result["findings"]]


# ---- trouble while the kernel is watched ----


@ABIS
@pytest.mark.parametrize(("line", "grave"), GRAVE.items())
def test_after_a_lockup_nothing_is_rolled_back(tmp_path: pathlib.Path, abi: str, line: str, grave: str) -> None:
    host = Host(tmp_path, abi=abi)
    host.locking.prints = (line,)
    host.locking.taint = 1 << 14 if line == LOCKUP else 0
    result = enable(host)
    assert (result["reason"], result["reboot_required"], result["changed"]) == ("kernel_trouble", True, True)
    assert (result["rolled_back"], result["not_restored"]) == ([], ["fix is enabled and should be not loaded"])
    assert result["remedy"] == "Drain and reboot the host; fix is on trial, a reboot takes it out."
    assert f"After {grave} nothing is rolled back" in result["cause"]
    assert (host.stack, result["boot"]) == (["fix"], "trial")
    assert [call for call in host.kernel.calls if call not in ("load fix", "enable fix")] == []
    assert host.kernel.clock <= 2, "nobody watches on for the rest of the time"
    assert forbids_changes(result)


@ABIS
def test_other_trouble_is_rolled_back_as_ever(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    host.locking.prints, host.locking.taint = ("kernel BUG at fs/inode.c:1!",), 1 << 7
    result = enable(host)
    assert (result["reason"], result["reboot_required"]) == ("kernel_trouble", False)
    assert (result["rolled_back"], host.stack) == (["disable fix", "unload fix"], [])
    assert not forbids_changes(result)


def test_the_next_runs_neither_prove_nor_accept_it(tmp_path: pathlib.Path) -> None:
    """The trouble is over by then as far as the kernel tells, and its taint was set before."""
    host = Host(tmp_path, abi=STOP_MACHINE)
    host.lock_up()
    enable(host)
    host.locking.prints = ()
    calls = list(host.kernel.calls)
    for again in (enable(host), host.task("fix", boot=AtBoot.ACCEPTED), enable(host, check_mode=True)):
        assert (again["reason"], again["reboot_required"]) == ("kernel_trouble", True)
        assert "The kernel has had a soft lockup since fix was enabled." in again["msg"]
    assert (host.kernel.calls, host.accepted()) == (calls, [])
    assert trouble_since(known(copies.read(host.kernel.files(), "fix")), 0) == ["a soft lockup"]


@ABIS
def test_a_patch_that_locked_a_cpu_up_can_be_taken_out_once_every_cpu_schedules(
    tmp_path: pathlib.Path, abi: str
) -> None:
    host = Host(tmp_path, abi=abi)
    host.lock_up()
    host.locking.stuck_then = (1,)
    enable(host)
    refused = host.task("fix", State.ABSENT)
    assert (refused["reason"], refused["reboot_required"], host.stack) == ("cpu_stuck", True, ["fix"])
    host.kernel.stuck_cpus = host.locking.stuck_then = ()
    host.locking.prints = ()
    assert not host.task("fix", State.ABSENT).get("failed")
    assert host.stack == []


# ---- what boots load ----


@ABIS
def test_boots_load_what_they_did_before_the_run(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    assert not enable(host, "old", boot=AtBoot.ACCEPTED).get("failed")
    host.lock_up()
    result = enable(host, supersedes=("old",), boot=AtBoot.ACCEPTED)
    assert (result["reason"], host.stack, host.accepted()) == ("kernel_trouble", ["fix"], ["old"])


@ABIS
def test_a_patch_that_was_accepted_before_is_not_any_more(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    assert not enable(host, "old", boot=AtBoot.ACCEPTED).get("failed")
    assert not enable(host, supersedes=("old",), boot=AtBoot.ACCEPTED).get("failed")
    assert not host.task("fix", State.DISABLED).get("failed")
    assert host.accepted() == ["fix"]
    host.lock_up()
    result = enable(host)
    assert (result["reason"], host.accepted()) == ("kernel_trouble", ["old"])


def test_what_other_kernels_load_stays_accepted(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, abi=STOP_MACHINE)
    assert not enable(host, boot=AtBoot.ACCEPTED).get("failed")
    assert not host.task("fix", State.DISABLED).get("failed")
    (here,) = boot_store.read(host.kernel.files()).accepted
    elsewhere = replace(here, release="7.0", sha256="00")
    boot_store.write(host.kernel.files(), Acceptance((elsewhere, here)))
    host.lock_up()
    assert enable(host)["reason"] == "kernel_trouble"
    assert boot_store.read(host.kernel.files()).accepted == (elsewhere,)


@ABIS
def test_another_build_that_was_accepted_before_stays_so(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    assert not enable(host, boot=AtBoot.ACCEPTED).get("failed")
    host.lock_up()
    result = host.task("fix", content="2", reload=True)
    assert (result["reason"], result["boot"], host.accepted()) == ("kernel_trouble", "trial", ["fix"])
    assert boot_store.read(host.kernel.files()).accepted[0].sha256 == host.file("fix").sha256


def test_a_patch_that_was_never_enabled_stays_accepted(tmp_path: pathlib.Path) -> None:
    """As at a boot during which a CPU does not answer: the fix would be gone for good."""
    host = Host(tmp_path, abi=STOP_MACHINE)
    assert not enable(host, boot=AtBoot.ACCEPTED).get("failed")
    assert not host.task("fix", State.DISABLED).get("failed")
    answers = iter([(), (1,)])
    host.kernel.ask_cpus = lambda: CpuAnswers(next(answers), seconds=10.0)
    result = enable(host)
    assert (result["reason"], result["attempted"], host.accepted()) == ("cpu_stuck", "enable fix", ["fix"])


def test_cpus_that_cannot_be_asked_are_a_warning(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, abi=STOP_MACHINE)
    host.kernel.ask_cpus = lambda: CpuAnswers(unknown={3: "withheld", 4: "withheld"})
    result = enable(host)
    assert not result.get("failed")
    (found,) = [finding for finding in result["findings"] if finding["reason"] == "cpu_stuck"]
    assert (found["severity"], result["reboot_required"]) == ("warn", False)
    assert "cannot be told: CPUs 3, 4 (withheld)." in found["cause"]


@ABIS
def test_what_was_to_go_does_not_come_back_at_boot(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    assert not enable(host, boot=AtBoot.ACCEPTED).get("failed")
    host.lock_up()
    result = host.task("fix", State.ABSENT)
    assert (result["reason"], host.stack, host.accepted()) == ("kernel_trouble", [], [])


def test_boots_load_the_build_that_a_revert_was_to_bring_back(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, abi=STOP_MACHINE)
    assert not enable(host, boot=AtBoot.ACCEPTED).get("failed")
    assert not host.task("fix", content="2", reload=True).get("failed")
    answers = iter([(), (1,)])
    host.kernel.ask_cpus = lambda: CpuAnswers(next(answers), seconds=10.0)
    result = host.task("fix", State.REVERTED)
    assert (result["reason"], host.identities, host.accepted()) == ("cpu_stuck", {"fix": "id-fix2"}, ["fix"])


def test_an_acceptance_that_cannot_be_withdrawn_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, abi=STOP_MACHINE)
    assert not enable(host, boot=AtBoot.ACCEPTED).get("failed")
    assert not host.task("fix", State.DISABLED).get("failed")
    host.lock_up()

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(boot_store, "write", full)
    result = enable(host)
    assert (result["reason"], "not_withdrawn" in reasons(result)) == ("kernel_trouble", True)


# ---- a CPU that does not schedule ----


@ABIS
@pytest.mark.parametrize("state", [State.ENABLED, State.DISABLED, State.ABSENT])
def test_a_cpu_that_is_stuck_is_found_before_anything_is_touched(
    tmp_path: pathlib.Path, abi: str, state: State
) -> None:
    host = Host(tmp_path, abi=abi)
    if state != State.ENABLED:
        enable(host)
    calls, host.kernel.stuck_cpus = list(host.kernel.calls), (1,)
    for check_mode in (True, False):
        content = "1" if state == State.ENABLED else None
        result = host.task("fix", state, content, check_mode=check_mode)
        assert (result["reason"], result["changed"], result["reboot_required"]) == ("cpu_stuck", False, True)
        assert "CPU 1 has run nothing for 10 s" in result["msg"]
    assert host.kernel.calls == calls


def test_every_write_is_asked_for(tmp_path: pathlib.Path) -> None:
    """One question before the plan, and one before each step that changes a patch."""
    host = Host(tmp_path, abi=STOP_MACHINE)
    enable(host)
    assert (host.kernel.calls, host.kernel.questions) == (["load fix", "enable fix"], 3)
    host.task("fix", State.ABSENT)
    assert (host.kernel.calls[2:], host.kernel.questions) == (["disable fix", "unload fix"], 6)


@ABIS
def test_a_cpu_that_gets_stuck_between_two_steps_stops_the_run(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    enable(host, "old")
    last = "unload old"
    host.kernel.before_call["disable old"] = lambda: setattr(host.kernel, "stuck_cpus", (0, 1))
    result = host.task("fix", content="1", supersedes=("old",))
    assert (result["reason"], result["attempted"], result["reboot_required"]) == ("cpu_stuck", last, True)
    assert (result["rolled_back"], forbids_changes(result)) == ([], True)
    assert "old is disabled and should be enabled" in result["not_restored"]
    # The run that may touch the kernel again clears up.
    refused = host.task("old", content="1")
    assert (refused["reason"], refused["reboot_required"]) == ("cpu_stuck", True)
    assert journal.is_noted(host.kernel.files())
    host.kernel.stuck_cpus = ()
    again = host.task("old", content="1")
    assert not again.get("failed")
    assert ("interrupted_run" in reasons(again), host.stack) == (True, ["old"])


@ABIS
def test_a_way_back_that_gets_stuck_ends_there(tmp_path: pathlib.Path, abi: str) -> None:
    """What failed first is told as the reason; that the kernel must be left alone is told as well."""
    host = Host(tmp_path, abi=abi)
    host.locking.prints, host.locking.stuck_then = ("kernel BUG at fs/inode.c:1!",), (1,)
    host.locking.taint = 1 << 7
    result = enable(host)
    assert (result["reason"], result["reboot_required"], result["rolled_back"]) == ("kernel_trouble", True, [])
    assert any("to disable fix failed as well (CPU 1 has run nothing" in each for each in result["not_restored"])
    assert "cpu_stuck" in reasons(result)
    assert (forbids_changes(result), host.stack) == (True, ["fix"])


def test_an_interrupted_run_is_not_cleared_up_on_a_host_with_a_stuck_cpu(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, abi=STOP_MACHINE)

    def die() -> None:
        raise KeyboardInterrupt

    host.kernel.before_call["enable fix"] = die
    with pytest.raises(KeyboardInterrupt):
        enable(host)
    host.kernel.stuck_cpus = (1,)
    calls = list(host.kernel.calls)
    result = host.task("other", content="1")
    assert (result["reason"], result["reboot_required"], host.kernel.calls) == ("cpu_stuck", True, calls)
    assert journal.is_noted(host.kernel.files())


def test_a_stall_is_not_reversed_on_a_host_with_a_stuck_cpu(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, abi=PER_TASK, stall=["fix"])
    assert host.task("fix", content="1", patience=Patience(3, 2, 0.1, OnStall.REPORT))["changed"]
    host.locking.stuck_then = (1,)
    result = host.task("fix", content="1")
    assert result["failed"]
    assert [call for call in host.kernel.calls if call != "load fix"] == []


def test_one_who_is_not_root_asks_no_cpu(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, abi=STOP_MACHINE)
    as_root = host.kernel.snapshot
    monkeypatch.setattr(host.kernel, "snapshot", lambda: replace(as_root(), privileged=False))
    enable(host, check_mode=True)
    assert host.kernel.questions == 0
