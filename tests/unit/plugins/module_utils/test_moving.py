# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What moves between the reading of a host and a step: a surprising replace flag, force, transitions, other tools."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.goal import Goal
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.left_transition import reversed_result
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
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
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replaced import will_disable
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    loaded,
    patch_file,
    snapshot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walked_kernel import (
    KINDS,
    WalkedKernel,
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


# ---- a replace flag that the file does not show, or shows wrongly ----


def test_a_surprising_replace_flag_of_what_comes_back(tmp_path: pathlib.Path) -> None:
    """supersedes does not go with a revert."""
    host, old = ModelHost(tmp_path), patched("old", "f")
    host.run("old", file=old)
    host.run("new", file=patched("new", "f"), supersedes=("old",))
    host.run("other", file=patched("other", "o"))
    host.kernel.replaces = {old.sha256: True}
    result = host.run("new", State.REVERTED)
    assert (result["reason"], host.stack, "supersedes" in result["msg"]) == ("replaces_others", ["new", "other"], False)


@pytest.mark.parametrize("shows", [True, False])
def test_what_a_surprising_replace_flag_has_disabled_comes_back(tmp_path: pathlib.Path, shows: bool) -> None:
    host, new = three(tmp_path), patched("new", "a")
    host.kernel.replaces, host.kernel.shows_replace = {new.sha256: True}, shows
    result = host.run("new", file=new)
    assert (result["failed"], result["changed"], result["not_restored"]) == (True, False, [])
    assert host.stack == ["a", "b", "c"]
    assert result["reason"] == ("replaces_others" if shows else "not_as_planned")
    assert ("Look for another tool" in result["msg"]) != shows
    assert "replace flag" in result["msg"]


def test_a_surprising_replace_flag_is_seen_before_anything_is_replaced(tmp_path: pathlib.Path) -> None:
    host, new = three(tmp_path, kept="", stall=["new"]), patched("new", "a")
    host.kernel.replaces = {new.sha256: True}
    result = host.run("new", file=new)
    assert (result["reason"], result["attempted"], result["not_restored"]) == ("replaces_others", "load new", [])
    assert (host.kernel.calls, host.stack) == (["load new", "disable new", "unload new"], ["a", "b", "c"])


@pytest.mark.parametrize(("added", "in_transition", "seen"), [("b", True, 1), ("b", False, 0), ("", True, 0)])
def test_a_kernel_that_does_not_show_the_flag_gives_it_away(added: str, in_transition: bool, seen: int) -> None:
    """Before Linux 6.11: the functions that it lists beyond those of the file are there to end what others do."""
    new, other = patched("new", "a"), loaded(patched("b", "b"))
    listed = tuple(Function("vmlinux", name) for name in "a" + added)
    there = loaded(new, in_transition=in_transition, replace=None, functions=listed)
    plan = Plan((Step(Action.LOAD, "new", new),))
    found = will_disable(plan, snapshot(other, loaded(new)), snapshot(other, there), "new", ())
    assert (found.cause if found else "").count("the kernel has added vmlinux/b,1 to it") == seen


def test_nobody_looks_after_a_load_where_no_other_patch_is_to_stay() -> None:
    new, other, looks = patched("new", "a"), loaded(patched("b", "b")), []
    step = Step(Action.LOAD, "new", new)

    def look() -> Snapshot:
        looks.append(1)
        return snapshot(other, loaded(new))

    for goal, later in ((snapshot(loaded(new)), ()), (snapshot(other, loaded(new)), ("b",))):
        Goal(snapshot(other), goal, Plan((step,))).check_load(step, look, later)
    assert looks == []
    Goal(snapshot(other), snapshot(other, loaded(new)), Plan((step,))).check_load(step, look, ())
    assert looks == [1]


@pytest.mark.parametrize(("told", "real"), [(False, True), (None, True), (None, False), (True, False)])
def test_what_the_kernel_has_shown_of_a_flag_is_remembered(
    tmp_path: pathlib.Path, told: bool | None, real: bool
) -> None:
    """It decides whether a revert can bring the patch back beside another one: before anything is touched."""
    host, old = ModelHost(tmp_path), patched("old", "f", replace=told)
    host.kernel.replaces = {old.sha256: real}
    host.run("old", file=old)
    host.run("new", file=patched("new", "f"), supersedes=("old",))
    host.run("other", file=patched("other", "o"))
    host.kernel.calls = []
    result = host.run("new", State.REVERTED)
    assert (result.get("reason"), host.kernel.calls == []) == ("replaces_others" if real else None, real)
    assert host.stack == (["new", "other"] if real else ["other", "old"])
    assert "supersedes" not in result.get("msg", "")


def test_a_surprising_replace_flag_of_another_build(tmp_path: pathlib.Path) -> None:
    host, second = three(tmp_path), patched("new", "n", "2")
    host.run("new", file=patched("new", "n"))
    host.kernel.replaces = {second.sha256: True}
    result = host.run("new", file=second, content="2", reload=True)
    assert (result["reason"], result["not_restored"]) == ("replaces_others", [])
    assert (host.stack, host.identities["new"]) == (["a", "b", "c", "new"], "id-new1")


def test_a_surprising_replace_flag_where_patches_are_lifted(tmp_path: pathlib.Path) -> None:
    """What the plan has disabled for a moment is told as well, and comes back."""
    files = [patched("a", "f"), patched("b", "f"), patched("c", "g")]
    patches = [loaded(file, load_index=place) for place, file in enumerate(files)]
    host, new = ModelHost(tmp_path, *patches, kept=files), patched("new", "f")
    host.kernel.replaces = {new.sha256: True}
    result = host.run("new", file=new, supersedes=("a",), on_covered=OnCovered.UNSTACK)
    assert (result["reason"], result["not_restored"]) == ("replaces_others", [])
    assert "disables c, b" in result["msg"]
    assert host.stack == ["a", "b", "c"]


@pytest.mark.parametrize(("kept", "stack"), [("ac", ["a", "c"]), ("", ["new"])])
def test_a_host_is_not_left_with_none_of_its_fixes(tmp_path: pathlib.Path, kept: str, stack: list[str]) -> None:
    """Where nothing can come back the new patch stays: without it no function would be patched."""
    host, new = three(tmp_path, kept), patched("new", "n")
    host.kernel.replaces = {new.sha256: True}
    result = host.run("new", file=new)
    assert (result["failed"], result["changed"], host.stack) == (True, True, stack)
    assert "b is disabled and should be enabled" in result["not_restored"]
    assert ("new is enabled and should be not loaded" in result["not_restored"]) == ("new" in stack)


def test_the_others_come_back_also_where_the_new_patch_cannot_go(tmp_path: pathlib.Path) -> None:
    """Its disabling stalls: it is enabled again, since the kernel takes no other patch until then."""
    host, new = three(tmp_path), patched("new", "n")
    host.kernel.replaces = {new.sha256: True}
    host.kernel.before_call["disable new"] = lambda: host.kernel.stall.add("new")
    result = host.run("new", file=new)
    assert sorted(host.stack) == ["a", "b", "c", "new"]
    assert result["not_restored"][0] == "new is enabled and should be not loaded"


@pytest.mark.parametrize("flag", [True, False])
def test_another_flag_than_that_of_the_file_is_told_where_it_does_no_harm(tmp_path: pathlib.Path, flag: bool) -> None:
    """What was to be replaced, and was not, is disabled before it is unloaded."""
    host, new = three(tmp_path), patched("new", "a", replace=not flag)
    host.kernel.replaces = {new.sha256: flag}
    result = host.run("new", file=new, supersedes=ALL)
    assert "failed" not in result
    assert ([patch.name for patch in host.kernel.patches], host.stack) == (["new"], ["new"])
    assert ("other_flag" in reasons(result), "disable a" in host.kernel.calls) == (True, not flag)
    host.run("new", State.REVERTED)
    assert host.stack == ["a", "b", "c"]


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


@pytest.mark.parametrize("state", [State.ABSENT, State.DISABLED])
def test_what_cannot_come_back_is_told_before_its_successor_goes(tmp_path: pathlib.Path, state: State) -> None:
    """The host would run neither; to revert is refused, and must not be recommended."""
    host, new = three(tmp_path, stall=["new"]), patched("new", "a", replace=True)
    host.run("new", file=new, supersedes=ALL, patience=FORCING)
    result = manage(Task(Wanted("new", state), check_mode=True), host.kernel)
    (lost,) = [finding for finding in result["findings"] if finding["reason"] == "fix_lost"]
    assert lost["severity"] == "warn"
    assert lost["remedy"] == "Keep new enabled, and reboot the host to bring back a, b, c."


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


def test_a_transition_that_has_ended_is_not_reversed(tmp_path: pathlib.Path) -> None:
    """Disabling it would begin another one, and what it has replaced would be lost."""
    host, new = three(tmp_path, stall=["new"]), patched("new", "a", replace=True)
    host.run("new", file=new, supersedes=ALL, patience=REPORTING)
    host.kernel.stall.clear()
    host.kernel.before_look["new"] = lambda: host.kernel.end_transition("new")
    result = host.run("new", State.REVERTED)
    assert "failed" not in result
    assert ("replanned" in reasons(result), host.stack) == (True, ["a", "b", "c"])


def test_a_loaded_patch_is_present_whatever_its_transition_does(tmp_path: pathlib.Path) -> None:
    host = three(tmp_path, stall=["new"])
    host.run("new", file=patched("new", "a"), patience=REPORTING)
    result = host.run("new", State.PRESENT)
    assert ("failed" in result, result["changed"], result["state"]) == (False, False, "in transition")
    assert host.kernel.clock < 10


def test_a_stalled_transition_of_an_earlier_run_is_reversed(tmp_path: pathlib.Path) -> None:
    host, new = three(tmp_path, stall=["new"]), patched("new", "a", replace=True)
    host.run("new", file=new, supersedes=ALL, patience=REPORTING)
    kept_going = host.run("new", supersedes=ALL, patience=REPORTING)
    assert ("failed" in kept_going, kept_going["state"]) == (False, "in transition")
    result = host.run("new", supersedes=ALL)
    assert (result["failed"], result["changed"], result["reason"]) == (True, True, "transition_stalled")
    assert (result["rolled_back"], result["state"]) == (["disable new", "unload new"], "absent")
    assert "which an earlier run had left, was reversed: disable new; unload new." in result["msg"]
    assert "as it was before" not in result["msg"]
    assert host.stack == ["a", "b", "c"]


def test_a_stalled_transition_that_ends_right_before_it_is_reversed(tmp_path: pathlib.Path) -> None:
    """The result tells the state at the end, not that of the moment when the time was up."""
    new = patched("new", "a")
    host = ModelHost(tmp_path, loaded(new, in_transition=True), kept=[new], stall=["new"])
    host.kernel.before_call["disable new"] = lambda: host.kernel.end_transition("new")
    result = host.run("new")
    assert (result["failed"], result["reason"], result["not_restored"]) == (True, "transition_stalled", [])
    assert (result["state"], host.stack) == ("enabled", ["new"])


def test_a_transition_that_has_ended_by_now_is_not_reversed(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, loaded(patched("new", "a")))
    result = reversed_result(Task(Wanted("new", State.ENABLED)), host.kernel, {"state": "in transition"}, True)
    assert (result, host.kernel.calls) == ({"state": "enabled"}, [])


def test_a_stalled_transition_of_somebody_else_is_left_alone(tmp_path: pathlib.Path) -> None:
    new = patched("new", "a")
    host = ModelHost(tmp_path, loaded(new, in_transition=True), stall=["new"])
    result = host.run("new")
    assert (result["failed"], result["changed"], host.stack) == (True, False, ["new"])
    assert "was not reversed" in result["msg"]


# ---- a transition that an earlier run has left, and that ends ----


class WalkedHost(ModelHost):
    """A host that shows what a kernel does: in the transition of a replacing patch, no-ops for what it replaces."""

    kind = WalkedKernel


def left_replacing(root: pathlib.Path, kind: str, shown: PatchFile) -> WalkedHost:
    """`new` replaces `old` and lacks one of its functions. Its transition was left, and ends while the next run waits.

    `shown` is its file, which may not tell all.
    """
    host = WalkedHost(root, **KINDS[kind])
    host.run("old", file=patch_file("old", functions=(Function("vmlinux", "f"), Function("vmlinux", "g"))))
    host.kernel.stall.add("new")
    host.kernel.replaces[shown.sha256] = True
    real = patched("new", "f", replace=True)
    path = root / "new.ko"
    path.write_bytes(content_of("new"))
    host.kernel.add_file(real)
    wanted = Wanted("new", State.ENABLED, shown, supersedes=("old",))
    manage(Task(wanted, str(path), patience=REPORTING, ignore=("functions_unknown",)), host.kernel)
    host.kernel.stall.clear()
    host.kernel.ends_after["new"] = 1.0
    return host


SHOWN = [patched("new", "f", replace=True), patched("new", "f", replace=None), patch_file("new", functions=None)]
OLDER_AND_NEWER = pytest.mark.parametrize("kind", ["per_task 6.1", "per_task 6.12"])


@OLDER_AND_NEWER
@pytest.mark.parametrize("shown", SHOWN)
def test_the_same_task_finishes_what_a_replacing_patch_has_begun(
    tmp_path: pathlib.Path, kind: str, shown: PatchFile
) -> None:
    """The functions that the kernel had added to it are gone in the end (klp_free_replaced_patches_async())."""
    host = left_replacing(tmp_path, kind, shown)
    result = host.run("new", supersedes=("old",))
    assert ("failed" in result, result["state"], host.stack) == (False, "enabled", ["new"]), result["msg"]
    assert [patch.name for patch in host.kernel.patches] == ["new"]


@OLDER_AND_NEWER
@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("function", ["g", "z"])
def test_another_task_waits_for_what_a_replacing_patch_has_begun(
    tmp_path: pathlib.Path, kind: str, shown: PatchFile, function: str
) -> None:
    host = left_replacing(tmp_path, kind, shown)
    result = host.run("other", file=patched("other", function))
    assert ("failed" in result, host.stack) == (False, ["new", "other"]), result["msg"]


@pytest.mark.parametrize("on_stall", OnStall)
@pytest.mark.parametrize("ends", [True, False])
def test_the_same_task_waits_until_what_it_supersedes_is_disabled(
    tmp_path: pathlib.Path, on_stall: OnStall, ends: bool
) -> None:
    """A module in transition cannot be unloaded: the kernel answered EAGAIN for ten seconds."""
    host, new = ModelHost(tmp_path), patched("new", "f")
    host.run("old", file=patched("old", "f"))
    host.kernel.stall.add("old")
    host.run("new", file=new, supersedes=("old",), patience=REPORTING)
    if ends or on_stall == OnStall.WAIT:
        host.kernel.ends_after["old"] = 2.0 if ends else 100.0
    result = host.run("new", file=new, supersedes=("old",), patience=Patience(3, 2, 0.1, on_stall))
    finished = ends or on_stall == OnStall.WAIT
    assert (result.get("reason"), host.stack) == (
        "transition_stalled" if on_stall == OnStall.ROLL_BACK and not finished else None,
        ["new"],
    )
    if finished:
        assert result["actions"] == ["wait for the transition of old", "unload old"]
    assert "unload old" not in host.kernel.calls or finished


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_module_that_the_kernel_holds_is_not_tried_to_unload(tmp_path: pathlib.Path, check_mode: bool) -> None:
    host = ModelHost(tmp_path)
    host.run("old", file=patched("old", "f"))
    host.kernel.stall.add("old")
    host.run("new", file=patched("new", "f"), supersedes=("old",), patience=FORCING)
    assert [patch.name for patch in host.kernel.patches if patch.pinned] == ["old"]
    host.kernel.calls, clock = [], host.kernel.clock
    result = manage(Task(Wanted("old", State.ABSENT), check_mode=check_mode), host.kernel)
    assert (result["reason"], result["reboot_required"]) == ("module_not_removable", True)
    assert (host.kernel.calls, host.kernel.clock, host.stack) == ([], clock, ["new"])


def test_what_a_module_in_use_is_called(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, busy_unloads=9999)
    host.run("old", file=patched("old", "f"))
    assert "/sys/module/old/refcnt" in host.run("old", State.ABSENT)["remedy"]


def test_a_stalled_transition_of_somebody_else_is_not_forced(tmp_path: pathlib.Path) -> None:
    """It would replace what this collection has loaded, and pin it."""
    ours, theirs = patched("ours", "f"), patched("theirs", "g", replace=True)
    host = ModelHost(tmp_path, loaded(ours), kept=[ours], stall=["theirs"])
    host.kernel.add_file(theirs)
    host.kernel.patches.append(loaded(theirs, in_transition=True, load_index=9, instance=9))
    for name in ("ours", "new"):
        result = host.run(
            name, file=patched(name, "f"), supersedes=("ours",) if name == "new" else (), patience=FORCING
        )
        assert (result["reason"], result["changed"]) == ("transition_stalled", False)
    assert ([call for call in host.kernel.calls if call.startswith("force")], host.stack) == ([], ["ours", "theirs"])


# ---- what has changed since the host was read ----


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_another_tool_has_put_below_a_live_patch_is_no_reason_to_take_it_out(
    tmp_path: pathlib.Path, abi: str
) -> None:
    """The patch that it has superseded would not come back, and the host would have the other tool's alone."""
    host, new = ModelHost(tmp_path, abi=abi), patched("new", "f", abi=abi)
    host.run("old", file=patched("old", "f", abi=abi))
    theirs = loaded(patched("theirs", "f", abi=abi), load_index=9, instance=9)
    host.kernel.before_call["load new"] = lambda: host.kernel.patches.append(theirs)
    result = host.run("new", file=new, supersedes=("old",))
    assert ("failed" in result, host.stack, result["patch"]["effective"]) == (False, ["theirs", "new"], "full")
    assert "others_changed" in reasons(result)


@pytest.mark.parametrize("refusal", [None, (errno.EINVAL, "")])
def test_a_transition_that_ends_before_it_is_turned_back(
    tmp_path: pathlib.Path, refusal: tuple[int, str] | None
) -> None:
    """The kernel answers ENOENT, or EINVAL in the moment before it has dropped the patch."""
    host = three(tmp_path)
    host.run("new", file=patched("new", "n"))
    host.kernel.stall.add("new")
    host.run("new", State.DISABLED, patience=REPORTING)
    host.kernel.stall.clear()
    host.kernel.before_call["enable new"] = lambda: host.kernel.end_transition("new")
    host.kernel.fail = {"enable": refusal} if refusal else {}
    result = host.run("new")
    assert "failed" not in result
    assert (host.stack, reasons(result)[0]) == (["a", "b", "c", "new"], "replanned")
    assert result["actions"] == ["unload new", "load new", "wait for the transition of new"]


def replace_all(host: ModelHost, file: PatchFile) -> None:
    """Somebody else loads this file, which has the replace flag."""
    down = [dataclasses.replace(patch, enabled=False, functions=(), replace=None) for patch in host.kernel.patches]
    host.kernel.patches = [*down, loaded(file, load_index=9, instance=9)]


def test_a_patch_that_somebody_replaces_in_the_same_moment_is_not_called_unloaded(tmp_path: pathlib.Path) -> None:
    """The kernel answers ENOENT: it has dropped the patch, whose module is still there."""
    old, theirs = patched("old", "f"), patched("theirs", "f", replace=True)
    host = ModelHost(tmp_path, loaded(old), kept=[old])

    host.kernel.before_call["disable old"] = lambda: replace_all(host, theirs)
    result = host.run("new", file=patched("new", "f"), supersedes=("old",))
    assert (result["errno"], result["reason"]) == ("ENOENT", "changed_meanwhile")
    assert result["cause"].startswith("old was disabled by somebody else, or replaced, in the same moment.")
    assert host.stack == ["theirs"]


def test_a_patch_is_not_suspected_of_the_flag_that_the_kernel_shows_of_another_one(tmp_path: pathlib.Path) -> None:
    old, theirs = patched("old", "f"), patched("theirs", "f", replace=True)
    host = ModelHost(tmp_path, loaded(old), kept=[old])
    host.kernel.shows_replace = True
    look = host.kernel.snapshot

    def replaced() -> Snapshot:
        if [patch.name for patch in host.kernel.patches] == ["old", "new"]:
            host.kernel.patches = [
                *(
                    dataclasses.replace(patch, enabled=False, functions=(), replace=None)
                    for patch in host.kernel.patches
                ),
                loaded(theirs, load_index=9, instance=9),
            ]
        return look()

    host.kernel.snapshot = replaced
    result = host.run("new", file=patched("new", "g"))
    assert result["reason"] == "not_as_planned"
    assert result["remedy"].startswith("Look for another tool")


def test_what_was_done_and_taken_back_before_the_task_was_planned_anew_is_told(tmp_path: pathlib.Path) -> None:
    """A patch that replaces others, which its file did not show: the kernel unloads them when the transition ends."""
    old, new = patched("old", "f"), patched("new", "f", replace=False)
    host = ModelHost(tmp_path, loaded(old), kept=[old])
    host.kernel.replaces, host.kernel.shows_replace = {new.sha256: True}, False
    host.kernel.fail_later("unload", 0)
    result = host.run("new", file=new, supersedes=("old",))
    assert "replanned" in reasons(result)
    done = [action for action in result["actions"] if not action.startswith("wait")]
    back = ["unload old", "load old", "disable new", "unload new"]
    assert done == ["load new", *back, "load new", "unload old"]


def test_what_somebody_else_has_loaded_again_is_not_noted_as_ours(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same file, and another load of it."""
    file = patched("fix", "f", abi=STOP_MACHINE)
    host = ModelHost(tmp_path, abi=STOP_MACHINE)
    host.run("fix", State.PRESENT, file)
    unload = host.kernel.unload

    def unload_and_load(name: str) -> None:
        unload(name)
        host.kernel.patches.append(loaded(file, enabled=False, instance=99))

    monkeypatch.setattr(host.kernel, "unload", unload_and_load)
    assert host.run("fix", State.ABSENT)["reason"] == "not_as_planned"
    monkeypatch.undo()
    refused = host.run("fix", State.ABSENT)
    assert (refused["reason"], host.kernel.calls[-1]) == ("owner_unknown", "unload fix")


def test_what_somebody_else_has_unloaded_is_loaded(tmp_path: pathlib.Path) -> None:
    host = three(tmp_path)
    host.run("new", file=patched("new", "n"))
    host.run("new", State.DISABLED)

    def unload() -> None:
        host.kernel.patches = [patch for patch in host.kernel.patches if patch.name != "new"]

    host.kernel.before_call["unload new"] = unload
    result = host.run("new", file=patched("new", "n"))
    assert ("failed" in result, host.stack) == (False, ["a", "b", "c", "new"])


def test_the_transition_of_somebody_else_is_waited_for(tmp_path: pathlib.Path) -> None:
    host, theirs = three(tmp_path), loaded(patched("theirs", "t"), in_transition=True, load_index=9)
    host.kernel.before_call["load new"] = lambda: host.kernel.patches.append(theirs)
    host.kernel.ends_after["theirs"] = 1.0
    result = host.run("new", file=patched("new", "n"))
    assert "failed" not in result
    assert result["actions"][0] == "wait for the transition of theirs"
    assert host.stack == ["a", "b", "c", "theirs", "new"]


def test_what_changes_all_the_time_is_told_in_the_end(tmp_path: pathlib.Path) -> None:
    """Nobody waits for a host that does not come to rest."""
    host = three(tmp_path)
    names = iter("tuvwxyz")

    def load_another() -> None:
        name = next(names)
        host.kernel.patches = [
            *(patch for patch in host.kernel.patches if not patch.in_transition),
            loaded(patched(name, name), in_transition=True, load_index=9),
        ]
        host.kernel.ends_after[name] = 0.5
        host.kernel.before_call["load new"] = load_another

    load_another()
    result = host.run("new", file=patched("new", "n"))
    assert (result["reason"], host.kernel.calls.count("load new")) == ("busy", 3)
    assert reasons(result).count("replanned") == 2


def test_a_refusal_that_nobody_else_has_caused_is_told_at_once(tmp_path: pathlib.Path) -> None:
    host = three(tmp_path, fail={"load": (errno.EINVAL, "")})
    result = host.run("new", file=patched("new", "n"))
    assert (result["failed"], host.kernel.calls) == (True, ["load new"])
    assert "replanned" not in reasons(result)
