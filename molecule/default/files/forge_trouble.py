# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the kernel print lines that begin with names of one's own: no privilege is needed, but a delegated control group.

The arguments are the group and the names. A process of each name takes more memory than a limit that the user has set.
"""

from __future__ import annotations

import os
import signal
import sys

LIMIT = 16 << 20


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)


def take_memory(group: str, name: str) -> None:
    write(f"{group}/cgroup.procs", "0")
    write("/proc/self/comm", name)
    taken = []
    while True:
        taken.append(b"x" * (1 << 20))


def main() -> int:
    group, *names = sys.argv[1:]
    assert os.geteuid() != 0
    write(f"{group}/cgroup.subtree_control", "+memory")
    small = f"{group}/small"
    os.mkdir(small)
    write(f"{small}/memory.max", str(LIMIT))
    for name in names:
        child = os.fork()
        if not child:
            take_memory(small, name)
        ended = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL, ended
    return 0


if __name__ == "__main__":
    sys.exit(main())
