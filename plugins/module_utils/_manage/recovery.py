# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""After an interrupted run: what it has left is found, predicted, and rolled back by the next one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.executor import Executor
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import cannot_read, check_known, doubts
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnStall, State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.stalling import how_to_end
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import concerned, deviations, predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replaced import (
    with_replaced,
    without_only_fix,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import rollback_steps
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import without_pinned
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal, state
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.catalog import Catalog

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.bookkeeping import (
    COPIES_STAY,
    displaced_by_run,
    has_lost,
    not_accepted,
    note_forces,
    note_proof,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.run_note import RunNote


@dataclass(frozen=True)
class Recovery:
    """What became of an interrupted run. `steps` are those that rolled it back, none if nothing was changed.

    `catalog` has the patch files that were on the host before: the task may want a patch that the run had unloaded.
    `not_restored` says in what the host is not as it was before that run, `has_lost` whether a patch could not be
    loaded again. `unproven` is the run whose result this one is to prove, and takes back if that fails.
    """

    notes: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()
    catalog: Catalog | None = None
    has_lost: bool = False
    not_restored: tuple[str, ...] = ()
    unproven: LeftBehind | None = None

    @property
    def changed(self) -> bool:
        """Whether anything was rolled back."""
        return bool(self.steps)


class RecoveryStopped(FindingError):
    """The host cannot be read any more after these steps have rolled an interrupted run back."""

    def __init__(self, finding: Finding, steps: tuple[Step, ...]) -> None:
        super().__init__(finding)
        self.steps = steps


def _unknown_run(place: str) -> Finding:
    return Finding(
        reason="unknown_run",
        seen="An earlier run was interrupted, and its note cannot be understood. What it has left is not rolled back.",
        remedy=f"Compare the patches of this host with what they should be. The note is in {place} until a reboot.",
        why="Perhaps another version of this collection wrote it.",
        severity=WARN,
    )


@dataclass(frozen=True)
class LeftBehind:
    """What a run has left that was interrupted, or that is still running.

    `before` is the host before it, `recovered` the host after it has been rolled back, by `steps`. `catalog` has the
    files that were at hand. `accepts` is what is done about the next boots then. `arrived` says that it has carried out
    its steps, `unproven` that it has not proven the result then, `untouched` that it has not changed the kernel,
    `is_wanted` that the task at hand goes on where it has arrived.
    """

    note: journal.Note
    plan: Plan
    before: Snapshot
    recovered: Snapshot
    catalog: Catalog
    arrived: bool
    unproven: bool
    untouched: bool
    is_wanted: bool = False
    steps: tuple[Step, ...] = ()
    accepts: tuple[Step, ...] = ()

    @property
    def has_to_go(self) -> bool:
        return not (self.arrived or self.untouched)

    @property
    def accepted(self) -> Acceptance | None:
        """What the next boots load again when it is rolled back; None if that does not change."""
        return self.note.boot if self.accepts and not self.arrived else None

    @property
    def steps_back(self) -> tuple[Step, ...]:
        """All that rolls it back, in order."""
        steps = [step for step in self.steps if step.action != Action.WAIT] if self.has_to_go else []
        return (*steps, *(self.accepts if self.accepted else ()))


def left_behind(task: Task, kernel: KernelProtocol) -> LeftBehind | Absent | Unreadable:
    """What the run has left whose note is on the host. Raises FindingError if the host or the note cannot be read.

    Where it has arrived and has not proven that, and what is live is what this task wants, the task proves it: to roll
    back first would open a hole.
    """
    note = journal.read_note(kernel.files())
    if isinstance(note, Unreadable) and not state.is_foreign(note):
        raise FindingError(cannot_read([note]))
    if not isinstance(note, journal.Note):
        return note
    plan = Plan(note.steps, about=note.name, replaced=note.moved)
    now, books = observe(kernel)
    check_known(now)
    catalog = Catalog(kernel.files, now, books)
    catalog.add_of(note)
    before = replace(now, patches=note.before, modules=now.modules.difference(plan.targets))
    settled = replace(now, patches=tuple(replace(patch, in_transition=False) for patch in now.patches))
    goal = replace(now, patches=note.goal)
    plan = with_replaced(plan, before, now)
    names = concerned(plan, before, goal, now)
    arrived = not deviations(goal, settled, names)
    unproven = arrived and note.state == State.ENABLED and not note.proven
    back = without_pinned(plan, before, settled) if note.forced else plan
    back = without_only_fix(back, before, settled, catalog.stored)
    steps = tuple(rollback_steps(before, settled, back, catalog.stored))
    recovered = predict(settled, Plan(steps))
    is_wanted = False
    if unproven and not deviations(before, recovered, names):
        arrived = is_wanted = _has_arrived_for(task.wanted, note, now, catalog)
    untouched = not deviations(before, now, names)
    is_known = note.boot is not None and books.boot_damage is None
    accepts = _step_of(note, now) if is_known and note.boot != books.boot else ()
    return LeftBehind(note, plan, before, recovered, catalog, arrived, unproven, untouched, is_wanted, steps, accepts)


def _step_of(note: journal.Note, now: Snapshot) -> tuple[Step, ...]:
    """What it is to keep for the next boots what was kept before the run."""
    due = note.boot.due(now.kernel) if note.boot else ()
    return (Step(Action.ACCEPT if any(entry.name == note.name for entry in due) else Action.FORGET, note.name),)


def _has_arrived_for(wanted: Wanted, note: journal.Note, now: Snapshot, catalog: Catalog) -> bool:
    """Whether nothing is left to be done for a task that wants what the run has enabled."""
    if (wanted.name, wanted.state) != (note.name, note.state):
        return False
    plan = make_plan(now, wanted, catalog.stored)
    return not (plan.steps or plan.refusals)


def recover(task: Task, kernel: KernelProtocol) -> Recovery:
    """Roll back what an interrupted run has left half done. The host's lock must be held."""
    files = kernel.files()
    left = left_behind(task, kernel)
    if not isinstance(left, LeftBehind):
        return Recovery((_unknown_run(journal.keep_unknown(files)),) if isinstance(left, Unreadable) else ())
    return _clear_up(task, kernel, left)


def take_back(task: Task, kernel: KernelProtocol, left: LeftBehind) -> Recovery:
    """Roll back the interrupted run whose result could not be proven either. The host's lock must be held."""
    return _clear_up(task, kernel, replace(left, arrived=False, is_wanted=False))


def _clear_up(task: Task, kernel: KernelProtocol, left: LeftBehind) -> Recovery:
    files = kernel.files()
    note, plan, before, catalog, arrived = left.note, left.plan, left.before, left.catalog, left.arrived
    rolled_back: tuple[Step, ...] = ()
    not_restored: tuple[str, ...] = ()
    remedy = "Nothing needs to be done."
    if arrived:
        outcome = f"it had carried out its steps{', and not proven the result' if left.unproven else ''}."
    elif left.untouched:
        outcome = "it had not changed the kernel."
    else:
        refusal = kernel.ask_cpus().refusal
        if refusal:
            # The note stays, so that the first run that may change the kernel rolls back.
            raise FindingError(refusal)
        executor = Executor(
            kernel,
            before.abi,
            task.patience,
            catalog.paths.__getitem__,
            before_move=RunNote(kernel, note).add_moved,
            earlier_force=bool(note.forced),
        )
        rolled_back, not_restored = executor.roll_back(before, plan, catalog.stored)
        outcome = f"it was rolled back: {', '.join(map(str, rolled_back)) or 'nothing could be done'}."
        if not_restored:
            outcome += f" The host is not as it was before it: {'; '.join(not_restored)}."
            stuck, look = executor.stuck, "look at the host"
            remedy = how_to_end(stuck.stalling_tasks, OnStall.FORCE, look) if stuck else f"{look.capitalize()}."
        kernel.journal(f"{journal.who_am_i()}: an earlier run was interrupted ({note}); {outcome}")
    after, _books = observe(kernel)
    for doubt in doubts(after):
        # The note stays: the next run that can read the host goes on.
        raise RecoveryStopped(doubt, rolled_back)
    lost = has_lost(not_restored, before, plan, after)
    back = None if arrived else rolled_back
    displaced = displaced_by_run(Wanted(note.name, note.state), before, plan, after, catalog, rolled_back=back)
    notes = catalog.update(plan, before, after, back, displaced, prune=False)
    if left.is_wanted:
        # Also where that cannot be noted.
        catalog.unproven.add(note.name)
    if arrived and left.unproven:
        notes += note_proof(files, after.patch(note.name), False)
    pinned = [patch.name for patch in kernel.snapshot().patches if patch.pinned] if note.forced else []
    notes += note_forces(files, [*note.forced, *pinned], after, rolled_back)
    accepted_again = False
    try:
        if note.boot is not None and not arrived:
            accepted_again = boot_store.restore(files, note.boot)
    except OSError as error:
        notes.append(not_accepted(note.name, error))
    if accepted_again:
        outcome += " What is accepted for the next boots is as before it."
    if not left.is_wanted:
        # Else it stays until the result is proven: this run may be interrupted as well.
        journal.remove_note(files)
    interrupted = Finding(
        reason="interrupted_run",
        seen=f"An earlier run was interrupted ({note}); {outcome}",
        remedy=remedy,
        severity=WARN,
    )
    notes = [interrupted, *notes, *([COPIES_STAY] if lost else [])]
    unproven = left if left.is_wanted else None
    steps = (*rolled_back, *(_step_of(note, after) if accepted_again else ()))
    return Recovery(tuple(notes), steps, catalog, lost, not_restored, unproven)
