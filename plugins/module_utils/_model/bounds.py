# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What each number that a user gives may be: the one table for modules and roles, whose documentation follows it."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import bad_argument


@dataclass(frozen=True)
class Bounds:
    """The least and the most that a number may be."""

    least: float
    most: float

    def __str__(self) -> str:
        return f"from {self.least:g} to {self.most:g}"

    def admit(self, number: float) -> bool:
        """Whether the number is within the bounds; NaN never is."""
        return self.least <= number <= self.most


PATCH_FILE_MAX = 256 * 1024**2
"""How many bytes a patch file may have: it is read as a whole, and the largest ones have some megabytes."""

PARAMETERS_MAX = 4096
"""How many characters the parameters of a module may have together. The kernel sets no bound below its memory's."""

PARAMETER_TEXT_MAX = 1024
"""How many characters the kernel takes for a text (kernel/params.c, param_set_charp())."""

COUNT = Bounds(0, 1000)
PAUSE = Bounds(0, 3600)
DAY = Bounds(0, 86400)
WEEK = Bounds(0, 604800)

BOUNDS: dict[str, dict[str, Bounds]] = {
    "livepatch_module": {
        "timeout": DAY,
        "retries": COUNT,
        "delay": PAUSE,
        "watch": DAY,
        "probe.retries": COUNT,
        "probe.timeout": Bounds(0.1, 3600),
    },
    "livepatch_build": {
        "timeout": Bounds(1, 604800),
        "cache_max_age": Bounds(1, 3650),
        "cache_max_size": Bounds(1, 100000),
        "jobs": Bounds(1, 4096),
        "debug": Bounds(0, 10),
    },
    "livepatch_report": {
        "max_age": Bounds(1, 604800),
    },
    "boot": {
        "livepatch_boot_healthy_after": DAY,
        "livepatch_boot_timeout": Bounds(1, 86400),
        "livepatch_boot_metrics_every": Bounds(10, 86400),
    },
    "rollout": {
        "livepatch_rollout_max_fail_percentage": Bounds(0, 100),
        "livepatch_rollout_soak": WEEK,
        "livepatch_rollout_watch": DAY,
        "livepatch_rollout_timeout": DAY,
        "livepatch_rollout_retries": COUNT,
        "livepatch_rollout_delay": PAUSE,
        "livepatch_rollout_gates.load_average": Bounds(0, 100000),
        "livepatch_rollout_gates.status_code": Bounds(100, 599),
        "livepatch_rollout_gates.timeout": Bounds(1, 3600),
        "livepatch_rollout_gates.retries": COUNT,
        "livepatch_rollout_gates.delay": PAUSE,
    },
    "report": {
        "livepatch_report_max_age": Bounds(1, 604800),
    },
}
"""Module or role -> option -> bounds. A dot leads to the options in an option, be it one dictionary or a list."""


def bad_numbers(owner: str, values: t.Mapping[str, t.Any]) -> list[str]:
    """A sentence for each number that is out of the bounds of its option. What is no number is left to Ansible."""
    return [
        f"{option} is {_shown(value)}, and must be a number {bounds}."
        for option, bounds in BOUNDS[owner].items()
        for value in _values(values, option.split("."))
        if not bounds.admit(_number(value, bounds.least))
    ]


def check_numbers(owner: str, values: t.Mapping[str, t.Any]) -> None:
    """Raise FindingError if a number is out of its bounds."""
    bad = bad_numbers(owner, values)
    if bad:
        raise bad_argument(" ".join(bad), "Correct that, then run the task again.")


def _values(value: t.Any, path: t.Sequence[str]) -> t.Iterator[t.Any]:
    """What is given at this path; in each entry of a list on the way."""
    if isinstance(value, (list, tuple)):
        for entry in value:
            yield from _values(entry, path)
    elif not path:
        yield value
    elif isinstance(value, t.Mapping):
        yield from _values(value.get(path[0]), path[1:])


def _number(value: t.Any, otherwise: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return otherwise


def _shown(value: t.Any) -> str:
    try:
        text = str(value)
    except ValueError:
        return "a number of thousands of digits"  # Python 3.11 and later do not write it.
    return text if len(text) <= 40 else f"{text[:40]}..."
