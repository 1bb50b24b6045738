# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds docs/monitoring/livepatch-dashboard.json with Grafana's own SDK, which has the types of its schema.

python tests/monitoring/dashboard.py > docs/monitoring/livepatch-dashboard.json
"""

from __future__ import annotations

import typing as t

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")

HEIGHT, WHOLE = 8, 24


def query(expr: str, legend: str = "", is_now: bool = False) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id("A")
    return made.instant().format("table") if is_now else made


def number(title: str, description: str, expr: str) -> stat.Panel:
    panel = stat.Panel().title(title).description(description).datasource(SOURCE).height(4).span(WHOLE // 4)
    return panel.with_target(query(expr))


def lines(title: str, description: str, expr: str, legend: str, unit: str = "short") -> timeseries.Panel:
    panel = timeseries.Panel().title(title).description(description).datasource(SOURCE)
    return panel.unit(unit).min(0).height(HEIGHT).span(WHOLE // 2).with_target(query(expr, legend))


def rows(title: str, description: str, expr: str) -> table.Panel:
    panel = table.Panel().title(title).description(description).datasource(SOURCE)
    return panel.height(HEIGHT).span(WHOLE).with_target(query(expr, is_now=True))


def text() -> str:
    """The dashboard as JSON."""
    made = (
        dashboard.Dashboard("Kernel live patches")
        .uid("openeuler-livepatch")
        .tags(["kernel", "livepatch"])
        .description("What the hosts write (role boot, livepatch_boot_metrics_directory), and what a report counts.")
        .readonly()
        .refresh("5m")
        .time("now-7d", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_row(dashboard.Row("Hosts"))
        .with_panel(number("Hosts", "Hosts that write metrics.", "count(livepatch_known) or vector(0)"))
        .with_panel(
            number(
                "Lost fixes",
                "Patches that are accepted for another kernel than the one that runs.",
                "sum(livepatch_boot_lost) or vector(0)",
            )
        )
        .with_panel(
            number(
                "Unknown",
                "Hosts of which nobody can tell which patches are live.",
                "count(livepatch_known == 0) or vector(0)",
            )
        )
        .with_panel(
            number(
                "Reboot required",
                "Hosts where only a reboot finishes what was begun.",
                "sum(livepatch_reboot_required) or vector(0)",
            )
        )
        .with_panel(
            lines(
                "Live on hosts",
                "On how many hosts all functions of a fix are live.",
                "count by (fix, patch) (livepatch_patch_effective == 1)",
                "{{fix}} {{patch}}",
            )
        )
        .with_panel(
            lines(
                "Kept by the next boot",
                "The part of the hosts with a patch whose boots load it again.",
                "avg by (fix, patch) (livepatch_patch_accepted)",
                "{{fix}} {{patch}}",
                "percentunit",
            )
        )
        .with_panel(
            rows(
                "Hosts with a lost fix",
                "Build it for the kernel that runs, and roll it out.",
                "livepatch_boot_lost == 1",
            )
        )
        .with_panel(
            rows(
                "Patches that are not wholly live",
                "Others cover them, or what they patch is not loaded.",
                "livepatch_patch_enabled == 1 and on (instance, patch) livepatch_patch_effective < 1",
            )
        )
        .with_row(dashboard.Row("Fleet, as the last report counts it"))
        .with_panel(
            lines(
                "Protection",
                "Hosts by whether a fix protects them.",
                "sum by (fix, protection) (livepatch_fix_protection)",
                "{{fix}} {{protection}}",
            )
        )
        .with_panel(lines("Status", "Hosts by headline.", "sum by (status) (livepatch_hosts)", "{{status}}"))
    )
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def queries(made: t.Any) -> t.Iterator[str]:
    """Each query of a dashboard's data."""
    if isinstance(made, dict):
        if isinstance(made.get("expr"), str):
            yield made["expr"]
        for value in made.values():
            yield from queries(value)
    elif isinstance(made, list):
        for value in made:
            yield from queries(value)


if __name__ == "__main__":
    print(text(), end="")
