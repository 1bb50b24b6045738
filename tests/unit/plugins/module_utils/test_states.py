# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""System states: a per_task kernel does not load a patch that knows older ones, which is foretold from both files."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile, SystemState
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
    loaded,
    patch_file,
    snapshot,
)

OTHER = Function("vmlinux", "other", 1)


def states(*pairs: tuple[int, int]) -> tuple[SystemState, ...]:
    return tuple(SystemState(number, version) for number, version in pairs)


def old(*pairs: tuple[int, int], **changes: t.Any) -> PatchFile:
    return patch_file("old", states=states(*pairs), functions=(OTHER,), **changes)


def new(*pairs: tuple[int, int], **changes: t.Any) -> PatchFile:
    return patch_file("new", states=states(*pairs), **changes)


def steps(plan: Plan) -> list[str]:
    return [f"{step.action} {step.patch}" for step in plan.steps]


def is_foretold(file: PatchFile, earlier: PatchFile) -> bool:
    plan = make_plan(snapshot(loaded(earlier)), Wanted(file.name, State.ENABLED, file), {"old": earlier})
    return "incompatible_states" in [refusal.reason for refusal in plan.refusals]


def is_refused(root: pathlib.Path, file: PatchFile, earlier: PatchFile) -> bool:
    kernel = ModelKernel(root, loaded(earlier))
    kernel.add_file(earlier)
    kernel.add_file(file)
    (root / "new.ko").write_bytes(content_of("new"))
    try:
        kernel.load("/new.ko", file.sha256)
    except OSError as error:
        assert error.errno == errno.EINVAL
        return True
    return False


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("there", [(), ((1, 1),), ((1, 2),), ((1, 1), (2, 5))])
@pytest.mark.parametrize("known", [(), ((1, 1),), ((1, 2),), ((2, 5), (1, 1)), ((1, 2), (1, 1)), ((2, 4),)])
def test_what_the_kernel_refuses_is_foretold(
    tmp_path: pathlib.Path, known: tuple[tuple[int, int], ...], there: tuple[tuple[int, int], ...], replace: bool
) -> None:
    file, earlier = new(*known, replace=replace), old(*there)
    assert is_foretold(file, earlier) == is_refused(tmp_path, file, earlier)


@pytest.mark.parametrize(
    ("file", "earlier", "seen"),
    [
        (new((1, 1)), old((1, 2)), "new.ko knows the system state 1 in version 1, and old has version 2."),
        (
            new((2, 1), replace=True),
            old((1, 2)),
            "new.ko has the replace flag and does not know the system state 1, which old has set.",
        ),
    ],
)
def test_the_refusal_tells_the_precise_cause(file: PatchFile, earlier: PatchFile, seen: str) -> None:
    plan = make_plan(snapshot(loaded(earlier)), Wanted("new", State.ENABLED, file), {"old": earlier})
    (refusal,) = (refusal for refusal in plan.refusals if refusal.reason == "incompatible_states")
    assert refusal.seen == seen
    assert "state: absent for old" in refusal.remedy


def test_nothing_is_foretold_of_what_is_not_known() -> None:
    assert not is_foretold(dataclasses.replace(new(), states=None), old((1, 1)))
    assert not is_foretold(new((1, 1)), dataclasses.replace(old((1, 2)), states=None))
    # Whether it lacks a state matters for one with the replace flag alone.
    assert not is_foretold(new(replace=None), old((1, 2)))
    wanted = Wanted("new", State.ENABLED, new((1, 1)))
    assert not make_plan(snapshot(loaded(old((1, 2)))), wanted).refusals
    stopped = snapshot(loaded(old((1, 2), abi=STOP_MACHINE)), abi=STOP_MACHINE, stacking_enforced=False)
    assert not make_plan(
        stopped, Wanted("new", State.ENABLED, new((1, 1), abi=STOP_MACHINE)), {"old": old((1, 2))}
    ).refusals


def test_a_disabled_patch_has_no_states() -> None:
    off = loaded(old((1, 2)), enabled=False)
    plan = make_plan(snapshot(off), Wanted("new", State.ENABLED, new((1, 1))), {"old": old((1, 2))})
    assert steps(plan) == ["load new", "wait new"]


def test_a_run_is_refused_before_the_kernel_is_asked(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, loaded(old((1, 2))), kept=[old((1, 2))])
    result = host.run("new", file=new((1, 1)))
    assert (result["failed"], result["reason"]) == (True, "incompatible_states")
    assert host.kernel.calls == []


def test_what_the_kernel_refuses_of_a_patch_of_somebody_else_is_told(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, loaded(old((1, 2))))
    host.kernel.add_file(old((1, 2)))
    result = host.run("new", file=new((1, 1)))
    assert (result["failed"], result["reason"], result["errno"]) == (True, "incompatible_states", "EINVAL")
    assert "or only in an older version" in result["cause"]
    assert host.stack == ["old"]


@pytest.mark.parametrize("replace", [False, True])
def test_an_older_patch_that_supersedes_a_newer_one_is_loaded_after_it(tmp_path: pathlib.Path, replace: bool) -> None:
    """As after test_klp_state2 of the kernel's selftests test_klp_state: loaded first, it would be refused."""
    host = ModelHost(tmp_path, loaded(old((1, 2))), kept=[old((1, 2))])
    result = host.run("new", file=new((1, 1), replace=replace), supersedes=("old",))
    assert not result.get("failed"), result
    assert host.kernel.calls == ["disable old", "unload old", "load new"]
    (note,) = (finding for finding in result["findings"] if finding["reason"] == "lowered_first")
    assert "system states" in note["cause"]
    # A newer one that takes its place comes first, as everywhere.
    result = host.run("old", file=old((1, 2), replace=True), supersedes=("new",))
    assert host.kernel.calls[3:] == ["load old", "unload new"]


@pytest.mark.parametrize("on_covered", [OnCovered.REFUSE, OnCovered.UNSTACK])
def test_the_newer_of_two_is_reverted_to_the_older_one(tmp_path: pathlib.Path, on_covered: OnCovered) -> None:
    host = ModelHost(tmp_path)
    older, newer = new((1, 1), replace=True), old((1, 2), replace=True)
    assert not host.run("new", file=older).get("failed")
    assert not host.run("old", file=newer, supersedes=("new",)).get("failed")
    result = host.run("old", State.REVERTED, on_covered=on_covered)
    assert not result.get("failed"), result
    assert host.stack == ["new"]


def test_a_failed_upgrade_brings_the_older_one_back(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, loaded(old((1, 1), abi=PER_TASK)), kept=[old((1, 1))])
    host.kernel.fail_later("unload", 0)
    result = host.run("new", file=new((1, 2), replace=True), supersedes=("old",))
    assert result["failed"]
    assert (host.stack, result.get("not_restored", [])) == (["old"], [])
