# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Molecule example, the playbook check_python and module_defaults, with this machine as the host."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples/role_testing/molecule/default"
FIXTURE = ROOT / "tests/unit/plugins/module_utils/fixtures/livepatch_cmdline.ko"
# Not by its name: "ansible-test units" has no commands in its PATH.
ANSIBLE_PLAYBOOK = "from ansible.cli.playbook import main; main()"
INVENTORY = {
    "all": {
        "hosts": {"vm1": {}, "vm2": {}},
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False},
    }
}
RELEASE = {
    "livepatch_release": {
        "format": 1,
        "fix": {"id": "CVE-2026-0001"},
        "name": "fix",
        "files": [{"kernel_release": "0.0", "machine": "x86_64", "path": "fix.ko", "sha256": "00"}],
    }
}

Run = t.Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(name="run")
def fixture_run(tmp_path: Path) -> Run:
    """Return what runs a playbook with these arguments and variables of the environment."""
    collections = tmp_path / "collections/ansible_collections/openeuler"
    collections.mkdir(parents=True)
    (collections / "livepatch").symlink_to(ROOT)
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(INVENTORY), encoding="utf-8")
    (tmp_path / "release.yml").write_text(yaml.safe_dump(RELEASE), encoding="utf-8")

    def run(playbook: str | Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", ANSIBLE_PLAYBOOK, "--inventory=inventory.yml", str(playbook), *arguments],
            cwd=tmp_path,
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
                "ANSIBLE_HOME": str(tmp_path / "home"),
                **environ,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("step", "environ", "says"),
    [
        ("converge", {}, "Set TEST_HOSTS to the hosts"),
        ("converge", {"TEST_HOSTS": "vm3"}, "TEST_HOSTS is vm3, and no host of the inventory matches vm3."),
        ("verify", {"TEST_HOSTS": "vm1,vm3"}, "TEST_HOSTS is vm1,vm3, and no host of the inventory matches vm3."),
        ("verify", {"TEST_HOSTS": "vm1,!vm1"}, "no host of the inventory matches vm1,!vm1."),
        ("converge", {"TEST_HOSTS": "vm1"}, "no_release"),
        ("cleanup", {"TEST_HOSTS": "vm1", "RELEASE": "nosuch"}, "no_such_release"),
    ],
)
def test_a_test_of_nothing_does_not_pass(run: Run, step: str, environ: dict[str, str], says: str) -> None:
    done = run(EXAMPLE / f"{step}.yml", **{"RELEASE": "", **environ})
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stdout
    assert f"PLAY [{step.capitalize()}]" not in done.stdout


def test_what_is_there_is_tested(run: Run, tmp_path: Path) -> None:
    """It goes on as far as the hosts, which have no enabled patch."""
    done = run(EXAMPLE / "verify.yml", TEST_HOSTS="vm1:!vm2", RELEASE=str(tmp_path / "release.yml"))
    assert "PLAY [Verify]" in done.stdout and "[vm2]" not in done.stdout, done.stdout + done.stderr


def test_check_python_says_the_same_in_check_mode(run: Run) -> None:
    for mode in ([], ["--check"]):
        done = run("openeuler.livepatch.check_python", *mode)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "No Python was found" not in done.stdout
        assert done.stdout.count(f"Python {sys.version_info[0]}.{sys.version_info[1]} {sys.executable}") == 2


def test_the_defaults_of_an_action_group_suit_all_its_members(run: Run, tmp_path: Path) -> None:
    tasks = [
        {"openeuler.livepatch.livepatch_file_info": {}, "register": "info"},
        {
            "openeuler.livepatch.livepatch_module": {"ignore": ["wrong_vermagic"]},
            "check_mode": True,
            "register": "module",
            "ignore_errors": True,
        },
        {"openeuler.livepatch.livepatch_boot": {"path": str(tmp_path / "boot.pyz")}, "register": "boot"},
        {
            "openeuler.livepatch.livepatch_build": {"sources": ["/nosuch.c"], "dest": "/nosuch/"},
            "register": "build",
            "ignore_errors": True,
        },
        {
            "ansible.builtin.assert": {
                "that": [
                    "info.file.name == 'livepatch_cmdline'",
                    "module.name | default('livepatch_cmdline') == 'livepatch_cmdline'",
                    "module.reason | default('') != 'module_failed'",
                    "'Unsupported' not in module.msg | default('')",
                    "boot is changed",
                    "build.reason == 'no_such_file'",
                ]
            }
        },
    ]
    defaults = {
        "group/openeuler.livepatch.livepatch_src": {"src": str(FIXTURE), "remote_src": True},
        "group/openeuler.livepatch.livepatch_attributes": {"mode": "0640"},
    }
    play = {"hosts": "vm1", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = run("play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "boot.pyz").stat().st_mode & 0o777 == 0o640
