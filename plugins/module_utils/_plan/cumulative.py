# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: an older cumulative patch is not enabled above a newer one, which has all of its fixes and more."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import CONTAINED, State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.change import ChangeSet

OLDER_CUMULATIVE = "older_cumulative"

_Numbers = t.Tuple[int, ...]


def refuse_older(change: ChangeSet) -> list[Finding]:
    """The refusal of a cumulative patch of the vendor's that is older than an enabled one."""
    mine = change.file.sequence if change.file else None
    if not mine:
        return []
    return [
        _finding(change, patch, f"It is number {_text(numbers)}, and {change.wanted.name} is number {_text(mine)}.")
        for patch, numbers in _enabled_beside(change)
        if numbers and numbers > mine
    ] + [
        _finding(change, patch, f"It replaces all functions that {change.wanted.name} replaces, and more.")
        for patch, numbers in _enabled_beside(change)
        if not numbers and _has_more(change, patch)
    ]


def note_older(change: ChangeSet) -> t.Iterator[Finding]:
    """The warning about a patch that contains its predecessors, and may itself be one of an enabled patch."""
    if change.file and change.file.sequence:
        return  # That would be refused.
    for patch, _numbers in _enabled_beside(change):
        if _has_more(change, patch):
            yield Finding(
                reason=OLDER_CUMULATIVE,
                seen=f"{patch.name}, which is enabled, replaces all functions that {change.wanted.name} replaces, and "
                f"more. {change.wanted.name} comes above it.",
                remedy=f"If both are cumulative, leave {patch.name} alone: {change.wanted.name} is older, and its "
                "functions may lack fixes.",
                severity=WARN,
            )


def _enabled_beside(change: ChangeSet) -> t.Iterator[tuple[LoadedPatch, _Numbers | None]]:
    """The other enabled patches above which a cumulative patch would come, with their numbers if those are known."""
    if not (change.moves.up and change.wanted.state == State.ENABLED and CONTAINED in change.wanted.supersedes):
        return
    for patch in change.snapshot.patches:
        # Cumulative patches of different things share no function, and are numbered apart.
        concerns = patch.shares(change.function_set) or not change.is_known
        if patch.enabled and patch.name != change.wanted.name and concerns:
            copy = change.copies.get(patch.name)
            yield patch, copy.sequence if copy else None


def _has_more(change: ChangeSet, patch: LoadedPatch) -> bool:
    return bool(change.is_known and patch.function_set > change.function_set)


def _finding(change: ChangeSet, patch: LoadedPatch, why: str) -> Finding:
    return Finding(
        reason=OLDER_CUMULATIVE,
        seen=f"{change.wanted.name} is an older cumulative patch than {patch.name}, which is enabled.",
        remedy=f"Leave {patch.name} as it is. To go back all the same, revert {patch.name} first (state: reverted).",
        why=f"{why} Above it the older one would take out fixes.",
    )


def _text(numbers: _Numbers) -> str:
    return "-".join(map(str, numbers))
