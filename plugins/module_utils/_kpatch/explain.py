# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Explains why kpatch-build failed, from what it and the compiler printed."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.compiler import compile_error, parse_errors
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.versions import PADS_SINCE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of

LAST_LINES = 20


class _Row(t.NamedTuple):
    """A cause of a failure. `pattern` is searched in all that was printed; its groups fill `cause` and `remedy`."""

    reason: str
    pattern: str
    cause: str
    remedy: str


# A pattern looks at some lines further on at most: a build prints what its makefiles want, a hundred megabytes as well.
# The first row that fits counts: what names a cause stands before what only says that something failed.
# Source: the messages of kpatch-build 0.9.5 to 0.9.10, create-diff-object, gcc, ld and make; of kernels from 6.2 on,
# dynup/kpatch#1321, #1360 and #1458.
_ROWS = (
    _Row(
        reason="disk_full",
        pattern=r"No space left on device",
        cause="The disk was full.",
        remedy="Free space for cache_dir, or name another one, then run the task again.",
    ),
    _Row(
        reason="tool_too_old",
        pattern=r"Usage: \S*scripts/setlocalversion\b",
        cause="This kpatch-build calls scripts/setlocalversion in a way that kernels from 6.3 on do not know.",
        remedy=f"Use kpatch {PADS_SINCE} or later.",
    ),
    _Row(
        reason="tool_too_old",
        pattern=r"(?P<object>\S+): kpatch_bundle_symbols: \d+: symbol (?P<symbol>\S+) at offset (?P<offset>\d+) within "
        r"section \S+, expected 0",
        cause="This kpatch-build does not know functions with instructions before their entries, such as {symbol} of "
        "{object} ({offset} bytes; the kernel has CONFIG_CALL_PADDING or the like).",
        remedy=f"Use kpatch {PADS_SINCE} or later; for arm64, 0.9.11 or later.",
    ),
    _Row(
        reason="export_symbol",
        pattern=r"(?:changed section |ERROR: \S+: )(?P<section>(?:\.rela)?\.export_symbol)\b"
        r"|(?P<other>(?:\.?rela)?\.export_symbol) section (?:in|header)\b",
        cause="The patch changes a source file with EXPORT_SYMBOL, and this kpatch-build cannot keep the section "
        "{section}{other} that kernels from 6.5 on have for it.",
        remedy="Patch a function of another file instead, such as a caller, or use a newer kpatch-build.",
    ),
    _Row(
        reason="missing_program",
        pattern=r"(?P<program>[\w.+-]+): (?:command )?not found|(?P<other>gawk) not installed",
        cause="The program {program}{other} is not installed.",
        remedy="Install it on the build host.",
    ),
    _Row(
        reason="compiler_mismatch",
        pattern=r"(?:gcc|clang)/kernel version mismatch"
        r"(?:(?:.*\n){0,20}?\w+ version: +(?P<have>.+)\n\s*kernel version: +(?P<want>.+))?",
        cause="The installed compiler ({have}) is not the one that the kernel was built with ({want}).",
        remedy="Install that compiler, or set skip_compiler_check: true if you know that both make the same code.",
    ),
    _Row(
        reason="config",
        pattern=r"ERROR: kernel doesn't have '(?P<option>\w+)' enabled",
        cause="The kernel is configured without {option}.",
        remedy="Build for a kernel that has it.",
    ),
    _Row(
        reason="config",
        pattern=r"ERROR: kernel option '(?P<option>\w+)' not supported",
        cause="The kernel is configured with {option}, which kpatch-build does not support.",
        remedy="Build for a kernel without it.",
    ),
    _Row(
        reason="config",
        pattern=r"openEuler kernel doesn't have '(?P<option>\w+)' enabled",
        cause="This kpatch-build patches openEuler's kernels only if they have {option}.",
        remedy="Use the kpatch-build of openEuler's own packages, and give src_dir.",
    ),
    _Row(
        reason="version_mismatch",
        pattern=r"Kernel version mismatch: (?P<want>\S+) was specified but vmlinux was built for (?P<have>\S+)",
        cause="The vmlinux is of kernel {have}, not of {want}.",
        remedy="Correct vmlinux.",
    ),
    _Row(
        reason="does_not_apply",
        pattern=r"ERROR: (?P<patch>.+) file failed to apply",
        cause="The patch {patch} does not apply.",
        remedy="Correct the patch, or give the source of the kernel that it is for.",
    ),
    _Row(
        reason="unsupported_path",
        pattern=r"unsupported patch to (?P<what>lib/|assembly): (?P<file>\S+)",
        cause="The patch changes {file}, and kpatch-build cannot patch {what}.",
        remedy="Patch a function that calls it instead.",
    ),
    _Row(
        reason="no_fentry",
        pattern=r"(?P<object>\S+): function (?P<symbol>\S+) has no \S+ call, unable to patch",
        cause="The function {symbol} of {object} has no profiling call, by which ftrace would find it.",
        remedy="Patch a function that calls it instead.",
    ),
    _Row(
        reason="init_section",
        pattern=r"(?P<object>\S+): changed section (?P<section>\.init\S*) not selected for inclusion",
        cause="The patch changes code or data of {object} that the kernel discards after it has started ({section}).",
        remedy="Leave functions and data marked __init as they are.",
    ),
    _Row(
        reason="changed_data",
        pattern=r"(?P<object>\S+): changed section (?P<section>\.(?:data|bss)\S*) not selected for inclusion",
        cause="The patch changes data of {object} ({section}) that the running kernel has in use.",
        remedy="Keep data as it is; use shadow variables or a callback that changes it at run time.",
    ),
    _Row(
        reason="unsupported_section",
        pattern=r"(?P<object>\S+): changed section (?P<section>\S+) not selected for inclusion",
        cause="The patch changes the section {section} of {object}, which a live patch cannot replace.",
        remedy="Change the patch so that only functions change.",
    ),
    _Row(
        reason="unsupported_section",
        pattern=r"ERROR: (?P<object>\S+): (?P<count>\d+) unsupported section change",
        cause="The patch changes {count} sections of {object} that a live patch cannot replace.",
        remedy="Change the patch so that only functions change.",
    ),
    _Row(
        reason="symbol_version",
        pattern=r"Patch module references (?P<symbol>\S+) with invalid version",
        cause="The patch changes the version of {symbol}, which it uses, so the kernel would not load it.",
        remedy="Keep the types of exported functions and data as they are.",
    ),
    _Row(
        reason="undefined_symbol",
        pattern=r"ERROR: Undefined symbols: (?P<symbols>.+?) *\.(?: Check|$)",
        cause="The patch uses {symbols}, which neither the kernel nor the patch defines.",
        remedy="Correct the patch.",
    ),
    _Row(
        reason="undefined_symbol",
        pattern=r'ERROR: modpost: "(?P<symbols>[^"]+)" \[[^\]]+\] undefined!',
        cause="The patch uses {symbols}, which neither the kernel nor the patch defines.",
        remedy="Correct the patch.",
    ),
    _Row(
        reason="no_change",
        pattern=r"ERROR: no functional changes found",
        cause="The patch changes no function's code.",
        remedy="Check that the patch is the right one; comments, and code that is not compiled, need no live patch.",
    ),
    _Row(
        reason="no_change",
        pattern=r"ERROR: no changed objects found",
        cause="The patch changes no file that this kernel's configuration compiles.",
        remedy="Check the patch and the configuration; this kernel may not be affected.",
    ),
    _Row(
        reason="unreconcilable",
        pattern=r"ERROR: (?P<object>\S+): (?P<what>[^\n]+)\n(?:.*\n){0,50}?.*unreconcilable difference",
        cause="The change of {object} cannot be made a live patch: {what}.",
        remedy="Change the patch so that only functions change.",
    ),
    _Row(
        reason="no_special_section",
        pattern=r"can't find special struct (?P<struct>\w+) size",
        cause="The vmlinux does not describe the structure {struct}.",
        remedy="Give the vmlinux with full debug information; check that gawk and readelf are installed.",
    ),
    _Row(
        reason="tool_crashed",
        pattern=r"ERROR: (?P<program>\S+) SIGSEGV",
        cause="{program} crashed.",
        remedy="Report it to the makers of kpatch.",
    ),
)

_TOOL_ERROR = re.compile(r"^ERROR: (?P<message>.+?)(?:\. Check \S+ for more details)?\.?$", re.M)


def explain_build(printed: str, log: str, *, cmd: list[str], rc: int, log_path: str | None) -> BuildError:
    """The error for a run of `cmd` that failed, from what it printed and from its log."""
    everything = f"{printed}\n{log}"
    decisive = decisive_lines(everything)
    details: Plain = {"cmd": cmd, "rc": rc, "log": log_path, "log_lines": decisive}
    errors = parse_errors(everything)
    # If kpatch-build has got beyond the compiler, a line that looks like an error of the compiler is not the cause.
    if errors and not re.search(r"^(?:ERROR: (?:\d+ error\(s\)|no |Undefined))", printed, re.M):
        return compile_error(errors, "Correct the patch.", **details)
    for row in _ROWS:
        match = re.search(row.pattern, everything, re.M)
        if match:
            found = match.groupdict(default="")
            return BuildError(
                Finding(reason=row.reason, seen=row.cause.format(**found), remedy=row.remedy.format(**found)), **details
            )
    said = [match.group("message") for match in _TOOL_ERROR.finditer(printed)]
    message = said[-1] if said else (decisive[-1] if decisive else "it said nothing")
    return BuildError(
        Finding(reason="build_failed", seen=f"kpatch-build ended with {rc}: {message}.", remedy="Read the log."),
        **details,
    )


_DECISIVE = re.compile(
    r"\b(?:ERROR|error|Error \d+|FAILED|undefined|unreconcilable|not selected|unable to patch|mismatch|not found)\b"
    r"|No space left"
)


def decisive_lines(text: str) -> list[str]:
    """The last lines that say what went wrong, each once."""
    lines = [line.rstrip() for line in lines_of(text) if _DECISIVE.search(line)]
    return list(dict.fromkeys(lines))[-LAST_LINES:]


_CHANGED = re.compile(r"^(?P<object>\S+): (?P<what>changed|new) function: (?P<function>\S+)$", re.M)


def changed_functions(printed: str) -> list[Plain]:
    """The functions that kpatch-build says it replaces or adds: object file, name, and whether it is new."""
    return [
        {"object": match.group("object"), "name": match.group("function"), "new": match.group("what") == "new"}
        for match in _CHANGED.finditer(printed)
    ]
