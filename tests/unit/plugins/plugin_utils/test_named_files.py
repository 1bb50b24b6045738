# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release whose patch has another name for each kernel, as the vendor's have: each host is judged by its own."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_rollout import livepatch_rollout
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.next_boot import judge
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import read_release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout import hosts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.given import ReleaseError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.host_facts import Baseline
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_file import check_release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_text import (
    asked_of_vendor,
    release_text,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.results import read_result
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.synthetic_fleet import host_facts
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.synthetic_fleet import patch as of_fleet
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.test_fleet import host_of

OLD, NEW = "5.10.0-216.oe2203sp4.x86_64", "6.6.0-72.oe2403sp1.x86_64"
NAMES = {OLD: "vmlinux_0d9c1c9e", NEW: "vmlinux_77aa77aa"}
SHA = {OLD: "aa" * 32, NEW: "bb" * 32}


def path(kernel: str) -> str:
    return f"{kernel}/{NAMES[kernel]}.ko"


def release(**more: t.Any) -> dict[str, t.Any]:
    files = [
        {
            "kernel_release": kernel,
            "machine": "x86_64",
            "name": name,
            "sha256": SHA[kernel],
            "path": f"{kernel}/{name}.ko",
        }
        for kernel, name in NAMES.items()
    ]
    return {"format": 1, "fix": {"id": "HP-6"}, "name": "livepatch_hp_6", "files": files, **more}


def facts(kernel: str, name: str, **more: t.Any) -> dict[str, t.Any]:
    loaded = of_fleet("any", kernel, **{"name": name, "identity": {"sha256": SHA[kernel]}, **more})
    return host_facts(kernel, [loaded], [])


def patch(name: str, kernel: str, **more: t.Any) -> dict[str, t.Any]:
    known = {"name": name, "enabled": True, "effective": "full", "in_transition": False}
    return {**known, "identity": {"sha256": SHA[kernel]}, **more}


def read(kernel: str, *patches: dict[str, t.Any]) -> dict[str, t.Any]:
    known = {"release": kernel, "machine": "x86_64", "patches": list(patches), "trouble": []}
    return {"ansible_facts": {"ansible_livepatch": known}}


@pytest.mark.parametrize("kernel", [OLD, NEW])
def test_the_report_looks_for_the_name_of_the_hosts_kernel(kernel: str) -> None:
    other = NAMES[NEW if kernel == OLD else OLD]
    assert host_of(facts(kernel, NAMES[kernel]), release()).headline == "protected"
    assert host_of(facts(kernel, other), release()).headline == "not_applied"


@pytest.mark.parametrize("kernel", [OLD, NEW])
def test_a_rollout_watches_the_name_of_the_hosts_kernel(kernel: str) -> None:
    found = read_release(release(), "it")
    loaded = read(kernel, patch(NAMES[kernel], kernel, enabled=False))
    host = hosts.choose("h", read_result(loaded), found, is_file_required=True)
    assert (host.patch, host.file, host.baseline) == (NAMES[kernel], path(kernel), Baseline(True))
    enabled = read_result(read(kernel, patch(NAMES[kernel], kernel)))
    assert hosts.effect(host, enabled, host.patch) == ""
    assert hosts.effect(host, enabled, "livepatch_hp_6") == "The patch is not loaded any more."
    assert hosts.read_host(hosts.host_data(host)) == host


def test_a_rollback_is_told_the_name() -> None:
    assert [livepatch_rollout(read(kernel), "name", release()) for kernel in (OLD, NEW, "6.7")] == [
        *NAMES.values(),
        "livepatch_hp_6",
    ]


def test_the_next_boot_of_another_kernel_is_judged_by_the_name_that_is_loaded_now() -> None:
    verdict = judge(read_facts(facts(OLD, NAMES[OLD], boot="accepted")), read_release(release(), "it"), "6.7", False)
    assert not verdict.is_safe
    assert "the release has no file" in verdict.says


def test_the_text_of_a_release_of_packages_names_each() -> None:
    vendor = {"kind": "cumulative", "cves": ["CVE-2026-0001"]}
    files: list[tuple[str, dict[str, t.Any]]] = [
        (kernel, {"name": name, "vermagic": f"{kernel} SMP ", "sha256": SHA[kernel]}) for kernel, name in NAMES.items()
    ]
    patches = [{"kernel": kernel, "vendor": vendor, "file": file} for kernel, file in files]
    asked: dict[str, t.Any] = {"fix": {"id": "HP-6"}, "name": "livepatch_hp_6", "vendor": "packages"}
    asked.update({"supersedes": [], "fixed_in": [], "parameters": {}})
    text = release_text(asked_of_vendor(asked, patches), files)
    made = check_release(yaml.safe_load(text), "it")
    assert (made.name, made.supersedes, made.cves) == ("livepatch_hp_6", ("contained",), ("CVE-2026-0001",))
    assert {file.kernel_release: file.name for file in made.files} == NAMES
    assert {file.path for file in made.files} == {path(OLD), path(NEW)}


def test_a_name_that_is_none_of_a_module_is_refused() -> None:
    files = [{**file, "name": "../../etc/x"} for file in release()["files"]]
    with pytest.raises(ReleaseError, match="not one of a kernel module"):
        check_release(release(files=files), "it")
