# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: what a host remembers of the patches that others took the place of, so that each revert goes one step back.

A loaded patch has what it displaced, each of that what it had displaced before, and so on. It is a history: a patch
that goes takes what it remembers along, and what is brought back has it again.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import MOST_STEPS_BACK
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced

Content = t.Tuple[str, t.Optional[str], str]


def remembered(
    displaced: t.Iterable[Displaced], newer: frozenset[Content] = frozenset(), steps: int = MOST_STEPS_BACK
) -> tuple[Displaced, ...]:
    """What is kept of this history: each build where it was displaced last, and no more steps than there is room for.

    `newer` are the builds that were displaced after these. What a left out build had displaced is kept in its place:
    a host that goes to and fro between two builds keeps what was there before both, and its record does not grow.
    """
    kept: dict[str, Displaced] = {}
    for other in displaced if steps else ():
        if other.content in newer:
            for older in remembered(other.displaced, newer, steps):
                kept.setdefault(older.name, older)
        else:
            older_ones = remembered(other.displaced, newer.union([other.content]), steps - 1)
            kept[other.name] = replace(other, displaced=older_ones)
    return tuple(kept.values())


def all_of(displaced: t.Iterable[Displaced]) -> t.Iterator[Displaced]:
    """All that is remembered, to any depth."""
    for other in displaced:
        yield other
        yield from all_of(other.displaced)
