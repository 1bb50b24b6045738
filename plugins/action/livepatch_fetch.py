# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of livepatch_fetch: takes a patch file from a build host, and trusts it with nothing else."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import PATCH_FILE_MAX
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    failure_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import MAX_MANIFEST
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._certified import check_signature
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fetched import (
    LIVEPATCH_FETCH,
    content_in,
    fetched_data,
    read_asked,
    read_fetched,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._local_file import content_of, replace_file
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, "livepatch_fetch", LIVEPATCH_FETCH)
            result.update(self._fetch(arguments, task_vars))
        except FindingError as error:
            result.update(as_data(failure_of(error.finding)))
        return result

    def _fetch(self, arguments: Result, task_vars: dict[str, t.Any] | None) -> Result:
        asked = read_asked(arguments)
        file = self._read(arguments["src"], PATCH_FILE_MAX, task_vars)
        manifest = self._read(f"{arguments['src']}.json", MAX_MANIFEST, task_vars)
        with tempfile.TemporaryDirectory(prefix="livepatch-", dir=constants.DEFAULT_LOCAL_TMP) as folder:
            found = read_fetched(asked, file, manifest, folder)
            if arguments["certificate"]:
                check_signature(file, arguments["certificate"], folder)
        path = os.path.join(os.path.abspath(arguments["dest"]), f"{asked.name}.ko")
        # The manifest comes last: without it the file is read all the same, and a manifest of another file is not used.
        changed = [self._put(name, content) for name, content in ((path, file), (f"{path}.json", manifest))]
        told: Result = {"path": path, "manifest": f"{path}.json", "file": fetched_data(asked, found)}
        told["verified"] = bool(arguments["certificate"])
        return {"changed": any(changed), **t.cast(Result, as_data(told))}

    def _read(self, path: str, most: int, task_vars: dict[str, t.Any] | None) -> bytes:
        # By a module, since the user who logs in may not be the one who may read the file.
        answer = self._execute_module(
            module_name="ansible.legacy.slurp", module_args={"src": path}, task_vars=task_vars
        )
        return content_in(answer, path, most)

    def _put(self, path: str, content: bytes) -> bool:
        """Write the file unless it has this content already."""
        try:
            if content_of(path) == content:
                return False
            if not self._task.check_mode:
                replace_file(path, content)
        except OSError as error:
            raise FindingError(
                Finding(
                    reason="not_written",
                    seen=f"{path} cannot be written: {error.strerror}.",
                    remedy="Give dest a directory that the user who runs Ansible may write to.",
                )
            ) from error
        return True
