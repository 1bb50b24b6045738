# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: rolling back on stop_machine kernels, where a loaded patch is enabled and disabled in its place."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Plan, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import (
    is_as_before,
    is_gone,
    movable_of,
    new_patches,
    overtaken,
    stays_out,
    strangers_in,
)


def stop_machine_steps(before: Snapshot, now: Snapshot, plan: Plan, stored: Stored) -> list[Step]:
    """Disable what is out of order, unload what is new, load what is missing, and enable in the old order."""
    changed = [patch for patch in before.patches if patch.name in plan.names]
    is_covering = any(upper.name == plan.about for patch in changed for upper in before.covering(patch))
    strangers = strangers_in(now, before, plan)
    above = overtaken(before, plan)
    names = (*plan.names, *((plan.about,) if is_covering else ()), *above)
    movable = movable_of(names, strangers, before, now, plan)
    gone = [patch.name for patch in changed if is_gone(patch, now, plan)]
    # Where the kernel's list decides, they come above it only if they are loaded after it.
    again = [plan.about, *above] if above and _is_out_of_place(before, now, plan) else []
    again = again if all(name in stored for name in again) else []
    gone = [patch.name for patch in before.patches if patch.name in (*gone, *again)]
    were_up = [patch for patch in before.patches if patch.enabled and patch.name in movable]
    are_up = [patch.name for patch in now.patches if patch.enabled and patch.name in movable]
    in_place = []
    for was, is_now in zip(were_up, are_up):
        if was.name != is_now or is_now in gone:
            break
        in_place.append(is_now)
    steps = [Step(Action.DISABLE, name) for name in reversed(are_up) if name not in in_place]
    # What is new and down does nothing: that it cannot be unloaded must not keep what was live from coming back. But
    # with CONFIG_LIVEPATCH_STACK it has to go before what comes behind it can be enabled.
    new = [Step(Action.UNLOAD, name) for name in new_patches(plan, before) if now.patch(name)]
    steps += [] if now.stacking_enforced is False else new
    for name in gone:
        steps += [Step(Action.UNLOAD, name)] if now.patch(name) else []
        steps += [Step(Action.LOAD, name, stored[name])] if name in stored else []
    lost = [name for name in gone if name not in stored]
    rising = [patch for patch in were_up if patch.name not in (*in_place, *lost)]
    if now.stacking_enforced or again:
        # The kernel's list decides, and what is loaded again is its last.
        places = {patch.name: place for place, patch in enumerate(now.patches) if patch.name not in gone}
        rising.sort(key=lambda patch: places.get(patch.name, len(now.patches)))
    staying = [patch for patch in before.patches if patch.enabled and patch not in rising]
    below = [patch for patch in staying if is_as_before(now.patch(patch.name), patch, plan)] + strangers
    for patch in rising:
        if not stays_out(patch, below, before, plan):
            steps.append(Step(Action.ENABLE, patch.name))
        below.append(patch)
    return steps + (new if now.stacking_enforced is False else [])


def _is_out_of_place(before: Snapshot, now: Snapshot, plan: Plan) -> bool:
    """Whether the kernel's list may decide, and the wanted patch has lost its place in it by being unloaded."""
    was, loaded = before.patch(plan.about), now.patch(plan.about)
    is_loaded_anew = loaded is None or (was is not None and loaded.instance != was.instance)
    return now.stacking_enforced is not False and is_loaded_anew
