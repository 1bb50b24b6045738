# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bench of fleets with two of its scripted hosts, and how often playbooks go to a host."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.tests.bench.fleet import RUNS, Fleet

ROLLOUT = {"livepatch_facts": 3, "livepatch_module": 2, "stat": 1, "lineinfile": 1, "file": 1}
"""Before the first wave, at its begin and after the change; in check mode and for real; the mark of the trial."""
ENABLED_BEFORE = {"livepatch_facts": 2, "livepatch_module": 1, "stat": 1}

if not shutil.which("ansible-runner"):
    pytest.skip("ansible-runner is not installed", allow_module_level=True)


def test_how_often_playbooks_go_to_a_host(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "runner", 2)
    costs = {name: fleet.run(*run) for name, run in RUNS.items()}
    assert {name: cost.trips for name, cost in costs.items()} == {
        "facts": {"livepatch_facts": 1},
        "report": {"livepatch_facts": 1},
        "rollout": ROLLOUT,
    }
    assert all(cost.cpu_seconds and cost.mebibytes for cost in costs.values())
    assert fleet.run(*RUNS["rollout"]).trips == ENABLED_BEFORE
