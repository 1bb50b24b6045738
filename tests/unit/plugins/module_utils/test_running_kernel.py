# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kernel is running: its notes, and its name where a live patch has changed what the host shows."""

from __future__ import annotations

import os
import pathlib
import struct
import sys

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId, build_id_or_none
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.notes import (
    DamagedNotes,
    build_id,
    parse_notes,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import (
    KCORE,
    NOTES,
    read_running_kernel,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import patch_file
from hypothesis import given
from hypothesis import strategies as st

ID = bytes(range(20))
SHOWN = "6.1.0.6"
BUILT = "6.1.0"


def note(owner: bytes, kind: int, content: bytes, order: str = "<") -> bytes:
    name = owner + b"\0"
    filled = (text + b"\0" * (-len(text) % 4) for text in (name, content))
    return struct.pack(order + "3I", len(name), len(content), kind) + b"".join(filled)


NATIVE = "<" if sys.byteorder == "little" else ">"
GNU = note(b"GNU", 3, ID, NATIVE)


# ---- notes ----


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_the_build_id_stands_among_other_notes(byteorder: str) -> None:
    order = "<" if byteorder == "little" else ">"
    others = note(b"Linux", 0x101, b"\1\0\0\0", order) + note(b"Xen", 3, b"odd", order) + note(b"GNU", 1, b"abi", order)
    content = others + note(b"GNU", 3, ID, order) + note(b"Linux", 0x100, b"6.1.0\0", order)
    assert build_id(content, byteorder) == ID.hex()
    assert [found.owner for found in parse_notes(content, byteorder)] == [b"Linux", b"Xen", b"GNU", b"GNU", b"Linux"]
    assert parse_notes(content, byteorder)[1].content == b"odd"
    assert build_id(others, byteorder) is None
    assert build_id(b"", byteorder) is None


@pytest.mark.parametrize(
    "content",
    [
        GNU[:-1],
        GNU[:15],
        GNU[:11],
        GNU + b"\0",
        struct.pack(NATIVE + "3I", 0xFFFFFFFF, 20, 3) + b"GNU\0" + ID,
        struct.pack(NATIVE + "3I", 4, 0xFFFFFFFF, 3) + b"GNU\0" + ID,
        struct.pack(NATIVE + "3I", 4, 0, 3) + b"GNU\0",
        note(b"GNU", 3, ID, ">" if NATIVE == "<" else "<"),
    ],
)
def test_damaged_notes(content: bytes) -> None:
    with pytest.raises(DamagedNotes):
        build_id(content)


@given(st.binary(max_size=64))
def test_any_bytes_are_notes_or_damaged(content: bytes) -> None:
    try:
        found = parse_notes(content)
    except DamagedNotes:
        return
    assert sum(len(each.content) for each in found) <= len(content)


def test_what_is_a_build_id() -> None:
    assert build_id_or_none(ID.hex().upper()) == ID.hex()
    for value in (None, 7, "", "0123", "xyz" * 8, "0" * 129, "01234567\n"):
        assert build_id_or_none(value) is None


def test_kernels_of_one_name() -> None:
    one, other, unknown = (KernelId("6.6", build_id) for build_id in ("aa", "bb", None))
    assert one.may_be(one) and one.may_be(unknown) and unknown.may_be(one)
    assert not one.may_be(other) and one.is_other_build(other)
    assert not one.may_be(KernelId("6.7", "aa")) and not one.is_other_build(KernelId("6.7", "bb"))
    assert not one.is_other_build(unknown)


# ---- the running kernel ----


class Host:
    """The host of a kernel 6.1.0 whose live patch has appended .6 to its name."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.write("/proc/sys/kernel/osrelease", f"{SHOWN}\n")
        self.write("/proc/modules", "livepatch_6 16384 1 - Live 0x0000000000000000 (K)\n")
        self.write(f"/boot/config-{BUILT}", "CONFIG_LIVEPATCH=y\nCONFIG_KALLSYMS=y\nCONFIG_SMP=y\n")
        self.write("/sys/kernel/livepatch/livepatch_6/enabled", "1\n")
        self.write("/sys/kernel/livepatch/livepatch_6/transition", "0\n")
        (root / "sys/kernel/livepatch/livepatch_6/vmlinux/other,1").mkdir(parents=True)

    def write(self, path: str, content: str | bytes) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def write_kcore(self, text: bytes, offset: int = 4096, owner: bytes = b"VMCOREINFO", order: str = NATIVE) -> None:
        """A core as the kernel shows it: the notes are in the first segment, behind them is memory."""
        notes = note(b"CORE", 1, b"status", order) + note(owner, 0, text, order)
        ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1]) + b"\0" * 9
        header = struct.pack(order + "HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
        segments = struct.pack(order + "IIQQQQQQ", 4, 0, offset, 0, 0, len(notes), 0, 0)
        segments += struct.pack(order + "IIQQQQQQ", 1, 7, 1 << 46, 0, 0, 4096, 4096, 4096)
        self.write(KCORE, (ident + header + segments).ljust(offset, b"\0") + notes + b"\xff" * 64)

    def seen(self) -> tuple[str, str | None, bool]:
        release, marks = read_running_kernel(Files(str(self.root)))
        assert marks.shown_release == (None if release == SHOWN else SHOWN)
        return release, marks.evidence, marks.is_certain

    def load(self, vermagic: str) -> dict[str, object]:
        """The result of a task in check mode that loads a file with this vermagic."""
        file = patch_file("lp_x", machine=os.uname().machine, vermagic=vermagic, functions=None)
        return manage(Task(Wanted("lp_x", State.ENABLED, file), check_mode=True), Kernel(Files(str(self.root))))


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


def test_a_live_patch_has_changed_the_name(host: Host) -> None:
    snapshot = read_snapshot(Files(str(host.root)))
    assert (snapshot.release, snapshot.config_path) == (BUILT, f"/boot/config-{BUILT}")
    assert host.seen() == (BUILT, "the installed kernel whose name it begins with", False)


def test_a_file_for_the_kernel_that_runs_is_taken(host: Host) -> None:
    result = host.load(f"{BUILT} SMP ")
    assert "failed" not in result, result
    findings = {finding["reason"]: finding for finding in t_findings(result)}
    assert findings["renamed_kernel"]["severity"] == "warn"
    assert SHOWN in findings["renamed_kernel"]["cause"]
    assert host.load(f"{SHOWN} SMP ")["reason"] == "wrong_vermagic"
    host.write_kcore(b"OSRELEASE=6.1.0\n")
    findings = {finding["reason"]: finding for finding in t_findings(host.load(f"{BUILT} SMP "))}
    assert findings["renamed_kernel"]["severity"] == "info"


def t_findings(result: dict[str, object]) -> list[dict[str, str]]:
    findings = result["findings"]
    assert isinstance(findings, list)
    return findings


def test_facts_tell_both_names(host: Host) -> None:
    host.write(NOTES, GNU)
    host.write("/proc/sys/kernel/version", "#1 SMP\n")
    facts = gather(Files(str(host.root)))
    assert facts["release"] == BUILT
    assert facts["kernel"] == {
        "build_id": ID.hex(),
        "version": "#1 SMP",
        "shown_release": SHOWN,
        "evidence": "the installed kernel whose name it begins with",
        "is_certain": False,
        "contradiction": None,
        "package": None,
    }


@pytest.mark.parametrize("installed", [f"/lib/modules/{SHOWN}/x", f"/boot/config-{SHOWN}", f"/boot/vmlinuz-{SHOWN}"])
def test_a_kernel_of_the_name_is_installed(host: Host, installed: str) -> None:
    host.write(installed, "")
    assert host.seen() == (SHOWN, None, True)
    # A live patch may give a kernel the name of another one that is installed.
    host.write("/proc/cmdline", f"BOOT_IMAGE=/vmlinuz-{BUILT}")
    assert host.seen() == (SHOWN, None, False)
    contradiction = f"BOOT_IMAGE in /proc/cmdline names {BUILT}, which is installed too."
    assert read_running_kernel(Files(str(host.root)))[1].contradiction == contradiction
    # After kexec only the command line is that of the kernel before.
    host.write(NOTES, note(b"Linux", 0x100, SHOWN.encode(), NATIVE))
    assert host.seen() == (SHOWN, None, True)
    host.write(NOTES, note(b"Linux", 0x100, BUILT.encode(), NATIVE))
    assert host.seen() == (BUILT, f"the build salt in {NOTES}", True)
    host.write(NOTES, b"")
    host.write_kcore(b"OSRELEASE=6.1.0\nBUILD-ID=00\n")
    assert host.seen() == (BUILT, "OSRELEASE in /proc/kcore", True)


def test_without_a_live_patch_the_name_is_believed(host: Host) -> None:
    (host.root / "sys/kernel/livepatch").rename(host.root / "sys/kernel/unknown")
    assert host.seen() == (SHOWN, None, True)


@pytest.mark.parametrize(
    ("shown", "release"),
    [
        ("6.1.0+6", "6.1.0"),
        ("6.1.0-lp6", "6.1.0"),
        # These are names of other kernels, whose files are not here.
        ("6.1.0-18-amd64", "6.1.0-18-amd64"),
        ("6.1.06", "6.1.06"),
        ("6.1", "6.1"),
    ],
)
def test_one_word_may_have_been_appended(host: Host, shown: str, release: str) -> None:
    host.write("/proc/sys/kernel/osrelease", shown)
    assert read_running_kernel(Files(str(host.root)))[0] == release


@pytest.mark.parametrize(
    ("command_line", "salt", "evidence", "certain"),
    [
        ("BOOT_IMAGE=/vmlinuz-5.10-1.x86_64 quiet", b"", "BOOT_IMAGE in /proc/cmdline", False),
        ("quiet BOOT_IMAGE=(hd0,gpt2)/boot/vmlinuz-5.10-1.x86_64", b"", "BOOT_IMAGE in /proc/cmdline", False),
        ("", b"5.10-1.x86_64\0", f"the build salt in {NOTES}", True),
        ("BOOT_IMAGE=/vmlinuz-6.1.0", b"5.10-1.x86_64\0", f"the build salt in {NOTES}", True),
    ],
)
def test_who_else_tells_it(host: Host, command_line: str, salt: bytes, evidence: str, certain: bool) -> None:
    host.write("/proc/cmdline", command_line)
    host.write(NOTES, GNU + note(b"Linux", 0x100, salt, NATIVE))
    assert host.seen()[0] == BUILT
    host.write("/lib/modules/5.10-1.x86_64/modules.dep", "")
    assert host.seen() == ("5.10-1.x86_64", evidence, certain)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_core_is_read_in_its_byte_order(host: Host, order: str) -> None:
    host.write_kcore(b"OSRELEASE=5.10-1.x86_64\nPAGESIZE=4096\n", order=order)
    assert host.seen() == ("5.10-1.x86_64", "OSRELEASE in /proc/kcore", True)


@pytest.mark.parametrize("text", [b"PAGESIZE=4096\n", b"OSRELEASE=../../etc\n", b"OSRELEASE=\n", b""])
def test_a_core_that_does_not_tell(host: Host, text: bytes) -> None:
    host.write_kcore(text)
    assert host.seen()[1] == "the installed kernel whose name it begins with"


@pytest.fixture(name="lasting", scope="module")
def fixture_lasting(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host(tmp_path_factory.mktemp("host"))


@given(st.integers(0, 400), st.binary(min_size=1, max_size=16))
def test_a_damaged_core_is_no_error(lasting: Host, at: int, damage: bytes) -> None:
    lasting.write_kcore(b"OSRELEASE=6.1.0\n", offset=256)
    content = (lasting.root / "proc/kcore").read_bytes()
    lasting.write(KCORE, content[:at] + damage + content[at + len(damage) :])
    read_running_kernel(Files(str(lasting.root)))
    lasting.write(KCORE, content[:at])
    assert lasting.seen()[0] == BUILT


def test_the_three_answers(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer() -> object:
        files = Files(str(host.root))
        build_id = read_running_kernel(files)[1].build_id
        assert [problem.path for problem in files.unreadable] == [NOTES] * isinstance(build_id, Unreadable)
        return build_id

    assert answer() == Absent("ENOENT")
    host.write(NOTES, note(b"Linux", 0x101, b"", NATIVE))
    assert answer() == Absent("ENODATA")
    host.write(NOTES, GNU[:-1])
    assert answer() == Unreadable(NOTES, "damaged")
    host.write(NOTES, GNU)
    assert answer() == ID.hex()
    real = Files.bytes

    def refused(self: Files, path: str) -> object:
        if path == NOTES:
            self.unreadable.append(Unreadable(path, "EACCES"))
            return self.unreadable[-1]
        return real(self, path)

    monkeypatch.setattr(Files, "bytes", refused)
    assert answer() == Unreadable(NOTES, "EACCES")
