# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that describe the collection agree with its content."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOTTED = re.MULTILINE | re.DOTALL
PRIVATE = ("module_utils", "plugin_utils", "doc_fragments")


def load(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_version_is_semantic():
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?", load("galaxy.yml")["version"])


def test_action_group_lists_every_module():
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert sorted(load("meta/runtime.yml")["action_groups"]["livepatch"]) == modules


def test_every_module_says_which_python_it_needs() -> None:
    floor = load("tests/config.yml")["modules"]["python_requires"].removeprefix(">=")
    for path in (ROOT / "plugins" / "modules").glob("*.py"):
        documentation = re.search(r'^DOCUMENTATION = r"""\n(.*?)^"""', path.read_text(encoding="utf-8"), DOTTED)
        assert documentation, path.name
        (python, *_others) = yaml.safe_load(documentation[1])["requirements"]
        # Reports are made, and releases read, on the controller: they have no part that runs on a host.
        minimum = "3.10" if path.stem in ("livepatch_release_info", "livepatch_report") else floor
        assert python.startswith(f"Python {minimum} or later on the "), path.name


def test_every_action_plugin_has_a_module():
    for path in (ROOT / "plugins" / "action").glob("*.py"):
        assert (ROOT / "plugins" / "modules" / path.name).exists(), path.name


def test_private_plugins_are_underscored():
    for folder in PRIVATE:
        for path in (ROOT / "plugins" / folder).glob("**/*.py"):
            assert path.name.startswith("_") or path.parent.name.startswith("_"), path


def test_what_roles_do_on_the_controller_becomes_nobody():
    """Not by the keyword alone: a variable ansible_become of the inventory has precedence over it."""
    files = sorted((ROOT / "roles").glob("*/tasks/**/*.yml"))
    tasks = [task for path in files for task in yaml.safe_load(path.read_text(encoding="utf-8"))]
    delegated = [task for task in tasks if "delegate_to" in task]
    assert len(delegated) == 4
    for task in delegated:
        assert task["become"] is False and task["vars"]["ansible_become"] is False, task["name"]
