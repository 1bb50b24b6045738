# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds, before the long build, what would make kpatch-build or its patch fail. Pure functions."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config, Vmlinux
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.release_name import numbers
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_checks import (
    check_banner,
    check_plain,
    check_refused,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.tool import Tool
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.versions import (
    PADS_SINCE,
    REGISTER_ONLY,
    SAVE_SCMVERSION,
    WITH_NON_REPLACE,
    lacks_replace,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.config import REQUIRED_OPTIONS

REFUSED_OPTIONS = (
    "CONFIG_DEBUG_INFO_SPLIT",
    "CONFIG_GCC_PLUGIN_LATENT_ENTROPY",
    "CONFIG_GCC_PLUGIN_RANDSTRUCT",
    "CONFIG_X86_KERNEL_IBT",
)
"""The options of a kernel that kpatch-build refuses (kpatch-build: "not supported")."""

PROGRAMS = (
    *("awk", "bash", "gawk", "getopt", "ld", "lsdiff", "make", "objcopy", "patch", "readelf", "sed", "strings"),
    *("bc", "bison", "flex", "perl"),
)
"""The programs that kpatch-build and the build of a kernel call.

Without lsdiff, kpatch-build skips its check of the paths; without gawk, it finds no structures.
"""


def check_config(config: Config) -> t.Iterator[Finding]:
    """Whether the configuration has only options, and is of a kernel that kpatch-build can patch."""
    yield from check_plain(config, "kpatch-build")
    abi = config.abi
    for name, needed_by in REQUIRED_OPTIONS.items():
        if (abi in needed_by or name == "CONFIG_DEBUG_INFO") and config.options.get(name) != "y":
            yield Finding(
                reason="config",
                seen=f"{config.path} lacks {name}=y.",
                remedy="Build for a kernel that has it, or correct config.",
            )
    yield from check_refused(config, REFUSED_OPTIONS, "kpatch-build")


def check_debug_info(vmlinux: Vmlinux, package: str, wanted: str | None) -> t.Iterator[Finding]:
    """Whether the file is the vmlinux of the wanted kernel, and has debug information. `package` is what has one."""
    if not vmlinux.has_debug_info:
        yield Finding(
            reason="no_debug_info",
            seen=f"{vmlinux.path} has no debug information.",
            remedy=f"Install {package}, and give its vmlinux.",
        )
    yield from check_banner(vmlinux, package, wanted)


def check_tool(
    tool: Tool, abi: str, release: str, replace: str, skip_compiler_check: bool, arch: str | None
) -> t.Iterator[Finding]:
    """Whether this kpatch-build can make what the user asks for."""
    yield from _check_replace(tool, abi, release, replace)
    if arch and not tool.builds_for_others:
        yield Finding(
            reason="tool_not_for_arch",
            seen=f"{tool.path} builds only for the architecture that it runs on.",
            remedy="Build on a machine of the other architecture, or use a kpatch-build that knows TARGET_ARCH.",
        )
    if abi == STOP_MACHINE and REGISTER_ONLY not in tool.variables:
        yield Finding(
            reason="tool_not_for_abi",
            seen=f"{tool.path} cannot build for CONFIG_LIVEPATCH_WO_FTRACE: it does not know {REGISTER_ONLY}.",
            remedy="Use the package kpatch of openEuler's own repositories, on openEuler, or name its kpatch-build.",
        )
    if skip_compiler_check and tool.skip_compiler_check is None:
        yield Finding(
            reason="tool_too_old",
            seen=f"{tool.path} cannot skip its check of the compiler.",
            remedy="Install the compiler that the kernel was built with.",
        )


def _check_replace(tool: Tool, abi: str, release: str, replace: str) -> t.Iterator[Finding]:
    remedy = "Leave replace out, and name the other patches in supersedes of livepatch_module."
    if abi == STOP_MACHINE and replace == "yes":
        yield Finding(
            reason="replace_not_supported",
            seen="Kernels with CONFIG_LIVEPATCH_WO_FTRACE lack replace: enabling such a patch hangs the host.",
            remedy=remedy,
        )
    elif lacks_replace(release) and replace == "yes":
        yield Finding(
            reason="replace_not_supported",
            seen=f"Kernel {release} lacks replace, which came with Linux 5.1.",
            remedy=remedy,
        )
    elif replace == "yes" and not tool.sets_replace:
        yield Finding(
            reason="tool_too_old",
            seen=f"{tool.path} makes patches without replace only.",
            remedy=f"Use kpatch {WITH_NON_REPLACE} or later, or leave replace out.",
        )
    needs_none = (abi == STOP_MACHINE and REGISTER_ONLY in tool.variables) or (abi != STOP_MACHINE and replace == "no")
    if needs_none and not lacks_replace(release) and not tool.can_omit_replace:
        yield Finding(
            reason="tool_too_old",
            seen=f"{tool.path} has no option -R, so its patches would have replace.",
            remedy=f"Use kpatch {WITH_NON_REPLACE} or later.",
        )


def check_tool_for_kernel(tool: Tool, config: Config, version: str | None, script: str | None) -> t.Iterator[Finding]:
    """Whether this kpatch-build gets on with what kernels have since 6.2 and 6.3.

    `version` is that of the source, and `script` the text of its scripts/setlocalversion. Versions before PADS_SINCE
    fail after a long build; distributions have some of these versions with the changes of a later one.
    """
    if numbers(tool.version) >= numbers(PADS_SINCE):
        return
    if config.options.get("CONFIG_CALL_PADDING") == "y":
        yield from _too_old_if_not(
            tool.pads,
            tool,
            f"{config.path} has CONFIG_CALL_PADDING, so that functions have instructions before their entries",
        )
    if numbers(version or "") >= (6, 3) if script is None else SAVE_SCMVERSION not in script:
        yield from _too_old_if_not(
            tool.names_releases, tool, f"The kernel's scripts/setlocalversion does not know {SAVE_SCMVERSION}"
        )


def _too_old_if_not(able: bool | None, tool: Tool, seen: str) -> t.Iterator[Finding]:
    """The finding that a tool is not able to do something: a refusal if its version and its files say so."""
    if not able:
        is_known = able is False and bool(tool.version)
        name = f"kpatch {tool.version}" if tool.version else "of an unknown version"
        yield Finding(
            reason="tool_too_old",
            seen=f"{seen}, and {tool.path} ({name}) {'cannot' if is_known else 'may be unable to'} build for that.",
            remedy=f"Use kpatch {PADS_SINCE} or later.",
            severity=REFUSE if is_known else WARN,
        )
