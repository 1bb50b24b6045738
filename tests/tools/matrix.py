# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sanity and unit tests on every supported ansible-core and on the Pythons that managed hosts have."""

from __future__ import annotations

import os
import time
from pathlib import Path

from runner import ansible_test, interpreters, supported_pythons
from toolbox import Stop, venv

# ansible-core and the Pythons that it can run on itself, oldest first: the first one that is here is used.
CORES = {
    "2.16": ("ansible-core >=2.16.19, <2.17", ("3.10", "3.11", "3.12")),
    "2.17": ("ansible-core ~=2.17.0", ("3.10", "3.11", "3.12")),
    "2.18": ("ansible-core ~=2.18.0", ("3.11", "3.12", "3.13")),
    "2.19": ("ansible-core ~=2.19.0", ("3.11", "3.12", "3.13")),
    "2.20": ("ansible-core ~=2.20.0", ("3.12", "3.13", "3.14")),
    "2.21": ("ansible-core ~=2.21.0", ("3.12", "3.13", "3.14")),
}
TARGETS = ("3.7", "3.9", "3.11", "3.13")


def matrix() -> None:
    """Run what this machine can, and print all combinations. Raises Stop if one fails, or a named core did not run."""
    rows: list[tuple[str, str]] = []
    named = os.environ.get("CORES", "").split()
    idle: list[str] = []
    for core in named or CORES:
        if core not in CORES:
            raise Stop(f"CORES names {core}, and the versions of ansible-core here are {', '.join(CORES)}.")
        requirement, controllers = CORES[core]
        of_core = one_core(core, requirement, controllers)
        rows += of_core
        if all(outcome.startswith("not run") for _what, outcome in of_core):
            idle.append(core)
    print("\n    matrix of ansible-core and target Python:")
    for what, outcome in rows:
        print(f"      {what:40} {outcome}")
    failed = [what for what, outcome in rows if outcome.startswith("FAILED")]
    if failed:
        raise Stop(f"{len(failed)} of the matrix failed: {'; '.join(failed)}.")
    if named and idle:
        raise Stop(f"CORES names {', '.join(idle)}, of which nothing could be run.")
    if not any(outcome.startswith("ok") for _what, outcome in rows):
        raise Stop("Nothing of the matrix could be run.")


def one_core(core: str, requirement: str, controllers: tuple[str, ...]) -> list[tuple[str, str]]:
    """Run the sanity tests once and for each target Python, and the unit tests for each, on one ansible-core."""
    found = interpreters()
    controller = next((version for version in controllers if version in found), None)
    if not controller:
        return [(f"core {core}", f"not run: no Python {' or '.join(controllers)} on this machine")]
    environment = venv(f"core-{core}", requirement, found[controller])
    supported, _own = supported_pythons(environment)
    rows: list[tuple[str, str]] = []
    targets = []
    for target in TARGETS:
        if target not in supported:
            rows.append((f"core {core} target {target}", f"not run: ansible-core {core} does not support it"))
        elif target not in found:
            rows.append((f"core {core} target {target}", f"not run: no Python {target} on this machine"))
        else:
            targets.append(target)

    sanity = ["sanity", "--controller", f"origin:python={controller}"]
    for target in targets:
        sanity += ["--target-python", target]
    rows.append(attempt(f"core {core} sanity {', '.join(targets)}", environment, sanity))
    for target in targets:
        units = ["units", "--venv", "--python", target]
        rows.append(attempt(f"core {core} units {target}", environment, units))
    return rows


def attempt(what: str, environment: Path, arguments: list[str]) -> tuple[str, str]:
    """Run ansible-test once and return a row of the table."""
    started = time.monotonic()
    print(f"\n    {what}", flush=True)
    try:
        ansible_test(environment, *arguments)
    except Stop:
        return what, f"FAILED after {time.monotonic() - started:.0f} s"
    return what, f"ok in {time.monotonic() - started:.0f} s"
