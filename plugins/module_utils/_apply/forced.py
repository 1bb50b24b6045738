# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What a forced transition leaves behind: modules that the kernel never lets go."""

from __future__ import annotations

import errno

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import without_pinned


class Forced:
    """The transitions that a run has forced (`names`), and the patches whose modules stay loaded for that (`pinned`).

    `earlier` says that a run before this one has forced a transition.
    """

    def __init__(self, earlier: bool = False) -> None:
        self.names: list[str] = []
        self.pinned: list[str] = []
        self._is_known = earlier
        self._enabled: list[str] = []

    def begin(self, before: Snapshot) -> None:
        """Note which patches are enabled before the run."""
        self._enabled = [patch.name for patch in before.patches if patch.enabled]

    def note(self, name: str, enabling: bool, before: Snapshot, after: Snapshot) -> None:
        """Note a forced transition: the host right before it, and after it has ended.

        The kernel never puts the module of what is disabled so: of the patch itself, or of all that one with the
        replace flag has replaced (klp_force_transition() in kernel/livepatch/transition.c).
        """
        self.names.append(name)
        self._is_known = True
        replaced = [patch.name for patch in before.patches if patch.enabled and not _is_enabled(after, patch.name)]
        self.pinned += [other for other in replaced if other != name] if enabling else [name]

    def stays(self, step: Step) -> bool:
        """Whether a step is to unload a module that the kernel never lets go."""
        return step.action == Action.UNLOAD and step.patch in self.pinned

    def holds(self, name: str, number: int | None) -> bool:
        """Whether force is the reason why the kernel does not let a module go, as it has answered for long enough.

        Before Linux 5.18 the kernel marked all patches when one transition was forced. What this run has disabled must
        not fail for that: rolling back could not bring it back.
        """
        if not (self._is_known and number == errno.EAGAIN and name in self._enabled):
            return False
        self.pinned.append(name)
        return True

    def without_pinned(self, plan: Plan, before: Snapshot, now: Snapshot) -> Plan:
        """The plan without what cannot be rolled back for that, see there."""
        return without_pinned(plan, before, now, self.pinned) if self._is_known else plan


def _is_enabled(snapshot: Snapshot, name: str) -> bool:
    patch = snapshot.patch(name)
    return patch is not None and patch.enabled
