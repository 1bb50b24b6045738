# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: a patch goes, and what it took the place of comes back."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import doubts
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, Finding, Tells
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import (
    NOT_REVERTED,
    REVERTED_ALREADY,
    CameBack,
    Displaced,
    Plan,
    Stored,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.named import (
    is_named_with_parameters,
    relation_to_named,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict


def plan_revert(
    snapshot: Snapshot,
    wanted: Wanted,
    stored: Stored,
    displaced: t.Sequence[Displaced],
    came_back: CameBack | None = None,
) -> Plan:
    """Plan the steps back to what the wanted patch displaced; none if a different build of it is loaded.

    `came_back` says in the place of what an earlier revert has brought back the loaded build. A task that does not tell
    the two apart has been done then: once more, it would take out the fix that it has brought back.

    The displaced patches are enabled first, so that no function is unpatched in between where the kernel permits that.
    """
    if not snapshot.is_known:
        return Plan(refusals=tuple(doubts(snapshot)))
    loaded = snapshot.patch(wanted.name)
    if loaded:
        stays = _why_it_stays(loaded, wanted, stored.get(wanted.name), came_back)
        if stays:
            return stays
    if abi_of(snapshot).loading_enables:
        # Loading what was disabled would enable it for a moment, and a disabled patch does nothing there.
        displaced = [patch for patch in displaced if patch.enabled]
    away = replace(wanted, state=State.ABSENT, file=None)
    removal = make_plan(snapshot, away, stored)
    is_reversed = _is_being_enabled(snapshot, wanted)
    # Until its transition has ended, what it is to replace is still there. Later somebody else, or another task, has
    # brought it back: what is enabled stays as it is, whatever build that is.
    there = [patch for patch in displaced if _is_there(snapshot, patch, wanted)]
    displaced = [patch for patch in displaced if patch not in there]
    if removal.refusals or not removal.steps or not displaced:
        return replace(removal, notes=(*removal.notes, *_notes_of_others(snapshot, wanted, there)))
    covering = _covering(snapshot, displaced)
    refusal = _refuse(wanted, displaced, covering, stored)
    if refusal:
        return Plan(refusals=(refusal,), intended=removal.steps)
    # That the removal is not refused has shown that nobody else's patch is in the way; those that come back may be.
    keeps_order = abi_of(snapshot).stacking is not False
    task = replace(wanted, on_covered=OnCovered.UNSTACK if keeps_order else OnCovered.ALLOW)
    tasks = _returns(task, displaced, may_replace=abi_of(snapshot).loading_enables)
    if is_reversed:
        # The kernel would accept nothing else before that transition has ended, and it may never end.
        tasks = [away, *tasks]
    if wanted.on_covered == OnCovered.UNSTACK:
        tasks = [
            *(replace(task, name=name, state=State.ABSENT, file=None) for name in reversed(covering)),
            *tasks,
            *(replace(task, name=name, state=State.ENABLED, file=stored[name]) for name in covering),
        ]
    plan = _in_order(snapshot, tasks, {**stored, **{patch.name: patch.file for patch in displaced if patch.file}})
    if plan.refusals:
        return plan
    notes = (_told_of_the_order(note, wanted) for note in plan.notes)
    others = _notes_of_others(snapshot, wanted, there)
    return replace(plan, notes=(*(note for note in notes if note), *others))


def _why_it_stays(
    loaded: LoadedPatch, wanted: Wanted, file: PatchFile | None, came_back: CameBack | None
) -> Plan | None:
    """The plan that leaves the loaded build alone and says why; None if it is the one that the task is about."""
    relation = relation_to_named(loaded.identity, wanted, file)
    if relation == "unknown":
        return Plan(refusals=(_not_told(loaded.name),))
    if relation == "different":
        return Plan(notes=(_not_reverted(loaded),))
    names_it = wanted.file is not None or wanted.builds is not None
    if came_back == CameBack.PARAMETERS:
        names_it = is_named_with_parameters(loaded.identity, wanted, file)
    return Plan(notes=(_reverted_already(loaded.name, came_back),)) if came_back and not names_it else None


def _not_told(name: str) -> Finding:
    return Finding(
        reason="build_unknown",
        seen=f"Whether the loaded {name} is one of the builds that the task names is unknown.",
        remedy="Set state: absent without builds, if it is.",
        why="They have no mark in common, and another build stays.",
    )


def _not_reverted(loaded: LoadedPatch) -> Finding:
    loaded_with = f", with {loaded.identity.loaded_with}" if loaded.identity.loaded_with else ""
    return Finding(
        reason=NOT_REVERTED,
        seen=f"The loaded build of {loaded.name} ({loaded.identity}{loaded_with}) is not one that the task names.",
        remedy="Nothing needs to be done.",
        why="It stays as it is.",
        severity=INFO,
    )


def _reverted_already(name: str, came_back: CameBack) -> Finding:
    by = "src and parameters" if came_back == CameBack.PARAMETERS else "src"
    return Finding(
        reason=REVERTED_ALREADY,
        seen=f"The loaded build of {name} is the one that an earlier revert has brought back.",
        remedy=f"To revert this build as well, name it by {by}; to have none, set state: absent.",
        severity=INFO,
    )


def _is_being_enabled(snapshot: Snapshot, wanted: Wanted) -> bool:
    """Whether a transition enables the patch: disabling it reverses that (klp_reverse_transition()), and waits for
    nothing.
    """
    loaded = snapshot.patch(wanted.name)
    return loaded is not None and loaded.enabled and loaded.in_transition


def _notes_of_others(snapshot: Snapshot, wanted: Wanted, there: t.Iterable[Displaced]) -> list[Finding]:
    """The notes about what is enabled already, and otherwise than it was displaced."""
    loaded = ((snapshot.patch(other.name), other.file) for other in there)
    names = [patch.name for patch, file in loaded if patch and not (file and _is_as_in(patch, file))]
    if not names:
        return []
    return [
        Finding(
            reason="back_already",
            seen=f"{', '.join(names)} is enabled again, and not as {wanted.name} has taken its place.",
            remedy="Nothing needs to be done.",
            why="It stays as it is: to load the earlier build, or other parameters, is another task.",
            severity=INFO,
        )
    ]


def _is_as_in(patch: LoadedPatch, file: PatchFile) -> bool:
    return patch.identity.compare(file.identity) != "different"


def _told_of_the_order(note: Finding, wanted: Wanted) -> Finding | None:
    """A note about the order of patches, which a revert keeps or changes by itself; None where nobody needs it."""
    if wanted.on_covered == OnCovered.REFUSE and note.reason == "order_changes":
        # No patch that covered what comes back is left: where the order matters, the task is refused.
        return None
    options = {OnCovered.UNSTACK: Tells.UNSTACK, OnCovered.ALLOW: Tells.ALLOW}
    others = {tells for option, tells in options.items() if option != wanted.on_covered}
    if others.isdisjoint(note.tells):
        return note
    return replace(note, why="What comes back gets its old place.", tells=())


def _is_there(snapshot: Snapshot, displaced: Displaced, wanted: Wanted) -> bool:
    """Whether a displaced patch is enabled. An earlier content of the wanted patch's own name is not."""
    patch = snapshot.patch(displaced.name)
    return displaced.name != wanted.name and patch is not None and patch.enabled


def _covering(snapshot: Snapshot, displaced: t.Sequence[Displaced]) -> list[str]:
    """The enabled patches that covered the displaced ones, in the order of the kernel."""
    names = {name for patch in displaced if patch.enabled for name in patch.under}
    return [patch.name for patch in snapshot.patches if patch.enabled and patch.name in names]


def _refuse(wanted: Wanted, displaced: t.Sequence[Displaced], covering: list[str], stored: Stored) -> Finding | None:
    lost = [patch.name for patch in displaced if patch.file is None]
    if lost:
        return Finding(
            reason="needs_file",
            seen=f"{wanted.name} took the place of {', '.join(lost)}, which could not be brought back.",
            remedy="Set state: absent, and load what is missing from its file.",
            why="This collection had not loaded it, or the copy of its file is gone or damaged.",
        )
    if not covering or wanted.on_covered == OnCovered.ALLOW:
        return None
    if wanted.on_covered == OnCovered.REFUSE:
        return Finding(
            reason="would_cover",
            seen=f"What {wanted.name} took the place of was under {', '.join(covering)}, and would come back above.",
            remedy="Set on_covered: unstack to bring it back to its old place, or allow to change the order.",
            why="The older code would become live again.",
        )
    lost = [name for name in covering if name not in stored]
    if lost:
        return Finding(
            reason="needs_file",
            seen=f"{', '.join(lost)} could not be loaded again above what comes back.",
            remedy="Unload it yourself, and load it from its file afterwards.",
            why="This collection had not loaded it, and has no copy of its file.",
        )
    return None


def _returns(wanted: Wanted, displaced: t.Sequence[Displaced], may_replace: bool) -> list[Wanted]:
    """What is wanted of each displaced patch, in turn; the last one supersedes the patch that is reverted.

    Where the kernel knows the replace flag, a patch that may have it comes first, and supersedes that one: it would
    disable what has come back before.
    """
    replacing = next((patch for patch in displaced if may_replace and _may_replace(patch)), None)
    if replacing and len(displaced) > 1:
        return [
            *_returns(wanted, [replacing], may_replace),
            *(_return(wanted, patch) for patch in displaced if patch != replacing),
        ]
    others = sorted((patch for patch in displaced if patch.name != wanted.name), key=lambda patch: patch.enabled)
    back = [_return(wanted, patch) for patch in others]
    for patch in displaced:
        if patch.name == wanted.name:
            return [*back, replace(_return(wanted, patch), reload=True)]
    if others[-1].enabled:
        return [*back[:-1], replace(back[-1], supersedes=(wanted.name,))]
    return [*back, replace(wanted, state=State.ABSENT, file=None)]


def _return(wanted: Wanted, displaced: Displaced) -> Wanted:
    state = State.ENABLED if displaced.enabled else State.PRESENT
    return replace(wanted, name=displaced.name, file=displaced.file, state=state)


def _may_replace(displaced: Displaced) -> bool:
    """Whether loading a patch that was enabled may disable all others."""
    return bool(displaced.enabled and displaced.file and displaced.file.replace is not False)


def _in_order(snapshot: Snapshot, tasks: t.Iterable[Wanted], stored: Stored) -> Plan:
    """One plan for several tasks in turn; refused if one of them is."""
    whole = Plan()
    for task in tasks:
        plan = make_plan(snapshot, task, stored)
        steps = (*whole.steps, *plan.intended)
        if plan.refusals:
            return Plan(refusals=tuple(map(told_of_a_revert, plan.refusals)), intended=steps)
        whole = Plan(steps, intended=steps, notes=(*whole.notes, *plan.notes))
        snapshot = predict(snapshot, plan)
    return whole


def told_of_a_revert(refusal: Finding) -> Finding:
    """The refusal of something that comes back, without the option supersedes, which this state does not take."""
    if refusal.reason not in ("replaces_others", "may_replace_others"):
        return refusal
    remedy = "Take those patches out first, and load them again afterwards."
    return replace(refusal, remedy=remedy)
