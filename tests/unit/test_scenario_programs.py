# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The programs that scenarios run on hosts find what they import: the scenarios take hours, and seldom run."""

from __future__ import annotations

import ast
import importlib
import io
import typing as t
import zipfile
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.pack import PACKAGE, pack

SCENARIOS = Path(__file__).resolve().parents[2] / "molecule"
PROGRAMS = sorted(str(path.relative_to(SCENARIOS)) for path in SCENARIOS.rglob("*.py"))
WITH_BOOT_PROGRAM = ("arm64/files/entry.py", "stop_machine/files/walk.py")
"""Those whose host has no more of the collection than the boot program (PYTHONPATH: /srv/livepatch.pyz)."""


def imported(program: str) -> t.Iterator[tuple[str, str]]:
    """The modules of the collection that a program imports from, each with a name that it takes there."""
    for node in ast.walk(ast.parse((SCENARIOS / program).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(PACKAGE):
            yield from ((node.module, alias.name) for alias in node.names)


def is_there(module: str, name: str) -> bool:
    found = importlib.import_module(module)
    return hasattr(found, name) or bool(importlib.import_module(f"{module}.{name}"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_a_program_imports_is_there(program: str) -> None:
    assert all(is_there(module, name) for module, name in imported(program))


def packed(module: str, name: str) -> set[str]:
    """The files that may have the name, as a module or in one."""
    return {f"{path.replace('.', '/')}.py" for path in (module, f"{module}.{name}")}


@pytest.mark.parametrize("program", WITH_BOOT_PROGRAM)
def test_the_boot_program_has_what_a_program_imports(program: str) -> None:
    with zipfile.ZipFile(io.BytesIO(pack())) as archive:
        names = set(archive.namelist())
    wanted = list(imported(program))
    assert wanted
    assert [one for one in wanted if not packed(*one) & names] == []
