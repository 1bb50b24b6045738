# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keywords of a user's play, and the settings of ansible.cfg, must not take a rollout's safety away."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import DISABLED, ENABLED, Rollout

ROOT = Path(__file__).resolve().parents[3]
FAILING_GATE = {"livepatch_rollout_gates": [{"command": ["false"]}]}
ROLE = "openeuler.livepatch.rollout"


@pytest.fixture(name="rollout")
def fixture_rollout(tmp_path: Path) -> Rollout:
    return Rollout(tmp_path)


def play_of_their_own(rollout: Rollout, *options: str, returns: int | None = 2, **keywords: t.Any) -> str:
    """What a play with the role prints."""
    own = {"hosts": "all", "gather_facts": False, **({} if "tasks" in keywords else {"roles": [ROLE]}), **keywords}
    (rollout.folder / "own.yml").write_text(json.dumps([own]), encoding="utf-8")
    return rollout.play("own.yml", rollout.write_release(), *options, returns=returns)


def patches(rollout: Rollout) -> dict[str, list[t.Any]]:
    return {name: rollout.state(name)["patches"] for name in rollout.hosts}


def marks(rollout: Rollout) -> list[str]:
    return [path.name for path in (rollout.folder / "run").iterdir()]


@pytest.mark.parametrize(
    ("variables", "then"),
    [
        (FAILING_GATE, {}),
        ({}, {"trouble_then": ["a warning"]}),
        ({}, {"fails_then": {"failed": True, "msg": "It failed."}}),
    ],
    ids=["gate", "trouble", "module"],
)
def test_any_errors_fatal_keeps_nobody_from_being_rolled_back(
    rollout: Rollout, variables: dict[str, t.Any], then: dict[str, t.Any]
) -> None:
    rollout.host("bad", variables=variables, **then)
    rollout.host("well")
    output = play_of_their_own(rollout, any_errors_fatal=True)
    assert patches(rollout) == {"bad": [], "well": []} and marks(rollout) == []
    assert "The rollout of Fix 1 has stopped" in output


def test_any_errors_fatal_as_a_setting_keeps_nobody_from_being_rolled_back(rollout: Rollout) -> None:
    rollout.host("bad", variables=FAILING_GATE)
    rollout.host("well")
    variables = {"livepatch_waves": "100%", **rollout.write_release()}
    rollout.play("rollout", variables, returns=2, ANSIBLE_ANY_ERRORS_FATAL="1")
    assert patches(rollout) == {"bad": [], "well": []} and marks(rollout) == []


def test_any_errors_fatal_still_ends_the_play_after_a_host_without_the_patch(rollout: Rollout) -> None:
    """What follows the role in the play is not done then."""
    rollout.host("bad", refuses="It refuses.")
    rollout.host("well")
    after = [{"ansible.builtin.debug": {"msg": "Afterwards on {{ inventory_hostname }}"}}]
    more: dict[str, t.Any] = {"post_tasks": after, "vars": {"livepatch_rollout_max_fail_percentage": 50}}
    assert "Afterwards on well" in play_of_their_own(rollout, **more)
    assert "Afterwards" not in play_of_their_own(rollout, any_errors_fatal=True, **more)


IGNORING = {
    "play": {"roles": [ROLE], "ignore_errors": True},
    "role": {"roles": [{"role": ROLE, "ignore_errors": True}]},
    "import": {"tasks": [{"ansible.builtin.import_role": {"name": ROLE}, "ignore_errors": True}]},
    "include": {"tasks": [{"ansible.builtin.include_role": {"name": ROLE}, "ignore_errors": True}]},
}


@pytest.mark.parametrize("keywords", IGNORING.values(), ids=list(IGNORING))
def test_ignore_errors_lets_no_failed_gate_pass(rollout: Rollout, keywords: dict[str, t.Any]) -> None:
    """Nor the stop: no wave follows."""
    rollout.host("bad", variables=FAILING_GATE)
    rollout.host("next")
    play_of_their_own(rollout, serial=1, **keywords)
    assert patches(rollout) == {"bad": [], "next": []} and marks(rollout) == []


@pytest.mark.parametrize("keywords", IGNORING.values(), ids=list(IGNORING))
def test_ignore_errors_lets_no_other_file_pass(rollout: Rollout, keywords: dict[str, t.Any]) -> None:
    rollout.host("one")
    (rollout.folder / "fix_1.ko").write_bytes(b"something else")
    assert "its digest differs." in play_of_their_own(rollout, **keywords)
    assert patches(rollout) == {"one": []}


@pytest.mark.parametrize("is_check_mode", [True, False])
def test_check_mode_as_a_keyword_is_refused_where_the_command_says_otherwise(
    rollout: Rollout, is_check_mode: bool
) -> None:
    """The hosts would get the patch and not be tested, or be tested for a patch that they have not got."""
    rollout.host("one")
    options = [] if is_check_mode else ["--check"]
    output = play_of_their_own(rollout, *options, check_mode=is_check_mode)
    assert "A keyword check_mode of the play" in output
    assert patches(rollout) == {"one": []} and rollout.tasks("one") == []


def test_check_mode_as_a_keyword_that_agrees_with_the_command_is_none(rollout: Rollout) -> None:
    rollout.host("one")
    assert "one: would be enabled" in play_of_their_own(rollout, "--check", returns=0, check_mode=True)
    assert "one: enabled" in play_of_their_own(rollout, returns=0, check_mode=False)


def test_a_rollback_in_waves_stops_where_the_strategy_is_free(rollout: Rollout) -> None:
    """Ansible knows max_fail_percentage and waves with its own strategy only."""
    for name in ("a", "b", "c", "d"):
        rollout.host(name, patches=[ENABLED])
    (rollout.folder / "states" / "a").write_text("no facts", encoding="utf-8")
    variables = {"livepatch_waves": 2, **rollout.write_release()}
    rollout.play("rollback", variables, returns=2, ANSIBLE_STRATEGY="free")
    assert [rollout.state(name)["patches"] for name in ("c", "d")] == [[ENABLED], [ENABLED]]


def test_a_play_of_their_own_with_another_strategy_touches_no_host(rollout: Rollout) -> None:
    for name in ("a", "b"):
        rollout.host(name)
    output = play_of_their_own(rollout, returns=None, strategy="ansible.builtin.free")
    assert "give it the strategy linear" in output
    assert patches(rollout) == {"a": [], "b": []} and not any(map(rollout.tasks, rollout.hosts))


@pytest.mark.parametrize("playbook", sorted(path.name for path in (ROOT / "playbooks").glob("*.yml")))
def test_each_play_has_the_strategy_linear(playbook: str) -> None:
    plays = yaml.safe_load((ROOT / "playbooks" / playbook).read_text(encoding="utf-8"))
    assert {play.get("strategy") for play in plays} == {"ansible.builtin.linear"}


@pytest.mark.parametrize(
    "entry",
    ["boot/main", "build/main", "report/main", "rollout/main", "rollout/survey", "rollout/end"],
)
def test_no_role_inherits_ignore_errors(entry: str) -> None:
    role, tasks = entry.split("/")
    (whole,) = yaml.safe_load((ROOT / "roles" / role / "tasks" / f"{tasks}.yml").read_text(encoding="utf-8"))
    assert whole["ignore_errors"] is False


def test_a_host_whose_name_looks_like_a_number_is_told_by_its_name(rollout: Rollout) -> None:
    """Before ansible-core 2.19, jinja2_native makes a number of it; 1e3 is none of the hosts then."""
    for name in ("10", "1e3", "None"):
        rollout.host(name)
    rollout.host("disabled", patches=[DISABLED])
    variables = {"livepatch_waves": "100%", **rollout.write_release()}
    output = rollout.play("rollout", variables, ANSIBLE_JINJA2_NATIVE="1")
    for name in ("10", "1e3", "None", "disabled"):
        assert f'"{name}: enabled"' in output
    assert "4 patched" in output
    output = rollout.play("kernels", {}, ANSIBLE_JINJA2_NATIVE="1")
    assert "4 hosts" in output and "1e3" in output
