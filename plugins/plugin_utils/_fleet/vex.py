# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the report says in the words of VEX: how each host stands with each vulnerability. Pure functions.

The product is the host, and the package of its kernel a component of it. Hosts with the same package differ in their
live patches, so nothing can be said of the package alone, unless the document is that of one host.
"""

from __future__ import annotations

import functools
import hashlib
import re
import typing as t
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import bad_argument
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.package import encoded
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.version import VERSION
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.caution import LOOK, REBOOT
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, Host
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.standings import Standing

TOOL = "openeuler.livepatch"
TOOL_VERSION = VERSION

FIXED = "fixed"
NOT_AFFECTED = "not_affected"
UNDER_INVESTIGATION = "under_investigation"
AFFECTED = "affected"

STATUSES = (FIXED, NOT_AFFECTED, UNDER_INVESTIGATION, AFFECTED)
"""The best first. Of several fixes for one vulnerability the best counts, of several hosts of one name the worst."""

JUSTIFICATION = "inline_mitigations_already_exist"

MOST_STATEMENTS = 500_000
"""Of one vulnerability and one host. Each has 200 to 300 bytes, so nobody who reads these documents takes more."""

MOST_AGE_SECONDS = 3600
"""Of facts: a statement says what is so at the time of the document."""

_OTHER_KERNEL = "or boot a kernel that contains the fix"

REMEDIES: Mapping[str, str] = {
    words.UNSUPPORTED: "Boot a kernel that contains the fix of {fix}, or one that supports live patching.",
    words.NO_PATCH_FILE: f"Build a patch file of {{fix}} for the running kernel and roll it out, {_OTHER_KERNEL}.",
    words.QUARANTINED: f"Build a better patch file of {{fix}} and roll it out, {_OTHER_KERNEL}.",
    words.NOT_APPLIED: f"Roll out {{fix}}, {_OTHER_KERNEL}.",
    words.NOT_EFFECTIVE: f"Raise the patch of {{fix}} above what covers it (on_covered: unstack), {_OTHER_KERNEL}.",
    words.PARTLY_EFFECTIVE: f"Raise the patch of {{fix}} above what covers it (on_covered: unstack), {_OTHER_KERNEL}.",
    words.DRIFTED: "Roll out the release's build of {fix} again.",
    words.IN_TRANSITION: "Wait for the transition to end, or end the tasks that stall it; then look at {fix} again.",
    words.UNFINISHED: "Let the run end, or run its task again; then look at {fix} again.",
    words.TROUBLE_SINCE: LOOK,
    words.FORCED: REBOOT,
    words.ON_TRIAL: "Accept the patch of {fix} for the boots (boot: accepted): the next boot does not load it.",
}
"""What to do on a host that is affected, by the status that makes it so."""

_ACCEPT_AGAIN = (
    "Accept the patch of {fix} again (boot: accepted): the next boot may not load it, or may load others above."
)

_CVE = re.compile(r"CVE-\d{4}-\d{4,19}\Z", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+\Z")
_ID_SPACE = uuid.UUID("5c1f3a52-2f0e-5d0c-9a53-0c8c2f3f6a27")
"""Made up once, for the ids of these documents alone."""


@dataclass(frozen=True)
class Publisher:
    """Who states this: a name, and a URI that is the publisher's own."""

    name: str
    namespace: str


@dataclass(frozen=True)
class Product:
    """A host: its name, its purl, and the purl of its kernel's package, None if that is not known.

    Or the package itself, on the one host of the document: then `purl` is that of the package.
    """

    name: str
    purl: str
    kernel: str | None


@dataclass(frozen=True)
class Statement:
    """How these hosts stand with a vulnerability. `says` is why, or what to do where they are affected."""

    status: str
    says: str
    products: tuple[Product, ...]


@dataclass(frozen=True)
class Vulnerability:
    """A CVE, or a fix without one, by its id. `title` may be empty. There is a statement for each host."""

    name: str
    title: str
    statements: tuple[Statement, ...]

    @property
    def is_cve(self) -> bool:
        return bool(_CVE.match(self.name))


@dataclass(frozen=True)
class Statements:
    """All that a document says. `products` are those of each vulnerability, by name."""

    now: datetime
    publisher: Publisher
    products: tuple[Product, ...]
    vulnerabilities: tuple[Vulnerability, ...]

    @functools.cached_property
    def identity(self) -> str:
        """An id for a document of this content: the same content has the same one."""
        content = hashlib.sha256(repr((self.now, self.publisher, self.products, TOOL_VERSION)).encode())
        for vulnerability in self.vulnerabilities:
            content.update(repr((vulnerability.name, vulnerability.title)).encode())
            for statement in vulnerability.statements:
                purls = [product.purl for product in statement.products]
                content.update(repr((statement.status, statement.says, purls)).encode())
        return str(uuid.uuid5(_ID_SPACE, content.hexdigest()))


def publisher_of(given: Mapping[str, t.Any] | None) -> Publisher:
    """The publisher that the task names. Raises FindingError."""
    publisher = Publisher(*(printable((given or {}).get(key) or "") for key in ("name", "namespace")))
    if not publisher.name.strip() or not _NAMESPACE.match(publisher.namespace):
        raise bad_argument(
            "The formats openvex and csaf need a publisher with a name, and with a URI as its namespace.",
            "Give publisher a name and a namespace such as https://www.example.com.",
        )
    return publisher


def state(fleet: Fleet, publisher: Publisher, of_package: bool = False) -> Statements:
    """How the hosts stand with all that the releases of the report fix.

    `of_package` states it of the package of the kernel, which only a report of one host can. Raises FindingError if
    there is nothing to state, or too much.
    """
    fixes: dict[str, list[int]] = {}
    for place, release in enumerate(fleet.releases):
        for name in release.cves or (release.id,):
            fixes.setdefault(name, []).append(place)
    _check(len(fixes), len(fleet.hosts), of_package)
    subjects, claims = _subjects(fleet.hosts, of_package), _Claims(fleet)
    found = (_vulnerability(name, _deciding(fleet, fixes[name]), subjects, claims) for name in sorted(fixes))
    return Statements(fleet.now, publisher, tuple(product for product, _hosts in subjects), tuple(found))


def _deciding(fleet: Fleet, places: list[int]) -> list[int]:
    """Of several fixes of a vulnerability those that no other one replaces: the replaced one was not enough.

    All of them, where they replace each other.
    """
    ids = {fleet.releases[place].id for place in places}
    return [place for place in places if ids.isdisjoint(_replacing(fleet, place))] or places


def _replacing(fleet: Fleet, place: int) -> list[str]:
    return fleet.superseded_by.get(fleet.releases[place].id, [])


def _check(vulnerabilities: int, hosts: int, of_package: bool) -> None:
    if not vulnerabilities or not hosts:
        raise bad_argument(
            "The formats openvex and csaf state how hosts stand with releases, and the report has none.",
            "Give the report releases and hosts, or leave these formats out.",
        )
    if of_package and hosts > 1:
        raise bad_argument(
            "Hosts with the same package differ in their live patches, and the report has several hosts.",
            "Give hosts one host with product=package, or leave product out.",
        )
    if vulnerabilities * hosts > MOST_STATEMENTS:
        raise bad_argument(
            f"The report has {vulnerabilities} vulnerabilities and {hosts} hosts, and a document of these formats has "
            f"at most {MOST_STATEMENTS} statements of one of each.",
            "Make these formats in several reports, each of some of the hosts.",
        )


_Subject = tuple[Product, list[Host]]


def _subjects(hosts: Sequence[Host], of_package: bool) -> list[_Subject]:
    """The products by name. Hosts whose names differ in what is not shown are one."""
    named: dict[str, list[Host]] = {}
    for host in hosts:
        named.setdefault(host.name, []).append(host)
    return [(_product(named[name], of_package), named[name]) for name in sorted(named)]


def _product(hosts: Sequence[Host], of_package: bool) -> Product:
    name, kernels = hosts[0].name, {host.facts.kernel_purl if host.facts and host.is_known else None for host in hosts}
    kernel = kernels.pop() if len(kernels) == 1 else None
    if kernel and of_package:
        return Product(f"{kernel} on {name}", kernel, None)
    return Product(name, f"pkg:generic/{encoded(name)}", kernel)


def _vulnerability(name: str, places: list[int], subjects: Sequence[_Subject], claims: _Claims) -> Vulnerability:
    groups: dict[_Claim, list[Product]] = {}
    for product, hosts in subjects:
        found = [min((claims.of(host, place) for place in places), key=_rank) for host in hosts]
        groups.setdefault(max(found, key=_rank), []).append(product)
    statements = (Statement(*claim, tuple(groups[claim])) for claim in sorted(groups))
    return Vulnerability(name, claims.title(places), tuple(statements))


_Claim = tuple[str, str]
"""A status, and what to say about it."""


def _rank(claim: _Claim) -> int:
    return STATUSES.index(claim[0])


@dataclass
class _Claims:
    """What is said of hosts. Hosts share their standings, so each of these is looked at once."""

    fleet: Fleet
    _known: dict[tuple[int, int], _Claim] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = {release.id: place for place, release in enumerate(self.fleet.releases)}

    def of(self, host: Host, place: int) -> _Claim:
        """What is said of a host about the release at this place."""
        standing = serving = host.standings[place]
        # The fix that protects the host instead of this one.
        while serving.replaced_by and serving.headline == words.SUPERSEDED:
            place = self._places[serving.replaced_by]
            serving = host.standings[place]
        key = id(standing), id(serving)
        if key not in self._known:
            self._known[key] = _claim(standing, serving)
        claim = self._known[key]
        if claim[0] == UNDER_INVESTIGATION:
            return claim
        if host.age is None or host.age > MOST_AGE_SECONDS:
            return UNDER_INVESTIGATION, "The facts of the host are not of the last hour, or that cannot be told."
        if claim[0] == NOT_AFFECTED and host.facts and _may_not_come_back(host.facts, self.fleet.releases[place]):
            return AFFECTED, _ACCEPT_AGAIN.format(fix=serving.fix)
        return claim

    def title(self, places: Sequence[int]) -> str:
        """The first title of these releases; empty if they have none."""
        return next((title for title in (self.fleet.releases[place].title for place in places) if title), "")


def _may_not_come_back(facts: Facts, release: Release) -> bool:
    """Whether something is known against the next boot of this kernel making the accepted patch live."""
    doubted = {stored.name for stored in facts.accepted if stored.flaw or stored.covered_by}
    return bool(facts.nothing) or (bool(doubted) and release.on(facts.release, facts.machine).name in doubted)


def _claim(standing: Standing, serving: Standing) -> _Claim:
    fix, headline = standing.fix, serving.headline
    if not words.NOTHING_KNOWN.isdisjoint(standing.statuses):
        return UNDER_INVESTIGATION, "The host was not reached, or what is known of it does not count."
    if standing.is_protected and words.FIXED_IN in standing.statuses:
        return FIXED, f"The running kernel contains the fix of {fix}."
    if headline != words.PROTECTED:
        return AFFECTED, REMEDIES.get(headline, REMEDIES[words.NOT_APPLIED]).format(fix=serving.fix)
    if words.ACCEPTED not in serving.statuses:
        return AFFECTED, REMEDIES[words.ON_TRIAL].format(fix=serving.fix)
    instead = f", which replaces {fix}," if serving.fix != fix else ""
    return NOT_AFFECTED, f"The live patch of {serving.fix}{instead} is live, and the next boot of this kernel loads it."
