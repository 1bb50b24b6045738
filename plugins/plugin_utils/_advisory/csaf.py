# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Reads an advisory from a document in the Common Security Advisory Framework (CSAF) 2.0. Nothing in it is trusted."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import MOST_CVES
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.advisory import Advisory, Claim
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.kernels import (
    Kernel,
    flavour_of,
    kernel_of,
    package_of,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.products import Product, product_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, Reader

VERSION = "2.0"
MOST_KERNELS = 5000
MOST_DEPTH = 32
"""Of branches in branches. Vendors have three."""
MOST_STEPS = 8
"""From a product to the package that it is made of. Vendors have one, or two with modules."""

_CVE = re.compile(r"CVE-\d{4}-\d{4,19}\Z")
_FIXED = ("fixed", "first_fixed", "recommended")
_AFFECTED = ("known_affected", "first_affected", "last_affected")
_NOT_AFFECTED = ("known_not_affected",)
_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "NONE")
"""Of CVSS, the gravest first."""

_GIVE = "Give a CSAF 2.0 document as its vendor has published it."
_OTHER = "Give the advisory of a kernel, a security advisory or a VEX document."


@dataclass(frozen=True)
class _Listed:
    """A product of the tree, or the package in it: what CSAF calls a product."""

    name: str
    cpe: str | None = None
    purl: str | None = None


@dataclass(frozen=True)
class _Tree:
    """What the document lists: its products, and what is a component of what, each by the id of a product."""

    listed: dict[str, _Listed]
    relations: dict[str, tuple[str, str]]


def read_advisory(data: t.Any) -> Advisory:
    """The advisory in the document. Raises FindingError."""
    try:
        document = _document(data)
        tree = _tree(Reader(data, "the document").inner("product_tree"))
        if not tree.listed:
            raise _refused("no_products", f"The document of the category {_category(document)} lists no products.")
        kernels, claims = _statuses(Reader(data, "the document"), tree)
        if not kernels and not claims:
            raise _refused("no_kernel", "The advisory is about no package of a kernel.")
        cves = _all_cves(kernels, claims)
        return Advisory(
            id=document.inner("tracking").text("id"),
            title=document.text_or_none("title") or "",
            severity=_severity(document, Reader(data, "the document")),
            publisher=document.inner("publisher").text_or_none("name") or "its vendor",
            cves=cves,
            kernels=kernels,
            claims=claims,
        )
    except DataError as error:
        cause = f"The document is damaged: {error}"
        raise FindingError(Finding(reason="bad_advisory", seen=cause, remedy=_GIVE)) from error


def _refused(reason: str, cause: str) -> FindingError:
    return FindingError(Finding(reason=reason, seen=cause, remedy=_OTHER))


def _document(data: t.Any) -> Reader:
    """The part about the document itself, of the one version that this code knows."""
    is_csaf = isinstance(data, Mapping) and isinstance(data.get("document"), Mapping)
    version = data["document"].get("csaf_version") if is_csaf else None
    if version == VERSION:
        return Reader(data["document"], "document")
    cause = "The file is not a CSAF document."
    if isinstance(version, str):
        cause = f"The document is of another version of CSAF than {VERSION}."
    raise FindingError(Finding(reason="bad_advisory", seen=cause, remedy=_GIVE))


def _category(document: Reader) -> str:
    return document.text_or_none("category") or "of no name"


def _severity(document: Reader, whole: Reader) -> str:
    """What the vendor says of all together, or else the gravest score."""
    said = document.inner("aggregate_severity").text_or_none("text")
    if said:
        return said
    scores = (score for flaw in whole.each("vulnerabilities") for score in flaw.each("scores"))
    found = {score.inner("cvss_v3").text_or_none("baseSeverity") for score in scores}
    return next((severity.lower() for severity in _SEVERITIES if severity in found), "")


def _tree(tree: Reader) -> _Tree:
    listed: dict[str, _Listed] = {}
    waiting = [(0, tree)]
    while waiting:
        depth, branch = waiting.pop()
        if depth > MOST_DEPTH:
            raise DataError(f"its branches are more than {MOST_DEPTH} deep.")
        waiting += [(depth + 1, inner) for inner in branch.each("branches")]
        if branch.has("product"):
            _list(branch.inner("product"), listed)
    for product in tree.each("full_product_names"):
        _list(product, listed)
    relations = {}
    for relation in tree.each("relationships"):
        whole = _id(relation.inner("full_product_name").value("product_id"))
        parts = (relation.value("product_reference"), relation.value("relates_to_product_reference"))
        relations[whole] = (_id(parts[0]), _id(parts[1]))
    return _Tree(listed, relations)


def _list(product: Reader, listed: dict[str, _Listed]) -> None:
    helper = product.inner("product_identification_helper")
    known = _Listed(product.text_or_none("name") or "", helper.text_or_none("cpe"), helper.text_or_none("purl"))
    listed[_id(product.value("product_id"))] = known


def _id(value: t.Any) -> str:
    """The id of a product, whole: cleaned or cut, two of them could become one."""
    if not isinstance(value, str) or not value:
        raise DataError("the id of a product is not a string.")
    return value


def _ids(status: Reader, keys: t.Sequence[str]) -> list[str]:
    found: list[str] = []
    for key in keys:
        values = status.value(key)
        if not isinstance(values, (list, type(None))):
            raise DataError(f"{key} of a vulnerability is not a list.")
        found += [_id(value) for value in values or ()]
    return found


def _statuses(whole: Reader, tree: _Tree) -> tuple[tuple[Kernel, ...], tuple[Claim, ...]]:
    """The fixed kernels, and what is said of others."""
    resolved: dict[str, tuple[Kernel | None, tuple[Product, str] | None]] = {}

    def resolve(product_id: str) -> tuple[Kernel | None, tuple[Product, str] | None]:
        if product_id not in resolved:
            resolved[product_id] = _resolved(product_id, tree)
        return resolved[product_id]

    fixed: dict[Kernel, dict[str, None]] = {}
    said: dict[tuple[Product, str, bool], dict[str, None]] = {}
    for flaw in whole.each("vulnerabilities"):
        status, cve = flaw.inner("product_status"), flaw.text_or_none("cve")
        # Each of them once: a status has all builds of all packages.
        kernels = dict.fromkeys(kernel for each in _ids(status, _FIXED) if (kernel := resolve(each)[0]))
        affected = dict.fromkeys(kind for each in _ids(status, _AFFECTED) if (kind := resolve(each)[1]))
        spared = dict.fromkeys(kind for each in _ids(status, _NOT_AFFECTED) if (kind := resolve(each)[1]))
        if not (kernels or affected or spared):
            continue
        if not cve or not _CVE.match(cve):
            raise DataError("a vulnerability of a kernel has no CVE.")
        for kernel in kernels:
            fixed.setdefault(kernel, {})[cve] = None
        for kinds, is_affected in ((affected, True), (spared, False)):
            for product, flavour in kinds:
                said.setdefault((product, flavour, is_affected), {})[cve] = None
    if len(fixed) > MOST_KERNELS or len(said) > MOST_KERNELS:
        raise DataError(f"it names {max(len(fixed), len(said))} kernels, and {MOST_KERNELS} are allowed.")
    return (
        tuple(replace(kernel, cves=tuple(cves)) for kernel, cves in fixed.items()),
        tuple(Claim(*key, tuple(cves)) for key, cves in said.items()),
    )


def _resolved(product_id: str, tree: _Tree) -> tuple[Kernel | None, tuple[Product, str] | None]:
    """The kernel that this is, None without a version; and its product and flavour, None if it is no kernel."""
    component, of = product_id, None
    for _step in range(MOST_STEPS):
        if component not in tree.relations:
            break
        component, whole = tree.relations[component]
        of = of or whole
    known = tree.listed.get(component)
    if known is None:
        return None, None
    package = package_of(known.purl, known.name, component)
    if package is None:
        return None, None
    platform = _platform(of, tree)
    # A package that is listed alone may have the CPE of its product.
    product = product_of(platform.name, platform.cpe) if platform else product_of("", known.cpe)
    flavour = flavour_of(package, product)
    return kernel_of(package, product), None if flavour is None else (product, flavour)


def _platform(product_id: str | None, tree: _Tree) -> _Listed | None:
    for _step in range(MOST_STEPS):
        if product_id not in tree.relations:
            break
        product_id = tree.relations[product_id][1]
    return tree.listed.get(product_id or "")


def _all_cves(kernels: t.Sequence[Kernel], claims: t.Sequence[Claim]) -> tuple[str, ...]:
    found = {cve for kernel in kernels for cve in kernel.cves}.union(*(claim.cves for claim in claims))
    if len(found) > MOST_CVES:
        raise DataError(f"it has {len(found)} CVEs, and {MOST_CVES} are allowed.")
    return tuple(sorted(found, key=lambda cve: [int(number) for number in cve.split("-")[1:]]))
