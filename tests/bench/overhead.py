# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what a live patch costs, by openEuler's jump (emulated) beside mainline's ftrace.

Run by "make bench-overhead". One VM counts the instructions of its only CPU (QEMU's -icount), whatever else this
machine does. Another one takes the time, where there is KVM.
"""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
COUNTED, TIMED = "counted1", "vm1"
CHANGES = ("enable", "disable")
PARTS = ("lasted", "worked")
"""The parts of a change's cost: see overhead_on_vm.py."""


def of_calls(figures: dict[str, t.Any]) -> list[tuple[str, float]]:
    """What a patched call takes more than one that is not patched, by the way of patching."""
    unpatched = figures["unpatched"]
    return [
        (f"{way}, {count} patch{'es' if count == 'two' else ''}", figures[way][count] - unpatched)
        for way in ("jump", "ftrace")
        for count in ("one", "two")
    ]


def slope(rows: list[dict[str, t.Any]], change: str, part: int) -> float:
    """What each task more adds to this part of a change's cost, between the fewest and the most."""
    first, last = rows[0], rows[-1]
    return float((last[change][part] - first[change][part]) / (last["tasks"] - first["tasks"]))


def show(unit: str, figures: dict[str, t.Any]) -> None:
    print(f"\n{figures['release']}, in {unit}, {figures['spectre_v2']}")
    print(f"A call of the function that is not patched: {figures['unpatched']:.1f}")
    for name, more in of_calls(figures):
        print(f"{name + ': more':22}{more:8.1f}")
    titles = [f"{change}: {part}" for change in CHANGES for part in PARTS]
    print(f"\n{'a change':22}{'tasks':>8}{''.join(f'{title:>17}' for title in titles)}")
    for way in ("jump", "ftrace"):
        rows = figures[way]["changes"]
        for row in rows:
            costs = [f"{row[change][part]:17}" for change in CHANGES for part in range(len(PARTS))]
            print(f"{way:22}{row['tasks']:8}{''.join(costs)}")
        more = [f"{slope(rows, change, part):17.1f}" for change in CHANGES for part in range(len(PARTS))]
        print(f"{way + ': for each task':30}{''.join(more)}")


def main() -> None:
    work = Path(sys.argv[1])
    play = ["ansible-playbook", str(HERE / "overhead.yml"), "-e", f"work={work}"]
    done = subprocess.run(play, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    for host, unit in ((COUNTED, "instructions"), (TIMED, "ticks and nanoseconds")):
        figures = json.loads((work / f"{host}.json").read_text(encoding="utf-8"))
        if figures:
            show(unit, figures)
        else:
            print(f"\n{host}: not measured, since an emulated processor's time says nothing of a real one's")


if __name__ == "__main__":
    main()
