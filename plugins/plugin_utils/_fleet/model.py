# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds the statuses of each host from its facts and the releases, and counts them. Pure functions."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.caution import age_of, why_too_old
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import Changes, Point
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.labels import NO_LABELS, Labels
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.standings import (
    Standing,
    of_other_patches,
    standing_of,
    with_superseded,
)


@dataclass(frozen=True)
class Answer:
    """What is known from a host: its facts, read now or cached, and a problem if they could not be read now.

    `problem_kind` is `unreachable` or `failed`, and counts only with a `problem`. `is_fresh` says that the facts were
    read for this report, whatever the clock of the host says. `labels` are what the inventory says about the host.
    """

    facts: t.Any = None
    problem: str | None = None
    problem_kind: str = words.UNREACHABLE
    is_fresh: bool = False
    labels: Labels = NO_LABELS


@dataclass(frozen=True)
class Host:
    """A host in the report.

    `standings` has one entry for each release. `age` is the age of the facts in seconds, None if it is not known.
    """

    name: str
    statuses: tuple[str, ...]
    why: str
    facts: Facts | None = None
    age: int | None = None
    standings: tuple[Standing, ...] = ()
    notes: tuple[str, ...] = ()
    headline: str = ""
    labels: Labels = NO_LABELS

    @property
    def is_known(self) -> bool:
        return self.headline not in words.NOTHING_KNOWN

    @property
    def is_protected(self) -> bool | None:
        """Whether every fix protects the host; None without releases."""
        return all(standing.is_protected for standing in self.standings) if self.standings else None


@dataclass(frozen=True)
class Tally:
    """How many hosts have which status. The values of `headlines` add up to `hosts`, and so do the other three.

    Without releases `protected` and `unprotected` are None, because there is no fix to be protected by.
    """

    hosts: int
    protected: int | None
    unprotected: int | None
    unknown: int
    headlines: dict[str, int] = field(hash=False)


def largest_first(tallies: t.Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    """The groups by their number of hosts, and by name where that is equal."""
    return sorted(tallies.items(), key=lambda group: (-group[1].hosts, group[0]))


@dataclass(frozen=True)
class Fleet:
    """The content of the report, from which each format is written. `hosts` are in the order of their names.

    `variables` are the names of the variables that the labels of each host have. `changes` are those since the report
    before, None if there is none. `history` are the counts of earlier reports and of this one, the oldest first.
    """

    now: datetime
    releases: tuple[Release, ...]
    hosts: tuple[Host, ...]
    variables: tuple[str, ...] = ()
    changes: Changes | None = None
    history: tuple[Point, ...] = ()

    def tally(self) -> Tally:
        """All hosts by their headline."""
        return _tally((host.headline, host.is_protected) for host in self.hosts)

    def with_status(self) -> dict[str, int]:
        """How many hosts have each status, as headline or not."""
        return _counted(status for host in self.hosts for status in host.statuses)

    def by_fix(self) -> dict[str, Tally]:
        """All hosts, for each fix."""
        return {
            release.id: _tally(_of(host.standings[place]) for host in self.hosts)
            for place, release in enumerate(self.releases)
        }

    def by_cve(self) -> dict[str, Tally]:
        """All hosts, for each CVE. If several releases fix it, the release counts that protects a host best."""
        places: dict[str, list[int]] = {}
        for place, release in enumerate(self.releases):
            for cve in release.cves:
                places.setdefault(cve, []).append(place)
        return {
            cve: _tally(_of(_best(host.standings[place] for place in places[cve])) for host in self.hosts)
            for cve in sorted(places)
        }

    def by_kernel(self) -> dict[str, Tally]:
        """The hosts of each running kernel, without hosts whose kernel is not known."""
        return self._by(lambda host: (host.facts.release,) if host.facts else ())

    def by_group(self) -> dict[str, Tally]:
        """The hosts of each group of the inventory. A host counts in each of its groups."""
        return self._by(lambda host: host.labels.groups)

    def _by(self, keys_of: t.Callable[[Host], Iterable[str]]) -> dict[str, Tally]:
        groups: dict[str, list[Host]] = {}
        for host in self.hosts:
            for key in keys_of(host):
                groups.setdefault(key, []).append(host)
        return {key: _tally((host.headline, host.is_protected) for host in groups[key]) for key in sorted(groups)}

    def enabled_on(self, release: Release) -> int:
        """How many hosts have its patch enabled, as far as is known."""
        return sum(
            bool((patch := host.facts.patch(release.on(host.facts.release, host.facts.machine).name)) and patch.enabled)
            for host in self.hosts
            if host.facts and host.is_known
        )

    def superseded_by(self, release: Release) -> list[str]:
        """The fixes of the report that replace this one."""
        return [other.id for other in self.releases if other is not release and other.replaces(release)]

    def has_ended(self, release: Release) -> bool:
        """Whether it has reached its end of life."""
        return release.end_of_life is not None and release.end_of_life <= self.now.date()

    def read_times(self) -> list[datetime]:
        """The known times at which facts were read, the oldest first."""
        return sorted(host.facts.read_at for host in self.hosts if host.facts and host.facts.read_at)


def fleet_of(
    answers: t.Mapping[str, Answer],
    releases: tuple[Release, ...],
    now: datetime,
    max_age: float | None = None,
    variables: Sequence[str] = (),
) -> Fleet:
    """The content of the report. Facts that are not valid make their host `failed`, and raise no error.

    Facts that were read more than `max_age` seconds ago do not count; None lets all of them count. `variables` are the
    names of those that the labels of the answers have.
    """
    hosts = (
        replace(_host(name, answers[name], releases, now, max_age), labels=answers[name].labels)
        for name in sorted(answers)
    )
    return Fleet(now, releases, tuple(hosts), tuple(variables))


def _host(name: str, answer: Answer, releases: tuple[Release, ...], now: datetime, max_age: float | None) -> Host:
    problem, kind, facts = answer.problem, answer.problem_kind, None
    if answer.facts is not None:
        try:
            facts = read_facts(answer.facts)
        except DataError as error:
            problem, kind = problem or f"Its facts are not valid: {error}", kind if problem else words.FAILED
        else:
            if problem is None and not answer.is_fresh:
                problem, kind = why_too_old(facts, now, max_age), words.UNREACHABLE
            problem, kind = problem or facts.doubt, kind if problem else words.FAILED
    elif problem is None:
        problem = "There are no facts about it."
    if facts and facts.doubt:
        host = Host(printable(name), (), "", facts, notes=facts.notes)
    else:
        host = _known_host(printable(name), facts, releases, now) if facts else Host(printable(name), (), "")
    if problem is None:
        return host
    return _unknown_host(host, printable(problem), kind, releases)


def _unknown_host(host: Host, problem: str, kind: str, releases: tuple[Release, ...]) -> Host:
    """The host with what was known about it earlier, which does not count."""
    standings = host.standings or tuple(Standing(release.id, (), "") for release in releases)
    return replace(
        host,
        statuses=words.in_order({kind, *host.statuses}),
        headline=kind,
        why=problem,
        standings=tuple(
            replace(
                standing,
                statuses=words.in_order({kind, *standing.statuses}),
                why=f"Last known: {standing.why}" if standing.why else problem,
            )
            for standing in standings
        ),
    )


def _known_host(name: str, facts: Facts, releases: tuple[Release, ...], now: datetime) -> Host:
    releases = tuple(release.on(facts.release, facts.machine) for release in releases)
    standings = with_superseded(tuple(standing_of(release, facts) for release in releases), releases)
    others = of_other_patches(facts, {release.name for release in releases}, bool(releases))
    statuses = words.in_order({status for standing in standings for status in standing.statuses}.union(others))
    if standings:
        worst = min(standings, key=lambda standing: words.PLACE[standing.headline])
        headline, why = worst.headline, f"{worst.fix}: {worst.why}"
    else:
        headline, why = statuses[0], others[statuses[0]]
    age, notes = age_of(facts, now)
    return Host(name, statuses, why, facts, age, standings, (*notes, *facts.notes), headline)


def _of(standing: Standing) -> tuple[str, bool]:
    return standing.headline, standing.is_protected


def _best(standings: Iterable[Standing]) -> Standing:
    return max(standings, key=lambda standing: (standing.is_protected, words.PLACE[standing.headline]))


def _tally(hosts: Iterable[tuple[str, bool | None]]) -> Tally:
    pairs = list(hosts)
    unknown = sum(headline in words.NOTHING_KNOWN for headline, _protected in pairs)
    protected = sum(protected is True for _headline, protected in pairs)
    is_compared = all(protected is not None for _headline, protected in pairs)
    return Tally(
        hosts=len(pairs),
        protected=protected if is_compared else None,
        unprotected=len(pairs) - unknown - protected if is_compared else None,
        unknown=unknown,
        headlines={
            status: count
            for status, count in _counted(headline for headline, _protected in pairs).items()
            if status not in words.NEVER_HEADLINE
        },
    )


def _counted(keys: Iterable[str]) -> dict[str, int]:
    counts = Counter(keys)
    return {status.key: counts[status.key] for status in words.STATUSES}
