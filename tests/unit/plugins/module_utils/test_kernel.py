# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real Kernel, on a root of its own and with system calls that only note what they are given."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import inspect
import os
import pathlib
import stat
import syslog
import time
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import FINIT_MODULE, Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import (
    KernelProtocol,
    LogProtocol,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.kmsg import KernelLog
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import ModelKernel, ModelLog

CONTENT = b"\x7fELF, a module"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SYSFS = "sys/kernel/livepatch/fix"
KPATCH_FILE = "var/lib/kpatch/6.6.0-here/fix.ko"


class Libc:
    """The C library: it notes the calls that change the kernel, and they fail with `errno` if that is set.

    As with the real one, ctypes knows that errno only if the library was opened with `use_errno`.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[t.Any, ...]] = []
        self.errno = 0
        self.use_errno = False

    def open(self, _name: str | None, use_errno: bool = False) -> Libc:
        self.use_errno = use_errno
        return self

    def syscall(self, number: int, descriptor: int, parameters: bytes, flags: int) -> int:
        # finit_module(2) reads the file from its first byte, wherever the descriptor stands.
        return self._note("syscall", number, os.pread(descriptor, 1 << 20, 0), parameters, flags)

    def delete_module(self, name: bytes, flags: int) -> int:
        return self._note("delete_module", name, flags)

    def _note(self, *call: t.Any) -> int:
        self.calls.append(call)
        ctypes.set_errno(self.errno if self.use_errno else 0)
        return -1 if self.errno else 0


@pytest.fixture(name="libc")
def fixture_libc(monkeypatch: pytest.MonkeyPatch) -> Libc:
    libc = Libc()
    monkeypatch.setattr(ctypes, "CDLL", libc.open)
    return libc


@pytest.fixture(name="kernel")
def fixture_kernel(libc: Libc, tmp_path: pathlib.Path) -> Kernel:
    (tmp_path / "fix.ko").write_bytes(CONTENT)
    (tmp_path / SYSFS).mkdir(parents=True)
    return Kernel(Files(str(tmp_path)))


# ---- loading ----


def test_what_is_loaded_is_what_was_inspected(kernel: Kernel, libc: Libc) -> None:
    kernel.load("/fix.ko", SHA256)
    assert libc.calls == [("syscall", FINIT_MODULE[os.uname().machine], CONTENT, b"", 0)]


def test_a_module_gets_its_parameters(kernel: Kernel, libc: Libc) -> None:
    kernel.load("/fix.ko", SHA256, 'level=1 text="a b"')
    assert libc.calls == [("syscall", FINIT_MODULE[os.uname().machine], CONTENT, b'level=1 text="a b"', 0)]


def test_a_file_with_another_digest_never_gets_to_the_kernel(kernel: Kernel, libc: Libc) -> None:
    with pytest.raises(FileChanged, match=r"fix\.ko"):
        kernel.load("/fix.ko", hashlib.sha256(b"another").hexdigest())
    assert libc.calls == []


def test_the_errno_of_a_refused_load_is_the_kernels(kernel: Kernel, libc: Libc) -> None:
    libc.errno = errno.ENOEXEC
    with pytest.raises(OSError) as refused:
        kernel.load("/fix.ko", SHA256)
    assert refused.value.errno == errno.ENOEXEC
    assert refused.value.strerror == os.strerror(errno.ENOEXEC)


def test_an_architecture_without_a_known_number_loads_nothing(
    kernel: Kernel, libc: Libc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(["Linux", "host", "6.6.0", "#1", "vax"]))
    with pytest.raises(OSError, match="vax") as refused:
        kernel.load("/fix.ko", SHA256)
    assert refused.value.errno == errno.ENOSYS
    assert libc.calls == []


def program(path: pathlib.Path, script: str) -> pathlib.Path:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_target_is_loaded_by_the_program_that_the_kernel_calls(kernel: Kernel, tmp_path: pathlib.Path) -> None:
    modprobe = program(tmp_path / "modprobe", f'printf "%s\\n" "$@" > {tmp_path}/called')
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/modprobe").write_text(f"{modprobe}\n", encoding="utf-8")
    kernel.load_target("ext4", 60)
    # The name of a module is never an option.
    assert (tmp_path / "called").read_text(encoding="utf-8").split() == ["--", "ext4"]


def test_a_target_is_looked_for_among_the_modules_of_the_kernel_that_runs(
    kernel: Kernel, tmp_path: pathlib.Path
) -> None:
    modprobe = program(tmp_path / "modprobe", f'printf "%s\\n" "$@" > {tmp_path}/called')
    (tmp_path / "lib/modules/6.1.0").mkdir(parents=True)
    (tmp_path / "sys/kernel/livepatch/renames").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.1.0.6\n", encoding="utf-8")
    (tmp_path / "proc/sys/kernel/modprobe").write_text(f"{modprobe}\n", encoding="utf-8")
    kernel.load_target("ext4", 60)
    assert (tmp_path / "called").read_text(encoding="utf-8").split() == ["-S", "6.1.0", "--", "ext4"]


def test_a_target_that_cannot_be_loaded_says_why(kernel: Kernel, tmp_path: pathlib.Path) -> None:
    modprobe = program(tmp_path / "modprobe", "echo 'FATAL: Module ext4 not found' >&2; exit 1")
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/modprobe").write_text(str(modprobe), encoding="utf-8")
    with pytest.raises(OSError, match="Module ext4 not found") as refused:
        kernel.load_target("ext4", 60)
    assert refused.value.errno == errno.ENOENT


def test_a_target_that_takes_too_long_is_given_up(kernel: Kernel, tmp_path: pathlib.Path) -> None:
    modprobe = program(tmp_path / "modprobe", "exec sleep 600")
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/modprobe").write_text(str(modprobe), encoding="utf-8")
    with pytest.raises(OSError, match="modprobe ext4 did not end within 0 s") as refused:
        kernel.load_target("ext4", 0.1)
    assert refused.value.errno == errno.ETIMEDOUT


# ---- unloading, enabling ----


def test_unloading_never_waits_for_who_uses_the_module(kernel: Kernel, libc: Libc) -> None:
    kernel.unload("fix")
    assert libc.calls == [("delete_module", b"fix", os.O_NONBLOCK)]


def test_the_errno_of_a_refused_unload_is_the_kernels(kernel: Kernel, libc: Libc) -> None:
    libc.errno = errno.EAGAIN
    with pytest.raises(OSError) as refused:
        kernel.unload("fix")
    assert refused.value.errno == errno.EAGAIN


@pytest.mark.parametrize(("value", "written"), [(True, "1"), (False, "0")])
def test_enabling_writes_1_and_disabling_writes_0(
    kernel: Kernel, tmp_path: pathlib.Path, value: bool, written: str
) -> None:
    path = tmp_path / SYSFS / "enabled"
    path.touch()
    kernel.write_enabled("fix", value)
    assert path.read_text(encoding="ascii") == written


def test_forcing_writes_1_to_force_and_nothing_else(kernel: Kernel, tmp_path: pathlib.Path) -> None:
    for name in ("enabled", "force"):
        (tmp_path / SYSFS / name).touch()
    kernel.force("fix")
    assert [(tmp_path / SYSFS / name).read_text(encoding="ascii") for name in ("enabled", "force")] == ["", "1"]


def test_what_the_kernel_answers_to_a_write_is_raised(kernel: Kernel, tmp_path: pathlib.Path) -> None:
    (tmp_path / SYSFS / "enabled").symlink_to("/dev/full")
    with pytest.raises(OSError) as refused:
        kernel.write_enabled("fix", True)
    assert refused.value.errno == errno.ENOSPC


def test_a_patch_that_is_gone_is_not_made_by_writing(kernel: Kernel, tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        kernel.write_enabled("fix", True)
    assert list((tmp_path / SYSFS).iterdir()) == []


# ---- what it is asked ----


@pytest.mark.parametrize(
    ("files", "enabled", "target"),
    [
        ({}, None, None),
        ({"enabled": "1"}, True, None),
        ({"enabled": "0"}, False, None),
        ({"enabled": "1", "transition": "0"}, True, None),
        ({"enabled": "1", "transition": "1"}, True, True),
        ({"enabled": "0", "transition": "1"}, False, False),
    ],
)
def test_what_the_kernel_says_of_a_patch(
    kernel: Kernel, tmp_path: pathlib.Path, files: dict[str, str], enabled: bool | None, target: bool | None
) -> None:
    for name, content in files.items():
        (tmp_path / SYSFS / name).write_text(content + "\n", encoding="ascii")
    assert kernel.enabled("fix") is enabled
    assert kernel.transition_target("fix") is target


def test_everything_is_read_below_the_root(kernel: Kernel, tmp_path: pathlib.Path) -> None:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.6.0-here\n", encoding="ascii")
    symbols = "ffffffff81000000 T cmdline_proc_show\nffffffff81001000 t klp_ftrace_handler\n"
    (tmp_path / "proc/kallsyms").write_text(symbols, encoding="ascii")
    (tmp_path / "proc/modules").write_text("fix 16384 1 - Live 0xffffffffc0000000 (OEK)\n", encoding="ascii")
    (tmp_path / SYSFS / "enabled").write_text("1\n", encoding="ascii")
    for name, content in (("comm", "sleep"), ("patch_state", "0"), ("stack", "[<0>] hrtimer_nanosleep+0x9d/0x120")):
        task = tmp_path / "proc/42/task/42"
        task.mkdir(parents=True, exist_ok=True)
        (task / name).write_text(content + "\n", encoding="ascii")
    snapshot = kernel.snapshot()
    assert (snapshot.release, snapshot.abi) == ("6.6.0-here", PER_TASK)
    assert [(patch.name, patch.enabled) for patch in snapshot.patches] == [("fix", True)]
    assert [holder.command for holder in kernel.stalling_tasks(enabling=True)] == ["sleep"]
    assert kernel.stalling_tasks(enabling=False) == ()
    function = Function("vmlinux", "cmdline_proc_show")
    for path, content in (("lib/modules/6.6.0-here/modules.builtin", "kernel/fs/x.ko\n"), (KPATCH_FILE, "")):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(content, encoding="ascii")
    conditions = kernel.conditions("6.6.0-here", "fix", [function])
    assert len((conditions.symbols or {})[("vmlinux", "cmdline_proc_show")]) == 1
    assert (set(conditions.built_in), conditions.owner) == ({"x"}, "kpatch.service")


def test_a_kernel_without_a_root_is_the_hosts_own(libc: Libc) -> None:
    kernel = Kernel()
    assert (kernel.files().root, type(kernel.log)) == ("/", KernelLog)


def test_the_clock_never_goes_back_and_sleep_lets_it_go_on(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    before = kernel.now()
    kernel.sleep(1.5, "waiting for the test")
    assert slept == [1.5]
    assert kernel.now() >= before > 0


def test_what_the_run_waits_for_is_told_before_it_waits(libc: Libc, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[t.Any] = []
    monkeypatch.setattr(time, "sleep", told.append)
    Kernel(waits=told.append).sleep(1.5, "waiting for the test")
    assert told == ["waiting for the test", 1.5]


def test_a_line_for_the_administrators_goes_to_the_hosts_log(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[t.Any, ...]] = []
    for name in ("openlog", "syslog", "closelog"):
        monkeypatch.setattr(syslog, name, lambda *arguments, name=name: calls.append((name, *arguments)))
    kernel.journal("load fix: done")
    assert calls == [
        ("openlog", "openeuler.livepatch", syslog.LOG_PID, syslog.LOG_DAEMON),
        ("syslog", syslog.LOG_NOTICE, "load fix: done"),
        ("closelog",),
    ]


# ---- the real one and the model ----


def calls_of(kind: type) -> dict[str, inspect.Signature]:
    """The public methods of a class, each with the names, kinds and defaults of its parameters."""
    return {
        name: inspect.Signature(
            [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
        )
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
        for signature in [inspect.signature(method)]
    }


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [(KernelProtocol, Kernel), (KernelProtocol, ModelKernel), (LogProtocol, KernelLog), (LogProtocol, ModelLog)],
)
def test_the_real_kernel_and_the_model_have_the_calls_of_the_protocol(protocol: type, kind: type) -> None:
    """Mypy compares the types of the parameters, and lets other names pass."""
    wanted, there = calls_of(protocol), calls_of(kind)
    assert {name: there.get(name) for name in wanted} == wanted


def test_the_real_kernel_has_no_call_that_the_protocol_does_not_know() -> None:
    assert set(calls_of(Kernel)) == set(calls_of(KernelProtocol))
