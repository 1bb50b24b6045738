# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout with hosts that are this machine, and modules that are replaced. The scenario has real ones."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
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
        builds = self._task.args.get("builds")
        digests = None if builds is None else [build["sha256"] for build in builds]
        if enabled and digests is not None and patches["fix_1"]["identity"]["sha256"] not in digests:
            return {"changed": False, "actions": [], "findings": [{"reason": "not_reverted", "severity": "info"}]}
        result = {"changed": enabled if wanted in ("reverted", "disabled") else not enabled}
        if self._task.action.endswith("livepatch_facts"):
            return {"ansible_facts": {"ansible_livepatch": state}}
        if wanted == "enabled" and state["refuses"]:
            return {"failed": True, "msg": state["refuses"], "reboot_required": state["reboot_required"]}
        if self._task.check_mode:
            return dict(result, actions=["enable"] if result["changed"] else [], findings=[])
        if wanted == "reverted":
            patches.pop("fix_1", None)
        else:
            patches["fix_1"] = patch(wanted == "enabled")
        state["patches"] = list(patches.values())
        if wanted == "enabled":
            state["trouble"] += state["trouble_then"]
        state["accepted"] |= self._task.args.get("boot") == "accepted"
        with open(path, "w") as stream:
            json.dump(state, stream)
        return dict(result, **state["fails_then"]) if wanted == "enabled" else result


def patch(enabled):
    known = {"name": "fix_1", "in_transition": False, "identity": {"sha256": os.environ["DIGEST"]}}
    return dict(known, enabled=enabled, effective="full" if enabled else "none")
"""
DIGEST = hashlib.sha256(b"patch").hexdigest()
KNOWN = {"name": "fix_1", "in_transition": False, "identity": {"sha256": DIGEST}}
ENABLED = {**KNOWN, "enabled": True, "effective": "full"}
DISABLED = {**KNOWN, "enabled": False, "effective": "none"}
# A name as a release of an older version may have it.
RELEASE = {"format": 1, "fix": {"id": "Fix 1"}, "name": "fix-1", "supersedes": [], "fixed_in": ["6.7"]}


class Rollout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("states", "run", "hits"):
            (folder / name).mkdir()
        (folder / "fix_1.ko").write_bytes(b"patch")
        collection = folder / "ansible_collections/openeuler/livepatch"
        (collection / "plugins/action").mkdir(parents=True)
        for part in (
            "roles",
            "playbooks",
            "plugins/filter",
            "plugins/module_utils",
            "plugins/plugin_utils",
            "plugins/action/livepatch_release_info.py",
            "plugins/action/livepatch_report.py",
        ):
            (collection / part).symlink_to(ROOT / part)
        for name in ("livepatch_facts", "livepatch_module"):
            (collection / "plugins/action" / f"{name}.py").write_text(ACTION, encoding="utf-8")
        file = {"kernel_release": "6.6", "machine": "x86_64", "path": "fix_1.ko", "sha256": DIGEST}
        self.release: dict[str, t.Any] = {**RELEASE, "files": [file]}
        self.hosts: dict[str, dict[str, t.Any]] = {}

    def host(
        self, name: str, mark: str | None = None, variables: dict[str, t.Any] | None = None, **state: object
    ) -> None:
        kernel = {"release": "6.6", "machine": "x86_64", "supported": True, "trouble": []}
        known = {**kernel, "patches": [], "refuses": "", "accepted": False, "reboot_required": False}
        known.update({"trouble_then": [], "fails_then": {}})
        (self.folder / "states" / name).write_text(json.dumps({**known, **state}), encoding="utf-8")
        if mark is not None:
            (self.folder / "run" / f"openeuler-livepatch-trial-fix_1-{name}").write_text(mark, encoding="utf-8")
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
        self.hosts[name] = {**here, **(variables or {})}

    def state(self, name: str) -> dict[str, t.Any]:
        return json.loads((self.folder / "states" / name).read_text(encoding="utf-8"))

    def tasks(self, name: str) -> list[dict[str, t.Any]]:
        """The arguments of the modules that were run on a host."""
        path = self.folder / "states" / f"{name}.tasks"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def run(self, *options: str, returns: int = 0, as_variable: bool = False) -> str:
        """What the playbook rollout prints. Options that begin with two hyphens are of the command line."""
        given = {"livepatch_rollout_release": self.release} if as_variable else self.write_release()
        output = self.play("rollout", {"livepatch_waves": "100%", **given}, *options, returns=returns)
        assert [path.name for path in (self.folder / "run").iterdir()] == []
        return output

    def write_release(self) -> dict[str, str]:
        """The variable that names the release, which is written into a file."""
        content = yaml.safe_dump({"livepatch_release": self.release})
        (self.folder / "release.yml").write_text(content, encoding="utf-8")
        return {"livepatch_release_file": "release.yml"}

    def play(
        self, playbook: str, variables: dict[str, t.Any], *options: str, returns: int | None = 0, **settings: str
    ) -> str:
        """What a playbook prints, one of the collection or, with its suffix, one in the folder.

        Where `returns` is None it must fail, and its errors are there as well. `settings` are Ansible's, as variables
        of the environment.
        """
        # Whatever runs on the controller must not become anybody: here it could not.
        everywhere = {"ansible_become": True, "ansible_become_user": "nobody", "ansible_become_exe": "/bin/false"}
        inventory = {"all": {"hosts": self.hosts, "vars": everywhere}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        # Precedes the variable of the role. All hosts have the same /run.
        mark = "/openeuler-livepatch-trial-{{ __livepatch_rollout_release.name }}-{{ inventory_hostname }}"
        ours = {
            "livepatch_become": False,
            "livepatch_rollout_soak": 0,
            "__livepatch_rollout_mark": str(self.folder / "run") + mark,
        }
        every = [json.dumps({**ours, **variables}), *[option for option in options if not option.startswith("--")]]
        flags = [option for option in options if option.startswith("--")]
        name = playbook if playbook.endswith(".yml") else f"openeuler.livepatch.{playbook}"
        command = [sys.executable, "-c", ANSIBLE_PLAYBOOK, name]
        done = subprocess.run(
            [*command, "--inventory=inventory.yml", *[f"--extra-vars={option}" for option in every], *flags],
            cwd=self.folder,
            env=self.environ(**settings),
            capture_output=True,
            text=True,
            check=False,
        )
        if returns is None:
            assert done.returncode, done.stdout
            return done.stdout + " ".join(done.stderr.split())
        assert done.returncode == returns, done.stdout + done.stderr
        return done.stdout

    def environ(self, **more: str) -> dict[str, str]:
        """The environment in which Ansible finds the scripted hosts."""
        return {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
            "DIGEST": DIGEST,
            "STATES": str(self.folder / "states"),
            "HIT": str(self.folder / "hits") + os.sep,
            **more,
        }
