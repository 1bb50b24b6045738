# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A patch goes, and what it took the place of comes back: the plan, and what is remembered for it on the host."""

from __future__ import annotations

import pathlib
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced, Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.revert import plan_revert
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
    loaded,
    patch_file,
    snapshot,
)

A, B = Function("vmlinux", "a"), Function("vmlinux", "b")


def steps(plan: Plan) -> list[str]:
    assert not plan.refusals, plan.refusals
    return [str(step) for step in plan.steps if step.action != "wait"]


def host(*names: str, abi: str = PER_TASK, **changes: t.Any) -> Snapshot:
    patches = [loaded(patch_file(name, abi=abi), load_index=place) for place, name in enumerate(names, 1)]
    return snapshot(*patches, abi=abi, **changes)


def revert(
    state: Snapshot, displaced: tuple[Displaced, ...], kept: tuple[str, ...] = (), **verification: t.Any
) -> Plan:
    files = {name: patch_file(name, abi=state.abi) for name in kept}
    return plan_revert(state, Wanted("new", State.REVERTED, **verification), files, displaced)


def back(name: str, abi: str = PER_TASK, enabled: bool = True, **changes: t.Any) -> Displaced:
    return Displaced(name, enabled, patch_file(name, abi=abi), **changes)


def test_nothing_is_to_be_done_where_it_is_not_loaded() -> None:
    assert steps(revert(host("other"), ())) == []


def test_what_was_displaced_does_not_come_back_where_it_is_not_loaded() -> None:
    assert steps(revert(host("other"), (back("old"),))) == []


def test_another_content_of_the_name_is_not_what_is_reverted() -> None:
    assert steps(revert(host("new"), (), file=patch_file("new", content="2"))) == []


def test_what_displaced_nothing_just_goes() -> None:
    assert steps(revert(host("new"), ())) == ["disable new", "unload new"]


def test_what_covers_it_is_loaded_again_from_its_copy() -> None:
    plan = revert(host("new", "above"), (), kept=("above",), on_covered=OnCovered.UNSTACK)
    assert steps(plan) == ["disable above", "disable new", "unload new", "unload above", "load above"]


@pytest.mark.parametrize("displaced", [(), (back("old", STOP_MACHINE, enabled=False),)])
def test_whether_the_file_is_what_goes_does_not_matter(displaced: tuple[Displaced, ...]) -> None:
    file = patch_file("new", build_id=None, abi=STOP_MACHINE)
    plan = revert(host("new", abi=STOP_MACHINE, stacking_enforced=False), displaced, file=file)
    assert steps(plan)[-2:] == ["disable new", "unload new"]
    assert plan.notes == ()


@pytest.mark.parametrize("abi, enable", [(PER_TASK, []), (STOP_MACHINE, ["enable old"])])
def test_what_was_superseded_is_active_before_the_patch_goes(abi: str, enable: list[str]) -> None:
    plan = revert(host("new", abi=abi, stacking_enforced=False), (back("old", abi),))
    assert steps(plan) == ["load old", *enable, "disable new", "unload new"]


def test_with_livepatch_stack_the_patch_must_go_first() -> None:
    plan = revert(host("new", abi=STOP_MACHINE, stacking_enforced=True), (back("old", STOP_MACHINE),))
    assert steps(plan) == ["load old", "disable new", "unload new", "enable old"]


@pytest.mark.parametrize(
    "abi, stacking_enforced, expected",
    [
        (PER_TASK, None, ["load one", "load two", "disable new", "unload new"]),
        (STOP_MACHINE, False, ["load one", "enable one", "load two", "enable two", "disable new", "unload new"]),
        (
            STOP_MACHINE,
            True,
            [
                *["load one", "enable one", "load two", "disable one", "disable new", "unload new"],
                *["enable one", "enable two"],
            ],
        ),
    ],
)
def test_several_come_back_in_their_order(abi: str, stacking_enforced: bool | None, expected: list[str]) -> None:
    plan = revert(host("new", abi=abi, stacking_enforced=stacking_enforced), (back("one", abi), back("two", abi)))
    assert steps(plan) == expected


def test_what_was_disabled_comes_back_disabled() -> None:
    plan = revert(
        host("new", abi=STOP_MACHINE, stacking_enforced=False),
        (back("one", STOP_MACHINE), back("two", STOP_MACHINE, enabled=False)),
    )
    assert steps(plan) == ["load two", "load one", "enable one", "disable new", "unload new"]


def test_only_disabled_ones_come_back() -> None:
    plan = revert(
        host("new", abi=STOP_MACHINE, stacking_enforced=False),
        (back("one", STOP_MACHINE, enabled=False),),
    )
    assert steps(plan) == ["load one", "disable new", "unload new"]


def test_the_earlier_content_of_the_name_comes_back() -> None:
    plan = revert(host("new"), (Displaced("new", True, patch_file("new", content="0")),))
    assert steps(plan) == ["disable new", "unload new", "load new"]
    assert plan.loads == (patch_file("new", content="0"),)


def test_what_is_not_kept_cannot_come_back() -> None:
    plan = revert(host("new"), (Displaced("old", True, None),))
    (refusal,) = plan.refusals
    assert refusal.reason == "needs_file"
    assert refusal.seen == "new took the place of old, which could not be brought back."
    assert [str(step) for step in plan.intended if step.action != "wait"] == ["disable new", "unload new"]


def test_what_may_be_lost_on_the_way_is_said() -> None:
    assert [note.reason for note in revert(host("new"), (back("old"),)).notes] == ["no_copy"]
    plan = revert(host("new"), (back("old"),), kept=("new",))
    assert plan.notes == ()
    assert plan.intended == plan.steps != ()


@pytest.mark.parametrize(
    ("displaced", "reason", "intended"),
    [
        # It would disable the other one, which has not to do with it.
        (
            (back("one"), Displaced("two", True, patch_file("two", replace=True))),
            "replaces_others",
            ["load two", "unload new"],
        ),
        # So would what may do that.
        (
            (back("one"), Displaced("two", True, patch_file("two", replace=None))),
            "may_replace_others",
            ["load two", "disable new", "unload new"],
        ),
    ],
)
def test_what_cannot_come_back_is_not_brought_back_by_half(
    displaced: tuple[Displaced, ...], reason: str, intended: list[str]
) -> None:
    plan = revert(host("other", "new"), displaced)
    assert ([refusal.reason for refusal in plan.refusals], plan.steps) == ([reason], ())
    assert [str(step) for step in plan.intended if step.action != "wait"] == intended


@pytest.mark.parametrize("flag", [True, None])
def test_what_replaces_others_comes_back_first(flag: bool | None) -> None:
    """After the others it would disable them; beside the patch that is reverted it was refused."""
    all_of_them = Displaced("cumulative", True, patch_file("cumulative", replace=flag))
    out = ["unload new"] if flag else ["disable new", "unload new"]
    for displaced in ((back("hot"), all_of_them), (all_of_them, back("hot"))):
        assert steps(revert(host("new"), displaced)) == ["load cumulative", *out, "load hot"]


@pytest.mark.parametrize("flag", [True, None])
def test_an_earlier_content_that_replaces_others_comes_back_first(flag: bool | None) -> None:
    earlier = Displaced("new", True, patch_file("new", content="0", replace=flag))
    plan = revert(host("new"), (back("hot"), earlier))
    assert steps(plan) == ["disable new", "unload new", "load new", "load hot"]
    after_another = Displaced("first", True, patch_file("first", replace=flag))
    plan = revert(host("new"), (replace(earlier, file=patch_file("new", content="0")), after_another))
    out = ["unload new"] if flag else ["disable new", "unload new"]
    assert steps(plan) == ["load first", *out, "load new"]


def test_where_no_kernel_knows_the_flag_nothing_is_taken_out_before_all_is_back() -> None:
    one, two = (Displaced(name, True, patch_file(name, abi=STOP_MACHINE, replace=None)) for name in ("one", "two"))
    plan = revert(host("new", abi=STOP_MACHINE, stacking_enforced=False), (one, two))
    assert steps(plan) == ["load one", "enable one", "load two", "enable two", "disable new", "unload new"]


@pytest.mark.parametrize(
    ("now", "notes"),
    [
        (patch_file("old"), []),
        (patch_file("old", "2"), ["back_already"]),
        (patch_file("old", loaded_with="level=3"), ["back_already"]),
    ],
)
@pytest.mark.parametrize("reload", [False, True])
def test_what_is_enabled_again_already_stays_as_it_is(now: PatchFile, notes: list[str], reload: bool) -> None:
    """To bring back the earlier build would take out what was loaded since. `reload` means the reverted patch."""
    old = loaded(now, load_index=2, identity=now.identity)
    state = snapshot(*host("new").patches, old)
    displaced = Displaced("old", True, patch_file("old", loaded_with=""))
    plan = revert(state, (displaced,), on_covered=OnCovered.ALLOW, kept=("new",), reload=reload)
    assert steps(plan) == ["disable new", "unload new"]
    assert [note.reason for note in plan.notes if note.reason != "order_changes"] == notes


@pytest.mark.parametrize("on_covered", [OnCovered.REFUSE, OnCovered.ALLOW])
@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_the_task_does_not_say_is_no_reason(abi: str, on_covered: OnCovered) -> None:
    """What comes back first lies above the patch that goes: by itself a revert permits that, and moves things."""
    new = loaded(patch_file("new", abi=abi, functions=(A, B)))
    files = [patch_file(name, abi=abi, functions=functions) for name, functions in (("a", (A,)), ("b", (B,)))]
    displaced = [Displaced(file.name, True, file) for file in files]
    state = snapshot(new, abi=abi, stacking_enforced=abi == STOP_MACHINE)
    plan = plan_revert(state, Wanted("new", State.REVERTED, on_covered=on_covered), {}, displaced)
    assert steps(plan)
    said = [note.why for note in plan.notes if "on_covered: " in note.why]
    assert said == [why for why in said if f"on_covered: {on_covered.value}" in why]


def test_a_patch_that_was_above_the_superseded_one_stays_above() -> None:
    state = host("above", "new", abi=STOP_MACHINE, stacking_enforced=False)
    displaced = (back("old", STOP_MACHINE, under=("above",)),)
    (refusal,) = revert(state, displaced, on_covered=OnCovered.REFUSE).refusals
    assert (refusal.reason, "under above" in refusal.seen) == ("would_cover", True)
    assert steps(revert(state, displaced, on_covered=OnCovered.ALLOW)) == [
        "load old",
        "enable old",
        "disable new",
        "unload new",
    ]
    (refusal,) = revert(state, displaced, on_covered=OnCovered.UNSTACK).refusals
    assert (refusal.reason, "above could not be loaded" in refusal.seen) == ("needs_file", True)
    for file in (None, patch_file("new", abi=STOP_MACHINE)):
        plan = revert(state, displaced, kept=("above",), on_covered=OnCovered.UNSTACK, file=file)
        assert steps(plan) == [
            *["disable above", "unload above"],
            *["load old", "enable old", "disable new", "unload new"],
            *["load above", "enable above"],
        ]
        assert [file.name for file in plan.loads] == ["old", "above"]


def test_a_patch_under_another_one_is_refused() -> None:
    state = host("new", "above", abi=STOP_MACHINE, stacking_enforced=False)
    (refusal,) = revert(state, (back("old", STOP_MACHINE),)).refusals
    assert refusal.reason == "covered"


def run(kernel: ModelKernel, wanted: Wanted, content: str = "1") -> dict[str, t.Any]:
    path = None
    if wanted.file:
        path = f"{kernel.root}/{wanted.name}.source"
        pathlib.Path(path).write_bytes(content_of(wanted.name, content))
        pathlib.Path(kernel.root, "sys/module", wanted.name).mkdir(parents=True, exist_ok=True)
        kernel.add_file(wanted.file)
    result = manage(Task(wanted, path), kernel)
    assert not result.get("failed"), result
    return result


def kept(kernel: ModelKernel) -> list[str]:
    names = (path.name for path in pathlib.Path(kernel.root, "run/openeuler-livepatch").iterdir())
    return sorted(name for name in names if name != "changed")


def test_a_superseded_patch_is_kept_as_long_as_the_one_that_took_its_place(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path)
    old, new = patch_file("old"), patch_file("new")
    run(kernel, Wanted("old", State.ENABLED, old))
    run(kernel, Wanted("new", State.ENABLED, new, supersedes=("old",)))
    assert kept(kernel) == [f"new-{new.sha256[:16]}.ko", "new.json", f"old-{old.sha256[:16]}.ko"]
    run(kernel, Wanted("new", State.REVERTED))
    assert [patch.name for patch in kernel.patches] == ["old"]
    assert kept(kernel) == [f"old-{old.sha256[:16]}.ko", "old.json"]
    run(kernel, Wanted("old", State.ABSENT))
    assert kept(kernel) == []


def test_an_earlier_content_comes_back_once(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path)
    run(kernel, Wanted("fix", State.ENABLED, patch_file("fix")))
    run(kernel, Wanted("fix", State.ENABLED, patch_file("fix", content="2"), reload=True), content="2")
    run(kernel, Wanted("fix", State.REVERTED, patch_file("fix", content="2")), content="2")
    (patch,) = kernel.patches
    assert patch.identity.build_id == "id-fix1"
    assert not run(kernel, Wanted("fix", State.REVERTED, patch_file("fix", content="2")), content="2")["changed"]


def test_what_a_loaded_patch_supersedes_later_is_remembered_too(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path)
    run(kernel, Wanted("one", State.ENABLED, patch_file("one")))
    run(kernel, Wanted("new", State.ENABLED, patch_file("new"), supersedes=("one",)))
    run(kernel, Wanted("two", State.ENABLED, patch_file("two")))
    run(kernel, Wanted("new", State.ENABLED, supersedes=("two",), on_covered=OnCovered.ALLOW))
    run(kernel, Wanted("new", State.REVERTED))
    assert {patch.name: patch.enabled for patch in kernel.patches} == {"one": True, "two": True}


def test_what_is_superseded_twice_comes_back_once(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path)
    for _time in range(2):
        run(kernel, Wanted("one", State.ENABLED, patch_file("one")))
        run(kernel, Wanted("new", State.ENABLED, patch_file("new"), supersedes=("one",)))
    run(kernel, Wanted("new", State.REVERTED))
    assert [patch.name for patch in kernel.patches] == ["one"]


def test_plans_that_revert_nothing_are_as_before() -> None:
    state = host("new")
    assert make_plan(state, Wanted("new", State.ENABLED)).steps == ()
