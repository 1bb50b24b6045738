# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_release_info, which runs on the controller only: a release is read there, as data."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError, failure_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._own_variables import set_by_host

# The filter livepatch_rollout needs it. The process that starts the workers loads an action, and no filter: what is
# imported here is compiled once, and not by each worker.
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout import steps as _steps  # noqa: F401
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.given import ReleaseError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_file import (
    find_release,
    release_builds,
    release_data,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data

Result = dict[str, t.Any]
LIVEPATCH_RELEASE_INFO: dict[str, t.Any] = {
    "argument_spec": {"file": {"type": "str"}, "release": {"type": "dict"}},
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, "livepatch_release_info", LIVEPATCH_RELEASE_INFO)
        except FindingError as error:
            return {**result, **failure_of(error.finding)}
        # The variables that name the release are those of this host.
        finding = set_by_host((task_vars or {}).get("ansible_facts"))
        if finding:
            return {**result, **t.cast(Result, as_data(failure_of(finding)))}
        try:
            found = find_release(arguments["file"], arguments["release"], task_vars or {})
        except ReleaseError as error:
            told = {"msg": str(error), "reason": error.reason, "cause": error.cause, "remedy": error.remedy}
            result.update(as_data({"failed": True, **told}))
        else:
            read = {"release": release_data(found.release), "builds": release_builds(found.release)}
            result.update(as_data({**read, "directory": found.folder, "check_mode": bool(self._task.check_mode)}))
        result.setdefault("changed", False)
        return result
