# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`supersedes: contained` with a file that shows no functions: one run decides, by what the kernel shows of it."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    CONTAINED,
    AtBoot,
    OnStall,
    Patience,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    loaded,
    patch_file,
)

F, G = Function("vmlinux", "f"), Function("vmlinux", "g")
on_both_kernels = pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])


def host_with_old(
    root: pathlib.Path, abi: str, functions: tuple[Function, ...] = (F,), is_ours: bool = True, **kernel: t.Any
) -> ModelHost:
    """A host with `old`, and the file of `new`: the kernel finds F and G in it, and no reader does."""
    old, new = (patch_file(name, abi=abi, functions=of) for name, of in (("old", functions), ("new", (F, G))))
    host = ModelHost(root, loaded(old, load_index=1), kept=[old] if is_ours else [], abi=abi, **kernel)
    host.kernel.add_file(new)
    (root / "sys/module/new").mkdir(parents=True)
    (root / "sent.ko").write_bytes(content_of("new"))
    return host


def run(host: ModelHost, check_mode: bool = False, **wanted: t.Any) -> dict[str, t.Any]:
    file = dataclasses.replace(patch_file("new", abi=host.kernel.abi), functions=None)
    request = Wanted("new", State.ENABLED, file, supersedes=(CONTAINED,), **wanted)
    path = str(host.root / "sent.ko")
    return manage(Task(request, path, check_mode=check_mode, patience=Patience(3, 2, 0.1)), host.kernel)


def reasons(result: dict[str, t.Any]) -> list[str]:
    return [finding["reason"] for finding in result["findings"]]


@on_both_kernels
def test_one_run_takes_it_out(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with_old(tmp_path, abi)
    assert "contained_unknown" in reasons(run(host, check_mode=True))
    assert host.stack == ["old"]
    result = run(host)
    assert (result.get("failed"), result["changed"]) == (None, True)
    assert host.stack == ["new"]
    assert result["actions"][0] == "load new"
    assert result["actions"][-1] == "unload old"
    assert reasons(result).count("contained_unknown") == 1
    assert "old" in result["diff"]["before"] and "old" not in result["diff"]["after"]
    again = run(host)
    assert (again.get("failed"), again["changed"], again["actions"]) == (None, False, [])
    assert "contained_unknown" not in reasons(again)
    reverted = host.run("new", State.REVERTED)
    assert not reverted.get("failed"), reverted
    assert host.stack == ["old"]


@on_both_kernels
def test_what_it_does_not_contain_stays(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with_old(tmp_path, abi, functions=(F, Function("vmlinux", "h")))
    for changed in (True, False):
        result = run(host)
        assert (result.get("failed"), result["changed"]) == (None, changed)
        assert host.stack == ["old", "new"]
        assert ("contained_unknown" in reasons(result)) is changed


@on_both_kernels
def test_the_next_boot_loads_it_no_more(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with_old(tmp_path, abi)
    host.run("old", boot=AtBoot.ACCEPTED)
    result = run(host, boot=AtBoot.ACCEPTED)
    assert (result.get("failed"), result["boot"]) == (None, "accepted")
    due = boot_store.read(host.kernel.files()).due(host.kernel.snapshot().kernel)
    assert [entry.name for entry in due] == ["new"]


@on_both_kernels
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_failure_to_take_it_out_says_what_stays(tmp_path: pathlib.Path, abi: str, is_ours: bool) -> None:
    host = host_with_old(tmp_path, abi, is_ours=is_ours)
    host.kernel.fail_later("disable", 0)
    result = run(host)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["reason"] == ("unknown" if is_ours else "owner_unknown")
    assert result["msg"].endswith("Before that new was loaded, and it stays.")
    assert result["actions"][0] == "load new"
    assert host.stack == ["old", "new"]
    assert not journal.is_noted(host.kernel.files())


def test_a_failure_to_take_it_out_tells_the_state_that_is_left(tmp_path: pathlib.Path) -> None:
    """No module can be unloaded: then rolling back may leave the new patch disabled."""
    host = host_with_old(tmp_path, PER_TASK)

    def refuse(name: str) -> None:
        raise OSError(errno.EBUSY, name)

    host.kernel.unload = refuse
    result = run(host)
    assert result["failed"]
    stays = "it stays" if "new" in host.stack else f"its state is {result['state']} now"
    assert result["msg"].endswith(f"Before that new was loaded, and {stays}.")
    assert "as it was before." not in result["msg"]


def test_nothing_follows_a_transition_that_is_left_running(tmp_path: pathlib.Path) -> None:
    host = host_with_old(tmp_path, PER_TASK, stall=["new"])
    file = dataclasses.replace(patch_file("new"), functions=None)
    request = Wanted("new", State.ENABLED, file, supersedes=(CONTAINED,))
    patience = Patience(3, 2, 0.1, on_stall=OnStall.REPORT)
    result = manage(Task(request, str(tmp_path / "sent.ko"), patience=patience), host.kernel)
    assert (result.get("failed"), result["state"]) == (None, "in transition")
    assert host.kernel.calls == ["load new"]
