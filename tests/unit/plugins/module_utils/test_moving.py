# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What moves between the reading of a host and a step: a surprising replace flag, force, transitions, other tools."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    OnStall,
    Patience,
    Probe,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    loaded,
    patch_file,
)

REPORTING = Patience(3, 2, 0.1, OnStall.REPORT)
FORCING = Patience(3, 2, 0.1, OnStall.FORCE)
ALL = ("a", "b", "c")


def patched(name: str, function: str, content: str = "1", **changes: t.Any) -> PatchFile:
    return patch_file(name, content, functions=(Function("vmlinux", function),), **changes)


def three(root: pathlib.Path, kept: str = "abc", **kernel: t.Any) -> ModelHost:
    """A host with three enabled patches on one function each. Copies of those in `kept` are at hand."""
    files = [patched(name, name) for name in ALL]
    patches = [loaded(file, load_index=place) for place, file in enumerate(files)]
    return ModelHost(root, *patches, kept=[file for file in files if file.name in kept], **kernel)


def reasons(result: dict[str, t.Any]) -> list[str]:
    return [finding["reason"] for finding in result["findings"]]


# ---- force ----


@pytest.mark.parametrize("forces_all", [True, False])
def test_what_a_forced_transition_has_replaced_stays_loaded(tmp_path: pathlib.Path, forces_all: bool) -> None:
    host, new = three(tmp_path, stall=["new"]), patched("new", "a", replace=True)
    host.kernel.forces_all = forces_all
    result = host.run("new", file=new, supersedes=ALL, patience=FORCING)
    assert "failed" not in result
    assert (host.stack, result["reboot_required"]) == (["new"], True)
    assert host.kernel.calls == ["load new", "force new"]
    assert "unload a" not in result["actions"]
    assert any("holds the modules of a, b, c" in finding["cause"] for finding in result["findings"])
    calls = len(host.kernel.calls)
    again = host.run("new", supersedes=ALL)
    assert (again["changed"], again["reboot_required"], len(host.kernel.calls)) == (False, True, calls)


def test_what_a_forced_transition_has_replaced_is_not_reverted(tmp_path: pathlib.Path) -> None:
    host, new = three(tmp_path, stall=["new"]), patched("new", "a", replace=True)
    host.run("new", file=new, supersedes=ALL, patience=FORCING)
    calls = len(host.kernel.calls)
    result = host.run("new", State.REVERTED)
    assert (result["reason"], result["reboot_required"]) == ("module_not_removable", True)
    assert (host.stack, len(host.kernel.calls)) == (["new"], calls)


@pytest.mark.parametrize(("stalls", "replace"), [("new", True), ("a", False)])
def test_a_fix_in_the_place_of_what_cannot_come_back_stays(tmp_path: pathlib.Path, stalls: str, replace: bool) -> None:
    """Also if its proof fails: to take it out would leave neither."""
    host, new = three(tmp_path, stall=[stalls]), patched("new", "a", replace=replace)
    host.kernel.add_file(new)
    (tmp_path / "sent.ko").write_bytes(content_of("new"))
    wanted = Wanted("new", State.ENABLED, new, supersedes=ALL)
    probe = Verification(probe=Probe(argv=("false",)))
    result = manage(Task(wanted, str(tmp_path / "sent.ko"), patience=FORCING, verification=probe), host.kernel)
    assert (result["reason"], "new" in host.stack) == ("probe_failed", True)
    assert "a is disabled and should be enabled" in result["not_restored"]
    assert "new is enabled and should be not loaded" in result["not_restored"]


def test_what_an_earlier_run_has_forced_may_be_held_by_an_old_kernel(tmp_path: pathlib.Path) -> None:
    """Before Linux 5.18 the kernel never lets go what was there when a transition was forced."""
    host = three(tmp_path, stall=["new"])
    host.kernel.forces_all = True
    host.run("new", file=patched("new", "n"), patience=FORCING)
    host.kernel.stall.clear()
    result = host.run("next", file=patched("next", "n"), supersedes=("new",))
    assert "failed" not in result
    assert (host.stack, result["actions"][-1]) == (["a", "b", "c", "next"], "wait for the transition of new")
    assert (result["reboot_required"], "forced" in reasons(result)) == (True, True)
    assert [patch.name for patch in host.kernel.patches if patch.pinned] == ["new"]


def test_a_run_that_was_cut_off_after_it_has_forced_leaves_its_fix(tmp_path: pathlib.Path) -> None:
    host, new = three(tmp_path, stall=["new"]), patched("new", "a", replace=True)

    class Cut(BaseException):
        pass

    force = host.kernel.force

    def force_and_die(name: str) -> t.NoReturn:
        force(name)
        raise Cut

    with pytest.MonkeyPatch.context() as patched_kernel, pytest.raises(Cut):
        patched_kernel.setattr(host.kernel, "force", force_and_die)
        host.run("new", file=new, supersedes=ALL, patience=FORCING)
    host.run("other", file=patched("other", "o"))
    assert host.stack == ["new", "other"]


# ---- transitions that are reversed, and those that an earlier run has left ----


@pytest.mark.parametrize("state", [State.REVERTED, State.ABSENT, State.DISABLED])
def test_a_transition_that_is_to_be_reversed_is_not_waited_for(tmp_path: pathlib.Path, state: State) -> None:
    host, new = three(tmp_path, stall=["new"]), patched("new", "a", replace=True)
    host.run("new", file=new, supersedes=ALL, patience=REPORTING)
    assert host.stack == ["a", "b", "c", "new"]
    foretold = manage(Task(Wanted("new", state), check_mode=True), host.kernel)
    result = host.run("new", state)
    assert foretold["actions"] == result["actions"]
    assert result["actions"][0] == "disable new"
    assert host.stack == ["a", "b", "c"]
    assert not host.run("new", state)["changed"]


def test_what_is_gone_already_comes_back_after_the_reversal(tmp_path: pathlib.Path) -> None:
    """With unstack the superseded patch goes first."""
    files = [patched("a", "f"), patched("b", "f")]
    patches = [loaded(file, load_index=place) for place, file in enumerate(files)]
    host = ModelHost(tmp_path, *patches, kept=files, stall=["new"])
    host.run("new", file=patched("new", "f"), supersedes=("a",), on_covered=OnCovered.UNSTACK, patience=REPORTING)
    assert host.stack == ["b", "new"]
    result = host.run("new", State.REVERTED, on_covered=OnCovered.ALLOW)
    assert result["actions"][0] == "disable new"
    assert sorted(host.stack) == ["a", "b"]


def test_a_loaded_patch_is_present_whatever_its_transition_does(tmp_path: pathlib.Path) -> None:
    host = three(tmp_path, stall=["new"])
    host.run("new", file=patched("new", "a"), patience=REPORTING)
    result = host.run("new", State.PRESENT)
    assert ("failed" in result, result["changed"], result["state"]) == (False, False, "in transition")
    assert host.kernel.clock < 10
