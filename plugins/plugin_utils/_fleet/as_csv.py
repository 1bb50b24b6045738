# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The report as CSV: one row for each host and fix, or for each host if there are no releases."""

from __future__ import annotations

import csv
import io
import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, Host
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import time_text
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.standings import Standing

COLUMNS = (
    "host",
    "headline",
    "statuses",
    "why",
    "kernel",
    "machine",
    "abi",
    "read_at",
    "age_seconds",
    "enabled_patches",
    "fix",
    "cves",
    "fix_headline",
    "fix_statuses",
    "fix_protected",
    "fix_why",
    "groups",
)
_STARTS_A_FORMULA = "[=+@\uff1d\uff0b\uff0d\uff20-]"
"""The last four before the minus are the wide ones of Chinese and Japanese keyboards."""

_FORMULA = re.compile(rf"(^|[;|\t\r\n])([\s\"]*)(?={_STARTS_A_FORMULA})")
"""Where one begins: in many countries a spreadsheet takes the semicolon, or else the tab, for the end of a cell."""


MOST_ROWS = 1_048_575
"""As many as a spreadsheet can hold, beside the heading."""


def as_csv(fleet: Fleet) -> bytes:
    """The rows, in UTF-8. An apostrophe precedes each cell that a spreadsheet would take for a formula.

    If they are too many for a spreadsheet, those of fixes that protect their host are left out, and then the last ones.
    """
    content = io.BytesIO()
    # A text of so many rows takes several times as much memory.
    output = io.TextIOWrapper(content, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(output)
    writer.writerow([*COLUMNS, *(f"variable_{name}" for name in fleet.variables)])
    cves = {release.id: " ".join(release.cves) for release in fleet.releases}
    cells_of: dict[int, list[str]] = {}
    for host, standings in _rows(fleet):
        host_cells = list(map(_harmless, _host(host)))
        labels = (" ".join(host.labels.groups), *map(host.labels.variables.get, fleet.variables))
        label_cells = [_harmless("" if cell is None else cell) for cell in labels]
        for standing in standings:
            # Many hosts have the same.
            if id(standing) not in cells_of:
                cells_of[id(standing)] = list(map(_harmless, _fix(standing, cves)))
            writer.writerow([*host_cells, *cells_of[id(standing)], *label_cells])
    output.flush()
    return content.getvalue()


def is_too_long(fleet: Fleet) -> bool:
    """Whether rows are left out."""
    return len(fleet.hosts) * max(1, len(fleet.releases)) > MOST_ROWS


def _rows(fleet: Fleet) -> t.Iterator[tuple[Host, t.Sequence[Standing | None]]]:
    """The hosts, each with the standings that have a row."""
    if not is_too_long(fleet):
        yield from ((host, host.standings or (None,)) for host in fleet.hosts)
        return
    left = MOST_ROWS
    for host in fleet.hosts:
        standings = [standing for standing in host.standings if not standing.is_protected][:left]
        left -= len(standings)
        yield host, standings


def _host(host: Host) -> tuple[t.Any, ...]:
    facts = host.facts
    return (
        host.name,
        host.headline,
        " ".join(host.statuses),
        host.why,
        facts.release if facts else "",
        facts.machine if facts else "",
        (facts.abi if facts else "") or "",
        time_text(facts.read_at) if facts and facts.read_at else "",
        "" if host.age is None else host.age,
        " ".join(patch.name for patch in facts.patches if patch.enabled) if facts else "",
    )


def _fix(standing: Standing | None, cves: dict[str, str]) -> tuple[str, ...]:
    if standing is None:
        return ("",) * 6
    return (
        standing.fix,
        cves[standing.fix],
        standing.headline,
        " ".join(standing.statuses),
        str(standing.is_protected).lower(),
        standing.why,
    )


def _harmless(cell: t.Any) -> str:
    return _FORMULA.sub(r"\1'\2", str(cell))
