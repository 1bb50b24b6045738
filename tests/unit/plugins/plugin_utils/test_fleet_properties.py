# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any facts at all make a report, and equal facts make equal reports."""

from __future__ import annotations

import json
import random
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_csv import as_csv
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_html import as_html
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_json import as_json
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_prometheus import as_prometheus
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.comparison import Comparison
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release, read_releases
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.standings import Standing, standing_of
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")
from hypothesis import given
from hypothesis import strategies as st

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def places_in(data: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The paths of all values in nested data."""
    yield path
    keys = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield from places_in(data[key], (*path, key))


def with_value(data: t.Any, path: tuple[t.Any, ...], value: t.Any) -> t.Any:
    """Copies of nested data, but for what is at the path."""
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = with_value(copy[path[0]], path[1:], value)
    return copy


@st.composite
def damaged(draw: st.DrawFn, source: t.Callable[[st.DrawFn], t.Any]) -> t.Any:
    """Good data with something else in up to three places."""
    data = source(draw)
    for _number in range(draw(st.integers(1, 3))):
        data = with_value(data, draw(st.sampled_from(list(places_in(data)))), draw(ANYTHING))
    return data


HOSTS = damaged(lambda draw: synthetic.random_host(random.Random(draw(st.integers(0, 99)))))
RELEASES = damaged(lambda draw: synthetic.release(draw(st.integers(0, 3))))


@st.composite
def fleets(draw: st.DrawFn) -> dict[str, Answer]:
    facts = draw(st.dictionaries(st.text(min_size=1), HOSTS | ANYTHING, max_size=4))
    problem = st.none() | st.text(min_size=1)
    kinds = st.sampled_from(["unreachable", "failed"])
    return {name: Answer(data, draw(problem), draw(kinds)) for name, data in facts.items()}


@given(fleets(), st.booleans())
def test_whatever_hosts_send_there_is_a_report(answers: dict[str, Answer], with_releases: bool) -> None:
    sources = [("a release", data) for data in synthetic.releases()] if with_releases else []
    fleet = fleet_of(answers, read_releases(sources), synthetic.NOW)
    assert len(fleet.hosts) == len(answers)
    for tally in (fleet.tally(), *fleet.by_fix().values(), *fleet.by_cve().values()):
        assert sum(tally.headlines.values()) == len(answers)
    for host in fleet.hosts:
        assert host.headline in host.statuses
        assert host.why
        assert all(standing.headline == standing.statuses[0] for standing in host.standings)
    again = fleet_of(dict(reversed(answers.items())), read_releases(reversed(sources)), synthetic.NOW)
    for write in (as_json, as_csv, as_prometheus, as_html):
        assert write(fleet) == write(again)
    assert len(json.loads(as_json(fleet))["hosts"]) == len(answers)


@given(RELEASES)
def test_a_release_is_read_or_refused_with_a_sentence(data: t.Any) -> None:
    try:
        releases = read_releases([("here", data)])
    except DataError as error:
        assert str(error).endswith(".")
    else:
        assert as_html(fleet_of(synthetic.answers(3), releases, synthetic.NOW))


def naive_standings(releases: t.Sequence[Release], facts: Facts) -> list[Standing]:
    """How a host stands with each release, without anything that is shared or looked up."""
    seen = [release.on(facts.release, facts.machine) for release in releases]
    found = [standing_of(release, facts) for release in seen]
    serving = [place for place, standing in enumerate(found) if statuses.PROTECTED in standing.statuses]
    is_growing = True
    while is_growing:
        is_growing = False
        for place, release in enumerate(seen):
            successors = [new for new in serving if seen[new].replaces(release)]
            if successors and place not in serving and not found[place].is_protected:
                serving.append(place)
                found[place] = replace(
                    found[place],
                    statuses=statuses.in_order(
                        {statuses.SUPERSEDED, *({statuses.IN_TRANSITION} & set(found[place].statuses))}
                    ),
                    why=f"{found[successors[0]].fix} replaces this fix.",
                    replaced_by=found[successors[0]].fix,
                )
                is_growing = True
    return found


@st.composite
def related_releases(draw: st.DrawFn) -> tuple[Release, ...]:
    """Releases that replace each other by name and by CVE, and share builds and names with others."""
    names = st.sampled_from(["a", "b", "c", "d"])
    found = []
    for place in range(draw(st.integers(1, 6))):
        kernels = draw(st.lists(st.sampled_from(["k1", "k2"]), unique=True))
        more = {
            "fix": {"id": f"fix-{place}", "cves": draw(st.lists(names, max_size=3))},
            "name": draw(names),
            "supersedes": draw(st.lists(names | st.just("contained"), max_size=2)),
            "fixed_in": draw(st.lists(st.just("k1"), max_size=1)),
            "files": [{"kernel_release": kernel, "sha256": draw(st.sampled_from(["00", "11"]))} for kernel in kernels],
        }
        found.append((f"release {place}", synthetic.release(0, more)))
    return read_releases(found)


@st.composite
def patched_hosts(draw: st.DrawFn) -> Facts:
    names = st.sampled_from(["a", "b", "c", "d", "e"])
    builds = st.sampled_from(["00", "11", "22"])
    patches = [
        synthetic.patch(
            "any",
            "any",
            name=name,
            enabled=draw(st.booleans()),
            in_transition=draw(st.booleans()),
            boot=draw(st.sampled_from(["accepted", "trial", "quarantined"])),
            identity={"sha256": draw(builds)},
        )
        for name in draw(st.lists(names, unique=True, max_size=4))
    ]
    stored = st.builds(
        lambda name, sha256: {"name": name, "release": "k1", "sha256": sha256, "why": "x"}, names, builds
    )
    boot = {"installed": draw(st.booleans()), "accepted": draw(st.lists(stored, max_size=2))}
    boot["quarantined"] = draw(st.lists(stored, max_size=2))
    run = draw(st.none() | st.builds(lambda name: {"patches": [name], "who": "x"}, names))
    more = {"supported": draw(st.booleans()), "unfinished_run": run, "boot": boot}
    return read_facts(synthetic.host_facts(draw(st.sampled_from(["k1", "k2"])), patches, [], **more))


@given(related_releases(), st.lists(patched_hosts(), min_size=1, max_size=4))
def test_what_hosts_share_is_what_each_has(releases: tuple[Release, ...], hosts: list[Facts]) -> None:
    """The comparison shares what hosts have in common. Each host stands as if it were alone."""
    comparison = Comparison(releases)
    for facts in hosts:
        found = comparison.standings_of(facts)
        assert list(found) == naive_standings(releases, facts)
        assert all(comparison.share(standing) is standing for standing in found)
        names = {release.on(facts.release, facts.machine).name for release in releases}
        assert set(comparison.names_on(facts)) == names
        enabled = {patch.name for patch in facts.patches if patch.enabled}
        expected = [release.id for release in releases if release.on(facts.release, facts.machine).name in enabled]
        assert list(comparison.enabled_on(facts)) == expected
