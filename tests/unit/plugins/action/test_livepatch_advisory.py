# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_advisory. Ansible itself is replaced; the files are real ones."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import typing as t
from unittest.mock import MagicMock

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_advisory import LIVEPATCH_ADVISORY, ActionModule
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_advisory
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.standing import STATUSES
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.advisories import (
    CVES,
    OE_FIXED,
    on_openeuler,
    openeuler,
    patch,
)

OLD = on_openeuler("6.6.0-28.0.0.34.oe2403.x86_64", line="24.03-LTS")
NEW = on_openeuler(f"{OE_FIXED}.x86_64")


class HostVars:
    def __init__(self, hosts: t.Mapping[str, t.Any]) -> None:
        self.hosts = hosts

    def __contains__(self, host: str) -> bool:
        return host in self.hosts

    def raw_get(self, host: str) -> t.Any:
        # As ansible-core 2.19: asked for another host, it fails with an error of its own.
        return self.hosts[host]


class Task:
    """Runs the task in a folder with an advisory."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.inventory: dict[str, t.Any] = {}
        self.write(openeuler())

    def write(self, data: t.Any) -> None:
        (self.folder / "advisory.json").write_text(json.dumps(data), encoding="utf-8")

    def __call__(self, check_mode: bool = False, diff: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        given = {"source": str(self.folder / "advisory.json"), **arguments}
        task = MagicMock(args=given, async_val=0, check_mode=check_mode, diff=diff)
        action = ActionModule(task, *[MagicMock() for _other in range(5)])
        hosts = list(self.inventory)
        play = {"ansible_play_hosts_all": hosts, "ansible_play_hosts": hosts}
        return action.run(task_vars={"hostvars": HostVars(self.inventory), **play})


@pytest.fixture(name="task")
def _task(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setitem(sys.modules, "rpm", None)
    monkeypatch.chdir(tmp_path)
    return Task(tmp_path)


def documented() -> dict[str, t.Any]:
    return yaml.safe_load(livepatch_advisory.DOCUMENTATION)["options"]


def test_the_documentation_is_of_these_options() -> None:
    for name, option in LIVEPATCH_ADVISORY["argument_spec"].items():
        told = {key: value for key, value in documented()[name].items() if key != "description"}
        assert told == option, name
    assert documented().keys() == LIVEPATCH_ADVISORY["argument_spec"].keys()


def keys_of(returned: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: keys_of(value["contains"]) if "contains" in value else {} for key, value in returned.items()}


def test_the_result_is_what_is_documented(task: Task) -> None:
    task.inventory = {"old": {"ansible_facts": {"livepatch": {**OLD, "patches": [patch("a", CVES[0])]}}}}
    result = task(dest="fix.yml", hosts=["old"])
    known = keys_of(yaml.safe_load(livepatch_advisory.RETURN))
    assert result.keys() == known.keys() - {"reason", "cause", "remedy"} | {"changed"}
    assert result["advisory"].keys() == known["advisory"].keys()
    assert result["advisory"]["kernels"][0].keys() == known["advisory"]["kernels"].keys()
    assert result["hosts"][0].keys() == known["hosts"].keys()
    assert result["fix_file"].keys() == known["fix_file"].keys()
    sample = yaml.safe_load(livepatch_advisory.RETURN)["summary"]["sample"]
    assert list(result["summary"]) == list(sample) == list(STATUSES)


def test_an_advisory_alone_writes_nothing(task: Task) -> None:
    result = task()
    assert (result["changed"], result["hosts"], result["kernels"]) == (False, [], [])
    assert result["advisory"]["id"] == "openEuler-SA-2026-0001"
    assert "fix_file" not in result
    assert os.listdir(task.folder) == ["advisory.json"]


def test_the_fix_is_written_once(task: Task) -> None:
    assert task(dest="fix.yml")["fix_file"] == {"path": str(task.folder / "fix.yml"), "state": "created"}
    before = os.stat("fix.yml").st_ino
    again = task(dest="fix.yml")
    assert (again["changed"], again["fix_file"]["state"]) == (False, "unchanged")
    assert os.stat("fix.yml").st_ino == before
    fix = yaml.safe_load((task.folder / "fix.yml").read_text(encoding="utf-8"))
    assert fix["livepatch_build_fixed_in"] == result_fixed_in(task)


def result_fixed_in(task: Task) -> list[str]:
    return list(task()["advisory"]["fixed_in"])


def test_what_the_operator_has_filled_in_is_kept_unless_it_may_be_replaced(task: Task) -> None:
    (task.folder / "fix.yml").write_text("mine: 1\n", encoding="utf-8")
    for more in ({}, {"check_mode": True}, {"diff": True}):
        result = task(dest="fix.yml", **more)
        assert (result["changed"], result["fix_file"]["state"]) == (False, "kept")
        assert "diff" not in result
    result = task(dest="fix.yml", overwrite=True, diff=True, check_mode=True)
    assert (result["changed"], result["fix_file"]["state"]) == (True, "replaced")
    assert (task.folder / "fix.yml").read_text(encoding="utf-8") == "mine: 1\n"
    assert task(dest="fix.yml", overwrite=True, diff=True) == result
    written = (task.folder / "fix.yml").read_text(encoding="utf-8")
    assert [(diff["before"], diff["after"]) for diff in result["diff"]] == [("mine: 1\n", written)]
    assert task(dest="fix.yml", overwrite=True)["fix_file"]["state"] == "unchanged"


def test_check_mode_predicts_and_writes_nothing(task: Task) -> None:
    predicted = task(dest="new/", check_mode=True, diff=True)
    assert os.listdir(task.folder) == ["advisory.json"]
    assert task(dest="new/", diff=True) == predicted
    assert os.listdir(task.folder / "new") == ["fix.yml"]


@pytest.mark.parametrize("dest", ["there", "there/", "new/deep/"])
def test_a_directory_gets_a_fix_yml(task: Task, dest: str) -> None:
    (task.folder / "there").mkdir()
    assert task(dest=dest)["fix_file"]["path"] == str(task.folder / dest / "fix.yml")
    assert (task.folder / dest / "fix.yml").is_file()


def test_what_cannot_be_written(task: Task) -> None:
    os.mkfifo(task.folder / "pipe")
    for dest in ("advisory.json/fix.yml", "pipe"):
        result = task(dest=dest)
        assert (result["failed"], result["reason"]) == (True, "not_written")


def test_no_path_is_made_of_an_advisory_and_no_text_is_rendered(task: Task) -> None:
    evil = "../../{{ lookup('ansible.builtin.pipe', 'touch hit') }}\x1b[2J\n- x"
    data = openeuler()
    data["document"]["title"] = data["document"]["tracking"]["id"] = evil
    data["document"]["publisher"]["name"] = data["document"]["aggregate_severity"]["text"] = evil
    task.write(data)
    (task.folder / "sub").mkdir()
    result = task(dest="sub")
    assert sorted(os.listdir(task.folder)) == ["advisory.json", "sub"]
    assert os.listdir(task.folder / "sub") == ["fix.yml"]
    text = (task.folder / "sub/fix.yml").read_text(encoding="utf-8")
    assert text.count("lookup(") == text.count('!unsafe "../../') == 3
    assert "\x1b" not in text and "\x1b" not in str(result)


def test_hosts_by_their_facts(task: Task) -> None:
    read: dict[str, t.Any] = {"ansible_facts": {"ansible_livepatch": {}}}
    task.inventory = {
        "new": {"ansible_facts": {"livepatch": NEW}, "got": read},
        "old": {"ansible_facts": {"livepatch": {**OLD, "patches": [patch("a", *CVES)]}}, "got": read},
        "gone": {"ansible_facts": {}, "got": {"unreachable": True, "msg": "No route to {{ host }}"}},
        "broken": {"ansible_facts": {"livepatch": NEW}, "got": {"failed": True, "msg": "No Python\nhere"}},
        "lies": {"ansible_facts": {"livepatch": [NEW]}, "got": read},
    }
    result = task(hosts=list(task.inventory), registered="got")
    assert {host["name"]: host["status"] for host in result["hosts"]} == {
        "new": "fixed_by_package",
        "old": "fixed_by_live_patch",
        "gone": "unknown",
        "broken": "unknown",
        "lies": "unknown",
    }
    why = {host["name"]: host["why"] for host in result["hosts"]}
    assert why["gone"] == "No route to {{ host }}"
    assert why["broken"] == "Its facts could not be read: No Python here"
    assert sum(result["summary"].values()) == 5
    assert task(hosts=["new"])["hosts"][0]["status"] == "fixed_by_package"


def test_the_kernels_that_need_a_live_patch(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rpm", MagicMock(labelCompare=lambda left, right: -1))
    task.inventory = {name: {"ansible_facts": {"livepatch": OLD}} for name in ("a", "b")}
    task.inventory["new"] = {"ansible_facts": {"livepatch": NEW}}
    result = task(hosts=list(task.inventory))
    assert result["kernels"] == [OLD["release"]]
    assert result["summary"]["needs_live_patch"] == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"source": "nosuch.json"}, "no_such_advisory"),
        ({"source": "http://localhost/a.json"}, "bad_argument"),
        ({"hosts": ["nosuch"]}, "unknown_host"),
    ],
)
def test_failures(task: Task, arguments: dict[str, t.Any], reason: str) -> None:
    result = task(dest="fix.yml", **arguments)
    assert (result["failed"], result["changed"], result["reason"]) == (True, False, reason)
    assert result["msg"] == f"{result['cause']} {result['remedy']}"
    assert not (task.folder / "fix.yml").exists()
    told = yaml.safe_load(livepatch_advisory.RETURN)["reason"]["description"][0]
    assert f"V({reason})" in told


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "7", '{"document": {"csaf_version": "2.0"}}'])
def test_documents_that_are_none(task: Task, content: str) -> None:
    (task.folder / "advisory.json").write_text(content, encoding="utf-8")
    assert task()["reason"] in ("bad_advisory", "no_products")
