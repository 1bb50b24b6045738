# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documented examples, and the role build, with packages of the vendor's: stand-ins, see rpm_writer.py.

This machine is the host: its kernel is none of openEuler's, so livepatch_module refuses the patch there.
"""

from __future__ import annotations

import hashlib
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
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_file import check_release, load_yaml
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import tiny_module
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


def play(tmp_path: Path, plays: list[dict[str, t.Any]]) -> str:
    """What Ansible prints."""
    collections = tmp_path / "collections/ansible_collections/openeuler"
    collections.mkdir(parents=True)
    (collections / "livepatch").symlink_to(ROOT)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / PACKAGE).write_bytes(Rpm(FIXTURE.read_bytes()).content())
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    environ = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    command = [sys.executable, "-c", ANSIBLE_PLAYBOOK, "--connection=local", str(tmp_path / "play.yml"), "-v"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def results_of(tmp_path: Path, tasks: list[Task]) -> list[dict[str, t.Any]]:
    """What each task has returned."""
    tasks = [{**task, "ignore_errors": True} for task in tasks]
    printed = play(tmp_path, [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    starts = [found.end() for found in re.finditer(r"^(?:ok|changed|fatal): .*? => (?=\{)", printed, re.MULTILINE)]
    return [json.JSONDecoder().raw_decode(printed, start)[0] for start in starts]


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


def test_the_role_makes_a_release_of_packages(tmp_path: Path) -> None:
    """One release of packages for two kernels, whose patches have names of their own."""
    (tmp_path / "two").mkdir()
    (tmp_path / "two/one.rpm").write_bytes(Rpm(FIXTURE.read_bytes()).content())
    other = tiny_module.TinyModule().content(("livepatch=Y", "name=vmlinux_2", "vermagic=6.6.0-28.x86_64 SMP "))
    (tmp_path / "two/other.rpm").write_bytes(Rpm(other, name="patch-kernel-6.6.0-28-ACC").content())
    variables = {
        "livepatch_build_fix": {"id": "HP-6", "cves": ["CVE-2026-0001"]},
        "livepatch_build_vendor": "files",
        "livepatch_build_directory": str(tmp_path),
    }
    role = {"role": "openeuler.livepatch.build"}
    second = {**variables, "livepatch_build_vendor": "../two", "livepatch_build_directory": str(tmp_path / "both")}
    (tmp_path / "both").mkdir()
    plays = [
        {"hosts": "localhost", "gather_facts": False, "roles": [role], "vars": each} for each in (variables, second)
    ]
    printed = play(tmp_path, plays)
    assert "failed=0" in printed, printed
    release = check_release(load_yaml(str(tmp_path / "release.yml")), "it")
    assert (release.name, release.supersedes) == ("openeuler_layout", ("contained",))
    assert release.cves == ("CVE-2022-30594", "CVE-2023-3389", "CVE-2026-0001")
    (file,) = release.files
    assert (file.kernel_release, file.machine, file.name) == (f"{KERNEL}.x86_64", "x86_64", None)
    assert (tmp_path / (file.path or "")).read_bytes() == FIXTURE.read_bytes()
    assert file.sha256 == hashlib.sha256(FIXTURE.read_bytes()).hexdigest()

    both = check_release(load_yaml(str(tmp_path / "both/release.yml")), "it")
    assert (both.name, both.supersedes) == ("livepatch_hp_6", ("contained",))
    for kernel, name, content in (
        (f"{KERNEL}.x86_64", "openeuler_layout", FIXTURE.read_bytes()),
        ("6.6.0-28.x86_64", "vmlinux_2", other),
    ):
        found = both.on(kernel, "x86_64")
        chosen = found.file_for(kernel, "x86_64")
        assert chosen is not None and found.name == name
        assert chosen.path == f"{kernel}/{name}.ko"
        assert (tmp_path / "both" / chosen.path).read_bytes() == content
