# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible's main process has loaded and holds after a role: each task on each host is a copy of it."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import Rollout

MAIN_PROCESS = """
import json
import sys

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_NAME = "main_process"
    CALLBACK_TYPE = "aggregate"
    CALLBACK_VERSION = 2.0

    def v2_playbook_on_play_start(self, play):
        self._play = play

    def v2_runner_on_ok(self, result):
        self._host = result._host

    def v2_playbook_on_stats(self, stats):
        variables = self._play.get_variable_manager().get_vars(play=self._play, host=self._host, include_hostvars=False)
        ours = {name: value for name, value in variables.items() if name.startswith("__livepatch_")}
        held = [name for name, value in ours.items() if isinstance(value, dict) and "changed" in value]
        loaded = [name.rpartition(".plugins.")[2] for name in sys.modules if ".livepatch.plugins." in name]
        with open("main_process.json", "w", encoding="utf-8") as stream:
            json.dump({"noted": sorted(ours), "held": held, "loaded": loaded}, stream)
"""
OF_ALL_HOSTS = {"files", "found"}
SMALL = {"noted", "unmarked"}
OPTIONS = {"livepatch_rollout_accept": True, "livepatch_report_formats": ["json"]}


def main_process(folder: Path, role: str) -> dict[str, t.Any]:
    """What there is in the main process after a role has run on a host that gets a patch."""
    rollout = Rollout(folder)
    rollout.host("fresh")
    (folder / "callback_plugins").mkdir()
    (folder / "callback_plugins/main_process.py").write_text(MAIN_PROCESS, encoding="utf-8")
    play = {"hosts": "all", "gather_facts": False, "roles": [f"openeuler.livepatch.{role}"]}
    (folder / "site.yml").write_text(json.dumps([play]), encoding="utf-8")
    given = {"livepatch_rollout_release": rollout.release, "livepatch_rollout_directory": str(folder)}
    rollout.play("site.yml", {**OPTIONS, **given})
    return json.loads((folder / "main_process.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("role", "modules"),
    [
        ("rollout", {"filter.livepatch_rollout", "plugin_utils._rollout.steps"}),
        ("report", {"filter.livepatch_options", "filter.livepatch_numbers"}),
    ],
)
def test_the_main_process_has_loaded_what_each_of_its_workers_needs(
    tmp_path: Path, role: str, modules: set[str]
) -> None:
    assert modules <= set(main_process(tmp_path, role)["loaded"])


def test_results_that_are_part_of_the_host_are_let_go(tmp_path: Path) -> None:
    found = main_process(tmp_path, "rollout")
    assert "__livepatch_rollout_host" in found["noted"]
    assert {name.removeprefix("__livepatch_rollout_") for name in found["held"]} == OF_ALL_HOSTS | SMALL
