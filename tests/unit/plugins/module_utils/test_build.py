# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The driver of livepatch_build, with a builder of which it knows nothing but what the Protocol says."""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.arguments import (
    BUILDS_FROM,
    LIVEPATCH_BUILD,
    method_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.build import run_build
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError, BuildTask
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, digest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.manifest import MANIFEST_FORMAT
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.modules.livepatch_build import BUILDERS

RunBuild = t.Callable[..., t.Tuple[Plain, t.List[str]]]
TROUBLE = Finding(reason="trouble", seen="There is trouble.", remedy="End it.")


class StandIn:
    """A builder that writes down what it is asked."""

    name, release, forces_signatures = "fix", "6.6.0", False

    def __init__(self, task: BuildTask, asked: list[str], trouble: BuildError | None) -> None:
        self.dest = os.path.join(task.params["dest"], "fix.ko")
        self.warnings: t.Sequence[str] = ["It may fail."]
        self.removed_trees: t.Sequence[Plain] = ()
        self._task, self._asked, self._trouble = task, asked, trouble

    def check(self) -> None:
        self._asked.append("check")
        if self._trouble:
            raise self._trouble

    def inputs(self, manifest: Plain | None) -> Plain:
        self._asked.append("inputs")
        return {"patches": self._task.params["patches"], "last": (manifest or {}).get("made_by", "nobody")}

    def build_into(self, directory: str, inputs: Plain) -> Plain:
        self._asked.append("build")
        path = os.path.join(directory, "fix.ko")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("a module")
        inputs = dict(inputs, last="me")
        manifest = {"format": MANIFEST_FORMAT, "made_by": "me", "inputs": inputs, "sha256": digest(path)}
        manifest["patch_file"] = {"name": "fix", "fix": None}
        return {**manifest, "warnings": ["It lacks a trace point."]}


class Module:
    """What the driver uses of AnsibleModule."""

    def __init__(self, folder: Path, check_mode: bool = False, **arguments: t.Any) -> None:
        values = {"patches": ["/x.patch"], "dest": f"{folder}/out", "cache_dir": f"{folder}/cache", **arguments}
        result = ArgumentSpecValidator(LIVEPATCH_BUILD["argument_spec"]).validate(values)
        assert result.error_messages == []
        self.params, self.check_mode, self.tmpdir = result.validated_parameters, check_mode, str(folder)
        self.run_command_environ_update: dict[str, str] = {}
        self.warned: list[str] = []

    def warn(self, warning: str) -> None:
        self.warned.append(warning)

    def atomic_move(self, source: str, target: str) -> None:
        shutil.move(source, target)

    def load_file_common_arguments(self, params: dict[str, t.Any], path: str) -> dict[str, t.Any]:
        return {"path": path}

    def set_fs_attributes_if_different(self, arguments: dict[str, t.Any], changed: bool) -> bool:
        return changed


@pytest.fixture(name="build")
def fixture_build(tmp_path: Path) -> RunBuild:
    """Run the driver: its result, and what it has asked of the builder."""

    def build(
        trouble: BuildError | None = None, job: Plain | None = None, **arguments: t.Any
    ) -> tuple[Plain, list[str]]:
        asked: list[str] = []
        builders = {"kpatch": lambda task: StandIn(task, asked, trouble)}
        return run_build(Module(tmp_path, **arguments), builders, job or {}), asked

    return build


def test_each_method_has_a_builder() -> None:
    assert list(BUILDERS) == list(BUILDS_FROM)
    assert LIVEPATCH_BUILD["argument_spec"]["method"]["choices"] == ["auto", *BUILDERS]


@pytest.mark.parametrize(
    ("arguments", "method"),
    [
        ({"patches": ["x"]}, "kpatch"),
        ({"sources": ["x"]}, "kbuild"),
        ({"method": "auto", "sources": ["x"], "patches": []}, "kbuild"),
        ({"method": "kpatch", "patches": ["x"]}, "kpatch"),
        ({"method": "kbuild", "sources": ["x"]}, "kbuild"),
        ({"method": "kbuild", "sources": ["x"], "patches": ["x"]}, "kbuild"),
        ({"method": "another", "patches": ["x"]}, "another"),
    ],
)
def test_what_is_given_decides_the_method_unless_the_user_does(arguments: dict[str, t.Any], method: str) -> None:
    assert method_of(arguments) == method


def test_of_methods_that_build_from_patches_the_first_that_is_for_the_kernel_is_taken() -> None:
    yes, no = {"klp_build": lambda params: True}, {"klp_build": lambda params: False}
    assert method_of({"patches": ["x"]}, yes) == "klp_build"
    assert method_of({"patches": ["x"]}, no) == "kpatch"
    assert method_of({"patches": ["x"]}) == "kpatch"
    assert method_of({"patches": ["x"], "method": "kpatch"}, yes) == "kpatch"
    assert method_of({"patches": ["x"], "method": "klp_build"}, no) == "klp_build"
    assert method_of({"sources": ["x"]}, yes) == "kbuild"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "neither patches nor sources"),
        ({"patches": ["x"], "sources": ["y"]}, "both patches and sources"),
        ({"method": "kpatch", "sources": ["x"]}, "method: kpatch builds from patches"),
        ({"method": "kbuild", "patches": ["x"]}, "method: kbuild builds from sources"),
        ({"method": "kbuild", "sources": []}, "method: kbuild builds from sources"),
    ],
)
def test_a_task_that_leaves_the_method_open_is_refused(build: RunBuild, arguments: dict[str, t.Any], says: str) -> None:
    result, asked = build(**{"patches": None, **arguments})
    assert (result["failed"], result["reason"], asked) == (True, "bad_argument", [])
    assert says in result["cause"]
    assert result["msg"] == f"{result['cause']} {result['remedy']}"
    assert "method" not in result


def test_the_driver_decides_and_the_builder_builds(build: RunBuild, tmp_path: Path) -> None:
    result, asked = build()
    assert asked == ["inputs", "check", "build"]
    assert (result["changed"], result["name"], result["release"]) == (True, "fix", "6.6.0")
    assert result["method"] == "kpatch"
    assert (tmp_path / "out/fix.ko").read_text() == "a module"
    result, asked = build()
    assert asked == ["inputs"]
    assert not result["changed"]
    result, asked = build(patches=["/y.patch"])
    assert asked == ["inputs", "check", "build"]
    assert result["changed"]


FIX = {"id": "CVE-2026-0001", "title": "A missing check", "severity": "", "cves": ["CVE-2026-0001"]}


def test_what_it_fixes_stands_in_the_manifest_and_does_not_decide_what_is_built(
    build: RunBuild, tmp_path: Path
) -> None:
    def manifest() -> Plain:
        loaded: Plain = json.loads((tmp_path / "out/fix.ko.json").read_text())
        return loaded

    assert build(check_mode=True, fix=FIX)[0]["diff"]["after"].splitlines()[1] == "fix cves: ['CVE-2026-0001']"
    result, _asked = build(fix=FIX)
    assert (manifest()["fix"], manifest()["patch_file"]) == (FIX, {"name": "fix"})
    assert result["patch_file"]["fix"] == FIX
    assert build(fix=FIX)[0]["changed"] is False
    assert build()[0]["changed"] is False
    other = {**FIX, "severity": "important"}
    for check_mode, noted in ((True, FIX), (False, other)):
        result, asked = build(fix=other, check_mode=check_mode, rebuild="never")
        assert (result["changed"], asked, manifest()["fix"]) == (True, ["inputs"], noted)
        assert result["patch_file"]["fix"] == other
        assert "fix severity: important" in result["diff"]["after"]
        assert "fix severity: important" not in result["diff"]["before"]
    assert (tmp_path / "out/fix.ko").read_text() == "a module"
    assert build(patches=["/y.patch"])[0]["changed"]
    assert "fix" not in manifest()


def test_a_fix_that_cannot_be_told_is_refused_before_the_build(build: RunBuild) -> None:
    result, asked = build(fix={"id": "a\x1b[2J"})
    assert (result["failed"], result["reason"], asked) == (True, "bad_argument", [])


def test_what_is_known_to_fail_is_told_in_check_mode_too(build: RunBuild, tmp_path: Path) -> None:
    result, asked = build(BuildError(TROUBLE, problems=["one"]), check_mode=True)
    assert asked == ["inputs", "check"]
    assert result == {
        "failed": True,
        "changed": False,
        "msg": "There is trouble. End it.",
        "reason": "trouble",
        "cause": "There is trouble.",
        "remedy": "End it.",
        "problems": ["one"],
        "method": "kpatch",
    }
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_may_make_it_fail_is_a_warning_of_the_task_that_builds(tmp_path: Path, check_mode: bool) -> None:
    builders = {"kpatch": lambda task: StandIn(task, [], None)}

    def warned(job: Plain) -> list[str]:
        module = Module(tmp_path, check_mode=check_mode)
        run_build(module, builders, job)
        return module.warned

    assert warned({"only_if_current": True}) == []
    of_the_build = [] if check_mode else ["It lacks a trace point."]
    assert warned({}) == ["It may fail.", *of_the_build]
    assert warned({}) == (["It may fail."] if check_mode else [])


def test_a_first_look_does_not_read_the_inputs_where_there_is_no_result(build: RunBuild) -> None:
    result, asked = build(job={"only_if_current": True})
    assert (result, asked) == ({"changed": False, "needs_build": True, "method": "kpatch"}, ["check"])
    build()
    result, asked = build(job={"only_if_current": True})
    assert (result["changed"], asked) == (False, ["inputs"])
