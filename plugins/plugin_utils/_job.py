# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Runs a module as a job on the host, and shows on the controller how it goes.

The module writes a progress file and runs on if the controller is gone. Short runs of the same module read the file.
"""

from __future__ import annotations

import time
import typing as t
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, failure_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._async import fix_async_dir
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._plain import is_name
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._progress import describe

WATCH_SECONDS = 10
MOST_ENTRIES = 100
"""How many lines of progress are shown at once. In WATCH_SECONDS a job has a few."""
GRACE_SECONDS = 60
"""How long the result of a job may come after its end."""

OF_A_JOB = (
    "ansible_job_id",
    "finished",
    "started",
    "results_file",
    "stdout",
    "stdout_lines",
    "stderr",
    "stderr_lines",
)
"""What Ansible adds to the result of a job."""

Result = dict[str, t.Any]
Call = t.Callable[[Result, bool], Result]
"""Calls the module with what is handed over to it, as a job or not."""


@dataclass(frozen=True)
class News:
    """What a host tells of a job: new entries, the offset after them, and whether it still runs."""

    entries: tuple[t.Mapping[str, t.Any], ...]
    offset: int
    running: bool


def _read_news(answer: Result) -> News | None:
    """The news in the answer of a host; None if they cannot be used, because the host may answer anything."""
    entries, offset, running = (answer.get(key) for key in ("entries", "offset", "running"))
    if answer.get("failed") or not isinstance(entries, list) or not isinstance(running, bool):
        return None
    if not isinstance(offset, int) or isinstance(offset, bool):
        return None
    return News(tuple(entry for entry in entries[:MOST_ENTRIES] if isinstance(entry, Mapping)), offset, running)


class WatchedJob:
    """One job of an action plugin's task. `no_result` is the failure of a job that has ended without a result."""

    def __init__(self, action: ActionBase, task_vars: dict[str, t.Any] | None, call: Call, no_result: Finding) -> None:
        self._action, self._task_vars, self._call, self._no_result = action, task_vars, call, no_result

    def run(self, handed_over: Result, seconds: int) -> Result:
        """The result of the module, run as a job that may take these seconds."""
        identifier = uuid.uuid4().hex
        job = self._start({**handed_over, "progress": identifier}, seconds)
        if job.get("failed") or "ansible_job_id" not in job:
            return job
        name = job["ansible_job_id"]
        if not isinstance(name, str) or not is_name(name):
            return failure_of(self._no_result)  # It becomes a part of paths on the host.
        deadline = time.monotonic() + seconds
        offset, running = 0, True
        while running and time.monotonic() < deadline:
            wanted = {"progress": identifier, "offset": offset, "seconds": WATCH_SECONDS}
            news = _read_news(self._call(wanted, False))
            if news is None:
                break  # The job goes on unwatched.
            offset, running = news.offset, news.running
            self._show(news.entries)
            finished = None if news.entries else self._status(name, "status")
            running = running and not (finished and finished.get("finished"))
        if not running:
            deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
        return self._wait_for_result(name, deadline)

    def _start(self, handed_over: Result, seconds: int) -> Result:
        """Start the job. It ends within these seconds, also if the controller is gone."""
        self._action._task.async_val = seconds
        fix_async_dir(self._action)
        try:
            return self._call(handed_over, True)
        finally:
            self._action._task.async_val = 0

    def _show(self, entries: t.Sequence[t.Mapping[str, t.Any]]) -> None:
        if self._action._task.no_log:
            return
        host = printable(str((self._task_vars or {}).get("inventory_hostname", "")))
        for entry in entries:
            line = describe(entry)
            if line:
                self._action._display.display(f"[{host}] {line}")

    def _wait_for_result(self, job: str, deadline: float) -> Result:
        """The result of the job. One that was killed has none by the deadline."""
        while True:
            status = self._status(job, "status")
            if status.get("finished") or status.get("failed"):
                break
            if time.monotonic() >= deadline:
                status = failure_of(self._no_result)
                break
            time.sleep(1)
        self._status(job, "cleanup")
        return {key: value for key, value in status.items() if key not in OF_A_JOB}

    def _status(self, job: str, mode: str) -> Result:
        """Call async_status for the job, as Ansible does for tasks with poll."""
        action = self._action
        task = Task.load(
            {
                "action": "ansible.builtin.async_status",
                "args": {"jid": job, "mode": mode},
                "environment": action._task.environment,
            }
        )
        handler = action._shared_loader_obj.action_loader.get(
            "ansible.legacy.async_status",
            task=task,
            connection=action._connection,
            play_context=action._play_context,
            loader=action._loader,
            templar=action._templar,
            shared_loader_obj=action._shared_loader_obj,
        )
        return t.cast(Result, handler.run(task_vars=self._task_vars))
