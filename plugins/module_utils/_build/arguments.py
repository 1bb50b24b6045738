# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The arguments of `livepatch_build`, which its action plugin reads as well, and the method that they ask for."""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import bad_argument
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import FIX

AUTO = "auto"

BUILDS_FROM = {"klp_build": "patches", "kpatch": "patches", "kbuild": "sources"}
"""Method -> the option with its sources. Of several methods with the same option, AUTO takes the first that is for the
kernel, or else the last."""

Conditions = t.Mapping[str, t.Callable[[t.Mapping[str, t.Any]], bool]]
"""Method -> whether it is for the kernel and the options of a task."""

LIVEPATCH_BUILD: dict[str, t.Any] = {
    "argument_spec": {
        "method": {"type": "str", "choices": [AUTO, *BUILDS_FROM], "default": AUTO},
        "patches": {"type": "list", "elements": "path"},
        "src_dir": {"type": "path"},
        "vmlinux": {"type": "path"},
        "config": {"type": "path"},
        "targets": {"type": "list", "elements": "str", "default": []},
        "jobs": {"type": "int"},
        "arch": {"type": "str"},
        "cross_compile": {"type": "str"},
        "skip_compiler_check": {"type": "bool", "default": False},
        "oot_module": {"type": "path"},
        "oot_module_src": {"type": "path"},
        "replace": {"type": "str", "choices": ["auto", "yes", "no"], "default": "auto"},
        "debug": {"type": "int", "default": 0},
        "env": {"type": "dict"},
        "kpatch_build": {"type": "path"},
        "cache_dir": {"type": "path", "default": "/var/cache/livepatch_build"},
        "cache_max_age": {"type": "int", "default": 30},
        "cache_max_size": {"type": "int", "default": 40},
        "timeout": {"type": "int", "default": 7200},
        "progress": {"type": "bool", "default": True},
        "rebuild": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
        "sign": {
            "type": "dict",
            "no_log": False,
            "options": {
                "key": {"type": "path", "required": True, "no_log": True},
                "cert": {"type": "path", "required": True},
                "hash": {"type": "str", "default": "sha512"},
            },
        },
        "sources": {"type": "list", "elements": "path"},
        "name": {"type": "str"},
        "fix": FIX,
        "dest": {"type": "path", "required": True},
        "kernel_release": {"type": "str"},
        "kernel_build": {"type": "path"},
        "cflags": {"type": "list", "elements": "str", "default": []},
    },
    "required_together": [("oot_module", "oot_module_src")],
    "add_file_common_args": True,
}


def method_of(params: t.Mapping[str, t.Any], conditions: Conditions = MappingProxyType({})) -> str:
    """The method of a task. Raises FindingError if its options do not decide that, or lack the method's sources.

    Only the build host can tell the conditions. Without them, of several methods AUTO is the last.
    """
    method = params.get("method") or AUTO
    if method == AUTO:
        methods = _methods_by_what_is_given(params)
        suits = (name for name in methods[:-1] if name in conditions and conditions[name](params))
        return next(suits, methods[-1])
    option = BUILDS_FROM.get(method)
    if option and not params.get(option):
        raise bad_argument(f"method: {method} builds from {option}, and the task gives none.", f"Give {option}.")
    return str(method)


def _methods_by_what_is_given(params: t.Mapping[str, t.Any]) -> list[str]:
    methods = [method for method, option in BUILDS_FROM.items() if params.get(option)]
    if len({BUILDS_FROM[method] for method in methods}) == 1:
        return methods
    if methods:
        raise bad_argument(
            "The task gives both patches and sources.",
            "Give patches to build with klp-build or kpatch-build, or sources to build a hand-written module.",
        )
    raise bad_argument(
        "The task gives neither patches nor sources.",
        "Give patches, to build with klp-build or kpatch-build, or sources, the files of a hand-written module.",
    )
