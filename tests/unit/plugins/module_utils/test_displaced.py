# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What patches took the place of is remembered, up to 16 steps back, and each revert goes one step back."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import MOST_STEPS_BACK
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.displaced import remembered
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    CONTAINED,
    AtBoot,
    OnStall,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.catalog import Catalog
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file

on_both_kernels = pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])


def of(name: str, *displaced: Displaced, content: str = "1") -> Displaced:
    return Displaced(name, True, patch_file(name, content), displaced=displaced)


def line(*names: str) -> tuple[Displaced, ...]:
    """A history in which each patch took the place of the next one."""
    displaced: tuple[Displaced, ...] = ()
    for name in reversed(names):
        displaced = (of(name, *displaced),)
    return displaced


class Host(ModelHost):
    """A host to which patches of one function are given, each with the replace flag where the kernel has that.

    With `boot` each is accepted for the next boots.
    """

    def __init__(self, root: pathlib.Path, abi: str, boot: AtBoot | None = None, **kernel: t.Any) -> None:
        super().__init__(root, abi=abi, **kernel)
        self.boot = boot

    def file(self, name: str, content: str = "1", **changes: t.Any) -> PatchFile:
        (self.root / "sys/module" / name).mkdir(parents=True, exist_ok=True)
        abi = self.kernel.abi
        return patch_file(name, content, **{"abi": abi, "replace": abi == PER_TASK, **changes})

    def up(self, name: str, *supersedes: str, **changes: t.Any) -> dict[str, t.Any]:
        """Enable the patch; `changes` are those of its file."""
        file = self.file(name, **changes)
        result = self.run(name, State.ENABLED, file, supersedes=supersedes, boot=self.boot)
        assert not result.get("failed"), result
        return result

    def in_turn(self, *names: str) -> list[dict[str, t.Any]]:
        """Enable these patches; each supersedes the one before it."""
        return [self.up(name, *names[max(place - 1, 0) : place]) for place, name in enumerate(names)]

    def revert(self, name: str) -> dict[str, t.Any]:
        result = self.run(name, State.REVERTED)
        assert not result.get("failed"), result
        return result

    def history(self, name: str) -> tuple[Displaced, ...]:
        copy = known(copies.read(self.kernel.files(), name))
        assert copy, name
        return copy.displaced

    @property
    def due(self) -> list[str]:
        return [one.name for one in boot_store.read(self.kernel.files()).due(self.kernel.snapshot().kernel)]


@on_both_kernels
@pytest.mark.parametrize("boot", [None, AtBoot.ACCEPTED])
def test_each_revert_brings_back_the_former(tmp_path: pathlib.Path, abi: str, boot: AtBoot | None) -> None:
    host = Host(tmp_path, abi, boot)
    host.up("up_1")
    host.up("up_2", "up_1")
    host.up("up_3", CONTAINED)
    host.up("up_1", "up_3")
    for name, former in (("up_1", "up_3"), ("up_3", "up_2"), ("up_2", "up_1")):
        assert host.stack == [name]
        assert host.revert(name)["changed"]
        assert host.stack == [former]
        assert host.due == ([former] if boot else [])
    for check_mode in (True, False):
        assert host.stack == ["up_1"]
        result = manage(Task(Wanted("up_1", State.REVERTED), check_mode=check_mode), host.kernel)
        (lost,) = [finding for finding in result["findings"] if finding["reason"] == "fix_lost"]
        assert (lost["severity"], "After this no patch is live on vmlinux/cmdline_proc_show" in lost["cause"]) == (
            "info",
            True,
        )
    assert (host.stack, host.due) == ([], [])


@on_both_kernels
def test_to_and_fro_the_record_does_not_grow_and_what_was_before_is_kept(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi)
    host.up("first")
    host.up("one", "first")
    histories = set()
    for _time in range(4):
        host.up("two", "one")
        host.up("one", "two")
        histories.add(host.history("one"))
    assert len(histories) == 1
    for name, former in (("one", ["two"]), ("two", ["one"]), ("one", ["first"]), ("first", [])):
        host.revert(name)
        assert host.stack == former


def test_each_build_is_remembered_once_where_it_was_displaced_last() -> None:
    assert remembered(line("a", "b", "a", "b", "c")) == line("a", "b", "c")
    assert remembered((of("a"), of("b", of("a"), of("c")))) == (of("a"), of("b", of("a"), of("c")))
    assert remembered((of("a", of("a", content="0")),)) == (of("a", of("a", content="0")),)
    # Of one name only one build can come back: the one that was displaced directly.
    assert remembered((of("a", of("b", of("a", of("c"))), of("c", content="2")),)) == (
        of("a", of("b", of("c")), of("c", content="2")),
    )


def test_only_so_many_steps_are_remembered_and_what_is_forgotten_is_told(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, PER_TASK)
    names = [f"p{number}" for number in range(MOST_STEPS_BACK + 2)]
    results = host.in_turn(*names)
    told = [finding["cause"] for result in results for finding in result["findings"] if "revert" in finding["cause"]]
    assert told == ["After this no revert brings back p0. The host remembers the last 16 steps."]
    assert results[-1]["findings"][-1]["reason"] == "not_remembered"
    kept = [path.name.rpartition("-")[0] for path in (tmp_path / copies.DIRECTORY[1:]).glob("*.ko")]
    assert sorted(kept) == sorted(names[1:])


def test_the_record_of_version_1_0_is_read(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, PER_TASK)
    host.in_turn("one", "two")
    path = tmp_path / copies.DIRECTORY[1:] / "two.json"
    record = json.loads(path.read_text())
    for other in record["displaced"]:
        del other["displaced"]
    path.write_text(json.dumps(record))
    assert [(other.name, other.displaced) for other in host.history("two")] == [("one", ())]
    host.revert("two")
    assert host.stack == ["one"]


@on_both_kernels
@pytest.mark.parametrize("operation", ["load", "unload"])
def test_after_a_failed_task_everything_is_remembered_as_before(
    tmp_path: pathlib.Path, abi: str, operation: str
) -> None:
    host = Host(tmp_path, abi)
    host.in_turn("one", "two", "three")
    before = host.history("three")
    calls = [call for call in host.kernel.calls if call.startswith(operation)]
    for name, state, superseded in (("four", State.ENABLED, ("three",)), ("three", State.REVERTED, ())):
        file = host.file("four") if name == "four" else None
        host.kernel.fail_later(operation, len(calls))
        assert host.run(name, state, file, supersedes=superseded)["failed"]
        assert (host.stack, host.history("three")) == (["three"], before)
        calls = [call for call in host.kernel.calls if call.startswith(operation)]
    host.revert("three")
    host.revert("two")
    assert host.stack == ["one"]


@on_both_kernels
def test_a_build_that_is_superseded_again_is_still_after_what_it_had_displaced(
    tmp_path: pathlib.Path, abi: str
) -> None:
    host = Host(tmp_path, abi)
    for name, superseded in (("one", ()), ("two", ("one",)), ("new", ("two",)), ("two", ()), ("new", ("two",))):
        host.up(name, *superseded, replace=False)
    for name, former in (("new", "two"), ("two", "one")):
        host.revert(name)
        assert host.stack == [former]


@on_both_kernels
@pytest.mark.parametrize("state", [State.ENABLED, State.PRESENT])
def test_builds_of_one_name_come_back_in_turn(tmp_path: pathlib.Path, abi: str, state: State) -> None:
    host = Host(tmp_path, abi)
    host.up("old")
    host.up("fix", "old")
    for content in ("2", "3"):
        assert not host.run("fix", state, host.file("fix", content), content, reload=True).get("failed")
    for content in ("3", "2", "1"):
        assert host.identities == {"fix": f"id-fix{content}"}
        assert host.run("fix", State.REVERTED, host.file("fix", content), content)["changed"]
    assert host.stack == ["old"]


@on_both_kernels
@pytest.mark.parametrize("boot", [None, AtBoot.ACCEPTED])
def test_a_revert_that_is_played_twice_keeps_the_build_that_it_has_brought_back(
    tmp_path: pathlib.Path, abi: str, boot: AtBoot | None
) -> None:
    """As where some hosts have failed the first time, and the playbook is played for all again."""
    host = Host(tmp_path, abi, boot)
    host.up("fix")
    assert not host.run("fix", State.ENABLED, host.file("fix", "2"), "2", reload=True, boot=boot).get("failed")
    assert host.revert("fix")["changed"]
    for check_mode in (True, False):
        again = manage(Task(Wanted("fix", State.REVERTED), check_mode=check_mode), host.kernel)
        assert not again["changed"]
        assert [finding["reason"] for finding in again["findings"]] == ["reverted_already"]
    assert (host.identities, host.due) == ({"fix": "id-fix1"}, ["fix"] if boot else [])
    # Another fix that takes its place, and comes back, makes no difference.
    host.up("other", "fix")
    host.revert("other")
    assert host.stack == ["fix"]
    assert host.run("fix", State.REVERTED, host.file("fix"))["changed"]
    assert host.stack == []


@on_both_kernels
@pytest.mark.parametrize("newer", ["2", "1"])
def test_boots_go_on_loading_the_accepted_build_when_the_one_on_trial_is_reverted(
    tmp_path: pathlib.Path, abi: str, newer: str
) -> None:
    """Be the one on trial another file, or the same with other parameters: a rollout that stops reverts it so."""
    host = Host(tmp_path, abi)
    host.run("fix", State.ENABLED, host.file("fix", loaded_with="level=1"), boot=AtBoot.ACCEPTED)
    accepted = boot_store.read(host.kernel.files())
    host.run("fix", State.ENABLED, host.file("fix", newer, loaded_with="level=2"), newer, reload=True)
    result = host.revert("fix")
    assert host.identities == {"fix": "id-fix1"}
    assert (boot_store.read(host.kernel.files()), result["boot"]) == (accepted, "accepted")
    assert "forget fix at the next boots" not in result["actions"]


@on_both_kernels
def test_a_build_that_is_not_loaded_is_reverted_at_the_boots_that_load_it_and_no_other_one(
    tmp_path: pathlib.Path, abi: str
) -> None:
    host = Host(tmp_path, abi, AtBoot.ACCEPTED)
    host.up("fix")
    host.kernel.patches = []
    assert not host.run("fix", State.REVERTED, host.file("fix", "2"), "2")["changed"]
    assert host.due == ["fix"]
    assert host.run("fix", State.REVERTED, host.file("fix"))["changed"]
    assert host.due == []


@on_both_kernels
@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_what_is_remembered_and_not_at_hand_is_told_before_anything_is_taken_out(
    tmp_path: pathlib.Path, abi: str, how: str
) -> None:
    host = Host(tmp_path, abi)
    host.in_turn("one", "two")
    (path,) = (tmp_path / copies.DIRECTORY[1:]).glob("one-*.ko")
    path.write_text("damaged") if how == "damaged" else path.unlink()
    calls = len(host.kernel.calls)
    for check_mode in (True, False):
        result = manage(Task(Wanted("two", State.REVERTED), check_mode=check_mode), host.kernel)
        assert (result["reason"], result["changed"]) == ("needs_file", False)
        assert "two took the place of one, which could not be brought back." in result["cause"]
    assert (host.stack, len(host.kernel.calls)) == (["two"], calls)


class Cut(BaseException):
    """The module's process is gone."""


@on_both_kernels
def test_a_revert_that_was_interrupted_is_noted_by_the_next_run(
    tmp_path: pathlib.Path, abi: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, abi)
    host.in_turn("one", "two", "three")

    def die(*_arguments: t.Any, **_more: t.Any) -> None:
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(Catalog, "update", die)
        with pytest.raises(Cut):
            host.run("three", State.REVERTED)
    assert host.stack == ["two"]
    host.revert("two")
    assert host.stack == ["one"]


def test_what_a_stalled_revert_has_not_taken_out_yet_still_knows_what_it_displaced(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, PER_TASK)
    host.in_turn("one", "two", "three")
    before = host.history("three")
    host.kernel.stall.add("two")
    result = host.run("three", State.REVERTED, patience=Patience(3, 2, 0.1, OnStall.REPORT))
    assert (result.get("failed"), host.history("three")) == (None, before)
    assert [other.name for other in host.history("two")] == ["one"]
