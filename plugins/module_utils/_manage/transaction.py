# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Check, apply, verify: what livepatch_module does where something is to be done, one run at a time."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.executor import Executor, file_changed
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import Look
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain, describe_holders
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    INFO,
    Finding,
    allow,
    refusals,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import (
    Failure,
    FileChanged,
    Outcome,
    Proof,
    StepFailed,
    errno_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import (
    ENABLE,
    LOAD,
    UNLOAD,
    WAIT,
    Displaced,
    Plan,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import ENABLED, REVERTED, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import deviations, predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import rollback_steps
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import is_gone
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import Preflight
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal, lock
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.catalog import KeptFiles
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import time_now
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.probe import holds
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.prover import Prover

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


def change(look: Look) -> Plain:
    """Check what was planned, and carry it out unless it is refused or only to be foretold."""
    task, kernel, run = look.task, look.kernel, _Run(look)
    if task.check_mode:
        return _foretell(look)
    # What a run that was cut off has taken out is a reason to undo that, and not to refuse.
    if not (run.plan.all_steps or look.lacks_proof or journal.read_note(kernel.files())):
        return run.without_change()
    if look.lacks_file:
        return {"changed": False, "needs_file": True}
    recovery = _Recovery()
    try:
        with lock.lock(kernel.files(), task.patience.timeout if run.plan.all_steps else 0):
            recovery = _recover(task, kernel)
            result = _Run(Look(task, kernel, recovery.kept)).carry_out(prune=not recovery.has_lost)
    except lock.Locked as holder:
        if not run.plan.all_steps:
            result = run.without_change()
            result.setdefault("notices", []).append(f"Another run is changing this host ({holder}).")
            return result
        return run.failed_before(
            Finding(
                reason="locked",
                seen=f"Another run has been changing this host for more than {task.patience.timeout:g} s: {holder}.",
                remedy="Wait until it has ended, then run the task again.",
            )
        )
    except OSError as error:
        result = _Run(Look(task, kernel, recovery.kept)).failed_before(
            Finding(
                reason="no_room",
                seen=f"{error.filename or copies.DIRECTORY} cannot be written: {error.strerror}.",
                remedy="See that /run is writable and has room, then run the task again.",
            ),
            error.errno,
        )
    if recovery.changed and result.get("failed"):
        result["msg"] += " Before that, what an earlier run had left was undone (see notices)."
    result["notices"] = [*recovery.notices, *result.get("notices", [])]
    result["changed"] = result["changed"] or recovery.changed
    return result


def _foretell(look: Look) -> Plain:
    """The result of check mode: what would be done after what is left behind has been undone."""
    left = _left_behind(look.kernel)
    if left is None:
        return _Run(look).without_change()
    notice = f"Another run is changing this host, or was cut off ({left.note})."
    if left.has_to_go:
        look = Look(look.task, look.kernel, left.kept, left.undone)
        notice += " If it was cut off, what it has left would be undone first."
    result = _Run(look).without_change()
    result["changed"] = result["changed"] or left.has_to_go
    result["notices"] = [notice, *result.get("notices", [])]
    return result


class _Run:
    """What a look has found to be done."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.task = look.task
        self.kernel = look.kernel
        self.before = look.before
        self.kept = look.kept
        self.plan = look.plan

    def findings(self) -> list[Finding]:
        """All that speaks against the plan, and what is good to know."""
        steps = self.plan.intended
        if not steps:
            return list(self.plan.refusals)
        files = [step.file for step in steps if step.file]
        functions = {function for patch in self.before.patches for function in patch.functions}
        functions.update(function for file in files for function in file.functions or ())
        conditions = self.kernel.conditions(self.before.release, self.task.wanted.name, functions)
        found = Preflight(self.before, conditions, steps, self.task.wanted.load_targets).findings()
        return [*self.plan.refusals, *allow([*found, *self._probe_beforehand()], self.task.ignore)]

    def _probe_beforehand(self) -> t.Iterator[Finding]:
        probe = self.task.verification.probe
        if not probe or not self._brings_effect:
            return
        if self.task.check_mode and probe.argv:
            yield Finding(
                reason="probe",
                seen=f"The probe {probe} was not run.",
                remedy="Nothing needs to be done.",
                why="Check mode runs no commands of the user's.",
                severity=INFO,
            )
        elif holds(probe, self.kernel)[0]:
            yield Finding(
                reason="probe",
                seen=f"The probe {probe} holds already.",
                remedy="Give a probe that shows the difference.",
                why="It could not prove that the patch has an effect.",
            )

    @property
    def _proves(self) -> bool:
        """Whether there is an effect to be proven."""
        return self.task.wanted.state == ENABLED

    @property
    def _brings_effect(self) -> bool:
        """Whether the effect is not there before: another content, or a patch that was not enabled, is enabled."""
        wanted = self.task.wanted
        loaded = self.before.patch(wanted.name)
        actions = (LOAD,) if loaded and loaded.enabled else (LOAD, ENABLE)
        return self._proves and any(step.patch == wanted.name and step.action in actions for step in self.plan.intended)

    def without_change(self) -> Plain:
        """The result where nothing is done, with all that was found."""
        result = self._look.unchanged(self.findings())
        if self._look.lacks_proof:
            unproven = f"An earlier run has enabled {self.task.wanted.name} and has not proven its effect: that is due."
            result.setdefault("notices", []).append(unproven)
        return result

    def carry_out(self, prune: bool) -> Plain:
        """Check, change, prove, with the host's lock held. Raises OSError if not even the first step could be made.

        Without `prune` no copy of a file is removed.
        """
        findings = self.findings()
        if refusals(findings) or not (self.plan.all_steps or self._look.lacks_proof):
            return self._look.unchanged(findings)
        files = self.kernel.files()
        if self._look.lacks_file:
            # Undoing an interrupted run has changed what is needed.
            return {"changed": False, "needs_file": True}
        try:
            for file in self.plan.loads:
                self.kept.paths[file] = copies.store(files, file.name, self.kept.paths[file], file.sha256)
        except FileChanged as error:
            return self.failed_before(file_changed(error))
        self._begin(files)
        outcome = self._execute()
        lost = bool(outcome.failure and _gone(self.before, outcome.reached, outcome.after))
        notices = self._accept_again(files) if outcome.failure else []
        notices += self.kept.update(
            outcome.reached,
            self.before,
            outcome.after,
            undone=outcome.failure.undone if outcome.failure else None,
            displaced=_displaced(self.task.wanted, self.before, self.plan, outcome.after, self.kept, _going(outcome)),
            prune=prune and not lost,
        )
        if lost:
            notices.append(_COPIES)
        if self._proves and not outcome.failure:
            notices += _note_proof(files, self.task.wanted.name, outcome.stalled is None)
        journal.remove_note(files)
        if self.plan.acceptance is not None:
            # Not before: as long as there is a note, what was forgotten may be accepted again, with its files.
            boot_store.prune(files, boot_store.read(files))
        is_stale = self.plan.loads or self.plan.boot
        result = self._look.result(self.kernel.snapshot() if is_stale else outcome.after, findings)
        result["notices"] += [*notices, *_notices(outcome)]
        result["proofs"] = [asdict(proof) for proof in outcome.proofs]
        if outcome.stalled:
            result["holders"] = describe_holders(outcome.stalled.holders)
        if outcome.failure:
            result.update(_failed(outcome.failure))
            if self._look.lacks_proof and not self.plan.steps:
                result["msg"] += f" {self.task.wanted.name}, which an earlier run has enabled, stays so."
        done = (*outcome.done, *(self.plan.boot if self._boot_is_done(outcome) else ()))
        result["actions"] = [str(step) for step in done]
        result["changed"] = result["changed"] if outcome.failure else any(step.action != WAIT for step in done)
        if done or outcome.failure:
            steps = "; ".join(result["actions"]) or "nothing"
            self.kernel.journal(f"{journal.who_am_i()}: {steps}:{self._digests()} {_ending(outcome)}")
        return result

    def _boot_is_done(self, outcome: Outcome) -> bool:
        return not outcome.failure and not (outcome.stalled and self.plan.accepts)

    @property
    def _reduced(self) -> Acceptance | None:
        """What is accepted still after a run that forgets something; None if it does not."""
        return self.plan.acceptance if not self.plan.accepts else None

    def _begin(self, files: Files) -> None:
        """Note what is about to be done, and forget what the next boots shall not load. Raises OSError."""
        try:
            journal.write_note(files, self._note())
            if self._reduced is not None:
                # Before the kernel is touched: what is on its way out does not come back if the host goes down.
                boot_store.write(files, self._reduced)
        except OSError:
            if self._reduced is not None:
                boot_store.restore(files, self.before.boot)
            journal.remove_note(files)
            raise

    def _execute(self) -> Outcome:
        executor = Executor(self.kernel, self.before.abi, self.task.patience, self.kept.paths.__getitem__)
        wish = self.task.verification
        wish = wish if self._proves else replace(wish, text=False, probe=None)
        since = "the change" if self.plan.steps else "the task began"
        # What was printed before, while another run was waited for, perhaps, is not this one's doing.
        self.kernel.log.begin()
        prover = Prover(self.kernel, self.task.wanted.name, self.before, wish, since)

        def prove_and_keep(after: Snapshot) -> tuple[Proof, ...]:
            # Also what is only accepted: the run that enabled it may have been cut off before it had proven that.
            is_due = self.plan.steps or self.plan.accepts or self._look.lacks_proof
            proofs = prover.prove(after) if is_due else ()
            self._accept()
            with contextlib.suppress(OSError):
                journal.write_note(self.kernel.files(), replace(self._note(), proven=True))
            return proofs

        return executor.carry_out(self.before, self.plan, self.kept.files, prove_and_keep)

    def _accept(self) -> None:
        """Let the next boots load the patch: last, so that only what has proven itself is accepted."""
        if self.plan.acceptance is None or not self.plan.accepts:
            return
        files = self.kernel.files()
        attempted = "; ".join(str(step) for step in self.plan.boot)
        try:
            for file in self.plan.accepts:
                path = copies.store(files, file.name, self.kept.paths[file], file.sha256)
                boot_store.keep_file(files, file.name, file.sha256, files.path(path))
            boot_store.write(files, self.plan.acceptance)
        except FileChanged as error:
            raise StepFailed(attempted, file_changed(error)) from error
        except OSError as error:
            cause = Finding(
                reason="no_room",
                seen=f"{error.filename or boot_store.DIRECTORY} cannot be written: {error.strerror}.",
                remedy="See that /var is writable and has room, then run the task again.",
            )
            raise StepFailed(attempted, cause, error.errno) from error

    def _accept_again(self, files: Files) -> list[str]:
        """Accept what was accepted before. Returns notices."""
        try:
            if self.plan.acceptance is not None:
                boot_store.restore(files, self.before.boot)
        except OSError as error:
            return [_not_accepted(self.task.wanted.name, error)]
        return []

    def _note(self) -> journal.Note:
        return journal.Note(
            who=journal.who_am_i(),
            what="; ".join(str(step) for step in self.plan.steps),
            started=time_now(),
            before=self.before.patches,
            steps=self.plan.steps,
            goal=predict(self.before, self.plan).patches,
            kept={name: file.sha256 for name, file in self.kept.files.items()},
            name=self.task.wanted.name,
            state=self.task.wanted.state,
            boot=self.before.boot if self.plan.acceptance is not None else None,
        )

    def _digests(self) -> str:
        """Of the files that the steps are about, as far as they are known."""
        brought = {file.name: file for file in (*self.plan.loads, *self.plan.accepts)}
        files = {**self.kept.files, **brought}
        names = dict.fromkeys(step.patch for step in self.plan.all_steps if step.patch in files)
        return "".join(f" {name} sha256={files[name].sha256}" for name in names)

    def failed_before(self, finding: Finding, number: int | None = None) -> Plain:
        """The result where nothing was done because of something outside the kernel."""
        result = self._look.result(self.before, ())
        attempted = str(self.plan.all_steps[0]) if self.plan.all_steps else "begin"
        result.update(_failed(Failure(attempted, finding, number)))
        return result


def _ending(outcome: Outcome) -> str:
    """How a run ended, for the host's log."""
    failure = outcome.failure
    if failure:
        words = f"failed ({failure.finding.reason}): {failure.attempted}"
        words += f"; undone by: {'; '.join(failure.undone)}" if failure.undone else ""
        return words + (f"; not restored: {'; '.join(failure.not_restored)}" if failure.not_restored else "")
    if outcome.stalled:
        return f"left {outcome.stalled.name} in transition; to be done: {'; '.join(map(str, outcome.skipped))}"
    return f"done{'; forced: ' if outcome.forced else ''}{', '.join(outcome.forced)}"


def _gone(before: Snapshot, plan: Plan, after: Snapshot) -> list[LoadedPatch]:
    """The patches that the plan, or the way back, has left unloaded, or with another content."""
    return [patch for patch in before.patches if patch.name in plan.names and is_gone(patch, after, plan)]


def _going(outcome: Outcome) -> list[str]:
    """The patches that are to be unloaded by the next run, or that only a reboot removes."""
    return [*outcome.pinned, *(step.patch for step in outcome.skipped if step.action == UNLOAD)]


def _displaced(
    wanted: Wanted,
    before: Snapshot,
    plan: Plan,
    after: Snapshot,
    kept: KeptFiles,
    going: t.Collection[str] = (),
) -> dict[str, tuple[Displaced, ...]]:
    """What the wanted patch has taken the place of, where that has changed; `going` is not gone yet."""
    if wanted.state == REVERTED:
        return {wanted.name: ()}
    gone = [patch for patch in before.patches if patch.name in going or patch in _gone(before, plan, after)]
    if wanted.state != ENABLED or not gone:
        return {}
    names = {patch.name for patch in gone}
    earlier = () if wanted.name in names else kept.displaced_by(wanted.name)
    others = {wanted.name, *names}
    # An earlier run may have disabled it, and left the rest to this one.
    known = {one.name: one for one in earlier if one.enabled}
    now = [
        known[patch.name]
        if patch.name in known and not patch.enabled
        else Displaced(patch.name, patch.enabled, kept.files.get(patch.name), _coverers(before, patch, others))
        for patch in gone
    ]
    return {wanted.name: (*(one for one in earlier if one.name not in names), *now)}


def _coverers(snapshot: Snapshot, patch: LoadedPatch, except_of: t.Collection[str]) -> tuple[str, ...]:
    return tuple(sorted({above.name for above in snapshot.covering(patch)}.difference(except_of)))


def _notices(outcome: Outcome) -> list[str]:
    notices = [
        f"The transition of {name} was forced: tasks may run old and new code together"
        + (", and its module stays loaded" if name in outcome.pinned else "")
        + ". Plan a reboot: until then the kernel may not let live patch modules go."
        for name in outcome.forced
    ]
    if outcome.stalled:
        later = (
            f" Left for the next run: {'; '.join(str(step) for step in outcome.skipped)}." if outcome.skipped else ""
        )
        who = ", ".join(str(holder) for holder in outcome.stalled.holders[:5]) or "no task that could be found"
        notices.append(f"The transition of {outcome.stalled.name} is still running; it is held by {who}.{later}")
    return notices


def _note_proof(files: Files, name: str, proven: bool) -> list[str]:
    try:
        copies.note_proof(files, name, proven)
    except OSError as error:
        return [f"Whether the effect of {name} was proven could not be noted ({error.strerror})."]
    return []


def _not_accepted(name: str, error: OSError) -> str:
    return f"{name} is not accepted any more: {error.strerror}. Accept it again."


@dataclass(frozen=True)
class _Recovery:
    """What became of a run that was cut off, in sentences. `changed` says whether something had to be undone.

    `kept` are the files that were at hand before it: one that it has taken out may be wanted again. `has_lost` says
    whether something could not be brought back.
    """

    notices: tuple[str, ...] = ()
    changed: bool = False
    kept: KeptFiles | None = None
    has_lost: bool = False


_COPIES = f"Copies of the files that were loaded are in {copies.DIRECTORY} until the next run."

_UNKNOWN_RUN = (
    "An earlier run was cut off, and its note cannot be understood: perhaps another version of this collection wrote "
    "it. What it has left is not undone; compare the patches of this host with what they should be."
)


@dataclass(frozen=True)
class _LeftBehind:
    """What a run has left that was cut off, or that is still running.

    `before` is the host before it, `undone` the host after it has been undone, and `kept` are the files that were at
    hand. `arrived` says that it has carried out its steps, `unproven` that it has not proven the result then,
    `untouched` that it has not changed the kernel.
    """

    note: journal.Note
    plan: Plan
    before: Snapshot
    undone: Snapshot
    kept: KeptFiles
    arrived: bool
    unproven: bool
    untouched: bool

    @property
    def has_to_go(self) -> bool:
        return not (self.arrived or self.untouched)


def _left_behind(kernel: KernelProtocol) -> _LeftBehind | None:
    note = journal.read_note(kernel.files())
    if note is None:
        return None
    plan = Plan(note.steps, about=note.name)
    now = kernel.snapshot()
    kept = KeptFiles(kernel, now)
    kept.add_of(note)
    before = replace(now, patches=note.before, modules=now.modules.difference(plan.targets))
    settled = replace(now, patches=tuple(replace(patch, in_transition=False) for patch in now.patches))
    arrived = not deviations(replace(now, patches=note.goal), settled)
    unproven = arrived and note.state == ENABLED and not note.proven
    undone = predict(settled, Plan(tuple(rollback_steps(before, settled, plan, kept.files))))
    if unproven and not deviations(before, undone):
        arrived = False
    return _LeftBehind(note, plan, before, undone, kept, arrived, unproven, untouched=not deviations(before, now))


def _recover(task: Task, kernel: KernelProtocol) -> _Recovery:
    """Undo what a run that was cut off has left half done. The host's lock must be held."""
    files = kernel.files()
    left = _left_behind(kernel)
    if left is None:
        unknown = journal.is_noted(files)
        journal.remove_note(files)
        return _Recovery((_UNKNOWN_RUN,) if unknown else ())
    note, plan, before, kept, arrived = left.note, left.plan, left.before, left.kept, left.arrived
    undone: tuple[str, ...] = ()
    not_restored: tuple[str, ...] = ()
    if arrived:
        outcome = f"it had carried out its steps{', and not proven the result' if left.unproven else ''}."
    elif left.untouched:
        outcome = "it had not changed the kernel."
    else:
        executor = Executor(kernel, before.abi, task.patience, kept.paths.__getitem__)
        undone, not_restored = executor.go_back(before, plan, kept.files)
        outcome = f"it was undone: {', '.join(undone) or 'nothing could be done'}."
        if not_restored:
            outcome += f" The host is not as it was before it: {'; '.join(not_restored)}."
        kernel.journal(f"{journal.who_am_i()}: an earlier run was cut off ({note}); {outcome}")
    after = kernel.snapshot()
    has_lost = bool(not_restored and _gone(before, plan, after))
    outcome += f" {_COPIES}" if has_lost else ""
    displaced = _displaced(Wanted(note.name, note.state), before, plan, after, kept)
    notices = kept.update(plan, before, after, None if arrived else undone, displaced, prune=False)
    if arrived and left.unproven:
        notices += _note_proof(files, note.name, False)
    accepted_again = False
    try:
        if note.boot is not None and not arrived:
            accepted_again = boot_store.restore(files, note.boot)
    except OSError as error:
        notices.append(_not_accepted(note.name, error))
    if accepted_again:
        outcome += " What is accepted for the next boots is as before it."
    journal.remove_note(files)
    told = (f"An earlier run was cut off ({note}); {outcome}", *notices)
    return _Recovery(told, bool(undone) or accepted_again, kept, has_lost)


def _failed(failure: Failure) -> Plain:
    return {
        "failed": True,
        # Without a trace the host is unchanged; otherwise the user must know.
        "changed": bool(failure.not_restored),
        "msg": failure.message,
        "reason": failure.finding.reason,
        "cause": failure.finding.cause,
        "remedy": failure.finding.remedy,
        "attempted": failure.attempted,
        "errno": errno_name(failure.errno) if failure.errno is not None else None,
        "kernel_log": list(failure.kernel_log),
        "holders": describe_holders(failure.holders),
        "undone": list(failure.undone),
        "not_restored": list(failure.not_restored),
    }
