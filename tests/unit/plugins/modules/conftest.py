# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the tests of modules call them: with a task's arguments, in this process, as far as their result."""

from __future__ import annotations

import copy
import json
import pathlib
import types
import typing as t

import pytest
from ansible.module_utils import basic

Call = t.Callable[..., t.Dict[str, t.Any]]


@pytest.fixture(name="call")
def fixture_call(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Return what calls a module with these arguments, in check mode or not, and returns its result."""
    directory = tmp_path / "ansible-tmp"
    directory.mkdir()

    def call(module: types.ModuleType, check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
        internal = {"_ansible_check_mode": check_mode, "_ansible_tmpdir": str(directory)}
        plain = {"ANSIBLE_MODULE_ARGS": {**arguments, **internal}}
        for name, value in list(vars(module).items()):
            if isinstance(value, dict) and "argument_spec" in value:
                # Ansible adds what is common to all modules.
                monkeypatch.setattr(module, name, copy.deepcopy(value))
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(plain).encode())
        # ansible-core 2.19 and later ask how results are written.
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        warnings: list[str] = []
        # Ansible keeps those of all modules in a process together.
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, warning, **_options: warnings.append(warning))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            module.main()
        result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
        assert bool(ended.value.code) == result.get("failed", False)
        return {**result, "warnings": warnings}

    return call
