# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of release.yml: it is read again as it was meant, and Ansible renders nothing in it."""

from __future__ import annotations

import re
import typing as t
from datetime import date
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_release import livepatch_release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import File
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_file import find_release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._untrusted import as_data
from hypothesis import given
from hypothesis import strategies as st

ASKED: dict[str, t.Any] = {
    "fix": {"id": "CVE-2026-0001", "title": "A: 'check'", "severity": "low", "cves": ["CVE-2026-0001"]},
    "name": "my_fix",
    "supersedes": ["contained"],
    "fixed_in": ["6.7"],
    "end_of_life": "2027-06-30",
    "parameters": {"verbose": True, "levels": [1, 2], "text": "a: 'b'"},
}
SHOWN = {"name": "my_fix", "vermagic": "6.6 SMP", "machine": "x86_64", "abi": "per_task", "sha256": "00"}
PLAIN = re.compile(r"[A-Za-z0-9 ._+,:;()/'-]*")


def result(release: str = "6.6", **more: t.Any) -> dict[str, t.Any]:
    """A result of livepatch_file_info, as the role registers it."""
    return {"item": {"release": release}, "file": {**SHOWN, "vermagic": f"{release} SMP", **more}}


def test_the_release_is_one_that_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "release.yml").write_text(livepatch_release(as_data(ASKED), [result()]), encoding="utf-8")
    release = find_release(str(tmp_path), None).release
    assert (release.id, release.title, release.severity) == ("CVE-2026-0001", "A: 'check'", "low")
    assert release.cves == ("CVE-2026-0001",)
    assert release.end_of_life == date(2027, 6, 30)
    assert (release.name, release.supersedes, release.fixed_in) == ("my_fix", ("contained",), ("6.7",))
    assert release.files == (File("6.6", "x86_64", "00", "6.6/my_fix.ko", parameters=ASKED["parameters"]),)


def test_an_end_of_life_that_is_no_day_makes_no_release() -> None:
    with pytest.raises(AnsibleFilterError, match="not a day such as 2027-06-30"):
        livepatch_release({**ASKED, "end_of_life": "soon"}, [result()])


def test_the_release_names_the_build_of_each_kernel(tmp_path: Path) -> None:
    marks = {"build_id": "cd" * 20, "srcversion": "533BB7E5"}
    results = [result("6.7", **marks, kernel_build_id=None), result("6.6", kernel_build_id="ab" * 20), result("6.5")]
    text = livepatch_release({**ASKED, "parameters": {}}, results)
    files = yaml.safe_load(text)["livepatch_release"]["files"]
    assert [(file["kernel_release"], file["kernel_build_id"]) for file in files] == [
        ("6.5", None),
        ("6.6", "ab" * 20),
        ("6.7", None),
    ]
    assert [(file["build_id"], file["srcversion"]) for file in files] == [(None, None)] * 2 + [("cd" * 20, "533BB7E5")]
    assert [(file["path"], file["parameters"]) for file in files] == [
        (f"{release}/my_fix.ko", None) for release in ("6.5", "6.6", "6.7")
    ]


@given(st.text(), st.text(min_size=1), st.text(alphabet="{}%#'\"\\ \n!a:", min_size=1))
def test_each_text_is_plain_or_is_not_rendered(title: str, value: str, sly: str) -> None:
    asked = {**ASKED, "fix": {"id": "Fix 1", "title": title, "severity": sly}, "fixed_in": [sly, value]}
    nodes = [yaml.compose(livepatch_release(asked, [result(machine=sly, srcversion=value)]), Loader=yaml.SafeLoader)]
    found = []
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            nodes += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif node.tag == "tag:yaml.org,2002:str":
            found.append(node.value)
    assert [text for text in found if not PLAIN.fullmatch(text)] == []


@given(st.text(alphabet="{}%#'\"\\ !a:\u00e9", max_size=30))
def test_a_text_that_is_not_rendered_is_read_as_it_is(tmp_path_factory: pytest.TempPathFactory, title: str) -> None:
    path = tmp_path_factory.mktemp("release") / "release.yml"
    path.write_text(livepatch_release({**ASKED, "fix": {"id": "x", "title": title}}, [result()]), encoding="utf-8")
    assert find_release(str(path), None).release.title == title


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (result(vermagic="6.7 SMP"), "6.6/my_fix.ko is not the patch file my_fix for the kernel 6.6."),
        (result(name="other"), "6.6/my_fix.ko is not the patch file my_fix for the kernel 6.6."),
        (result(sha256=""), "The release has no sha256 for the kernel 6.6."),
        (result(kernel_build_id="{{ 1 }}"), "Kernel_build_id of a file is not a build-id in hex."),
    ],
)
def test_a_file_that_is_not_that_of_the_release_is_refused(file: dict[str, t.Any], why: str) -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape(f"bad_release: {why}")):
        livepatch_release(ASKED, [file])
