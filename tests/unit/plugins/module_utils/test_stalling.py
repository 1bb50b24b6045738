# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stalls a transition, in which function, and what can be done about it."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnStall, Patience
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, StallingTask
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.stalling import (
    how_to_end,
    who_holds,
    with_held_by,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.transition import read_stalling_tasks
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    loaded,
    patch_file,
    said,
    snapshot,
)

BUSY = "busymod_work_func+0x1e/0x30 [busymod]"

STACK = ("msleep+0x2d/0x40", BUSY, "process_one_work+0x174/0x330", "worker_thread+0x251/0x390")

WORKER = StallingTask(7, 7, "kworker/0:0", STACK, is_kernel_thread=True)

SLEEP = StallingTask(42, 42, "sleep", is_kernel_thread=False)

FILE = patch_file(functions=(Function("busymod", "busymod_work_func"), Function("busymod", "other")))

THREAD = (
    "A kernel thread cannot be ended: stop what gives it work, or wait longer (timeout, on_stall: wait), then run the "
    "task again; or reboot the host."
)

FORCE = "The last resort is on_stall: force: tasks may run mixed code then."


@pytest.mark.parametrize(
    ("stat", "expected"),
    [
        # Of Linux 6.12: fs/proc/array.c, do_task_stat().
        ("7 (kworker/0:0-events) I 2 0 0 0 -1 69238880 0 0 0 0 0 0", True),
        ("42 (sleep) S 1 42 1 34816 42 4194304 94 0 0 0 0 0", False),
        ("42 (a) S 1 2 3 4 5 69238880 (b) S 1 42 1 34816 42 4194304 94", False),
        ("42 (sleep) S 1", None),
        ("42 (sleep) S 1 42 1 34816 42 many 94", None),
        (None, None),
    ],
)
def test_a_kernel_thread_is_known_by_its_flags(tmp_path: pathlib.Path, stat: str | None, expected: bool | None) -> None:
    task = tmp_path / "proc/7/task/7"
    task.mkdir(parents=True)
    (task / "patch_state").write_text("0\n")
    if stat is not None:
        (task / "stat").write_text(stat + "\n")
    (found,) = read_stalling_tasks(Files(str(tmp_path)), enabling=True)
    assert found.is_kernel_thread is expected


@pytest.mark.parametrize(
    ("frame", "enabling", "disabling"),
    [
        (BUSY, True, False),
        # The old code may be that of a patch below, under another name.
        ("klp_busy+0x1e/0x30 [older]", True, False),
        ("klp_busy+0x1e/0x30 [fix]", False, True),
        ("busymod_work_func+0x1e/0x30", False, False),
        ("busymod_work_func+0x1e/0x30 [namesake]", False, False),
        ("busymod_work_func_2+0x1e/0x30 [busymod]", False, False),
        ("klp_busy+0x1e/0x30 [unrelated]", False, False),
        ("0xffffffffc0400010", False, False),
        ("", False, False),
    ],
)
def test_the_code_that_has_to_be_left_is_what_holds_a_task(frame: str, enabling: bool, disabling: bool) -> None:
    task = StallingTask(7, 7, "kworker", ("msleep+0x2d/0x40", frame, "kthread+0xcf/0x100"))
    others = loaded(patch_file("older", functions=FILE.functions)), loaded(patch_file("unrelated"))
    for value, expected in ((True, enabling), (False, disabling)):
        moving = loaded(FILE, enabled=value, in_transition=True, functions=FILE.functions)
        (found,) = with_held_by([task], snapshot(*others, moving))
        assert found.held_by == (frame if expected else None)


def test_without_a_transition_nothing_holds() -> None:
    assert with_held_by([WORKER], snapshot(loaded(FILE))) == (WORKER,)


@pytest.mark.parametrize(
    ("tasks", "on_stall", "expected"),
    [
        ([SLEEP], OnStall.ROLL_BACK, "End or wake those tasks, or set a longer timeout, then run the task again."),
        (
            [WORKER],
            OnStall.ROLL_BACK,
            f"{THREAD} {FORCE}",
        ),
        (
            [WORKER, SLEEP],
            OnStall.FORCE,
            f"{THREAD} End or wake the tasks that are none.",
        ),
        (
            [],
            OnStall.REPORT,
            f"Wait longer (timeout, on_stall: wait), then run the task again; or reboot the host. {FORCE}",
        ),
    ],
)
def test_what_can_be_done(tasks: list[StallingTask], on_stall: OnStall, expected: str) -> None:
    assert how_to_end(tasks, on_stall) == expected


def test_who_holds_a_transition() -> None:
    assert who_holds([WORKER]) == "it is held by kworker/0:0 (kernel thread, pid 7) in msleep+0x2d/0x40"
    assert who_holds([SLEEP] * 7).endswith("sleep (pid 42) and 2 more")
    assert "neither the idle tasks of the CPUs nor" in who_holds([])


class HeldByAWorker(ModelKernel):
    def stalling_tasks(self, enabling: bool) -> tuple[StallingTask, ...]:
        return (WORKER,)


class Host(ModelHost):
    kind = HeldByAWorker


def test_a_failed_run_and_a_reported_stall_tell_it(tmp_path: pathlib.Path) -> None:
    failed = Host(tmp_path / "failed", stall=["fix"]).run("fix", file=FILE, patience=Patience(1))
    assert f"it is held by kworker/0:0 (kernel thread, pid 7) in {BUSY}" in failed["msg"]
    assert failed["remedy"].startswith("A kernel thread cannot be ended")
    assert (failed["stalling_tasks"][0]["held_by"], failed["stalling_tasks"][0]["is_kernel_thread"]) == (BUSY, True)
    reporting = Host(tmp_path / "reporting", stall=["fix"])
    reported = reporting.run("fix", file=FILE, patience=Patience(1, on_stall=OnStall.REPORT))
    assert f"it is held by kworker/0:0 (kernel thread, pid 7) in {BUSY}." in said(reported)[-1]
    assert "A kernel thread cannot be ended" in said(reported)[-1]
