# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what decides whether a kernel takes a patch."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Reading
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import (
    SECURE_BOOT,
    Conditions,
    read_conditions,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import KALLSYMS, Symbol
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import Kprobe, Traced
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

RELEASE = "6.6.0-28.0.0.34.oe2403.x86_64"
FUNCTION = Function("vmlinux", "cmdline_proc_show")


class Write:
    """Writes the files of a host, and reads them."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root

    def __call__(self, path: str, content: bytes | str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read(self) -> Conditions:
        return read_conditions(Files(str(self.root)), RELEASE, "fix", [FUNCTION])


@pytest.fixture(name="write")
def fixture_write(tmp_path: pathlib.Path) -> Write:
    return Write(tmp_path)


IN_EXT4 = Function("ext4", "ext4_sync_fs")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ffffffffc0000000 t ext4_sync_fs\t[ext4]\n", frozenset()),
        ("ffffffffc0000000 t ext4_other\t[ext4]\n", frozenset()),
        # It was unloaded after the snapshot, or is not loaded yet.
        ("ffffffffc0000000 t ext4_sync_fs\t[ext2]\n", {"ext4"}),
        ("", {"ext4"}),
    ],
)
def test_a_module_of_which_nothing_is_shown_comes_or_goes(
    tmp_path: pathlib.Path, text: str, expected: t.AbstractSet[str]
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/kallsyms").write_text(text)
    assert read_conditions(Files(str(tmp_path)), RELEASE, "fix", [IN_EXT4]).moving == expected


class Racing(Files):
    """A host on which a module is loaded anew while a list is read, so many times. Each reading shows another line."""

    def __init__(self, root: pathlib.Path, path: str, times: int) -> None:
        super().__init__(str(root))
        self.place, self.raced, self.times, self.tried = root, path, times, 0

    def _race(self, path: str) -> None:
        if path != self.raced:
            return
        self.tried += 1
        if self.tried <= self.times:
            # The old one stays elsewhere, so that the new one gets another inode.
            (self.place / "sys/module/ext2").rename(self.place / f"gone{self.tried}")
            (self.place / "sys/module/ext2").mkdir()

    def bytes(self, path: str) -> Reading[bytes]:
        self._race(path)
        return super().bytes(path)

    def text(self, path: str) -> Reading[str]:
        text = super().text(path)
        return f"f{self.tried} (1)\n" if path == self.raced else text


@pytest.mark.parametrize(("times", "moving", "tried"), [(0, frozenset(), 1), (2, frozenset(), 3), (3, {"ext4"}, 3)])
def test_symbols_may_be_skipped_while_any_module_is_loaded_or_unloaded(
    tmp_path: pathlib.Path, times: int, moving: t.AbstractSet[str], tried: int
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/kallsyms").write_text("ffffffffc0000000 t ext4_other\t[ext4]\n")
    for name in ("ext2", "ext4"):
        (tmp_path / "sys/module" / name).mkdir(parents=True)
    files = Racing(tmp_path, KALLSYMS, times)
    assert (read_conditions(files, RELEASE, "fix", [IN_EXT4]).moving, files.tried) == (moving, tried)


@pytest.mark.parametrize(("times", "shown"), [(0, ["f1"]), (1, ["f2"]), (2, ["f3"]), (3, ["f1", "f2", "f3"])])
def test_users_of_ftrace_may_be_skipped_while_a_module_is_unloaded(
    tmp_path: pathlib.Path, times: int, shown: list[str]
) -> None:
    (tmp_path / "sys/module/ext2").mkdir(parents=True)
    files = Racing(tmp_path, "/sys/kernel/tracing/enabled_functions", times)
    traced = read_conditions(files, RELEASE, "fix", [IN_EXT4]).traced
    assert [entry.function for entry in traced or ()] == shown


def test_an_empty_host_tells_nothing(write: Write) -> None:
    conditions = write.read()
    assert conditions.symbols is None
    assert conditions.kprobes is None
    assert conditions.traced is None
    assert conditions.loadable is None
    assert conditions.signers is None
    assert "does not exist" in conditions.why("/proc/kallsyms")


@pytest.mark.parametrize(
    ("effective", "users", "says"),
    [
        ("000001ffffffffff", "         0          0 4294967295", None),
        ("000001fffffeffff", "         0          0 4294967295", "CapEff in /proc/self/status lacks CAP_SYS_MODULE"),
        ("00000000a80425fb", "0 0 4294967295", "CapEff in /proc/self/status lacks CAP_SYS_MODULE"),
        ("000001ffffffffff", "0 100000 65536", "/proc/self/uid_map is that of a user namespace"),
        ("nonsense", "", None),
    ],
    ids=["host", "without it", "docker", "user namespace", "nonsense"],
)
def test_root_in_a_container(write: Write, effective: str, users: str, says: str | None) -> None:
    write("/proc/self/status", f"Name:\tpython3\nCapPrm:\t000001ffffffffff\nCapEff:\t{effective}\n")
    write("/proc/self/uid_map", users + "\n")
    assert write.read().incapable == says


def test_a_full_host(write: Write) -> None:
    write("/proc/kallsyms", "ffffffff81000000 t cmdline_proc_show\nffffffff81000010 t next\n")
    write("/sys/kernel/debug/kprobes/list", "ffffffff81000000  k  cmdline_proc_show+0x0    [FTRACE]\n")
    write("/sys/kernel/debug/tracing/enabled_functions", "cmdline_proc_show (1)\n")
    write("/proc/sys/kernel/ftrace_enabled", "1\n")
    write(
        f"/lib/modules/{RELEASE}/modules.dep",
        "kernel/fs/xfs/xfs.ko.xz: kernel/lib/libcrc32c.ko.xz\nkernel/lib/a-b.ko:\n",
    )
    write(f"/lib/modules/{RELEASE}/modules.builtin", "kernel/fs/ext4/ext4.ko\n")
    write("/proc/sys/kernel/modules_disabled", "0\n")
    write("/sys/module/module/parameters/sig_enforce", "Y\n")
    write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    write(SECURE_BOOT, b"\6\0\0\0\1")
    write(
        "/proc/keys", "1ed2b2c5 I------     1 perm 1f030000     0     0 asymmetri Us: 6ccece7e: X509.rsa 6ccece7e []\n"
    )
    write("/proc/meminfo", "MemTotal:        2000 kB\nMemAvailable:    1000 kB\n")
    write("/proc/sys/kernel/panic_on_oops", "1\n")
    write("/proc/sys/kernel/panic_on_warn", "0\n")
    write(f"/var/lib/kpatch/{RELEASE}/fix/fix.ko", "")
    conditions = write.read()
    assert conditions.symbols == {("vmlinux", "cmdline_proc_show"): (Symbol(0xFFFFFFFF81000000, 16),)}
    assert conditions.kprobes == (Kprobe("vmlinux", "cmdline_proc_show", 0, 0xFFFFFFFF81000000, by_ftrace=True),)
    assert conditions.traced == (Traced("vmlinux", "cmdline_proc_show", 1),)
    assert conditions.ftrace_enabled is True
    assert (conditions.loadable, conditions.built_in) == (frozenset(["xfs", "a_b"]), frozenset(["ext4"]))
    assert conditions.modules_disabled is False
    assert (conditions.sig_enforce, conditions.lockdown, conditions.secure_boot) == (True, "integrity", True)
    assert (conditions.signers, conditions.key_ids) == (frozenset(["Us"]), frozenset(["6ccece7e"]))
    assert conditions.memory == 1000 * 1024
    assert conditions.panics == ("panic_on_oops",)
    assert conditions.owner == "kpatch.service"


def test_mounted_file_systems_without_the_files_mean_that_there_is_nothing(write: Write) -> None:
    write("/sys/kernel/debug/sleep_time", "")
    write("/sys/kernel/tracing/README", "")
    conditions = write.read()
    assert (conditions.kprobes, conditions.traced) == ((), ())


def test_what_is_there_and_cannot_be_read_is_not_nothing(write: Write, tmp_path: pathlib.Path) -> None:
    write("/sys/kernel/tracing/README", "")
    (tmp_path / "sys/kernel/tracing/enabled_functions").mkdir()
    assert write.read().traced is None


def test_a_dead_ftrace(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("/proc/sys/kernel/ftrace_enabled", "1\n")
    assert not write.read().ftrace_failed
    monkeypatch.setattr(Files, "bytes", lambda _files, _path: Absent("ENODEV"))
    assert write.read().ftrace_failed


def test_why_something_cannot_be_read_is_told(write: Write, tmp_path: pathlib.Path) -> None:
    (tmp_path / "proc/kallsyms").mkdir(parents=True)
    assert "EISDIR" in write.read().why("/proc/kallsyms")


@pytest.mark.parametrize(("text", "expected"), [("", None), ("nonsense", None), ("[none] integrity", "none")])
def test_lockdown(write: Write, text: str, expected: str | None) -> None:
    write("/sys/kernel/security/lockdown", text)
    assert write.read().lockdown == expected


@pytest.mark.parametrize("text", ["", "MemAvailable:", "MemAvailable: much kB", "MemTotal: 1 kB"])
def test_memory_that_is_not_told(write: Write, text: str) -> None:
    write("/proc/meminfo", text)
    assert write.read().memory is None
