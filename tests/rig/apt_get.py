# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs apt-get, and waits while another program uses the package manager: a machine updates itself after its start.

It takes the arguments of apt-get, and runs as root. It prints what it waits for; it prints the output of apt-get only
if that fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 1800.0

# apt-get's own option for this, DPkg::Lock::Timeout, is about dpkg's lock only: "update" takes the lock of the lists, a
# download the lock of the archives, and apt 2.6 (Debian 12) ends at once if one of these is held.
HELD = re.compile(r"^E: (Could not get lock .*)$", re.MULTILINE)


def apt_get(arguments: Sequence[str]) -> int:
    """Run apt-get, again and again as long as somebody else has a lock that it needs; return its exit status."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    deadline = time.monotonic() + PATIENCE_SECONDS
    said = ""
    while True:
        done = subprocess.run(
            ["apt-get", *arguments],
            check=False,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        held = HELD.search(done.stdout) if done.returncode else None
        if held is None or time.monotonic() > deadline:
            break
        if held[1] != said:
            said = held[1]
            print(f"    apt-get waits for another program: {said}", flush=True)
        time.sleep(POLL_SECONDS)
    if done.returncode:
        print(done.stdout, end="", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(apt_get(sys.argv[1:]))
