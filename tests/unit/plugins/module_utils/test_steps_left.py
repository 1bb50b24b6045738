# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stalled run leaves is told from what is there: by that run, by the next one, and by check mode alike."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import describe_unfinished
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    OnStall,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    said,
    snapshot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_runs import NOTE

REPORTING = Patience(1, 2, 0.1, OnStall.REPORT)

OLD = patch_file("old")

WAIT = "wait for the transition of new"


def left(result: dict[str, t.Any]) -> str:
    """What is left as the finding says it."""
    (sentence,) = [sentence for sentence in said(result) if "is still running" in sentence]
    return sentence.partition("Left for the next run: ")[2].partition(".")[0]


@pytest.mark.parametrize(
    ("shown", "in_file", "expected"),
    [
        (True, True, "unload old"),
        (None, True, "unload old"),
        (False, False, "disable old; wait for the transition of old; unload old"),
        (None, None, "disable old; wait for the transition of old; unload old"),
    ],
)
def test_two_runs_and_check_mode_tell_the_same(
    tmp_path: pathlib.Path, shown: bool | None, in_file: bool | None, expected: str
) -> None:
    new = patch_file("new", replace=in_file)
    host = ModelHost(tmp_path, loaded(OLD), kept=[OLD], stall=["new"])
    first = host.run("new", file=new, supersedes=("old",), patience=REPORTING)
    # Until the transition ends the kernel goes on to show what is replaced as enabled (klp_complete_transition()).
    host.kernel.patches = [
        dataclasses.replace(loaded(OLD), load_index=0, instance=-1),
        loaded(new, in_transition=True, replace=shown, load_index=1, instance=1),
    ]
    second = host.run("new", file=new, supersedes=("old",), patience=REPORTING)
    wanted = Wanted("new", State.ENABLED, new, supersedes=("old",))
    predicted = manage(Task(wanted, check_mode=True), host.kernel)
    assert [left(first), left(second)] == [expected] * 2
    assert predicted["actions"] == [WAIT, *expected.split("; ")]


def test_what_is_waited_for_is_not_told_as_left(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, loaded(OLD), kept=[OLD], stall=["old"])
    result = host.run("old", State.ABSENT, patience=REPORTING)
    assert left(result) == "unload old"
    assert host.run("old", State.DISABLED, patience=REPORTING)["actions"] == []


def test_what_is_accepted_at_the_end_is_left_and_what_is_forgotten_at_the_beginning_is_not(
    tmp_path: pathlib.Path,
) -> None:
    new = patch_file("new")
    host = ModelHost(tmp_path)
    host.run("new", file=new, boot=AtBoot.ACCEPTED)
    host.kernel.stall = {"new"}
    result = host.run("new", State.ABSENT, patience=REPORTING)
    assert left(result) == "unload new"
    other = ModelHost(tmp_path / "other", stall=["new"])
    assert left(other.run("new", file=new, boot=AtBoot.ACCEPTED, patience=REPORTING)) == "accept new for the next boots"


def test_what_a_running_transition_replaces_is_not_planned_to_be_disabled() -> None:
    moving = loaded(patch_file("new", replace=True), in_transition=True, load_index=2)
    host = snapshot(loaded(OLD, load_index=1), moving)
    plan = make_plan(host, Wanted("new", State.ENABLED, supersedes=("old",)))
    assert [str(step) for step in plan.steps] == [WAIT, "unload old"]
    # Turned back, it replaces nothing.
    away = make_plan(host, Wanted("new", State.ABSENT))
    assert [str(step) for step in away.steps] == ["disable new", WAIT, "unload new"]
    # Another task waits for it, and finds disabled then what it has replaced.
    refusals = make_plan(host, Wanted("old", State.ENABLED)).refusals
    assert [refusal.reason for refusal in refusals] == ["needs_file", "would_cover"]


def test_an_unfinished_run_is_about_patches_and_not_about_what_it_waits_for_or_loads_for_them() -> None:
    steps = (Step(Action.WAIT, "other"), Step(Action.LOAD_TARGET, "xfs"), Step(Action.UNLOAD, "old"))
    note = dataclasses.replace(NOTE, steps=steps, name="fix")
    unfinished = describe_unfinished(note)
    assert unfinished and unfinished["patches"] == ["fix", "old"]
