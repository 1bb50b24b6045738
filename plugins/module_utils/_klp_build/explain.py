# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Explains why klp-build failed, from what it and the programs that it calls printed."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.compiler import parse_errors
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of

MOST_LINES = 20


class _Row(t.NamedTuple):
    """A cause. `line` is looked for in each line; its groups fill `cause`."""

    reason: str
    line: str
    cause: str
    remedy: str


_LEAVE = "Change the patch so that only functions change."

# Source: scripts/livepatch/klp-build and tools/objtool/klp-diff.c of Linux 7.3.
_ROWS = (
    _Row("disk_full", r"No space left on device", "The disk was full.", "Free space for cache_dir, or name another."),
    _Row(
        "does_not_apply",
        r"error: klp-build: \S+ did not apply",
        "A patch does not apply.",
        "Correct the patch, or give the source of the kernel that it is for.",
    ),
    _Row(
        "unsupported_path",
        r"error: klp-build: .*: unsupported patch to (?P<file>\S+)",
        "The patch changes {file}, which klp-build cannot patch.",
        "Patch a function that calls it instead.",
    ),
    _Row(
        "init_section",
        r"error: objtool: (?P<symbol>\S+): can't patch or reference init code/data",
        "The patch changes or uses {symbol}, which the kernel discards after it has started.",
        "Leave functions and data marked __init as they are.",
    ),
    _Row(
        "changed_data",
        r"error: objtool: changed data: (?P<symbol>\S+)",
        "The patch changes the initial value of {symbol}, which the running kernel has in use.",
        "Keep data as it is; use shadow variables, or a callback that changes it at run time.",
    ),
    _Row(
        "module_dependency",
        r"new reference to (?P<symbol>\S+) \(exported by (?P<module>\S+)\)",
        "The patch uses {symbol} of the module {module}, which the patched code does not depend on.",
        "Use what the kernel itself or the patched module has.",
    ),
    _Row(
        "jump_label",
        r"unsupported static branch key (?P<symbol>\S+?)\.",
        "The patched code has the static branch {symbol} of a module.",
        "Use static_key_enabled() in the patch instead.",
    ),
    _Row(
        "static_call",
        r"unsupported static call key (?P<symbol>\S+?)\.",
        "The patched code has the static call {symbol} of a module.",
        "Use KLP_STATIC_CALL() in the patch instead.",
    ),
    _Row(
        "no_change",
        r"error: klp-build: no changes detected",
        "The patch changes no code that this kernel's configuration compiles.",
        "Check the patch and the configuration; this kernel may not be affected.",
    ),
    _Row(
        "config_incomplete",
        r"error: klp-build: \.config mismatch",
        "The configuration does not answer all options that this source has.",
        "Give the configuration of exactly this source, or run make olddefconfig on it first.",
    ),
    _Row(
        "original_does_not_build",
        r"error: klp-build: original kernel build failed",
        "The kernel's own source does not build, without the patch.",
        "Read the log; give the source and the configuration of exactly this kernel.",
    ),
    _Row(
        "unsupported_section",
        r"error: objtool: (?P<what>.*)",
        "The change cannot be made a live patch: {what}.",
        _LEAVE,
    ),
)

_OWN_NOISE = re.compile(r"error: klp-build: line \d+: '")
"""What the script's trap prints after the line that says why."""

_ERROR = re.compile(r"\berror: |\bError \d+|FAILED|No space left|unrecognized option")

# What klp-build prints may stand behind the beginning of a line of another program, which writes in blocks.
_TOOL_ERROR = re.compile(r"error: klp-build: (?P<message>.*)$")

_PATCHED_FAILED = "error: klp-build: patched kernel build failed"

_SUCCESS = re.compile(r"SUCCESS$", re.M)


class Explained(t.NamedTuple):
    """Why a build failed, the errors of the compiler if it is their fault, and the lines that say so."""

    finding: Finding
    errors: list[dict[str, t.Any]]
    lines: list[str]


def says_success(printed: str) -> bool:
    """Whether klp-build has come to its end. It ends with 0 as well where it has made nothing.

    Late lines of the programs that it has called may come after its last one.
    """
    return _SUCCESS.search(printed) is not None


def explain(printed: str, rc: int) -> Explained:
    """The reason for a run of klp-build that failed, or that has made no module."""
    lines = [line.rstrip() for line in lines_of(printed) if not _OWN_NOISE.search(line)]
    decisive = list(dict.fromkeys(line for line in lines if _ERROR.search(line)))[:MOST_LINES]
    errors = parse_errors("\n".join(lines)) if _PATCHED_FAILED in printed else []
    return Explained(_finding(lines, errors, decisive, rc), errors, decisive)


def _finding(lines: list[str], errors: list[dict[str, t.Any]], decisive: list[str], rc: int) -> Finding:
    if errors:
        first = "{file}:{line}: {message}".format(**errors[0])
        return Finding(reason="compile_error", seen=f"The compiler says: {first}.", remedy="Correct the patch.")
    for row in _ROWS:
        for line in lines:
            found = re.search(row.line, line)
            if found:
                return Finding(reason=row.reason, seen=row.cause.format(**found.groupdict("")), remedy=row.remedy)
    said = [match.group("message") for match in map(_TOOL_ERROR.search, lines) if match]
    message = said[0] if said else (decisive[0] if decisive else "it printed no error")
    return Finding(reason="build_failed", seen=f"klp-build ended with {rc}: {message}.", remedy="Read the log.")


_CHANGED = re.compile(r"^(?P<object>\S+): (?P<what>changed|new) function: (?P<function>\S+)$", re.M)

_DISABLED = re.compile(r"disabling unsupported (?:(?P<what>tracepoint) (?P<name>[\w.]+)|(?P<print>pr_debug\(\)))", re.M)


def changed_functions(printed: str) -> list[dict[str, t.Any]]:
    """The functions that klp-build says it replaces or adds: object file, name, and whether it is new."""
    return [
        {"object": match.group("object"), "name": match.group("function"), "new": match.group("what") == "new"}
        for match in _CHANGED.finditer(printed)
    ]


def warnings_in(printed: str) -> list[str]:
    """What the patched functions will not do any more, in sentences."""
    points = sorted({match.group("name") for match in _DISABLED.finditer(printed) if match.group("name")})
    found = []
    if points:
        found.append(f"The patched functions do not have these trace points any more: {', '.join(points)}.")
    if any(match.group("print") for match in _DISABLED.finditer(printed)):
        found.append("Messages of pr_debug() in the patched functions cannot be switched on any more.")
    return found
