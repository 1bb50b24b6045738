# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The job templates, the survey and the workflow of examples/awx have the shape that AWX takes, and our variables."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.openeuler.livepatch.tests.unit.test_playbook_variables import (
    load,
    options_of,
    roles_of,
    rows_of,
    sections,
)

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples/awx"
DATA = DataLoader().load_from_file(str(FOLDER / "controller.yml"))
TEMPLATES = {template["name"]: template for template in DATA["controller_templates"]}
(WORKFLOW,) = DATA["controller_workflows"]
NODES = {node["identifier"]: node for node in WORKFLOW["workflow_nodes"]}
QUESTIONS = {question["variable"]: question for question in WORKFLOW["survey_spec"]["spec"]}
STATISTICS = ("livepatch_report_summary", "livepatch_rollout_summary")

KEYS_OF_A_QUESTION = {"question_name", "question_description", "variable", "type", "required", "default"}
KEYS_OF_TYPES: dict[str, set[str]] = {"text": set(), "integer": {"min", "max"}, "multiplechoice": {"choices"}}
"""Type of a question -> what it has beside the keys of all. AWX has more types, which ours do not need."""

OF_OURS = {"text": {"str", "path"}, "integer": {"int", "float"}, "multiplechoice": {"bool", "str"}}
"""Type of a question -> the types of our variables that its answers are."""


def playbook_of(template: str) -> str:
    """The playbook of the collection that a job template runs."""
    plays = yaml.safe_load((FOLDER / TEMPLATES[template]["playbook"]).read_text(encoding="utf-8"))
    (name,) = {play["ansible.builtin.import_playbook"] for play in plays if "ansible.builtin.import_playbook" in play}
    return str(name).removeprefix("openeuler.livepatch.")


def variables_of(playbook: str) -> dict[str, dict[str, t.Any]]:
    """The variables of a playbook and of its roles, each with its type."""
    found = {name: {"type": kind} for name, (kind, _default, _meaning) in rows_of(sections()[playbook]).items()}
    for role in roles_of(playbook):
        specification = load(ROOT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]
        found.update({name: specification["options"][name] for name in options_of(role)})
    return found


def of_workflow() -> dict[str, dict[str, t.Any]]:
    """The variables of all playbooks of the workflow."""
    names = {node["unified_job_template"]["name"] for node in NODES.values()}
    return {name: kind for template in names for name, kind in variables_of(playbook_of(template)).items()}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_runs_a_playbook_of_the_project_with_variables_that_it_has(template: str) -> None:
    given = TEMPLATES[template]
    needed = {"name", "organization", "project", "playbook", "inventory", "credentials", "execution_environment"}
    assert needed <= given.keys()
    assert given["extra_vars"].keys() <= variables_of(playbook_of(template)).keys()
    # The survey of a workflow, and what set_stats hands over, reach a job that may be asked for variables.
    assert given["ask_variables_on_launch"] is True


@pytest.mark.parametrize("variable", QUESTIONS)
def test_a_question_has_the_shape_that_awx_takes(variable: str) -> None:
    question = QUESTIONS[variable]
    assert question.keys() == KEYS_OF_A_QUESTION | KEYS_OF_TYPES[question["type"]]
    assert isinstance(question["required"], bool)
    assert isinstance(question["default"], int if question["type"] == "integer" else str)
    if question["type"] == "multiplechoice":
        assert question["default"] in question["choices"]
        assert all(isinstance(choice, str) for choice in question["choices"])
    if question["type"] == "integer":
        assert question["min"] <= question["default"] <= question["max"]


@pytest.mark.parametrize("variable", QUESTIONS)
def test_a_question_is_about_a_variable_of_a_playbook_of_the_workflow(variable: str) -> None:
    question, known = QUESTIONS[variable], of_workflow()[variable]
    assert known["type"] in OF_OURS[question["type"]]
    if known["type"] == "bool":
        assert set(question["choices"]) == {"false", "true"}
    if question["type"] == "integer":
        said = " ".join([known["description"]] if isinstance(known["description"], str) else known["description"])
        (bounds,) = re.findall(r"From V\((\d+)\) to V\((\d+)\)", said)
        assert [question["min"], question["max"]] == [int(bound) for bound in bounds]
        assert question["default"] == known["default"]


def test_the_survey_is_one() -> None:
    assert WORKFLOW["survey_enabled"] is True
    assert WORKFLOW["survey_spec"].keys() == {"name", "description", "spec"}
    assert len(QUESTIONS) == len(WORKFLOW["survey_spec"]["spec"])


def test_the_workflow_reports_rolls_out_and_reports_again() -> None:
    order = ["before"]
    while len(order) <= len(NODES):
        following = [node["identifier"] for kind in NODES[order[-1]]["related"].values() for node in kind]
        if not following:
            break
        order += following
    assert order == list(NODES)
    templates = [NODES[name]["unified_job_template"] for name in order]
    assert [playbook_of(template["name"]) for template in templates] == ["report", "rollout", "report"]
    assert all(template["type"] == "job_template" for template in templates)
    assert {kind for node in NODES.values() for kind in node["related"]} <= {"success_nodes", "always_nodes"}
    # Also after a rollout that has stopped.
    assert "always_nodes" in NODES["rollout"]["related"]


def test_no_statistic_is_a_variable_that_a_playbook_reads() -> None:
    """It is a variable of the next job, which would take the place of any other of its name."""
    for name in STATISTICS:
        assert name not in of_workflow()


def test_the_workflow_uses_what_each_statistic_has() -> None:
    used = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml")))
    for name in STATISTICS:
        assert re.search(rf"\b{name}\.\w+", used), name
