# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a function must be for a stop_machine kernel, by openEuler's line and the architecture."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE, WARN
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Symbol
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import find
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file, snapshot
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_preflight import FINE

FUNCTION = Function("vmlinux", "cmdline_proc_show")

LINES = {
    "20.03-LTS": "4.19.90-2112.8.0.0131.oe1",
    "22.03-LTS": "5.10.0-60.18.0.50.oe2203",
    "22.03-LTS-SP1": "5.10.0-136.12.0.86.oe2203sp1",
    "22.03-LTS-SP4": "5.10.0-216.0.0.115.oe2203sp4",
    "24.03-LTS": "6.6.0-28.0.0.34.oe2403",
    "24.03-LTS-SP3": "6.6.0-132.0.0.111.oe2403sp3",
    "Linux with the emulation": "7.3.4-klp",
}

OLD, NEWER, NEWEST = list(LINES)[:2], list(LINES)[2:4], list(LINES)[4:]

# The lines of a machine, whether it has module PLTs; the shortest function that is neither refused, nor warned of.
LIMITS = [
    *((line, "x86_64", None, 5, 5) for line in LINES),
    # Only what is more than 128 MiB away needs four words. That is looked at when the patch is loaded.
    *((line, "aarch64", plts, 4, 16) for line in OLD for plts in (True, None)),
    *((line, "aarch64", False, 4, 4) for line in OLD),
    *((line, "aarch64", plts, 16, 16) for line in NEWER for plts in (True, None)),
    *((line, "aarch64", False, 4, 4) for line in NEWER),
    # The option is gone.
    *((line, "aarch64", plts, 16, 16) for line in NEWEST for plts in (True, False, None)),
    *((line, "riscv64", None, 24, 24) for line in NEWEST),
    *((line, "ppc64", None, 32, 32) for line in NEWER),
    *((line, "ppc", None, 16, 16) for line in NEWER),
]

# Behind what ftrace has at the entry. Whether the kernel counts from there is not known.
ISOLATED_LIMITS = [
    *((line, "x86_64", None, 5, 10) for line in ("22.03-LTS-SP4", "24.03-LTS-SP3", "Linux with the emulation")),
    *((line, "aarch64", True, 16, 24) for line in ("22.03-LTS-SP4", "24.03-LTS-SP3", "Linux with the emulation")),
]


def severity(line: str, machine: str, module_plts: bool | None, size: int, isolated: bool = False) -> str | None:
    release = f"{LINES[line]}.{machine}"
    file = patch_file(abi=STOP_MACHINE, machine=machine, functions=(FUNCTION,))
    host = snapshot(
        abi=STOP_MACHINE,
        machine=machine,
        release=release,
        stacking_enforced=False,
        module_plts=module_plts,
        kprobes_isolated=isolated,
    )
    conditions = dataclasses.replace(FINE, symbols={("vmlinux", FUNCTION.name): (Symbol(0xFFFF0000, size),)})
    found = find(Circumstances(host, conditions, make_plan(host, Wanted("fix", State.ENABLED, file)).steps))
    severities = [finding.severity for finding in found if finding.reason == "function_too_short"]
    assert len(severities) <= 1
    return severities[0] if severities else None


def check(
    line: str, machine: str, module_plts: bool | None, refused_below: int, warned_below: int, isolated: bool
) -> None:
    look = {size: severity(line, machine, module_plts, size, isolated) for size in range(1, warned_below + 2)}
    for size, found in look.items():
        expected = REFUSE if size < refused_below else WARN if size < warned_below else None
        assert found == expected, size


@pytest.mark.parametrize(("line", "machine", "module_plts", "refused_below", "warned_below"), LIMITS)
def test_the_shortest_function(
    line: str, machine: str, module_plts: bool | None, refused_below: int, warned_below: int
) -> None:
    check(line, machine, module_plts, refused_below, warned_below, isolated=False)


@pytest.mark.parametrize(("line", "machine", "module_plts", "refused_below", "warned_below"), ISOLATED_LIMITS)
def test_the_shortest_function_where_kprobes_are_isolated(
    line: str, machine: str, module_plts: bool | None, refused_below: int, warned_below: int
) -> None:
    check(line, machine, module_plts, refused_below, warned_below, isolated=True)
