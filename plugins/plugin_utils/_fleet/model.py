# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: from the facts of all hosts and the releases to how each host stands, and how many stand so."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import (
    DataError,
    Facts,
    Kept,
    Patch,
    listed,
    printable,
    read_facts,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import File, Release

SKEW_SECONDS = 300
"""A host whose clock is further ahead than this is told of."""


@dataclass(frozen=True)
class Answer:
    """What came back from a host: its facts, of now or of a cache, and why it could not be read now, if so.

    C(problem_kind) is C(unreachable) or C(failed) where there is a C(problem).
    """

    facts: t.Any = None
    problem: str | None = None
    problem_kind: str = words.UNREACHABLE


@dataclass(frozen=True)
class Standing:
    """How a host stands to a fix. C(why) is a sentence on the headline."""

    fix: str
    statuses: tuple[str, ...]
    why: str

    @property
    def headline(self) -> str:
        return self.statuses[0]

    @property
    def is_protected(self) -> bool:
        """Whether the fault is known to be out of reach on the host."""
        return _is_protected(self.statuses)


@dataclass(frozen=True)
class Host:
    """A host in the report.

    C(standings) have one entry for each release. C(age) is that of the facts, in seconds, C(None) if it is not known.
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
        """Whether it has every fix; C(None) without releases."""
        return all(standing.is_protected for standing in self.standings) if self.standings else None


@dataclass(frozen=True)
class Tally:
    """How many hosts stand how. The values of C(headlines) add up to C(hosts), and so do the other three.

    C(protected) and C(unprotected) are C(None) without releases: there is nothing to be protected by.
    """

    hosts: int
    protected: int | None
    unprotected: int | None
    unknown: int
    headlines: dict[str, int] = field(hash=False)


def largest_first(tallies: t.Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    """The groups by their number of hosts, and by name where that is the same."""
    return sorted(tallies.items(), key=lambda one: (-one[1].hosts, one[0]))


@dataclass(frozen=True)
class Fleet:
    """The report's content, from which each format is written. C(hosts) are in the order of their names."""

    now: datetime
    releases: tuple[Release, ...]
    hosts: tuple[Host, ...]

    def tally(self) -> Tally:
        """All hosts, by their own headline."""
        return _tally((host.headline, host.is_protected) for host in self.hosts)

    def with_status(self) -> dict[str, int]:
        """How many hosts have each status, be it the headline or not."""
        return _counted(status for host in self.hosts for status in host.statuses)

    def by_fix(self) -> dict[str, Tally]:
        """For each fix, all hosts."""
        return {
            release.id: _tally(_of(host.standings[place]) for host in self.hosts)
            for place, release in enumerate(self.releases)
        }

    def by_cve(self) -> dict[str, Tally]:
        """For each CVE, all hosts. Where several releases fix it, the one that serves a host best counts."""
        places: dict[str, list[int]] = {}
        for place, release in enumerate(self.releases):
            for cve in release.cves:
                places.setdefault(cve, []).append(place)
        return {
            cve: _tally(_of(_best(host.standings[place] for place in places[cve])) for host in self.hosts)
            for cve in sorted(places)
        }

    def by_kernel(self) -> dict[str, Tally]:
        """For each running kernel, its hosts; hosts whose kernel is not known are left out."""
        groups: dict[str, list[Host]] = {}
        for host in self.hosts:
            if host.facts:
                groups.setdefault(host.facts.release, []).append(host)
        return {
            kernel: _tally((host.headline, host.is_protected) for host in groups[kernel]) for kernel in sorted(groups)
        }

    def read_times(self) -> list[datetime]:
        """When the facts were read, the oldest first, as far as that is known."""
        return sorted(host.facts.read_at for host in self.hosts if host.facts and host.facts.read_at)


def fleet_of(answers: t.Mapping[str, Answer], releases: tuple[Release, ...], now: datetime) -> Fleet:
    """The report's content. Whatever a host has sent, this is not an error but told of that host."""
    return Fleet(now, releases, tuple(_host(name, answers[name], releases, now) for name in sorted(answers)))


def _host(name: str, answer: Answer, releases: tuple[Release, ...], now: datetime) -> Host:
    problem, kind, facts = answer.problem, answer.problem_kind, None
    if answer.facts is not None:
        try:
            facts = read_facts(answer.facts)
        except DataError as error:
            problem, kind = problem or f"Its facts are not understood: {error}", kind if problem else words.FAILED
    elif problem is None:
        problem = "There are no facts of it."
    host = _known_host(printable(name), facts, releases, now) if facts else Host(printable(name), (), "")
    if problem is None:
        return host
    return _unknown_host(host, printable(problem), kind, releases)


def _unknown_host(host: Host, problem: str, kind: str, releases: tuple[Release, ...]) -> Host:
    """The host with what was known of it earlier, which does not count any more."""
    standings = host.standings or tuple(Standing(release.id, (), "") for release in releases)
    return replace(
        host,
        statuses=words.in_order({kind, *host.statuses}),
        headline=kind,
        why=problem,
        standings=tuple(
            replace(
                one, statuses=words.in_order({kind, *one.statuses}), why=f"Before: {one.why}" if one.why else problem
            )
            for one in standings
        ),
    )


def _known_host(name: str, facts: Facts, releases: tuple[Release, ...], now: datetime) -> Host:
    standings = _with_superseded(tuple(_standing(release, facts) for release in releases), releases)
    others = _of_other_patches(facts, {release.name for release in releases}, bool(releases))
    statuses = words.in_order({status for one in standings for status in one.statuses}.union(others))
    if standings:
        worst = min(standings, key=lambda one: words.PLACE[one.headline])
        headline, why = worst.headline, f"{worst.fix}: {worst.why}"
    else:
        headline, why = statuses[0], others[statuses[0]]
    age, notes = None, facts.notes
    if facts.read_at:
        passed = int((now - facts.read_at).total_seconds())
        if passed < -SKEW_SECONDS:
            notes = (f"Its clock is {-passed} seconds ahead of the report's.", *notes)
        age = max(passed, 0)
    return Host(name, statuses, why, facts, age, standings, notes, headline)


def _standing(release: Release, facts: Facts) -> Standing:
    file = release.file_for(facts.release, facts.machine)
    patch = facts.patch(release.name)
    has_fix = facts.release in release.fixed_in
    found = {words.FIXED_IN: f"Kernel {facts.release} has the fix itself."} if has_fix else {}
    if patch and patch.enabled:
        found.update(_effect(patch))
        if patch.boot in (words.ACCEPTED, "trial"):
            found[words.ACCEPTED if patch.boot == words.ACCEPTED else words.ON_TRIAL] = ""
    else:
        if not has_fix:
            found.update(_absence(release, facts, file))
        if patch and patch.in_transition:
            found[words.IN_TRANSITION] = f"{patch.name} is being disabled."
    found.update(_drift(release, facts, file, patch))
    if words.DRIFTED in found:
        found.pop(words.PROTECTED, None)
    found.update(_quarantine(release, facts, file, patch))
    ordered = words.in_order(set(found))
    return Standing(release.id, ordered, found[ordered[0]])


def _effect(patch: Patch) -> dict[str, str]:
    """What an enabled patch amounts to."""
    if patch.in_transition:
        return {words.IN_TRANSITION: f"{patch.name} is being enabled."}
    above = listed(patch.covered_by) or "newer patches"
    if patch.effective == "none":
        return {words.NOT_EFFECTIVE: f"{patch.name} is enabled, and all of its functions are covered by {above}."}
    if patch.effective == "partial":
        return {words.PARTLY_EFFECTIVE: f"{patch.name} is enabled, and some of its functions are covered by {above}."}
    return {words.PROTECTED: f"{patch.name} is enabled and wholly effective."}


def _absence(release: Release, facts: Facts, file: File | None) -> dict[str, str]:
    """Why the fix is not there."""
    if not facts.supported:
        return {words.UNSUPPORTED: facts.why_unsupported or "The kernel cannot be live-patched."}
    if file is None:
        return {words.NO_PATCH_FILE: f"The release has no file for kernel {facts.release}."}
    loaded = "loaded and not enabled" if facts.patch(release.name) else "not loaded"
    return {words.NOT_APPLIED: f"{release.name} is {loaded}."}


def _drift(release: Release, facts: Facts, file: File | None, patch: Patch | None) -> dict[str, str]:
    """In what the host has another content than the release."""
    if patch and file is None:
        return {words.DRIFTED: f"{patch.name} is loaded, and the release has no file for kernel {facts.release}."}
    if patch and file and _differ(patch.sha256, file.sha256):
        return {words.DRIFTED: f"{patch.name} is loaded with another content than the release's file."}
    for kept in facts.accepted:
        if kept.name == release.name and kept.release == facts.release and file and _differ(kept.sha256, file.sha256):
            return {words.DRIFTED: f"The next boot loads {kept.name} with another content than the release's file."}
    return {}


def _quarantine(release: Release, facts: Facts, file: File | None, patch: Patch | None) -> dict[str, str]:
    for kept in facts.quarantined:
        is_content = bool(file and file.sha256 and kept.sha256 == file.sha256)
        is_loaded = bool(patch and patch.boot == words.QUARANTINED and kept.name == patch.name)
        if is_content or is_loaded:
            return _in_quarantine(kept)
    return {}


def _in_quarantine(kept: Kept) -> dict[str, str]:
    return {words.QUARANTINED: f"{kept.name} is in quarantine: {kept.reason}"}


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other and one.lower() != other.lower())


def _with_superseded(standings: tuple[Standing, ...], releases: tuple[Release, ...]) -> tuple[Standing, ...]:
    """What is not there because a fix that contains it is, is no gap."""
    both = tuple(zip(releases, standings, strict=True))
    serving = {release.id: release for release, one in both if words.PROTECTED in one.statuses}
    instead: dict[str, str] = {}
    is_growing = True
    while is_growing:
        is_growing = False
        for release, one in both:
            if one.is_protected or release.id in serving:
                continue
            successor = next((new for new in serving.values() if new.takes_the_place_of(release)), None)
            if successor:
                serving[release.id] = release
                instead[release.id] = successor.id
                is_growing = True
    return tuple(
        replace(
            one,
            statuses=words.in_order({words.SUPERSEDED, *({words.IN_TRANSITION} & set(one.statuses))}),
            why=f"{instead[one.fix]} takes its place.",
        )
        if one.fix in instead
        else one
        for one in standings
    )


def _of_other_patches(facts: Facts, names_of_releases: set[str], has_releases: bool) -> dict[str, str]:
    """The statuses that come from patches and quarantines that no release of the report is about."""
    found: dict[str, str] = {}
    enabled = [patch for patch in facts.patches if patch.enabled]
    for patch in facts.patches:
        if patch.name in names_of_releases:
            continue
        if patch.enabled:
            found.update(_effect(patch))
            found[words.ACCEPTED if patch.boot == words.ACCEPTED else words.ON_TRIAL] = ""
        elif patch.in_transition:
            found[words.IN_TRANSITION] = f"{patch.name} is being disabled."
    found.pop(words.PROTECTED, None)
    for kept in facts.quarantined:
        if kept.release == facts.release and kept.name not in names_of_releases:
            found.update(_in_quarantine(kept))
    if not facts.supported:
        found[words.UNSUPPORTED] = facts.why_unsupported or "The kernel cannot be live-patched."
    if not has_releases and words.in_order(set(found))[:1] in ((), (words.ON_TRIAL,), (words.ACCEPTED,)):
        if enabled:
            found[words.EFFECTIVE] = f"{listed([patch.name for patch in enabled])}: enabled and wholly effective."
        else:
            found[words.NO_PATCHES] = "No patch is enabled."
    return found


def _is_protected(statuses: Iterable[str]) -> bool:
    known = set(statuses)
    return known.isdisjoint(words.NOTHING_KNOWN) and not known.isdisjoint(words.PROTECTING)


def _of(standing: Standing) -> tuple[str, bool]:
    return standing.headline, standing.is_protected


def _best(standings: Iterable[Standing]) -> Standing:
    return max(standings, key=lambda one: (one.is_protected, words.PLACE[one.headline]))


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
