# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retired words stay retired: retired_words.yml lists them, with the words that took their place."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EVERYWHERE = ["plugins", "roles", "playbooks", "docs", "examples", "README.md", "CONTRIBUTING.md"]
WORDS = yaml.safe_load((ROOT / "tests" / "unit" / "retired_words.yml").read_text(encoding="utf-8"))
TEXTS = (".py", ".yml", ".rst", ".md", ".json", ".j2", ".js", ".css")


def texts(places: list[str]) -> t.Iterator[Path]:
    for place in places:
        path = ROOT / place
        yield from (file for file in ([path] if path.is_file() else path.rglob("*")) if file.suffix in TEXTS)


def uses(word: dict[str, t.Any]) -> list[str]:
    """Where a retired word stands."""
    pattern = re.compile(word.get("pattern") or re.escape(word["old"]), re.M)
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts(word.get("in", EVERYWHERE))
        if str(path.relative_to(ROOT)) not in word.get("except", [])
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("word", WORDS, ids=[word["old"] for word in WORDS])
def test_nobody_uses_it(word: dict[str, t.Any]) -> None:
    assert uses(word) == [], f"say {word['new']}"


def test_a_retired_word_would_be_found() -> None:
    assert uses({"old": "roll_back", "in": ["plugins/modules"]})
