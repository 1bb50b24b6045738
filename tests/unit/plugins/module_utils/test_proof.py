# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof of the effect: probes, trouble in the kernel's log, and what a stalled transition is allowed to do."""

from __future__ import annotations

import dataclasses
import errno
import os
import pathlib
import sys
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import StepFailed
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
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    LoadedPatch,
    StallingTask,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify import text as prover_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.probe import holds
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.prover import Prover
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    ModelLog,
    content_of,
    loaded,
    patch_file,
    said,
    snapshot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_long_command import gone

Enable = t.Callable[..., t.Dict[str, t.Any]]
FIX = patch_file("fix")


@pytest.fixture(name="enable")
def fixture_enable(tmp_path: pathlib.Path) -> Enable:
    """Enable the fix on a kernel, with a way to prove it."""
    path = tmp_path / "sent.ko"
    path.write_bytes(content_of("fix"))
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)

    def enable(
        kernel: ModelKernel,
        verification: Verification | None = None,
        supersedes: tuple[str, ...] = (),
        force_owner: bool = False,
        **changes: t.Any,
    ) -> dict[str, t.Any]:
        kernel.add_file(FIX)
        wanted = Wanted("fix", State.ENABLED, FIX, supersedes=supersedes, force_owner=force_owner)
        return manage(Task(wanted, str(path), verification=verification or Verification(), **changes), kernel)

    return enable


class Effective(ModelKernel):
    """A kernel on which loading a patch changes /proc/cmdline, in `delay` seconds, and prints something."""

    def __init__(
        self,
        root: pathlib.Path,
        *patches: LoadedPatch,
        text: str = "patched\n",
        prints: t.Sequence[str] = (),
        taints: str | None = None,
        delay: float = 0.0,
        **kind: t.Any,
    ) -> None:
        super().__init__(root, *patches, **kind)
        self.text, self.prints, self.taints = text, prints, taints
        self.due: float | None = None
        self.delay = delay

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        super().load(path, sha256, parameters)
        self.log.coming += self.prints
        self.due = self.clock + self.delay
        if self.taints:
            with open(self.root + "/proc/sys/kernel/tainted", "w", encoding="utf-8") as stream:
                stream.write(self.taints)
        self._take_effect()

    def sleep(self, seconds: float, waits_for: str) -> None:
        super().sleep(seconds, waits_for)
        self._take_effect()

    def settle(self) -> None:
        self.patches = [dataclasses.replace(patch, in_transition=False) for patch in self.patches]

    def _take_effect(self) -> None:
        if self.due is not None and self.clock >= self.due:
            with open(self.root + "/proc/cmdline", "w", encoding="utf-8") as stream:
                stream.write(self.text)


CMDLINE = Probe(path="/proc/cmdline", expect="^patched$")


@pytest.fixture(name="cmdline", autouse=True)
def fixture_cmdline(tmp_path: pathlib.Path, enable: Enable) -> None:
    (tmp_path / "proc/cmdline").write_text("root=/dev/vda\n")


def proofs(result: dict[str, t.Any]) -> dict[str, t.Any]:
    return {proof["what"]: proof["proven"] for proof in result["proofs"]}


def test_a_probe_that_changes_as_declared(tmp_path: pathlib.Path, enable: Enable) -> None:
    result = enable(Effective(tmp_path), Verification(probe=CMDLINE))
    assert "failed" not in result
    assert proofs(result) == {"state": True, "probe": True, "log": True}
    assert result["proofs"][1]["how"] == f"{CMDLINE} holds now and did not before."


@pytest.mark.parametrize(
    "probe",
    [CMDLINE, Probe(path="/proc/cmdline", reject="root="), Probe(argv=(sys.executable, "-c", "raise SystemExit(1)"))],
)
def test_a_probe_that_does_not_change_rolls_back(tmp_path: pathlib.Path, enable: Enable, probe: Probe) -> None:
    kernel = Effective(tmp_path, text="root=/dev/vda\n")
    result = enable(kernel, Verification(probe=probe))
    assert (result["reason"], result["rolled_back"], result["changed"]) == (
        "probe_failed",
        ["disable fix", "unload fix"],
        False,
    )
    assert kernel.patches == []


def test_a_probe_that_holds_already_proves_nothing(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = Effective(tmp_path)
    (tmp_path / "proc/cmdline").write_text("patched\n")
    result = enable(kernel, Verification(probe=CMDLINE))
    assert (result["reason"], kernel.calls) == ("probe", [])
    assert "failed" not in enable(kernel, Verification(probe=CMDLINE), ignore=("probe",))


def task_for(kernel: ModelKernel, verification: Verification, **wanted: t.Any) -> dict[str, t.Any]:
    return manage(Task(Wanted("fix", State.ENABLED, **wanted), verification=verification), kernel)


@pytest.mark.parametrize(("text", "reason"), [("patched\n", None), ("root=/dev/vda\n", "probe_failed")])
def test_the_run_after_a_reported_stall_finds_the_effect_there(
    tmp_path: pathlib.Path, enable: Enable, text: str, reason: str | None
) -> None:
    kernel = Effective(tmp_path, text=text, stall=["fix"])
    assert enable(kernel, Verification(probe=CMDLINE), patience=Patience(timeout=5, on_stall=OnStall.REPORT))["changed"]
    kernel.sleep = lambda seconds, waits_for: kernel.settle()
    result = enable(kernel, Verification(probe=CMDLINE))
    assert result.get("reason") == reason
    assert [patch.active for patch in kernel.patches] == [True]


@pytest.mark.parametrize(
    ("abi", "enabled", "expected"),
    [
        (PER_TASK, False, ["unload old"]),
        (PER_TASK, True, ["disable old", "unload old"]),
        # With CONFIG_LIVEPATCH_STACK the patch is disabled for a moment, and its effect is there before nevertheless.
        (STOP_MACHINE, True, ["disable fix", "disable old", "unload old", "enable fix"]),
    ],
)
def test_where_only_superseded_patches_are_left_the_probe_may_hold(
    tmp_path: pathlib.Path, abi: str, enabled: bool, expected: list[str]
) -> None:
    (tmp_path / "proc/cmdline").write_text("patched\n")
    old, fix = (loaded(patch_file(name, abi=abi), load_index=place) for place, name in enumerate(("old", "fix")))
    old = dataclasses.replace(old, enabled=enabled)
    kernel = ModelKernel(tmp_path, old, fix, abi=abi, stacking_enforced=True)
    result = task_for(kernel, Verification(probe=CMDLINE), supersedes=("old",), force_owner=True)
    assert kernel.calls == expected, result
    assert result["proofs"][1]["how"] == f"{CMDLINE} holds now."


def test_a_log_that_was_overwritten_proves_nothing(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = Effective(tmp_path)
    kernel.log.lost = True
    result = enable(kernel, Verification(watch=3))
    (log,) = [proof for proof in result["proofs"] if proof["what"] == "log"]
    assert (log["proven"], log["how"].split(";")[0]) == (
        None,
        "Some of the kernel's log was overwritten before it was read",
    )


def test_another_content_must_show_a_difference(tmp_path: pathlib.Path, enable: Enable) -> None:
    (tmp_path / "proc/cmdline").write_text("patched\n")
    kernel = Effective(tmp_path, loaded(patch_file("fix", "0")))
    kernel.add_file(FIX)
    wanted = Wanted("fix", State.ENABLED, FIX, reload=True, force_owner=True)
    result = manage(Task(wanted, str(tmp_path / "sent.ko"), verification=Verification(probe=CMDLINE)), kernel)
    assert (result["reason"], kernel.calls) == ("probe", [])


def test_check_mode_runs_no_command(tmp_path: pathlib.Path, enable: Enable) -> None:
    ran = tmp_path / "ran"
    probe = Probe(argv=("touch", str(ran)))
    result = enable(Effective(tmp_path), Verification(probe=probe), check_mode=True)
    assert [(finding["reason"], finding["severity"]) for finding in result["findings"]] == [("probe", "info")]
    assert not ran.exists()


@pytest.mark.parametrize(("retries", "succeeds"), [(1, False), (3, True)])
def test_a_probe_may_need_some_tries(tmp_path: pathlib.Path, enable: Enable, retries: int, succeeds: bool) -> None:
    kernel = Effective(tmp_path, delay=2.5)
    result = enable(kernel, Verification(probe=dataclasses.replace(CMDLINE, retries=retries)))
    assert ("failed" not in result) == succeeds


@pytest.mark.parametrize("retries", [0, 2])
def test_a_probe_is_tried_as_often_as_was_asked_for(tmp_path: pathlib.Path, retries: int) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    probe = Probe(argv=("sh", "-c", f"echo >> {tmp_path}/tries; false"), retries=retries)
    with pytest.raises(StepFailed):
        Prover(kernel, "fix", snapshot(), Verification(probe=probe), "the change").prove(kernel.snapshot())
    assert (tmp_path / "tries").read_text() == "\n" * (retries + 1)
    assert kernel.clock == retries


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (Probe(argv=(sys.executable, "-c", "print('yes')"), expect="yes"), True),
        (Probe(argv=(sys.executable, "-c", "print('yes')"), reject="yes"), False),
        (Probe(argv=(sys.executable, "-c", "")), True),
        (Probe(argv=(sys.executable, "-c", "import time; time.sleep(9)"), timeout=0.2), False),
        (Probe(argv=("/nowhere",)), False),
        (Probe(argv=("echo", "$HOME; ls"), expect=r"^\$HOME; ls$"), True),
        (Probe(path="/nowhere", expect="x"), False),
        (Probe(path="/nowhere", reject="x"), False),
        (Probe(path="/file", expect="^yes$"), True),
        (Probe(path="/file", reject="^yes$"), False),
        (Probe(path="/file", expect="^second$"), True),
        (Probe(path="/file", reject="^second$"), False),
        (Probe(path="/never", expect="yes", timeout=0.2), False),
    ],
)
def test_probes(tmp_path: pathlib.Path, probe: Probe, expected: bool) -> None:
    (tmp_path / "file").write_text("first\nyes\nsecond\n")
    os.mkfifo(tmp_path / "never")
    assert holds(probe, ModelKernel(tmp_path))[0] is expected


def test_what_a_probe_has_started_ends_with_it(tmp_path: pathlib.Path) -> None:
    pid = tmp_path / "pid"
    probe = Probe(argv=("sh", "-c", f"sleep 600 & echo $! > {pid}"))
    assert holds(probe, ModelKernel(tmp_path))[0]
    assert gone(int(pid.read_text()))


def test_a_probe_that_cannot_run_shows_why(tmp_path: pathlib.Path) -> None:
    assert "No such file or directory" in holds(Probe(argv=("/nowhere",)), ModelKernel(tmp_path))[1]


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (Probe(argv=("uname", "-r")), "uname -r (return code 0)"),
        (Probe(path="/file", expect="a"), "/file (expect 'a')"),
        (Probe(path="/file", reject="b"), "/file (reject 'b')"),
        (Probe(argv=("date",), expect="a", reject="b"), "date (expect 'a', reject 'b')"),
    ],
)
def test_a_probe_is_named_by_what_it_runs_and_expects(probe: Probe, expected: str) -> None:
    assert str(probe) == expected


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        ({"prints": ["WARNING: CPU: 1 PID: 1 at fs/inode.c:1 iput+0x1/0x2"]}, "WARNING: CPU: 1"),
        ({"taints": "128"}, "an oops"),
    ],
)
def test_a_kernel_in_trouble_is_rolled_back(
    tmp_path: pathlib.Path, enable: Enable, kernel: dict[str, t.Any], text: str
) -> None:
    in_trouble = Effective(tmp_path, **kernel)
    result = enable(in_trouble, Verification(watch=5))
    assert (result["reason"], result["rolled_back"]) == ("kernel_trouble", ["disable fix", "unload fix"])
    assert text in result["msg"]
    assert in_trouble.patches == []


@pytest.mark.parametrize(
    ("stat", "uid", "takes_out"),
    [
        ("77 (cat) D 1 0", "1000\t0\t0\t0", False),
        ("77 (cat) D 1 0", "0\t0\t0\t0", True),
        ("77 (jbd2/a) 2) D 2 0", "0\t0\t0\t0", True),
        (None, None, False),
    ],
    ids=["user", "root", "kernel", "gone"],
)
def test_a_program_that_a_user_lets_hang_takes_no_patch_out(
    tmp_path: pathlib.Path, enable: Enable, stat: str | None, uid: str | None, takes_out: bool
) -> None:
    line = "INFO: task cat:77 blocked for more than 122 seconds."
    kernel = Effective(tmp_path, prints=[line])
    if stat:
        (tmp_path / "proc/77").mkdir()
        (tmp_path / "proc/77/stat").write_text(stat + "\n", encoding="utf-8")
        (tmp_path / "proc/77/status").write_text(f"Name:\tUid:\nUid:\t{uid}\n", encoding="utf-8")
    result = enable(kernel, Verification(watch=5))
    if takes_out:
        assert result["reason"] == "kernel_trouble"
        return
    assert result["state"] == "enabled"
    assert result["proofs"][-1]["how"].startswith(
        f"The kernel's log shows no trouble, but that a user's program hangs ({line[:-1]}), 5 s after"
    )


def test_whose_a_hung_program_is_does_not_change_with_its_number(tmp_path: pathlib.Path, enable: Enable) -> None:
    """A user ends it, and waits until the number is that of a task of the kernel's."""

    class Reused(Effective):
        def sleep(self, seconds: float, waits_for: str) -> None:
            super().sleep(seconds, waits_for)
            (tmp_path / "proc/77/stat").write_text("77 (kworker/0:1) I 2 0 0\n", encoding="utf-8")

    kernel = Reused(tmp_path, prints=["INFO: task migration/1:77 blocked for more than 122 seconds."])
    (tmp_path / "proc/77").mkdir()
    (tmp_path / "proc/77/stat").write_text("77 (migration/1) D 1 0\n", encoding="utf-8")
    (tmp_path / "proc/77/status").write_text("Uid:\t1000\t1000\t1000\t1000\n", encoding="utf-8")
    assert enable(kernel, Verification(watch=5))["state"] == "enabled"


def test_trouble_from_before_the_change_is_not_blamed_on_it(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = Effective(tmp_path)
    kernel.log.coming = ["BUG: kernel NULL pointer dereference, while another run was waited for"]
    assert proofs(enable(kernel))["log"] is True


def test_the_first_line_of_the_trouble_is_shown(tmp_path: pathlib.Path, enable: Enable) -> None:
    oops = ["BUG: kernel NULL pointer dereference, address: 0000000000000008", "RIP: 0010:new_func+0x1/0x2 [fix]"]
    kernel = Effective(tmp_path, prints=["fix: loading", *oops, *(f" f{number}+0x1/0x2" for number in range(70))])
    assert enable(kernel)["kernel_log"][:2] == oops


def test_the_soak_time_passes(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = Effective(tmp_path)
    assert "5 s after the change" in enable(kernel, Verification(watch=5))["proofs"][-1]["how"]
    assert kernel.clock == 5


class SmallLog(ModelLog):
    """The log of a kernel that keeps two lines, and overwrites what nobody has read."""

    def print(self, line: str) -> None:
        self.lost = self.lost or len(self.coming) == 2
        self.coming = [*self.coming, line][-2:]


class Talking(ModelKernel):
    """A kernel that prints a line a second."""

    log: SmallLog

    def sleep(self, seconds: float, waits_for: str) -> None:
        super().sleep(seconds, waits_for)
        self.log.print(f"usb: line {self.clock}")


def test_the_log_is_read_all_the_time_that_it_is_watched(tmp_path: pathlib.Path) -> None:
    kernel = Talking(tmp_path, loaded(FIX))
    kernel.log = SmallLog()
    found = Prover(kernel, "fix", snapshot(), Verification(watch=10), "the change").prove(kernel.snapshot())
    assert [(proof.what, proof.proven) for proof in found] == [("state", True), ("log", True)]
    assert len(kernel.log.lines) == 10


@pytest.mark.parametrize(
    ("before", "after", "warnings", "trouble_is"),
    [
        (0, 0, True, None),
        (0, 1 << 7, True, "an oops"),
        (0, 1 << 7, False, "an oops"),
        (0, 1 << 9, True, "a warning"),
        # At boot a driver may warn at any time.
        (0, 1 << 9, False, None),
        (1 << 7, 1 << 7, True, None),
        (1 << 7, 1 << 7 | 1 << 14, True, "a soft lockup"),
        # What says nothing about trouble: a live patch, a module that is not signed.
        (0, 1 << 15 | 1 << 13, True, None),
    ],
)
def test_only_a_taint_that_is_new_and_tells_of_trouble_counts(
    tmp_path: pathlib.Path, before: int, after: int, warnings: bool, trouble_is: str | None
) -> None:
    (tmp_path / "proc/sys/kernel/tainted").write_text(f"{after}\n", encoding="ascii")
    kernel = ModelKernel(tmp_path, loaded(FIX))
    prover = Prover(kernel, "fix", snapshot(taint=before), Verification(warnings=warnings), "the change")
    if trouble_is is None:
        assert prover.prove(kernel.snapshot())[-1].proven
    else:
        with pytest.raises(StepFailed) as failed:
            prover.prove(kernel.snapshot())
        assert f"its taint shows {trouble_is}." in failed.value.finding.cause


def test_a_hidden_log_is_told(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = Effective(tmp_path)
    kernel.log.readable = False
    assert proofs(enable(kernel)) == {"state": True, "log": None}


def test_what_the_host_hides_is_not_called_proven(tmp_path: pathlib.Path, enable: Enable) -> None:
    assert proofs(enable(Effective(tmp_path), Verification(text=True)))["text"] is None


def test_an_ineffective_patch_is_rolled_back(
    tmp_path: pathlib.Path, enable: Enable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clauses = dict.fromkeys(FIX.functions or (), "x does not begin with a jump")
    monkeypatch.setattr(prover_text, "unreached", lambda *_arguments: clauses)
    kernel = Effective(tmp_path)
    result = enable(kernel, Verification(text=True))
    assert (result["reason"], kernel.patches) == ("not_effective", [])


def test_disabling_needs_no_probe(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    wanted = Wanted("fix", State.DISABLED, force_owner=True)
    result = manage(Task(wanted, verification=Verification(probe=CMDLINE)), kernel)
    assert "failed" not in result


def test_a_change_leaves_a_line_in_the_hosts_log(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = Effective(tmp_path)
    enable(kernel)
    (line,) = kernel.journal_lines
    assert line.startswith(f"{journal.who_am_i()}: ")
    assert f"load fix; wait for the transition of fix: fix sha256={FIX.sha256} done" in line
    failing = Effective(tmp_path, text="")
    (tmp_path / "proc/cmdline").write_text("root=/dev/vda\n")
    enable(failing, Verification(probe=CMDLINE))
    (line,) = failing.journal_lines
    assert line.endswith("failed (probe_failed): prove the result; rolled back by: disable fix; unload fix")


class Dying(Effective):
    """A kernel on which the run is killed during the soak, once."""

    dies = True

    def sleep(self, seconds: float, waits_for: str) -> None:
        super().sleep(seconds, waits_for)
        if self.dies and seconds == 1:
            self.dies = False
            raise KeyboardInterrupt


@pytest.mark.parametrize("text", ["patched\n", ""])
def test_what_a_run_that_was_cut_off_has_not_proven_is_proven_by_the_next_one(
    tmp_path: pathlib.Path, enable: Enable, text: str
) -> None:
    kernel = Dying(tmp_path, text="patched\n")
    (tmp_path / "proc/cmdline").write_text("root=/dev/vda\n")
    (tmp_path / "sys/module/fix").mkdir(parents=True)
    verification = Verification(probe=CMDLINE, watch=5)
    with pytest.raises(KeyboardInterrupt):
        enable(kernel, verification)
    (tmp_path / "proc/cmdline").write_text(text or "root=/dev/vda\n")
    result = enable(kernel, verification)
    assert ("it was rolled back: disable fix, unload fix" in said(result)[0]) == bool(result.get("failed"))
    assert (result.get("reason"), kernel.enabled("fix")) == ((None, True) if text else ("probe_failed", None))


@pytest.mark.parametrize("text", ["patched\n", ""])
def test_what_was_left_in_transition_is_proven_by_the_run_that_finds_it_over(
    tmp_path: pathlib.Path, enable: Enable, text: str
) -> None:
    kernel = Effective(tmp_path, text=text, stall=["fix"])
    (tmp_path / "proc/cmdline").write_text("root=/dev/vda\n")
    (tmp_path / "sys/module/fix").mkdir(parents=True)
    verification = Verification(probe=CMDLINE)
    assert (
        enable(kernel, verification, patience=Patience(timeout=1, on_stall=OnStall.REPORT))["state"] == "in transition"
    )
    kernel.patches = [dataclasses.replace(patch, in_transition=False) for patch in kernel.patches]
    predicted = enable(kernel, verification, check_mode=True)
    assert "has not proven its effect" in said(predicted)[0]
    result = enable(kernel, verification)
    assert (result["changed"], result["actions"]) == (False, [])
    if text:
        assert proofs(result)["probe"] is True
        assert enable(kernel, verification)["proofs"] == []
    else:
        assert [enable(kernel, verification)["reason"], result["reason"]] == ["probe_failed"] * 2


def test_what_was_not_done_is_not_told_as_done(tmp_path: pathlib.Path, enable: Enable) -> None:
    stalled = ModelKernel(tmp_path, loaded(patch_file("old"), load_index=1), stall=["fix"])
    patience = Patience(timeout=1, on_stall=OnStall.REPORT)
    result = enable(stalled, patience=patience, supersedes=("old",), force_owner=True)
    assert result["actions"] == ["load fix"]
    (line,) = stalled.journal_lines
    assert f": load fix: fix sha256={FIX.sha256} left fix in transition; to be done: disable old; " in line
    refusing = ModelKernel(tmp_path, fail={"load": (errno.EINVAL, "")})
    assert enable(refusing)["actions"] == []


def test_the_journal_names_what_is_accepted_and_what_could_not_be_undone(
    tmp_path: pathlib.Path, enable: Enable
) -> None:
    kernel = Effective(tmp_path, text="", fail={"unload": (errno.EPERM, "")})
    (tmp_path / "proc/cmdline").write_text("root=/dev/vda\n")
    assert enable(kernel, Verification(probe=CMDLINE))["failed"]
    assert "not restored: fix is disabled and should be not loaded" in kernel.journal_lines[0]
    accepting = ModelKernel(tmp_path / "accepting")
    (tmp_path / "accepting/sys/module/fix").mkdir(parents=True)
    enable(accepting)
    manage(Task(Wanted("fix", State.ENABLED, boot=AtBoot.ACCEPTED)), accepting)
    assert accepting.journal_lines[1].endswith(f": accept fix for the next boots: fix sha256={FIX.sha256} done")


def test_the_soak_time_passes_after_disabling_too(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(FIX))
    result = manage(Task(Wanted("fix", State.DISABLED, force_owner=True), verification=Verification(watch=5)), kernel)
    assert "5 s after the change" in result["proofs"][-1]["how"]


class Slow(ModelKernel):
    """A kernel whose transition takes 100 seconds."""

    def transition_target(self, name: str) -> bool | None:
        if self.clock >= 100:
            self._replace(dataclasses.replace(self._patch(name), in_transition=False))
        return super().transition_target(name)


def test_on_stall_revert(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = ModelKernel(tmp_path, stall=["fix"])
    result = enable(kernel, patience=Patience(timeout=5, on_stall=OnStall.ROLL_BACK))
    assert (result["reason"], kernel.patches) == ("transition_stalled", [])
    assert kernel.clock < 6


def test_on_stall_wait(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = Slow(tmp_path, stall=["fix"])
    result = enable(kernel, patience=Patience(timeout=5, on_stall=OnStall.WAIT))
    assert (result["state"], kernel.clock >= 100) == ("enabled", True)


def test_on_stall_report(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = ModelKernel(tmp_path, stall=["fix"])
    result = enable(kernel, patience=Patience(timeout=5, on_stall=OnStall.REPORT))
    assert "failed" not in result
    assert (result["state"], result["changed"]) == ("in transition", True)
    assert result["stalling_tasks"][0]["command"] == "sleep"
    assert "is still running; it is held by sleep (pid 42) in hrtimer_nanosleep" in said(result)[-1]


@pytest.mark.parametrize(
    ("task", "named"),
    [
        (StallingTask(42, 42, "sleep"), "sleep (pid 42)"),
        (StallingTask(42, 43, "sleep", ("f+0x1/0x2", "g+0x1/0x2")), "sleep (pid 42, thread 43) in f+0x1/0x2"),
    ],
)
def test_a_stalling_task_is_named_by_what_is_known_of_it(task: StallingTask, named: str) -> None:
    assert str(task) == named


def test_what_was_disabled_by_force_stays_loaded(tmp_path: pathlib.Path) -> None:
    kernel = Slow(tmp_path, loaded(FIX), stall=["fix"])
    result = manage(
        Task(Wanted("fix", State.ABSENT, force_owner=True), patience=Patience(timeout=5, on_stall=OnStall.FORCE)),
        kernel,
    )
    assert not result.get("failed"), result
    assert (result["changed"], kernel.calls) == (True, ["disable fix", "force fix"])
    assert "and its module stays loaded. Plan a reboot" in said(result)[-1]


def test_on_stall_force(tmp_path: pathlib.Path, enable: Enable) -> None:
    kernel = Slow(tmp_path, stall=["fix"])
    result = enable(kernel, patience=Patience(timeout=5, on_stall=OnStall.FORCE))
    assert (result["state"], kernel.calls) == ("enabled", ["load fix", "force fix"])
    assert "was forced: tasks may run old and new code together. Plan a reboot" in said(result)[-1]


def test_nothing_of_this_is_needed_on_stop_machine_kernels(tmp_path: pathlib.Path) -> None:
    kernel = ModelKernel(tmp_path, loaded(patch_file("fix", abi=STOP_MACHINE)), abi=STOP_MACHINE)
    assert proofs(manage(Task(Wanted("fix", State.DISABLED, force_owner=True)), kernel)) == {"state": True, "log": True}
