# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_facts: what it reads is handed on as facts, in check mode too."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_facts

Call = t.Callable[..., t.Dict[str, t.Any]]


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_host_as_facts(
    call: Call, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("6.6.0-here\n", encoding="ascii")
    (tmp_path / "sys/kernel/livepatch").mkdir(parents=True)
    (tmp_path / "proc/livepatch").mkdir(parents=True)
    (tmp_path / "proc/livepatch/state").write_text("", encoding="ascii")
    monkeypatch.setattr(livepatch_facts, "Files", lambda: Files(str(tmp_path)))
    result = call(livepatch_facts, check_mode=check_mode)
    facts = result["ansible_facts"]["ansible_livepatch"]
    assert (result["changed"], facts["release"], facts["abi"]) == (False, "6.6.0-here", "stop_machine")
    assert (facts["patches"], facts["reboot_required"]) == ([], False)
