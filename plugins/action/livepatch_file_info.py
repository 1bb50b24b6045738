# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of livepatch_file_info: reads the patch file here, unless it is on the host."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.basic import missing_required_lib
from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import LIVEPATCH_FILE_INFO
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import PatchFileError

MODULE = "openeuler.livepatch.livepatch_file_info"

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(**LIVEPATCH_FILE_INFO)[1]
        if arguments["remote_src"]:
            result.update(
                self._execute_module(module_name=MODULE, task_vars=task_vars, wrap_async=self._task.async_val)
            )
        else:
            result.update(self._read(arguments["src"]))
        return result

    def _read(self, src: str) -> Result:
        try:
            # Here and not above: without pyelftools the error is to be a plain one.
            from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info

            path = self._loader.get_real_file(self._find_needle("files", src))
            return {"changed": False, "file": read_file_info(path, src)}
        except ImportError:
            message = missing_required_lib("pyelftools", reason="to read src on the controller")
            return {"failed": True, "msg": message, "reason": "no_pyelftools"}
        except PatchFileError as error:
            return {"failed": True, "msg": f"{error} {error.remedy}", "reason": error.reason}
        except AnsibleError as error:
            return {"failed": True, "msg": f"{error} Correct src, or set remote_src: true.", "reason": "no_such_file"}
