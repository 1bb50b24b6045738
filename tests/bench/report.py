# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure the report of a large fleet: seconds and memory of the controller, by the number of hosts and fixes.

Run by "make bench-report". The hosts are invented: 20 kernels, for each host up to 20 patches of which some are flawed,
and one in 50 is unreachable. A release has files for the kernels before the one that contains the fix. Each size is
measured in a process of its own: the facts are read, compared, and written in the four formats that are the default,
with the report before. A second table has the formats for scanners, up to the most that they take.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.action.livepatch_report import STATING, WRITERS
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.changes import with_earlier
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.earlier import read_earlier
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release, read_releases
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.vex import MOST_STATEMENTS, Publisher, state
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic

SIZES = ((100, 10), (1_000, 100), (2_500, 250), (5_000, 500), (10_000, 1_000))
SIZES_OF_STATEMENTS = ((100, 10), (1_000, 100), (MOST_STATEMENTS // 50, 50), (MOST_STATEMENTS // 1_000, 1_000))
MOST_SECONDS, MOST_MEBIBYTES = 60, 1024
KERNELS = [f"6.6.0-{number}.0.0.{number}.oe2403.x86_64" for number in range(1, 21)]


def fix_of(number: int) -> str:
    return f"CVE-2026-{number:04}"


def release(number: int, dice: random.Random) -> synthetic.Plain:
    fix, without = fix_of(number), dice.randint(10, 20)
    files = [{"kernel_release": kernel, "sha256": synthetic.digest(fix, kernel)} for kernel in KERNELS[:without]]
    about = {"id": fix, "title": "A fix", "severity": "important", "cves": [fix]}
    return synthetic.release(
        0, {"fix": about, "name": synthetic.patch_name(fix), "fixed_in": KERNELS[without:], "files": files}
    )


def answer(fixes: int, dice: random.Random) -> Answer:
    if dice.random() < 0.02:
        return Answer(None, "Failed to connect to the host via ssh: Connection timed out")
    kernel = dice.choice(KERNELS)
    numbers = dict.fromkeys(dice.randrange(fixes) for _number in range(dice.randrange(20)))
    patches = [
        synthetic.patch(fix, kernel, **synthetic.random_state(dice, fix, kernel, dice.random(), may_change=False))
        for fix in map(fix_of, numbers)
    ]
    version, release = kernel.removesuffix(".x86_64").split("-")
    package = {"manager": "rpm", "name": "kernel", "version": version, "release": release, "arch": "x86_64"}
    told = {"kernel": {"package": package}, "distribution": {"id": "openeuler"}}
    return Answer({**synthetic.host_facts(kernel, patches, []), **told})


def write_report(answers: dict[str, Answer], releases: tuple[Release, ...], folder: Path) -> None:
    before = folder / "before.json"
    fleet = fleet_of(answers, releases, synthetic.NOW)
    _name, as_json = WRITERS["json"]
    before.write_text(str(as_json(fleet)), encoding="utf-8")
    del fleet
    earlier = read_earlier(before.read_text(encoding="utf-8"), "before")
    fleet = fleet_of(answers, releases, synthetic.NOW + timedelta(hours=1))
    fleet = with_earlier(fleet, earlier, [])
    del earlier
    for name, write in WRITERS.values():
        content = write(fleet)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        del content


def write_statements(answers: dict[str, Answer], releases: tuple[Release, ...], folder: Path) -> None:
    fleet = fleet_of(answers, releases, synthetic.NOW)
    stated = state(fleet, Publisher("Example Operations", "https://operations.example.com"))
    for name, write in STATING.values():
        (folder / name).write_bytes(write(stated).encode())


TABLES = {"report": (SIZES, write_report), "statements": (SIZES_OF_STATEMENTS, write_statements)}


def measure(hosts: int, fixes: int, table: str) -> None:
    dice = random.Random(1)
    answers = {f"host-{number:05}.example.org": answer(fixes, dice) for number in range(hosts)}
    sources = [(f"release {number}", release(number, dice)) for number in range(fixes)]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        _sizes, write = TABLES[table]
        write(answers, read_releases(sources), Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = seconds * 1e6 / (hosts * fixes)
    print(f"{hosts:10}{fixes:8}{seconds:10.1f}{memory:10.0f}{each:14.2f}{size / 1e6:10.0f}", flush=True)
    if seconds > MOST_SECONDS or memory > MOST_MEBIBYTES:
        sys.exit(f"bench: wanted are at most {MOST_SECONDS} s and {MOST_MEBIBYTES} MiB")


def main() -> None:
    for table, (sizes, _write) in TABLES.items():
        print(f"{table}\n{'hosts':>10}{'fixes':>8}{'seconds':>10}{'MiB':>10}{'us each':>14}{'MB':>10}", flush=True)
        for hosts, fixes in sizes:
            subprocess.run([sys.executable, __file__, str(hosts), str(fixes), table], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    else:
        main()
