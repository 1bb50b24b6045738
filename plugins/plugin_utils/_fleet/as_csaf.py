# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The report as a document of CSAF 2.0 in the profile VEX (https://docs.oasis-open.org/csaf/csaf/v2.0)."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import vex
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.json_text import Plain, line, with_lists
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import time_text

_GROUPS = {
    vex.FIXED: "fixed",
    vex.NOT_AFFECTED: "known_not_affected",
    vex.UNDER_INVESTIGATION: "under_investigation",
    vex.AFFECTED: "known_affected",
}
"""A status of VEX -> the group of products that CSAF has for it."""


def as_csaf(stated: vex.Statements) -> str:
    """The document. A vulnerability is a line."""
    ids = {product.purl: _product_id(product) for product in stated.products}
    data = {"document": _document(stated), "product_tree": _product_tree(stated.products)}
    lines = [line(_vulnerability(vulnerability, ids)) for vulnerability in stated.vulnerabilities]
    return with_lists(data, {"vulnerabilities": lines})


def _document(stated: vex.Statements) -> Plain:
    now = time_text(stated.now)
    return {
        "category": "csaf_vex",
        "csaf_version": "2.0",
        # As a list of hosts with their open vulnerabilities.
        "distribution": {"tlp": {"label": "AMBER"}},
        "lang": "en",
        "notes": [
            {
                "category": "description",
                "text": "How hosts stand with what live patches of their kernels fix. A statement holds for one host, "
                "at the time of this document.",
            }
        ],
        "publisher": {
            "category": "user",
            "name": stated.publisher.name,
            "namespace": stated.publisher.namespace,
        },
        "title": "Live patches of hosts",
        "tracking": {
            "current_release_date": now,
            "generator": {"date": now, "engine": {"name": vex.TOOL, "version": vex.TOOL_VERSION}},
            "id": f"livepatch-{stated.identity}",
            "initial_release_date": now,
            "revision_history": [{"date": now, "number": "1", "summary": "This report."}],
            "status": "final",
            "version": "1",
        },
    }


def _product_tree(products: t.Sequence[vex.Product]) -> Plain:
    kernels = sorted({product.kernel for product in products if product.kernel})
    with_kernel = [
        {
            "category": "installed_on",
            # Without a helper: scanners would take the purl of the package for that of all hosts.
            "full_product_name": {"name": f"{product.kernel} on {product.name}", "product_id": _product_id(product)},
            "product_reference": product.kernel,
            "relates_to_product_reference": product.purl,
        }
        for product in products
        if product.kernel
    ]
    names = [*((product.name, product.purl) for product in products), *((kernel, kernel) for kernel in kernels)]
    return {
        "full_product_names": [
            {"name": name, "product_id": purl, "product_identification_helper": {"purl": purl}} for name, purl in names
        ],
        **({"relationships": with_kernel} if with_kernel else {}),
    }


def _product_id(product: vex.Product) -> str:
    return f"{product.kernel} on {product.purl}" if product.kernel else product.purl


def _vulnerability(vulnerability: vex.Vulnerability, ids: t.Mapping[str, str]) -> Plain:
    groups: dict[str, list[str]] = {}
    flags, threats, remediations = [], [], []
    for statement in vulnerability.statements:
        products = [ids[product.purl] for product in statement.products]
        groups.setdefault(_GROUPS[statement.status], []).extend(products)
        said = {"details": statement.says, "product_ids": products}
        if statement.status == vex.NOT_AFFECTED:
            flags.append({"label": vex.JUSTIFICATION, "product_ids": products})
            threats.append({"category": "impact", **said})
        elif statement.status == vex.AFFECTED:
            remediations.append({"category": "mitigation", **said})
    name = vulnerability.name
    found = {
        **({"cve": name} if vulnerability.is_cve else {"ids": [{"system_name": vex.TOOL, "text": name}]}),
        "flags": flags,
        "notes": [{"category": "description", "text": vulnerability.title or name}],
        "product_status": {group: sorted(groups[group]) for group in sorted(groups)},
        "remediations": remediations,
        "threats": threats,
        "title": vulnerability.title or name,
    }
    return {key: value for key, value in found.items() if value}
