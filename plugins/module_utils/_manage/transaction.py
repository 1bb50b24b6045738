# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Check, apply, verify: what livepatch_module does where something is to be done, one run at a time."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.executor import Executor
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.steps import file_changed
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import Assessment, observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import (
    Plain,
    describe_stalling_tasks,
    with_notes,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.run_note import RunNote
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import BUILD, OF_OTHER_KERNELS
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CPU_STUCK, NOT_ASKED
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import doubts
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    INFO,
    WARN,
    Finding,
    allow,
    refusals,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.once import once
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import (
    Failure,
    FileChanged,
    Outcome,
    Proof,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.caution import cautions, is_forced
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.live import with_shown
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.revert import told_of_a_revert
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.way_back import find_no_way_back
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import find
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.books import read_books
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import time_now
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.foreign import with_jumps
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.probe import probed_beforehand
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.prover import Prover

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._store.catalog import Catalog
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.bookkeeping import (
    COPIES_STAY,
    accept,
    displaced_by,
    forget,
    has_lost,
    keep_for_boots,
    not_forgotten,
    note_forces,
    note_proof,
    note_trouble,
    rollback_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.covered import with_proofs
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.outcome import (
    ending_of,
    failed,
    notes_of,
)


class Transaction:
    """Carries out what an assessment has found to be done.

    `stays` says that a patch which an earlier run has enabled stays so if its proof fails. `overtaken` says what the
    plan relied on and was not so any more when a step failed; it has left nothing then. `done` are the steps that are
    done.
    """

    def __init__(self, assessment: Assessment, stays: bool = True) -> None:
        self._assessment = assessment
        self._stays = stays
        self.task = assessment.task
        self.kernel = assessment.kernel
        self.before = assessment.before
        self.books = assessment.books
        self.catalog = assessment.catalog
        self.plan = assessment.plan
        self._taint: int | None = None
        self._trouble = ""
        self._unforgotten: list[Finding] = []
        self.overtaken: tuple[str, ...] = ()
        self.done: tuple[Step, ...] = ()

    @once
    def _note(self) -> RunNote:
        return RunNote(self.kernel, _note_of(self._assessment))

    def findings(self) -> list[Finding]:
        """The findings of the preflight, with those that the task ignores as warnings."""
        steps = self.plan.intended
        if not steps:
            return list(self.plan.refusals)
        files = [step.file for step in steps if step.file]
        functions = {function for patch in self.before.patches for function in patch.functions}
        functions.update(function for file in files for function in file.functions or ())
        conditions = self.kernel.conditions(self.before.release, self.task.wanted.name, functions)
        cpus = self.kernel.ask_cpus() if self.before.privileged else NOT_ASKED
        now = Circumstances(self.before, conditions, steps, self.task.wanted.load_targets, self.books.boot, cpus)
        found = find(with_jumps(now, self.kernel.files()))
        probe = self.task.verification.probe if self._assessment.brings_effect else None
        found += probed_beforehand(probe, self.kernel, self.task.check_mode)
        if self._proves:
            found += find_no_way_back(self.before, self.plan, self.catalog.stored)
        found = allow(found, self.task.ignore)
        is_misfit = any(finding.reason in OF_OTHER_KERNELS for finding in refusals(found))
        return [*(refusal for refusal in self.plan.refusals if not (is_misfit and refusal.reason == BUILD)), *found]

    @property
    def _proves(self) -> bool:
        """Whether the task enables a patch, whose effect is to be proven."""
        return self.task.wanted.state == State.ENABLED

    def without_change(self) -> Plain:
        """The result of a task that does nothing, with all findings."""
        result = self._assessment.unchanged(self.findings())
        if not self._assessment.lacks_proof:
            return result
        unproven = Finding(
            reason="unproven",
            seen=f"An earlier run has enabled {self.task.wanted.name} and has not proven its effect.",
            remedy="Nothing needs to be done.",
            why="That is due.",
            severity=INFO,
        )
        return with_notes(result, after=[unproven])

    def carry_out(self, prune: bool) -> Plain:
        """Check, stage files, note, apply, verify, accept, then commit or roll back, and report.

        The host's lock is held. Raises OSError if not even the first step could be made. Without `prune` no stored
        copy is removed.
        """
        findings = self.findings()
        if refusals(findings) or not (self.plan.all_steps or self._assessment.lacks_proof):
            return with_proofs(self._assessment, self._assessment.unchanged(findings))
        if self._assessment.lacks_file:
            # Rolling back an interrupted run has changed what is needed.
            return {"changed": False, "needs_file": True}
        try:
            for file in self.plan.loads:
                # Where only root can change it.
                self.catalog.store(file)
        except FileChanged as error:
            return self.failed_before(file_changed(error))
        self._note_beginning()
        outcome = self._apply_and_verify()
        self.overtaken = outcome.overtaken
        notes = self._keep_books(outcome, prune)
        return self._report(outcome, findings, notes)

    def _keep_books(self, outcome: Outcome, prune: bool) -> list[Finding]:
        """Record what is loaded, displaced, proven and accepted now. Returns what could not be recorded."""
        files = self.kernel.files()
        notes = [*self._unforgotten, *keep_for_boots(files, self.task.wanted, self.plan, self.books.boot, outcome)]
        if not outcome.after.is_known:
            # The note stays as well: the next run that can read the host finds out what this one has left.
            return [*notes, *_as_warnings(outcome.after), COPIES_STAY]
        not_restored = outcome.failure.not_restored if outcome.failure else ()
        rolled_back = rollback_of(outcome)
        lost = has_lost(not_restored, self.before, outcome.reached, outcome.after)
        notes += self.catalog.update(
            outcome.reached,
            self.before,
            outcome.after,
            rolled_back=rolled_back,
            displaced=displaced_by(self.task.wanted, self.before, self.plan, outcome, self.catalog),
            prune=prune and not lost,
            reverts=self.task.wanted.state == State.REVERTED,
        )
        if lost:
            notes.append(COPIES_STAY)
        if self._proves and not outcome.failure:
            wanted = outcome.after.patch(self.task.wanted.name)
            notes += note_proof(files, wanted, outcome.stalled is None, self._taint, self._assessment.brings_effect)
        if outcome.hands_off:
            notes += note_trouble(files, outcome.after.patch(self.task.wanted.name), self._trouble)
        notes += note_forces(files, [*self._note.forced, *outcome.pinned], outcome.after, rolled_back or ())
        if not (outcome.hands_off and outcome.hands_off.reason == CPU_STUCK):
            # What stopped half way stays noted: the next run that may touch the kernel rolls it back.
            journal.remove_note(files)
        if self.plan.acceptance is not None:
            # Not before: as long as there is a note, what was forgotten may be accepted again, with its files.
            boot_store.prune(files)
        return notes

    def _report(self, outcome: Outcome, findings: list[Finding], notes: list[Finding]) -> Plain:
        """The result, and the line in the host's log."""
        if outcome.failure and self.task.wanted.state == State.REVERTED:
            finding = told_of_a_revert(outcome.failure.finding)
            outcome = replace(outcome, failure=replace(outcome.failure, finding=finding))
        after, books = outcome.after, self.books
        notes = [*notes, *notes_of(outcome, self.task.wanted)]
        if outcome.failure and outcome.hands_off and outcome.hands_off != outcome.failure.finding:
            notes.append(replace(outcome.hands_off, severity=WARN))
        if not (outcome.failure or outcome.stalled):
            self._assessment.plan = with_shown(self.plan, self.before, outcome.after)
        if self.plan.loads or self.plan.boot or outcome.failure:
            last, books = observe(self.kernel)
            # What the proof has seen a moment ago is known, also where the last look fails.
            after, notes = (last, notes) if last.is_known else (after, [*notes, *_as_warnings(last)])
        elif self._proves:
            books = read_books(self.kernel.files(), after)
        if not outcome.failure:
            notes += cautions(after, books, self.task.wanted.name, outcome.forced)
        result = self._assessment.result(after, books, findings)
        with_notes(result, after=notes)
        result["proofs"] = [asdict(proof) for proof in outcome.proofs]
        if outcome.stalled:
            result["stalling_tasks"] = describe_stalling_tasks(outcome.stalled.stalling_tasks)
        goal = outcome.after
        if outcome.failure:
            notes, goal = [*notes, outcome.failure.finding], self.before
            result = failed(result, outcome.failure)
            if self._stays and self._assessment.lacks_proof and not self.plan.steps:
                result["msg"] += f" {self.task.wanted.name}, which an earlier run has enabled, stays so."
        result["reboot_required"] = self._assessment.needs_reboot([*findings, *notes], outcome.after, goal)
        is_done = _boot_is_done(self.plan, outcome) and not self._unforgotten
        done = self.done = (*outcome.done, *(self.plan.boot if is_done else ()))
        result["actions"] = [str(step) for step in done]
        if not outcome.failure:
            result["changed"] = bool(outcome.forced) or any(step.action != Action.WAIT for step in done)
        if done or outcome.failure:
            journal.note_change(self.kernel.files())
            steps = f"{'; '.join(result['actions']) or 'nothing'}:{_digests(self.plan, self.catalog)}"
            self.kernel.journal(f"{journal.who_am_i()}: {steps} {ending_of(outcome)}")
        return result

    def _note_beginning(self) -> None:
        """Write the note of the run, and forget what the next boots must not load. Raises OSError."""
        files = self.kernel.files()
        try:
            self._note.write()
            self._forget(files)
        except OSError:
            if self.plan.forgets:
                boot_store.restore(files, self.books.boot)
            journal.remove_note(files)
            self.catalog.remove_brought(self.plan, self.before, self.before)
            raise

    def _forget(self, files: Files) -> None:
        """Forget it before the kernel is touched: what is on its way out does not come back if the host goes down.

        A disk that is full or broken does not keep it in the kernel. Raises OSError if the kernel is not touched.
        """
        try:
            forget(files, self.plan)
        except OSError as error:
            if not self.plan.steps or self.task.wanted.state not in (State.ABSENT, State.REVERTED):
                raise
            self._unforgotten = [not_forgotten(self.task.wanted.name, error)]

    def _apply_and_verify(self) -> Outcome:
        executor = Executor(
            self.kernel,
            self.before.abi,
            self.task.patience,
            self.catalog.paths.__getitem__,
            self._note.add_forced,
            self._note.add_moved,
            any(is_forced(patch, self.books) for patch in self.before.patches),
        )
        verification = self.task.verification
        verification = verification if self._proves else replace(verification, text=False, probe=None)
        since = "the change" if self.plan.steps else "the task began"
        # What was printed before, while another run was waited for, perhaps, is not this one's doing.
        self.kernel.log.begin()
        prover = Prover(self.kernel, self.task.wanted.name, self.before, verification, since)

        def prove_and_keep(after: Snapshot) -> tuple[Proof, ...]:
            # Also what is only accepted: the run that enabled it may have been interrupted before it had proven that.
            assessment = self._assessment
            is_due = self.plan.steps or self.plan.accepts or assessment.lacks_proof or assessment.proves_unmoved
            proofs = prover.prove(after, executor.prove_state) if is_due else ()
            self._taint = prover.taint
            accept(self.kernel.files(), self.plan, self.catalog)
            self._note.add_proof()
            return proofs

        outcome = executor.carry_out(self.before, self.plan, self.catalog.stored, prove_and_keep)
        self._trouble = prover.trouble
        after = self.books.identify(outcome.after)
        return replace(outcome, after=after, skipped=self._assessment.steps_left(after) if outcome.stalled else ())

    def failed_before(self, finding: Finding, number: int | None = None) -> Plain:
        """The failed result of a run that has not begun, because of something outside of the kernel."""
        attempted = str(self.plan.all_steps[0]) if self.plan.all_steps else "begin"
        result = {**self._assessment.result(self.before, self.books, ()), "actions": []}
        result["reboot_required"] = result["reboot_required"] or finding.only_reboot
        return failed(result, Failure(attempted, finding, number))


def _note_of(assessment: Assessment) -> journal.Note:
    """The note of a run that is about to begin."""
    before, plan, wanted, books = assessment.before, assessment.plan, assessment.task.wanted, assessment.books
    return journal.Note(
        who=journal.who_am_i(),
        what="; ".join(str(step) for step in plan.steps),
        started=time_now(),
        before=before.patches,
        steps=plan.steps,
        goal=predict(before, plan).patches,
        stored={name: file.sha256 for name, file in assessment.catalog.stored.items()},
        name=wanted.name,
        state=wanted.state,
        boot=books.boot if plan.acceptance is not None else None,
    )


def _boot_is_done(plan: Plan, outcome: Outcome) -> bool:
    return not outcome.failure and not (outcome.stalled and plan.accepts)


def _as_warnings(snapshot: Snapshot) -> list[Finding]:
    """What the snapshot does not tell."""
    return [replace(doubt, severity=WARN) for doubt in doubts(snapshot)]


def _digests(plan: Plan, catalog: Catalog) -> str:
    """The digests of the files of the steps, for the host's log."""
    brought = {file.name: file for file in (*plan.loads, *plan.accepts)}
    files = {**catalog.stored, **brought}
    names = dict.fromkeys(step.patch for step in plan.all_steps if step.patch in files)
    return "".join(f" {name} sha256={files[name].sha256}" for name in names)
