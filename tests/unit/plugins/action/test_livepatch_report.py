# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_report. Ansible itself is replaced; the files are real ones."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import re
import typing as t
from unittest.mock import MagicMock

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_report import ActionModule
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_report
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import as_csv, statuses
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic

NOW = "2026-11-25T08:00:00Z"
NAMES = {"livepatch.csv", "livepatch.html", "livepatch.json", "livepatch.prom"}


class HostVars:
    def __init__(self, **hosts: t.Any) -> None:
        self.hosts = hosts

    def __contains__(self, host: str) -> bool:
        return host in self.hosts

    def raw_get(self, host: str) -> t.Any:
        # As ansible-core 2.19: asked for another host, it fails with an error of its own.
        return self.hosts[host]


def variables(facts: dict[str, t.Any] | None = None, **more: t.Any) -> dict[str, t.Any]:
    return {"ansible_facts": {"livepatch": facts} if facts else {}, **more}


FACTS = synthetic.host_facts(synthetic.KERNELS[4], [], [])
READ = {"ansible_facts": {"ansible_livepatch": FACTS}}
HOSTS = {"good": variables(FACTS), "silent": variables()}


class Report:
    """Makes a report in a folder, and reads it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def __call__(
        self,
        inventory: dict[str, t.Any] | None = None,
        check_mode: bool = False,
        diff: bool = False,
        left: t.Sequence[str] = (),
        **arguments: t.Any,
    ) -> dict[str, t.Any]:
        inventory = inventory or HOSTS
        task = MagicMock(
            args={"dest": str(self.folder), "now": NOW, **arguments},
            async_val=0,
            check_mode=check_mode,
            diff=diff,
        )
        action = ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        play = {
            "ansible_play_hosts_all": list(inventory),
            "ansible_play_hosts": [host for host in inventory if host not in left],
        }
        return action.run(task_vars={"hostvars": HostVars(**inventory), **play})

    def json(self) -> t.Any:
        return json.loads((self.folder / "livepatch.json").read_text(encoding="utf-8"))


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    found = MagicMock()
    monkeypatch.setattr("ansible.plugins.action.display", found)
    return found


@pytest.fixture
def report(tmp_path: pathlib.Path) -> Report:
    return Report(tmp_path / "report")


def test_the_files_and_the_summary(report: Report) -> None:
    result = report()
    assert result["changed"] is True
    assert set(os.listdir(report.folder)) == NAMES
    assert result["paths"]["html"] == str(report.folder / "livepatch.html")
    assert (result["summary"]["hosts"], result["summary"]["unknown"]) == (2, 1)
    assert report.json()["summary"] == result["summary"]
    assert "diff" not in result


def test_a_second_run_changes_nothing(report: Report) -> None:
    report()
    before = {name: os.stat(report.folder / name).st_ino for name in NAMES}
    assert report()["changed"] is False
    assert {name: os.stat(report.folder / name).st_ino for name in NAMES} == before


def test_only_what_differs_is_written(report: Report) -> None:
    report()
    (report.folder / "livepatch.csv").write_text("old")
    before = os.stat(report.folder / "livepatch.json").st_ino
    result = report(diff=True)
    assert result["changed"] is True
    assert [diff["before"] for diff in result["diff"]] == ["old"]
    assert os.stat(report.folder / "livepatch.json").st_ino == before
    assert set(os.listdir(report.folder)) == NAMES


def test_check_mode_predicts_and_writes_nothing(report: Report) -> None:
    predicted = report(check_mode=True, diff=True)
    assert not report.folder.exists()
    assert predicted == report(diff=True)
    assert report(check_mode=True, diff=True)["diff"] == []


def test_a_large_diff_is_left_out(report: Report) -> None:
    hosts = {f"host-{number}": variables(FACTS) for number in range(400)}
    diff = report(hosts, diff=True, formats=["json"])["diff"]
    assert [list(entry) for entry in diff] == [["src_larger"]]
    assert [list(entry) for entry in report(diff=True, formats=["json"])["diff"]] == [["dst_larger"]]


PUBLISHER = {"name": "Operations", "namespace": "https://ops.example.org"}


def test_the_formats_that_state_how_hosts_stand(report: Report) -> None:
    arguments: dict[str, t.Any] = {
        "formats": ["csaf", "openvex"],
        "releases": [synthetic.release(0)],
        "publisher": PUBLISHER,
    }
    paths = report(**arguments)["paths"]
    assert set(os.listdir(report.folder)) == {"livepatch.csaf.json", "livepatch.openvex.json"}
    found = {kind: json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for kind, path in paths.items()}
    assert (found["openvex"]["author"], found["csaf"]["document"]["category"]) == ("Operations", "csaf_vex")
    assert report(**arguments)["changed"] is False


@pytest.mark.parametrize("left_out", ["publisher", "releases"])
def test_nothing_is_written_if_there_is_nobody_or_nothing_to_state(report: Report, left_out: str) -> None:
    arguments: dict[str, t.Any] = {"releases": [synthetic.release(0)], "publisher": PUBLISHER}
    del arguments[left_out]
    result = report(formats=["json", "openvex"], **arguments)
    assert (result["failed"], result["reason"]) == (True, "bad_argument")
    assert not report.folder.exists()


def test_the_package_is_the_product_of_one_host_alone(report: Report) -> None:
    arguments: dict[str, t.Any] = {
        "formats": ["openvex"],
        "releases": [synthetic.release(0)],
        "publisher": PUBLISHER,
        "product": "package",
    }
    assert report(**arguments)["reason"] == "bad_argument"
    assert report(hosts=["good"], **arguments)["changed"] is True


def test_formats_and_hosts_are_chosen(report: Report) -> None:
    result = report(formats=["csv", "csv"], hosts=["silent"])
    assert list(result["paths"]) == ["csv"]
    assert os.listdir(report.folder) == ["livepatch.csv"]
    assert result["summary"]["hosts"] == 1


def test_labels_are_of_the_inventory_and_not_of_the_host(report: Report) -> None:
    """A host cannot say who owns it: Ansible takes what it answers for variables, before those of the inventory."""
    more = {"group_names": ["web", "ungrouped", "all"], "owner": "me", "rack": 7, "new": True, "tags": ["a"]}
    inventory = {
        "good": variables(FACTS, **more),
        "sly": {**variables(FACTS, **more), "ansible_facts": {"livepatch": FACTS, "owner": "me"}},
        "prefixed": {**variables(FACTS, ansible_owner="me"), "ansible_facts": {"livepatch": FACTS, "owner": "me"}},
        "huge": variables(FACTS, rack=10**5000, group_names=["g" * 600 + "1", "g" * 600 + "2"]),
        "text": variables(FACTS, owner="{{ 7 * 7 }}\x1b[31m"),
        "left": variables(FACTS, **more),
    }
    asked = ["owner", "rack", "new", "tags", "owner", "ansible_owner"]
    report(inventory, host_variables=asked, registered="nothing", left=["left"])
    found = {host["name"]: (host["groups"], host["variables"]) for host in report.json()["hosts"]}
    shown = {"owner": "me", "rack": "7", "new": "true", "tags": None, "ansible_owner": None}
    assert found["good"] == found["left"] == (["web"], shown)
    assert found["sly"] == (["web"], {**shown, "owner": None})
    nothing = dict.fromkeys(shown)
    assert found["text"] == ([], {**nothing, "owner": "{{ 7 * 7 }}\ufffd[31m"})
    assert found["prefixed"] == ([], nothing)
    assert (len(found["huge"][0]), found["huge"][1]) == (1, nothing)


@pytest.mark.parametrize("names", [["a b"], ["x-y"], ["1a"], [""], ["\u00e9"], list("abcdef")])
def test_only_names_of_variables_become_columns(report: Report, names: list[str]) -> None:
    result = report(host_variables=names)
    assert (result["failed"], result["reason"]) == (True, "bad_argument")
    assert not report.folder.exists()


def test_a_csv_that_is_too_long_is_told(report: Report, display: MagicMock, monkeypatch: pytest.MonkeyPatch) -> None:
    report()
    assert not display.warning.called
    monkeypatch.setattr(as_csv, "MOST_ROWS", 1)
    report(formats=["json"])
    assert not display.warning.called
    report()
    (told,) = (call.args[0] for call in display.warning.call_args_list)
    assert "livepatch.csv would have more rows than a spreadsheet can hold." in told


EMPTY = ("gained", "lost", "new_hosts", "gone_hosts", "unknown_now")


def test_the_report_before_may_be_the_one_that_is_replaced(report: Report) -> None:
    previous = str(report.folder / "livepatch.json")
    fixed = [synthetic.release(0)]
    first = report({"good": variables(FACTS), "gone": variables(FACTS)}, releases=fixed, previous=previous)
    assert first["summary"]["changes"] is None
    bare = variables(synthetic.host_facts(synthetic.KERNELS[0], [], []))
    later = {"good": bare, "new": variables(FACTS)}
    second = report(later, releases=fixed, previous=previous, now="2026-11-25T09:00:00Z")
    counts = {**dict.fromkeys(EMPTY, 0), "lost": 1, "new_hosts": 1, "gone_hosts": 1}
    assert second["summary"]["changes"] == {"since": NOW, **counts}
    assert report.json()["changes"]["lost"] == [{"host": "good", "fix": "CVE-2026-0001"}]
    third = report(later, releases=fixed, previous=previous, now="2026-11-25T10:00:00Z")
    assert third["summary"]["changes"] == {"since": "2026-11-25T09:00:00Z", **dict.fromkeys(EMPTY, 0)}


def test_the_history_grows_by_each_report(report: Report, tmp_path: pathlib.Path) -> None:
    history = tmp_path / "history"
    times = ["2026-11-25T08:00:00Z", "2026-11-26T08:00:00Z", "2026-11-27T08:00:00Z"]
    report(history=str(history), check_mode=True)
    assert not history.exists()
    for now in times:
        report(history=str(history), now=now)
    assert [point["generated_at"] for point in report.json()["history"]] == times
    assert sorted(os.listdir(history)) == [f"livepatch-202611{day}T080000Z.json" for day in (25, 26, 27)]
    assert report(history=str(history), now=times[-1])["changed"] is False
    report(history=str(history), now=times[0])
    assert [point["generated_at"] for point in report.json()["history"]] == times[:1]


def test_what_is_no_report_is_left_out_of_the_history(
    report: Report, tmp_path: pathlib.Path, display: MagicMock
) -> None:
    report(history=str(tmp_path), now="2026-11-24T08:00:00Z")
    for place, text in enumerate(("{}", "[1]", "no\x1b[31m", '{"format": 1, "summary": {}}', "[" * 100000)):
        (tmp_path / f"{place}.json").write_text(text, encoding="utf-8")
    (tmp_path / "5.json").write_bytes(b"\xff")
    (tmp_path / "directory.json").mkdir()
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "circle.json").symlink_to("circle.json")
    counts = {"hosts": 1, "protected": 2, "unprotected": 0, "unknown": 0, "generated_at": "2026-11-23T08:00:00Z"}
    (tmp_path / "many.json").write_text(json.dumps({"format": 1, "summary": counts}), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert report(history=str(tmp_path))["changed"] is True
    assert len(report.json()["history"]) == 2
    warnings = [call.args[0] for call in display.warning.call_args_list]
    assert len(warnings) == 10
    assert all(text.isprintable() for text in warnings)


def test_old_facts_count_if_they_were_just_read(report: Report) -> None:
    old = {**FACTS, "read_at": "2026-11-01T00:00:00Z"}
    read = {"ansible_facts": {"ansible_livepatch": old}}
    inventory = {
        "read": variables(old, read=read),
        "cached": variables(old),
        "skipped": variables(old, read={"skipped": True}),
    }
    result = report(inventory, registered="read")
    assert {host["name"]: host["headline"] for host in report.json()["hosts"]} == {
        "read": "no_patches",
        "cached": "unreachable",
        "skipped": "unreachable",
    }
    assert result["summary"]["unknown"] == 2
    assert report(inventory, max_age=604800.0, registered="read")["summary"]["unknown"] == 2
    assert report({"cached": variables({**FACTS, "read_at": NOW})}, max_age=1)["summary"]["unknown"] == 0


def test_now_is_the_current_time(report: Report) -> None:
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    made = report(now=None)["summary"]["generated_at"]
    assert before <= datetime.datetime.fromisoformat(made.replace("Z", "+00:00"))


def test_releases_from_a_directory_a_file_and_a_variable(report: Report, tmp_path: pathlib.Path) -> None:
    for place in range(2):
        (tmp_path / str(place)).mkdir()
        content = yaml.safe_dump({"livepatch_release": synthetic.release(place)})
        (tmp_path / str(place) / "release.yml").write_text(content)
    releases = [str(tmp_path / "0"), str(tmp_path / "1" / "release.yml"), synthetic.release(2)]
    report(releases=releases)
    assert [fix["id"] for fix in report.json()["fixes"]] == ["CVE-2026-0001", "CVE-2026-0107", "CVE-2026-0212"]


@pytest.mark.parametrize(
    ("registered", "facts", "headline", "why"),
    [
        (READ, FACTS, "no_patches", "No patch is enabled."),
        (None, FACTS, "unreachable", "It was not read: the play has not come to it, or does not have it."),
        ({"skipped": True}, FACTS, "no_patches", "No patch is enabled."),
        ({"unreachable": True, "msg": "No route."}, None, "unreachable", "No route."),
        ({"unreachable": True, "msg": "No route."}, FACTS, "unreachable", "No route."),
        ({"failed": True, "msg": "No Python."}, None, "failed", "Its facts could not be read: No Python."),
        # With failed_when: false nothing has failed, and the discovery of the interpreter leaves facts.
        ({"ansible_facts": {"discovered": 1}, "msg": "No."}, FACTS, "failed", "Its facts could not be read: No."),
        ({}, FACTS, "failed", "Its facts could not be read: The reason is unknown."),
    ],
)
def test_why_a_host_was_not_read(
    report: Report, registered: dict[str, t.Any] | None, facts: dict[str, t.Any] | None, headline: str, why: str
) -> None:
    report({"host": variables(facts, **({"read": registered} if registered is not None else {}))}, registered="read")
    (host,) = report.json()["hosts"]
    assert (host["headline"], host["why"]) == (headline, why)
    assert host["kernel"] == (synthetic.KERNELS[4] if facts else None)


@pytest.mark.parametrize(
    ("registered", "headline", "why"),
    [
        ({}, "unreachable", "It left the play before it was read"),
        # Of an earlier play: its facts are older than the failure.
        ({"read": READ}, "unreachable", "It left the play before it was read"),
        ({"read": {"skipped": True}}, "unreachable", "It left the play before it was read"),
        ({"read": {"failed": True, "msg": "No Python."}}, "failed", "Its facts could not be read: No Python."),
    ],
)
def test_a_host_that_left_the_play_does_not_count(
    report: Report, registered: dict[str, t.Any], headline: str, why: str
) -> None:
    inventory = {"left": variables(FACTS, **registered), "good": variables(FACTS, read=READ)}
    made = report(inventory, left=["left"], registered="read")
    good, left = report.json()["hosts"]
    assert (left["headline"], left["why"][: len(why)]) == (headline, why)
    assert left["kernel"] and good["headline"] == "no_patches"
    assert made["summary"]["unknown"] == 1
    report(inventory, left=["left"])
    assert report.json()["hosts"][1]["headline"] == "no_patches"


def test_templates_from_hosts_stay_text(report: Report) -> None:
    sly = {**FACTS, "release": "{{ lookup('pipe', 'id') }}"}
    report({"host": variables(sly)})
    assert report.json()["hosts"][0]["kernel"] == sly["release"]


FAILURES = [
    ({"now": "soon"}, "bad_time"),
    ({"max_age": 0}, "bad_argument"),
    ({"max_age": "nan"}, "bad_argument"),
    ({"hosts": ["nobody"]}, "unknown_host"),
    ({"releases": ["/nonexistent"]}, "no_such_release"),
    ({"releases": [{}]}, "bad_release"),
    ({"releases": [synthetic.release(0), synthetic.release(0)]}, "bad_release"),
    ({"releases": [__file__]}, "bad_release"),
    ({"releases": [{"id": "\x1b[31m"}]}, "bad_release"),
    ({"now": "\x1b[31m"}, "bad_time"),
    ({"previous": __file__}, "bad_previous"),
    ({"previous": "/dev/null/livepatch.json"}, "bad_previous"),
    ({"previous": "/"}, "bad_previous"),
    ({"history": "/dev/null"}, "bad_previous"),
    ({"dest": "/dev/null/report"}, "not_written"),
    ({"dest": "/dev/null/report", "check_mode": True}, "not_written"),
]


@pytest.mark.parametrize(("arguments", "reason"), FAILURES)
def test_failures_are_explained(report: Report, arguments: dict[str, t.Any], reason: str) -> None:
    result = report(**arguments)
    assert result["failed"] is True
    assert result["reason"] == reason
    assert result["msg"] == f"{result['cause']} {result['remedy']}"
    for text in (result["cause"], result["remedy"]):
        assert text.endswith(".")
        assert text.isprintable()


def leaves(returned: dict[str, t.Any]) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    for key, value in returned.items():
        assert value["returned"], key
        if "contains" in value:
            yield from leaves(value["contains"])
        else:
            yield key, value


def test_the_results_are_what_the_documentation_says(report: Report) -> None:
    documented = yaml.safe_load(livepatch_report.RETURN)
    result, failure = report(), report(now="soon")
    assert set(documented) == (set(result) | set(failure)) - {"changed", "failed", "msg"}
    assert set(documented["summary"]["contains"]) == set(result["summary"])
    samples = {key: value["sample"] for key, value in leaves(documented)}
    for counts in (samples["headlines"], samples["with_status"]):
        assert set(counts) <= {status.key for status in statuses.STATUSES}
    assert sum(samples["headlines"].values()) == samples["hosts"]
    reasons = set(re.findall(r"V\((\w+)\)", documented["reason"]["description"][1]))
    assert reasons == {reason for _arguments, reason in FAILURES}


def test_nothing_is_left_of_a_write_that_fails(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    report(formats=["csv"])
    (report.folder / "livepatch.csv").write_text("old")

    def refuse(_source: str, _target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    assert report(formats=["csv"])["reason"] == "not_written"
    assert os.listdir(report.folder) == ["livepatch.csv"]
    assert (report.folder / "livepatch.csv").read_text() == "old"


def test_what_others_have_put_in_the_folder_is_neither_read_nor_written(report: Report, tmp_path: pathlib.Path) -> None:
    """A pipe keeps nobody waiting, and no link leads to another file of the user's."""
    mine = tmp_path / "mine"
    mine.write_text("mine", encoding="utf-8")
    made = report()
    assert len(made["paths"]) > 2
    for path in map(pathlib.Path, made["paths"].values()):
        (path.parent / f".{path.name}.{os.getpid()}").symlink_to(mine)
        path.write_text("old", encoding="utf-8")
    assert report()["changed"]
    assert mine.read_text(encoding="utf-8") == "mine"
    (report.folder / "livepatch.json").unlink()
    os.mkfifo(report.folder / "livepatch.json")
    assert report()["failed"]
