# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For random stacks, random wishes and random trouble, on the model of a kernel: what may never happen does not."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import tempfile
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import state_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    LoadedPatch,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
    loaded,
    patch_file,
    said,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_remedies import told_in_vain

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")
from hypothesis import given
from hypothesis import strategies as st

Situation = t.Tuple[t.Dict[str, t.Any], t.Dict[str, PatchFile], t.List[LoadedPatch], Wanted]
NAMES = ("p1", "p2", "p3", "p4")
FUNCTIONS = st.sets(st.sampled_from("abc"), min_size=1).map(
    lambda letters: tuple(Function("vmlinux", letter) for letter in sorted(letters))
)
KERNELS: st.SearchStrategy[dict[str, t.Any]] = st.sampled_from(
    [
        {"abi": PER_TASK},
        {"abi": STOP_MACHINE, "stacking_enforced": False},
        {"abi": STOP_MACHINE, "stacking_enforced": True},
        {"abi": STOP_MACHINE, "stacking_enforced": False, "hidden": True},
        {"abi": STOP_MACHINE, "stacking_enforced": True, "hidden": True},
    ]
)
TROUBLE = st.one_of(
    st.none(), st.tuples(st.sampled_from(["load", "unload", "enable", "disable"]), st.sampled_from([0, 1, 2]))
)


@st.composite
def situations(draw: st.DrawFn, kernels: st.SearchStrategy[dict[str, t.Any]] = KERNELS) -> Situation:
    """A kernel with up to four patches, the files of all four, and a verification for one of them."""
    kind = draw(kernels)
    files = {name: patch_file(name, abi=kind["abi"], functions=draw(FUNCTIONS)) for name in NAMES}
    present = draw(st.permutations(NAMES))[: draw(st.integers(0, 4))]
    if kind["abi"] == PER_TASK or kind["stacking_enforced"]:
        # Modules cannot change their places there.
        present = sorted(present)
    enabled = [draw(st.booleans()) for _name in present]
    if kind.get("stacking_enforced"):
        enabled.sort(reverse=True)
    patches = [loaded(files[name], on, load_index=NAMES.index(name) + 1) for name, on in zip(present, enabled)]
    name = draw(st.sampled_from(NAMES))
    state = draw(st.sampled_from(State))
    wanted = Wanted(
        name=name,
        state=state,
        file=draw(st.sampled_from([files[name], None])),
        on_covered=draw(st.sampled_from(OnCovered)),
        supersedes=tuple(draw(st.lists(st.sampled_from([*NAMES, "contained"]), max_size=2)))
        if state == State.ENABLED
        else (),
    )
    return kind, files, patches, wanted


class Case:
    """One situation on a model, carried out by its own task.

    Copies of the files of what is loaded are at hand, as far as their patches are named in `kept`.
    """

    def __init__(
        self,
        root: str,
        situation: Situation,
        trouble: tuple[str, int] | None = None,
        kept: set[str] | tuple[str, ...] = NAMES,
    ) -> None:
        kind, files, patches, self.wanted = situation
        self.kernel = ModelKernel(root, *patches, **kind)
        self.files = files
        for name, file in files.items():
            (pathlib.Path(root) / (name + ".ko")).write_bytes(content_of(name))
            self.kernel.add_file(file)
            (pathlib.Path(root) / "sys/module" / name).mkdir(parents=True)
        self.before = self.conditions()
        self.stacks_before = self.stacks()
        self.keep_files(kept)
        if trouble:
            self.kernel.fail_later(*trouble)

    def keep_files(self, kept: set[str] | tuple[str, ...]) -> None:
        for name in kept:
            if name in self.before:
                file = self.files[name]
                copies.store(self.kernel.files(), name, f"{self.kernel.root}/{name}.ko", file.sha256)
                self.kernel.note_copy(file)

    def manage(self, check_mode: bool = False) -> dict[str, t.Any]:
        path = f"{self.kernel.root}/{self.wanted.name}.ko" if self.wanted.file else None
        return manage(Task(self.wanted, path, patience=Patience(3, 2, 0.1), check_mode=check_mode), self.kernel)

    def conditions(self) -> dict[str, bool]:
        return {patch.name: patch.enabled for patch in self.kernel.patches}

    def stacks(self) -> dict[Function, list[str]]:
        stacks = self.kernel.snapshot().stacks()
        return {function: [patch.name for patch in stack] for function, stack in stacks.items()}

    def reached(self) -> bool:
        condition = self.conditions().get(self.wanted.name)
        return {
            "enabled": condition is True,
            "disabled": condition is not True,
            "present": condition is not None,
            "absent": condition is None,
            "reverted": condition is None,
        }[self.wanted.state]

    def check_effect(self, result: dict[str, t.Any]) -> None:
        """A patch that was to be enabled is live on all its functions, or the task permits that, and it is told."""
        if self.wanted.state == State.ENABLED:
            is_live = all(
                stack[-1] == self.wanted.name for stack in self.stacks().values() if self.wanted.name in stack
            )
            assert is_live == (result["patch"]["effective"] == "full")
            assert is_live or self.wanted.on_covered == OnCovered.ALLOW
            assert is_live != any(
                (finding["reason"], finding["severity"]) == ("covered", "warn") for finding in result["findings"]
            )

    def others(self, conditions: dict[str, bool]) -> dict[str, bool]:
        """The patches that the task is not about."""
        mine = {self.wanted.name, *self.superseded()}
        return {name: condition for name, condition in conditions.items() if name not in mine}

    def superseded(self) -> set[str]:
        verification = set(self.wanted.supersedes)
        functions = set(self.files[self.wanted.name].functions or ())
        contained = [name for name, file in self.files.items() if functions.issuperset(file.functions or ())]
        return verification.union(contained if "contained" in verification else [])


def shown(result: dict[str, t.Any]) -> list[str]:
    """The diff's new side, without the identity: the model does not tell the digest of what it has loaded."""
    return [line for line in result["diff"]["after"].splitlines() if "identity" not in line]


@given(situations())
def test_it_succeeds_or_refuses_and_touches_nobody_else(situation: Situation) -> None:
    with tempfile.TemporaryDirectory() as root:
        case = Case(root, situation)
        predicted = case.manage(check_mode=True)
        assert case.conditions() == case.before
        result = case.manage()
        assert case.others(case.conditions()) == case.others(case.before)
        if result.get("failed"):
            assert not told_in_vain(result["remedy"], case.wanted)
            assert case.conditions() == case.before
            assert case.stacks() == case.stacks_before
            assert "attempted" not in result or case.kernel.hidden
            return
        assert case.reached()
        case.check_effect(result)
        assert result["changed"] == predicted["changed"] == (result["actions"] != [])
        assert [finding["reason"] for finding in result["findings"]] == [
            finding["reason"] for finding in predicted["findings"]
        ]
        assert result["actions"] == predicted["actions"]
        assert shown(result) == shown(predicted) or case.kernel.hidden
        if case.wanted.on_covered != OnCovered.ALLOW:
            unchanged = case.others(case.before)
            for function, stack in case.stacks_before.items():
                kept = [name for name in stack if name in unchanged]
                assert [name for name in case.stacks().get(function, []) if name in unchanged] == kept
        calls = len(case.kernel.calls)
        again = case.manage()
        assert not again["changed"]
        assert len(case.kernel.calls) == calls


@given(situations(), TROUBLE)
def test_trouble_in_the_middle_is_undone_or_told(situation: Situation, trouble: tuple[str, int] | None) -> None:
    with tempfile.TemporaryDirectory() as root:
        case = Case(root, situation, trouble)
        result = case.manage()
        if not result.get("failed"):
            assert case.reached()
            return
        # Where nothing shows CONFIG_LIVEPATCH_STACK, the kernel may not let a patch come back: that is told.
        lost = " ".join(result.get("not_restored") or ())
        is_told = situation[0].get("stacking_enforced") and case.kernel.hidden and "CONFIG_LIVEPATCH_STACK" in lost
        if case.wanted.on_covered != OnCovered.ALLOW and not is_told:
            # There a patch that is loaded again comes behind those that are disabled, and is not to be enabled.
            is_behind = situation[0].get("stacking_enforced") and not all(case.before.values())
            for function, stack in case.stacks_before.items():
                if not (is_behind and stack[-1] in lost):
                    assert case.stacks()[function][-1] == stack[-1]
        if result.get("not_restored"):
            assert result["changed"]
        else:
            assert case.conditions() == case.before
            assert case.stacks() == case.stacks_before


@given(situations(), TROUBLE, st.sets(st.sampled_from(NAMES)))
def test_no_older_code_comes_above_what_was_live_and_stays(
    situation: Situation, trouble: tuple[str, int] | None, kept: set[str]
) -> None:
    """Whatever files are at hand to undo with."""
    with tempfile.TemporaryDirectory() as root:
        case = Case(root, situation, trouble, kept)
        if not case.manage().get("failed") or case.wanted.on_covered == OnCovered.ALLOW:
            return
        for function, stack in case.stacks_before.items():
            now = case.stacks().get(function, [])
            assert stack[-1] not in now[:-1]


@given(situations(st.just({"abi": PER_TASK})), st.sampled_from(NAMES), st.booleans())
def test_after_a_stall_everything_that_was_live_is_live_again(situation: Situation, name: str, always: bool) -> None:
    """The files of all that was loaded are at hand: nothing is a reason to lose a patch, or the order of two."""
    with tempfile.TemporaryDirectory() as root:
        case = Case(root, situation)
        (case.kernel.stall if always and name not in case.before else case.kernel.stall_once).add(name)
        result = case.manage()
        if result.get("failed"):
            assert case.stacks() == case.stacks_before
            assert result.get("not_restored", []) == [] or result["changed"]


@given(situations(), st.sampled_from(OnCovered))
def test_reverting_leads_to_where_the_host_was_before_the_patch_was_loaded(
    situation: Situation, on_covered: OnCovered
) -> None:
    with tempfile.TemporaryDirectory() as root:
        case = Case(root, situation)
        name = case.wanted.name
        case.wanted = dataclasses.replace(case.wanted, state=State.ENABLED)
        if case.manage().get("failed"):
            return
        enabled, stacks = case.conditions(), case.stacks()
        case.wanted = Wanted(name, State.REVERTED, on_covered=on_covered)
        predicted = case.manage(check_mode=True)
        result = case.manage()
        if result.get("failed"):
            assert case.conditions() == enabled
            assert case.stacks() == stacks
            assert "attempted" not in result or case.kernel.hidden
            return
        case.before.pop(name, None)
        if situation[0]["abi"] == PER_TASK:
            missing = set(case.before).difference(case.conditions())
            assert not any(case.before.pop(disabled) for disabled in missing)
        assert case.conditions() == case.before
        assert shown(result) == shown(predicted) or case.kernel.hidden
        if on_covered != OnCovered.ALLOW and situation[3].on_covered != OnCovered.ALLOW:
            without = {
                function: [one for one in stack if one != name] for function, stack in case.stacks_before.items()
            }
            assert case.stacks() == {function: stack for function, stack in without.items() if stack}
        assert not case.manage()["changed"]


@given(situations(), st.sampled_from([State.ENABLED, State.PRESENT]))
def test_after_the_way_forth_the_way_back_is_open(situation: Situation, state: State) -> None:
    """Whatever the task has brought can be taken out by a task with the same options."""
    with tempfile.TemporaryDirectory() as root:
        case = Case(root, situation)
        case.wanted = dataclasses.replace(case.wanted, state=state)
        if case.manage().get("failed") or case.wanted.name in case.before:
            return
        case.wanted = dataclasses.replace(case.wanted, state=State.ABSENT, file=None, supersedes=())
        back = case.manage()
        assert not back.get("failed"), back["msg"]
        assert case.wanted.name not in case.conditions()


EVENTS = st.tuples(st.sampled_from(["end", "unload", "load"]), st.integers(0, 6), st.sampled_from(NAMES))


def _is_moving(situation: Situation, name: str) -> Situation:
    """The situation, in which the transition of this patch is running, if it is loaded."""
    kind, files, patches, wanted = situation
    moving = [
        dataclasses.replace(patch, in_transition=True, functions=files[name].functions or ())
        if patch.name == name
        else patch
        for patch in patches
    ]
    return kind, files, moving, wanted


@given(situations(st.just({"abi": PER_TASK})), st.sampled_from(NAMES), st.booleans(), EVENTS)
def test_whatever_happens_between_two_calls_the_result_tells_the_host(
    situation: Situation, mover: str, moves: bool, event: tuple[str, int, str]
) -> None:
    """A transition ends, or another tool acts. What succeeds has reached its state, and its functions are live."""
    with tempfile.TemporaryDirectory() as root:
        case = Case(root, _is_moving(situation, mover) if moves else situation)
        kernel, (what, when, whom) = case.kernel, event
        kernel.stall = {mover} if moves else set()
        call = kernel._call

        def call_after_event(operation: str, name: str) -> None:
            if len(kernel.calls) == when:
                for moving in [patch.name for patch in kernel.patches if patch.in_transition]:
                    kernel.end_transition(moving)
                if what == "unload":
                    kernel.patches = [patch for patch in kernel.patches if patch.name != whom]
                if what == "load":
                    theirs = patch_file("theirs", functions=case.files[whom].functions)
                    kernel.patches.append(loaded(theirs, load_index=kernel.newest + 1))
            call(operation, name)

        kernel._call = call_after_event
        result = case.manage()
        assert result["state"] == state_of(kernel.snapshot(), case.wanted.name)
        if not result.get("failed"):
            assert case.reached()
            case.check_effect(result)


class Cut(BaseException):
    """The module's process is gone: nothing of it runs any more."""


class Scissors:
    """Cuts a run off before the event of this number: a call of the kernel, or a change of the collection's files."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, call: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def counted(*args: t.Any, **keywords: t.Any) -> t.Any:
            if self.left == 0:
                raise Cut
            self.left -= 1
            return call(*args, **keywords)

        return counted


@given(situations(), st.integers(0, 30))
def test_after_a_run_that_was_cut_off_the_next_one_arrives(situation: Situation, number: int) -> None:
    """Cut off anywhere, then run again: what comes out is what comes out without the cut."""
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as other_root:
        undisturbed = Case(other_root, situation)
        expected = undisturbed.manage()
        case = Case(root, situation)
        scissors = Scissors(number)
        with pytest.MonkeyPatch.context() as patched:
            for place, name in (
                (case.kernel, "_call"),
                (durable, "write"),
                (journal, "remove_note"),
            ):
                patched.setattr(place, name, scissors(getattr(place, name)))
            try:
                case.manage()
                cut = False
            except Cut:
                cut = True
        noted = journal.is_noted(case.kernel.files())
        assert cut or not noted
        predicted = case.manage(check_mode=True)
        again = case.manage()
        # With CONFIG_LIVEPATCH_STACK the way back may find what could not be predicted.
        if not (again.get("failed") or case.kernel.stacking_enforced):
            assert (predicted["changed"], predicted["actions"]) == (again["changed"], again["actions"])
        assert bool(again.get("failed")) == bool(expected.get("failed")), (again, expected)
        assert case.conditions() == undisturbed.conditions()
        assert case.stacks() == undisturbed.stacks()
        assert not journal.is_noted(case.kernel.files()) or again.get("failed")
        assert any("interrupted" in sentence for sentence in said(again)) == noted or again.get("failed")


def test_the_model_can_fail() -> None:
    with tempfile.TemporaryDirectory() as root:
        file = patch_file("p1", abi=STOP_MACHINE)
        situation: Situation = ({"abi": STOP_MACHINE}, {"p1": file}, [], Wanted("p1", State.ENABLED, file))
        result = Case(root, situation, ("enable", 0)).manage()
        assert result["errno"] == errno.errorcode[errno.EIO]
