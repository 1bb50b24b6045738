# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a host on which a task fails in the middle, on the model: nothing is lost, or it is said."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile, SystemState
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    Probe,
    State,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Identity,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import (
    bring_again,
    rollback_steps,
    while_stalled,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import is_different_build
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    snapshot,
)

F, G, H = (Function("vmlinux", name) for name in "fgh")
AS_BEFORE = "The host is as it was before."


def files(abi: str, functions: dict[str, t.Any] | None = None, **changes: t.Any) -> dict[str, t.Any]:
    """A file for each name, with the functions given, or with the function f."""
    functions = functions or {}
    return {
        name: patch_file(name, abi=abi, functions=functions.get(name, (F,)), **changes)
        for name in ("old", "mid", "new")
    }


def shown(steps: t.Iterable[Step]) -> list[str]:
    return [str(step) for step in steps if step.action != Action.WAIT]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_was_live_comes_back_although_the_new_patch_does_not_go(tmp_path: pathlib.Path, abi: str) -> None:
    old, new = files(abi)["old"], files(abi)["new"]
    host = ModelHost(tmp_path, loaded(old), abi=abi, kept=[old])
    host.kernel.fail = {"unload": (errno.EIO, "")}
    unload = host.kernel.unload

    def unload_all_but_new(name: str) -> None:
        if name == "new":
            raise OSError(errno.EBUSY, "")
        unload(name)

    host.kernel.unload = unload_all_but_new
    result = host.run("new", file=new, supersedes=("old",))
    assert result["failed"]
    assert host.stack == ["old"]
    assert "to unload new failed as well" in " ".join(result["not_restored"])


# ---- no fix is lost on the way back ----

FAILING = Verification(probe=Probe(argv=("false",)))


def stacked(
    tmp_path: pathlib.Path, abi: str, top: tuple[Function, ...] = (F,), keeps_top: bool = True, **changes: t.Any
) -> tuple[ModelHost, PatchFile]:
    """A host with top, on f, above low, on f and g; and the file of new, on both."""
    functions = {"low": (F, G), "top": top, "new": (F, G)}
    low, upper, new = (patch_file(name, abi=abi, functions=functions[name]) for name in functions)
    patches = [loaded(low, load_index=1), loaded(upper, load_index=2, owner=changes.pop("owner", None))]
    return ModelHost(tmp_path, *patches, abi=abi, kept=[low, upper] if keeps_top else [low], **changes), new


def watch(host: ModelHost) -> list[set[str]]:
    """The functions that are fixed right before each call of the kernel."""
    seen: list[set[str]] = []
    call = host.kernel._call

    def watched(operation: str, name: str) -> None:
        seen.append({function.name for patch in host.kernel.patches if patch.enabled for function in patch.functions})
        call(operation, name)

    host.kernel._call = watched
    return seen


KERNELS = [
    (PER_TASK, False, OnCovered.ALLOW),
    (STOP_MACHINE, False, OnCovered.ALLOW),
    (STOP_MACHINE, True, OnCovered.UNSTACK),
]


@pytest.mark.parametrize(("abi", "stacking_enforced", "on_covered"), KERNELS)
def test_what_comes_back_below_another_patch_is_loaded_before_it(
    tmp_path: pathlib.Path, abi: str, stacking_enforced: bool, on_covered: OnCovered
) -> None:
    """Low has the only fix of g, and top is above it, which has nothing to do with the task."""
    host, new = stacked(tmp_path, abi, stacking_enforced=stacking_enforced)
    seen = watch(host)
    result = host.run("new", file=new, supersedes=("low",), on_covered=on_covered, verification=FAILING)
    assert (host.stack, result["not_restored"]) == (["low", "top"], [])
    # With CONFIG_LIVEPATCH_STACK the new patch is the last of the list, and has to go first.
    assert stacking_enforced or all(fixed == {"f", "g"} for fixed in seen)


@pytest.mark.parametrize(("abi", "stacking_enforced", "on_covered"), KERNELS)
@pytest.mark.parametrize("changes", [{"keeps_top": False}, {"owner": "kpatch"}])
def test_what_cannot_come_back_below_another_patch_lets_the_new_one_stay(
    tmp_path: pathlib.Path, abi: str, stacking_enforced: bool, on_covered: OnCovered, changes: dict[str, t.Any]
) -> None:
    """There is no copy of top, or it is another tool's."""
    host, new = stacked(tmp_path, abi, stacking_enforced=stacking_enforced, **changes)
    result = host.run(
        "new", file=new, supersedes=("low",), on_covered=on_covered, verification=FAILING, force_owner=True
    )
    assert host.stack == ["top", "new"]
    assert result["not_restored"] == [
        "low is not loaded and should be enabled",
        "new is enabled and should be not loaded",
        "without new no patch would be live on vmlinux/g,1, where one was before",
    ]


@pytest.mark.parametrize(("abi", "stacking_enforced"), [kernel[:2] for kernel in KERNELS])
def test_what_was_live_is_back_before_the_new_patch_goes(
    tmp_path: pathlib.Path, abi: str, stacking_enforced: bool
) -> None:
    file = files(abi, {"new": (F, G)})
    host = ModelHost(tmp_path, loaded(file["old"]), abi=abi, kept=[file["old"]], stacking_enforced=stacking_enforced)
    seen = watch(host)
    result = host.run("new", file=file["new"], supersedes=("old",), verification=FAILING)
    assert (host.stack, result["not_restored"]) == (["old"], [])
    assert stacking_enforced or all("f" in fixed for fixed in seen)


@pytest.mark.parametrize(("abi", "stacking_enforced"), [kernel[:2] for kernel in KERNELS])
@pytest.mark.parametrize("replace", [False, True])
def test_what_the_kernel_does_not_take_again_lets_the_new_patch_stay(
    tmp_path: pathlib.Path, abi: str, stacking_enforced: bool, replace: bool
) -> None:
    file = files(abi, {"new": (F, G)}, replace=replace and abi == PER_TASK)
    host = ModelHost(tmp_path, loaded(file["old"]), abi=abi, kept=[file["old"]], stacking_enforced=stacking_enforced)

    def refuse() -> None:
        host.kernel.fail["load"] = (errno.ENOMEM, "")
        host.kernel.before_call["load old"] = refuse

    host.kernel.before_call["load old"] = refuse
    result = host.run("new", file=file["new"], supersedes=("old",), verification=FAILING)
    assert host.stack == ["new"]
    assert result["not_restored"][:2] == [
        "new is enabled and should be not loaded",
        "old is not loaded and should be enabled",
    ]
    assert result["not_restored"][2].startswith("to load old failed as well (")
    assert result["not_restored"][3] == "without new no patch would be live on vmlinux/f,1, where one was before"


def test_what_the_kernel_takes_at_the_second_try_comes_back(tmp_path: pathlib.Path) -> None:
    """Without `old` its function would have no patch, and `low`, which replaces others, could not come back."""
    file = files(PER_TASK, {"mid": (H,)})
    low = patch_file("low", functions=(G,), replace=True)
    patches = [loaded(low, load_index=1), loaded(file["old"], load_index=2)]
    host = ModelHost(tmp_path, *patches, kept=[low, file["old"]])
    host.kernel.before_call["unload old"] = lambda: host.kernel.fail.update(unload=(errno.EAGAIN, ""))
    result = host.run("mid", file=file["mid"], supersedes=("low",), verification=FAILING)
    assert (host.stack, result["not_restored"]) == (["low", "old"], [])
    assert "unload old" in result["rolled_back"]


def test_what_was_moved_comes_back_also_if_that_fails_once(tmp_path: pathlib.Path) -> None:
    """Top has been unloaded for low, and the kernel does not take it the first time."""
    host, new = stacked(tmp_path, PER_TASK, top=(F, H))
    host.kernel.before_call["load top"] = lambda: host.kernel.fail.update(load=(errno.ENOMEM, ""))
    result = host.run("new", file=new, supersedes=("low",), on_covered=OnCovered.ALLOW, verification=FAILING)
    assert (host.stack, result["not_restored"]) == (["low", "top"], [])


@pytest.mark.parametrize(("abi", "refused"), [(PER_TASK, "load"), (STOP_MACHINE, "load"), (PER_TASK, "unload")])
def test_what_the_kernel_refuses_is_tried_once_more_where_nothing_is_in_its_place(
    tmp_path: pathlib.Path, abi: str, refused: str
) -> None:
    """New has nothing of old, which was to go all the same."""
    file = files(abi, {"new": (G,)})
    host = ModelHost(tmp_path, loaded(file["old"]), abi=abi, kept=[file["old"]])
    call, left = host.kernel._call, [f"{refused} old"] * (2 if refused == "unload" else 1)

    def refusing(operation: str, name: str) -> None:
        call(operation, name)
        if f"{operation} {name}" in left:
            left.remove(f"{operation} {name}")
            raise OSError(errno.EIO, "")

    host.kernel._call = refusing
    result = host.run("new", file=file["new"], supersedes=("old",), verification=FAILING)
    assert (host.stack, result["not_restored"], left) == (["old"], [], [])


def test_what_a_load_on_the_way_back_has_disabled_comes_back(tmp_path: pathlib.Path) -> None:
    """Down, which was loaded and disabled, and new have the replace flag, which nothing shows."""
    old, down, new = (
        patch_file(name, functions=(function,)) for name, function in (("old", F), ("down", G), ("new", H))
    )
    host = ModelHost(tmp_path, loaded(down, False, load_index=1), loaded(old, load_index=2), kept=[down, old])
    host.kernel.replaces, host.kernel.shows_replace = {down.sha256: True, new.sha256: True}, False
    result = host.run("new", file=new, supersedes=("down",))
    assert "load down" in result["rolled_back"]
    assert (host.stack, result["not_restored"]) == (["old"], [])


@pytest.mark.parametrize("replace", [False, True])
def test_a_load_that_stalls_on_the_way_back_is_turned_back(tmp_path: pathlib.Path, replace: bool) -> None:
    """Until its transition has ended the kernel takes no other patch, and new does without it."""
    file = files(PER_TASK, {"new": (F, G)}, replace=replace)
    host = ModelHost(tmp_path, loaded(file["old"]), kept=[file["old"]])
    host.kernel.stall_once.add("old")
    result = host.run("new", file=file["new"], supersedes=("old",), verification=FAILING)
    assert (host.stack, host.kernel.snapshot().in_transition) == (["new"], None)
    assert result["not_restored"][-1] == "without new no patch would be live on vmlinux/f,1, where one was before"
    assert host.run("new", State.REVERTED).get("failed") is None
    assert host.stack == ["old"]


def test_a_load_that_stalls_goes_on_where_nothing_else_is(tmp_path: pathlib.Path) -> None:
    file = files(PER_TASK, {"new": (G,)})
    host = ModelHost(tmp_path, loaded(file["old"]), kept=[file["old"]])
    host.kernel.stall_once.add("old")
    result = host.run("new", file=file["new"], supersedes=("old",), verification=FAILING)
    assert "old" in host.stack
    assert host.kernel.snapshot().in_transition.name == "old"
    assert result["failed"]


def test_a_patch_is_not_loaded_beside_one_whose_state_it_does_not_know(tmp_path: pathlib.Path) -> None:
    """kernel/livepatch/state.c: it is loaded when that has gone, as it was the other way round."""
    old = patch_file("old", functions=(F,), states=(SystemState(1, 1),))
    new = patch_file("new", functions=(F,), states=(SystemState(1, 2),))
    host = ModelHost(tmp_path, loaded(old), kept=[old])
    host.kernel.add_file(old)
    result = host.run("new", file=new, supersedes=("old",), verification=FAILING)
    assert (host.stack, result["not_restored"]) == (["old"], [])


# ---- another content under the same name ----


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_a_content_that_failed_does_not_stay(tmp_path: pathlib.Path, abi: str) -> None:
    first, second = patch_file("fix", abi=abi), patch_file("fix", "2", abi=abi)
    host = ModelHost(tmp_path, loaded(first), abi=abi)
    if abi == STOP_MACHINE:
        host.kernel.fail_at = ("enable", 0)
    else:
        host.kernel.stall_once.add("fix")
    result = host.run("fix", file=second, content="2", reload=True, force_owner=True)
    assert result["failed"]
    assert host.kernel.patches == []
    assert result["changed"]
    assert result["not_restored"] == ["fix is not loaded and should be enabled"]
    assert AS_BEFORE not in result["msg"]


def test_what_could_be_lost_is_said_before() -> None:
    second = patch_file("fix", "2")
    plan = make_plan(snapshot(loaded(patch_file("fix"))), Wanted("fix", State.ENABLED, second, reload=True))
    assert "If this fails, fix cannot be loaded again." in plan.notes[0].seen
    kept = {"fix": patch_file("fix")}
    assert not make_plan(
        snapshot(loaded(patch_file("fix"))), Wanted("fix", State.ENABLED, second, reload=True), kept
    ).notes


def test_a_patch_that_would_hang_the_host_is_not_enabled_on_the_way_back(tmp_path: pathlib.Path) -> None:
    first = patch_file("hidden_replace", abi=STOP_MACHINE, functions=(F,))
    second = patch_file("hidden_replace", "2", abi=STOP_MACHINE, functions=(F,))
    other = loaded(patch_file("other", abi=STOP_MACHINE, functions=(G,)))
    host = ModelHost(tmp_path, other, loaded(first), abi=STOP_MACHINE, accepts_replace=True)
    result = host.run("hidden_replace", file=second, content="2", reload=True, force_owner=True)
    assert result["reason"] == "replaces_others"
    assert "enable hidden_replace" not in host.kernel.calls
    assert host.stack == ["other"]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("instances", [(1, 2), (1, 1), (None, None)])
def test_without_a_mark_the_plan_tells_contents_apart(abi: str, instances: tuple[int | None, int | None]) -> None:
    first, second = patch_file("fix", build_id=None, abi=abi), patch_file("fix", "2", build_id=None, abi=abi)
    kept = dataclasses.replace(loaded(first), identity=Identity(sha256=first.sha256))
    before = dataclasses.replace(kept, instance=instances[0])
    now = dataclasses.replace(kept, instance=instances[1], identity=Identity())
    plan = Plan(steps=(Step(Action.UNLOAD, "fix"), Step(Action.LOAD, "fix", second)))
    assert is_different_build(now, before, plan) == (instances == (1, 2))
    assert not is_different_build(
        now, before, Plan(steps=(Step(Action.UNLOAD, "fix"), Step(Action.LOAD, "fix", first)))
    )
    back = rollback_steps(snapshot(before, abi=abi), snapshot(now, abi=abi), plan, {"fix": first})
    assert (Step(Action.LOAD, "fix", first) in back) == (instances == (1, 2))


@pytest.mark.parametrize(
    ("was_enabled", "is_kept", "others", "per_task", "stop_machine"),
    [
        (True, True, (), "disable, unload, load", "disable, unload, load, enable"),
        (False, True, (), "disable, unload, load, disable", "disable, unload, load"),
        # It has the only fix that there is now.
        (True, False, (), "", ""),
        # Somebody else has patched the same function meanwhile: that stays above.
        (True, True, ("hotfix",), "disable, unload", "disable, unload, load"),
    ],
)
def test_a_different_build_without_a_mark_goes(
    was_enabled: bool, is_kept: bool, others: tuple[str, ...], per_task: str, stop_machine: str
) -> None:
    for abi, expected in ((PER_TASK, per_task), (STOP_MACHINE, stop_machine)):
        first, second = (patch_file("fix", content, build_id=None, abi=abi, functions=(F,)) for content in "12")
        before = loaded(first, was_enabled, identity=Identity(sha256=first.sha256), instance=1)
        now = [loaded(second, identity=Identity(), instance=2)]
        now += [loaded(patch_file(name, abi=abi, functions=(F,))) for name in others]
        plan = Plan(steps=(Step(Action.UNLOAD, "fix"), Step(Action.LOAD, "fix", second)))
        kept = {"fix": first} if is_kept else {}
        steps = rollback_steps(snapshot(before, abi=abi), snapshot(*now, abi=abi), plan, kept)
        assert {step.patch for step in steps}.issubset({"fix"})
        assert ", ".join(step.action for step in steps if step.action != Action.WAIT) == expected, abi


# ---- per_task: one transition at a time, and no patch is enabled without being loaded ----


def test_a_superseded_patch_that_does_not_go_comes_back(tmp_path: pathlib.Path) -> None:
    file = files(PER_TASK)
    host = ModelHost(tmp_path, loaded(file["old"]), kept=[file["old"]], stall=["old"])
    result = host.run("new", file=file["new"], supersedes=("old",))
    assert result["reason"] == "transition_stalled"
    assert (host.stack, result["not_restored"]) == (["old"], [])
    assert result["rolled_back"] == ["enable old", "disable new", "unload new"]


def test_a_lifted_patch_that_does_not_rise_is_not_in_the_way(tmp_path: pathlib.Path) -> None:
    file = files(PER_TASK)
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid"))]
    host = ModelHost(tmp_path, *patches, kept=[file["old"], file["mid"]])
    host.kernel.stall_once.add("mid")
    result = host.run("old", State.DISABLED, on_covered=OnCovered.UNSTACK)
    assert result["reason"] == "transition_stalled"
    assert (host.stack, result["not_restored"]) == (["old", "mid"], [])


def test_what_was_disabled_is_not_loaded_again(tmp_path: pathlib.Path) -> None:
    file = files(PER_TASK, replace=True)
    host = ModelHost(tmp_path, loaded(file["old"], enabled=False), loaded(file["mid"]), kept=[file["old"], file["mid"]])
    plan = Plan(steps=(Step(Action.UNLOAD, "old"),))
    before = host.kernel.snapshot()
    host.kernel.patches = host.kernel.patches[1:]
    assert rollback_steps(before, host.kernel.snapshot(), plan, file) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["load old", "disable old"]),
        ({"functions": (G,)}, []),
        ({"functions": None}, []),
        ({"replace": True}, []),
        ({"replace": None}, []),
        (None, []),
    ],
)
def test_what_was_disabled_is_loaded_again_only_where_that_is_harmless(
    changes: dict[str, t.Any] | None, expected: list[str]
) -> None:
    kept = {} if changes is None else {"old": patch_file("old", **{"functions": (F,), **changes})}
    old, other = loaded(patch_file("old"), enabled=False), loaded(patch_file("other", functions=(G,)))
    plan = Plan(steps=(Step(Action.UNLOAD, "old"),))
    assert shown(rollback_steps(snapshot(old, other), snapshot(other), plan, kept)) == expected


@pytest.mark.parametrize(
    ("moving", "stalled", "left"),
    [
        (None, {"old"}, ["unload two", "disable new", "unload new", "unload mid", "load mid"]),
        ("old", set(), ["unload two", "disable new", "unload new", "unload mid", "load mid"]),
        ("old", {"new"}, ["unload two", "disable new", "unload new", "unload mid", "load mid"]),
        ("old", {"old"}, ["unload two"]),
        ("two", {"two"}, []),
    ],
)
def test_a_transition_that_stalls_leaves_only_that_what_is_disabled_goes(
    moving: str | None, stalled: set[str], left: list[str]
) -> None:
    """Not what would be loaded again: the kernel would refuse that."""
    down = {name: dataclasses.replace(loaded(patch_file(name)), enabled=False) for name in ("two", "mid")}
    up = {name: loaded(patch_file(name)) for name in ("old", "new")}
    patches = [dataclasses.replace(one, in_transition=one.name == moving) for one in (*down.values(), *up.values())]
    mid = Step(Action.LOAD, "mid", patch_file("mid"))
    steps = [Step(Action.UNLOAD, "two"), Step(Action.DISABLE, "new"), Step(Action.UNLOAD, "new")]
    steps += [Step(Action.UNLOAD, "mid"), mid]
    assert shown(while_stalled(snapshot(*patches), steps, stalled)) == left


def test_several_new_patches_go_from_the_top() -> None:
    new = [patch_file(name) for name in ("one", "two")]
    plan = Plan(steps=tuple(Step(Action.LOAD, file.name, file) for file in new))
    steps = rollback_steps(snapshot(), snapshot(*map(loaded, new)), plan, {})
    assert shown(steps) == ["disable two", "disable one", "unload two", "unload one"]


@pytest.mark.parametrize(
    ("in_kernel", "in_file", "below", "is_moved"),
    [
        (False, False, (), False),
        (True, True, (), True),
        # The kernel's word counts more than that of the file.
        (False, None, (), False),
        (True, None, (), True),
        (None, False, (), False),
        (None, True, (), True),
        # Nobody tells: beside a patch below it, it would have disabled that one.
        (None, None, (), True),
        (None, None, ("below",), False),
    ],
)
def test_what_may_replace_comes_back_below_all_others(
    in_kernel: bool | None, in_file: bool | None, below: tuple[str, ...], is_moved: bool
) -> None:
    old, new = patch_file("old", functions=(F,), replace=in_file), patch_file("new", functions=(G,))
    others = [loaded(patch_file(name, functions=(H,))) for name in below]
    before = snapshot(*others, loaded(old, replace=in_kernel), loaded(new))
    plan = Plan(steps=(Step(Action.DISABLE, "old"), Step(Action.UNLOAD, "old")), about="new")
    steps = rollback_steps(before, snapshot(*others, loaded(new)), plan, {"old": old, "new": new})
    assert shown(steps) == (["disable new", "unload new", "load old", "load new"] if is_moved else ["load old"])


@pytest.mark.parametrize(
    ("replaces", "owner", "at_hand", "expected"),
    [
        (True, None, True, ["disable new", "unload new", "load old", "load new"]),
        (None, None, True, ["disable new", "unload new", "load old", "load new"]),
        (False, None, True, ["load old"]),
        (None, None, False, []),
        (None, "somebody", True, []),
    ],
)
def test_what_may_replace_and_alone_had_a_function_comes_back_below_what_the_task_is_not_about(
    replaces: bool | None, owner: str | None, at_hand: bool, expected: list[str]
) -> None:
    old, new = patch_file("old", functions=(F,), replace=replaces), patch_file("new", functions=(G,))
    upper = loaded(new, owner=owner)
    plan = Plan(steps=(Step(Action.DISABLE, "old"), Step(Action.UNLOAD, "old")), about="old")
    stored = {"old": old, **({"new": new} if at_hand else {})}
    steps = rollback_steps(snapshot(loaded(old, replace=None), upper), snapshot(upper), plan, stored)
    assert shown(steps) == expected


@pytest.mark.parametrize(
    ("above", "now", "expected"),
    [
        ([], [], ["load old"]),
        (["mid"], ["mid"], []),
        # Top was unloaded as well, and there is no copy of it.
        (["mid", "top"], ["mid"], []),
        (["top"], [], ["load old"]),
        # Somebody else has loaded it.
        ([], ["mid"], []),
    ],
)
def test_what_replaces_stays_out_where_it_would_disable_what_stays(
    above: list[str], now: list[str], expected: list[str]
) -> None:
    old = patch_file("old", functions=(F,), replace=True)
    others = {name: loaded(patch_file(name, functions=(G,))) for name in ("mid", "top")}
    plan = Plan(steps=tuple(Step(Action.UNLOAD, name) for name in ("old", "top")))
    before = snapshot(loaded(old), *(others[name] for name in above))
    steps = rollback_steps(before, snapshot(*(others[name] for name in now)), plan, {"old": old})
    assert shown(steps) == expected


def test_what_replaces_comes_back_below_what_was_a_different_build_without_a_mark() -> None:
    old = patch_file("old", functions=(F,), replace=True)
    first, second = (patch_file("fix", content, build_id=None, functions=(G,)) for content in "12")
    before = snapshot(loaded(old), loaded(first, identity=Identity(sha256=first.sha256), instance=1))
    now = snapshot(loaded(second, identity=Identity(), instance=2))
    plan = Plan(steps=(Step(Action.UNLOAD, "old"), Step(Action.UNLOAD, "fix"), Step(Action.LOAD, "fix", second)))
    steps = rollback_steps(before, now, plan, {"old": old, "fix": first})
    assert shown(steps) == ["disable fix", "unload fix", "load old", "load fix"]


def test_the_order_comes_back(tmp_path: pathlib.Path) -> None:
    file = files(PER_TASK)
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid"))]
    host = ModelHost(tmp_path, *patches, kept=[file["old"], file["mid"]])
    host.kernel.stall.add("new")
    result = host.run("new", file=file["new"], supersedes=("old",), on_covered=OnCovered.UNSTACK)
    assert result["failed"]
    assert (host.stack, result["not_restored"]) == (["old", "mid"], [])


def test_what_has_nothing_to_do_with_it_is_left_alone(tmp_path: pathlib.Path) -> None:
    file = files(PER_TASK, {"mid": (G,)})
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid"))]
    host = ModelHost(tmp_path, *patches, kept=[file["old"], file["mid"]])
    host.kernel.fail_at = ("unload", 0)
    result = host.run("old", State.ABSENT)
    assert result["failed"]
    assert "disable mid" not in host.kernel.calls
    assert sorted(host.stack) == ["mid", "old"]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("operation", ["disable", "unload"])
def test_what_was_covered_comes_back_below_what_superseded_it(tmp_path: pathlib.Path, abi: str, operation: str) -> None:
    """Also where nothing but the superseded patches was to change: the wanted one was enabled already."""
    file = files(abi)
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid", "new"))]
    host = ModelHost(tmp_path, *patches, abi=abi, kept=[file["old"], file["mid"], file["new"]])
    host.kernel.fail_at = (operation, 1)
    result = host.run("new", supersedes=("old", "mid"))
    assert result["errno"] == "EIO"
    assert (host.stack, result["not_restored"]) == (["old", "mid", "new"], [])


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_was_covered_does_not_come_back_above_what_stays(tmp_path: pathlib.Path, abi: str) -> None:
    """Nobody's patch but the wanted one may be moved, which covers the one that does not come back."""
    file = files(abi)
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid"))]
    host = ModelHost(tmp_path, *patches, abi=abi, kept=[file["old"]])
    host.kernel.fail_at = ("unload", 0)
    result = host.run("old", State.ABSENT, on_covered=OnCovered.ALLOW)
    assert result["not_restored"] == ["old is disabled and should be enabled"]
    assert host.stack == ["mid"]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize(
    ("functions", "stack"),
    [
        # What stays has all of it, and newer.
        ((G,), ["new"]),
        # It alone had H.
        ((G, H), ["new", "mid"]),
    ],
)
def test_what_alone_had_a_function_comes_back_above_what_stays(
    tmp_path: pathlib.Path, abi: str, functions: tuple[Function, ...], stack: list[str]
) -> None:
    """The new patch stays, since the kernel does not take the old one again."""
    file = files(abi, {"mid": functions, "new": (F, G)}, replace=False)
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid"))]
    host = ModelHost(tmp_path, *patches, abi=abi, kept=[file["old"], file["mid"]])
    call = host.kernel._call

    def refusing(operation: str, name: str) -> None:
        call(operation, name)
        if (operation, name) == ("load", "old"):
            raise OSError(errno.EIO, "")

    host.kernel._call = refusing
    result = host.run("new", file=file["new"], supersedes=("old", "mid"), verification=FAILING)
    assert host.stack == stack
    assert result["not_restored"][-1] == "without new no patch would be live on vmlinux/f,1, where one was before"


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("owner", [None, "SysCare"])
def test_what_is_disabled_behind_it_goes_for_what_comes_back(
    tmp_path: pathlib.Path, hidden: bool, owner: str | None
) -> None:
    """With CONFIG_LIVEPATCH_STACK the old patch would come behind it, and could not be enabled."""
    file = files(STOP_MACHINE, {"mid": (G,), "new": (H,)})
    patches = [
        loaded(file["new"], load_index=0),
        loaded(file["old"], load_index=1),
        loaded(file["mid"], False, load_index=2, owner=owner),
    ]
    kernel = {"abi": STOP_MACHINE, "stacking_enforced": True, "hidden": hidden}
    host = ModelHost(tmp_path, *patches, kept=list(file.values()), **kernel)
    result = host.run("new", supersedes=("old",), verification=FAILING)
    assert (host.stack, result["not_restored"] == []) == ((["new", "old"], True) if owner is None else (["new"], False))
    assert [patch.name for patch in host.kernel.patches] == [
        "new",
        *(["old", "mid"] if owner is None else ["mid", "old"]),
    ]


COVERED = {"low": (F, H), "mid": (H,), "top": (F, G)}


@pytest.mark.parametrize(
    ("changes", "loads", "stack"),
    [
        ({}, ["load low", "load mid", "unload top", "load top"], ["low", "mid", "top"]),
        # Top cannot be moved.
        ({"owner": "SysCare"}, ["load mid", "load low"], ["top", "mid"]),
        ({"refcount": 2}, ["load mid", "load low"], ["top", "mid"]),
    ],
)
def test_what_comes_back_does_not_come_behind_one_that_stays_disabled(
    tmp_path: pathlib.Path, changes: dict[str, t.Any], loads: list[str], stack: list[str]
) -> None:
    """Nothing of low was live. With CONFIG_LIVEPATCH_STACK it would come above top, which stays in front of it.

    If it stays disabled in front of mid, the kernel does not enable that.
    """
    old = [patch_file(name, abi=STOP_MACHINE, functions=functions) for name, functions in COVERED.items()]
    patches = [loaded(file, load_index=place) for place, file in enumerate(old)]
    patches[-1] = dataclasses.replace(patches[-1], **changes)
    host = ModelHost(tmp_path, *patches, abi=STOP_MACHINE, stacking_enforced=True, kept=old)
    new = patch_file("new", abi=STOP_MACHINE, functions=(F,))
    superseding: dict[str, t.Any] = {"supersedes": ("low", "mid"), "on_covered": OnCovered.UNSTACK, "force_owner": True}
    result = host.run("new", file=new, verification=FAILING, **superseding)
    assert host.stack == stack
    assert result["not_restored"] == ([] if "low" in stack else ["low is disabled and should be enabled"])
    enables = [f"enable {name}" for name in stack]
    assert result["rolled_back"] == ["disable new", "disable top", "unload new", *loads, *enables]


@pytest.mark.parametrize(
    ("stacking_enforced", "loads"),
    [
        (False, ["load low", "load mid"]),
        (True, ["load mid", "load low"]),
        (None, ["load mid", "load low"]),
    ],
)
def test_what_stays_disabled_is_loaded_last(stacking_enforced: bool | None, loads: list[str]) -> None:
    """The plan is not about top, which stays enabled."""
    stored = {name: patch_file(name, abi=STOP_MACHINE, functions=functions) for name, functions in COVERED.items()}
    kernel = {"abi": STOP_MACHINE, "stacking_enforced": stacking_enforced}
    before, now = snapshot(*map(loaded, stored.values()), **kernel), snapshot(loaded(stored["top"]), **kernel)
    plan = Plan(tuple(Step(action, name) for name in ("mid", "low") for action in (Action.DISABLE, Action.UNLOAD)))
    assert shown(rollback_steps(before, now, plan, stored)) == [*loads, "enable mid"]


def test_what_alone_had_a_function_does_not_come_back_above_what_somebody_else_has_loaded(
    tmp_path: pathlib.Path,
) -> None:
    file = files(PER_TASK, {"mid": (G, H), "new": (F, G)}, replace=False)
    other = patch_file("other", functions=(G,), replace=False)
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid"))]
    host = ModelHost(tmp_path, *patches, kept=[file["old"], file["mid"]])
    call = host.kernel._call

    def refusing(operation: str, name: str) -> None:
        call(operation, name)
        if (operation, name) == ("load", "old"):
            if "other" not in host.stack:
                host.kernel.patches.append(loaded(other, load_index=9, instance=99))
            raise OSError(errno.EIO, "")

    host.kernel._call = refusing
    host.run("new", file=file["new"], supersedes=("old", "mid"), verification=FAILING)
    assert host.stack == ["new", "other"]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize(
    ("functions", "actions", "comes_back"),
    [
        # Nothing of it was live.
        ((F,), [Action.DISABLE, Action.UNLOAD, Action.LOAD], False),
        # It alone patched G, and was to be loaded again.
        ((F, G), [Action.DISABLE, Action.UNLOAD, Action.LOAD], True),
        # It was to go, whatever was to happen to other patches after that.
        ((F, G), [Action.DISABLE], False),
        ((F, G), [Action.DISABLE, Action.UNLOAD], False),
    ],
)
def test_what_was_covered_comes_back_above_what_stays_only_if_something_would_be_lost(
    abi: str, functions: tuple[Function, ...], actions: list[Action], comes_back: bool
) -> None:
    file = files(abi, {"old": functions, "new": (H,)})
    mid = loaded(file["mid"])
    plan = Plan(steps=(*(Step(action, "old") for action in actions), Step(Action.LOAD, "new", file["new"])))
    before, now = snapshot(loaded(file["old"]), mid, abi=abi), snapshot(loaded(file["old"], False), mid, abi=abi)
    steps = rollback_steps(before, now, plan, {"old": file["old"]})
    assert any(step.action in (Action.LOAD, Action.ENABLE) for step in steps) == comes_back


@pytest.mark.parametrize(("function", "expected"), [(F, []), (H, ["enable old"])])
def test_what_covered_nothing_of_the_superseded_ones_is_not_moved(function: Function, expected: list[str]) -> None:
    """Where mid covers old, old stays disabled, and new has no part in that."""
    file = files(STOP_MACHINE, {"mid": (function,), "new": (G,)})
    before = [loaded(file[name]) for name in ("old", "mid", "new")]
    now = [loaded(file["old"], False), *before[1:]]
    kernel = {"abi": STOP_MACHINE, "stacking_enforced": False}
    plan = Plan(steps=(Step(Action.DISABLE, "old"), Step(Action.UNLOAD, "old")), about="new")
    assert shown(rollback_steps(snapshot(*before, **kernel), snapshot(*now, **kernel), plan, file)) == expected


@pytest.mark.parametrize(
    ("stacking_enforced", "expected"),
    [
        (False, ["enable old", "unload new"]),
        # It may be in the way of what comes behind it.
        (True, ["unload new", "enable old"]),
        (None, ["unload new", "enable old"]),
    ],
)
def test_a_new_patch_that_is_disabled_goes_once(stacking_enforced: bool | None, expected: list[str]) -> None:
    file = files(STOP_MACHINE)
    plan = Plan(steps=(Step(Action.LOAD, "new", file["new"]), Step(Action.DISABLE, "old"), Step(Action.ENABLE, "new")))
    kernel = {"abi": STOP_MACHINE, "stacking_enforced": stacking_enforced}
    before, now = [loaded(file["old"])], [loaded(file["old"], False), loaded(file["new"], False)]
    assert shown(rollback_steps(snapshot(*before, **kernel), snapshot(*now, **kernel), plan, file)) == expected


def test_what_cannot_be_enabled_again_does_not_keep_the_others_down(tmp_path: pathlib.Path) -> None:
    """The configuration is hidden: that the order of the list decides is learned on the way back."""
    file = files(STOP_MACHINE)
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid"))]
    host = ModelHost(tmp_path, *patches, abi=STOP_MACHINE, stacking_enforced=True, hidden=True, kept=[file["old"]])
    host.kernel.fail_at = ("enable", 0)
    result = host.run("old", State.ABSENT, on_covered=OnCovered.UNSTACK, force_owner=True)
    assert result["errno"] == "EIO"
    assert host.stack == ["mid"]
    assert result["rolled_back"] == ["load old", "enable mid"]
    is_down, why = result["not_restored"]
    assert is_down == "old is disabled and should be enabled"
    assert why.startswith("to enable old failed as well (The kernel has CONFIG_LIVEPATCH_STACK: ")


def test_what_is_loaded_again_behind_what_covered_it_stays_disabled(tmp_path: pathlib.Path) -> None:
    """With CONFIG_LIVEPATCH_STACK it is the last of the list, so that it would come above."""
    file = files(STOP_MACHINE)
    patches = [loaded(file[name], load_index=place) for place, name in enumerate(("old", "mid"))]
    host = ModelHost(tmp_path, *patches, abi=STOP_MACHINE, stacking_enforced=True, kept=[file["old"]])
    host.kernel.fail_at = ("enable", 0)
    result = host.run("old", State.ABSENT, on_covered=OnCovered.UNSTACK, force_owner=True)
    assert host.stack == ["mid"]
    assert result["not_restored"] == ["old is disabled and should be enabled"]


@pytest.mark.parametrize("stacking_enforced", [True, None])
def test_what_is_loaded_again_does_not_come_behind_a_disabled_patch(stacking_enforced: bool | None) -> None:
    """A run was killed on its way back: down is loaded again already, and of fix it is not known what is loaded."""
    kernel = {"abi": STOP_MACHINE, "stacking_enforced": stacking_enforced}
    first, second = (patch_file("fix", content, build_id=None, abi=STOP_MACHINE, functions=(F,)) for content in "12")
    down = patch_file("down", abi=STOP_MACHINE, functions=(G,))
    before = snapshot(loaded(first, identity=Identity(sha256=first.sha256), instance=1), loaded(down, False), **kernel)
    now = snapshot(loaded(first, False, identity=Identity(), instance=2), loaded(down, False), **kernel)
    actions = [(Action.DISABLE, "fix"), (Action.UNLOAD, "down"), (Action.UNLOAD, "fix")]
    plan = Plan((*(Step(action, name) for action, name in actions), Step(Action.LOAD, "fix", second)))
    steps = rollback_steps(before, now, plan, {"fix": first, "down": down})
    assert shown(steps) == ["unload fix", "load fix", "unload down", "load down", "enable fix"]


@pytest.mark.parametrize(("refcount", "lowered"), [(1, ["raised", "used"]), (2, [])])
def test_what_somebody_uses_is_not_taken_out_for_an_order(refcount: int, lowered: list[str]) -> None:
    """Its module cannot be unloaded, so a per_task kernel would not enable it again: a walk has shown it."""
    stored = {name: patch_file(name, functions=(F,), replace=False) for name in ("raised", "used")}
    before = snapshot(loaded(stored["raised"], load_index=1), loaded(stored["used"], load_index=2, refcount=refcount))
    raising = make_plan(before, Wanted("raised", State.ENABLED, on_covered=OnCovered.UNSTACK), stored)
    plan = dataclasses.replace(raising, about="raised")
    now = predict(before, plan)
    assert [patch.name for patch in now.patches] == ["used", "raised"]
    steps = rollback_steps(before, now, plan, stored)
    assert [step.patch for step in steps if step.action == Action.DISABLE] == lowered


def test_what_somebody_uses_does_not_keep_others_from_coming_back() -> None:
    """It was disabled before its module could not be unloaded."""
    stored = {name: patch_file(name, functions=(F,), replace=False) for name in ("below", "used")}
    before = snapshot(loaded(stored["below"], load_index=1), loaded(stored["used"], load_index=2, refcount=2))
    now = snapshot(loaded(stored["used"], False, load_index=2, refcount=1))
    steps, _rest = bring_again(before, before, now, Plan((), about="below"), stored, tried=(), brought=())
    assert [(step.action, step.patch) for step in steps] == [(Action.LOAD, "below"), (Action.WAIT, "below")]


# ---- what is newer ----


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_a_newer_patch_is_not_covered(abi: str) -> None:
    big = patch_file("big", abi=abi, functions=(F, G))
    hotfix = patch_file("hotfix", abi=abi, functions=(F,))
    wanted = Wanted("big", State.ENABLED, big, supersedes=("contained",))
    newer = snapshot(loaded(big, load_index=1), loaded(hotfix, load_index=2), abi=abi, stacking_enforced=False)
    assert make_plan(newer, dataclasses.replace(wanted, on_covered=OnCovered.ALLOW)).steps == ()
    assert [refusal.reason for refusal in make_plan(newer, wanted).refusals] == ["covered"]
    older = snapshot(loaded(hotfix, load_index=1), loaded(big, load_index=2), abi=abi, stacking_enforced=False)
    assert Step(Action.UNLOAD, "hotfix") in make_plan(older, wanted).steps
    another = dataclasses.replace(wanted, file=patch_file("big", "2", abi=abi, functions=(F, G)), reload=True)
    assert Step(Action.UNLOAD, "hotfix") in make_plan(newer, another).steps
    disabled = snapshot(
        loaded(big, False, load_index=1), loaded(hotfix, load_index=2), abi=abi, stacking_enforced=False
    )
    assert Step(Action.UNLOAD, "hotfix") in make_plan(disabled, wanted).steps


@pytest.mark.parametrize("operation", ["enable", "disable", "unload"])
def test_a_stack_that_cannot_be_read_at_the_moment(tmp_path: pathlib.Path, operation: str) -> None:
    old, new = files(STOP_MACHINE)["old"], files(STOP_MACHINE)["new"]
    host = ModelHost(tmp_path, loaded(old), abi=STOP_MACHINE, kept=[old])
    host.kernel.fail = {operation: (errno.EINVAL, "livepatch: bash:123 has an unreliable stack, ret=-22")}
    result = host.run("new", file=new, supersedes=("old",))
    assert not result.get("failed"), result
    assert host.stack == ["new"]
    assert [call.split()[0] for call in host.kernel.calls].count(operation) == 2


# ---- replace ----


@pytest.mark.parametrize(("replace", "functions"), [(True, (F,)), (None, (F, G))])
def test_a_registered_patch_with_replace_is_not_enabled(replace: bool | None, functions: tuple[Function, ...]) -> None:
    file = patch_file("fix", abi=STOP_MACHINE, functions=(F,), replace=replace)
    registered = loaded(file, False, functions=functions, replace=None)
    plan = make_plan(
        snapshot(registered, abi=STOP_MACHINE, stacking_enforced=False), Wanted("fix", State.ENABLED, file)
    )
    assert [refusal.reason for refusal in plan.refusals] == ["replace_not_supported"]


@pytest.mark.parametrize(
    ("functions", "enabled", "expected"), [((F, G), False, ["needs_file"]), ((F,), False, []), ((F, G), True, [])]
)
def test_what_somebody_registered_may_have_replace(
    functions: tuple[Function, ...], enabled: bool, expected: list[str]
) -> None:
    below = loaded(patch_file("below", abi=STOP_MACHINE, functions=(G,)), load_index=1)
    above = loaded(patch_file("above", abi=STOP_MACHINE, functions=functions, replace=None), enabled, load_index=2)
    plan = make_plan(snapshot(below, above, abi=STOP_MACHINE, stacking_enforced=False), Wanted("above", State.ENABLED))
    assert [refusal.reason for refusal in plan.refusals] == expected


@pytest.mark.parametrize(
    ("in_kernel", "replace", "expected"),
    [
        (None, False, []),
        (None, True, ["replaces_others"]),
        (None, None, ["replaces_others"]),
        (False, None, []),
        (True, None, ["replaces_others"]),
    ],
)
def test_what_replaces_is_not_loaded_above_what_is_wanted(
    in_kernel: bool | None, replace: bool | None, expected: list[str]
) -> None:
    fix = patch_file("fix", functions=(F,), replace=False)
    upper = patch_file("upper", functions=(F,), replace=replace)
    earlier = loaded(patch_file("fix", "0", functions=(F,)), False, load_index=1)
    host = snapshot(earlier, loaded(upper, load_index=2, replace=in_kernel))
    wanted = Wanted("fix", State.PRESENT, fix, reload=True, on_covered=OnCovered.UNSTACK)
    plan = make_plan(host, wanted, {"upper": upper})
    assert [refusal.reason for refusal in plan.refusals] == expected


def test_what_may_have_replace_is_not_exchanged_beside_others() -> None:
    first, second = (patch_file("fix", content, abi=STOP_MACHINE, replace=None) for content in "12")
    other = loaded(patch_file("other", abi=STOP_MACHINE, functions=(G,)), load_index=2)
    mine, verification = loaded(first, load_index=1), Wanted("fix", State.ENABLED, second, reload=True)
    kernel = {"abi": STOP_MACHINE, "stacking_enforced": False}
    assert [refusal.reason for refusal in make_plan(snapshot(mine, other, **kernel), verification).refusals] == [
        "may_replace_others"
    ]
    assert make_plan(snapshot(mine, **kernel), verification).refusals == ()
    coming = make_plan(snapshot(other, **kernel), verification)
    assert coming.refusals == ()
    assert "replace flag" in coming.notes[0].seen
