# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is live: the objects that the kernel patches, modules that are not loaded, functions that replace nothing."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import describe_host, gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    PatchedObject,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import deviations, predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import Below, stays_out
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    loaded,
    patch_file,
    snapshot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.shown_kernel import ShownKernel, Trouble

IN_KERNEL, IN_EXT4, IN_XFS = Function("vmlinux", "f"), Function("ext4", "e"), Function("xfs", "x")
EVERYWHERE = (IN_EXT4, IN_KERNEL, IN_XFS)
XFS_NOT_LOADED = [{"object": "xfs", "loaded": False}]


def host_with(root: pathlib.Path, *files: PatchFile, **kind: t.Any) -> ShownKernel:
    return ShownKernel(root, *(loaded(file, load_index=place) for place, file in enumerate(files, 1)), **kind)


def live_in(facts: dict[str, t.Any]) -> dict[str, str | None]:
    return {entry["object"]: entry["live"] for entry in facts["functions"]}


@pytest.mark.parametrize("shows_patched", [True, False])
def test_what_is_in_a_module_that_is_not_loaded_is_not_live(tmp_path: pathlib.Path, shows_patched: bool) -> None:
    """A kernel before 6.1 does not show what is patched: the loaded modules tell."""
    kernel = host_with(tmp_path, patch_file(functions=EVERYWHERE))
    kernel.shows_patched = shows_patched
    for is_loaded in (False, True, False):
        kernel.targets = {"ext4", "xfs"} if is_loaded else {"ext4"}
        facts = gather(kernel.files())
        (fix,) = facts["patches"]
        assert fix["objects"] == ["ext4", "vmlinux", "xfs"]
        assert (fix["effective"], fix["unpatched"]) == (("full", []) if is_loaded else ("partial", XFS_NOT_LOADED))
        assert live_in(facts) == {"ext4": "fix", "vmlinux": "fix", "xfs": "fix" if is_loaded else None}


def test_a_patch_of_a_module_that_is_not_loaded_is_live_nowhere(tmp_path: pathlib.Path) -> None:
    (fix,) = gather(host_with(tmp_path, patch_file(functions=(IN_XFS,))).files())["patches"]
    assert (fix["enabled"], fix["effective"], fix["unpatched"], fix["covered"]) == (True, "none", XFS_NOT_LOADED, [])


def test_a_loaded_module_that_the_kernel_does_not_patch_is_told_apart(tmp_path: pathlib.Path) -> None:
    """A module is listed as loaded before it is patched, and after it is unpatched (klp_module_going())."""
    kernel = host_with(tmp_path, patch_file(functions=(IN_EXT4, IN_KERNEL)))
    kernel.files()
    (tmp_path / "sys/kernel/livepatch/fix/ext4/patched").write_text("0\n")
    facts = gather(kernel.files())
    assert facts["patches"][0]["unpatched"] == [{"object": "ext4", "loaded": True}]
    assert (facts["patches"][0]["effective"], live_in(facts)) == ("partial", {"ext4": None, "vmlinux": "fix"})


@pytest.mark.parametrize("name", ["vmlinux", "ext4"])
def test_objects_with_callbacks_alone_are_objects(tmp_path: pathlib.Path, name: str) -> None:
    kernel = ShownKernel(tmp_path, loaded(patch_file(functions=()), objects=(PatchedObject(name),)))
    (fix,) = gather(kernel.files())["patches"]
    assert (fix["objects"], fix["functions"], fix["unpatched"]) == ([name], [], [])


def test_a_stop_machine_kernel_shows_objects_and_no_more(tmp_path: pathlib.Path) -> None:
    kernel = host_with(tmp_path, patch_file(functions=(IN_EXT4, IN_KERNEL), abi=STOP_MACHINE), abi=STOP_MACHINE)
    (patch,) = kernel.snapshot().patches
    assert patch.objects == (PatchedObject("ext4"), PatchedObject("vmlinux"))
    assert kernel.snapshot().effect(patch) == "full"
    with pytest.raises(OSError, match=str(errno.EAGAIN)):
        kernel.unload("ext4")


def test_nobody_knows_what_is_live_where_patched_cannot_be_read(tmp_path: pathlib.Path) -> None:
    path = "/sys/kernel/livepatch/fix/vmlinux/patched"
    kernel = host_with(tmp_path, patch_file())
    kernel.trouble = Trouble(errno.EIO, path)
    facts = gather(kernel.files())
    assert {"path": path, "reason": "EIO"} in facts["undecided"]
    assert (facts["patches"][0]["effective"], facts["patches"][0]["unpatched"], facts["functions"]) == (None,) * 3


def enable(root: pathlib.Path, kernel: ShownKernel, file: PatchFile, **task: t.Any) -> dict[str, t.Any]:
    path = root / "sent.ko"
    path.write_bytes(content_of(file.name))
    kernel.add_file(file)
    load_targets = task.pop("load_targets", False)
    return manage(Task(Wanted(file.name, State.ENABLED, file, load_targets=load_targets), str(path), **task), kernel)


@pytest.mark.parametrize("load_targets", [False, True])
@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_check_mode_foretells_what_the_run_says_of_the_patch(
    tmp_path: pathlib.Path, abi: str, load_targets: bool
) -> None:
    """`replace` too, which no stop_machine kernel shows."""
    functions = EVERYWHERE if abi == PER_TASK or load_targets else (IN_EXT4, IN_KERNEL)
    kernel = host_with(tmp_path, abi=abi)
    kernel.conditions_now = dataclasses.replace(kernel.conditions_now, loadable=frozenset(["xfs"]))
    file = patch_file(functions=functions, abi=abi)
    keys = ("replace", "objects", "functions", "effective", "unpatched", "covered")
    foretold, found, again = (
        enable(tmp_path, kernel, file, load_targets=load_targets, check_mode=check_mode)
        for check_mode in (True, False, False)
    )
    assert {key: foretold["patch"][key] for key in keys} == {key: found["patch"][key] for key in keys}
    assert found["patch"]["replace"] is False
    # A per_task kernel patches the module whenever it comes: nobody loads it for the patch.
    assert found["patch"]["effective"] == ("partial" if abi == PER_TASK else "full")
    assert (again["changed"], again["patch"]) == (False, found["patch"])


def test_a_module_that_is_loaded_for_another_patch_is_foretold_as_patched() -> None:
    host = snapshot(loaded(patch_file(functions=(IN_XFS,)), objects=(PatchedObject("xfs", patched=False),)))
    later = predict(host, Plan((Step(Action.LOAD_TARGET, "xfs"),)))
    assert (host.effect(host.patches[0]), later.effect(later.patches[0])) == ("none", "full")


def test_a_disabled_patch_is_foretold_without_objects() -> None:
    host = snapshot(loaded(patch_file(), objects=(PatchedObject("vmlinux", patched=True),), replace=False))
    later = predict(host, Plan((Step(Action.DISABLE, "fix"), Step(Action.WAIT, "fix"))))
    assert (later.patches[0].objects, later.patches[0].replace, later.unpatched(later.patches[0])) == ((), None, [])


def test_modules_that_come_and_go_are_no_deviations_of_a_plan() -> None:
    def host(patched: bool) -> Snapshot:
        patch = loaded(patch_file(functions=(IN_XFS,)), objects=(PatchedObject("xfs", patched=patched),))
        return snapshot(patch, modules=frozenset(["fix", *(["xfs"] if patched else [])]))

    assert deviations(host(True), host(False), ["fix"]) == deviations(host(False), host(True), ["fix"]) == []


def test_a_covered_patch_stays_covered_where_its_module_is_not_loaded() -> None:
    """The modules get the same stack when they are loaded: the newer patch is live then."""
    low, high = loaded(patch_file("low", functions=(IN_XFS,))), loaded(patch_file("high", functions=(IN_XFS,)))
    host = snapshot(low, high)
    assert host.above(low) == {IN_XFS: (high,)}
    assert [host.effect(patch) for patch in host.patches] == ["none", "none"]


def test_rolling_back_does_not_give_up_what_is_not_loaded() -> None:
    """Nothing of it is live now, and a function that it alone replaces would be lost when its module is loaded."""
    low = loaded(patch_file("low", functions=(IN_XFS, Function("xfs", "y"))))
    high = loaded(patch_file("high", functions=(IN_XFS,)))
    host = snapshot(low, high)
    assert host.effect(low) == "none"
    assert not stays_out(low, Below([high], host), host, Plan())
    contained = dataclasses.replace(low, functions=(IN_XFS,))
    both = snapshot(contained, high)
    assert stays_out(contained, Below([high], both), both, Plan())


# ---- no-op functions ----


def replacing(shown: tuple[Function, ...] | None, in_transition: bool = True) -> dict[str, t.Any]:
    """The facts while `new` takes the place of `old`: the kernel has added the functions of `old` to it."""
    old = loaded(patch_file("old", functions=EVERYWHERE), objects=objects("ext4", "vmlinux", "xfs"))
    new = loaded(
        patch_file("new", functions=(IN_EXT4, IN_KERNEL, Function("vmlinux", "g"), IN_XFS)),
        objects=objects("ext4", "vmlinux", "xfs"),
        in_transition=in_transition,
        replace=True,
        instance=7,
    )
    copy = StoredCopy("/run/new.ko", "00", instance=7, file=patch_file("new", functions=shown))
    books = Books(copies={"new": copy})
    return describe_host(books.identify(snapshot(old, new)), books, (), {}, None)


def objects(*names: str) -> tuple[PatchedObject, ...]:
    return tuple(PatchedObject(name, patched=name != "xfs") for name in names)


def test_functions_that_the_kernel_adds_to_a_replacing_patch_are_not_its_own() -> None:
    facts = replacing(shown=(IN_KERNEL, Function("vmlinux", "g")))
    old, new = facts["patches"]
    assert [entry["name"] for entry in new["functions"]] == ["f", "g"]
    assert (new["objects"], new["effective"], new["unpatched"]) == (["vmlinux"], "full", [])
    assert (old["objects"], old["unpatched"]) == (["ext4", "vmlinux", "xfs"], XFS_NOT_LOADED)
    # While the new patch is on the way, it takes the effect of the old one away all the same.
    assert [(entry["object"], entry["by"]) for entry in old["covered"]] == [(name, ["new"]) for name in old["objects"]]
    stacks = {(entry["object"], entry["name"]): (entry["stack"], entry["live"]) for entry in facts["functions"]}
    assert stacks == {
        ("ext4", "e"): (["old"], None),
        ("vmlinux", "f"): (["old", "new"], "new"),
        ("vmlinux", "g"): (["new"], "new"),
        ("xfs", "x"): (["old"], None),
    }


@pytest.mark.parametrize(("shown", "in_transition"), [(None, True), ((IN_KERNEL,), False)])
def test_what_nothing_tells_apart_is_listed_as_the_kernel_does(
    shown: tuple[Function, ...] | None, in_transition: bool
) -> None:
    """After the transition there are none (klp_discard_nops())."""
    new = replacing(shown, in_transition)["patches"][1]
    assert [entry["name"] for entry in new["functions"]] == ["e", "f", "g", "x"]
    assert (new["objects"], new["effective"]) == (["ext4", "vmlinux", "xfs"], "partial")


# ---- verify: text of a task that has nothing to do ----

HOOK = "{} (1) R I     \ttramp: 0xc0 (klp_ftrace_handler+0x0/0x250)\n"


@pytest.mark.parametrize(("hooks", "proven"), [(["f", "e [ext4]"], None), (["f"], False)])
def test_a_task_that_changes_nothing_proves_what_is_live(
    tmp_path: pathlib.Path, hooks: list[str], proven: bool | None
) -> None:
    file = patch_file(functions=EVERYWHERE)
    kernel = host_with(tmp_path, file)
    kernel.files()
    (tmp_path / "sys/kernel/tracing").mkdir(parents=True)
    (tmp_path / "sys/kernel/tracing/enabled_functions").write_text("".join(map(HOOK.format, hooks)))
    before = list(kernel.patches)
    wanted = Wanted("fix", State.ENABLED, force_owner=True)
    result = manage(Task(wanted, verification=Verification(text=True)), kernel)
    assert (result["changed"], kernel.calls, kernel.patches) == (False, [], before)
    if proven is False:
        assert (result["reason"], result["rolled_back"]) == ("not_effective", [])
        assert "ftrace calls nothing for ext4/e,1" in result["msg"]
        return
    (proof,) = (proof for proof in result["proofs"] if proof["what"] == "text")
    assert (proof["proven"], proof["how"]) == (
        None,
        "Seen in ftrace's list of enabled functions for 2 of 3 functions; the module xfs is not loaded.",
    )
    checked = manage(Task(wanted, verification=Verification(text=True), check_mode=True), kernel)
    assert checked["proofs"] == []
