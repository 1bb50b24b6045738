# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workflow of examples/awx, with ansible-playbook in the place of AWX: statistics are variables of the next job."""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import Rollout
from ansible_collections.openeuler.livepatch.tests.unit.test_awx import FOLDER, NODES, QUESTIONS, TEMPLATES

Data = dict[str, t.Any]


@pytest.fixture(name="rollout")
def fixture_rollout(tmp_path: Path) -> Rollout:
    rollout = Rollout(tmp_path)
    for path in FOLDER.glob("*.yml"):
        shutil.copy(path, tmp_path)
    return rollout


def job(rollout: Rollout, node: str, statistics: Data, returns: int = 0) -> Data:
    """Run the job of a node. Its statistics, with those before it, which win over the variables of its template."""
    template = TEMPLATES[NODES[node]["unified_job_template"]["name"]]
    survey = {name: question["default"] for name, question in QUESTIONS.items()}
    of_test = {"livepatch_report_directory": str(rollout.folder / node), "livepatch_rollout_soak": 0}
    variables = {**template["extra_vars"], **statistics, **survey, **rollout.write_release(), **of_test}
    output = rollout.play(template["playbook"], variables, returns=returns)
    (found,) = re.findall(r"\tRUN: (\{.*\})", output[output.index("CUSTOM STATS") :])
    return {**statistics, **json.loads(found)}


def test_it_reports_rolls_out_and_reports(rollout: Rollout) -> None:
    for name in ("web1", "web2"):
        rollout.host(name)
    before = job(rollout, "before", {})
    assert before["livepatch_report_summary"]["release_file"] == str(rollout.folder / "release.yml")
    after_rollout = job(rollout, "rollout", before)
    assert after_rollout["livepatch_rollout_summary"]["totals"]["patched"] == 2
    assert after_rollout["livepatch_rollout_summary"]["is_finished"] is True
    after = job(rollout, "after", after_rollout)
    assert after["livepatch_report_summary"]["json"] == str(rollout.folder / "after/livepatch.json")


def test_the_last_job_fails_after_a_rollout_that_has_stopped(rollout: Rollout) -> None:
    rollout.host("web1", refuses="It is stuck.", reboot_required=True)
    after_rollout = job(rollout, "rollout", job(rollout, "before", {}), returns=2)
    assert after_rollout["livepatch_rollout_summary"]["reboot_required"] is True
    job(rollout, "after", after_rollout, returns=2)


def test_the_last_job_fails_after_a_rollout_that_has_told_nothing(rollout: Rollout) -> None:
    """As one with wrong numbers, without a credential, or that was cancelled."""
    rollout.host("web1")
    job(rollout, "after", job(rollout, "before", {}), returns=2)


def test_canaries_that_nobody_is_stop_the_rollout(rollout: Rollout) -> None:
    rollout.host("web1")
    output = rollout.play("rollout.yml", {"livepatch_canary": "web9", **rollout.write_release()}, returns=2)
    assert "livepatch_canary names no host of the inventory." in output
    assert rollout.state("web1")["patches"] == []
