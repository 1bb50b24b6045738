# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: whether the wanted patch ends effective, and what is said where it does not, or is raised for it."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, WARN, Finding, Tells
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import CONTAINED, OnCovered, State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, LoadedPatch, names_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.change import ChangeSet
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replace_flag import note_unknown

CONTAINED_UNKNOWN = "contained_unknown"

Stacks = t.Mapping[Function, t.Sequence[LoadedPatch]]


def refuse_covered(change: ChangeSet, steps: t.Sequence[Step]) -> list[Finding]:
    """The refusal of a change that leaves the wanted patch enabled and covered, unless the task allows that."""
    above = _above_in_the_end(change, steps)
    if not above or change.wanted.on_covered == OnCovered.ALLOW:
        return []
    return [
        Finding(
            reason="covered",
            seen=_seen(change, above),
            remedy="Take those out first."
            if change.wanted.on_covered == OnCovered.UNSTACK
            else "Set on_covered: unstack to raise it above the others, or allow to leave it so; or take those out.",
            why="Calls of these functions do not reach its code.",
        )
    ]


def notes_of_effect(change: ChangeSet, steps: t.Sequence[Step]) -> t.Iterator[Finding]:
    """What the user should know of a patch that stays covered, or is raised."""
    above = _above_in_the_end(change, steps)
    if above:
        yield Finding(
            reason="covered",
            seen=_seen(change, above),
            remedy="Set on_covered: unstack to raise it above the others, or take those out if they lack its fix.",
            why="Calls of these functions do not reach its code; on_covered: allow permits that.",
            severity=WARN,
            tells=(Tells.ALLOW,),
        )
    yield from _note_no_function(change, steps)
    yield from _note_contained(change)
    yield from _note_replace_unknown(change)
    if change.overtaken:
        others = names_of(change.overtaken)
        is_lowered = change.moves.down
        yield Finding(
            reason="raised",
            seen=f"{change.wanted.name} is {'disabled for a moment and enabled again' if is_lowered else 'enabled'} "
            f"above {others}.",
            remedy="Nothing needs to be done.",
            why=f"on_covered: unstack asks for that.{' In between its fix is not active.' if is_lowered else ''}",
            severity=INFO,
            tells=(Tells.UNSTACK, *((Tells.GAP,) if is_lowered else ())),
        )


def _note_contained(change: ChangeSet) -> t.Iterator[Finding]:
    """That what the wanted patch contains is unknown before it is loaded."""
    asked = CONTAINED in change.wanted.supersedes and change.wanted.state == State.ENABLED
    if not (asked and change.moves.in_) or change.is_known:
        return
    others = [
        patch.name
        for patch in change.snapshot.patches
        if patch.functions and patch.name != change.wanted.name and not change.supersedes(patch)
    ]
    if others:
        yield Finding(
            reason=CONTAINED_UNKNOWN,
            seen=f"Whether {change.wanted.name} contains {', '.join(others)} is unknown before it is loaded.",
            remedy="Nothing needs to be done.",
            why="Its file does not show its functions; what it contains is taken out after it is loaded.",
            severity=INFO,
        )


def _note_replace_unknown(change: ChangeSet) -> t.Iterator[Finding]:
    """That the kernel may do by itself what the steps have as well."""
    others = [patch for patch in change.superseded if patch.enabled]
    if others and change.may_disable_others and change.file:
        why = f"If it has, the kernel itself disables {names_of(others)}, and the task need not."
        yield note_unknown(change.file, why)


def _note_no_function(change: ChangeSet, steps: t.Sequence[Step]) -> t.Iterator[Finding]:
    """The warning about an enabled patch that replaces nothing, as the kernel shows it, and whose file says otherwise.

    A patch whose file shows no function either, as one of callbacks alone, is none of these.
    """
    patch = predict(change.snapshot, Plan(tuple(steps))).patch(change.wanted.name)
    listed = change.file.functions if change.file else None
    if not (change.wanted.state == State.ENABLED and patch and patch.enabled and listed) or patch.functions:
        return
    yield Finding(
        reason="no_function_shown",
        seen=f"{patch.name} is enabled, and the kernel shows none of its functions. Its file replaces "
        f"{', '.join(map(str, listed))}.",
        remedy="Set state: absent, then load it again.",
        why="Whether its code is live is unknown.",
        severity=WARN,
    )


def _above_in_the_end(change: ChangeSet, steps: t.Sequence[Step]) -> Stacks:
    """The patches that cover the wanted one after the steps, for each of its functions that is covered."""
    if change.wanted.state != State.ENABLED:
        return {}
    after = predict(change.snapshot, Plan(tuple(steps)))
    patch = after.patch(change.wanted.name)
    return after.above(patch) if patch else {}


def _seen(change: ChangeSet, above: Stacks) -> str:
    covered = "; ".join(
        f"{function} by {', '.join(patch.name for patch in stack)}" for function, stack in above.items()
    )
    verb = "is" if change.loaded and change.loaded.enabled else "would be"
    return f"{change.wanted.name} {verb} enabled, and covered on {covered}."
