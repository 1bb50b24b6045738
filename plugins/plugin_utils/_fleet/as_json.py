# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The report as plain data and JSON, which docs/report.schema.json describes."""

from __future__ import annotations

import json
from dataclasses import asdict

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import Changes
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Patch
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.json_text import Plain, line, with_lists
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, Host, Tally
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.next_steps import steps_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import time_text
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.standings import Standing

FORMAT = 1


def as_json(fleet: Fleet) -> str:
    """The whole report. A host is a line, and refers to its standings by their place: many hosts have the same."""
    tallies = fleet.by_fix()
    standings = _Standings()
    hosts = [line(_host(host, fleet.variables, standings)) for host in fleet.hosts]
    data = {
        "format": FORMAT,
        "summary": summary_of(fleet),
        "fixes": [_fix(fleet, release, tallies[release.id]) for release in fleet.releases],
        "cves": [{"cve": cve, **tally_of(tally)} for cve, tally in fleet.by_cve().items()],
        "kernels": [{"kernel": kernel, **tally_of(tally)} for kernel, tally in fleet.by_kernel().items()],
        "groups": [{"group": group, **tally_of(tally)} for group, tally in fleet.by_group().items()],
        "next_steps": _next_steps(None),
        "changes": _changes(fleet.changes) if fleet.changes else None,
        "history": [
            {
                "generated_at": time_text(point.at),
                **{key: getattr(point, key) for key in ("hosts", "protected", "unprotected", "unknown")},
            }
            for point in fleet.history
        ],
    }
    return with_lists(data, {"standings": standings.lines, "hosts": hosts})


def as_history(fleet: Fleet) -> str:
    """What is kept of the report for later ones: its counts."""
    return json.dumps({"format": FORMAT, "summary": summary_of(fleet)}, indent=1, sort_keys=True) + "\n"


def summary_of(fleet: Fleet) -> Plain:
    """The counts of all hosts, which the module returns as well."""
    times = fleet.read_times()
    return {
        "generated_at": time_text(fleet.now),
        "oldest_facts": time_text(times[0]) if times else None,
        "newest_facts": time_text(times[-1]) if times else None,
        "with_status": fleet.with_status(),
        "changes": _change_counts(fleet.changes) if fleet.changes else None,
        **tally_of(fleet.tally()),
    }


def _change_counts(changes: Changes) -> Plain:
    found = {key: len(value) for key, value in asdict(changes).items() if key != "since"}
    return {"since": time_text(changes.since), **found}


def _changes(changes: Changes) -> Plain:
    return {
        "since": time_text(changes.since),
        **{key: [{"host": host, "fix": fix} for host, fix in getattr(changes, key)] for key in ("gained", "lost")},
        **{key: list(getattr(changes, key)) for key in ("new_hosts", "gone_hosts", "unknown_now")},
    }


def tally_of(tally: Tally) -> Plain:
    """How many hosts have which status."""
    return asdict(tally)


def _fix(fleet: Fleet, release: Release, tally: Tally) -> Plain:
    return {
        "id": release.id,
        "name": release.name,
        "title": release.title,
        "severity": release.severity,
        "cves": list(release.cves),
        "kernels": sorted({file.kernel_release for file in release.files}),
        "fixed_in": sorted(release.fixed_in),
        "end_of_life": release.end_of_life and release.end_of_life.isoformat(),
        "superseded_by": fleet.superseded_by.get(release.id, []),
        "enabled_on": fleet.enabled_on[release.id],
        "next_steps": _next_steps(release),
        **tally_of(tally),
    }


def _next_steps(release: Release | None) -> Plain:
    return {status: asdict(step) for status, step in steps_of(release).items()}


def _patch(patch: Patch) -> Plain:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(patch).items()}


class _Standings:
    """The standings of all hosts, each once. Those that are equal are one object already."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._places: dict[int, int] = {}

    def place(self, standing: Standing) -> int:
        place = self._places.setdefault(id(standing), len(self.lines))
        if place == len(self.lines):
            self.lines.append(
                line(
                    {
                        "id": standing.fix,
                        "headline": standing.headline,
                        "statuses": list(standing.statuses),
                        "protected": standing.is_protected,
                        "why": standing.why,
                    }
                )
            )
        return place


def _host(host: Host, variables: tuple[str, ...], standings: _Standings) -> Plain:
    facts = host.facts
    return {
        "name": host.name,
        "headline": host.headline,
        "why": host.why,
        "statuses": list(host.statuses),
        "protected": host.is_protected,
        "age_seconds": host.age,
        "read_at": time_text(facts.read_at) if facts and facts.read_at else None,
        "kernel": facts.release if facts else None,
        "kernel_build_id": facts.kernel_build_id if facts else None,
        "machine": facts.machine if facts else None,
        "abi": facts.abi if facts else None,
        "fixes": [standings.place(standing) for standing in host.standings],
        "patches": [_patch(patch) for patch in facts.patches] if facts else [],
        "functions": [
            {
                "object": stack.object,
                "name": stack.function,
                "sympos": stack.sympos,
                "stack": list(stack.patches),
                "live": stack.live,
            }
            for stack in facts.stacks
        ]
        if facts
        else [],
        "notes": list(host.notes),
        "groups": list(host.labels.groups),
        "variables": {name: host.labels.variables.get(name) for name in variables},
    }
