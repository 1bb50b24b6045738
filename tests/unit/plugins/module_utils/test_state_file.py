# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing /proc/livepatch/state as openEuler's kernels print it, and as articles and damage show it."""

from __future__ import annotations

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.state_file import Entry, parse
from hypothesis import given
from hypothesis import strategies as st

LINE = "-" * 47 + "\n"
HEADER = "{:<5}\t{:<26}\t{:<8}\n".format("Index", "Patch", "State")


def table(*rows: tuple[int, str, str]) -> str:
    return HEADER + LINE + "".join("{:<5d}\t{:<26}\t{:<8}\n".format(*row) for row in rows) + LINE


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([(1, "lp_a", "disabled")], [Entry("lp_a", "disabled", False)]),
        (
            [(1, "klp_a", "disabled"), (2, "a_very_long_module_name_of_more_than_26_letters", "enabled")],
            [
                Entry("klp_a", "disabled", False),
                Entry("a_very_long_module_name_of_more_than_26_letters", "enabled", True),
            ],
        ),
        ([(1, "lp_a", "UNDEF")], [Entry("lp_a", "UNDEF", None)]),
    ],
)
def test_the_kernel_s_table(rows: list[tuple[int, str, str]], expected: list[Entry]) -> None:
    assert parse(table(*rows)) == (tuple(expected), ())


def test_many_patches() -> None:
    rows = [(number, f"patch_{number}", "enabled") for number in range(1, 501)]
    state = parse(table(*rows))
    assert [entry.name for entry in state.entries] == [name for _number, name, _state in rows]
    assert state.problems == ()


def test_the_variant_of_the_article() -> None:
    line = "-" * 52 + "\n"
    text = "Index Patch State\n" + line + "1 livepatch_0001_test disabled\n" + line
    assert parse(text) == ((Entry("livepatch_0001_test", "disabled", False),), ())


@pytest.mark.parametrize(
    "line", ["1\tlp_a", "1\tlp_a\tbroken", "x\tlp_a\tenabled", "1\tlp_a\tenabled\tmore", "--", "\0\ufffd"]
)
def test_garbage_is_reported_and_the_rest_is_read(line: str) -> None:
    state = parse(table((1, "good", "enabled")) + line + "\n")
    assert [entry.name for entry in state.entries] == ["good"]
    assert len(state.problems) == 1


def test_a_patch_that_is_listed_twice_is_reported() -> None:
    state = parse(table((1, "lp_a", "enabled"), (2, "lp_a", "disabled")))
    assert state == ((Entry("lp_a", "enabled", True),), ("lp_a is listed twice.",))


@given(st.text())
def test_nothing_crashes_it(text: str) -> None:
    parse(text)
