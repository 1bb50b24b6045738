# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What each version of kpatch-build can do: one table for the code, and for the stand-ins of the tests."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.release_name import numbers

NON_REPLACE = "--non-replace"

SKIP_COMPILER_CHECK = ("--skip-compiler-check", "--skip-gcc-check")
"""The names of one option, the newer one first."""

REGISTER_ONLY = "DISABLE_AFTER_LOAD"
"""With this variable of openEuler's packages the module only registers itself; a write to sysfs enables it."""

TARGET_ARCH = "TARGET_ARCH"
"""A variable that names another architecture than the build host's."""

PREFIX_SYMBOL = "__pfx_"
"""The beginning of the symbols that the kernel has for what stands before a function, with CONFIG_CALL_PADDING."""

SAVE_SCMVERSION = "--save-scmversion"
"""The option of the kernel's scripts/setlocalversion that is gone since 6.3."""


@dataclass(frozen=True)
class Version:
    """A kpatch-build. `options` are what its help lists, `variables` the variables of VARIABLES that it reads.

    `sets_replace` says whether its modules can have `replace`, `tells_version` whether it knows --version.
    `pads` says whether it can patch functions with instructions before them, and a source from 6.3 on.
    """

    number: str
    options: tuple[str, ...]
    variables: tuple[str, ...] = ()
    sets_replace: bool = True
    tells_version: bool = False
    pads: bool = False


_COMMON = (
    *("-h, --help", "-a, --archversion", "-r, --sourcerpm", "-s, --sourcedir", "-c, --config", "-v, --vmlinux"),
    *("-j, --jobs", "-t, --target", "-n, --name", "-o, --output", "-d, --debug", "--oot-module", "--skip-cleanup"),
)
_NEWER = (*_COMMON, f"-R, {NON_REPLACE}", "--oot-module-src", "--skip-compiler-check")
_OPENEULER = (REGISTER_ONLY, "NO_PROFILING_CALLS", "KEEP_JUMP_LABEL")

# Source: kpatch-build/kpatch-build and kmod/patch/livepatch-patch-hook.c of these versions, with the patches of
# openEuler's packages (20.03-LTS-SP3; 22.03-LTS; 23.03). 0.9.7 of openEuler was measured. Upstream has --version since
# 0.9.10 (dynup/kpatch#1407), and the functions of kernels from 6.2 on since 0.9.9.
OPENEULER_VERSIONS: t.Mapping[str, Version] = {
    version.number: version
    for version in (
        Version("0.9.1", (*_COMMON, "--skip-gcc-check"), _OPENEULER[:2], sets_replace=False),
        Version("0.9.5", (*_COMMON, f"-R, {NON_REPLACE}", "--skip-compiler-check"), _OPENEULER),
        Version("0.9.7", _NEWER, _OPENEULER),
    )
}
UPSTREAM_VERSIONS: t.Mapping[str, Version] = {
    version.number: version
    for version in (
        Version("0.9.7", _NEWER),
        Version("0.9.9", _NEWER, pads=True),
        Version("0.9.10", (*_NEWER, "--version"), tells_version=True, pads=True),
        Version("0.9.11", (*_NEWER, "--version"), (TARGET_ARCH,), tells_version=True, pads=True),
    )
}

VARIABLES = _OPENEULER
"""Environment variables that kpatch-build of openEuler's packages reads, and upstream's does not."""

WITH_NON_REPLACE = next(name for name, version in OPENEULER_VERSIONS.items() if f"-R, {NON_REPLACE}" in version.options)

PADS_SINCE = next(name for name, version in UPSTREAM_VERSIONS.items() if version.pads)
"""The first version that builds for kernels with CONFIG_CALL_PADDING, and from sources of 6.3 and later."""


def lacks_replace(release: str) -> bool:
    """Whether a kernel is older than `replace`, which came with 5.1, and with the updates of RHEL 8's 4.18."""
    version = numbers(release)
    return bool(version) and version < (5, 1) and not re.search(r"\.el[789]", release)
