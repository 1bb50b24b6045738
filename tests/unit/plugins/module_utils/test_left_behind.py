# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs that stall, fail or are cut off leave behind, on the model: the next run can go on with it."""

from __future__ import annotations

import dataclasses
import errno
import os
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    OnCovered,
    OnStall,
    Patience,
    Probe,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Identity,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    ModelKernel,
    loaded,
    patch_file,
    said,
)

F, G, H = (Function("vmlinux", name) for name in "fgh")
REPORTING, FORCING = (Patience(1, 2, 0.1, on_stall) for on_stall in (OnStall.REPORT, OnStall.FORCE))


class Cut(BaseException):
    """The run is gone."""


class SysfsKernel(ModelKernel):
    """The model with /sys/module, whose directories have new inodes when modules come again.

    The run is gone after the call `last`. Without `marks` the kernel shows neither build-id nor srcversion.
    """

    last: str | None = None
    marks = True

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        super().load(path, sha256, parameters)
        pathlib.Path(self.root, "sys/module", self.known_files[sha256].name).mkdir(parents=True, exist_ok=True)

    def unload(self, name: str) -> None:
        super().unload(name)
        directory = pathlib.Path(self.root, "sys/module", name)
        directory.rename(directory.with_name(f"{name} {len(self.calls)}"))
        if self.last == f"unload {name}":
            self.last = None
            raise Cut

    def end_transitions(self) -> None:
        self.stall = set()
        self.patches = [dataclasses.replace(patch, in_transition=False) for patch in self.patches]

    def snapshot(self) -> Snapshot:
        snapshot = super().snapshot()
        return (
            snapshot if self.marks else dataclasses.replace(snapshot, patches=tuple(map(self._unmarked, self.patches)))
        )

    def _unmarked(self, patch: LoadedPatch) -> LoadedPatch:
        return dataclasses.replace(patch, identity=Identity())


class Host(ModelHost):
    """The model of a host with such a kernel."""

    kind = SysfsKernel
    kernel: SysfsKernel

    def will_fail(self, operation: str, number: int) -> None:
        self.kernel.calls.clear()
        self.kernel.fail_at = (operation, number)

    @property
    def copies(self) -> list[str]:
        return sorted(path.name for path in (self.root / "run/openeuler-livepatch").glob("*.ko"))


def patched(name: str, *functions: Function, **changes: t.Any) -> PatchFile:
    return patch_file(name, functions=functions or (F,), **changes)


def two(root: pathlib.Path, **kernel: t.Any) -> Host:
    """A host on which mid covers old."""
    abi = {"abi": kernel.get("abi", PER_TASK)}
    files = [patched("old", **abi), patched("mid", **abi)]
    return Host(root, *(loaded(file, load_index=place) for place, file in enumerate(files)), kept=files, **kernel)


# ---- on_stall: report, and force ----


def test_what_must_be_loaded_again_is_not_left_to_the_next_run(tmp_path: pathlib.Path) -> None:
    host = two(tmp_path, stall=["mid"])
    result = host.run("old", State.DISABLED, on_covered=OnCovered.UNSTACK, patience=REPORTING)
    assert (result["reason"], host.stack) == ("transition_stalled", ["old", "mid"])


def test_what_was_superseded_by_two_runs_can_be_brought_back(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("old", file=patched("old"))
    host.kernel.stall = {"old"}
    host.run("new", file=patched("new"), supersedes=("old",), patience=REPORTING)
    host.kernel.end_transitions()
    host.run("new", file=patched("new"), supersedes=("old",))
    assert host.stack == ["new"]
    host.run("new", State.REVERTED)
    assert host.stack == ["old"]


def test_reverting_by_half_is_undone(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("a", file=patched("a", F))
    host.run("b", file=patched("b", G))
    host.run("new", file=patched("new", F, G), supersedes=("contained",))
    host.kernel.stall = {"a"}
    assert host.run("new", State.REVERTED, patience=REPORTING)["reason"] == "transition_stalled"
    host.kernel.end_transitions()
    host.run("new", State.REVERTED)
    assert host.stack == ["a", "b"]


def test_a_patch_on_its_way_down_is_turned_back(tmp_path: pathlib.Path) -> None:
    file = patched("fix")
    host = Host(tmp_path, loaded(file), kept=[file], stall=["fix"])
    host.run("fix", State.DISABLED, patience=REPORTING)
    result = host.run("fix")
    assert (result["actions"], host.stack) == (["enable fix", "wait for the transition of fix"], ["fix"])


def test_a_transition_that_is_still_running_is_no_change(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, stall=["fix"])
    assert host.run("fix", file=patched("fix"), patience=REPORTING)["changed"]
    assert not host.run("fix", file=patched("fix"), patience=REPORTING)["changed"]


def test_what_must_be_loaded_again_is_not_disabled_by_force(tmp_path: pathlib.Path) -> None:
    host = two(tmp_path, stall=["mid"])
    result = host.run("old", State.DISABLED, on_covered=OnCovered.UNSTACK, patience=FORCING)
    assert (result["reason"], host.stack) == ("transition_stalled", ["old", "mid"])
    assert not any(patch.pinned for patch in host.kernel.patches)


def test_what_was_disabled_by_force_is_not_forgotten(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("old", file=patched("old"))
    host.kernel.stall = {"old"}
    host.run("new", file=patched("new"), supersedes=("old",), patience=FORCING)
    result = host.run("new", State.REVERTED)
    assert (result["failed"], host.stack) == (True, ["new"])


# ---- the way back ----


@pytest.mark.parametrize("hidden", [False, True])
def test_the_newest_that_can_come_back_is_live(tmp_path: pathlib.Path, hidden: bool) -> None:
    """With CONFIG_LIVEPATCH_STACK, known or not, old can only come back above mid."""
    host = two(tmp_path, abi=STOP_MACHINE, stacking_enforced=True, hidden=hidden, busy={"new": 99})
    host.run("new", file=patched("new", abi=STOP_MACHINE), supersedes=("old",), on_covered=OnCovered.UNSTACK)
    assert host.stack == ["mid"]


def test_what_could_not_be_enabled_again_is_not_taken_out(tmp_path: pathlib.Path) -> None:
    """The kernel may have CONFIG_LIVEPATCH_STACK: the new content would come behind a disabled patch."""
    first, other = patched("fix", abi=STOP_MACHINE), patched("other", G, abi=STOP_MACHINE)
    patches = [loaded(first, load_index=1), loaded(other, False, load_index=2)]
    host = Host(tmp_path, *patches, kept=[first], abi=STOP_MACHINE, stacking_enforced=True, hidden=True)
    second = patch_file("fix", "2", functions=(F,), abi=STOP_MACHINE)
    assert host.run("fix", file=second, content="2", reload=True)["reason"] == "stacking"
    assert host.kernel.calls == []


@pytest.mark.parametrize(
    ("functions", "supersedes", "stack"),
    [((F, G), ("contained",), ["new"]), ((F,), ("a", "b"), ["new", "b"])],
)
def test_one_that_cannot_come_back_does_not_keep_another_down(
    tmp_path: pathlib.Path, functions: tuple[Function, ...], supersedes: tuple[str, ...], stack: list[str]
) -> None:
    """What has taken its place stays, and so what that covers stays out."""
    files = {name: patched(name, function, abi=STOP_MACHINE) for name, function in (("a", F), ("b", G))}
    patches = [loaded(file, load_index=place) for place, file in enumerate(files.values())]
    host = Host(tmp_path, *patches, kept=files.values(), abi=STOP_MACHINE)
    write_enabled = host.kernel.write_enabled

    def busy_from_then_on(name: str, value: bool) -> None:
        write_enabled(name, value)
        if (name, value) == ("a", False):
            host.kernel.busy = {"a": 99}

    host.kernel.write_enabled = busy_from_then_on
    host.will_fail("unload", 1)
    result = host.run("new", file=patched("new", *functions, abi=STOP_MACHINE), supersedes=supersedes)
    assert (host.stack, result["not_restored"][0]) == (stack, "a is disabled and should be enabled")
    kept = "without new no patch would be live on vmlinux/f,1, where one was before"
    assert result["not_restored"][-1] == kept


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("is_killed", [False, True])
def test_what_a_failed_run_has_displaced_for_good_can_be_reverted(
    tmp_path: pathlib.Path, abi: str, is_killed: bool
) -> None:
    """The new patch stays, since the kernel has no memory for the old one at the moment."""
    host = Host(tmp_path, abi=abi)
    host.run("old", file=patched("old", abi=abi))
    host.kernel.before_call["load old"] = lambda: host.kernel.fail.update(load=(errno.ENOMEM, ""))
    new = patched("new", F, G, abi=abi)
    if is_killed:
        host.kernel.last = "unload old"
        with pytest.raises(Cut):
            host.run("new", file=new, supersedes=("old",))
        host.run("other", file=patched("other", H, abi=abi))
        host.run("other", State.ABSENT)
    else:
        host.run("new", file=new, supersedes=("old",), verification=Verification(probe=Probe(argv=("false",))))
    assert host.stack == ["new"]
    assert not host.run("new", State.REVERTED).get("failed")
    assert host.stack == ["old"]


def test_what_a_failed_run_has_replaced_against_what_its_file_tells_is_remembered(tmp_path: pathlib.Path) -> None:
    """The new patch stays, since nobody has a file of one that it has disabled: no revert leaves both out."""
    other = patched("other", F, replace=False)
    new = patched("new", F, G, replace=False)
    host = Host(tmp_path, loaded(other))
    host.kernel.shows_replace = False
    host.kernel.replaces[new.sha256] = True
    host.run("old", file=patched("old", G, replace=False))
    result = host.run("new", file=new, on_covered=OnCovered.ALLOW)
    assert (bool(result.get("failed")), host.stack) == (True, ["new"])
    result = host.run("new", State.REVERTED, force_owner=True)
    assert (bool(result.get("failed")), host.stack) == (True, ["new"])
    assert "new took the place of other, which could not be brought back." in result["msg"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_module_that_has_found_a_user_meanwhile_does_not_cost_the_fix(tmp_path: pathlib.Path, replace: bool) -> None:
    """On a per_task kernel, what is disabled must be unloaded before it can come back."""
    host, new = Host(tmp_path), patched("new", F, G, replace=replace)
    host.run("old", file=patched("old"))
    host.kernel.held.add("old")
    result = host.run("new", file=new, supersedes=("old",))
    assert (result["reason"], result["errno"], host.stack) == ("module_in_use", "EAGAIN", ["new"])
    assert result["not_restored"][-1] == "without new no patch would be live on vmlinux/f,1, where one was before"
    assert not result["reboot_required"]
    host.kernel.patches = [dataclasses.replace(patch, pinned=False) for patch in host.kernel.patches]
    assert host.run("new", supersedes=("old",))["actions"] == ["unload old"]
    host.run("new", State.REVERTED)
    assert host.stack == ["old"]


def test_a_patch_that_has_found_a_user_is_not_kept_from_being_replaced(tmp_path: pathlib.Path) -> None:
    """What a revert has brought back stays then."""
    host = Host(tmp_path)
    host.run("old", file=patched("old"))
    host.run("new", file=patched("new"), supersedes=("old",))
    host.kernel.held.add("new")
    result = host.run("new", State.REVERTED)
    assert (result["reason"], host.stack, result["reboot_required"]) == ("module_in_use", ["old"], False)


def test_a_failed_task_does_not_say_that_all_is_as_before_a_recovery_that_has_failed(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("old", file=patched("old"))
    host.kernel.last = "unload old"
    with pytest.raises(Cut):
        host.run("new", file=patched("new", F, G), supersedes=("old",))
    for name in ("old", "other"):
        host.kernel.before_call[f"load {name}"] = lambda: host.kernel.fail.update(load=(errno.ENOMEM, ""))
    result = host.run("other", file=patched("other", H))
    assert (result["attempted"], host.stack) == ("load other", ["new"])
    assert result["not_restored"][:2] == [
        "new is enabled and should be not loaded",
        "old is not loaded and should be enabled",
    ]
    assert "The host is as it was before." not in result["msg"]
    assert "Besides, an interrupted run could not be rolled back wholly: new is enabled" in result["msg"]


def test_a_failed_task_does_not_tell_what_would_be_live_after_it(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("other", file=patched("other", G))
    failing = Verification(probe=Probe(argv=("false",)))
    result = host.run("new", file=patched("new"), supersedes=("other",), verification=failing)
    assert (host.stack, result["not_restored"]) == (["other"], [])
    assert "fix_lost" not in [finding["reason"] for finding in result["findings"]]


def test_what_was_to_go_does_not_come_back_above_newer_code(tmp_path: pathlib.Path) -> None:
    """Of new there is no copy, so that it cannot be loaded again above old, a part of which it covers."""
    old, new = patched("old", F, G), patched("new", F)
    host = Host(tmp_path, loaded(old, load_index=1), loaded(new, load_index=2), kept=[old])
    host.will_fail("unload", 0)
    host.run("new", file=new, supersedes=("old",))
    assert host.stack == ["new"]


@pytest.mark.parametrize(("abi", "replace"), [(PER_TASK, False), (STOP_MACHINE, False), (PER_TASK, True)])
def test_what_somebody_else_has_loaded_meanwhile_stays_above(tmp_path: pathlib.Path, abi: str, replace: bool) -> None:
    first = patched("fix", abi=abi, replace=replace)
    host = Host(tmp_path, loaded(first, load_index=1), kept=[first], abi=abi)
    host.kernel.last = "unload fix"
    with pytest.raises(Cut):
        host.run("fix", file=patch_file("fix", "2", abi=abi, functions=(F,)), content="2", reload=True)
    host.kernel.patches.append(loaded(patched("hotfix", abi=abi, replace=replace), load_index=9))
    result = host.run("other", file=patched("other", G, abi=abi))
    assert host.stack == ["hotfix", "other"]
    assert "The host is not as it was before it: fix is" in said(result)[0]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_is_in_its_place_is_not_moved_above_what_somebody_else_has_loaded(
    tmp_path: pathlib.Path, abi: str
) -> None:
    """New covers mid. It would have to come above that again, and would cover the hotfix then."""
    functions = {"old": (F,), "mid": (F,), "new": (F, G)}
    files = {name: patched(name, *functions[name], abi=abi) for name in functions}
    patches = [loaded(file, load_index=place) for place, file in enumerate(files.values())]
    host = Host(tmp_path, *patches, kept=files.values(), abi=abi)
    host.kernel.last = "unload mid"
    with pytest.raises(Cut):
        host.run("new", supersedes=("old", "mid"))
    host.kernel.patches.append(loaded(patched("hotfix", G, abi=abi), load_index=9))
    host.run("other", file=patched("other", H, abi=abi))
    assert host.stack == ["old", "new", "hotfix", "other"]


def test_the_file_of_what_recovery_could_not_load_stays(tmp_path: pathlib.Path) -> None:
    file = patched("fix")
    host = Host(tmp_path, loaded(file), kept=[file])
    host.kernel.last = "unload fix"
    with pytest.raises(Cut):
        host.run("fix", file=patch_file("fix", "2", functions=(F,)), content="2", reload=True)
    host.kernel.load = refuse_to_load
    told = host.run("other", file=patched("other", G))
    assert "to load fix failed as well" in said(told)[0] + told["msg"]
    assert f"fix-{file.sha256[:16]}.ko" in host.copies


def refuse_to_load(path: str, sha256: str, parameters: str = "") -> None:
    raise OSError(errno.ENOMEM, "")


def test_the_file_of_what_could_not_be_loaded_again_stays(tmp_path: pathlib.Path) -> None:
    file = patched("fix")
    host = Host(tmp_path, loaded(file), kept=[file])
    host.kernel.load = refuse_to_load
    second = patch_file("fix", "2", functions=(F,))
    result = host.run("fix", file=second, content="2", reload=True)
    assert f"fix-{file.sha256[:16]}.ko" in host.copies
    assert "until the next run" in said(result)[-1]


def test_a_run_that_fails_after_another_was_undone_tells_both(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = patched("fix")
    host = cut_off_after_loading(tmp_path, monkeypatch, file)
    assert host.stack == ["fix"]
    with monkeypatch.context() as patch:
        patch.setattr(durable, "write", full_disk)
        result = host.run("other", file=patched("other"))
        assert (result["reason"], result["state"], result["changed"], host.stack) == ("no_room", "absent", True, [])
        assert "what an interrupted run had left was rolled back" in result["msg"]


def test_what_is_to_be_proven_is_proven_also_where_it_cannot_be_noted(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = patched("fix")
    host = cut_off_after_loading(tmp_path, monkeypatch, file)
    with monkeypatch.context() as patch:
        patch.setattr(copies, "_write", full_disk)
        result = host.run("fix", file=file)
        assert (result["state"], result["changed"], host.stack) == ("enabled", False, ["fix"])
        assert [proof["what"] for proof in result["proofs"]] == ["state", "log"]
    with monkeypatch.context() as patch:
        patch.setattr(journal, "write_note", full_disk)
        assert not host.run("fix", file=file)["proofs"]


def cut_off_after_loading(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, file: PatchFile) -> Host:
    """A host on which the run that loads this file is gone when the kernel has it."""
    host = Host(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(host.kernel, "files", dies_after_loading(host.kernel))
        with pytest.raises(Cut):
            host.run(file.name, file=file)
    return host


def dies_after_loading(kernel: SysfsKernel) -> t.Callable[[], Files]:
    files = kernel.files

    def checked() -> Files:
        if kernel.patches:
            raise Cut
        return files()

    return checked


def full_disk(*_arguments: t.Any, **_keywords: t.Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


# ---- what is kept, and what is accepted ----


def test_what_the_way_back_has_loaded_is_known_afterwards(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("base", file=patched("base"))
    host.run("old", file=patched("old"), supersedes=("base",))
    host.run("mid", file=patched("mid"))
    host.will_fail("load", 0)
    assert host.run("old", State.DISABLED, on_covered=OnCovered.UNSTACK)["not_restored"] == []
    host.kernel.fail_at = None
    host.run("mid", State.ABSENT)
    host.run("old", State.REVERTED)
    assert host.stack == ["base"]


def test_a_content_that_could_not_be_undone_is_not_taken_for_the_earlier_one(tmp_path: pathlib.Path) -> None:
    first, second = (patch_file("fix", content, build_id=None, abi=STOP_MACHINE, functions=(F,)) for content in "12")
    host = Host(tmp_path, loaded(first), kept=[first], abi=STOP_MACHINE)
    host.kernel.marks = False
    unload = host.kernel.unload
    answers = iter([unload])

    def once(name: str) -> None:
        next(answers, refuse)(name)

    def refuse(_name: str) -> None:
        raise OSError(errno.EBUSY, "")

    host.kernel.unload = once
    host.will_fail("enable", 0)
    host.run("fix", file=second, content="2", reload=True)
    assert host.kernel.stored_digest("fix") == second.sha256


def test_bookkeeping_that_fails_is_not_called_a_failed_change(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    (tmp_path / "run/openeuler-livepatch/backup.ko").mkdir(parents=True)
    assert "failed" not in host.run("fix", file=patched("fix"))
    assert host.stack == ["fix"]


def test_what_was_undone_is_not_accepted(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path)
    host.run("old", file=patched("old"), boot=AtBoot.ACCEPTED)
    sync_directory = durable.sync_directory
    calls: list[str] = []

    def fails_second(directory: str) -> None:
        calls.append(directory)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error", directory)
        sync_directory(directory)

    monkeypatch.setattr(durable, "sync_directory", fails_second)
    result = host.run("new", file=patched("new"), supersedes=("old",), boot=AtBoot.ACCEPTED)
    assert (result["errno"], host.stack) == ("EIO", ["old"])
    assert [one.name for one in boot_store.read(host.kernel.files()).due(KernelId(RELEASE))] == ["old"]


# ---- the file ----


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()])
def test_what_was_put_into_the_place_of_the_file_is_not_read(
    tmp_path: pathlib.Path, put: t.Callable[[pathlib.Path], object]
) -> None:
    kernel, file, path = SysfsKernel(tmp_path), patched("fix"), tmp_path / "sent.ko"
    put(path)
    result = manage(Task(Wanted("fix", State.ENABLED, file), str(path)), kernel)
    assert (result["reason"], kernel.calls) == ("file_changed", [])


def test_no_copy_stays_of_what_somebody_else_has_loaded_in_that_moment(tmp_path: pathlib.Path) -> None:
    host, file = Host(tmp_path), patched("fix")
    load = host.kernel.load

    def too_late(path: str, sha256: str, parameters: str = "") -> None:
        host.kernel.patches.append(loaded(file, load_index=7))
        load(path, sha256, parameters)

    host.kernel.load = too_late
    result = host.run("fix", file=file)
    assert (result["changed"], result["findings"][0]["reason"]) == (False, "replanned")
    assert (host.stack, host.copies) == (["fix"], [])
