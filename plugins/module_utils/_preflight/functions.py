# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Checks of the functions that change: whether the kernel has them, how long they are, and who patches them already."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Function,
    LoadedPatch,
    Snapshot,
    names_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import (
    KALLSYMS,
    Symbol,
    marks_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances, check

SHORTEST = {"x86_64": 5, "aarch64": 16, "armv7l": 12, "ppc": 16, "ppc64": 32, "riscv64": 24}
"""The bytes that a stop_machine kernel overwrites in a function (openEuler, arch/*/include/asm/livepatch.h)."""

BRANCH = 4
"""The same on arm64 for the near jump: the only one without CONFIG_ARM64_MODULE_PLTS, which 6.6 no longer has."""

FTRACE_SITE = {"x86_64": 5, "aarch64": 8}
"""What ftrace may have at the entry of a function: a call, or two words (arch/*/include/asm/ftrace.h)."""


@check("symbols")
def shown(circumstances: Circumstances) -> t.Iterator[Finding]:
    for file in circumstances.files:
        if file.functions is None:
            yield Finding(
                reason="symbols",
                seen=f"{file.path} does not show which functions it replaces.",
                remedy="Look for them in its source.",
                why="The task cannot check the functions.",
                severity=WARN,
            )
        elif circumstances.conditions.symbols is None:
            yield Finding(
                reason="symbols",
                seen=circumstances.conditions.why(KALLSYMS),
                remedy="Build the kernel with CONFIG_KALLSYMS.",
                why="Whether the kernel has the functions of the patch, and how long they are, is unknown.",
                severity=WARN,
            )


@check("symbol_missing", "symbol_ambiguous", "sympos_missing")
def symbols(circumstances: Circumstances) -> t.Iterator[Finding]:
    for file, function, found in _looked_up(circumstances):
        if not found:
            yield Finding(
                reason="symbol_missing",
                seen=f"{_where(function)} has no function {function.name}.",
                remedy="Build the patch from the source of the running kernel; an inlined function cannot be patched.",
                why="The kernel would answer EINVAL.",
            )
        elif _is_ambiguous(file, function, found):
            yield Finding(
                reason="symbol_ambiguous",
                seen=f"{_where(function)} has {len(found)} symbols named {function.name}.",
                remedy="Set the function's old_sympos to its position in /proc/kallsyms.",
                why="The patch does not say which of them it replaces, so that the kernel would answer EINVAL.",
            )
        elif function.sympos > len(found):
            yield Finding(
                reason="sympos_missing",
                seen=f"{_where(function)} has {len(found)} symbols named {function.name}, not {function.sympos}.",
                remedy="Correct old_sympos: positions count the symbols of that name in /proc/kallsyms from 1.",
                why="The kernel would answer EINVAL.",
            )


def _looked_up(circumstances: Circumstances) -> t.Iterator[tuple[PatchFile, Function, tuple[Symbol, ...]]]:
    """Each function of the files with the symbols of its name, if the kernel has its object and shows symbols.

    A module may have come or gone since the snapshot: what is not shown of it does not tell that it lacks a function.
    """
    known, moving = circumstances.conditions.symbols, circumstances.conditions.moving
    for file in circumstances.files:
        for function in file.functions or ():
            if known is not None and circumstances.has_object(function.object) and function.object not in moving:
                yield file, function, known.get((function.object, function.name), ())


def _where(function: Function) -> str:
    return "The kernel" if function.object == "vmlinux" else f"The module {function.object}"


def _is_ambiguous(file: PatchFile, function: Function, found: tuple[Symbol, ...]) -> bool:
    return len(found) > 1 and function in file.unnumbered


@check("function_too_short")
def length(circumstances: Circumstances) -> t.Iterator[Finding]:
    if abi_of(circumstances.snapshot).redirects_by_ftrace:
        return
    shortest = _shortest(circumstances.snapshot)
    for file, function, found in _looked_up(circumstances):
        if not 0 < function.sympos <= len(found) or _is_ambiguous(file, function, found):
            continue
        size = found[function.sympos - 1].size
        if size is None or shortest is None:
            yield Finding(
                reason="function_too_short",
                seen=f"How long {function.name} is, or has to be, is unknown.",
                remedy="Run as root; /proc/sys/kernel/kptr_restrict must not be 2.",
                why="The kernel refuses functions that are shorter than the jump which it writes to their start.",
                severity=WARN,
            )
        elif size < shortest:
            yield _too_short(circumstances.snapshot, function, size, shortest)
        elif size < shortest + site_of(circumstances.snapshot):
            yield Finding(
                reason="function_too_short",
                seen=f"The function {function.name} has {size} bytes.",
                remedy="Patch a function that calls it instead, if the kernel refuses it.",
                why=f"The kernel replaces {shortest} bytes behind those of ftrace at the entry, and may answer EINVAL.",
                severity=WARN,
            )


def _too_short(host: Snapshot, function: Function, size: int, shortest: int) -> Finding:
    """The finding about a function that is shorter than the jump, by what the kernel of that line does then."""
    remedy, why = "Patch a function that calls it instead.", "and would answer EINVAL"
    severity = REFUSE
    if not checks_lengths(host.release):
        if host.machine == "aarch64" and size >= BRANCH < shortest:
            remedy, severity = "Patch a function that calls it instead, if the kernel refuses it.", WARN
            why = "if the patch is more than 128 MiB away, and would answer EPERM then"
        elif host.machine == "x86_64":
            why = "does not look how long that is, and would overwrite what follows it"
    return Finding(
        reason="function_too_short",
        seen=f"The function {function.name} has {size} bytes.",
        remedy=remedy,
        why=f"The kernel replaces the first {shortest} bytes of a function, {why}.",
        severity=severity,
    )


def checks_lengths(release: str) -> bool:
    """Whether a stop_machine kernel refuses each function that is shorter than its longest jump.

    openEuler's 4.19, and 5.10 before 5.10.0-130 (22.03-LTS itself), do not: on x86_64 they check nothing, elsewhere the
    jump that they are about to write (arch/*/kernel/livepatch.c).
    """
    package = re.match(r"5\.10\.0-(\d+)\.", release)
    return not (release.startswith("4.19.") or (package and int(package.group(1)) < 130))


def site_of(host: Snapshot) -> int:
    """The bytes at the entry of a function that the kernel leaves to ftrace; 0 where that is not known."""
    return FTRACE_SITE.get(host.machine, 0) if host.kprobes_isolated else 0


def isolates_reliably(release: str) -> bool:
    """Whether a kernel that leaves the entries to kprobes looks for the right ones.

    5.10.0-201 did not: 22.03-LTS-SP3 since -207 and SP4 since -204 have "Fix find wrong ftrace entry" (kernel.spec).
    """
    package = re.match(r"5\.10\.0-(\d+)\..*\.oe2203(sp\d)", release)
    first = {"sp3": 207, "sp4": 204}.get(package.group(2)) if package else None
    return not (package and first and int(package.group(1)) < first)


def _shortest(host: Snapshot) -> int | None:
    is_old = host.release.startswith(("4.19.", "5.10."))
    near = host.machine == "aarch64" and is_old and host.module_plts is False
    return BRANCH if near else SHORTEST.get(host.machine)


@check("already_patched")
def stacks(circumstances: Circumstances) -> t.Iterator[Finding]:
    known = circumstances.conditions.symbols or {}
    before = circumstances.snapshot
    after = predict(before, Plan(circumstances.steps))
    was, then = _Ranks(before), _Ranks(after)
    enabled = [patch for patch in before.patches if patch.enabled]
    on_mark: dict[t.Any, list[int]] = {}
    for place, patch in enumerate(enabled):
        for mark in (mark for function in patch.functions for mark in marks_of(known, function)):
            on_mark.setdefault(mark, []).append(place)
    for name, functions in _coming_up(circumstances):
        for function in functions:
            places = {place for mark in marks_of(known, function) for place in on_mark.get(mark, ())}
            here = [enabled[place] for place in sorted(places) if enabled[place].name != name]
            # What was above another patch and does not come below it changes nothing for that one.
            told = [patch for patch in here if not was.is_above(name, patch.name) or then.is_above(patch.name, name)]
            new = after.patch(name)
            if told and new and new.enabled:
                stays_hidden = all(then.is_above(patch.name, name) for patch in told)
                owners = sorted({patch.tool for patch in told if patch.tool})
                unnoticed = f" {' and '.join(owners)} will not notice." if owners else ""
                yield Finding(
                    reason="already_patched",
                    seen=f"{function.name} is patched already by {names_of(told)}.",
                    remedy="Nothing needs to be done."
                    if stays_hidden
                    else f"Nothing needs to be done, if {name} contains the earlier fix, or is that itself.",
                    why=_what_happens(then, name, told) + unnoticed,
                    severity=WARN if owners else INFO,
                )


def _what_happens(then: _Ranks, name: str, others: t.Sequence[LoadedPatch]) -> str:
    """Where a patch that is enabled comes to stand with others on a function, in sentences."""
    below = [other for other in others if then.is_above(name, other.name)]
    above = [other for other in others if then.is_enabled(other.name) and not then.is_above(name, other.name)]
    gone = [other for other in others if not then.is_enabled(other.name)]
    sentences = [f"{name} comes above {names_of(below)}."] if below else []
    sentences += [f"{name} takes the place of {names_of(gone)}."] if gone else []
    sentences += [f"{name} comes below {names_of(above)}."] if above else []
    return " ".join(sentences)


class _Ranks:
    """The enabled patches of a host in the kernel's order."""

    def __init__(self, snapshot: Snapshot) -> None:
        enabled = [patch.name for patch in snapshot.patches if patch.enabled]
        self._ranks = {name: rank for rank, name in reversed(list(enumerate(enabled)))}

    def is_enabled(self, name: str) -> bool:
        return name in self._ranks

    def is_above(self, upper: str, lower: str) -> bool:
        """Whether both patches are enabled, and the first one comes after the other."""
        return self.is_enabled(upper) and self.is_enabled(lower) and self._ranks[lower] < self._ranks[upper]


def _coming_up(circumstances: Circumstances) -> t.Iterator[tuple[str, tuple[Function, ...]]]:
    """The patches that the steps load or enable, with their functions."""
    for file in circumstances.files:
        yield file.name, file.functions or ()
    for step in circumstances.steps:
        loaded = circumstances.snapshot.patch(step.patch)
        if step.action == Action.ENABLE and loaded and not loaded.enabled and circumstances.file_of(step.patch) is None:
            yield loaded.name, loaded.functions
