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


def as_csv(fleet: Fleet) -> str:
    """The rows as text. An apostrophe precedes each cell that a spreadsheet would take for a formula."""
    cves = {release.id: " ".join(release.cves) for release in fleet.releases}
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow([*COLUMNS, *(f"variable_{name}" for name in fleet.variables)])
    for host in fleet.hosts:
        for standing in host.standings or (None,):
            labels = (" ".join(host.labels.groups), *map(host.labels.variables.get, fleet.variables))
            cells = (*_host(host), *_fix(standing, cves), *labels)
            writer.writerow([_harmless("" if cell is None else cell) for cell in cells])
    return output.getvalue()


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
