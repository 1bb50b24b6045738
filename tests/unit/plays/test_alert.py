# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook alert rolls out to the host that the alert names, and to nobody else, whatever the name is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.tests.unit.plays.hostile_host import Fleet, harm, liars
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import Rollout
from ansible_collections.openeuler.livepatch.tests.unit.plays.test_hostile_hosts import RELEASE

NAMES = ("web1", "web2", "db")


@pytest.fixture(name="rollout")
def fixture_rollout(tmp_path: Path) -> Rollout:
    rollout = Rollout(tmp_path)
    for name in NAMES:
        rollout.host(name)
    return rollout


def test_the_host_gets_the_release_and_nobody_else(rollout: Rollout) -> None:
    # What a survey gives for other playbooks is no reason to reach others.
    given = {"livepatch_alert_host": "web1", "livepatch_hosts": "all", **rollout.write_release()}
    rollout.play("alert", given)
    assert [len(rollout.state(name)["patches"]) for name in NAMES] == [1, 0, 0]
    assert [bool(rollout.tasks(name)) for name in NAMES] == [True, False, False]
    report = json.loads((rollout.folder / "livepatch-report/livepatch.json").read_text(encoding="utf-8"))
    assert [(host["name"], host["patches"]) for host in report["hosts"]] == [("web1", [])]


@pytest.mark.parametrize(
    "name",
    ["all", "ungrouped", "web*", "web1,web2", "@states/web1", "~web", "localhost", "web1:web2", "--extra", "web1\n"],
)
def test_a_name_that_no_host_has_reaches_nobody(rollout: Rollout, name: str) -> None:
    output = rollout.play("alert", {"livepatch_alert_host": name, **rollout.write_release()}, returns=None)
    assert "livepatch_alert_host does not name a host of the inventory, and nothing else." in output
    assert [rollout.tasks(host) for host in NAMES] == [[], [], []]


def test_without_a_name_it_does_nothing(rollout: Rollout) -> None:
    assert "no hosts matched" in rollout.play("alert", rollout.write_release())
    assert [rollout.tasks(host) for host in NAMES] == [[], [], []]


@pytest.mark.parametrize("name", ["a-facts", "texts-0"])
def test_no_answer_of_the_host_does_harm(tmp_path: Path, name: str) -> None:
    fleet = Fleet(tmp_path)
    (tmp_path / "work/release.yml").write_text(yaml.safe_dump({"livepatch_release": RELEASE}), encoding="utf-8")
    fleet.host(name, liars(tmp_path)[name])
    output = fleet.play("alert", {"livepatch_alert_host": name, "livepatch_release_file": "release.yml"})
    assert harm(fleet, output) == []
    assert fleet.asked(name)
