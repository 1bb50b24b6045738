# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook report and the examples of livepatch_report, run on this machine and on hosts that are none."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import typing as t
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_report

COLLECTION = Path(__file__).resolve().parents[3]
FILES = {"livepatch.csv", "livepatch.html", "livepatch.json", "livepatch.prom"}
STATEMENTS = {"livepatch.csaf.json", "livepatch.openvex.json"}
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"
RELEASE: dict[str, t.Any] = {
    "format": 1,
    "fix": {"id": "CVE-2026-0001", "cves": ["CVE-2026-0001"]},
    "name": "livepatch_cve_2026_0001",
    "fixed_in": [platform.release()],
    "files": [],
}

if COLLECTION.parts[-3:] != ("ansible_collections", "openeuler", "livepatch"):
    pytest.skip("Ansible finds the collection only in a tree of collections", allow_module_level=True)


class Play:
    """Runs a playbook in an empty directory with hosts that are unreachable, here, and without a Python."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / "empty"
        self.folder.mkdir()
        no_connection = path / "no-connection"
        no_connection.write_text("#!/bin/sh\nexit 255\n")
        no_connection.chmod(0o755)
        self.kinds = {
            "dead": {"ansible_connection": "ssh", "ansible_ssh_executable": str(no_connection)},
            "here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "no-python": {"ansible_connection": "local", "ansible_python_interpreter": "/nonexistent/python"},
        }

    def __call__(self, playbook: str, *hosts: str, arguments: t.Sequence[str] = ()) -> str:
        inventory = {"all": {"hosts": {f"{place}-{kind}": self.kinds[kind] for place, kind in enumerate(hosts)}}}
        (self.path / "inventory.yml").write_text(yaml.safe_dump(inventory))
        done = subprocess.run(
            [sys.executable, "-c", ANSIBLE_PLAYBOOK, playbook, "-i", "../inventory.yml", *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTION.parents[2]),
                "ANSIBLE_HOME": str(self.path / "home"),
                "ANSIBLE_CACHE_PLUGIN": "jsonfile",
                "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.path / "cache"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


def report_of(play: Play, *hosts: str, arguments: t.Sequence[str] = ()) -> dict[str, dict[str, t.Any]]:
    release = play.folder / "release.yml"
    release.write_text(yaml.safe_dump({"livepatch_release": RELEASE}), encoding="utf-8")
    variables = {"livepatch_become": False, "livepatch_release_file": str(release)}
    play("openeuler.livepatch.report", *hosts, arguments=["-e", json.dumps(variables), *arguments])
    data = json.loads((play.folder / "livepatch-report" / "livepatch.json").read_text(encoding="utf-8"))
    return {host["name"]: host for host in data["hosts"]}


def test_check_mode_works_on_the_first_run_and_writes_nothing(play: Play) -> None:
    play("openeuler.livepatch.report", "dead", "here", arguments=["--check", "-e", "livepatch_become=false"])
    assert list(play.folder.iterdir()) == []


def test_one_report_of_all_hosts_also_if_the_first_is_unreachable(play: Play) -> None:
    hosts = report_of(play, "dead", "here", "no-python")
    assert set(os.listdir(play.folder / "livepatch-report")) == FILES
    assert {name: host["headline"] for name, host in hosts.items()} == {
        "0-dead": "unreachable",
        "1-here": "fixed_in",
        "2-no-python": "failed",
    }
    assert hosts["1-here"]["age_seconds"] < 600
    assert hosts["2-no-python"]["why"].startswith("Its facts could not be read: The module")


def summary_in(output: str) -> dict[str, t.Any]:
    """What set_stats got."""
    (found,) = re.findall(r"\tRUN: (\{.*\})", output[output.index("CUSTOM STATS") :])
    return json.loads(found)["livepatch_report_summary"]


def test_what_the_next_job_of_a_workflow_gets(play: Play) -> None:
    write_release(play)
    folder = play.folder / "releases" / RELEASE["fix"]["id"]
    given = {"livepatch_become": False, "livepatch_release_file": f"releases/{RELEASE['fix']['id']}"}
    arguments = ["-e", json.dumps(given)]
    counts = {"hosts": 2, "protected": 1, "unprotected": 0, "unknown": 1}
    playbook = "openeuler.livepatch.report"
    checked = summary_in(play(playbook, "dead", "here", arguments=[*arguments, "--check"]))
    assert checked.pop("statuses")["fixed_in"] == 1
    assert checked == {"is_check_mode": True, "release_file": str(folder), "json": "", **counts}
    made = summary_in(play(playbook, "dead", "here", arguments=arguments))
    assert made["statuses"] == checked_statuses(play.folder / "livepatch-report" / "livepatch.json")
    written = {"is_check_mode": False, "json": str(play.folder / "livepatch-report" / "livepatch.json")}
    assert {name: made[name] for name in checked} == {**checked, **written}
    several = {"livepatch_become": False, "livepatch_report_formats": ["csv"]}
    bare = summary_in(play(playbook, "here", arguments=["-e", json.dumps(several)]))
    assert (bare["json"], bare["release_file"], bare["protected"], bare["unprotected"]) == ("", "", None, None)


def checked_statuses(path: Path) -> dict[str, int]:
    return json.loads(path.read_text(encoding="utf-8"))["summary"]["with_status"]


def test_a_report_if_no_host_is_reachable(play: Play) -> None:
    assert [host["headline"] for host in report_of(play, "dead", "dead").values()] == ["unreachable"] * 2


def test_the_same_bytes_from_a_cache(play: Play) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (play.folder / "livepatch-report").iterdir()}

    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    now = ["-e", f"livepatch_report_now={soon:%Y-%m-%dT%H:%M:%SZ}"]
    report_of(play, "here", arguments=now)
    first = files()
    report_of(play, "here", arguments=[*now, "-e", "livepatch_report_read=false"])
    assert files() == first
    old = report_of(play, "here", arguments=[*now, "-e", "livepatch_report_read=false livepatch_report_max_age=60"])
    assert [(host["headline"], host["protected"]) for host in old.values()] == [("unreachable", False)]
    new = report_of(play, "here", arguments=[*now, "-e", "livepatch_report_max_age=60"])
    assert [(host["headline"], host["protected"]) for host in new.values()] == [("fixed_in", True)]


def write_release(play: Play) -> None:
    folder = play.folder / "releases" / RELEASE["fix"]["id"]
    folder.mkdir(parents=True)
    (folder / "release.yml").write_text(yaml.safe_dump({"livepatch_release": RELEASE}))


def test_the_playbook_of_the_role(play: Play) -> None:
    write_release(play)
    shutil.copy(COLLECTION / "examples/guides/report.yml", play.folder)
    variables = {"ansible_become": False, "livepatch_report_directory": "report"}
    play("report.yml", "dead", "here", arguments=["-e", json.dumps(variables)])
    assert set(os.listdir(play.folder / "report")) == FILES


def test_the_role_states_who_the_publisher_is(play: Play) -> None:
    write_release(play)
    variables = {
        "livepatch_become": False,
        "livepatch_release_file": "releases/CVE-2026-0001",
        "livepatch_report_formats": ["openvex", "csaf"],
        "livepatch_report_publisher": {"name": "Operations", "namespace": "https://ops.example.org"},
    }
    play("openeuler.livepatch.report", "dead", "here", arguments=["-e", json.dumps(variables)])
    folder = play.folder / "livepatch-report"
    assert set(os.listdir(folder)) == STATEMENTS
    document = json.loads((folder / "livepatch.csaf.json").read_text(encoding="utf-8"))["document"]
    assert document["publisher"]["namespace"] == "https://ops.example.org"


def test_a_document_for_the_scans_of_each_host(play: Play) -> None:
    write_release(play)
    shutil.copy(COLLECTION / "examples/guides/vex.yml", play.folder)
    play("vex.yml", "dead", "here", arguments=["-e", "ansible_become=false"])
    found = {}
    for host in ("0-dead", "1-here"):
        assert set(os.listdir(play.folder / "statements" / host)) == STATEMENTS
        text = (play.folder / "statements" / host / "livepatch.openvex.json").read_text(encoding="utf-8")
        found[host] = [statement["status"] for statement in json.loads(text)["statements"]]
    assert found == {"0-dead": ["under_investigation"], "1-here": ["fixed"]}


def test_a_host_that_is_not_in_the_inventory_is_told(play: Play) -> None:
    task = {"openeuler.livepatch.livepatch_report": {"dest": "report", "hosts": ["nosuch"]}, "register": "made"}
    said = {"ansible.builtin.assert": {"that": "made.reason == 'unknown_host' and 'nosuch is not in' in made.cause"}}
    tasks = [{**task, "ignore_errors": True}, said]
    (play.folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    play("play.yml", "here")


def test_the_examples_of_the_module(play: Play) -> None:
    tasks = yaml.safe_load(livepatch_report.EXAMPLES)
    playbook = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    (play.folder / "examples.yml").write_text(yaml.safe_dump(playbook))
    write_release(play)
    play("examples.yml", "dead", "here")
    assert set(os.listdir(play.folder / "report")) == FILES
    assert set(os.listdir(play.folder / "statements")) == STATEMENTS
    openvex = json.loads((play.folder / "statements" / "livepatch.openvex.json").read_text(encoding="utf-8"))
    assert [statement["status"] for statement in openvex["statements"]] == ["fixed", "under_investigation"]
