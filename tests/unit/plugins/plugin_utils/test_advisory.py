# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an advisory says, and how hosts stand with it. Pure functions: no network, no host."""

from __future__ import annotations

import copy
import itertools
import json
import shutil
import subprocess
import sys
import time
import types
import typing as t

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory import csaf, standing
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.advisory import Advisory
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.csaf import read_advisory
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.fix_text import fix_text
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.kernels import (
    DEB,
    RPM,
    package_of,
    running_kernel,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.products import Product, product_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.standing import Standing, standing_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.versions import NEEDED, compare
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_file import load_yaml
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.advisories import (
    CVES,
    OE_FIXED,
    RH_FIXED,
    TITLE,
    Document,
    component,
    document,
    facts,
    label_compare,
    listed,
    on_openeuler,
    openeuler,
    patch,
    redhat,
    redhat_vex,
    suse,
)
from hypothesis import given
from hypothesis import strategies as st

SLES_FIXED = "5.14.21-150500.55.52-default"


@pytest.fixture(name="rpm")
def _rpm(monkeypatch: pytest.MonkeyPatch) -> None:
    library = types.ModuleType("rpm")
    library.labelCompare = label_compare  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rpm", library)


@pytest.fixture(name="no_library")
def _no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rpm", "apt_pkg", "debian", "debian.debian_support"):
        monkeypatch.setitem(sys.modules, name, None)


def refused(data: t.Any) -> tuple[str, str]:
    with pytest.raises(FindingError) as error:
        read_advisory(data)
    finding = error.value.finding
    assert finding.seen.endswith(".") and finding.remedy.endswith(".") and "\n" not in str(finding)
    return finding.reason, finding.seen


def stands(advisory: Advisory | Document, host: t.Any, **more: t.Any) -> Standing:
    read = advisory if isinstance(advisory, Advisory) else read_advisory(advisory)
    return standing_of(read, "web1", Answer(host, **more), compare)


# What documents say.


def test_openeuler_names_kernels_by_name_and_line() -> None:
    found = read_advisory(openeuler())
    assert (found.id, found.title, found.severity) == ("openEuler-SA-2026-0001", TITLE, "High")
    assert (found.publisher, found.cves) == ("openEuler", CVES)
    assert found.fixed_in == (
        f"{OE_FIXED}.aarch64",
        f"{OE_FIXED}.x86_64",
        "6.6.0-61.0.0.60.oe2403.aarch64",
        "6.6.0-61.0.0.60.oe2403.x86_64",
    )
    assert {kernel.line for kernel in found.kernels} == {"22.03-LTS-SP4", "24.03-LTS"}
    assert {kernel.package for kernel in found.kernels} == {f"kernel-{release}" for release in found.fixed_in}


def test_red_hat_names_kernels_by_purl_with_their_flavours() -> None:
    assert read_advisory(redhat()).fixed_in == (
        "5.14.0-284.79.1.el9_2.x86_64",
        "5.14.0-284.79.1.rt14.364.el9_2.x86_64",
        f"{RH_FIXED}.aarch64",
        f"{RH_FIXED}.aarch64+64k",
        f"{RH_FIXED}.x86_64",
        f"{RH_FIXED}.x86_64+debug",
        f"{RH_FIXED}.x86_64+rt",
    )


def test_suse_drops_the_rebuild_and_ends_with_the_flavour() -> None:
    found = read_advisory(suse())
    assert found.fixed_in == (SLES_FIXED,)
    assert found.severity == "high"  # SUSE has no severity of the whole in old ones.


def test_a_name_with_an_epoch_is_read_without_a_purl() -> None:
    data = redhat()
    for entry in data["product_tree"]["branches"][0]["branches"]:
        entry.get("product", {}).pop("product_identification_helper", None)
    assert read_advisory(data).fixed_in == read_advisory(redhat()).fixed_in


def test_a_package_of_a_module_of_a_product() -> None:
    data = redhat_vex()
    relations = data["product_tree"]["relationships"]
    (fixed,) = (each for each in relations if each["full_product_name"]["product_id"].startswith("BaseOS"))
    relations.append(component("module", fixed["product_reference"], "stream"))
    data["product_tree"]["full_product_names"] = [{"name": "stream", "product_id": "stream"}]
    fixed["product_reference"] = "module"
    found = read_advisory(data)
    assert found.fixed_in == (f"{RH_FIXED}.x86_64",)
    assert found.kernels[0].product.id == "rhel"


def test_a_package_that_is_no_component_has_the_product_of_its_own_cpe() -> None:
    data = openeuler()
    data["product_tree"]["relationships"] = []
    data["vulnerabilities"][0]["product_status"]["fixed"] = [f"kernel-{OE_FIXED}.x86_64.rpm"]
    (kernel,) = read_advisory(data).kernels
    assert (kernel.product.id, kernel.product.version) == ("openeuler", "22.03-LTS-SP4")


def test_products_that_nothing_lists_and_circles_name_no_kernel() -> None:
    data = openeuler()
    data["product_tree"]["relationships"] = [component("a", "b", "c"), component("b", "a", "c")]
    data["vulnerabilities"] = [{"cve": CVES[0], "product_status": {"fixed": ["a", "b", "nosuch"]}}]
    assert refused(data)[0] == "no_kernel"


@pytest.mark.parametrize(
    ("name", "cpe", "expected"),
    [
        ("x", "cpe:/a:openEuler:openEuler:22.03-LTS-SP4", ("openeuler", "22.03-LTS-SP4")),
        ("x", "cpe:/a:openEuler:openEuler-22.03-LTS", ("openeuler", "22.03-LTS")),
        ("openEuler-24.03-LTS", None, ("openeuler", "24.03-LTS")),
        ("x", "cpe:/o:redhat:enterprise_linux:9::baseos", ("rhel", "9")),
        ("x", "cpe:/a:redhat:rhel_eus:9.2::nfv", ("rhel", "9.2")),
        ("x", "cpe:2.3:o:redhat:enterprise_linux:8:*:*:*:*:*:*:*", ("rhel", "8")),
        ("x", "cpe:/a:redhat:openshift:4.16::el9", ("openshift", "4.16")),
        ("x", "cpe:/o:suse:sles:15:sp5", ("sles", "15.5")),
        ("x", "cpe:/o:suse:sle-module-live-patching:15:sp5", ("sles", "15.5")),
        ("x", "cpe:/o:suse:suse_sles:11:sp2", ("sles", "11.2")),
        ("x", "cpe:/o:suse:sle-micro:5.5", ("sle-micro", "5.5")),
        ("x", "cpe:/o:opensuse:leap:15.5", ("opensuse-leap", "15.5")),
        ("x", "cpe:/o:debian:debian_linux:13", ("debian", "13")),
        ("SUSE Linux Enterprise Server 15 SP5", None, ("", "")),
        ("x", "nonsense", ("", "")),
    ],
)
def test_a_product_is_told_by_its_cpe(name: str, cpe: str | None, expected: tuple[str, str]) -> None:
    found = product_of(name, cpe)
    assert (found.id, found.version) == expected


@pytest.mark.parametrize(
    ("purl", "name", "expected"),
    [
        ("pkg:rpm/suse/kernel-default@5.14.21-1.2?arch=x86_64&distro=sles-15.5", "", ("kernel-default", "5.14.21-1.2")),
        ("pkg:deb/debian/linux-image-6.12.48%2Bdeb13-amd64@6.12.48-1?arch=amd64", "", None),
        (None, "kernel-core-0:5.14.0-427.31.1.el9_4.x86_64", ("kernel-core", "5.14.0-427.31.1.el9_4")),
        (None, "kernel-64k", ("kernel-64k", "")),
        (None, "kernel-5.14.0-$(reboot).el9.x86_64", None),
        (None, "kernel-5.14.0-{{ x }}.el9.x86_64", None),
        (None, "kernel-5.14.0-1\n2.el9.x86_64", None),
        (None, "kernel-5.14.0-1.el9.x86_64\n", None),
        (None, "a" * 300 + "-1-2.x86_64", None),
        (None, "", None),
        ("pkg:rpm/redhat/kernel@5.14.0-1%0A2?arch=x86_64", "", None),
    ],
)
def test_a_package(purl: str | None, name: str, expected: tuple[str, str] | None) -> None:
    found = package_of(purl, name)
    if purl and purl.startswith("pkg:deb"):
        assert found and (found.name, found.machine) == ("linux-image-6.12.48+deb13-amd64", "x86_64")
    else:
        assert (found and (found.name, found.version)) == expected


@pytest.mark.parametrize(
    ("name", "is_suse"),
    [
        *itertools.product(
            ["kernel-devel", "kernel-headers", "kernel-tools", "kernel-source", "bpftool", "perf"], [False]
        ),
        *itertools.product(["kernel-default-base", "kernel-default-devel", "kernel-macros", "kernel-syms"], [True]),
        ("kernel-livepatch-5_14_21-150500_55_52-default", True),
    ],
)
def test_what_no_host_runs_is_no_kernel(name: str, is_suse: bool) -> None:
    product = listed("os", cpe="cpe:/o:suse:sles:15:sp5" if is_suse else "cpe:/o:redhat:enterprise_linux:9")
    package = f"{name}-5.14.21-150500.1.1.x86_64"
    data = document(
        "x", "x", "x", [product, listed(package)], [component("x", package, "os")], {CVES[0]: {"fixed": ["x"]}}
    )
    assert refused(data) == ("no_kernel", "The advisory is about no package of a kernel.")


# Documents that are none, or of something else.


@pytest.mark.parametrize(
    "data",
    [None, [], "x", 7, {}, {"document": []}, {"document": {}}, {"document": {"csaf_version": 2.0}}, {"openvex": 1}],
)
def test_what_is_no_csaf(data: t.Any) -> None:
    assert refused(data) == ("bad_advisory", "The file is not a CSAF document.")


def test_another_version_of_csaf() -> None:
    data = openeuler()
    data["document"]["csaf_version"] = "3.0\x1b[2J"
    reason, cause = refused(data)
    assert reason == "bad_advisory" and "another version of CSAF than 2.0" in cause


@pytest.mark.parametrize("tree", [None, {}, {"branches": []}])
def test_a_document_of_another_category_without_products(tree: t.Any) -> None:
    data = openeuler()
    data["document"]["category"] = "csaf_informational_advisory"
    data["product_tree"] = tree
    reason, cause = refused(data)
    assert reason == "no_products" and "csaf_informational_advisory" in cause


def test_an_advisory_of_something_else() -> None:
    data = openeuler()
    text = json.dumps(data).replace("kernel-", "vim-")
    assert refused(json.loads(text))[0] == "no_kernel"


def test_a_vulnerability_without_a_cve_counts_only_where_no_kernel_has_it() -> None:
    data = openeuler()
    data["vulnerabilities"].append({"product_status": {"fixed": ["nosuch"]}})
    assert read_advisory(data).cves == CVES
    for cve in (None, "", "CVE-x", "CVE-2026-0001\n", "{{ x }}"):
        data["vulnerabilities"][0]["cve"] = cve
        assert refused(data) == ("bad_advisory", "The document is damaged: a vulnerability of a kernel has no CVE.")


def places(data: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The way to each value in the data."""
    yield path
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


ODD: list[t.Any] = [
    None,
    True,
    7,
    -1,
    1e300,
    "",
    "{{ x }}\x1b[2J\n\u202e",
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    "x" * 10_000,
]


@pytest.mark.parametrize("make", [openeuler, redhat_vex, suse])
def test_whatever_stands_in_a_place_is_read_or_refused(make: t.Callable[[], Document]) -> None:
    """And what is read is clean, and makes a file that is read again."""
    whole = make()
    every = [path for path in places(whole) if path]
    odd = itertools.cycle(ODD)
    for path in every[:: max(1, len(every) // 250)]:
        data = copy.deepcopy(whole)
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = next(odd)
        try:
            advisory = read_advisory(data)
        except FindingError as error:
            assert error.finding.reason in ("bad_advisory", "no_products", "no_kernel")
            continue
        assert not {"\x1b", "\n", "\u202e"} & set(advisory.title + advisory.severity + advisory.id)
        assert stands(advisory, on_openeuler(f"{OE_FIXED}.x86_64")).status in standing.STATUSES


def test_branches_that_are_too_deep_are_refused() -> None:
    data = openeuler()
    for _level in range(csaf.MOST_DEPTH):
        data["product_tree"] = {"branches": [data["product_tree"]]}
    assert "deep" in refused(data)[1]


def test_numbers_of_kernels_and_cves_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csaf, "MOST_KERNELS", 3)
    assert "it names 4 kernels, and 3 are allowed" in refused(openeuler())[1]
    monkeypatch.undo()
    monkeypatch.setattr(csaf, "MOST_CVES", 1)
    assert "it has 2 CVEs, and 1 are allowed" in refused(openeuler())[1]


def test_a_large_document_is_read_soon() -> None:
    """As many entries as a vendor's largest: hundreds of CVEs, with hundreds of packages each."""
    data = redhat()
    (flaw, _other) = data["vulnerabilities"]
    ids = flaw["product_status"]["fixed"] * 100
    flaws = [{**flaw, "cve": f"CVE-2026-{10000 + place}", "product_status": {"fixed": ids}} for place in range(300)]
    data["vulnerabilities"] = flaws
    began = time.process_time()
    assert len(read_advisory(data).cves) == 300
    assert time.process_time() - began < 20


# How hosts stand.


@pytest.mark.usefixtures("rpm")
@pytest.mark.parametrize(
    ("make", "host", "status"),
    [
        (openeuler, on_openeuler(f"{OE_FIXED}.x86_64"), "fixed_by_package"),
        (openeuler, on_openeuler("5.10.0-241.0.0.1.oe2203sp4.x86_64"), "fixed_by_package"),
        (openeuler, on_openeuler("5.10.0-216.0.0.115.oe2203sp4.x86_64"), "needs_live_patch"),
        (openeuler, on_openeuler("5.10.0-99.0.0.115.oe2203sp4.x86_64"), "needs_live_patch"),
        (openeuler, on_openeuler("5.10.0-216.0.0.1.oe2203sp3.x86_64", line="22.03-LTS-SP3"), "unknown"),
        (openeuler, on_openeuler("5.10.0-216.0.0.115.oe2203sp4.riscv64", machine="riscv64"), "unknown"),
        (openeuler, facts("5.10.0-216.0.0.115.oe2203sp4.x86_64", "kylin", "V10", line="22.03-LTS-SP4"), "unknown"),
        (openeuler, facts("6.6.0-own", "openeuler", "24.03"), "unknown"),
        (redhat, facts("5.14.0-427.13.1.el9_4.x86_64", "rhel", "9.4"), "needs_live_patch"),
        (redhat, facts(f"{RH_FIXED}.x86_64", "rhel", "9.4"), "fixed_by_package"),
        (redhat, facts(f"{RH_FIXED}.x86_64+rt", "rhel", "9.4"), "fixed_by_package"),
        (redhat, facts("5.14.0-427.13.1.el9_4.x86_64+rt", "rhel", "9.4"), "needs_live_patch"),
        (redhat, facts("5.14.0-427.13.1.el9_4.aarch64+64k", "rhel", "9.4", machine="aarch64"), "needs_live_patch"),
        (redhat, facts("5.14.0-427.13.1.el9_4.x86_64+zfcpdump", "rhel", "9.4"), "unknown"),
        # Newer than the fix of the older stream, and older than that of the newer one.
        (redhat, facts("5.14.0-362.8.1.el9_3.x86_64", "rhel", "9.3"), "unknown"),
        (redhat, facts("5.14.0-284.80.1.el9_2.x86_64", "rhel", "9.2"), "fixed_by_package"),
        (redhat, facts("5.14.0-284.11.1.el9_2.x86_64", "rhel", "9.2"), "needs_live_patch"),
        (redhat, facts("5.14.0-284.11.1.rt14.296.el9_2.x86_64", "rhel", "9.2"), "needs_live_patch"),
        (redhat, facts("5.14.0-427.13.1.el9_4.x86_64", "rocky", "9.4"), "unknown"),
        (redhat, facts("5.14.0-427.13.1.el9_4.x86_64", "rhel", "8.10"), "unknown"),
        (redhat_vex, facts("4.18.0-553.el8_10.x86_64", "rhel", "8.10"), "needs_live_patch"),
        (redhat_vex, facts("3.10.0-1160.el7.x86_64", "rhel", "7.9"), "not_affected"),
        (redhat_vex, facts("4.18.0-553.rt7.342.el8_10.x86_64", "rhel", "8.10"), "unknown"),
        (suse, facts(SLES_FIXED, "sles", "15.5"), "fixed_by_package"),
        (suse, facts("5.14.21-150500.55.100-default", "sled", "15.5"), "fixed_by_package"),
        (suse, facts("5.14.21-150500.55.7-default", "sles", "15.5"), "needs_live_patch"),
        (suse, facts("5.14.21-150500.55.7-default", "opensuse-leap", "15.5"), "needs_live_patch"),
        (suse, facts("5.14.21-150400.24.100-default", "sles", "15.4"), "unknown"),
        (suse, facts("5.14.21-150400.24.100-default", "sles", "15.5"), "unknown"),
        (suse, facts("5.14.21-150500.33.7-azure", "sles", "15.5"), "unknown"),
    ],
)
def test_the_package_decides(make: t.Callable[[], Document], host: Document, status: str) -> None:
    found = stands(make(), host)
    assert found.status == status, found.why
    assert found.why.endswith(".") and found.kernel == host["release"]
    affected = {"needs_live_patch": True, "fixed_by_package": False, "not_affected": False}
    assert found.is_affected is affected.get(status)
    assert bool(found.open) == (status in ("needs_live_patch", "unknown"))


@pytest.mark.usefixtures("rpm")
def test_a_cve_that_only_another_line_has_is_not_asked_of_this_one() -> None:
    found = stands(openeuler(), on_openeuler("5.10.0-216.0.0.115.oe2203sp4.x86_64"))
    assert found.open == CVES[:1]
    newer = on_openeuler("6.6.0-28.0.0.34.oe2403.x86_64", line="24.03-LTS")
    assert stands(openeuler(), newer).open == CVES


@pytest.mark.usefixtures("rpm")
def test_a_cve_that_is_known_and_not_fixed_in_the_line_stays_open() -> None:
    data = openeuler()
    kernel = f"openEuler-22.03-LTS-SP4:kernel-{OE_FIXED}.x86_64"
    data["vulnerabilities"][1]["product_status"]["known_affected"] = [kernel]
    found = stands(data, on_openeuler(f"{OE_FIXED}.x86_64"))
    assert (found.status, found.open) == ("needs_live_patch", CVES[1:])


@pytest.mark.usefixtures("rpm")
def test_the_old_line_of_openeuler_is_told_by_the_name_of_the_service_pack() -> None:
    """Kernels of all service packs of 20.03 but the last end in .oe1."""
    text = json.dumps(openeuler()).replace("22.03-LTS-SP4", "20.03-LTS-SP3")
    data = json.loads(text.replace(OE_FIXED, "4.19.90-2404.2.0.0273.oe1"))
    host = on_openeuler("4.19.90-2312.1.0.0255.oe1.x86_64", line="20.03-LTS")
    assert stands(data, host).status == "unknown"
    for pack, status in (("SP3", "needs_live_patch"), ("SP1", "unknown")):
        host["distribution"]["name"] = f"openEuler 20.03 (LTS-{pack})"
        assert stands(data, host).status == status


@pytest.mark.usefixtures("no_library")
def test_versions_that_differ_need_a_library_and_equal_ones_none() -> None:
    found = stands(openeuler(), on_openeuler("5.10.0-216.0.0.115.oe2203sp4.x86_64"))
    assert (found.status, found.is_affected) == ("unknown", None)
    assert "Install python3-rpm on the controller" in found.why
    assert stands(openeuler(), on_openeuler(f"{OE_FIXED}.x86_64")).status == "fixed_by_package"


OLD = on_openeuler("6.6.0-28.0.0.34.oe2403.x86_64", line="24.03-LTS")


@pytest.mark.usefixtures("rpm")
@pytest.mark.parametrize(
    ("patches", "status", "covered"),
    [
        ([patch("a", *CVES)], "fixed_by_live_patch", CVES),
        ([patch("a", *CVES, "CVE-2020-0001")], "fixed_by_live_patch", CVES),
        ([patch("a", id="openEuler-SA-2026-0001")], "fixed_by_live_patch", CVES),
        ([patch("a", CVES[0]), patch("b", CVES[1])], "fixed_by_live_patch", CVES),
        ([patch("a", CVES[0])], "needs_live_patch", CVES[:1]),
        ([patch("a", "CVE-2020-0001")], "needs_live_patch", ()),
        ([patch("a", *CVES, effective="partial")], "needs_live_patch", ()),
        ([patch("a", *CVES, effective="none")], "needs_live_patch", ()),
        ([patch("a", *CVES, effective=None)], "needs_live_patch", ()),
        ([patch("a", *CVES, enabled=False)], "needs_live_patch", ()),
        ([patch("a", *CVES, in_transition=True)], "needs_live_patch", ()),
        ([patch("a", fix=None)], "needs_live_patch", ()),
        ([patch("a", fix={"id": "openEuler-SA-2026-0001"})], "needs_live_patch", ()),
        ([patch("a", fix={"id": ["x"], "title": "", "severity": "", "cves": 7})], "needs_live_patch", ()),
        ([patch("a", fix="CVE-2026-0001")], "needs_live_patch", ()),
    ],
)
def test_a_live_patch_decides(patches: list[Document], status: str, covered: tuple[str, ...]) -> None:
    found = stands(openeuler(), {**OLD, "patches": patches})
    assert (found.status, found.covered, found.is_affected) == (status, covered, True)
    assert found.open == tuple(cve for cve in CVES if cve not in covered)


@pytest.mark.usefixtures("rpm")
def test_cves_that_are_covered_in_part_are_named() -> None:
    why = stands(openeuler(), {**OLD, "patches": [patch("fix_1", CVES[0])]}).why
    assert f"fix_1 is live, and fixes {CVES[0]}, but not {CVES[1]}." in why


@pytest.mark.usefixtures("rpm")
def test_a_patch_of_a_run_that_has_not_ended_does_not_count() -> None:
    run = {"who": "x", "since": "y", "what": "z", "patches": ["a"]}
    host = {**OLD, "patches": [patch("a", *CVES)], "unfinished_run": run}
    assert stands(openeuler(), host).status == "needs_live_patch"
    assert stands(openeuler(), {**host, "unfinished_run": {**run, "patches": ["b"]}}).status == "fixed_by_live_patch"


@pytest.mark.usefixtures("no_library")
def test_a_live_patch_with_all_cves_counts_where_no_package_can_be_compared() -> None:
    other = facts("6.1.0-own", "arch", "", patches=[patch("a", *CVES)])
    for host in ({**OLD, "patches": [patch("a", *CVES)]}, other):
        found = stands(openeuler(), host)
        assert (found.status, found.is_affected) == ("fixed_by_live_patch", None)
    found = stands(openeuler(), {**OLD, "patches": [patch("a", CVES[0])]})
    assert (found.status, found.open) == ("unknown", CVES[1:])
    assert f"but not {CVES[1]}" in found.why


@pytest.mark.usefixtures("rpm")
def test_a_kernel_without_live_patching_is_affected() -> None:
    found = stands(openeuler(), {**OLD, "supported": False, "why_unsupported": "CONFIG_LIVEPATCH is not set."})
    assert found.status == "affected" and found.why.endswith("CONFIG_LIVEPATCH is not set.")


@pytest.mark.usefixtures("rpm")
@pytest.mark.parametrize(
    ("host", "said"),
    [
        ({**OLD, "kernel": {"is_certain": False}}, "Which kernel runs is not certain."),
        ({**OLD, "undecided": [{"path": "/sys/x", "reason": "EACCES"}]}, "What is loaded and enabled cannot be told"),
        ({**OLD, "distribution": None}, "the host has no distribution that its facts name"),
        (
            facts("6.12.48-amd64", "debian", "13"),
            "is for openEuler-22.03-LTS-SP4, openEuler-24.03-LTS, and the host has",
        ),
        ({**OLD, "release": "6.6.0-28.own"}, "6.6.0-28.own is not the release of a kernel of openEuler-24.03-LTS."),
        (None, "There are no facts about it."),
        ({}, "Its facts are not valid: "),
        ("x", "Its facts are not valid: "),
        ({**OLD, "release": ["x"]}, "Its facts are not valid: "),
        ({**OLD, "distribution": "openEuler"}, "Its facts are not valid: "),
        ({**OLD, "distribution": {"id": 7}}, "Its facts are not valid: "),
        ({**OLD, "kernel": {"version": []}}, "Its facts are not valid: "),
        ({**OLD, "patches": 7}, "Its facts are not valid: "),
        ({**OLD, "patches": [{"name": {}}]}, "Its facts are not valid: "),
    ],
)
def test_why_it_cannot_be_told(host: t.Any, said: str) -> None:
    found = stands(openeuler(), host)
    assert found.status == "unknown" and said in found.why, found.why


def test_a_host_that_was_not_read_says_why() -> None:
    found = stands(openeuler(), OLD, problem="No route\x1b to {{ host }}", problem_kind="unreachable")
    assert (found.status, found.why) == ("unknown", "No route\ufffd to {{ host }}")


@pytest.mark.usefixtures("rpm")
@given(st.dictionaries(st.sampled_from([*OLD, "undecided", "unfinished_run"]), st.sampled_from(ODD), max_size=3))
def test_whatever_a_host_sends_it_has_a_status(odd: Document) -> None:
    found = stands(openeuler(), {**OLD, **odd})
    assert found.status in standing.STATUSES
    assert not {"\x1b", "\n", "\u202e"} & set(found.why)


def debian() -> Document:
    name = "linux-image-6.12.48%2Bdeb13-amd64@6.12.48-1"
    tree = [
        listed("debian", cpe="cpe:/o:debian:debian_linux:13"),
        listed("k", purl=f"pkg:deb/debian/{name}?arch=amd64"),
    ]
    return document("Debian", "DSA-1", "", tree, [component("d:k", "k", "debian")], {CVES[0]: {"fixed": ["d:k"]}})


@pytest.mark.parametrize(
    ("built", "status"),
    [
        ("#1 SMP Debian 6.12.48-1 (2026-09-20)", "fixed_by_package"),
        ("#1 SMP Debian 6.12.9-1 (2026-01-20)", "needs_live_patch"),
        ("#1 SMP", "unknown"),
    ],
)
def test_debian_has_the_version_of_the_package_in_uname_v(
    built: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = types.ModuleType("apt_pkg")
    library.init_system = lambda: None  # type: ignore[attr-defined]
    library.version_compare = lambda *pair: label_compare((pair[0],), (pair[1],))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "apt_pkg", library)
    assert read_advisory(debian()).fixed_in == ("6.12.48+deb13-amd64",)
    host = facts("6.12.48+deb13-amd64", "debian", "13", kernel={"is_certain": True, "version": built})
    assert stands(debian(), host).status == status


@pytest.mark.usefixtures("no_library")
@pytest.mark.parametrize("rules", [RPM, DEB])
def test_nothing_is_guessed(rules: str) -> None:
    assert compare(rules, "1-1", "1-1") == 0
    assert compare(rules, "1-1", "1-2") is None
    assert NEEDED[rules].startswith("Install python3-")


def test_a_library_that_is_another_one_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rpm", types.ModuleType("rpm"))
    assert compare(RPM, "1-1", "1-2") is None


def test_debians_other_library(monkeypatch: pytest.MonkeyPatch) -> None:
    support = types.ModuleType("debian.debian_support")
    support.version_compare = lambda *pair: -1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "apt_pkg", None)
    monkeypatch.setitem(sys.modules, "debian", types.ModuleType("debian"))
    monkeypatch.setitem(sys.modules, "debian.debian_support", support)
    assert compare(DEB, "1-1", "1-2") == -1


PAIRS = [
    ("5.10.0-99.0.0", "5.10.0-216.0.0"),
    ("5.10.0-216.0.0.115.oe2203sp4", "5.10.0-216.0.0.115.oe2203sp4"),
    ("5.14.21-150500.55.7", "5.14.21-150500.55.52"),
    ("5.14.0-427.el9", "5.14.0-427.13.1.el9_4"),
]


@pytest.mark.skipif(shutil.which("rpm") is None, reason="rpm is not installed")
@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_the_stand_in_compares_as_rpm_does(left: str, right: str) -> None:
    mine = label_compare(tuple(left.split("-")), tuple(right.split("-")))
    script = f"print(rpm.vercmp('{left}', '{right}'))"
    said = subprocess.run(["rpm", "--eval", f"%{{lua:{script}}}"], capture_output=True, text=True, check=True).stdout
    assert int(said) == mine


def test_the_release_of_a_machine_that_is_not_known_is_none() -> None:
    assert running_kernel("5.14.0-1.el9.x86_64", "", Product("x", "redhat", "rhel", "9"), RPM, "") is None


# The file.


def test_the_fix_is_what_the_role_takes(tmp_path: t.Any) -> None:
    text = fix_text(read_advisory(redhat()))
    path = tmp_path / "fix.yml"
    path.write_text(text, encoding="utf-8")
    data = load_yaml(str(path))
    fix = {"id": "RHSA-2026:0001", "title": TITLE, "severity": "Important", "cves": list(CVES)}
    assert data == {"livepatch_build_fix": fix, "livepatch_build_fixed_in": list(read_advisory(redhat()).fixed_in)}
    options = ("livepatch_build_patches: ", "livepatch_build_kernels:")
    assert all(f"\n# {option}" in text for option in options)
    filled = text.replace("# livepatch", "livepatch").replace("#   - rel", "  - rel").replace("#     host", "    host")
    path.write_text(filled, encoding="utf-8")
    assert load_yaml(str(path))["livepatch_build_kernels"] == [{"release": "KERNEL", "host": "BUILD_HOST"}]


@given(st.text(), st.text(), st.text())
def test_no_text_of_an_advisory_is_a_template_or_another_line(id: str, title: str, severity: str) -> None:
    data = openeuler()
    data["document"]["title"], data["document"]["tracking"]["id"] = title, id or "x"
    data["document"]["aggregate_severity"]["text"] = severity
    advisory = read_advisory(data)
    text = fix_text(advisory)

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda _loader, node: f"!unsafe {node.value}")
    fix = yaml.load(text, Loader=Loader)["livepatch_build_fix"]  # A SafeLoader.
    for key, value in (("id", advisory.id), ("title", advisory.title), ("severity", advisory.severity)):
        assert fix[key] in (value, f"!unsafe {value}")
        assert fix[key].startswith("!unsafe ") or not {"{", "}", "%", "#"} & set(fix[key])
