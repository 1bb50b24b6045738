# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The package set of the execution environment, in a virtual environment: ansible-builder says what it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

import galaxy
import staging
from toolbox import CHECKOUT, WORK, Argv, Stop, capture, run, tool_environ, venv

FOLDER = WORK / "ee"
TEST_REQUIREMENTS = CHECKOUT / "tests" / "requirements" / "in_ee.txt"
OF_DEFINITION = re.compile(r"^ +package_pip: (\S+)$", re.MULTILINE)
# The tests' own packages come last: what the set has is used, and no program that a test starts finds them.
RUN_PYTEST = "import sys; sys.path.append(sys.argv.pop(1)); import pytest; sys.exit(pytest.main())"
NOT_INSTALLED = "is not installed for this Python"
"""What a test says that is skipped since a package is missing."""


def make() -> Path:
    """Return a virtual environment with exactly this set; the artifact must have been installed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    requirements = FOLDER / "requirements.txt"
    text = "\n".join([*of_definition(), *of_collection()])
    requirements.write_text(f"{text}\n", encoding="utf-8")
    print(f"    package set: {text.split()}", flush=True)
    return venv("ee", requirements, galaxy.python())


def of_definition() -> list[str]:
    """What the definition in examples/awx installs beside what collections need: ansible-core and ansible-runner."""
    found = OF_DEFINITION.findall((CHECKOUT / galaxy.AWX_DEFINITION).read_text(encoding="utf-8"))
    if len(found) != 2:
        raise Stop(f"{galaxy.AWX_DEFINITION} does not name ansible-core and ansible-runner as package_pip.")
    return found


def of_collection() -> list[str]:
    """What ansible-builder finds in the installed collection."""
    environment = venv("galaxy", galaxy.REQUIREMENTS, galaxy.python())
    written = FOLDER / "introspected.txt"
    capture([environment / "bin" / "ansible-builder", "introspect", "--write-pip", written, staging.INSTALLED])
    lines = written.read_text(encoding="utf-8").splitlines()
    return [name for name in (line.partition("#")[0].strip() for line in lines) if name]


def first_in_path(environment: Path, *others: Path) -> dict[str, str]:
    """The variables with which the programs of the environment are found before all others."""
    folders = [environment / "bin", *(other / "bin" for other in others)]
    return {"PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]]), "VIRTUAL_ENV": str(environment)}


def unit_tests(environment: Path) -> None:
    """Run the unit tests, of which none may be skipped because the set lacks a package."""
    tests = site_packages(venv("in-ee", TEST_REQUIREMENTS, galaxy.python()))
    needed = [name.replace("-", "_") for name in of_collection()]
    masked = [name for name in needed if list(tests.glob(f"{name}-*.dist-info"))]
    if masked:
        raise Stop(f"{TEST_REQUIREMENTS.name} brings {', '.join(masked)}: a set without it would not be noticed.")
    report = FOLDER / "units.xml"
    named = os.environ.get("TESTS", "").split() or ["--numprocesses=auto", "--dist=worksteal", "tests/unit"]
    command: Argv = [environment / "bin" / "python", "-c", RUN_PYTEST, tests, f"--junit-xml={report}", *named]
    environ = tool_environ(PYTHONPATH=staging.COLLECTIONS, **first_in_path(environment))
    run(command, cwd=staging.tree(), env=environ)
    skipped = report.read_text(encoding="utf-8").count(NOT_INSTALLED)
    if skipped:
        raise Stop(f"{skipped} tests were skipped, since the execution environment lacks a package.")


def site_packages(environment: Path) -> Path:
    """Where the packages of a virtual environment are."""
    (found,) = environment.glob("lib/python3*/site-packages")
    return found
