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
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.steps import STEPS

rollout = FilterModule().filters()["livepatch_rollout"]
FILE = {"kernel_release": "6.6", "machine": "x86_64", "path": "6.6/a.ko", "sha256": "00"}
RELEASE = {"format": 1, "fix": {"id": "Fix 1"}, "name": "fix_1", "files": [FILE]}
FACTS = {"release": "6.6", "machine": "x86_64", "patches": [], "trouble": ["a warning"]}
READ = {"ansible_facts": {"ansible_livepatch": FACTS}}
PATCH = {"name": "fix_1", "enabled": True, "effective": "full", "identity": {"sha256": "00"}}


@pytest.fixture(name="host")
def fixture_host() -> dict[str, t.Any]:
    return rollout(READ, "choose", "h", RELEASE, is_file_required=False)


def test_the_documentation_names_every_step() -> None:
    sidecar = Path(livepatch_rollout.__file__).with_suffix(".yml")
    options = yaml.safe_load(sidecar.read_text(encoding="utf-8"))["DOCUMENTATION"]["options"]
    assert options["step"]["choices"] == list(STEPS)


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
    concluded = rollout([settled], "conclude", RELEASE, rollout([settled], "judge", 0), **END)
    assert concluded["lines"][0] == "h: enabled"
    assert concluded["summary"]["totals"]["patched"] == 1
    assert rollout(settled, "end", concluded["shortfalls"]["h"])["shortfall"] == ""


END: dict[str, t.Any] = {
    "limit": "49.5",
    "on_empty_wave": "stop",
    "names": ["h", "x"],
    "known": [{}, {}],
    "surveys": [{}, {"name": "x", "is_needless": True}],
    "gone": [],
    "is_check_mode": False,
    "release_file": "",
}


def test_a_wave_that_stops(host: dict[str, t.Any]) -> None:
    failed = rollout(host, "fail", "Check the gate url", {"failed": True, "msg": "It is 503."}, {}, "fix_1")
    wave = rollout([host, failed], "judge", "49.5")
    assert wave == {"size": 2, "must_stop": True, "failed": ["h"], "to_roll_back": []}
    concluded = rollout([failed], "conclude", RELEASE, wave, **END)
    assert concluded["lines"][0].startswith("The rollout of Fix 1 has stopped: 1 of the 2 hosts of this wave did not")
    assert concluded["lines"][1:3] == ["h: has_file. Check the gate url: It is 503.", "Not begun: x"]
    assert rollout(failed, "end", concluded["shortfalls"]["h"])["shortfall"] == "Check the gate url: It is 503."


def test_an_earlier_rollout_of_another_fix_counts_for_nothing(host: dict[str, t.Any]) -> None:
    of_other = {**host, "name": "x", "fix": "Fix 0", "status": "enabled"}
    wave = rollout([host], "judge", 0)
    of_same = {**of_other, "fix": "Fix 1"}
    for known, patched in ((of_other, 0), (of_same, 1)):
        concluded = rollout([host], "conclude", RELEASE, wave, **{**END, "known": [host, known]})
        assert concluded["summary"]["totals"]["patched"] == patched


def test_who_comes_first() -> None:
    needless = rollout({"ansible_facts": {"ansible_livepatch": {**FACTS, "release": "6.5"}}}, "survey", "a", RELEASE)
    surveys = [needless, rollout(READ, "survey", "b", RELEASE), rollout({"failed": True}, "survey", "c", RELEASE), {}]
    assert rollout(["a", "b", "c", "d"], "canaries", ["a", "b"], surveys) == ["b"]
    assert rollout(["a", "b", "c", "d"], "others", ["a", "b"], surveys) == ["c", "a"]


FORGED: list[t.Any] = [
    7,
    "{{ 1 }}",
    [],
    {"name": "x"},
    {"name": "x", "fix": "Fix 1"},
    {"name": "x", "fix": "Fix 1", "status": 7},
    {"name": 7, "is_needless": "yes"},
]


@pytest.mark.parametrize("forged", FORGED)
def test_a_host_whose_wave_has_not_begun_may_tell_nonsense(host: dict[str, t.Any], forged: t.Any) -> None:
    """Its facts are variables, with the names that it chooses."""
    settled = rollout({**host, "is_on_trial": True}, "settle", {"skipped": True}, is_check_mode=False)
    given = {**END, "known": [{}, forged], "surveys": [{}, forged]}
    concluded = rollout([settled], "conclude", RELEASE, rollout([settled], "judge", 0), **given)
    assert concluded["summary"]["totals"]["not_begun"] == 1
    surveyed = {"name": "h", "is_needless": False}
    assert "h" in rollout(["h", "x"], "others", [], [surveyed, forged])


def test_a_host_does_not_pose_as_another(host: dict[str, t.Any]) -> None:
    settled = rollout({**host, "is_on_trial": True}, "settle", {"skipped": True}, is_check_mode=False)
    given = {**END, "names": ["h", "x", "y"], "known": [{}, {}, {**settled, "name": "x"}]}
    totals = rollout([settled], "conclude", RELEASE, rollout([settled], "judge", 0), **given)["summary"]["totals"]
    assert (totals["patched"], totals["not_begun"]) == (1, 2)


@pytest.mark.parametrize(
    "prediction", [{"findings": 7}, {"findings": [7, {"reason": []}]}, {"findings": {"a": 1}, "actions": {}}]
)
def test_findings_may_be_nonsense(host: dict[str, t.Any], prediction: dict[str, t.Any]) -> None:
    checked = rollout(host, "check", marked={"stat": 7}, mark_read={"content": 7}, prediction=prediction)
    assert checked["is_due"] is False


@pytest.mark.parametrize("nonsense", [{}, {"findings": 7, "actions": 7}, {"findings": ["x"], "actions": "x"}, 7, None])
def test_what_was_found_may_be_nonsense(nonsense: t.Any) -> None:
    assert rollout(nonsense, "found") == {"findings": [], "actions": []}


def test_what_was_found_is_displayed_as_text() -> None:
    finding = {"severity": "refuse", "reason": "x\u202e", "cause": "\x1b[2Ja\nb", "remedy": 7, "more": "\x1b"}
    (shown,) = rollout({"findings": [finding]}, "found")["findings"]
    assert shown == {"severity": "refuse", "reason": "x\ufffd", "cause": "\ufffd[2Ja b", "remedy": "7"}
    assert rollout({"actions": ["load\u200f", 7]}, "found")["actions"] == ["load\ufffd", "7"]


def test_a_message_of_a_host_is_one_line_of_what_can_be_printed(host: dict[str, t.Any]) -> None:
    applied = rollout(host, "apply", {"failed": True, "msg": "\x1b[2Ja\nb\u202e" + "c" * 10_000})
    assert applied["problem"].startswith("\ufffd[2Ja b\ufffdc")
    assert len(applied["problem"]) == 4000
