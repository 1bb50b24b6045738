# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds the statuses of each host from its facts and the releases, and counts them. Pure functions."""

from __future__ import annotations

import functools
import operator
import typing as t
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.caution import age_of, why_too_old
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.comparison import Comparison, successors_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import Changes, Point
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.labels import NO_LABELS, Labels
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.standings import Standing, of_other_patches


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
    `enabled_fixes` are those whose patches are enabled.
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
    enabled_fixes: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        return self.headline not in words.NOTHING_KNOWN

    @functools.cached_property
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
        return {release.id: tally for release, tally in zip(self.releases, self._tallies, strict=True)}

    def by_cve(self) -> dict[str, Tally]:
        """All hosts, for each CVE. If several releases fix it, the release counts that protects a host best."""
        places: dict[str, list[int]] = {}
        for place, release in enumerate(self.releases):
            for cve in release.cves:
                places.setdefault(cve, []).append(place)
        return {
            cve: _tally(_of(_best(host.standings[place] for place in several)) for host in self.hosts)
            if len(several) > 1
            else self._tallies[several[0]]
            for cve, several in sorted(places.items())
        }

    @functools.cached_property
    def _tallies(self) -> list[Tally]:
        """All hosts, for each release. Hosts share their standings, so each of these is looked at once."""
        if not self.hosts:
            return [_tally(()) for _release in self.releases]
        columns = zip(*(host.standings for host in self.hosts), strict=True)
        return [_tally_of_shared(column) for column in columns]

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

    @functools.cached_property
    def enabled_on(self) -> Counter[str]:
        """How many hosts have the patch of each fix enabled, as far as is known."""
        return Counter(fix for host in self.hosts if host.is_known for fix in host.enabled_fixes)

    @functools.cached_property
    def superseded_by(self) -> dict[str, list[str]]:
        """The fixes of the report that replace a fix, for those that have any."""
        found = successors_of(self.releases)
        return {self.releases[old].id: [self.releases[new].id for new in several] for old, several in found.items()}

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
    comparison = Comparison(releases)
    hosts = (
        replace(_host(name, answers[name], comparison, now, max_age), labels=answers[name].labels)
        for name in sorted(answers)
    )
    return Fleet(now, releases, tuple(hosts), tuple(variables))


def _host(name: str, answer: Answer, comparison: Comparison, now: datetime, max_age: float | None) -> Host:
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
        host = _known_host(printable(name), facts, comparison, now) if facts else Host(printable(name), (), "")
    if problem is None:
        return host
    return _unknown_host(host, printable(problem), kind, comparison)


def _unknown_host(host: Host, problem: str, kind: str, comparison: Comparison) -> Host:
    """The host with what was known about it earlier, which does not count."""
    standings = host.standings or tuple(Standing(release.id, (), "") for release in comparison.releases)
    return replace(
        host,
        statuses=words.in_order({kind, *host.statuses}),
        headline=kind,
        why=problem,
        standings=tuple(
            comparison.share(
                replace(
                    standing,
                    statuses=words.in_order({kind, *standing.statuses}),
                    why=f"Last known: {standing.why}" if standing.why else problem,
                )
            )
            for standing in standings
        ),
    )


def _known_host(name: str, facts: Facts, comparison: Comparison, now: datetime) -> Host:
    standings = comparison.standings_of(facts)
    others = of_other_patches(facts, comparison.names_on(facts), bool(comparison.releases))
    statuses = words.in_order(set().union(others, *{standing.statuses for standing in standings}))
    if standings:
        worst = min(standings, key=_place)
        headline, why = worst.headline, f"{worst.fix}: {worst.why}"
    else:
        headline, why = statuses[0], others[statuses[0]]
    age, notes = age_of(facts, now)
    return Host(
        name,
        statuses,
        why,
        facts,
        age,
        standings,
        (*notes, *facts.notes),
        headline,
        enabled_fixes=comparison.enabled_on(facts),
    )


_place = operator.attrgetter("place")


def _of(standing: Standing) -> tuple[str, bool]:
    return standing.headline, standing.is_protected


def _best(standings: Iterable[Standing]) -> Standing:
    return max(standings, key=lambda standing: (standing.is_protected, words.PLACE[standing.headline]))


def _tally_of_shared(standings: Sequence[Standing]) -> Tally:
    distinct = {id(standing): standing for standing in standings}
    return _tally_of({place: _of(standing) for place, standing in distinct.items()}, Counter(map(id, standings)))


def _tally(hosts: Iterable[tuple[str, bool | None]]) -> Tally:
    counts = Counter(hosts)
    return _tally_of({pair: pair for pair in counts}, counts)


def _tally_of(pairs: t.Mapping[t.Any, tuple[str, bool | None]], counts: t.Mapping[t.Any, int]) -> Tally:
    """The hosts by what stands under their key: their headline, and whether they are protected."""
    headlines: Counter[str] = Counter()
    by_protection: Counter[bool | None] = Counter()
    for key, (headline, is_protected) in pairs.items():
        headlines[headline] += counts[key]
        by_protection[is_protected] += counts[key]
    hosts, unknown = headlines.total(), sum(headlines[status] for status in words.NOTHING_KNOWN)
    is_compared = not by_protection[None]
    return Tally(
        hosts=hosts,
        protected=by_protection[True] if is_compared else None,
        unprotected=hosts - unknown - by_protection[True] if is_compared else None,
        unknown=unknown,
        headlines={
            status.key: headlines[status.key] for status in words.STATUSES if status.key not in words.NEVER_HEADLINE
        },
    )


def _counted(keys: Iterable[str]) -> dict[str, int]:
    counts = Counter(keys)
    return {status.key: counts[status.key] for status in words.STATUSES}
