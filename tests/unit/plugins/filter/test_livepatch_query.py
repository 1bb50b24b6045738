# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter livepatch_query on plain data, and on what Ansible makes of data."""

from __future__ import annotations

import collections

import pytest

pytest.importorskip("jmespath", reason="jmespath is not installed for this Python")
from ansible.errors import AnsibleFilterError
from ansible_collections.openeuler.livepatch.plugins.filter import livepatch_query
from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_query import FilterModule
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data

query = FilterModule().filters()["livepatch_query"]


class Text(str):
    """A string with something more, as Ansible's are."""


class Number(int):
    """Likewise."""


FACTS = {
    "taint": 32768,
    "patches": [
        {"name": "one", "enabled": True, "effective": "full"},
        {"name": "two", "enabled": True, "effective": "none"},
        {"name": "three", "enabled": False, "effective": "none"},
    ],
}


@pytest.mark.parametrize(
    "expression, selected",
    [
        ("taint", 32768),
        ("patches[?enabled && effective != 'full'].name", ["two"]),
        ("patches[].[name, enabled] | [0]", ["one", True]),
        ("nothing", None),
        ("sort(patches[].name)", ["one", "three", "two"]),
    ],
)
def test_it_selects(expression: str, selected: object) -> None:
    assert query(FACTS, expression) == selected


def test_functions_take_ansibles_own_types() -> None:
    data = collections.OrderedDict({Text("names"): (Text("b"), Text("a")), "numbers": [Number(1), Number(2)]})
    assert query(data, Text("sort(names)")) == ["a", "b"]
    # ansible-core before 2.19 marks what is not to be rendered, by a type of its own.
    assert query(data, "names[0]").__class__ is as_data("").__class__
    assert query(data, "sum(numbers)") == 3
    assert query([True, None, 1.5], "[]") == [True, 1.5]


@pytest.mark.parametrize("expression", ["patches[", "sum(patches)", "no_such_function(@)"])
def test_a_wrong_expression_is_explained(expression: str) -> None:
    with pytest.raises(AnsibleFilterError, match="livepatch_query: "):
        query(FACTS, expression)


def test_without_jmespath_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livepatch_query, "jmespath", None)
    with pytest.raises(AnsibleFilterError, match="jmespath"):
        query(FACTS, "taint")


def test_bytes_and_what_is_no_data_are_left_as_they_are() -> None:
    assert query({"content": b"bytes"}, "content") == b"bytes"


def test_a_text_of_a_host_is_not_rendered_later() -> None:
    """ansible-core before 2.19 renders what is kept in a variable and is not marked, and later ones what is trusted."""
    (found,) = query({"patches": [{"name": "{{ 1 }}"}]}, "patches[].name")
    assert found == "{{ 1 }}"
    assert found is as_data(found) or type(found) is type(as_data("x"))
