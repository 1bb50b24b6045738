# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not count as protected although its patch is enabled and live: force, trouble since, and old facts."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_json import as_json
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, Fleet, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, time_text
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import read_releases
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.test_fleet import (
    KERNEL,
    facts,
    host_of,
    patch,
    release,
)

CANNOT_TELL = "Whether its kernel has had trouble since lp was proven cannot be told."


@pytest.mark.parametrize(
    ("more", "expected", "why"),
    [
        ({"forced": False, "trouble_since": []}, ["protected"], "lp is enabled"),
        ({"forced": None}, ["protected"], "lp is enabled"),
        ({"forced": True}, ["forced"], "lp was enabled by force: tasks may run old and new code together. Reboot"),
        ({"trouble_since": ["an oops"]}, ["trouble_since"], "Its kernel has had an oops since lp was proven. Look"),
        ({"trouble_since": None}, ["trouble_since"], CANNOT_TELL),
        ({"trouble_since": ["an oops"], "forced": True}, ["trouble_since", "forced"], "Its kernel has had an oops"),
        ({"forced": True, "effective": "none"}, ["not_effective", "forced"], "lp is enabled, but all"),
        ({"forced": True, "enabled": False, "boot": "trial"}, ["not_applied"], "lp is loaded but not enabled."),
        ({"trouble_since": None, "enabled": False, "boot": "trial"}, ["not_applied"], "lp is loaded but not enabled."),
    ],
)
def test_an_enabled_patch_with_a_caution(more: dict[str, t.Any], expected: list[str], why: str) -> None:
    host = host_of(facts(patch(**more)), release())
    assert [status for status in host.statuses if status != "accepted"] == expected
    assert (host.headline, host.is_protected) == (expected[0], expected == ["protected"])
    assert host.why.startswith(f"fix-1: {why}")


@pytest.mark.parametrize(
    ("more", "expected"), [({"forced": True}, "forced"), ({"trouble_since": None}, "trouble_since")]
)
def test_a_caution_about_a_patch_of_no_release(more: dict[str, t.Any], expected: str) -> None:
    data = facts(patch(), patch("other", **more))
    assert host_of(data).headline == expected
    host = host_of(data, release())
    assert (host.headline, host.is_protected, expected in host.statuses) == ("protected", True, True)


def test_a_kernel_with_the_fix_protects_all_the_same() -> None:
    host = host_of(facts(patch(forced=True)), release(fixed_in=[KERNEL]))
    assert (host.headline, host.is_protected) == ("forced", True)


def test_a_patch_with_a_caution_supersedes_nothing() -> None:
    old, new = release("old", "old"), release("new", supersedes=["old"])
    assert host_of(facts(patch()), old, new).is_protected
    host = host_of(facts(patch(forced=True)), old, new)
    assert (host.headline, host.is_protected) == ("not_applied", False)


def test_the_report_has_both() -> None:
    data = facts(patch(forced=True, trouble_since=["an oops"]), patch("b", trouble_since=None))
    (host,) = json.loads(as_json(fleet_of({"h": Answer(data)}, (), synthetic.NOW)))["hosts"]
    assert [(entry["forced"], entry["trouble_since"]) for entry in host["patches"]] == [
        (True, ["an oops"]),
        (None, None),
    ]


@pytest.mark.parametrize("more", [{"forced": "yes"}, {"trouble_since": "an oops"}, {"trouble_since": [1]}])
def test_a_caution_of_another_type_is_not_valid(more: dict[str, t.Any]) -> None:
    with pytest.raises(DataError):
        read_facts(facts(patch(**more)))


# ---- the age of the facts ----

DAY = 86400


def aged(
    seconds: float | None, problem: str | None = None, max_age: float | None = DAY, is_fresh: bool = False
) -> Fleet:
    data = facts(patch())
    if seconds is None:
        del data["read_at"]
    else:
        data["read_at"] = time_text(synthetic.NOW - timedelta(seconds=seconds))
    answers = {"h": Answer(data, problem, is_fresh=is_fresh)}
    return fleet_of(answers, read_releases([("here", release())]), synthetic.NOW, max_age)


@pytest.mark.parametrize(
    ("seconds", "max_age", "why"),
    [
        (0, DAY, None),
        (DAY, DAY, None),
        (DAY + 1, DAY, "Its facts are 24 hours old, and count for 24 hours (max_age)."),
        (10 * DAY, DAY, "Its facts are 10 days old, and count for 24 hours (max_age)."),
        (200, 90, "Its facts are 3 minutes old, and count for 90 seconds (max_age)."),
        (10 * DAY, None, None),
        (None, DAY, "How old its facts are is not known."),
        (None, None, None),
        (-300, DAY, None),
        (-301, DAY, "How old its facts are is not known: by its clock they are of 301 seconds after the report."),
    ],
)
def test_facts_that_are_too_old_do_not_count(seconds: float | None, max_age: float | None, why: str | None) -> None:
    fleet = aged(seconds, max_age=max_age)
    (host,), tally = fleet.hosts, fleet.tally()
    if why is None:
        assert (host.headline, tally.protected, tally.unknown) == ("protected", 1, 0)
        return
    assert (host.headline, host.why, host.is_protected) == ("unreachable", why, False)
    assert (tally.protected, tally.unprotected, tally.unknown) == (0, 0, 1)
    (standing,) = host.standings
    assert standing.why.startswith("Last known: lp is enabled")


def test_facts_that_were_just_read_count_whatever_the_clock_says() -> None:
    for seconds in (10 * DAY, -10 * DAY, None):
        assert aged(seconds, is_fresh=True).tally().protected == 1


def test_why_a_host_cannot_be_read_is_told_before_the_age_of_what_is_cached() -> None:
    (host,) = aged(10 * DAY, problem="No route to host.").hosts
    assert (host.headline, host.why) == ("unreachable", "No route to host.")
