# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever cannot be read, on the model of a kernel: no result tells a state that is not the host's."""

from __future__ import annotations

import errno
import os
import pathlib
import tempfile
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    LoadedPatch,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import loaded, patch_file
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.shown_kernel import ShownKernel, Trouble

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")
from hypothesis import given
from hypothesis import strategies as st

Plain = t.Dict[str, t.Any]

ABIS = (PER_TASK, STOP_MACHINE)
NAME = "fix"
MOST_READS = 400
REACHED = {
    State.ENABLED: ("enabled",),
    State.PRESENT: ("enabled", "disabled"),
    State.DISABLED: ("disabled", "absent"),
    State.ABSENT: ("absent",),
    State.REVERTED: ("absent",),
}
ERRNOS = (errno.EACCES, errno.EIO, errno.ENOMEM)
DECIDING = (
    "/proc/modules",
    "/sys/kernel/livepatch",
    "/sys/kernel/livepatch/fix",
    "/sys/kernel/livepatch/fix/enabled",
    "/sys/kernel/livepatch/fix/vmlinux",
    "/sys/kernel/livepatch/other/enabled",
)
ONLY_ON = {PER_TASK: "/sys/kernel/livepatch/fix/transition", STOP_MACHINE: "/proc/livepatch/state"}


class ShownHost(ModelHost):
    kind = ShownKernel
    kernel: ShownKernel


def host_with(root: pathlib.Path, abi: str, has_fix: bool = True) -> ShownHost:
    """A host with the patch `other`, and above it `fix` on another function; the collection has loaded both."""
    files = [
        patch_file(name, abi=abi, build_id=None, srcversion=f"id-{name}", functions=(Function("vmlinux", name),))
        for name in ("other", NAME)
    ]
    files = files if has_fix else files[:1]
    patches = [loaded(file, load_index=place) for place, file in enumerate(files, 1)]
    return ShownHost(root, *patches, kept=files, abi=abi)


def fix_for(abi: str, content: str = "1") -> t.Any:
    return patch_file(
        NAME, content, abi=abi, build_id=None, srcversion=f"id-{NAME}", functions=(Function("vmlinux", NAME),)
    )


def shape(patches: t.Iterable[LoadedPatch]) -> list[tuple[str, bool, bool]]:
    return [(patch.name, patch.enabled, patch.in_transition) for patch in patches]


def state_of(host: ShownHost) -> str:
    patch = next((patch for patch in host.kernel.patches if patch.name == NAME), None)
    if patch is None:
        return "absent"
    return "in transition" if patch.in_transition else "enabled" if patch.enabled else "disabled"


def check(host: ShownHost, wanted: State, before: list[tuple[str, bool, bool]], result: Plain) -> None:
    """Raise AssertionError if the result tells anything that is not so."""
    now = shape(host.kernel.patches)
    if not result.get("failed"):
        assert result["state"] == state_of(host)
        assert state_of(host) in REACHED[wanted], result
        assert [patch for patch in now if patch[0] == "other"] == [("other", True, False)]
        return
    assert result["state"] in ("unknown", state_of(host)), result
    assert now == before or result["not_restored"], result
    assert result["changed"] == bool(result.get("not_restored")), result


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("state", State)
def test_the_model_of_a_host_is_read_as_the_host(tmp_path: pathlib.Path, abi: str, state: State) -> None:
    host = host_with(tmp_path, abi, has_fix=state != State.ENABLED)
    host.kernel.trouble = Trouble()
    result = host.run(NAME, state, fix_for(abi) if state == State.ENABLED else None)
    assert not result.get("failed"), result
    assert result["changed"] == (state != State.PRESENT)
    check(host, state, [], result)
    unread = {*DECIDING, ONLY_ON[abi]}.difference(host.kernel.trouble.asked)
    assert not unread or state == State.ENABLED


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("number", ERRNOS)
def test_what_decides_and_cannot_be_read_is_a_refusal(tmp_path: pathlib.Path, abi: str, number: int) -> None:
    host = host_with(tmp_path, abi)
    before = shape(host.kernel.patches)
    for path in (*DECIDING, ONLY_ON[abi]):
        for state in (State.ENABLED, State.DISABLED, State.ABSENT, State.REVERTED):
            host.kernel.trouble = Trouble(number, path)
            result = host.run(NAME, state)
            assert (result["failed"], result["reason"], result["state"]) == (True, "unreadable", "unknown"), path
            assert f"{path} ({errno.errorcode[number]})" in result["cause"]
            assert shape(host.kernel.patches) == before
            assert host.kernel.calls == []


@pytest.mark.parametrize("abi", ABIS)
def test_what_contradicts_itself_is_a_refusal(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with(tmp_path, abi)
    (tmp_path / "sys/kernel/livepatch/fix/enabled").unlink()
    result = host.run(NAME, State.ABSENT)
    assert (result["failed"], result["reason"], result["state"]) == (True, "contradiction", "unknown")
    assert "/sys/kernel/livepatch/fix has no file enabled." in result["cause"]
    assert host.kernel.calls == []


@pytest.mark.parametrize("abi", ABIS)
def test_a_host_that_turns_unreadable_is_left_to_the_next_run(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with(tmp_path, abi)
    unload = host.kernel.unload

    def turn(name: str) -> None:
        unload(name)
        host.kernel.trouble = Trouble(errno.EACCES, "/proc/modules")

    host.kernel.unload = turn
    result = host.run(NAME, State.ABSENT)
    assert (result["failed"], result["reason"], result["state"]) == (True, "unreadable", "unknown")
    assert "The host may not be as it was before" in result["msg"]
    assert (result["changed"], result["rolled_back"]) == (True, [])
    assert journal.is_noted(host.kernel.files())
    assert any(path.suffix == ".ko" for path in (tmp_path / "run/openeuler-livepatch").iterdir())
    again = host.run("other", State.ABSENT)
    assert again["reason"] == "unreadable"
    assert journal.is_noted(host.kernel.files())
    host.kernel.trouble = Trouble()
    result = host.run("other", State.ENABLED)
    assert result["findings"][0]["reason"] == "interrupted_run"
    assert not journal.is_noted(host.kernel.files())


@pytest.mark.parametrize("abi", ABIS)
def test_what_the_collection_noted_and_cannot_read_is_proven_again(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with(tmp_path, abi)
    host.kernel.trouble = Trouble(errno.EIO, "/run/openeuler-livepatch/fix.json")
    result = host.run(NAME, State.ENABLED)
    assert (result["state"], result["changed"]) == ("enabled", False)
    assert [proof["what"] for proof in result["proofs"]] == ["state", "log"]


@pytest.mark.parametrize("abi", ABIS)
def test_who_is_not_root_sees_that_nothing_is_to_be_done(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, abi: str
) -> None:
    host = host_with(tmp_path, abi)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for path in ("/run/openeuler-livepatch/fix.json", journal.NOTE):
        host.kernel.trouble = Trouble(errno.EACCES, path)
        result = host.run(NAME, State.ENABLED)
        assert (result["state"], result["changed"], result.get("failed")) == ("enabled", False, None)
    assert host.run(NAME, State.ABSENT)["reason"] == "not_root"


@pytest.mark.parametrize("abi", ABIS)
def test_the_last_look_of_a_run_takes_nothing_from_what_was_seen(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with(tmp_path / "1", abi, False)
    host.kernel.trouble = Trouble()
    host.run(NAME, State.PRESENT, fix_for(abi))
    asked = host.kernel.trouble.asked
    last = max(number for number, path in enumerate(asked) if path == "/proc/modules")
    host = host_with(tmp_path / "2", abi, False)
    host.kernel.trouble = Trouble(errno.EACCES, number=last)
    result = host.run(NAME, State.PRESENT, fix_for(abi))
    assert not result.get("failed")
    assert result["state"] == state_of(host) != "unknown"
    assert "unreadable" in [finding["reason"] for finding in result["findings"]]


@given(
    abi=st.sampled_from(ABIS),
    state=st.sampled_from(State),
    has_fix=st.booleans(),
    has_file=st.booleans(),
    number=st.sampled_from(ERRNOS),
    read=st.integers(0, MOST_READS),
    for_good=st.booleans(),
)
def test_no_read_that_fails_makes_a_result_false(
    abi: str, state: State, has_fix: bool, has_file: bool, number: int, read: int, for_good: bool
) -> None:
    with tempfile.TemporaryDirectory() as root:
        host = host_with(pathlib.Path(root, "1"), abi, has_fix)
        host.kernel.trouble = Trouble()
        wanted = fix_for(abi) if has_file else None
        host.run(NAME, state, wanted)
        asked = host.kernel.trouble.asked
        assert len(asked) < MOST_READS
        host = host_with(pathlib.Path(root, "2"), abi, has_fix)
        before = shape(host.kernel.patches)
        place = read % len(asked)
        host.kernel.trouble = Trouble(number, asked[place]) if for_good else Trouble(number, number=place)
        check(host, state, before, host.run(NAME, state, wanted))
