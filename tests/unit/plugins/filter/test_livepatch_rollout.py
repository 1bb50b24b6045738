# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter livepatch_rollout: registered results in, plain data out. The tables are in plugin_utils/test_rollout."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.filter import livepatch_rollout
from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_rollout import FilterModule

rollout = FilterModule().filters()["livepatch_rollout"]
FILE = {"kernel_release": "6.6", "machine": "x86_64", "path": "6.6/a.ko", "sha256": "00"}
RELEASE = {"format": 1, "fix": {"id": "Fix 1"}, "name": "fix_1", "files": [FILE]}
FACTS = {"release": "6.6", "machine": "x86_64", "patches": [], "trouble": ["a warning"]}
READ = {"ansible_facts": {"ansible_livepatch": FACTS}}
PATCH = {"name": "fix_1", "enabled": True, "effective": "full"}


@pytest.fixture(name="host")
def fixture_host() -> dict[str, t.Any]:
    return rollout(READ, "choose", "h", RELEASE, is_file_required=False)


def test_the_documentation_names_every_step() -> None:
    sidecar = Path(livepatch_rollout.__file__).with_suffix(".yml")
    options = yaml.safe_load(sidecar.read_text(encoding="utf-8"))["DOCUMENTATION"]["options"]
    assert options["step"]["choices"] == list(livepatch_rollout.STEPS)


def test_a_host_from_its_facts_to_its_end(host: dict[str, t.Any]) -> None:
    assert (host["status"], host["file"], host["baseline"]["trouble"]) == ("has_file", "6.6/a.ko", ["a warning"])
    checked = rollout(host, "check", marked={}, mark_read={"skipped": True}, prediction={"actions": ["enable"]})
    assert checked["is_to_be_marked"] is True
    marked = rollout(checked, "mark", {"changed": True})
    assert marked["is_to_be_applied"] is True
    applied = rollout(marked, "apply", {"changed": True})
    again = {"ansible_facts": {"ansible_livepatch": {**FACTS, "patches": [PATCH]}}}
    assert rollout(applied, "effect", again, "fix_1") == ""
    assert rollout([applied], "judge", 0)["to_roll_back"] == []
    settled = rollout(applied, "settle", {"skipped": True}, is_check_mode=False)
    assert rollout(rollout(settled, "accept", {"skipped": True}), "accept", {})["is_acceptable"] is True
    assert rollout([settled], "lines") == ["h: enabled"]


def test_a_wave_that_stops(host: dict[str, t.Any]) -> None:
    failed = rollout(host, "fail", "Check the gate url", {"failed": True, "msg": "It is 503."})
    wave = rollout([host, failed], "judge", "49.5")
    assert wave == {"size": 2, "must_stop": True, "failed": ["h"], "to_roll_back": []}
    message = rollout([host, failed], "stop_message", RELEASE, wave, "49.5", not_begun=["x"])
    assert message.startswith("The rollout of Fix 1 has stopped: 1 of the 2 hosts of this wave did not pass")
    assert "h: has_file. Check the gate url: It is 503." in message
    assert message.endswith("Not begun: x")
