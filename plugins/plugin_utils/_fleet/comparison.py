# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Compares hosts with many releases. What hosts have in common is worked out once, and shared."""

from __future__ import annotations

import operator
import typing as t
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import CONTAINED, Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.standings import Standing, standing_of

Key = tuple[t.Any, ...]
Standings = tuple[Standing, ...]


@dataclass
class Comparison:
    """The releases of a report, and what was worked out of them so far.

    Hosts that run the same kernel, and have nothing of a release, stand alike with it. So a host costs what is special
    about it, and not the number of releases. Standings that are equal are one object.
    """

    releases: Sequence[Release]
    _kernels: dict[Key, _Kernel] = field(default_factory=dict)
    _shared: dict[Standing, Standing] = field(default_factory=dict)

    def standings_of(self, facts: Facts) -> Standings:
        """How the host stands with each release, in their order."""
        kernel = self._kernel_of(facts)
        touched = sorted(kernel.places_of(facts))
        if not touched:
            return kernel.final
        standings = list(kernel.standings)
        for place in touched:
            standings[place] = self.share(standing_of(kernel.releases[place], facts))
        return self._with_superseded(tuple(standings), kernel)

    def names_on(self, facts: Facts) -> t.Collection[str]:
        """The names that the patches of the releases have on the host."""
        return self._kernel_of(facts).named

    def enabled_on(self, facts: Facts) -> tuple[str, ...]:
        """The fixes whose patches the host has enabled."""
        named = self._kernel_of(facts).named
        places = (place for patch in facts.patches if patch.enabled for place in named.get(patch.name, ()))
        return tuple(self.releases[place].id for place in sorted(places))

    def share(self, standing: Standing) -> Standing:
        """The one object that is equal to this standing."""
        return self._shared.setdefault(standing, standing)

    def _kernel_of(self, facts: Facts) -> _Kernel:
        """What hosts have in common with this one if they have no patch."""
        key = _common(facts)
        if key not in self._kernels:
            bare = replace(facts, patches=(), accepted=(), quarantined=())
            releases = tuple(release.on(facts.release, facts.machine) for release in self.releases)
            standings = tuple(self.share(standing_of(release, bare)) for release in releases)
            kernel = _Kernel(releases, standings, successors_of(releases))
            kernel.final = self._with_superseded(standings, kernel)
            self._kernels[key] = kernel
        return self._kernels[key]

    def _with_superseded(self, standings: Standings, kernel: _Kernel) -> Standings:
        """The standings, with `superseded` for a fix that is missing because an effective fix contains it."""
        if not kernel.successors:
            return standings
        serving = {place: at for at, place in enumerate(_serving(standings))}
        waiting = {place: new for place, new in kernel.successors.items() if not standings[place].is_protected}
        instead: dict[int, int] = {}
        is_growing = True
        while is_growing:
            is_growing = False
            for place, successors in waiting.items():
                # The one that has served first, of those that replace it.
                successor = min((new for new in successors if new in serving), key=serving.__getitem__, default=None)
                if successor is not None and place not in serving:
                    serving[place] = len(serving)
                    instead[place] = successor
                    is_growing = True
        if not instead:
            return standings
        found = list(standings)
        for place, successor in instead.items():
            found[place] = self.share(_superseded(standings[place], standings[successor].fix))
        return tuple(found)


_common = operator.attrgetter(
    "release",
    "machine",
    "kernel_build_id",
    "is_release_certain",
    "supported",
    "why_unsupported",
    "unfinished",
    "has_boot_program",
    "nothing",
)
"""What `standing_of` looks at, other than the patches."""


@dataclass
class _Kernel:
    """The releases as hosts with this kernel see them, and how such a host stands if it has no patch.

    `successors` are, by its place, the places of the releases that replace a release. `final` are the standings after
    that. Hosts have patches by name, and quarantined builds by digest.
    """

    releases: tuple[Release, ...]
    standings: Standings
    successors: dict[int, list[int]]
    final: Standings = ()

    def __post_init__(self) -> None:
        self.named: dict[str, list[int]] = {}
        self._built: dict[str, list[int]] = {}
        for place, release in enumerate(self.releases):
            self.named.setdefault(release.name, []).append(place)
            for file in release.files:
                if file.sha256:
                    self._built.setdefault(file.sha256, []).append(place)

    def places_of(self, facts: Facts) -> set[int]:
        """The releases that the host has something of: a patch of that name, or a quarantined build."""
        stored = (*facts.accepted, *facts.quarantined)
        names = {*(patch.name for patch in facts.patches), *(patch.name for patch in stored)}
        builds = {stored.sha256 for stored in facts.quarantined if stored.sha256}
        named = (place for name in names for place in self.named.get(name, ()))
        return {*named, *(place for build in builds for place in self._built.get(build, ()))}


def _serving(standings: Standings) -> Iterable[int]:
    return (place for place, standing in enumerate(standings) if words.PROTECTED in standing.statuses)


def successors_of(releases: Sequence[Release]) -> dict[int, list[int]]:
    """By its place, the places of the releases that replace a release; without those that none replaces."""
    named: dict[str, list[int]] = {}
    fixing: dict[str, list[int]] = {}
    for place, release in enumerate(releases):
        named.setdefault(release.name, []).append(place)
        for cve in release.cves:
            fixing.setdefault(cve, []).append(place)
    found: dict[int, list[int]] = {}
    for place, release in enumerate(releases):
        others = {other for name in release.supersedes for other in named.get(name, ())}
        if CONTAINED in release.supersedes:
            others.update(other for cve in release.cves for other in fixing[cve] if release.replaces(releases[other]))
        for other in others.difference((place,)):
            found.setdefault(other, []).append(place)
    return dict(sorted(found.items()))


def _superseded(standing: Standing, successor: str) -> Standing:
    return replace(
        standing,
        statuses=words.in_order({words.SUPERSEDED, *({words.IN_TRANSITION} & set(standing.statuses))}),
        why=f"{successor} replaces this fix.",
        replaced_by=successor,
    )
