# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What reading one file may cost in all. Tables of a few kilobytes may name the same bytes again and again."""

from __future__ import annotations

MOST_FUNCTIONS = 100_000
"""How many functions a file may replace. A kernel has about as many in all."""

MOST_ENTRIES = 200_000
"""How many symbols and relocations may be in its tables together."""

MOST_BYTES = 64 * 1024**2
"""How many bytes of its sections are read."""

MOST_STEPS = 3_000_000
"""How many entries are looked at, each as often as that happens. A step takes some tenth of a microsecond to one."""


class OverBudget(Exception):
    """The file asks for more than any live patch does. The text says of what."""


class Budget:
    """What is left for one file."""

    def __init__(self) -> None:
        self._functions, self._entries = MOST_FUNCTIONS, MOST_ENTRIES
        self._bytes, self._steps = MOST_BYTES, MOST_STEPS

    def function(self) -> None:
        self._functions -= 1
        if self._functions < 0:
            raise OverBudget(f"more than {MOST_FUNCTIONS} functions")

    def entries(self, count: int) -> None:
        self._entries -= count
        if self._entries < 0:
            raise OverBudget(f"more than {MOST_ENTRIES} symbols and relocations")

    def read(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise OverBudget(f"more than {MOST_BYTES} bytes in sections that name each other")

    def step(self, count: int = 1) -> None:
        self._steps -= count
        if self._steps < 0:
            raise OverBudget("tables that refer to each other without end")
