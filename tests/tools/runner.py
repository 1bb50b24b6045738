# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-test without containers: real interpreters first in PATH, and get-pip.py in its cache."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import staging
from toolbox import CACHE, CHECKOUT, capture, run, tool_environ


def interpreters() -> dict[str, Path]:
    """Return this machine's Pythons by version ("3.11"): the running one first, then the system's, then pyenv's."""
    folders = [Path(sys.base_prefix) / "bin", Path("/usr/bin"), Path("/usr/local/bin")]
    candidates = [python for folder in folders for python in folder.glob("python3.*")]
    pyenv = shutil.which("pyenv")
    if pyenv:
        versions = Path(capture([pyenv, "root"]).strip()) / "versions"
        candidates += sorted(versions.glob("3.*/bin/python3.*"), key=natural, reverse=True)
    found: dict[str, Path] = {}
    for candidate in candidates:
        match = re.fullmatch(r"python(3\.\d+)", candidate.name)
        if match and os.access(candidate, os.X_OK):
            found.setdefault(match.group(1), candidate.resolve())
    return found


def natural(path: Path) -> list[int]:
    """Sort key that puts 3.10 after 3.9."""
    return [int(number) for number in re.findall(r"\d+", str(path))]


def interpreter_folder() -> Path:
    """Return a folder of links to the interpreters: ansible-test cannot work with pyenv's shims."""
    folder = CACHE / "interpreters"
    folder.mkdir(parents=True, exist_ok=True)
    found = interpreters()
    for link in folder.iterdir():
        if link.name.removeprefix("python") not in found:
            link.unlink()
    for version, python in found.items():
        link = folder / f"python{version}"
        if not link.is_symlink() or link.resolve() != python:
            link.unlink(missing_ok=True)
            link.symlink_to(python)
    return folder


def provide_get_pip(environment: Path) -> None:
    """Put the stand-in for get-pip.py where this ansible-test looks for it, unless something is there already."""
    (source,) = environment.glob("lib/python3*/site-packages/ansible_test/_internal/python_requirements.py")
    cache = Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in set(re.findall(r"pip='(\d[\d.]*)'", source.read_text(encoding="utf-8"))):
        target = cache / f"get_pip_{version.replace('.', '_')}.py"
        if not target.exists():
            shutil.copyfile(CHECKOUT / "tests" / "tools" / "get_pip.py", target)


def ansible_test(environment: Path, *arguments: str) -> None:
    """Run ansible-test of this virtual environment in the staged tree."""
    provide_get_pip(environment)
    path = os.pathsep.join([str(interpreter_folder()), str(environment / "bin"), os.environ["PATH"]])
    environ = tool_environ(PATH=path, VIRTUAL_ENV=environment)
    run([environment / "bin" / "ansible-test", *arguments, "--color", "no"], cwd=staging.tree(), env=environ)


def versions(environment: Path) -> tuple[str, str]:
    """Return the versions of ansible-core and Python in this virtual environment, as "2.19" and "3.11"."""
    code = "import sys, ansible.release as r; print(r.__version__, '%d.%d' % sys.version_info[:2])"
    core, python = capture([environment / "bin" / "python", "-c", code]).split()
    return ".".join(core.split(".")[:2]), python


def supported_pythons(environment: Path) -> tuple[list[str], list[str]]:
    """Return the Pythons on which this ansible-core manages hosts, and those on which it runs itself."""
    code = (
        "from ansible_test._util.target.common import constants as c; "
        "print(*c.REMOTE_ONLY_PYTHON_VERSIONS); print(*c.CONTROLLER_PYTHON_VERSIONS)"
    )
    remote_only, controller = capture([environment / "bin" / "python", "-c", code]).splitlines()
    return remote_only.split() + controller.split(), controller.split()
