# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Observe, plan, apply, verify: the whole of livepatch_module between its arguments and its result."""

from __future__ import annotations

import os
import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils import _kept_files
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply import Executor, Failure, Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._causes import errno_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan import Plan, Refusal, Wanted, make_plan, predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._report import (
    Plain,
    describe_holders,
    describe_patch,
    diff,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._snapshot import Snapshot


@dataclass(frozen=True)
class Task:
    """The arguments of one task.

    C(file_path) is where its file lies on the host; None if it was not sent. C(delivered) says that Ansible has put
    it there for this task only.
    """

    wanted: Wanted
    file_path: str | None = None
    delivered: bool = False
    timeout: float = 60.0
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
    record = _kept_files.read_record(kernel.files(), task.wanted.name)
    kept = _parse(record)
    plan = make_plan(before, task.wanted, kept)
    if plan.refusals:
        return _refused(before, task, plan.refusals)
    if task.check_mode or not plan.steps:
        return _result(task, before, predict(before, plan), plan)
    path_of = _find_file(task, plan, kept, record.path if record else None)
    if path_of is None:
        return {"changed": False, "needs_file": True}
    after, failure = Executor(kernel, task.timeout, path_of.__getitem__).carry_out(before, plan, kept)
    after, notices = _update_kept_files(kernel, task.wanted.name, after, plan, kept, path_of)
    result = _result(task, before, after, plan)
    result["notices"] += notices
    if failure:
        result.update(_failed(failure))
    return result


def _parse(record: _kept_files.Record | None) -> PatchFile | None:
    """The file that a record is about; None if another version of this collection wrote it in another way."""
    try:
        return PatchFile.from_dict(record.patch_file) if record else None
    except (TypeError, KeyError):
        return None


def _find_file(task: Task, plan: Plan, kept: PatchFile | None, kept_path: str | None) -> dict[PatchFile, str] | None:
    """Where the files that may be loaded lie on the host; None if the one that the plan loads is not there."""
    paths = {}
    if kept and kept_path:
        paths[kept] = kept_path
        if plan.loads and plan.loads.sha256 == kept.sha256:
            paths[plan.loads] = kept_path
    if task.wanted.file and task.file_path:
        paths[task.wanted.file] = task.file_path
    return paths if plan.loads is None or plan.loads in paths else None


def _update_kept_files(
    kernel: Kernel,
    name: str,
    after: Snapshot,
    plan: Plan,
    kept: PatchFile | None,
    path_of: dict[PatchFile, str],
) -> tuple[Snapshot, list[str]]:
    """Keep the file of what is loaded now, forget that of what is not. Returns the snapshot with it, and notices."""
    loaded = after.patch(name)
    try:
        if loaded is None:
            _kept_files.forget(kernel.files(), name)
        elif plan.loads:
            candidates = [file for file in (plan.loads, kept) if file]
            file = next((file for file in candidates if file.identity.compare(loaded.identity) != "different"), None)
            if file:
                _kept_files.keep(kernel.files(), name, path_of[file], file.sha256, file.to_dict())
    except OSError as error:
        notice = f"No copy of the file could be kept in {_kept_files.DIRECTORY} ({error.strerror})"
        return after, [notice + ": enabling the patch again will need src."]
    record = _kept_files.read_record(kernel.files(), name)
    if loaded is None or record is None:
        return after, []
    known = replace(loaded, identity=replace(loaded.identity, sha256=record.sha256), kept_file=record.path)
    return replace(after, patches=tuple(known if patch is loaded else patch for patch in after.patches)), []


def _result(task: Task, before: Snapshot, after: Snapshot, plan: Plan) -> Plain:
    patch = after.patch(task.wanted.name)
    return {
        "changed": plan.changes,
        "name": task.wanted.name,
        "state": _state(after, task.wanted.name),
        "actions": [str(step) for step in plan.steps],
        "patch": describe_patch(patch) if patch else None,
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
