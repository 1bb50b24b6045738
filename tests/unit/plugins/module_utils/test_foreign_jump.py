# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jumps that another tool has written at the entries of functions, found before a patch is enabled."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.jumps import (
    NOT_LOOKED_FOR,
    ForeignJump,
    Jumps,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import find_symbols
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import find
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.foreign import find_jumps
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    loaded,
    patch_file,
    snapshot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_kernel_text import (
    FUNCTION,
    KALLSYMS,
    NEW,
    NOP5,
    OLD,
    jump,
    kcore,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_preflight import FINE

OTHER = NEW + 64
SYMBOLS = (
    f"{KALLSYMS}{OLD + 4096:016x} T tail\n{NEW + 0x1000:016x} t slot\t[__builtin__kprobes]\n"
    f"{NEW + 0x2000:016x} t prog\t[bpf]\n"
)
FIX = patch_file(abi=STOP_MACHINE, functions=(FUNCTION,))
IN_MODULE = Function("another", "other")


def write(root: pathlib.Path, memory: bytes, symbols: str = SYMBOLS, address: int = OLD) -> Files:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/kallsyms").write_text(symbols)
    (root / "proc/kcore").write_bytes(kcore(memory, address))
    return Files(str(root))


def look(files: Files, host: Snapshot | None = None, function: Function = FUNCTION, symbols: str = SYMBOLS) -> Jumps:
    known = find_symbols(symbols.encode(), [(function.object, function.name)])
    host = host or snapshot(abi=STOP_MACHINE, stacking_enforced=False)
    return find_jumps(files, host, known, [function])


def findings(jumps: Jumps, state: State = State.ENABLED) -> list[Finding]:
    before = snapshot(abi=STOP_MACHINE, stacking_enforced=False)
    steps = make_plan(before, Wanted("fix", state, FIX)).steps
    found = find(dataclasses.replace(Circumstances(before, FINE, steps), jumps=jumps))
    return [finding for finding in found if finding.reason == "foreign_jump"]


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (NOP5 + bytes(32), ()),
        (bytes(32), ()),
        (jump(OTHER), (ForeignJump(FUNCTION, OTHER, "another"),)),
        (jump(OTHER + 4), (ForeignJump(FUNCTION, OTHER + 4, "another"),)),
        (NOP5 + jump(OTHER, 5), (ForeignJump(FUNCTION, OTHER, "another"),)),
        (jump(NEW + 0x20000000), (ForeignJump(FUNCTION, NEW + 0x20000000, None),)),
        # A function that only calls another one ends in such a jump, and has not seldom nothing before it.
        (jump(OLD + 4096), ()),
        (NOP5 + jump(OLD + 4100, 5), ()),
        # These are found by the checks of kprobes and of ftrace.
        (jump(NEW + 0x1000), ()),
        (jump(NEW + 0x2000), ()),
    ],
)
def test_a_jump_to_code_of_somebody_else(
    tmp_path: pathlib.Path, memory: bytes, expected: tuple[ForeignJump, ...]
) -> None:
    assert look(write(tmp_path, memory)) == Jumps(expected)


@pytest.mark.parametrize(("enabled", "count"), [(True, 0), (False, 1)])
def test_an_enabled_patch_explains_its_jump(tmp_path: pathlib.Path, enabled: bool, count: int) -> None:
    host = snapshot(loaded(FIX, enabled), abi=STOP_MACHINE, stacking_enforced=False)
    assert len(look(write(tmp_path, jump(NEW)), host).foreign) == count


def test_a_function_of_a_module_may_end_in_a_call_of_the_kernel(tmp_path: pathlib.Path) -> None:
    host = snapshot(abi=STOP_MACHINE, modules=frozenset(["another"]))
    code = b"\xe9" + (OLD - OTHER - 5).to_bytes(4, "little", signed=True) + bytes(32)
    assert look(write(tmp_path, code, address=OTHER), host, IN_MODULE) == Jumps()
    code = b"\xe9" + (NEW - OTHER - 5).to_bytes(4, "little", signed=True) + bytes(32)
    jumps = look(write(tmp_path, code, address=OTHER), host, IN_MODULE)
    assert jumps.foreign == (ForeignJump(IN_MODULE, NEW, "fix"),)
    # A module that is not loaded is not looked at.
    assert look(write(tmp_path, code), function=IN_MODULE) is NOT_LOOKED_FOR


@pytest.mark.parametrize(
    ("host", "remove"),
    [
        ({"abi": PER_TASK}, ""),
        ({"abi": STOP_MACHINE, "machine": "ppc64le"}, ""),
        ({"abi": STOP_MACHINE}, "proc/kcore"),
    ],
)
def test_where_nothing_is_looked_for(tmp_path: pathlib.Path, host: dict[str, t.Any], remove: str) -> None:
    files = write(tmp_path, jump(OTHER))
    if remove:
        os.unlink(tmp_path / remove)
    assert look(files, snapshot(**host)) is NOT_LOOKED_FOR


@pytest.mark.parametrize(
    ("memory", "symbols", "says"),
    [
        (jump(OTHER)[:8], SYMBOLS, "does not show the address"),
        (jump(OTHER), SYMBOLS.replace(f"{OLD:016x}", "0" * 16), "does not show the address of vmlinux/cmdline"),
        (b"", SYMBOLS, "does not show the address 0x"),
    ],
)
def test_what_cannot_be_looked_at_is_told(tmp_path: pathlib.Path, memory: bytes, symbols: str, says: str) -> None:
    jumps = look(write(tmp_path, memory, symbols), symbols=symbols)
    assert jumps.foreign == ()
    assert says in jumps.why_unknown
    (finding,) = findings(jumps)
    assert finding.severity == INFO
    assert says in finding.seen


def test_a_core_that_cannot_be_opened_is_told(tmp_path: pathlib.Path) -> None:
    files = write(tmp_path, b"")
    os.unlink(tmp_path / "proc/kcore")
    (tmp_path / "proc/kcore").mkdir()
    assert look(files).why_unknown == "/proc/kcore cannot be read (Is a directory)"


@pytest.mark.parametrize(
    ("jump_found", "severity", "says"),
    [
        (ForeignJump(FUNCTION, OTHER, "another"), REFUSE, "in the module another"),
        (ForeignJump(FUNCTION, OTHER, None), WARN, "in memory of no module"),
        (ForeignJump(IN_MODULE, NEW, "fix"), WARN, "in the module fix"),
    ],
)
def test_what_is_certain_is_refused(jump_found: ForeignJump, severity: str, says: str) -> None:
    (finding,) = findings(Jumps((jump_found,)))
    assert (finding.severity, says in finding.seen) == (severity, True)
    assert not findings(NOT_LOOKED_FOR)


def test_only_what_is_enabled_is_looked_at() -> None:
    before = snapshot(loaded(FIX, False), abi=STOP_MACHINE, stacking_enforced=False)
    for state, expected in ((State.ENABLED, (FUNCTION,)), (State.PRESENT, ()), (State.ABSENT, ())):
        for host, file in ((before, None), (snapshot(abi=STOP_MACHINE, stacking_enforced=False), FIX)):
            steps = make_plan(host, Wanted("fix", state, file)).steps
            assert Circumstances(host, FINE, steps).coming_up == expected


class Observing(ModelKernel):
    """A kernel whose symbols have addresses."""

    def conditions(self, release: str, name: str, functions: t.Iterable[Function]) -> t.Any:
        names = [(function.object, function.name) for function in functions]
        return dataclasses.replace(FINE, symbols=find_symbols(SYMBOLS.encode(), names))


class ObservedHost(ModelHost):
    kind = Observing


def test_a_task_is_refused_unless_it_ignores_the_jump(tmp_path: pathlib.Path) -> None:
    model = ObservedHost(tmp_path, abi=STOP_MACHINE)
    write(tmp_path, jump(OTHER))
    result = model.run("fix", State.ENABLED, FIX)
    assert (result["failed"], result["reason"], result["changed"]) == (True, "foreign_jump", False)
    assert model.kernel.patches == []
    assert model.run("fix", State.PRESENT, FIX)["changed"]
    write(tmp_path, NOP5 + bytes(32))
    assert model.run("fix", State.ENABLED, FIX)["patch"]["enabled"]
