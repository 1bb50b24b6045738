# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time, and the note that it leaves while it runs."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
    Quarantined,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    OnCovered,
    OnStall,
    Patience,
    Probe,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, journal, lock
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.prover import Prover
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    acceptance_of,
    content_of,
    loaded,
    patch_file,
    said,
)

FIX = patch_file("fix")
NOTE = journal.Note(
    who="root, process 1",
    what="load fix",
    started="2026-01-01T00:00:00Z",
    before=(loaded(patch_file("other")),),
    steps=(Step(Action.LOAD, "fix", FIX), Step(Action.WAIT, "fix")),
    goal=(loaded(patch_file("other")), loaded(FIX)),
    stored={"other": "0" * 64},
    name="fix",
    state=State.ENABLED,
)


ACCEPTED_FIX = Accepted("fix", FIX.sha256, "6.6.0", "then", json.loads(json.dumps(FIX.to_dict())), ("kprobe",))
BOOT = Acceptance((ACCEPTED_FIX,), (Quarantined("fix", "abc", "6.6.0", "then", "It crashed."),))


@pytest.mark.parametrize(
    "note", [NOTE, dataclasses.replace(NOTE, boot=BOOT), dataclasses.replace(NOTE, forced=("fix",), moved=("other",))]
)
def test_a_note_is_read_as_it_was_written(tmp_path: pathlib.Path, note: journal.Note) -> None:
    files = Files(str(tmp_path))
    assert isinstance(journal.read_note(files), (Absent, Unreadable))
    journal.write_note(files, note)
    assert journal.read_note(files) == note
    assert (tmp_path / "run/openeuler-livepatch/run").stat().st_mode & 0o777 == 0o600
    journal.remove_note(files)
    journal.remove_note(files)
    assert isinstance(journal.read_note(files), (Absent, Unreadable))


def test_the_note_of_an_older_version_is_read(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    journal.write_note(files, NOTE)
    path = tmp_path / "run/openeuler-livepatch/run"
    data = json.loads(path.read_text())
    del data["boot"]
    path.write_text(json.dumps(data))
    assert journal.read_note(files) == NOTE


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"who": 1, "what": 1, "started": 1, "before": [{}]}'])
def test_an_unknown_note_is_kept_under_another_name(tmp_path: pathlib.Path, damage: str) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    journal.write_note(kernel.files(), NOTE)
    (tmp_path / "run/openeuler-livepatch/run").write_text(damage)
    result = manage(Task(Wanted("fix", State.ABSENT, force_owner=True)), kernel)
    assert result["state"] == "absent"
    assert "its note cannot be understood" in said(result)[0]
    assert "The note is in /run/openeuler-livepatch/run.damaged until a reboot." in said(result)[0]
    assert not (tmp_path / "run/openeuler-livepatch/run").exists()
    assert (tmp_path / "run/openeuler-livepatch/run.damaged").read_text() == damage


@pytest.mark.parametrize("change", [{"format": 2}, {"of_later": 1}, {"stored": {"fix": 1}}, {"state": "paused"}])
def test_the_note_of_a_newer_version_is_kept_with_the_copies_that_it_may_name(
    tmp_path: pathlib.Path, change: dict[str, t.Any]
) -> None:
    host = Host(tmp_path)
    journal.write_note(host.kernel.files(), NOTE)
    note = tmp_path / "run/openeuler-livepatch/run"
    note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
    before = note.read_text()
    (tmp_path / "run/openeuler-livepatch/mine-0123.ko").write_text("its copy")
    assert host.run("fix")["state"] == "enabled"
    assert host.run("fix", State.ABSENT)["state"] == "absent"
    assert note.with_name("run.damaged").read_text() == before
    assert note.with_name("mine-0123.ko").read_text() == "its copy"


def test_the_second_run_waits_and_then_says_who_has_the_lock(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    with lock.lock(kernel.files(), 0):
        journal.write_note(kernel.files(), NOTE)
        result = manage(Task(Wanted("fix", State.ABSENT, force_owner=True), patience=Patience(timeout=0.3)), kernel)
    assert result["failed"]
    assert (result["reason"], result["changed"], result["actions"], kernel.calls) == ("locked", False, [], [])
    assert "root, process 1 since 2026-01-01T00:00:00Z: load fix" in result["msg"]


def test_the_second_run_goes_on_when_the_first_has_ended(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    with lock.lock(kernel.files(), 0):
        pass
    assert manage(Task(Wanted("fix", State.ABSENT, force_owner=True)), kernel)["state"] == "absent"


def test_what_changes_nothing_does_not_wait_and_leaves_nothing(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    with lock.lock(kernel.files(), 0):
        assert not manage(Task(Wanted("fix", State.ENABLED, FIX)), kernel)["changed"]
        journal.write_note(kernel.files(), NOTE)
        result = manage(Task(Wanted("fix", State.ENABLED, FIX)), kernel)
        assert "failed" not in result
        assert "Another run is changing this host (root, process 1" in said(result)[0]
        journal.remove_note(kernel.files())
        assert manage(Task(Wanted("fix", State.ABSENT, force_owner=True), check_mode=True), kernel)["changed"]
    assert list((tmp_path / "run/openeuler-livepatch").iterdir()) == []


def test_check_mode_tells_of_a_run_that_was_cut_off(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    journal.write_note(kernel.files(), NOTE)
    result = manage(Task(Wanted("fix", State.ENABLED, FIX), check_mode=True), kernel)
    assert "was interrupted (root, process 1" in said(result)[0]
    assert journal.read_note(kernel.files()) == NOTE


class Cut(BaseException):
    """The module's process is gone: nothing of it runs any more."""


class MortalKernel(ModelKernel):
    """A kernel during whose call `last` the process dies; a module has another inode each time that it is loaded."""

    last: str | None = None

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        name = self.known_files[sha256].name
        super().load(path, sha256, parameters)
        pathlib.Path(self.root, "sys/module", name).mkdir(parents=True)
        self._die_after(f"load {name}")

    def unload(self, name: str) -> None:
        super().unload(name)
        gone = pathlib.Path(self.root, "sys/module", name)
        gone.rename(gone.with_name(f"{name} {len(self.calls)}"))
        self._die_after(f"unload {name}")

    def write_enabled(self, name: str, value: bool) -> None:
        super().write_enabled(name, value)
        self._die_after(f"{'enable' if value else 'disable'} {name}")

    def _die_after(self, call: str) -> None:
        if call == self.last:
            self.last = None
            raise Cut


class Host:
    """A model of a host, with tasks for it and runs that are cut off."""

    def __init__(self, tmp_path: pathlib.Path, abi: str = PER_TASK) -> None:
        self.root = tmp_path
        self.kernel = MortalKernel(tmp_path, abi=abi)

    def run(
        self,
        name: str,
        state: State = State.ENABLED,
        sent: bool = True,
        task: dict[str, t.Any] | None = None,
        **wanted: t.Any,
    ) -> dict[str, t.Any]:
        file = patch_file(name, abi=self.kernel.abi)
        self.kernel.add_file(file)
        path = self.root / f"{name}.ko"
        path.write_bytes(content_of(name))
        wish = Wanted(name, state, file if state == State.ENABLED else None, **wanted)
        return manage(Task(wish, str(path) if sent else None, **(task or {})), self.kernel)

    def dies_after(self, call: str, *arguments: t.Any, **wanted: t.Any) -> None:
        self.kernel.last = call
        with pytest.raises(Cut):
            self.run(*arguments, **wanted)

    @property
    def acceptance(self) -> Acceptance:
        return acceptance_of(self.kernel.files())

    def conditions(self) -> dict[str, bool]:
        return {patch.name: patch.enabled for patch in self.kernel.patches}


@pytest.mark.parametrize(("call", "base"), [("unload new", True), ("load new", False)])
def test_what_a_patch_displaced_is_known_after_a_run_that_took_it_out_was_cut_off(
    tmp_path: pathlib.Path, call: str, base: bool
) -> None:
    host = Host(tmp_path)
    host.run("base")
    host.run("old")
    host.run("new", supersedes=("old",))
    host.dies_after(call, "base", State.DISABLED, on_covered=OnCovered.UNSTACK)
    assert "interrupted" in said(host.run("new"))[0]
    assert host.conditions() == {"base": base, "new": True}
    assert "failed" not in host.run("new", State.REVERTED)
    assert host.conditions() == {"base": base, "old": True}


def test_what_was_disabled_comes_back_after_a_run_that_was_cut_off(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("new")
    host.run("new", State.DISABLED)
    host.dies_after("unload new", "new")
    assert "interrupted" in said(host.run("new", State.DISABLED))[0]
    assert host.conditions() == {"new": False}


@pytest.mark.parametrize(("abi", "call"), [(PER_TASK, "disable fix"), (STOP_MACHINE, "disable fix")])
def test_what_was_forgotten_is_accepted_again_when_the_run_is_undone(
    tmp_path: pathlib.Path, abi: str, call: str
) -> None:
    host = Host(tmp_path, abi)
    host.run("fix", boot=AtBoot.ACCEPTED)
    before = host.acceptance
    host.dies_after(call, "fix", State.ABSENT)
    # If the host went down now, the patch would not come back.
    assert host.acceptance == Acceptance()
    result = host.run("fix")
    assert result["changed"]
    assert "it was rolled back: " in said(result)[0]
    assert "What is accepted for the next boots is as before it." in said(result)[0]
    assert (host.conditions(), host.acceptance, result["boot"]) == ({"fix": True}, before, "accepted")
    assert [path.name for path in (tmp_path / "var/lib/openeuler-livepatch").glob("*.ko")] == [
        f"fix-{FIX.sha256[:16]}.ko"
    ]
    assert not host.run("fix")["changed"]


@pytest.mark.parametrize("damaged", [False, True])
def test_what_cannot_be_accepted_again_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    host = Host(tmp_path)
    host.run("fix", boot=AtBoot.ACCEPTED)
    host.dies_after("disable fix", "fix", State.ABSENT)
    store = tmp_path / "var/lib/openeuler-livepatch/accepted"
    if damaged:
        store.write_text("{")
    monkeypatch.setattr(boot_store, "write", fail_with(errno.ENOSPC))
    result = host.run("fix")
    assert "failed" not in result
    assert any("fix is not accepted any more" in sentence for sentence in said(result)) != damaged
    assert (store.read_text() == "{") == damaged


def fail_with(number: int) -> t.Callable[..., None]:
    def fail(*_arguments: t.Any, **_keywords: t.Any) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_what_a_run_has_forgotten_and_taken_out_stays_forgotten(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("fix", boot=AtBoot.ACCEPTED)
    host.dies_after("unload fix", "fix", State.ABSENT)
    result = host.run("fix", State.ABSENT)
    assert "it had carried out its steps" in said(result)[0]
    assert not result["changed"]
    assert (host.conditions(), host.acceptance) == ({}, Acceptance())


def test_facts_tell_of_a_run_that_has_not_ended(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    assert gather(files)["unfinished_run"] is None
    journal.write_note(files, NOTE)
    assert gather(files)["unfinished_run"] == {
        "who": "root, process 1",
        "what": "load fix",
        "since": "2026-01-01T00:00:00Z",
        "patches": ["fix"],
    }
    (tmp_path / "run/openeuler-livepatch/run").write_text("{")
    facts = gather(files)
    assert facts["unfinished_run"] == dict.fromkeys(("who", "what", "since", "patches"))
    assert {"path": journal.NOTE, "reason": "damaged"} in facts["unreadable"]


def dies_before_the_proof(monkeypatch: pytest.MonkeyPatch, host: Host, name: str, **wanted: t.Any) -> None:
    """Run a task whose process is gone when the patch is enabled and not proven."""

    def die(*_arguments: t.Any) -> t.NoReturn:
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(Prover, "prove", die)
        with pytest.raises(Cut):
            host.run(name, **wanted)
    assert host.conditions()[name]
    host.kernel.calls.clear()


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_is_live_and_wanted_is_proven_and_stays(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, abi: str
) -> None:
    host = Host(tmp_path, abi)
    dies_before_the_proof(monkeypatch, host, "fix")
    assert not host.run("fix", task={"check_mode": True})["changed"]
    result = host.run("fix")
    assert (result["changed"], result["state"], host.kernel.calls) == (False, "enabled", [])
    assert [proof["what"] for proof in result["proofs"]] == ["state", "log"]
    assert "it had carried out its steps, and not proven the result." in said(result)[0]
    assert not host.run("fix")["proofs"]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_what_is_live_and_wanted_and_cannot_be_proven_is_no_success(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, abi: str
) -> None:
    host = Host(tmp_path, abi)
    dies_before_the_proof(monkeypatch, host, "fix")
    probe = Verification(probe=Probe(argv=("false",)))
    result = host.run("fix", task={"verification": probe})
    assert (result["failed"], result["reason"], result["state"]) == (True, "probe_failed", "absent")
    assert host.kernel.calls == ["disable fix", "unload fix"]
    assert "what an interrupted run had left was rolled back" in result["msg"]
    assert (result["changed"], "stays so" in result["msg"]) == (True, False)
    assert not journal.is_noted(host.kernel.files())


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize(
    ("name", "state"), [("other", State.ENABLED), ("other", State.ABSENT), ("fix", State.DISABLED)]
)
def test_any_other_task_first_takes_back_what_is_not_proven(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, abi: str, name: str, state: State
) -> None:
    host = Host(tmp_path, abi)
    dies_before_the_proof(monkeypatch, host, "fix")
    result = host.run(name, state)
    assert "it was rolled back: disable fix, unload fix." in said(result)[0]
    assert host.kernel.calls[:2] == ["disable fix", "unload fix"]
    assert "fix" not in host.conditions()


class Scissors:
    """Cuts a run off before the change of this number: of the kernel, or of the collection's files."""

    def __init__(self, patched: pytest.MonkeyPatch, host: Host, number: int) -> None:
        self.left = number
        places = ((host.kernel, "_call"), (durable, "write"), (journal, "remove_note"))
        for place, name in (*places, (boot_store, "prune")):
            patched.setattr(place, name, self._counted(getattr(place, name)))

    def _counted(self, call: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def counted(*arguments: t.Any, **keywords: t.Any) -> t.Any:
            if self.left == 0:
                raise Cut
            self.left -= 1
            return call(*arguments, **keywords)

        return counted


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("stalls", [False, True])
def test_wherever_a_run_is_cut_off_what_is_loaded_and_what_is_accepted_fit(
    tmp_path: pathlib.Path, abi: str, number: int, stalls: bool
) -> None:
    host = Host(tmp_path, abi)
    host.run("fix", boot=AtBoot.ACCEPTED)
    host.kernel.stall = {"fix"} if stalls else set()
    task = {"patience": Patience(timeout=1, on_stall=OnStall.REPORT)}
    with pytest.MonkeyPatch.context() as patched:
        Scissors(patched, host, number)
        with contextlib.suppress(Cut):
            host.run("fix", State.ABSENT, task=task)
    was_noted = journal.is_noted(host.kernel.files())
    host.kernel.stall = set()
    host.run("other")
    assert not journal.is_noted(host.kernel.files())
    if was_noted:
        assert host.conditions().get("fix", False) == ([one.name for one in host.acceptance.accepted] == ["fix"])
    for one in host.acceptance.accepted:
        assert isinstance(host.kernel.files().bytes(boot_store.file_path(one.name, one.sha256)), bytes)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("state", [State.ABSENT, State.REVERTED])
def test_a_boot_store_that_cannot_be_written_keeps_nothing_in_the_kernel(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, state: State, number: int
) -> None:
    host = Host(tmp_path)
    host.run("fix", boot=AtBoot.ACCEPTED)
    with monkeypatch.context() as patched:
        patched.setattr(boot_store, "write", fail_with(number))
        result = host.run("fix", state)
    assert (result["state"], result["changed"], result["boot"]) == ("absent", True, "accepted")
    assert "forget fix at the next boots" not in result["actions"]
    assert [one["reason"] for one in result["findings"]].count("not_forgotten") == 1
    assert "failed" not in result and not journal.is_noted(host.kernel.files())
    # What was not forgotten then is forgotten by the next run.
    again = host.run("fix", state)
    assert (again["actions"], again["boot"]) == (["forget fix at the next boots"], "none")


@pytest.mark.parametrize(
    ("state", "boot", "place"),
    [
        (State.ABSENT, None, "journal"),
        (State.REVERTED, None, "journal"),
        (State.ENABLED, AtBoot.TRIAL, "journal"),
        (State.ENABLED, AtBoot.TRIAL, "boot store"),
    ],
)
def test_where_nothing_can_be_written_nothing_is_forgotten(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, state: State, boot: AtBoot | None, place: str
) -> None:
    host = Host(tmp_path)
    host.run("fix", boot=AtBoot.ACCEPTED)
    before = host.acceptance
    calls = list(host.kernel.calls)
    with monkeypatch.context() as patched:
        if place == "journal":
            patched.setattr(journal, "write_note", fail_with(errno.ENOSPC))
        else:
            # The file is in place already, and that cannot be made to last.
            patched.setattr(durable, "sync_directory", fail_once(errno.EIO))
        result = host.run("fix", state, boot=boot)
    assert (result["reason"], result["changed"]) == ("no_room", False)
    assert (host.kernel.calls, host.acceptance) == (calls, before)
    assert not journal.is_noted(host.kernel.files())


def fail_once(number: int) -> t.Callable[..., None]:
    numbers = [number]

    def fail(*_arguments: t.Any) -> None:
        if numbers:
            fail_with(numbers.pop())()

    return fail


def test_what_recovery_undid_is_a_change_and_is_told_with_the_request_for_the_file(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, STOP_MACHINE)
    host.dies_after("load fix", "fix")
    first = host.run("fix", sent=False)
    assert (first["needs_file"], first["changed"], first["actions"]) == (True, True, ["unload fix"])
    assert "it was rolled back: unload fix." in said(first)[0]
    assert host.run("fix")["state"] == "enabled"


def test_what_recovery_undid_is_a_change_also_if_nothing_else_is_to_be_done_or_it_fails(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, STOP_MACHINE)
    host.dies_after("load fix", "fix")
    for check_mode in (True, False):
        result = host.run("fix", State.ABSENT, task={"check_mode": check_mode})
        assert (result["changed"], result["state"], result["actions"]) == (True, "absent", ["unload fix"])
        assert result["diff"]["before"].startswith("fix:\n  enabled: false\n")
        assert result["diff"]["after"] == "none\n"
    host.dies_after("load fix", "fix")
    monkeypatch.setattr(journal, "write_note", fail_with(errno.ENOSPC))
    result = host.run("fix")
    assert (result["failed"], result["reason"], result["changed"]) == (True, "no_room", True)
    assert result["actions"] == ["unload fix"]
    assert "it was rolled back: unload fix." in said(result)[0]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
@pytest.mark.parametrize("state", [State.ENABLED, State.ABSENT])
def test_what_is_accepted_again_is_an_action_and_is_predicted(tmp_path: pathlib.Path, abi: str, state: State) -> None:
    host = Host(tmp_path, abi)
    host.run("fix", boot=AtBoot.ACCEPTED)
    host.dies_after("disable fix", "fix", State.ABSENT)
    predicted, done = (host.run("fix", state, task={"check_mode": check_mode}) for check_mode in (True, False))
    of_recovery = [
        *(["unload fix", "load fix"] if abi == PER_TASK else ["enable fix"]),
        "accept fix for the next boots",
    ]
    of_task = [] if state == State.ENABLED else ["disable fix", "unload fix", "forget fix at the next boots"]
    for result in (predicted, done):
        assert [step for step in result["actions"] if not step.startswith("wait")] == [*of_recovery, *of_task]
        boot = "accepted" if state == State.ENABLED else "none"
        assert (result["changed"], result["state"], result["boot"]) == (True, state.value, boot)
    assert predicted["diff"] == done["diff"]


def test_a_refused_task_tells_what_was_rolled_back_before(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, STOP_MACHINE)
    host.dies_after("load fix", "fix")
    for check_mode in (True, False):
        result = manage(Task(Wanted("other", State.ENABLED), check_mode=check_mode), host.kernel)
        assert (result["reason"], result["changed"], result["actions"]) == ("not_loaded", True, ["unload fix"])


def test_what_was_rolled_back_before_the_host_could_not_be_read_is_told(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, STOP_MACHINE)
    host.dies_after("load fix", "fix")
    read = host.kernel.snapshot

    def snapshot() -> Snapshot:
        is_gone = not host.kernel.patches
        return dataclasses.replace(read(), undecided=(Unreadable("/proc/modules", "EMFILE"),) if is_gone else ())

    monkeypatch.setattr(host.kernel, "snapshot", snapshot)
    result = host.run("fix", State.ABSENT)
    assert (result["reason"], result["changed"], result["actions"]) == ("unreadable", True, ["unload fix"])


def test_a_run_that_was_cut_off_before_its_first_step_is_no_change(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.run("fix")
    journal.write_note(host.kernel.files(), dataclasses.replace(NOTE, before=tuple(host.kernel.patches)))
    assert not host.run("fix")["changed"]


def test_the_directory_of_somebody_else_is_not_used(tmp_path: pathlib.Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/openeuler-livepatch").symlink_to(tmp_path / "elsewhere")
    kernel = ModelKernel(tmp_path, loaded(FIX))
    result = manage(Task(Wanted("fix", State.ABSENT, force_owner=True)), kernel)
    assert (result["reason"], result["errno"], kernel.calls) == ("no_room", "ENOTDIR", [])
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_files_are_for_root_alone(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    source = tmp_path / "source.ko"
    source.write_bytes(b"fix 1")
    path = tmp_path / copies.store(files, "fix", str(source), FIX.sha256).lstrip("/")
    assert path.read_bytes() == b"fix 1"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
