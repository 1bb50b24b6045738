# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan as tables: what is loaded and what is wanted decide the steps or the refusal."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Identity,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import deviations, predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import rollback_steps
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_per_task import settling
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    snapshot,
)

FIX = patch_file("fix")
OTHER_FIX = patch_file("fix", "2")
UNKNOWN_FIX = patch_file("fix", build_id=None)
OTHER_FILE = patch_file("other", functions=(Function("vmlinux", "loadavg_proc_show"),))
OTHER = loaded(OTHER_FILE)
OTHER_MOVING = loaded(OTHER_FILE, in_transition=True)
LEAVING_ABOVE = loaded(patch_file("other"), enabled=False, in_transition=True, functions=FIX.functions)
ON = loaded(FIX)
OFF = loaded(FIX, enabled=False)
STARTING = loaded(FIX, in_transition=True)
STOPPING = loaded(FIX, enabled=False, in_transition=True)
NO_MARKS = loaded(FIX, identity=Identity())
STAYS = loaded(FIX, permanent=True)

LOAD = ["load fix", "wait fix"]
DISABLE = ["disable fix", "wait fix"]
UNLOAD = [*DISABLE, "unload fix"]
WAIT = ["wait fix"]
BOTH = ["fix", "other"]


def steps(plan: Plan) -> list[str]:
    return [f"{step.action} {step.patch}" for step in plan.steps]


def reasons(plan: Plan) -> list[str]:
    return [refusal.reason for refusal in plan.refusals]


@pytest.mark.parametrize(
    ("patches", "state", "file", "expected"),
    [
        # not loaded
        ([], State.ENABLED, FIX, LOAD),
        ([], State.PRESENT, FIX, LOAD),
        ([], State.DISABLED, FIX, []),
        ([], State.DISABLED, None, []),
        ([], State.ABSENT, FIX, []),
        ([], State.ABSENT, None, []),
        # enabled
        ([ON], State.ENABLED, FIX, []),
        ([ON], State.ENABLED, None, []),
        ([ON], State.PRESENT, FIX, []),
        ([ON], State.DISABLED, None, DISABLE),
        ([ON], State.ABSENT, None, UNLOAD),
        ([ON], State.ABSENT, FIX, UNLOAD),
        # disabled: only loading enables again
        ([OFF], State.ENABLED, FIX, ["unload fix", *LOAD]),
        ([OFF], State.PRESENT, FIX, []),
        ([OFF], State.PRESENT, None, []),
        ([OFF], State.DISABLED, None, []),
        ([OFF], State.ABSENT, None, ["unload fix"]),
        # being enabled
        ([STARTING], State.ENABLED, FIX, WAIT),
        ([STARTING], State.PRESENT, None, []),
        ([STARTING], State.DISABLED, None, DISABLE),
        ([STARTING], State.ABSENT, None, UNLOAD),
        # being disabled
        ([STOPPING], State.ENABLED, FIX, ["enable fix", "wait fix"]),
        ([STOPPING], State.DISABLED, None, WAIT),
        ([STOPPING], State.ABSENT, None, ["wait fix", "unload fix"]),
        # somebody else's patches
        ([OTHER], State.ENABLED, FIX, LOAD),
        ([OTHER, ON], State.ABSENT, None, UNLOAD),
        ([OTHER_MOVING], State.ENABLED, FIX, ["wait other", *LOAD]),
        ([ON, OTHER_MOVING], State.DISABLED, None, ["wait other", *DISABLE]),
        ([ON, OTHER_MOVING], State.ENABLED, None, []),
        ([OFF, OTHER_MOVING], State.ABSENT, None, ["unload fix"]),
        # one that covers it is being disabled
        ([ON, LEAVING_ABOVE], State.ENABLED, None, ["wait other"]),
        ([ON, LEAVING_ABOVE], State.PRESENT, None, []),
        ([ON, LEAVING_ABOVE], State.DISABLED, None, ["wait other", *DISABLE]),
        ([ON, LEAVING_ABOVE], State.ABSENT, None, ["wait other", *UNLOAD]),
        ([OFF, LEAVING_ABOVE], State.ENABLED, FIX, ["wait other", "unload fix", *LOAD]),
    ],
)
def test_steps(patches: list[LoadedPatch], state: State, file: PatchFile | None, expected: list[str]) -> None:
    plan = make_plan(snapshot(*patches), Wanted("fix", state, file))
    assert not plan.refusals
    assert steps(plan) == expected


@pytest.mark.parametrize(
    ("patch", "wanted"),
    [
        (STAYS, Wanted("fix", State.ABSENT)),
        (replace(STAYS, enabled=False), Wanted("fix", State.ENABLED, FIX)),
        (STAYS, Wanted("fix", State.ENABLED, OTHER_FIX, reload=True)),
        (STAYS, Wanted("other", State.ENABLED, OTHER_FILE, supersedes=("fix",))),
    ],
)
def test_a_module_without_an_exit_function_is_not_disabled_to_be_unloaded(patch: LoadedPatch, wanted: Wanted) -> None:
    plan = make_plan(snapshot(patch), wanted)
    assert reasons(plan) == ["module_not_removable"]
    assert not plan.steps


def test_a_module_without_an_exit_function_can_be_disabled() -> None:
    assert steps(make_plan(snapshot(STAYS), Wanted("fix", State.DISABLED))) == DISABLE


@pytest.mark.parametrize(
    ("patches", "state", "file", "expected"),
    [
        ([ON], State.ENABLED, OTHER_FIX, [*UNLOAD, *LOAD]),
        ([OFF], State.PRESENT, OTHER_FIX, ["unload fix", *LOAD]),
        ([ON], State.DISABLED, OTHER_FIX, DISABLE),
        ([ON], State.ABSENT, OTHER_FIX, UNLOAD),
        ([ON], State.ENABLED, FIX, []),
    ],
)
def test_reload(patches: list[LoadedPatch], state: State, file: PatchFile | None, expected: list[str]) -> None:
    assert steps(make_plan(snapshot(*patches), Wanted("fix", state, file, reload=True))) == expected


def test_stored_copy_is_loaded_again() -> None:
    plan = make_plan(snapshot(OFF), Wanted("fix", State.ENABLED), stored={"fix": FIX})
    assert steps(plan) == ["unload fix", *LOAD]
    assert plan.loads == (FIX,)


F, G = (Function("vmlinux", name) for name in ("f", "g"))


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("state", [State.ENABLED, State.PRESENT])
@pytest.mark.parametrize(
    ("shown", "listed", "is_other"),
    [
        ({"functions": (F,)}, (F, G), True),
        ({"functions": (F, G)}, (F,), True),
        ({"functions": (F,)}, (), True),
        ({"functions": (G, F)}, (F, G), False),
        ({"functions": (F,)}, None, False),
        ({"functions": ()}, (F,), False),
        # Until the transition of a patch with replace ends, the kernel shows those of the others as well.
        ({"functions": (F, G), "in_transition": True}, (F,), False),
        # Marks tell more.
        ({"functions": (F,), "identity": FIX.identity}, (F, G), False),
    ],
)
def test_without_marks_the_functions_tell_another_build(
    shown: dict[str, t.Any], listed: tuple[Function, ...] | None, is_other: bool, state: State, abi: str
) -> None:
    patch, file = loaded(FIX, **{"identity": Identity(), **shown}), replace(FIX, functions=listed, abi=abi)
    host = snapshot(patch, abi=abi, stacking_enforced=False)
    plan = make_plan(host, Wanted("fix", state, file))
    assert reasons(plan) == (["different_build"] if is_other else [])
    if is_other:
        assert "the kernel shows vmlinux/f,1" in plan.refusals[0].cause
        assert "load fix" in steps(make_plan(host, Wanted("fix", state, file, reload=True)))


@pytest.mark.parametrize(
    ("host", "wanted", "expected"),
    [
        (snapshot(), Wanted("fix", State.ENABLED), ["not_loaded"]),
        (snapshot(), Wanted("fix", State.PRESENT), ["not_loaded"]),
        (snapshot(OFF), Wanted("fix", State.ENABLED), ["needs_file"]),
        (snapshot(ON), Wanted("fix", State.ENABLED, OTHER_FIX), ["different_build"]),
        (snapshot(ON), Wanted("fix", State.ABSENT, OTHER_FIX), ["different_build"]),
        (snapshot(), Wanted("ext4", State.ABSENT), ["not_a_live_patch"]),
        (snapshot(abi=None), Wanted("ext4", State.ABSENT), ["not_a_live_patch"]),
        (snapshot(abi=None, why_unsupported="x"), Wanted("fix", State.ENABLED, FIX), ["unsupported_kernel"]),
        (
            snapshot(OTHER, privileged=False),
            Wanted("fix", State.ENABLED, patch_file(machine="aarch64", vermagic="6.1.0 ", replace=True)),
            ["replaces_others", "not_root"],
        ),
        (snapshot(OTHER), Wanted("fix", State.ENABLED, patch_file(replace=None)), ["may_replace_others"]),
        (snapshot(ON, privileged=False), Wanted("fix", State.DISABLED), ["not_root"]),
    ],
)
def test_refusals(host: Snapshot, wanted: Wanted, expected: list[str]) -> None:
    plan = make_plan(host, wanted)
    assert reasons(plan) == expected
    assert not plan.steps


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("is_given", [False, True])
def test_the_refusal_of_an_unknown_flag_names_what_tells_it(abi: str, is_given: bool) -> None:
    file = patch_file(replace=None, abi=abi)
    patch = loaded(file) if abi == STOP_MACHINE else loaded(file, enabled=False)
    host = snapshot(patch, OTHER, abi=abi, stacking_enforced=False)
    wanted = Wanted("fix", State.ENABLED, file if is_given else None)
    if abi == STOP_MACHINE:
        wanted = replace(wanted, file=patch_file(content="2", replace=None, abi=abi), reload=True)
    (refusal,) = make_plan(host, wanted, {"fix": file}).refusals
    assert refusal.reason == "may_replace_others"
    option = "src and replace: false" if wanted.file is None else "replace: false"
    assert refusal.remedy.startswith(f"Set {option} if it has not, or put the manifest of livepatch_build beside src")
    said = replace(wanted, file=replace(wanted.file or file, replace=False))
    assert not make_plan(host, said, {"fix": file}).refusals


@pytest.mark.parametrize("state", [State.ABSENT, State.DISABLED])
def test_nothing_is_loaded_on_a_kernel_that_cannot_load(state: State) -> None:
    assert make_plan(snapshot(abi=None), Wanted("fix", state)) == Plan()


def test_replace_is_harmless_alone() -> None:
    assert steps(make_plan(snapshot(), Wanted("fix", State.ENABLED, patch_file(replace=True)))) == LOAD


def test_unprivileged_may_look() -> None:
    assert make_plan(snapshot(ON, privileged=False), Wanted("fix", State.ENABLED)) == Plan()


def test_unknown_identity_is_said() -> None:
    plan = make_plan(snapshot(NO_MARKS), Wanted("fix", State.ENABLED, UNKNOWN_FIX))
    assert not plan.steps
    assert plan.notes[0].reason == "build_unknown"


def test_waiting_is_no_change() -> None:
    assert not make_plan(snapshot(STARTING), Wanted("fix", State.ENABLED, FIX)).changes
    assert make_plan(snapshot(), Wanted("fix", State.ENABLED, FIX)).changes


@pytest.mark.parametrize("state", [State.ENABLED, State.DISABLED, State.PRESENT, State.ABSENT])
@pytest.mark.parametrize("patches", [[], [ON], [OFF], [STARTING], [STOPPING], [OTHER, ON]])
def test_a_second_plan_is_empty(patches: list[t.Any], state: State) -> None:
    before = snapshot(*patches)
    after = predict(before, make_plan(before, Wanted("fix", state, FIX)))
    assert not make_plan(after, Wanted("fix", state, FIX)).steps


@pytest.mark.parametrize(
    ("before", "now", "kept", "expected"),
    [
        ([], [], None, []),
        ([], [STARTING], None, UNLOAD),
        ([], [STOPPING], None, ["wait fix", "unload fix"]),
        ([], [OFF], None, ["unload fix"]),
        ([ON], [ON], FIX, []),
        ([ON], [STOPPING], None, ["enable fix", "wait fix"]),
        ([ON], [OFF], None, []),
        ([ON], [OFF], FIX, ["unload fix", *LOAD]),
        ([ON], [], FIX, LOAD),
        ([ON], [], None, []),
        ([ON], [loaded(OTHER_FIX)], FIX, [*UNLOAD, *LOAD]),
        ([OFF], [], FIX, [*LOAD, *DISABLE]),
        ([OFF], [ON], FIX, DISABLE),
        ([OFF], [loaded(OTHER_FIX)], FIX, [*UNLOAD, *LOAD, *DISABLE]),
        ([ON], [loaded(OTHER_FIX)], None, []),
        ([OFF], [OFF], None, []),
    ],
)
def test_way_back(
    before: list[LoadedPatch], now: list[LoadedPatch], kept: PatchFile | None, expected: list[str]
) -> None:
    plan = Plan(steps=(Step(Action.DISABLE, "fix"), Step(Action.WAIT, "other")))
    back = whole_rollback(snapshot(OTHER, *before), snapshot(OTHER, *now), plan, {"fix": kept} if kept else {})
    assert [f"{step.action} {step.patch}" for step in back] == expected


def whole_rollback(before: Snapshot, now: Snapshot, plan: Plan, kept: dict[str, PatchFile]) -> list[Step]:
    first = settling(before, now, plan, kept)
    return [*first, *rollback_steps(before, predict(now, Plan(steps=tuple(first))), plan, kept)]


@pytest.mark.parametrize(
    ("abi", "expected"),
    [(PER_TASK, ["load target crc32c"]), (STOP_MACHINE, ["load target crc32c", "load target xfs"])],
)
def test_the_modules_that_a_kernel_wants_before_the_patch(abi: str, expected: list[str]) -> None:
    functions = (Function("xfs", "xfs_sync_fs"), Function("ext4", "ext4_sync_fs"), Function("vmlinux", "one"))
    file = patch_file(abi=abi, depends=("crc32c",), functions=functions)
    plan = make_plan(snapshot(abi=abi), Wanted("fix", State.ENABLED, file, load_targets=True))
    assert [step for step in steps(plan) if step.startswith("load target")] == expected


def test_deviations_name_the_patch_and_its_condition() -> None:
    assert deviations(snapshot(ON), snapshot(ON), BOTH) == []
    assert deviations(snapshot(ON, OTHER), snapshot(STARTING), BOTH) == [
        "fix is enabled and in transition and should be enabled",
        "other is not loaded and should be enabled",
    ]
    assert deviations(snapshot(OFF), snapshot(ON), BOTH) == ["fix is enabled and should be disabled"]


def test_deviations_name_another_content() -> None:
    (sentence,) = deviations(snapshot(loaded(patch_file("fix"))), snapshot(loaded(patch_file("fix", "2"))), BOTH)
    assert sentence.startswith("fix is a different build (")


def test_deviations_name_the_stack_of_a_function_where_every_patch_is_as_it_should_be() -> None:
    first, second = (loaded(patch_file(name)) for name in ("first", "second"))
    (sentence,) = deviations(snapshot(first, second), snapshot(second, first), ["first", "second"])
    assert sentence == "vmlinux/cmdline_proc_show,1 has the stack second, first and should have first, second"


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (Identity(), Identity(), "unknown"),
        (Identity(sha256="a"), Identity(sha256="a"), "same"),
        (Identity(sha256="a"), Identity(sha256="b"), "different"),
        (Identity(sha256="a", build_id="1"), Identity(sha256="b", build_id="1"), "same"),
        (Identity(build_id="1"), Identity(build_id="2"), "different"),
        (Identity(build_id="1"), Identity(srcversion="2"), "unknown"),
        (Identity(build_id="1", srcversion="2"), Identity(srcversion="2"), "same"),
        (Identity(sha256="a", srcversion="2"), Identity(sha256="b", srcversion="2"), "different"),
        (Identity(build_id="1A"), Identity(build_id="1a"), "same"),
    ],
)
def test_identity(mine: Identity, theirs: Identity, expected: str) -> None:
    assert mine.compare(theirs) == expected
    assert theirs.compare(mine) == expected


@pytest.mark.parametrize("state", [State.DISABLED, State.ABSENT])
def test_it_waits_for_the_transition_that_replaces_the_wanted_patch(state: State) -> None:
    """Until that ends, the patch is enabled."""
    old, new = patch_file("old"), patch_file("new", replace=True)
    host = snapshot(loaded(old), loaded(new, in_transition=True, load_index=1))
    plan = make_plan(host, Wanted("old", state))
    assert str(plan.steps[0]) == "wait for the transition of new"
