# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's log and what is concluded from it."""

from __future__ import annotations

import errno
import os
import pathlib
import re
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.explain import ROWS, explain, may_pass
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, sentence
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import Stalled, StepFailed, errno_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.kmsg import KernelLog, parse_record


@pytest.mark.parametrize(
    ("record", "lines"),
    [
        ("6,339,5140900,-;livepatch: enabling patch 'fix'\n", ["livepatch: enabling patch 'fix'"]),
        ("3,340,5140901,-;livepatch: x\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n", ["livepatch: x"]),
        ("12,341,5140902,-;a user space program\n", []),
        ("no record\n", []),
        ("6,1,2,-; worker_thread+0x1c/0x3e0\n DEVICE=x\n", [" worker_thread+0x1c/0x3e0"]),
        (";\n", []),
        ("", []),
        ("\u00b26,339,5140900,-;a superscript is a digit and no number", []),
    ],
)
def test_records(record: str, lines: list[str]) -> None:
    assert parse_record(record) == lines


def test_no_log_is_no_failure(tmp_path: pathlib.Path) -> None:
    log = KernelLog(str(tmp_path / "nosuch"))
    assert not log.readable
    assert log.new_lines() == ()
    log.close()


def test_lost_records_are_known(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kmsg"
    path.write_text("")
    log = KernelLog(str(path))
    records: t.Iterator[OSError | bytes] = iter([BrokenPipeError(), b"6,9,9,-;the oldest one left\n", b""])

    def read(_descriptor: int, _length: int) -> bytes:
        record = next(records)
        if isinstance(record, OSError):
            raise record
        return record

    monkeypatch.setattr(os, "read", read)
    assert not log.lost
    assert log.new_lines() == ("the oldest one left",)
    assert log.lost


def test_a_line_commands_no_terminal_and_ends_where_the_kernel_ends_it(tmp_path: pathlib.Path) -> None:
    """The kernel prints names that users have chosen; what it escapes in a record differs from version to version."""
    path = tmp_path / "kmsg"
    path.write_text("")
    log = KernelLog(str(path))
    with path.open("a", encoding="utf-8", newline="") as stream:
        stream.write("4,2,2,-;task \x1b[2J\x9b\u202e\x0cBUG: x\u2028BUG: y\rBUG: z\n")
    (line,) = log.new_lines()
    assert line.startswith("task ") and line == clean(line)


def test_only_new_lines(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "kmsg"
    path.write_text("6,1,1,-;old\n")
    log = KernelLog(str(path))
    with path.open("a") as stream:
        stream.write("6,2,2,-;new\n")
    assert log.readable
    assert log.new_lines() == ("new",)
    assert log.new_lines() == ()
    log.close()
    assert not log.readable


BUSY = [
    "livepatch: func worker_thread is in use!",
    "livepatch: Call Trace:",
    "livepatch: [<00000000a0b9e6dc>] __schedule+0x281/0x700",
    "livepatch: kworker/0:0:7 check stack failed, ret=-11",
]

# As arm64 prints it (arch/arm64/kernel/livepatch.c).
BUSY_4_19 = [
    "livepatch: func worker_thread is in use!",
    "livepatch: klp_check_stack: kworker/0:0:7 is sleeping on function worker_thread",
    "Call Trace:",
]
IDLE = ["livepatch: func do_idle is in use!", "Call Trace:", "livepatch: swapper/3:0 check stack failed, ret=-11"]
IDLE_ARM64 = ["livepatch: func do_idle is in use!", "livepatch: PID: 0 Comm: swapper/3", "Call trace:"]
IDLE_4_19 = ["func do_idle is in use!", "klp_check_stack: swapper/3:0 is sleeping on function do_idle"]
LARGE_RANGE = "livepatch: patch instruction(3) large range failed, ret=-14"
RELOCATIONS = "apply object relocations failed, ret=-8"
NAMESPACE = "lp_x: module uses symbol foo from namespace BAR, but does not import it."
BUSY_ARM64 = ["livepatch: func worker_thread is in use!", "livepatch: PID: 7 Comm: kworker/0:0", "Call trace:"]


@pytest.mark.parametrize(
    ("operation", "number", "log", "reason", "said"),
    [
        (
            "load",
            errno.EINVAL,
            ["fix: `a b' invalid for parameter `level'"],
            "bad_parameter",
            "parameter level of the patch does not take the value a b",
        ),
        (
            "load",
            errno.ERANGE,
            ["fix: `300' invalid for parameter `level'"],
            "bad_parameter",
            "does not take the value 300",
        ),
        (
            "load",
            errno.ENOSPC,
            ["text: string doesn't fit in 7 chars.", "fix: `12345678' too large for parameter `text'"],
            "bad_parameter",
            "parameter text of the patch does not take the value 12345678",
        ),
        (
            "load",
            errno.EINVAL,
            ["klp_pids: can only take 2 arguments", "fix: `1,2,3' invalid for parameter `klp_pids'"],
            "bad_parameter",
            "does not suit the parameter klp_pids of the patch, whose bound is 2",
        ),
        (
            "load",
            errno.EINVAL,
            ["levels: needs at least 2 arguments"],
            "bad_parameter",
            "does not suit the parameter levels",
        ),
        (
            "load",
            errno.EPERM,
            [
                "Lockdown: python3: unsafe module parameters is restricted; see man kernel_lockdown.7",
                "fix: `1' invalid for parameter `port'",
            ],
            "bad_parameter",
            "takes no parameters that reach hardware",
        ),
        (
            "load",
            errno.EINVAL,
            ["livepatch: symbol 'nosuch' not found in symbol table"],
            "symbol_missing",
            "no function nosuch",
        ),
        (
            "load",
            errno.EINVAL,
            ["livepatch: unresolvable ambiguity for symbol 'init' in object 'vmlinux'"],
            "symbol_ambiguous",
            "several functions named init",
        ),
        (
            "load",
            errno.EINVAL,
            ["livepatch: symbol position 9 for symbol 'init' in object 'vmlinux' not found"],
            "sympos_missing",
            "position 9",
        ),
        (
            "load",
            errno.EINVAL,
            ["fix: disagrees about version of symbol klp_enable_patch"],
            "symbol_version",
            "klp_enable_patch",
        ),
        ("load", errno.ENOENT, ["fix: Unknown symbol klp_register_patch (err -2)"], "unknown_symbol", "klp_register"),
        (
            "load",
            errno.ENOEXEC,
            ["fix: version magic '6.1 SMP ' should be '6.12 SMP '"],
            "wrong_vermagic",
            "the kernel is '6.12 SMP '",
        ),
        ("load", errno.ENOEXEC, [], "bad_module", "does not take the file"),
        ("load", errno.EKEYREJECTED, [], "signature", "signature"),
        ("load", errno.EPERM, [], "not_permitted", "not permit"),
        ("unload", errno.EAGAIN, [], "module_in_use", "in use"),
        ("load", errno.ENOEXEC, ["failed to validate module [fix] BTF: -22"], "btf", "BTF"),
        ("load", errno.EIO, ["something else"], "unknown", "EIO"),
        # stop_machine kernels; the lines are from transcripts
        (
            "load",
            errno.EINVAL,
            ["livepatch: nmi_no_fsgsbase size less than limit (4 < 5)"],
            "function_too_short",
            "nmi_no_fsgsbase is shorter",
        ),
        ("load", errno.EPERM, ["livepatch: func f size less than limit"], "function_too_short", "function f"),
        ("load", errno.EINVAL, ["livepatch: Replacing is not supported"], "replace_not_supported", "replace flag"),
        ("load", errno.ENOPKG, ["livepatch: module 'sssdk' not loaded"], "target_not_loaded", "module sssdk"),
        (
            "load",
            errno.EINVAL,
            ["livepatch: 'f' has static key in first 5 bytes, ret=1"],
            "static_key",
            "f has a static key",
        ),
        ("enable", errno.EAGAIN, BUSY, "function_busy", "task kworker/0:0:7 is in the function worker_thread"),
        ("disable", errno.EBUSY, BUSY, "function_busy", "task kworker/0:0:7 is in the function worker_thread"),
        ("enable", errno.EAGAIN, BUSY_ARM64, "function_busy", "task kworker/0:0:7 is in the function worker_thread"),
        ("enable", errno.EAGAIN, BUSY_4_19, "function_busy", "task kworker/0:0:7 is in the function worker_thread"),
        ("disable", errno.EAGAIN, BUSY_4_19[1:2], "function_busy", "task kworker/0:0:7 is in the function"),
        ("enable", errno.EAGAIN, IDLE, "idle_path", "idle task swapper/3 is in the function do_idle"),
        ("enable", errno.EAGAIN, IDLE_ARM64, "idle_path", "idle task swapper/3 is in the function do_idle"),
        ("disable", errno.EAGAIN, IDLE_4_19, "idle_path", "idle task swapper/3 is in the function do_idle"),
        ("load", errno.EAGAIN, IDLE, "idle_path", "do_idle"),
        ("enable", errno.EPERM, [LARGE_RANGE], "text_not_written", "its own text"),
        ("enable", errno.EPERM, [LARGE_RANGE.replace("(3)", "")], "text_not_written", "its own text"),
        ("enable", errno.EFAULT, ["livepatch: patch instruction failed, ret=-14"], "text_not_written", "its own text"),
        (
            "disable",
            errno.EPERM,
            ["livepatch: restore instruction 0 failed, ret=-14"],
            "text_not_written",
            "its own text",
        ),
        ("load", errno.ENOEXEC, [f"livepatch: {RELOCATIONS}"], "bad_relocation", "could not apply the relocations"),
        (
            "load",
            errno.ENOMEM,
            ["livepatch: register jump label failed, ret=-12"],
            "no_memory",
            "static keys or static",
        ),
        (
            "load",
            errno.EEXIST,
            ["livepatch: register static call failed, ret=-17"],
            "no_memory",
            "static keys or static",
        ),
        ("enable", errno.EPERM, ["livepatch: patch instruction failed, ret=-14"], "text_not_written", "its own text"),
        ("load", errno.EPERM, ["livepatch: func f size less than limit"], "function_too_short", "f is shorter"),
        ("load", errno.ENOEXEC, ["lp_x: Unknown rela relocation: 42"], "bad_relocation", "type 42"),
        ("load", errno.ENOEXEC, ["module lp_x: unsupported RELA relocation: 311"], "bad_relocation", "type 311"),
        ("load", errno.ENOEXEC, ["module: overflow in relocation type 11 val ff"], "bad_relocation", "type 11"),
        (
            "load",
            errno.ENOEXEC,
            ["x86/modules: Skipping invalid relocation target, existing value is nonzero for type 1, loc 1, val 2"],
            "relocated_before",
            "another compiler",
        ),
        ("load", errno.EINVAL, [NAMESPACE], "namespace", "uses foo of the namespace BAR"),
        ("load", errno.EINVAL, [NAMESPACE.replace("foo", "(foo)")], "namespace", "uses foo of the namespace BAR"),
        ("unload", errno.EAGAIN, BUSY_ARM64[:1], "module_in_use", "in use"),
        ("disable", errno.EBUSY, BUSY_ARM64[:1], "function_busy", "Some task is in the function worker_thread"),
        ("disable", errno.ENOENT, [], "gone", "somebody else"),
        ("load", errno.ENOEXEC, ["fix: disagrees about version of symbol module_layout"], "symbol_version", "_layout"),
        ("load", errno.EBADMSG, [], "signature", "damaged"),
        ("load", errno.EACCES, [], "security_module", "SELinux"),
        (
            "load",
            errno.ENODEV,
            ["livepatch: failed to set ftrace filter for function 'f' (-19)"],
            "ftrace_failed",
            "the function f",
        ),
        (
            "load",
            errno.EINVAL,
            ["livepatch: failed to set ftrace filter for function 'f' (-22)"],
            "not_traceable",
            "the function f",
        ),
        ("enable", errno.EAGAIN, [], "function_busy", "Some task"),
        ("enable", errno.EBUSY, [], "function_busy", "Some task"),
        (
            "enable",
            errno.EBUSY,
            ["livepatch: only the first disabled patch can be enabled"],
            "stacking",
            "only the first disabled patch can be enabled",
        ),
        (
            "disable",
            errno.EBUSY,
            ["livepatch: only the last enabled patch can be disabled"],
            "stacking",
            "only the last enabled patch can be disabled",
        ),
        (
            "disable",
            errno.EINVAL,
            ["livepatch: func cmdline_proc_show has been probed, (un)patch failed"],
            "kprobe",
            "cmdline_proc_show",
        ),
        (
            "enable",
            errno.EINVAL,
            ["livepatch: bash:123 has an unreliable stack, ret=-22"],
            "unreliable_stack",
            "bash:123",
        ),
        ("enable", errno.EINVAL, [], "changed_meanwhile", "that state already"),
        ("unload", errno.EIO, [], "unknown", "EIO"),
    ],
)
def test_causes(operation: str, number: int, log: list[str], reason: str, said: str) -> None:
    cause = explain(operation, number, ["an unrelated line", *log])
    assert cause.reason == reason
    assert said in cause.cause
    assert cause.remedy


@pytest.mark.parametrize(
    "line", ["livepatch: {}", "livepatch: klp_check_calltrace: {}", "livepatch: check_task_calltrace: {}", "{}"]
)
@pytest.mark.parametrize("task", ["bash:123", "tmux: server:123", "Web Content:7", "a:1 b:2"])
def test_the_task_with_an_unreliable_stack(line: str, task: str) -> None:
    log = ["livepatch: x:1 check stack failed", line.format(f"{task} has an unreliable stack, ret=-22"), "x"]
    cause = explain("enable", errno.EINVAL, log, "stop_machine")
    assert cause.cause == f"The kernel cannot tell in which functions the task {task} is."


@pytest.mark.parametrize(
    "name", ["ENODEV", "EBUSY", "EPERM", "EACCES", "ENOMEM", "EEXIST", "EINVAL", "ENOENT", "EAGAIN"]
)
def test_a_callback_may_return_any_errno(name: str) -> None:
    log = ["livepatch: pre-patch callback failed for object 'ext4'", "livepatch: failed to enable patch 'fix'"]
    cause = explain("load", getattr(errno, name), log, "per_task")
    assert (cause.reason, "the object ext4" in cause.cause) == ("callback", True)


@pytest.mark.parametrize(
    ("operation", "number", "log", "reason", "said", "remedy"),
    [
        ("load", errno.ENOPKG, [], "target_not_loaded", "a module that is not loaded", "Load that module"),
        ("load", errno.EINVAL, [], "not_registered", "being loaded or unloaded, or the patch is", "Run the task again"),
        ("load", errno.EINVAL, ["livepatch: Replacing is not supported"], "replace_not_supported", "replace", "-R"),
        (
            "enable",
            errno.ENOMEM,
            ["livepatch: save old code failed, ret=-14", "livepatch: alloc func_node failed"],
            "text_not_read",
            "not read its own text",
            "do not use",
        ),
        ("enable", errno.ENOMEM, ["livepatch: alloc func_node failed"], "no_memory", "no memory", "Free memory"),
        ("unload", errno.EBUSY, [], "module_in_use", "Some task still runs code", "Run the task again"),
    ],
)
def test_causes_on_stop_machine_kernels(
    operation: str, number: int, log: list[str], reason: str, said: str, remedy: str
) -> None:
    cause = explain(operation, number, log, "stop_machine")
    assert cause.reason == reason
    assert said in cause.cause
    assert remedy in cause.remedy


@pytest.mark.parametrize("number", [errno.ENOPKG, errno.EINVAL])
def test_what_only_stop_machine_kernels_mean(number: int) -> None:
    assert explain("load", number, [], "per_task").reason == "unknown"


@pytest.mark.parametrize(
    ("abi", "reason"), [("per_task", "busy"), ("stop_machine", "function_busy"), (None, "function_busy")]
)
def test_the_abi_decides_where_errno_and_log_do_not(abi: str | None, reason: str) -> None:
    assert explain("disable", errno.EBUSY, [], abi).reason == reason


def test_every_row_explains() -> None:
    for row in ROWS:
        assert re.compile(row.log)
        assert row.finding.seen.endswith(".")
        assert row.finding.remedy.endswith(".")
        captured = set(re.findall(r"{(\w+)}", row.finding.seen + row.finding.remedy))
        assert captured <= set(re.compile(row.log).groupindex), row


def test_errno_names() -> None:
    assert errno_name(errno.ENOEXEC) == "ENOEXEC"
    assert errno_name(99999) == "99999"


@pytest.mark.parametrize("text", ["it is ..full", "it is ..full.", " it is ..full. \n", "it is ..full..."])
def test_a_text_of_somebody_else_becomes_a_sentence(text: str) -> None:
    assert sentence(text) == "it is ..full."


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (StepFailed("load fix", Finding(reason="unknown", seen="It failed.", remedy="Look.")), "load fix"),
        (Stalled("fix", ()), "fix"),
    ],
)
def test_a_traceback_names_what_failed(error: Exception, named: str) -> None:
    assert str(error) == named


@pytest.mark.parametrize("error", [BlockingIOError(), OSError(errno.EINVAL, "Invalid argument")])
def test_the_lines_end_where_no_more_can_be_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    path = tmp_path / "kmsg"
    path.write_text("")
    log = KernelLog(str(path))
    records: list[bytes | OSError] = [b"6,9,9,-;first\n", error, b"6,10,9,-;second\n", error]

    def read(_descriptor: int, _length: int) -> bytes:
        record = records.pop(0)
        if isinstance(record, OSError):
            raise record
        return record

    monkeypatch.setattr(os, "read", read)
    assert (log.new_lines(), log.new_lines()) == (("first",), ("second",))
    assert (log.lines, log.lost) == (["first", "second"], False)


def test_what_was_printed_before_the_beginning_is_forgotten(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "kmsg"
    path.write_text("")
    log = KernelLog(str(path))
    with path.open("a") as stream:
        stream.write("6,1,1,-;of another run\n")
    log.lost = True
    log.begin()
    assert (log.lines, log.lost, log.new_lines()) == ([], False, ())


@pytest.mark.parametrize(
    ("number", "log", "expected"),
    [
        (errno.EAGAIN, BUSY, True),
        (errno.EAGAIN, BUSY_4_19, True),
        (errno.EAGAIN, IDLE, False),
        (errno.EAGAIN, IDLE_ARM64, False),
        (errno.EAGAIN, IDLE_4_19, False),
        (errno.EINVAL, ["livepatch: klp_check_stack: bash:7 has an unreliable stack, ret=-22"], True),
        (errno.EINVAL, ["CPU: 0 PID: 0 Comm: swapper/0"], False),
    ],
)
def test_what_may_pass_is_tried_again(number: int, log: list[str], expected: bool) -> None:
    """An idle task never leaves the functions of the idle loop."""
    assert may_pass(number, log) is expected
