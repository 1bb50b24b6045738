# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An asynchronous task whose `environment` sets HOME, with this machine as the host: its result is found."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"

TASKS: dict[str, tuple[dict[str, t.Any], str]] = {
    "livepatch_build": ({"sources": ["/nosuch.c"], "dest": "/nosuch/"}, "no_such_file"),
    "livepatch_module": ({"src": "/nosuch.ko", "remote_src": True}, "unreadable_file"),
    "livepatch_file_info": ({"src": "/nosuch.ko", "remote_src": True}, "unreadable_file"),
}
"""Module -> arguments that it refuses, so that it changes nothing, and the reason that it gives for that."""


@pytest.mark.parametrize("module", TASKS)
def test_the_result_is_found(module: str, tmp_path: Path) -> None:
    arguments, reason = TASKS[module]
    home = tmp_path / "builder"
    home.mkdir()
    task = {f"openeuler.livepatch.{module}": arguments, "async": 600, "poll": 1, "register": "result"}
    that = {"ansible.builtin.assert": {"that": f"result.reason == '{reason}'", "fail_msg": "{{ result.msg }}"}}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        "environment": {"HOME": str(home)},
        "tasks": [{**task, "ignore_errors": True}, that],
    }
    collections = tmp_path / "ansible_collections/openeuler"
    collections.mkdir(parents=True)
    (collections / "livepatch").symlink_to(ROOT)
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ANSIBLE_PLAYBOOK, "play.yml", "--inventory=localhost,"],
        cwd=tmp_path,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
            "ANSIBLE_HOME": str(tmp_path / "home"),
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (home / ".ansible_async").exists()
