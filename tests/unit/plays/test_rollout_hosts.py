# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts the playbook rollout takes first, and which afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"
INVENTORY = """
[web]
web1
web2
web3
[db]
db1
db2
[dc1]
web1
db1
[dc2]
web2
web3
db2
"""
EVERY = "web1 web2 web3 db1 db2"
CASES = [
    ({}, "", EVERY),
    ({"hosts": "dc1,dc2"}, "", EVERY),
    ({"hosts": "web:!web3"}, "", "web1 web2"),
    ({"hosts": "localhost"}, "", "localhost"),
    ({"canary": ""}, "", EVERY),
    ({"canary": "web1,db2"}, "web1 db2", "web2 web3 db1"),
    ({"canary": "web:!web3"}, "web1 web2", "web3 db1 db2"),
    ({"hosts": "dc1,dc2", "canary": "web2"}, "web2", "web1 web3 db1 db2"),
    ({"hosts": "web:db", "canary": "dc1"}, "web1 db1", "web2 web3 db2"),
    ({"hosts": "web", "canary": "dc1"}, "web1", "web2 web3"),
    ({"hosts": "web", "canary": "db"}, "", "web1 web2 web3"),
    ({"hosts": "dc1", "canary": "all"}, "web1 db1", ""),
    ({"canary": "typo"}, "", ""),
]


def test_the_canaries_and_the_others(tmp_path: Path) -> None:
    """All cases in one run, with variables of plays where an operator gives extra variables."""
    plays = []
    for variables, _canaries, _others in CASES:
        for play in rollout():
            given = {f"livepatch_{name}": value for name, value in variables.items()}
            plays.append({**play, "vars": {**play["vars"], **given}})
    expected = [sorted(hosts.split()) for _variables, canaries, others in CASES for hosts in (canaries, others)]
    assert hosts_of(plays, tmp_path) == expected


def test_a_limit(tmp_path: Path) -> None:
    canaries, others = hosts_of(rollout(), tmp_path, "--extra-vars=livepatch_canary=dc1", "--limit=web")
    assert canaries == ["web1"]
    assert others == ["web2", "web3"]


@pytest.mark.parametrize("name", ["livepatch_canary", "livepatch_hosts"])
def test_a_pattern_without_hosts_is_an_error_for_whom_it_is_one(name: str, tmp_path: Path) -> None:
    variables = ("--extra-vars=livepatch_canary=dc1", f"--extra-vars={name}=typo")
    with pytest.raises(AssertionError, match="typo"):
        hosts_of(rollout(), tmp_path, *variables, mismatch="error")


def rollout() -> list[dict[str, t.Any]]:
    """The plays of the canaries and of the others, without their role."""
    plays = yaml.safe_load((ROOT / "playbooks/rollout.yml").read_text(encoding="utf-8"))[1:3]
    return [{key: value for key, value in play.items() if key != "roles"} for play in plays]


def hosts_of(plays: list[dict[str, t.Any]], folder: Path, *options: str, mismatch: str = "warning") -> list[list[str]]:
    (folder / "rollout.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    (folder / "hosts").write_text(INVENTORY, encoding="utf-8")
    (folder / "ansible_collections/openeuler").mkdir(parents=True)
    (folder / "ansible_collections/openeuler/livepatch").symlink_to(ROOT)
    command = [sys.executable, "-c", ANSIBLE_PLAYBOOK, "--list-hosts", "--inventory=hosts", "rollout.yml", *options]
    # ansible-test sets it to "error".
    environ = {"ANSIBLE_HOST_PATTERN_MISMATCH": mismatch, "ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_NOCOLOR": "1"}
    environ = {**os.environ, **environ, "ANSIBLE_COLLECTIONS_PATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"    hosts \(\d+\):\n((?:      .*\n)*)", done.stdout)
    return [sorted(hosts.split()) for hosts in found]
