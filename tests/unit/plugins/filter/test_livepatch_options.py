# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that keeps options of a role before a host answers."""

from __future__ import annotations

import typing as t

import pytest
from ansible import constants
from ansible.errors import AnsibleFilterError
from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_options import FilterModule, livepatch_options

OPTIONS = {"directory": "/srv", "names": ["a"], "more": {"b": 1}}


def test_it_is_the_filter() -> None:
    assert FilterModule().filters() == {"livepatch_options": livepatch_options}


@pytest.mark.parametrize("facts", [{}, {"livepatch": {}, "distribution": "x", 7: 8}, None, "livepatch_x"])
def test_options_are_kept_as_they_are(facts: t.Any) -> None:
    assert livepatch_options(OPTIONS, facts) == OPTIONS


@pytest.mark.parametrize(
    "name",
    [
        "livepatch_rollout_summary_file",
        "__livepatch_rollout_host",
        "livepatch_hosts",
        "inventory_hostname",
        "omit",
        "now",
    ],
)
def test_a_fact_that_would_be_a_variable_of_ours_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "INJECT_FACTS_AS_VARS", True, raising=False)
    with pytest.raises(AnsibleFilterError, match=f"set_by_host: The facts of the host set {name}"):
        livepatch_options(OPTIONS, {name: "x", "livepatch": {}})
    monkeypatch.setattr(constants, "INJECT_FACTS_AS_VARS", False, raising=False)
    assert livepatch_options(OPTIONS, {name: "x"}) == OPTIONS
