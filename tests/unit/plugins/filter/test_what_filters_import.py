# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where one filter is used, each worker of Ansible compiles all filters of the collection, with what they import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.unit.children import environ_of_child

ROOT = Path(__file__).resolve().parents[4]
OURS = "ansible_collections.openeuler.livepatch.plugins."
LIGHT = {
    "module_utils._model.bounds",
    "module_utils._model.findings",
    "module_utils._model.text",
    "module_utils._model.word",
    "plugin_utils._fleet.reader",
    "plugin_utils._own_variables",
    "plugin_utils._untrusted",
}
FILTERS = [path.stem for path in (ROOT / "plugins/filter").glob("*.py")]

if ROOT.parts[-3:] != ("ansible_collections", "openeuler", "livepatch"):
    pytest.skip("the collection can be imported only from a tree of collections", allow_module_level=True)


def imported_by(*names: str) -> set[str]:
    """The modules of the collection, beside these plugins, that they import."""
    program = f"import sys, {', '.join(OURS + name for name in names)}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ_of_child(), capture_output=True, text=True, check=True
    )
    folders = (f"{OURS}module_utils.", f"{OURS}plugin_utils.")
    found = {name.removeprefix(OURS) for name in done.stdout.split() if name.startswith(folders)}
    return {name for name in found if not (ROOT / "plugins" / name.replace(".", "/")).is_dir()}


def test_filters_import_little() -> None:
    assert imported_by(*(f"filter.{name}" for name in FILTERS)) == LIGHT


def test_what_starts_the_workers_imports_the_steps_of_a_rollout() -> None:
    """It loads action plugins, and so the first task of the role that has one of the collection."""
    assert "plugin_utils._rollout.steps" in imported_by("action.livepatch_release_info")


def test_what_starts_the_workers_imports_what_reads_patch_files() -> None:
    pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")
    assert "module_utils._patch_file.module" in imported_by("action.livepatch_module")
