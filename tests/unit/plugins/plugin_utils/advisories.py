# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small advisories in the form of each vendor, facts of hosts, and a stand-in for rpm. All are made up."""

from __future__ import annotations

import itertools
import re
import typing as t

Document = dict[str, t.Any]
CVES = ("CVE-2026-0001", "CVE-2026-0002")
TITLE = "An update for kernel is now available"


def listed(product_id: str, name: str = "", **helper: str) -> Document:
    """What CSAF calls a product, in a branch."""
    product = {"name": name or product_id, "product_id": product_id}
    return {
        "category": "product_version",
        "name": name or product_id,
        "product": {**product, **({"product_identification_helper": helper} if helper else {})},
    }


def branch(category: str, name: str, *branches: Document) -> Document:
    return {"category": category, "name": name, "branches": list(branches)}


def component(product_id: str, package: str, of: str) -> Document:
    return {
        "category": "default_component_of",
        "full_product_name": {"name": f"{package} as a component of {of}", "product_id": product_id},
        "product_reference": package,
        "relates_to_product_reference": of,
    }


def document(
    publisher: str,
    id: str,
    severity: str | None,
    branches: t.Sequence[Document],
    relationships: t.Sequence[Document],
    statuses: t.Mapping[str, t.Mapping[str, t.Sequence[str]]],
    category: str = "csaf_security_advisory",
) -> Document:
    """A document with a vulnerability for each CVE in `statuses`."""
    return {
        "document": {
            "aggregate_severity": {"namespace": "https://vendor.example/severity", "text": severity},
            "category": category,
            "csaf_version": "2.0",
            "lang": "en",
            "notes": [{"category": "general", "title": "Synopsis", "text": "kernel security update"}],
            "publisher": {"category": "vendor", "name": publisher, "namespace": "https://vendor.example"},
            "title": TITLE,
            "tracking": {"id": id, "status": "final", "version": "1"},
        },
        "product_tree": {
            "branches": [branch("vendor", publisher, *branches)],
            "relationships": list(relationships),
        },
        "vulnerabilities": [
            {
                "cve": cve,
                "notes": [{"category": "description", "text": "A missing check."}],
                "product_status": {key: list(ids) for key, ids in status.items()},
                "scores": [{"cvss_v3": {"baseScore": 7.8, "baseSeverity": "HIGH"}, "products": []}],
                "threats": [{"category": "impact", "details": "High"}],
            }
            for cve, status in statuses.items()
        ],
    }


OE_FIXED = "5.10.0-240.0.0.139.oe2203sp4"


def openeuler() -> Document:
    """Two lines of openEuler: a package has the CPE of its product, and .rpm at its end only in the tree."""
    lines = {"22.03-LTS-SP4": OE_FIXED, "24.03-LTS": "6.6.0-61.0.0.60.oe2403"}
    products = [listed(f"openEuler-{line}", cpe=f"cpe:/a:openEuler:openEuler:{line}") for line in lines]
    machines, relations = [], []
    for machine in ("src", "aarch64", "x86_64"):
        names = ["kernel"] if machine == "src" else ["kernel", "kernel-devel", "bpftool"]
        packages = [(line, f"{name}-{version}.{machine}") for line, version in lines.items() for name in names]
        machines.append(
            branch(
                "architecture",
                machine,
                *(listed(f"{name}.rpm", cpe=f"cpe:/a:openEuler:openEuler:{line}") for line, name in packages),
            )
        )
        relations += [
            component(f"openEuler-{line}:{name}", f"{name}.rpm", f"openEuler-{line}") for line, name in packages
        ]
    ids = [relation["full_product_name"]["product_id"] for relation in relations]
    # The second CVE is in the newer line alone.
    newer = [each for each in ids if each.startswith("openEuler-24.03")]
    return document(
        "openEuler",
        "openEuler-SA-2026-0001",
        "High",
        [branch("product_name", "openEuler", *products), *machines],
        relations,
        {CVES[0]: {"fixed": ids}, CVES[1]: {"fixed": newer}},
        "csaf_vex",
    )


RH_FIXED = "5.14.0-427.31.1.el9_4"


def redhat() -> Document:
    """RHEL 9.4 with its flavours, and a long stream of 9.2: names have an epoch, and packages a purl."""
    products = {
        "BaseOS-9.4.0.Z.MAIN.EUS": "cpe:/o:redhat:enterprise_linux:9::baseos",
        "BaseOS-9.2.0.Z.EUS": "cpe:/o:redhat:rhel_eus:9.2::baseos",
    }
    packages = {
        "BaseOS-9.4.0.Z.MAIN.EUS": [
            (name, RH_FIXED, machine)
            for name, machine in [
                ("kernel-core", "x86_64"),
                ("kernel-core", "aarch64"),
                ("kernel-64k-core", "aarch64"),
                ("kernel-rt-core", "x86_64"),
                ("kernel-debug-core", "x86_64"),
                ("kernel-tools", "x86_64"),
                ("kernel", "src"),
            ]
        ],
        "BaseOS-9.2.0.Z.EUS": [
            ("kernel-core", "5.14.0-284.79.1.el9_2", "x86_64"),
            ("kernel-rt-core", "5.14.0-284.79.1.rt14.364.el9_2", "x86_64"),
        ],
    }
    names = [
        branch(
            "product_family", "Red Hat Enterprise Linux", *(listed(k, f"RHEL {k}", cpe=v) for k, v in products.items())
        )
    ]
    every = {part for parts in packages.values() for part in parts}
    tree = [
        listed(f"{name}-0:{version}.{machine}", purl=f"pkg:rpm/redhat/{name}@{version}?arch={machine}")
        for name, version, machine in sorted(every)
    ]
    relations = [
        component(f"{of}:{name}-0:{version}.{machine}", f"{name}-0:{version}.{machine}", of)
        for of, parts in packages.items()
        for name, version, machine in parts
    ]
    ids = [relation["full_product_name"]["product_id"] for relation in relations]
    statuses = {cve: {"fixed": ids} for cve in CVES}
    return document("Red Hat Product Security", "RHSA-2026:0001", "Important", [*names, *tree], relations, statuses)


def redhat_vex() -> Document:
    """One CVE: fixed in RHEL 9.4, not yet in 8, and not in 7. The packages of what is not fixed have no version."""
    package = listed(f"kernel-core-0:{RH_FIXED}.x86_64", purl=f"pkg:rpm/redhat/kernel-core@{RH_FIXED}?arch=x86_64")
    products = [
        listed("BaseOS-9.4.0.Z.MAIN.EUS", cpe="cpe:/o:redhat:enterprise_linux:9::baseos"),
        *(
            listed(f"red_hat_enterprise_linux_{major}", cpe=f"cpe:/o:redhat:enterprise_linux:{major}")
            for major in (7, 8)
        ),
    ]
    kernel = listed("kernel", purl="pkg:rpm/redhat/kernel?arch=src")
    fixed = f"BaseOS-9.4.0.Z.MAIN.EUS:kernel-core-0:{RH_FIXED}.x86_64"
    old = {major: f"red_hat_enterprise_linux_{major}:kernel" for major in (7, 8)}
    relations = [
        component(fixed, f"kernel-core-0:{RH_FIXED}.x86_64", "BaseOS-9.4.0.Z.MAIN.EUS"),
        *(component(old[major], "kernel", f"red_hat_enterprise_linux_{major}") for major in old),
    ]
    status = {"fixed": [fixed], "known_affected": [old[8]], "known_not_affected": [old[7]]}
    tree = [*products, package, kernel]
    return document("Red Hat Product Security", CVES[0], "Important", tree, relations, {CVES[0]: status}, "csaf_vex")


SUSE_FIXED = "5.14.21-150500.55.52.1"


def suse() -> Document:
    """SLES 15 SP5: the packages have no purl, what is fixed is recommended, and there are live patches of SUSE's."""
    module = "SUSE Linux Enterprise Module for Basesystem 15 SP5"
    leap = "openSUSE Leap 15.5"
    names = [
        "kernel-default",
        "kernel-default-base",
        "kernel-default-devel",
        "kernel-livepatch-5_14_21-150500_55_52-default",
    ]
    packages = [f"{name}-{SUSE_FIXED}.{machine}" for name in names for machine in ("s390x", "x86_64")]
    products = [
        listed(module, cpe="cpe:/o:suse:sle-module-basesystem:15:sp5"),
        listed(leap, cpe="cpe:/o:opensuse:leap:15.5"),
    ]
    relations = [component(f"{of}:{name}", name, of) for of in (module, leap) for name in packages]
    ids = [relation["full_product_name"]["product_id"] for relation in relations]
    tree = [branch("architecture", "x86_64", *map(listed, packages)), branch("product_family", "SUSE", *products)]
    statuses = {cve: {"recommended": ids} for cve in CVES}
    return document("SUSE Product Security Team", "SUSE-SU-2026:0001-1", None, tree, relations, statuses)


def patch(name: str, *cves: str, id: str = "", effective: str | None = "full", **more: t.Any) -> Document:
    """A loaded patch as facts have it."""
    fix = {"id": id or name, "title": "", "severity": "", "cves": list(cves)}
    return {"name": name, "enabled": True, "effective": effective, "in_transition": False, "fix": fix, **more}


def facts(
    release: str, id: str, version: str, machine: str = "x86_64", line: str | None = None, **more: t.Any
) -> Document:
    """The facts of a host."""
    distribution = {"id": id, "name": f"{id} {version}", "version": version, "like": None, "line": line}
    return {
        "release": release,
        "machine": machine,
        "supported": True,
        "distribution": distribution,
        "kernel": {"is_certain": True, "version": "#1 SMP"},
        "patches": [],
        "functions": [],
        "boot": {},
        **more,
    }


def on_openeuler(release: str, line: str = "22.03-LTS-SP4", **more: t.Any) -> Document:
    return facts(release, "openeuler", line.partition("-")[0], line=line, **more)


def label_compare(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    """A stand-in for rpm.labelCompare, for versions without tilde and caret."""
    return next((order for pair in zip(left, right, strict=True) if (order := _order(*pair))), 0)


def _order(left: str, right: str) -> int:
    parts = itertools.zip_longest(re.findall(r"\d+|[a-zA-Z]+", left), re.findall(r"\d+|[a-zA-Z]+", right))
    for mine, other in parts:
        # What is longer is newer, and a number is newer than a word.
        keys = [(part is not None, part is not None and part.isdigit()) for part in (mine, other)]
        values = [int(part) if part and part.isdigit() else part or "" for part in (mine, other)]
        if keys[0] != keys[1]:
            return 1 if keys[0] > keys[1] else -1
        if values[0] != values[1]:
            return 1 if values[0] > values[1] else -1  # type: ignore[operator]
    return 0
