# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_advisory runs on the controller only: the advisory is read there, and the facts of all hosts are there."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    failure_of,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.advisory import Advisory
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.csaf import read_advisory
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.fix_text import FILE_NAME, fix_text
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.source import read_source
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.standing import (
    NEEDS_LIVE_PATCH,
    STATUSES,
    Standing,
    standing_of,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.versions import compare
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.answers import answers_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._local_file import content_of, diff_of, replace_file
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data

Result = dict[str, t.Any]
LIVEPATCH_ADVISORY: dict[str, t.Any] = {
    "argument_spec": {
        "source": {"type": "str", "required": True},
        "dest": {"type": "path"},
        "overwrite": {"type": "bool", "default": False},
        "hosts": {"type": "list", "elements": "str", "default": []},
        "registered": {"type": "str"},
    },
}


class ActionModule(ActionBase):
    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, "livepatch_advisory", LIVEPATCH_ADVISORY)
            found = self._judge(arguments, task_vars or {})
        except FindingError as error:
            found = failure_of(error.finding)
        result.update(t.cast(Result, as_data(found)))
        return result

    def _judge(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        advisory = read_advisory(read_source(arguments["source"]))
        hosts, registered = arguments["hosts"], arguments["registered"]
        answers = answers_of(task_vars, hosts, registered) if hosts else {}
        standings = [standing_of(advisory, host, answers[host], compare) for host in answers]
        needed = {standing.kernel for standing in standings if standing.status == NEEDS_LIVE_PATCH and standing.kernel}
        return {
            "changed": False,
            "advisory": _shown(advisory),
            "hosts": [_of_host(standing) for standing in standings],
            "summary": {status: sum(each.status == status for each in standings) for status in STATUSES},
            "kernels": sorted(needed),
            **(self._write(advisory, arguments["dest"], arguments["overwrite"]) if arguments["dest"] else {}),
        }

    def _write(self, advisory: Advisory, dest: str, is_overwriting: bool) -> Result:
        """Write the fix, unless a file is there that the operator may have filled in."""
        path = os.path.abspath(dest)
        if dest.endswith("/") or os.path.isdir(path):
            path = os.path.join(path, FILE_NAME)
        new = fix_text(advisory).encode()
        try:
            old = content_of(path)
            is_kept = old not in (None, new) and not is_overwriting
            is_written = old != new and not is_kept
            if is_written and not self._task.check_mode:
                replace_file(path, new)
        except OSError as error:
            raise FindingError(
                Finding(
                    reason="not_written",
                    seen=f"{path} cannot be written: {error.strerror}.",
                    remedy="Give dest a path that the user who runs Ansible may write to.",
                )
            ) from error
        state = "kept" if is_kept else "unchanged" if not is_written else "created" if old is None else "replaced"
        result: Result = {"changed": is_written, "fix_file": {"path": path, "state": state}}
        if self._task.diff and is_written:
            result["diff"] = [diff_of(path, old or b"", new)]
        return result


def _shown(advisory: Advisory) -> Result:
    kernels = [
        {
            "release": kernel.release,
            "package": kernel.package,
            "product": kernel.product.name,
            "machine": kernel.machine,
        }
        for kernel in advisory.kernels
    ]
    return {
        "id": advisory.id,
        "title": advisory.title,
        "severity": advisory.severity,
        "publisher": advisory.publisher,
        "cves": list(advisory.cves),
        "fixed_in": list(advisory.fixed_in),
        "kernels": kernels,
    }


def _of_host(standing: Standing) -> Result:
    return {
        "name": standing.host,
        "status": standing.status,
        "why": standing.why,
        "kernel": standing.kernel,
        "affected": standing.is_affected,
        "covered_cves": list(standing.covered),
        "open_cves": list(standing.open),
    }
