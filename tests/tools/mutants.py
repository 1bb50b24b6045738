# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mutmut: what decides about a host is changed in small ways, one at a time, and the unit tests must notice each."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import typing as t
from collections import Counter
from pathlib import Path

import staging
from toolbox import REQUIREMENTS, WORK, Stop, tool_environ, venv

# The most that may survive in each folder; None where that is not measured yet.
FOLDERS: dict[str, int | None] = {
    "_apply": None,
    "_boot": None,
    "_model": None,
    "_plan": None,
    "_store": None,
    "_verify": None,
}
TESTS = "tests/unit/plugins/module_utils"
# They build modules, and touch nothing of these folders.
WITHOUT = ("test_kbuild.py", "test_kpatch.py", "test_kpatch_request.py", "test_long_command.py", "test_signing.py")
OTHER_CODE = "not standard_library and not protocol_does_not_know"
PLACE = WORK / "mutants"
LOG = WORK / "mutants.log"
SURVIVORS = WORK / "mutants.txt"
MUTANT = re.compile(r"^ +(\S+?module_utils\.(_\w+)\S*): (.*)$", re.MULTILINE)


def mutants() -> None:
    """Change each folder of FOLDERS, or of the variable with this name. Raises Stop if more survive than may."""
    folders = os.environ.get("FOLDERS", "").split() or list(FOLDERS)
    unknown = sorted(set(folders).difference(FOLDERS))
    if unknown:
        raise Stop(f"FOLDERS names {', '.join(unknown)}, and can name {', '.join(FOLDERS)}.")
    collection = copy_of_the_tree()
    write_settings(collection, folders)
    mutmut = venv("mutants", REQUIREMENTS.with_name("mutants.txt")) / "bin" / "mutmut"
    with LOG.open("w", encoding="utf-8") as log:
        print(f"    mutmut prints to {LOG}", flush=True)
        run_mutmut([str(mutmut), "run", "--max-children", str(os.cpu_count() or 1)], stdout=log)
    found = MUTANT.findall(run_mutmut([str(mutmut), "results", "--all", "true"]))
    judge([(name, folder, outcome) for name, folder, outcome in found if folder in folders])


def copy_of_the_tree() -> Path:
    """mutmut changes a copy below its working directory: the names of packages begin there."""
    collection = PLACE / "ansible_collections" / "openeuler" / "livepatch"
    shutil.copytree(
        staging.tree(), collection, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git", "output", "molecule")
    )
    return collection


def write_settings(collection: Path, folders: list[str]) -> None:
    """Choose the tests. Properties take long, and what only they notice is worth a plain test.

    A test of the boot program runs it in another process, which lacks what mutmut puts into the code. Another one
    compares the methods of a class, of which mutmut makes more.
    """
    tests = sorted(path for path in (collection / TESTS).glob("test_*.py") if path.name not in WITHOUT)
    settings = {
        "source_paths": ["ansible_collections"],
        "only_mutate": [f"*/module_utils/{folder}/*.py" for folder in folders],
        "pytest_add_cli_args_test_selection": [str(path.relative_to(PLACE)) for path in tests],
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-m", "not hypothesis", "-k", OTHER_CODE],
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (PLACE / "pyproject.toml").write_text("\n".join(["[tool.mutmut]", *lines, ""]), encoding="utf-8")


def run_mutmut(argv: list[str], stdout: t.IO[str] | int = subprocess.PIPE) -> str:
    environ = tool_environ(PYTHONPATH=str(PLACE / "mutants"))
    done = subprocess.run(
        argv,
        cwd=PLACE,
        env=environ,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Stop(f"mutmut ended with status {done.returncode}; see {LOG}.")
    return str(done.stdout or "")


def judge(found: list[tuple[str, str, str]]) -> None:
    """Print how many were noticed, and write down the others."""
    together = Counter(folder for _name, folder, _outcome in found)
    alive = sorted(name for name, _folder, outcome in found if outcome in ("survived", "no tests"))
    SURVIVORS.write_text("".join(f"{name}\n" for name in alive), encoding="utf-8")
    left = Counter(folder for name, folder, outcome in found if outcome in ("survived", "no tests"))
    for folder, count in sorted(together.items()):
        print(f"    {folder:10}{count:6} mutants, {left[folder]:4} survive", flush=True)
    print(f"    their names are in {SURVIVORS}; in {PLACE}, mutmut show NAME shows one", flush=True)
    over = [folder for folder, most in FOLDERS.items() if most is not None and left[folder] > most]
    if over:
        raise Stop(f"More mutants survive than before in {', '.join(over)}: write the test that notices them.")
