# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds the lines of the kernel's log that report trouble. Pure functions."""

from __future__ import annotations

import re
import typing as t

# What the kernel prints at the beginning of a line when something has gone wrong; the number of an oops is in "[#1]".
# "Call Trace:" is not among it: stop_machine kernels print the stack of a task that is in a function, and refuse.
_TROUBLE = re.compile(
    r"^(?:(?:NMI )?watchdog: |rcu: )?(?:BUG:? \S|kernel BUG at |Oops\b|Internal error: |Unable to handle kernel "
    r"|Kernel panic|PANIC: |UBSAN: |SError Interrupt |Bad mode in |INFO: task .+ blocked for more than"
    r"|INFO: .+ (?:self-)?detected (?:expedited )?stall|(?:CPU\d+: )?Watchdog detected hard LOCKUP)"
    r"|^[\w ,:'-]+: [0-9a-f]{4,16} \[#\d+\]|Unrecoverable livepatch"
)

# When the kernel kills a program, it prints why under the program's name: that is no trouble of the kernel.
_OF_A_PROGRAM = re.compile(r"^(?!INFO: )(?:traps: )?.{1,15}\[\d+\](?: |:)")

_WARNING = re.compile(r"^WARNING: ")


def trouble(lines: t.Iterable[str], warnings: bool = True) -> tuple[str, ...]:
    """The lines that report an oops, a bug, a hung task or a lockup; with `warnings` also those of a warning."""
    return tuple(line for line in lines if _tells_of_trouble(line, warnings))


def _tells_of_trouble(line: str, warnings: bool) -> bool:
    if _OF_A_PROGRAM.search(line):
        return False
    return bool(_TROUBLE.search(line) or (warnings and _WARNING.search(line)))
