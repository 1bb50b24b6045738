# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boots of a host, on the model of a kernel: also those that end too early."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t
import zipfile

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot import commands, pack, program
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.commands import main as boot_main
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.program import Boot
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CpuAnswers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import AtBoot, State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.version import VERSION
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.boot import Marker
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable, programs
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    ModelKernel,
    acceptance_of,
    content_of,
    note_build_id,
    patch_file,
)
from hypothesis import given
from hypothesis import strategies as st


class Clock:
    """How long the machine that is tested has been up."""

    seconds = 5.0


@pytest.fixture(autouse=True, scope="module")
def fixture_no_fsync() -> t.Iterator[None]:
    """Nobody cuts the power of the machine that the tests run on, and its clock is not that of the one tested."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _descriptor: None)
        patched.setattr(program, "seconds_since_boot", lambda: Clock.seconds)
        yield


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
        self.shows_boot_id = True
        self.write("proc/cmdline", "root=/dev/vda")
        self.write("proc/sys/kernel/osrelease", RELEASE)
        self.write("proc/sys/kernel/tainted", "0")
        self.is_up_for(5)
        self.files: dict[str, PatchFile] = {}
        self.build_id = b""

    @property
    def acceptance_on_disk(self) -> Acceptance:
        return acceptance_of(Files(str(self.root)))

    @property
    def marker(self) -> Marker:
        marker = boot_store.read_marker(Files(str(self.root)))
        assert isinstance(marker, Marker)
        return marker

    def is_up_for(self, seconds: float) -> None:
        Clock.seconds = seconds

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="ascii")

    def hide_boot_id(self) -> None:
        (self.root / "proc/sys/kernel/random/boot_id").unlink()

    def accept(self, *names: str, release: str = RELEASE, supersedes: t.Sequence[str] = (), **changes: t.Any) -> None:
        """Accept patches in this order, as livepatch_module does."""
        files = ModelKernel(self.root).files()
        acceptance = acceptance_of(files)
        boot_store.reserve_marker(files)
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
        if not self.shows_boot_id:
            self.hide_boot_id()
        if self.build_id:
            note_build_id(self.root, self.build_id)
        self.kernel = MortalKernel(self, cut_at)
        for file in self.files.values():
            self.kernel.add_file(file)
            (self.root / "sys/module" / file.name).mkdir(parents=True)
        self.said = []
        self.is_up_for(5)
        self.program = Boot(lambda: self.kernel, self.said.append)
        return self.program.load()

    def survives(self, cut_at: int | None = None) -> bool:
        """Whether a boot gets through its hour."""
        try:
            self.boot(cut_at)
        except PowerCut:
            return False
        self.is_up_for(3600)
        self.program.settle(3600)
        return True

    def goes_down(self, after: float = 61) -> None:
        """Boot, and have the power cut so many seconds later, without a clean shutdown."""
        self.boot()
        self.is_up_for(after)
        self.program.settle(3600)

    @property
    def enabled(self) -> list[str]:
        return [patch.name for patch in self.kernel.patches if patch.enabled]

    @property
    def acceptance(self) -> Acceptance:
        return acceptance_of(self.kernel.files())

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

    def snapshot(self) -> Snapshot:
        release = (self.machine.root / "proc/sys/kernel/osrelease").read_text(encoding="ascii")
        return dataclasses.replace(super().snapshot(), release=release)

    def _call(self, operation: str, name: str) -> None:
        super()._call(operation, name)
        if not self.is_booting:
            return
        if name == self.machine.warns_at:
            self.log.coming.append("WARNING: CPU: 1 PID: 99 at drivers/some/driver.c:1 probe+0x1/0x2")
        marker = self.machine.marker
        assert marker.loads and marker.boot_id == f"boot {self.machine.boots}", "the marker comes before the patch"
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
    assert machine.marker == Marker("boot 1", RELEASE, loads=True)
    assert machine.program.settle() == 0
    assert machine.marker == Marker("boot 1", RELEASE)


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


# ---- boots that end too early ----


def test_the_first_unclean_end_counts_the_second_takes_the_newest_out_the_third_all(machine: Machine) -> None:
    machine.accept("a", "newest", "c")
    acceptance = machine.acceptance_on_disk.without("newest", restore=False)
    (newest,) = (one for one in machine.acceptance_on_disk.accepted if one.name == "newest")
    again = acceptance.with_accepted(dataclasses.replace(newest, number=0), [], ["a", "newest", "c"])
    boot_store.write(Files(str(machine.root)), again)
    machine.goes_down()
    machine.goes_down()
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["a", "newest", "c"], [], 1)
    machine.goes_down()
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["a", "c"], ["newest"], 2)
    assert machine.report == {"a": "enabled", "newest": "quarantined", "c": "enabled"}
    assert machine.acceptance.quarantined[0].why == "The host went down within an hour of a boot, 2 times in a row."
    assert machine.boot() == 1
    assert (machine.enabled, machine.marker.unclean_ends) == ([], 3)
    assert sorted(machine.quarantined) == ["a", "c", "newest"]
    assert machine.said[0] == "The last boot had no clean end within an hour; that makes 3 in a row."
    assert gather(machine.kernel.files())["boot"]["unclean_ends"] == 3


def test_a_patch_that_panics_a_minute_after_the_boot_is_not_loaded_for_ever(machine: Machine) -> None:
    """It was in 20 of 20 boots, as long as a boot was on trial for a minute."""
    machine.accept("panics")
    loaded = []
    for _number in range(20):
        machine.boot()
        loaded.append(machine.enabled)
        if not machine.enabled:
            break
        machine.is_up_for(61)
        machine.program.settle(3600)
    assert loaded == [["panics"], ["panics"], []]


def test_one_power_cut_takes_no_fix_out(machine: Machine) -> None:
    machine.accept("a", "b")
    machine.goes_down(30)
    assert machine.boot() == 0
    assert (machine.enabled, machine.quarantined) == (["a", "b"], [])


def ends_well(machine: Machine, how: str) -> None:
    if how == "hour":
        machine.is_up_for(3600)
        machine.program.settle(3600)
    else:
        machine.program.settle()


@pytest.mark.parametrize("how", ["shutdown", "hour"])
def test_a_clean_shutdown_or_an_hour_up_sets_the_count_back(machine: Machine, how: str) -> None:
    machine.accept("a")
    machine.goes_down()
    machine.boot()
    assert (machine.marker.unclean_ends, machine.marker.loads) == (1, True)
    ends_well(machine, how)
    assert machine.marker == Marker(f"boot {machine.boots}", RELEASE)
    machine.goes_down()
    machine.boot()
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["a"], [], 1)


FALLBACK = "6.1.0-fallback"


@pytest.mark.parametrize("how", ["shutdown", "hour"])
@pytest.mark.parametrize("between", ["livepatch=off", "another kernel", "another kernel with patches"])
def test_a_boot_that_has_not_loaded_them_acquits_no_patches(machine: Machine, between: str, how: str) -> None:
    """A boot loader that falls back to another kernel would let the host panic in every other boot, for ever."""
    machine.accept("deadly")
    if "with patches" in between:
        machine.accept("b", release=FALLBACK)
    machine.deadly.add("deadly")
    outcomes = []
    for _number in range(3):
        outcomes.append(machine.survives())
        if between == "livepatch=off":
            machine.write("proc/cmdline", between)
        else:
            machine.write("proc/sys/kernel/osrelease", FALLBACK)
        machine.boot()
        assert machine.enabled == (["b"] if "with patches" in between else [])
        assert gather(machine.kernel.files())["boot"]["unclean_ends"] == len(outcomes) % 3
        ends_well(machine, how)
        machine.write("proc/cmdline", "")
        machine.write("proc/sys/kernel/osrelease", RELEASE)
    assert (outcomes, machine.quarantined) == ([False, False, True], ["deadly"])


def test_the_ends_of_one_kernel_do_not_count_for_another(machine: Machine) -> None:
    machine.accept("a")
    machine.accept("b", release=FALLBACK)
    machine.goes_down()
    machine.write("proc/sys/kernel/osrelease", FALLBACK)
    machine.goes_down()
    assert machine.marker.unclean_ends == 0
    machine.boot()
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["b"], [], 1)
    assert machine.said[0] == "The last boot had no clean end within an hour; that makes 1 in a row."


def test_where_nothing_is_accepted_any_more_the_count_begins_anew(machine: Machine) -> None:
    machine.accept("a")
    machine.goes_down()
    boot_store.write(Files(str(machine.root)), machine.acceptance_on_disk.without("a", restore=False))
    machine.boot()
    machine.program.settle()
    machine.accept("b")
    machine.goes_down()
    machine.boot()
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["b"], [], 1)


def test_the_marker_has_one_sector(tmp_path: pathlib.Path) -> None:
    """So it is on disk as a whole or not at all. A release has 64 characters at most (include/uapi/linux/utsname.h)."""
    files, release, build_id = Files(str(tmp_path)), "r" * 64, "b" * 40
    others = tuple(boot_store.Count(release, build_id, 99) for _number in range(program.MOST_OTHERS))
    boot_store.write_marker(files, Marker("i" * 36, release, build_id, False, 99, False, others))
    assert (tmp_path / boot_store.MARKER.lstrip("/")).stat().st_size == boot_store.MARKER_BYTES


def test_a_boot_that_loads_nothing_does_not_count(machine: Machine) -> None:
    machine.accept("a")
    machine.goes_down()
    machine.write("proc/cmdline", "livepatch=off")
    for _number in range(5):
        machine.goes_down()
    machine.write("proc/cmdline", "")
    machine.boot()
    assert (machine.enabled, machine.marker.unclean_ends) == (["a"], 1)


def test_an_end_after_more_than_an_hour_is_no_unclean_one(machine: Machine) -> None:
    machine.accept("a")
    for _number in range(5):
        machine.goes_down(3600)
    assert (machine.boot(), machine.enabled, machine.marker.unclean_ends) == (0, ["a"], 0)


def test_what_is_accepted_after_all_were_put_into_quarantine_begins_anew(machine: Machine) -> None:
    machine.accept("a")
    for _number in range(4):
        machine.goes_down()
    assert (machine.enabled, machine.quarantined) == ([], ["a"])
    machine.accept("b")
    machine.goes_down()
    machine.boot()
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["b"], ["a"], 1)


def test_what_was_accepted_within_the_hour_is_the_newest(machine: Machine) -> None:
    machine.accept("a")
    machine.goes_down()
    machine.boot()
    machine.accept("b")
    machine.boot()
    assert (machine.enabled, machine.quarantined) == (["a"], ["b"])


def test_a_clock_that_jumps_ends_no_trial_and_makes_nothing_new(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wall clocks that are far off at boot, and are set while the host is on trial."""
    machine.accept("a", "b")
    for year in ("1970", "2106", "2026"):
        monkeypatch.setattr(program, "time_now", lambda year=year: f"{year}-01-01T00:00:00Z")
        machine.boot()
        machine.is_up_for(61)
        machine.program.settle(3600)
        assert machine.marker.loads
        assert machine.said[-1] == "The host has been up for 61 s: it is on trial until it has been for 3600 s."
    assert (machine.enabled, machine.quarantined) == (["a"], ["b"])


def test_a_patch_that_changes_how_uptime_is_shown_does_not_keep_the_host_on_trial(machine: Machine) -> None:
    machine.accept("a")
    machine.boot()
    machine.write("proc/uptime", "deadly\n")
    machine.is_up_for(3600)
    assert machine.program.settle(3600) == 0
    assert not machine.marker.loads


def test_the_kernel_that_saves_a_dump_loads_nothing_and_does_not_count(machine: Machine) -> None:
    """kdump: the crashed kernel's boot is judged by the next one, once."""
    machine.accept("a")
    machine.boot()
    before = machine.marker
    machine.write("proc/vmcore", "")
    assert machine.boot() == 0
    assert (machine.enabled, machine.marker, machine.kernel.calls) == ([], before, [])
    assert "saves the dump" in machine.said[0]
    assert (machine.program.settle(), machine.marker) == (0, before)
    (machine.root / "proc/vmcore").unlink()
    machine.boot()
    assert (machine.enabled, machine.marker.unclean_ends) == (["a"], 1)


def test_the_kernel_that_saves_a_dump_writes_nothing(machine: Machine) -> None:
    """Its disk may be full or read-only, and it has been up for hours when the dump is large."""
    machine.accept("a")
    machine.boot()
    machine.write("proc/vmcore", "")
    with pytest.MonkeyPatch.context() as patched:
        fault = Fault(patched, 0, errno.EROFS)
        assert machine.boot() == 0
        machine.is_up_for(7200)
        assert machine.program.settle(3600) == 0
    assert not fault.is_met
    assert not list((machine.root / "run").glob("*"))


def test_panics_with_dumps_count_as_those_without(machine: Machine) -> None:
    machine.accept("a", "panics")
    for _number in range(2):
        machine.goes_down()
        machine.write("proc/vmcore", "")
        machine.boot()
        (machine.root / "proc/vmcore").unlink()
    assert machine.boot() == 1
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["a"], ["panics"], 2)


@pytest.mark.parametrize("ends_well", ["shutdown", "hour"])
def test_an_oops_that_leaves_the_host_up_is_no_unclean_end(machine: Machine, ends_well: str) -> None:
    """What counts is how a boot ends. Trouble of a kernel that goes on is told by the facts, and by tasks."""
    machine.accept("a")
    for _number in range(4):
        machine.boot()
        # D: the kernel has died recently; W: it has warned.
        machine.write("proc/sys/kernel/tainted", str(1 << 7 | 1 << 9))
        machine.is_up_for(3600 if ends_well == "hour" else 60)
        machine.program.settle(3600 if ends_well == "hour" else 0)
        assert not machine.marker.loads
        machine.write("proc/sys/kernel/tainted", "0")
    machine.boot()
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["a"], [], 0)


@pytest.mark.parametrize("in_order", [False, True])
def test_kexec_counts_as_unclean_only_past_the_shutdown(machine: Machine, in_order: bool) -> None:
    """`systemctl kexec` shuts down, `kexec -e` does not; the other kernel has another boot ID."""
    machine.accept("a")
    machine.boot()
    if in_order:
        machine.program.settle()
    machine.boot()
    assert machine.marker.unclean_ends == (0 if in_order else 1)


def test_another_boot_is_judged_by_a_boot_alone(machine: Machine) -> None:
    machine.accept("a")
    machine.boot()
    machine.write("proc/sys/kernel/random/boot_id", "boot 2, of another service manager")
    before = machine.marker
    assert Boot(lambda: machine.kernel, machine.said.append).settle() == 0
    assert machine.marker == before


def test_a_boot_that_nobody_can_tell_from_another_one_loads_nothing(machine: Machine) -> None:
    """Each would have the number of the last one, and would be taken for its end: none would ever count as unclean."""
    machine.accept("a")
    machine.shows_boot_id = False
    for _boot in range(2):
        assert (machine.boot(), machine.enabled) == (1, [])
        assert "Nothing is loaded: Nobody can tell this boot from another one: " in "".join(machine.said)
        assert machine.program.settle() == 1
    machine.shows_boot_id = True
    assert (machine.boot(), machine.enabled, machine.marker.unclean_ends) == (0, ["a"], 0)


def test_a_boot_whose_number_cannot_be_read_any_more_is_not_settled_in_silence(machine: Machine) -> None:
    machine.accept("a")
    machine.boot()
    machine.hide_boot_id()
    assert Boot(lambda: machine.kernel, machine.said.append).settle() == 1
    assert "boot_id cannot be read" in machine.said[-1]
    assert machine.marker.loads


class BrokenDisk:
    """A disk on which nothing new can be written, with this errno; on one that is full, old blocks can."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.open = os.open
        self.number = number
        monkeypatch.setattr(os, "open", self._open)

    def _open(self, path: t.Any, flags: int, *rest: t.Any, **more: t.Any) -> int:
        is_written = flags & (os.O_WRONLY | os.O_RDWR)
        is_kept = self.number == errno.ENOSPC and not flags & os.O_CREAT
        if is_written and not is_kept and "/var/" in os.fspath(path):
            raise OSError(self.number, os.strerror(self.number))
        return self.open(path, flags, *rest, **more)


def test_a_full_disk_costs_no_fix_and_no_count(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.accept("a", "b")
    with monkeypatch.context() as patched:
        BrokenDisk(patched, errno.ENOSPC)
        machine.goes_down()
        assert machine.boot() == 0
        assert (machine.enabled, machine.marker.unclean_ends) == (["a", "b"], 1)
        assert machine.program.settle() == 0
        assert machine.marker.unclean_ends == 0


def test_what_cannot_be_put_into_quarantine_on_a_full_disk_is_not_loaded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.accept("a", "b")
    machine.goes_down()
    machine.goes_down()
    before = machine.marker
    for _number in range(3):
        with monkeypatch.context() as patched:
            BrokenDisk(patched, errno.ENOSPC)
            assert machine.boot() == 1
            machine.program.settle()
        assert (machine.enabled, machine.quarantined, machine.marker) == ([], [], before)
        assert "cannot be noted on disk" in machine.said[-1]
    assert machine.boot() == 1
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["a"], ["b"], 2)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO])
def test_on_a_disk_that_takes_no_marker_nothing_is_loaded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A read-only root: a patch that the host does not survive would be loaded for ever."""
    machine.accept("a")
    with monkeypatch.context() as patched:
        BrokenDisk(patched, number)
        assert machine.boot() == 1
        assert (machine.enabled, machine.report) == ([], {"a": "skipped"})
        assert os.strerror(number) in machine.said[-1]
        assert machine.program.settle() == 0
    assert machine.boot() == 0
    assert (machine.enabled, machine.marker.unclean_ends) == (["a"], 0)
    with monkeypatch.context() as patched:
        BrokenDisk(patched, number)
        patched.setattr(commands, "Kernel", lambda: machine.kernel)
        patched.setattr(commands, "is_shutting_down", lambda: True)
        assert boot_main(["shutdown"]) == 1
    assert os.strerror(number) in capsys.readouterr().out
    assert machine.marker.loads


def test_a_patch_that_the_host_does_not_survive(machine: Machine) -> None:
    machine.accept("a", "b", "bad")
    machine.deadly.add("bad")
    assert [machine.survives() for _number in range(3)] == [False, False, True]
    assert machine.enabled == ["a", "b"]
    assert machine.report == {"a": "enabled", "b": "enabled", "bad": "quarantined"}
    assert any(line.startswith("bad: quarantined. The host went down within an hour") for line in machine.said)
    assert machine.survives()
    assert (machine.marker.unclean_ends, machine.quarantined) == (0, ["bad"])


def test_whichever_it_is_the_host_comes_up_at_the_fourth_boot(machine: Machine) -> None:
    machine.accept("bad", "b")
    machine.deadly.add("bad")
    assert [machine.survives() for _number in range(4)] == [False, False, False, True]
    assert (machine.enabled, sorted(machine.quarantined)) == ([], ["b", "bad"])


def test_what_a_patch_in_quarantine_superseded_stays_out_and_is_named(machine: Machine) -> None:
    machine.accept("old")
    machine.accept("bad", supersedes=["old"])
    machine.deadly.add("bad")
    assert [machine.survives() for _number in range(3)] == [False, False, True]
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


def test_what_was_on_trial_before_the_boot_is_not_taken_for_nothing(machine: Machine) -> None:
    """What the patch had taken the place of then is not known, unless it was accepted."""
    machine.accept("new")
    assert machine.survives()
    machine.kernel.is_booting = False
    result = manage(Task(Wanted("new", State.REVERTED), None), machine.kernel)
    (told,) = [finding for finding in result["findings"] if finding["reason"] == "fix_lost"]
    assert (told["severity"], "Nothing is remembered that new took the place of." in told["cause"]) == ("warn", True)


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


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_a_program_that_was_cut_off_and_starts_again_in_the_same_boot_blames_nothing(
    machine: Machine, names: list[str]
) -> None:
    """Nor that the first one is covered by the second one by now, as it was when it was accepted."""
    machine.accept(*names)
    machine.boot()
    (machine.root / "run/openeuler-livepatch/boot").unlink()
    assert machine.program.load() == 0
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (names, [], 0)


def test_what_another_version_of_the_collection_has_kept_is_not_loaded(machine: Machine) -> None:
    machine.accept("a", "b")
    files = ModelKernel(machine.root).files()
    acceptance = acceptance_of(files)
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
    assert not machine.marker.loads
    assert machine.boot() == 0
    assert machine.enabled == ["a", "b"]


def start_again(machine: Machine) -> int:
    machine.said.clear()
    return machine.program.load()


def test_started_again_after_the_kernel_has_refused_a_patch(machine: Machine) -> None:
    """That the unit is green then would say that the fix is live."""
    machine.accept("a", "b")
    machine.refused.add("a")
    assert machine.boot() == 1
    machine.refused.clear()
    assert start_again(machine) == 1
    assert machine.enabled == ["b"]
    assert machine.said[0].startswith("a: failed. ") and "A boot tries once." in machine.said[-1]


def test_started_again_after_the_disk_could_not_be_written(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.accept("a")
    with monkeypatch.context() as broken:
        BrokenDisk(broken, errno.EROFS)
        assert machine.boot() == 1
    assert start_again(machine) == 1
    assert machine.said[0].startswith("This boot has loaded nothing: That this boot loads patches cannot be noted")
    assert machine.said[1].startswith("a: skipped. ")


def test_started_again_after_the_store_was_mended(machine: Machine) -> None:
    machine.accept("a")
    path = machine.root / "var/lib/openeuler-livepatch/accepted"
    text = path.read_text(encoding="ascii")
    path.write_text("{", encoding="ascii")
    assert machine.boot() == 1
    path.write_text(text, encoding="ascii")
    assert (start_again(machine), machine.enabled) == (1, [])


def test_started_again_where_nothing_was_to_be_loaded(machine: Machine) -> None:
    machine.write("proc/cmdline", "root=/dev/vda livepatch=off")
    assert (machine.boot(), start_again(machine)) == (0, 0)
    assert machine.said[0] == "This boot has loaded nothing: livepatch=off is on the kernel's command line."


def test_a_marker_that_cannot_be_read_keeps_all_patches_out(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each boot would count anew, and a patch that takes the host down would be loaded for ever."""
    machine.accept("a")
    machine.boot()
    monkeypatch.setattr(boot_store, "read_marker", lambda _files: Unreadable("/marker", "EIO"))
    assert (machine.boot(), machine.enabled) == (1, [])
    assert "/marker cannot be read (EIO)" in machine.said[0]


def test_a_record_that_no_boot_can_read_is_a_flaw(machine: Machine) -> None:
    """As after another version of the collection: the file of the patch is whole."""
    machine.accept("a")
    path = machine.root / "var/lib/openeuler-livepatch/accepted"
    data = json.loads(path.read_text(encoding="ascii"))
    data["accepted"][0]["patch_file"]["new"] = True
    path.write_text(json.dumps(data), encoding="ascii")
    assert machine.boot() == 1
    (accepted,) = gather(machine.kernel.files())["boot"]["accepted"]
    assert accepted["flaw"] == "The record of a was written by another version of the collection."


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


@pytest.mark.parametrize("text", ["{", "", '{"format": 2}', '{"boot_id": "1", "loads": true}'])
def test_a_damaged_marker_counts_once_and_takes_nothing_out(machine: Machine, text: str) -> None:
    machine.accept("a")
    machine.boot()
    machine.write("var/lib/openeuler-livepatch/marker", text)
    assert machine.boot() == 0
    assert (machine.enabled, machine.quarantined, machine.marker.unclean_ends) == (["a"], [], 1)
    machine.write("var/lib/openeuler-livepatch/marker", text)
    assert machine.program.settle() == 0
    assert machine.marker == Marker(f"boot {machine.boots}", RELEASE)


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
    """Power cuts at any call of the kernel, deadly patches, clean ends: four boots in a row, and one gets through."""
    machine = Machine(tmp_path_factory.mktemp("machine"), data.draw(st.sampled_from([PER_TASK, STOP_MACHINE])))
    names = data.draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1))
    machine.accept(*names)
    machine.deadly.update(data.draw(st.sets(st.sampled_from(names))))
    in_a_row = 0
    for cut_at in data.draw(st.lists(st.one_of(st.none(), st.integers(0, 6)), max_size=4)):
        went_well = machine.survives(cut_at)
        in_a_row = 0 if went_well else in_a_row + 1
        assert in_a_row <= 3
        assert [name for name in names if name in machine.enabled] == machine.enabled
        assert not went_well or not machine.deadly.intersection(machine.enabled)
        if not machine.deadly and cut_at is None:
            assert in_a_row == 0
    assert any(machine.survives() for _number in range(4))


@given(data=st.data())
def test_wherever_a_boot_is_cut_off_the_next_one_knows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut off before any write to disk, or with the disk full or broken from there on: the host keeps its fixes, and
    no more is in quarantine than the boots that ended so."""
    machine = Machine(tmp_path_factory.mktemp("machine"), data.draw(st.sampled_from([PER_TASK, STOP_MACHINE])))
    machine.accept("a", "b", "c")
    faults = st.tuples(st.integers(0, 12), st.sampled_from([None, errno.ENOSPC, errno.EIO, errno.EROFS]))
    for number, trouble in data.draw(st.lists(faults, min_size=1, max_size=2)):
        with pytest.MonkeyPatch.context() as patched:
            Fault(patched, number, trouble)
            with contextlib.suppress(PowerCut, OSError):
                machine.boot()
        files = Files(str(machine.root))
        assert isinstance(boot_store.read(files), Acceptance)
        assert files.unreadable == []
        assert sorted(path.name[0] for path in (machine.root / "var/lib/openeuler-livepatch").glob("*.ko")) == list(
            "abc"
        )
    machine.boot()
    assert machine.enabled in (["a", "b", "c"], ["a", "b"])
    assert machine.marker.unclean_ends <= 2
    assert machine.program.settle() == 0
    assert machine.boot() == (0 if machine.enabled == ["a", "b", "c"] else 1)


ENABLED_AFTER = [["a", "b", "c"], ["a", "b", "c"], ["a", "b"], []]
"""What a boot loads, by the number of unclean ends in a row before it."""


@pytest.mark.no_cover
@pytest.mark.parametrize("ends", [0, 1, 2])
@pytest.mark.parametrize("trouble", [None, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_at_each_write_of_a_boot_to_its_disk(machine: Machine, ends: int, trouble: int | None) -> None:
    """The next boot knows whether this one was to load patches, and counts it then, and only then."""
    for number in itertools.count():
        shutil.rmtree(machine.root / "var", ignore_errors=True)
        machine.accept("a", "b", "c")
        for _number in range(ends):
            machine.goes_down()
        with pytest.MonkeyPatch.context() as patched:
            fault = Fault(patched, number, trouble, boot_store.DIRECTORY)
            with contextlib.suppress(PowerCut):
                machine.boot()
        was_to_load = machine.marker.loads and machine.marker.boot_id == f"boot {machine.boots}"
        assert machine.enabled == ([] if fault.is_met else ENABLED_AFTER[ends])
        assert was_to_load or not machine.enabled
        expected = ENABLED_AFTER[ends + was_to_load]
        assert machine.boot() == (0 if len(expected) == 3 else 1)
        assert (machine.enabled, machine.marker.unclean_ends) == (expected, ends + was_to_load)
        if not fault.is_met:
            break
    assert number


class Fault:
    """Ends the machine, or fails from then on, at the write to the host's files `below` a place with this number."""

    def __init__(self, patched: pytest.MonkeyPatch, number: int, trouble: int | None, below: str = "") -> None:
        self.left = number
        self.below = below
        self.is_met = False
        self.trouble = trouble
        for name in ("write", "overwrite", "sync_directory", "make_directory"):
            patched.setattr(durable, name, self._counted(getattr(durable, name)))

    def _counted(self, call: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def counted(*arguments: t.Any, **keywords: t.Any) -> t.Any:
            is_there = any(self.below in str(argument) for argument in arguments)
            if self.left > 0 or not is_there:
                self.left -= is_there
                return call(*arguments, **keywords)
            self.is_met = True
            if self.trouble is None:
                raise PowerCut
            raise OSError(self.trouble, os.strerror(self.trouble))

        return counted


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


def test_what_kept_a_boot_from_loading_is_not_told_when_somebody_has_mended_it(machine: Machine) -> None:
    machine.accept("a")
    path = machine.root / "var/lib/openeuler-livepatch/accepted"
    text = path.read_text(encoding="ascii")
    path.write_text("{", encoding="ascii")
    machine.boot()
    assert "cannot be read" in gather(machine.kernel.files())["boot"]["nothing"]
    path.write_text(text, encoding="ascii")
    boot = gather(machine.kernel.files())["boot"]
    assert (boot["nothing"], boot["results"]) == (None, [])


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
def fixture_program(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose kernel is the one that the program finds, after a boot that has loaded a patch."""
    machine.accept("a")
    machine.boot()
    monkeypatch.setattr(commands, "Kernel", lambda: machine.kernel)
    return machine


def test_the_program_loads_and_says_so(program: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (program.root / "run/openeuler-livepatch/boot").unlink()
    assert boot_main(["load"]) == 0
    assert capsys.readouterr().out == "openeuler-livepatch: a: enabled\n"


@pytest.mark.parametrize("name", ["a", "a\ud800", "a\x1b[2J"])
def test_what_is_said_stops_no_loading(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads it any more, the disk is full, or it is no text that the console takes."""
    with open("/dev/full", "w", encoding="utf-8", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        commands._say(f"{name}: enabled")
        with contextlib.suppress(OSError):
            full.close()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    commands._say(f"{name}: enabled")
    sys.stdout.flush()
    said = sys.stdout.buffer.getvalue()
    assert said.startswith(b"openeuler-livepatch: a") and b"\x1b" not in said


@pytest.mark.parametrize(
    ("arguments", "uptime", "ends"),
    [([], 3599, False), ([], 3600, True), (["--after", "7"], 6, False), (["--after", "7"], 7, True)],
)
def test_the_trial_ends_after_an_hour_or_as_long_as_was_asked_for(
    program: Machine, arguments: list[str], uptime: float, ends: bool
) -> None:
    program.is_up_for(uptime)
    assert boot_main(["healthy", *arguments]) == 0
    assert program.marker.loads is not ends


@pytest.mark.parametrize(
    ("printed", "is_one"),
    [("stopping", True), ("running", False), ("degraded", False), ("starting", False), ("offline", True), ("", True)],
)
def test_a_unit_that_is_stopped_by_hand_is_no_shutdown(
    program: Machine, monkeypatch: pytest.MonkeyPatch, printed: str, is_one: bool
) -> None:
    start = programs.start
    monkeypatch.setattr(
        programs, "start", lambda _command, *more, **options: start(["echo", printed], *more, **options)
    )
    assert boot_main(["shutdown"]) == 0
    assert program.marker.loads is not is_one


def test_where_no_service_manager_tells_whoever_says_shutdown_is_believed(
    program: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_arguments: object, **_options: object) -> t.NoReturn:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(programs, "start", missing)
    assert boot_main(["shutdown"]) == 0
    assert not program.marker.loads


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            ["--help"],
            [
                "usage: openeuler-livepatch [-h] COMMAND ...",
                "Loads accepted live patches at boot.",
                "load load what is accepted for the running kernel",
                "healthy note that the host has been up for long enough, if it has",
                "shutdown note that the host shuts down in order, if it does",
            ],
        ),
        (
            ["healthy", "--help"],
            [
                "usage: openeuler-livepatch healthy [-h] [--after SECONDS]",
                "--after SECONDS how long is enough",
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
