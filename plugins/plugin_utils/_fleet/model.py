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
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.builds import drift
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.caution import (
    age_of,
    cautions,
    why_too_old,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, Patch, listed, read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import File, Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.stored import StoredPatch


@dataclass(frozen=True)
class Answer:
    """What is known from a host: its facts, read now or cached, and a problem if they could not be read now.

    `problem_kind` is `unreachable` or `failed`, and counts only with a `problem`. `is_fresh` says that the facts were
    read for this report, whatever the clock of the host says.
    """

    facts: t.Any = None
    problem: str | None = None
    problem_kind: str = words.UNREACHABLE
    is_fresh: bool = False


@dataclass(frozen=True)
class Standing:
    """The statuses of a host for a fix, the worst first. `why` is a sentence on the first one, the headline."""

    fix: str
    statuses: tuple[str, ...]
    why: str

    @property
    def headline(self) -> str:
        return self.statuses[0]

    @property
    def is_protected(self) -> bool:
        """Whether the host is known to be protected from what the fix is for."""
        return _is_protected(self.statuses)


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
    """The content of the report, from which each format is written. `hosts` are in the order of their names."""

    now: datetime
    releases: tuple[Release, ...]
    hosts: tuple[Host, ...]

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
        groups: dict[str, list[Host]] = {}
        for host in self.hosts:
            if host.facts:
                groups.setdefault(host.facts.release, []).append(host)
        return {
            kernel: _tally((host.headline, host.is_protected) for host in groups[kernel]) for kernel in sorted(groups)
        }

    def read_times(self) -> list[datetime]:
        """The known times at which facts were read, the oldest first."""
        return sorted(host.facts.read_at for host in self.hosts if host.facts and host.facts.read_at)


def fleet_of(
    answers: t.Mapping[str, Answer], releases: tuple[Release, ...], now: datetime, max_age: float | None = None
) -> Fleet:
    """The content of the report. Facts that are not valid make their host `failed`, and raise no error.

    Facts that were read more than `max_age` seconds ago do not count; None lets all of them count.
    """
    return Fleet(now, releases, tuple(_host(name, answers[name], releases, now, max_age) for name in sorted(answers)))


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
    standings = _with_superseded(tuple(_standing(release, facts) for release in releases), releases)
    others = _of_other_patches(facts, {release.name for release in releases}, bool(releases))
    statuses = words.in_order({status for standing in standings for status in standing.statuses}.union(others))
    if standings:
        worst = min(standings, key=lambda standing: words.PLACE[standing.headline])
        headline, why = worst.headline, f"{worst.fix}: {worst.why}"
    else:
        headline, why = statuses[0], others[statuses[0]]
    age, notes = age_of(facts, now)
    return Host(name, statuses, why, facts, age, standings, (*notes, *facts.notes), headline)


def _standing(release: Release, facts: Facts) -> Standing:
    file = release.file_for(facts.release, facts.machine, facts.kernel_build_id)
    patch = facts.patch(release.name)
    has_fix = facts.runs_one_of(release.fixed_in)
    found = {words.FIXED_IN: f"Kernel {facts.release} contains the fix."} if has_fix else {}
    if patch and patch.enabled:
        found.update(_effect(patch))
        if patch.boot in (words.ACCEPTED, "trial"):
            found[_at_boot(patch, facts)] = ""
    else:
        if not has_fix:
            found.update(_absence(release, facts, file))
        if patch and patch.in_transition:
            found[words.IN_TRANSITION] = f"{patch.name} is being disabled."
    found.update(drift(release, facts, file, patch))
    if facts.unfinished and facts.unfinished.concerns(release.name):
        found[words.UNFINISHED] = facts.unfinished.why
    found.update(cautions(patch))
    if not words.UNPROTECTING.isdisjoint(found):
        found.pop(words.PROTECTED, None)
    found.update(_quarantine(release, facts, file, patch))
    ordered = words.in_order(set(found))
    return Standing(release.id, ordered, found[ordered[0]])


def _at_boot(patch: Patch, facts: Facts) -> str:
    """`accepted` if the next boot loads the patch: if something does that, and does not hold."""
    return words.ACCEPTED if patch.boot == words.ACCEPTED and facts.is_loaded_at_boot(patch.name) else words.ON_TRIAL


def _effect(patch: Patch) -> dict[str, str]:
    """The status of an enabled patch, with a sentence."""
    if patch.in_transition:
        return {words.IN_TRANSITION: f"{patch.name} is being enabled."}
    if patch.effective is None:
        why = f"{patch.name} is enabled, and whether its functions are live cannot be told."
        return {words.PARTLY_EFFECTIVE: why}
    if patch.is_live:
        return {words.PROTECTED: f"{patch.name} is enabled, and all of its functions {_are_live(patch.not_loaded)}."}
    above = f"covered by {listed(patch.covered_by) or 'newer patches'}"
    if patch.not_loaded or patch.unpatched:
        others = f"not patched in {listed((*patch.not_loaded, *patch.unpatched))}"
        above = f"{above} or {others}" if patch.covered_by else others
    if patch.effective == "none":
        return {words.NOT_EFFECTIVE: f"{patch.name} is enabled, but all of its functions are {above}."}
    return {words.PARTLY_EFFECTIVE: f"{patch.name} is enabled, but some of its functions are {above}."}


def _are_live(not_loaded: Sequence[str]) -> str:
    return f"that are loaded are live (not loaded: {listed(not_loaded)})" if not_loaded else "are live"


def _absence(release: Release, facts: Facts, file: File | None) -> dict[str, str]:
    """Why the fix is missing, as a status with a sentence."""
    if not facts.supported:
        return {words.UNSUPPORTED: facts.why_unsupported or "The kernel does not support live patching."}
    if file is None:
        return {words.NO_PATCH_FILE: release.why_no_file(facts.release, facts.machine, facts.kernel_build_id)}
    loaded = "loaded but not enabled" if facts.patch(release.name) else "not loaded"
    return {words.NOT_APPLIED: f"{release.name} is {loaded}."}


def _quarantine(release: Release, facts: Facts, file: File | None, patch: Patch | None) -> dict[str, str]:
    for stored in facts.quarantined:
        is_same_build = bool(file and file.sha256 and stored.sha256 == file.sha256)
        is_loaded = bool(patch and patch.boot == words.QUARANTINED and stored.name == patch.name)
        if is_same_build or is_loaded:
            return _in_quarantine(stored)
    return {}


def _in_quarantine(stored: StoredPatch) -> dict[str, str]:
    return {words.QUARANTINED: f"{stored.name} is in quarantine: {stored.reason}"}


def _with_superseded(standings: tuple[Standing, ...], releases: tuple[Release, ...]) -> tuple[Standing, ...]:
    """The standings, with `superseded` for a fix that is missing because an effective fix contains it."""
    both = tuple(zip(releases, standings, strict=True))
    serving = {release.id: release for release, standing in both if words.PROTECTED in standing.statuses}
    instead: dict[str, str] = {}
    is_growing = True
    while is_growing:
        is_growing = False
        for release, standing in both:
            if standing.is_protected or release.id in serving:
                continue
            successor = next((new for new in serving.values() if new.replaces(release)), None)
            if successor:
                serving[release.id] = release
                instead[release.id] = successor.id
                is_growing = True
    return tuple(
        replace(
            standing,
            statuses=words.in_order({words.SUPERSEDED, *({words.IN_TRANSITION} & set(standing.statuses))}),
            why=f"{instead[standing.fix]} replaces this fix.",
        )
        if standing.fix in instead
        else standing
        for standing in standings
    )


def _of_other_patches(facts: Facts, names_of_releases: set[str], has_releases: bool) -> dict[str, str]:
    """The statuses from patches, loaded or in quarantine, that belong to no release of the report."""
    found: dict[str, str] = {}
    enabled = [patch for patch in facts.patches if patch.enabled]
    for patch in facts.patches:
        if patch.name in names_of_releases:
            continue
        if patch.enabled:
            found.update({**_effect(patch), **cautions(patch), _at_boot(patch, facts): ""})
        elif patch.in_transition:
            found[words.IN_TRANSITION] = f"{patch.name} is being disabled."
    found.pop(words.PROTECTED, None)
    if facts.unfinished and not names_of_releases.issuperset(facts.unfinished.patches or ("",)):
        found[words.UNFINISHED] = facts.unfinished.why
    for stored in facts.quarantined:
        if stored.release == facts.release and stored.name not in names_of_releases:
            found.update(_in_quarantine(stored))
    if not facts.supported:
        found[words.UNSUPPORTED] = facts.why_unsupported or "The kernel does not support live patching."
    if not has_releases and words.in_order(set(found))[:1] in ((), (words.ON_TRIAL,), (words.ACCEPTED,)):
        if enabled:
            names = listed([patch.name for patch in enabled])
            not_loaded = [target for patch in enabled for target in patch.not_loaded]
            found[words.EFFECTIVE] = f"All functions of {names} {_are_live(not_loaded)}."
        else:
            found[words.NO_PATCHES] = "No patch is enabled."
    return found


def _is_protected(statuses: Iterable[str]) -> bool:
    known = set(statuses)
    return known.isdisjoint(words.NOTHING_KNOWN) and not known.isdisjoint(words.PROTECTING)


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
