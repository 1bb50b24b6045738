# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The vendor's hot patches: what their packages and directories say. The packages are stand-ins, see rpm_writer.py."""

from __future__ import annotations

import os
import pathlib
import sys
import types
import typing as t

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_file_info, livepatch_module
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor import signature, vendor_patch
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.cpio import File
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.package import read_package
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.vendor_patch import (
    VendorPatch,
    from_directory,
    from_package,
    is_directory_of_a_patch,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.rpm_writer import (
    DIRECTORY,
    UUID,
    Entry,
    Rpm,
)

OPENEULER = "5.10.0-216.0.0.115.oe2203sp4"


def module_for(release: str) -> bytes:
    """No more of a module than what is looked at to tell kernels apart."""
    return b"\x7fELF...\0vermagic=" + release.encode() + b" SMP mod_unload \0"


def patch_in(rpm: Rpm) -> VendorPatch:
    return from_package(read_package(rpm.content()))[0]


def refusal_of(call: t.Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        call()
    finding = refused.value.finding("x.rpm")
    assert finding.remedy.endswith(".")
    return finding.reason, finding.seen


def test_a_cumulative_patch() -> None:
    rpm = Rpm(b"module", name=f"patch-kernel-{OPENEULER}-ACC")
    found, module = from_package(read_package(rpm.content()))
    assert module == File(f"{DIRECTORY}/vmlinux-0d9c1c9e.ko", b"module")
    assert found.joined("x86_64", f"{OPENEULER}.x86_64").to_dict() == {
        "package": f"patch-kernel-{OPENEULER}-ACC-1-6.x86_64",
        "uuid": UUID,
        "kind": "cumulative",
        "sequence": [1, 6],
        "cves": ["CVE-2022-30594", "CVE-2023-3389"],
        "target": f"kernel-{OPENEULER}",
        "kernel": f"{OPENEULER}.x86_64",
        "architecture": "x86_64",
        "signature": "not_checked",
    }


def test_a_single_patch_names_its_cves() -> None:
    rpm = Rpm(b"module", name=f"patch-kernel-{OPENEULER}-SGL_CVE_2023_1111_CVE_2023_1112", description="", release="1")
    found = patch_in(rpm)
    assert (found.kind, found.cves, found.sequence) == ("single", ("CVE-2023-1111", "CVE-2023-1112"), (1, 1))


@pytest.mark.parametrize(
    ("name", "kind", "target", "kernel"),
    [
        (f"patch-kernel-{OPENEULER}-HP001", None, f"kernel-{OPENEULER}", OPENEULER),
        (f"patch-kernel-{OPENEULER}-SGLX", None, f"kernel-{OPENEULER}", OPENEULER),
        (f"patch-kernel-{OPENEULER}-ACC-1-6", "cumulative", f"kernel-{OPENEULER}", OPENEULER),
        ("patch-some-driver-1.0-1-ACC", "cumulative", "some-driver-1.0-1", None),
        ("livepatch", None, None, None),
    ],
)
def test_names(name: str, kind: str | None, target: str | None, kernel: str | None) -> None:
    found = patch_in(Rpm(b"module", name=name))
    assert (found.kind, found.target, found.kernel) == (kind, target, kernel)


def test_numbers_that_are_none() -> None:
    assert patch_in(Rpm(b"module", version="1.0")).sequence is None


def test_what_it_says_of_itself_commands_no_terminal() -> None:
    found = patch_in(Rpm(b"module", name="patch-\x1b]0;\x07-1-1-ACC", architecture="x\x9b\n86"))
    assert all("\x1b" not in str(value) and "\n" not in str(value) for value in found.to_dict().values())


def test_another_architecture() -> None:
    found = patch_in(Rpm(b"module", architecture="aarch64"))
    reason, seen = refusal_of(lambda: found.joined("x86_64", "5.10.0"))
    assert (reason, seen) == (
        "other_architecture",
        "x.rpm is a package for aarch64, and the patch in it is for x86_64.",
    )


def test_a_module_for_another_kernel_than_the_package() -> None:
    found = patch_in(Rpm(b"module", name=f"patch-kernel-{OPENEULER}-ACC"))
    reason, seen = refusal_of(lambda: found.joined("x86_64", "6.6.0.x86_64"))
    assert (reason, seen) == ("two_kernels", f"x.rpm is for more than one kernel: {OPENEULER}, 6.6.0.x86_64.")


@pytest.mark.parametrize(
    ("release", "reason", "says"),
    [
        ("6.6.0-1", "two_kernels", "is for more than one kernel: 6.6.0-1, 6.6.0-2."),
        ("6.6.0-2", "several_patches", "has more than one patch: a.ko, vmlinux-0d9c1c9e.ko."),
    ],
)
def test_two_modules(release: str, reason: str, says: str) -> None:
    rpm = Rpm(module_for("6.6.0-2"), entries=[Entry(f"./{DIRECTORY}/a.ko", module_for(release))])
    assert refusal_of(lambda: patch_in(rpm)) == (reason, f"x.rpm {says}")


def test_two_directories() -> None:
    rpm = Rpm(b"module", entries=[Entry(f"./{DIRECTORY[:-1]}2/patch_info", b"x")])
    assert refusal_of(lambda: patch_in(rpm))[0] == "several_patches"


@pytest.mark.parametrize(
    "name",
    [
        f"./{DIRECTORY}/libssl-1",
        f"./{DIRECTORY}/deeper/a.ko",
        f"./{DIRECTORY}/a b.ko",
        "./usr/lib/syscare/patches/no-uuid/a.ko",
        "./lib/modules/a.ko",
        f"./else/{DIRECTORY}/a.ko",
    ],
)
def test_only_modules_in_the_directory_of_a_patch_are_taken(name: str) -> None:
    assert refusal_of(lambda: patch_in(Rpm(entries=[Entry(name, b"x")])))[0] == "not_a_vendor_patch"


@pytest.mark.parametrize("module", [livepatch_file_info, livepatch_module], ids=lambda module: module.__name__)
def test_what_is_documented_of_it(module: types.ModuleType) -> None:
    documented = yaml.safe_load(module.RETURN)["vendor"]["contains"]
    assert list(documented) == list(patch_in(Rpm(b"module")).to_dict())


class TestDirectories:
    @pytest.fixture(name="directory")
    def fixture_directory(self, tmp_path: pathlib.Path) -> pathlib.Path:
        directory = tmp_path / UUID
        directory.mkdir()
        (directory / "patch_info").write_bytes(b"anything")
        (directory / "vmlinux-0d9c1c9e.ko").write_bytes(b"module")
        return directory

    def test_it_says_what_the_module_says(self, directory: pathlib.Path) -> None:
        found, module = from_directory(f"{directory}/")
        assert module == File("vmlinux-0d9c1c9e.ko", b"module")
        assert found.joined("aarch64", "6.6.0") == VendorPatch(uuid=UUID, kernel="6.6.0", architecture="aarch64")

    def test_one_with_another_name_is_known_by_the_metadata(self, directory: pathlib.Path) -> None:
        renamed = directory.rename(directory.parent / "fix")
        assert is_directory_of_a_patch(str(renamed))
        assert from_directory(str(renamed))[0].uuid is None
        (renamed / "patch_info").unlink()
        assert not is_directory_of_a_patch(str(renamed))

    def test_a_file_with_such_a_name_is_none(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / UUID).write_text("x", encoding="utf-8")
        assert not is_directory_of_a_patch(str(tmp_path / UUID))

    @pytest.mark.parametrize(("kind", "says"), [("link", "x is a link"), ("pipe", "x is no regular file")])
    def test_only_files(self, directory: pathlib.Path, kind: str, says: str) -> None:
        if kind == "link":
            (directory / "x").symlink_to("/etc/passwd")
        else:
            os.mkfifo(directory / "x")
        assert refusal_of(lambda: from_directory(str(directory))) == (
            "unsafe_package",
            f"x.rpm is not unpacked: {says}.",
        )

    def test_bounds(self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(vendor_patch, "MOST_UNPACKED", 5)
        assert refusal_of(lambda: from_directory(str(directory)))[0] == "too_big"
        monkeypatch.setattr(vendor_patch, "MOST_ENTRIES", 1)
        assert refusal_of(lambda: from_directory(str(directory)))[1] == (
            "x.rpm has more than 1 entries, more than any package of a live patch."
        )

    def test_none_and_two(self, directory: pathlib.Path) -> None:
        (directory / "b.ko").write_bytes(module_for("6.6.0-1"))
        assert refusal_of(lambda: from_directory(str(directory)))[0] == "two_kernels"
        (directory / "b.ko").unlink()
        (directory / "vmlinux-0d9c1c9e.ko").unlink()
        assert refusal_of(lambda: from_directory(str(directory)))[0] == "not_a_vendor_patch"


DIGESTS = """    Header SHA256 digest: OK
    Header SHA1 digest: OK
    Payload SHA256 digest: OK
    MD5 digest: OK
"""
"""As rpm 4.18 prints them."""


class TestSignatures:
    @pytest.fixture(name="rpmkeys")
    def fixture_rpmkeys(
        self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> t.Callable[[str], pathlib.Path]:
        """A stand-in for rpmkeys; the lines below are those of rpm 4.18."""

        def put(code: str) -> pathlib.Path:
            program = tmp_path / "rpmkeys"
            program.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
            program.chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
            return program

        return put

    @pytest.mark.parametrize(
        ("line", "status", "expected"),
        [
            ("    Header V4 RSA/SHA512 Signature, key ID d4c20a4c: OK", 0, "ok"),
            ("    Header V4 RSA/SHA512 Signature, key ID d4c20a4c: NOKEY", 1, "no_key"),
            ("    V3 RSA/SHA256 Signature, key ID b25e7f66: NOTTRUSTED", 1, "no_key"),
            ("    Header V4 RSA/SHA512 Signature, key ID d4c20a4c: OK", 1, "not_checked"),
            ("    anything else", 0, "not_checked"),
        ],
    )
    def test_what_rpm_says(
        self, rpmkeys: t.Callable[[str], pathlib.Path], line: str, status: int, expected: str
    ) -> None:
        rpmkeys(f"import sys; print({'/x.rpm:'!r}); print({line!r}); print({DIGESTS!r}); sys.exit({status})")
        assert signature.check_signature("/x.rpm", True) == expected

    def test_it_is_asked_for_this_file_in_its_own_language(
        self, rpmkeys: t.Callable[[str], pathlib.Path], tmp_path: pathlib.Path
    ) -> None:
        rpmkeys(f"import os, sys; print(sys.argv[1:], os.environ['LC_ALL'], file=open({str(tmp_path / 'log')!r}, 'w'))")
        signature.check_signature("/x.rpm", True)
        assert (tmp_path / "log").read_text(encoding="utf-8") == "['--checksig', '-v', '/x.rpm'] C\n"

    @pytest.mark.parametrize(
        "lines",
        [
            "    Header V4 RSA/SHA512 Signature, key ID d4c20a4c: BAD",
            "    Header V4 RSA/SHA512 Signature, key ID d4c20a4c: OK\n    Payload SHA256 digest: BAD (Expected a != b)",
        ],
        ids=["signature", "digest"],
    )
    def test_a_wrong_one(self, rpmkeys: t.Callable[[str], pathlib.Path], lines: str) -> None:
        rpmkeys(f"import sys; print({lines!r}); sys.exit(1)")
        assert refusal_of(lambda: signature.check_signature("/x.rpm", True)) == (
            "bad_signature",
            "x.rpm has a wrong signature or digest, says rpm.",
        )

    def test_a_name_of_a_file_is_no_verdict(self, rpmkeys: t.Callable[[str], pathlib.Path]) -> None:
        rpmkeys("print('/tmp/ Signature, key ID d4c20a4c: OK')")
        assert signature.check_signature("/x.rpm", True) == "not_checked"

    def test_none_needs_no_rpm(self, rpmkeys: t.Callable[[str], pathlib.Path]) -> None:
        rpmkeys("print('    Header V4 RSA/SHA512 Signature, key ID d4c20a4c: OK')")
        assert signature.check_signature("/x.rpm", False) == "unsigned"

    def test_no_rpm(self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert signature.check_signature("/x.rpm", True) == "not_checked"

    def test_one_that_hangs(self, rpmkeys: t.Callable[[str], pathlib.Path], monkeypatch: pytest.MonkeyPatch) -> None:
        rpmkeys("import time; time.sleep(1000)")
        monkeypatch.setattr(signature, "SECONDS", 0.0)
        assert signature.check_signature("/x.rpm", True) == "not_checked"

    def test_cautions(self) -> None:
        assert signature.caution("ok", "x.rpm") is None
        for word in ("no_key", "unsigned", "not_checked"):
            assert (signature.caution(word, "x.rpm") or "").startswith("The signature of x.rpm is not proven: ")
