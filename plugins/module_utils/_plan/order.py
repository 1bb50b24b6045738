# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: the order in which a change is carried out."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.change import ChangeSet


def steps_of(change: ChangeSet) -> list[Step]:
    """The steps of a change, in an order that the kernel permits and that leaves functions unpatched least."""
    if change.lifted or change.lowers_first:
        return _with_room_made(change)
    down = _lower(change, change.loaded) if change.moves.down and change.loaded else _settle(change)
    steps = [*down, *_out(change), *_in(change), *_up(change)]
    for patch in reversed(change.superseded):
        steps += _lower(change, patch) if patch.enabled else []
        steps.append(Step(Action.UNLOAD, patch.name))
    return steps


def _with_room_made(change: ChangeSet) -> list[Step]:
    moves = change.moves
    steps = _settle(change) if not moves.down else []
    registered_early = moves.in_ and not moves.out and not change.is_up_when_loaded
    if registered_early:
        # If the kernel does not take the new patch, nothing else was touched.
        steps += _in(change)
    for patch in reversed(change.snapshot.patches):
        if change.lowers(patch) or change.lifts(patch):
            steps += _lower(change, patch)
    steps += [Step(Action.UNLOAD, patch.name) for patch in reversed(change.superseded)]
    steps += _out(change)
    rise = _up(change) if registered_early else [*_in(change), *_up(change)]
    place = _place_among_lifted(change)
    return [*steps, *_lift_back(change, change.lifted[:place]), *rise, *_lift_back(change, change.lifted[place:])]


def _place_among_lifted(change: ChangeSet) -> int:
    """How many of the lifted patches are enabled again before the wanted one.

    A patch that is new or raised comes above all of them, one that was disabled below all, and one that was enabled
    keeps its place.
    With CONFIG_LIVEPATCH_STACK the kernel's list decides, in which a newly loaded module is the last.
    """
    loaded = change.loaded
    if loaded is None or change.overtaken or (change.moves.in_ and change.keeps_stacking):
        return len(change.lifted)
    if loaded.enabled or change.keeps_stacking:
        return sum(change.is_before(patch, loaded) for patch in change.lifted)
    return 0


def _settle(change: ChangeSet) -> list[Step]:
    """Wait for the transition of the wanted patch. One that is loaded is present, whatever its transition does."""
    is_present = change.wanted.state == State.PRESENT and not change.moves.in_
    is_waited_for = change.loaded and change.loaded.in_transition and not (change.moves.back or is_present)
    return change.abi.wait(change.wanted.name) if is_waited_for else []


def _lower(change: ChangeSet, patch: LoadedPatch) -> list[Step]:
    if change.disables_others and change.supersedes(patch) and not change.lowers_first:
        return []
    return change.abi.disable(patch.name)


def _out(change: ChangeSet) -> list[Step]:
    return [Step(Action.UNLOAD, change.wanted.name)] if change.moves.out else []


def _in(change: ChangeSet) -> list[Step]:
    return change.abi.load(change.wanted.name, change.file) if change.moves.in_ else []


def _up(change: ChangeSet) -> list[Step]:
    # A file that enables itself is enabled all the same: what it calls does not prove when.
    is_up_when_loaded = change.abi.loading_enables and not change.moves.back
    return change.abi.enable(change.wanted.name) if change.moves.up and not is_up_when_loaded else []


def _lift_back(change: ChangeSet, patches: tuple[LoadedPatch, ...]) -> list[Step]:
    return [step for patch in patches for step in change.abi.enable_again(patch.name, change.copies.get(patch.name))]
