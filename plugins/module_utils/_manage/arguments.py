# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The arguments of the modules, which action plugins check as well, and their way into a `Task`."""

from __future__ import annotations

import os
import re
import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import IGNORABLE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    NAME_RULE,
    PatchFile,
    is_module_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    ACCEPTED,
    BOOT,
    ENABLED,
    FORCE,
    ON_COVERED,
    ON_STALL,
    REFUSE,
    REVERT,
    STATES,
    Patience,
    Probe,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    PatchFileError,
    read_patch_file,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import kernel_name

LIVEPATCH_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        "name": {"type": "str"},
        "src": {"type": "path"},
        "remote_src": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": list(STATES), "default": "enabled"},
        "reload": {"type": "bool", "default": False},
        "timeout": {"type": "float", "default": 60},
        "retries": {"type": "int", "default": 10},
        "delay": {"type": "float", "default": 1},
        "on_covered": {"type": "str", "choices": list(ON_COVERED), "default": REFUSE},
        "supersedes": {"type": "list", "elements": "str", "default": []},
        "force_owner": {"type": "bool", "default": False},
        "load_targets": {"type": "bool", "default": False},
        "ignore": {"type": "list", "elements": "str", "choices": [*IGNORABLE, "probe"], "default": []},
        "verify": {"type": "str", "choices": ["state", "text"], "default": "state"},
        "probe": {
            "type": "dict",
            "options": {
                "argv": {"type": "list", "elements": "str"},
                "path": {"type": "path"},
                "expect": {"type": "str"},
                "reject": {"type": "str"},
                "retries": {"type": "int", "default": 0},
                "timeout": {"type": "float", "default": 10},
            },
            "required_one_of": [("argv", "path")],
            "mutually_exclusive": [("argv", "path")],
        },
        "soak": {"type": "float", "default": 0},
        "on_stall": {"type": "str", "choices": list(ON_STALL), "default": REVERT},
        "i_accept_inconsistency": {"type": "bool", "default": False},
        "boot": {"type": "str", "choices": list(BOOT)},
        "_inspected": {"type": "dict", "options": {"file": {"type": "dict"}, "path": {"type": "path"}}},
    },
    "required_one_of": [("name", "src")],
    "required_if": [("remote_src", True, ("src",))],
}

REPORT_FORMATS = ("json", "prometheus", "csv", "html")

LIVEPATCH_REPORT: dict[str, t.Any] = {
    "argument_spec": {
        "dest": {"type": "path", "required": True},
        "formats": {
            "type": "list",
            "elements": "str",
            "choices": list(REPORT_FORMATS),
            "default": list(REPORT_FORMATS),
        },
        "hosts": {"type": "list", "elements": "str"},
        "releases": {"type": "list", "elements": "raw", "default": []},
        "registered": {"type": "str"},
        "now": {"type": "str"},
    },
}


def livepatch_task(module: AnsibleModule) -> Task:
    """The task that the module's arguments describe. Ends the module where they do not fit together."""
    params = module.params
    file = _patch_file(module)
    name = kernel_name(params["name"]) if params["name"] else file.name if file else ""
    if not is_module_name(name):
        module.fail_json(msg=f"{name!r} is not the name of a kernel module. {NAME_RULE}", reason="bad_name")
    if file and file.name != name:
        module.fail_json(
            msg=f"{file.path} is the patch {file.name}, not {name}. Correct name or src.",
            reason="name_differs",
        )
    if params["supersedes"] and params["state"] != ENABLED:
        module.fail_json(msg="supersedes goes with state: enabled only.", reason="bad_arguments")
    if params["boot"] == ACCEPTED and params["state"] != ENABLED:
        module.fail_json(msg="boot: accepted goes with state: enabled only.", reason="bad_arguments")
    if params["on_stall"] == FORCE and not params["i_accept_inconsistency"]:
        module.fail_json(
            msg="on_stall: force can leave the kernel inconsistent; it needs i_accept_inconsistency: true.",
            reason="bad_arguments",
        )
    delivered = (params["_inspected"] or {}).get("path")
    return Task(
        wanted=Wanted(
            name=name,
            state=params["state"],
            file=file,
            reload=params["reload"],
            on_covered=params["on_covered"],
            supersedes=tuple(kernel_name(other) for other in params["supersedes"]),
            force_owner=params["force_owner"],
            load_targets=params["load_targets"],
            boot=params["boot"],
        ),
        # A link is followed once, here: what it leads to later may be something else.
        file_path=os.path.realpath(params["src"]) if params["src"] and params["remote_src"] else delivered,
        delivered=bool(delivered),
        patience=Patience(params["timeout"], params["retries"], params["delay"], params["on_stall"]),
        check_mode=module.check_mode,
        verification=Verification(params["verify"] == "text", _probe(module), params["soak"]),
        ignore=tuple(params["ignore"]),
    )


def _probe(module: AnsibleModule) -> Probe | None:
    values = module.params["probe"]
    if values is None:
        return None
    for pattern in filter(None, (values["expect"], values["reject"])):
        try:
            re.compile(pattern)
        except re.error as error:
            module.fail_json(msg=f"{pattern!r} in probe is not a regular expression: {error}.", reason="bad_arguments")
    if values["path"] and values["expect"] is None and values["reject"] is None:
        module.fail_json(msg="A probe of a path needs expect or reject.", reason="bad_arguments")
    return Probe(**dict(values, argv=tuple(values["argv"] or ())))


def _patch_file(module: AnsibleModule) -> PatchFile | None:
    if module.params["_inspected"]:
        return PatchFile.from_dict(module.params["_inspected"]["file"])
    if not module.params["src"]:
        return None
    try:
        return read_patch_file(module.params["src"])
    except ImportError:
        module.fail_json(
            msg=missing_required_lib("pyelftools", reason="to read src on the host"), reason="no_pyelftools"
        )
    except PatchFileError as error:
        module.fail_json(msg=f"{error} {error.remedy}", reason=error.reason)
    return None
