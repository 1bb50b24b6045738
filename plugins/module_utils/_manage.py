# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Observe, plan, apply, verify: the whole of livepatch_module between its arguments and its result."""

from __future__ import annotations

import os
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.openeuler.livepatch.plugins.module_utils import _kept_files
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply import Executor, Failure, Kernel, Patience
from ansible_collections.openeuler.livepatch.plugins.module_utils._causes import errno_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan import make_plan, predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._report import (
    Plain,
    describe_holders,
    describe_patch,
    diff,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._steps import LOAD, UNLOAD, Plan, Refusal, Wanted


@dataclass(frozen=True)
class Task:
    """The arguments of one task.

    C(file_path) is where its file lies on the host; None if it was not sent. C(delivered) says that Ansible has put
    it there for this task only.
    """

    wanted: Wanted
    file_path: str | None = None
    delivered: bool = False
    patience: Patience = field(default_factory=Patience)
    check_mode: bool = False


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
    before = kernel.snapshot()
    kept = _Kept(kernel, before)
    plan = make_plan(before, task.wanted, kept.files)
    if plan.refusals:
        return _refused(before, task, plan.refusals)
    if task.check_mode or not plan.steps:
        return _result(task, before, predict(before, plan), plan)
    if task.wanted.file and task.file_path:
        kept.paths[task.wanted.file] = task.file_path
    if not all(file in kept.paths for file in plan.loads):
        return {"changed": False, "needs_file": True}
    after, failure = Executor(kernel, task.patience, kept.paths.__getitem__).carry_out(before, plan, kept.files)
    notices = kept.update(plan, after)
    result = _result(task, before, kernel.snapshot() if plan.loads else after, plan)
    result["notices"] += notices
    if failure:
        result.update(_failed(failure))
    return result


class _Kept:
    """The patch files that lie on the host: copies of what is loaded, and what the task has brought."""

    def __init__(self, kernel: Kernel, snapshot: Snapshot) -> None:
        self._kernel = kernel
        self.files: dict[str, PatchFile] = {}
        self.paths: dict[PatchFile, str] = {}
        for patch in snapshot.patches:
            record = _kept_files.read_record(kernel.files(), patch.name)
            file = _parse(record)
            if record and file:
                self.files[patch.name] = file
                self.paths[file] = record.path

    def update(self, plan: Plan, after: Snapshot) -> list[str]:
        """Keep the files of what is loaded now, forget those of what is not. Returns notices."""
        changed = [step.patch for step in plan.steps if step.action in (LOAD, UNLOAD)]
        notices = []
        for name in dict.fromkeys(changed):
            try:
                self._update_one(name, plan, after.patch(name))
            except OSError as error:
                notices.append(
                    f"No copy of the file of {name} could be kept in {_kept_files.DIRECTORY} ({error.strerror}): "
                    "enabling the patch again may need src."
                )
        return notices

    def _update_one(self, name: str, plan: Plan, loaded: LoadedPatch | None) -> None:
        if loaded is None:
            _kept_files.forget(self._kernel.files(), name)
            return
        candidates = [*(file for file in plan.loads if file.name == name), self.files.get(name)]
        for file in candidates:
            if file and file.identity.compare(loaded.identity) != "different":
                _kept_files.keep(self._kernel.files(), name, self.paths[file], file.sha256, file.to_dict())
                return


def _parse(record: _kept_files.Record | None) -> PatchFile | None:
    """The file that a record is about; None if another version of this collection wrote it in another way."""
    try:
        return PatchFile.from_dict(record.patch_file) if record else None
    except (TypeError, KeyError):
        return None


def _result(task: Task, before: Snapshot, after: Snapshot, plan: Plan) -> Plain:
    patch = after.patch(task.wanted.name)
    return {
        "changed": plan.changes,
        "name": task.wanted.name,
        "state": _state(after, task.wanted.name),
        "actions": [str(step) for step in plan.steps],
        "patch": describe_patch(patch, after) if patch else None,
        "abi": after.abi,
        "release": after.release,
        "diff": diff(before, after),
        "notices": list(plan.warnings),
        **_file(task),
    }


def _file(task: Task) -> Plain:
    return {"file": task.wanted.file.to_dict()} if task.wanted.file else {}


def _state(snapshot: Snapshot, name: str) -> str:
    patch = snapshot.patch(name)
    if patch is None:
        return "absent"
    if patch.in_transition:
        return "in transition"
    return "enabled" if patch.enabled else "disabled"


def _refused(before: Snapshot, task: Task, refusals: t.Sequence[Refusal]) -> Plain:
    first = refusals[0]
    return {
        "failed": True,
        "changed": False,
        "msg": "Refused: " + " ".join(f"{refusal.cause} {refusal.remedy}" for refusal in refusals),
        "name": task.wanted.name,
        "state": _state(before, task.wanted.name),
        "reason": first.reason,
        "cause": first.cause,
        "remedy": first.remedy,
        "refusals": [asdict(refusal) for refusal in refusals],
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
