# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The hunks of a unified diff, and where what they say stands in a file: line for line, without patch's guesses."""

from __future__ import annotations

import functools
import re
import typing as t

HUNK = re.compile(r"(?P<place>@@ -(?P<at>\d+)(?:,(?P<old>\d+))? \+(?P<to>\d+)(?:,(?P<new>\d+))? @@)(?P<function>.*)")

NEAR = 20
"""So many lines from its place a hunk that names no function still is about the same code."""


class Hunk(t.NamedTuple):
    """A hunk: the lines before and after the change with their first numbers, and which numbers of `new` are changed.

    `header` is the number of the patch's line that names the file, `function` the line of the file above the hunk that
    its `@@` line quotes.
    """

    header: int
    old_start: int
    old: list[str]
    new_start: int
    new: list[str]
    changed: list[int]
    function: str


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
            function = match.group("function").strip()
            hunks.append(Hunk(header, int(match.group("at")), [], int(match.group("to")), [], [], function))
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


def places_in_order(lines: t.Sequence[str], blocks: t.Iterable[t.Sequence[str]]) -> list[int] | None:
    """The numbers of the lines where the blocks stand one after another; None if they do not."""
    return _places(lines, ((block, _anywhere) for block in blocks))


def results_in_order(lines: t.Sequence[str], hunks: t.Iterable[Hunk]) -> list[int] | None:
    """The numbers of the lines where the results of the hunks stand one after another; None if they do not.

    Each stands in the function that its hunk is about, or else near its place: code that is like it is elsewhere.
    """
    return _places(lines, ((hunk.new, functools.partial(_is_its_place, lines, hunk)) for hunk in hunks))


def _places(
    lines: t.Sequence[str], blocks: t.Iterable[tuple[t.Sequence[str], t.Callable[[int], bool]]]
) -> list[int] | None:
    """Where the blocks stand one after another, each at a line that its function takes."""
    text, at = "\n".join(["", *lines, ""]), 0
    places = []
    for block, takes in blocks:
        wanted = "\n".join(["", *block, ""])
        found = text.find(wanted, at) if block else at
        while found != -1 and block and not takes(text.count("\n", 0, found) + 1):
            found = text.find(wanted, found + 1)
        if found == -1:
            return None
        places.append(text.count("\n", 0, found) + 1)
        # The end of one line is the beginning of the next.
        at = found + len(wanted) - 1 if block else at
    return places


def _anywhere(line: int) -> bool:
    return True


# As `diff -p` and git's driver for C take a line for the head of a function; labels are none.
_HEAD = re.compile(r"(?!\w+:\s*(?:$|/))[A-Za-z_$]")


def _is_its_place(lines: t.Sequence[str], hunk: Hunk, line: int) -> bool:
    """Whether the result of a hunk, which stands at this line, is in the function that the hunk is about."""
    first = hunk.changed[0] - hunk.new_start if hunk.changed else 0
    if any(_HEAD.match(text) for text in hunk.new[:first]):
        return True
    if not _HEAD.match(hunk.function):
        return abs(line - hunk.new_start) <= NEAR
    above = next((text for text in reversed(lines[: line - 1]) if _HEAD.match(text)), "")
    return above.startswith(hunk.function)
