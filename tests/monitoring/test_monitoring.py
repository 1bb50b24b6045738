# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/monitoring ships, with Prometheus' own promtool and the types of Grafana's own SDK."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.metrics import metrics_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_prometheus import as_prometheus
from ansible_collections.openeuler.livepatch.tests.monitoring import dashboard
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.recorded_host import files_of
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.synthetic_fleet import fleet

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
SHIPPED = ROOT / "docs/monitoring"
FIX = {"id": "CVE-2026-0001", "title": "", "severity": "", "cves": []}
PROMTOOL = os.environ["LIVEPATCH_PROMTOOL"]

RULES = SHIPPED / "livepatch.rules.yml"
TESTS = sorted(HERE.glob("*.test.yml"))


def promtool(*arguments: str | pathlib.Path, given: str | None = None, folder: pathlib.Path | None = None) -> str:
    command = [PROMTOOL, *map(str, arguments)]
    done = subprocess.run(command, input=given, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def metrics_of_a_recorded_host(folder: pathlib.Path) -> str:
    facts = gather(files_of(PER_TASK, folder))
    facts["patches"][0]["fix"] = FIX
    facts["boot"]["lost"] = [{"name": "lp_lost", "fix": FIX}]
    return metrics_text(facts, "2026-11-25T07:33:31Z", "2026-11-25T07:31:02Z")


@pytest.fixture(name="metrics")
def fixture_metrics(tmp_path: pathlib.Path) -> dict[str, str]:
    """What a host writes, which was recorded, and what the report of a synthetic fleet writes."""
    return {"host": metrics_of_a_recorded_host(tmp_path), "report": as_prometheus(fleet(200))}


def test_the_rules_are_rules() -> None:
    rules = [rule for group in loaded(RULES)["groups"] for rule in group["rules"]]
    assert f"{len(rules)} rules found" in promtool("check", "rules", RULES)
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in rules)
    assert {rule["labels"]["severity"] for rule in rules} == {"critical", "warning", "info"}


@pytest.mark.parametrize("test", TESTS, ids=lambda path: path.name)
def test_each_alert_fires_when_it_should_and_else_not(test: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for file in (RULES, test):
        shutil.copy(file, tmp_path)
    promtool("test", "rules", test.name, folder=tmp_path)


def test_each_alert_is_seen_firing_and_silent() -> None:
    alerts = {rule["alert"] for group in loaded(RULES)["groups"] for rule in group["rules"]}
    asked = [case for file in TESTS for test in loaded(file)["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in asked if case.get("exp_alerts")} == alerts
    assert {case["alertname"] for case in asked if not case.get("exp_alerts")} == alerts


@pytest.mark.parametrize("kind", ["host", "report"])
def test_prometheus_has_nothing_to_say_against_the_metrics(metrics: dict[str, str], kind: str) -> None:
    assert promtool("check", "metrics", given=metrics[kind]) == ""


def test_the_files_of_a_host_and_of_a_report_may_be_collected_together(metrics: dict[str, str]) -> None:
    """Of two texts of help for one metric node_exporter refuses both."""
    names = [set(re.findall(r"# HELP (\w+) ", text)) for text in metrics.values()]
    assert set.intersection(*names) == set()


def test_the_alerts_ask_for_metrics_that_are_written(metrics: dict[str, str]) -> None:
    written = set(re.findall(r"# TYPE (\w+) ", "".join(metrics.values())))
    asked = {
        name
        for group in loaded(RULES)["groups"]
        for rule in group["rules"]
        for name in re.findall(r"livepatch_\w+", rule["expr"])
    }
    assert asked <= written, asked - written


def test_the_dashboard_is_the_one_that_the_sdk_makes() -> None:
    """Whatever the SDK's types do not allow cannot be in it."""
    assert (SHIPPED / "livepatch-dashboard.json").read_text(encoding="utf-8") == dashboard.text()


def test_each_query_of_the_dashboard_finds_something(metrics: dict[str, str], tmp_path: pathlib.Path) -> None:
    series = [{"series": name, "values": f"{value}+0x10"} for name, value in series_of("".join(metrics.values()))]
    asked = list(dashboard.queries(json.loads((SHIPPED / "livepatch-dashboard.json").read_text(encoding="utf-8"))))
    assert len(asked) == len(set(asked)) > 5
    expected = [{"labels": "{}", "value": 1}]
    cases = [{"expr": f"count({query}) > bool 0", "eval_time": "5m", "exp_samples": expected} for query in asked]
    test = {"evaluation_interval": "1m", "tests": [{"interval": "1m", "input_series": series}]}
    test["tests"][0]["promql_expr_test"] = cases
    (tmp_path / "queries.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    promtool("test", "rules", "queries.yml", folder=tmp_path)


def series_of(text: str) -> t.Iterator[tuple[str, str]]:
    """Each series of metrics, as one of a host `a`, and its value."""
    for line in text.splitlines():
        if not line.startswith("#"):
            series, _space, value = line.rpartition(" ")
            name, _brace, labels = series.partition("{")
            yield f'{name}{{instance="a",{labels or "}"}', value


def loaded(path: pathlib.Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
