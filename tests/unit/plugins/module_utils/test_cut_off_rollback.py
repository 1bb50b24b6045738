# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollback that is cut off: the next run also brings back what no step of the task was about.

What comes back below another patch can only do so if that is taken out and loaded again.
"""

from __future__ import annotations

import errno
import itertools
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walk import Plain, Walk
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walk_plot import (
    FUNCTIONS,
    Patch,
    Plot,
    Run,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walked_kernel import KINDS, WalkedKernel

F, G, H, M = FUNCTIONS
ON_OTHER_FUNCTIONS = (Patch((F,), told=None), Patch((G,)), Patch((F,)), Patch((M,)))
"""The file of p1 does not tell its replace flag: loaded again above p2, it might disable that."""
ON_THE_SAME_FUNCTION = (Patch((F, G)), Patch((F,)), Patch((F, G)), Patch((M,)))
DISABLED_BY_LOAD = (Patch((F,), replace=True, told=False), Patch((G,)), Patch((H,)), Patch((M,)))
"""The file of p1 tells a wrong replace flag: loaded again, it disables p2, which is brought again then."""
FIRST, SECOND = Run("p1", State.ENABLED, "1"), Run("p2", State.ENABLED, "1")
NOT_PROVEN = Run("p3", State.ENABLED, "1", supersedes=("p1",), disproved=True, on_covered=OnCovered.ALLOW)


class Killed(BaseException):
    """The process has ended."""


class Host:
    """A host with p1 and p2, on which p3 is to take the place of p1, and fails its proof."""

    def __init__(self, root: str, kind: str, patches: tuple[Patch, ...]) -> None:
        self.walk = Walk(root, Plot(kind, patches, ()))
        for run in (FIRST, SECOND):
            self.walk.task(run)
        self.before = self.loaded
        self.kernel.calls = []

    @property
    def kernel(self) -> WalkedKernel:
        return self.walk.kernel

    @property
    def loaded(self) -> list[tuple[str, bool]]:
        """The stack: p3 is gone or on its way."""
        return [(patch.name, patch.enabled) for patch in self.kernel.patches]

    def fail(self) -> Plain:
        return self.walk.task(NOT_PROVEN)

    def next_run(self) -> Plain:
        """A task that itself has nothing to do."""
        return manage(Task(Wanted("nothing", State.ABSENT), None, patience=Patience(3, 2, 0.1)), self.kernel)


@pytest.fixture(name="cut")
def fixture_cut(monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """`at`: the number of the call before which the process ends. `refused`: the call that the kernel refuses."""
    cut: dict[str, t.Any] = {"at": None, "refused": None}
    carry_out = WalkedKernel._call

    def call(self: WalkedKernel, operation: str, name: str) -> t.Any:
        if cut["at"] == len(self.calls):
            cut["at"] = None
            raise Killed
        if cut["refused"] == f"{operation} {name}":
            raise OSError(errno.EIO, "trouble")
        return carry_out(self, operation, name)

    monkeypatch.setattr(WalkedKernel, "_call", call)
    return cut


@pytest.mark.parametrize(
    "patches", [ON_OTHER_FUNCTIONS, ON_THE_SAME_FUNCTION, DISABLED_BY_LOAD], ids=["others", "same", "replacing"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_wherever_a_rollback_is_cut_off_the_next_run_brings_all_back(
    tmp_path_factory: pytest.TempPathFactory, kind: str, patches: tuple[Patch, ...], cut: dict[str, t.Any]
) -> None:
    whole = Host(str(tmp_path_factory.mktemp("whole")), kind, patches)
    whole.fail()
    if not whole.kernel.calls or whole.loaded != whole.before:
        pytest.skip("the task is refused here, or what comes back below p2 cannot, cut off or not")
    for at in itertools.count():
        host = Host(str(tmp_path_factory.mktemp("cut")), kind, patches)
        cut["at"] = at
        try:
            host.fail()
        except Killed:
            calls = list(host.kernel.calls)
            host.next_run()
            assert host.loaded == host.before, f"cut off after {calls}, and then {host.kernel.calls[len(calls) :]}"
            assert host.next_run()["changed"] is False
        else:
            return


@pytest.mark.parametrize(
    ("patches", "refused", "left"),
    [(ON_OTHER_FUNCTIONS, "load p2", "not loaded"), (DISABLED_BY_LOAD, "unload p2", "disabled")],
)
def test_what_the_rollback_itself_has_taken_out_is_told_as_its_own(
    tmp_path_factory: pytest.TempPathFactory,
    patches: tuple[Patch, ...],
    refused: str,
    left: str,
    cut: dict[str, t.Any],
) -> None:
    """Nobody else has done it, and to do nothing about it would leave a function without its fix."""
    host = Host(str(tmp_path_factory.mktemp("host")), "per_task 6.1", patches)
    cut["refused"] = refused
    result = host.fail()
    assert result["not_restored"][0] == f"p2 is {left} and should be enabled"
    assert "others_changed" not in [finding["reason"] for finding in result["findings"]]
    cut["refused"] = None


@pytest.mark.parametrize(("kind", "call"), [("per_task 6.1", "unload p2"), ("stop_machine", "disable p2")])
def test_a_cpu_that_does_not_answer_for_a_moment_loses_no_patch(
    tmp_path_factory: pytest.TempPathFactory, kind: str, call: str
) -> None:
    patches = ON_OTHER_FUNCTIONS if kind.startswith("per_task") else ON_THE_SAME_FUNCTION
    host = Host(str(tmp_path_factory.mktemp("host")), kind, patches)
    host.kernel.before_call[call] = lambda: setattr(host.kernel, "stuck_cpus", (1,))
    told = host.fail()["not_restored"]
    assert [text for text in told if text.startswith("p2 is ")]
    host.kernel.stuck_cpus = ()
    host.next_run()
    assert host.loaded == host.before
