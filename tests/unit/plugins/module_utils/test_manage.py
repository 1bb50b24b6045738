# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out, proving and undoing, on the model of a kernel."""

from __future__ import annotations

import dataclasses
import errno
import json
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Patience, State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Identity,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.books import read_books
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
    loaded,
    note_build_id,
    patch_file,
    said,
)

FIX = patch_file("fix")
OTHER_FIX = patch_file("fix", "2")
OTHER = loaded(patch_file("other"))


@pytest.fixture(name="sent")
def fixture_sent(tmp_path: pathlib.Path) -> str:
    """A file that was sent to the host."""
    path = tmp_path / "sent.ko"
    path.write_bytes(content_of("fix"))
    return str(path)


@pytest.fixture(name="other_sent")
def fixture_other_sent(tmp_path: pathlib.Path) -> str:
    """A file of the same name and another content."""
    path = tmp_path / "other.ko"
    path.write_bytes(content_of("fix", "2"))
    return str(path)


def keep(kernel: ModelKernel, tmp_path: pathlib.Path, file: PatchFile) -> None:
    """What the collection leaves behind when it has loaded a file."""
    source = tmp_path / "source.ko"
    source.write_bytes(content_of(file.name))
    (tmp_path / "sys/module" / file.name).mkdir(parents=True)
    copies.store(kernel.files(), file.name, str(source), file.sha256)
    kernel.note_copy(file)
    kernel.add_file(file)


def names(kernel: ModelKernel) -> list[tuple[str, bool]]:
    return [(patch.name, patch.enabled) for patch in kernel.patches]


def test_enable(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = ModelKernel(tmp_path, OTHER)
    kernel.add_file(FIX)
    (tmp_path / "sys/module/fix").mkdir(parents=True)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent), kernel)
    assert result["changed"]
    assert "failed" not in result
    assert result["state"] == "enabled"
    assert result["actions"] == ["load fix", "wait for the transition of fix"]
    assert names(kernel) == [("other", True), ("fix", True)]
    assert kernel.stored_digest("fix") == FIX.sha256


def test_enabled_is_left_alone(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    result = manage(Task(Wanted("fix", State.ENABLED, FIX)), kernel)
    assert not result["changed"]
    assert kernel.calls == []
    assert result["diff"]["before"] == result["diff"]["after"]


def test_the_file_is_asked_for_only_if_needed(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path)
    assert manage(Task(Wanted("fix", State.ENABLED, FIX)), kernel) == {"changed": False, "needs_file": True}
    assert kernel.calls == []


@pytest.mark.parametrize("others", [[], ["AnsiballZ_livepatch_module.py"]])
def test_a_delivered_file_is_removed_and_its_directory_if_nothing_else_is_in_it(
    tmp_path: pathlib.Path, others: list[str]
) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    directory = tmp_path / "ansible-tmp"
    directory.mkdir()
    delivered = directory / "patch.ko"
    for path in (delivered, *(directory / other for other in others)):
        path.write_bytes(b"content")
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), str(delivered), delivered=True), kernel)
    assert not delivered.exists()
    assert directory.exists() == bool(others)
    assert result.get("directory_removed", False) != bool(others)


def test_a_file_of_the_user_stays(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    assert "directory_removed" not in manage(Task(Wanted("fix", State.ENABLED, FIX), sent), kernel)
    assert (tmp_path / "sent.ko").exists()


def test_check_mode_touches_nothing(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path)
    before = list(tmp_path.rglob("*"))
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), check_mode=True), kernel)
    assert result["changed"]
    assert result["state"] == "enabled"
    assert "fix:" in result["diff"]["after"]
    assert kernel.calls == []
    assert list(tmp_path.rglob("*")) == before


def test_disable_and_enable_again_by_name(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    keep(kernel, tmp_path, FIX)
    assert manage(Task(Wanted("fix", State.DISABLED)), kernel)["state"] == "disabled"
    result = manage(Task(Wanted("fix", State.ENABLED)), kernel)
    assert "failed" not in result, result
    assert result["actions"][:2] == ["unload fix", "load fix"]
    assert names(kernel) == [("fix", True)]


def test_a_record_of_another_load_is_not_believed(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    keep(kernel, tmp_path, FIX)
    (patch,) = kernel.snapshot().patches
    assert read_books(kernel.files(), kernel.snapshot()).copy_of(patch)
    assert patch.instance is not None
    kernel.patches = [dataclasses.replace(patch, instance=patch.instance + 1)]
    assert read_books(kernel.files(), kernel.snapshot()).copy_of(kernel.patches[0]) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"sysfs_inode": 1}'])
def test_a_damaged_record_is_no_record(tmp_path: pathlib.Path, damage: str) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    keep(kernel, tmp_path, FIX)
    (tmp_path / "run/openeuler-livepatch/fix.json").write_text(damage)
    assert kernel.stored_digest("fix") is None


def test_a_patch_that_somebody_else_loads_in_the_same_moment_is_left_alone(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = ModelKernel(tmp_path)
    kernel.add_file(FIX)
    load = kernel.load

    def lose_the_race(path: str, sha256: str, parameters: str = "") -> None:
        kernel.patches.append(loaded(FIX))
        load(path, sha256, parameters)

    kernel.load = lose_the_race
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent), kernel)
    assert (result["changed"], result["findings"][0]["reason"]) == (False, "replanned")
    assert (kernel.calls, names(kernel)) == (["load fix"], [("fix", True)])


def test_absent_forgets_the_copy(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX), busy_unloads=3)
    keep(kernel, tmp_path, FIX)
    assert manage(Task(Wanted("fix", State.ABSENT)), kernel)["state"] == "absent"
    assert [path.name for path in (tmp_path / "run/openeuler-livepatch").iterdir()] == ["changed"]


def test_the_kernel_refuses_to_load(tmp_path: pathlib.Path, sent: str) -> None:
    line = "livepatch: symbol 'nosuch' not found in symbol table"
    kernel = ModelKernel(tmp_path, OTHER, fail={"load": (errno.EINVAL, line)})
    kernel.add_file(FIX)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent), kernel)
    assert result["failed"]
    assert not result["changed"]
    assert (result["errno"], result["reason"]) == ("EINVAL", "symbol_missing")
    assert result["kernel_log"] == [line]
    assert "nosuch" in result["msg"]
    assert "as it was before" in result["msg"]
    assert names(kernel) == [("other", True)]


@pytest.mark.parametrize(
    ("abi", "number", "reason"),
    [
        (STOP_MACHINE, errno.EINVAL, "not_registered"),
        (PER_TASK, errno.EINVAL, "unknown"),
        # No errno is not the first one.
        (PER_TASK, 0, "unknown"),
    ],
)
def test_the_kind_of_kernel_decides_what_its_answer_means(
    tmp_path: pathlib.Path, sent: str, abi: str, number: int, reason: str
) -> None:
    kernel = ModelKernel(tmp_path, abi=abi, fail={"load": (number, "")})
    file = dataclasses.replace(FIX, abi=abi)
    kernel.add_file(file)
    assert manage(Task(Wanted("fix", State.ENABLED, file), sent), kernel)["reason"] == reason


def test_a_stalled_load_is_taken_back(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = ModelKernel(tmp_path, OTHER, stall=["fix"])
    kernel.add_file(FIX)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent, patience=Patience(timeout=3)), kernel)
    assert result["reason"] == "transition_stalled"
    assert "sleep (pid 42) in hrtimer_nanosleep+0x9d/0x120" in result["msg"]
    assert result["stalling_tasks"][0]["pid"] == 42
    assert result["rolled_back"] == ["disable fix", "unload fix"]
    assert result["not_restored"] == []
    assert names(kernel) == [("other", True)]
    assert kernel.clock == pytest.approx(3, abs=0.2)


def test_a_stalled_disable_is_taken_back(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX), stall=["fix"])
    result = manage(Task(Wanted("fix", State.ABSENT, force_owner=True), patience=Patience(timeout=3)), kernel)
    assert result["rolled_back"] == ["enable fix"]
    assert not result["changed"]
    assert names(kernel) == [("fix", True)]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_whatever_is_raised_a_half_done_change_is_rolled_back(
    tmp_path: pathlib.Path, sent: str, monkeypatch: pytest.MonkeyPatch, abi: str
) -> None:
    file = dataclasses.replace(FIX, abi=abi)
    kernel = ModelKernel(tmp_path, OTHER, abi=abi)
    kernel.add_file(file)
    snapshot = kernel.snapshot
    reads: list[Snapshot] = []

    def broken_once_loaded() -> Snapshot:
        now = snapshot()
        if now.patch("fix") and not reads:
            reads.append(now)
            raise RuntimeError("a fault")
        return now

    monkeypatch.setattr(kernel, "snapshot", broken_once_loaded)
    result = manage(Task(Wanted("fix", State.ENABLED, file), sent), kernel)
    assert (result["failed"], result["changed"], result["reason"]) == (True, False, "internal_error")
    assert "RuntimeError: a fault." in result["cause"]
    assert result["rolled_back"][-1] == "unload fix"
    assert names(kernel) == [("other", True)]


@pytest.mark.parametrize(
    ("changed", "ignore", "reasons"),
    [
        ({}, (), ["different_build"]),
        ({"vermagic": "6.1.0-other SMP "}, (), ["wrong_vermagic"]),
        ({"machine": "aarch64"}, (), ["wrong_architecture"]),
        ({"kernel_build_id": "bb" * 20}, (), ["wrong_kernel"]),
        ({"kernel_build_id": "bb" * 20}, ("wrong_kernel",), ["different_build"]),
        ({"kernel_build_id": "aa" * 20}, (), ["different_build"]),
        # What the task ignores does not make the file replace another build unasked.
        ({"vermagic": "6.1.0-other SMP "}, ("wrong_vermagic",), ["different_build"]),
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_file_for_another_kernel_is_named_as_that_where_another_build_is_loaded(
    tmp_path: pathlib.Path,
    other_sent: str,
    changed: dict[str, t.Any],
    ignore: tuple[str, ...],
    reasons: list[str],
    check_mode: bool,
) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    note_build_id(tmp_path, b"\xaa" * 20)
    file = dataclasses.replace(OTHER_FIX, **changed)
    task = Task(Wanted("fix", State.ENABLED, file), other_sent, ignore=ignore, check_mode=check_mode)
    result = manage(task, kernel)
    assert result["failed"] and result["reason"] == reasons[0]
    assert [entry["reason"] for entry in result["findings"] if entry["severity"] == "refuse"] == reasons
    assert kernel.calls == []


def test_a_failed_reload_brings_the_old_content_back(tmp_path: pathlib.Path, other_sent: str) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX), fail={"load": (errno.ENOENT, "fix: Unknown symbol klp_x (err -2)")})
    keep(kernel, tmp_path, FIX)
    kernel.add_file(OTHER_FIX)
    result = manage(Task(Wanted("fix", State.ENABLED, OTHER_FIX, reload=True), other_sent), kernel)
    assert result["reason"] == "unknown_symbol"
    assert result["rolled_back"] == ["load fix"]
    assert result["not_restored"] == []
    assert kernel.patches[0].identity.build_id == FIX.build_id
    assert kernel.stored_digest("fix") == FIX.sha256


def test_what_was_brought_back_is_kept_also_where_nothing_tells_contents_apart(
    tmp_path: pathlib.Path, other_sent: str
) -> None:
    old, new = (patch_file("fix", content, build_id=None) for content in ("1", "2"))
    kernel = ModelKernel(tmp_path, loaded(old), fail={"load": (errno.ENOMEM, "")})
    keep(kernel, tmp_path, old)
    kernel.add_file(new)
    kernel.patches = [dataclasses.replace(kernel.patches[0], identity=Identity())]
    result = manage(Task(Wanted("fix", State.ENABLED, new, reload=True), other_sent), kernel)
    assert result["rolled_back"] == ["load fix"]
    assert kernel.stored_digest("fix") == old.sha256


def test_what_cannot_be_brought_back_is_said(tmp_path: pathlib.Path, other_sent: str) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX), fail={"load": (errno.ENOMEM, "")})
    kernel.add_file(OTHER_FIX)
    result = manage(Task(Wanted("fix", State.ENABLED, OTHER_FIX, reload=True, force_owner=True), other_sent), kernel)
    assert result["changed"]
    assert result["not_restored"] == ["fix is not loaded and should be enabled"]
    assert "not as it was before" in result["msg"]


def test_success_is_not_believed_without_proof(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = ModelKernel(tmp_path)
    kernel.add_file(FIX)
    kernel.load = lambda path, sha256, parameters="": None
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent), kernel)
    assert result["reason"] == "not_as_planned"
    assert "fix is not loaded and should be enabled" in result["msg"]


def test_without_room_in_run_nothing_is_begun(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = ModelKernel(tmp_path)
    kernel.add_file(FIX)
    (tmp_path / "run").write_text("no directory")
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent), kernel)
    assert (result["reason"], result["errno"], result["attempted"]) == ("no_room", "ENOTDIR", "load fix")
    assert (result["state"], result["changed"], kernel.calls) == ("absent", False, [])


def test_another_file_than_the_inspected_one_is_not_loaded(tmp_path: pathlib.Path, other_sent: str) -> None:
    kernel = ModelKernel(tmp_path)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), other_sent), kernel)
    assert result["reason"] == "file_changed"
    assert (result["state"], result["changed"], kernel.calls) == ("absent", False, [])


STOP_FIX = patch_file("fix", abi=STOP_MACHINE)


def stop_machine_kernel(tmp_path: pathlib.Path, *patches: LoadedPatch, **changes: t.Any) -> ModelKernel:
    kernel = ModelKernel(tmp_path, *patches, abi=STOP_MACHINE, **changes)
    kernel.add_file(STOP_FIX)
    return kernel


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EBUSY])
@pytest.mark.parametrize(("times", "succeeds"), [(2, True), (4, False)])
def test_a_busy_function_is_tried_again(
    tmp_path: pathlib.Path, sent: str, number: int, times: int, succeeds: bool
) -> None:
    kernel = stop_machine_kernel(tmp_path, busy={"fix": times}, busy_errno=number)
    task = Task(Wanted("fix", State.ENABLED, STOP_FIX), sent, patience=Patience(retries=3, delay=1))
    result = manage(task, kernel)
    assert kernel.calls.count("enable fix") == min(times + 1, 4)
    assert 0.5 * min(times, 3) <= kernel.clock <= 1.5 * min(times, 3)
    if succeeds:
        assert result["state"] == "enabled"
        assert "failed" not in result
    else:
        assert (result["reason"], result["errno"]) == ("function_busy", errno.errorcode[number])
        assert "kworker/0:0:7 is in the function cmdline_proc_show" in result["msg"]
        assert result["rolled_back"] == ["unload fix"]
        assert names(kernel) == []


def test_the_list_order_is_not_tried_again(tmp_path: pathlib.Path, sent: str) -> None:
    first = loaded(patch_file("first", abi=STOP_MACHINE), enabled=False)
    kernel = stop_machine_kernel(tmp_path, first, stacking_enforced=True, hidden=True)
    result = manage(Task(Wanted("fix", State.ENABLED, STOP_FIX), sent), kernel)
    assert result["reason"] == "stacking"
    assert kernel.calls.count("enable fix") == 1
    assert names(kernel) == [("first", False)]


def test_a_hidden_replace_is_caught_before_it_is_enabled(tmp_path: pathlib.Path, sent: str) -> None:
    other = loaded(patch_file("other", abi=STOP_MACHINE, functions=(Function("vmlinux", "loadavg_proc_show"),)))
    file = patch_file("hidden_replace", abi=STOP_MACHINE)
    pathlib.Path(sent).write_bytes(content_of("hidden_replace"))
    kernel = ModelKernel(tmp_path, other, abi=STOP_MACHINE, accepts_replace=True)
    kernel.add_file(file)
    result = manage(Task(Wanted("hidden_replace", State.ENABLED, file), sent), kernel)
    assert result["reason"] == "replaces_others"
    assert "vmlinux/loadavg_proc_show,1" in result["msg"]
    assert "enable hidden_replace" not in kernel.calls
    assert names(kernel) == [("other", True)]


def test_early_kernels_enable_what_they_load(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = stop_machine_kernel(tmp_path)
    register = kernel.load

    def load_and_enable(path: str, sha256: str, parameters: str = "") -> None:
        register(path, sha256, parameters)
        kernel.write_enabled("fix", True)

    kernel.load = load_and_enable
    assert manage(Task(Wanted("fix", State.ENABLED, STOP_FIX), sent), kernel)["state"] == "enabled"


# ---- modules that a patch needs ----

IN_XFS = patch_file("fix", functions=(Function("xfs", "xfs_sync_fs", 1),), abi=STOP_MACHINE)


def kernel_with_xfs(tmp_path: pathlib.Path, fail: dict[str, tuple[int, str]] | None = None) -> ModelKernel:
    """A stop_machine kernel that would find the module xfs."""
    kernel = ModelKernel(tmp_path, abi=STOP_MACHINE, fail=fail)
    kernel.add_file(IN_XFS)
    kernel.conditions_now = dataclasses.replace(kernel.conditions_now, loadable=frozenset(["xfs"]))
    return kernel


def test_a_module_that_is_patched_is_loaded_first(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = kernel_with_xfs(tmp_path)
    result = manage(Task(Wanted("fix", State.ENABLED, IN_XFS, load_targets=True), sent), kernel)
    assert result["actions"] == ["load the module xfs", "load fix", "enable fix"], result
    assert "xfs" in kernel.snapshot().modules


def test_a_module_that_was_loaded_for_a_patch_goes_with_it(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = kernel_with_xfs(tmp_path, fail={"enable": (errno.EINVAL, "")})
    result = manage(Task(Wanted("fix", State.ENABLED, IN_XFS, load_targets=True), sent), kernel)
    assert result["failed"] and not result["changed"]
    assert (kernel.patches, "xfs" in kernel.snapshot().modules) == ([], False)


def test_a_module_that_cannot_be_loaded_is_named(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = kernel_with_xfs(tmp_path, fail={"load_target": (errno.ENOENT, "")})
    result = manage(Task(Wanted("fix", State.ENABLED, IN_XFS, load_targets=True), sent), kernel)
    assert (result["failed"], result["attempted"]) == (True, "load the module xfs")
    assert kernel.calls == ["load_target xfs"]


def test_a_patch_that_somebody_else_loads_before_its_turn_is_left_alone(tmp_path: pathlib.Path, sent: str) -> None:
    kernel = kernel_with_xfs(tmp_path)

    def break_after_the_race(name: str, seconds: float) -> None:
        kernel.patches.append(loaded(IN_XFS, instance=9))
        raise ValueError("a fault")

    kernel.load_target = break_after_the_race
    result = manage(Task(Wanted("fix", State.ENABLED, IN_XFS, load_targets=True), sent), kernel)
    assert (result["attempted"], result["rolled_back"]) == ("load the module xfs", [])
    assert names(kernel) == [("fix", True)]


# ---- what happens between two steps ----


def test_a_copy_that_changes_before_it_is_loaded_is_not_loaded(tmp_path: pathlib.Path, sent: str) -> None:
    class Watchful(ModelKernel):
        def load(self, path: str, sha256: str, parameters: str = "") -> None:
            raise FileChanged(path)

    kernel = Watchful(tmp_path, OTHER)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent), kernel)
    assert (result["reason"], result["changed"], names(kernel)) == ("file_changed", False, [("other", True)])


def test_a_transition_that_ends_in_the_moment_when_its_time_is_up_is_no_stall(
    tmp_path: pathlib.Path, sent: str
) -> None:
    class JustInTime(ModelKernel):
        def now(self) -> float:
            if self.clock >= 3:
                self.patches = [dataclasses.replace(patch, in_transition=False) for patch in self.patches]
            return super().now()

    kernel = JustInTime(tmp_path, stall=["fix"])
    kernel.add_file(FIX)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent, patience=Patience(timeout=3)), kernel)
    assert "failed" not in result, result
    assert names(kernel) == [("fix", True)]


def test_what_cannot_be_noted_after_the_change_is_told(
    tmp_path: pathlib.Path, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = ModelKernel(tmp_path)
    kernel.add_file(FIX)
    note = copies.note

    def full(files: Files, patch: LoadedPatch, *arguments: t.Any) -> None:
        if patch.name == "fix":
            raise OSError(errno.ENOSPC, "No space left on device")
        note(files, patch, *arguments)

    monkeypatch.setattr(copies, "note", full)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), sent), kernel)
    assert "failed" not in result
    assert any("No space left on device" in told and "may need src" in told for told in said(result))


def test_a_record_of_another_version_of_the_collection_is_no_file(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    keep(kernel, tmp_path, FIX)
    record = tmp_path / "run/openeuler-livepatch/fix.json"
    written = json.loads(record.read_text())
    record.write_text(json.dumps(dict(written, patch_file={"name": "fix", "of": "another version"})))
    assert "failed" not in manage(Task(Wanted("fix", State.DISABLED)), kernel)
    result = manage(Task(Wanted("fix", State.ENABLED)), kernel)
    assert (result["failed"], names(kernel)) == (True, [("fix", False)])
