# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No decision reads a sentence that is for people: what it tells is a value beside it, so that words can change."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
SENTENCES = {"seen", "why", "remedy", "cause", "msg"}
"""The attributes of findings and errors, and the keys of results, that are sentences."""
SEARCHES = {"startswith", "endswith", "find", "index", "count", "partition", "split", "match", "search"}


def is_sentence(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in SENTENCES
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value in SENTENCES


def searched(node: ast.AST) -> t.Iterator[ast.AST]:
    """The sentences that this expression looks into."""
    if isinstance(node, ast.Compare):
        pairs = zip(node.ops, node.comparators, strict=True)
        yield from (right for operator, right in pairs if isinstance(operator, (ast.In, ast.NotIn)))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SEARCHES:
        yield from (node.func.value, *node.args)


def decisions(source: str) -> list[int]:
    """The lines that look into a sentence."""
    nodes = ast.walk(ast.parse(source))
    return [node.lineno for node in nodes for place in searched(node) if is_sentence(place)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_no_decision_reads_a_sentence(path: Path) -> None:
    assert decisions(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "'perhaps' in note.why",
        "'perhaps' not in result['msg']",
        "note.seen.startswith(BEGINNING)",
        "re.search('perhaps', finding.cause)",
    ],
)
def test_such_a_decision_is_found(source: str) -> None:
    assert decisions(source) == [1]


@pytest.mark.parametrize("source", ["note.why in known", "Tells.GAP in note.tells", "note.reason.startswith('x')"])
def test_what_reads_values_is_none(source: str) -> None:
    assert decisions(source) == []
