# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: the snapshot that a plan leads to, and in what another one differs from it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.walk import Walk


def predict(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """The snapshot that the plan leads to."""
    if not plan.steps:
        return snapshot
    walk = Walk(snapshot)
    for step in plan.steps:
        walk.take(step)
    return walk.snapshot()


def concerned(plan: Plan, *snapshots: Snapshot) -> frozenset[str]:
    """The patches that a plan is about: its own, and those that replace one of their functions in a snapshot."""
    own = {*plan.names, plan.about}
    patches = [patch for snapshot in snapshots for patch in snapshot.patches]
    functions = {function for file in plan.loads for function in file.functions or ()}
    functions.update(function for patch in patches if patch.name in own for function in patch.functions)
    return frozenset(own.union(patch.name for patch in patches if patch.shares(functions)))


def changes_of_others(before: Snapshot, found: Snapshot, names: t.Container[str]) -> tuple[str, ...]:
    """Sentences about the patches that are not among these and have changed."""
    others = sorted({patch.name for patch in before.patches + found.patches if patch.name not in names})
    conditions = ((name, _settled(before.patch(name)), _settled(found.patch(name))) for name in others)
    return tuple(f"{name} is {now} and was {was}" for name, was, now in conditions if now != was)


def changes_since(expected: Snapshot, found: Snapshot, plan: Plan) -> tuple[str, ...]:
    """Sentences about what the plan relies on and is not as expected: its patches, those on their functions, and any
    running transition, beside which the kernel begins no other one.
    """
    moving = [patch.name for snapshot in (expected, found) for patch in snapshot.patches if patch.in_transition]
    names = sorted(concerned(plan, expected, found).union(moving))
    pairs = [(name, expected.patch(name), found.patch(name)) for name in names]
    conditions = [(name, _condition(was), _condition(now)) for name, was, now in pairs]
    changed = [f"{name} is {now} and was {was}" for name, was, now in conditions if now != was]
    anew = [f"{name} was loaded anew" for name, was, now in pairs if was and now and now.is_loaded_anew(was)]
    return (*changed, *anew)


def _settled(patch: LoadedPatch | None) -> str:
    return _condition(replace(patch, in_transition=False) if patch else None)


def deviations(predicted: Snapshot, found: Snapshot, names: t.Container[str]) -> list[str]:
    """Sentences about what differs in the found snapshot: what is loaded, what is enabled, what is live.

    Only the patches in `names` count.
    """
    sentences = []
    for name in sorted({patch.name for patch in predicted.patches + found.patches if patch.name in names}):
        should_be, is_now = predicted.patch(name), found.patch(name)
        wanted, seen = _condition(should_be), _condition(is_now)
        if wanted != seen:
            sentences.append(f"{name} is {seen} and should be {wanted}")
        elif should_be and is_now and should_be.identity.compare(is_now.identity) == "different":
            sentences.append(f"{name} is a different build ({is_now.identity}), and should be {should_be.identity}")
    if not sentences:
        sentences += _stack_deviations(predicted, found, names)
    return sentences


def _condition(patch: LoadedPatch | None) -> str:
    if patch is None:
        return "not loaded"
    condition = "enabled" if patch.enabled else "disabled"
    return condition + " and in transition" if patch.in_transition else condition


def _stack_deviations(predicted: Snapshot, found: Snapshot, names: t.Container[str]) -> t.Iterator[str]:
    """Differences of the function stacks, among those of these patches whose functions were known beforehand."""
    known = {patch.name for patch in predicted.patches if patch.functions and patch.name in names}
    wanted, seen = predicted.stacks(), found.stacks()
    for function in sorted({*wanted, *seen}):
        should, is_now = (
            [patch.name for patch in stacks.get(function, ()) if patch.name in known] for stacks in (wanted, seen)
        )
        if should != is_now:
            yield (
                f"{function} has the stack {', '.join(is_now) or 'of no patch'} "
                f"and should have {', '.join(should) or 'none'}"
            )
