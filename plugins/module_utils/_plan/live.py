# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: which patch is live on each function after a plan, and what is said where none is that is now."""

from __future__ import annotations

import itertools
import typing as t
from collections import Counter
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, WARN, Finding, Tells
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Displaced, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.walk import Walk

Live = t.Dict[Function, t.Sequence[LoadedPatch]]
"""The enabled patches on each function that has one, oldest first: the last is live."""


def with_live(
    plan: Plan,
    before: Snapshot,
    after: Snapshot,
    wanted: Wanted,
    displaced: t.Sequence[Displaced] | None,
    can_revert: bool = False,
) -> Plan:
    """The plan with notes about functions on which no patch, or another one, is live afterwards.

    To take a patch out is what `absent`, `disabled` and `reverted` ask for. `enabled` and `present` ask for no loss:
    they are refused where one patch takes the place of another and lacks its functions, unless `supersedes` names that.
    `after` is the snapshot that the plan leads to, `displaced` what the wanted patch took the place of; None where that
    is unknown. `can_revert` says whether a revert would bring that back, if the task were that.
    """
    before = predict(before, Plan(_leading_waits(plan)))
    was, then = _live(before), _live(_with_functions(after, before))
    lost = {function: stack for function, stack in was.items() if function not in then}
    hiding = [
        file.name for file in plan.loads if file.functions is None and not _is_again(after.patch(file.name), before)
    ]
    between = _notes_between(plan, before, set(was).intersection(then))
    if wanted.state not in (State.ENABLED, State.PRESENT):
        held = [patch.name for patch in before.patches if patch.pinned]
        of_lost = _note_lost(wanted, lost, displaced, held, hiding, can_revert)
        notes = [*of_lost, *_note_others(was, then), *between]
        return replace(plan, notes=(*plan.notes, *notes))
    unasked = {
        function: stack
        for function, stack in lost.items()
        if not {patch.name for patch in stack}.issubset(wanted.supersedes)
    }
    if unasked and not hiding:
        return replace(plan, steps=(), notes=(), refusals=(_refuse_lost(wanted, unasked),))
    notes = [_note_replaced(wanted, lost, not hiding)] if lost else []
    return replace(plan, notes=(*plan.notes, *notes, *between))


def with_shown(plan: Plan, before: Snapshot, found: Snapshot) -> Plan:
    """The plan with what the kernel shows, now that it is carried out, of functions that a file has not shown."""
    lost = set(_live(before)).difference(_live(found))
    notes = (
        replace(note, seen=f"After this no patch is live on {_names(lost)}.", why="", tells=())
        if Tells.OPEN in note.tells
        else note
        for note in plan.notes
        if lost or Tells.OPEN not in note.tells
    )
    return replace(plan, notes=tuple(notes))


def _notes_between(plan: Plan, before: Snapshot, staying: t.AbstractSet[Function]) -> list[Finding]:
    """The note about functions that are fixed before the plan and after it, and not in between."""
    if any(Tells.GAP in note.tells for note in plan.notes):
        # It is told already.
        return []
    bare: dict[Function, Step] = {}
    ends: dict[str, list[Function]] = {}
    walk = Walk(before)
    count = Counter(function for patch in before.patches for function in _made_live_by(patch))
    for step in plan.steps:
        changed: set[Function] = set()
        for was, now in walk.take(step):
            gone, come = _made_live_by(was), _made_live_by(now)
            count.subtract(gone)
            count.update(come)
            changed.update(gone, come)
        for function in sorted(changed & staying):
            if not count[function]:
                bare.setdefault(function, step)
            elif function in bare:
                ends.setdefault(f"{bare.pop(function)} to {step}", []).append(function)
    if not ends:
        return []
    spans = "; ".join(f"From {span} no patch is live on {_names(of)}" for span, of in ends.items())
    return [
        Finding(
            reason="not_live_between",
            seen=f"{spans}.",
            remedy="Nothing needs to be done.",
            why="The kernel runs the original functions in the meantime.",
            severity=INFO,
        )
    ]


def _made_live_by(patch: LoadedPatch | None) -> list[Function]:
    """The functions of an enabled patch, of which the newest is live, without those that only end what others do."""
    if patch is None or not patch.enabled:
        return []
    return [function for function in patch.functions if function not in patch.no_op_set]


def _leading_waits(plan: Plan) -> tuple[Step, ...]:
    """The waits for what is running already: what that replaces goes whatever the task does."""
    return tuple(itertools.takewhile(lambda step: step.action == Action.WAIT, plan.steps))


def _live(snapshot: Snapshot) -> Live:
    stacks = {
        function: [patch for patch in stack if patch.enabled and function not in patch.no_op_set]
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
        patches.append(replace(patch, functions=was.functions) if was and _is_again(patch, before) else patch)
    return replace(after, patches=tuple(patches))


def _is_again(patch: LoadedPatch | None, before: Snapshot) -> bool:
    """Whether a patch that is enabled after a plan is a build of which the kernel shows the functions now."""
    was = before.patch(patch.name) if patch else None
    is_shown = bool(patch and patch.enabled and was and was.functions)
    return bool(is_shown and patch and was and was.identity.compare(patch.identity) == "same")


def _note_lost(
    wanted: Wanted,
    lost: Live,
    displaced: t.Sequence[Displaced] | None,
    held: t.Container[str],
    hiding: list[str],
    can_revert: bool,
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
    elif wanted.state != State.REVERTED and back:
        instead = " instead" if wanted.state == State.ABSENT else ""
        remedy = f"Load {back} from its file, if the host needs that fix."
        remedy = f"Set state: reverted{instead} to bring back {back}." if can_revert else remedy
    elif wanted.state == State.REVERTED and displaced is None:
        remedy = "Load a patch with that fix from its file, if the host needs one."
        why, severity = f"Nothing is remembered that {wanted.name} took the place of.", WARN
    elif wanted.state == State.REVERTED and not displaced:
        why = f"{wanted.name} took the place of nothing."
    seen = f"After this no patch is live on {_names(lost)}."
    if hiding:
        seen = f"After this perhaps no patch is live on {_names(lost)}."
        remedy = "Look for the functions in the source of the patch."
        why = f"The file of {', '.join(hiding)} does not show its functions."
    tells = (Tells.OPEN,) if hiding else ()
    yield Finding(reason="fix_lost", seen=seen, remedy=remedy, why=why, severity=severity, tells=tells)


def _note_others(before: Live, after: Live) -> t.Iterator[Finding]:
    functions: dict[str, list[Function]] = {}
    for function, stack in after.items():
        was = before.get(function)
        if was is not None and not _is_same(was[-1], stack[-1]):
            functions.setdefault(_named(stack[-1], was[-1]), []).append(function)
    if functions:
        yield Finding(
            reason="live_after",
            seen="; ".join(f"After this {name} is live on {_names(of)}" for name, of in functions.items()) + ".",
            remedy="Nothing needs to be done.",
            severity=INFO,
        )


def _named(patch: LoadedPatch, was: LoadedPatch) -> str:
    """The name of a patch, with what tells it from another build of that name, or other parameters."""
    if patch.name != was.name:
        return patch.name
    identity = patch.identity
    loaded_with = f", with {identity.loaded_with}" if identity.loaded_with else ""
    if was.identity.loaded_with and not identity.loaded_with:
        loaded_with = ", without parameters"
    return f"{patch.name} ({str(identity).partition(',')[0]}{loaded_with})"


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
        tells=(Tells.OPEN,),
    )


def _patches(lost: Live) -> str:
    return ", ".join(dict.fromkeys(patch.name for stack in lost.values() for patch in stack))


def _names(functions: t.Iterable[Function]) -> str:
    return ", ".join(sorted(map(str, functions)))
