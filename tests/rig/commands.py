# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs other programs, and defines the error that the rig reports."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

LAST_LINES = 40


class RigError(Exception):
    """A failure. The rig prints its message, without a traceback, and ends with its status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def last_lines(text: str, count: int = LAST_LINES) -> str:
    return "\n".join(text.splitlines()[-count:])


def as_root(argv: list[str]) -> list[str]:
    """The command with sudo before it, if this user is not root. Raises RigError without sudo."""
    if os.geteuid() == 0:
        return argv
    if shutil.which("sudo") is None:
        raise RigError("The rig needs root: run it as root, or install sudo.", status=2)
    return ["sudo", "--", *argv]


def failure(argv: list[str], status: int, output: str) -> RigError:
    return RigError(f"Command failed with status {status}: {shlex.join(argv)}\n{last_lines(output)}".rstrip())


def run(argv: list[str]) -> str:
    """Run a command to its end and return what it printed. Raises RigError if it fails."""
    try:
        # The standard input stays open to the terminal: sudo may ask for a password.
        done = subprocess.run(
            argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    except OSError as error:
        raise RigError(f"Cannot run {argv[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise failure(argv, done.returncode, done.stdout)
    return done.stdout
