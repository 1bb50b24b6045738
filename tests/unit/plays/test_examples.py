# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Molecule example, the playbook check_python and module_defaults, with this machine as the host.

The example for several kernels has scripted hosts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import DIGEST, Rollout

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


def release_for(rollout: Rollout, *kernels: str) -> Path:
    """The folder of a release with a patch file for each of these kernels."""
    folder = rollout.folder / "releases/CVE-2026-0001"
    files = []
    for kernel in kernels:
        (folder / kernel).mkdir(parents=True)
        (folder / kernel / "fix_1.ko").write_bytes(b"patch")
        of_kernel = {"kernel_release": kernel, "machine": "x86_64", "path": f"{kernel}/fix_1.ko", "sha256": DIGEST}
        files.append({**of_kernel, "parameters": {"verbose": True} if kernel == kernels[0] else None})
    release = {**rollout.release, "files": files, "supersedes": ["contained"]}
    (folder / "release.yml").write_text(yaml.safe_dump({"livepatch_release": release}), encoding="utf-8")
    return folder


def test_the_play_for_several_kernels_gives_each_host_its_file(tmp_path: Path) -> None:
    rollout = Rollout(tmp_path)
    folder = release_for(rollout, "6.6", "6.12")
    (tmp_path / "releases/other").mkdir()
    (tmp_path / "releases/other/fix_1.ko").write_bytes(b"of somebody else")
    evil = "{{ lookup('ansible.builtin.pipe', 'touch ' ~ lookup('ansible.builtin.env', 'HIT') ~ 'rendered') }}"
    rollout.host("a", release="6.6")
    rollout.host("b", release="6.12")
    rollout.host("other-kernel", release="6.7")
    rollout.host("other-machine", machine="aarch64")
    lies = ("../other", "6.6/../../other", "6.6/", evil, ["6.6"], None)
    for place, lie in enumerate(lies):
        rollout.host(f"lies-{place}", release=lie)
    shutil.copy(ROOT / "examples/guides/several_kernels.yml", tmp_path)
    output = rollout.play("several_kernels.yml", {}, returns=2)
    given = {name: [task["src"] for task in rollout.tasks(name) if "src" in task] for name in rollout.hosts}
    files = {"a": [f"{folder}/6.6/fix_1.ko"], "b": [f"{folder}/6.12/fix_1.ko"]}
    assert {name: sources for name, sources in given.items() if sources} == files, output
    assert rollout.tasks("a")[-1]["supersedes"] == ["contained"]
    assert [rollout.tasks(name)[-1].get("parameters") for name in files] == [{"verbose": True}, None]
    assert output.count("The release has no patch file for the kernel of this host, or several.") >= len(lies) + 2
    assert list((tmp_path / "hits").iterdir()) == []
    rollout.hosts = {name: rollout.hosts[name] for name in files}
    assert "changed=0" in rollout.play("several_kernels.yml", {})
    assert [patch["name"] for patch in rollout.state("a")["patches"]] == ["fix_1"]
