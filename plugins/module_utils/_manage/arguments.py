# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The arguments of the modules, which action plugins check as well, and their way into a `Task`."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import replace
from types import MappingProxyType

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import check_numbers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import IGNORABLE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    bad_argument,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import FIX, fix_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.parameters import encode
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    NAME_RULE,
    PatchFile,
    is_module_name,
    kernel_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    Build,
    OnCovered,
    OnStall,
    Patience,
    Probe,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity

MARKS = ("sha256", "build_id", "srcversion")
"""What tells a build, in an entry of `builds`."""

LIVEPATCH_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        "name": {"type": "str"},
        "src": {"type": "path"},
        "checksum": {"type": "str"},
        "remote_src": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": State.values(), "default": "enabled"},
        "reload": {"type": "bool", "default": False},
        "replace": {"type": "bool"},
        "parameters": {"type": "dict"},
        "builds": {
            "type": "list",
            "elements": "dict",
            "options": {
                "sha256": {"type": "str"},
                "build_id": {"type": "str"},
                "srcversion": {"type": "str"},
                "parameters": {"type": "dict"},
            },
            "required_one_of": [MARKS],
        },
        "fix": FIX,
        "timeout": {"type": "float", "default": 60},
        "retries": {"type": "int", "default": 10},
        "delay": {"type": "float", "default": 1},
        "on_covered": {"type": "str", "choices": OnCovered.values(), "default": OnCovered.REFUSE.value},
        "supersedes": {"type": "list", "elements": "str", "default": []},
        "force_owner": {"type": "bool", "default": False},
        "load_targets": {"type": "bool", "default": False},
        "ignore": {"type": "list", "elements": "str", "choices": list(IGNORABLE), "default": []},
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
        "watch": {"type": "float", "default": 0},
        "progress": {"type": "bool", "default": False},
        "on_stall": {"type": "str", "choices": OnStall.values(), "default": OnStall.ROLL_BACK.value},
        "i_accept_inconsistency": {"type": "bool", "default": False},
        "boot": {"type": "str", "choices": AtBoot.values()},
    },
    "required_one_of": [("name", "src")],
    "required_if": [("remote_src", True, ("src",))],
    "mutually_exclusive": [("src", "builds")],
    "required_by": {"parameters": ("src",), "replace": ("src",)},
}


def read_task(
    params: t.Mapping[str, t.Any], check_mode: bool, handed_over: t.Mapping[str, t.Any] = MappingProxyType({})
) -> Task:
    """The task that these arguments describe.

    What the action plugin has handed over: `file`, what it read in the file; `path`, where it put the file on the host;
    `packed`, a small file itself; `only_if_settled`, whether to do nothing if something is to be done.
    Raises FindingError where they do not fit together or the file cannot be read, ImportError without pyelftools.
    """
    check_numbers("livepatch_module", params)
    file = _patch_file(params, handed_over)
    name = kernel_name(params["name"]) if params["name"] else file.name if file else ""
    if not is_module_name(name):
        raise FindingError(
            Finding(reason="bad_name", seen=f"{name!r} is not the name of a kernel module.", remedy=NAME_RULE)
        )
    if file and file.name != name:
        raise FindingError(
            Finding(
                reason="name_differs",
                seen=f"{file.path} is the patch {file.name}, not {name}.",
                remedy="Correct name or src.",
            )
        )
    _check_combinations(params)
    if file and params["parameters"] is not None:
        file = replace(file, loaded_with=encode(file.parameters, params["parameters"], file.path))
    fix = fix_of(params["fix"])
    if file and fix:
        file = replace(file, fix=fix)
    delivered = handed_over.get("path")
    return Task(
        wanted=Wanted(
            name=name,
            state=State(params["state"]),
            file=file,
            reload=params["reload"],
            on_covered=OnCovered(params["on_covered"]),
            supersedes=tuple(kernel_name(other) for other in params["supersedes"]),
            force_owner=params["force_owner"],
            load_targets=params["load_targets"],
            boot=AtBoot(params["boot"]) if params["boot"] else None,
            builds=_builds(params["builds"]),
            fix=fix or (file.fix if file else None),
        ),
        # A link is followed once, here: what it leads to later may be something else.
        file_path=os.path.realpath(params["src"]) if params["src"] and params["remote_src"] else delivered,
        delivered=bool(delivered),
        packed=handed_over.get("packed"),
        only_if_settled=bool(handed_over.get("only_if_settled")),
        patience=Patience(params["timeout"], params["retries"], params["delay"], OnStall(params["on_stall"])),
        check_mode=check_mode,
        verification=Verification(params["verify"] == "text", _probe(params), params["watch"]),
        ignore=tuple(params["ignore"]),
    )


def _check_combinations(params: t.Mapping[str, t.Any]) -> None:
    if params["supersedes"] and params["state"] != State.ENABLED:
        raise bad_argument("supersedes goes with state: enabled only.", "Set state: enabled, or leave it out.")
    if params["checksum"] is not None and (params["remote_src"] or not params["src"]):
        raise bad_argument("checksum goes with a src on the controller only.", "Leave it out.")
    if params["builds"] is not None and params["state"] != State.REVERTED:
        raise bad_argument("builds goes with state: reverted only.", "Set state: reverted, or leave it out.")
    if params["boot"] == AtBoot.ACCEPTED and params["state"] != State.ENABLED:
        raise bad_argument("boot: accepted goes with state: enabled only.", "Set state: enabled, or leave it out.")
    if params["on_stall"] == OnStall.FORCE and not params["i_accept_inconsistency"]:
        raise bad_argument(
            "on_stall: force can leave the kernel inconsistent; it needs i_accept_inconsistency: true.",
            "Set that as well, or choose another on_stall.",
        )


def _builds(entries: t.Sequence[t.Mapping[str, t.Any]] | None) -> tuple[Build, ...] | None:
    if entries is None:
        return None
    if not all(any(entry[mark] for mark in MARKS) for entry in entries):
        raise bad_argument("An entry of builds has no mark.", f"Give it one of {', '.join(MARKS)}.")
    return tuple(
        Build(Identity(**{mark: entry[mark] or None for mark in MARKS}), entry["parameters"]) for entry in entries
    )


def _probe(params: t.Mapping[str, t.Any]) -> Probe | None:
    values = params["probe"]
    if values is None:
        return None
    for pattern in filter(None, (values["expect"], values["reject"])):
        try:
            re.compile(pattern)
        except re.error as error:
            raise bad_argument(f"{pattern!r} in probe is not a regular expression: {error}.", "Correct it.") from error
    if values["path"] and values["expect"] is None and values["reject"] is None:
        raise bad_argument("A probe of a path needs expect or reject.", "Say what the file shows.")
    return Probe(**dict(values, argv=tuple(values["argv"] or ())))


def _patch_file(params: t.Mapping[str, t.Any], handed_over: t.Mapping[str, t.Any]) -> PatchFile | None:
    if "file" in handed_over:
        return _with_flag(PatchFile.from_dict(handed_over["file"]), params["replace"])
    if not params["src"]:
        return None
    # Here and not above: a file on the controller is read there.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file

    return _with_flag(read_patch_file(params["src"]), params["replace"])


def _with_flag(file: PatchFile, said: bool | None) -> PatchFile:
    """The file with the replace flag that the user says it has, where it does not show its flag itself."""
    if said is None or said is file.replace:
        return file
    if file.replace is not None:
        raise FindingError(
            Finding(
                reason="replace_differs",
                seen=f"{file.path} {'has' if file.replace else 'does not have'} the replace flag, and the task says "
                f"replace: {str(said).lower()}.",
                remedy="Leave out replace, or correct src.",
            )
        )
    return replace(file, replace=said)
