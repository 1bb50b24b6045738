# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Why kpatch-build failed: what it and the compiler printed makes a reason, a cause and a remedy."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.compiler import compile_error, parse_errors
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding

LAST_LINES = 20


class _Row(t.NamedTuple):
    """`pattern` is searched in all that was printed; its groups fill `cause` and `remedy`."""

    reason: str
    pattern: str
    cause: str
    remedy: str


# The first row that fits is taken: what names a cause stands before what only says that something failed.
# Source: the messages of kpatch-build 0.9.5 to 0.9.10, create-diff-object, gcc, ld and make.
_ROWS = (
    _Row(
        "disk_full",
        r"No space left on device",
        "The disk was full.",
        "Free space for cache_dir, or name another one, then run the task again.",
    ),
    _Row(
        "missing_program",
        r"(?P<program>[\w.+-]+): (?:command )?not found|(?P<other>gawk) not installed",
        "The program {program}{other} is not installed.",
        "Install it on the build host.",
    ),
    _Row(
        "compiler_mismatch",
        r"(?:gcc|clang)/kernel version mismatch"
        r"(?:(?:.*\n)*?\w+ version: +(?P<have>.+)\n\s*kernel version: +(?P<want>.+))?",
        "The installed compiler ({have}) is not the one that the kernel was built with ({want}).",
        "Install the kernel's compiler, or set skip_compiler_check: true if you know that both make the same code.",
    ),
    _Row(
        "config",
        r"ERROR: kernel doesn't have '(?P<option>\w+)' enabled",
        "The kernel is configured without {option}.",
        "Build for a kernel that has it.",
    ),
    _Row(
        "config",
        r"ERROR: kernel option '(?P<option>\w+)' not supported",
        "The kernel is configured with {option}, which kpatch-build does not support.",
        "Build for a kernel without it.",
    ),
    _Row(
        "config",
        r"openEuler kernel doesn't have '(?P<option>\w+)' enabled",
        "This kpatch-build patches openEuler's kernels only if they have {option}.",
        "Use the kpatch-build of openEuler's own packages, and give src_dir.",
    ),
    _Row(
        "version_mismatch",
        r"Kernel version mismatch: (?P<want>\S+) was specified but vmlinux was built for (?P<have>\S+)",
        "The vmlinux is of kernel {have}, not of {want}.",
        "Correct vmlinux.",
    ),
    _Row(
        "does_not_apply",
        r"ERROR: (?P<patch>.+) file failed to apply",
        "The patch {patch} does not apply.",
        "Correct the patch, or give the source of the kernel that it is for.",
    ),
    _Row(
        "unsupported_path",
        r"unsupported patch to (?P<what>lib/|assembly): (?P<file>\S+)",
        "The patch changes {file}, and kpatch-build cannot patch {what}.",
        "Patch a function that calls it instead.",
    ),
    _Row(
        "no_fentry",
        r"(?P<object>\S+): function (?P<symbol>\S+) has no \S+ call, unable to patch",
        "The function {symbol} of {object} has no profiling call, by which ftrace would find it.",
        "Patch a function that calls it instead.",
    ),
    _Row(
        "init_section",
        r"(?P<object>\S+): changed section (?P<section>\.init\S*) not selected for inclusion",
        "The patch changes code or data of {object} that the kernel discards after it has started ({section}).",
        "Leave functions and data marked __init as they are.",
    ),
    _Row(
        "changed_data",
        r"(?P<object>\S+): changed section (?P<section>\.(?:data|bss)\S*) not selected for inclusion",
        "The patch changes data of {object} ({section}) that the running kernel has in use.",
        "Keep data as it is; use shadow variables or a callback that changes it at run time.",
    ),
    _Row(
        "unsupported_section",
        r"(?P<object>\S+): changed section (?P<section>\S+) not selected for inclusion",
        "The patch changes the section {section} of {object}, which a live patch cannot replace.",
        "Change the patch so that only functions change.",
    ),
    _Row(
        "unsupported_section",
        r"ERROR: (?P<object>\S+): (?P<count>\d+) unsupported section change",
        "The patch changes {count} sections of {object} that a live patch cannot replace.",
        "Change the patch so that only functions change.",
    ),
    _Row(
        "symbol_version",
        r"Patch module references (?P<symbol>\S+) with invalid version",
        "The patch changes the version of the exported symbol {symbol} and uses it, so the kernel would not load it.",
        "Keep the types of exported functions and data as they are.",
    ),
    _Row(
        "undefined_symbol",
        r"ERROR: Undefined symbols: (?P<symbols>.+?) *\.(?: Check|$)",
        "The patch uses {symbols}, which neither the kernel nor the patch defines.",
        "Correct the patch.",
    ),
    _Row(
        "undefined_symbol",
        r'ERROR: modpost: "(?P<symbols>[^"]+)" \[[^\]]+\] undefined!',
        "The patch uses {symbols}, which neither the kernel nor the patch defines.",
        "Correct the patch.",
    ),
    _Row(
        "no_change",
        r"ERROR: no functional changes found",
        "The patch changes no function's code.",
        "Check that the patch is the right one; comments, and code that is not compiled, need no live patch.",
    ),
    _Row(
        "no_change",
        r"ERROR: no changed objects found",
        "The patch changes no file that this kernel's configuration compiles.",
        "Check the patch and the configuration; this kernel may not be affected.",
    ),
    _Row(
        "unreconcilable",
        r"ERROR: (?P<object>\S+): (?P<what>[^\n]+)\n(?:.*\n)*?.*unreconcilable difference",
        "The change of {object} cannot be made a live patch: {what}.",
        "Change the patch so that only functions change.",
    ),
    _Row(
        "no_special_section",
        r"can't find special struct (?P<struct>\w+) size",
        "The vmlinux does not describe the structure {struct}.",
        "Give the vmlinux with full debug information; check that gawk and readelf are installed.",
    ),
    _Row(
        "tool_crashed", r"ERROR: (?P<program>\S+) SIGSEGV", "{program} crashed.", "Report it to the makers of kpatch."
    ),
)

_TOOL_ERROR = re.compile(r"^ERROR: (?P<message>.+?)(?:\. Check \S+ for more details)?\.?$", re.M)


def explain_build(printed: str, log: str, *, cmd: list[str], rc: int, log_path: str | None) -> BuildError:
    """The error for a failed run, from what it printed and from its log."""
    everything = f"{printed}\n{log}"
    decisive = decisive_lines(everything)
    details: Plain = {"cmd": cmd, "rc": rc, "log": log_path, "log_lines": decisive}
    errors = parse_errors(everything)
    # What was compiled before the failure may have warned of much; an error of the compiler ends the build.
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
    """The last lines that say what went wrong, without repetitions."""
    lines = [line.rstrip() for line in text.splitlines() if _DECISIVE.search(line)]
    return list(dict.fromkeys(lines))[-LAST_LINES:]


_CHANGED = re.compile(r"^(?P<object>\S+): (?P<what>changed|new) function: (?P<function>\S+)$", re.M)


def changed_functions(printed: str) -> list[Plain]:
    """The functions that kpatch-build says it will replace or add: object file, name, and whether it is new."""
    return [
        {"object": match.group("object"), "name": match.group("function"), "new": match.group("what") == "new"}
        for match in _CHANGED.finditer(printed)
    ]
