# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a kernel was built from, as each distribution names and places it."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import (
    kernel_places,
    kernel_source,
    source_checks,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config, Vmlinux
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.release_name import (
    ReleaseName,
    name_release,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_checks import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import checks
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.request import Request, prepare_build
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import Distribution
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import tiny_elf
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_kpatch import (
    COMPILER,
    RELEASE,
    STOP_MACHINE_CONFIG,
    Place,
    fixture_place,
    tree_of,
    value_of,
)

__all__ = ["fixture_place"]

RELEASES = [
    # distribution, release, version of the source, version in the configuration, CONFIG_LOCALVERSION, how it is made
    ("mainline", "6.12.48-klp", "6.12.48", "6.12.48", "-klp", ReleaseName(None, "")),
    ("openEuler", "5.10.0-60.oe2203.x86_64", "5.10.0", "5.10.0", "", ReleaseName(None, "-60.oe2203.x86_64")),
    (
        "openEuler with EXTRAVERSION",
        "5.10.0-60.oe2203.x86_64",
        "5.10.0-60",
        "5.10.0",
        "",
        ReleaseName(None, ".oe2203.x86_64"),
    ),
    ("RHEL 9", "5.14.0-427.el9.x86_64", "5.14.0", "5.14.0-427.el9.x86_64", "", ReleaseName(None, "-427.el9.x86_64")),
    ("SLES", "6.4.0-150600.23.7-default", "6.4.0", "6.4.0", "", ReleaseName(None, "-150600.23.7-default")),
    ("Fedora", "6.9.7-200.fc40.x86_64", "6.9.7", "6.9.7-200.fc40.x86_64", "", ReleaseName(None, "-200.fc40.x86_64")),
    ("Debian 12", "6.1.0-18-amd64", "6.1.76", "6.1.76", "", ReleaseName("6.1.0", "-18-amd64")),
    ("Debian 13", "6.12.48+deb13-amd64", "6.12.48", "6.12.48", "", ReleaseName(None, "+deb13-amd64")),
    ("Debian of old", "3.2-4-amd64", "3.2.78", "3.2.78", "", ReleaseName("3.2", "-4-amd64")),
    ("Ubuntu", "5.15.0-105-generic", "5.15.148", "5.15.148", "", ReleaseName("5.15.0", "-105-generic")),
    ("Ubuntu with a local version", "5.15.0-105-x", "5.15.148", None, "-105-x", ReleaseName("5.15.0", "")),
    ("another line", "5.15.0-105-generic", "5.16.2", None, "", None),
    ("another stable release", "6.6.2-1", "6.6.1", None, "", None),
    ("one that only begins so", "6.6.12-1", "6.6.1", None, "", None),
    ("another local version", "6.6.1-a", "6.6.1", None, "-b", None),
]


@pytest.mark.parametrize(
    ("release", "version", "configured", "local", "named"),
    [row[1:] for row in RELEASES],
    ids=[row[0] for row in RELEASES],
)
def test_a_release_and_the_version_of_its_source(
    release: str, version: str, configured: str | None, local: str, named: ReleaseName | None
) -> None:
    kernel = Kernel(release, "/v")
    config = Config("/c", b"", "", {"CONFIG_LOCALVERSION": f'"{local}"'}, configured, None)
    found = list(source_checks.check_version(kernel, config, "/src", version, ""))
    assert [finding.reason for finding in found] == ([] if named else ["version_mismatch"])
    assert name_release(release, config, version, "") == named


def test_a_configuration_whose_version_only_begins_so() -> None:
    kernel = Kernel("5.15.14", "/v")
    config = Config("/c", b"", "", {}, "5.15.148", None)
    assert [finding.reason for finding in source_checks.check_version(kernel, config, "/src", "5.15.14", "")] == [
        "version_mismatch"
    ]


def test_the_makefile_of_the_copy_says_what_the_distribution_says(place: Place) -> None:
    """Ubuntu and Debian 12: the release has .0 where the source has its stable release."""
    makefile = "VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 148\nEXTRAVERSION = -x\nNAME = x\n"
    (place.source / "Makefile").write_text(makefile)
    place.config.write_text(STOP_MACHINE_CONFIG.replace("5.10.0", "5.10.148"))
    for number in (1, 2):
        place.build(name=f"fix-{number}")
        call = place.called()[-1]
        assert call["environ"]["LOCALVERSION"] == "-60.18.0.50.oe2203.x86_64"
        copied = (tree_of(place) / "source/Makefile").read_text()
        assert copied == makefile.replace("148", "0").replace("EXTRAVERSION = -x", "EXTRAVERSION =")
        assert (place.source / "Makefile").read_text() == makefile


def test_a_makefile_behind_a_link_stays_as_it_is(place: Place) -> None:
    """Sources of distributions have such links, and what they lead to is the user's."""
    makefile, target = place.source / "Makefile", place.path / "Makefile of all flavours"
    target.write_text("VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 148\nEXTRAVERSION =\n")
    before = target.read_text()
    makefile.unlink()
    makefile.symlink_to(target)
    place.config.write_text(STOP_MACHINE_CONFIG.replace("5.10.0", "5.10.148"))
    for _number in range(2):
        place.build()
        assert (tree_of(place) / "source/Makefile").read_text() == before.replace("148", "0")
        assert target.read_text() == before


def test_a_vmlinux_that_does_not_tell_its_release(place: Place) -> None:
    place.vmlinux.write_bytes(tiny_elf.debug_only(COMPILER))
    build = place.prepare()
    assert [problem.reason for problem in build.problems] == ["no_release"]
    assert "kernel_release" in build.problems[0].remedy
    manifest = place.build(kernel_release=RELEASE)
    assert (manifest["release"], manifest["kernel_build_id"]) == (RELEASE, "01" * 20)
    given = pathlib.Path(value_of(place.called()[-1], "-v"))
    assert b"\nLinux version %s " % RELEASE.encode() in given.read_bytes()
    assert kernel_source.read_vmlinux(str(given)).release == RELEASE
    assert b"Linux version" not in place.vmlinux.read_bytes()


def test_all_places_are_named_where_none_has_a_vmlinux(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    places = kernel_places.vmlinux_places("6.6.0-1-default")
    assert "/usr/lib/debug/boot/vmlinux-6.6.0-1-default" in places
    assert "/usr/lib/debug/boot/vmlinux-6.6.0-1-default.debug" in places
    monkeypatch.setattr(kernel_places, "read_distribution", lambda *_: Distribution(id="sles", like="SUSE"))
    asked: Request = place.request(vmlinux=None, searched=tuple(places), kernel_release="6.6.0-1-default")
    with pytest.raises(BuildError) as failure:
        prepare_build(asked, place.run)
    (problem,) = failure.value.details["problems"]
    assert problem["reason"] == "no_debug_info"
    assert [path for path in places if path not in problem["cause"]] == []
    assert problem["remedy"] == "Install kernel-default-debuginfo, or give vmlinux."


@pytest.mark.parametrize(
    ("distribution", "package"),
    [
        (Distribution(id="openeuler", like="openEuler"), "kernel-debuginfo-6.6.0-1-default"),
        (Distribution(id="rocky", like="RedHat"), "kernel-debuginfo-6.6.0-1-default"),
        (Distribution(id="debian", like="Debian"), "linux-image-6.6.0-1-default-dbg"),
        (Distribution(id="ubuntu", like="Debian"), "linux-image-6.6.0-1-default-dbgsym"),
        (Distribution(id="sles", like="SUSE"), "kernel-default-debuginfo"),
        (Distribution(), "the kernel's package with debug information, such as kernel-debuginfo-6.6.0-1-default"),
    ],
    ids=lambda value: value.id if isinstance(value, Distribution) else None,
)
def test_the_package_with_debug_information(distribution: Distribution, package: str) -> None:
    assert kernel_places.debug_package(distribution, "6.6.0-1-default") == package


def test_a_vmlinux_of_no_kernel_is_remedied_by_its_package() -> None:
    nothing = Vmlinux("/v", None, "id", None, None, False)
    found = list(checks.check_debug_info(nothing, "kernel-debuginfo-6.6", None))
    assert [(finding.reason, "kernel-debuginfo-6.6" in finding.remedy) for finding in found] == [
        ("no_debug_info", True),
        ("bad_vmlinux", True),
    ]


def test_a_source_that_is_packed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_places, "_PACKED", (f"{place.path}/linux-source-{{line}}.tar.xz",))
    (place.path / "linux-source-6.1.tar.xz").touch()
    with pytest.raises(BuildError) as failure:
        prepare_build(
            place.request(source="/nosuch", kernel_release="6.1.0-18-amd64", config=str(place.config)), place.run
        )
    assert failure.value.finding.remedy == f"Unpack {place.path}/linux-source-6.1.tar.xz, and give src_dir."


def test_the_source_is_looked_for_where_distributions_put_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [f"{tmp_path}{place}" for place in kernel_places._SOURCES]
    monkeypatch.setattr(kernel_places, "_SOURCES", sources)
    assert kernel_places.source_of("6.4.0-1-default") == f"{tmp_path}/usr/src/linux-6.4.0-1-default"
    for name, release in (("linux-6.4.0-1", "6.4.0-1-default"), ("linux-source-6.1", "6.1.0-18-amd64")):
        (tmp_path / "usr/src" / name).mkdir(parents=True)
        assert kernel_places.source_of(release) == f"{tmp_path}/usr/src/{name}"
