# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the collection notes of a run on the host: what was displaced, proven and accepted."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.steps import file_changed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance, Damaged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import (
    FileChanged,
    Outcome,
    StepFailed,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Displaced, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.displaced import displaced_after
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replaced import replaced_by
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import is_gone, is_new
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.catalog import Catalog

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


def going_patches(outcome: Outcome) -> list[str]:
    """The names of the patches that the next run is to unload, or that only a reboot removes."""
    return [*outcome.pinned, *(step.patch for step in outcome.skipped if step.action == Action.UNLOAD)]


def displaced_by_run(
    wanted: Wanted,
    before: Snapshot,
    plan: Plan,
    after: Snapshot,
    catalog: Catalog,
    going: t.Collection[str] = (),
    rolled_back: t.Collection[Step] | None = None,
) -> dict[str, tuple[Displaced, ...]]:
    """What a run has changed of what patches have displaced (see displaced_after).

    If it was `rolled_back`, that counts for the patches which it has brought and could not take out again. What the
    rollback has unloaded to load it again, and could not, is displaced as well.
    """
    if rolled_back is None:
        return displaced_after(wanted, before, plan, after, catalog.stored, catalog.history, going)
    down = [*going, *(step.patch for step in (*plan.steps, *rolled_back) if step.action == Action.UNLOAD)]
    down += replaced_by(plan, before, after)
    lowered = [name for name in down if _is_enabled(before, name) and not _is_enabled(after, name)]
    news = displaced_after(wanted, before, plan, after, catalog.stored, catalog.history, lowered)
    return {name: of_it for name, of_it in news.items() if _stays(name, before, plan, after)}


def displaced_by(
    wanted: Wanted, before: Snapshot, plan: Plan, outcome: Outcome, catalog: Catalog
) -> dict[str, tuple[Displaced, ...]]:
    """The same, from how the run has ended."""
    going, rolled_back = going_patches(outcome), rollback_of(outcome)
    return displaced_by_run(wanted, before, plan, outcome.after, catalog, going, rolled_back)


def rollback_of(outcome: Outcome) -> tuple[Step, ...] | None:
    """The steps that rolled the host back; None if it was not to be, or was left alone with all that was done."""
    failure = outcome.failure
    return None if failure is None or (outcome.hands_off and not failure.rolled_back) else failure.rolled_back


def has_lost(not_restored: t.Collection[str], before: Snapshot, plan: Plan, after: Snapshot) -> bool:
    """Whether a patch could not be loaded again, of the plan or moved to let one come back below it."""
    return bool(not_restored) and any(is_gone(patch, after, plan) for patch in before.patches)


def _is_enabled(snapshot: Snapshot, name: str) -> bool:
    patch = snapshot.patch(name)
    return patch is not None and patch.enabled


def _stays(name: str, before: Snapshot, plan: Plan, after: Snapshot) -> bool:
    """Whether a patch is enabled that was not there before the run, or in a different build, or has not moved."""
    patch = after.patch(name)
    is_unmoved = all(file.name != name for file in plan.loads)
    return bool(patch and patch.enabled and (is_unmoved or is_new(patch, before, plan)))


def note_proof(
    files: Files, patch: LoadedPatch | None, proven: bool, taint: int | None = None, is_first: bool = False
) -> list[Finding]:
    """Note whether the effect of a patch was proven, and the taint; what is wrong if that cannot be noted."""
    if patch is None:
        return []
    try:
        copies.note_proof(files, patch, proven, taint, is_first)
    except OSError as error:
        what = f"Whether the effect of {patch.name} was proven"
        return [_not_noted(what, error, "Make room in /run, then run the task again.")]
    return []


def note_forces(
    files: Files, names: t.Iterable[str], after: Snapshot, rolled_back: t.Iterable[Step] = ()
) -> list[Finding]:
    """Note whose transitions were forced, except of those loaded anew since; what is wrong if that cannot be noted."""
    anew = {step.patch for step in rolled_back if step.action == Action.LOAD}
    notes = []
    for name in dict.fromkeys(names):
        patch = after.patch(name)
        if patch is None or name in anew:
            continue
        try:
            copies.note_force(files, patch)
        except OSError as error:
            what = f"That the transition of {name} was forced"
            notes.append(_not_noted(what, error, "Reboot the host: later runs and reports do not know it."))
    return notes


def _not_noted(what: str, error: OSError, remedy: str) -> Finding:
    return Finding(
        reason="not_noted", seen=f"{what} could not be noted ({error.strerror}).", remedy=remedy, severity=WARN
    )


def accept(files: Files, plan: Plan, catalog: Catalog) -> None:
    """Accept the patch: last, so that the next boots load only a patch whose effect is proven. Raises StepFailed."""
    if plan.acceptance is None or plan.forgets:
        return
    attempted = "; ".join(str(step) for step in plan.boot)
    try:
        for file in plan.accepts:
            path = catalog.store(file)
            boot_store.keep_file(files, file.name, file.sha256, files.path(path))
        boot_store.reserve_marker(files)
        boot_store.write(files, plan.acceptance)
    except FileChanged as error:
        raise StepFailed(attempted, file_changed(error)) from error
    except OSError as error:
        cause = Finding(
            reason="no_room",
            seen=f"{error.filename or boot_store.DIRECTORY} cannot be written: {error.strerror}.",
            remedy="See that /var is writable and has room, then run the task again.",
        )
        raise StepFailed(attempted, cause, error.errno) from error


def forget(files: Files, plan: Plan) -> None:
    """Keep less for the next boots, before the steps. Raises OSError."""
    if plan.moves_aside:
        boot_store.move_aside(files, plan.moves_aside)
    if plan.forgets and plan.acceptance is not None:
        boot_store.write(files, plan.acceptance)


def keep_for_boots(
    files: Files, wanted: Wanted, plan: Plan, before: Acceptance | Damaged, outcome: Outcome
) -> list[Finding]:
    """Let boots load what they did before a run that has failed. Returns what could not be kept."""
    if outcome.hands_off:
        return withdraw(files, wanted, before, outcome.after)
    return accept_again(files, plan, before) if outcome.failure else []


def accept_again(files: Files, plan: Plan, before: Acceptance | Damaged) -> list[Finding]:
    """Keep what was kept before the run, which has failed. Returns a finding if that failed as well."""
    try:
        if plan.moves_aside:
            boot_store.move_back(files, plan.moves_aside)
        if plan.acceptance is not None and not isinstance(before, Damaged):
            boot_store.restore(files, before)
    except OSError as error:
        return [not_accepted(plan.about, error)]
    return []


def withdraw(files: Files, wanted: Wanted, acceptance: Acceptance | Damaged, after: Snapshot) -> list[Finding]:
    """Let boots load what they did before the run, without the patch that the kernel got into trouble with.

    What that had superseded comes back at boot. Another build of it that was accepted before is not the one on trial,
    and one that was not even enabled is not what went wrong. What was to go goes for every kernel, as ever, but not the
    earlier build that a revert was to bring back.
    """
    if isinstance(acceptance, Damaged):
        # No boot loads anything from it.
        return []
    here = [entry for entry in acceptance.accepted if entry.kernel.may_be(after.kernel)]
    entries = [entry for entry in here if entry.name == wanted.name and not entry.superseders]
    loaded = after.patch(wanted.name)
    is_another = loaded is not None and all(
        entry.identity.compare_builds(loaded.identity) == "different" for entry in entries
    )
    is_blameless = is_another or loaded is None or not loaded.enabled
    is_kept = wanted.state == State.REVERTED and is_another and bool(entries)
    if wanted.state in (State.ABSENT, State.REVERTED) and not is_kept:
        acceptance = acceptance.without(wanted.name, restore=True)
    elif wanted.state != State.DISABLED and entries and not is_blameless:
        elsewhere = tuple(entry for entry in acceptance.accepted if entry not in here)
        reduced = replace(acceptance, accepted=tuple(here)).without(wanted.name, restore=True)
        acceptance = replace(reduced, accepted=(*reduced.accepted, *elsewhere))
    try:
        boot_store.restore(files, acceptance)
    except OSError as error:
        return [
            Finding(
                reason="not_withdrawn",
                seen=f"That {wanted.name} is not to be loaded at boot could not be written ({error.strerror}).",
                remedy=f"Boot the host with livepatch=off on the kernel's command line, if {wanted.name} is accepted.",
                severity=WARN,
            )
        ]
    return []


def note_trouble(files: Files, patch: LoadedPatch | None, trouble: str) -> list[Finding]:
    """Note the trouble that the kernel got into with a patch; what is wrong if that cannot be noted."""
    try:
        if patch and trouble:
            copies.note_trouble(files, patch, trouble)
    except OSError as error:
        remedy = "Reboot the host before the task is run again: the next run may take the patch for proven."
        return [_not_noted(f"That the kernel has had {trouble}", error, remedy)]
    return []


def not_accepted(name: str, error: OSError) -> Finding:
    """The finding that a patch could not be accepted again."""
    return Finding(
        reason="not_accepted",
        seen=f"{name} is not accepted any more: {error.strerror}.",
        remedy="Make room in /var, then accept it again.",
        severity=WARN,
    )


def not_forgotten(name: str, error: OSError) -> Finding:
    """The finding that boots may load again what was taken out."""
    return Finding(
        reason="not_forgotten",
        seen=f"What is accepted cannot be written to {boot_store.DIRECTORY}: {error.strerror}.",
        remedy="See that /var is writable and has room, then run the task again.",
        why=f"Until then boots load {name} again if it is accepted.",
        severity=WARN,
    )


COPIES_STAY = Finding(
    reason="copies_stay",
    seen=f"Copies of the files that were loaded are in {copies.DIRECTORY} until the next run.",
    remedy="Load from them what is missing, or enable again what is disabled.",
    severity=WARN,
)
