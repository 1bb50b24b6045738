# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads earlier reports, and holds what they tell: what has changed since one, and how many hosts were protected."""

from __future__ import annotations

import json
import typing as t
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, Reader, time_of

FORMAT = 1
MOST_POINTS = 400
"""The most reports that the coverage over time shows, the newest."""

Pair = tuple[str, str]
"""A host and a fix."""


@dataclass(frozen=True)
class Point:
    """How many hosts a report has counted. `protected` and `unprotected` are None if it compared with no release."""

    at: datetime
    hosts: int
    protected: int | None
    unprotected: int | None
    unknown: int


@dataclass(frozen=True)
class Earlier:
    """An earlier report. `known` are the hosts that were read.

    `fixes` are the places of the fixes, `protected` whether each standing protects, and `hosts` the standings of a host
    by their place there, in the order of the fixes.
    """

    at: datetime
    known: frozenset[str]
    fixes: dict[str, int]
    protected: list[bool]
    hosts: dict[str, array[int]]

    def was_protected(self, host: str, fix: str) -> bool | None:
        """Whether the fix protected the host; None if the report does not have both."""
        if host not in self.hosts or fix not in self.fixes:
            return None
        return self.protected[self.hosts[host][self.fixes[fix]]]


@dataclass(frozen=True)
class Changes:
    """What is other than in the report of `since`, each in order.

    `gained` and `lost` are pairs of a host and a fix that both reports have, and that the host is known to have gained
    or lost. `unknown_now` are hosts that were known.
    """

    since: datetime
    gained: tuple[Pair, ...]
    lost: tuple[Pair, ...]
    new_hosts: tuple[str, ...]
    gone_hosts: tuple[str, ...]
    unknown_now: tuple[str, ...]


def read_earlier(text: str, source: str) -> Earlier:
    """The report in the text of a `livepatch.json`. Raises DataError."""
    report = _report(text, source)
    fixes = {fix.text("id"): place for place, fix in enumerate(report.each("fixes"))}
    protected = [standing.flag("protected") for standing in report.each("standings")]
    hosts: dict[str, array[int]] = {}
    known = set()
    for host in report.each("hosts"):
        name, places = host.text("name"), host.numbers("fixes")
        if len(places) != len(fixes) or not all(place < len(protected) for place in places):
            raise DataError(f"{source} has a host whose fixes are not those of the report.")
        # A list of so many numbers takes ten times as much memory.
        hosts[name] = array("I", places)
        if host.text("headline") not in words.NOTHING_KNOWN:
            known.add(name)
    return Earlier(_time(report), frozenset(known), fixes, protected, hosts)


def read_point(text: str, source: str) -> Point:
    """The counts of a report, of which only the summary is read. Raises DataError."""
    report = _report(text, source)
    summary = report.inner("summary")
    hosts, unknown = summary.number("hosts"), summary.number("unknown")
    if not summary.has("protected"):
        return Point(_time(report), hosts, None, None, unknown)
    protected, unprotected = summary.number("protected"), summary.number("unprotected")
    if hosts < 0 or min(protected, unprotected, unknown) < 0 or protected + unprotected + unknown > hosts:
        raise DataError(f"{source} counts more hosts than it has.")
    return Point(_time(report), hosts, protected, unprotected, unknown)


def over_time(points: Iterable[Point], now: Point) -> tuple[Point, ...]:
    """The newest points up to this report, the oldest first, one for each time. This report counts for its own."""
    by_time = {point.at: point for point in points if point.at < now.at}
    return tuple([*(by_time[at] for at in sorted(by_time)), now][-MOST_POINTS:])


def _report(text: str, source: str) -> Reader:
    try:
        data: t.Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is not JSON.") from error
    report = Reader(data, source)
    if report.number("format") != FORMAT:
        raise DataError(f"{source} has another format than {FORMAT}, which this collection reads.")
    return report


def _time(report: Reader) -> datetime:
    summary = report.inner("summary")
    try:
        return time_of(summary.text("generated_at")).replace(microsecond=0)
    except ValueError as error:
        raise DataError("generated_at in the summary is not a time.") from error
