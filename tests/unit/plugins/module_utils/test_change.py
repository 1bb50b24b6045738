# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of the wanted patch, as a table: by ABI, by what is loaded, by what is wanted."""

from __future__ import annotations

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import PerTask, StopMachine
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.change import Moves, moves_of

UP = LoadedPatch("fix", enabled=True)
DOWN = LoadedPatch("fix", enabled=False)
GOING_UP = LoadedPatch("fix", enabled=True, in_transition=True)
GOING_DOWN = LoadedPatch("fix", enabled=False, in_transition=True)


@pytest.mark.parametrize(
    ("loaded", "state", "other_build", "per_task", "stop_machine"),
    [
        (None, "absent", False, "", ""),
        (None, "disabled", False, "", ""),
        # On per_task kernels what comes in is up: the two cannot be had apart.
        (None, "present", False, "in_ up", "in_"),
        (None, "enabled", False, "in_ up", "in_ up"),
        (UP, "absent", False, "down out", "down out"),
        (UP, "disabled", False, "down", "down"),
        (UP, "present", False, "", ""),
        (UP, "enabled", False, "", ""),
        (UP, "present", True, "down out in_ up", "down out in_ up"),
        (UP, "enabled", True, "down out in_ up", "down out in_ up"),
        (UP, "disabled", True, "down", "down"),
        (UP, "absent", True, "down out", "down out"),
        (DOWN, "absent", False, "out", "out"),
        (DOWN, "disabled", False, "", ""),
        (DOWN, "present", False, "", ""),
        # A per_task kernel has dropped it: its module is loaded anew.
        (DOWN, "enabled", False, "out in_ up", "up"),
        (DOWN, "present", True, "out in_ up", "out in_"),
        (DOWN, "enabled", True, "out in_ up", "out in_ up"),
        (GOING_UP, "enabled", False, "", ""),
        (GOING_UP, "disabled", False, "down", "down"),
        (GOING_DOWN, "disabled", False, "", ""),
        (GOING_DOWN, "enabled", False, "up back", "up"),
        (GOING_DOWN, "enabled", True, "out in_ up", "out in_ up"),
        (GOING_DOWN, "absent", False, "out", "out"),
    ],
)
def test_moves(loaded: LoadedPatch | None, state: str, other_build: bool, per_task: str, stop_machine: str) -> None:
    for abi, expected in ((PerTask(), per_task), (StopMachine(False), stop_machine), (StopMachine(None), stop_machine)):
        assert moves_of(abi, loaded, state, other_build) == Moves(**dict.fromkeys(expected.split(), True)), abi
