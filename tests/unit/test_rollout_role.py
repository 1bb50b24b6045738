# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role rollout with hosts that are this machine, and modules that are replaced. The scenario has real ones."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"
ACTION = """
import json
import os
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        path = os.path.join(os.environ["STATES"], task_vars["inventory_hostname"])
        with open(path) as stream:
            state = json.load(stream)
        patches = {patch["name"]: patch for patch in state["patches"]}
        wanted = self._task.args.get("state", "enabled")
        with open(path + ".tasks", "a") as stream:
            print(json.dumps(self._task.args, default=str), file=stream)
        enabled = patches.get("fix_1", {}).get("enabled", False)
        result = {"changed": enabled if wanted in ("reverted", "disabled") else not enabled}
        if self._task.action.endswith("livepatch_facts"):
            return {"ansible_facts": {"ansible_livepatch": state}}
        if wanted == "enabled" and state["refuses"]:
            return {"failed": True, "msg": state["refuses"]}
        if self._task.check_mode:
            return dict(result, actions=["enable"] if result["changed"] else [])
        if wanted == "reverted":
            patches.pop("fix_1", None)
        else:
            patches["fix_1"] = patch(wanted == "enabled")
        state["patches"] = list(patches.values())
        state["accepted"] |= self._task.args.get("boot") == "accepted"
        with open(path, "w") as stream:
            json.dump(state, stream)
        return result


def patch(enabled):
    return {"name": "fix_1", "enabled": enabled, "effective": "full" if enabled else "none", "in_transition": False}
"""
ENABLED = {"name": "fix_1", "enabled": True, "effective": "full", "in_transition": False}
DISABLED = {"name": "fix_1", "enabled": False, "effective": "none", "in_transition": False}
# A name as a release of an older version may have it.
RELEASE = {"format": 1, "id": "Fix 1", "name": "fix-1", "supersedes": [], "fixed_in": ["6.7"]}


class Rollout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "states").mkdir()
        (folder / "run").mkdir()
        (folder / "fix_1.ko").write_bytes(b"patch")
        collection = folder / "ansible_collections/openeuler/livepatch"
        (collection / "plugins/action").mkdir(parents=True)
        for part in (
            "roles",
            "playbooks",
            "plugins/filter",
            "plugins/plugin_utils",
            "plugins/action/livepatch_release_info.py",
        ):
            (collection / part).symlink_to(ROOT / part)
        for name in ("livepatch_facts", "livepatch_module"):
            (collection / "plugins/action" / f"{name}.py").write_text(ACTION, encoding="utf-8")
        digest = hashlib.sha256(b"patch").hexdigest()
        file = {"kernel_release": "6.6", "machine": "x86_64", "path": "fix_1.ko", "sha256": digest}
        self.release = {**RELEASE, "files": [file]}
        self.hosts: dict[str, dict] = {}

    def host(self, name: str, mark: str | None = None, variables: dict | None = None, **state: object) -> None:
        known = {"release": "6.6", "machine": "x86_64", "patches": [], "trouble": [], "refuses": "", "accepted": False}
        (self.folder / "states" / name).write_text(json.dumps({**known, **state}), encoding="utf-8")
        if mark is not None:
            (self.folder / "run" / f"openeuler-livepatch-trial-fix_1-{name}").write_text(mark, encoding="utf-8")
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
        self.hosts[name] = {**here, **(variables or {})}

    def state(self, name: str) -> dict:
        return json.loads((self.folder / "states" / name).read_text(encoding="utf-8"))

    def tasks(self, name: str) -> list[dict]:
        """The arguments of the modules that were run on a host."""
        lines = (self.folder / "states" / f"{name}.tasks").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def run(self, *options: str, returns: int = 0) -> str:
        # Whatever runs on the controller must not become anybody: here it could not.
        everywhere = {"ansible_become": True, "ansible_become_user": "nobody", "ansible_become_exe": "/bin/false"}
        inventory = {"all": {"hosts": self.hosts, "vars": everywhere}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        variables = {
            "livepatch_become": False,
            "livepatch_waves": "100%",
            "livepatch_release": self.release,
            # Precedes the variable of the role. All hosts have the same /run.
            "__livepatch_rollout_mark": str(self.folder / "run")
            + "/openeuler-livepatch-trial-{{ __livepatch_rollout_release.name }}-{{ inventory_hostname }}",
        }
        command = [sys.executable, "-c", ANSIBLE_PLAYBOOK, "openeuler.livepatch.rollout", "--inventory=inventory.yml"]
        done = subprocess.run(
            [*command, f"--extra-vars={json.dumps(variables)}", *[f"--extra-vars={option}" for option in options]],
            cwd=self.folder,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
                "ANSIBLE_HOME": str(self.folder / "home"),
                "ANSIBLE_NOCOLOR": "1",
                "STATES": str(self.folder / "states"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == returns, done.stdout + done.stderr
        assert [path.name for path in (self.folder / "run").iterdir()] == []
        return done.stdout


@pytest.fixture(name="rollout")
def fixture_rollout(tmp_path: Path) -> Rollout:
    return Rollout(tmp_path)


def test_all_goes_well(rollout: Rollout):
    rollout.host("fresh")
    rollout.host("done", patches=[ENABLED])
    rollout.host("fixed", release="6.7")
    options = "livepatch_rollout_soak=0.5 livepatch_rollout_on_no_patch_file=fail livepatch_rollout_accept=false"
    output = rollout.run(options)
    for line in ("fresh: enabled", "done: enabled before", "fixed: fixed (kernel 6.7)"):
        assert f'"{line}"' in output
    assert "Pausing for 1 second" in output
    assert not any(rollout.state(name)["accepted"] for name in rollout.hosts)
    assert "FAILED" not in output and "...ignoring" not in output


def test_what_a_killed_run_has_left_is_rolled_back_if_the_wave_does_not_begin(rollout: Rollout):
    rollout.host("left", patches=[ENABLED], mark='Fix 1\nbefore {"disabled": true, "trouble": []}\n')
    rollout.host("done", patches=[ENABLED])
    rollout.host("covered", refuses="It is covered.")
    output = rollout.run("livepatch_rollout_accept=true", returns=2)
    # Some versions of Ansible show the line breaks of a message, others write them as \n.
    assert re.search(r"left: rolled back(\n|\\n)", output)
    assert "covered: refused. It is covered." in output
    assert rollout.state("left")["patches"] == [DISABLED]
    assert not any(rollout.state(name)["accepted"] for name in rollout.hosts)


def test_what_was_before_is_what_the_killed_run_found(rollout: Rollout):
    """And no more hosts than permitted fail."""
    rollout.host(
        "left", patches=[ENABLED], trouble=["a warning"], mark='Fix 1\nbefore {"disabled": false, "trouble": []}\n'
    )
    rollout.host("fresh", trouble=["an oops"])
    output = rollout.run("livepatch_rollout_accept=true livepatch_rollout_max_fail_percentage=50", returns=2)
    assert "The kernel has had a warning since." in output
    assert '"left: rolled back. ' in output
    assert '"fresh: enabled"' in output
    assert rollout.state("left")["patches"] == []
    assert [rollout.state(name)["accepted"] for name in ("left", "fresh")] == [False, True]


def test_one_release_for_all_hosts(rollout: Rollout):
    rollout.host("one", variables={"livepatch_rollout_directory": "/one"})
    rollout.host("other", variables={"livepatch_rollout_directory": "/other"})
    assert "The hosts of this wave do not all have the same livepatch_rollout_release_file" in rollout.run(returns=2)


def test_each_gate_can_refuse(rollout: Rollout):
    gates = {
        "command": ({"command": ["false"]}, "Check the gate command: "),
        "url": ({"url": "http://127.0.0.1:1/"}, "Check the gate url: "),
        "services": ({"services": ["no-such.service"]}, "Check the gate services: "),
        "load": ({"load_average": -1}, "Check the gate load_average: The load is "),
        "that": ({"that": ["ansible_facts.livepatch.patches == []"]}, "Check the gate that: "),
    }
    for name, (gate, _problem) in gates.items():
        rollout.host(name, variables={"livepatch_rollout_gates": [gate]})
    well = [{"command": ["true"]}, {"load_average": 100000}, {"that": ["ansible_facts.livepatch.patches != []"]}]
    rollout.host("well", variables={"livepatch_rollout_gates": well})
    output = rollout.run(returns=2)
    for name, (_gate, problem) in gates.items():
        assert f"{name}: rolled back. {problem}" in output
        assert rollout.state(name)["patches"] == []
    assert re.search(r"well: rolled back(\n|\\n)", output)


def test_every_option_reaches_the_module(rollout: Rollout):
    rollout.host("host")
    wanted = {
        "timeout": 61,
        "retries": 11,
        "delay": 2,
        "on_covered": "allow",
        "on_stall": "wait",
        "ignore": ["taint"],
        "load_targets": True,
        "reload": True,
        "verify": "text",
        "watch": 4,
    }
    rollout.run(json.dumps({f"livepatch_rollout_{name}": value for name, value in wanted.items()}))
    applied = [task for task in rollout.tasks("host") if "watch" in task]
    assert [{name: task[name] for name in wanted} for task in applied] == [wanted]
