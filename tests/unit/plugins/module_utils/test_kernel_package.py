# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which package the running kernel is from: what rpm and dpkg print, and that nothing else is taken for a package.

Programs of these names are put into the host's tree. They print what was seen of rpm 4.18 and of dpkg 1.21 and 1.22.
"""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.package import DPKG, RPM, Package
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Reading, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe import kernel_package
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import DEBIAN, OPENEULER
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kernel_package import (
    DPKG_PROGRAM,
    RPM_PROGRAM,
    read_kernel_package,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

EULER = "5.10.0-216.0.0.115.oe2203sp4.x86_64"
KERNEL = Package(RPM, "kernel", "5.10.0", "x86_64", "216.0.0.115.oe2203sp4")
PRINTED = "kernel\t0\t5.10.0\t216.0.0.115.oe2203sp4\tx86_64\n"
UNOWNED = f"file /boot/vmlinuz-{EULER} is not owned by any package\n"
AMD64 = "6.1.0-17-amd64"
IMAGE = "linux-image-6.1.0-17-amd64"


class Host:
    """A tree with an image of a kernel, and with programs that print the same each time, and note their arguments."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.files = Files(str(root))

    def add(self, path: str, content: str = "") -> pathlib.Path:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        return file

    def program(self, path: str, *answers: tuple[str, int, str, str]) -> None:
        """A program that looks for a word among its arguments, and then has this status, output and errors."""
        source = f"""#!{sys.executable} -SE
import json, os, sys
with open({str(self.root / "asked")!r}, "a") as asked:
    print(json.dumps([dict(os.environ), *sys.argv[1:]]), file=asked)
for word, status, output, errors in {answers!r}:
    if word in sys.argv:
        sys.stdout.write(output)
        sys.stderr.write(errors)
        sys.exit(status)
"""
        self.add(path, source).chmod(0o755)

    def asked(self) -> list[t.Any]:
        """For each question the environment of the program, and its arguments."""
        noted = self.root / "asked"
        return list(map(json.loads, noted.read_text(encoding="utf-8").splitlines())) if noted.exists() else []

    def read(self, release: str, like: str | None = None) -> Reading[Package]:
        return read_kernel_package(self.files, release, like)


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path) -> Host:
    host = Host(tmp_path)
    host.add(f"/boot/vmlinuz-{EULER}")
    host.add(f"/boot/vmlinuz-{AMD64}")
    return host


def test_rpm_tells_the_package(host: Host) -> None:
    host.program(RPM_PROGRAM, ("-qf", 0, PRINTED, ""))
    assert host.read(EULER, OPENEULER) == KERNEL
    ((environment, *arguments),) = host.asked()
    assert environment == {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    assert (arguments[:2], arguments[3:]) == (["-qf", "--qf"], [f"/boot/vmlinuz-{EULER}"])
    assert host.files.unreadable == []


def test_the_image_among_the_modules_is_asked_for_first(host: Host) -> None:
    host.add(f"/lib/modules/{EULER}/vmlinuz")
    host.program(RPM_PROGRAM, ("-qf", 0, PRINTED.replace("kernel\t0", "kernel-core\t2"), ""))
    assert host.read(EULER) == Package(RPM, "kernel-core", "5.10.0", "x86_64", "216.0.0.115.oe2203sp4", 2)
    assert [question[-1] for question in host.asked()] == [f"/lib/modules/{EULER}/vmlinuz"]


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("6.1.69-1", ("6.1.69", "1", 0)),
        ("2:6.1.69-1~bpo12+1", ("6.1.69", "1~bpo12+1", 2)),
        ("5.10.0-rc1-3", ("5.10.0-rc1", "3", 0)),
        ("6.12.9", ("6.12.9", None, 0)),
    ],
)
def test_dpkg_tells_the_package(host: Host, version: str, parts: tuple[str, str | None, int]) -> None:
    own = f"diversion by dash from: /bin/sh\n{IMAGE}: /boot/vmlinuz-{AMD64}\n"
    host.program(DPKG_PROGRAM, ("--search", 0, own, ""), ("--show", 0, f"{IMAGE}\t{version}\tamd64\n", ""))
    host.program(RPM_PROGRAM, ("-qf", 0, PRINTED, ""))
    assert host.read(AMD64, DEBIAN) == Package(DPKG, IMAGE, parts[0], "amd64", *parts[1:])
    assert [question[-1] for question in host.asked()] == [f"/boot/vmlinuz-{AMD64}", IMAGE]


def test_of_two_managers_the_one_counts_that_knows_the_kernel(host: Host) -> None:
    host.program(DPKG_PROGRAM, ("--search", 1, "", "dpkg-query: no path found matching pattern /boot/vmlinuz-x\n"))
    host.program(RPM_PROGRAM, ("-qf", 0, PRINTED, ""))
    assert host.read(EULER, DEBIAN) == KERNEL
    assert len(host.asked()) == 2
    # The manager of its distribution is asked first, and the other one not if that knows it.
    assert host.read(EULER, OPENEULER) == KERNEL
    assert len(host.asked()) == 3
    host.program(RPM_PROGRAM, ("-qf", 1, UNOWNED, ""))
    assert host.read(EULER, None) == Absent()
    assert host.files.unreadable == []


@pytest.mark.parametrize("errors", ["", UNOWNED])
def test_a_kernel_of_no_package(host: Host, errors: str) -> None:
    host.program(RPM_PROGRAM, ("-qf", 1, "" if errors else UNOWNED, errors))
    assert (host.read(EULER), host.files.unreadable) == (Absent(), [])


def test_a_host_without_package_manager_or_image(host: Host) -> None:
    assert host.read(EULER) == Absent()
    host.program(RPM_PROGRAM, ("-qf", 0, PRINTED, ""))
    assert host.read("5.10.0-1.oe2203sp4.x86_64") == Absent()
    assert (host.asked(), host.files.unreadable) == ([], [])


@pytest.mark.parametrize(
    ("status", "output", "errors"),
    [
        (0, "", ""),
        (137, "", ""),
        (1, PRINTED, ""),
        (1, UNOWNED, "error: cannot open Packages index using sqlite\n"),
        (0, PRINTED + PRINTED.replace("kernel", "kernel-mine"), ""),
        (0, PRINTED.replace("\t0", ""), ""),
        (0, PRINTED.replace("\t0\t", "\t(none)\t"), ""),
        (0, PRINTED.replace("kernel", "ker nel"), ""),
        (0, PRINTED.replace("kernel", "k" * 201), ""),
        (0, PRINTED.replace("x86_64", "../x"), ""),
        (0, PRINTED.replace("5.10.0", "5.10-0"), ""),
        (0, PRINTED.replace("\t0\t", f"\t{1 << 31}\t"), ""),
        (0, PRINTED.replace("kernel", "{{ 7 * 7 }}"), ""),
    ],
)
def test_what_else_rpm_prints_is_no_package(host: Host, status: int, output: str, errors: str) -> None:
    host.program(RPM_PROGRAM, ("-qf", status, output, errors))
    assert host.read(EULER) == Unreadable(RPM_PROGRAM, "damaged")
    assert host.files.unreadable == [Unreadable(RPM_PROGRAM, "damaged")]


@pytest.mark.parametrize(
    ("search", "show"),
    [
        ((2, "", "dpkg-query: error: failed to open package info file\n"), (0, "", "")),
        ((1, "", "dpkg-query: no path found matching pattern /x\nmore\n"), (0, "", "")),
        ((0, f"one, two: /boot/vmlinuz-{AMD64}\n", ""), (0, "one\t1-1\tamd64\n", "")),
        ((0, f"one: /boot/vmlinuz-{AMD64}\ntwo: /boot/vmlinuz-{AMD64}\n", ""), (0, "one\t1-1\tamd64\n", "")),
        (
            (0, f"local diversion from: /boot/vmlinuz-{AMD64}\none: /boot/vmlinuz-{AMD64}\n", ""),
            (0, "one\t1-1\tamd64\n", ""),
        ),
        ((0, f"--help: /boot/vmlinuz-{AMD64}\n", ""), (0, "one\t1-1\tamd64\n", "")),
        ((0, f"one: /boot/vmlinuz-{AMD64}\n", ""), (1, "", "dpkg-query: no packages found matching one\n")),
        ((0, f"one: /boot/vmlinuz-{AMD64}\n", ""), (0, "one\t\tamd64\n", "")),
        ((0, f"one: /boot/vmlinuz-{AMD64}\n", ""), (0, "one\t1-\tamd64\n", "")),
    ],
)
def test_what_else_dpkg_prints_is_no_package(
    host: Host, search: tuple[int, str, str], show: tuple[int, str, str]
) -> None:
    host.program(DPKG_PROGRAM, ("--search", *search), ("--show", *show))
    assert host.read(AMD64, DEBIAN) == Unreadable(DPKG_PROGRAM, "damaged")


def test_bytes_that_are_no_text_are_no_package(host: Host) -> None:
    program = host.add(RPM_PROGRAM, "#!/bin/sh\nprintf 'kernel\\377\\t0\\n'\n")
    program.chmod(0o755)
    assert host.read(EULER) == Unreadable(RPM_PROGRAM, "damaged")


def test_a_program_that_cannot_be_run_or_does_not_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    program = host.add(RPM_PROGRAM, "#!/bin/sh\nexec sleep 60\n")
    assert host.read(EULER) == Unreadable(RPM_PROGRAM, "EACCES")
    program.chmod(0o755)
    monkeypatch.setattr(kernel_package, "ASK_SECONDS", 0.1)
    assert host.read(EULER) == Unreadable(RPM_PROGRAM, "ETIMEDOUT")


@pytest.mark.parametrize("release", ["", "../../etc", "6.1.0 x", "6.1.*", "-qf", "6" * 66, "6.1.0\n", "6.1.0/x"])
def test_what_is_no_name_of_a_kernel_becomes_no_path(host: Host, release: str) -> None:
    host.program(RPM_PROGRAM, ("-qf", 0, PRINTED, ""))
    assert host.read(release) == Unreadable("/proc/sys/kernel/osrelease", "damaged")
    assert host.asked() == []


def test_only_facts_that_are_asked_for_it_have_it(host: Host) -> None:
    host.add("/proc/sys/kernel/osrelease", EULER)
    host.add("/etc/os-release", 'ID="openEuler"\nVERSION_ID="22.03"\n')
    host.program(RPM_PROGRAM, ("-qf", 0, PRINTED, ""))
    assert gather(host.files)["kernel"]["package"] is None
    assert host.asked() == []
    assert gather(host.files, kernel_package=True)["kernel"]["package"] == {
        "manager": "rpm",
        "name": "kernel",
        "epoch": 0,
        "version": "5.10.0",
        "release": "216.0.0.115.oe2203sp4",
        "arch": "x86_64",
        "purl": "pkg:rpm/openeuler/kernel@5.10.0-216.0.0.115.oe2203sp4?arch=x86_64&distro=openeuler-22.03",
    }


def test_facts_tell_what_could_not_be_asked(host: Host) -> None:
    host.add("/proc/sys/kernel/osrelease", EULER)
    host.program(RPM_PROGRAM, ("-qf", 1, "", "error: rpmdb\n"))
    facts = gather(host.files, kernel_package=True)
    assert facts["kernel"]["package"] is None
    assert {"path": RPM_PROGRAM, "reason": "damaged"} in facts["unreadable"]
    assert facts["undecided"] == []


@pytest.mark.parametrize(
    ("package", "of", "purl"),
    [
        (KERNEL, ("openeuler", None), "pkg:rpm/openeuler/kernel@5.10.0-216.0.0.115.oe2203sp4?arch=x86_64"),
        (
            Package(RPM, "kernel-core", "5.14.0", "x86_64", "427.el9~1^x", 1),
            ("rhel", "9.4"),
            "pkg:rpm/redhat/kernel-core@5.14.0-427.el9~1%5Ex?arch=x86_64&distro=rhel-9.4&epoch=1",
        ),
        (
            Package(RPM, "kernel-default", "6.4.0", "x86_64", "150600.23.7"),
            ("opensuse-leap", "15.6"),
            "pkg:rpm/opensuse/kernel-default@6.4.0-150600.23.7?arch=x86_64&distro=opensuse-leap-15.6",
        ),
        (
            Package(DPKG, IMAGE, "6.1.69", "amd64", "1~bpo12+1", 2),
            ("debian", "12"),
            "pkg:deb/debian/linux-image-6.1.0-17-amd64@2:6.1.69-1~bpo12%2B1?arch=amd64&distro=debian-12",
        ),
        (Package(DPKG, IMAGE, "6.1.69", "amd64"), ("debian", None), f"pkg:deb/debian/{IMAGE}@6.1.69?arch=amd64"),
        (KERNEL, (None, "22.03"), None),
        (KERNEL, ("../x", "22.03"), None),
        (KERNEL, ("openeuler", "a&b=/c"), "distro=openeuler-a%26b%3D%2Fc"),
    ],
)
def test_the_purl(package: Package, of: tuple[str | None, str | None], purl: str | None) -> None:
    found: t.Any = package.purl(*of)
    assert found == purl if purl is None or purl.startswith("pkg:") else found.endswith(purl)
