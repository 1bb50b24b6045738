# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: which patch is live on each function after a plan, and what is said where none is that is now."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Displaced, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict

Live = t.Dict[Function, t.Sequence[LoadedPatch]]
"""The enabled patches on each function that has one, oldest first: the last is live."""


def with_live(
    plan: Plan, before: Snapshot, after: Snapshot, wanted: Wanted, displaced: t.Sequence[Displaced] | None
) -> Plan:
    """The plan with notes about functions on which no patch, or another one, is live afterwards.

    To take a patch out is what `absent`, `disabled` and `reverted` ask for. `enabled` and `present` ask for no loss:
    they are refused where one patch takes the place of another and lacks its functions, unless `supersedes` names that.
    `after` is the snapshot that the plan leads to, `displaced` what the wanted patch took the place of; None where that
    is unknown.
    """
    was, then = _live(predict(before, Plan(_leading_waits(plan)))), _live(_with_functions(after, before))
    lost = {function: stack for function, stack in was.items() if function not in then}
    if wanted.state not in (State.ENABLED, State.PRESENT):
        held = [patch.name for patch in before.patches if patch.pinned]
        notes = [*_note_lost(wanted, lost, displaced, held), *_note_others(was, then)]
        return replace(plan, notes=(*plan.notes, *notes))
    unasked = {
        function: stack
        for function, stack in lost.items()
        if not {patch.name for patch in stack}.issubset(wanted.supersedes)
    }
    is_known = all(file.functions is not None for file in plan.loads)
    if unasked and is_known:
        return replace(plan, steps=(), notes=(), refusals=(_refuse_lost(wanted, unasked),))
    return replace(plan, notes=(*plan.notes, _note_replaced(wanted, lost, is_known))) if lost else plan


def _leading_waits(plan: Plan) -> tuple[Step, ...]:
    """The waits for what is running already: what that replaces goes whatever the task does."""
    return tuple(itertools.takewhile(lambda step: step.action == Action.WAIT, plan.steps))


def _live(snapshot: Snapshot) -> Live:
    stacks = {
        function: [patch for patch in stack if patch.enabled and function not in patch.no_ops]
        for function, stack in snapshot.stacks().items()
    }
    return {function: stack for function, stack in stacks.items() if stack}


def _with_functions(after: Snapshot, before: Snapshot) -> Snapshot:
    """The predicted snapshot, in which a build that is loaded again has the functions that the kernel shows of it now.

    Its file may not show them.
    """
    patches = []
    for patch in after.patches:
        was = before.patch(patch.name)
        is_again = was and was.functions and patch.enabled and was.identity.compare(patch.identity) == "same"
        patches.append(replace(patch, functions=was.functions) if was and is_again else patch)
    return replace(after, patches=tuple(patches))


def _note_lost(
    wanted: Wanted, lost: Live, displaced: t.Sequence[Displaced] | None, held: t.Container[str]
) -> t.Iterator[Finding]:
    """What is said of functions on which nothing is live then. The kernel holds the modules of those in `held`."""
    if not lost:
        return
    back = ", ".join(other.name for other in displaced or () if other.enabled)
    stays_out = ", ".join(other.name for other in displaced or () if other.enabled and other.name in held)
    remedy, why, severity = "Nothing needs to be done.", "", INFO
    if stays_out:
        remedy = f"Keep {wanted.name} enabled, and reboot the host to bring back {stays_out}."
        why = f"{wanted.name} took the place of {stays_out} by force, and the kernel holds what was replaced so."
        severity = WARN
    elif wanted.state != State.REVERTED:
        remedy = f"Set state: reverted to bring back {back}." if back else remedy
    elif displaced is None:
        remedy = "Load a patch with that fix from its file, if the host needs one."
        why, severity = f"Nothing is remembered that {wanted.name} took the place of.", WARN
    elif not displaced:
        why = f"{wanted.name} took the place of nothing."
    yield Finding(
        reason="fix_lost",
        seen=f"After this no patch is live on {_names(lost)}.",
        remedy=remedy,
        why=why,
        severity=severity,
    )


def _note_others(before: Live, after: Live) -> t.Iterator[Finding]:
    functions: dict[str, list[Function]] = {}
    for function, stack in after.items():
        was = before.get(function)
        if was is not None and not _is_same(was[-1], stack[-1]):
            functions.setdefault(stack[-1].name, []).append(function)
    if functions:
        yield Finding(
            reason="live_after",
            seen="; ".join(f"After this {name} is live on {_names(of)}" for name, of in functions.items()) + ".",
            remedy="Nothing needs to be done.",
            severity=INFO,
        )


def _is_same(patch: LoadedPatch, other: LoadedPatch) -> bool:
    return patch.name == other.name and patch.identity.compare(other.identity) != "different"


def _refuse_lost(wanted: Wanted, lost: Live) -> Finding:
    names = _patches(lost)
    otherwise = (
        f"name {names} in supersedes" if wanted.state == State.ENABLED else f"set state: absent for {names} first"
    )
    return Finding(
        reason="fix_lost",
        seen=f"{names} would go, and the file of {wanted.name} does not replace {_names(lost)}.",
        remedy=f"Build {wanted.name} with that fix as well; or {otherwise}, if that is meant.",
        why="After this no patch would be live there.",
    )


def _note_replaced(wanted: Wanted, lost: Live, is_known: bool) -> Finding:
    if is_known:
        return Finding(
            reason="fix_lost",
            seen=f"After this no patch is live on {_names(lost)}.",
            remedy=f"Build {wanted.name} with that fix as well, if the host needs it.",
            why=f"supersedes names {_patches(lost)}.",
            severity=WARN,
        )
    return Finding(
        reason="fix_lost",
        seen=f"After this perhaps no patch is live on {_names(lost)}.",
        remedy="Look for the functions in the source of the patch.",
        why=f"The file of {wanted.name} does not show its functions, and {_patches(lost)} will be gone.",
        severity=WARN,
    )


def _patches(lost: Live) -> str:
    return ", ".join(dict.fromkeys(patch.name for stack in lost.values() for patch in stack))


def _names(functions: t.Iterable[Function]) -> str:
    return ", ".join(sorted(map(str, functions)))
