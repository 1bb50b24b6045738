# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Checks of the functions that change: whether the kernel has them, how long they are, and who else is in them."""

from __future__ import annotations

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
    Symbols,
    is_same,
    symbol_of,
    with_a_name_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import (
    ENABLED_FUNCTIONS,
    KPROBES,
    TRACEFS,
    Kprobe,
    Traced,
    entries_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances, check

SHORTEST = {"x86_64": 5, "aarch64": 16, "armv7l": 12, "ppc": 16, "ppc64": 32, "riscv64": 24}
"""The bytes that a stop_machine kernel overwrites in a function (openEuler, arch/*/include/asm/livepatch.h)."""

BRANCH = 4
"""The same on arm64 without CONFIG_ARM64_MODULE_PLTS, which 6.6 no longer has: there is no far jump."""

NOT_REACHED = "the kernel does not reach a kprobe inside it, unless ftrace calls that ([FTRACE] in the list)."

END_OTHER_USE = f"Find its owner in {ENABLED_FUNCTIONS} of tracefs and end it first."


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
    """Each function of the files with the symbols of its name, if the kernel has its object and shows symbols."""
    known = circumstances.conditions.symbols
    for file in circumstances.files:
        for function in file.functions or ():
            if known is not None and circumstances.has_object(function.object):
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
            yield Finding(
                reason="function_too_short",
                seen=f"The function {function.name} has {size} bytes.",
                remedy="Patch a function that calls it instead.",
                why=f"The kernel replaces the first {shortest} bytes of a function, and would answer EINVAL.",
            )


def _shortest(host: Snapshot) -> int | None:
    near = host.machine == "aarch64" and host.release.startswith("5.10.") and host.module_plts is False
    return BRANCH if near else SHORTEST.get(host.machine)


@check("kprobe")
def kprobes(circumstances: Circumstances) -> t.Iterator[Finding]:
    probes = circumstances.conditions.kprobes
    overwrites = not abi_of(circumstances.snapshot).redirects_by_ftrace
    if probes is None:
        if circumstances.functions:
            yield Finding(
                reason="kprobe",
                seen=circumstances.conditions.why(KPROBES),
                remedy="Mount debugfs, if lockdown permits it.",
                why="A kprobe in a function would keep the kernel from changing it (EINVAL)."
                if overwrites
                else f"While a function is patched, {NOT_REACHED}",
                severity=WARN if overwrites else INFO,
            )
        return
    for function in circumstances.functions:
        symbol = symbol_of(circumstances.conditions.symbols or {}, function)
        # ftrace calls all its users at the start of a function, also where live patching then leads away from it.
        in_the_way = [probe for probe in probes if overwrites or not probe.by_ftrace]
        offsets = [f"+{probe.offset:#x}" for probe in in_the_way if _is_in(probe, function, symbol)]
        if offsets:
            yield Finding(
                reason="kprobe",
                seen=f"A kprobe is set in {function.name} (at {', '.join(offsets)}).",
                remedy=f"Find its owner ({KPROBES} shows it) and remove it first.",
                why="The kernel changes no function with a kprobe in it, and would answer EINVAL."
                if overwrites
                else f"While the function is patched, {NOT_REACHED}",
                severity=REFUSE if overwrites else WARN,
            )


def _is_in(probe: Kprobe, function: Function, symbol: Symbol | None) -> bool:
    """Whether the probe is inside the function: by address, as for the kernel, or by name if those are hidden."""
    if probe.address is None or symbol is None or symbol.address is None or symbol.size is None:
        return (probe.object, probe.function) == (function.object, function.name)
    return symbol.address <= probe.address < symbol.address + symbol.size


@check("ftrace_user")
def ftrace_users(circumstances: Circumstances) -> t.Iterator[Finding]:
    overwrites = not abi_of(circumstances.snapshot).redirects_by_ftrace
    traced = circumstances.conditions.traced
    if traced is None:
        if circumstances.functions:
            yield Finding(
                reason="ftrace_user",
                seen=circumstances.conditions.why(f"{TRACEFS[0]}/{ENABLED_FUNCTIONS}"),
                remedy="Mount tracefs, if lockdown permits it.",
                why="Whether somebody traces the functions is unknown."
                + (" On this kernel the patch would break tracing." if overwrites else ""),
                severity=WARN,
            )
        return
    known = circumstances.conditions.symbols or {}
    for function in circumstances.functions:
        entries = entries_of(known, traced, function)
        if entries and overwrites:
            yield Finding(
                reason="ftrace_user",
                seen=f"ftrace is in use on {_described(known, function, entries)}.",
                remedy=END_OTHER_USE,
                why="The kernel overwrites what ftrace put there; ftrace then fails on the whole host until a reboot.",
            )
        elif entries:
            yield from _users_beside_patches(circumstances.snapshot, known, function, entries)


def _users_beside_patches(
    snapshot: Snapshot, known: Symbols, function: Function, entries: t.Sequence[Traced]
) -> t.Iterator[Finding]:
    """The users of ftrace beside live patching, which uses it on per_task kernels."""
    # While the transition that disables a patch is running, ftrace goes on to call live patching.
    hooked = [patch for patch in snapshot.patches if patch.enabled or patch.in_transition]
    live = with_a_name_of(known, function, {theirs for patch in hooked for theirs in patch.functions})
    others = sum(entry.users for entry in entries) - live
    described = _described(known, function, entries)
    if sum(entry.ip_modify for entry in entries) > live:
        yield Finding(
            reason="ftrace_user",
            seen=f"Another user of ftrace redirects {described}.",
            remedy=END_OTHER_USE,
            why="ftrace lets one user redirect a function (IPMODIFY), so that the kernel would answer EBUSY.",
        )
    elif others > 0:
        direct = any(entry.direct for entry in entries)
        yield Finding(
            reason="ftrace_user",
            seen=f"ftrace has {others} other user{'s' if others > 1 else ''} on {described}.",
            remedy="Check that they do not depend on the old code.",
            why="Kernels before 6.0 refuse a function with a trampoline of BPF (EBUSY)."
            if direct
            else "ftrace goes on to call them.",
            severity=WARN if direct else INFO,
        )


def _described(known: Symbols, function: Function, entries: t.Sequence[Traced]) -> str:
    """The function by the name that ftrace shows, and its users. ftrace shows no position and one of several names."""
    aliases = sorted({entry.function for entry in entries} - {function.name})
    namesakes = len(known.get((function.object, function.name), ()))
    name = f"{function.name} (shown as {' and '.join(aliases)})" if aliases else function.name
    if namesakes > 1:
        name += f", or on another of the {namesakes} symbols of that name,"
    users = "; ".join(dict.fromkeys(entry.text for entry in entries if entry.text))
    return f"{name} ({users})" if users else name


@check("already_patched")
def stacks(circumstances: Circumstances) -> t.Iterator[Finding]:
    known = circumstances.conditions.symbols or {}
    before = circumstances.snapshot
    after = predict(before, Plan(circumstances.steps))
    for name, functions in _coming_up(circumstances):
        others = [patch for patch in before.patches if patch.enabled and patch.name != name]
        for function in functions:
            here = [patch for patch in others if any(is_same(known, theirs, function) for theirs in patch.functions)]
            # What was above another patch and does not come below it changes nothing for that one.
            told = [
                patch for patch in here if not _is_above(before, name, patch.name) or _is_above(after, patch.name, name)
            ]
            new = after.patch(name)
            if told and new and new.enabled:
                stays_hidden = all(_is_above(after, patch.name, name) for patch in told)
                owners = sorted({patch.tool for patch in told if patch.tool})
                unnoticed = f" {' and '.join(owners)} will not notice." if owners else ""
                yield Finding(
                    reason="already_patched",
                    seen=f"{function.name} is patched already by {names_of(told)}.",
                    remedy="Nothing needs to be done."
                    if stays_hidden
                    else f"Nothing needs to be done, if {name} contains the earlier fix, or is that itself.",
                    why=_what_happens(after, name, told) + unnoticed,
                    severity=WARN if owners else INFO,
                )


def _what_happens(after: Snapshot, name: str, others: t.Sequence[LoadedPatch]) -> str:
    """Where a patch that is enabled comes to stand with others on a function, in sentences."""
    staying = [other for other in others if any(now.enabled and now.name == other.name for now in after.patches)]
    below = [other for other in staying if _is_above(after, name, other.name)]
    above = [other for other in staying if other not in below]
    gone = [other for other in others if other not in staying]
    sentences = [f"{name} comes above {names_of(below)}."] if below else []
    sentences += [f"{name} takes the place of {names_of(gone)}."] if gone else []
    sentences += [f"{name} comes below {names_of(above)}."] if above else []
    return " ".join(sentences)


def _is_above(snapshot: Snapshot, upper: str, lower: str) -> bool:
    """Whether both patches are enabled, and the first one comes after the other in the kernel's order."""
    names = [patch.name for patch in snapshot.patches if patch.enabled]
    return upper in names and lower in names[: names.index(upper)]


def _coming_up(circumstances: Circumstances) -> t.Iterator[tuple[str, tuple[Function, ...]]]:
    """The patches that the steps load or enable, with their functions."""
    for file in circumstances.files:
        yield file.name, file.functions or ()
    for step in circumstances.steps:
        loaded = circumstances.snapshot.patch(step.patch)
        if step.action == Action.ENABLE and loaded and not loaded.enabled and circumstances.file_of(step.patch) is None:
            yield loaded.name, loaded.functions
