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
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import digest, read_bytes, read_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.versions import (
    NON_REPLACE,
    PREFIX_SYMBOL,
    SAVE_SCMVERSION,
    SKIP_COMPILER_CHECK,
    TARGET_ARCH,
    VARIABLES,
)

PROGRAM = "kpatch-build"

_HOOK = "livepatch-patch-hook.c"
"""The source of the part of each patch module that calls the kernel."""


@dataclass(frozen=True)
class Tool:
    """An installed kpatch-build.

    `version` is empty if nothing tells it. `options` are the long options that it lists, `variables` those of VARIABLES
    that it reads. `sets_replace` is whether the modules that it makes can have `replace`. `pads` is whether it knows
    functions with instructions before them, `names_releases` whether it gets on with scripts/setlocalversion of 6.3 and
    later; None if its files do not tell. `identity` is a digest of all its files. `directory` has the programs that it
    calls.
    """

    path: str
    version: str
    options: frozenset[str]
    variables: tuple[str, ...]
    builds_for_others: bool
    sets_replace: bool
    pads: bool | None
    names_releases: bool | None
    identity: str
    directory: str

    @property
    def skip_compiler_check(self) -> str | None:
        return next((name for name in SKIP_COMPILER_CHECK if name in self.options), None)

    @property
    def can_omit_replace(self) -> bool:
        return NON_REPLACE in self.options or not self.sets_replace

    @property
    def no_replace(self) -> tuple[str, ...]:
        """The options for a module without `replace`. kpatch-build fails with one that it does not know."""
        return ("-R",) if NON_REPLACE in self.options else ()


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
    programs, data = _places(path)
    files = [path, *_files(programs), *_files(data)]
    together = hashlib.sha256()
    known: set[str] = set()
    for name in files:
        together.update(f"{digest(name)} {os.path.basename(name)}\n".encode())
        known.update(_variables_in(name))
    return Tool(
        path=path,
        version=_version(path, run),
        options=frozenset(re.findall(r"--[a-z][a-z-]+", out + err)),
        variables=tuple(name for name in VARIABLES if name in known),
        builds_for_others=TARGET_ARCH in known,
        sets_replace=_sets_replace(os.path.join(data, _HOOK)),
        pads=_pads(os.path.join(programs, "create-diff-object")),
        names_releases=_names_releases(path),
        identity=together.hexdigest(),
        directory=programs,
    )


def _places(path: str) -> tuple[str, str]:
    """The folders of its programs and of the sources for a patch module: of a checkout, or of an installed package."""
    here = os.path.dirname(path)
    if os.path.exists(os.path.join(here, "create-diff-object")):
        return here, os.path.realpath(os.path.join(here, "../kmod/patch"))
    # Upstream and openEuler install into libexec, some distributions into lib.
    folders = [os.path.realpath(os.path.join(here, f"../{name}/kpatch")) for name in ("libexec", "lib")]
    programs = next((folder for folder in folders if os.path.isdir(folder)), folders[0])
    return programs, os.path.realpath(os.path.join(here, "../share/kpatch/patch"))


def _version(path: str, run: Run) -> str:
    """What --version says, which older ones do not know; or else what the script `kpatch` beside it says."""
    _rc, out, _err = run([path, "--version"])
    said = re.search(r"Version\s*:\s*(\S+)", out)
    if said:
        return said.group(1)
    here = os.path.dirname(path)
    for script in ("../kpatch/kpatch", "../sbin/kpatch"):
        text = read_text(os.path.join(here, script)) or ""
        found = re.search(r"""^VERSION=["']?(\d[\w.+-]*)""", text, re.M)
        if found:
            return found.group(1)
    return ""


def _sets_replace(hook: str) -> bool:
    """Whether this hook sets `replace`. One that cannot be read may do so."""
    text = read_text(hook)
    return text is None or re.search(r"\breplace\s*=[^=]", text) is not None


def _pads(program: str) -> bool | None:
    content = read_bytes(program)
    return None if content is None else PREFIX_SYMBOL.encode() in content


def _names_releases(script: str) -> bool | None:
    """Whether it does not call setlocalversion for a file .scmversion, or in another way as well."""
    text = read_text(script)
    if text is None:
        return None
    calls = re.findall(r"^(?!\s*#).*setlocalversion.*$", text, re.M)
    return not any(SAVE_SCMVERSION in call for call in calls) or any(SAVE_SCMVERSION not in call for call in calls)


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
