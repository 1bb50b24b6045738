# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where only a reboot finishes a task, as tables and on the model of a kernel."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.explain import explain
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding, allow
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnStall,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.reboot import (
    host_needs_reboot,
    stays_until_reboot,
    task_needs_reboot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
    loaded,
    patch_file,
    snapshot,
)

FIX = patch_file("fix")
ON = loaded(FIX)
OFF = loaded(FIX, enabled=False)
PINNED = dataclasses.replace(OFF, pinned=True)
PERMANENT = dataclasses.replace(ON, permanent=True)
PERMANENT_OFF = dataclasses.replace(OFF, permanent=True)
GOING = dataclasses.replace(PERMANENT_OFF, in_transition=True)
OTHER = dataclasses.replace(PINNED, name="other")

HELPS = Finding(reason="helps", seen="Seen.", remedy="Reboot the host.", only_reboot=True)
OTHERWISE = Finding(reason="otherwise", seen="Seen.", remedy="Consider a reboot.")

ABOUT_FIX = Plan(about="fix")
ABOUT_BOTH = Plan((Step(Action.DISABLE, "other"), Step(Action.UNLOAD, "other")), about="fix")


@pytest.mark.parametrize(
    ("patch", "host", "expected"),
    [
        (ON, {}, False),
        (OFF, {}, False),
        (PINNED, {}, True),
        (PERMANENT, {}, False),
        (PERMANENT_OFF, {}, True),
        (GOING, {}, False),
        (ON, {"modules_disabled": True}, False),
        (OFF, {"modules_disabled": True}, True),
        # What is disabled there can be enabled again.
        (PERMANENT_OFF, {"abi": STOP_MACHINE}, False),
        (OFF, {"abi": STOP_MACHINE, "modules_disabled": True}, False),
    ],
)
def test_what_stays_until_a_reboot(patch: LoadedPatch, host: dict[str, t.Any], expected: bool) -> None:
    now = snapshot(patch, **host)
    assert stays_until_reboot(patch, now) is expected
    assert host_needs_reboot(now) is expected


@pytest.mark.parametrize(
    ("forced", "others", "expected"),
    [
        # Somebody else uses the module: whoever ends that needs no reboot.
        (False, False, False),
        (True, False, True),
        (None, False, True),
        # Before Linux 5.18 the kernel holds all patches when the transition of one is forced.
        (False, True, True),
    ],
)
def test_what_nobody_has_forced_does_not_stay_until_a_reboot(forced: bool | None, others: bool, expected: bool) -> None:
    copies = {"fix": StoredCopy("", "", 1, forced=forced), "other": StoredCopy("", "", 2, forced=others)}
    now = Books(copies).identify(snapshot(dataclasses.replace(PINNED, instance=1)))
    assert host_needs_reboot(now) is expected
    assert host_needs_reboot(Books().identify(now)) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({}, False),
        ({"ftrace_failed": True}, True),
        ({"ftrace_failed": True, "abi": STOP_MACHINE}, False),
        ({"ftrace_failed": True, "abi": None}, False),
        ({"modules_disabled": True}, False),
    ],
)
def test_a_host_without_such_a_patch(host: dict[str, t.Any], expected: bool) -> None:
    assert host_needs_reboot(snapshot(ON, **host)) is expected


@pytest.mark.parametrize(
    ("findings", "plan", "found", "goal", "expected"),
    [
        ([], ABOUT_FIX, [], [], False),
        ([OTHERWISE], ABOUT_FIX, [ON], [ON], False),
        ([OTHERWISE, HELPS], ABOUT_FIX, [ON], [ON], True),
        # That a refusal is ignored does not make another remedy.
        (allow([HELPS], ["helps"]), ABOUT_FIX, [ON], [ON], True),
        ([], ABOUT_FIX, [PINNED], [PINNED], True),
        # Check mode: there now and to be exchanged, or to be disabled.
        ([], ABOUT_FIX, [PINNED], [ON], True),
        ([], ABOUT_FIX, [PERMANENT], [PERMANENT_OFF], True),
        # Another patch of the host, and one that the plan is about.
        ([], ABOUT_FIX, [ON, OTHER], [ON, OTHER], False),
        ([], ABOUT_BOTH, [ON, OTHER], [ON], True),
        # After a failure: what was loaded cannot go, or was there before in this or in another build.
        ([], ABOUT_FIX, [PERMANENT], [], True),
        ([], ABOUT_FIX, [ON], [], False),
        ([], ABOUT_FIX, [PERMANENT], [PERMANENT], False),
        ([], ABOUT_FIX, [PERMANENT], [loaded(patch_file("fix", "2"))], True),
    ],
)
def test_a_task(
    findings: list[Finding], plan: Plan, found: list[LoadedPatch], goal: list[LoadedPatch], expected: bool
) -> None:
    assert task_needs_reboot(findings, plan, snapshot(*found), snapshot(*goal)) is expected


@pytest.mark.parametrize(
    ("number", "line", "expected"),
    [
        (errno.ENODEV, "failed to set ftrace filter for function 'one' (-19)", True),
        (errno.ENODEV, "failed to register ftrace handler for function 'one' (-19)", True),
        (errno.EBUSY, "failed to register ftrace handler for function 'one' (-16)", False),
        (errno.EPERM, "", False),
    ],
)
def test_an_answer_of_the_kernel(number: int, line: str, expected: bool) -> None:
    assert explain(Action.LOAD, number, [line], PER_TASK).only_reboot is expected


# ---- the result of livepatch_module ----


def enable(host: ModelHost, **keywords: t.Any) -> dict[str, t.Any]:
    return host.run("fix", file=FIX, **keywords)


def test_a_result_always_says_it(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    host.kernel.add_file(FIX)
    (tmp_path / "sent.ko").write_bytes(content_of("fix"))
    results = [manage(Task(Wanted("fix", State.ENABLED, FIX), str(tmp_path / "sent.ko"), check_mode=True), host.kernel)]
    host.kernel.fail["load"] = (errno.EINVAL, "")
    results += [enable(host), enable(host), enable(host), host.run("fix", file=patch_file("fix", "2"), content="2")]
    said = [(result["changed"], result.get("failed", False), result["reboot_required"]) for result in results]
    # Check mode, failed, changed, unchanged, refused.
    assert said == [
        (True, False, False),
        (False, True, False),
        (True, False, False),
        *[(False, False, False)],
        (False, True, False),
    ]


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"modules_disabled": True}, True),
        ({"ftrace_failed": True, "ftrace_enabled": None}, True),
        ({"ftrace_enabled": False}, False),
    ],
)
def test_a_refusal(tmp_path: pathlib.Path, check_mode: bool, conditions: dict[str, t.Any], expected: bool) -> None:
    kernel = ModelKernel(tmp_path)
    kernel.conditions_now = dataclasses.replace(kernel.conditions_now, **conditions)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), "/sent.ko", check_mode=check_mode), kernel)
    assert (result["failed"], result["reboot_required"]) == (True, expected)


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("state", [State.ABSENT, State.REVERTED])
def test_a_module_without_an_exit_function_is_to_go(tmp_path: pathlib.Path, abi: str, state: State) -> None:
    kernel = ModelKernel(tmp_path, loaded(patch_file(abi=abi), permanent=True), abi=abi)
    result = manage(Task(Wanted("fix", state, force_owner=True)), kernel)
    assert (result["reason"], result["reboot_required"]) == ("module_not_removable", True)


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(("abi", "expected"), [(PER_TASK, True), (STOP_MACHINE, False)])
def test_a_module_without_an_exit_function_is_disabled(
    tmp_path: pathlib.Path, abi: str, expected: bool, check_mode: bool
) -> None:
    kernel = ModelKernel(tmp_path, loaded(patch_file(abi=abi), permanent=True), abi=abi)
    result = manage(Task(Wanted("fix", State.DISABLED, force_owner=True), check_mode=check_mode), kernel)
    assert (result["changed"], result["reboot_required"], result["patch"]["reboot_required"]) == (
        True,
        expected,
        expected,
    )


def test_a_module_without_an_exit_function_that_was_loaded_cannot_be_rolled_back(tmp_path: pathlib.Path) -> None:
    class Stays(ModelKernel):
        def load(self, path: str, sha256: str, parameters: str = "") -> None:
            super().load(path, sha256, parameters)
            self.patches = [dataclasses.replace(patch, permanent=True) for patch in self.patches]

        def unload(self, name: str) -> None:
            raise OSError(errno.EBUSY, "")

        def snapshot(self) -> Snapshot:
            now = super().snapshot()
            # The proof of the result fails.
            return dataclasses.replace(
                now, patches=tuple(dataclasses.replace(patch, enabled=False) for patch in now.patches)
            )

    kernel = Stays(tmp_path, abi=STOP_MACHINE)
    file = patch_file(abi=STOP_MACHINE)
    kernel.add_file(file)
    (tmp_path / "sent.ko").write_bytes(content_of("fix"))
    result = manage(Task(Wanted("fix", State.ENABLED, file), str(tmp_path / "sent.ko")), kernel)
    assert (result["reason"], result["reboot_required"]) == ("not_as_planned", True)
    assert result["not_restored"]


FORCED = Patience(timeout=1, on_stall=OnStall.FORCE)


def test_a_transition_that_is_forced(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, stall=["fix"])
    result = enable(host, patience=FORCED)
    assert (result["state"], result["reboot_required"]) == ("enabled", True)
    assert [finding["severity"] for finding in result["findings"] if finding["reason"] == "forced"] == [WARN]


def test_what_was_disabled_by_force_never_goes(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, ON, kept=[FIX], stall=["fix"])
    first = host.run("fix", State.ABSENT, patience=FORCED)
    assert (first["state"], first["reboot_required"], first["patch"]["reboot_required"]) == ("disabled", True, True)
    again = host.run("fix", State.ABSENT)
    assert (again["reason"], again["reboot_required"]) == ("module_not_removable", True)
    assert host.run("fix", State.DISABLED)["reboot_required"] is True
    assert host.run("other", State.DISABLED)["reboot_required"] is False


def test_a_transition_that_is_left_running(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, stall=["fix"])
    assert enable(host, patience=Patience(timeout=1, on_stall=OnStall.REPORT))["reboot_required"] is False
