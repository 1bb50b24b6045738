# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run does not need is not imported: each import is paid for on every host, by every task."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.unit.children import environ_of_child

COLLECTION = "ansible_collections.openeuler.livepatch.plugins"
UTILS = f"{COLLECTION}.module_utils"
SHOW = f"""
import sys
print(*sorted(name[len("{UTILS}."):] for name in sys.modules if name.startswith("{UTILS}.")))
"""
UNCHANGED = f"""
import tempfile
from {COLLECTION}.modules import livepatch_module
from {UTILS}._apply.kernel import Kernel
from {UTILS}._manage.manage import manage
from {UTILS}._model.request import State, Task, Wanted
from {UTILS}._system.files import Files
with tempfile.TemporaryDirectory() as root:
    result = manage(Task(Wanted("fix", State.DISABLED)), Kernel(Files(root)))
assert result["changed"] is False and "failed" not in result, result
"""
FACTS = f"""
import tempfile
from {COLLECTION}.modules import livepatch_facts
from {UTILS}._manage.facts import gather
from {UTILS}._system.files import Files
with tempfile.TemporaryDirectory() as root:
    assert gather(Files(root))["supported"] is False
"""
FOR_CHANGES_ONLY = {
    "_apply.executor",
    "_boot",
    "_build",
    "_explain",
    "_kpatch",
    "_observe.conditions",
    "_patch_file.elf",
    "_patch_file.reader",
    "_plan.revert",
    "_plan.rollback",
    "_preflight",
    "_system.cpus",
    "_system.programs",
    "_verify",
}
PLANNING = {"_apply", "_manage.assessment", "_patch_file", "_plan.boot", "_plan.change", "_plan.plan"}

NEEDED_BY_ACTIONS = {
    "livepatch_advisory": {"_model", "_observe", "_system"},
    "livepatch_build": {"_build", "_model", "_patch_file", "_system"},
    "livepatch_fetch": {"_model", "_patch_file", "_system"},
    "livepatch_file_info": {"_model", "_patch_file", "_system"},
    "livepatch_module": {"_manage", "_model", "_patch_file", "_system"},
    "livepatch_release_info": {"_model"},
    "livepatch_report": {"_model", "_system"},
    "livepatch_unpack": {"_model", "_patch_file", "_system"},
}

EACH_ACTION = f"""
import os, sys
from importlib import import_module
import ansible.plugins.action
for plugin in {sorted(NEEDED_BY_ACTIONS)}:
    child = os.fork()
    if child == 0:
        import_module("{COLLECTION}.action." + plugin)
        print(plugin, end=" "){SHOW.replace(chr(10), chr(10) + " " * 8)}
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, plugin
"""
"""A process for each of them, after what all have in common: that belongs to Ansible, and takes half a second."""


def imported(script: str) -> set[str]:
    """The modules of module_utils that Python has loaded when the script has ended."""
    return set(printed(script + SHOW).split())


def printed(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ_of_child(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def under(names: set[str], parts: set[str]) -> set[str]:
    return {name for name in names if any(name == part or name.startswith((f"{part}.", f"{part}_")) for part in parts)}


def test_a_run_that_changes_nothing_imports_nothing_for_changes() -> None:
    names = imported(UNCHANGED)
    assert "_plan.plan" in names
    assert under(names, FOR_CHANGES_ONLY | {"_observe.kernel_package", "_model.package"}) == set()


def test_facts_import_neither_plans_nor_kernel_calls() -> None:
    names = imported(FACTS)
    assert "_observe.host" in names
    assert under(names, FOR_CHANGES_ONLY | PLANNING) == set()


@pytest.fixture(scope="module", name="imported_by")
def fixture_imported_by() -> dict[str, set[str]]:
    lines = [line.split() for line in printed(EACH_ACTION).splitlines()]
    return {plugin: set(names) for plugin, *names in lines}


@pytest.mark.parametrize("plugin", NEEDED_BY_ACTIONS)
def test_an_action_plugin_imports_what_it_checks_and_reads(plugin: str, imported_by: dict[str, set[str]]) -> None:
    assert {name.partition(".")[0] for name in imported_by[plugin]} <= NEEDED_BY_ACTIONS[plugin]


def test_every_action_plugin_is_looked_at() -> None:
    folder = Path(__file__).resolve().parents[2] / "plugins" / "action"
    assert sorted(NEEDED_BY_ACTIONS) == sorted(path.stem for path in folder.glob("*.py"))
