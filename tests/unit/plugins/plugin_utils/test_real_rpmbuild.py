# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A package that rpmbuild itself has made, in SysCare's layout: a stand-in for those that no test can download.

Skipped where rpmbuild is not installed: Debian's package `rpm` has it, and openEuler's `rpm-build`.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.package import Package, read_package
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.signature import check_signature
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.vendor_patch import from_package
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.rpm_writer import KERNEL, UUID

pytestmark = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="rpmbuild is not installed")

PATCH_FILE = pathlib.Path(__file__).parent.parent / "module_utils" / "fixtures" / "openeuler_layout.ko"
PLACE = f"/usr/lib/syscare/patches/{UUID}"

# As syscare-build writes it (package/rpm/spec_builder.rs), as far as it is about content.
SPEC = f"""
%define debug_package %{{nil}}
%define __os_install_post %{{nil}}
Name: patch-kernel-{KERNEL}-ACC
Version: 1
Release: 6
Group: Patch
License: GPL-2.0-only
Summary: Syscare patch ACC for kernel-{KERNEL}
Requires: syscare
%description
Fixes CVE-2023-3389.
%install
install -d "%{{buildroot}}{PLACE}"
install {PATCH_FILE} "%{{buildroot}}{PLACE}/vmlinux-0d9c1c9e.ko"
echo metadata > "%{{buildroot}}{PLACE}/patch_info"
%preun
syscare remove {UUID} >&2
%files
%defattr(0640,root,root,0750)
%dir {PLACE}
{PLACE}/patch_info
{PLACE}/vmlinux-0d9c1c9e.ko
"""


def build(folder: pathlib.Path, macros: dict[str, str]) -> pathlib.Path:
    """The package that rpmbuild makes."""
    spec = folder / "patch.spec"
    spec.write_text(SPEC, encoding="utf-8")
    defined = {"_topdir": str(folder / "top"), "_tmppath": str(folder), **macros}
    options = [word for name, value in defined.items() for word in ("--define", f"{name} {value}")]
    command = ["rpmbuild", "-bb", "--target", "x86_64", *options, str(spec)]
    built = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=300)
    assert built.returncode == 0, built.stdout.decode("utf-8", "replace")
    (package,) = (folder / "top").glob("RPMS/*/*.rpm")
    return package


@pytest.mark.parametrize("level", ["w9.gzdio", "w2.xzdio", "w9.bzdio", "w3.zstdio"])
def test_what_rpmbuild_makes_is_read(tmp_path: pathlib.Path, level: str) -> None:
    """Distributions that want links by build-id get them also for modules: these are passed over."""
    if "zst" in level and shutil.which("zstd") is None:
        pytest.skip("zstd is not installed")
    path = build(tmp_path, {"_binary_payload": level, "_build_id_links": "compat"})
    package = read_package(path.read_bytes())
    patch, module = from_package(package)
    assert module.content == PATCH_FILE.read_bytes()
    assert patch.joined("x86_64", f"{KERNEL}.x86_64").to_dict() == {
        "package": f"patch-kernel-{KERNEL}-ACC-1-6.x86_64",
        "uuid": UUID,
        "kind": "cumulative",
        "sequence": [1, 6],
        "cves": ["CVE-2023-3389"],
        "target": f"kernel-{KERNEL}",
        "kernel": f"{KERNEL}.x86_64",
        "architecture": "x86_64",
        "signature": "not_checked",
    }


@pytest.mark.skipif(shutil.which("rpmsign") is None or shutil.which("gpg") is None, reason="no rpmsign, or no gpg")
def test_what_rpm_says_of_a_real_signature(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(tmp_path, {})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "gnupg"))
    (tmp_path / "gnupg").mkdir(mode=0o700)
    database = tmp_path / "rpmdb"
    (tmp_path / ".rpmmacros").write_text(
        f"%_dbpath {database}\n%_gpg_name stand-in\n%__gpg {shutil.which('gpg')}\n", encoding="utf-8"
    )
    assert signature_of(path) == "unsigned"
    try:
        name = "stand-in <a@example.org>"
        run("gpg", "--batch", "--passphrase", "", "--quick-gen-key", name, "rsa2048", "sign", "never")
        run("rpmsign", "--addsign", str(path))
    finally:
        run("gpgconf", "--kill", "gpg-agent")
    assert signature_of(path) == "no_key"
    key = tmp_path / "key.asc"
    key.write_bytes(run("gpg", "--armor", "--export", "stand-in"))
    run("rpmkeys", "--import", str(key))
    assert signature_of(path) == "ok"
    damage_signature(path)
    with pytest.raises(Refused, match="has a wrong signature, says rpm"):
        signature_of(path)


def signature_of(path: pathlib.Path) -> str:
    package: Package = read_package(path.read_bytes())
    return check_signature(str(path), package.has_signature)


def damage_signature(path: pathlib.Path) -> None:
    """Change a bit of the RSA signature, which no digest covers."""
    content = bytearray(path.read_bytes())
    count = int.from_bytes(content[104:108], "big")
    for number in range(count):
        start = 112 + 16 * number
        tag, _kind, offset, length = (
            int.from_bytes(content[start + at : start + at + 4], "big") for at in (0, 4, 8, 12)
        )
        if tag == 268:
            content[112 + 16 * count + offset + length - 10] ^= 1
            path.write_bytes(content)
            return
    raise AssertionError("it has no RSA signature")


def run(*command: str) -> bytes:
    environ = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, env=environ, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout
