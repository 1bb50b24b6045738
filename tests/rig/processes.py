# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts processes that outlive one call of the rig, and finds and stops them by their pid files."""

from __future__ import annotations

import os
import time
from pathlib import Path

from commands import RigError, as_root, run

PATIENCE_SECONDS = 20

# The shell only records its own process id, which the program then keeps.
RECORD_PID = 'echo $$ >"$1"; shift; exec "$@"'
RECORD_PID_AND_DETACH = 'echo $$ >"$1"; exec >"$2" 2>&1 </dev/null; shift 2; exec "$@"'
RECORD_PID_AND_REPEAT = 'echo $$ >"$1"; exec >>"$2" 2>&1 </dev/null; shift 2; while "$@"; do :; done'

# With namespaces of its own, a killed process takes its children and its mounts with it.
NAMESPACES = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]


def isolated(argv: list[str], pid_file: Path) -> list[str]:
    """The command that runs another one as root in its own namespaces, and writes the pid file."""
    return as_root(["sh", "-c", RECORD_PID, "sh", str(pid_file), *NAMESPACES, *argv])


def start_isolated(argv: list[str], pid_file: Path, log: Path) -> None:
    """Start a command as root in its own namespaces, leave it running, and return when its process id is recorded."""
    shell = ["sh", "-c", RECORD_PID_AND_DETACH, "sh", str(pid_file), str(log)]
    run(as_root(["setsid", "--fork", *shell, *NAMESPACES, *argv]))
    wait_until_recorded(pid_file)


def start_repeated(argv: list[str], pid_file: Path, log: Path) -> None:
    """Start a command, leave it running, and start it again each time it ends with status 0. It prints to the log."""
    pid_file.unlink(missing_ok=True)
    shell = ["sh", "-c", RECORD_PID_AND_REPEAT, "sh", str(pid_file), str(log)]
    run(["setsid", "--fork", *shell, "setpriv", "--pdeathsig", "KILL", *argv])
    wait_until_recorded(pid_file)


def wait_until_recorded(pid_file: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while recorded(pid_file) is None and time.monotonic() < deadline:
        time.sleep(0.02)


def recorded(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def running(pid_file: Path, mark: Path) -> int | None:
    """The id of the recorded process if its command line contains the mark; else None."""
    pid = recorded(pid_file)
    try:
        command = command_line(pid)
    except OSError:
        return None
    return pid if os.fsencode(mark) in command else None


def command_line(pid: int | None) -> bytes:
    """The command line of a process. It stays empty in a dead one, and is empty for a moment during exec(2)."""
    for _attempt in range(10):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if command:
            return command
        time.sleep(0.02)
    return b""


def stop(pid_file: Path, mark: Path) -> None:
    """Kill the recorded process, with its group if it leads one, and wait until they are gone."""
    pid = running(pid_file, mark)
    if pid is None:
        return
    leads = os.getpgid(pid) == pid
    argv = ["kill", "-KILL", "--", f"-{pid}" if leads else str(pid)]
    run(argv if Path(f"/proc/{pid}").stat().st_uid == os.geteuid() else as_root(argv))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while running(pid_file, mark) is not None or (leads and group_runs(pid)):
        if time.monotonic() > deadline:
            raise RigError(f"Process {pid} does not end.")
        time.sleep(0.05)


def group_runs(leader: int) -> bool:
    """Whether a process of the group is alive. A zombie is not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, group = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if group == str(leader) and state != "Z":
            return True
    return False


def remove_tree(path: Path) -> None:
    """Remove a directory that root may have written to, but not what is mounted in it."""
    if path.exists():
        run(as_root(["rm", "-rf", "--one-file-system", str(path)]))
