# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The report for the textfile collector of node_exporter. Hosts are counted, because as labels they are too many."""

from __future__ import annotations

import heapq
import typing as t
from datetime import datetime

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.exposition import exposition, labels_text
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Fleet, Host, Tally, largest_first
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.statuses import PLACE

MOST_KERNELS = 50
"""The most series of kernels. Hosts choose these names, so the rest is counted in one series."""

MOST_HOSTS = 1000
"""The most series of single hosts: each host and fix is one. A fleet without a fix would have all of them."""

MOST_GROUPS = 100
"""The most groups of the inventory with series of their own, the largest first."""

Sample = tuple[dict[str, str], int]


def as_prometheus(fleet: Fleet) -> str:
    """The metrics. All but those of kernels and hosts have the same series in each report of the same releases."""
    tally, by_fix = fleet.tally(), fleet.by_fix()
    left_out = sum(not standing.is_protected for host in fleet.hosts for standing in host.standings) - MOST_HOSTS
    times = fleet.read_times()
    read = (("oldest", times[:1]), ("newest", times[-1:]))
    metrics: list[tuple[str, str, list[Sample]]] = [
        ("report_timestamp_seconds", "When the report was made.", _at([fleet.now])),
        *((f"{which}_facts_timestamp_seconds", f"When the {which} facts were read.", _at(of)) for which, of in read),
        ("hosts", "Hosts by headline, the first of their statuses.", _by_status(tally.headlines)),
        ("hosts_with_status", "Hosts by status; a host may have several.", _by_status(fleet.with_status())),
        (
            "protection",
            "Hosts by whether all fixes protect them.",
            _protection(tally) if fleet.releases else [],
        ),
        ("fix_hosts", "Hosts by headline for a fix.", _by_status_of("fix", by_fix)),
        ("fix_protection", "Hosts by whether a fix protects them.", _by_protection("fix", by_fix)),
        ("cve_protection", "Hosts by whether they are protected from a CVE.", _by_protection("cve", fleet.by_cve())),
        (
            "group_protection",
            f"Hosts of a group of the inventory by whether all fixes protect them; at most {MOST_GROUPS} groups.",
            _by_protection("group", dict(largest_first(fleet.by_group())[:MOST_GROUPS])) if fleet.releases else [],
        ),
        (
            "unprotected_host",
            f"A host that a fix is not known to protect, the worst status first; at most {MOST_HOSTS}.",
            _unprotected(fleet),
        ),
        (
            "unprotected_hosts_left_out",
            "How many of these have no sample.",
            [({}, max(0, left_out))] if fleet.releases else [],
        ),
        ("kernel_hosts", "Hosts by running kernel.", _kernels(fleet.by_kernel())),
    ]
    return exposition((name, text, _together(samples)) for name, text, samples in metrics)


def _at(moments: list[datetime]) -> list[Sample]:
    return [({}, int(moment.timestamp())) for moment in moments]


def _by_status(counts: t.Mapping[str, int], **more: str) -> list[Sample]:
    return [({**more, "status": status}, count) for status, count in counts.items()]


def _by_status_of(kind: str, tallies: t.Mapping[str, Tally]) -> list[Sample]:
    return [sample for key, tally in tallies.items() for sample in _by_status(tally.headlines, **{kind: key})]


def _by_protection(kind: str, tallies: t.Mapping[str, Tally]) -> list[Sample]:
    return [sample for key, tally in tallies.items() for sample in _protection(tally, **{kind: key})]


def _protection(tally: Tally, **more: str) -> list[Sample]:
    counts = {"protected": tally.protected, "unprotected": tally.unprotected, "unknown": tally.unknown}
    return [({**more, "protection": protection}, count or 0) for protection, count in counts.items()]


def _unprotected(fleet: Fleet) -> list[Sample]:
    """A sample for each host and fix that does not protect it, as far as is known; the worst first."""
    found = ((host, standing) for host in fleet.hosts for standing in host.standings if not standing.is_protected)
    return [
        ({"fix": standing.fix, "host": host.name, "status": standing.headline, **_labels(host, fleet.variables)}, 1)
        for host, standing in heapq.nsmallest(MOST_HOSTS, found, key=lambda one: PLACE[one[1].headline])
    ]


def _labels(host: Host, variables: tuple[str, ...]) -> dict[str, str]:
    """The labels that an alert is sent by: who owns the host."""
    owners = {f"variable_{name}": host.labels.variables.get(name) or "" for name in variables}
    return {"groups": ",".join(host.labels.groups), **owners}


def _kernels(tallies: t.Mapping[str, Tally]) -> list[Sample]:
    by_size = largest_first(tallies)
    named = sorted((kernel, tally.hosts) for kernel, tally in by_size[:MOST_KERNELS])
    samples: list[Sample] = [({"kernel": kernel}, hosts) for kernel, hosts in named]
    rest = sum(tally.hosts for _kernel, tally in by_size[MOST_KERNELS:])
    return [*samples, ({"kernel": "other"}, rest)] if rest else samples


def _together(samples: list[Sample]) -> dict[str, int]:
    """The samples by their labels as they are written. Of two series with the same ones, the collector takes neither.

    A host may choose the name of its kernel, such as `other`.
    """
    found: dict[str, int] = {}
    for labels, value in samples:
        written = labels_text(labels)
        found[written] = found.get(written, 0) + value
    return found
