# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The state that a plan leads to, or that rolling it back leads to, compared with what the host shows."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import (
    changes_of_others,
    concerned,
    deviations,
)


class Goal:
    """What a host is to be like, as far as a plan is about it: somebody else's patches may come and go.

    `state` is the goal, `about` the plan. `found` is the host when it was read last, `others` says which patches that
    the plan is not about have changed by then.
    """

    def __init__(self, before: Snapshot, state: Snapshot, about: Plan) -> None:
        self._before = before
        self._state = state
        self._about = about
        self.found = before
        self.others: tuple[str, ...] = ()

    def deviations(self, found: Snapshot) -> list[str]:
        """In what the host differs from the goal."""
        names = concerned(self._about, self._before, self._state, found).union(self._replaced(found))
        self.found, self.others = found, changes_of_others(self._before, found, names)
        return deviations(self._state, found, names)

    def _replaced(self, found: Snapshot) -> list[str]:
        """The patches that came after the first reading, and that a load of the plan may have disabled."""
        replaces = any(file.replace is not False for file in self._about.loads)
        if not (replaces and abi_of(found).loading_enables):
            return []
        return [patch.name for patch in found.patches if not (patch.enabled or self._before.patch(patch.name))]

    def prove(self, found: Snapshot) -> Snapshot:
        """Return the host, which is as it is to be. Raises StepFailed if it is not."""
        differences = self.deviations(found)
        if differences:
            raise StepFailed(
                "prove the result",
                Finding(
                    reason="not_as_planned",
                    seen="Every step succeeded, but {}.".format("; ".join(differences)),
                    remedy="Look for another tool that changes live patches on this host, then run the task again.",
                ),
            )
        return found
