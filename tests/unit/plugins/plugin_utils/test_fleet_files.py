# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report: each follows the rules of its format, whatever texts hosts send."""

from __future__ import annotations

import base64
import csv
import hashlib
import html.parser
import io
import json
import re
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import as_csv as as_csv_module
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_csv import COLUMNS, as_csv
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_html import as_html
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_json import as_json
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_prometheus import (
    MOST_GROUPS,
    MOST_HOSTS,
    MOST_KERNELS,
    as_prometheus,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.labels import Labels
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, Fleet, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.next_steps import steps_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release, Source, read_releases
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic

ROOT = Path(__file__).resolve().parents[4]
HOSTILE = (
    "=1+1",
    "@SUM(A1)",
    "-2",
    " +3",
    '"a\\b\nc',
    "<img src=x onerror=alert(1)>",
    "</script><b>",
    "</script x",
    "<!--<script>",
    "&lt;b&gt;",
    "{{ 7 * 7 }}",
)
SAMPLE = re.compile(r'(livepatch_[a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\d+)')


def hostile_fleet() -> Fleet:
    """A fleet whose names, of hosts and of releases, are an attack on each format."""
    answers = {
        name: Answer(
            synthetic.host_facts(
                name,
                [synthetic.patch("any", name, name=name)],
                [{"object": name, "name": name, "sympos": 1, "stack": [name], "live": name}],
                disagreements=[name],
            )
        )
        for name in HOSTILE
    }
    answers["silent"] = Answer(None, "</script><script>alert(1)</script>")
    releases = [
        (
            name,
            synthetic.release(0, {"fix": {"id": name, "title": name, "severity": name, "cves": [name]}, "name": name}),
        )
        for name in HOSTILE
    ]
    labelled = {
        name: replace(answer, labels=Labels(HOSTILE, {"owner": name, "place": None}))
        for name, answer in answers.items()
    }
    return fleet_of(labelled, read_releases(releases), synthetic.NOW, variables=["owner", "place"])


def ended_fleet() -> Fleet:
    """The first fix is superseded and ended, the second has ended today, the third ends tomorrow."""
    kernel = synthetic.KERNELS[0]
    more: tuple[dict[str, t.Any], ...] = (
        {"end_of_life": "2026-10-31"},
        {"end_of_life": synthetic.NOW.date()},
        {"end_of_life": "2026-11-26"},
        {
            "supersedes": ["contained", synthetic.patch_name("CVE-2026-0001")],
            "fix": {"id": "HOTFIX-17", "cves": ["CVE-2026-0107"]},
        },
    )
    releases = read_releases([(f"r{at}", synthetic.release(at, extra)) for at, extra in enumerate(more)])
    patches = [synthetic.patch("CVE-2026-0001", kernel), synthetic.patch("CVE-2026-0107", kernel, enabled=False)]
    hosts = {name: Answer(synthetic.host_facts(kernel, patches, [])) for name in ("a", "b")}
    hosts["c"] = Answer(synthetic.host_facts(kernel, patches, []), "silent")
    return fleet_of(hosts, releases, synthetic.NOW)


FLEETS = {
    "3": synthetic.fleet(3),
    "200": synthetic.fleet(200),
    "without releases": synthetic.fleet(50, with_releases=False),
    "without hosts": synthetic.fleet(0),
    "hostile": hostile_fleet(),
    "ended": ended_fleet(),
}
of_each_fleet = pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)


@of_each_fleet
def test_json_is_what_the_schema_says(fleet: Fleet) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed for this Python")
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(as_json(fleet)))


def test_the_schema_knows_the_statuses() -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    keys = [status.key for status in statuses.STATUSES]
    assert schema["$defs"]["statuses"]["items"]["enum"] == keys
    assert schema["$defs"]["headline"]["enum"] == [key for key in keys if key not in statuses.NEVER_HEADLINE]


def test_the_guide_defines_the_statuses() -> None:
    guide = (ROOT / "docs" / "docsite" / "rst" / "report.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^   \* - ``([a-z_]+)``\n     - (.+)$", guide, re.MULTILINE)
    assert [key for key, _meaning in rows] == [status.key for status in statuses.STATUSES]
    for (key, meaning), status in zip(rows, statuses.STATUSES, strict=True):
        assert meaning.startswith(status.meaning), key


def test_each_status_that_is_not_good_has_a_next_step() -> None:
    steps = steps_of(None)
    wanted = {status.key for status in statuses.STATUSES if status.tone not in (statuses.GOOD, statuses.PLAIN)}
    assert set(steps) == {*wanted, statuses.ON_TRIAL}
    assert {key: step.command for key, step in steps.items() if key in (statuses.NOT_APPLIED, statuses.ON_TRIAL)} == {
        statuses.NOT_APPLIED: None,
        statuses.ON_TRIAL: None,
    }


def csv_text(fleet: Fleet) -> str:
    return as_csv(fleet).decode()


def release_at(path: str, **more: t.Any) -> Release:
    (release,) = read_releases([Source("a release", synthetic.release(0, more), path)])
    return release


def test_the_next_step_names_the_release() -> None:
    steps = steps_of(release_at("releases/CVE-2026-0001/release.yml"))
    assert steps[statuses.NOT_APPLIED].command == (
        "ansible-playbook openeuler.livepatch.rollout "
        "-e livepatch_release_file=releases/CVE-2026-0001/release.yml -e livepatch_hosts=HOST"
    )
    name = synthetic.patch_name("CVE-2026-0001")
    assert steps[statuses.ON_TRIAL].command == (
        f"ansible HOST -b -m openeuler.livepatch.livepatch_module -a 'name={name} state=enabled boot=accepted'"
    )


@pytest.mark.parametrize("path", ["", "a b", "{{ x }}", "$(x)", "a'b", "a;b", "a\nb", "é", "/srv/HOST/release.yml"])
def test_a_path_that_is_more_than_a_path_gets_no_command(path: str) -> None:
    assert steps_of(release_at(path))[statuses.NOT_APPLIED].command is None


def test_a_host_with_another_build_gets_a_rollout_that_takes_it() -> None:
    (found,) = read_releases([Source("a release", synthetic.release(0), "releases/x/release.yml")])
    command = steps_of(found)["drifted"].command
    assert command and command.endswith("-e livepatch_hosts=HOST -e livepatch_rollout_reload=true")


def test_a_patch_with_another_name_on_each_kernel_gets_no_command() -> None:
    files = [{"kernel_release": "6.6", "name": "livepatch_other"}]
    assert steps_of(release_at("r.yml", files=files))[statuses.ON_TRIAL].command is None
    assert steps_of(release_at("r.yml", name="a b"))[statuses.ON_TRIAL].command is None


def test_releases_that_are_superseded_or_ended() -> None:
    fleet = ended_fleet()
    fixes = {fix["id"]: fix for fix in json.loads(as_json(fleet))["fixes"]}
    assert {key: (fix["end_of_life"], fix["superseded_by"], fix["enabled_on"]) for key, fix in fixes.items()} == {
        "CVE-2026-0001": ("2026-10-31", ["HOTFIX-17"], 2),
        "CVE-2026-0107": ("2026-11-25", ["HOTFIX-17"], 0),
        "CVE-2026-0212": ("2026-11-26", [], 0),
        "HOTFIX-17": (None, [], 0),
    }
    section = as_html(fleet).partition("Superseded and ended releases")[2].partition("</section>")[0]
    rows = re.findall("<tr><th scope=.row.*</tr>", section.replace("<wbr>", ""))
    cells = [re.sub("<[^>]+>", "", row) for row in rows]
    assert cells == [
        "CVE-2026-0001HOTFIX-17 replaces it. End of life since 2026-10-31.2Roll out HOTFIX-17 to these hosts.",
        "CVE-2026-0107HOTFIX-17 replaces it. End of life since 2026-11-25.0Leave it out of the report.",
    ]
    assert "Superseded and ended" not in as_html(synthetic.fleet(3))


@pytest.mark.parametrize("value", ["soon", "2026-13-01", 2027, ["2027-01-01"], "2027-01-01T00:00:00", True])
def test_an_end_of_life_is_a_day(value: t.Any) -> None:
    with pytest.raises(DataError, match="not a day such as 2027-06-30"):
        release_at("", end_of_life=value)
    assert release_at("", end_of_life="").end_of_life is None


@of_each_fleet
def test_csv_has_a_line_for_each_host_and_fix(fleet: Fleet) -> None:
    lines = list(csv.reader(io.StringIO(csv_text(fleet))))
    assert tuple(lines[0]) == (*COLUMNS, *(f"variable_{name}" for name in fleet.variables))
    assert len(lines) == 1 + len(fleet.hosts) * max(1, len(fleet.releases))
    assert {len(line) for line in lines} == {len(lines[0])}


def test_csv_is_not_longer_than_a_spreadsheet(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = synthetic.fleet(200)
    unprotected = [
        (host.name, standing.fix) for host in fleet.hosts for standing in host.standings if not standing.is_protected
    ]
    for most, expected in ((800, 800), (799, len(unprotected)), (30, 30)):
        monkeypatch.setattr(as_csv_module, "MOST_ROWS", most)
        lines = list(csv.DictReader(io.StringIO(csv_text(fleet))))
        assert len(lines) == expected
        if most < 800:
            assert [(line["host"], line["fix"]) for line in lines] == unprotected[:most]


@of_each_fleet
def test_no_cell_of_csv_is_a_formula(fleet: Fleet) -> None:
    for line in csv.reader(io.StringIO(csv_text(fleet))):
        assert not [cell for cell in line if cell.strip()[:1] in ("=", "+", "-", "@")]
    for delimiter in (";", "\t"):
        for line in csv.reader(io.StringIO(csv_text(fleet)), delimiter=delimiter):
            assert not [cell for cell in line if cell.strip(' "')[:1] in ("=", "+", "-", "@")]


def test_csv_keeps_what_is_harmless() -> None:
    fleet = fleet_of({"a=1": Answer(), "=1": Answer()}, (), synthetic.NOW)
    assert [line[0] for line in csv.reader(io.StringIO(csv_text(fleet)))][1:] == ["'=1", "a=1"]


@pytest.mark.parametrize(
    "name", ["x;=1+1", "x; +1", 'x;"=1"', "x;;@a", "x\t=1", "x;\uff1d1", " =1", '"=1', "x\r=1", "x|-1"]
)
def test_no_cell_is_a_formula_where_the_semicolon_ends_it(name: str) -> None:
    """As in most of Europe; a spreadsheet may take tabs, too."""
    fleet = fleet_of({name: Answer()}, (), synthetic.NOW)
    for delimiter in (",", ";", "\t", "|"):
        for line in csv.reader(io.StringIO(csv_text(fleet)), delimiter=delimiter):
            assert not [cell for cell in line if cell.strip(' "')[:1] in tuple("=+-@\uff1d")]
    assert csv_text(fleet_of({"a=b;c-d": Answer()}, (), synthetic.NOW)).splitlines()[1].startswith("a=b;c-d,")


def metrics(fleet: Fleet) -> dict[str, t.Any]:
    """The samples by metric. Each line is checked by the rules of the exposition format."""
    text = as_prometheus(fleet)
    assert text.endswith("\n")
    found: dict[str, t.Any] = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in found, "the samples of a metric are in one block"
            found[name] = {}
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {list(found)[-1]} gauge"
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == list(found)[-1]
            assert match[2] not in found[match[1]], "each series has one sample"
            found[match[1]][match[2]] = int(match[3])
    return found


@of_each_fleet
def test_prometheus_counts_every_host_once(fleet: Fleet) -> None:
    found = metrics(fleet)
    for name in ("livepatch_hosts", *(["livepatch_protection"] if fleet.releases else [])):
        assert sum(found[name].values()) == len(fleet.hosts)
    with_facts = sum(host.facts is not None for host in fleet.hosts)
    assert sum(found.get("livepatch_kernel_hosts", {}).values()) == with_facts
    for release in fleet.releases:
        label = release.id.replace("\\", "\\\\").replace('"', '\\"')
        for name in ("livepatch_fix_hosts", "livepatch_fix_protection"):
            counts = [count for labels, count in found[name].items() if labels.startswith(f'fix="{label}",')]
            assert sum(counts) == len(fleet.hosts)


def test_prometheus_has_no_more_series_than_it_says() -> None:
    answers = {
        f"host-{number}": Answer(synthetic.host_facts(f"kernel-{number}", [], []))
        for number in range(MOST_KERNELS + 20)
    }
    answers["one-more"] = Answer(synthetic.host_facts("kernel-69", [], []))
    kernels = metrics(fleet_of(answers, (), synthetic.NOW))["livepatch_kernel_hosts"]
    assert len(kernels) == MOST_KERNELS + 1
    assert kernels['kernel="kernel-69"'] == 2
    assert kernels['kernel="other"'] == 20


@of_each_fleet
def test_prometheus_names_the_hosts_that_a_fix_does_not_protect(fleet: Fleet) -> None:
    found = metrics(fleet)
    pairs = [(host, standing) for host in fleet.hosts for standing in host.standings if not standing.is_protected]
    named = found.get("livepatch_unprotected_host", {})
    assert len(named) == min(len(pairs), MOST_HOSTS)
    left_out = found.get("livepatch_unprotected_hosts_left_out", {None: 0})[None]
    assert len(named) + left_out == len(pairs)
    assert (left_out > 0) is (len(pairs) > MOST_HOSTS)
    places = {f'status="{status.key}"': place for place, status in enumerate(statuses.STATUSES)}
    order = [places[word[0]] for labels in named if (word := re.findall(r'status="[a-z_]+"', labels))]
    assert order == sorted(order), "the worst are not left out"


def test_prometheus_names_the_owner_of_a_host() -> None:
    """An alert is sent to whom the labels name."""
    fleet = synthetic.fleet(200)
    named = metrics(fleet)["livepatch_unprotected_host"]
    for host in fleet.hosts:
        ours = [labels for labels in named if f'host="{host.name}"' in labels]
        owner = host.labels.variables["owner"] or ""
        for labels in ours:
            assert f'groups="{",".join(host.labels.groups)}"' in labels
            assert f'variable_owner="{owner}"' in labels
    assert sum('variable_owner=""' in labels for labels in named) not in (0, len(named))


def test_prometheus_counts_the_groups() -> None:
    fleet = synthetic.fleet(200)
    counted = metrics(fleet)["livepatch_group_protection"]
    for group in ("production", "staging", "web"):
        hosts = [host for host in fleet.hosts if group in host.labels.groups]
        known = sum(host.is_protected is True for host in hosts)
        assert counted[f'group="{group}",protection="protected"'] == known
        total = sum(count for labels, count in counted.items() if f'group="{group}"' in labels)
        assert total == len(hosts)
    many = {f"h{at}": Answer(labels=Labels((f"g{at}",))) for at in range(MOST_GROUPS + 5)}
    releases = read_releases([("a release", synthetic.release(0))])
    assert len(metrics(fleet_of(many, releases, synthetic.NOW))["livepatch_group_protection"]) == 3 * MOST_GROUPS


def test_prometheus_names_no_more_hosts_than_it_says() -> None:
    found = metrics(synthetic.fleet(2000))
    assert len(found["livepatch_unprotected_host"]) == MOST_HOSTS
    assert found["livepatch_unprotected_hosts_left_out"][None] > 0


def test_prometheus_has_one_series_for_kernels_of_one_name() -> None:
    """A host chose the name of the series that has the rest, and others names that differ in what is not shown."""
    names = [
        *(f"kernel-{number}" for number in range(MOST_KERNELS + 20)),
        "other",
        "other",
        "k\u200f",
        "k\u202e",
        "k\x1b",
    ]
    answers = {f"host-{at}": Answer(synthetic.host_facts(name, [], [])) for at, name in enumerate(names)}
    kernels = metrics(fleet_of(answers, (), synthetic.NOW))["livepatch_kernel_hosts"]
    assert sum(kernels.values()) == len(names)
    assert kernels['kernel="k\ufffd"'] == 3
    assert kernels['kernel="other"'] == 2 + 20 + 2


def test_prometheus_has_the_times_of_the_facts() -> None:
    found = metrics(synthetic.fleet(50))
    assert found["livepatch_report_timestamp_seconds"] == {None: int(synthetic.NOW.timestamp())}
    oldest = found["livepatch_oldest_facts_timestamp_seconds"][None]
    assert oldest < found["livepatch_newest_facts_timestamp_seconds"][None] < synthetic.NOW.timestamp()


class Page(html.parser.HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.inside and tag == self.inside[-1]:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        kinds = {"script": self.scripts, "style": self.styles}
        kinds.get(self.inside[-1] if self.inside else "", self.texts).append(data)


@of_each_fleet
def test_the_page_is_whole_and_asks_for_nothing(fleet: Fleet) -> None:
    page = Page(as_html(fleet))
    tags = [tag for tag, _attributes in page.tags]
    assert (tags.count("script"), tags.count("style")) == (2, 1)
    assert not {"img", "b", "link", "iframe", "object", "base"}.intersection(tags)
    for _tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style")]
        assert (attributes.get("href") or "#").startswith("#")


@of_each_fleet
def test_the_policy_allows_just_this_script_and_this_style(fleet: Fleet) -> None:
    page = Page(as_html(fleet))
    (policy,) = (str(values["content"]) for _tag, values in page.tags if "http-equiv" in values)
    for kind, texts in (("script", page.scripts[-1:]), ("style", page.styles)):
        digest = base64.b64encode(hashlib.sha256("".join(texts).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


@of_each_fleet
def test_the_data_of_the_page_are_all_hosts(fleet: Fleet) -> None:
    data = json.loads(Page(as_html(fleet)).scripts[0])
    assert [host[0] for host in data["hosts"]] == [host.name for host in fleet.hosts]
    assert data["fixes"] == [release.id for release in fleet.releases]


def test_names_in_the_summary_are_text() -> None:
    fleet = FLEETS["hostile"]
    page = Page(as_html(fleet))
    kernels = {host.facts.release for host in fleet.hosts if host.facts}
    named = {"data-fix": {release.id for release in fleet.releases}, "data-kernel": kernels}
    for attribute, names in named.items():
        assert {values[attribute] for _tag, values in page.tags if attribute in values} == names
        assert all(name in "".join(page.texts) for name in names)


def test_no_name_ends_the_data_of_the_page() -> None:
    fleet = FLEETS["hostile"]
    (data,) = re.findall(r'id="data">(.*?)</script>', as_html(fleet), re.DOTALL)
    assert not set("<>&").intersection(data)
    assert [host[0] for host in json.loads(data)["hosts"]] == [host.name for host in fleet.hosts]


def test_the_answer_comes_first() -> None:
    def sentences(fleet: Fleet) -> str:
        (answer,) = re.findall(r'class="answer">(.*?)</h2>', as_html(fleet))
        return str(answer)

    good = Answer(synthetic.host_facts(synthetic.KERNELS[4], [], []))
    bad = Answer(synthetic.host_facts(synthetic.KERNELS[0], [], []))
    releases = read_releases([("a release", synthetic.release(0))])

    def of(*answers: Answer) -> str:
        return sentences(
            fleet_of({str(number): answer for number, answer in enumerate(answers)}, releases, synthetic.NOW)
        )

    assert of() == "There are no hosts in this report."
    assert of(good) == "The only host is protected by the fix."
    assert of(bad) == "The only host is not protected by the fix."
    assert of(good, good) == "All 2 hosts are protected by the fix."
    assert of(good, bad) == "1 of 2 hosts is protected by the fix. 1 is not."
    assert of(good, bad, bad, Answer()) == "1 of 4 hosts is protected by the fix. 2 are not. Nothing is known about 1."
    assert sentences(synthetic.fleet(3)) == "2 of 3 hosts are protected by all 4 fixes. 1 is not."
    without = sentences(synthetic.fleet(3, with_releases=False))
    assert without == "Patches are effective on 2 of 3 hosts. No release was given to compare with."
