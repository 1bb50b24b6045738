# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels with CONFIG_LIVEPATCH_ISOLATE_KPROBE patch behind the entry: who else may be there, and who may not."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import read_conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Symbol
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import Kprobe, Traced, read_traceable
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import find
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    snapshot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_preflight import FINE

NAME = "cmdline_proc_show"
FUNCTION = Function("vmlinux", NAME)
AT = 0xFFFF0000
TRACEABLE = frozenset([("vmlinux", NAME)])


def findings(
    isolated: bool | None = True, machine: str = "x86_64", state: State = State.ENABLED, **conditions: t.Any
) -> list[Finding]:
    file = patch_file(abi=STOP_MACHINE, functions=(FUNCTION,), machine=machine)
    before = snapshot(
        *([] if state == State.ENABLED else [loaded(file)]),
        abi=STOP_MACHINE,
        stacking_enforced=False,
        kprobes_isolated=isolated,
        machine=machine,
    )
    plan = make_plan(before, Wanted("fix", state, file if state == State.ENABLED else None))
    assert not plan.refusals
    observed = dataclasses.replace(FINE, traceable=TRACEABLE, **conditions)
    return find(Circumstances(before, observed, plan.intended))


def seen(*args: t.Any, **keywords: t.Any) -> list[tuple[str, str]]:
    return [(finding.reason, finding.severity) for finding in findings(*args, **keywords)]


def probe(offset: int, **more: t.Any) -> Kprobe:
    return Kprobe("vmlinux", NAME, offset, AT + offset, **more)


@pytest.mark.parametrize("state", [State.ENABLED, State.DISABLED])
@pytest.mark.parametrize(
    ("isolated", "machine", "offset", "severity"),
    [
        (True, "x86_64", 0, WARN),
        (True, "x86_64", 4, WARN),
        (True, "x86_64", 5, REFUSE),
        (True, "aarch64", 4, WARN),
        (True, "aarch64", 8, REFUSE),
        (True, "riscv64", 0, REFUSE),
        (False, "x86_64", 0, REFUSE),
        (None, "x86_64", 0, REFUSE),
    ],
)
def test_a_kprobe_at_the_entry_may_stay_where_the_kernel_patches_behind_it(
    isolated: bool | None, machine: str, offset: int, severity: str, state: State
) -> None:
    assert seen(isolated, machine, state, kprobes=(probe(offset),)) == [("kprobe", severity)]


@pytest.mark.parametrize(
    ("release", "severity"),
    [
        ("5.10.0-201.0.0.114.oe2203sp3.x86_64", REFUSE),
        ("5.10.0-206.0.0.116.oe2203sp3.x86_64", REFUSE),
        ("5.10.0-207.0.0.116.oe2203sp3.x86_64", WARN),
        ("5.10.0-203.0.0.1.oe2203sp4.aarch64", REFUSE),
        ("5.10.0-204.0.0.1.oe2203sp4.aarch64", WARN),
        ("6.6.0-31.0.0.1.oe2403.x86_64", WARN),
    ],
)
def test_the_first_kernels_that_isolate_looked_for_the_wrong_entries(release: str, severity: str) -> None:
    file = patch_file(abi=STOP_MACHINE, functions=(FUNCTION,))
    before = snapshot(abi=STOP_MACHINE, stacking_enforced=False, kprobes_isolated=True, release=release)
    plan = make_plan(before, Wanted("fix", State.ENABLED, file))
    observed = dataclasses.replace(FINE, kprobes=(probe(0),), traced=(TRACER,), traceable=TRACEABLE)
    found = {finding.reason: finding.severity for finding in find(Circumstances(before, observed, plan.intended))}
    assert (found["kprobe"], found["ftrace_user"]) == (severity, severity)


def test_a_function_that_ftrace_cannot_trace_is_patched_at_its_entry() -> None:
    """It has nothing at the entry that the kernel could keep. What is not known is not taken for room."""
    untraceable: tuple[frozenset[t.Any] | None, ...] = (frozenset(), None)
    for traceable in untraceable:
        observed = dataclasses.replace(FINE, kprobes=(probe(0),), traceable=traceable)
        file = patch_file(abi=STOP_MACHINE, functions=(FUNCTION,))
        before = snapshot(abi=STOP_MACHINE, stacking_enforced=False, kprobes_isolated=True)
        plan = make_plan(before, Wanted("fix", State.ENABLED, file))
        (finding,) = find(Circumstances(before, observed, plan.intended))
        assert (finding.reason, finding.severity) == ("kprobe", REFUSE)


def test_a_kprobe_that_ftrace_calls_shows_that_ftrace_has_room() -> None:
    observed = {"kprobes": (probe(0, by_ftrace=True),)}
    assert seen(**observed) == [("kprobe", WARN)]


def test_kprobes_at_both_places_are_told_apart() -> None:
    deeper, entry = findings(kprobes=(probe(0), probe(16)))
    assert (deeper.severity, entry.severity) == (REFUSE, WARN)
    assert (deeper.seen, entry.seen) == (
        f"A kprobe is set in {NAME} (at +0x10).",
        f"A kprobe is set at the entry of {NAME} (at +0x0).",
    )
    assert "CONFIG_LIVEPATCH_ISOLATE_KPROBE" in entry.why


TRACER = Traced("vmlinux", NAME, 1, text="tramp: 0xc1 (function_trace_call+0x0/0x170)")


@pytest.mark.parametrize(
    ("isolated", "traced", "severity"),
    [
        (True, TRACER, WARN),
        (True, dataclasses.replace(TRACER, direct=True), WARN),
        # Whoever redirects calls at the entry leads them away from the patch behind it.
        (True, dataclasses.replace(TRACER, ip_modify=True), REFUSE),
        (False, TRACER, REFUSE),
        (None, TRACER, REFUSE),
    ],
)
def test_tracers_at_the_entry(isolated: bool | None, traced: Traced, severity: str) -> None:
    assert seen(isolated, traced=(traced,)) == [("ftrace_user", severity)]


def test_tracing_that_cannot_be_seen_is_not_said_to_break() -> None:
    (broken,), (spared,) = findings(False, traced=None), findings(traced=None)
    assert broken.why.endswith("On this kernel the patch would break tracing.")
    assert spared.why == "Whether somebody traces the functions is unknown."


@pytest.mark.parametrize(
    ("machine", "size", "expected"),
    [
        ("x86_64", 4, [("function_too_short", REFUSE)]),
        ("x86_64", 5, [("function_too_short", WARN)]),
        ("x86_64", 9, [("function_too_short", WARN)]),
        ("x86_64", 10, []),
        ("aarch64", 23, [("function_too_short", WARN)]),
        ("aarch64", 24, []),
    ],
)
def test_whether_the_kernel_counts_from_behind_the_entry_is_unknown(
    machine: str, size: int, expected: list[tuple[str, str]]
) -> None:
    symbols = {("vmlinux", NAME): (Symbol(AT, size),)}
    assert seen(True, machine, symbols=symbols) == expected


# ---- what is read ----


def write(root: pathlib.Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


FUNCTIONS = f"schedule\n{NAME}\next4_readdir [ext4]\nxfs_readdir [xfs]\n"


def test_what_ftrace_can_trace(tmp_path: pathlib.Path) -> None:
    names = {("vmlinux", NAME), ("ext4", "ext4_readdir"), ("vmlinux", "xfs_readdir"), ("vmlinux", "notraced")}
    assert read_traceable(Files(str(tmp_path)), names) is None
    write(tmp_path, "sys/kernel/debug/tracing/available_filter_functions", FUNCTIONS)
    assert read_traceable(Files(str(tmp_path)), names) == frozenset([("vmlinux", NAME), ("ext4", "ext4_readdir")])


def test_the_long_list_is_read_for_kprobes_alone(tmp_path: pathlib.Path) -> None:
    """It has some 60,000 lines, which the kernel makes anew for each reader."""
    write(tmp_path, "sys/kernel/tracing/available_filter_functions", FUNCTIONS)
    write(tmp_path, "sys/kernel/debug/kprobes/list", "ffffffff81000000  k  schedule+0x0    \n")
    assert read_conditions(Files(str(tmp_path)), "6.6.0", "fix", [FUNCTION]).traceable == frozenset()
    write(tmp_path, "sys/kernel/debug/kprobes/list", f"ffffffff81000000  k  {NAME}+0x0    \n")
    assert read_conditions(Files(str(tmp_path)), "6.6.0", "fix", [FUNCTION]).traceable == TRACEABLE


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("CONFIG_LIVEPATCH=y\nCONFIG_LIVEPATCH_WO_FTRACE=y\nCONFIG_LIVEPATCH_ISOLATE_KPROBE=y\n", True),
        ("CONFIG_LIVEPATCH=y\nCONFIG_LIVEPATCH_WO_FTRACE=y\n# CONFIG_LIVEPATCH_ISOLATE_KPROBE is not set\n", False),
        ("CONFIG_LIVEPATCH=y\n", None),
        (None, None),
    ],
)
def test_the_snapshot_has_the_option(tmp_path: pathlib.Path, config: str | None, expected: bool | None) -> None:
    write(tmp_path, "proc/sys/kernel/osrelease", "6.6.0\n")
    write(tmp_path, "proc/modules", "")
    (tmp_path / "sys/kernel/livepatch").mkdir(parents=True)
    if config is not None:
        write(tmp_path, "lib/modules/6.6.0/config", config)
    if config is None or "WO_FTRACE" in config:
        write(tmp_path, "proc/livepatch/state", "")
    assert read_snapshot(Files(str(tmp_path))).kprobes_isolated is expected
