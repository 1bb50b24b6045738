# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Checks of who else changes the functions: kprobes, and the users of ftrace."""

from __future__ import annotations

import bisect
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import (
    Meant,
    Name,
    Symbol,
    Symbols,
    symbol_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import (
    ENABLED_FUNCTIONS,
    KPROBES,
    TRACEFS,
    Entries,
    Kprobe,
    Traced,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances, check
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.functions import isolates_reliably, site_of

NOT_REACHED = "the kernel does not reach a kprobe inside it, unless ftrace calls that ([FTRACE] in the list)."

END_OTHER_USE = f"Find its owner in {ENABLED_FUNCTIONS} of tracefs and end it first."

PATCHES_BEHIND = (
    "This kernel leaves the entry of a function to ftrace and kprobes (CONFIG_LIVEPATCH_ISOLATE_KPROBE), "
    "and patches what is behind it."
)


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
    # ftrace calls all its users at the start of a function, also where live patching then leads away from it.
    counting = _Probes([probe for probe in probes if overwrites or not probe.by_ftrace])
    for function in circumstances.functions:
        inside = counting.inside(function, symbol_of(circumstances.conditions.symbols or {}, function))
        beside = [probe for probe in inside if _is_left_alone(circumstances, probe, function)]
        in_the_way = [probe for probe in inside if probe not in beside]
        if beside:
            yield Finding(
                reason="kprobe",
                seen=f"A kprobe is set at the entry of {function.name} ({_at(beside)}).",
                remedy="Nothing needs to be done; remove it first if the kernel refuses the patch.",
                why=PATCHES_BEHIND,
                severity=WARN,
            )
        if in_the_way:
            yield Finding(
                reason="kprobe",
                seen=f"A kprobe is set in {function.name} ({_at(in_the_way)}).",
                remedy=f"Find its owner ({KPROBES} shows it) and remove it first.",
                why="The kernel changes no function with a kprobe in it, and would answer EINVAL."
                if overwrites
                else f"While the function is patched, {NOT_REACHED}",
                severity=REFUSE if overwrites else WARN,
            )


def _at(probes: t.Iterable[Kprobe]) -> str:
    return "at " + ", ".join(f"+{probe.offset:#x}" for probe in probes)


def _is_left_alone(circumstances: Circumstances, probe: Kprobe, function: Function) -> bool:
    """Whether the kernel patches behind the probe: it stands on what ftrace has at the entry of the function."""
    traceable = circumstances.conditions.traceable or ()
    has_site = probe.by_ftrace or (function.object, function.name) in traceable
    return _isolates(circumstances) and has_site and probe.offset < site_of(circumstances.snapshot)


def _isolates(circumstances: Circumstances) -> bool:
    """Whether the kernel leaves the entries of functions to others."""
    host = circumstances.snapshot
    return bool(host.kprobes_isolated) and isolates_reliably(host.release)


class _Probes:
    """Kprobes, to find those in a function."""

    def __init__(self, probes: t.Sequence[Kprobe]) -> None:
        self._probes = probes
        self._named: dict[Name, list[int]] = {}
        for place, probe in enumerate(probes):
            self._named.setdefault((probe.object, probe.function), []).append(place)
        shown = sorted((probe.address, place) for place, probe in enumerate(probes) if probe.address is not None)
        self._addresses = [address for address, _place in shown]
        self._at = [place for _address, place in shown]

    def inside(self, function: Function, symbol: Symbol | None) -> list[Kprobe]:
        """Those inside the function: by address, as for the kernel, or by name if those are hidden."""
        places = self._named.get((function.object, function.name), [])
        if symbol is not None and symbol.address is not None and symbol.size is not None:
            first = bisect.bisect_left(self._addresses, symbol.address)
            behind = bisect.bisect_left(self._addresses, symbol.address + symbol.size)
            hidden = [place for place in places if self._probes[place].address is None]
            places = sorted([*hidden, *self._at[first:behind]])
        return [self._probes[place] for place in places]


@check("ftrace_user")
def ftrace_users(circumstances: Circumstances) -> t.Iterator[Finding]:
    overwrites = not abi_of(circumstances.snapshot).redirects_by_ftrace
    isolated = _isolates(circumstances)
    traced = circumstances.conditions.traced
    if traced is None:
        if circumstances.functions:
            yield Finding(
                reason="ftrace_user",
                seen=circumstances.conditions.why(f"{TRACEFS[0]}/{ENABLED_FUNCTIONS}"),
                remedy="Mount tracefs, if lockdown permits it.",
                why="Whether somebody traces the functions is unknown."
                + (" On this kernel the patch would break tracing." if overwrites and not isolated else ""),
                severity=WARN,
            )
        return
    known = circumstances.conditions.symbols or {}
    shown = Entries(known, traced)
    # While the transition that disables a patch is running, ftrace goes on to call live patching.
    hooked = [patch for patch in circumstances.snapshot.patches if patch.enabled or patch.in_transition]
    live = Meant(known, {function for patch in hooked for function in patch.functions})
    for function in circumstances.functions:
        entries = shown.of(function)
        if entries and isolated:
            yield _users_before_the_patch(known, function, entries)
        elif entries and overwrites:
            yield Finding(
                reason="ftrace_user",
                seen=f"ftrace is in use on {_described(known, function, entries)}.",
                remedy=END_OTHER_USE,
                why="The kernel overwrites what ftrace put there; ftrace then fails on the whole host until a reboot.",
            )
        elif entries:
            yield from _users_beside_patches(live.with_a_name_of(function), known, function, entries)


def _users_before_the_patch(known: Symbols, function: Function, entries: t.Sequence[Traced]) -> Finding:
    described = _described(known, function, entries)
    if any(entry.ip_modify for entry in entries):
        return Finding(
            reason="ftrace_user",
            seen=f"Another user of ftrace redirects {described}.",
            remedy=END_OTHER_USE,
            why=f"{PATCHES_BEHIND} Calls do not come there.",
        )
    return Finding(
        reason="ftrace_user",
        seen=f"ftrace is in use on {described}.",
        remedy="Nothing needs to be done, unless its users depend on the old code.",
        why=PATCHES_BEHIND,
        severity=WARN,
    )


def _users_beside_patches(
    live: int, known: Symbols, function: Function, entries: t.Sequence[Traced]
) -> t.Iterator[Finding]:
    """The users of ftrace beside live patching, which uses it on per_task kernels for so many as may be this one."""
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


@check("foreign_jump")
def foreign_jumps(circumstances: Circumstances) -> t.Iterator[Finding]:
    why = "It is in no list of the kernel's. Its jump and the patch's would overwrite each other."
    for jump in circumstances.jumps.foreign:
        where = f"the module {jump.owner}" if jump.owner else "memory of no module"
        # Code of a module may end in a call of another module, and what is not in kallsyms may be the kernel's own.
        is_certain = jump.owner is not None and jump.function.object == "vmlinux"
        yield Finding(
            reason="foreign_jump",
            seen=f"{jump.function} begins with a jump to {jump.target:#x}, in {where}. No enabled patch explains it.",
            remedy="Find out which tool has written it, and take its patch out first.",
            why=why,
            severity=REFUSE if is_certain else WARN,
        )
    if circumstances.jumps.why_unknown:
        yield Finding(
            reason="foreign_jump",
            seen=f"Whether another tool has changed the functions is unknown: {circumstances.jumps.why_unknown}.",
            remedy="Nothing needs to be done, if no other tool patches this kernel.",
            why=why,
            severity=INFO,
        )
