# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report states in the words of VEX. "make vex" compares the documents with the schemas."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from datetime import timedelta
from unittest.mock import MagicMock

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses, vex
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_csaf import as_csaf
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_openvex import as_openvex
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, Fleet, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import time_text
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import read_releases
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.vex import Publisher, publisher_of, state
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic

Plain = dict[str, t.Any]

US = Publisher("Operations", "https://ops.example.org")
KERNEL = synthetic.KERNELS[0]
FIX = "CVE-2026-0001"
PACKAGE = {
    "manager": "rpm",
    "name": "kernel",
    "epoch": 0,
    "version": "5.10.0",
    "release": "216.0.0.115.oe2203sp4",
    "arch": "x86_64",
    "purl": "pkg:rpm/evil/kernel",
}
PURL = "pkg:rpm/openeuler/kernel@5.10.0-216.0.0.115.oe2203sp4?arch=x86_64"
OPENEULER = {"id": "openeuler", "name": "openEuler", "version": "22.03", "like": "openEuler", "line": "22.03-LTS-SP4"}
LIVE, IN_KERNEL = synthetic.patch(FIX, KERNEL), synthetic.KERNELS[4]


def host(*patches: Plain, kernel: str = KERNEL, **more: t.Any) -> Plain:
    told = {"package": more.pop("package", PACKAGE), "is_certain": True}
    more = {"distribution": OPENEULER, **more}
    return {**synthetic.host_facts(kernel, list(patches), [], **more), "kernel": told}


def changed(**more: t.Any) -> Plain:
    return {**LIVE, **more}


def fleet(answers: t.Mapping[str, Answer], *releases: Plain, max_age: float | None = None) -> Fleet:
    sources = [(data["fix"]["id"], data) for data in releases or (synthetic.release(0),)]
    return fleet_of(answers, read_releases(sources), synthetic.NOW, max_age)


def stated(answers: t.Mapping[str, Answer], *releases: Plain) -> dict[str, dict[str, tuple[str, str]]]:
    """For each vulnerability and host the status, and what is said."""
    return {
        vulnerability.name: {
            product.name: (statement.status, statement.says)
            for statement in vulnerability.statements
            for product in statement.products
        }
        for vulnerability in vulnerabilities_of(fleet(answers, *releases))
    }


def vulnerabilities_of(of: Fleet) -> tuple[vex.Vulnerability, ...]:
    return state(of, US).vulnerabilities


def one(facts: t.Any, *releases: Plain, **answer: t.Any) -> tuple[str, str]:
    return stated({"web": Answer(facts, **answer)}, *releases)[FIX]["web"]


def test_what_is_live_and_accepted_does_not_affect() -> None:
    says = "The live patch of CVE-2026-0001 is live, and the next boot of this kernel loads it."
    assert one(host(LIVE)) == (vex.NOT_AFFECTED, says)


QUARANTINE = {"name": LIVE["name"], "release": KERNEL, "sha256": LIVE["identity"]["sha256"], "why": "It went down."}
NO_BOOT = synthetic.host_facts(KERNEL, [], [])["boot"]

AFFECTED: dict[str, Plain] = {
    "not loaded": host(),
    "not enabled": host(changed(enabled=False, effective="none")),
    "on trial": host(changed(boot="trial")),
    "accepted, and no boot program": host(LIVE, boot={**NO_BOOT, "installed": False}),
    "accepted, and this boot loaded nothing": host(LIVE, boot={**NO_BOOT, "nothing": "livepatch=off."}),
    "accepted with a flaw": host(
        LIVE,
        boot={**NO_BOOT, "accepted": [{"name": LIVE["name"], "release": KERNEL, "flaw": "Its file is damaged."}]},
    ),
    "in quarantine": host(changed(boot="quarantined"), boot={**NO_BOOT, "quarantined": [QUARANTINE]}),
    "quarantined and accepted": host(LIVE, boot={**NO_BOOT, "quarantined": [QUARANTINE]}),
    "covered": host(changed(effective="none")),
    "partly covered": host(changed(effective="partial")),
    "not known whether effective": host(changed(effective=None)),
    "another build": host(changed(identity={"sha256": "00" * 32, "build_id": None, "srcversion": None})),
    "in transition": host(changed(in_transition=True)),
    "unfinished run": host(
        LIVE, unfinished_run={"who": "root", "what": "load", "since": "then", "patches": [LIVE["name"]]}
    ),
    "trouble": host(changed(trouble_since=["an oops"])),
    "trouble that cannot be told": host(changed(trouble_since=None)),
    "forced": host(changed(forced=True)),
    "no file": host(kernel="6.6.0-other"),
    "unsupported": host(supported=False, abi=None),
    "a kernel that is a guess": host(kernel=IN_KERNEL) | {"kernel": {"is_certain": False}},
}


@pytest.mark.parametrize("facts", AFFECTED.values(), ids=AFFECTED)
def test_anything_else_affects_and_has_a_remedy(facts: Plain) -> None:
    status, says = one(facts)
    assert status == vex.AFFECTED
    assert says.endswith(".") and "{" not in says


UNKNOWN = {
    "no facts": Answer(None),
    "unreachable": Answer(None, "No route to host"),
    "unreachable, with older facts": Answer(host(LIVE), "No route to host"),
    "facts that are not valid": Answer(host(LIVE) | {"patches": "?"}),
    "facts that are not valid, of the kernel": Answer(host(LIVE, package={**PACKAGE, "name": "../x"})),
    "facts that contradict themselves": Answer(host(LIVE, disagreements=["sysfs shows another patch."])),
    "facts that tell nothing": Answer(host(LIVE, undecided=[{"path": "/proc/modules", "reason": "EACCES"}])),
}


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
def test_of_a_host_that_is_not_known_nothing_is_claimed(answer: Answer) -> None:
    found = vulnerabilities_of(fleet({"web": answer}))
    (statement,) = found[0].statements
    assert statement.status == vex.UNDER_INVESTIGATION
    # Not even which kernel it has.
    assert [product.kernel for product in statement.products] == [None]


def test_facts_that_are_too_old_claim_nothing() -> None:
    facts = host(LIVE, read_at=time_text(synthetic.NOW - timedelta(days=2)))
    found = vulnerabilities_of(fleet({"web": Answer(facts)}, max_age=86400))
    assert [statement.status for statement in found[0].statements] == [vex.UNDER_INVESTIGATION]


def test_a_kernel_with_the_fix_is_fixed() -> None:
    assert one(host(kernel=IN_KERNEL)) == (vex.FIXED, "The running kernel contains the fix of CVE-2026-0001.")


def newer(boot: str) -> Plain:
    """A host where the second fix is live instead of the first one."""
    return host(synthetic.patch("CVE-2026-0107", KERNEL, boot=boot))


NEWER_FIX = "CVE-2026-0107"
NEWER = synthetic.release(1, {"supersedes": [synthetic.patch_name(FIX)]})


def test_a_fix_that_is_replaced_counts_as_the_one_that_replaces_it() -> None:
    both = (synthetic.release(0), NEWER)
    patch = "The live patch of CVE-2026-0107, which replaces CVE-2026-0001,"
    says = f"{patch} is live, and the next boot of this kernel loads it."
    assert one(newer("accepted"), *both) == (vex.NOT_AFFECTED, says)
    status, says = one(newer("trial"), *both)
    assert (status, "Accept the patch of CVE-2026-0107" in says) == (vex.AFFECTED, True)


def test_of_several_fixes_for_a_cve_the_best_counts() -> None:
    second = synthetic.release(1, {"fix": {"id": "again", "title": "", "severity": "", "cves": [FIX]}})
    facts = host(synthetic.patch("CVE-2026-0107", KERNEL))
    assert stated({"web": Answer(facts)}, synthetic.release(0), second) == {
        FIX: {"web": (vex.NOT_AFFECTED, "The live patch of again is live, and the next boot of this kernel loads it.")}
    }


def chain(*boots: str) -> dict[str, Answer]:
    """Hosts on which the third fix is live."""
    third = [host(synthetic.patch("CVE-2026-0212", KERNEL, boot=boot)) for boot in boots]
    return {f"host-{number}": Answer(facts) for number, facts in enumerate(third)}


def test_what_replaces_a_fix_may_be_replaced_itself() -> None:
    newest = synthetic.release(2, {"supersedes": [synthetic.patch_name("CVE-2026-0107")]})
    found = stated(chain("accepted", "trial"), synthetic.release(0), NEWER, newest)
    # Hosts that share the standing of a fix may differ in the one that replaces it.
    for fix in ("CVE-2026-0001", "CVE-2026-0107"):
        patch = f"The live patch of CVE-2026-0212, which replaces {fix},"
        says = f"{patch} is live, and the next boot of this kernel loads it."
        assert found[fix]["host-0"] == (vex.NOT_AFFECTED, says)
        assert found[fix]["host-1"] == (vex.AFFECTED, vex.REMEDIES["on_trial"].format(fix="CVE-2026-0212"))


def test_what_is_said_of_a_host_does_not_depend_on_the_others() -> None:
    answers = synthetic.answers(60)
    releases = [*synthetic.releases()[1:], synthetic.release(0, {"supersedes": [synthetic.patch_name(NEWER_FIX)]})]
    together = stated(answers, *releases)
    alone = [stated({name: answer}, *releases) for name, answer in answers.items()]
    assert together == {
        name: {host_name: said for found in alone for host_name, said in found[name].items()} for name in together
    }
    assert {status for said in together.values() for status, _says in said.values()} == {*vex.STATUSES}


def test_standings_that_hosts_share_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = MagicMock(return_value=(vex.AFFECTED, "x"))
    monkeypatch.setattr(vex, "_claim", asked)
    answers = {f"host-{number}": Answer(host() if number else None) for number in range(50)}
    stated(answers, *synthetic.releases())
    assert asked.call_count == 2 * len(synthetic.releases())


def test_a_fix_without_cves_is_its_id() -> None:
    assert list(stated({"web": Answer(host())}, synthetic.release(3))) == ["HOTFIX-17"]


def test_hosts_with_one_package_are_told_apart() -> None:
    answers = {"good": Answer(host(LIVE)), "bad": Answer(host())}
    found = vulnerabilities_of(fleet(answers))[0].statements
    assert {statement.status: [product.name for product in statement.products] for statement in found} == {
        vex.NOT_AFFECTED: ["good"],
        vex.AFFECTED: ["bad"],
    }
    assert {product.kernel for statement in found for product in statement.products} == {PURL}
    for document in documents(fleet(answers)):
        # A product that were the package would be said to be affected and not to be.
        assert PURL not in stated_products(document)


def test_hosts_whose_names_look_alike_count_as_the_worse() -> None:
    answers = {"web\u200b": Answer(host(LIVE)), "web\u200c": Answer(host())}
    assert stated(answers)[FIX] == {"web\ufffd": (vex.AFFECTED, vex.REMEDIES["not_applied"].format(fix=FIX))}
    answers = dict(zip(answers, reversed(answers.values()), strict=True))
    assert [status for status, _says in stated(answers)[FIX].values()] == [vex.AFFECTED]


def test_hosts_whose_names_look_alike_have_a_package_if_it_is_the_same() -> None:
    for other, kernels in ((PACKAGE, [PURL]), ({**PACKAGE, "release": "1"}, [None]), (None, [None])):
        of = fleet({"web\u200b": Answer(host(LIVE)), "web\u200c": Answer(host(LIVE, package=other))})
        assert [product.kernel for product in state(of, US).products] == kernels
        _openvex, document = documents(of)
        told = document["product_tree"]["full_product_names"] + [
            relation["full_product_name"] for relation in document["product_tree"].get("relationships", ())
        ]
        assert stated_products(document) <= {product["product_id"] for product in told}


def test_a_package_is_only_told_where_the_kernel_is_certain() -> None:
    def kernel_of(facts: Plain) -> str | None:
        (statement,) = vulnerabilities_of(fleet({"web": Answer(facts)}))[0].statements
        return statement.products[0].kernel

    assert kernel_of(host()) == PURL
    assert kernel_of(host(kernel="x") | {"kernel": {"package": PACKAGE, "is_certain": False}}) is None
    assert kernel_of(host(package=None)) is None
    assert kernel_of(host(distribution={"id": None})) is None
    assert kernel_of(synthetic.host_facts(KERNEL, [], [])) is None


@pytest.mark.parametrize(
    ("name", "purl"),
    [
        ("web1.example.org", "pkg:generic/web1.example.org"),
        ("Web_1~x", "pkg:generic/Web_1~x"),
        ("::1", "pkg:generic/::1"),
        ("a/../b?c#d@e%20 f", "pkg:generic/a%2F..%2Fb%3Fc%23d%40e%2520%20f"),
        ('"}]<b>', "pkg:generic/%22%7D%5D%3Cb%3E"),
        ("h\u00f6st", "pkg:generic/h%C3%B6st"),
    ],
)
def test_the_name_of_a_host_is_encoded(name: str, purl: str) -> None:
    (statement,) = vulnerabilities_of(fleet({name: Answer(host())}))[0].statements
    assert [product.purl for product in statement.products] == [purl]


def documents(of: Fleet, of_package: bool = False) -> tuple[Plain, Plain]:
    stated = state(of, US, of_package)
    return json.loads(as_openvex(stated)), json.loads(as_csaf(stated))


def stated_products(document: Plain) -> set[str]:
    """The products that a document of either kind states something of."""
    if "statements" in document:
        return {product["@id"] for statement in document["statements"] for product in statement["products"]}
    groups = (group for entry in document["vulnerabilities"] for group in entry["product_status"].values())
    return {product for group in groups for product in group}


def test_openvex() -> None:
    document, _csaf = documents(fleet({"web": Answer(host(LIVE)), "db": Answer(host()), "off": Answer(None)}))
    assert document.keys() == {"@context", "@id", "author", "timestamp", "version", "tooling", "statements"}
    assert (document["author"], document["timestamp"]) == ("Operations", "2026-11-25T08:00:00Z")
    by_status = {statement["status"]: statement for statement in document["statements"]}
    assert by_status["not_affected"] == {
        "vulnerability": {"name": FIX, "description": "A missing check in the TCP stack"},
        "products": [
            {
                "@id": "pkg:generic/web",
                "identifiers": {"purl": "pkg:generic/web"},
                "subcomponents": [{"@id": PURL, "identifiers": {"purl": PURL}}],
            }
        ],
        "status": "not_affected",
        "justification": "inline_mitigations_already_exist",
        "status_notes": "The live patch of CVE-2026-0001 is live, and the next boot of this kernel loads it.",
    }
    assert by_status["affected"]["action_statement"].startswith("Roll out CVE-2026-0001")
    assert "justification" not in by_status["affected"]
    assert by_status["under_investigation"]["products"] == [
        {"@id": "pkg:generic/off", "identifiers": {"purl": "pkg:generic/off"}}
    ]


def test_csaf() -> None:
    hosts = {
        "web": Answer(host(LIVE)),
        "db": Answer(host()),
        "off": Answer(None),
        "new": Answer(host(kernel=IN_KERNEL)),
    }
    _openvex, document = documents(fleet(hosts, synthetic.release(0), synthetic.release(3)))
    assert document["document"]["publisher"] == {
        "category": "user",
        "name": "Operations",
        "namespace": "https://ops.example.org",
    }
    cve, hotfix = document["vulnerabilities"]
    web, db, new = (f"{PURL} on pkg:generic/{name}" for name in ("web", "db", "new"))
    assert cve["product_status"] == {
        "fixed": [new],
        "known_affected": [db],
        "known_not_affected": [web],
        "under_investigation": ["pkg:generic/off"],
    }
    assert cve["flags"] == [{"label": "inline_mitigations_already_exist", "product_ids": [web]}]
    assert [threat["product_ids"] for threat in cve["threats"]] == [[web]]
    assert [(remedy["category"], remedy["product_ids"]) for remedy in cve["remediations"]] == [("mitigation", [db])]
    assert (cve["cve"], "ids" in cve) == (FIX, False)
    assert ("cve" in hotfix, hotfix["ids"]) == (False, [{"system_name": "openeuler.livepatch", "text": "HOTFIX-17"}])
    tree = document["product_tree"]
    assert {name["product_id"] for name in tree["full_product_names"]} == {
        PURL,
        *(f"pkg:generic/{name}" for name in hosts),
    }
    assert {relation["full_product_name"]["product_id"] for relation in tree["relationships"]} == {web, db, new}
    # Else a scanner would take what is said of one host for said of the package.
    assert all("product_identification_helper" not in one["full_product_name"] for one in tree["relationships"])


def test_of_one_host_the_package_can_be_the_product() -> None:
    of_one = fleet({"web": Answer(host(LIVE))})
    openvex, csaf = documents(of_one, of_package=True)
    assert openvex["statements"][0]["products"] == [{"@id": PURL, "identifiers": {"purl": PURL}}]
    assert csaf["vulnerabilities"][0]["product_status"] == {"known_not_affected": [PURL]}
    assert csaf["product_tree"] == {
        "full_product_names": [
            {"name": f"{PURL} on web", "product_id": PURL, "product_identification_helper": {"purl": PURL}}
        ]
    }
    # Nothing is said of all packages of a host.
    unknown, _csaf = documents(fleet({"web": Answer(None)}), of_package=True)
    assert stated_products(unknown) == {"pkg:generic/web"}


def test_of_several_hosts_the_package_is_no_product() -> None:
    with pytest.raises(FindingError, match="same package"):
        state(fleet({"web": Answer(host(LIVE)), "db": Answer(host())}), US, True)


def test_the_same_report_is_the_same_document_and_another_one_is_not() -> None:
    answers = {"web": Answer(host(LIVE)), "db": Answer(host())}
    backwards = dict(reversed(answers.items()))
    first = fleet(answers)
    for write in (as_openvex, as_csaf):
        assert write(state(first, US)) == write(state(fleet(backwards), US))
    ids = {
        document_id
        for of in (first, replace(first, now=first.now + timedelta(seconds=1)), fleet({"web": Answer(host())}))
        for document_id in (documents(of)[0]["@id"],)
    }
    other = json.loads(as_openvex(state(first, Publisher("Others", US.namespace))))["@id"]
    assert len({*ids, other}) == 4
    openvex, csaf = documents(first)
    assert csaf["document"]["tracking"]["id"] == openvex["@id"].replace("urn:uuid:", "livepatch-")


def test_each_status_that_does_not_protect_has_a_remedy() -> None:
    affecting = [status.key for status in statuses.STATUSES if status.tone in (statuses.BAD, statuses.CAUTION)]
    assert [*affecting, statuses.ON_TRIAL] == list(vex.REMEDIES)


@pytest.mark.parametrize("name", ["CVE-2026-1", "cve-2026-0001", "CVE-2026-0001 ", "XCVE-2026-0001", "CVE-2026-0001\n"])
def test_what_is_no_cve_is_an_id(name: str) -> None:
    assert not vex.Vulnerability(name, "", ()).is_cve
    assert vex.Vulnerability("CVE-2026-12345", "", ()).is_cve


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"name": " ", "namespace": "https://ops.example.org"},
        {"name": "Operations", "namespace": "ops.example.org"},
        {"name": "Operations", "namespace": "https://ops example.org"},
        {"name": "Operations", "namespace": "https://ops.example.org/<b>"},
    ],
)
def test_a_publisher_is_needed(given: Plain | None) -> None:
    with pytest.raises(FindingError) as error:
        publisher_of(given)
    assert error.value.finding.reason == "bad_argument"
    assert publisher_of({"name": "Operations", "namespace": "https://ops.example.org"}) == US


@pytest.mark.parametrize("of", [fleet_of({"web": Answer(host())}, (), synthetic.NOW), fleet({})])
def test_there_must_be_something_to_state(of: Fleet) -> None:
    with pytest.raises(FindingError, match="releases"):
        state(of, US)


def test_there_must_not_be_too_much_to_state(monkeypatch: pytest.MonkeyPatch) -> None:
    of = fleet({"web": Answer(host()), "db": Answer(host())}, synthetic.release(0), synthetic.release(1))
    monkeypatch.setattr(vex, "MOST_STATEMENTS", 4)
    assert len(state(of, US).vulnerabilities) == 2
    monkeypatch.setattr(vex, "MOST_STATEMENTS", 3)
    with pytest.raises(FindingError, match="2 vulnerabilities and 2 hosts"):
        state(of, US)


def test_facts_of_more_than_an_hour_claim_nothing() -> None:
    for read_at, expected in (
        ("2026-11-25T07:01:00Z", "not_affected"),
        ("2026-11-25T06:59:00Z", "under_investigation"),
    ):
        assert one({**host(LIVE), "read_at": read_at}, synthetic.release(0))[0] == expected


@pytest.mark.parametrize(
    "boot",
    [
        {"accepted": [{"name": LIVE["name"], "release": KERNEL, "covered_by": ["other"]}]},
        {"nothing": "livepatch=off is on the kernel's command line."},
    ],
)
def test_what_the_next_boot_may_not_make_live_affects(boot: Plain) -> None:
    status, says = one(host(LIVE, boot={**NO_BOOT, **boot}), synthetic.release(0))
    assert (status, says[:17]) == ("affected", "Accept the patch ")


def test_a_second_fix_of_a_cve_that_replaces_the_first_counts_alone() -> None:
    again = synthetic.release(1, {"supersedes": [synthetic.patch_name(FIX)]})
    again = {**again, "fix": {**again["fix"], "cves": [FIX]}}
    both = fleet({"web": Answer(host(LIVE))}, synthetic.release(0), again)
    (found,) = [each for each in vulnerabilities_of(both) if each.name == FIX]
    assert [statement.status for statement in found.statements] == ["affected"]
