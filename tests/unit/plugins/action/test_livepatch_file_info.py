# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller side of livepatch_file_info. Ansible itself is replaced."""

from __future__ import annotations

import os
import sys
import typing as t
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleError
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_file_info import MODULE, ActionModule

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

FIXTURES = os.path.join(os.path.dirname(__file__), os.pardir, "module_utils", "fixtures")


class Action(ActionModule):
    def __init__(self, arguments: dict[str, t.Any]) -> None:
        task = MagicMock(args=arguments, async_val=0, check_mode=False, diff=False)
        super().__init__(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        self._loader.get_real_file = lambda path: path
        self.runs: list[str | None] = []

    def _find_needle(self, dirname: str, needle: str) -> str:
        path = os.path.join(FIXTURES, needle)
        if not os.path.exists(path):
            raise AnsibleError("not found.")
        return path

    def _execute_module(
        self, module_name: str | None = None, task_vars: t.Any = None, wrap_async: int = False, **kwargs: t.Any
    ) -> dict[str, t.Any]:
        self.runs.append(module_name)
        return {"changed": False, "file": {}}


def test_a_file_here_needs_no_host() -> None:
    action = Action({"src": "two_objects.ko"})
    result = action.run()
    assert result["file"]["name"] == "two_objects"
    assert result["file"]["path"] == "two_objects.ko"
    assert result["changed"] is False
    assert action.runs == []


def test_a_file_there_is_read_there() -> None:
    action = Action({"src": "/x.ko", "remote_src": True})
    assert action.run() == {"changed": False, "file": {}}
    assert action.runs == [MODULE]


@pytest.mark.parametrize(("src", "reason"), [("nosuch.ko", "no_such_file"), ("two_objects.c", "not_elf")])
def test_failures_are_explained(src: str, reason: str) -> None:
    result = Action({"src": src}).run()
    assert result["failed"] and result["reason"] == reason


def test_without_pyelftools_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.endswith("._patch_file.info")]:
        monkeypatch.setitem(sys.modules, name, None)
    result = Action({"src": "two_objects.ko"}).run()
    assert (result["failed"], result["reason"]) == (True, "no_pyelftools")
    assert "pyelftools" in result["msg"]
