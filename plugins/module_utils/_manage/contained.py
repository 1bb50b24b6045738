# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""`supersedes: contained` for a file that shows no functions: what it contains is decided when it is loaded."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import Assessment
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.transaction import Transaction
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import AS_BEFORE
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.effect import CONTAINED_UNKNOWN

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain


def without_contained(run: Transaction, result: Plain, prune: bool) -> Plain:
    """The result of a run and of what follows from the functions that the kernel shows after it.

    The host's lock is held.
    """
    if result.get("failed") or result.get("state") != "enabled" or not _is_open(run):
        return result
    assessment = Assessment(run.task, run.kernel)
    if assessment.is_settled:
        return result
    following = Transaction(assessment).carry_out(prune)
    return result if following.get("needs_file") else _joined(result, following, run.task.wanted.name)


def _is_open(run: Transaction) -> bool:
    return any(note.reason == CONTAINED_UNKNOWN for note in run.plan.notes)


def _joined(first: Plain, following: Plain, name: str) -> Plain:
    actions = [*first["actions"], *following.get("actions", ())]
    if following.get("failed"):
        # What was before is right before the part that has failed.
        msg = following["msg"].replace(AS_BEFORE, "The host is as it was right before that.")
        state = following.get("state")
        stays = "it stays" if state == "enabled" else f"its state is {state} now"
        msg = f"{msg} Before that {name} was loaded, and {stays}."
        return {**following, "changed": True, "actions": actions, "msg": msg}
    new = [finding for finding in following["findings"] if finding not in first["findings"]]
    return {
        **following,
        "changed": True,
        "actions": actions,
        "findings": [*first["findings"], *new],
        "diff": {**following["diff"], "before": first["diff"]["before"]},
    }
