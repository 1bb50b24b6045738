# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The hunks of a unified diff, and where what they say stands in a file: line for line, without patch's guesses."""

from __future__ import annotations

import re
import typing as t

HUNK = re.compile(r"(?P<place>@@ -(?P<at>\d+)(?:,(?P<old>\d+))? \+(?P<to>\d+)(?:,(?P<new>\d+))? @@)")


class Hunk(t.NamedTuple):
    """A hunk: the lines before and after the change with their first numbers, and which numbers of `new` are changed.

    `header` is the number of the patch's line that names the file.
    """

    header: int
    old_start: int
    old: list[str]
    new_start: int
    new: list[str]
    changed: list[int]


def count(number: str | None) -> int:
    return 1 if number is None else int(number)


def consume(line: str, left: tuple[int, int]) -> tuple[int, int]:
    """How many old and new lines of a hunk are left after this one."""
    old, new = left
    kind = line[:1]
    if kind == "\\":
        return left
    return max(0, old - (kind != "+")), max(0, new - (kind != "-"))


def read_hunks(lines: t.Sequence[str]) -> list[Hunk]:
    """The hunks in their order. Where a header ends with a carriage return, patch(1) takes those of all lines away."""
    hunks: list[Hunk] = []
    left, header, is_dos = (0, 0), -1, False
    for number, line in enumerate(lines):
        if left != (0, 0):
            left = consume(line, left)
            _add(hunks[-1], line[:-1] if is_dos and line.endswith("\r") else line)
            continue
        match = HUNK.match(line)
        if match and header != -1:
            left = (count(match.group("old")), count(match.group("new")))
            hunks.append(Hunk(header, int(match.group("at")), [], int(match.group("to")), [], []))
        elif line.startswith("+++ ") and number and lines[number - 1].startswith("--- "):
            header, is_dos = number, line.endswith("\r")
    return hunks


def _add(hunk: Hunk, line: str) -> None:
    kind, text = line[:1], line[1:]
    if kind in "+-" and kind:
        hunk.changed.append(hunk.new_start + len(hunk.new))
    if kind not in "+\\" or not kind:
        hunk.old.append(text)
    if kind not in "-\\" or not kind:
        hunk.new.append(text)


def stands_at(lines: t.Sequence[str], wanted: t.Sequence[str], start: int) -> bool:
    """Whether these lines stand in the file from the line of this number on."""
    begin = max(0, start - 1) if wanted else 0
    return list(lines[begin : begin + len(wanted)]) == list(wanted)


def stand_in_order(lines: t.Sequence[str], blocks: t.Iterable[t.Sequence[str]]) -> bool:
    """Whether the blocks stand in the file one after another, wherever that is."""
    text, at = "\n".join(["", *lines, ""]), 0
    for block in blocks:
        wanted = "\n".join(["", *block, ""])
        found = text.find(wanted, at) if block else at
        if found == -1:
            return False
        # The end of one line is the beginning of the next.
        at = found + len(wanted) - 1 if block else at
    return True
