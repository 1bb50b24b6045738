# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The coverage over time as a drawing: which share of the hosts was protected, not, or unknown in each report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import Point

WIDTH, HEIGHT = 1000, 160


@dataclass(frozen=True)
class Coverage:
    """`areas` are a tone and the corners of its area, in the units of the drawing. `rows` are the reports as text."""

    areas: tuple[tuple[str, str], ...]
    first: str
    last: str
    text: str
    rows: tuple[tuple[str, int, int, int], ...]


def coverage_of(history: Sequence[Point]) -> Coverage | None:
    """The drawing; None if fewer than two reports have compared hosts with releases."""
    points = [point for point in history if point.protected is not None and point.hosts]
    if len(points) < 2:
        return None
    start, length = points[0].at, (points[-1].at - points[0].at).total_seconds()
    across = [(point.at - start).total_seconds() * WIDTH / length for point in points]
    # From the bottom: protected hosts, then those that are unknown, then the others up to all.
    heights = [
        [0.0] * len(points),
        [_share(point.protected or 0, point) for point in points],
        [_share((point.protected or 0) + point.unknown, point) for point in points],
        [1.0] * len(points),
    ]
    tones = (words.GOOD, words.UNKNOWN, words.BAD)
    return Coverage(
        areas=tuple(
            (tone, _corners(across, below, above))
            for tone, below, above in zip(tones, heights[:-1], heights[1:], strict=True)
        ),
        first=_day(points[0]),
        last=_day(points[-1]),
        text=f"Protected hosts: {_share_on(points[0])}, {_share_on(points[-1])}.",
        rows=tuple(
            (point.at.strftime("%Y-%m-%d %H:%M"), point.protected or 0, point.unprotected or 0, point.unknown)
            for point in reversed(points)
        ),
    )


def _share(hosts: int, point: Point) -> float:
    return min(1.0, hosts / point.hosts)


def _corners(across: Sequence[float], below: Sequence[float], above: Sequence[float]) -> str:
    there = zip(across, above, strict=True)
    back = reversed(list(zip(across, below, strict=True)))
    return " ".join(f"{x:.1f},{HEIGHT * (1 - share):.1f}" for x, share in (*there, *back))


def _share_on(point: Point) -> str:
    """Rounded down: only all hosts are 100 %."""
    return f"{(point.protected or 0) * 100 // point.hosts} % on {_day(point)}"


def _day(point: Point) -> str:
    return point.at.strftime("%Y-%m-%d")
