# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Runs programs. AnsibleModule.run_command has no time limit, and the boot program has no AnsibleModule."""

from __future__ import annotations

import contextlib
import subprocess
import typing as t

KILL_SECONDS = 1.0
"""How long to wait for the end of a killed program."""


class TimedOut(Exception):
    """The program ran longer than its time limit, and was killed."""


def start(command: t.Sequence[str], stdin: int, output: int, **options: t.Any) -> subprocess.Popen[bytes]:
    """Start a program without a shell; `output` gets its standard output and error. Raises OSError."""
    # pylint: disable-next=ansible-bad-function
    return subprocess.Popen(list(command), stdin=stdin, stdout=output, stderr=subprocess.STDOUT, **options)


def run(command: t.Sequence[str], timeout: float | None = None) -> tuple[int, str]:
    """Run a program, and return its exit status and what it printed. Raises OSError, TimedOut after `timeout` seconds.

    This does not wait longer for a program that cannot be killed because it does not return from the kernel.
    """
    process = start(command, subprocess.DEVNULL, subprocess.PIPE)
    try:
        printed = process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired as error:
        raise TimedOut from error
    finally:
        _end(process)
    return process.returncode, printed.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdout:
        process.stdout.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(KILL_SECONDS)
