# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task that could not be rolled back if its proof failed is refused before anything is done, on the model."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    Probe,
    State,
    Verification,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import loaded, patch_file

F, G, H = (Function("vmlinux", name) for name in "fgh")
FAILING = Verification(probe=Probe(argv=("false",), retries=0))


def host_with(root: pathlib.Path, replaces: bool = True, abi: str = PER_TASK, **above: t.Any) -> ModelHost:
    """A patch that replaces others, unless it does not, and one that was loaded above it later."""
    low = patch_file("low", abi=abi, functions=(F,), replace=replaces)
    top = patch_file("top", abi=abi, functions=(G,))
    return ModelHost(root, loaded(low), loaded(top, **above), abi=abi, kept=[low, top])


HELD = [
    ({"refcount": 2}, "top has 1 more user than the patch itself", "end what uses top first"),
    ({"refcount": 3}, "top has 2 more users than the patch itself", "end what uses top first"),
    ({"permanent": True}, "top has no exit function", "take top out first"),
    ({"owner": "SysCare"}, "top belongs to SysCare", "take top out first"),
]


@pytest.mark.parametrize(("above", "why", "remedy"), HELD)
def test_what_could_not_come_back_below_another_patch_is_not_taken_out(
    tmp_path: pathlib.Path, above: dict[str, t.Any], why: str, remedy: str
) -> None:
    host = host_with(tmp_path, **above)
    new = patch_file("new", functions=(H,))
    result = host.run("new", file=new, supersedes=("low",), verification=FAILING)
    assert (result["failed"], result["reason"], host.kernel.calls) == (True, "no_way_back", [])
    assert f"If this fails, low cannot come back: {why}." in result["msg"]
    assert result["remedy"] == f"Leave low enabled; or {remedy}."


def test_several_in_the_way_are_told_at_once(tmp_path: pathlib.Path) -> None:
    files = [patch_file(name, functions=(f,)) for name, f in (("low", F), ("mid", G), ("top", H))]
    files[0] = dataclasses.replace(files[0], replace=True)
    patches = [loaded(files[0]), loaded(files[1], refcount=2), loaded(files[2], permanent=True)]
    host = ModelHost(tmp_path, *patches, kept=files)
    result = host.run("new", file=patch_file("new", functions=(H,)), supersedes=("low",), on_covered=OnCovered.ALLOW)
    assert "mid has 1 more user than the patch itself, and top has no exit function." in result["msg"]
    assert result["remedy"] == "Leave low enabled; or end what uses mid and take top out first."


def test_the_wanted_patch_itself_may_be_in_the_way(tmp_path: pathlib.Path) -> None:
    host = host_with(tmp_path, refcount=2)
    result = host.run("top", supersedes=("low",), verification=FAILING)
    assert (result["reason"], host.stack) == ("no_way_back", ["low", "top"])


def test_who_knows_better_may_ignore_it(tmp_path: pathlib.Path) -> None:
    host = host_with(tmp_path, refcount=2)
    result = host.run("top", supersedes=("low",), ignore=("no_way_back",))
    assert (result.get("failed"), host.stack) == (None, ["top"])
    assert [finding["severity"] for finding in result["findings"] if finding["reason"] == "no_way_back"] == ["warn"]


@pytest.mark.parametrize("state", [State.ABSENT, State.DISABLED])
def test_taking_out_is_not_refused_for_it(tmp_path: pathlib.Path, state: State) -> None:
    host = host_with(tmp_path, refcount=2)
    assert not host.run("low", state).get("failed")
    assert host.stack == ["top"]


def forced(root: pathlib.Path, abi: str = PER_TASK) -> ModelHost:
    """A host on which the transition of `top` was forced; `low`, below it, is on the same function."""
    low, top = (patch_file(name, abi=abi, functions=(F,)) for name in ("low", "top"))
    host = ModelHost(root, loaded(low), loaded(top, load_index=1), abi=abi, kept=[low, top])
    copies.note_force(host.kernel.files(), host.kernel.patches[1])
    return host


@pytest.mark.parametrize("state", [State.ABSENT, State.DISABLED])
def test_what_was_forced_is_not_disabled_for_a_moment(tmp_path: pathlib.Path, state: State) -> None:
    """A per_task kernel would have to unload it, and holds its module."""
    host = forced(tmp_path)
    result = host.run("low", state, on_covered=OnCovered.UNSTACK)
    assert (result["failed"], result["reason"], result["reboot_required"]) == (True, "module_not_removable", True)
    assert result["cause"].startswith("top could not be enabled again: the kernel may hold its module")
    assert "Set on_covered: allow, which leaves top as it is." in result["remedy"]
    assert (host.kernel.calls, host.stack) == ([], ["low", "top"])


def test_what_was_forced_is_not_exchanged(tmp_path: pathlib.Path) -> None:
    host = forced(tmp_path)
    result = host.run("top", file=patch_file("top", "2", functions=(F,)), content="2", reload=True)
    assert (result["reason"], host.kernel.calls, host.stack) == ("module_not_removable", [], ["low", "top"])


def test_what_was_forced_is_still_taken_out(tmp_path: pathlib.Path) -> None:
    host = forced(tmp_path)
    assert not host.run("top", State.DISABLED).get("failed")
    assert host.stack == ["low"]


def test_where_enabling_needs_no_loading_it_is_disabled_for_a_moment(tmp_path: pathlib.Path) -> None:
    host = forced(tmp_path, STOP_MACHINE)
    assert not host.run("low", State.ABSENT, on_covered=OnCovered.UNSTACK).get("failed")
    assert host.stack == ["top"]


def test_what_cannot_come_back_below_what_was_forced_is_not_taken_out(tmp_path: pathlib.Path) -> None:
    host = host_with(tmp_path)
    copies.note_force(host.kernel.files(), host.kernel.patches[1])
    result = host.run("new", file=patch_file("new", functions=(H,)), supersedes=("low",), verification=FAILING)
    assert (result["reason"], host.kernel.calls) == ("no_way_back", [])
    assert "top may be held by the kernel, since a transition was forced." in result["msg"]


FREE = [
    # What can be moved, or need not be.
    {"refcount": 1},
    {"replaces": False, "refcount": 2},
    {"abi": STOP_MACHINE, "replaces": False, "refcount": 2},
]


@pytest.mark.parametrize("case", FREE)
def test_what_can_come_back_is_taken_out_and_does(tmp_path: pathlib.Path, case: dict[str, t.Any]) -> None:
    host = host_with(tmp_path, **case)
    new = patch_file("new", abi=case.get("abi", PER_TASK), functions=(H,))
    result = host.run("new", file=new, supersedes=("low",), verification=FAILING)
    assert (result["failed"], sorted(host.stack)) == (True, ["low", "top"])
    assert not result.get("not_restored")
