# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to a scripted host: each module that is to run there is answered at once, from a file.

Nothing is run, so what is measured is the controller. Works with pipelining alone: what comes is then the program of a
module, and nothing else.
"""

from __future__ import annotations

DOCUMENTATION = """
name: scripted
short_description: answer as a recorded host does
description: A stand-in for hosts, for measurements of the controller.
author: openeuler.livepatch contributors (!UNKNOWN)
version_added: 1.0.0
extends_documentation_fragment: connection_pipelining
"""

import os
import re
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.connection import ConnectionBase

# As the versions of ansible-core write them.
_MODULE = re.compile(rb"(?:mod_name|module_fqn)='[\w.]*?(\w+)'")
_CHECKS = b'"_ansible_check_mode": true'
FOLDER = "LIVEPATCH_SCRIPTED_HOSTS"
"""The environment variable that names the folder which `scripted_host.write` has made."""


class Connection(ConnectionBase):  # type: ignore[misc]
    transport = "scripted"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        found = _MODULE.search(in_data or b"")
        if not (in_data and found):
            raise AnsibleError(f"A scripted host can only run modules, with pipelining, and not {cmd!r}.")
        return 0, self._answer(found[1].decode(), _CHECKS in in_data), b""

    def _answer(self, module: str, checks: bool) -> bytes:
        folder, host = Path(os.environ[FOLDER]), self._play_context.remote_addr
        with open(folder / "trips", "a", encoding="utf-8") as stream:
            print(module, file=stream)
        enabled = folder / "enabled" / host
        state = "after" if enabled.exists() else "before"
        if module == "livepatch_module":
            if checks:
                state = "check" if state == "before" else state
            else:
                enabled.touch()
        try:
            return (folder / "answers" / f"{module}.{state}").read_bytes()
        except FileNotFoundError as error:
            raise AnsibleError(f"A scripted host has no answer of {module}.") from error

    def put_file(self, in_path: str, out_path: str) -> t.NoReturn:
        raise AnsibleError(f"A scripted host takes no file {in_path}.")

    def fetch_file(self, in_path: str, out_path: str) -> t.NoReturn:
        raise AnsibleError(f"A scripted host has no file {in_path}.")

    def close(self) -> None:
        self._connected = False
