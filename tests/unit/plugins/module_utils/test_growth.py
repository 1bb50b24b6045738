# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What grows with the patches of a host, its symbols and its log grows in proportion. Not seconds are counted, but the
interpreter's operations, the bytes that are looked at, and the lines that are copied.
"""

from __future__ import annotations

import pathlib
import sys
import types
import typing as t
from dataclasses import dataclass, field, replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.once import once
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe import kallsyms
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify import trouble
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import many_patches as many

FEW, MANY = 60, 120
MOST = 2.2
"""Twice as many patches take at most so many times the operations."""


def operations_of(work: t.Callable[[], object]) -> int:
    """How many operations of the interpreter this takes."""
    count = 0

    def trace(frame: types.FrameType, event: str, _argument: object) -> t.Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    # Python 3.12 traces operations only after some frame has asked for it.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", many.BY_PATCHES)
def test_operations_grow_with_the_patches(tmp_path: pathlib.Path, name: str) -> None:
    counts = []
    for count in (FEW, MANY):
        folder = tmp_path / str(count)
        folder.mkdir()
        work = many.BY_PATCHES[name](count, folder)
        # What is imported or compiled the first time does not count.
        work()
        counts.append(operations_of(work))
    few, most = counts
    assert few > 10 * FEW, "there was something to do"
    assert most <= MOST * few


@dataclass(frozen=True)
class Value:
    number: int
    asked: list[int] = field(default_factory=list, compare=False)

    @once
    def twice(self) -> int:
        self.asked.append(self.number)
        return 2 * self.number


def test_what_follows_from_a_value_is_worked_out_once_and_is_no_part_of_it() -> None:
    value = Value(4)
    assert (value.twice, value.twice, value.asked) == (8, 8, [4])
    assert value == Value(4)
    assert replace(value, number=5).twice == 10


class LookedAt(bytes):
    """A text that notes how many bytes of it are looked at when something is looked for, or it is split."""

    seen = 0

    def find(self, *arguments: t.Any) -> int:
        found = super().find(*arguments)
        start = arguments[1] if len(arguments) > 1 else 0
        self.seen += (found if found >= 0 else len(self)) - start
        return found

    def split(self, *arguments: t.Any) -> list[bytes]:
        self.seen += len(self)
        return super().split(*arguments)


@pytest.mark.parametrize("count", [kallsyms.FEW, kallsyms.FEW + 1, 1_000])
@pytest.mark.parametrize("modules", [0, 10])
def test_the_symbols_are_not_looked_through_for_each_function(count: int, modules: int) -> None:
    """One after the other is looked for only where they are few: its name, and the other names for its address."""
    in_all = 1_000
    text = LookedAt(many.kallsyms_of(in_all, modules))
    found = kallsyms.find_symbols(text, many.names_in(count, in_all, modules))
    assert [len(symbols) for symbols in found.values()] == [1] * count
    assert 0 < text.seen <= 2.5 * kallsyms.FEW * len(text)


class Copied(t.List[str]):
    """Lines of a log that note how many of them are copied."""

    copied = 0

    def __getitem__(self, at: t.Any) -> t.Any:
        found = super().__getitem__(at)
        self.copied += len(found) if isinstance(at, slice) else 0
        return found


def test_the_lines_behind_a_hung_task_are_not_copied() -> None:
    counts = trouble.Counts(0, 0, 0)
    lines = Copied(["INFO: task a:1 blocked for more than 120 seconds.", "Call Trace:"] * MANY)
    found = trouble.find(lines, counts, counts, whose=lambda pid: trouble.USER)
    assert len(found.besides) == MANY
    assert lines.copied <= len(lines)
