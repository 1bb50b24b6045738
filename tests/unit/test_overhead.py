# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What "make bench-overhead" makes of the figures of a VM. That they are measured rightly, only a VM shows."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
FIGURES = {
    "release": "6.12",
    "spectre_v2": "Vulnerable",
    "unpatched": 8.0,
    "jump": {
        "one": 10.0,
        "two": 10.5,
        "changes": [
            {"tasks": 10, "enable": [1000, 100], "disable": [900, 90]},
            {"tasks": 110, "enable": [3000, 150], "disable": [1900, 100]},
        ],
    },
    "ftrace": {
        "one": 95.0,
        "two": 97.0,
        "changes": [
            {"tasks": 10, "enable": [5000, 4000], "disable": [5000, 4000]},
            {"tasks": 60, "enable": [6000, 4500], "disable": [6000, 4250]},
        ],
    },
}


@pytest.fixture(name="overhead")
def _overhead(monkeypatch: pytest.MonkeyPatch) -> t.Any:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("overhead")


def test_a_patched_call_is_compared_with_one_that_is_not(overhead: t.Any) -> None:
    assert overhead.of_calls(FIGURES) == [
        ("jump, one patch", 2.0),
        ("jump, two patches", 2.5),
        ("ftrace, one patch", 87.0),
        ("ftrace, two patches", 89.0),
    ]


def test_what_a_task_adds_is_told_of_each_part_of_a_change(overhead: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
    overhead.show("instructions", FIGURES)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "for each task" in line]
    assert [line[-4:] for line in lines] == [["20.0", "0.5", "10.0", "0.1"], ["20.0", "10.0", "20.0", "5.0"]]
