# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of what other suites have shown: each row names tests, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| ([PQ]\d+) \|.*\|([^|]+)\|$", re.MULTILINE)
NAME = re.compile(r"`(\w+\.py)::(\w+)`")
ROWS = dict(ROW.findall((ROOT / "tests" / "other-suites.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("row", ROWS)
def test_the_tests_of_a_row_exist(row: str) -> None:
    named = NAME.findall(ROWS[row])
    assert named
    for file, name in named:
        source = (ROOT / "tests" / "unit" / "plugins" / "module_utils" / file).read_text(encoding="utf-8")
        assert f"def {name}(" in source


def test_no_row_is_missing() -> None:
    expected = [f"P{number}" for number in range(1, 15)] + [f"Q{number}" for number in range(1, 11) if number != 6]
    assert list(ROWS) == expected
