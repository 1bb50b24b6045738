# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each number that a user gives has bounds in one table, which documentation and checks follow."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_numbers import livepatch_numbers
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.arguments import LIVEPATCH_BUILD
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import LIVEPATCH_MODULE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import (
    BOUNDS,
    Bounds,
    bad_numbers,
    check_numbers,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.arguments import LIVEPATCH_REPORT

ROOT = Path(__file__).resolve().parents[2]
Options = dict[str, dict[str, t.Any]]
SPECS: dict[str, Options] = {
    "livepatch_module": LIVEPATCH_MODULE["argument_spec"],
    "livepatch_build": LIVEPATCH_BUILD["argument_spec"],
    "livepatch_report": LIVEPATCH_REPORT["argument_spec"],
}
OPTIONS = sorted((owner, option) for owner, table in BOUNDS.items() for option in table)


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def role_options(role: str) -> Options:
    return load(ROOT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def module_options(module: str) -> Options:
    source = (ROOT / f"plugins/modules/{module}.py").read_text(encoding="utf-8")
    (text,) = re.findall(r'^DOCUMENTATION = r"""\n(.*?)^"""', source, re.MULTILINE | re.DOTALL)
    return yaml.safe_load(text)["options"] or {}


def all_options(options: Options, above: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    for name, option in options.items():
        yield above + name, option
        yield from all_options(option.get("options") or option.get("suboptions") or {}, f"{above}{name}.")


def numbers(options: Options) -> set[str]:
    return {name for name, option in all_options(options) if option.get("type") in ("int", "float")}


def documented(owner: str) -> Options:
    return role_options(owner) if owner in ("boot", "report", "rollout") else module_options(owner)


def test_each_number_has_bounds() -> None:
    modules = {path.stem: numbers(module_options(path.stem)) for path in (ROOT / "plugins/modules").glob("*.py")}
    roles = {path.name: numbers(role_options(path.name)) for path in (ROOT / "roles").iterdir()}
    found = {owner: names for owner, names in {**modules, **roles}.items() if names}
    assert found == {owner: set(table) for owner, table in BOUNDS.items()}
    for module, spec in SPECS.items():
        assert numbers(spec) == found[module]


@pytest.mark.parametrize(("owner", "option"), OPTIONS)
def test_the_documentation_tells_them(owner: str, option: str) -> None:
    description = dict(all_options(documented(owner)))[option]["description"]
    text = description if isinstance(description, str) else " ".join(description)
    bounds = BOUNDS[owner][option]
    assert text.endswith(f"From V({bounds.least:g}) to V({bounds.most:g}).")


@pytest.mark.parametrize(("owner", "option"), OPTIONS)
def test_the_default_is_within_them(owner: str, option: str) -> None:
    default = dict(all_options(documented(owner)))[option].get("default")
    assert default is None or BOUNDS[owner][option].admit(default)


@pytest.mark.parametrize("role", ["boot", "report", "rollout"])
def test_the_role_checks_each_of_its_variables(role: str) -> None:
    """`tasks/main.yml` begins with that, or imports what does it before a host is asked."""
    tasks = load(ROOT / f"roles/{role}/tasks/main.yml")[0]["block"][:1]
    if "ansible.builtin.import_tasks" in tasks[0]:
        tasks = load(ROOT / f"roles/{role}/tasks" / tasks[0]["ansible.builtin.import_tasks"])
    (text,) = (text for text in map(json.dumps, tasks) if "livepatch_numbers" in text)
    for variable in {option.split(".")[0] for option in BOUNDS[role]}:
        assert re.search(rf"\b{variable}['\"]: (\"\{{\{{ )?{variable}\b", text), variable


@pytest.mark.parametrize(
    "value",
    [-1, "-1", float("nan"), "NaN", float("inf"), "-inf", 1e300, 10**400, 10**5000, "9" * 99],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_sensible_number_is_refused(value: t.Any) -> None:
    for values, option in (
        ({"timeout": value}, "timeout"),
        ({"probe": {"argv": ["true"], "retries": value}}, "probe.retries"),
    ):
        with pytest.raises(FindingError) as refused:
            check_numbers("livepatch_module", values)
        finding = refused.value.finding
        assert finding.reason == "bad_argument"
        assert finding.seen.startswith(f"{option} is ") and len(finding.seen) < 120
        assert f"must be a number {BOUNDS['livepatch_module'][option]}." in finding.seen


def test_what_is_within_its_bounds_or_no_number_is_not_refused() -> None:
    """What is no number is refused by Ansible."""
    values = {"timeout": "60", "retries": None, "delay": 0, "watch": "soon", "probe": {"timeout": 0.1}, "other": -1}
    assert bad_numbers("livepatch_module", values) == []
    assert bad_numbers("livepatch_module", {"probe": "argv=true"}) == []


def test_each_entry_of_a_list_is_looked_at() -> None:
    gates = [{"url": "x", "retries": 2}, {"url": "y", "status_code": 0}, {"load_average": "nan"}]
    assert livepatch_numbers({"livepatch_rollout_gates": gates}, "rollout") == [
        "livepatch_rollout_gates.load_average is nan, and must be a number from 0 to 100000.",
        "livepatch_rollout_gates.status_code is 0, and must be a number from 100 to 599.",
    ]


def test_the_bounds_are_written_as_numbers_that_can_be_given() -> None:
    assert str(Bounds(0.1, 604800)) == "from 0.1 to 604800"
    for owner, option in OPTIONS:
        assert "e" not in f"{BOUNDS[owner][option].most:g}"
