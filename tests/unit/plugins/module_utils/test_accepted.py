# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host keeps for its next boots, and what a task changes in that."""

from __future__ import annotations

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
    MOST_STEPS_BACK,
    Acceptance,
    Accepted,
    Damaged,
    Quarantined,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    OnStall,
    Patience,
    Probe,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.next_boot import boot_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    ModelKernel,
    acceptance_of,
    content_of,
    loaded,
    note_build_id,
    patch_file,
    said,
)


def accepted(name: str, content: str = "1", release: str = RELEASE, **changes: t.Any) -> Accepted:
    file = patch_file(name, content)
    since = changes.pop("since", "then")
    return Accepted(name, file.sha256, release, since, json.loads(json.dumps(file.to_dict())), **changes)


def names(acceptance: Acceptance, release: str = RELEASE) -> list[str]:
    return [one.name for one in acceptance.due(KernelId(release))]


# ---- values ----


def test_the_kernels_order_is_kept() -> None:
    acceptance = Acceptance((accepted("b"),)).with_accepted(accepted("a"), [], ["a", "b"])
    assert names(acceptance) == ["a", "b"]


def test_what_is_superseded_is_not_due_but_comes_back() -> None:
    acceptance = Acceptance((accepted("a"), accepted("b"))).with_accepted(accepted("c"), ["a", "b"], ["c"])
    assert names(acceptance) == ["c"]
    assert names(acceptance.without("c", restore=True)) == ["a", "b"]
    assert acceptance.without("c", restore=False) == Acceptance()


def chain(*names: str) -> Acceptance:
    """Each of these is accepted in turn, and supersedes the one before it."""
    acceptance = Acceptance()
    for place, name in enumerate(names):
        acceptance = acceptance.with_accepted(accepted(name), names[max(place - 1, 0) : place], [])
    return acceptance


def test_what_is_superseded_in_turn_comes_back_in_turn() -> None:
    acceptance = chain("a", "b", "c")
    assert [(one.name, one.superseded_by) for one in acceptance.accepted] == [("a", "b c"), ("b", "c"), ("c", None)]
    assert [one.name for one in acceptance.superseded_by(acceptance.accepted[-1])] == ["b"]
    for name, former in (("c", ["b"]), ("b", ["a"]), ("a", [])):
        acceptance = acceptance.without(name, restore=True)
        assert names(acceptance) == former
    assert acceptance == Acceptance()


def test_what_comes_back_as_the_newest_has_a_history_with_itself() -> None:
    acceptance = chain("a", "b", "c", "a")
    assert acceptance.with_accepted(accepted("a"), ["c"], []) == acceptance
    for name, former in (("a", ["c"]), ("c", ["b"]), ("b", ["a"]), ("a", [])):
        acceptance = acceptance.without(name, restore=True)
        assert names(acceptance) == former


def test_to_and_fro_keeps_each_build_once_and_what_was_before() -> None:
    acceptance = chain("first", *(["a", "b"] * 20))
    assert [(one.name, one.superseded_by) for one in acceptance.accepted] == [
        ("first", "b a b"),
        ("b", "a b"),
        ("a", "b"),
        ("b", None),
    ]
    for name, former in (("b", ["a"]), ("a", ["b"]), ("b", ["first"]), ("first", [])):
        acceptance = acceptance.without(name, restore=True)
        assert names(acceptance) == former


def test_there_are_not_more_steps_than_are_remembered() -> None:
    many = [f"p{number}" for number in range(MOST_STEPS_BACK + 3)]
    assert [one.name for one in chain(*many).accepted] == many[2:]


def test_what_is_forgotten_for_good_takes_along_all_that_it_had_superseded() -> None:
    acceptance = chain("a", "b", "c", "d")
    assert acceptance.without("d", restore=False) == Acceptance()
    assert [one.name for one in acceptance.without("b", restore=False).accepted] == ["c", "d"]


def test_forgetting_what_is_superseded_leaves_what_that_had_superseded() -> None:
    acceptance = chain("a", "b", "c").without("b", restore=True)
    assert [(one.name, one.superseded_by) for one in acceptance.accepted] == [("a", "c"), ("c", None)]


@pytest.mark.parametrize("content", ["1", "2"])
def test_what_is_accepted_again_meanwhile_does_not_come_back_twice(content: str) -> None:
    """Two files of one name would be taken for builds for two builds of the kernel: no boot would load either."""
    acceptance = chain("z", "a", "b").with_accepted(accepted("a", content), [], [])
    assert names(acceptance) == ["b", "a"]
    assert names(acceptance.without("b", restore=True)) == (["z", "a"] if content == "1" else ["a"])


def test_other_checks_to_ignore_do_not_forget_what_was_superseded() -> None:
    acceptance = chain("a", "b").with_accepted(accepted("b", ignore=("kprobe",)), [], [])
    assert [(one.name, one.superseded_by, one.ignore) for one in acceptance.accepted] == [
        ("a", "b", ()),
        ("b", None, ("kprobe",)),
    ]


def test_what_was_superseded_is_accepted_once_when_it_is_accepted_again() -> None:
    acceptance = Acceptance((accepted("a"),)).with_accepted(accepted("b"), ["a"], [])
    acceptance = acceptance.with_accepted(accepted("a"), [], [])
    assert [(one.name, one.superseded_by) for one in acceptance.accepted] == [("b", None), ("a", None)]


def test_another_content_of_the_same_name_is_taken_back_too() -> None:
    acceptance = Acceptance((accepted("a"),)).with_accepted(accepted("a", "2"), [], [])
    assert [one.sha256 for one in acceptance.due(KernelId(RELEASE))] == [accepted("a", "2").sha256]
    assert [one.sha256 for one in acceptance.without("a", restore=True).due(KernelId(RELEASE))] == [
        accepted("a").sha256
    ]


def test_other_kernels_are_left_alone() -> None:
    acceptance = Acceptance((accepted("a", release="1.0"),)).with_accepted(accepted("b"), ["a"], [])
    assert names(acceptance, "1.0") == ["a"]
    assert [one.name for one in acceptance.lost(KernelId(RELEASE))] == ["a"]
    assert acceptance.with_accepted(accepted("a"), [], []).lost(KernelId(RELEASE)) == ()


def test_another_build_of_the_kernel_is_another_kernel() -> None:
    one, other = KernelId(RELEASE, "aa"), KernelId(RELEASE, "bb")
    of_one = Acceptance((accepted("a", kernel_build_id="aa"), accepted("any")))
    assert [entry.name for entry in of_one.due(one)] == ["a", "any"]
    assert [entry.name for entry in of_one.due(KernelId(RELEASE))] == ["a", "any"]
    assert [entry.name for entry in of_one.due(other)] == ["any"]
    assert [entry.name for entry in of_one.lost(other)] == ["a"]
    both = of_one.with_accepted(accepted("b", kernel_build_id="bb"), ["a", "any"], ["b"])
    assert [entry.name for entry in both.due(one)] == ["a"]
    assert [entry.name for entry in both.due(other)] == ["b"]
    assert [entry.name for entry in both.superseded_by(both.due(other)[0])] == ["any"]


def test_one_of_several_builds_is_not_guessed() -> None:
    one, two = (accepted("fix", content, kernel_build_id=content * 8) for content in ("1", "2"))
    both = Acceptance((one, two, accepted("other")))
    assert both.due(KernelId(RELEASE, "1" * 8)) == (one, accepted("other"))
    assert both.due(KernelId(RELEASE)) == (accepted("other"),)
    assert both.ambiguous(KernelId(RELEASE)) == (one, two)
    assert [entry.name for entry in both.lost(KernelId(RELEASE))] == ["fix"]
    # The same file for both is no question.
    same = Acceptance((one, dataclasses.replace(one, kernel_build_id="2" * 8)))
    assert (same.ambiguous(KernelId(RELEASE)), names(same)) == ((), ["fix", "fix"])


def test_the_newest_is_the_one_that_was_accepted_last_whatever_the_clock_said() -> None:
    """`since` tells it among those of version 1.0 alone, which did not count, and of which none is newer."""
    kernel = KernelId(RELEASE)
    old = tuple(
        accepted(name, since=since) for name, since in (("a", "2026-01-02"), ("b", "2026-01-03"), ("c", "2026"))
    )
    acceptance = Acceptance(old)
    assert [one.name for one in acceptance.after_unclean_end(kernel, 2, "now").quarantined] == ["b"]
    acceptance = acceptance.with_accepted(accepted("d", since="1970"), [], ["d", "a", "b", "c"])
    assert names(acceptance) == ["d", "a", "b", "c"]
    assert [one.name for one in acceptance.after_unclean_end(kernel, 2, "now").quarantined] == ["d"]
    acceptance = acceptance.with_accepted(accepted("e", since="1969"), [], [])
    assert [one.name for one in acceptance.after_unclean_end(kernel, 2, "now").quarantined] == ["e"]
    # Accepting the same again is no news.
    acceptance = acceptance.with_accepted(accepted("d", since="1970"), [], [])
    assert [one.name for one in acceptance.after_unclean_end(kernel, 2, "now").quarantined] == ["e"]


def test_only_what_that_boot_has_loaded_is_a_suspect() -> None:
    elsewhere = accepted("c", release="6.1.0")
    acceptance = Acceptance((accepted("a"), accepted("b"), elsewhere))
    assert acceptance.after_unclean_end(KernelId(RELEASE), 1, "now") == acceptance
    once = acceptance.after_unclean_end(KernelId(RELEASE), 2, "now")
    twice = once.after_unclean_end(KernelId(RELEASE), 3, "now")
    assert [one.name for one in once.quarantined] == ["b"]
    assert [one.name for one in twice.quarantined] == ["b", "a"]
    assert twice.quarantined[1].why == "The host went down within an hour of a boot, 3 times in a row."
    assert twice.after_unclean_end(KernelId(RELEASE), 4, "now") == twice


def test_forgetting_takes_the_quarantine_back() -> None:
    quarantined = Quarantined("a", accepted("a").sha256, RELEASE, "then", "It crashed.")
    acceptance = Acceptance((accepted("a"),), (quarantined,))
    assert acceptance.quarantine_of(accepted("a").sha256) == quarantined
    assert acceptance.without("a", restore=False) == Acceptance()


def test_what_comes_back_is_still_in_quarantine() -> None:
    quarantined = Quarantined("a", accepted("a").sha256, RELEASE, "then", "It crashed.")
    acceptance = Acceptance((accepted("a"),), (quarantined,)).with_accepted(accepted("a", "2"), [], ["a"])
    again = acceptance.without("a", restore=True)
    assert [one.sha256 for one in again.due(KernelId(RELEASE))] == [quarantined.sha256]
    assert again.quarantined == (quarantined,)


def test_accepting_again_changes_nothing() -> None:
    acceptance = Acceptance((accepted("a"),)).with_accepted(accepted("b"), ["a"], ["b"])
    assert acceptance.with_accepted(accepted("b"), [], ["b"]) == acceptance


def test_what_is_not_loaded_stays_in_its_place() -> None:
    other_kernel = (accepted("z", release="1.0"), accepted("a", release="1.0"))
    acceptance = Acceptance((*other_kernel, accepted("a"), accepted("failed"), accepted("b")))
    acceptance = acceptance.with_accepted(accepted("c"), [], ["b", "a", "c"])
    assert names(acceptance) == ["b", "failed", "a", "c"]
    assert names(acceptance, "1.0") == ["z", "a"]


# ---- on disk ----


def test_it_is_read_as_it_was_written(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    acceptance = Acceptance(
        (accepted("a", ignore=("kprobe",)), accepted("b", superseded_by="c")),
        (Quarantined("a", "abc", RELEASE, "then", "It crashed."),),
    )
    boot_store.write(files, acceptance)
    assert boot_store.read(files) == acceptance
    assert not files.unreadable
    assert (tmp_path / "var/lib/openeuler-livepatch").stat().st_mode & 0o777 == 0o700


def test_books_without_build_ids_are_read(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    data = boot_store.to_plain(Acceptance((accepted("a", kernel_build_id="aa"),)))
    for entry in data["accepted"]:
        del entry["kernel_build_id"], entry["patch_file"]["kernel_build_id"]
    data = json.loads(json.dumps(data))
    assert boot_store.from_plain(data) == Acceptance(
        (dataclasses.replace(accepted("a"), patch_file=data["accepted"][0]["patch_file"]),)
    )
    assert PatchFile.from_dict(data["accepted"][0]["patch_file"]) == patch_file("a")
    boot_store.write(files, boot_store.from_plain(data))
    assert names(acceptance_of(files)) == ["a"]


def test_a_marker_is_read_as_it_was_written(tmp_path: pathlib.Path) -> None:
    files = Files(str(tmp_path))
    assert boot_store.read_marker(files) == Absent()
    for marker in (boot_store.Marker("id", RELEASE, "ab" * 20, True, 2), boot_store.Marker("id", RELEASE)):
        boot_store.write_marker(files, marker)
        assert boot_store.read_marker(files) == marker


DAMAGES = [
    "",
    "{",
    "[]",
    '{"accepted": 1}',
    '{"accepted": [{}], "quarantined": []}',
    '{"format": 2, "accepted": [], "quarantined": []}',
    '{"format": 1, "accepted": [], "quarantined": [], "of_later": []}',
]


def spoil(root: pathlib.Path, text: str) -> pathlib.Path:
    path = root / "var/lib/openeuler-livepatch/accepted"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
    return path


@pytest.mark.parametrize("text", DAMAGES)
def test_what_is_damaged_is_said_and_nothing_is_accepted_over_it(tmp_path: pathlib.Path, text: str) -> None:
    files = Files(str(tmp_path))
    path = spoil(tmp_path, text)
    damaged = boot_store.read(files)
    assert isinstance(damaged, Damaged) and damaged.why.startswith(f"{boot_store.ACCEPTED} cannot be read: ")
    assert [problem.path for problem in files.unreadable] == [boot_store.ACCEPTED]
    other = patch_file("fix", vermagic="6.1.0 SMP")
    result = manage(Task(Wanted("fix", State.ENABLED, other, boot=AtBoot.ACCEPTED), "sent.ko"), ModelKernel(tmp_path))
    assert {finding["reason"] for finding in result["findings"]} >= {"boot_store_damaged", "wrong_vermagic"}
    assert result["failed"] and path.read_text(encoding="ascii") == text


@pytest.mark.parametrize("text", DAMAGES)
@pytest.mark.parametrize("state", [State.ABSENT, State.REVERTED, State.DISABLED])
def test_what_is_damaged_keeps_nothing_in_the_kernel(host: Host, text: str, state: State) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    files = host.stored()
    path = spoil(host.root, text)
    predicted = host.run("fix", state, check_mode=True)
    assert path.read_text(encoding="ascii") == text
    result = host.run("fix", state)
    assert "failed" not in result and "failed" not in predicted
    assert not any(patch.enabled for patch in host.kernel.patches)
    assert host.stored() == files, "whoever mends the file needs them"
    if state == State.DISABLED:
        assert path.read_text(encoding="ascii") == text
        return
    said = [one for one in result["findings"] if one["reason"] == "boot_store_damaged"]
    assert [one["severity"] for one in said] == ["warn"] and said == [
        one for one in predicted["findings"] if one["reason"] == "boot_store_damaged"
    ]
    assert f"It is kept as {boot_store.ACCEPTED}.damaged" in said[0]["cause"]
    assert path.with_name("accepted.damaged").read_text(encoding="ascii") == text
    assert not path.exists() and not host.run("fix", state)["changed"]
    assert host.run("fix", content="1", boot=AtBoot.ACCEPTED)["boot"] == "accepted"


@pytest.mark.parametrize("state", [State.ABSENT, State.REVERTED])
def test_what_is_damaged_stays_where_nothing_is_to_be_taken_out(host: Host, state: State) -> None:
    path = spoil(host.root, "{")
    result = host.run("fix", state)
    assert (result["changed"], [one["reason"] for one in result["findings"]]) == (False, ["boot_store_damaged"])
    assert path.read_text(encoding="ascii") == "{"


@pytest.mark.parametrize("state", [State.ABSENT, State.REVERTED])
def test_what_could_not_be_read_this_time_stays_and_keeps_nothing_in_the_kernel(host: Host, state: State) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    path, text = Files.bytes, (host.root / "var/lib/openeuler-livepatch/accepted").read_bytes()

    def bytes_of(files: Files, name: str) -> t.Any:
        if name != boot_store.ACCEPTED:
            return path(files, name)
        files.unreadable.append(Unreadable(name, "EMFILE"))
        return files.unreadable[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Files, "bytes", bytes_of)
        result = host.run("fix", state)
    assert (result["state"], result["changed"]) == ("absent", True)
    assert "Afterwards boots load fix again if the file has it." in str(result["findings"])
    assert (host.root / "var/lib/openeuler-livepatch/accepted").read_bytes() == text
    assert host.stored() == ["fix"]


@pytest.mark.parametrize("state", [State.ABSENT, State.REVERTED])
def test_a_damaged_file_comes_back_to_its_place_if_the_kernel_refuses(host: Host, state: State) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    path = spoil(host.root, "{")
    host.kernel.fail_later("unload", 0)
    assert host.run("fix", state)["failed"]
    assert path.read_text(encoding="ascii") == "{"
    assert not path.with_name("accepted.damaged").exists()


# ---- tasks ----


@pytest.fixture(name="host", params=[PER_TASK, STOP_MACHINE])
def fixture_host(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path, request.param)


class Host:
    """A model of a host, and tasks for it."""

    def __init__(self, tmp_path: pathlib.Path, abi: str) -> None:
        self.root = tmp_path
        self.abi = abi
        self.kernel = ModelKernel(tmp_path, abi=abi)
        (tmp_path / "proc/sys/kernel").mkdir(parents=True)
        (tmp_path / "proc/sys/kernel/osrelease").write_text(RELEASE, encoding="ascii")

    def file(self, name: str, content: str = "1") -> PatchFile:
        file = patch_file(name, content, abi=self.abi)
        self.kernel.add_file(file)
        (self.root / "sys/module" / name).mkdir(parents=True, exist_ok=True)
        return file

    def run(
        self,
        name: str,
        state: State = State.ENABLED,
        content: str | None = None,
        check_mode: bool = False,
        ignore: tuple[str, ...] = (),
        verification: Verification | None = None,
        **wanted: t.Any,
    ) -> dict[str, t.Any]:
        file = self.file(name, content) if content else None
        path = self.root / "sent.ko"
        if content:
            path.write_bytes(content_of(name, content))
        return manage(
            Task(
                Wanted(name, state, file, **wanted),
                str(path) if content else None,
                check_mode=check_mode,
                verification=verification or Verification(),
                ignore=ignore,
            ),
            self.kernel,
        )

    @property
    def acceptance(self) -> Acceptance:
        return acceptance_of(self.kernel.files())

    @property
    def due(self) -> list[str]:
        return names(self.acceptance)

    def stored(self) -> list[str]:
        directory = self.root / "var/lib/openeuler-livepatch"
        return sorted(path.name.rpartition("-")[0] for path in directory.glob("*.ko"))


def test_accepting(host: Host) -> None:
    first = host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert first["changed"]
    assert first["boot"] == "accepted"
    assert first["patch"]["boot"] == "accepted"
    assert first["actions"][-1] == "accept fix for the next boots"
    assert "accepted for the next boots: fix (sha256 " in first["diff"]["after"]
    assert host.due == ["fix"]
    assert host.stored() == ["fix"]
    again = host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert not again["changed"]
    assert again["actions"] == []
    assert gather_boot(host)["accepted"][0]["name"] == "fix"


@pytest.mark.parametrize("boot", [None, AtBoot.ACCEPTED, AtBoot.TRIAL])
def test_another_build_than_the_accepted_one_is_told(host: Host, boot: AtBoot | None) -> None:
    """A reboot would bring back the earlier build."""
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    for check_mode in (True, False):
        result = host.run("fix", content="2", reload=True, boot=boot, check_mode=check_mode)
        told = [finding["reason"] for finding in result["findings"] if finding["severity"] == "warn"]
        assert told == (["other_accepted"] if boot is None else [])


def gather_boot(host: Host) -> dict[str, t.Any]:
    return gather(host.kernel.files())["boot"]


def test_accepting_what_is_enabled_already(host: Host) -> None:
    assert host.run("fix", content="1")["boot"] == "trial"
    assert host.due == []
    check = host.run("fix", boot=AtBoot.ACCEPTED, check_mode=True)
    assert check["changed"]
    assert check["boot"] == "accepted"
    assert host.due == []
    calls = list(host.kernel.calls)
    assert host.run("fix", boot=AtBoot.ACCEPTED)["actions"] == ["accept fix for the next boots"]
    assert host.kernel.calls == calls
    assert host.due == ["fix"]


@pytest.mark.parametrize(("text", "accepted_now"), [("patched", ["fix"]), ("", [])])
def test_what_is_only_accepted_is_proven_too(host: Host, text: str, accepted_now: list[str]) -> None:
    (host.root / "proc/cmdline").write_text(text, encoding="ascii")
    host.run("fix", content="1")
    calls = list(host.kernel.calls)
    verification = Verification(probe=Probe(path="/proc/cmdline", expect="patched"), watch=5)
    result = host.run("fix", boot=AtBoot.ACCEPTED, verification=verification)
    assert host.due == accepted_now
    assert host.kernel.calls == calls
    assert [patch.name for patch in host.kernel.patches] == ["fix"]
    if accepted_now:
        assert "5 s after the task began" in result["proofs"][-1]["how"]
        assert host.kernel.clock == 5
    else:
        assert (result["reason"], result["changed"], result["rolled_back"]) == ("probe_failed", False, [])
        assert result["msg"].endswith("The host is as it was before.")


def test_a_kernel_in_trouble_accepts_nothing(host: Host) -> None:
    host.run("fix", content="1")

    def oops(seconds: float, waits_for: str) -> None:
        (host.root / "proc/sys/kernel/tainted").write_text("128", encoding="ascii")

    host.kernel.sleep = oops
    result = host.run("fix", boot=AtBoot.ACCEPTED, verification=Verification(watch=5))
    assert "got into trouble after the task began; its taint shows an oops" in result["msg"]
    assert host.due == []


def test_accepting_alone_takes_no_time(host: Host) -> None:
    host.run("fix", content="1")
    assert not host.run("fix", boot=AtBoot.ACCEPTED).get("failed")
    assert host.kernel.clock == 0


def test_it_is_left_as_it_is_by_default(host: Host) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert not host.run("fix", content="1")["changed"]
    disabled = host.run("fix", State.DISABLED)
    assert any("the next boot enables it" in sentence for sentence in said(disabled))
    assert host.due == ["fix"]


def test_on_trial_again(host: Host) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    result = host.run("fix", boot=AtBoot.TRIAL)
    assert result["actions"] == ["forget fix at the next boots"]
    assert result["state"] == "enabled"
    assert host.acceptance == Acceptance()
    assert host.stored() == []
    assert not host.run("fix", boot=AtBoot.TRIAL)["changed"]


def test_what_is_taken_out_does_not_come_back(host: Host) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert host.run("fix", State.ABSENT)["actions"][-1] == "forget fix at the next boots"
    assert host.due == []
    assert not host.run("fix", State.ABSENT)["changed"]


def test_a_fix_supersedes_another_and_is_reverted(host: Host) -> None:
    host.run("old", content="1", boot=AtBoot.ACCEPTED)
    host.run("new", content="1", supersedes=("old",))
    # On trial: a reboot brings back what was accepted.
    assert host.due == ["old"]
    host.run("new", boot=AtBoot.ACCEPTED)
    assert host.due == ["new"]
    assert host.run("new", State.REVERTED)["changed"]
    assert host.due == ["old"]
    assert [patch.name for patch in host.kernel.patches] == ["old"]
    assert host.stored() == ["old"]


def test_a_patch_on_trial_between_two_accepted_ones(host: Host) -> None:
    host.run("old", content="1", boot=AtBoot.ACCEPTED)
    host.run("trial", content="1", supersedes=("old",))
    host.run("new", content="1", supersedes=("trial",), boot=AtBoot.ACCEPTED)
    assert host.due == ["new"]
    host.run("new", State.REVERTED)
    assert [patch.name for patch in host.kernel.patches] == ["trial"]
    assert host.due == ["old"]
    host.run("trial", State.REVERTED)
    assert [patch.name for patch in host.kernel.patches] == host.due == ["old"]


def test_a_superseded_patch_that_is_not_loaded(host: Host) -> None:
    host.run("old", content="1", boot=AtBoot.ACCEPTED)
    host.kernel.patches.clear()
    host.run("new", content="1", supersedes=("old",), boot=AtBoot.ACCEPTED)
    assert host.due == ["new"]


def test_accepting_again_keeps_the_way_back(host: Host) -> None:
    host.run("old", content="1", boot=AtBoot.ACCEPTED)
    host.run("new", content="1", supersedes=("old",), boot=AtBoot.ACCEPTED)
    assert not host.run("new", content="1", supersedes=("old",), boot=AtBoot.ACCEPTED)["changed"]
    host.run("new", State.REVERTED)
    assert host.due == ["old"]


def test_another_content_is_on_trial(host: Host) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert host.run("fix", content="2", reload=True)["boot"] == "trial"
    result = host.run("fix", content="2", boot=AtBoot.ACCEPTED)
    assert result["boot"] == "accepted"
    assert result["diff"]["before"] != result["diff"]["after"]


def test_it_is_forgotten_before_it_is_touched(host: Host) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    due = []
    unload = host.kernel.unload

    def look_and_unload(name: str) -> None:
        due.append(host.due)
        unload(name)

    host.kernel.unload = look_and_unload
    host.run("fix", State.ABSENT)
    assert due == [[]]


def test_what_could_not_be_taken_out_is_accepted_still(host: Host) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    host.kernel.fail["unload"] = (5, "trouble")
    assert host.run("fix", State.ABSENT)["failed"]
    assert host.due == ["fix"]
    assert host.stored() == ["fix"]


def test_a_patch_of_another_tool_is_not_accepted(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(patch_file("fix"), owner="SysCare"))
    file = tmp_path / "sent.ko"
    file.write_bytes(content_of("fix"))
    result = manage(Task(Wanted("fix", State.ENABLED, patch_file("fix"), boot=AtBoot.ACCEPTED), str(file)), kernel)
    assert result["reason"] == "owned"


def test_both_in_one_task(host: Host) -> None:
    host.run("old", content="1", boot=AtBoot.ACCEPTED)
    host.run("new", content="1", supersedes=("old",), boot=AtBoot.ACCEPTED)
    assert host.due == ["new"]


@pytest.mark.parametrize(("replace", "expected"), [(False, ["old", "new"]), (True, ["new"]), (None, ["new"])])
def test_what_replaces_is_not_refused_at_boot_above_what_was_disabled(
    tmp_path: pathlib.Path, replace: bool | None, expected: list[str]
) -> None:
    host = Host(tmp_path, PER_TASK)
    host.run("old", content="1", boot=AtBoot.ACCEPTED)
    host.run("old", State.DISABLED)
    new = patch_file("new", replace=replace)
    host.kernel.add_file(new)
    (tmp_path / "sent.ko").write_bytes(content_of("new"))
    manage(Task(Wanted("new", State.ENABLED, new, boot=AtBoot.ACCEPTED), str(tmp_path / "sent.ko")), host.kernel)
    assert host.due == expected
    host.run("new", State.REVERTED)
    assert host.due == ["old"]


def test_what_failed_is_not_accepted(host: Host) -> None:
    host.kernel.fail["load"] = (12, "out of memory")
    assert host.run("fix", content="1", boot=AtBoot.ACCEPTED)["failed"]
    assert host.acceptance == Acceptance()


def test_what_is_in_transition_still_is_not_accepted(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, stall=["fix"])
    file = tmp_path / "sent.ko"
    file.write_bytes(content_of("fix"))
    kernel.add_file(patch_file("fix"))
    wanted = Wanted("fix", State.ENABLED, patch_file("fix"), boot=AtBoot.ACCEPTED)
    result = manage(Task(wanted, str(file), patience=Patience(timeout=5, on_stall=OnStall.REPORT)), kernel)
    assert (result["state"], result["boot"]) == ("in transition", "trial")
    assert "Left for the next run: accept fix for the next boots." in said(result)[-1]
    assert boot_store.read(kernel.files()) == Acceptance()


def test_what_cannot_be_kept_is_undone(host: Host) -> None:
    # A file where the directory should be.
    (host.root / "var/lib").mkdir(parents=True)
    (host.root / "var/lib/openeuler-livepatch").write_text("", encoding="ascii")
    result = host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert result["failed"]
    assert result["reason"] == "no_room"
    assert result["attempted"] == "accept fix for the next boots"
    assert result["not_restored"] == []
    assert host.kernel.patches == []


def test_a_patch_of_unknown_content_needs_its_file(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(patch_file("fix")))
    result = manage(Task(Wanted("fix", State.ENABLED, boot=AtBoot.ACCEPTED)), kernel)
    assert result["reason"] == "needs_file"


def test_the_file_of_a_patch_that_is_enabled_already_is_asked_for(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(patch_file("fix")))
    result = manage(Task(Wanted("fix", State.ENABLED, patch_file("fix"), boot=AtBoot.ACCEPTED)), kernel)
    assert result == {"changed": False, "needs_file": True}


def damage(path: pathlib.Path, how: str) -> None:
    path.unlink()
    if how == "link":
        path.symlink_to("/dev/null")
    elif how == "damaged":
        path.write_bytes(b"rubbish")


def in_store(host: Host, directory: str = boot_store.DIRECTORY) -> pathlib.Path:
    (path,) = (host.root / directory.lstrip("/")).glob("fix-*.ko")
    return path


how_it_is_lost = pytest.mark.parametrize(
    ("how", "flaw"), [("gone", "is gone."), ("damaged", "is damaged."), ("link", "is damaged.")]
)


@how_it_is_lost
@pytest.mark.parametrize("content", ["1", None])
def test_a_file_that_no_boot_can_load_is_stored_again(host: Host, content: str | None, how: str, flaw: str) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    whole = in_store(host).read_bytes()
    assert gather_boot(host)["accepted"][0]["flaw"] is None
    path = in_store(host)
    damage(path, how)
    assert gather_boot(host)["accepted"][0]["flaw"].endswith(f"{path.name} {flaw}")
    assert not host.run("fix")["changed"]
    result = host.run("fix", content=content, boot=AtBoot.ACCEPTED)
    assert result["actions"] == ["accept fix for the next boots"]
    assert [finding["reason"] for finding in result["findings"]] == ["boot_file"]
    assert path.read_bytes() == whole and not path.is_symlink()
    assert gather_boot(host)["accepted"][0]["flaw"] is None
    assert not host.run("fix", boot=AtBoot.ACCEPTED)["changed"]


@how_it_is_lost
def test_a_file_without_any_whole_copy_is_asked_for(host: Host, how: str, flaw: str) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    damage(in_store(host), how)
    damage(in_store(host, copies.DIRECTORY), how)
    result = host.run("fix", boot=AtBoot.ACCEPTED)
    assert (result["reason"], result["remedy"]) == ("needs_file", "Give src.")
    assert flaw in result["msg"] and "No other copy of it is whole." in result["msg"]
    # The module without the file asks the controller for it.
    wanted = Wanted("fix", State.ENABLED, host.file("fix"), boot=AtBoot.ACCEPTED)
    assert manage(Task(wanted), host.kernel) == {"changed": False, "needs_file": True}
    assert host.run("fix", content="1", boot=AtBoot.ACCEPTED)["changed"]
    assert gather_boot(host)["accepted"][0]["flaw"] is None
    assert copies.digest(host.kernel.files(), f"/{in_store(host, copies.DIRECTORY).relative_to(host.root)}") == (
        host.file("fix").sha256
    )


@pytest.mark.parametrize("place", [boot_store.UNIT, boot_store.PROGRAM])
def test_what_cannot_run_at_boot_loads_nothing(host: Host, place: str) -> None:
    assert gather_boot(host)["installed"]
    path = host.root / place[1:]
    path.unlink()
    path.symlink_to("/nowhere" if place == boot_store.UNIT else os.devnull)
    assert not gather_boot(host)["installed"]
    result = host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert any("Apply the role openeuler.livepatch.boot" in sentence for sentence in said(result))


def test_nothing_loads_it(host: Host) -> None:
    (host.root / boot_store.UNIT[1:]).unlink()
    result = host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert any("Apply the role openeuler.livepatch.boot" in sentence for sentence in said(result))


def test_what_is_in_quarantine_is_not_loaded_again(host: Host) -> None:
    file = host.file("fix")
    one = Accepted("fix", file.sha256, RELEASE, "then", file.to_dict())
    quarantined = Quarantined("fix", file.sha256, RELEASE, "then", "It crashed.")
    boot_store.write(host.kernel.files(), Acceptance((one,), (quarantined,)))
    refused = host.run("fix", content="1")
    assert refused["reason"] == "quarantined"
    assert host.run("fix", content="1", ignore=("quarantined",))["state"] == "enabled"
    result = host.run("fix", boot=AtBoot.ACCEPTED)
    assert not result["changed"]
    assert result["boot"] == "quarantined"
    assert any("no boot loads it" in sentence for sentence in said(result))
    assert gather_boot(host)["accepted"] == []
    assert host.run("fix", State.ABSENT)["changed"]
    assert host.acceptance == Acceptance()


def test_it_is_accepted_for_the_build_of_the_kernel(host: Host) -> None:
    (host.root / "proc/sys/kernel").mkdir(parents=True, exist_ok=True)
    (host.root / "proc/sys/kernel/osrelease").write_text(RELEASE, encoding="ascii")
    note_build_id(host.root, b"\xaa" * 20)
    result = host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert result["boot"] == "accepted"
    assert [one.kernel for one in host.acceptance.accepted] == [KernelId(RELEASE, "aa" * 20)]
    assert gather_boot(host)["accepted"][0]["kernel_build_id"] == "aa" * 20
    note_build_id(host.root, b"\xbb" * 20)
    (patch,) = host.kernel.patches
    assert boot_of(host.acceptance, host.kernel.snapshot(), patch.name) == "trial"
    lost = {"name": "fix", "release": RELEASE, "kernel_build_id": "aa" * 20, "fix": None}
    assert (gather_boot(host)["accepted"], gather_boot(host)["lost"]) == ([], [lost])
    assert host.run("fix", content="1", boot=AtBoot.ACCEPTED)["changed"]
    assert [one.kernel.build_id for one in host.acceptance.accepted] == ["aa" * 20, "bb" * 20]


def test_nothing_is_accepted_beside_what_is_not_known_to_be_for_this_build(host: Host) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    entries = [dataclasses.replace(accepted("fix", content), kernel_build_id=content * 8) for content in ("1", "2")]
    boot_store.write(host.kernel.files(), Acceptance(tuple(entries)))
    result = host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert result["reason"] == "kernel_unknown"
    assert [one["name"] for one in gather_boot(host)["lost"]] == ["fix"]
    assert host.run("fix", boot=AtBoot.TRIAL)["changed"]
    assert host.run("fix", content="1", boot=AtBoot.ACCEPTED)["boot"] == "accepted"


def test_facts(host: Host) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    elsewhere = dataclasses.replace(accepted("elsewhere"), release="1.0")
    boot_store.write(host.kernel.files(), dataclasses.replace(host.acceptance, accepted=(elsewhere,)))
    boot = gather_boot(host)
    assert boot["lost"] == [{"name": "elsewhere", "release": "1.0", "kernel_build_id": None, "fix": None}]
    assert boot["installed"]


def test_a_file_that_changes_before_it_is_accepted_is_not(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*_arguments: object) -> None:
        raise FileChanged("fix.ko")

    monkeypatch.setattr(boot_store, "keep_file", changed)
    result = host.run("fix", content="1", boot=AtBoot.ACCEPTED)
    assert (result["reason"], result["changed"]) == ("file_changed", False)
    assert (host.due, host.kernel.patches) == ([], [])


def test_what_cannot_be_accepted_again_after_a_failure_is_said(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.run("fix", content="1", boot=AtBoot.ACCEPTED)

    def broken_disk(*_arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    host.kernel.fail["disable"] = (errno.EPERM, "")
    monkeypatch.setattr(boot_store, "restore", broken_disk)
    result = host.run("fix", State.ABSENT)
    assert result["failed"]
    assert any("fix is not accepted any more: Input/output error" in told for told in said(result))


def test_a_flag_that_somebody_says_later_counts_at_boot_as_well(tmp_path: pathlib.Path) -> None:
    host = ModelHost(tmp_path)
    unknown = patch_file(replace=None)
    told = []
    for file in (unknown, dataclasses.replace(unknown, replace=False), unknown):
        result = host.run("fix", file=file, boot=AtBoot.ACCEPTED)
        (entry,) = boot_store.read(host.kernel.files()).accepted
        told.append((result["changed"], entry.patch_file["replace"]))
    assert told == [(True, None), (True, False), (False, False)]
