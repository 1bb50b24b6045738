# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide "From an alert to a fixed fleet": its commands, in its order. Hosts are scripted, and a build is replaced.

Real: playbooks, roles, filters, what reads advisories, releases and patch files, and the report. Replaced: what would
look at or change a kernel (livepatch_facts, livepatch_module), livepatch_build, which gives a recorded patch file, and
rpm's library on the controller.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shlex
import typing as t
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import time_text
from ansible_collections.openeuler.livepatch.tests.unit.plays import rollout_stand_in
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import Rollout
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import advisories

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs/docsite/rst/alert_to_fleet.rst"
NAME = "openeuler_layout"
RECORDED = ROOT / f"tests/unit/plugins/module_utils/fixtures/{NAME}.ko"
OLD = "5.10.0-6.1.0.5.oe2203sp4.x86_64"
# As long as the other, so that the file stays as it is.
PATCH_FILE = RECORDED.read_bytes().replace(b"5.10.0-60.18.0.50.oe2203.x86_64", OLD.encode())
DIGEST = hashlib.sha256(PATCH_FILE).hexdigest()
FIXED = f"{advisories.OE_FIXED}.x86_64"
BUILD = """
import os
import shutil
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        args = self._task.args
        assert args["patches"] and args["fix"]["cves"], args
        for suffix in (".ko", ".ko.json"):
            shutil.copy(os.environ["BUILT"] + suffix, os.path.join(args["dest"], args["name"] + suffix))
        return {"changed": True}
"""


def commands() -> list[list[str]]:
    """What the guide has the reader type."""
    text = GUIDE.read_text(encoding="utf-8").replace(" \\\n     ", "")
    return [shlex.split(line) for line in re.findall(r"^    (ansible-playbook .*)$", text, re.MULTILINE)]


class Story(Rollout):
    """Three hosts: two run a kernel that lacks the fix, one a kernel that has it. This machine is their build host."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        actions = folder / "ansible_collections/openeuler/livepatch/plugins/action"
        for module in ("livepatch_facts", "livepatch_module"):
            stand_in = rollout_stand_in.ACTION.replace('"fix_1"', f'"{NAME}"').replace(
                'os.environ["DIGEST"]', repr(DIGEST)
            )
            (actions / f"{module}.py").write_text(stand_in, encoding="utf-8")
        for module in ("livepatch_advisory", "livepatch_fetch", "livepatch_file_info"):
            (actions / f"{module}.py").symlink_to(ROOT / f"plugins/action/{module}.py")
        (actions / "livepatch_build.py").write_text(BUILD, encoding="utf-8")
        (folder / "built.ko").write_bytes(PATCH_FILE)
        (folder / "built.ko.json").write_text(json.dumps({"format": 1, "sha256": DIGEST}), encoding="utf-8")
        monkeypatch.setenv("BUILT", str(folder / "built"))
        (actions.parents[1] / "tests").symlink_to(ROOT / "tests")
        (folder / "library").mkdir()
        compare = f"from {advisories.__name__} import label_compare as labelCompare\n"
        (folder / "library/rpm.py").write_text(compare, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder / "library"), os.environ.get("PYTHONPATH", "")]))
        (folder / "advisory.json").write_text(json.dumps(advisories.openeuler()), encoding="utf-8")
        (folder / "0001-tcp-check.patch").write_text("--- a\n+++ b\n", encoding="utf-8")
        for name, release in (("web1", OLD), ("web2", OLD), ("db1", FIXED)):
            # Statements for scanners are made of facts of the last hour alone.
            self.host(
                name, **advisories.on_openeuler(release), trouble=[], read_at=time_text(datetime.now(timezone.utc))
            )

    def type(self, command: list[str], returns: int = 0) -> str:
        """Run a command of the guide."""
        _ansible, playbook, *rest = command
        given = [word for before, word in itertools.pairwise(rest) if before == "-e"]
        assert rest[:2] in (["-i", "inventory"], ["-i", "builders"])
        hosts = self.hosts
        if "builders" in rest:
            self.hosts = {"builder": next(iter(hosts.values()))}
            # What a build host needs is not installed, and its folder is one of the test.
            given += [f"livepatch_build_work={self.folder}/work", "livepatch_build_prepare=false"]
            given += [f"livepatch_build_name={NAME}", "livepatch_become=false"]
        if "livepatch_canary=canaries" in given:
            given[given.index("livepatch_canary=canaries")] = "livepatch_canary=web2"
        flags = [word for word in rest if word.startswith("--")]
        try:
            return self.play(playbook.removeprefix("openeuler.livepatch."), {}, *given, *flags, returns=returns)
        finally:
            self.hosts = hosts

    def is_live(self) -> dict[str, bool]:
        return {name: any(patch["enabled"] for patch in self.state(name)["patches"]) for name in self.hosts}


def test_the_commands_of_the_guide_fix_the_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(tmp_path, monkeypatch)
    steps = iter(commands())

    def next_is(playbook: str, returns: int = 0) -> str:
        command = next(steps)
        assert command[1] == f"openeuler.livepatch.{playbook}"
        return story.type(command, returns)

    shown = next_is("advisory")
    assert [name for name in story.hosts if f"{name}: needs_live_patch" in shown] == ["web1", "web2"], shown
    next_is("kernels")
    kernels = yaml.safe_load((tmp_path / "kernels.yml").read_text(encoding="utf-8"))
    assert OLD in [kernel["release"] for kernel in kernels["livepatch_build_kernels"]]
    complete(tmp_path / "fix.yml", kernels, shown)
    next_is("build")
    release = yaml.safe_load((tmp_path / "release.yml").read_text(encoding="utf-8"))["livepatch_release"]
    assert [(file["kernel_release"], file["sha256"]) for file in release["files"]] == [(OLD, DIGEST)]
    assert release["fix"]["cves"] == list(advisories.CVES)
    next_is("preflight")
    # The kernel of db1 has the fix itself.
    next_is("rollout")
    assert not any(story.is_live().values())
    next_is("rollout")
    assert story.is_live() == {"web1": True, "web2": True, "db1": False}
    next_is("report")
    report: dict[str, t.Any] = json.loads((tmp_path / "livepatch-report/livepatch.json").read_text(encoding="utf-8"))
    headlines = {"db1": "fixed_in", "web1": "protected", "web2": "protected"}
    assert {host["name"]: host["headline"] for host in report["hosts"]} == headlines
    (tmp_path / "statements.yml").write_text(block("statements.yml"), encoding="utf-8")
    next_is("report")
    (tmp_path / "livepatch-report/livepatch.csaf.json").read_text(encoding="utf-8")
    stated = json.loads((tmp_path / "livepatch-report/livepatch.openvex.json").read_text(encoding="utf-8"))
    on_trial = {status_of(stated, name) for name in ("web1", "web2")}
    assert (on_trial, status_of(stated, "db1")) == ({"affected"}, "fixed")
    next_is("rollout")
    assert [story.state(name)["accepted"] for name in ("web1", "web2", "db1")] == [True, True, False]
    # Nobody knows what these hosts boot next.
    next_is("check_next_boot", returns=2)
    next_is("rollback")
    assert not any(story.is_live().values())
    assert list(steps) == []


def block(name: str) -> str:
    """The content that the guide has for a file."""
    (found,) = re.findall(rf"^    # {name}\n((?:    .*\n)+)", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return re.sub(r"^    ", "", found, flags=re.MULTILINE)


def status_of(stated: dict[str, t.Any], name: str) -> str:
    """What a document of OpenVEX says of a host."""
    (status,) = {
        statement["status"]
        for statement in stated["statements"]
        if any(product["@id"] == f"pkg:generic/{name}" for product in statement["products"])
    }
    return status


def complete(fix: Path, kernels: dict[str, t.Any], shown: str) -> None:
    """Add to the file what the guide has the reader add, and the kernels that the first step has named."""
    (named,) = re.findall(r"Kernels to build for: (.*)\"", shown)
    listed = [kernel for kernel in kernels["livepatch_build_kernels"] if kernel["release"] in named.split(", ")]
    added = block("fix.yml") + yaml.safe_dump({"livepatch_build_kernels": listed})
    fix.write_text(fix.read_text(encoding="utf-8") + added, encoding="utf-8")
