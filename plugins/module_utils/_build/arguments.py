# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The arguments of `livepatch_build`."""

from __future__ import annotations

import typing as t

LIVEPATCH_BUILD: dict[str, t.Any] = {
    "argument_spec": {
        "method": {"type": "str", "choices": ["kpatch", "kbuild"], "default": "kpatch"},
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
        "dest": {"type": "path", "required": True},
        "kernel_release": {"type": "str"},
        "kernel_build": {"type": "path"},
        "cflags": {"type": "list", "elements": "str", "default": []},
        "_job": {
            "type": "dict",
            "options": {
                "only_if_current": {"type": "bool", "default": False},
                "progress": {"type": "str"},
                "offset": {"type": "int"},
                "seconds": {"type": "float"},
            },
        },
    },
    "required_if": [("method", "kpatch", ("patches",)), ("method", "kbuild", ("sources",))],
    "required_together": [("oot_module", "oot_module_src")],
    "add_file_common_args": True,
}
