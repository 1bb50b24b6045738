# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection plugin `ssh`, which writes down each of its calls, and has modules tell their phases.

For "make bench" alone. `LIVEPATCH_BENCH_CALLS` names a folder: a call is a line of `calls` there, and what it sent a
file.
"""

from __future__ import annotations

import json
import os
import re
import time
import typing as t
from pathlib import Path

from ansible.plugins.connection import ssh

DOCUMENTATION = ssh.DOCUMENTATION

PHASES = Path(__file__).resolve().parents[1] / "phases.py"
MARK = b"\nlivepatch-bench: "
PYTHON = re.compile(r"(?P<python>/\S*python[\d.]*) && sleep 0")
ALONE = re.compile(r"-c (?P<python>/\S*python[\d.]*)$")
"""How ansible-core 2.21 ends the command that runs a module from its input."""

Answer = tuple[int, bytes, bytes]


def with_phases(command: str, program: str) -> str:
    """The command that runs a module from its input, with this program between."""
    command = ALONE.sub(r"-c '\g<python> && sleep 0'", command)
    # Digits alone: no shell on the way changes them.
    return PYTHON.sub(rf'\g<python> -c "exec(bytes.fromhex(\\"{program.encode().hex()}\\"))" \&\& sleep 0', command)


def split_off(printed: bytes) -> tuple[bytes, str]:
    """What a module has printed to standard error, and the phases that it has told."""
    before, _mark, told = printed.rpartition(MARK) if MARK in printed else (printed, b"", b"")
    return before, told.decode().strip()


class Connection(ssh.Connection):  # type: ignore[misc] # ansible-core's, whose types differ from version to version
    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Answer:
        is_module = in_data is not None and b"_ansiballz_main" in in_data
        command = with_phases(cmd, PHASES.read_text(encoding="utf-8")) if is_module else cmd
        started = time.monotonic()
        code, printed, errors = super().exec_command(command, in_data=in_data, sudoable=sudoable)
        seconds = time.monotonic() - started
        errors, phases = split_off(errors)
        self._write_down("command", seconds, in_data or b"", phases)
        return code, printed, errors

    def put_file(self, in_path: str, out_path: str) -> t.Any:
        started = time.monotonic()
        answer = super().put_file(in_path, out_path)
        self._write_down("file", time.monotonic() - started, Path(in_path).read_bytes())
        return answer

    def fetch_file(self, in_path: str, out_path: str) -> t.Any:
        started = time.monotonic()
        answer = super().fetch_file(in_path, out_path)
        self._write_down("file", time.monotonic() - started, b"")
        return answer

    @staticmethod
    def _write_down(kind: str, seconds: float, sent: bytes, phases: str = "") -> None:
        folder = Path(os.environ["LIVEPATCH_BENCH_CALLS"])
        with (folder / "calls").open("a", encoding="utf-8") as stream:
            name = f"sent-{stream.tell()}"
            (folder / name).write_bytes(sent)
            stream.write(json.dumps({"kind": kind, "seconds": seconds, "sent": name, "phases": phases}) + "\n")
