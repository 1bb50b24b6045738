# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public variables of a role begin with livepatch_ROLE_, internal ones with __livepatch_ROLE_."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
SET_FACT = ("ansible.builtin.set_fact", "set_fact")
OF_ANSIBLE = ("ansible_become",)
RESULTS = {"rollout": {"livepatch_rollout_reboot_required"}}
"""What a role sets for plays."""


def load(role: str, path: str) -> dict[str, t.Any]:
    file = ROOT / "roles" / role / path
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}


def tasks_of(tasks: list[dict[str, t.Any]]) -> Iterator[dict[str, t.Any]]:
    for task in tasks:
        yield task
        for key in ("block", "rescue", "always"):
            yield from tasks_of(task.get(key, []))


def made_by(task: dict[str, t.Any]) -> Iterator[str]:
    """The variables that a task sets."""
    for key in SET_FACT:
        yield from task.get(key, {})
    yield from task.get("vars", {})
    for name in (task.get("register"), task.get("loop_control", {}).get("loop_var")):
        if name:
            yield name


def internal_variables(role: str) -> set[str]:
    names = set(load(role, "vars/main.yml"))
    for folder in ("tasks", "handlers"):
        for path in (ROOT / "roles" / role / folder).rglob("*.yml"):
            for task in tasks_of(yaml.safe_load(path.read_text(encoding="utf-8"))):
                names.update(made_by(task))
    return names - set(OF_ANSIBLE) - RESULTS.get(role, set())


def public_variables(role: str) -> set[str]:
    return set(load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"])


def without_prefix(names: set[str], prefix: str) -> list[str]:
    return sorted(name for name in names if not name.startswith(prefix))


def test_these_are_the_roles() -> None:
    assert ROLES == ["boot", "build", "report", "rollout"]


@pytest.mark.parametrize("role", ROLES)
def test_internal_variables_begin_with_underscores(role: str) -> None:
    names = internal_variables(role)
    assert names
    assert without_prefix(names, f"__livepatch_{role}_") == []


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_begin_with_the_role(role: str) -> None:
    assert without_prefix(public_variables(role), f"livepatch_{role}_") == []


@pytest.mark.parametrize("role", RESULTS)
def test_what_a_role_sets_for_plays_is_documented(role: str) -> None:
    main = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]
    readme = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    for name in RESULTS[role]:
        assert name.startswith(f"livepatch_{role}_")
        assert f"C({name})" in " ".join(main["description"])
        assert f"`{name}`" in readme


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_one_of_a_public_variable(role: str) -> None:
    assert set(load(role, "defaults/main.yml")) - public_variables(role) == set()
