# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the collection beside a hand-written playbook, on one VM, in turns; run by "make bench" inside the rig.

The figures are compared with those that were kept, which KEEP=1 replaces. ROUNDS=1 is short, to see that it works.
Afterwards each thing is run again with clocks inside, which tell where its time goes.
"""

from __future__ import annotations

import datetime
import os
import shutil
import statistics
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import figures
from figures import AD_HOC, Figures
from split import Split, middle, read_split, to_lines

HERE = Path(__file__).resolve().parent
ROUNDS = 5
ROUNDS_WITH_CLOCKS = 3

QUIET = 0.25
"""How many processors may be busy with other work, the VM that waits among it, for figures that are kept."""

RESET = "reset"
WITH_CLOCKS = {"ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection"), "ANSIBLE_TRANSPORT": "recorded_ssh"}

Argv = list[str]


def timed(argv: Argv, **environment: str) -> float:
    """Return the seconds that a command took. It must succeed."""
    started = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    if done.returncode:
        sys.exit(f"bench: {' '.join(argv)} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - started


def commands(work: str) -> dict[str, Argv]:
    """What is measured, and how it is started."""
    patch = f"{work}/livepatch_cmdline.ko"
    playbooks = {
        "ping": "ping.yml",
        "facts": "facts.yml",
        "by hand, enabling": "by_hand.yml",
        "by hand, unchanged": "by_hand.yml",
        "collection, enabling": "collection.yml",
        "collection, unchanged": "collection.yml",
        RESET: "reset.yml",
    }
    change = ["openeuler.livepatch.livepatch_module", "-a", f"src={patch} state=enabled"]
    modules = {
        "ping": ["ansible.builtin.ping"],
        "facts": ["openeuler.livepatch.livepatch_facts"],
        "collection, enabling": change,
        "collection, unchanged": change,
    }
    play, ask = ["ansible-playbook", "-e", f"patch_file={patch}"], ["ansible", "vms", "-m"]
    return {
        **{name: [*play, str(HERE / file)] for name, file in playbooks.items()},
        **{f"{name}{AD_HOC}": [*ask, *module] for name, module in modules.items()},
    }


def order(how: str) -> tuple[str, ...]:
    """One round. Facts are read while the patch is enabled."""
    names = ("ping", "collection, enabling", "collection, unchanged", "facts")
    return (*(f"{name}{how}" for name in names), RESET)


BY_HAND = ("by hand, enabling", "by hand, unchanged", RESET)
ROUND = (*order(AD_HOC), *BY_HAND, *order(""))
ROUND_WITH_CLOCKS = (*BY_HAND, *order(""))


def measure(work: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of each thing, in turns, so that a change of the machine's speed meets them all."""
    argv = commands(work)
    seconds: dict[str, list[float]] = {}
    timed(argv[RESET])
    for number in range(rounds):
        for name in ROUND:
            took = timed(argv[name])
            if name != RESET:
                seconds.setdefault(name, []).append(took)
                print(f"bench: round {number + 1} of {rounds}: {name} {took:.2f} s", flush=True)
    return seconds


def measure_with_clocks(work: str, rounds: int) -> dict[str, Split]:
    """Where the time of each thing goes."""
    argv = commands(work)
    folder = Path(work) / "calls"
    splits: dict[str, list[Split]] = {}
    for number in range(rounds):
        for name in ROUND_WITH_CLOCKS:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            took = timed(argv[name], LIVEPATCH_BENCH_CALLS=str(folder), **WITH_CLOCKS)
            if name != RESET:
                splits.setdefault(name, []).append(read_split(took, folder))
                print(f"bench: round {number + 1} of {rounds} with clocks: {name} {took:.2f} s", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return {name: middle(found) for name, found in splits.items()}


def busy_processors(seconds: float = 5.0) -> float:
    """How many processors of this machine were busy while this waited."""

    def idle_and_all() -> tuple[int, int]:
        with open("/proc/stat", encoding="ascii") as stream:
            ticks = [int(field) for field in stream.readline().split()[1:9]]
        return ticks[3] + ticks[4], sum(ticks)

    idle, together = idle_and_all()
    time.sleep(seconds)
    idle_then, together_then = idle_and_all()
    return (os.cpu_count() or 1) * (1 - (idle_then - idle) / (together_then - together))


def machine() -> str:
    """What the figures are taken on, in words."""
    argv = ["ansible", "vms", "-m", "ansible.builtin.command", "-a", "systemd-detect-virt"]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[-1]
    count = os.cpu_count() or 1
    emulator = {"qemu": "QEMU without KVM", "kvm": "QEMU with KVM"}.get(printed, printed)
    return f"{figures.WORDS.get(count, str(count))} {'core' if count == 1 else 'cores'}, {emulator}"


def check_fit(busy: float, rounds: int) -> None:
    """End the run if its figures are not fit to be kept."""
    if busy > QUIET or rounds < ROUNDS:
        sys.exit(f"bench: nothing is kept of {rounds} rounds, with {busy:.1f} processors busy with other work.")


def show(seconds: t.Mapping[str, list[float]], now: Figures, clocks: t.Mapping[str, Split]) -> None:
    print(f"\n{'seconds':30}{'median':>8}{'least':>8}{'most':>8}{'with clocks':>14}")
    for name, values in seconds.items():
        with_clocks = f"{clocks[name].whole:14.2f}" if name in clocks else ""
        print(f"{name:30}{now.medians[name]:8.2f}{min(values):8.2f}{max(values):8.2f}{with_clocks}")
    print(f"\n{now.machine}; {now.load}")
    print("\n" + "\n".join(figures.against_what_is_wanted(now)))
    print("\nWhere the time goes, of the playbooks:\n" + "\n".join(to_lines(clocks)), flush=True)


def main() -> None:
    work = sys.argv[1]
    keeps, rounds = bool(os.environ.get("KEEP")), int(os.environ.get("ROUNDS") or ROUNDS)
    print("bench: build the patch", flush=True)
    timed(["ansible-playbook", str(HERE.parents[1] / "examples" / "demo.yml"), "-e", f"work={work}", "-l", "builders"])
    busy = busy_processors()
    if keeps:
        check_fit(busy, rounds)
    seconds = measure(work, rounds)
    busy = max(busy, busy_processors())
    clocks = measure_with_clocks(work, min(rounds, ROUNDS_WITH_CLOCKS))
    now = Figures(
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        machine=machine(),
        load=f"{busy:.1f} processors busy with other work",
        rounds=rounds,
        medians={name: statistics.median(values) for name, values in seconds.items()},
    )
    show(seconds, now, clocks)
    kept = figures.read()
    grown = figures.grown(kept, now)
    print(f"\nBeside the figures that were kept on {kept.date}:")
    print("\n".join(grown or ["Nothing has grown by more than a tenth."]))
    if figures.not_compared(kept):
        print("Not compared, since these do not have them:", *figures.not_compared(kept), sep="\n  ")
    sys.stdout.flush()
    if keeps:
        check_fit(busy, rounds)
        figures.keep(now)
        print("bench: the figures are kept, in tests/bench/figures.yml and README.md")
    elif grown:
        sys.exit(f"bench: {len(grown)} of the ratios have grown by more than a tenth")


if __name__ == "__main__":
    main()
