# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as OpenVEX and CSAF, and the purls in it, with libraries that carry the published schemas and rules.

No package of PyPI or npm carries the schema of OpenVEX 0.2.0. vexipy has its types and most of its rules; what it does
not hold of that schema is a schema of our own here, of what the report writes.
"""

from __future__ import annotations

import copy
import json
import typing as t

import jsonschema
import pytest
import vexipy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.package import DPKG, RPM, Package, encoded
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_csaf import as_csaf
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_openvex import as_openvex
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, Fleet, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import read_releases
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.vex import Publisher, state
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic
from csaf.csaf.v20 import validate
from csaf_lib.verification import Verifier
from packageurl import PackageURL

Plain = dict[str, t.Any]

PUBLISHER = Publisher("Example Operations", "https://operations.example.com")
HOSTILE = (
    '"}]',
    "<b>",
    "a/../b",
    "..",
    "pkg:rpm/x@1?arch=y",
    "::1",
    "x\u0000\u202e\ud800",
    "{{ 7 * 7 }}",
    "%2F%",
    "x y",
    "x@1#y",
)

NOT_MEANT = {
    "6.2.2": "Nothing can be done yet on a host that is not known.",
    "6.2.3": "No score is known.",
    "6.2.11": "It is not published: it has no address.",
    "6.2.16": "The package on one host has no purl: scanners would take that for the package of each.",
}
"""Recommended tests of CSAF (section 6.2) that do not hold, and why."""

OF_STATUS: dict[str, set[str]] = {
    "not_affected": {"justification", "status_notes"},
    "affected": {"action_statement"},
    "fixed": {"status_notes"},
    "under_investigation": {"status_notes"},
}


def keys(required: t.Iterable[str], properties: Plain, optional: t.Iterable[str] = ()) -> Plain:
    """The schema of an object that has these keys and no other."""
    known = {key: properties.get(key, {"type": "string"}) for key in (*required, *optional)}
    return {"type": "object", "properties": known, "required": list(required), "additionalProperties": False}


def some(items: Plain) -> Plain:
    return {"type": "array", "items": items, "minItems": 1, "uniqueItems": True}


COMPONENT = {"@id": {"type": "string", "pattern": "^pkg:"}, "identifiers": keys(["purl"], {})}
SUBCOMPONENTS = {"subcomponents": some(keys(["@id", "identifiers"], COMPONENT))}
PRODUCT = keys(["@id", "identifiers"], {**COMPONENT, **SUBCOMPONENTS}, ["subcomponents"])
STATEMENT = {"vulnerability": keys(["name"], {}, ["description"]), "products": some(PRODUCT)}
STATEMENTS = [
    keys(["vulnerability", "products", "status", *sorted(more)], {**STATEMENT, "status": {"const": status}})
    for status, more in OF_STATUS.items()
]
OPENVEX = keys(
    ["@context", "@id", "author", "timestamp", "version", "tooling", "statements"],
    {
        "@context": {"const": "https://openvex.dev/ns/v0.2.0"},
        "@id": {"type": "string", "pattern": "^urn:uuid:[0-9a-f-]{36}$"},
        "version": {"type": "integer", "minimum": 1},
        "statements": some({"oneOf": STATEMENTS}),
    },
)


def with_package(facts: t.Any) -> t.Any:
    """The facts of a synthetic host, with the package of its kernel."""
    if not isinstance(facts, dict) or not isinstance(facts.get("release"), str):
        return facts
    version, _hyphen, release = facts["release"].removesuffix(".x86_64").partition("-")
    package = {"manager": "rpm", "name": "kernel", "version": version, "release": release or None, "arch": "x86_64"}
    told = {"package": package if release.isascii() and "." in release else None, "is_certain": True}
    return {**facts, "kernel": told, "distribution": {"id": "openeuler", "version": "22.03"}}


def synthetic_fleet(answers: t.Mapping[str, Answer], releases: t.Sequence[Plain]) -> Fleet:
    answers = {name: Answer(with_package(one.facts), one.problem) for name, one in answers.items()}
    return fleet_of(answers, read_releases((data["fix"]["id"], data) for data in releases), synthetic.NOW)


def hostile_fleet() -> Fleet:
    """Hosts and fixes whose names are an attack."""
    kernel = synthetic.KERNELS[0]
    releases = [
        synthetic.release(0, {"fix": {"id": f"{name}.", "title": name, "severity": name, "cves": [name]}, "name": "x"})
        for name in HOSTILE
    ]
    answers = {
        name: Answer(synthetic.host_facts(kernel, [synthetic.patch("x", kernel, name="x")], [])) for name in HOSTILE
    }
    return synthetic_fleet(answers, releases)


FLEETS = {
    "3": synthetic_fleet(synthetic.answers(3), synthetic.releases()),
    "200": synthetic_fleet(synthetic.answers(200), synthetic.releases()),
    "without packages": synthetic.fleet(30),
    "unknown": synthetic_fleet({"web": Answer(None)}, synthetic.releases()),
    "hostile": hostile_fleet(),
}
ONE_HOST = synthetic_fleet({"web": Answer(synthetic.host_facts(synthetic.KERNELS[0], [], []))}, synthetic.releases())
of_each_fleet = pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)


def purls_in(value: t.Any) -> t.Iterator[str]:
    """Each purl of a document."""
    if isinstance(value, dict):
        yield from (text for key, text in value.items() if key == "purl" or (key == "@id" and text.startswith("pkg:")))
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from purls_in(item)


def failed(document: Plain) -> set[str]:
    """The tests of CSAF that the document does not pass: its schema, the mandatory and the recommended ones."""
    return {result.id for result in validate(document, preset="extended").results if not result.passed}


@of_each_fleet
def test_csaf(fleet: Fleet) -> None:
    document = json.loads(as_csaf(state(fleet, PUBLISHER)))
    assert failed(document) <= NOT_MEANT.keys()
    assert [(failure.test_id, failure.message) for failure in Verifier(document).run_all().failures] == []


def test_csaf_of_one_package() -> None:
    document = json.loads(as_csaf(state(ONE_HOST, PUBLISHER, True)))
    assert failed(document) <= NOT_MEANT.keys()
    assert Verifier(document).run_all().passed


def test_each_recommended_test_that_is_not_meant_fails_once() -> None:
    documents = (json.loads(as_csaf(state(fleet, PUBLISHER))) for fleet in FLEETS.values())
    assert set().union(*map(failed, documents)) == set(NOT_MEANT)


@pytest.mark.parametrize(
    ("left_out", "test"),
    [
        (["product_status"], "1.3"),
        (["cve", "ids"], "1.4"),
        (["notes"], "1.5"),
        (["remediations"], "1.10"),
        (["flags", "threats"], "1.11"),
    ],
)
def test_the_libraries_hold_the_profile_vex(left_out: list[str], test: str) -> None:
    """Of the first test only csaf-lib knows."""
    document = json.loads(as_csaf(state(FLEETS["200"], PUBLISHER)))
    for vulnerability in document["vulnerabilities"]:
        for key in left_out:
            vulnerability.pop(key, None)
    assert test in [failure.test_id for failure in Verifier(document).run_all().failures]
    assert ("6.1.27" in failed(document)) is (test != "1.3")


@of_each_fleet
def test_openvex(fleet: Fleet) -> None:
    text = as_openvex(state(fleet, PUBLISHER))
    jsonschema.Draft202012Validator(OPENVEX).validate(json.loads(text))
    found = vexipy.Document.from_json(text)
    assert len(found.statements) == len(json.loads(text)["statements"])


def test_our_schema_holds_what_the_library_does_not() -> None:
    document = json.loads(as_openvex(state(FLEETS["200"], PUBLISHER)))
    validator = jsonschema.Draft202012Validator(OPENVEX)
    places = {statement["status"]: place for place, statement in enumerate(document["statements"])}
    assert set(places) == set(OF_STATUS)
    for place, more in (
        (places["not_affected"], {"impact_statement": "x"}),
        (places["affected"], {"justification": "inline_mitigations_already_exist"}),
        (places["fixed"], {"unknown": "x"}),
    ):
        other = copy.deepcopy(document)
        other["statements"][place].update(more)
        assert not validator.is_valid(other)
    assert not validator.is_valid({**document, "statements": []})
    assert not validator.is_valid({**document, "supplier": "x"})


@of_each_fleet
def test_purls_are_as_their_library_writes_them(fleet: Fleet) -> None:
    found = {purl for write in (as_openvex, as_csaf) for purl in purls_in(json.loads(write(state(fleet, PUBLISHER))))}
    assert found
    # The library leaves a slash in a name as it is, and then reads another name. The specification wants it encoded.
    for purl in (purl for purl in found if "%2F" not in purl):
        assert PackageURL.from_string(purl).to_string() == purl


@pytest.mark.parametrize("name", [name for name in HOSTILE if name == name.strip() and name.isprintable()])
def test_a_name_comes_back_from_its_purl(name: str) -> None:
    parsed = PackageURL.from_string(f"pkg:generic/{encoded(name)}")
    assert (parsed.type, parsed.namespace, parsed.name, parsed.version) == ("generic", None, name, None)


@pytest.mark.parametrize(
    ("package", "parts"),
    [
        (
            Package(RPM, "kernel", "5.10.0", "x86_64", "216.0.0.115.oe2203sp4"),
            (
                "rpm",
                "openeuler",
                "kernel",
                "5.10.0-216.0.0.115.oe2203sp4",
                {"arch": "x86_64", "distro": "openeuler-22.03"},
            ),
        ),
        (
            Package(RPM, "kernel-core", "6.1~rc1", "x86_64", "1^x+y", 2),
            (
                "rpm",
                "openeuler",
                "kernel-core",
                "6.1~rc1-1^x+y",
                {"arch": "x86_64", "distro": "openeuler-22.03", "epoch": "2"},
            ),
        ),
        (
            Package(DPKG, "linux-image-6.1.0-17-amd64", "6.1.69", "amd64", "1~bpo12+1", 2),
            (
                "deb",
                "openeuler",
                "linux-image-6.1.0-17-amd64",
                "2:6.1.69-1~bpo12+1",
                {"arch": "amd64", "distro": "openeuler-22.03"},
            ),
        ),
    ],
)
def test_the_parts_of_a_package_come_back_from_its_purl(package: Package, parts: tuple[t.Any, ...]) -> None:
    purl = package.purl("openeuler", "22.03")
    assert purl
    parsed = PackageURL.from_string(purl)
    assert (parsed.type, parsed.namespace, parsed.name, parsed.version, parsed.qualifiers) == parts
    assert parsed.to_string() == purl
