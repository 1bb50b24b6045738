# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that describe the collection agree with its content."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.version import VERSION, is_older
from ansible_collections.openeuler.livepatch.tests.unit.test_role_variables import tasks_of

ROOT = Path(__file__).resolve().parents[2]
DOTTED = re.MULTILINE | re.DOTALL
PRIVATE = ("module_utils", "plugin_utils", "doc_fragments")
RESULTS_DOCUMENTED = (
    "livepatch_advisory",
    "livepatch_boot",
    "livepatch_build",
    "livepatch_facts",
    "livepatch_fetch",
    "livepatch_file_info",
    "livepatch_module",
    "livepatch_release_info",
    "livepatch_report",
    "livepatch_unpack",
)
"""The modules whose RETURN is complete; one more name here holds one more module."""


def load(name: str) -> dict[str, t.Any]:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_version_is_semantic() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?", load("galaxy.yml")["version"])


def test_hosts_get_the_version_of_the_collection() -> None:
    assert load("galaxy.yml")["version"] == VERSION


@pytest.mark.parametrize(
    ("version", "older"),
    [("0.9.9", True), ("1.0.0", False), ("1.0.0-rc1", False), ("10.0.0", False), ("", True), ("x.1", True)],
)
def test_versions_are_compared_as_numbers(version: str, older: bool) -> None:
    assert is_older(version, "1.0.0") == older


def documentation_of(path: Path) -> dict[str, t.Any]:
    """DOCUMENTATION of a module."""
    (text,) = re.findall(r'^DOCUMENTATION = r"""\n(.*?)^"""', path.read_text(encoding="utf-8"), DOTTED)
    return yaml.safe_load(text)


GROUPS = load("meta/runtime.yml")["action_groups"]


def fragments() -> dict[str, dict[str, t.Any]]:
    source = (ROOT / "plugins/doc_fragments/_attributes.py").read_text(encoding="utf-8")
    parts = re.findall(r'^    (\w+) = r"""\n(.*?)^"""', source, DOTTED)
    return {name: yaml.safe_load(text) for name, text in parts}


def options_of(module: str) -> set[str]:
    documentation = documentation_of(ROOT / f"plugins/modules/{module}.py")
    own = set(documentation["options"])
    named = documentation["extends_documentation_fragment"]
    ours = [name.rpartition("_attributes")[2].lstrip(".").upper() or "DOCUMENTATION" for name in named]
    own = own.union(*(fragments()[name]["options"] for name in ours if name in fragments()))
    return own | set(FILE_COMMON_ARGUMENTS) if "ansible.builtin.files" in named else own


@pytest.mark.parametrize("group", GROUPS)
def test_the_members_of_an_action_group_share_the_options_that_it_names(group: str) -> None:
    """A default of the group goes to all members, and a module refuses an option that it does not have."""
    attribute = fragments()[group.removeprefix("livepatch_").upper() + "_GROUP"]["attributes"]["action_group"]
    shared = set.intersection(*(options_of(module) for module in GROUPS[group]))
    assert set(re.findall(r"O\((\w+)\)", " ".join(attribute["description"]))) == shared != set()
    assert attribute["membership"] == [f"openeuler.livepatch.{group}"]


def test_each_module_names_the_action_groups_that_it_is_in() -> None:
    for path in (ROOT / "plugins" / "modules").glob("*.py"):
        used = documentation_of(path)["extends_documentation_fragment"]
        named = {
            f"livepatch_{text.rpartition('.')[2].removesuffix('_group')}" for text in used if text.endswith("_group")
        }
        assert named == {group for group, members in GROUPS.items() if path.stem in members}, path.name


def test_no_option_is_private() -> None:
    """What an action plugin hands over is in no documentation, as `ansible-doc -s` shows it."""
    for path in (ROOT / "plugins" / "modules").glob("*.py"):
        assert not [name for name in documentation_of(path)["options"] if name.startswith("_")], path.name


def test_every_module_says_which_python_it_needs() -> None:
    floor = load("tests/config.yml")["modules"]["python_requires"].removeprefix(">=")
    for path in (ROOT / "plugins" / "modules").glob("*.py"):
        (python, *_others) = documentation_of(path)["requirements"]
        # These run on the controller alone: no part of them runs on a host.
        is_here = path.stem.rpartition("livepatch_")[2] in ("advisory", "release_info", "report", "unpack")
        minimum = "3.10" if is_here else floor
        assert python.startswith(f"Python {minimum} or later on the "), path.name


def test_every_action_plugin_has_a_module() -> None:
    for path in (ROOT / "plugins" / "action").glob("*.py"):
        assert (ROOT / "plugins" / "modules" / path.name).exists(), path.name


def test_private_plugins_are_underscored() -> None:
    for folder in PRIVATE:
        for path in (ROOT / "plugins" / folder).glob("**/*.py"):
            assert path.name.startswith("_") or path.parent.name.startswith("_"), path


def returned_by(module: str) -> dict[str, t.Any]:
    """RETURN of a module."""
    source = (ROOT / f"plugins/modules/{module}.py").read_text(encoding="utf-8")
    (text,) = re.findall(r'^RETURN = r"""\n(.*?)^"""', source, DOTTED)
    return yaml.safe_load(text)


def missing_of(values: dict[str, t.Any], above: str = "") -> t.Iterator[str]:
    """What each key and the keys in it lack: `returned`, and `sample` where it contains no other keys."""
    for name, value in values.items():
        if "returned" not in value:
            yield f"{above}{name} has no returned"
        if "contains" in value:
            yield from missing_of(value["contains"], f"{above}{name}.")
        elif "sample" not in value:
            yield f"{above}{name} has no sample"


@pytest.mark.parametrize("module", RESULTS_DOCUMENTED)
def test_each_result_says_when_it_is_returned_and_what_it_looks_like(module: str) -> None:
    values = returned_by(module)
    assert values
    assert list(missing_of(values)) == []


def test_a_result_that_is_not_complete_is_found() -> None:
    inner = {"contains": {"value": {"returned": "always"}}}
    assert list(missing_of({"outer": inner})) == ["outer has no returned", "outer.value has no sample"]


TYPES: dict[str, type | tuple[type, ...]] = {
    "bool": bool,
    "dict": dict,
    "float": (int, float),
    "int": int,
    "list": list,
    "str": str,
}


def wrong_samples_of(values: dict[str, t.Any], above: str = "") -> t.Iterator[str]:
    """The keys whose sample does not have the type that is documented."""
    for name, value in values.items():
        yield from wrong_samples_of(value.get("contains", {}), f"{above}{name}.")
        sample = value.get("sample")
        if "sample" in value and not isinstance(sample, TYPES[value["type"]]):
            yield f"{above}{name}"
        if isinstance(sample, list) and not all(isinstance(one, TYPES[value["elements"]]) for one in sample):
            yield f"{above}{name}"


@pytest.mark.parametrize("module", RESULTS_DOCUMENTED)
def test_each_sample_is_of_its_type(module: str) -> None:
    assert list(wrong_samples_of(returned_by(module))) == []


def test_a_sample_of_another_type_is_found() -> None:
    inner = {"contains": {"value": {"type": "str", "sample": True}}}
    several = {"type": "list", "elements": "str", "sample": [1]}
    assert list(wrong_samples_of({"outer": inner, "several": several})) == ["outer.value", "several"]


def test_what_roles_do_on_the_controller_becomes_nobody() -> None:
    """Not by the keyword alone: a variable ansible_become of the inventory has precedence over it."""
    files = sorted((ROOT / "roles").glob("*/tasks/**/*.yml"))
    tasks = [task for path in files for task in tasks_of(yaml.safe_load(path.read_text(encoding="utf-8")))]
    delegated = [task for task in tasks if "delegate_to" in task]
    assert len(delegated) == 7
    for task in delegated:
        assert task["become"] is False and task["vars"]["ansible_become"] is False, task["name"]
