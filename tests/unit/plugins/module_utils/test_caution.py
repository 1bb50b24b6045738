# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the record of an enabled patch tells later: that it was forced, and which trouble is new since its proof."""

from __future__ import annotations

import dataclasses
import errno
import json
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import describe_host
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import describe_patch
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    OnStall,
    Patience,
    State,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.caution import trouble_since
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.catalog import Catalog
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    loaded,
    patch_file,
    snapshot,
)

Plain = t.Dict[str, t.Any]

FIX = patch_file("fix")
FORCED, REPORTING = (Patience(timeout=1, on_stall=on_stall) for on_stall in (OnStall.FORCE, OnStall.REPORT))
OOPS, WARNING, UNSIGNED = 1 << 7, 1 << 9, 1 << 13
RECORD = f"{copies.DIRECTORY[1:]}/fix.json"


def facts(host: ModelHost) -> Plain:
    """The facts of the host, with what is there of the patch."""
    now, books = observe(host.kernel)
    data = describe_host(now, books, (), {}, None)
    return {**data, "patch": next((patch for patch in data["patches"] if patch["name"] == "fix"), None)}


def told(result: Plain, reason: str) -> list[str]:
    """The severities of the findings of this reason."""
    return [finding["severity"] for finding in result["findings"] if finding["reason"] == reason]


def taint(host: ModelHost, bits: int | str) -> None:
    path = host.root / "proc/sys/kernel/tainted"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{bits}\n")


def enable(host: ModelHost, **more: t.Any) -> Plain:
    result = host.run("fix", file=FIX, **more)
    assert (result.get("failed"), result["state"]) == (None, "enabled")
    return result


# ---- forced ----


def assert_forced(host: ModelHost, result: Plain) -> None:
    assert (result["reboot_required"], told(result, "forced")) == (True, [WARN])
    assert (result["patch"]["forced"], result["patch"]["reboot_required"]) == (True, True)
    assert (facts(host)["reboot_required"], facts(host)["patch"]["forced"]) == (True, True)


def test_later_runs_tell_what_was_forced(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, stall=["fix"])
    assert_forced(host, enable(host, patience=FORCED))
    again = enable(host)
    assert again["changed"] is False
    assert_forced(host, again)
    assert_forced(host, enable(host, boot=AtBoot.ACCEPTED))
    assert_forced(host, enable(host))


def test_what_was_left_in_transition_is_forced_later(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, stall=["fix"])
    host.run("fix", file=FIX, patience=REPORTING)
    assert facts(host)["patch"]["forced"] is False
    forced = enable(host, patience=FORCED)
    assert forced["changed"] is True
    assert_forced(host, forced)
    assert_forced(host, enable(host))


def test_a_module_that_is_loaded_anew_is_not_forced(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, stall=["fix"])
    enable(host, patience=FORCED)
    host.kernel.stall.clear()
    host.run("fix", State.ABSENT)
    assert facts(host)["reboot_required"] is False
    again = enable(host)
    assert (again["reboot_required"], told(again, "forced"), again["patch"]["forced"]) == (False, [], False)


@pytest.mark.parametrize("more", [{}, {"boot": AtBoot.ACCEPTED}])
def test_nothing_is_known_of_somebody_else_s_force(tmp_path: pathlib.Path, more: Plain) -> None:
    host = ModelHost(tmp_path, loaded(FIX))
    result = enable(host, **more)
    assert (result["reboot_required"], told(result, "forced"), facts(host)["patch"]["forced"]) == (False, [], None)


@pytest.mark.parametrize(("before", "forced"), [(7, None), (6, False), (None, False)])
def test_a_new_record_says_only_what_is_known(tmp_path: pathlib.Path, before: int | None, forced: bool | None) -> None:
    """Of a module that somebody else loaded, and that a failed run has left as it was, nothing is known."""
    files = ModelKernel(tmp_path).files()
    was = snapshot(*([loaded(FIX, instance=before)] if before else []))
    now = snapshot(loaded(FIX, instance=7))
    catalog = Catalog(lambda: files, was, Books())
    plan = Plan((Step(Action.UNLOAD, "fix"), Step(Action.LOAD, "fix", FIX)), about="fix")
    assert catalog.update(plan, was, now, rolled_back=()) == []
    copy = copies.read(files, "fix")
    assert isinstance(copy, StoredCopy)
    assert (copy.instance, copy.forced) == (7, forced)


def test_what_was_disabled_by_force_is_told_by_the_kernel(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path, loaded(FIX), stall=["fix"])
    host.run("fix", State.DISABLED, patience=FORCED, force_owner=True)
    assert facts(host)["patch"]["forced"] is True


class Cut(BaseException):
    """The run is gone."""


class CutWhenForced(ModelKernel):
    cut = True

    def force(self, name: str) -> None:
        super().force(name)
        if self.cut:
            raise Cut


def test_a_run_that_is_gone_after_it_has_forced(tmp_path: pathlib.Path) -> None:
    class Host(ModelHost):
        kind = CutWhenForced

    host = Host(tmp_path, stall=["fix"])
    with pytest.raises(Cut):
        enable(host, patience=FORCED)
    assert_forced(host, enable(host))
    assert_forced(host, enable(host))


def test_a_note_names_what_was_forced(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    note = journal.Note("root", "load fix", "then", (), (), (), {}, "fix", State.ENABLED, forced=("fix",))
    journal.write_note(host.kernel.files(), note)
    assert journal.read_note(host.kernel.files()) == note


def test_a_force_that_fails_and_is_rolled_back(tmp_path: pathlib.Path) -> None:
    """The other build is loaded again, and nothing was forced on that."""
    host = ModelHost(tmp_path, kept=[FIX])
    enable(host)
    host.kernel.stall_once = {"fix"}
    taint(host, 0)
    force = host.kernel.force

    def force_with_an_oops(name: str) -> None:
        force(name)
        taint(host, OOPS)

    host.kernel.force = force_with_an_oops
    result = host.run("fix", file=patch_file("fix", content="2"), content="2", reload=True, patience=FORCED)
    assert (result["failed"], result["reason"]) == (True, "kernel_trouble")
    assert facts(host)["patch"]["forced"] is False


def test_a_force_that_cannot_be_noted(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copies, "note_force", no_room)
    result = enable(ModelHost(tmp_path, stall=["fix"]), patience=FORCED)
    assert told(result, "not_noted") == [WARN]


def test_what_an_unreadable_record_said_is_not_known(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    enable(host)
    (tmp_path / RECORD).write_text("{")
    patch = host.kernel.patches[0]
    copies.note(host.kernel.files(), patch, FIX, (), proven=True, forced=False)
    assert facts(host)["patch"]["forced"] is None


def test_the_record_of_an_older_version_says_nothing(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    enable(host)
    path = tmp_path / RECORD
    record = {key: value for key, value in json.loads(path.read_text()).items() if key not in ("forced", "taint")}
    path.write_text(json.dumps(record))
    taint(host, OOPS)
    assert (facts(host)["patch"]["forced"], facts(host)["patch"]["trouble_since"]) == (None, None)


# ---- trouble since the proof ----

COPY = StoredCopy("/path", FIX.sha256, 7, FIX, taint=0)


@pytest.mark.parametrize(
    ("copy", "now", "expected"),
    [
        (COPY, 0, []),
        (COPY, UNSIGNED | WARNING, []),
        (COPY, OOPS | WARNING, ["an oops"]),
        (COPY, 1 << 5 | 1 << 14, ["a bad page", "a soft lockup"]),
        (COPY, None, None),
        (dataclasses.replace(COPY, taint=OOPS), OOPS, []),
        (dataclasses.replace(COPY, taint=OOPS), OOPS | 1 << 14, ["a soft lockup"]),
        (dataclasses.replace(COPY, taint=None), OOPS, None),
        (dataclasses.replace(COPY, taint=None), WARNING, []),
        (None, OOPS, None),
        (None, UNSIGNED, []),
        (None, None, None),
    ],
)
def test_trouble_since_the_proof(copy: StoredCopy | None, now: int | None, expected: list[str] | None) -> None:
    assert trouble_since(copy, now) == expected
    books = Books(copies={"fix": copy} if copy else {})
    host = snapshot(loaded(FIX, instance=7), taint=now)
    assert describe_patch(host.patches[0], host, books)["trouble_since"] == expected


def test_later_runs_tell_of_trouble_since_the_proof(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    taint(host, UNSIGNED)
    first = enable(host)
    assert (first["patch"]["trouble_since"], told(first, "trouble_since")) == ([], [])
    taint(host, UNSIGNED | OOPS)
    again = enable(host)
    assert (again["changed"], again["patch"]["trouble_since"]) == (False, ["an oops"])
    assert told(again, "trouble_since") == [WARN]
    assert facts(host)["patch"]["trouble_since"] == ["an oops"]


def test_a_later_proof_does_not_hide_it(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    taint(host, UNSIGNED)
    enable(host)
    taint(host, OOPS)
    result = enable(host, boot=AtBoot.ACCEPTED)
    assert (result["changed"], result["patch"]["trouble_since"]) == (True, ["an oops"])
    assert told(result, "trouble_since") == [WARN]
    assert facts(host)["patch"]["trouble_since"] == ["an oops"]


def test_what_was_before_the_proof_does_not_count(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    taint(host, OOPS)
    result = enable(host)
    assert (result["patch"]["trouble_since"], told(result, "trouble_since")) == ([], [])
    assert facts(host)["patch"]["trouble_since"] == []


def test_a_patch_that_is_enabled_again_is_proven_anew(tmp_path: pathlib.Path) -> None:
    file = patch_file("fix", abi=STOP_MACHINE)
    host = ModelHost(tmp_path, abi=STOP_MACHINE)
    taint(host, 0)
    host.run("fix", file=file)
    taint(host, OOPS)
    host.run("fix", State.DISABLED)
    assert facts(host)["patch"]["trouble_since"] == ["an oops"]
    result = host.run("fix")
    assert (result["state"], result["patch"]["trouble_since"]) == ("enabled", [])


def test_what_nobody_can_tell_is_not_called_good(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    enable(host)
    assert json.loads((tmp_path / RECORD).read_text())["taint"] is None
    taint(host, OOPS)
    again = enable(host)
    assert (again["patch"]["trouble_since"], told(again, "trouble_since")) == (None, [WARN])
