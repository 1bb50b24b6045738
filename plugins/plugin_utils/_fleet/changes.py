# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Compares the report with earlier ones. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import (
    Changes,
    Earlier,
    Point,
    over_time,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, Host


def with_earlier(fleet: Fleet, earlier: Earlier | None, points: Iterable[Point] | None) -> Fleet:
    """The report with what has changed since an earlier one, and with its coverage over time, where that was asked."""
    return replace(
        fleet,
        changes=changes_since(earlier, fleet.hosts) if earlier else None,
        history=over_time(points, point_of(fleet)) if points is not None else (),
    )


def changes_since(earlier: Earlier, hosts: Iterable[Host]) -> Changes:
    """What is other now."""
    here = {host.name: host for host in hosts}
    gained, lost = [], []
    for host in here.values():
        for standing in host.standings:
            pair = (host.name, standing.fix)
            before = earlier.was_protected(*pair)
            if before is False and standing.is_protected:
                gained.append(pair)
            if before and not standing.is_protected and host.is_known:
                lost.append(pair)
    return Changes(
        since=earlier.at,
        gained=tuple(sorted(gained)),
        lost=tuple(sorted(lost)),
        new_hosts=tuple(sorted(here.keys() - earlier.hosts.keys())),
        gone_hosts=tuple(sorted(earlier.hosts.keys() - here.keys())),
        unknown_now=tuple(sorted(name for name in earlier.known.intersection(here) if not here[name].is_known)),
    )


def point_of(fleet: Fleet) -> Point:
    """The counts of this report."""
    tally = fleet.tally()
    return Point(fleet.now, tally.hosts, tally.protected, tally.unprotected, tally.unknown)
