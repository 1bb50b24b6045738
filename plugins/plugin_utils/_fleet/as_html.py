# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The report as one HTML file that needs nothing else: the summary as HTML, the hosts as data for its script.

Names of hosts, patches and kernels are not trusted. The template escapes them, and the script makes text nodes of them.
The page's policy allows this script and this style, and no request.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import jinja2
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.coverage import coverage_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import Changes
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, Tally, largest_first
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.next_steps import steps_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.page_data import MARKS, page_data

_UPDATE = "Update the kernel of these hosts, or roll out a release that is still built."
MOST_KERNELS = 100
MOST_GROUPS = 100
MOST_CHANGES = 100
FOLDER = Path(__file__).parent


def as_html(fleet: Fleet) -> str:
    """The page. The template receives plain values and escapes them."""
    style, script = _asset("page.css"), _asset("page.js")
    minute = fleet.now.strftime("%Y-%m-%d %H:%M")
    tally = fleet.tally()
    return _template().render(
        policy=f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        data=page_data(fleet),
        title=f"Live patches of {_count(len(fleet.hosts), 'host')}, {minute}",
        minute=minute,
        age=_ages(fleet),
        answer=_answer(fleet, tally),
        headlines=tally.headlines,
        others=_among_others(tally.headlines, fleet.with_status()),
        changes=_changes(fleet.changes) if fleet.changes else None,
        coverage=coverage_of(fleet.history),
        ended=_ended(fleet),
        tables=(_fixes(fleet), _cves(fleet), _kernels(fleet), _groups(fleet)),
        statuses=words.BY_KEY,
        marks=MARKS,
        steps=steps_of(None),
    )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(number=_number, pieces=_pieces, bars=_bars)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment.get_template("page.html.j2")


def _ages(fleet: Fleet) -> str:
    """The age of the newest and the oldest facts; empty if no age is known."""
    times = fleet.read_times()
    ages = [_age(max(0, int((fleet.now - moment).total_seconds()))) for moment in (*times[-1:], *times[:1])]
    return " to ".join(dict.fromkeys(ages))


def _answer(fleet: Fleet, tally: Tally) -> str:
    if not fleet.hosts:
        return "There are no hosts in this report."
    if tally.protected is None or tally.unprotected is None:
        where = f"{_number(tally.headlines[words.EFFECTIVE])} of {_count(tally.hosts, 'host')}"
        return f"Patches are effective on {where}. No release was given to compare with."
    what = "the fix" if len(fleet.releases) == 1 else f"all {len(fleet.releases)} fixes"
    if tally.protected == tally.hosts:
        return f"{_of(tally.hosts, tally.hosts)} protected by {what}."
    sentences = [f"{_of(tally.protected, tally.hosts)} protected by {what}."]
    if tally.hosts > 1 and tally.unprotected:
        sentences.append(f"{_number(tally.unprotected)} {'is' if tally.unprotected == 1 else 'are'} not.")
    if tally.unknown:
        sentences.append(f"Nothing is known about {_number(tally.unknown)}.")
    return " ".join(sentences)


def _of(some: int, hosts: int) -> str:
    if hosts == 1:
        return "The only host is" if some else "The only host is not"
    are = "is" if some == 1 else "are"
    return f"All {_number(hosts)} hosts are" if some == hosts else f"{_number(some)} of {_number(hosts)} hosts {are}"


def _among_others(headlines: dict[str, int], with_status: dict[str, int]) -> dict[str, int]:
    """The statuses that hosts have beside their headline, with how many hosts have them at all."""
    return {
        key: count
        for key, count in with_status.items()
        if count > headlines.get(key, 0) and words.BY_KEY[key].tone != words.GOOD
    }


@dataclass(frozen=True)
class _Changed:
    """One kind of change: its tone, a sentence, the first names, and how many more there are."""

    tone: str
    text: str
    names: list[str]
    more: int


def _changes(changes: Changes) -> tuple[str, list[_Changed]]:
    """Since when, and each kind of change that there is, the worst first."""
    kinds = (
        (words.BAD, "lost the protection of a fix", [f"{host}: {fix}" for host, fix in changes.lost]),
        (words.UNKNOWN, "no longer known", list(changes.unknown_now)),
        (words.PLAIN, "no longer in the report", list(changes.gone_hosts)),
        (words.PLAIN, "new in the report", list(changes.new_hosts)),
        (words.GOOD, "gained the protection of a fix", [f"{host}: {fix}" for host, fix in changes.gained]),
    )
    found = [
        _Changed(tone, f"{_number(len(names))} {text}", names[:MOST_CHANGES], max(0, len(names) - MOST_CHANGES))
        for tone, text, names in kinds
        if names
    ]
    return changes.since.strftime("%Y-%m-%d %H:%M"), found


def _bars(headlines: dict[str, int]) -> list[tuple[str, float, float]]:
    """The counts as parts of a bar that is 1000 wide, good ones first: tone, start and width of each."""
    total = sum(headlines.values())
    parts, start = [], 0
    for tone in (words.GOOD, words.PLAIN, words.CAUTION, words.BAD, words.UNKNOWN):
        count = sum(headlines.get(status.key, 0) for status in words.STATUSES if status.tone == tone)
        if count:
            parts.append((tone, round(start * 1000 / total, 2), round(count * 1000 / total, 2)))
            start += count
    return parts


@dataclass(frozen=True)
class _Row:
    """A fix, a CVE, a kernel or a group, and how many hosts have which status.

    `lacking` are the fixes without a file for it.
    """

    name: str
    tally: Tally
    about: str = ""
    lacking: str = ""

    @property
    def share(self) -> str:
        """The share of protected hosts, rounded down: only all hosts are 100 %."""
        return f"{(self.tally.protected or 0) * 100 // self.tally.hosts} %" if self.tally.hosts else ""

    @property
    def gaps(self) -> dict[str, int]:
        """The headlines that say why hosts are not protected; without releases all headlines."""
        return {
            key: count
            for key, count in self.tally.headlines.items()
            if count and (self.tally.protected is None or words.BY_KEY[key].tone != words.GOOD)
        }


@dataclass(frozen=True)
class _Table:
    """A table of the summary. `first` is the heading of its first column.

    `rest` are a label for the rows that are left out, and the number of their hosts if it can be told.
    """

    heading: str
    first: str
    rows: list[_Row]
    is_compared: bool = True
    rest: tuple[str, int | None] | None = None


def _fixes(fleet: Fleet) -> _Table:
    tallies = fleet.by_fix()
    rows = [
        _Row(release.id, tallies[release.id], about=", ".join(filter(None, (release.severity, release.title))))
        for release in fleet.releases
    ]
    return _Table("Fixes", "Fix", rows)


@dataclass(frozen=True)
class _Ended:
    """A release that nobody should rely on for long: why, how many hosts have it, and what to do about these."""

    name: str
    why: str
    enabled_on: int
    step: str


def _ended(fleet: Fleet) -> list[_Ended]:
    """The releases that others supersede, and those that have reached their end of life."""
    found = []
    for release in fleet.releases:
        successors = fleet.superseded_by.get(release.id, [])
        why = [f"{', '.join(successors)} replaces it."] if successors else []
        if fleet.has_ended(release):
            why.append(f"End of life since {release.end_of_life}.")
        if why:
            hosts = fleet.enabled_on[release.id]
            instead = f"Roll out {successors[0]} to these hosts." if successors else _UPDATE
            found.append(_Ended(release.id, " ".join(why), hosts, instead if hosts else "Leave it out of the report."))
    return found


def _cves(fleet: Fleet) -> _Table:
    return _Table("CVEs", "CVE", [_Row(cve, tally) for cve, tally in fleet.by_cve().items()])


def _kernels(fleet: Fleet) -> _Table:
    tallies = largest_first(fleet.by_kernel())
    rows = [_Row(kernel, tally, lacking=_lacking(fleet, kernel)) for kernel, tally in tallies[:MOST_KERNELS]]
    rest = [tally.hosts for _kernel, tally in tallies[MOST_KERNELS:]]
    left_out = (_count(len(rest), "more kernel"), sum(rest)) if rest else None
    return _Table("Kernels", "Kernel", rows, bool(fleet.releases), left_out)


def _groups(fleet: Fleet) -> _Table:
    tallies = largest_first(fleet.by_group())
    rows = [_Row(group, tally) for group, tally in tallies[:MOST_GROUPS]]
    # A host has several groups, so the hosts of those that are left out have no sum.
    left_out = (_count(len(tallies) - len(rows), "more group"), None) if len(tallies) > len(rows) else None
    return _Table("Groups", "Group", rows, bool(fleet.releases), left_out)


def _lacking(fleet: Fleet, kernel: str) -> str:
    """The fixes that have no patch file for this kernel, which lacks them."""
    return ", ".join(
        release.id
        for release in fleet.releases
        if kernel not in release.fixed_in and release.file_for(kernel, "") is None
    )


def _pieces(name: str) -> list[str]:
    """The name in pieces. A line may break after each of them, which is after punctuation."""
    return re.split(r"(?<=[-._/])(?=.)", name)


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def _count(count: int, what: str) -> str:
    return f"{_number(count)} {what}{'' if count == 1 else 's'}"


def _age(seconds: int) -> str:
    """The age in the largest fitting unit, as the script of the page writes it."""
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * length or (seconds >= length and unit == "minute"):
            return _count(seconds // length, unit)
    return _count(seconds, "second")


def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The source expression of the policy that allows this inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
