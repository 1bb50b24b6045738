# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Runs programs. AnsibleModule.run_command has no time limit, and the boot program has no AnsibleModule."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean

KILL_SECONDS = 1.0
"""How long to wait for the end of a killed program."""

MOST_OUTPUT = 1 << 20
"""How many bytes of what a program prints are kept. The rest is read, so that the program can end, and forgotten."""

MOST_APART = 16 << 20
"""Likewise, where output and errors are kept apart; they are in files until the program has ended."""

MOST_ON_DISK = 1 << 30

MOST_IN_A_PIPE = 1 << 20
"""What a pipe may hold (kernel: pipe_max_size in fs/pipe.c): so much is read at most of a program that has ended."""

FIRST_PAUSE = 0.0005
"""A program ends a moment after it has closed its output; one that goes on is asked ever more seldom."""

LOOK_SECONDS = 0.05
"""How often to look whether a program has ended whose children still may print."""


class TimedOut(Exception):
    """The program ran longer than its time limit, and was killed."""


class TooMuchOutput(Exception):
    """The program printed more than it may, and was killed."""


def start(
    command: t.Sequence[str], stdin: int, output: int, errors: int = subprocess.STDOUT, **options: t.Any
) -> subprocess.Popen[bytes]:
    """Start a program without a shell; `output` gets its standard output, and its errors too. Raises OSError."""
    # pylint: disable-next=ansible-bad-function
    return subprocess.Popen(list(command), stdin=stdin, stdout=output, stderr=errors, **options)


def run(command: t.Sequence[str], timeout: float | None = None) -> tuple[int, str]:
    """Run a program, and return its exit status and what it printed. Raises OSError, TimedOut after `timeout` seconds.

    It has a process group of its own: when it ends, or its time is over, all that it has started in that group ends.
    This does not wait longer for a program that cannot be killed because it does not return from the kernel.
    """
    process = start(command, subprocess.DEVNULL, subprocess.PIPE, start_new_session=True)
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    try:
        printed = b""
        for chunk in output_of(process, deadline, LOOK_SECONDS):
            printed += chunk[: MOST_OUTPUT - len(printed)]
    finally:
        _end(process)
    return process.returncode, clean(printed.decode("utf-8", "replace"))


def run_apart(
    command: t.Sequence[str],
    timeout: float,
    environ: t.Mapping[str, str],
    most: int = MOST_APART,
    meanwhile: t.Callable[[], None] = lambda: None,
) -> tuple[int, bytes, bytes]:
    """Run a program, and return its exit status and the last bytes of its output and of its errors.

    While it runs, `meanwhile` is called many times a second.

    Raises OSError, TimedOut after `timeout` seconds, and TooMuchOutput if it prints without an end. As with `run`, its
    group ends with it. It reads nothing: it cannot wait for a password.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(
            command, subprocess.DEVNULL, out.fileno(), err.fileno(), env=dict(environ), start_new_session=True
        )
        deadline, pause = time.monotonic() + timeout, FIRST_PAUSE
        try:
            while not has_ended(process):
                if time.monotonic() >= deadline:
                    raise TimedOut
                if max(os.fstat(stream.fileno()).st_size for stream in (out, err)) > MOST_ON_DISK:
                    raise TooMuchOutput
                meanwhile()
                time.sleep(pause)
                pause = min(2 * pause, LOOK_SECONDS)
        finally:
            _end(process)
        return process.returncode, _end_of(out, most), _end_of(err, most)


def _end_of(stream: t.BinaryIO, most: int) -> bytes:
    stream.seek(max(0, os.fstat(stream.fileno()).st_size - most))
    return stream.read(most)


def read_output(command: t.Sequence[str], stdin: int, timeout: float, most: int) -> tuple[int, bytes]:
    """Run a program that reads from `stdin`, and return its exit status and all that it printed.

    Raises OSError, TimedOut after `timeout` seconds, and TooMuchOutput after `most` bytes. As with `run`,
    its group ends with it.
    """
    process = start(command, stdin, subprocess.PIPE, start_new_session=True)
    printed = bytearray()
    try:
        for chunk in output_of(process, time.monotonic() + timeout, LOOK_SECONDS):
            printed += chunk
            if len(printed) > most:
                raise TooMuchOutput
    finally:
        _end(process)
    return process.returncode, bytes(printed)


def output_of(process: subprocess.Popen[bytes], deadline: float, look: float) -> t.Iterator[bytes]:
    """What a program prints until it ends, in pieces; an empty one at least every `look` seconds. Raises TimedOut.

    Its group ends with it: a child that keeps the pipe open, and prints nothing or for ever, keeps nobody waiting.
    """
    descriptor = t.cast(t.BinaryIO, process.stdout).fileno()
    is_open, left_in_pipe, pause = True, MOST_IN_A_PIPE, FIRST_PAUSE
    while left_in_pipe > 0:
        # Asked before the read: what the program has printed by its end is in the pipe then.
        ended = has_ended(process)
        left = deadline - time.monotonic()
        if ended:
            kill_group(process)
        elif left <= 0:
            raise TimedOut
        wait = 0.0 if ended else min(look, left)
        if is_open and select.select([descriptor], [], [], wait)[0]:
            chunk = os.read(descriptor, 65536)
            is_open = chunk != b""
            left_in_pipe -= len(chunk) if ended else 0
            yield chunk
            continue
        if ended:
            return
        if not is_open:
            time.sleep(min(wait, pause))
            pause *= 2
        yield b""


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has ended. It is not waited for: its number, and that of its group, still are its own."""
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True  # Where SIGCHLD is ignored, nothing is left of it.


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a group, and all in that group."""
    if process.returncode is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    kill_group(process)
    if process.stdout:
        process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(KILL_SECONDS)
