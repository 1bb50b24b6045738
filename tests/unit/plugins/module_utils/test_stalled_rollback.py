# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a per_task host on which what rolls back stalls: nothing is forced, and it is as its result says."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    OnStall,
    Patience,
    Probe,
    State,
    Verification,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file, said

F, G = (Function("vmlinux", name) for name in "fg")
OLD, NEW = (patch_file(name, functions=(F,)) for name in ("old", "new"))
FAILING = Verification(probe=Probe(argv=("false",)))
HELD = "it is held by sleep (pid 42) in hrtimer_nanosleep+0x9d/0x120"
END = "End or wake those tasks, or set a longer timeout, then"


def stalls(host: ModelHost, call: str, *names: str) -> None:
    """Tasks come into the functions of these patches right before this call, and stay there."""
    host.kernel.before_call[call] = lambda: host.kernel.stall.update(names)


def patience(on_stall: OnStall) -> Patience:
    return Patience(3, 2, 0.1, on_stall)


def told(result: dict[str, t.Any]) -> dict[str, str]:
    """The warning of a transition that did not end."""
    (finding,) = [finding for finding in result["findings"] if finding["reason"] == "transition_stalled"]
    return dict(finding)


def forces(host: ModelHost) -> list[str]:
    return [call for call in host.kernel.calls if call.startswith("force ")]


def run_that_fails(host: ModelHost, on_stall: OnStall = OnStall.ROLL_BACK, **wanted: t.Any) -> dict[str, t.Any]:
    """A task whose probe fails, while tasks hold the transition that is to take out its patch."""
    stalls(host, "disable new", "new")
    return host.run("new", file=NEW, verification=FAILING, patience=patience(on_stall), **wanted)


@pytest.mark.parametrize("on_stall", list(OnStall))
def test_a_rollback_that_stalls_is_reversed_and_forces_nothing(tmp_path: pathlib.Path, on_stall: OnStall) -> None:
    """Whatever `on_stall` says of the task's own transitions: the patch would stay loaded, or the task never end."""
    host = ModelHost(tmp_path)
    result = run_that_fails(host, on_stall)
    assert (host.stack, host.kernel.snapshot().in_transition, forces(host)) == (["new"], None, [])
    assert (result["reason"], result["state"], result["changed"]) == ("probe_failed", "enabled", True)
    assert result["rolled_back"] == ["disable new", "enable new"]
    assert result["not_restored"][0] == "new is enabled and should be not loaded"
    assert HELD in result["not_restored"][1]


def test_who_holds_a_rollback_is_told_and_what_to_do(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    result = run_that_fails(host)
    assert [task["pid"] for task in result["stalling_tasks"]] == [42]
    finding = told(result)
    assert finding["severity"] == "warn"
    assert finding["cause"] == (
        f"The transition of new did not end while the task was rolled back; {HELD}. "
        "It was reversed, and new stays enabled."
    )
    assert finding["remedy"] == f"{END} run a task with state: reverted for new."
    assert result["remedy"] == "Check the patch and the probe."


@pytest.mark.parametrize("supersedes", [(), ("old",)])
def test_the_remedy_of_a_rollback_that_has_stalled_ends_it(tmp_path: pathlib.Path, supersedes: tuple[str, ...]) -> None:
    host = ModelHost(tmp_path)
    if supersedes:
        host.run("old", file=OLD)
    remedy = told(run_that_fails(host, supersedes=supersedes))["remedy"]
    assert "new" in host.stack
    host.kernel.stall.clear()
    on_covered = OnCovered.ALLOW if "on_covered: allow" in remedy else OnCovered.REFUSE
    result = host.run("new", State.REVERTED, on_covered=on_covered)
    assert ("failed" in result, host.stack) == (False, list(supersedes))


@pytest.mark.parametrize("stays_below", [False, True])
def test_what_was_superseded_is_live_while_what_came_in_its_place_stalls(
    tmp_path: pathlib.Path, stays_below: bool
) -> None:
    """Both are enabled then: the one that has come back is above the other."""
    host = ModelHost(tmp_path)
    host.run("old", file=OLD)
    if stays_below:
        host.kernel.stall_back.add("new")
    result = run_that_fails(host, supersedes=("old",))
    assert host.stack == ["new", "old"]
    assert "new is enabled" in result["not_restored"][0]
    assert told(result)["remedy"] == f"{END} run a task with state: reverted and on_covered: allow for new."


def test_a_reversal_that_stalls_as_well_is_left_and_told(tmp_path: pathlib.Path) -> None:
    """Tasks hold both sides: only force could end it, and no rollback forces anything."""
    host = ModelHost(tmp_path)
    host.kernel.stall_back.add("new")
    result = run_that_fails(host, OnStall.FORCE)
    assert (result["state"], forces(host)) == ("in transition", [])
    assert result["not_restored"][0] == "new is enabled and in transition and should be not loaded"
    assert told(result)["cause"].endswith(f"{HELD}. It is still running, and enables new.")
    host.kernel.stall.clear()
    host.kernel.stall_back.clear()
    assert ("failed" in host.run("new", State.REVERTED), host.kernel.patches) == (False, [])


def test_what_goes_on_coming_back_is_told(tmp_path: pathlib.Path) -> None:
    """The earlier build of the same name is loaded again, and nothing else is on its function: it is not reversed."""
    first, second = patch_file("new", functions=(F,)), patch_file("new", "2", functions=(F,))
    host = ModelHost(tmp_path)
    host.run("new", file=first)
    host.kernel.before_call["disable new"] = lambda: None
    unload = host.kernel.unload

    def unload_and_stall(name: str) -> None:
        unload(name)
        if host.kernel.calls.count("unload new") == 2:
            host.kernel.stall_once.add("new")

    host.kernel.unload = unload_and_stall
    result = host.run("new", file=second, content="2", reload=True, verification=FAILING)
    assert host.identities == {"new": first.identity.build_id}
    assert (result["state"], forces(host)) == ("in transition", [])
    assert "in transition" in result["not_restored"][0]
    assert told(result)["cause"].endswith("It is still running, and enables new.")


@pytest.mark.parametrize("state", [State.ABSENT, State.REVERTED, State.DISABLED])
def test_what_is_to_go_and_stalls_stays_as_it_was(tmp_path: pathlib.Path, state: State) -> None:
    host = ModelHost(tmp_path)
    host.run("old", file=OLD)
    host.run("new", file=NEW, supersedes=("old",))
    stalls(host, "disable new", "new")
    result = host.run("new", state)
    assert (result["reason"], result["changed"], result["not_restored"]) == ("transition_stalled", False, [])
    assert (host.stack, host.kernel.snapshot().in_transition, forces(host)) == (["new"], None, [])
    assert result["msg"].endswith("The host is as it was before.")
    assert [task["pid"] for task in result["stalling_tasks"]] == [42]
    assert "transition_stalled" not in [finding["reason"] for finding in result["findings"]]
    host.kernel.stall.clear()
    assert "failed" not in host.run("new", state)
    assert host.stack == (["old"] if state == State.REVERTED else [])


@pytest.mark.parametrize("state", [State.ABSENT, State.REVERTED, State.DISABLED])
def test_what_is_to_go_and_can_neither_go_nor_stay_is_told(tmp_path: pathlib.Path, state: State) -> None:
    host = ModelHost(tmp_path)
    host.run("new", file=NEW)
    stalls(host, "disable new", "new")
    host.kernel.stall_back.add("new")
    result = host.run("new", state)
    assert (result["state"], host.stack, forces(host)) == ("in transition", ["new"], [])
    assert "new is enabled and in transition and should be enabled" in result["not_restored"][0]
    assert told(result)["remedy"] == f"{END} run the task again."


def test_a_recovery_that_stalls_names_the_tasks_and_what_to_do(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)

    def die() -> None:
        raise KeyboardInterrupt

    host.run("old", file=OLD)
    host.kernel.before_call["disable old"] = die
    with pytest.raises(KeyboardInterrupt):
        host.run("new", file=NEW, supersedes=("old",))
    assert host.stack == ["old", "new"]
    stalls(host, "disable new", "new")
    result = host.run("third", file=patch_file("third", functions=(G,)), patience=patience(OnStall.FORCE))
    (line,) = [line for line in said(result) if line.startswith("An earlier run was interrupted")]
    assert HELD in line
    assert line.endswith(f"{END} look at the host.")
    assert (forces(host), host.kernel.snapshot().in_transition) == ([], None)
