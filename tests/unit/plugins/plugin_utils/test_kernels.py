# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of kernels that a fix is built for, from what hosts have answered."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.filter import livepatch_kernels
from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_kernels import FilterModule
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._kernels import KEY, NOT_READ

kernels = FilterModule().filters()["livepatch_kernels"]
SP4, LTS = "5.10.0-216.0.0.115.oe2203sp4.x86_64", "6.6.0-28.0.0.34.oe2403.x86_64"
ONE, TWO = "1a" * 20, "2b" * 20
EVIL = "{{ lookup('ansible.builtin.pipe', 'false') }}"
MACHINES = "Hosts of several machines run this release, and a directory has one patch file for it: build one for each "
BUILDS = "Several builds of the kernel have this release, and a patch file is for one of them:"


def read(release: t.Any = LTS, machine: t.Any = "x86_64", build_id: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
    """The result of livepatch_facts."""
    kernel = {"build_id": build_id, "is_certain": more.pop("is_certain", True)}
    facts = {"release": release, "machine": machine, "supported": True, "kernel": kernel, **more}
    return {"ansible_facts": {"ansible_livepatch": facts}}


def listed(**results: t.Any) -> dict[str, t.Any]:
    noted = [kernels(result, "answer", name) for name, result in results.items() if result is not None]
    return kernels(list(results), "listed", noted)


def test_the_documentation_names_every_step() -> None:
    sidecar = Path(livepatch_kernels.__file__).with_suffix(".yml")
    options = yaml.safe_load(sidecar.read_text(encoding="utf-8"))["DOCUMENTATION"]["options"]
    assert options["step"]["choices"] == list(livepatch_kernels.STEPS)


def test_the_text_is_a_part_of_a_fix() -> None:
    hosts = {"b": read(), "a": read(SP4), "c": read(), "d": {"unreachable": True, "msg": "No route"}}
    text = f"""\
# Made by the playbook openeuler.livepatch.kernels: a part of fix.yml.
livepatch_build_kernels:
  # x86_64, 1 host: a
  - release: {SP4}
  # x86_64, 2 hosts: b, c
  - release: {LTS}
# Not listed:
#   d: It could not be reached: No route
"""
    assert listed(**hosts)["text"] == text


class Marked(str):
    """A text as Ansible has it, which marks it in a way of its own: a dumper of YAML knows no such kind."""

    __slots__ = ()


def test_a_release_that_ansible_has_marked_is_text_as_any() -> None:
    noted = kernels(read(), "answer", "a")
    marked = {**noted, "release": Marked(LTS)}
    assert kernels(["a"], "listed", [marked])["text"] == kernels(["a"], "listed", [noted])["text"]


@pytest.mark.parametrize(
    ("hosts", "lines"),
    [
        ({}, []),
        ({"a": read()}, [f"{LTS}: x86_64, 1 host: a"]),
        ({name: read() for name in "cab"}, [f"{LTS}: x86_64, 3 hosts: c, a, b"]),
        ({name: read() for name in "cabed"}, [f"{LTS}: x86_64, 5 hosts: c, a, b and 2 more"]),
        (
            {"a": read("6.12.9-amd64"), "b": read("6.6.0"), "c": read("6.6.0-28")},
            ["6.6.0: x86_64, 1 host: b", "6.6.0-28: x86_64, 1 host: c", "6.12.9-amd64: x86_64, 1 host: a"],
        ),
        ({"a": read("6.6"), "b": read("6.06")}, ["6.06: x86_64, 1 host: b", "6.6: x86_64, 1 host: a"]),
        (
            {"a": read("6.6.0"), "b": read("6.6.0", "aarch64")},
            [
                "6.6.0: aarch64, 1 host: b",
                f"6.6.0: {MACHINES}machine.",
                "6.6.0: x86_64, 1 host: a",
                f"6.6.0: {MACHINES}machine.",
            ],
        ),
        ({"a": read(build_id=ONE), "b": read(build_id=ONE), "c": read()}, [f"{LTS}: x86_64, 3 hosts: a, b, c"]),
        (
            {"a": read(build_id=TWO), "b": read(build_id=ONE), "c": read(), "d": read(build_id="no hex")},
            [
                f"{LTS}: x86_64, 4 hosts: a, b, c and 1 more",
                f"{LTS}: {BUILDS}",
                f"{LTS}: build-id {ONE}, 1 host: b",
                f"{LTS}: build-id {TWO}, 1 host: a",
                f"{LTS}: build-id not known, 2 hosts: c, d",
            ],
        ),
        (
            {"a": read(build_id=TWO), "b": read(build_id=ONE)},
            [
                f"{LTS}: x86_64, 2 hosts: a, b",
                f"{LTS}: {BUILDS}",
                f"{LTS}: build-id {ONE}, 1 host: b",
                f"{LTS}: build-id {TWO}, 1 host: a",
            ],
        ),
        (
            {"a": read(is_certain=False), "b": read()},
            [f"{LTS}: x86_64, 2 hosts: a, b", f"{LTS}: That it runs is not certain, 1 host: a"],
        ),
        ({"a": {"unreachable": True}}, ["Not listed: a: It could not be reached."]),
        (
            {"a": {"msg": "No Python\nwas found."}},
            ["Not listed: a: Its facts could not be read: No Python was found."],
        ),
        ({"a": {"ansible_facts": {}}}, ["Not listed: a: Its facts could not be read."]),
        (
            {"a": read(supported=False, why_unsupported="CONFIG_LIVEPATCH is not set in /boot/config.")},
            [f"Not listed: a: Its kernel {LTS} takes no live patches: CONFIG_LIVEPATCH is not set in /boot/config."],
        ),
        (
            {"a": read(supported=False)},
            [f"Not listed: a: Its kernel {LTS} takes no live patches: The reason is unknown."],
        ),
        ({"a": None, "b": read()}, [f"{LTS}: x86_64, 1 host: b", f"Not listed: a: {NOT_READ}"]),
    ],
)
def test_what_is_said(hosts: dict[str, t.Any], lines: list[str]) -> None:
    found = listed(**hosts)
    assert found["lines"] == lines
    assert yaml.safe_load(found["text"]) == {KEY: found["kernels"]}
    # Every line stands in the file as well.
    for line in lines:
        assert line.partition(": ")[2] in found["text"]


@pytest.mark.parametrize(
    ("results", "why"),
    [
        (read(EVIL), "is no plain name"),
        (read("../../etc/x"), "is no plain name"),
        (read("-rf"), "is no plain name"),
        (read("6.6\nlivepatch_build_fix: x"), "is no plain name"),
        (read("6.6", EVIL), "is no plain name"),
        (read("6" * 256), "is no plain name"),
        (read(7), "are not valid"),
        (read(""), "are not valid"),
        (read(machine=None), "are not valid"),
        (read(supported="yes"), "are not valid"),
        (read(kernel=[]), "are not valid"),
        ({"ansible_facts": {"ansible_livepatch": []}}, "are not valid"),
        ({"ansible_facts": 7, "msg": EVIL}, "could not be read: {{ lookup"),
        ({"msg": "\x1b[2J\u2028- release: x\x85- release: y"}, "could not be read: \ufffd[2J\ufffd- release"),
        ({"msg": "x" * 10_000, "unreachable": True}, "could not be reached: xxx"),
        (7, "could not be read"),
    ],
)
def test_what_a_host_may_say_is_no_kernel(results: t.Any, why: str) -> None:
    found = listed(a=results, b=read(SP4))
    assert found["kernels"] == [{"release": SP4}]
    assert yaml.safe_load(found["text"]) == {KEY: [{"release": SP4}]}
    (line,) = [line for line in found["lines"] if line.startswith("Not listed: a: ")]
    assert why in line
    assert len(line) < 600


@pytest.mark.parametrize("release", ["6.6", "1e3", "6_6", "0x10"])
def test_a_release_is_a_text_for_yaml(release: str) -> None:
    found = listed(a=read(release))
    assert yaml.safe_load(found["text"])[KEY] == found["kernels"] == [{"release": release}]


FORGED: list[t.Any] = [
    7,
    EVIL,
    [],
    {"name": "a"},
    {"name": "a", "release": EVIL, "machine": "x86_64"},
    {"name": "a", "release": LTS, "machine": 7},
    {"name": "b", "release": LTS, "machine": "x86_64", "problem": ""},
    {"name": ["a"], "release": LTS, "machine": "x86_64"},
]


@pytest.mark.parametrize("forged", FORGED)
def test_what_was_not_noted_for_a_host_does_not_count(forged: t.Any) -> None:
    assert kernels(["a"], "listed", [forged])["lines"] == [f"Not listed: a: {NOT_READ}"]


def test_the_name_of_a_host_is_on_one_line() -> None:
    found = kernels(["a\nb"], "listed", [kernels(read(SP4), "answer", "a\nb")])
    assert found["lines"] == [f"{SP4}: x86_64, 1 host: a b"]
