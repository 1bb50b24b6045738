# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patches for stop_machine kernels whose modules register and enable them, and those with symbols of a new form."""

from __future__ import annotations

import errno
import json
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.explain import explain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import rollback_steps
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import find
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    snapshot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_preflight import FINE
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_stop_machine_plan import (
    file_of,
    host,
    show,
)

FIXTURES = pathlib.Path(__file__).parent / "fixtures"

# Names in the fixture, and others of their lengths.
LOCKS, REGISTERS = b"_raw_spin_lock_irq\0", b"klp_register_patch\0"
ENABLES, NOTHING = b"klp_enable_patch\0", b"klp_nobody_knows\0"


def own(name: str = "fix", **changes: t.Any) -> PatchFile:
    return patch_file(name, abi=STOP_MACHINE, enables_itself=True, **changes)


@pytest.mark.parametrize(
    ("changes", "abi", "expected"),
    [
        ({}, "per_task", True),
        ({LOCKS: REGISTERS}, "stop_machine", True),
        ({LOCKS: REGISTERS, ENABLES: NOTHING}, "stop_machine", False),
    ],
)
def test_what_a_module_calls_tells_whether_loading_enables_it(
    tmp_path: pathlib.Path, changes: dict[bytes, bytes], abi: str, expected: bool
) -> None:
    content = (FIXTURES / "livepatch_0001_test.ko").read_bytes()
    for old, new in changes.items():
        assert content.count(old) == 1 and len(old) == len(new)
        content = content.replace(old, new)
    (tmp_path / "fix.ko").write_bytes(content)
    file = read_patch_file(str(tmp_path / "fix.ko"))
    assert (file.abi, file.enables_itself) == (abi, expected)
    assert PatchFile.from_dict(json.loads(json.dumps(file.to_dict()))).enables_itself is expected


def test_it_is_not_loaded_to_stay_disabled(tmp_path: pathlib.Path) -> None:
    model = ModelHost(tmp_path, abi=STOP_MACHINE)
    result = model.run("fix", State.PRESENT, own())
    assert (result["failed"], result["reason"], result["changed"]) == (True, "enables_itself", False)
    assert model.kernel.patches == []
    result = model.run("fix", State.ENABLED, own())
    assert (result["changed"], result["patch"]["enabled"], model.stack) == (True, True, ["fix"])
    result = model.run("fix", State.PRESENT, own())
    assert (result["changed"], model.stack) == (False, ["fix"])
    result = model.run("fix", State.DISABLED)
    assert (result["changed"], model.stack) == (True, [])
    result = model.run("fix", State.ENABLED, own())
    assert (result["changed"], model.stack) == (True, ["fix"])


def test_a_file_for_the_other_abi_is_no_such_file(tmp_path: pathlib.Path) -> None:
    """Each of those enables itself; that it is for another kernel says more."""
    result = ModelHost(tmp_path, abi=STOP_MACHINE).run("fix", State.PRESENT, patch_file(enables_itself=True))
    assert (result["failed"], result["reason"]) == (True, "wrong_abi")


def test_another_build_of_it_is_not_exchanged_to_stay_disabled() -> None:
    before = snapshot(loaded(patch_file(abi=STOP_MACHINE), False), abi=STOP_MACHINE, stacking_enforced=False)
    other = own(build_id="other", sha256="0" * 64)
    assert show(make_plan(before, Wanted("fix", State.PRESENT, other, reload=True))) == "! enables_itself"
    before = snapshot(loaded(patch_file(abi=STOP_MACHINE)), abi=STOP_MACHINE, stacking_enforced=False)
    plan = make_plan(before, Wanted("fix", State.PRESENT, other, reload=True))
    assert show(plan) == "disable fix, unload fix, load fix, enable fix"


def test_it_is_loaded_only_when_others_have_made_room() -> None:
    """A patch that is only registered is loaded first; this one would come up below what is then enabled again."""
    before = host("a1+ b2+", stacking_enforced=True)
    early, late = (
        make_plan(
            before,
            Wanted(
                "c3",
                State.ENABLED,
                file_of("c3", enables_itself=enables_itself),
                on_covered=OnCovered.UNSTACK,
                supersedes=("a1",),
            ),
        )
        for enables_itself in (False, True)
    )
    assert show(early).startswith("load c3, ")
    assert show(late).split(", ")[-2:] == ["load c3", "enable c3"]
    assert sorted(show(early).split(", ")) == sorted(show(late).split(", "))
    before = host("a1+ b2+")
    plan = make_plan(before, Wanted("c3", State.ENABLED, file_of("c3", enables_itself=True)))
    assert [patch.name for patch in predict(before, plan).patches if patch.enabled] == ["a1", "b2", "c3"]


@pytest.mark.parametrize("was_enabled", [True, False])
def test_it_comes_back_as_it_was(was_enabled: bool) -> None:
    file = own()
    before = snapshot(loaded(file, was_enabled), abi=STOP_MACHINE, stacking_enforced=False)
    now = snapshot(abi=STOP_MACHINE, stacking_enforced=False)
    plan = make_plan(before, Wanted("fix", State.ABSENT))
    steps = rollback_steps(before, now, plan, {"fix": file})
    assert [step.action for step in steps] == [
        Action.LOAD,
        Action.DISABLE,
        *([Action.ENABLE] if was_enabled else []),
    ]
    (patch,) = predict(now, type(plan)(tuple(steps))).patches
    assert patch.enabled is was_enabled


@pytest.mark.parametrize(("busy", "works"), [(2, True), (9, False)])
def test_a_busy_function_is_tried_again_and_told(tmp_path: pathlib.Path, busy: int, works: bool) -> None:
    model = ModelHost(tmp_path, abi=STOP_MACHINE, busy={"fix": busy})
    result = model.run("fix", State.ENABLED, own())
    assert (model.stack, result["changed"]) == ((["fix"], True) if works else ([], False))
    if not works:
        assert result["reason"] == "function_busy"
        assert model.kernel.patches == []


def test_only_what_names_its_line_is_told_of_a_load() -> None:
    line = "livepatch: func cmdline_proc_show is in use!"
    assert explain(Action.LOAD, errno.EAGAIN, (line,), STOP_MACHINE).reason == "function_busy"
    assert explain(Action.LOAD, errno.EBUSY, (), STOP_MACHINE).reason == "already_loaded"


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        (b".klp.sym.vmlinux-one,24", True),
        (b".klp.sym.vmlinux.one-4,2", False),
        (b".klp.sym.vmlinux.onetwo,", False),
    ],
)
def test_symbols_by_the_name_of_another_one_are_seen(tmp_path: pathlib.Path, symbol: bytes, expected: bool) -> None:
    content = (FIXTURES / "livepatch_0001_test.ko").read_bytes()
    start = content.index(b".klp.sym.vmlinux.")
    end = content.index(b"\0", start)
    symbol = symbol.replace(b"one", b"o" * (3 + end - start - len(symbol)))
    assert len(symbol) == end - start
    (tmp_path / "fix.ko").write_bytes(content[:start] + symbol + content[end:])
    assert read_patch_file(str(tmp_path / "fix.ko")).long_symbols is expected


@pytest.mark.parametrize(
    ("known", "expected"), [(True, []), (False, [("bad_relocation", "refuse")]), (None, [("bad_relocation", "warn")])]
)
def test_such_symbols_need_a_kernel_that_knows_them(known: bool | None, expected: list[tuple[str, str]]) -> None:
    before = snapshot(abi=STOP_MACHINE, stacking_enforced=False, long_symbols=known)
    for long_symbols in (True, False):
        file = patch_file(abi=STOP_MACHINE, long_symbols=long_symbols)
        steps = make_plan(before, Wanted("fix", State.ENABLED, file)).steps
        found = find(Circumstances(before, FINE, steps))
        told = [(finding.reason, finding.severity) for finding in found if finding.reason == "bad_relocation"]
        assert told == (expected if long_symbols else [])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("CONFIG_LIVEPATCH=y\nCONFIG_LIVEPATCH_LONG_SYMBOL_SUPPORT=y\n", True),
        ("CONFIG_LIVEPATCH=y\n", False),
        (None, None),
    ],
)
def test_the_configuration_tells_whether_a_kernel_knows_them(
    tmp_path: pathlib.Path, config: str | None, expected: bool | None
) -> None:
    for folder in ("lib/modules/6.6.0", "proc/sys/kernel", "sys/kernel/livepatch"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.6.0\n")
    (tmp_path / "proc/modules").write_text("")
    if config is not None:
        (tmp_path / "lib/modules/6.6.0/config").write_text(config)
    assert read_snapshot(Files(str(tmp_path))).long_symbols is expected
