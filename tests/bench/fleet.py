# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure what fleets cost the controller: facts, report and rollout, beside pings of as many round trips.

Run by "make bench-fleet". The hosts are scripted: the connection plugin of this folder answers at once, so that neither
a network nor a host is measured. ansible-runner runs the playbooks, as AWX does. CPU seconds are those of all its
processes, which other work on the machine changes little.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.openeuler.livepatch.tests.bench import scripted_host

HERE = Path(__file__).resolve().parent
COLLECTIONS = HERE.parents[4]
SIZES = (10, 100, 1_000)
FORKS = 20
MOST_OF_PINGS = 1.5
SECONDS_BETWEEN_LOOKS = 0.5

READ_FACTS = [{"name": "Read the live patches", "openeuler.livepatch.livepatch_facts": None}]
PING = {"name": "Ping", "ansible.builtin.ping": None}


@dataclass(frozen=True)
class Cost:
    """What a run of a playbook has cost; `trips` are the round trips to each host, by module."""

    seconds: float
    cpu_seconds: float
    mebibytes: float
    trips: dict[str, float]


def play(tasks: list[dict[str, t.Any]]) -> str:
    """A playbook of these tasks. JSON is YAML."""
    return json.dumps([{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}])


def release(file: Path) -> dict[str, t.Any]:
    """The content of release.yml of this file for the scripted hosts."""
    patch, facts = scripted_host.patch(), scripted_host.answers()["livepatch_facts"][scripted_host.BEFORE]
    kernel = facts["ansible_facts"]["ansible_livepatch"]
    entry = {"path": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "machine": kernel["machine"]}
    entries = [{**entry, "kernel_release": kernel["release"]}]
    fix = {"id": "CVE-2026-0001", "cves": ["CVE-2026-0001"]}
    known = {"format": 1, "fix": fix, "name": patch.name, "supersedes": [], "fixed_in": [], "files": entries}
    return {"livepatch_release": known}


class Fleet:
    """So many scripted hosts, in a folder as ansible-runner wants it."""

    def __init__(self, folder: Path, hosts: int) -> None:
        self.folder, self.hosts = folder, hosts
        scripted_host.write(folder)
        for name in ("inventory", "project", "env"):
            (folder / name).mkdir()
        names = [f"host-{number:05}.example.org" for number in range(hosts)]
        of_all = {"ansible_connection": "scripted", "ansible_python_interpreter": "/usr/bin/python3"}
        inventory = {"all": {"hosts": dict.fromkeys(names), "vars": of_all}}
        (folder / "inventory/hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
        file = Path(shutil.copy(scripted_host.PATCH_FILE, folder / "project"))
        (folder / "project/release.yml").write_text(json.dumps(release(file)), encoding="utf-8")
        variables = {
            "livepatch_release_file": "release.yml",
            "livepatch_rollout_soak": 0,
            "livepatch_report_directory": str(folder / "report"),
        }
        (folder / "env/extravars").write_text(json.dumps(variables), encoding="utf-8")

    def run(self, playbook: str, tasks: list[dict[str, t.Any]] | None = None) -> Cost:
        """Run a playbook of the collection, or one of these tasks."""
        if tasks is not None:
            (self.folder / "project" / playbook).write_text(play(tasks), encoding="utf-8")
        (self.folder / "trips").write_text("", encoding="utf-8")
        command = ["ansible-runner", "run", "--quiet", "--playbook", playbook, str(self.folder)]
        started = time.monotonic()
        with subprocess.Popen(
            command, env=self._environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            memory = Memory(process.pid)
            output = t.cast(t.IO[bytes], process.stdout).read()
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"bench: {playbook} failed:\n{output.decode()}{self._printed()[-4000:]}")
        trips = Counter((self.folder / "trips").read_text(encoding="utf-8").split())
        shutil.rmtree(self.folder / "artifacts")
        return Cost(
            time.monotonic() - started,
            usage.ru_utime + usage.ru_stime,
            memory.most(),
            {name: count / self.hosts for name, count in trips.items()},
        )

    def _printed(self) -> str:
        return "".join(path.read_text(encoding="utf-8") for path in self.folder.glob("artifacts/*/stdout"))

    def _environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection"),
            "ANSIBLE_FORKS": str(FORKS),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_PIPELINING": "1",
            "LIVEPATCH_SCRIPTED_HOSTS": str(self.folder),
        }


class Memory:
    """Looks how much memory a process and its descendants have, until it ends. What they share counts once."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._most = 0
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def most(self) -> float:
        """The most that was seen, in MiB, when the process has ended."""
        self._thread.join()
        return self._most / 1024

    def _look(self) -> None:
        while Path(f"/proc/{self._process}").exists():
            self._most = max(self._most, sum(map(proportional, descendants(self._process))))
            time.sleep(SECONDS_BETWEEN_LOOKS)


def descendants(process: int) -> list[int]:
    """A process and those that it has started, and these."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        children.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    found = [process]
    for each in found:
        found += children.get(each, [])
    return found


def proportional(process: int) -> int:
    """The memory of a process in KiB, in which what it shares with others counts in part."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


RUNS: dict[str, tuple[str, list[dict[str, t.Any]] | None]] = {
    "facts": ("facts.yml", READ_FACTS),
    "report": ("openeuler.livepatch.report", None),
    "rollout": ("openeuler.livepatch.rollout", None),
}


def measure(hosts: int) -> dict[str, float]:
    """Print what each costs for so many hosts. Returns the CPU seconds of each for a host."""
    each: dict[str, float] = {}
    pings: dict[int, Cost] = {}
    for name, (playbook, tasks) in RUNS.items():
        with tempfile.TemporaryDirectory() as folder:
            fleet = Fleet(Path(folder) / "runner", hosts)
            cost = fleet.run(playbook, tasks)
            trips = round(sum(cost.trips.values()))
            if trips not in pings:
                pings[trips] = fleet.run("pings.yml", [PING] * trips)
        of_pings = pings[trips]
        each[name] = cost.cpu_seconds / hosts
        show(hosts, name, trips, cost)
        show(hosts, "pings", trips, of_pings)
        ratio = cost.cpu_seconds / of_pings.cpu_seconds
        print(f"{name}: {ratio:.2f} of the pings (wanted: at most {MOST_OF_PINGS})", flush=True)
    return each


def show(hosts: int, name: str, trips: int, cost: Cost) -> None:
    each = cost.cpu_seconds / hosts * 1000
    numbers = f"{cost.seconds:9.1f}{cost.cpu_seconds:9.1f}{each:12.1f}{cost.mebibytes:8.0f}"
    print(f"{hosts:6}  {name:8}{trips:6}{numbers}", flush=True)


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    print(
        f"{FORKS} forks\n{'hosts':>6}  {'':8}{'trips':>6}{'seconds':>9}{'CPU s':>9}{'ms a host':>12}{'MiB':>8}",
        flush=True,
    )
    costs = {size: measure(size) for size in sizes}
    for earlier, later in itertools.pairwise(sizes):
        growth = [f"{name} {costs[later][name] / costs[earlier][name]:.2f}" for name in RUNS]
        print(f"CPU seconds of a host, {later} hosts to {earlier}: {', '.join(growth)}")


if __name__ == "__main__":
    main()
