# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result tells the steps that have changed the kernel, and not those that found all done."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Patience, State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    loaded,
    patch_file,
    said,
)

OLD, FIX = patch_file("old"), patch_file()

STOPPED = patch_file(abi=STOP_MACHINE)

LOADED = ["load fix", "wait for the transition of fix"]


class Other(ModelKernel):
    """A kernel to which something happens right before the first call of one kind."""

    def __init__(self, *args: t.Any, **keywords: t.Any) -> None:
        super().__init__(*args, **keywords)
        self.before_first: dict[str, t.Callable[[], None]] = {}

    def _happen(self, call: str) -> None:
        self.before_first.pop(call, lambda: None)()

    def enabled(self, name: str) -> bool | None:
        self._happen("enabled")
        return super().enabled(name)

    def transition_target(self, name: str) -> bool | None:
        self._happen("transition_target")
        return super().transition_target(name)

    def unload(self, name: str) -> None:
        self._happen("unload")
        super().unload(name)

    def conditions(self, *args: t.Any) -> Conditions:
        found = super().conditions(*args)
        self._happen("after conditions")
        return found

    def change(self, name: str, **changes: t.Any) -> t.Callable[[], None]:
        return lambda: self._replace(dataclasses.replace(self._patch(name), **changes))

    def drop(self, name: str) -> t.Callable[[], None]:
        return lambda: setattr(self, "patches", [patch for patch in self.patches if patch.name != name])


class Replacing(ModelKernel):
    """A kernel on which what is loaded disables all others, whatever its file shows."""

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        super().load(path, sha256, parameters)
        for patch in self.patches[:-1]:
            self._replace(dataclasses.replace(patch, enabled=False, functions=()))


class Host(ModelHost):
    kind = Other
    kernel: Other


class ReplacingHost(ModelHost):
    kind = Replacing


def test_what_a_patch_with_the_replace_flag_has_disabled_is_not_told_as_done(tmp_path: pathlib.Path) -> None:
    host = ReplacingHost(tmp_path, loaded(OLD), kept=[OLD])
    result = host.run("fix", file=patch_file(replace=None), supersedes=("old",))
    assert (result["changed"], result["actions"]) == (True, [*LOADED, "unload old"])
    assert host.kernel.calls == ["load fix", "unload old"]


def test_check_mode_says_why_the_run_may_need_fewer_steps(tmp_path: pathlib.Path) -> None:
    host = ReplacingHost(tmp_path, loaded(OLD), kept=[OLD])
    wanted = Wanted("fix", State.ENABLED, patch_file(replace=None), supersedes=("old",))
    result = manage(Task(wanted, check_mode=True), host.kernel)
    assert result["actions"] == [*LOADED, "disable old", "wait for the transition of old", "unload old"]
    assert any("If it has, the kernel itself disables old" in sentence for sentence in said(result))


def test_what_somebody_else_has_disabled_is_no_change(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, loaded(STOPPED), kept=[STOPPED], abi=STOP_MACHINE)
    host.kernel.before_first["enabled"] = host.kernel.change("fix", enabled=False)
    result = host.run("fix", State.DISABLED)
    assert (result["changed"], result["actions"], result["state"]) == (False, [], "disabled")


def test_a_module_that_is_gone_was_not_unloaded(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, loaded(FIX), kept=[FIX])
    host.kernel.before_first["unload"] = host.kernel.drop("fix")
    result = host.run("fix", State.ABSENT)
    assert (result["state"], result["actions"]) == ("absent", ["disable fix", "wait for the transition of fix"])


def test_a_transition_that_is_over_was_not_waited_for(tmp_path: pathlib.Path) -> None:
    other = patch_file("other", functions=(Function("vmlinux", "other"),))
    host = Host(tmp_path, loaded(other, in_transition=True))
    host.kernel.before_first["transition_target"] = host.kernel.change("other", in_transition=False)
    assert host.run("fix", file=FIX)["actions"] == LOADED
    running = Host(tmp_path / "running", loaded(other, in_transition=True))
    # Two readings see it running: whether it is to be waited for, and whether it has ended.
    running.kernel.before_first["transition_target"] = lambda: running.kernel.before_first.update(
        transition_target=running.kernel.change("other", in_transition=False)
    )
    assert running.run("fix", file=FIX)["actions"] == ["wait for the transition of other", *LOADED]


def test_a_module_that_somebody_else_has_loaded_was_not_loaded(tmp_path: pathlib.Path) -> None:
    file = patch_file(functions=(Function("xfs", "sync"),), abi=STOP_MACHINE)
    host = Host(tmp_path, abi=STOP_MACHINE)
    host.kernel.conditions_now = dataclasses.replace(host.kernel.conditions_now, loadable=frozenset(["xfs"]))
    host.kernel.before_first["after conditions"] = lambda: host.kernel.targets.add("xfs")
    assert host.run("fix", file=file, load_targets=True)["actions"] == ["load fix", "enable fix"]


def test_what_was_enabled_when_it_was_loaded_was_not_enabled_again(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, abi=STOP_MACHINE)
    host.kernel.before_first["enabled"] = host.kernel.change("fix", enabled=True)
    assert host.run("fix", file=STOPPED)["actions"] == ["load fix"]


def test_what_was_done_already_did_not_lead_the_host_back(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, stall=["fix"])
    host.kernel.before_first["unload"] = host.kernel.drop("fix")
    result = host.run("fix", file=FIX, patience=Patience(1))
    assert (result["rolled_back"], result["not_restored"]) == (["disable fix"], [])
