# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Parses /proc/livepatch/state of openEuler's kernels (kernel/livepatch/core.c, the same in 4.19, 5.10 and 6.6)."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of

STATES = {"enabled": True, "disabled": False, "UNDEF": None}
"""The kernel's word -> whether the patch is enabled. Only older trees have UNDEF: a patch that is neither."""


class Entry(t.NamedTuple):
    """One registered patch, in the kernel's order. `state` is the kernel's word, `enabled` None if it is UNDEF."""

    name: str
    state: str
    enabled: bool | None


class State(t.NamedTuple):
    """The content of the file. `problems` are sentences about lines that could not be parsed."""

    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


def parse(text: str) -> State:
    """Parse the table. Tabs and blanks separate its columns; a long name makes its line longer."""
    entries: list[Entry] = []
    problems: list[str] = []
    names: set[str] = set()
    for line in lines_of(text):
        if not line.strip() or re.match(r"-{3,}\s*\Z", line) or line.split() == ["Index", "Patch", "State"]:
            continue
        fields = line.split()
        if len(fields) != 3 or not fields[0].isdecimal() or fields[2] not in STATES:
            problems.append(f"the line {line[:80]!r} is not understood.")
            continue
        if fields[1] in names:
            problems.append(f"{fields[1]} is listed twice.")
            continue
        names.add(fields[1])
        entries.append(Entry(fields[1], fields[2], STATES[fields[2]]))
    return State(tuple(entries), tuple(problems))
