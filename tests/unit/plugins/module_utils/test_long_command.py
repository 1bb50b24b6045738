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
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import command
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import programs
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.hurried_clock import HurriedClock

RUN = """\
import os, sys
sys.path[:] = {path!r}
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.command import run_long
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
    clock = HurriedClock(lambda: is_written(pid))
    monkeypatch.setattr(command, "time", clock)
    monkeypatch.setattr(programs, "time", clock)
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


def test_what_is_printed_and_what_are_errors_apart(tmp_path: pathlib.Path) -> None:
    environ = {"PATH": os.environ["PATH"], "WORD": "here"}
    script = "echo out $WORD; echo err >&2; sleep 600 & exit 3"
    assert programs.run_apart(["sh", "-c", script], 60, environ) == (3, b"out here\n", b"err\n")
    assert programs.run_apart(["sh", "-c", "seq 100"], 60, environ, most=4) == (0, b"100\n", b"")
    assert programs.run_apart(["cat"], 60, environ)[0] == 0, "nothing is read from a terminal"
    with pytest.raises(OSError):
        programs.run_apart(["/nosuch/program"], 60, environ)


def test_a_program_apart_is_ended_when_its_time_is_up(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setattr(programs, "time", HurriedClock(lambda: is_written(pid)))
    with pytest.raises(programs.TimedOut):
        programs.run_apart(["sh", "-c", f"sleep 600 & echo $! > {pid}; wait"], 60, dict(os.environ))
    assert gone(int(pid.read_text()))


def test_a_program_that_prints_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "MOST_ON_DISK", 1 << 20)
    with pytest.raises(programs.TooMuchOutput):
        programs.run_apart(["yes"], 60, dict(os.environ))


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


def test_a_child_that_keeps_the_pipe_open_keeps_nobody_waiting(tmp_path: pathlib.Path) -> None:
    """It ends with the command, whose number nobody else has meanwhile."""
    pid = tmp_path / "pid"
    started = time.monotonic()
    rc, printed, _lines, _ticks = run(f"sleep 600 & echo $! > {pid}; echo done", timeout=60)
    assert (rc, printed) == (0, "done\n")
    assert programs.run(["sh", "-c", f"sleep 600 & echo $! > {pid}.2; echo done; exit 4"], 60) == (4, "done\n")
    assert time.monotonic() - started < 30
    assert gone(int(pid.read_text())) and gone(int((tmp_path / "pid.2").read_text()))


def test_a_child_that_has_left_the_group_and_prints_for_ever_keeps_nobody_waiting(tmp_path: pathlib.Path) -> None:
    pid = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {pid}; exec yes' & while [ ! -s {pid} ]; do :; done; exit 5"
    started = time.monotonic()
    try:
        rc, printed = programs.run(["sh", "-c", script], 60)
        assert rc == 5 and len(printed) <= programs.MOST_OUTPUT
        assert time.monotonic() - started < 30
    finally:
        # Its pipe has gone: the next line ends it.
        assert gone(int(pid.read_text()))


def test_a_program_that_prints_much_is_read_to_its_end() -> None:
    started = time.process_time()
    rc, printed = programs.run(["sh", "-c", "head -c 300000000 /dev/zero | tr '\\0' x; echo the end; exit 3"], 60)
    assert rc == 3
    assert printed == "x" * programs.MOST_OUTPUT
    assert time.process_time() - started < 10


def test_a_long_line_of_a_long_command_is_taken_in_pieces() -> None:
    rc, printed, lines, _ticks = run("head -c 3000000 /dev/zero | tr '\\0' x; exit 3")
    assert rc == 3
    assert len(printed.replace("\n", "")) == 3000000
    assert max(map(len, lines)) <= 2 * command.MOST_IN_A_LINE


def test_what_a_command_prints_is_clean() -> None:
    """Names of processes and of files are in it, and whoever chooses them may choose commands of the terminal."""
    script = "printf 'a\\033[2Jb\\302\\233c\\342\\200\\256d\\n'"
    assert programs.run(["sh", "-c", script])[1] == "a\ufffd[2Jb\ufffdc\ufffdd\n"
    _rc, printed, lines, _ticks = run(script)
    assert printed == "a\ufffd[2Jb\ufffdc\ufffdd\n" and lines == [printed[:-1]]
