# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Observe, plan, apply, verify: the whole of livepatch_module between its arguments and its result."""

from __future__ import annotations

import os
import time
import typing as t
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils import _kept_files, _runs
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply import (
    Executor,
    Failure,
    Kernel,
    Outcome,
    Patience,
    file_changed,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._causes import Cause, errno_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._findings import INFO, WARN, Finding, allow, refusals
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan import deviations, make_plan, predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight import Preflight
from ansible_collections.openeuler.livepatch.plugins.module_utils._proof import Prover, Verification, holds
from ansible_collections.openeuler.livepatch.plugins.module_utils._report import (
    Plain,
    describe_holders,
    describe_patch,
    diff,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._revert import plan_revert
from ansible_collections.openeuler.livepatch.plugins.module_utils._snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._steps import (
    ENABLED,
    LOAD,
    REVERTED,
    UNLOAD,
    Displaced,
    Plan,
    Wanted,
)


@dataclass(frozen=True)
class Task:
    """The arguments of one task.

    C(file_path) is where its file lies on the host; None if it was not sent. C(delivered) says that Ansible has put
    it there for this task only. C(ignore) names the checks whose refusals are only warned about.
    """

    wanted: Wanted
    file_path: str | None = None
    delivered: bool = False
    patience: Patience = field(default_factory=Patience)
    check_mode: bool = False
    verification: Verification = field(default_factory=Verification)
    ignore: tuple[str, ...] = ()


def manage(task: Task, kernel: Kernel) -> Plain:
    """Bring one patch into the wanted state. The result has C(failed) if it did not get there."""
    try:
        result = _manage(task, kernel)
    finally:
        directory_removed = _remove_delivery(task)
    if directory_removed:
        result["directory_removed"] = True
    return result


def _remove_delivery(task: Task) -> bool:
    """Remove the delivered file and its directory, which saves Ansible a round trip. Whether the directory is gone.

    It is not if other files of Ansible's are in it (without pipelining): then Ansible removes it itself.
    """
    if not task.file_path or not task.delivered:
        return False
    try:
        os.unlink(task.file_path)
        os.rmdir(os.path.dirname(task.file_path))
    except OSError:
        return False
    return True


def _manage(task: Task, kernel: Kernel) -> Plain:
    """Look without the lock first: a run that changes nothing neither waits nor leaves anything."""
    run = _Run(task, kernel)
    cut_off = _runs.read_note(kernel.files())
    if run.plan.refusals or task.check_mode or not (run.plan.steps or cut_off):
        result = run.without_change()
        if cut_off and task.check_mode:
            result.setdefault("notices", []).append(f"Another run is changing this host, or was cut off ({cut_off}).")
        return result
    if run.lacks_file:
        return {"changed": False, "needs_file": True}
    try:
        with _runs.lock(kernel.files(), task.patience.timeout if run.plan.steps else 0):
            notices = _recover(task, kernel)
            result = _Run(task, kernel).carry_out()
    except _runs.Locked as holder:
        if not run.plan.steps:
            result = run.without_change()
            result["notices"].append(f"Another run is changing this host ({holder}).")
            return result
        return run.failed_before(
            Cause(
                "locked",
                f"Another run has been changing this host's live patches for more than {task.patience.timeout:g} s: "
                f"{holder}.",
                "Wait until it has ended, then run the task again.",
            )
        )
    except OSError as error:
        return run.failed_before(
            Cause(
                "no_room",
                f"{error.filename or _kept_files.DIRECTORY} cannot be written: {error.strerror}.",
                "See that /run is writable and has room, then run the task again.",
            ),
            error.errno,
        )
    result["notices"] = [*notices, *result.get("notices", [])]
    return result


class _Run:
    """One observation of the host and what is to be done about it."""

    def __init__(self, task: Task, kernel: Kernel) -> None:
        self.task = task
        self.kernel = kernel
        self.before = kernel.snapshot()
        self.kept = _Kept(kernel, self.before)
        self.plan = self._make_plan(task.wanted)
        if task.wanted.file and task.file_path:
            self.kept.paths[task.wanted.file] = task.file_path

    def _make_plan(self, wanted: Wanted) -> Plan:
        if wanted.state == REVERTED:
            return plan_revert(self.before, wanted, self.kept.files, self.kept.displaced_by(wanted.name))
        return make_plan(self.before, wanted, self.kept.files)

    @property
    def lacks_file(self) -> bool:
        return not all(file in self.kept.paths for file in self.plan.loads)

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
        if not probe or not self._proves:
            return
        if self.task.check_mode and probe.argv:
            yield Finding(
                "probe",
                f"The probe {probe} was not run.",
                "Nothing needs to be done.",
                "Check mode runs no commands of the user's.",
                INFO,
            )
        elif holds(probe, self.kernel)[0]:
            yield Finding(
                "probe",
                f"The probe {probe} holds already.",
                "Give a probe that shows the difference.",
                "It could not prove that the patch has an effect.",
            )

    @property
    def _proves(self) -> bool:
        """Whether there is an effect to be proven."""
        return self.task.wanted.state == ENABLED

    def without_change(self) -> Plain:
        """The result of a task that is refused, has nothing to do, or runs in check mode."""
        return self._unchanged(self.findings())

    def _unchanged(self, findings: list[Finding]) -> Plain:
        if refusals(findings):
            return _refused(self.before, self.task, findings)
        return self._result(predict(self.before, self.plan), findings)

    def carry_out(self) -> Plain:
        """Check, change, prove, with the host's lock held. Raises OSError if not even the first step could be made."""
        findings = self.findings()
        if refusals(findings) or not self.plan.steps:
            return self._unchanged(findings)
        files = self.kernel.files()
        if self.lacks_file:
            # Undoing an interrupted run has changed what is needed.
            return {"changed": False, "needs_file": True}
        try:
            for file in self.plan.loads:
                self.kept.paths[file] = _kept_files.store(files, file.name, self.kept.paths[file], file.sha256)
        except _kept_files.FileChanged as error:
            return self.failed_before(file_changed(error))
        _runs.write_note(files, self._note())
        outcome = self._execute()
        notices = self.kept.update(
            outcome.reached,
            outcome.after,
            undone=outcome.failure is not None,
            displaced=_displaced(self.task.wanted, self.before, self.plan, outcome.after, self.kept),
        )
        _runs.remove_note(files)
        result = self._result(self.kernel.snapshot() if self.plan.loads else outcome.after, findings)
        result["notices"] += [*notices, *_notices(outcome)]
        result["proofs"] = [asdict(proof) for proof in outcome.proofs]
        if outcome.stalled:
            result["holders"] = describe_holders(outcome.stalled.holders)
        if outcome.failure:
            result.update(_failed(outcome.failure))
        self.kernel.journal(self._journal_line(outcome.failure))
        return result

    def _execute(self) -> Outcome:
        executor = Executor(self.kernel, self.before.abi, self.task.patience, self.kept.paths.__getitem__)
        wish = self.task.verification if self._proves else Verification()
        prover = Prover(self.kernel, self.task.wanted.name, self.before, wish)
        return executor.carry_out(self.before, self.plan, self.kept.files, prover.prove)

    def _note(self) -> _runs.Note:
        return _runs.Note(
            who=_runs.who_am_i(),
            what="; ".join(str(step) for step in self.plan.steps),
            started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            before=self.before.patches,
            steps=self.plan.steps,
            goal=predict(self.before, self.plan).patches,
            kept={name: file.sha256 for name, file in self.kept.files.items()},
            name=self.task.wanted.name,
            state=self.task.wanted.state,
        )

    def _journal_line(self, failure: Failure | None) -> str:
        loads = "".join(f" {file.name} sha256={file.sha256}" for file in self.plan.loads)
        outcome = f"failed ({failure.cause.reason}): {failure.attempted}" if failure else "done"
        return f"{_runs.who_am_i()}: {'; '.join(str(step) for step in self.plan.steps)}:{loads} {outcome}"

    def failed_before(self, cause: Cause, number: int | None = None) -> Plain:
        """The result where nothing was done because of something outside the kernel."""
        result = self._result(self.before, ())
        attempted = str(self.plan.steps[0]) if self.plan.steps else "begin"
        result.update(_failed(Failure(attempted, cause, number)))
        return result

    def _result(self, after: Snapshot, findings: t.Iterable[Finding]) -> Plain:
        patch = after.patch(self.task.wanted.name)
        return {
            "changed": self.plan.changes,
            "name": self.task.wanted.name,
            "state": _state(after, self.task.wanted.name),
            "actions": [str(step) for step in self.plan.steps],
            "patch": describe_patch(patch, after) if patch else None,
            "abi": after.abi,
            "release": after.release,
            "diff": diff(self.before, after),
            "findings": [asdict(finding) for finding in findings],
            "notices": [*self.plan.warnings, *(f"{it.cause} {it.remedy}" for it in findings if it.severity == WARN)],
            "proofs": [],
            **_file(self.task),
        }


def _displaced(
    wanted: Wanted, before: Snapshot, plan: Plan, after: Snapshot, kept: _Kept
) -> dict[str, tuple[Displaced, ...]]:
    """What the wanted patch has taken the place of, by its name, where that has changed."""
    if wanted.state == REVERTED:
        return {wanted.name: ()}
    gone = [patch for patch in before.patches if patch.name in plan.names and _is_gone(patch, after)]
    if wanted.state != ENABLED or not gone:
        return {}
    is_exchanged = any(patch.name == wanted.name for patch in gone)
    earlier = () if is_exchanged else kept.displaced_by(wanted.name)
    others = {wanted.name, *(patch.name for patch in gone)}
    return {
        wanted.name: (
            *earlier,
            *(
                Displaced(patch.name, patch.enabled, kept.files.get(patch.name), _coverers(before, patch, others))
                for patch in gone
            ),
        )
    }


def _coverers(snapshot: Snapshot, patch: LoadedPatch, except_of: t.Collection[str]) -> tuple[str, ...]:
    names = {above.name for stack in snapshot.above(patch).values() for above in stack}
    return tuple(sorted(names.difference(except_of)))


def _is_gone(patch: LoadedPatch, after: Snapshot) -> bool:
    """Whether the patch is not loaded any more, or another content is under its name."""
    now = after.patch(patch.name)
    return now is None or now.identity.compare(patch.identity) == "different"


def _notices(outcome: Outcome) -> list[str]:
    notices = [
        f"The transition of {name} was forced: tasks may run old and new code together, and the module can never be "
        "unloaded; plan a reboot."
        for name in outcome.forced
    ]
    if outcome.stalled:
        later = (
            f" Left for the next run: {'; '.join(str(step) for step in outcome.skipped)}." if outcome.skipped else ""
        )
        who = ", ".join(str(holder) for holder in outcome.stalled.holders[:5]) or "no task that could be found"
        notices.append(f"The transition of {outcome.stalled.name} is still running; it is held by {who}.{later}")
    return notices


def _recover(task: Task, kernel: Kernel) -> list[str]:
    """Undo what a run that was cut off has left half done. The host's lock must be held. Returns notices."""
    files = kernel.files()
    note = _runs.read_note(files)
    if note is None:
        _runs.remove_note(files)
        return []
    plan = Plan(note.steps)
    now = kernel.snapshot()
    kept = _Kept(kernel, now)
    kept.add_of(note)
    before = replace(now, patches=note.before, modules=now.modules.difference(plan.targets))
    settled = replace(now, patches=tuple(replace(patch, in_transition=False) for patch in now.patches))
    arrived = not deviations(replace(now, patches=note.goal), settled)
    if arrived:
        outcome = "it had carried out its steps."
    elif not deviations(before, now):
        outcome = "it had changed nothing."
    else:
        executor = Executor(kernel, now.abi, task.patience, kept.paths.__getitem__)
        undone, not_restored = executor.go_back(before, plan, kept.files)
        outcome = f"it was undone: {', '.join(undone) or 'nothing could be done'}."
        if not_restored:
            outcome += f" The host is not as it was before it: {'; '.join(not_restored)}."
        kernel.journal(f"{_runs.who_am_i()}: an earlier run was cut off ({note}); {outcome}")
    after = kernel.snapshot()
    displaced = _displaced(Wanted(note.name, note.state), before, plan, after, kept)
    notices = kept.update(plan, after, undone=not arrived, displaced=displaced)
    _runs.remove_note(files)
    return [f"An earlier run was cut off ({note}); {outcome}", *notices]


class _Kept:
    """The patch files that lie on the host: copies of what is loaded, and what the task has brought."""

    def __init__(self, kernel: Kernel, snapshot: Snapshot) -> None:
        self._kernel = kernel
        self.files: dict[str, PatchFile] = {}
        self.paths: dict[PatchFile, str] = {}
        self._displaced: dict[str, tuple[Displaced, ...]] = {}
        for patch in snapshot.patches:
            record = _kept_files.read_record(kernel.files(), patch.name)
            file = _parse(record)
            if record and file:
                self.files[patch.name] = file
                self.paths[file] = record.path
                self._displaced[patch.name] = tuple(map(_parse_displaced, record.displaced))
        for displaced in self._displaced.values():
            for one in displaced:
                if one.file:
                    self.paths.setdefault(one.file, _kept_files.copy_path(one.name, one.file.sha256))

    def displaced_by(self, name: str) -> tuple[Displaced, ...]:
        """What the loaded patch of this name took the place of."""
        return self._displaced.get(name, ())

    def add_of(self, note: _runs.Note) -> None:
        """Add the files that a run had which was cut off: those that were kept before it, and those that it brought."""
        for name, sha256 in note.kept.items():
            record = _kept_files.read_record_of(self._kernel.files(), name, sha256)
            file = _parse(record)
            if record and file:
                self.files[name] = file
                self.paths[file] = record.path
        for step in note.steps:
            if step.file:
                self.paths.setdefault(step.file, _kept_files.copy_path(step.file.name, step.file.sha256))

    def update(
        self,
        plan: Plan,
        after: Snapshot,
        undone: bool = False,
        displaced: t.Mapping[str, tuple[Displaced, ...]] | None = None,
    ) -> list[str]:
        """Keep the files of what is loaded now, and of what it displaced; forget the others. Returns notices.

        Where the kernel shows no mark of a content, C(undone) tells which of two it is.
        """
        news = displaced if displaced and not undone else {}
        self._displaced.update(news)
        changed = [step.patch for step in plan.steps if step.action in (LOAD, UNLOAD)] + list(news)
        notices = []
        for name in dict.fromkeys(changed):
            try:
                self._update_one(name, plan, after.patch(name), undone)
            except OSError as error:
                notices.append(
                    f"What is loaded as {name} could not be noted in {_kept_files.DIRECTORY} ({error.strerror}): "
                    "enabling the patch again may need src."
                )
        _kept_files.prune(self._kernel.files(), [patch.name for patch in after.patches])
        return notices

    def _update_one(self, name: str, plan: Plan, loaded: LoadedPatch | None, undone: bool) -> None:
        if loaded is None:
            return
        candidates = [*(file for file in plan.loads if file.name == name), self.files.get(name)]
        for file in reversed(candidates) if undone else candidates:
            if file and file.identity.compare(loaded.identity) != "different":
                displaced = [asdict(one) for one in self.displaced_by(name)]
                _kept_files.keep(self._kernel.files(), name, file.sha256, file.to_dict(), displaced)
                return


def _parse(record: _kept_files.Record | None) -> PatchFile | None:
    return _parse_file(record.patch_file) if record else None


def _parse_file(data: t.Mapping[str, t.Any] | None) -> PatchFile | None:
    """What was read in a file; None if another version of this collection wrote that in another way."""
    try:
        return PatchFile.from_dict(data) if data else None
    except (TypeError, KeyError):
        return None


def _parse_displaced(data: t.Mapping[str, t.Any]) -> Displaced:
    return Displaced(data["name"], data["enabled"], _parse_file(data["file"]), tuple(data["under"]))


def _file(task: Task) -> Plain:
    return {"file": task.wanted.file.to_dict()} if task.wanted.file else {}


def _state(snapshot: Snapshot, name: str) -> str:
    patch = snapshot.patch(name)
    if patch is None:
        return "absent"
    if patch.in_transition:
        return "in transition"
    return "enabled" if patch.enabled else "disabled"


def _refused(before: Snapshot, task: Task, findings: t.Sequence[Finding]) -> Plain:
    refused = refusals(findings)
    return {
        "failed": True,
        "changed": False,
        "msg": "Refused: " + " ".join(f"{finding.cause} {finding.remedy}" for finding in refused),
        "name": task.wanted.name,
        "state": _state(before, task.wanted.name),
        "reason": refused[0].check,
        "cause": refused[0].cause,
        "remedy": refused[0].remedy,
        "findings": [asdict(finding) for finding in findings],
        **_file(task),
        "abi": before.abi,
        "release": before.release,
    }


def _failed(failure: Failure) -> Plain:
    return {
        "failed": True,
        # Without a trace the host is unchanged; otherwise the user must know.
        "changed": bool(failure.not_restored),
        "msg": failure.message,
        "reason": failure.cause.reason,
        "cause": failure.cause.cause,
        "remedy": failure.cause.remedy,
        "attempted": failure.attempted,
        "errno": errno_name(failure.errno) if failure.errno is not None else None,
        "kernel_log": list(failure.kernel_log),
        "holders": describe_holders(failure.holders),
        "undone": list(failure.undone),
        "not_restored": list(failure.not_restored),
    }
