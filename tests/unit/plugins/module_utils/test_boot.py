# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boots of a host, on the model of a kernel: also those that end too early."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing as t
import zipfile

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot import pack, program
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.program import Boot
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.program import main as boot_main
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    UNHEALTHY_BOOTS,
    Acceptance,
    Accepted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CpuAnswers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import AtBoot, State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.version import VERSION
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    ModelKernel,
    content_of,
    note_build_id,
    patch_file,
)
from hypothesis import given
from hypothesis import strategies as st


class PowerCut(BaseException):
    """The machine stops at this moment."""


class Machine:
    """A model of a machine: a disk that lasts, and a kernel that is gone with every boot.

    `deadly` are the patches that the machine does not survive being loaded, `refused` those that its kernel refuses.
    """

    kernel: MortalKernel
    program: Boot

    def __init__(self, root: pathlib.Path, abi: str = PER_TASK) -> None:
        self.root = root
        self.abi = abi
        self.deadly: set[str] = set()
        self.refused: set[str] = set()
        self.warns_at: str | None = None
        self.said: list[str] = []
        self.boots = 0
        self.write("proc/cmdline", "root=/dev/vda")
        self.write("proc/sys/kernel/osrelease", RELEASE)
        self.write("proc/sys/kernel/tainted", "0")
        self.files: dict[str, PatchFile] = {}
        self.build_id = b""

    @property
    def acceptance_on_disk(self) -> Acceptance:
        return boot_store.read(Files(str(self.root)))

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="ascii")

    def accept(self, *names: str, release: str = RELEASE, supersedes: t.Sequence[str] = (), **changes: t.Any) -> None:
        """Accept patches in this order, as livepatch_module does."""
        files = ModelKernel(self.root).files()
        acceptance = boot_store.read(files)
        for name in names:
            file = patch_file(name, abi=self.abi, vermagic=f"{release} SMP", **changes)
            self.files[name] = file
            source = self.root / "source.ko"
            source.write_bytes(content_of(name))
            boot_store.keep_file(files, name, file.sha256, str(source))
            one = Accepted(name, file.sha256, release, "then", file.to_dict())
            acceptance = acceptance.with_accepted(
                one, supersedes, [*(other.name for other in acceptance.accepted), name]
            )
        boot_store.write(files, acceptance)

    def boot(self, cut_at: int | None = None) -> int:
        """Start the machine; `cut_at` is the call of the kernel or the write to disk at which it stops. Its status."""
        self.boots += 1
        shutil.rmtree(self.root / "run", ignore_errors=True)
        shutil.rmtree(self.root / "sys", ignore_errors=True)
        self.write("proc/sys/kernel/random/boot_id", f"boot {self.boots}")
        if self.build_id:
            note_build_id(self.root, self.build_id)
        self.kernel = MortalKernel(self, cut_at)
        for file in self.files.values():
            self.kernel.add_file(file)
            (self.root / "sys/module" / file.name).mkdir(parents=True)
        self.said = []
        self.program = Boot(lambda: self.kernel, self.said.append)
        return self.program.load()

    def survives(self, cut_at: int | None = None) -> bool:
        try:
            self.boot(cut_at)
        except PowerCut:
            return False
        self.program.settle()
        return True

    @property
    def enabled(self) -> list[str]:
        return [patch.name for patch in self.kernel.patches if patch.enabled]

    @property
    def acceptance(self) -> Acceptance:
        return boot_store.read(self.kernel.files())

    @property
    def report(self) -> dict[str, t.Any]:
        results = boot_store.read_report(self.kernel.files())["results"]
        return {result["name"]: result["outcome"] for result in results}

    @property
    def quarantined(self) -> list[str]:
        return [one.name for one in self.acceptance.quarantined]


class MortalKernel(ModelKernel):
    """It stops at a call, or at a patch that is deadly."""

    def __init__(self, machine: Machine, cut_at: int | None) -> None:
        super().__init__(machine.root, abi=machine.abi)
        self.machine = machine
        self.cut_at = cut_at
        self.is_booting = True

    def _call(self, operation: str, name: str) -> None:
        super()._call(operation, name)
        if not self.is_booting:
            return
        if name == self.machine.warns_at:
            self.log.coming.append("WARNING: CPU: 1 PID: 99 at drivers/some/driver.c:1 probe+0x1/0x2")
        marker = boot_store.read_marker(self.files())
        assert marker.loading == self.machine.files[name].sha256, "the marker comes before the patch"
        if operation == "load" and name in self.machine.deadly:
            raise PowerCut
        if operation == "load" and name in self.machine.refused:
            raise OSError(errno.EINVAL, "Invalid argument")
        if self.cut_at is not None:
            self.cut_at -= 1
            if self.cut_at < 0:
                raise PowerCut


@pytest.fixture(name="machine", params=[PER_TASK, STOP_MACHINE])
def fixture_machine(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Machine:
    return Machine(tmp_path, request.param)


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_a_boot_has_loaded_is_the_collections(tmp_path: pathlib.Path, abi: str) -> None:
    machine = Machine(tmp_path, abi)
    machine.accept("a1")
    assert machine.boot() == 0
    (patch,) = observe(machine.kernel)[0].patches
    assert (patch.name, patch.enabled, patch.owner) == ("a1", True, None)
    shutil.rmtree(tmp_path / "run")
    assert observe(machine.kernel)[0].patches[0].owner is None
    assert manage(Task(Wanted("a1", State.ABSENT), check_mode=True), machine.kernel)["state"] == "absent"


def test_accepted_patches_come_back_in_their_order(machine: Machine) -> None:
    machine.accept("b", "a")
    assert machine.boot() == 0
    assert machine.enabled == ["b", "a"]
    assert machine.report == {"b": "enabled", "a": "enabled"}
    assert boot_store.read_marker(machine.kernel.files()).loaded == tuple(
        machine.files[name].sha256 for name in ("b", "a")
    )
    assert machine.program.settle() == 0
    assert boot_store.read_marker(machine.kernel.files()) is None


def test_each_is_loaded_with_the_parameters_that_it_was_accepted_with(machine: Machine) -> None:
    machine.accept("a", loaded_with="level=1")
    machine.accept("b")
    assert machine.boot() == 0
    assert machine.kernel.parameters == {"a": "level=1", "b": ""}
    assert [patch.identity.loaded_with for patch in observe(machine.kernel)[0].patches] == ["level=1", ""]


def test_a_record_of_an_acceptance_from_before_parameters_is_understood(machine: Machine) -> None:
    machine.accept("a")
    (entry,) = machine.acceptance_on_disk.accepted
    del entry.patch_file["parameters"]
    boot_store.write(Files(str(machine.root)), Acceptance((entry,)))
    assert machine.boot() == 0
    assert (machine.enabled, machine.kernel.parameters) == (["a"], {"a": ""})


def test_what_was_superseded_before_the_boot_comes_back_with_its_parameters(machine: Machine) -> None:
    machine.accept("old", loaded_with="level=1")
    machine.accept("new", supersedes=["old"])
    assert machine.boot() == 0
    machine.kernel.is_booting = False
    manage(Task(Wanted("new", State.REVERTED)), machine.kernel)
    assert (machine.enabled, machine.kernel.parameters) == (["old"], {"old": "level=1"})


def test_one_of_several_sets_of_parameters_is_not_guessed(tmp_path: pathlib.Path) -> None:
    file = patch_file("a")
    of_builds = [
        Accepted("a", file.sha256, RELEASE, "then", dict(file.to_dict(), loaded_with=text), kernel_build_id=build)
        for text, build in (("level=1", "aa" * 20), ("level=2", "bb" * 20))
    ]
    acceptance = Acceptance(tuple(of_builds))
    assert acceptance.due(KernelId(RELEASE, None)) == ()
    assert acceptance.due(KernelId(RELEASE, "bb" * 20)) == (of_builds[1],)


def test_nothing_is_accepted(machine: Machine) -> None:
    assert machine.boot() == 0
    assert machine.said == []
    assert machine.program.settle() == 0
    assert not (machine.root / "var").exists()


def test_only_for_the_kernel_that_they_were_built_for(machine: Machine) -> None:
    machine.accept("old", release="6.12.1-amd64")
    machine.accept("new")
    assert machine.boot() == 0
    assert machine.enabled == ["new"]
    assert "old is accepted for the kernel 6.12.1-amd64" in machine.said[0]


def test_only_for_the_build_of_the_kernel_that_they_were_accepted_for(machine: Machine) -> None:
    machine.accept("a")
    machine.build_id = b"\xaa" * 20
    entries = [dataclasses.replace(one, kernel_build_id="bb" * 20) for one in machine.acceptance_on_disk.accepted]
    boot_store.write(Files(str(machine.root)), Acceptance(tuple(entries)))
    assert machine.boot() == 0
    assert machine.enabled == []
    (said,) = machine.said
    assert f"accepted for the kernel {RELEASE} with build-id {'bb' * 20}" in said
    assert f"the running {RELEASE} with build-id {'aa' * 20}: the host may have lost this fix." in said
    machine.build_id = b"\xbb" * 20
    assert machine.boot() == 0
    assert machine.enabled == ["a"]


def test_one_of_several_builds_of_a_patch_is_not_guessed(machine: Machine) -> None:
    machine.accept("a", "b")
    entries = machine.acceptance_on_disk.accepted
    two = [dataclasses.replace(entries[0], kernel_build_id=build * 20, sha256=build * 32) for build in ("aa", "bb")]
    boot_store.write(Files(str(machine.root)), Acceptance((*two, entries[1])))
    assert machine.boot() == 1
    assert (machine.enabled, machine.report) == (["b"], {"a": "skipped", "b": "enabled"})
    assert machine.said[0] == f"a: skipped. {program.AMBIGUOUS}"


def test_a_file_for_another_build_of_the_kernel_is_refused_at_boot(machine: Machine) -> None:
    machine.accept("other", kernel_build_id="bb" * 20)
    machine.accept("mine", kernel_build_id="aa" * 20)
    machine.build_id = b"\xaa" * 20
    assert machine.boot() == 1
    assert machine.report == {"other": "failed", "mine": "enabled"}
    assert any("is built for the kernel" in line and "bb" * 20 in line for line in machine.said)


def test_a_patch_that_the_host_does_not_survive(machine: Machine) -> None:
    machine.accept("a", "bad", "c")
    machine.deadly.add("bad")
    assert not machine.survives()
    assert machine.survives()
    assert machine.enabled == ["a", "c"]
    assert machine.report == {"a": "enabled", "bad": "quarantined", "c": "enabled"}
    assert any(
        line.startswith("bad: quarantined. The host went down while it was being loaded") for line in machine.said
    )
    assert machine.acceptance.unhealthy_boots == 1
    assert machine.survives()
    assert machine.acceptance.unhealthy_boots == 0
    assert machine.quarantined == ["bad"]


def test_what_a_patch_in_quarantine_superseded_stays_out_and_is_named(machine: Machine) -> None:
    machine.accept("old")
    machine.accept("bad", supersedes=["old"])
    machine.deadly.add("bad")
    assert not machine.survives()
    assert machine.survives()
    assert machine.enabled == []
    assert machine.said[-1].startswith("bad: quarantined.")
    assert machine.said[-1].endswith("is not loaded either, unless it is accepted again: old.")
    machine.accept("old")
    assert machine.survives()
    assert machine.enabled == ["old"]


def test_reverting_brings_back_what_was_superseded_before_the_boot(machine: Machine) -> None:
    machine.accept("old")
    machine.accept("new", supersedes=["old"])
    assert machine.survives()
    assert machine.enabled == ["new"]
    machine.kernel.is_booting = False
    result = manage(Task(Wanted("new", State.REVERTED), None), machine.kernel)
    assert (result["changed"], machine.enabled) == (True, ["old"])
    assert [one.name for one in machine.acceptance.due(KernelId(RELEASE))] == ["old"]


def test_reverting_goes_on_after_the_boot_as_before_it(machine: Machine) -> None:
    machine.accept("one")
    machine.accept("two", supersedes=["one"])
    machine.accept("three", supersedes=["two"])
    assert machine.survives()
    machine.kernel.is_booting = False
    for name, former in (("three", ["two"]), ("two", ["one"]), ("one", [])):
        result = manage(Task(Wanted(name, State.REVERTED), None), machine.kernel)
        assert (result["changed"], machine.enabled) == (True, former)
        assert [one.name for one in machine.acceptance.due(KernelId(RELEASE))] == former


def test_the_host_goes_down_soon_afterwards(machine: Machine) -> None:
    machine.accept("a", "b")
    machine.boot()
    assert machine.boot() == 1
    assert machine.enabled == []
    assert machine.quarantined == ["a", "b"]


def test_serious_trouble_is_not_healthy(machine: Machine) -> None:
    machine.accept("a")
    machine.boot()
    machine.write("proc/sys/kernel/tainted", str(1 << 7))
    assert machine.program.settle() == 1
    assert "an oops" in machine.said[-1]
    machine.write("proc/sys/kernel/tainted", "0")
    machine.boot()
    assert machine.quarantined == ["a"]


def test_a_load_that_does_not_come_back(machine: Machine) -> None:
    machine.accept("a", "bad")
    machine.deadly.add("bad")
    with pytest.raises(PowerCut):
        machine.boot()
    # Systemd has given up waiting, and the host goes on.
    assert machine.program.settle() == 1
    assert machine.said[-1] == "The loading of a patch did not end: the next boot does not load it."
    machine.boot()
    assert machine.quarantined == ["bad"]


def test_a_warning_of_something_else_is_not_about_patches(machine: Machine) -> None:
    machine.accept("a")
    machine.boot()
    machine.write("proc/sys/kernel/tainted", str(1 << 9))
    assert machine.program.settle() == 0


def test_trouble_from_before_the_patches_is_not_theirs(machine: Machine) -> None:
    machine.accept("a")
    machine.write("proc/sys/kernel/tainted", str(1 << 7))
    assert (machine.boot(), machine.enabled) == (0, ["a"])
    assert machine.program.settle() == 0
    assert machine.boot() == 0
    machine.write("proc/sys/kernel/tainted", str(1 << 7 | 1 << 14))
    assert machine.program.settle() == 1
    assert "a soft lockup" in machine.said[-1]
    assert "an oops" not in machine.said[-1]


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_a_program_that_was_cut_off_and_starts_again_in_the_same_boot_blames_nothing(
    machine: Machine, names: list[str]
) -> None:
    """Nor that the first one is covered by the second one by now, as it was when it was accepted."""
    machine.accept(*names)
    machine.boot()
    (machine.root / "run/openeuler-livepatch/boot").unlink()
    assert machine.program.load() == 0
    assert (machine.enabled, machine.quarantined, machine.acceptance.unhealthy_boots) == (names, [], 0)


def test_what_another_version_of_the_collection_has_kept_is_not_loaded(machine: Machine) -> None:
    machine.accept("a", "b")
    files = ModelKernel(machine.root).files()
    acceptance = boot_store.read(files)
    foreign = dataclasses.replace(acceptance.accepted[0], patch_file={"name": "a", "of": "another version"})
    boot_store.write(files, dataclasses.replace(acceptance, accepted=(foreign, *acceptance.accepted[1:])))
    assert machine.boot() == 1
    assert (machine.enabled, machine.report) == (["b"], {"a": "failed", "b": "enabled"})
    assert any("was written by another version of the collection" in line for line in machine.said)


def test_what_reverting_cannot_bring_back_is_said(machine: Machine) -> None:
    machine.accept("old")
    machine.accept("new", supersedes=["old"])
    (machine.root / boot_store.file_path("old", machine.files["old"].sha256).lstrip("/")).unlink()
    assert machine.boot() == 0
    assert machine.enabled == ["new"]
    assert any(line.startswith("Reverting new will not bring back old") for line in machine.said)


def test_three_unhealthy_boots_load_nothing(machine: Machine) -> None:
    machine.accept("a", "b", "c", "d", "e")
    machine.deadly.update("abcd")
    assert [machine.survives() for _number in range(4)] == [False, False, False, True]
    assert machine.enabled == []
    assert machine.report["e"] == "skipped"
    assert machine.acceptance.is_held
    assert machine.survives()
    assert machine.enabled == []
    assert any("3 boots in a row did not end well" in line for line in machine.said)
    machine.accept("f")
    machine.deadly.clear()
    assert machine.survives()
    assert machine.enabled == ["d", "e", "f"]


def test_switched_off_on_the_command_line(machine: Machine) -> None:
    machine.accept("a")
    machine.write("proc/cmdline", "quiet livepatch=off root=/dev/vda")
    assert machine.boot() == 1
    assert machine.enabled == []
    assert machine.report == {"a": "skipped"}
    machine.write("proc/cmdline", "quiet")
    assert machine.boot() == 0
    assert machine.enabled == ["a"]


def test_started_again_in_the_same_boot(machine: Machine) -> None:
    machine.accept("a")
    machine.boot()
    machine.program.settle()
    machine.accept("b")
    machine.kernel.add_file(machine.files["b"])
    assert machine.program.load() == 0
    assert machine.enabled == ["a"]
    assert boot_store.read_marker(machine.kernel.files()) is None
    assert machine.boot() == 0
    assert machine.enabled == ["a", "b"]


def test_a_file_that_has_changed_on_disk(machine: Machine) -> None:
    machine.accept("a", "b")
    path = boot_store.file_path("a", machine.files["a"].sha256)
    (machine.root / path.lstrip("/")).write_bytes(b"something else")
    assert machine.boot() == 1
    assert machine.enabled == ["b"]
    assert any(line.startswith("a: failed. ") and "its digest differs" in line for line in machine.said)


def test_what_the_kernel_refuses_is_said_and_the_rest_goes_on(machine: Machine) -> None:
    machine.accept("a", "b")
    machine.refused.add("a")
    assert machine.boot() == 1
    assert machine.enabled == ["b"]
    assert machine.report == {"a": "failed", "b": "enabled"}
    assert any(line.startswith("a: failed. Failed to load a (EINVAL)") for line in machine.said)
    assert machine.program.settle() == 0
    assert machine.boot() == 1
    assert machine.quarantined == []


def test_nothing_is_loaded_on_a_host_with_a_cpu_that_does_not_schedule(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patches stay accepted, and one question is enough: each takes ten seconds."""
    machine.accept("a", "b")
    asked: list[int] = []

    def answer(_kernel: MortalKernel) -> CpuAnswers:
        asked.append(1)
        return CpuAnswers((1,), seconds=10.0)

    with monkeypatch.context() as patched:
        patched.setattr(MortalKernel, "ask_cpus", answer)
        assert machine.boot() == 1
    assert (machine.enabled, machine.kernel.calls, len(asked)) == ([], [], 1)
    assert machine.report == {"a": "failed", "b": "skipped"}
    assert any(line.startswith("a: failed. Refused: CPU 1 has run nothing for 10 s") for line in machine.said)
    assert any(line.startswith("b: skipped. The kernel must not be changed any more: CPU 1") for line in machine.said)
    assert machine.program.settle() == 0
    assert machine.boot() == 0
    assert machine.enabled == ["a", "b"]


def test_a_patch_that_locks_up_a_cpu_at_boot_is_not_loaded_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.accept("old")
    machine.accept("a", supersedes=["old"])
    machine.accept("b")
    plain = MortalKernel._call

    def lock_up(kernel: MortalKernel, operation: str, name: str) -> None:
        plain(kernel, operation, name)
        if name == "a":
            kernel.log.coming.append("watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [cat:123]")
            machine.write("proc/sys/kernel/tainted", f"{1 << 14}")

    with monkeypatch.context() as patched:
        patched.setattr(MortalKernel, "_call", lock_up)
        assert machine.boot() == 1
    assert (machine.enabled, machine.report) == (["a"], {"a": "failed", "b": "skipped"})
    machine.write("proc/sys/kernel/tainted", "0")
    assert machine.boot() == 0
    assert sorted(machine.enabled) == ["b", "old"]


def test_a_boot_without_patches_is_not_unhealthy_because_of_them(machine: Machine) -> None:
    machine.accept("a")
    machine.refused.add("a")
    for _number in range(4):
        assert machine.boot() == 1
    assert machine.acceptance.unhealthy_boots == 0


def test_a_marker_that_cannot_be_written(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.accept("a")

    def full(*_arguments: t.Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(boot_store, "write_marker", full)
    assert machine.boot() == 1
    assert machine.enabled == []
    assert any("a: failed. Its marker could not be written" in line for line in machine.said)


def test_what_the_last_boot_has_taught_cannot_be_written(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.accept("a", "b")
    machine.deadly.add("b")
    assert not machine.survives()

    def broken_disk(*_arguments: t.Any) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as now:
        now.setattr(boot_store, "write", broken_disk)
        assert machine.boot() == 1
        machine.program.settle()
        assert machine.enabled == []
        assert machine.report == {"a": "skipped", "b": "skipped"}
        assert any("cannot be kept: [Errno 5] Input/output error" in line for line in machine.said)
    assert machine.boot() == 1
    assert machine.report == {"a": "enabled", "b": "quarantined"}


def test_a_marker_that_stays_as_it_was(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.accept("a", "b")
    write, calls = boot_store.write_marker, []

    def full_after_the_first(*arguments: t.Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(boot_store, "write_marker", full_after_the_first)
    assert machine.boot() == 0
    assert machine.enabled == ["a", "b"]
    assert machine.program.settle() == 0


def test_a_fault_of_the_program_concerns_one_patch(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.accept("a", "b")
    load = ModelKernel.load

    def broken(self: MortalKernel, path: str, sha256: str, parameters: str = "") -> None:
        if sha256 == machine.files["a"].sha256:
            raise ValueError("a fault")
        load(self, path, sha256)

    monkeypatch.setattr(ModelKernel, "load", broken)
    assert machine.boot() == 1
    assert machine.report == {"a": "failed", "b": "enabled"}
    assert any("a: failed." in line and "ValueError: a fault" in line for line in machine.said)
    assert machine.program.settle() == 0


def test_a_damaged_marker_may_have_named_everything(machine: Machine) -> None:
    machine.accept("a")
    machine.boot()
    machine.write("var/lib/openeuler-livepatch/marker", "{")
    assert machine.program.settle() == 1
    assert machine.said[-1] == "/var/lib/openeuler-livepatch/marker cannot be read: damaged."
    assert machine.boot() == 1
    assert machine.enabled == []
    assert machine.quarantined == ["a"]


@pytest.mark.parametrize(
    "text", ["{", '{"format": 2}', '{"format": 1, "accepted": [{"name": "a"}], "quarantined": []}']
)
def test_a_damaged_store_is_said_and_left_as_it_is(machine: Machine, text: str) -> None:
    machine.accept("a")
    machine.write("var/lib/openeuler-livepatch/accepted", text)
    assert machine.boot() == 1
    assert machine.enabled == []
    assert "/var/lib/openeuler-livepatch/accepted cannot be read" in machine.said[0]
    assert (machine.root / "var/lib/openeuler-livepatch/accepted").read_text(encoding="ascii") == text
    assert len(list((machine.root / "var/lib/openeuler-livepatch").glob("*.ko"))) == 1


def test_patches_of_other_tools_are_left_to_them(machine: Machine) -> None:
    machine.accept("a", "b")
    machine.write(f"var/lib/kpatch/{RELEASE}/a.ko", "")
    assert machine.boot() == 1
    assert machine.enabled == ["b"]
    assert any("a: skipped. It is managed by kpatch.service" in line for line in machine.said)


def test_a_warning_while_a_patch_is_loaded_is_not_about_it(machine: Machine) -> None:
    machine.accept("a", "b")
    machine.warns_at = "a"
    assert machine.boot() == 0
    assert machine.enabled == ["a", "b"]


@given(data=st.data())
def test_whatever_happens_the_host_comes_up_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Power cuts at any call of the kernel, and patches that are deadly: no content is loaded after it was deadly."""
    machine = Machine(tmp_path_factory.mktemp("machine"), data.draw(st.sampled_from([PER_TASK, STOP_MACHINE])))
    names = data.draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1))
    machine.accept(*names)
    machine.deadly.update(data.draw(st.sets(st.sampled_from(names))))
    died: set[str] = set()
    for _number in range(data.draw(st.integers(1, 6))):
        survived = machine.survives(data.draw(st.one_of(st.none(), st.integers(0, 6))))
        tried = {call.split()[1] for call in machine.kernel.calls if call.startswith("load ")}
        assert not tried & died
        if not survived:
            died.add(machine.kernel.calls[-1].split()[1])
    while not machine.survives():
        died.add(machine.kernel.calls[-1].split()[1])
        assert len(died) <= len(names)
    assert not died & set(machine.enabled)
    assert [name for name in names if name in machine.enabled] == machine.enabled
    if not machine.acceptance.is_held:
        assert set(machine.enabled) == set(names) - died


# ---- the program ----


def test_the_program_is_packed_the_same_every_time(tmp_path: pathlib.Path) -> None:
    program = pack.pack()
    assert program == pack.pack()
    (tmp_path / "boot.pyz").write_bytes(program)
    with zipfile.ZipFile(tmp_path / "boot.pyz") as archive:
        assert archive.testzip() is None


def test_a_boot_tells_what_it_loaded_and_when_that_was_accepted(machine: Machine) -> None:
    machine.accept("a", "b")
    machine.refused.add("a")
    assert machine.boot() == 1
    results = gather(machine.kernel.files())["boot"]["results"]
    assert [(one["name"], one["outcome"], one["since"]) for one in results] == [
        ("a", "failed", "then"),
        ("b", "enabled", "then"),
    ]


def test_a_boot_that_may_load_nothing_says_so_also_where_nothing_is_due(machine: Machine) -> None:
    machine.write("proc/cmdline", "root=/dev/vda livepatch=off")
    assert machine.boot() == 0
    assert (gather(machine.kernel.files())["boot"]["nothing"], machine.said) == (
        "livepatch=off is on the kernel's command line.",
        [],
    )


def test_what_kept_a_boot_from_loading_is_not_told_when_a_task_has_mended_it(machine: Machine) -> None:
    machine.accept("a")
    held = dataclasses.replace(machine.acceptance_on_disk, unhealthy_boots=UNHEALTHY_BOOTS)
    boot_store.write(Files(str(machine.root)), held)
    machine.boot()
    boot = gather(machine.kernel.files())["boot"]
    assert (boot["held"], "did not end well" in boot["nothing"]) == (True, True)
    machine.accept("a")
    boot = gather(machine.kernel.files())["boot"]
    assert (boot["held"], boot["nothing"], boot["results"]) == (False, None, [])


def test_the_program_tells_of_which_version_it_is(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    assert boot_store.program_version(files) == Absent()
    durable.write(files, boot_store.PROGRAM, pack.pack())
    assert boot_store.program_version(files) == VERSION
    # One that does not tell is an old one; one with a damaged part is none.
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("__main__.py", "whole")
    durable.write(files, boot_store.PROGRAM, content.getvalue())
    assert boot_store.program_version(files) == ""
    durable.write(files, boot_store.PROGRAM, content.getvalue().replace(b"whole", b"holes"))
    assert boot_store.program_version(files) == Unreadable(boot_store.PROGRAM, "damaged")
    durable.write(files, boot_store.PROGRAM, b"PK")
    assert boot_store.program_version(files) == Unreadable(boot_store.PROGRAM, "damaged")


@pytest.mark.parametrize(("version", "old"), [(VERSION, False), ("0.9.9", True), ("", True)])
def test_an_older_program_is_told_of(tmp_path: pathlib.Path, version: str, old: bool) -> None:
    host = ModelHost(tmp_path)
    host.kernel.install_boot_program(version)
    result = host.run("fix", file=patch_file(), boot=AtBoot.ACCEPTED)
    assert (result["boot"], result["state"]) == ("accepted", "enabled")
    assert [finding["reason"] for finding in result["findings"]] == (["old_boot_program"] if old else [])
    facts = gather(host.kernel.files())["boot"]
    assert (facts["installed"], facts["version"], facts["outdated"]) == (True, version, old)


IMPORT_LATE = f"""
import sys
sys.path.insert(0, sys.argv[1])
import {pack.PACKAGE}._manage.change, {pack.PACKAGE}._observe.conditions
print("load what is accepted for the running kernel")
"""


@pytest.mark.parametrize("arguments", [["PROGRAM", "--help"], ["-c", IMPORT_LATE, "PROGRAM"]])
def test_the_program_needs_nothing_but_the_standard_library(tmp_path: pathlib.Path, arguments: list[str]) -> None:
    (tmp_path / "boot.pyz").write_bytes(pack.pack())
    program = str(tmp_path / "boot.pyz")
    done = subprocess.run(
        [sys.executable, "-I", "-S", *(program if it == "PROGRAM" else it for it in arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.defpath},
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    assert b"load what is accepted for the running kernel" in done.stdout


@pytest.fixture(name="program")
def fixture_program(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Machine]:
    """A machine whose kernel is the one that the program finds, after a boot that has loaded a patch."""
    machine.accept("a")
    machine.boot()
    monkeypatch.setattr(program, "Kernel", lambda: machine.kernel)
    before = signal.getsignal(signal.SIGTERM)
    yield machine
    signal.signal(signal.SIGTERM, before)


def test_the_program_loads_and_says_so(program: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (program.root / "run/openeuler-livepatch/boot").unlink()
    assert boot_main(["load"]) == 0
    assert capsys.readouterr().out == "openeuler-livepatch: a: enabled\n"


def test_the_program_says_that_the_boot_was_healthy(program: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    begin = time.monotonic()
    assert boot_main(["healthy", "--after", "0.2"]) == 0
    assert time.monotonic() - begin >= 0.2
    assert capsys.readouterr().out == (
        "openeuler-livepatch: The host is healthy with the patches that were loaded at boot.\n"
    )
    assert boot_store.read_marker(program.kernel.files()) is None


def test_a_clean_shutdown_does_not_wait_and_counts_as_healthy(program: Machine) -> None:
    begin = time.monotonic()
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGTERM]).start()
    assert boot_main(["healthy", "--after", "60"]) == 0
    assert time.monotonic() - begin < 30
    assert boot_store.read_marker(program.kernel.files()) is None


def test_an_unhealthy_boot_is_the_programs_status(program: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    program.write("proc/sys/kernel/tainted", str(1 << 7))
    assert boot_main(["healthy"]) == 1
    assert "The kernel has had an oops" in capsys.readouterr().out


def test_what_the_system_refuses_is_said_without_a_traceback(
    program: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refuse)
    assert boot_main(["healthy"]) == 1
    assert capsys.readouterr().out == "openeuler-livepatch: [Errno 30] Read-only file system\n"


@pytest.mark.parametrize(("arguments", "seconds"), [([], 0), (["--after", "90"], 90)])
def test_the_boot_is_judged_after_as_long_as_was_asked_for(
    program: Machine, monkeypatch: pytest.MonkeyPatch, arguments: list[str], seconds: float
) -> None:
    waits: list[float | None] = []
    monkeypatch.setattr(threading.Event, "wait", lambda _event, timeout=None: waits.append(timeout))
    assert boot_main(["healthy", *arguments]) == 0
    assert waits == [seconds]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["--help"],
            [
                "usage: openeuler-livepatch [-h] COMMAND ...",
                "Loads accepted live patches at boot.",
                "load load what is accepted for the running kernel",
                "healthy say that the boot was healthy, if it was",
            ],
        ),
        (
            ["healthy", "--help"],
            [
                "usage: openeuler-livepatch healthy [-h] [--after SECONDS]",
                "--after SECONDS how long to wait before",
            ],
        ),
    ],
)
def test_the_program_helps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], lines: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        boot_main(arguments)
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line not in shown] == []


@pytest.mark.parametrize("arguments", [[], ["reload"]])
def test_the_program_wants_one_of_its_commands(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        boot_main(arguments)
    assert ended.value.code == 2
