# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The hosts as data for the script of the page (page.js), in a compact form, because there may be thousands."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Sequence

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, Host
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.next_steps import steps_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.standings import Standing

# A badge has a mark, so that colour alone does not carry its meaning.
MARKS = {words.GOOD: "✓", words.BAD: "✕", words.CAUTION: "!", words.UNKNOWN: "?", words.PLAIN: "·"}


def page_data(fleet: Fleet) -> dict[str, t.Any]:
    """Plain data for JSON. Each host is a list, and refers to shared values by their place in `pool`."""
    pool, alike = _Pool(), _Alike()
    hosts = [_host(host, fleet.variables, pool, alike) for host in fleet.hosts]
    return {
        "statuses": [[status.key, status.label, status.tone, MARKS[status.tone]] for status in words.STATUSES],
        "fixes": [release.id for release in fleet.releases],
        "variables": list(fleet.variables),
        "steps": [_steps(release) for release in (None, *fleet.releases)],
        "hosts": hosts,
        "standings": [[_statuses(standing.statuses), pool.place(standing.why)] for standing in alike.distinct],
        "alike": alike.first,
        "pool": pool.values,
    }


def _steps(release: Release | None) -> dict[int, tuple[str, str | None]]:
    """By the place of the status: a sentence, and a command or None."""
    return {words.PLACE[key]: (step.text, step.command) for key, step in steps_of(release).items()}


class _Pool:
    """The values that hosts share. Each is there once, and hosts have its place."""

    def __init__(self) -> None:
        self.values: list[t.Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: t.Any) -> int:
        key = json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


class _Alike:
    """How hosts stand with all fixes. Most hosts differ in a few from the first one with their kernel.

    `distinct` are all standings, and `first` those of the first hosts, by their place in `distinct`.
    """

    def __init__(self) -> None:
        self.distinct: list[Standing] = []
        self.first: list[list[int]] = []
        self._places: dict[int, int] = {}
        self._kernels: dict[str, tuple[int, Sequence[Standing]]] = {}

    def place(self, host: Host) -> tuple[int, list[int]]:
        """The place of the first host's standings, and what differs: the fix and the standing, in turns."""
        kernel = host.facts.release if host.facts and host.is_known else host.why
        if kernel not in self._kernels:
            self._kernels[kernel] = (len(self.first), host.standings)
            self.first.append(list(map(self._place_of, host.standings)))
        place, first = self._kernels[kernel]
        if first is host.standings:
            return place, []
        both = enumerate(zip(host.standings, first, strict=True))
        different = ((fix, one) for fix, (one, other) in both if one is not other)
        return place, [number for fix, standing in different for number in (fix, self._place_of(standing))]

    def _place_of(self, standing: Standing) -> int:
        place = self._places.setdefault(id(standing), len(self.distinct))
        if place == len(self.distinct):
            self.distinct.append(standing)
        return place


def _host(host: Host, variables: tuple[str, ...], pool: _Pool, alike: _Alike) -> list[t.Any]:
    """In the order that `hostOf` of the script expects."""
    facts = host.facts
    return [
        host.name,
        words.PLACE[host.headline],
        _statuses(host.statuses),
        pool.place(host.why),
        pool.place([facts.release, facts.machine, facts.abi]) if facts else None,
        host.age,
        *alike.place(host),
        pool.place(_patches(facts, pool)) if facts else None,
        pool.place(_stacks(facts, pool)) if facts else None,
        [pool.place(note) for note in host.notes],
        pool.place([host.labels.groups, list(map(host.labels.variables.get, variables))]),
    ]


def _statuses(keys: tuple[str, ...]) -> list[int]:
    return [words.PLACE[key] for key in keys]


def _patches(facts: Facts, pool: _Pool) -> list[list[t.Any]]:
    return [
        [
            pool.place(patch.name),
            patch.enabled,
            patch.in_transition,
            "full" if patch.is_live else patch.effective,
            patch.boot,
            (patch.sha256 or "")[:12],
            pool.place(", ".join(patch.fixes)),
        ]
        for patch in facts.patches
    ]


def _stacks(facts: Facts, pool: _Pool) -> list[list[t.Any]]:
    """The replaced functions, grouped by the patches on them and by whether the last of these is live."""
    groups: dict[tuple[tuple[str, ...], bool], list[int]] = {}
    for stack in facts.stacks:
        position = f",{stack.sympos}" if stack.sympos > 1 else ""
        group = groups.setdefault((stack.patches, stack.live is not None), [])
        group.append(pool.place([stack.object, f"{stack.function}{position}"]))
    return [
        [[pool.place(patch) for patch in patches], functions, is_live]
        for (patches, is_live), functions in groups.items()
    ]
