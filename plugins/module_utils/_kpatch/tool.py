# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the installed kpatch-build can do, as its output and its files show."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import Run
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import digest

PROGRAM = "kpatch-build"

REGISTER_ONLY = "DISABLE_AFTER_LOAD"
"""With this variable of openEuler's packages the module only registers itself; a write to sysfs enables it."""

VARIABLES = (REGISTER_ONLY, "NO_PROFILING_CALLS", "KEEP_JUMP_LABEL")
"""Environment variables that kpatch-build of openEuler's packages reads, and upstream's does not."""

TARGET_ARCH = "TARGET_ARCH"
"""A variable that names another architecture than the build host's, since kpatch 0.9.11."""


@dataclass(frozen=True)
class Tool:
    """An installed kpatch-build.

    `options` are the long options that it lists, `variables` those of VARIABLES that it reads. `identity` is a digest
    of all its files. `directory` has the programs that it calls.
    """

    path: str
    version: str
    options: frozenset[str]
    variables: tuple[str, ...]
    builds_for_others: bool
    identity: str
    directory: str

    @property
    def skip_compiler_check(self) -> str | None:
        return next((name for name in ("--skip-compiler-check", "--skip-gcc-check") if name in self.options), None)

    @property
    def can_omit_replace(self) -> bool:
        return "--non-replace" in self.options


def find_tool(wanted: str | None) -> str | None:
    """The path of kpatch-build: a program, or one in a directory with a checkout of kpatch. None if there is none."""
    if wanted is None:
        return shutil.which(PROGRAM)
    candidates = [os.path.join(wanted, PROGRAM, PROGRAM), os.path.join(wanted, PROGRAM), wanted]
    return next((path for path in candidates if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def read_tool(path: str, run: Run) -> Tool:
    """Find out what this kpatch-build can do, from its help, its version and its files."""
    path = os.path.realpath(path)
    _rc, out, err = run([path, "--help"])
    _rc, version, _err = run([path, "--version"])
    number = re.search(r"Version\s*:\s*(\S+)", version)
    programs, data = _places(path)
    files = [path, *_files(programs), *_files(data)]
    together = hashlib.sha256()
    known: set[str] = set()
    for name in files:
        together.update(f"{digest(name)} {os.path.basename(name)}\n".encode())
        known.update(_variables_in(name))
    return Tool(
        path=path,
        version=number.group(1) if number else "",
        options=frozenset(re.findall(r"--[a-z][a-z-]+", out + err)),
        variables=tuple(name for name in VARIABLES if name in known),
        builds_for_others=TARGET_ARCH in known,
        identity=together.hexdigest(),
        directory=programs,
    )


def _places(path: str) -> tuple[str, str]:
    """The folders of its programs and of the sources for a patch module: of a checkout, or of an installed package."""
    here = os.path.dirname(path)
    if os.path.exists(os.path.join(here, "create-diff-object")):
        return here, os.path.realpath(os.path.join(here, "../kmod/patch"))
    return os.path.realpath(os.path.join(here, "../lib/kpatch")), os.path.realpath(
        os.path.join(here, "../share/kpatch/patch")
    )


def _files(directory: str) -> list[str]:
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    return [path for path in (os.path.join(directory, name) for name in names) if os.path.isfile(path)]


def _variables_in(path: str) -> t.Iterator[str]:
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError:
        return
    for name in (*VARIABLES, TARGET_ARCH):
        if name.encode() in content:
            yield name
