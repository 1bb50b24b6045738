# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the collection beside a hand-written playbook, on one VM, in turns; run by "make bench" inside the rig."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROUNDS = 5

# What is wanted of the medians: unchanged against a ping, enabling against the hand-written playbook.
UNCHANGED_LIMIT = 1.5
ENABLING_LIMIT = 0.35


def timed(argv: list[str]) -> float:
    """Return the seconds that a command took. It must succeed."""
    started = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - started


def playbook(name: str, work: str) -> list[str]:
    return ["ansible-playbook", str(HERE / name), "-e", f"patch_file={work}/livepatch_cmdline.ko"]


def measure(work: str) -> dict[str, list[float]]:
    """Seconds of each thing, in turns, so that a change of the machine's speed meets them all."""
    by_hand, collection, reset = (playbook(name, work) for name in ("by_hand.yml", "collection.yml", "reset.yml"))
    ping = ["ansible", "vms", "-m", "ping"]
    seconds: dict[str, list[float]] = {}
    timed(ping)
    for number in range(ROUNDS):
        for name, argv in (
            ("ping", ping),
            ("by hand, enabling", by_hand),
            ("by hand, unchanged", by_hand),
            ("", reset),
            ("collection, enabling", collection),
            ("collection, unchanged", collection),
            ("", reset),
        ):
            took = timed(argv)
            if name:
                seconds.setdefault(name, []).append(took)
        print(f"bench: round {number + 1} of {ROUNDS} done", flush=True)
    return seconds


def report(seconds: dict[str, list[float]]) -> None:
    median = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"\n{'seconds, of ' + str(ROUNDS) + ' rounds':24}{'median':>8}{'least':>8}{'most':>8}")
    for name, values in seconds.items():
        print(f"{name:24}{median[name]:8.2f}{min(values):8.2f}{max(values):8.2f}")
    unchanged = median["collection, unchanged"] / median["ping"]
    enabling = median["collection, enabling"] / median["by hand, enabling"]
    print(f"\nunchanged: {unchanged:.2f} of a ping (wanted: at most {UNCHANGED_LIMIT})")
    print(f"enabling:  {enabling:.2f} of the hand-written playbook (wanted: at most {ENABLING_LIMIT})")


def main() -> None:
    work = sys.argv[1]
    print("bench: build the patch", flush=True)
    timed(["ansible-playbook", str(HERE.parents[1] / "examples" / "demo.yml"), "-e", f"work={work}", "-l", "builders"])
    report(measure(work))


if __name__ == "__main__":
    main()
