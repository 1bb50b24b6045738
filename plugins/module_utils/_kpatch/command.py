# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Runs a command that takes minutes, reports its progress, and ends all its processes with the module."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import TimedOut, start


def run_long(
    command: t.Sequence[str],
    environ: t.Mapping[str, str],
    timeout: float,
    on_line: t.Callable[[str], None],
    on_tick: t.Callable[[], None],
    tick: float = 1,
) -> tuple[int, str]:
    """Run a command in a process group of its own. Returns its exit status and what it printed.

    `on_line` gets each line of standard output and error; `on_tick` is called every `tick` seconds. The group is killed
    after `timeout` seconds (raises TimedOut), when an exception leaves this function, and when somebody kills this
    process: a second process watches for that.
    """
    process = start(command, subprocess.DEVNULL, subprocess.PIPE, env=dict(environ), start_new_session=True)
    release = _watch_over(process.pid)
    try:
        printed = _read(t.cast(t.BinaryIO, process.stdout).fileno(), time.monotonic() + timeout, on_line, on_tick, tick)
    except BaseException:
        _kill_group(process.pid)
        raise
    finally:
        process.wait()
        release()
    return process.returncode, printed


def _read(
    descriptor: int,
    deadline: float,
    on_line: t.Callable[[str], None],
    on_tick: t.Callable[[], None],
    tick: float,
) -> str:
    printed, rest = [], b""
    next_tick = time.monotonic() + tick
    while True:
        now = time.monotonic()
        if now > deadline:
            raise TimedOut
        if now >= next_tick:
            on_tick()
            next_tick = now + tick
        if not select.select([descriptor], [], [], max(0.0, min(next_tick, deadline) - now))[0]:
            continue
        chunk = os.read(descriptor, 65536)
        rest += chunk
        *lines, rest = rest.split(b"\n")
        if not chunk and rest:
            lines, rest = [rest], b""
        for raw in lines:
            line = raw.decode("utf-8", "replace")
            printed.append(line)
            on_line(line)
        if not chunk:
            return "".join(line + "\n" for line in printed)


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


def _kill_group(group: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)
