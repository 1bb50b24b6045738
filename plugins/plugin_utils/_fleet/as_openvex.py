# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The report as a document of OpenVEX 0.2.0 (https://github.com/openvex/spec)."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import vex
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.json_text import Plain
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import time_text


def as_openvex(stated: vex.Statements) -> str:
    """The document. A product is a line, the same one in each statement."""
    data = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": f"urn:uuid:{stated.identity}",
        "author": stated.publisher.name,
        "timestamp": time_text(stated.now),
        "version": 1,
        "tooling": f"{vex.TOOL} {vex.TOOL_VERSION}",
    }
    lines = {product.purl: _line(_product(product)) for product in stated.products}
    statements = [
        _statement(vulnerability, statement, lines)
        for vulnerability in stated.vulnerabilities
        for statement in vulnerability.statements
    ]
    return _with(json.dumps(data, indent=1, ensure_ascii=False), "statements", statements) + "\n"


def _line(data: Plain) -> str:
    return json.dumps(data, ensure_ascii=False)


def _with(text: str, key: str, lines: t.Iterable[str]) -> str:
    """The text of an object, with a list of these lines."""
    return "\n".join([f'{text.removesuffix("}").rstrip()}, "{key}": [', ",\n".join(lines), "]}"])


def _statement(vulnerability: vex.Vulnerability, statement: vex.Statement, lines: t.Mapping[str, str]) -> str:
    described = {"description": vulnerability.title} if vulnerability.title else {}
    # The schema has either a justification or an impact statement.
    justified = {"justification": vex.JUSTIFICATION} if statement.status == vex.NOT_AFFECTED else {}
    says = "action_statement" if statement.status == vex.AFFECTED else "status_notes"
    about = {
        "vulnerability": {"name": vulnerability.name, **described},
        "status": statement.status,
        **justified,
        says: statement.says,
    }
    return _with(_line(about), "products", (lines[product.purl] for product in statement.products))


def _product(product: vex.Product) -> Plain:
    kernel = {"subcomponents": [_component(product.kernel)]} if product.kernel else {}
    return {**_component(product.purl), **kernel}


def _component(purl: str) -> Plain:
    return {"@id": purl, "identifiers": {"purl": purl}}
