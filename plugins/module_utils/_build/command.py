# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Runs a command that takes minutes, reports its progress, and ends all its processes with the module."""

from __future__ import annotations

import contextlib
import subprocess
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import (
    kill_group,
    output_of,
    start,
)

MOST_KEPT = 16 * 1024**2
"""How many characters of what a command prints are kept: the last ones. The builds of whole kernels print less."""

MOST_IN_A_LINE = 1 << 16
"""After so many bytes a line is taken for ended."""


def run_long(
    command: t.Sequence[str],
    environ: t.Mapping[str, str],
    timeout: float,
    on_line: t.Callable[[str], None],
    on_tick: t.Callable[[], None],
    tick: float = 1,
    folder: str | None = None,
) -> tuple[int, str]:
    """Run a command in a process group of its own, in this folder. Returns its exit status and what it printed.

    `on_line` gets each line of standard output and error; `on_tick` is called every `tick` seconds. The group is killed
    after `timeout` seconds (raises TimedOut), when an exception leaves this function, and when somebody kills this
    process: a second process watches for that.
    """
    process = start(command, subprocess.DEVNULL, subprocess.PIPE, env=dict(environ), start_new_session=True, cwd=folder)
    release = _watch_over(process.pid)
    try:
        printed = _read(process, time.monotonic() + timeout, on_line, on_tick, tick)
    finally:
        kill_group(process)
        process.wait()
        release()
    return process.returncode, printed


def _read(
    process: subprocess.Popen[bytes],
    deadline: float,
    on_line: t.Callable[[str], None],
    on_tick: t.Callable[[], None],
    tick: float,
) -> str:
    printed, rest = "", b""
    next_tick = time.monotonic() + tick
    for chunk in output_of(process, deadline, tick):
        if time.monotonic() >= next_tick:
            on_tick()
            next_tick = time.monotonic() + tick
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MOST_IN_A_LINE:
            lines, rest = [*lines, rest], b""
        for raw in lines:
            printed += _tell(raw, on_line)
        if len(printed) > 2 * MOST_KEPT:
            printed = printed[-MOST_KEPT:]
    return printed + (_tell(rest, on_line) if rest else "")


def _tell(raw: bytes, on_line: t.Callable[[str], None]) -> str:
    line = clean(raw.decode("utf-8", "replace"))
    on_line(line)
    return line + "\n"


_WATCHER = 'read -r _ || kill -s KILL -- "-$1"'
"""Reads a line. If the writer ends before it has written one, this kills the group."""


def _watch_over(group: int) -> t.Callable[[], None]:
    """Start a process that kills the group when this process ends. Returns a function that ends the new process."""
    # The shell has another name, so that whoever kills the module by name does not kill it too.
    watch = ["sh", "-c", _WATCHER, "watch-build", str(group)]
    watcher = start(watch, subprocess.PIPE, subprocess.DEVNULL, start_new_session=True)

    def release() -> None:
        with contextlib.suppress(OSError):
            watcher.communicate(b"\n")

    return release
