# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads who else changes a kernel's functions: kprobes, and the users of ftrace."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, known
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Name, Symbols, names_of

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


@dataclass(frozen=True)
class Kprobe:
    """A kprobe, `offset` bytes behind the start of a function. `address` is None if the kernel hides it.

    `by_ftrace` says that ftrace calls it, as it calls live patching of per_task kernels (KPROBE_FLAG_FTRACE in
    kernel/kprobes.c).
    """

    object: str
    function: str
    offset: int = 0
    address: int | None = None
    by_ftrace: bool = False


@dataclass(frozen=True)
class Traced:
    """A function in which ftrace calls `users` users.

    `ip_modify` says that one of them redirects the function, as per_task live patching does; `direct` that the function
    calls one without ftrace's own code, such as a trampoline of BPF. `text` is what the kernel shows of the users.
    """

    object: str
    function: str
    users: int
    ip_modify: bool = False
    direct: bool = False
    text: str = ""


class Entries:
    """The entries of functions in which ftrace calls a user, to find those of one."""

    def __init__(self, symbols: Symbols, traced: t.Sequence[Traced]) -> None:
        self._symbols, self._traced = symbols, traced
        self._places: dict[Name, list[int]] = {}
        for place, entry in enumerate(traced):
            self._places.setdefault((entry.object, entry.function), []).append(place)

    def of(self, function: Function) -> list[Traced]:
        """Those that may be of this function. They show no position, so those of its namesakes are included."""
        names = [(function.object, name) for name in names_of(self._symbols, function)]
        return [self._traced[place] for place in sorted(at for name in names for at in self._places.get(name, ()))]


# kernel/kprobes.c, report_probe(): address, kind, symbol, module, flags. Without flags a line ends with blanks, which
# the last one of a text that was stripped does not have.
_KPROBE = re.compile(r"^(\S+) +[kr] +(\S+)\+0x([0-9a-f]+)(?: +|$)(?:([^\s\[]\S*)(?: +|$))?((?:\[\w+\])*) *$", re.M)


def parse_kprobes(text: str) -> tuple[Kprobe, ...]:
    """The kprobes in the text of /sys/kernel/debug/kprobes/list."""
    return tuple(
        Kprobe(module or "vmlinux", function, int(offset, 16), _shown_address(address), "[FTRACE]" in flags)
        for address, function, offset, module, flags in _KPROBE.findall(text)
    )


def _shown_address(digits: str) -> int | None:
    """The address; None if it is zero, which the kernel shows in place of an address that it hides."""
    return int(digits, 16) or None if re.match(r"[0-9a-f]{8,16}\Z", digits) else None


# kernel/trace/ftrace.c, t_show(): function, module, number of users, flags, and who they are, also on lines below.
_TRACED = re.compile(r"^(\S+)(?: \[(\w+)\])? \((\d+)\)((?: +[RIDOM](?![^\s]))*)(.*(?:\n[ \t].*)*)", re.M)


def parse_traced(text: str) -> tuple[Traced, ...]:
    """The functions in the text of `enabled_functions` of tracefs."""
    return tuple(
        Traced(
            module or "vmlinux",
            function,
            int(users),
            ip_modify="I" in flags.split(),
            direct="D" in flags.split(),
            text=" ".join(who.split()),
        )
        for function, module, users, flags, who in _TRACED.findall(text)
    )


# kernel/trace/ftrace.c, t_show() without flags: function, module.
_TRACEABLE = re.compile(r"^(\S+)(?: \[(\w+)\])?$", re.M)


KPROBES = "/sys/kernel/debug/kprobes/list"

TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")

ENABLED_FUNCTIONS = "enabled_functions"

TRACEABLE_FUNCTIONS = "available_filter_functions"


def read_kprobes(files: Files) -> tuple[Kprobe, ...] | None:
    text = known(files.text(KPROBES))
    if text is not None:
        return parse_kprobes(text)
    # A mounted debugfs without that directory is that of a kernel without kprobes.
    mounted = bool(known(files.names("/sys/kernel/debug")))
    return () if mounted and isinstance(files.inode("/sys/kernel/debug/kprobes"), Absent) else None


def read_traced(files: Files) -> tuple[Traced, ...] | None:
    """The functions in which ftrace calls a user; None if tracefs cannot be read."""
    for tracefs in TRACEFS:
        text = known(files.text(f"{tracefs}/{ENABLED_FUNCTIONS}"))
        if text is not None:
            return parse_traced(text)
        if known(files.inode(tracefs + "/README")) is not None:
            # A mounted tracefs without that file is that of a kernel without dynamic ftrace.
            return () if isinstance(files.inode(f"{tracefs}/{ENABLED_FUNCTIONS}"), Absent) else None
    return None


def read_traceable(files: Files, names: t.Collection[Name]) -> frozenset[Name] | None:
    """Those of these functions that ftrace can trace, so that it has instructions at their entry; None if unknown."""
    for tracefs in TRACEFS:
        text = known(files.text(f"{tracefs}/{TRACEABLE_FUNCTIONS}"))
        if text is not None:
            shown = {(module or "vmlinux", name) for name, module in _TRACEABLE.findall(text)}
            return frozenset(shown.intersection(names))
    return None
