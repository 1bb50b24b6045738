# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""What an advisory needs to know of a host, from the facts of livepatch_facts. They are not trusted."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix, fix_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import Distribution
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, Patch, read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import Reader


@dataclass(frozen=True)
class Host:
    """A host: its facts as the report reads them, its distribution, what `uname -v` prints, and its fixes.

    `fixes` are what its patches fix that are loaded, live, and of no run that has not ended.
    """

    facts: Facts
    distribution: Distribution
    built: str = ""
    fixes: tuple[tuple[str, Fix], ...] = ()


def read_host(data: t.Any) -> Host:
    """The host in the facts. Raises DataError if they are not valid."""
    facts = read_facts(data)
    reader = Reader(data, "ansible_facts.livepatch")
    of = reader.inner("distribution")
    keys = ("id", "name", "version", "like", "line")
    noted = {entry.text("name"): fix_in(entry.value("fix")) for entry in reader.each("patches")}
    fixes = ((patch.name, noted.get(patch.name)) for patch in facts.patches if _counts(patch, facts))
    return Host(
        facts=facts,
        distribution=Distribution(**{key: of.text_or_none(key) for key in keys}),
        built=reader.inner("kernel").text_or_none("version") or "",
        fixes=tuple((name, fix) for name, fix in fixes if fix),
    )


def _counts(patch: Patch, facts: Facts) -> bool:
    is_left_alone = not (facts.unfinished and facts.unfinished.concerns(patch.name))
    return patch.enabled and patch.is_live and not patch.in_transition and is_left_alone
