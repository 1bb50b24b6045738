# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what it costs to ask the CPUs of this machine whether they schedule, as each change of a patch does before.

More CPUs than there are count several times: each costs a process, wherever it runs.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time

from ansible_collections.openeuler.livepatch.plugins.module_utils._system import cpus

ROUNDS = 50


def seconds(numbers: list[int]) -> float:
    started = time.monotonic()
    cpus.question(numbers, cpus.SECONDS)
    return time.monotonic() - started


def main() -> None:
    there = sorted(os.sched_getaffinity(0))
    for count in sorted({len(there), 32, 128}):
        numbers = list(itertools.islice(itertools.cycle(there), count))
        took = [seconds(numbers) * 1000 for _round in range(ROUNDS)]
        print(f"{count:4} CPUs: {statistics.median(took):7.1f} ms, at most {max(took):7.1f} ms, of {ROUNDS} rounds")


if __name__ == "__main__":
    main()
