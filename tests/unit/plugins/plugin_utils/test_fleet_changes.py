# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has changed since an earlier report, and the coverage over time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_json import as_history, as_json
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.changes import point_of, with_earlier
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.coverage import HEIGHT, coverage_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import (
    MOST_POINTS,
    Changes,
    Point,
    over_time,
    read_earlier,
    read_point,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, Fleet, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import read_releases
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic

KERNEL = synthetic.KERNELS[0]
PATCHED = Answer(synthetic.host_facts(KERNEL, [synthetic.patch("CVE-2026-0001", KERNEL)], []))
BARE = Answer(synthetic.host_facts(KERNEL, [], []))
SILENT = Answer()
LATER = synthetic.NOW + timedelta(days=1)


def fleet(releases: tuple[int, ...] = (0,), **answers: Answer) -> Fleet:
    found = read_releases([(f"release {place}", synthetic.release(place)) for place in releases])
    return fleet_of(answers, found, synthetic.NOW)


def changes(before: Fleet, after: Fleet) -> Changes:
    found = with_earlier(after, read_earlier(as_json(before), "before"), None).changes
    assert found
    return found


def test_a_report_has_no_changes_since_itself() -> None:
    for here in (synthetic.fleet(200), synthetic.fleet(50, with_releases=False), synthetic.fleet(0)):
        assert changes(here, here) == Changes(synthetic.NOW, (), (), (), (), ())


def test_what_is_gained_and_lost() -> None:
    before = fleet(a=PATCHED, b=BARE, c=PATCHED, d=SILENT, e=BARE, gone=BARE, f=PATCHED)
    after = fleet(a=BARE, b=PATCHED, c=SILENT, d=PATCHED, e=BARE, new=PATCHED, f=PATCHED)
    fix = "CVE-2026-0001"
    assert changes(before, after) == Changes(
        since=synthetic.NOW,
        gained=(("b", fix), ("d", fix)),
        lost=(("a", fix),),
        new_hosts=("new",),
        gone_hosts=("gone",),
        unknown_now=("c",),
    )


def test_only_a_fix_of_both_reports_is_compared() -> None:
    assert changes(fleet(a=PATCHED), fleet((0, 1), a=BARE)).lost == (("a", "CVE-2026-0001"),)
    assert changes(fleet((0, 1), a=PATCHED), fleet((1,), a=BARE)).lost == ()
    assert changes(fleet((1,), a=BARE), fleet((0, 1), a=PATCHED)).gained == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "summary": {"generated_at": "soon"}}',
        '{"format": 1, "summary": {"generated_at": "2026-11-25T08:00:00Z"}, "hosts": [{"name": 1}]}',
        '{"format": 1, "summary": {"generated_at": "9999-12-31T23:59:59-12:00"}}',
    ],
)
def test_what_is_no_report_is_an_error(text: str) -> None:
    with pytest.raises(DataError):
        read_earlier(text, "before")
    with pytest.raises(DataError):
        read_point(text, "before")


def test_a_report_and_what_is_kept_of_it_have_the_same_counts() -> None:
    for here in (synthetic.fleet(50), synthetic.fleet(50, with_releases=False)):
        assert read_point(as_json(here), "") == read_point(as_history(here), "") == point_of(here)
        with pytest.raises(DataError):
            read_point(json.dumps({**json.loads(as_history(here)), "format": True}), "")


def test_the_newest_points_count_once_each_and_none_is_of_the_future() -> None:
    now = Point(LATER, 10, 5, 5, 0)
    many = [Point(LATER - timedelta(hours=at), 10, 4, 6, 0) for at in range(MOST_POINTS + 10)]
    future = Point(LATER + timedelta(days=1), 10, 10, 0, 0)
    found = over_time([*many, *many, future], now)
    assert len(found) == MOST_POINTS
    assert found[-1] == now
    assert [point.at for point in found] == sorted({point.at for point in found})


def test_the_drawing_has_the_shares() -> None:
    first = Point(synthetic.NOW, 10, 0, 8, 2)
    last = Point(LATER, 10, 10, 0, 0)
    drawn = coverage_of([first, replace(first, at=synthetic.NOW + timedelta(hours=6), protected=None), last])
    assert drawn
    assert drawn.text == "Protected hosts: 0 % on 2026-11-25, 100 % on 2026-11-26."
    assert dict(drawn.areas) == {
        "good": f"0.0,{HEIGHT}.0 1000.0,0.0 1000.0,{HEIGHT}.0 0.0,{HEIGHT}.0",
        "unknown": f"0.0,{HEIGHT * 0.8:.1f} 1000.0,0.0 1000.0,0.0 0.0,{HEIGHT}.0",
        "bad": f"0.0,0.0 1000.0,0.0 1000.0,0.0 0.0,{HEIGHT * 0.8:.1f}",
    }
    assert drawn.rows == (("2026-11-26 08:00", 10, 0, 0), ("2026-11-25 08:00", 0, 8, 2))


@pytest.mark.parametrize(
    "points", [[], [Point(LATER, 1, 1, 0, 0)], [Point(LATER, 0, 0, 0, 0)] * 2, [Point(LATER, 1, None, None, 1)] * 2]
)
def test_there_is_no_drawing_of_less_than_two_reports(points: list[Point]) -> None:
    assert coverage_of(points) is None
