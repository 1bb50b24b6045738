# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: what the patches of a plan have displaced once it is carried out, and what is not remembered any more."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import MOST_STEPS_BACK
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.displaced import all_of, remembered
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced, Plan, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback_rules import is_gone

History = t.Mapping[str, t.Tuple[Displaced, ...]]
"""What each loaded patch has displaced, by its name."""


def _gone_patches(before: Snapshot, plan: Plan, after: Snapshot) -> list[LoadedPatch]:
    """The patches of the plan that are not loaded afterwards, or of which a different build is."""
    return [patch for patch in before.patches if patch.name in plan.name_set and is_gone(patch, after, plan)]


def displaced_after(
    wanted: Wanted,
    before: Snapshot,
    plan: Plan,
    after: Snapshot,
    stored: Stored,
    history: History,
    going: t.Collection[str] = (),
) -> dict[str, tuple[Displaced, ...]]:
    """What is to be noted of the patches for which the plan has changed that. Patches in `going` count as displaced."""
    gone = _gone_patches(before, plan, after)
    if wanted.state == State.REVERTED:
        return _of_what_is_back(wanted.name, before, gone, history)
    leaving = {patch.name for patch in gone}.union(going)
    gone = [patch for patch in before.patches if patch.name in leaving]
    if wanted.state not in (State.ENABLED, State.PRESENT) or not gone:
        return {}
    names = {patch.name for patch in gone}
    earlier = () if wanted.name in names else history.get(wanted.name, ())
    known = {displaced.name: displaced for displaced in earlier}
    others = {wanted.name, *names}
    now = [
        _displaced(patch, known.get(patch.name), stored, history.get(patch.name, ()), _coverers(before, patch, others))
        for patch in gone
    ]
    return {wanted.name: remembered((*(displaced for displaced in earlier if displaced.name not in names), *now))}


def _of_what_is_back(
    name: str, before: Snapshot, gone: t.Sequence[LoadedPatch], history: History
) -> dict[str, tuple[Displaced, ...]]:
    """What each patch that is brought back had displaced. One that was loaded all the time has its own history."""
    stays = {patch.name for patch in before.patches}.difference(patch.name for patch in gone)
    return {
        displaced.name: (history.get(displaced.name) if displaced.name in stays else None) or displaced.displaced
        for displaced in history.get(name, ())
    }


def _displaced(
    patch: LoadedPatch,
    known: Displaced | None,
    stored: Stored,
    older: tuple[Displaced, ...],
    under: tuple[str, ...],
) -> Displaced:
    """A patch that goes now. `known` is what was noted when a patch of this name went the last time."""
    if known and known.enabled and not patch.enabled:
        # An earlier run may have disabled it, and left the rest to this one.
        return replace(known, displaced=older or known.displaced)
    now = Displaced(patch.name, patch.enabled, stored.get(patch.name), under, older)
    # The same build again, which has displaced nothing since: what it had displaced then is still what was before it.
    return replace(now, displaced=known.displaced) if known and known.content == now.content and not older else now


def _coverers(snapshot: Snapshot, patch: LoadedPatch, except_of: t.Collection[str]) -> tuple[str, ...]:
    names = {above.name for stack in snapshot.above(patch).values() for above in stack}
    return tuple(sorted(names.difference(except_of)))


def with_forgotten(plan: Plan, wanted: Wanted, displaced: t.Sequence[Displaced], history: History) -> Plan:
    """The plan with a note on what no revert brings back any more after it, because too many were displaced since.

    `displaced` is what the wanted patch has displaced then, `history` what each patch has now.
    """
    was = [history.get(name, ()) for name in (wanted.name, *(other.name for other in displaced))]
    kept = {other.content for other in all_of(displaced)}
    lost = dict.fromkeys(other.name for ones in was for other in all_of(ones) if other.content not in kept)
    if not lost:
        return plan
    note = _not_remembered(lost, f"The host remembers the last {MOST_STEPS_BACK} steps.")
    return replace(plan, notes=(*plan.notes, note))


def with_memory_lost(plan: Plan, wanted: Wanted, after: Snapshot, history: History) -> Plan:
    """The plan with a note on what nothing remembers any more when the wanted patch is gone with its history."""
    others = (of for name, of in history.items() if name != wanted.name and after.patch(name))
    known = {other.content for of in others for other in all_of(of)}
    forgotten = [other for other in all_of(history.get(wanted.name, ())) if other.content not in known]
    names = dict.fromkeys(other.name for other in forgotten if not after.patch(other.name))
    if after.patch(wanted.name) or not names:
        return plan
    note = _not_remembered(names, f"What {wanted.name} took the place of is remembered as long as that is loaded.")
    return replace(plan, notes=(*plan.notes, note))


def _not_remembered(names: t.Iterable[str], why: str) -> Finding:
    return Finding(
        reason="not_remembered",
        seen=f"After this no revert brings back {', '.join(names)}.",
        remedy="Keep the file at hand.",
        why=why,
        severity=INFO,
    )
