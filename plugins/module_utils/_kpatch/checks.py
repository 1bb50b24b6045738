# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds, before the long build, what would make kpatch-build or its patch fail. Pure functions."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config, Vmlinux
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.source_patch import SourcePatch, Trial
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.tool import Tool
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.versions import (
    PADS_SINCE,
    REGISTER_ONLY,
    SAVE_SCMVERSION,
    WITH_NON_REPLACE,
    lacks_replace,
    numbers,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
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
    if config.odd_line is not None:
        yield Finding(
            reason="config_not_plain",
            seen=f"Line {config.odd_line} of {config.path} is neither a kernel option nor a comment in ASCII, and "
            "kpatch-build would run it.",
            remedy="Give the configuration file from the package of the kernel.",
        )
    abi = config.abi
    for name, needed_by in REQUIRED_OPTIONS.items():
        if (abi in needed_by or name == "CONFIG_DEBUG_INFO") and config.options.get(name) != "y":
            yield Finding(
                reason="config",
                seen=f"{config.path} lacks {name}=y.",
                remedy="Build for a kernel that has it, or correct config.",
            )
    for name in REFUSED_OPTIONS:
        if name in config.options:
            yield Finding(
                reason="config",
                seen=f"{config.path} has {name}, which kpatch-build does not support.",
                remedy="Build for a kernel without it.",
            )


def check_debug_info(vmlinux: Vmlinux) -> t.Iterator[Finding]:
    """Whether the file is the vmlinux of a kernel, and has debug information."""
    if not vmlinux.has_debug_info:
        yield Finding(
            reason="no_debug_info",
            seen=f"{vmlinux.path} has no debug information.",
            remedy="Install the kernel's debuginfo package and give its vmlinux.",
        )
    if vmlinux.release is None:
        yield Finding(
            reason="bad_vmlinux", seen=f"{vmlinux.path} is not the vmlinux of a kernel.", remedy="Correct vmlinux."
        )


def check_version(
    vmlinux: Vmlinux, config: Config, source: str, version: str | None, local: str
) -> t.Iterator[Finding]:
    """Whether vmlinux, configuration and source, with its `localversion` files, are of one kernel."""
    if version is None:
        yield Finding(reason="no_source", seen=f"{source} is not the source of a kernel.", remedy="Correct src_dir.")
        return
    if config.version and not config.version.startswith(_numbers(version)):
        yield Finding(
            reason="version_mismatch",
            seen=f"{config.path} is the configuration of {config.version}, and {source} the source of {version}.",
            remedy="Give the configuration that the kernel was built with.",
        )
    if vmlinux.release is None:
        return
    if not vmlinux.release.startswith(version):
        yield Finding(
            reason="version_mismatch",
            seen=f"{source} is the source of {version}, and {vmlinux.path} is of {vmlinux.release}.",
            remedy="Give the source that the kernel was built from.",
        )
    elif missing_suffix(vmlinux, config, version, local) is None:
        yield Finding(
            reason="version_mismatch",
            seen=f"{source} and {config.path} do not make the release {vmlinux.release} of {vmlinux.path}.",
            remedy="Give the source and the configuration that the kernel was built from.",
        )


def _numbers(version: str) -> str:
    return version.split("-")[0]


def missing_suffix(vmlinux: Vmlinux, config: Config, version: str | None, local: str) -> str | None:
    """The end of the kernel's release that source, `localversion` files and configuration do not give.

    None if they contradict the vmlinux.
    """
    said = (version or "") + local + config.options.get("CONFIG_LOCALVERSION", "").strip('"')
    release = vmlinux.release or ""
    return release[len(said) :] if release.startswith(said) else None


def check_compiler(vmlinux: Vmlinux, compiler: str | None, program: str) -> t.Iterator[Finding]:
    """Whether the compiler is the one that the kernel was built with."""
    if compiler is None:
        yield Finding(
            reason="missing_program",
            seen=f"The compiler {program} does not work or is not installed.",
            remedy="Install it.",
        )
    elif vmlinux.compiler is not None and compiler != vmlinux.compiler:
        yield Finding(
            reason="compiler_mismatch",
            seen=f"{program} is {compiler!r}, and the kernel was built with {vmlinux.compiler!r}.",
            remedy="Install that compiler, or set skip_compiler_check: true if you know that both make the same code.",
        )


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


def check_paths(patches: t.Sequence[SourcePatch]) -> t.Iterator[Finding]:
    """Whether the patches change only what can be live-patched."""
    for patch in patches:
        for path in patch.paths:
            what = _unsupported(path)
            if what:
                yield Finding(
                    reason="unsupported_path",
                    seen=f"{patch.path} changes {clean(path)}: {what} cannot be live-patched.",
                    remedy="Patch a function that calls it instead.",
                )


_PLAIN_NAME = re.compile(r"[A-Za-z0-9._+,@=~-]+(?:/[A-Za-z0-9._+,@=~-]+)*\Z")


def _unsupported(path: str) -> str | None:
    if not _PLAIN_NAME.match(path) or ".." in path.split("/"):
        return "a file of such a name"
    if path.startswith("lib/"):
        return "code in lib/"
    if path.endswith(".S"):
        return "assembly"
    if "/vdso/" in path or "/vdso32/" in path or "/vdso64/" in path:
        return "the vDSO"
    return None


def check_trials(trials: t.Sequence[Trial], in_init: t.Sequence[tuple[str, str, str]]) -> t.Iterator[Finding]:
    """Whether the patches apply, and change nothing that the kernel discards after its start."""
    for trial in trials:
        if trial.already_applied:
            yield Finding(
                reason="already_applied",
                seen=f"src_dir already contains {trial.patch}.",
                remedy="Give the source without this patch.",
            )
        for path in trial.missing:
            yield Finding(
                reason="does_not_apply",
                seen=f"{trial.patch} changes {clean(path)}, which does not exist.",
                remedy="Correct the patch or src_dir.",
            )
        for path, hunk, line in trial.failures:
            yield Finding(
                reason="does_not_apply",
                seen=f"{trial.patch}: hunk {hunk} does not apply to {clean(path)} at line {line}.",
                remedy="Correct the patch or src_dir.",
            )
        if trial.says:
            yield Finding(
                reason="does_not_apply",
                seen=f"{trial.patch} does not apply: {trial.says}.",
                remedy="Correct the patch.",
            )
    for patch, path, function in in_init:
        yield Finding(
            reason="init_section",
            seen=f"{patch} changes {function} in {path}, which the kernel discards after it has started.",
            remedy="Leave functions marked __init or __exit as they are.",
        )
