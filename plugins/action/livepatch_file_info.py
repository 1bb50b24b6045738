# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of livepatch_file_info: reads the patch file on the controller, unless it is on the host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError, failure_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import release_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import (
    LIVEPATCH_FILE_INFO,
    no_pyelftools,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._arguments import check_arguments, explained
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._async import fix_async_dir
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._source_file import open_source
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data

MODULE = "openeuler.livepatch.livepatch_file_info"

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        try:
            arguments = check_arguments(self, MODULE, LIVEPATCH_FILE_INFO)
        except FindingError as error:
            return {**result, **failure_of(error.finding)}
        if arguments["remote_src"]:
            fix_async_dir(self)
            result.update(
                self._execute_module(module_name=MODULE, task_vars=task_vars, wrap_async=self._task.async_val)
            )
        else:
            result.update(self._read(arguments["src"]))
        return explained(result)

    def _read(self, src: str) -> Result:
        try:
            # Here and not above: without pyelftools the error is to be a plain one.
            from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info

            with open_source(self, src) as source:
                file = read_file_info(source.path, source.known_as)
                vendor = source.vendor_for(file["machine"], release_in(file["vermagic"]))
            return {"changed": False, "file": file, **({"vendor": as_data(vendor.to_dict())} if vendor else {})}
        except ImportError:
            return failure_of(no_pyelftools("to read src on the controller"))
        except FindingError as error:
            return failure_of(error.finding)
