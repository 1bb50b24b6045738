# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What rolling back takes out and loads again although the plan is not about it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan


class Moved:
    """The patches that are moved so. `before_move` is called with all of them before another one is."""

    def __init__(self, before_move: t.Callable[[tuple[str, ...]], None]) -> None:
        self._before_move = before_move
        self._names: tuple[str, ...] = ()

    def note(self, plan: Plan, moved: t.Iterable[str]) -> Plan:
        """Note what is about to be moved, and what a load has disabled. Returns the plan, which is about all of it."""
        names = tuple(dict.fromkeys((*self._names, *plan.replaced, *moved)))
        if names != self._names:
            self._names = names
            self._before_move(names)
        return self.with_all(plan)

    def with_all(self, plan: Plan) -> Plan:
        """The plan, which is also about what was moved."""
        return replace(plan, replaced=tuple(dict.fromkeys((*plan.replaced, *self._names))))
