# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documented examples with a package of the vendor's, run by Ansible. The package is a stand-in, see rpm_writer.py.

This machine is the host: its kernel is none of openEuler's, so livepatch_module refuses the patch there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_file_info, livepatch_module
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.rpm_writer import KERNEL, Rpm

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

ROOT = Path(__file__).resolve().parents[3]
FIXTURE = ROOT / "tests/unit/plugins/module_utils/fixtures/openeuler_layout.ko"
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"
PACKAGE = f"patch-kernel-{KERNEL}-ACC-1-6.x86_64.rpm"

Task = dict[str, t.Any]


def examples(document: str, *words: str) -> list[Task]:
    """The examples with one of these words in their name."""
    found = [task for task in yaml.safe_load(document) if any(word in task["name"] for word in words)]
    assert found
    return found


def results_of(tmp_path: Path, tasks: list[Task]) -> list[dict[str, t.Any]]:
    """What each task has returned."""
    collections = tmp_path / "collections/ansible_collections/openeuler"
    collections.mkdir(parents=True)
    (collections / "livepatch").symlink_to(ROOT)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / PACKAGE).write_bytes(Rpm(FIXTURE.read_bytes()).content())
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{**task, "ignore_errors": True} for task in tasks]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    environ = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    command = [sys.executable, "-c", ANSIBLE_PLAYBOOK, "--connection=local", str(tmp_path / "play.yml"), "-v"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    starts = [found.end() for found in re.finditer(r"^(?:ok|changed|fatal): .*? => (?=\{)", done.stdout, re.MULTILINE)]
    return [json.JSONDecoder().raw_decode(done.stdout, start)[0] for start in starts]


def test_the_examples_of_livepatch_file_info(tmp_path: Path) -> None:
    tasks = examples(livepatch_file_info.EXAMPLES, "hot patch of openEuler", "fixes what it is for")
    read, checked = results_of(tmp_path, tasks)
    assert read["vendor"]["package"] == PACKAGE[: -len(".rpm")]
    assert read["file"]["name"] == "openeuler_layout"
    assert checked["changed"] is False and checked["msg"] == "All assertions passed"


def test_the_example_of_livepatch_module(tmp_path: Path) -> None:
    (result,) = results_of(tmp_path, examples(livepatch_module.EXAMPLES, "hot patch of openEuler"))
    assert result["vendor"]["sequence"] == [1, 6]
    assert result["reason"] not in ("module_failed", "no_such_file"), result["msg"]
    assert not list(tmp_path.glob("home/tmp/*/*"))
