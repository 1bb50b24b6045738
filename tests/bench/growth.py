# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what grows with a host's patches, its kernel's symbols and its log: CPU seconds, by the number.

Run by "make bench-growth". Everything is invented, by tests/unit/plugins/module_utils/many_patches.py. What is measured
runs in this process, and CPU seconds are counted, so that other work on the machine disturbs little. What takes longer
than it may is cut off.
"""

from __future__ import annotations

import os
import pathlib
import signal
import sys
import tempfile
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify import trouble
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import many_patches as many

SIZES = (10, 100, 1_000, 10_000)
LINES = 16
"""The lines of a log are as many times the number."""

SYMBOLS = 200_000
"""As many symbols fill 8 MB."""

MOST_SECONDS = 20.0
FACTS_OF, FACTS_SECONDS = 1_000, 2.0
"""Wanted for the facts of so many patches."""


def patch_file(count: int, root: pathlib.Path) -> many.Work:
    path = root / "fix.ko"
    path.write_bytes(many.module_with(count))
    return lambda: read_patch_file(str(path))


def explaining(shape: str) -> many.Maker:
    def make(count: int, _root: pathlib.Path) -> many.Work:
        log = many.log_of(shape, LINES * count)
        return lambda: many.explained(log)

    return make


def troubles(count: int, _root: pathlib.Path) -> many.Work:
    log = [line for shape in many.LOGS for line in many.log_of(shape, LINES * count // len(many.LOGS))]
    hung = ["INFO: task a:1 blocked for more than 120 seconds.", "Call Trace:"] * (LINES * count // 2)
    counts = trouble.Counts(0, 0, 0)
    return lambda: [trouble.find(lines, counts, counts, whose=lambda pid: trouble.USER) for lines in (log, hung)]


MEASURED: dict[str, many.Maker] = {
    **many.BY_PATCHES,
    "symbols of vmlinux": many.symbols(SYMBOLS),
    "symbols of ten modules": many.symbols(SYMBOLS, 10),
    "patch file": patch_file,
    **{f"log, {shape}": explaining(shape) for shape in many.LOGS},
    "log, trouble": troubles,
}


class TooLongError(Exception):
    """What is measured takes longer than it may."""


def seconds_of(work: many.Work) -> float | None:
    """The CPU seconds that this takes; None if they are too many."""
    start = time.process_time()

    def look(*_arguments: object) -> None:
        if time.process_time() - start > MOST_SECONDS:
            raise TooLongError

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    try:
        work()
    except TooLongError:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return time.process_time() - start


def measure(name: str) -> None:
    for count in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            seconds = seconds_of(MEASURED[name](count, pathlib.Path(folder)))
        if seconds is None:
            print(f"{name:34}{count:8}{f'> {MOST_SECONDS:.0f}':>10}", flush=True)
            return
        print(f"{name:34}{count:8}{seconds:10.3f}{seconds * 1e6 / count:14.1f}", flush=True)
        if name.startswith("facts") and count == FACTS_OF and seconds > FACTS_SECONDS:
            print(f"bench: wanted are at most {FACTS_SECONDS:.0f} s", flush=True)


def main(names: t.Sequence[str]) -> None:
    print(f"{'':34}{'number':>8}{'CPU s':>10}{'us each':>14}    load {os.getloadavg()[0]:.1f}", flush=True)
    for name in names or MEASURED:
        measure(name)


if __name__ == "__main__":
    main(sys.argv[1:])
