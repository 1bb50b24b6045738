# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What is known from each host of a play, taken from the variables that Ansible has of it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.labels import labels_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable

_NOT_READ = "It was not read: the play has not come to it, or does not have it."
_LEFT = "It left the play before it was read: a task failed, or could not reach it."


def answers_of(
    task_vars: Mapping[str, t.Any],
    hosts: t.Sequence[str] | None,
    registered: str | None,
    asked: t.Sequence[str] = (),
) -> dict[str, Answer]:
    """What is known from each of the hosts; without `hosts`, from all of the play. Raises FindingError.

    `registered` names the variable that their task livepatch_facts was registered in, `asked` the variables of the
    inventory that become labels of the hosts.
    """
    everybody = task_vars["ansible_play_hosts_all"]
    answers = {}
    for host in everybody if hosts is None else hosts:
        variables = _variables_of(task_vars["hostvars"], host)
        answers[host] = replace(_answer(variables, registered), labels=labels_of(variables, asked))
    if registered:
        left = set(everybody).difference(task_vars["ansible_play_hosts"])
        answers.update({host: _without_host(answers[host]) for host in left.intersection(answers)})
    return answers


def _variables_of(hostvars: t.Any, host: str) -> Mapping[str, t.Any]:
    """The variables of a host. They are raw: a text from a host must not be rendered as a template."""
    # Asked for a host that is not there, some versions of Ansible fail, and others answer with an undefined value.
    variables = hostvars.raw_get(host) if host in hostvars else None
    if not isinstance(variables, Mapping):
        raise FindingError(
            Finding(
                reason="unknown_host",
                seen=f"{printable(host)} is not in the inventory.",
                remedy="Give hosts only names of the inventory.",
            )
        )
    return variables


def _answer(variables: Mapping[str, t.Any], registered: str | None) -> Answer:
    facts = (variables.get("ansible_facts") or {}).get("livepatch")
    result = variables.get(registered) if registered else None
    if registered and not isinstance(result, Mapping):
        return Answer(facts, _NOT_READ)
    if not isinstance(result, Mapping) or result.get("skipped"):
        return Answer(facts)
    message = str(result.get("msg") or "The reason is unknown.")
    if result.get("unreachable"):
        return Answer(facts, message, statuses.UNREACHABLE)
    # "failed" is not set with failed_when: false, and facts are there even then: those of the interpreter's discovery.
    found = result.get("ansible_facts")
    if not isinstance(found, Mapping) or "ansible_livepatch" not in found:
        return Answer(facts, f"Its facts could not be read: {message}", statuses.FAILED)
    return Answer(facts, is_fresh=True)


def _without_host(answer: Answer) -> Answer:
    """The answer of a host that has left the play. A registered result may be of an earlier play."""
    is_silent = answer.is_fresh or answer.problem in (None, _NOT_READ)
    return Answer(answer.facts, _LEFT, labels=answer.labels) if is_silent else answer
