# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The state that a plan leads to, or that rolling it back leads to, compared with what the host shows."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import (
    changes_of_others,
    concerned,
    deviations,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replaced import (
    disabled_by_load,
    lost_by_load,
    names_of_suspects,
    replaced_by,
    to_stay,
    will_disable,
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
        replaced = replaced_by(self._about, self._before, found)
        names = concerned(self._about, self._before, self._state, found).union(replaced)
        self.found, self.others = found, changes_of_others(self._before, found, names)
        return deviations(self._state, found, names)

    def check_load(self, step: Step, look: t.Callable[[], Snapshot], later: t.Container[str]) -> None:
        """Look at the host right after a load. Raises StepFailed if the patch is about to disable what is to stay.

        The kernel disables others when the transition ends: until then it can be reversed, and nothing is lost. Where
        no other patch is to stay, nobody looks.
        """
        if not to_stay(self._state, step.patch, later):
            return
        finding = will_disable(self._about, self._state, look(), step.patch, later)
        if finding:
            raise StepFailed(str(step), finding)

    def prove(self, found: Snapshot) -> Snapshot:
        """Return the host, which is as it is to be. Raises StepFailed if it is not."""
        differences = self.deviations(found)
        if differences and not self._stands(found):
            finding = disabled_by_load(self._about, self._state, self._before, found)
            raise StepFailed("prove the result", finding or self._not_as_planned(differences, found))
        return found

    def _stands(self, found: Snapshot) -> bool:
        """Whether the wanted patch is enabled and live as planned, and all that the plan has changed is.

        Others may have loaded or unloaded patches below it. Without it the host might have no fix at all.
        """
        plan, goal, now = self._about, self._state.patch(self._about.about), found.patch(self._about.about)
        own = frozenset((*plan.names, plan.about))
        if not (goal and goal.enabled and now) or deviations(self._state, found, own):
            return False
        if lost_by_load(plan, self._state, self._before, found) or not _is_as_free(now, found, goal, self._state):
            return False
        self.others = changes_of_others(self._before, found, own)
        return True

    def _not_as_planned(self, differences: list[str], found: Snapshot) -> Finding:
        looks = "Look for another tool that changes live patches on this host, then run the task again."
        suspects = names_of_suspects(self._about, self._state, self._before, found)
        return Finding(
            reason="not_as_planned",
            seen="Every step succeeded, but {}.".format("; ".join(differences)),
            remedy=f"Find out whether {suspects} has the replace flag. {looks}" if suspects else looks,
        )


def _is_as_free(now: LoadedPatch, found: Snapshot, goal: LoadedPatch, state: Snapshot) -> bool:
    """Whether no other patches cover this one than in the goal."""
    planned = {patch.name for patch in state.covering(goal)}
    return planned.issuperset(patch.name for patch in found.covering(now))
