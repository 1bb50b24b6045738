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
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
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
