# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook openeuler.livepatch.advisory and the examples of its module, with scripted hosts and an https server."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_advisory
from ansible_collections.openeuler.livepatch.tests.unit.plays.hostile_host import Fleet, harm, liars, template
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import advisories
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.advisories import (
    CVES,
    OE_FIXED,
    Document,
    on_openeuler,
    openeuler,
    patch,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.https_server import Server

OLD = on_openeuler("6.6.0-28.0.0.34.oe2403.x86_64", line="24.03-LTS")
HOSTS = {
    "fixed": on_openeuler(f"{OE_FIXED}.x86_64"),
    "patched": {**OLD, "patches": [patch("fix_1", *CVES)]},
    "partly": {**OLD, "patches": [patch("fix_1", CVES[0])]},
    "other": advisories.facts("6.12.48-amd64", "debian", "13"),
}
UNREACHABLE = {"ansible_connection": "ssh", "ansible_ssh_executable": "/bin/false"}


@pytest.fixture(name="fleet")
def _fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A fleet, with a stand-in for rpm's library on the controller."""
    fleet = Fleet(tmp_path)
    library = tmp_path / "library"
    library.mkdir()
    (library / "rpm.py").write_text(
        f"from {advisories.__name__} import label_compare as labelCompare\n", encoding="utf-8"
    )
    folders = [str(library), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(folders))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return fleet


def add(fleet: Fleet, **hosts: Document) -> None:
    for name, facts in hosts.items():
        answer = {"ansible_facts": {"ansible_livepatch": facts}, "changed": False}
        fleet.host(name, {"livepatch_facts": json.dumps(answer)})


def write(fleet: Fleet, data: t.Any) -> str:
    (fleet.folder / "work/advisory.json").write_text(json.dumps(data), encoding="utf-8")
    return "advisory.json"


def lines_of(output: str) -> dict[str, str]:
    """What the playbook says of each host, by its name."""
    known = ("fixed_by_package", "fixed_by_live_patch", "needs_live_patch", "unknown", "affected", "not_affected")
    said = {}
    for line in output.split("\n"):
        name, _colon, rest = line.strip().removeprefix('"msg": "').partition(": ")
        if rest.split(". ")[0] in known:
            said[name] = rest
    return said


def test_how_each_host_stands_also_if_the_first_is_unreachable(fleet: Fleet) -> None:
    fleet.hosts["a-dead"] = UNREACHABLE
    add(fleet, **HOSTS)
    output = fleet.play("advisory", {"livepatch_advisory_source": write(fleet, openeuler())})
    said = lines_of(output)
    assert {name: text.split(". ")[0] for name, text in said.items()} == {
        "a-dead": "unknown",
        "fixed": "fixed_by_package",
        "patched": "fixed_by_live_patch",
        "partly": "needs_live_patch",
        "other": "unknown",
    }, output
    assert f"but not {CVES[1]}" in said["partly"]
    assert "and the host has debian 13" in said["other"]
    assert f"Kernels to build for: {OLD['release']}" in output
    fix = yaml.safe_load((fleet.folder / "work/fix.yml").read_text(encoding="utf-8"))
    assert fix["livepatch_build_fix"]["cves"] == list(CVES)
    assert fleet.asked("fixed") == ["livepatch_facts"]


def test_check_mode_and_a_second_run(fleet: Fleet) -> None:
    add(fleet, fixed=HOSTS["fixed"])
    variables = {"livepatch_advisory_source": write(fleet, openeuler()), "livepatch_advisory_dest": "cve/"}
    before = fleet.files()
    output = fleet.play("advisory", variables, "--check", "--diff")
    assert fleet.files() == before
    assert "+livepatch_build_fix:" in output and "cve/fix.yml: created." in output
    assert "changed=1" in fleet.play("advisory", variables)
    assert fleet.files() - before == {"work/cve", "work/cve/fix.yml"}
    output = fleet.play("advisory", variables)
    assert "cve/fix.yml: unchanged." in output and "changed=0" in output
    (fleet.folder / "work/cve/fix.yml").write_text("mine: 1\n", encoding="utf-8")
    output = fleet.play("advisory", variables)
    assert "kept, since it differs. Set livepatch_advisory_overwrite to replace it." in output
    assert (fleet.folder / "work/cve/fix.yml").read_text(encoding="utf-8") == "mine: 1\n"
    output = fleet.play("advisory", {**variables, "livepatch_advisory_overwrite": True})
    assert "cve/fix.yml: replaced." in output


def test_an_advisory_of_a_server(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(fleet.folder / "home" if (fleet.folder / "home").is_dir() else fleet.folder / "tmp")
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    monkeypatch.setenv("no_proxy", "*")
    add(fleet, fixed=HOSTS["fixed"])
    server.document("/new.json", json.dumps(openeuler()).encode())
    output = fleet.play("advisory", {"livepatch_advisory_source": server.redirect("/a.json", "/new.json")})
    assert lines_of(output)["fixed"].startswith("fixed_by_package")
    server.redirect("/b.json", "http://localhost/new.json")
    output = fleet.play("advisory", {"livepatch_advisory_source": f"{server.url}/b.json"})
    assert "leads to http://localhost/new.json, which is not an https URL" in output
    assert server.asked == ["/a.json", "/new.json", "/b.json"]
    server.close()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "No advisory is given. Set livepatch_advisory_source to the path"),
        ("", "No advisory is given."),
        ("nosuch.json", "work/nosuch.json cannot be read: No such file or directory."),
        ("http://localhost/a.json", "is http://localhost/a.json, which is not an https URL."),
        ("deep.json", "deep.json is not a JSON document."),
        ("vim.json", "The advisory is about no package of a kernel."),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(fleet: Fleet, source: str | None, said: str) -> None:
    add(fleet, fixed=HOSTS["fixed"])
    (fleet.folder / "work/deep.json").write_text("[" * 100_000, encoding="utf-8")
    text = json.dumps(openeuler()).replace("kernel-", "vim-")
    (fleet.folder / "work/vim.json").write_text(text, encoding="utf-8")
    variables = {} if source is None else {"livepatch_advisory_source": source}
    output = fleet.play("advisory", variables)
    assert said in output
    assert harm(fleet, output) == []
    assert not (fleet.folder / "work/fix.yml").exists()


def test_a_hostile_advisory_and_hostile_hosts_do_no_harm(fleet: Fleet) -> None:
    evil = template(fleet.folder)
    data = openeuler()
    data["document"]["title"] = data["document"]["tracking"]["id"] = evil
    data["document"]["publisher"]["name"] = data["document"]["aggregate_severity"]["text"] = evil
    for relation in data["product_tree"]["relationships"]:
        relation["full_product_name"]["name"] = evil
    for branch in data["product_tree"]["branches"][0]["branches"][0]["branches"]:
        branch["product"]["name"] = evil
    for name, answers in liars(fleet.folder).items():
        fleet.host(name, answers)
    add(fleet, well={**OLD, "patches": [patch(evil, CVES[0], id="x")]})
    before = fleet.files()
    output = fleet.play("advisory", {"livepatch_advisory_source": write(fleet, data)})
    assert harm(fleet, output) == []
    assert lines_of(output)["well"].startswith("needs_live_patch")
    assert fleet.files() - before == {"work/advisory.json", "work/fix.yml"}
    show = {"hosts": "localhost", "gather_facts": False, "tasks": [{"debug": {"var": "livepatch_build_fix"}}]}
    (fleet.folder / "work/show.yml").write_text(yaml.safe_dump([show]), encoding="utf-8")
    shown = fleet.play("show.yml", {}, "-e", "@fix.yml")
    assert "touch" in shown
    assert harm(fleet, shown) == []


def test_the_examples_of_the_module(fleet: Fleet) -> None:
    add(fleet, **HOSTS)
    write(fleet, openeuler())
    play = {"hosts": "all:!controller", "gather_facts": False, "tasks": yaml.safe_load(livepatch_advisory.EXAMPLES)}
    (fleet.folder / "work/examples.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    output = fleet.play("examples.yml", {})
    assert OLD["release"] in output.partition("Show the kernels")[2], output
    assert (fleet.folder / "work/fix.yml").is_file()
