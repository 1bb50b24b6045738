# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the collection with galaxy-importer and ansible-builder, without a container and without a server."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import staging
from runner import interpreters
from toolbox import CHECKOUT, WORK, Argv, Stop, capture, tool_environ, venv

REQUIREMENTS = CHECKOUT / "tests" / "requirements" / "galaxy.txt"
OLDEST_PYTHON = (3, 11)
FOLDER = WORK / "galaxy"
EE_DEFINITION = Path("meta", "execution-environment.yml")
EE_PYTHON = Path("meta", "ee-requirements.txt")
AWX_DEFINITION = Path("examples", "awx", "execution-environment.yml")
IMPORTER = {
    "GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP": str(FOLDER / "tmp"),
    "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
    # "make lint" runs ansible-lint on the same files, with the same profile and fewer exceptions.
    "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false",
}


def check() -> None:
    """Run ansible-builder and galaxy-importer; the artifact must have been built and installed."""
    environment = venv("galaxy", REQUIREMENTS, python())
    shutil.rmtree(FOLDER, ignore_errors=True)
    execution_environment(environment)
    importer(environment)


def python() -> Path:
    """Return a Python that the requirements can be installed on: the running one, or another one of this machine."""
    if sys.version_info >= OLDEST_PYTHON:
        return Path(sys.executable)
    for version, path in interpreters().items():
        if tuple(map(int, version.split("."))) >= OLDEST_PYTHON:
            return path
    raise Stop("galaxy-importer needs Python 3.11 or later, and this machine has none.")


def execution_environment(environment: Path) -> None:
    """Check that ansible-builder accepts the definition, and finds the requirements of the installed collection."""
    definition = FOLDER / "definition"
    for name in (EE_DEFINITION, EE_PYTHON):
        # The paths in the definition begin at the collection's root, and ansible-builder's at the definition.
        target = definition / (name.name if name == EE_DEFINITION else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / name, target)
    builder = environment / "bin" / "ansible-builder"
    print("    ansible-builder create, introspect", flush=True)
    capture([builder, "create", "--file", definition / EE_DEFINITION.name, "--context", FOLDER / "context"])
    capture([builder, "create", "--file", CHECKOUT / AWX_DEFINITION, "--context", FOLDER / "awx"])
    found = capture([builder, "introspect", staging.INSTALLED])
    text = (CHECKOUT / EE_PYTHON).read_text(encoding="utf-8")
    wanted = [line for line in text.splitlines() if line and not line.startswith("#")]
    missing = [name for name in wanted if f"{name}  # from collection openeuler.livepatch" not in found]
    if missing or not wanted:
        raise Stop(f"ansible-builder does not find {', '.join(missing) or 'anything'} in the collection:\n{found}")


def importer(environment: Path, path: str = "") -> None:
    """Check that galaxy-importer accepts the artifact without a warning. It runs the ansible-doc that `path` has."""
    path = path or f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environ = {**tool_environ(PATH=path, VIRTUAL_ENV=environment), **IMPORTER}
    FOLDER.mkdir(parents=True, exist_ok=True)
    command: Argv = [environment / "bin" / "python", "-m", "galaxy_importer.main", staging.built_artifact()]
    print("    galaxy-importer", flush=True)
    said = capture(command, cwd=FOLDER, env=environ)
    complaints = [line for line in said.splitlines() if line.startswith(("WARNING", "ERROR", "CRITICAL"))]
    if complaints:
        raise Stop("\n".join(["galaxy-importer complains:", *complaints]))
