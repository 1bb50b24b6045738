# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that take long: their lines, their end, and that nothing of them stays."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import command
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import programs
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.hurried_clock import HurriedClock

RUN = """\
import os, sys
sys.path[:] = {path!r}
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.command import run_long
def tell(line):
    with open({pid!r}, "w") as stream:
        print(line, file=stream)
run_long(["sh", "-c", "sleep 600 & echo $!; wait"], os.environ, 600, tell, lambda: None)
"""


def run(script: str, timeout: float = 30, tick: float = 1) -> tuple[int | None, str, list[str], list[float]]:
    lines: list[str] = []
    ticks: list[float] = []
    done = command.run_long(
        ["sh", "-c", script], os.environ, timeout, lines.append, lambda: ticks.append(time.monotonic()), tick
    )
    return (*done, lines, ticks)


def test_output_and_status() -> None:
    rc, printed, lines, _ticks = run("echo one; echo two >&2; printf three; exit 3")
    assert rc == 3
    assert lines == ["one", "two", "three"]
    assert printed == "one\ntwo\nthree\n"


def test_ticks() -> None:
    assert len(run("sleep 0.5", tick=0.05)[3]) >= 3


def is_written(pid: pathlib.Path) -> bool:
    return pid.exists() and pid.read_text().endswith("\n")


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_no_child_outlives_the_time(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setattr(command, "time", HurriedClock(lambda: is_written(pid)))
    with pytest.raises(programs.TimedOut):
        run(f"sleep 600 & echo $! > {pid}; wait", timeout=60, tick=0.05)
    assert gone(int(pid.read_text()))


def test_no_child_outlives_the_module(tmp_path: pathlib.Path) -> None:
    """The process that started the command is killed, and can do nothing about it."""
    pid = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", RUN.format(path=sys.path, pid=str(pid))]) as module:
        deadline = time.monotonic() + 20
        while not is_written(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        module.send_signal(signal.SIGKILL)
    assert gone(int(pid.read_text()))


def test_a_short_program_is_ended_when_its_time_is_up(tmp_path: pathlib.Path) -> None:
    pid = tmp_path / "pid"
    assert programs.run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\nerr\n")
    for seconds in (0.2, 1, 5):
        with pytest.raises(programs.TimedOut):
            programs.run(["sh", "-c", f"echo $$ > {pid}; exec sleep 600"], timeout=seconds)
        if is_written(pid):
            break
    assert gone(int(pid.read_text()))


def test_an_error_of_the_listener_ends_the_command(tmp_path: pathlib.Path) -> None:
    pid = tmp_path / "pid"

    def fail(line: str) -> None:
        raise KeyError(line)

    with pytest.raises(KeyError):
        command.run_long(["sh", "-c", f"sleep 600 & echo $! > {pid}; echo x; wait"], os.environ, 30, fail, lambda: None)
    assert gone(int(pid.read_text()))


@pytest.mark.parametrize("fails", [False, True])
def test_the_group_is_ended_although_its_leader_has_gone(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """Nobody else would end what is left, and waiting for the leader does not show it."""
    pid = tmp_path / "pid"
    monkeypatch.setattr(command, "time", HurriedClock(lambda: is_written(pid) and not fails))
    expected = KeyError if fails else programs.TimedOut

    def on_tick() -> None:
        if fails and is_written(pid):
            raise KeyError

    with pytest.raises(expected):
        command.run_long(
            ["sh", "-c", f"sleep 60 & echo $! > {pid}"], os.environ, 60, lambda line: None, on_tick, tick=0.05
        )
    assert gone(int(pid.read_text()))
