# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan on stop_machine kernels as tables: stacks, order, policies, owners; both settings of CONFIG_LIVEPATCH_STACK.

Patches are written as "a1+ b1-": in the kernel's order, + enabled, - disabled. The letters of a name are the functions.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    snapshot,
)


def file_of(name: str, content: str = "1", abi: str = STOP_MACHINE, **changes: t.Any) -> PatchFile:
    functions = tuple(Function("vmlinux", letter) for letter in name if letter.isalpha())
    return patch_file(name, content, abi=abi, functions=functions, **changes)


def host(text: str, abi: str = STOP_MACHINE, **changes: t.Any) -> Snapshot:
    """A host with the patches of the text; the number in a name is its place in the order of loading."""
    patches = []
    for word in text.split():
        name, enabled = word[:-1], word[-1] == "+"
        patches.append(loaded(file_of(name, abi=abi), enabled, load_index=int(name.lstrip("abcdefg"))))
    changes.setdefault("stacking_enforced", False)
    return snapshot(*patches, abi=abi, **changes)


def show(plan: Plan) -> str:
    """The steps, or the reasons of the refusals."""
    if plan.refusals:
        return "! " + " ".join(refusal.reason for refusal in plan.refusals)
    return ", ".join(f"{step.action} {step.patch}" for step in plan.steps)


def result(before: Snapshot, plan: Plan) -> str:
    after = predict(before, plan)
    return " ".join(patch.name + ("+" if patch.enabled else "-") for patch in after.patches)


# before, wanted name and state, on_covered, steps, the patches afterwards
WITHOUT_LIST_ORDER = [
    ("", "a1", State.ENABLED, OnCovered.REFUSE, "load a1, enable a1", "a1+"),
    ("", "a1", State.PRESENT, OnCovered.REFUSE, "load a1", "a1-"),
    ("", "a1", State.DISABLED, OnCovered.REFUSE, "", ""),
    ("a1-", "a1", State.ENABLED, OnCovered.REFUSE, "enable a1", "a1+"),
    ("a1-", "a1", State.PRESENT, OnCovered.REFUSE, "", "a1-"),
    ("a1-", "a1", State.ABSENT, OnCovered.REFUSE, "unload a1", ""),
    ("a1+", "a1", State.ENABLED, OnCovered.REFUSE, "", "a1+"),
    ("a1+", "a1", State.PRESENT, OnCovered.REFUSE, "", "a1+"),
    ("a1+", "a1", State.DISABLED, OnCovered.REFUSE, "disable a1", "a1-"),
    ("a1+", "a1", State.ABSENT, OnCovered.REFUSE, "disable a1, unload a1", ""),
    # a new one comes on top
    ("a1+", "a2", State.ENABLED, OnCovered.REFUSE, "load a2, enable a2", "a1+ a2+"),
    # different functions in any order
    ("a1+ b2+ c3+", "a1", State.ABSENT, OnCovered.REFUSE, "disable a1, unload a1", "b2+ c3+"),
    ("a1- b2+", "a1", State.ENABLED, OnCovered.REFUSE, "enable a1", "b2+ a1+"),
    # the top of a stack
    ("a1+ a2+", "a2", State.DISABLED, OnCovered.REFUSE, "disable a2", "a1+ a2-"),
    # covered
    ("a1+ a2+", "a1", State.DISABLED, OnCovered.REFUSE, "! covered", None),
    ("a1+ ab2+", "a1", State.ABSENT, OnCovered.REFUSE, "! covered", None),
    ("ab1+ b2+", "ab1", State.ABSENT, OnCovered.REFUSE, "! covered", None),
    ("a1+ a2+", "a1", State.DISABLED, OnCovered.ALLOW, "disable a1", "a1- a2+"),
    ("a1+ a2+", "a1", State.DISABLED, OnCovered.UNSTACK, "disable a2, disable a1, enable a2", "a1- a2+"),
    ("a1+ a2+ a3+", "a2", State.ABSENT, OnCovered.UNSTACK, "disable a3, disable a2, unload a2, enable a3", "a1+ a3+"),
    ("a1+ a2- a3+", "a1", State.ABSENT, OnCovered.UNSTACK, "disable a3, disable a1, unload a1, enable a3", "a2- a3+"),
    # what lies on the one that is lifted is lifted too, and nothing else
    (
        "a1+ ab2+ b3+ c4+",
        "a1",
        State.ABSENT,
        OnCovered.UNSTACK,
        "disable b3, disable ab2, disable a1, unload a1, enable ab2, enable b3",
        "c4+ ab2+ b3+",
    ),
    # an old one would jump over a newer one
    ("a1- a2+", "a1", State.ENABLED, OnCovered.REFUSE, "! would_cover", None),
    ("a1- a2+", "a1", State.ENABLED, OnCovered.ALLOW, "enable a1", "a2+ a1+"),
    ("a1- a2+", "a1", State.ENABLED, OnCovered.UNSTACK, "enable a1", "a2+ a1+"),
    ("a1+ a2- a3+", "a2", State.ENABLED, OnCovered.UNSTACK, "enable a2", "a1+ a3+ a2+"),
    # enabled and covered, wholly or in part
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.REFUSE, "! covered", None),
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.ALLOW, "", "a1+ a2+"),
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.UNSTACK, "disable a1, enable a1", "a2+ a1+"),
    ("a2+ a1+", "a1", State.ENABLED, OnCovered.UNSTACK, "", "a2+ a1+"),
    ("ab1+ b2+ c3+", "ab1", State.ENABLED, OnCovered.REFUSE, "! covered", None),
    ("ab1+ b2+ c3+", "ab1", State.ENABLED, OnCovered.ALLOW, "", "ab1+ b2+ c3+"),
    ("ab1+ b2+ c3+", "ab1", State.ENABLED, OnCovered.UNSTACK, "disable ab1, enable ab1", "b2+ c3+ ab1+"),
    ("a1+ a2-", "a1", State.ENABLED, OnCovered.REFUSE, "", "a1+ a2-"),
    # being loaded is all that is asked for
    ("a1+ a2+", "a1", State.PRESENT, OnCovered.REFUSE, "", "a1+ a2+"),
    ("a1+ a2+", "a1", State.PRESENT, OnCovered.UNSTACK, "", "a1+ a2+"),
    # it has jumped already: disabling it is nobody else's business
    ("a2+ a1+", "a1", State.DISABLED, OnCovered.REFUSE, "disable a1", "a2+ a1-"),
]

WITH_LIST_ORDER = [
    ("", "a1", State.ENABLED, OnCovered.REFUSE, "load a1, enable a1", "a1+"),
    ("a1+ b2+", "b2", State.DISABLED, OnCovered.REFUSE, "disable b2", "a1+ b2-"),
    ("a1+ b2-", "b2", State.ENABLED, OnCovered.REFUSE, "enable b2", "a1+ b2+"),
    ("a1+ b2-", "b2", State.ABSENT, OnCovered.REFUSE, "unload b2", "a1+"),
    # a disabled one blocks all behind it
    ("a1-", "b2", State.ENABLED, OnCovered.REFUSE, "! stacking", None),
    ("a1-", "b2", State.ENABLED, OnCovered.UNSTACK, "! stacking", None),
    ("a1-", "b2", State.PRESENT, OnCovered.REFUSE, "load b2", "a1- b2-"),
    ("a1- b2-", "b2", State.ENABLED, OnCovered.ALLOW, "! stacking", None),
    ("a1- b2-", "a1", State.ENABLED, OnCovered.REFUSE, "enable a1", "a1+ b2-"),
    # an enabled one behind it, whatever it patches
    ("a1+ b2+", "a1", State.DISABLED, OnCovered.REFUSE, "! stacking", None),
    ("a1+ b2+", "a1", State.DISABLED, OnCovered.ALLOW, "! stacking", None),
    ("a1+ b2+", "a1", State.DISABLED, OnCovered.UNSTACK, "! stacking", None),
    ("a1+ b2+", "a1", State.ABSENT, OnCovered.REFUSE, "! stacking", None),
    ("a1+ b2+", "a1", State.ABSENT, OnCovered.UNSTACK, "disable b2, disable a1, unload a1, enable b2", "b2+"),
    ("a1+ a2+", "a1", State.ABSENT, OnCovered.REFUSE, "! covered", None),
    ("a1+ a2+", "a1", State.ABSENT, OnCovered.ALLOW, "! covered", None),
    (
        "a1+ a2+ b3+",
        "a1",
        State.ABSENT,
        OnCovered.UNSTACK,
        "disable b3, disable a2, disable a1, unload a1, enable a2, enable b3",
        "a2+ b3+",
    ),
    # enabled and covered
    ("a1+ b2+", "a1", State.ENABLED, OnCovered.UNSTACK, "", "a1+ b2+"),
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.REFUSE, "! covered", None),
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.ALLOW, "", "a1+ a2+"),
    (
        "a1+ a2+ b3+",
        "a1",
        State.ENABLED,
        OnCovered.UNSTACK,
        "disable b3, disable a2, disable a1, unload a1, enable a2, enable b3, load a1, enable a1",
        "a2+ b3+ a1+",
    ),
    ("a1+ a2+ b3-", "a1", State.ENABLED, OnCovered.UNSTACK, "! stacking", None),
]

UNKNOWN_LIST_ORDER = [
    ("a1- b2-", "b2", State.ENABLED, OnCovered.REFUSE, "enable b2", "a1- b2+"),
    ("a1+ b2+", "a1", State.ABSENT, OnCovered.REFUSE, "disable a1, unload a1", "b2+"),
    ("a1+ b2+", "a1", State.ABSENT, OnCovered.UNSTACK, "disable b2, disable a1, unload a1, enable b2", "b2+"),
    ("a1+ a2+", "a1", State.DISABLED, OnCovered.UNSTACK, "disable a2, disable a1, enable a2", "a1- a2+"),
    # the kernel may hold them to the order of loading
    (
        "a1+ a2+",
        "a1",
        State.ENABLED,
        OnCovered.UNSTACK,
        "disable a2, disable a1, unload a1, enable a2, load a1, enable a1",
        "a2+ a1+",
    ),
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.REFUSE, "! covered", None),
]


@pytest.mark.parametrize(
    ("stacking_enforced", "before", "name", "state", "on_covered", "steps", "after"),
    [(False, *row) for row in WITHOUT_LIST_ORDER]
    + [(True, *row) for row in WITH_LIST_ORDER]
    + [(None, *row) for row in UNKNOWN_LIST_ORDER],
)
def test_states(
    stacking_enforced: bool | None,
    before: str,
    name: str,
    state: State,
    on_covered: OnCovered,
    steps: str,
    after: str | None,
) -> None:
    start = host(before, stacking_enforced=stacking_enforced)
    plan = make_plan(start, Wanted(name, state, file_of(name), on_covered=on_covered))
    assert show(plan) == steps
    if after is not None:
        assert result(start, plan) == after


SUPERSEDING = [
    # list order, before, wanted, names, on_covered, steps
    (False, "a1+", "a2", ["a1"], OnCovered.REFUSE, "load a2, enable a2, disable a1, unload a1"),
    (False, "a1-", "a2", ["a1"], OnCovered.REFUSE, "load a2, enable a2, unload a1"),
    (False, "a1+ b2+ c3+", "abc4", ["contained"], OnCovered.REFUSE, None),
    (False, "a1+ ab2+", "a3", ["contained"], OnCovered.REFUSE, "! covered"),
    (False, "a1+ a2+", "a2", ["a1"], OnCovered.REFUSE, "disable a1, unload a1"),
    (False, "a2+", "a2", ["a1"], OnCovered.REFUSE, ""),
    (False, "a1+ ab2+", "a3", ["a1"], OnCovered.ALLOW, "load a3, enable a3, disable a1, unload a1"),
    (
        False,
        "a1+ ab2+",
        "a3",
        ["a1"],
        OnCovered.UNSTACK,
        "load a3, disable ab2, disable a1, unload a1, enable ab2, enable a3",
    ),
    (True, "a1+", "a2", ["a1"], OnCovered.REFUSE, "load a2, disable a1, unload a1, enable a2"),
    (True, "a1-", "a2", ["a1"], OnCovered.REFUSE, "load a2, unload a1, enable a2"),
    (True, "a1+ b2+", "a3", ["a1"], OnCovered.REFUSE, "! stacking"),
    (
        True,
        "a1+ b2+",
        "a3",
        ["a1"],
        OnCovered.UNSTACK,
        "load a3, disable b2, disable a1, unload a1, enable b2, enable a3",
    ),
    (True, "a1+ a2+", "a2", ["a1"], OnCovered.REFUSE, "disable a2, disable a1, unload a1, enable a2"),
    (None, "a1+", "a2", ["a1"], OnCovered.REFUSE, "load a2, disable a1, unload a1, enable a2"),
]


@pytest.mark.parametrize(("stacking_enforced", "before", "name", "names", "on_covered", "steps"), SUPERSEDING)
def test_supersedes(
    stacking_enforced: bool | None, before: str, name: str, names: list[str], on_covered: OnCovered, steps: str | None
) -> None:
    start = host(before, stacking_enforced=stacking_enforced)
    wanted = Wanted(name, State.ENABLED, file_of(name), on_covered=on_covered, supersedes=tuple(names))
    plan = make_plan(start, wanted)
    if steps is None:
        assert result(start, plan) == "abc4+"
    else:
        assert show(plan) == steps
    if not plan.refusals:
        assert not make_plan(predict(start, plan), wanted).steps


def test_covered_means_all_functions() -> None:
    start = host("a1+ ab2+")
    plan = make_plan(start, Wanted("ab3", State.ENABLED, file_of("ab3"), supersedes=("contained",)))
    assert result(start, plan) == "ab3+"
    plan = make_plan(start, Wanted("b3", State.ENABLED, file_of("b3"), supersedes=("contained",)))
    assert result(start, plan) == "a1+ ab2+ b3+"


def test_a_gap_is_announced() -> None:
    wanted = Wanted("a2", State.ENABLED, file_of("a2"), supersedes=("a1",))
    kept = {"a1": file_of("a1")}
    assert make_plan(host("a1+"), wanted, kept).notes == ()
    (note,) = make_plan(host("a1+", stacking_enforced=True), wanted, kept).notes
    assert "neither is active" in note.why


@pytest.mark.parametrize(
    ("stacking_enforced", "before", "on_covered", "expected"),
    [
        (False, "a1+", OnCovered.REFUSE, "disable a1, unload a1, load a1, enable a1"),
        (False, "a1-", OnCovered.REFUSE, "unload a1, load a1, enable a1"),
        (False, "a1+ a2+", OnCovered.REFUSE, "! covered"),
        (False, "a1+ a2+", OnCovered.UNSTACK, "disable a1, unload a1, load a1, enable a1"),
        (False, "a1+ a2+", OnCovered.ALLOW, "disable a1, unload a1, load a1, enable a1"),
        (True, "a1+ b2+", OnCovered.UNSTACK, "disable b2, disable a1, unload a1, enable b2, load a1, enable a1"),
        (True, "a1+ a2+", OnCovered.UNSTACK, "disable a2, disable a1, unload a1, enable a2, load a1, enable a1"),
    ],
)
def test_reload(stacking_enforced: bool | None, before: str, on_covered: OnCovered, expected: str) -> None:
    wanted = Wanted("a1", State.ENABLED, file_of("a1", "2"), reload=True, on_covered=on_covered)
    assert show(make_plan(host(before, stacking_enforced=stacking_enforced), wanted)) == expected


def test_what_is_reloaded_comes_above_what_is_lifted() -> None:
    start, file = host("a1+ ab2+ b3+ b4+"), file_of("b3", "2")
    wanted = Wanted("b3", State.ENABLED, file, reload=True, on_covered=OnCovered.UNSTACK, supersedes=("a1",))
    assert result(start, make_plan(start, wanted)) == "ab2+ b4+ b3+"


def test_what_is_reloaded_only_to_be_loaded_keeps_its_place() -> None:
    start, file = host("a1+ a2+"), file_of("a1", "2")
    wanted = Wanted("a1", State.PRESENT, file, reload=True, on_covered=OnCovered.UNSTACK)
    assert result(start, make_plan(start, wanted)) == "a1+ a2+"


@pytest.mark.parametrize(("before", "expected"), [("a1+", "a1+"), ("a1-", "a1-")])
def test_reload_for_present_does_not_change_whether_it_is_active(before: str, expected: str) -> None:
    start = host(before)
    assert result(start, make_plan(start, Wanted("a1", State.PRESENT, file_of("a1", "2"), reload=True))) == expected


PER_TASK_STACKS = [
    ("a1+ a2+", "a1", State.DISABLED, OnCovered.REFUSE, {}, "! covered"),
    ("a1+ a2+", "a1", State.ABSENT, OnCovered.ALLOW, {}, "disable a1, wait a1, unload a1"),
    ("a1+ a2+", "a1", State.ABSENT, OnCovered.UNSTACK, {}, "! needs_file"),
    (
        "a1+ a2+",
        "a1",
        State.ABSENT,
        OnCovered.UNSTACK,
        ["a2"],
        "disable a2, wait a2, disable a1, wait a1, unload a1, unload a2, load a2, wait a2",
    ),
    ("a1- a2+", "a1", State.ENABLED, OnCovered.REFUSE, {}, "! would_cover"),
    ("a1- a2+", "a1", State.ENABLED, OnCovered.ALLOW, {}, "unload a1, load a1, wait a1"),
    ("a1- a2+", "a1", State.ENABLED, OnCovered.UNSTACK, {}, "unload a1, load a1, wait a1"),
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.REFUSE, {}, "! covered"),
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.ALLOW, {}, ""),
    ("a1+ a2+", "a1", State.ENABLED, OnCovered.UNSTACK, {}, "disable a1, wait a1, unload a1, load a1, wait a1"),
    ("ab1+ b2+", "ab1", State.ENABLED, OnCovered.REFUSE, {}, "! covered"),
    ("ab1+ b2+", "ab1", State.ENABLED, OnCovered.UNSTACK, {}, "disable ab1, wait ab1, unload ab1, load ab1, wait ab1"),
    ("a1+ a2+", "a1", State.PRESENT, OnCovered.REFUSE, {}, ""),
]


@pytest.mark.parametrize(("before", "name", "state", "on_covered", "kept", "expected"), PER_TASK_STACKS)
def test_per_task_kernels_obey_the_same_rule(
    before: str, name: str, state: State, on_covered: OnCovered, kept: dict[str, t.Any] | list[str], expected: str
) -> None:
    files = {other: file_of(other, abi=PER_TASK) for other in kept}
    wanted = Wanted(name, state, file_of(name, abi=PER_TASK), on_covered=on_covered)
    assert show(make_plan(host(before, abi=PER_TASK), wanted, files)) == expected


def test_a_transition_that_disables_ends_before_another_patch_is_disabled() -> None:
    """The kernel runs one at a time. A different build is loaded, so this one is not turned back."""
    files = {name: file_of(name, abi=PER_TASK) for name in ("a1", "a2")}
    going = loaded(files["a1"], False, functions=files["a1"].functions, in_transition=True, load_index=1)
    wanted = Wanted("a1", State.PRESENT, file_of("a1", "2", PER_TASK), reload=True, on_covered=OnCovered.UNSTACK)
    plan = make_plan(snapshot(going, loaded(files["a2"], load_index=2)), wanted, files)
    assert show(plan) == "wait a1, disable a2, wait a2, unload a1, load a1, wait a1, unload a2, load a2, wait a2"


@pytest.mark.parametrize(
    ("on_covered", "expected"),
    [
        (OnCovered.REFUSE, "! covered"),
        (OnCovered.ALLOW, "enable a1, wait a1"),
        (OnCovered.UNSTACK, "wait a1, unload a1, load a1, wait a1"),
    ],
)
def test_a_transition_that_disables_what_is_covered_is_not_turned_back(on_covered: OnCovered, expected: str) -> None:
    files = {name: file_of(name, abi=PER_TASK) for name in ("a1", "a2")}
    going = loaded(files["a1"], False, functions=files["a1"].functions, in_transition=True, load_index=1)
    start = snapshot(going, loaded(files["a2"], load_index=2))
    assert show(make_plan(start, Wanted("a1", State.ENABLED, files["a1"], on_covered=on_covered))) == expected


RAISED = [
    # abi, before, wanted, kept, steps
    (PER_TASK, "a1+ a2+", Wanted("a1", State.ENABLED), [], "! needs_file"),
    (PER_TASK, "a1+ a2+", Wanted("a1", State.ENABLED), ["a1"], "disable a1, wait a1, unload a1, load a1, wait a1"),
    (
        PER_TASK,
        "a1+ a2+",
        Wanted("a1", State.ENABLED, file_of("a1", abi=PER_TASK, replace=True)),
        [],
        "! replaces_others",
    ),
    (
        PER_TASK,
        "a1+ a2+ b3+ b4+",
        Wanted("a1", State.ENABLED, supersedes=("b3",)),
        ["a1", "b4"],
        (
            "disable b4, wait b4, disable b3, wait b3, disable a1, wait a1, unload b3, unload a1, "
            "unload b4, load b4, wait b4, load a1, wait a1"
        ),
    ),
    # what it supersedes does not cover it for long
    (STOP_MACHINE, "a1+ a2+", Wanted("a1", State.ENABLED, supersedes=("a2",)), [], "disable a2, unload a2"),
    (STOP_MACHINE, "a1+ a2+", Wanted("a1", State.ENABLED, supersedes=("contained",)), [], "disable a2, unload a2"),
    (
        STOP_MACHINE,
        "a1+ ab2+ c3+",
        Wanted("a1", State.ENABLED, supersedes=("c3",)),
        [],
        "disable a1, enable a1, disable c3, unload c3",
    ),
    # another build that replaces something else is covered where the loaded one is not
    (
        STOP_MACHINE,
        "a1+ b2+",
        Wanted("a1", State.ENABLED, dataclasses.replace(file_of("ab1", "2"), name="a1"), reload=True),
        [],
        "disable a1, unload a1, load a1, enable a1",
    ),
]


@pytest.mark.parametrize(("abi", "before", "wanted", "kept", "expected"), RAISED)
def test_raising(abi: str, before: str, wanted: Wanted, kept: list[str], expected: str) -> None:
    files = {name: file_of(name, abi=abi) for name in kept}
    start, wanted = host(before, abi=abi), dataclasses.replace(wanted, on_covered=OnCovered.UNSTACK)
    plan = make_plan(start, wanted, files)
    assert show(plan) == expected
    if not plan.refusals:
        after = predict(start, plan)
        patch = after.patch("a1")
        assert patch and after.effect(patch) == "full"
        assert show(make_plan(after, wanted, files)) == ""


def test_two_that_are_raised_in_turn_take_turns() -> None:
    start = host("a1+ a2+")
    for name, after in (("a1", "a2+ a1+"), ("a2", "a1+ a2+")):
        plan = make_plan(start, Wanted(name, State.ENABLED, on_covered=OnCovered.UNSTACK))
        assert result(start, plan) == after
        start = predict(start, plan)


def notes(before: str, on_covered: OnCovered) -> dict[str, tuple[str, str, str]]:
    plan = make_plan(host(before), Wanted("ab1", State.ENABLED, on_covered=on_covered))
    return {note.reason: (note.severity, note.seen, note.why) for note in plan.notes}


def test_what_stays_covered_or_is_raised_is_told() -> None:
    no_call = "Calls of these functions do not reach its code"
    seen = "ab1 is enabled, and covered on vmlinux/a,1 by a2; vmlinux/b,1 by b3, b4."
    assert notes("ab1+ a2+ b3+ b4+", OnCovered.ALLOW) == {
        "covered": ("warn", seen, f"{no_call}; on_covered: allow permits that.")
    }
    (refusal,) = make_plan(host("ab1+ a2+ b3+ b4+"), Wanted("ab1", State.ENABLED)).refusals
    assert (refusal.seen, refusal.why) == (seen, f"{no_call}.")
    assert notes("ab1+ a2+ c3+", OnCovered.UNSTACK)["raised"] == (
        "info",
        "ab1 is disabled for a moment and enabled again above a2.",
        "on_covered: unstack asks for that. In between its fix is not active.",
    )
    assert notes("ab1- a2+ c3+", OnCovered.UNSTACK)["raised"][1:] == (
        "ab1 is enabled above a2.",
        "on_covered: unstack asks for that.",
    )
    assert notes("a2+ ab1+", OnCovered.UNSTACK) == notes("a2+ ab1+", OnCovered.ALLOW) == {}


def test_a_transition_that_enables_what_goes_is_turned_back() -> None:
    files = {name: file_of(name, abi=PER_TASK) for name in ("a1", "ab2", "b3")}
    patches = [loaded(file, load_index=place, in_transition=place == 3) for place, file in enumerate(files.values(), 1)]
    file = file_of("b3", "2", PER_TASK)
    wanted = Wanted("b3", State.ENABLED, file, reload=True, on_covered=OnCovered.UNSTACK, supersedes=("a1",))
    plan = make_plan(snapshot(*patches), wanted, files)
    assert show(plan) == (
        "disable b3, wait b3, disable ab2, wait ab2, disable a1, wait a1, unload a1, unload b3, "
        "unload ab2, load ab2, wait ab2, load b3, wait b3"
    )


@pytest.mark.parametrize(
    ("replace", "names", "expected"),
    [
        (False, ["a1"], "load a2, wait a2, disable a1, wait a1, unload a1"),
        (True, ["a1"], "load a2, wait a2, unload a1"),
        (True, [], "! replaces_others"),
        (None, [], "! may_replace_others"),
    ],
)
def test_supersedes_on_per_task_kernels(replace: bool | None, names: list[str], expected: str) -> None:
    file = file_of("a2", abi=PER_TASK, replace=replace)
    start = host("a1+", abi=PER_TASK)
    plan = make_plan(start, Wanted("a2", State.ENABLED, file, supersedes=tuple(names)))
    assert show(plan) == expected
    if not plan.refusals:
        assert result(start, plan) == "a2+"


def test_a_superseded_patch_that_came_later_is_disabled_although_the_wanted_one_replaces() -> None:
    wanted = Wanted("a1", State.ENABLED, file_of("a1", abi=PER_TASK, replace=True), supersedes=("b2",))
    assert show(make_plan(host("a1+ b2+", abi=PER_TASK), wanted)) == "disable b2, wait b2, unload b2"


def test_replace_is_refused_where_it_is_not_implemented() -> None:
    plan = make_plan(host(""), Wanted("a1", State.ENABLED, file_of("a1", replace=True)))
    assert show(plan) == "! replace_not_supported"


def owned(text: str, owner: str) -> Snapshot:
    start = host(text)
    first, *others = start.patches
    return snapshot(
        loaded(file_of(first.name), owner=owner, load_index=1), *others, abi=STOP_MACHINE, stacking_enforced=False
    )


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        ("a1+", Wanted("a1", State.DISABLED), "! owned"),
        ("a1+", Wanted("a1", State.DISABLED, force_owner=True), "disable a1"),
        ("a1+", Wanted("a1", State.ENABLED), ""),
        ("a1+ a2+", Wanted("a1", State.ENABLED), "! covered"),
        ("a1+ a2+", Wanted("a1", State.ENABLED, on_covered=OnCovered.UNSTACK), "! owned"),
        ("b2+ a1+ a3+", Wanted("a1", State.ENABLED, on_covered=OnCovered.UNSTACK), "disable a1, enable a1"),
        ("a1+", Wanted("b2", State.ENABLED, file_of("b2")), "load b2, enable b2"),
        ("a1+", Wanted("a2", State.ENABLED, file_of("a2"), supersedes=("contained",)), "! owned"),
    ],
)
def test_patches_of_other_tools_are_left_alone(text: str, wanted: Wanted, expected: str) -> None:
    assert show(make_plan(owned(text, "SysCare"), wanted)) == expected


NEWER_FIRST = "Act on the newer patches first, or set on_covered: unstack (disable, act, enable them again)"


@pytest.mark.parametrize(
    ("before", "wanted", "sentences"),
    [
        (
            host("ab1+ b2+ ab3+"),
            Wanted("ab1", State.DISABLED),
            [
                "Newer patches cover vmlinux/a,1 of ab1 by ab3; vmlinux/b,1 of ab1 by b2, ab3.",
                NEWER_FIRST + " or allow (leave them live).",
            ],
        ),
        # There the kernel does not disable what is covered.
        (host("a1+ a2+", stacking_enforced=True), Wanted("a1", State.DISABLED), [NEWER_FIRST + "."]),
        (
            host("abc1- b2+ c3+"),
            Wanted("abc1", State.ENABLED),
            [
                "abc1 was loaded before b2, c3 and would now come above on vmlinux/b,1, vmlinux/c,1.",
                "Set on_covered: unstack or allow to let it come above them; or leave it disabled.",
            ],
        ),
        (
            host("a1+ b2+ c3+", stacking_enforced=True),
            Wanted("a1", State.DISABLED, on_covered=OnCovered.UNSTACK),
            ["b2, c3 could not be enabled again behind the disabled a1."],
        ),
        (
            host("a1+ a2+ b3+", stacking_enforced=True),
            Wanted("a1", State.PRESENT, file_of("a1", "2"), reload=True, on_covered=OnCovered.UNSTACK),
            ["a1 would come above a2, b3.", "Set state: absent for a2, b3 first, and load them again afterwards."],
        ),
        (
            host("a1+ b2+", abi=PER_TASK),
            Wanted("c3", State.ENABLED, file_of("c3", abi=PER_TASK, replace=True)),
            ["Loading it would disable a1, b2."],
        ),
        (
            host("a1+ b2+", abi=PER_TASK),
            Wanted("c3", State.ENABLED, file_of("c3", abi=PER_TASK, replace=None)),
            ["If it has, loading it would disable a1, b2."],
        ),
    ],
)
def test_a_refusal_names_patches_and_functions(before: Snapshot, wanted: Wanted, sentences: list[str]) -> None:
    (refusal,) = make_plan(before, wanted).refusals
    assert set(sentences) <= {refusal.seen, refusal.remedy, refusal.why}
