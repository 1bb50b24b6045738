# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebook for Event-Driven Ansible answers alerts that we have. "make eda" runs it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import yaml
from ansible_collections.openeuler.livepatch.tests.unit.test_awx import variables_of

ROOT = Path(__file__).resolve().parents[2]
ANSWERED = {"LivepatchFixLost", "LivepatchTrialLost"}


def load(name: str) -> t.Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def rule() -> t.Any:
    """The only rule of the only set of the rulebook."""
    ((found,),) = [rules["rules"] for rules in load("extensions/eda/rulebooks/fix_lost.yml")]
    return found


def test_the_alerts_are_among_ours() -> None:
    ours = {one["alert"] for group in load("docs/monitoring/livepatch.rules.yml")["groups"] for one in group["rules"]}
    answered = re.findall(r'event\.labels\.alertname == "(\w+)"', rule()["condition"])
    assert set(answered) == ANSWERED <= ours


def test_the_guide_has_the_variables_and_a_token_that_works() -> None:
    guide = (ROOT / "docs/docsite/rst/automation.rst").read_text(encoding="utf-8")
    (block,) = re.findall(r"^    (livepatch_eda_address: .*\n(?:    livepatch_eda_.*\n)+)", guide, re.MULTILINE)
    variables = yaml.safe_load("\n".join(line.strip() for line in block.splitlines()))
    text = (ROOT / "extensions/eda/rulebooks/fix_lost.yml").read_text(encoding="utf-8")
    assert variables.keys() == set(re.findall(r"\blivepatch_eda_\w+", text))
    token = variables["livepatch_eda_token"]
    # ansible-rulebook splits the header at blanks, and makes a number of digits.
    assert " " not in token and not token.isdigit()
    assert f"credentials: {token}\n" in guide


def test_it_runs_a_playbook_of_the_collection_with_variables_that_it_has() -> None:
    ((kind, action),) = [pair for one in rule()["actions"] for pair in one.items()]
    assert kind == "run_playbook"
    namespace, collection, name = action["name"].split(".")
    assert (namespace, collection) == ("openeuler", "livepatch")
    assert action["extra_vars"].keys() <= variables_of(name).keys()
