# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The report as one HTML file that needs nothing else: the summary as HTML, the hosts as data for its script.

Names of hosts, patches and kernels are not trusted. Here they are escaped, and the script puts them in as text only;
the page's policy allows no script or style but these two, and no request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import typing as t
from collections.abc import Iterable
from html import escape
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, Host, Tally, largest_first

# Not colours alone.
MARKS = {words.GOOD: "✓", words.BAD: "✕", words.CAUTION: "!", words.UNKNOWN: "?", words.PLAIN: "·"}
MOST_KERNELS = 100


def as_html(fleet: Fleet) -> str:
    """The page."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Live patches of {_count(len(fleet.hosts), "host")}, {_minute(fleet)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#hosts">To the hosts</a>
<header>
<h1>Live patches</h1>
<p class="when">{_when(fleet)}</p>
</header>
<main>
{_summary(fleet)}
{_fixes(fleet)}
{_cves(fleet)}
{_kernels(fleet)}
{_HOSTS}
{_glossary()}
</main>
<script type="application/json" id="data">{_embedded(_data(fleet))}</script>
<script>{script}</script>
</body>
</html>
"""


_HOSTS = """<section id="hosts" aria-labelledby="hosts-heading" tabindex="-1">
<h2 id="hosts-heading">Hosts</h2>
<noscript><p class="note">The list of the hosts, with what is live on each, needs JavaScript, which is switched off
here. The files beside this one (JSON, CSV) hold the same data.</p></noscript>
<div id="list" hidden></div>
</section>"""


def _when(fleet: Fleet) -> str:
    times = fleet.read_times()
    text = f"As of <time>{_minute(fleet)} UTC</time>."
    if not times:
        return text
    ages = [max(0, int((fleet.now - one).total_seconds())) for one in (times[-1], times[0])]
    age = _age(ages[0]) if _age(ages[0]) == _age(ages[1]) else f"{_age(ages[0])} to {_age(ages[1])}"
    return f"{text} The facts were {age} old."


def _minute(fleet: Fleet) -> str:
    return fleet.now.strftime("%Y-%m-%d %H:%M")


def _summary(fleet: Fleet) -> str:
    tally = fleet.tally()
    return f"""<section aria-labelledby="answer">
<h2 id="answer" class="answer">{_answer(fleet, tally)}</h2>
{_bar(tally.headlines)}
<ul class="counts">{"".join(_counts(tally.headlines))}</ul>
{_among_others(tally.headlines, fleet.with_status())}
</section>"""


def _answer(fleet: Fleet, tally: Tally) -> str:
    if not fleet.hosts:
        return "There are no hosts in this report."
    if tally.protected is None or tally.unprotected is None:
        patched = tally.headlines[words.PATCHED]
        return f"{_of(patched, tally.hosts)} patched. No release was given to compare with."
    what = "the fix" if len(fleet.releases) == 1 else f"all {len(fleet.releases)} fixes"
    if tally.protected == tally.hosts:
        return f"{_of(tally.hosts, tally.hosts)} protected by {what}."
    sentences = [f"{_of(tally.protected, tally.hosts)} protected by {what}."]
    if tally.hosts > 1 and tally.unprotected:
        sentences.append(f"{_number(tally.unprotected)} {'is' if tally.unprotected == 1 else 'are'} not.")
    if tally.unknown:
        sentences.append(f"Nothing is known of {_number(tally.unknown)}.")
    return " ".join(sentences)


def _of(some: int, hosts: int) -> str:
    if hosts == 1:
        return "The only host is" if some else "The only host is not"
    are = "is" if some == 1 else "are"
    return f"All {_number(hosts)} hosts are" if some == hosts else f"{_number(some)} of {_number(hosts)} hosts {are}"


def _counts(headlines: dict[str, int]) -> t.Iterator[str]:
    for status in words.STATUSES:
        count = headlines.get(status.key)
        if count:
            yield (
                f'<li data-status="is:{status.key}"><p class="lead"><span class="count">{_number(count)}</span> '
                f'{_badge(status.key)}</p><p class="meaning">{escape(status.meaning)}</p></li>'
            )


def _among_others(headlines: dict[str, int], with_status: dict[str, int]) -> str:
    """What the headlines hide: hosts have other statuses as well."""
    items = [
        _item("has", key, count)
        for key, count in with_status.items()
        if count > headlines.get(key, 0) and words.BY_KEY[key].tone != words.GOOD
    ]
    if not items:
        return ""
    return f"""<div class="others"><p>With every status of a host, not only the first:</p>
<ul class="gaps">{"".join(items)}</ul></div>"""


def _item(how: str, key: str, count: int) -> str:
    """A count that the script makes lead to those hosts: by their headline (C(is)) or by any status (C(has))."""
    number = f'<span class="n">{_number(count)}</span>'
    return f'<li data-status="{how}:{key}"><span class="lead">{_badge(key)} {number}</span></li>'


def _badge(key: str) -> str:
    status = words.BY_KEY[key]
    return (
        f'<span class="badge {status.tone}"><span aria-hidden="true">{MARKS[status.tone]}</span> '
        f"{escape(status.label)}</span>"
    )


def _bar(headlines: dict[str, int]) -> str:
    """The counts as a bar, good ones first; a drawing only, the numbers stand beside it."""
    total = sum(headlines.values())
    tones = (words.GOOD, words.PLAIN, words.CAUTION, words.BAD, words.UNKNOWN)
    counts = {tone: sum(headlines.get(one.key, 0) for one in words.STATUSES if one.tone == tone) for tone in tones}
    parts, start = [], 0
    for tone, count in counts.items():
        if count:
            x, width = round(start * 1000 / total, 2), round(count * 1000 / total, 2)
            parts.append(f'<rect class="{tone}" x="{x}" width="{width}" height="10"/>')
            start += count
    return (
        f'<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'
    )


def _fixes(fleet: Fleet) -> str:
    if not fleet.releases:
        return ""
    tallies = fleet.by_fix()
    rows = []
    for release in fleet.releases:
        about = ", ".join(part for part in (release.severity, release.title) if part)
        rows.append(
            f'<tr data-fix="{escape(release.id)}"><th scope="row">{_breakable(release.id)}'
            f'<span class="about">{escape(about)}</span></th>{_tally_cells(tallies[release.id])}</tr>'
        )
    return _table("fixes", "Fixes", "Fix", rows)


def _cves(fleet: Fleet) -> str:
    rows = [
        f'<tr data-cve="{escape(cve)}"><th scope="row">{_breakable(cve)}</th>{_tally_cells(tally)}</tr>'
        for cve, tally in fleet.by_cve().items()
    ]
    return _table("cves", "CVEs", "CVE", rows) if rows else ""


def _kernels(fleet: Fleet) -> str:
    tallies = largest_first(fleet.by_kernel())
    rows = []
    for kernel, tally in tallies[:MOST_KERNELS]:
        lacking = ", ".join(
            release.id
            for release in fleet.releases
            if kernel not in release.fixed_in and release.file_for(kernel, "") is None
        )
        about = f'<span class="about">no file in {_breakable(lacking)}</span>' if lacking else ""
        heading = f'<th scope="row">{_breakable(kernel)}{about}</th>'
        rows.append(f'<tr data-kernel="{escape(kernel)}">{heading}{_tally_cells(tally)}</tr>')
    rest = tallies[MOST_KERNELS:]
    if rest:
        hosts = sum(tally.hosts for _kernel, tally in rest)
        rows.append(f'<tr><th scope="row">{_count(len(rest), "more kernel")}</th><td>{_number(hosts)}</td></tr>')
    return _table("kernels", "Kernels", "Kernel", rows, bool(fleet.releases)) if rows else ""


def _table(key: str, heading: str, first: str, rows: Iterable[str], is_compared: bool = True) -> str:
    names = ("Hosts", "Protected", "Not", "Unknown", "Why not") if is_compared else ("Hosts", "Unknown", "Statuses")
    columns = "".join(f'<th scope="col">{name}</th>' for name in (first, *names))
    return f"""<section>
<h2 id="{key}-heading">{heading}</h2>
<div class="wide" role="region" aria-labelledby="{key}-heading" tabindex="0">
<table id="{key}" aria-labelledby="{key}-heading">
<thead><tr>{columns}</tr></thead>
<tbody>{"".join(rows)}</tbody>
</table>
</div>
</section>"""


def _tally_cells(tally: Tally) -> str:
    """The cells of a row beside its heading; as many as L(_table) has columns."""
    is_compared = tally.protected is not None
    cells = [_number(tally.hosts)]
    if tally.protected is not None and tally.unprotected is not None:
        share = f"<small>{_percent(tally.protected, tally.hosts)}</small>" if tally.hosts else ""
        cells += [f"{_number(tally.protected)} {share}{_bar(tally.headlines)}", _number(tally.unprotected)]
    cells.append(_number(tally.unknown))
    gaps = "".join(
        _item("is", key, count)
        for key, count in tally.headlines.items()
        if count and not (is_compared and words.BY_KEY[key].tone == words.GOOD)
    )
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f'{numbers}<td><ul class="gaps">{gaps}</ul></td>'


def _percent(some: int, hosts: int) -> str:
    """Rounded down: nothing but all is 100 %."""
    return f"{some * 100 // hosts} %"


def _glossary() -> str:
    rows = "".join(f"<dt>{_badge(one.key)}</dt><dd>{escape(one.meaning)}</dd>" for one in words.STATUSES)
    return f"""<section aria-labelledby="words-heading">
<h2 id="words-heading">What the words mean</h2>
<dl class="words">{rows}</dl>
</section>"""


def _breakable(name: str) -> str:
    """A name, escaped, that may go on in the next line after its punctuation."""
    return re.sub(r"([-._/])(?=.)", r"\1<wbr>", escape(name))


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def _count(count: int, what: str) -> str:
    return f"{_number(count)} {what}{'' if count == 1 else 's'}"


def _age(seconds: int) -> str:
    """As the script of the page says it."""
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * length or (seconds >= length and unit == "minute"):
            return _count(seconds // length, unit)
    return _count(seconds, "second")


class _Pool:
    """Values that many hosts share, each once; hosts have their places."""

    def __init__(self) -> None:
        self.values: list[t.Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: t.Any) -> int:
        key = json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


def _data(fleet: Fleet) -> dict[str, t.Any]:
    pool = _Pool()
    hosts = [_host(host, pool) for host in fleet.hosts]
    return {
        "statuses": [[one.key, one.label, one.tone, MARKS[one.tone]] for one in words.STATUSES],
        "fixes": [release.id for release in fleet.releases],
        "hosts": hosts,
        "pool": pool.values,
    }


def _host(host: Host, pool: _Pool) -> list[t.Any]:
    """In the order in which the script takes them apart."""
    facts = host.facts
    standings = [[_statuses(one.statuses), pool.place(one.why)] for one in host.standings]
    return [
        host.name,
        words.PLACE[host.headline],
        _statuses(host.statuses),
        pool.place(host.why),
        pool.place([facts.release, facts.machine, facts.abi]) if facts else None,
        host.age,
        pool.place(standings),
        pool.place(_patches(facts, pool)) if facts else None,
        pool.place(_stacks(facts, pool)) if facts else None,
        [pool.place(note) for note in host.notes],
    ]


def _statuses(keys: tuple[str, ...]) -> list[int]:
    return [words.PLACE[key] for key in keys]


def _patches(facts: Facts, pool: _Pool) -> list[list[t.Any]]:
    return [
        [pool.place(one.name), one.enabled, one.in_transition, one.effective, one.boot, (one.sha256 or "")[:12]]
        for one in facts.patches
    ]


def _stacks(facts: Facts, pool: _Pool) -> list[list[t.Any]]:
    """Functions by the patches that are stacked on them."""
    by_patches: dict[tuple[str, ...], list[int]] = {}
    for stack in facts.stacks:
        position = f",{stack.sympos}" if stack.sympos > 1 else ""
        by_patches.setdefault(stack.patches, []).append(pool.place([stack.object, f"{stack.function}{position}"]))
    return [[[pool.place(patch) for patch in patches], functions] for patches, functions in by_patches.items()]


def _embedded(data: dict[str, t.Any]) -> str:
    """JSON that no parser of HTML takes for the end of the script or for a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The source expression that allows just this inline script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
