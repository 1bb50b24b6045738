# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kill a run at every step on a real kernel, run it again, and compare with a run that was not killed.

A child process carries out a task and kills itself (SIGKILL) after a call of the kernel. Nothing in the collection
helps with that: the calls are wrapped here. (Killing it elsewhere is tried on a model, by the unit tests.) Another one
is killed while the kernel is inside finit_module(2).
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal

DIRECTORY = sys.argv[1]
CALLS = ("load", "unload", "write_enabled")


class CountingKernel(Kernel):
    """Counts the calls that change the kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []
        for name in CALLS:
            setattr(self, name, functools.partial(self._call, name, getattr(self, name)))

    def _call(self, name: str, call: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
        result = call(*arguments)
        self.calls.append((name, str(arguments[0])))
        return result


class MortalKernel(CountingKernel):
    """Dies when it has made the call of this number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def _call(self, name: str, call: t.Callable[..., t.Any], *arguments: t.Any) -> t.Any:
        result = super()._call(name, call, *arguments)
        if len(self.calls) == self.number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


BUILT = json.loads(Path(f"{DIRECTORY}/patches.json").read_text(encoding="utf-8"))
FILES = {name: PatchFile.from_dict(BUILT[name]) for name in ("lp_a1", "lp_a2", "lp_b1", "lp_slow")}


def run(wanted: Wanted, kernel: Kernel) -> dict[str, t.Any]:
    return manage(Task(wanted, f"{DIRECTORY}/{wanted.name}.ko", patience=Patience(20, 5, 0.2)), kernel)


def conditions() -> list[tuple[str, bool, bool]]:
    return [(patch.name, patch.enabled, patch.in_transition) for patch in Kernel().snapshot().patches]


def begin_with(enabled: t.Sequence[str]) -> list[tuple[str, bool, bool]]:
    """The host with these patches, enabled in this order, and no others."""
    for patch in reversed(Kernel().snapshot().patches):
        wanted = Wanted(patch.name, State.ABSENT, on_covered=OnCovered.UNSTACK, force_owner=True)
        result = run(wanted, Kernel())
        assert not result.get("failed"), result
    for name in enabled:
        result = run(Wanted(name, State.ENABLED, FILES[name]), Kernel())
        assert not result.get("failed"), result
    return conditions()


def dies(wanted: Wanted, number: int) -> bool:
    """Whether a run of the task was killed."""
    child = os.fork()
    if child == 0:
        result = run(wanted, MortalKernel(number))
        os._exit(1 if result.get("failed") else 0)
    _child, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def dies_inside(wanted: Wanted) -> None:
    """A run of the task is killed while the kernel runs the module's init function."""
    child = os.fork()
    if child == 0:
        run(wanted, Kernel())
        os._exit(0)
    state = Path(f"/sys/module/{wanted.name}/initstate")
    deadline = time.monotonic() + 60
    while not (state.exists() and state.read_text(encoding="ascii").strip() == "coming"):
        assert os.waitpid(child, os.WNOHANG)[0] == 0, "the run ended early"
        assert time.monotonic() < deadline, "the run does not get to the module's init function"
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    _child, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), status


def unfinished() -> journal.Note | None:
    """The note of a run that has not ended."""
    return known(journal.read_note(Kernel().files()))


def arrives(wanted: Wanted, expected: t.Sequence[tuple[str, bool, bool]]) -> None:
    """A run that was killed has left a note; the next one says so, and does what is wanted."""
    note = unfinished()
    assert note and note.name == wanted.name, note
    again = run(wanted, Kernel())
    assert not again.get("failed"), again
    assert any("interrupted" in finding["cause"] for finding in again["findings"]), again["findings"]
    assert conditions() == expected, (wanted, conditions(), expected)
    assert unfinished() is None


def finishes_forward(wanted: Wanted, calls: int) -> None:
    """What was enabled and not yet proven is proven by the next run of the same task, and stays enabled meanwhile."""
    begin_with(())
    assert dies(wanted, calls)
    kernel = CountingKernel()
    result = run(wanted, kernel)
    assert not result.get("failed"), result
    assert kernel.calls == [], kernel.calls
    assert unfinished() is None


def is_taken_back_first(wanted: Wanted, calls: int, other: Wanted) -> None:
    """A task for another patch takes back what nobody has proven, before it changes anything else."""
    begin_with(())
    assert dies(wanted, calls)
    kernel = CountingKernel()
    result = run(other, kernel)
    assert not result.get("failed"), result
    assert kernel.calls[0][1] == wanted.name, kernel.calls
    assert any("it was rolled back" in finding["cause"] for finding in result["findings"]), result["findings"]
    assert conditions() == [(other.name, True, False)], conditions()
    assert unfinished() is None


TASKS = (
    ((), Wanted("lp_a1", State.ENABLED, FILES["lp_a1"])),
    (("lp_a1", "lp_a2"), Wanted("lp_a1", State.DISABLED, on_covered=OnCovered.UNSTACK)),
    (("lp_b1", "lp_a1"), Wanted("lp_a2", State.ENABLED, FILES["lp_a2"], supersedes=("contained",))),
)


def main() -> None:
    killed = 0
    for enabled, wanted in TASKS:
        begin_with(enabled)
        assert not run(wanted, Kernel()).get("failed")
        expected = conditions()
        number = 1
        while True:
            begin_with(enabled)
            if not dies(wanted, number):
                break
            arrives(wanted, expected)
            killed += 1
            number += 1
        assert number > 1, wanted
        print(wanted.name, wanted.state, "killed after each of its", number - 1, "calls", flush=True)
        if not enabled:
            finishes_forward(wanted, number - 1)
            is_taken_back_first(wanted, number - 1, Wanted("lp_b1", State.ENABLED, FILES["lp_b1"]))
    begin_with(())
    slow = Wanted("lp_slow", State.ENABLED, FILES["lp_slow"])
    dies_inside(slow)
    arrives(slow, [("lp_slow", True, False)])
    print("killed inside finit_module", flush=True)
    begin_with(())
    print("killed", killed, "runs; each was followed by one that arrived")
    # This one is for the next tasks of the play.
    assert dies(TASKS[0][1], 1)


main()
