# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebook as ansible-rulebook runs it: alerts come in as Alertmanager sends them, and playbooks run on hosts."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest
import yaml
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import ROOT, Rollout

RULEBOOK = "openeuler.livepatch.fix_lost"
TOKEN = "not-guessed"
FIX = "Fix 1"
PATIENCE_SECONDS = 300
MARK = "__livepatch_rollout_mark: /run/openeuler-livepatch-trial-{{ __livepatch_rollout_release.name }}"

Data = dict[str, t.Any]


@dataclass(frozen=True)
class Answered:
    """What came of all the alerts: what was printed, the stand-in, and the status of each post by the host it names."""

    output: str
    rollout: Rollout
    statuses: dict[str, int]

    def wanted(self, host: str) -> list[t.Any]:
        """Which states livepatch_module was to bring the host to."""
        return [task.get("state") for task in self.rollout.tasks(host) if "src" in task]


def alert(host: str, *, status: str = "firing", more: Data | None = None, **labels: str) -> Data:
    """One alert, as Prometheus makes it of our rules."""
    named = {"alertname": "LivepatchFixLost", "fix": FIX, "instance": host, "patch": "fix_1", "severity": "critical"}
    times = {"startsAt": "2026-11-25T07:33:31.000Z", "endsAt": "0001-01-01T00:00:00Z"}
    said = {"annotations": {"summary": f"{host} runs without fix_1"}, "fingerprint": "00"}
    return {"status": status, "labels": {**named, **labels}, **times, **said, **(more or {})}


def message(*alerts: Data) -> Data:
    """The body that Alertmanager posts, of which an alert is a part."""
    names = {"receiver": "livepatch", "groupKey": "{}:{}", "externalURL": "http://alertmanager:9093"}
    return {"version": "4", "status": "firing", **names, "truncatedAlerts": 0, "alerts": list(alerts)}


def post(port: int, body: t.Any, token: str = TOKEN) -> int:
    """The status that the rulebook answers."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/alerts", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return t.cast(int, found.getsockname()[1])


def wait_until(is_so: t.Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert process.poll() is None, f"ansible-rulebook has ended, before {what}"
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def stand_in(folder: pathlib.Path) -> Rollout:
    """Scripted hosts, and a collection with the rulebook and a role that marks them below the folder."""
    rollout = Rollout(folder)
    for name in ("web1", "web2", "web3"):
        rollout.host(name, variables={"livepatch_become": False, "livepatch_rollout_soak": 0})
    collection = folder / "ansible_collections/openeuler/livepatch"
    shutil.copy(ROOT / "galaxy.yml", collection)
    (collection / "extensions/eda").mkdir(parents=True)
    (collection / "extensions/eda/rulebooks").symlink_to(ROOT / "extensions/eda/rulebooks")
    (collection / "roles").unlink()
    shutil.copytree(ROOT / "roles", collection / "roles")
    variables = collection / "roles/rollout/vars/main.yml"
    text = variables.read_text(encoding="utf-8")
    assert MARK in text
    mark = f"__livepatch_rollout_mark: {folder}/run/{{{{ inventory_hostname }}}}"
    variables.write_text(text.replace(MARK, mark), encoding="utf-8")
    inventory = {"all": {"hosts": rollout.hosts, "children": {"db": {"hosts": {"web2": {}}}}}}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    return rollout


def hostile(hit: pathlib.Path) -> dict[str, Data]:
    """Alerts that try to reach web2, or to run a command here; none is to run anything."""
    command = f"{{{{ lookup('pipe', 'touch {hit}') }}}}"
    names = [
        "web*",
        "web1,web2",
        "web1;web2",
        "~web.*",
        "@/etc/passwd",
        "!web1",
        "web2\n",
        "",
        "-e@/x",
        "-x",
        "--extra",
        "web2:web1",
        "web2:9100",
        "web2:9100:web1",
        "web2" + "x" * 300,
        "web2\nweb1",
        "web2:9100\n",
        "web2 ",
        command,
    ]
    return {
        **{f"the name {name!r}": alert(name) for name in names},
        "a limit": alert("web2", more={"meta": {"hosts": "all"}}),
        "a list": alert("web2", more={"labels": {"alertname": ["LivepatchFixLost"], "instance": ["web2"]}}),
        "a list of names": alert("web2", more={"labels": {**alert("x")["labels"], "instance": ["web1", "web2"]}}),
    }


Posts = t.Callable[[int], dict[str, int]]


def run_rulebook(folder: pathlib.Path, posts: Posts, runs: int, **more: t.Any) -> Answered:
    """One run of the rulebook with these variables, which gets the posts, until so many playbooks have ended."""
    rollout, port = stand_in(folder), free_port()
    variables = {
        "livepatch_eda_address": "127.0.0.1",
        "livepatch_eda_port": port,
        "livepatch_eda_token": TOKEN,
        "livepatch_eda_fix": FIX,
        "livepatch_eda_release_file": str(folder / rollout.write_release()["livepatch_release_file"]),
        "livepatch_eda_report_directory": str(folder / "report"),
        "livepatch_eda_accept": True,
        "livepatch_eda_trials": False,
        **more,
    }
    (folder / "variables.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")
    environ = rollout.environ(PATH=f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    options = ["--rulebook", RULEBOOK, "--inventory", "inventory.yml", "--vars", "variables.yml"]
    printed = folder / "printed"
    with open(printed, "wb") as stream:
        process = subprocess.Popen(
            ["ansible-rulebook", *options], cwd=folder, env=environ, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: listens(port), process, "it listens")
        statuses = posts(port)
        wait_until(lambda: printed.read_text(encoding="utf-8").count("PLAY RECAP") == runs, process, "all is answered")
        return Answered(printed.read_text(encoding="utf-8"), rollout, statuses)
    finally:
        process.terminate()
        process.wait(60)
        print(printed.read_text(encoding="utf-8"))


@pytest.fixture(name="answered", scope="module")
def fixture_answered(tmp_path_factory: pytest.TempPathFactory) -> Answered:
    """All alerts are posted to one run of the rulebook. web3 comes last: what was to run before has run then."""
    folder = tmp_path_factory.mktemp("eda")
    command = f"{{{{ lookup('pipe', 'touch {folder / 'hits' / 'annotation'}') }}}}"

    def posts(port: int) -> dict[str, int]:
        return {
            "no token": post(port, message(alert("web2")), token="guessed"),
            "resolved": post(port, message(alert("web2", status="resolved"))),
            "another alert": post(port, message(alert("web2", alertname="LivepatchOnTrial"))),
            "a lost trial": post(port, message(alert("web2", alertname="LivepatchTrialLost"))),
            "another fix": post(port, message(alert("web2", fix="Fix 2"))),
            "no alerts": post(port, {"labels": alert("web2")["labels"], "status": "firing"}),
            "a text": post(port, {"alerts": "web2"}),
            **{what: post(port, message(given)) for what, given in hostile(folder / "hits" / "name").items()},
            "a group": post(port, message(alert("all"), alert("db"), alert("localhost"))),
            "a loss": post(
                port,
                message(
                    alert("web2", status="resolved"),
                    alert("web1", more={"annotations": {"summary": command}}, patch=command),
                ),
            ),
            "repeated": post(port, message(alert("web1"))),
            "another loss": post(port, message(alert("web3"))),
        }

    return run_rulebook(folder, posts, runs=2)


def test_a_lost_trial_is_answered_if_that_is_asked_for(tmp_path: pathlib.Path) -> None:
    lost = message(alert("web2", alertname="LivepatchTrialLost"))
    answered = run_rulebook(
        tmp_path, lambda port: {"lost": post(port, lost)}, 1, livepatch_eda_trials=True, livepatch_eda_accept=False
    )
    assert [patch["enabled"] for patch in answered.rollout.state("web2")["patches"]] == [True]
    assert answered.rollout.state("web2")["accepted"] is False


def test_the_host_that_has_lost_the_fix_gets_it_back(answered: Answered) -> None:
    for host in ("web1", "web3"):
        (patch,) = answered.rollout.state(host)["patches"]
        assert (patch["name"], patch["enabled"]) == ("fix_1", True), host
        assert answered.rollout.state(host)["accepted"] is True
    report = json.loads((answered.rollout.folder / "report/livepatch.json").read_text(encoding="utf-8"))
    assert [host["name"] for host in report["hosts"]] == ["web3"]
    # It was reported as it was found, before the rollout.
    assert report["hosts"][0]["patches"] == []


def test_what_is_repeated_runs_once(answered: Answered) -> None:
    assert answered.statuses["repeated"] == 200
    assert answered.output.count("PLAY [Report the host of the alert]") == 2
    assert answered.output.count("PLAY [Roll the release out to it]") == 2


def test_no_other_alert_runs_anything(answered: Answered) -> None:
    """Whether it is resolved, of another name or fix, without the token, or hostile."""
    assert answered.rollout.tasks("web2") == []
    assert answered.rollout.state("web2")["patches"] == []
    refused = {what for what, status in answered.statuses.items() if status != 200}
    assert refused == {"no token", "a text"}
    assert answered.statuses["no token"] == 401


def test_names_of_groups_alone_reach_the_playbook_which_refuses_them(answered: Answered) -> None:
    """The rulebook has no inventory. It refuses all that cannot be a name."""
    assert answered.output.count("action.run_playbook - ERROR") == 3
    assert "livepatch_alert_host does not name a host of the inventory, and nothing else." in " ".join(
        answered.output.split()
    )


def test_no_text_of_an_alert_is_rendered(answered: Answered) -> None:
    assert list((answered.rollout.folder / "hits").iterdir()) == []
