# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Makefile, its stages, the README and the workflow agree, and no test is left out of all of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
TARGET = re.compile(r"^([a-z-]+):(.*?) ## .*\n(?:\t(.*))?", re.MULTILINE)
STAGES_OF = re.compile(r"\$\(GATE\) (.*)")
NO_TEST = {
    "bench",
    "bench-fleet",
    "bench-growth",
    "bench-klp-build",
    "bench-kpatch",
    "bench-overhead",
    "bench-report",
    "clean",
    "distclean",
    "errors-page",
    "pictures",
    "shell",
}
"""What measures, writes, looks or cleans up."""
MADE_WHEN_NEEDED = {"arm64", "kernel-7", "prepare", "test-kernel"}
NEEDS_IMAGE = {"openeuler"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def variable(name: str) -> set[str]:
    """The words of a variable of the Makefile."""
    (value,) = re.findall(rf"^{name} [?:]= (.*)$", text_of("Makefile"), re.MULTILINE)
    return set(value.split())


def stages_of_targets() -> dict[str, set[str]]:
    """The stages that each target of the Makefile runs, with those of the target that it begins with."""
    found: dict[str, set[str]] = {}
    for name, first, recipe in TARGET.findall(text_of("Makefile")):
        stages = STAGES_OF.search(recipe)
        found[name] = set(stages[1].split()) if stages else set()
        for other in first.split():
            found[name] |= found[other]
    return found


def keys_of(file: str, name: str) -> list[str]:
    """The keys of a dictionary that a program begins with."""
    return [ast.literal_eval(key) for key in dictionary(file, name).keys if key]


def dictionary(file: str, name: str) -> ast.Dict:
    for node in ast.parse(text_of(file)).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Dict)
            return node.value
    raise AssertionError(f"{file} has no {name}")


def test_each_target_runs_stages_that_exist() -> None:
    targets = stages_of_targets()
    stages = keys_of("tests/tools/gate.py", "STAGES")
    assert set().union(*targets.values()) == set(stages) - MADE_WHEN_NEEDED
    for name, ran in targets.items():
        assert name in {"help", "test", "full"} or ran == {name}
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)
    assert set(phony.split()) == targets.keys()


def test_full_runs_all_that_is_a_test() -> None:
    targets = stages_of_targets()
    assert targets["test"] < targets["full"] == targets.keys() - NO_TEST - {"help", "test", "full", "unit"}
    # What these run is run by the other one, which counts besides.
    assert "coverage" in targets["test"]


def test_each_scenario_is_run_or_needs_an_image() -> None:
    scenarios = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    run = variable("SCENARIOS"), variable("LONGER")
    assert not run[0] & run[1]
    assert run[0] | run[1] == scenarios - NEEDS_IMAGE


def test_the_readme_says_what_each_holds() -> None:
    rows = dict(re.findall(r"^\| (`make test`|`make full`|by hand) \| (.*) \|$", text_of("README.md"), re.MULTILINE))
    said = {name.strip("`"): set(re.findall(r"`([^`]+)`", text)) for name, text in rows.items()}
    targets = stages_of_targets()
    assert said["make test"] == targets["test"] | variable("SCENARIOS")
    assert said["make full"] == targets["full"] - targets["test"] | {"make test", "molecule"} | variable("LONGER")
    assert said["by hand"] == {name for name in NO_TEST if "bench" in name} | NEEDS_IMAGE


def test_ci_runs_make_test_each_core_of_the_matrix_and_the_longer_scenarios() -> None:
    jobs = yaml.safe_load(text_of(".github/workflows/test.yml"))["jobs"]
    commands = {name: [step.get("run", "") for step in job["steps"]] for name, job in jobs.items()}
    assert commands["test"][-1] == text_of(".ci/run").split("exec ")[1].strip() == "make test"
    assert commands["matrix"][-1].startswith("make matrix ")
    assert jobs["matrix"]["strategy"]["matrix"]["core"] == keys_of("tests/tools/matrix.py", "CORES")
    assert commands["longer"][-1].startswith("make molecule SCENARIOS=")
    assert set(jobs["longer"]["strategy"]["matrix"]["scenario"]) == variable("LONGER")


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_oldest_core_is_the_first_of_the_matrix_for_each_python(python: str) -> None:
    cores = ast.literal_eval(dictionary("tests/tools/matrix.py", "CORES"))
    first = next(Requirement(needed) for needed, pythons in cores.values() if python in pythons)
    lines = text_of("tests/requirements/oldest.txt").splitlines()
    oldest = [Requirement(line) for line in lines if line.startswith("ansible-core ")]
    fitting = [one.specifier for one in oldest if one.marker and one.marker.evaluate({"python_version": python})]
    assert fitting == [first.specifier]
