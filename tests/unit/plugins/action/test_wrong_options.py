# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every action plugin explains options that are wrong as all that fails."""

from __future__ import annotations

import importlib
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from ansible_collections.openeuler.livepatch.plugins import action

PLUGINS = sorted(path.stem for path in Path(action.__path__[0]).glob("livepatch_*.py"))


@pytest.mark.parametrize("name", PLUGINS)
def test_a_wrong_option_is_explained(name: str) -> None:
    plugin = importlib.import_module(f"{action.__name__}.{name}")
    task = MagicMock(args={"nosuch": 1}, async_val=0, check_mode=False, diff=False)
    made = plugin.ActionModule(task, *[MagicMock() for _other in range(5)])
    # As Ansible's loader does.
    made._load_name = f"openeuler.livepatch.{name}"
    result = made.run(None, {})
    assert (result["failed"], result["reason"], result["remedy"]) == (True, "bad_argument", "Correct the task.")
    assert result["msg"] == f"{result['cause']} {result['remedy']}"
    assert "nosuch" in result["cause"] or "required" in result["cause"]
