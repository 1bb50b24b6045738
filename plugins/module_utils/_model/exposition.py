# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The text format of Prometheus' metrics, as node_exporter's textfile collector reads it."""

from __future__ import annotations

import typing as t

Metric = t.Tuple[str, str, t.Mapping[str, float]]
"""A name without its prefix, what it tells, and the values by their labels as `labels_text` writes them."""


def exposition(metrics: t.Iterable[Metric]) -> str:
    """The metrics as text. One without a sample is left out."""
    lines = []
    for name, text, samples in metrics:
        if samples:
            lines += [f"# HELP livepatch_{name} {text}", f"# TYPE livepatch_{name} gauge"]
            lines += [f"livepatch_{name}{labels} {float(value):.12g}" for labels, value in samples.items()]
    return "".join(f"{line}\n" for line in lines)


def labels_text(labels: t.Mapping[str, str]) -> str:
    """The labels of a sample, in braces; empty without any."""
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
