# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Some random walks, and that each check of them can fail. `make fuzz MINUTES=60` walks for longer."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, OnStall, State, Task
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import walk
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walk import Plain
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walk_plot import (
    FUNCTIONS,
    Act,
    Other,
    Patch,
    Plot,
    Run,
    draw,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walked_kernel import WalkedKernel

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

SOME = settings.default.max_examples // 5
"""A walk has many steps, and is made short by itself."""


@settings(max_examples=SOME, phases=[Phase.generate])
@given(st.integers(0, (1 << 32) - 1))
def test_no_step_that_succeeds_leaves_fewer_functions_fixed_than_its_result_says(seed: int) -> None:
    plot = draw(seed)
    if walk.failure_of(plot):
        pytest.fail(walk.report(seed, plot))


def test_a_seed_gives_the_same_walk_again() -> None:
    assert draw(1) == draw(1) != draw(2)


F, G, H, M = FUNCTIONS
PATCHES = (Patch((F,)), Patch((G,)), Patch((M,)), Patch((F, G)))
FIRST, SECOND = Run("p1", State.ENABLED, "1"), Run("p2", State.ENABLED, "1")
BOTH = Run("p4", State.ENABLED, "1", supersedes=("p1", "p2"))
BOTH_REVERTED = Run("p4", State.REVERTED, "1")

Lie = t.Callable[[WalkedKernel, Plain], object]


def disable(name: str) -> Lie:
    return lambda kernel, _result: kernel.by_other(lambda: kernel.write_enabled(name, False))


def unload(name: str) -> Lie:
    return both(disable(name), lambda kernel, _result: kernel.by_other(lambda: kernel.unload(name)))


def say(**words: t.Any) -> Lie:
    return lambda _kernel, result: result.update(words)


def both(*lies: Lie) -> Lie:
    return lambda kernel, result: [lie(kernel, result) for lie in lies]


def load(name: str) -> Lie:
    def lie(kernel: WalkedKernel, _result: Plain) -> None:
        file = next(file for file in kernel.known_files.values() if file.name == name)
        kernel.by_other(lambda: kernel.load(f"/{name}-1.ko", file.sha256))

    return lie


FAILED: Plain = {"failed": True, "attempted": "load p1", "msg": "Failed."}
TOLD: Plain = {"findings": [{"reason": "x", "cause": "p1 went.", "remedy": ""}]}

Case = t.Tuple[Lie, t.Tuple[Act, ...]]
LIES_ABOUT_CHANGES: dict[str, Case] = {
    "fix_lost": (disable("p1"), (FIRST, SECOND)),
    "reverted_lost": (disable("p1"), (FIRST, BOTH, Run("p3", State.ENABLED, "1"), BOTH_REVERTED)),
    "reverted_forgot": (disable("p1"), (FIRST, BOTH, BOTH_REVERTED)),
    "failed_lost": (both(disable("p1"), say(**FAILED, not_restored=["p1", "p2"])), (FIRST, SECOND)),
    "foreign_touched": (both(disable("p1"), say(**TOLD)), (Other("load", "p1"), SECOND)),
    "result_state": (disable("p1"), (FIRST,)),
    "result_effect": (lambda _kernel, result: result["patch"].update(effective="none"), (FIRST,)),
    "failed_differs": (say(**FAILED, not_restored=[]), (FIRST,)),
    "told_in_vain": (both(unload("p1"), say(**FAILED, not_restored=["p1"])), (FIRST,)),
    "internal_error": (say(**FAILED, not_restored=["p1"], reason="internal_error"), (FIRST,)),
    "spurious": (say(**FAILED, changed=False, not_restored=["p1"]), (FIRST,)),
    "refused_changed": (say(failed=True, msg="Refused.", not_restored=["p1"]), (FIRST,)),
    "changed_untold": (say(changed=False), (FIRST,)),
    "actions": (lambda _kernel, result: result["actions"].append("disable p9"), (FIRST,)),
    "not_reached": (both(disable("p1"), say(state="disabled", patch=None)), (FIRST,)),
    "not_effective": (both(load("p4"), say(patch=None)), (FIRST,)),
}
"""What is wrong with the last task that changes something, by the check that finds it."""

LIES_ABOUT_NOTHING: dict[str, Case] = {
    "second_changed": (say(changed=True), (FIRST,)),
    "second_failed": (say(failed=True, msg="Failed."), (FIRST,)),
}
LIES_IN_CHECK_MODE: dict[str, Case] = {
    "check_mode": (load("p2"), (FIRST,)),
    "predicted": (say(changed=False), (FIRST,)),
    "predicted_failed": (say(failed=True), (FIRST,)),
}
LIES_OF_FACTS: dict[str, Case] = {
    "facts_unknown": (say(functions=None), (FIRST,)),
    "facts_state": (say(patches=[]), (FIRST,)),
    "facts_live": (say(functions=[]), (FIRST,)),
    "facts_effect": (lambda _kernel, facts: [one.update(effective="none") for one in facts["patches"]], (FIRST,)),
}
LIES = {**LIES_ABOUT_CHANGES, **LIES_ABOUT_NOTHING, **LIES_IN_CHECK_MODE, **LIES_OF_FACTS}


@pytest.mark.parametrize("kind", LIES)
def test_each_check_can_fail(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lie, acts = LIES[kind]
    plot = Plot("per_task 6.12", PATCHES, acts)
    assert walk.failure_of(plot) is None
    runs = [act for act in acts if isinstance(act, Run)]
    kernels = []

    def lying(task: Task, kernel: WalkedKernel) -> Plain:
        kernels.append(kernel)
        result = manage(task, kernel)
        is_due = task.wanted.name == runs[-1].name and task.wanted.state == runs[-1].state
        if kind in LIES_IN_CHECK_MODE:
            is_due = task.check_mode
        elif task.check_mode or result["changed"] != (kind in LIES_ABOUT_CHANGES):
            is_due = False
        if is_due and kind not in LIES_OF_FACTS:
            lie(kernel, result)
        return result

    def lying_facts(files: Files) -> Plain:
        facts = gather(files)
        if kind in LIES_OF_FACTS:
            lie(kernels[-1], facts)
        return facts

    monkeypatch.setattr(walk, "manage", lying)
    monkeypatch.setattr(walk, "gather", lying_facts)
    assert walk.failure_of(plot) == kind


LEFT = Run("p2", State.ENABLED, "1", on_stall=OnStall.REPORT, supersedes=("p1",))


@pytest.mark.parametrize("kind", ["per_task 6.1", "per_task 6.12"])
@pytest.mark.parametrize("held", ["p1", "p2"])
@pytest.mark.parametrize("then", [LEFT, Run("p3", State.ENABLED, "1")])
def test_what_waits_for_a_transition_that_was_left_succeeds(kind: str, held: str, then: Run) -> None:
    """A task that check mode has foretold fails for a reason: of others, of the kernel, or of a stall."""
    patches = (Patch((F, G)), Patch((F,), replace=held == "p2", told=held == "p2"), Patch((G,)), Patch((M,)))
    acts = (FIRST, Other("hold", held), LEFT, Other("end_later"), then)
    assert walk.failure_of(Plot(kind, patches, acts)) is None


def test_what_the_file_of_a_task_tells_of_a_patch_of_somebody_else_is_known() -> None:
    """Before Linux 6.11 the kernel does not show that it replaces others."""
    patches = (Patch((F,)), Patch((F,), replace=True, told=True), Patch((G,)), Patch((M,)))
    begun = (Other("load", "p1"), Other("hold", "p2"), Other("load", "p2"), Other("end_later"))
    takes_over = Run("p2", State.ENABLED, "1", supersedes=("contained",), force_owner=True)
    assert walk.failure_of(Plot("per_task 6.1", patches, (*begun, takes_over))) is None


FOUND: dict[str, Plot] = {
    # SEED=3756348553: a step that the kernel refused once and took later was told as what is not as before.
    "took it later": Plot(
        "stop_machine",
        PATCHES,
        (FIRST, Run("p1", State.ENABLED, "2", reload=True, fail_too=("enable", 1), disproved=True)),
    ),
    # SEED=3130966377: what may replace did not come back below a patch that the task was not about.
    "below another": Plot(
        "per_task 6.1",
        (Patch((G,), told=None), Patch((H,)), Patch((G,)), Patch((H,))),
        (FIRST, SECOND, Run("p1", State.REVERTED, "1", fail=("unload", 0))),
    ),
    # SEED=4041155661: what came back at the second try disabled one that had come back before it.
    "above another": Plot(
        "per_task 6.12",
        (Patch((F,)), Patch((H,)), Patch((F,)), Patch((H,), replace=True, told=True)),
        (
            Run("p4", State.ENABLED, "1"),
            Run("p1", State.PRESENT, "2"),
            Run("p3", State.ENABLED, "1", supersedes=("p4",), fail=("load", 1), disproved=True),
        ),
    ),
    # SEED=327107397: what a proof that failed was to bring back could not come back below a module in use.
    "below one in use": Plot(
        "per_task 6.14",
        (Patch((G,)), Patch((H,)), Patch((F,), replace=True, told=True), Patch((G,))),
        (
            Run("p3", State.ENABLED, "1"),
            Run("p1", State.PRESENT, "1"),
            Other("use", "p1"),
            Run("p1", State.ENABLED, "1", supersedes=("p3",), disproved=True),
        ),
    ),
    # SEED=327113272: what is raised to supersede one patch comes above another that it contains.
    "above what it contains": Plot(
        "stop_machine, hidden",
        (Patch((M,)), Patch((G,)), Patch((G,)), Patch((G,))),
        (
            Run("p4", State.ENABLED, "1"),
            Run("p3", State.ENABLED, "2"),
            Run("p1", State.ENABLED, "1"),
            Run("p4", State.ENABLED, "1", on_covered=OnCovered.ALLOW, supersedes=("p1", "contained")),
        ),
    ),
    # SEED=327118383: what a run has displaced against expectation, and could not bring back, was forgotten.
    "displaced in vain": Plot(
        "per_task 6.1",
        (Patch((H,)), Patch((H,)), Patch((F,), replace=True), Patch((F,))),
        (
            Run("p4", State.PRESENT, "1"),
            Run("p3", State.ENABLED, "1", fail_too=("load", 1)),
            Run("p3", State.REVERTED),
        ),
    ),
    # SEED=99849915: what came back below another patch did not, since it came behind a disabled third one.
    "behind a disabled one": Plot(
        "stop_machine, stacking",
        (Patch((H, M)), Patch((H,)), Patch((M,)), Patch((M,))),
        (
            Run("p1", State.ENABLED, "2"),
            Run("p3", State.PRESENT, "1"),
            Run("p4", State.PRESENT, "1"),
            Run("p3", State.ENABLED, "1"),
            Run("p3", State.ENABLED, "1", supersedes=("p1",), disproved=True),
        ),
    ),
    # SEED=540220406: what was forced was disabled for a moment, and could not be enabled again.
    "forced and lifted": Plot(
        "per_task 5.10",
        (Patch((F,)), Patch((H,)), Patch((H,)), Patch((F,))),
        (
            Other("hold", "p1"),
            Run("p4", State.ENABLED, "2"),
            Run("p1", State.ENABLED, "1", on_stall=OnStall.FORCE),
            Other("end_stall", "p4"),
            Run("p4", State.DISABLED, "1", on_covered=OnCovered.UNSTACK, reload=True),
        ),
    ),
    # SEED=540225387: a transition was forced, and the task was planned anew and refused as if nothing had been done.
    "forced and refused": Plot(
        "per_task 6.1",
        (Patch((H,)), Patch((H,), replace=True), Patch((F,)), Patch((G,), replace=True, told=None)),
        (
            Other("hold", "p4"),
            Run("p4", State.ENABLED, "2", on_stall=OnStall.FORCE),
            Run("p2", State.PRESENT, "2"),
            Run("p2", State.ABSENT, on_stall=OnStall.FORCE),
        ),
    ),
    # SEED=3717944832: what the kernel refused for a moment, when it was to come again, was not tried once more.
    "refused for a moment": Plot(
        "per_task 6.1",
        (Patch((F,)), Patch((H,)), Patch((G,), replace=True), Patch((F,))),
        (
            Run("p3", State.ENABLED, "1"),
            Run("p4", State.ENABLED, "1"),
            Run("p2", State.ENABLED, "1", supersedes=("p3",), fail_too=("unload", 2), disproved=True),
        ),
    ),
}
"""Walks that have gone wrong once."""


@pytest.mark.parametrize("case", FOUND)
def test_a_walk_that_once_went_wrong_goes_right(case: str) -> None:
    assert walk.failure_of(FOUND[case]) is None


def test_while_a_transition_is_left_running_the_kernel_is_asked_for_nothing_else() -> None:
    """SEED=3169634272: it was asked for half a minute, and refuses until the transition ends."""
    patches = (Patch((F, G)), Patch((F,), replace=True, told=False), *PATCHES[2:])
    told: list[str] = []
    walk.walk(
        Plot("per_task 6.12", patches, (FIRST, Run("p2", State.ENABLED, "1", meddle=(1, Other("hold", "p1"))))),
        told.append,
    )
    assert told[-1].strip() == "p2+, p1+~; target"
    assert told[-2].endswith("calls ['load p2', 'unload p1', 'load p1']")


def test_a_walk_that_goes_wrong_is_made_short_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    long = Plot("stop_machine", PATCHES, (SECOND, FIRST, Other("hold", "p2"), dataclasses.replace(BOTH, reload=True)))

    def lying(task: Task, kernel: WalkedKernel) -> Plain:
        result = manage(task, kernel)
        if task.wanted.name == "p1":
            raise RuntimeError("p1")
        return result

    monkeypatch.setattr(walk, "manage", lying)
    assert walk.failure_of(long) == "RuntimeError"
    assert walk.shorten(long).acts == (FIRST,)
    assert "SEED=7" in walk.report(7, long)
    assert "Run(name=p1, state=enabled, build=1" in walk.report(7, long)
