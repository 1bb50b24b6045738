# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for hosts of tests/bench answers with the keys that are documented, and as a trial needs."""

from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_rollout import livepatch_rollout
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_facts, livepatch_module
from ansible_collections.openeuler.livepatch.tests.bench import fleet, scripted_host
from ansible_collections.openeuler.livepatch.tests.bench.scripted_host import AFTER, BEFORE, CHECK
from ansible_collections.openeuler.livepatch.tests.unit.plugins.modules.test_results import (
    COMMON,
    SUCCESS,
    documented,
    when,
)

Plain = dict[str, t.Any]
Answers = dict[str, dict[str, Plain]]


@pytest.fixture(name="answers", scope="module")
def fixture_answers() -> Answers:
    return scripted_host.answers()


@pytest.mark.parametrize("state", [BEFORE, AFTER])
def test_the_facts_have_the_documented_keys(answers: Answers, state: str) -> None:
    facts = answers["livepatch_facts"][state]["ansible_facts"]["ansible_livepatch"]
    values = documented(livepatch_facts)["ansible_facts"]["contains"]["ansible_livepatch"]["contains"]
    assert set(facts) == set(values)
    for patch in facts["patches"]:
        assert set(patch) == set(documented(livepatch_module)["patch"]["contains"])
    for function in facts["functions"]:
        assert set(function) == set(values["functions"]["contains"])


@pytest.mark.parametrize("state", [CHECK, BEFORE, AFTER])
def test_the_results_have_the_documented_keys(answers: Answers, state: str) -> None:
    result = answers["livepatch_module"][state]
    values = when(documented(livepatch_module), *SUCCESS)
    assert set(result) - COMMON - {"invocation"} == set(values)
    assert set(result["patch"]) == set(values["patch"]["contains"])
    assert result["changed"] is (state != AFTER)


def test_a_trial_begins_and_passes(answers: Answers) -> None:
    read, changed = answers["livepatch_facts"], answers["livepatch_module"]
    release = fleet.release(scripted_host.PATCH_FILE)["livepatch_release"]
    host = livepatch_rollout(read[BEFORE], "choose", "h", release, is_file_required=True)
    assert (host["status"], host["problem"]) == ("has_file", "")
    marked = {**answers["stat"][BEFORE], "failed": False}
    host = livepatch_rollout(host, "check", marked=marked, mark_read={"skipped": True}, prediction=changed[CHECK])
    assert host["is_to_be_marked"] and not host["problem"]
    host = livepatch_rollout(host, "mark", answers["lineinfile"][BEFORE])
    host = livepatch_rollout(host, "apply", changed[BEFORE])
    assert host["is_to_be_tested"]
    assert livepatch_rollout(host, "effect", read[AFTER], host["patch"]) == ""
    assert livepatch_rollout(host, "effect", read[BEFORE], host["patch"]) != ""
    again = livepatch_rollout(read[AFTER], "choose", "h", release, is_file_required=True)
    again = livepatch_rollout(again, "check", marked=marked, mark_read={"skipped": True}, prediction=changed[AFTER])
    assert not again["is_to_be_marked"] and not again["is_due"] and not again["problem"]
