# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of livepatch_build: runs a long build as a job on the build host, and shows its progress."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.arguments import (
    LIVEPATCH_BUILD,
    method_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    failure_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.hand_over import hand_over
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments, explained
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._async import fix_async_dir
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._job import WatchedJob

MODULE = "openeuler.livepatch.livepatch_build"

GRACE_SECONDS = 60
"""How much longer than the timeout of its build a job may take."""

Result = dict[str, t.Any]

NO_RESULT = Finding(
    reason="no_result",
    seen="The build job ended without a result.",
    remedy="Look at the memory and the kernel log of the build host: it may have run out of memory, or have rebooted. "
    "Run the task again.",
)


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, MODULE, LIVEPATCH_BUILD)
        except FindingError as error:
            return {**result, **failure_of(error.finding)}
        if not self._is_watched(arguments):
            fix_async_dir(self)
            result.update(self._call(task_vars, {}, wrap_async=self._task.async_val))
            return explained(result)
        first = self._call(task_vars, {"only_if_current": True})
        if first.pop("needs_build", False):
            job = WatchedJob(self, task_vars, partial(self._call, task_vars), NO_RESULT)
            first = job.run({}, arguments["timeout"] + GRACE_SECONDS)
        result.update(first)
        return explained(result)

    def _is_watched(self, arguments: Result) -> bool:
        """Whether to watch a build. Check mode builds nothing, and Ansible itself waits for an async task."""
        try:
            method = method_of(arguments)
        except FindingError:
            return False  # The module refuses the task.
        # A job's result has no stdout and stderr of its own, and make's are there where kbuild fails.
        is_long = method != "kbuild"
        return is_long and arguments["progress"] and not self._task.check_mode and not self._task.async_val

    def _call(self, task_vars: dict[str, t.Any] | None, job: Result, wrap_async: int | bool = False) -> Result:
        arguments = hand_over(self._task.args, job)
        return t.cast(
            Result,
            self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars, wrap_async=wrap_async),
        )
