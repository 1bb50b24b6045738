# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What an action plugin does with the arguments of its task before the module runs."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS
from ansible.plugins.action import ActionBase
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import BOUNDS, check_numbers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import bad_argument, sentence


def check_arguments(action: ActionBase, module: str, spec: dict[str, t.Any]) -> dict[str, t.Any]:
    """The arguments, checked as the module would check them. `spec` is what it gives to AnsibleModule.

    Raises FindingError for what is wrong with them.
    """
    spec = dict(spec)
    # Before Ansible converts them, since some of its versions fail with a traceback where a number is too large.
    _check_numbers(module, action._task.args)
    if spec.pop("add_file_common_args", False):
        spec["argument_spec"] = {**FILE_COMMON_ARGUMENTS, **spec["argument_spec"]}
    try:
        arguments = t.cast(dict[str, t.Any], action.validate_argument_spec(**spec)[1])
    except AnsibleActionFail as error:
        raise bad_argument(sentence(str(error)), "Correct the task.") from error
    _check_numbers(module, arguments)
    return arguments


def explained(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result. A failure of Ansible's own, such as no Python on the host, gets `reason`, `cause`, `remedy` too."""
    if result.get("failed") and "reason" not in result:
        result["reason"] = "module_failed"
        result["cause"] = sentence(str(result.get("msg", "The module has failed")))
        result["remedy"] = "Correct what this message of Ansible names, then run the task again."
    return result


def _check_numbers(module: str, arguments: dict[str, t.Any]) -> None:
    name = module.rpartition(".")[2]
    if name in BOUNDS:
        check_numbers(name, arguments)
