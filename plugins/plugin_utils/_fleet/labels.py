# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the inventory says about a host: its groups, and the variables that were asked for."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable

MOST_VARIABLES = 5
_OF_ANSIBLE = frozenset({"all", "ungrouped"})


@dataclass(frozen=True)
class Labels:
    """The groups of a host, and a text for each variable that was asked for; None where there is none to show."""

    groups: tuple[str, ...] = ()
    variables: dict[str, str | None] = field(default_factory=dict, hash=False)


NO_LABELS = Labels()


def labels_of(variables: Mapping[str, t.Any], asked: Sequence[str]) -> Labels:
    """The labels of a host, from all variables that Ansible has of it. Nothing is rendered."""
    groups = variables.get("group_names") or ()
    return Labels(
        tuple(sorted({printable(group) for group in groups if group not in _OF_ANSIBLE})),
        {name: _shown(variables, name) for name in asked},
    )


def _shown(variables: Mapping[str, t.Any], name: str) -> str | None:
    """The value as a text; None for one of several values, and for one that the host itself has answered with."""
    value = variables.get(name)
    # Ansible makes variables of what a host answers, and these have precedence over the inventory. It has taken the
    # prefix off the names of facts, so that a fact may be that of either variable.
    if not {name, name.removeprefix("ansible_")}.isdisjoint(variables.get("ansible_facts") or {}):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return printable(str(value)) if isinstance(value, (str, int, float)) else None
    except ValueError:  # Python makes no text of a number with thousands of digits.
        return None
