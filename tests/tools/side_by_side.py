# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs commands at the same time. Writes the output of each to a file, and prints it when the command has ended."""

from __future__ import annotations

import subprocess
import time
import typing as t
from pathlib import Path

from toolbox import CHECKOUT, Argv, Environ, Stop

POLL_SECONDS = 0.5
GRACE_SECONDS = 60


def side_by_side(
    commands: t.Mapping[str, Argv], at_once: int, logs: Path, *, cwd: Path = CHECKOUT, env: Environ | None = None
) -> None:
    """Run the commands in their order, `at_once` at a time. Runs all, and raises Stop if any has failed.

    On an interrupt this terminates the running commands, and waits a minute for each to clean up.
    """
    waiting = list(commands)
    running: dict[str, subprocess.Popen[bytes]] = {}
    started: dict[str, float] = {}
    failed = []
    logs.mkdir(parents=True, exist_ok=True)
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                running[name] = _start(commands[name], _log(logs, name), cwd, env)
                started[name] = time.monotonic()
                print(f"    {name}: started, prints to {_log(logs, name)}", flush=True)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                status = running.pop(name).returncode
                print(_log(logs, name).read_text(encoding="utf-8", errors="replace"))
                print(f"    {name}: ended with {status} after {time.monotonic() - started[name]:.0f} s", flush=True)
                if status:
                    failed.append(name)
            time.sleep(POLL_SECONDS)
    finally:
        _end(running.values())
    if failed:
        raise Stop(f"These failed: {', '.join(failed)}.")


def _log(logs: Path, name: str) -> Path:
    return logs / f"{name}.log"


def _start(argv: Argv, log: Path, cwd: Path, env: Environ | None) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(arg) for arg in argv],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is passed on by _end, once
        )


def _end(processes: t.Collection[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
