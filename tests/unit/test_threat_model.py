# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each sentence of the threat model, and each row of the page of attacks, names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "docsite" / "rst"
MOST_OF_SCOPE = 15


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def plain(text: str) -> str:
    """The text on one line, without the marks of literals."""
    return " ".join(text.replace("``", "").split())


def sentences_of(page: str) -> list[str]:
    """The sentences of a page, without titles, anchors, and the names in bold that its entries begin with."""
    body = re.sub(r"^\.\. .*$|^.+\n[=-]{3,}$|\*\*[^*]+\*\*", "", page, flags=re.MULTILINE)
    blocks = (" ".join(block.split()) for block in re.split(r"\n[ ]*\n|^ *\* ", body, flags=re.MULTILINE))
    return [plain(sentence) for block in blocks for sentence in re.split(r"(?<=\.) (?=[A-Z`:])", block) if sentence]


def rows_of_attacks(page: str) -> list[list[str]]:
    """The rows of the table below the titles: who, with what, what holds, tried in. Literals keep their marks."""
    rows = re.split(r"^   \* - ", page, flags=re.MULTILINE)[2:]
    return [[" ".join(cell.split()) for cell in re.split(r"^     - ", row, flags=re.MULTILINE)] for row in rows]


def section(title: str) -> str:
    """A section of the table of tests."""
    return re.split(r"^## ", text_of(ROOT / "tests" / "threat-model.md"), flags=re.MULTILINE)[
        ("Sentences", "Statements of scope", "Attacks").index(title) + 1
    ]


def rows_of(title: str) -> dict[str, list[str]]:
    """How a sentence or an attack begins -> the tests."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]*`[^|]*) \|$", section(title), re.MULTILINE)
    assert len(rows) == len(dict(rows))
    return {start: re.findall(r"`([^`]+)`", tests) for start, tests in rows}


SENTENCES = sentences_of(text_of(GUIDES / "threat_model.rst"))
ATTACKS = rows_of_attacks(text_of(GUIDES / "attacks.rst"))
HELD, TRIED = rows_of("Sentences"), rows_of("Attacks")
SCOPE = re.findall(r"^\* (.+)$", section("Statements of scope"), re.MULTILINE)


def is_there(test: str) -> bool:
    """Whether a named test exists: a function, or a task of Molecule."""
    file, _colons, name = test.partition("::")
    if file.startswith("molecule/"):
        tasks = yaml.safe_load(text_of(ROOT / file))
        return name in [task.get("name") for play in tasks for task in (play, *play.get("tasks", ()))]
    paths = [ROOT / "tests" / folder / file for folder in ("unit/plugins", "unit", "")]
    return any(path.is_file() and f"def {name}(" in text_of(path) for path in paths)


def of(text: str, starts: list[str]) -> list[str]:
    return [start for start in starts if text.startswith(start)]


def test_each_sentence_has_one_row() -> None:
    starts = [*HELD, *SCOPE]
    assert {text: found for text in SENTENCES if len(found := of(text, starts)) != 1} == {}


def test_each_row_is_of_one_sentence() -> None:
    assert [start for start in (*HELD, *SCOPE) if sum(text.startswith(start) for text in SENTENCES) != 1] == []


def test_few_sentences_are_of_scope_alone() -> None:
    assert 0 < len(SCOPE) <= MOST_OF_SCOPE


def test_each_attack_has_one_row() -> None:
    assert {row[1]: found for row in ATTACKS if len(found := of(plain(row[1]), list(TRIED))) != 1} == {}
    assert [start for start in TRIED if sum(plain(row[1]).startswith(start) for row in ATTACKS) != 1] == []


@pytest.mark.parametrize("start", [*HELD, *TRIED])
def test_the_tests_of_a_row_exist(start: str) -> None:
    tests = [*HELD.get(start, ()), *TRIED.get(start, ())]
    assert tests
    assert [test for test in tests if not is_there(test)] == []


@pytest.mark.parametrize("row", ATTACKS, ids=[row[1] for row in ATTACKS])
def test_a_row_of_attacks_names_the_files_of_its_tests(row: list[str]) -> None:
    (start,) = of(plain(row[1]), list(TRIED))
    files = dict.fromkeys(test.partition("::")[0] for test in TRIED[start])
    assert re.findall(r"``([^`]+)``", row[3]) == list(files)


def test_what_holds_is_a_reason_that_there_is() -> None:
    sources = "".join(text_of(path) for path in (ROOT / "plugins").rglob("*.py"))
    named = {word for row in ATTACKS for word in re.findall(r"``([a-z]+(?:_[a-z]+)+)``", row[2])}
    assert len(named) > 10
    assert [word for word in sorted(named) if f'"{word}"' not in sources] == []


def test_a_sentence_a_row_and_a_test_that_are_missing_would_be_found() -> None:
    page = ".. _x:\n\nTitle\n=====\n\nOne is. ``two`` is,\nas well.\n\n* **Three.** Four is:\n\n  * five.\n"
    assert sentences_of(page) == ["One is.", "two is, as well.", "Four is:", "five."]
    assert of("One is.", ["One", "Two"]) == ["One"]
    assert is_there("test_threat_model.py::test_each_sentence_has_one_row")
    assert not is_there("test_threat_model.py::test_no_such_test")
    assert not is_there("module_utils/test_no_such_file.py::test_x")
    task = "molecule/default/tasks/forged_trouble.yml::Check that none of them was taken for trouble"
    assert is_there(task) and not is_there(task[:-1])
