# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds in each source of the collection, and no rule of ruff does; ruff holds how complex a function may be.

No file and no class is too long to be read at once, and nothing splits text where tools do not.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_CLASS = 250
DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
FILES = sorted((ROOT / "plugins").rglob("*.py"))


def lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def lines_of_documents(tree: ast.Module) -> int:
    """The lines of a module's documentation, which is one string for each of its parts."""
    return sum(
        lines(node)
        for node in tree.body
        if isinstance(node, ast.Assign) and any(ast.unparse(target) in DOCUMENTS for target in node.targets)
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_can_be_read_at_once(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert len(source.splitlines()) - lines_of_documents(tree) <= MOST_LINES_OF_A_FILE
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            assert lines(node) <= MOST_LINES_OF_A_CLASS, node.name


ROLES = sorted(path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*") if path.is_file())


def splits(tree: ast.Module) -> list[int]:
    """The lines that name `splitlines`, which also splits at form feeds, \\x1c and Unicode's separators."""
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "splitlines"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_splits_lines_as_tools_do(path: Path) -> None:
    """`_model/text.py` has the function for it."""
    assert splits(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", ROLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_role_splits_lines_as_tools_do(path: Path) -> None:
    assert "splitlines" not in path.read_text(encoding="utf-8")


def test_every_way_to_split_is_found() -> None:
    assert splits(ast.parse("a = text.splitlines()\nb = map(str.splitlines, texts)\n# splitlines\n")) == [1, 2]


def test_documentation_does_not_count() -> None:
    tree = ast.parse('import os\nEXAMPLES = r"""\n- one\n- two\n"""\nx = 1\n')
    assert lines_of_documents(tree) == 4


def test_there_are_files() -> None:
    assert len(FILES) > 50
    assert len(ROLES) > 50
