# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of livepatch_build: runs a long build as a job on the build host, and shows its progress."""

from __future__ import annotations

import time
import typing as t
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from ansible.errors import AnsibleActionFail
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.arguments import (
    LIVEPATCH_BUILD,
    method_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    failure_of,
    sentence,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.hand_over import hand_over
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._async import fix_async_dir
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._plain import is_name
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._progress import describe

MODULE = "openeuler.livepatch.livepatch_build"

WATCH_SECONDS = 10
MOST_ENTRIES = 100
"""How many lines of progress are shown at once. In WATCH_SECONDS a build has a few."""
GRACE_SECONDS = 60
"""How much longer than the timeout of its build a job may take, and how long its result may come after its end."""

Result = dict[str, t.Any]

NO_RESULT = Finding(
    reason="no_result",
    seen="The build job ended without a result.",
    remedy="Look at the memory and the kernel log of the build host: it may have run out of memory, or have rebooted. "
    "Run the task again.",
)


def _explained(result: Result) -> Result:
    """The result. A failure from Ansible itself, such as a wrong option, gets `reason`, `cause` and `remedy` too."""
    if result.get("failed") and "reason" not in result:
        result["reason"] = "module_failed"
        result["cause"] = sentence(str(result.get("msg", "The module has failed")))
        result["remedy"] = "Correct what this message of Ansible names, then run the task again."
    return result


@dataclass(frozen=True)
class News:
    """What a build host tells of a build: new entries, the offset after them, and whether it still runs."""

    entries: tuple[t.Mapping[str, t.Any], ...]
    offset: int
    running: bool


def _read_news(answer: Result) -> News | None:
    """The news in the answer of a build host; None if they cannot be used, because the host may answer anything."""
    entries, offset, running = (answer.get(key) for key in ("entries", "offset", "running"))
    if answer.get("failed") or not isinstance(entries, list) or not isinstance(running, bool):
        return None
    if not isinstance(offset, int) or isinstance(offset, bool):
        return None
    return News(tuple(entry for entry in entries[:MOST_ENTRIES] if isinstance(entry, Mapping)), offset, running)


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, MODULE, LIVEPATCH_BUILD)
        except AnsibleActionFail as error:
            return _explained({**result, "failed": True, "changed": False, "msg": str(error)})
        except FindingError as error:
            return {**result, **failure_of(error.finding)}
        if not self._is_watched(arguments):
            fix_async_dir(self)
            result.update(self._call(task_vars, {}, wrap_async=self._task.async_val))
            return _explained(result)
        first = self._call(task_vars, {"only_if_current": True})
        seconds = arguments["timeout"] + GRACE_SECONDS
        result.update(self._build_and_watch(task_vars, seconds) if first.pop("needs_build", False) else first)
        return _explained(result)

    def _is_watched(self, arguments: Result) -> bool:
        """Whether to watch a build. Check mode builds nothing, and Ansible itself waits for an async task."""
        try:
            method = method_of(arguments)
        except FindingError:
            return False  # The module refuses the task.
        return method != "kbuild" and arguments["progress"] and not self._task.check_mode and not self._task.async_val

    def _call(self, task_vars: dict[str, t.Any] | None, job: Result, wrap_async: int | bool = False) -> Result:
        arguments = hand_over(self._task.args, job)
        return t.cast(
            Result,
            self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars, wrap_async=wrap_async),
        )

    def _build_and_watch(self, task_vars: dict[str, t.Any] | None, seconds: int) -> Result:
        """Build as a job that may take these seconds, and show how it goes."""
        identifier = uuid.uuid4().hex
        job = self._start(task_vars, identifier, seconds)
        if job.get("failed") or "ansible_job_id" not in job:
            return job
        name = job["ansible_job_id"]
        if not isinstance(name, str) or not is_name(name):
            return failure_of(NO_RESULT)  # It becomes a part of paths on the host.
        deadline = time.monotonic() + seconds
        offset, running = 0, True
        while running and time.monotonic() < deadline:
            wanted = {"progress": identifier, "offset": offset, "seconds": WATCH_SECONDS}
            news = _read_news(self._call(task_vars, wanted))
            if news is None:
                break  # The build goes on unwatched.
            offset, running = news.offset, news.running
            self._show(news.entries, task_vars)
            finished = None if news.entries else self._status(task_vars, name, "status")
            running = running and not (finished and finished.get("finished"))
        if not running:
            deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
        return self._wait_for_result(task_vars, name, deadline)

    def _start(self, task_vars: dict[str, t.Any] | None, identifier: str, seconds: int) -> Result:
        """Start the build as a job on the host. It ends within its timeout, also if the controller is gone."""
        self._task.async_val = seconds
        fix_async_dir(self)
        try:
            return self._call(task_vars, {"progress": identifier}, wrap_async=True)
        finally:
            self._task.async_val = 0

    def _show(self, entries: t.Sequence[t.Mapping[str, t.Any]], task_vars: dict[str, t.Any] | None) -> None:
        if self._task.no_log:
            return
        host = printable(str((task_vars or {}).get("inventory_hostname", "")))
        for entry in entries:
            line = describe(entry)
            if line:
                self._display.display(f"[{host}] {line}")

    def _wait_for_result(self, task_vars: dict[str, t.Any] | None, job: str, deadline: float) -> Result:
        """The result of the job. A job that was killed has none by the deadline: that is a failure with `NO_RESULT`."""
        while True:
            status = self._status(task_vars, job, "status")
            if status.get("finished") or status.get("failed"):
                break
            if time.monotonic() >= deadline:
                status = failure_of(NO_RESULT)
                break
            time.sleep(1)
        self._status(task_vars, job, "cleanup")
        for name in (
            "ansible_job_id",
            "finished",
            "started",
            "results_file",
            "stdout",
            "stdout_lines",
            "stderr",
            "stderr_lines",
        ):
            status.pop(name, None)
        return status

    def _status(self, task_vars: dict[str, t.Any] | None, job: str, mode: str) -> Result:
        """Call async_status for the job, as Ansible does for tasks with poll."""
        task = Task.load(
            {
                "action": "ansible.builtin.async_status",
                "args": {"jid": job, "mode": mode},
                "environment": self._task.environment,
            }
        )
        handler = self._shared_loader_obj.action_loader.get(
            "ansible.legacy.async_status",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return t.cast(Result, handler.run(task_vars=task_vars))
