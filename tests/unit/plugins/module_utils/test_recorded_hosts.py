# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of hosts that were recorded, with the patches of the scenario `boot` in VMs of the rig.

One is a Debian kernel. The other is the same kernel with the rig's emulation of openEuler's interface, and named so.
"""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.pack import pack
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import read_conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.recorded_host import RECORDED, files_of

RELEASE = "6.12.118+deb13-cloud-amd64"
# In the order in which they were enabled, with the function that each replaces.
PATCHES = {
    "lp_boot_e": "loadavg_proc_show",
    "lp_boot_a": "version_proc_show",
    "lp_boot_b": "version_proc_show",
    "lp_boot_trial": "uptime_proc_show",
}


@pytest.mark.parametrize("abi", RECORDED)
def test_facts_of_a_recorded_host(abi: str, tmp_path: pathlib.Path) -> None:
    files = files_of(abi, tmp_path)
    facts = gather(files)
    assert (facts["abi"], facts["release"], facts["disagreements"]) == (abi, RELEASE, [])
    # The content of programs is not recorded.
    assert facts["unreadable"] == [{"path": boot_store.PROGRAM, "reason": "damaged"}]
    patches = facts["patches"]
    assert {patch["name"]: [function["name"] for function in patch["functions"]] for patch in patches} == {
        name: [function] for name, function in PATCHES.items()
    }
    assert [patch["name"] for patch in patches] == list(PATCHES)
    assert all(patch["enabled"] and not patch["in_transition"] for patch in patches)
    assert [patch["effective"] for patch in patches] == ["full", "none", "full", "full"]
    (stack,) = [function["stack"] for function in facts["functions"] if function["name"] == "version_proc_show"]
    assert stack == ["lp_boot_a", "lp_boot_b"]
    assert [patch["boot"] for patch in patches] == ["accepted", "accepted", "accepted", "trial"]
    assert not facts["boot"]["installed"] and facts["boot"]["unclean_ends"] == 0
    durable.write(files, boot_store.PROGRAM, pack())
    assert gather(files)["boot"]["installed"]
    assert facts["transition"] is None
    assert not facts["reboot_required"]


@pytest.mark.parametrize("abi", RECORDED)
def test_what_this_collection_loaded_has_its_digest(abi: str, tmp_path: pathlib.Path) -> None:
    """The record of each copy is of the module that is loaded: the number of its directory is the recorded one."""
    for patch in gather(files_of(abi, tmp_path))["patches"]:
        assert patch["identity"]["build_id"] and patch["identity"]["sha256"], patch["name"]
        assert patch["stored_copy"].endswith(f"{patch['name']}-{patch['identity']['sha256'][:16]}.ko")


@pytest.mark.parametrize("abi", RECORDED)
def test_the_symbols_of_a_recorded_host_are_found(abi: str, tmp_path: pathlib.Path) -> None:
    files = files_of(abi, tmp_path)
    function = Function("vmlinux", "version_proc_show")
    conditions = read_conditions(files, RELEASE, "lp_boot_b", [function])
    (symbol,) = (conditions.symbols or {})[("vmlinux", "version_proc_show")]
    assert symbol.address and symbol.size
    # On the emulation the functions are patched by a jump, which ftrace knows nothing of.
    traced = {entry.function for entry in conditions.traced or () if entry.ip_modify}
    assert traced.issuperset(PATCHES.values()) == (read_snapshot(files).abi == PER_TASK)
    assert conditions.ftrace_enabled
