# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: what one task moves on a host, and which other patches have to make room for it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.once import once
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    CONTAINED,
    OnCovered,
    State,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import Abi, abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.states import clash


@dataclass(frozen=True)
class Moves:
    """What becomes of the wanted patch, in this order: it goes `down`, goes `out`, comes `in_`, goes `up`.

    `back` turns a transition that disables it. Each stands for a change of the kernel; all false is no change.
    """

    down: bool = False
    out: bool = False
    in_: bool = False
    up: bool = False
    back: bool = False


def moves_of(abi: Abi, loaded: LoadedPatch | None, state: str, other_build: bool) -> Moves:
    """The moves of a patch to a state. `other_build` says that the file has another build than the loaded patch."""
    enabled = loaded is not None and loaded.enabled
    moving = loaded is not None and loaded.in_transition
    exchanged = loaded is not None and other_build and state in (State.ENABLED, State.PRESENT)
    back = abi.loading_enables and moving and not (enabled or exchanged) and state == State.ENABLED
    # A per_task kernel drops a disabled patch: only loading its module again enables it.
    reloaded = abi.loading_enables and loaded is not None and not (enabled or moving) and state == State.ENABLED
    in_ = exchanged or reloaded or (loaded is None and state in (State.ENABLED, State.PRESENT))
    return Moves(
        down=enabled and (exchanged or state in (State.ABSENT, State.DISABLED)),
        out=loaded is not None and (exchanged or reloaded or state == State.ABSENT),
        in_=in_,
        up=(in_ and abi.loading_enables) or (exchanged and enabled) or (state == State.ENABLED and not enabled),
        back=back,
    )


@dataclass(frozen=True)
class ChangeSet:
    """One task's change of a host, as far as it follows from the snapshot and what is wanted.

    `loaded` and `file` are the wanted patch as it is loaded and as it would be loaded. `superseded` patches go.
    `lowered` are the enabled patches that are disabled for good, or for an exchange. `involved` are enabled patches
    whose order with those matters; `lifted` are those of them, and above them, that are disabled for a moment and
    enabled again in their old order. `overtaken` are the enabled patches that the wanted one is raised above: they
    cover it, or would.
    """

    snapshot: Snapshot
    wanted: Wanted
    copies: Stored
    abi: Abi
    loaded: LoadedPatch | None
    file: PatchFile | None
    moves: Moves
    superseded: tuple[LoadedPatch, ...] = ()
    lowered: tuple[LoadedPatch, ...] = ()
    involved: tuple[LoadedPatch, ...] = ()
    lifted: tuple[LoadedPatch, ...] = ()
    overtaken: tuple[LoadedPatch, ...] = ()

    @once
    def functions(self) -> tuple[Function, ...]:
        """The functions that the wanted patch replaces: those of its file, else those that the kernel shows."""
        if self.file and self.file.functions is not None:
            return self.file.functions
        return self.loaded.functions if self.loaded else ()

    @once
    def function_set(self) -> frozenset[Function]:
        """The same, to look one up."""
        return frozenset(self.functions)

    @once
    def named(self) -> frozenset[str]:
        """What the task names in supersedes."""
        return frozenset(self.wanted.supersedes)

    def supersedes(self, patch: LoadedPatch) -> bool:
        """Whether this patch of the host is superseded."""
        return patch.name in self._superseded

    def lowers(self, patch: LoadedPatch) -> bool:
        return patch.name in self._lowered

    def lifts(self, patch: LoadedPatch) -> bool:
        return patch.name in self._lifted

    @once
    def _superseded(self) -> frozenset[str]:
        return frozenset(patch.name for patch in self.superseded)

    @once
    def _lowered(self) -> frozenset[str]:
        return frozenset(patch.name for patch in self.lowered)

    @once
    def _lifted(self) -> frozenset[str]:
        return frozenset(patch.name for patch in self.lifted)

    @property
    def is_known(self) -> bool:
        """Whether it is known which functions the wanted patch replaces.

        A stop_machine kernel shows those of a disabled patch, a per_task kernel does not.
        """
        file_tells = self.file is not None and self.file.functions is not None
        return bool(self.functions) or file_tells or (self.loaded is not None and not self.abi.loading_enables)

    @property
    def keeps_stacking(self) -> bool:
        """Whether the plan obeys CONFIG_LIVEPATCH_STACK. Where that is unknown, only with on_covered: unstack."""
        may_move = self.wanted.on_covered == OnCovered.UNSTACK and self.wanted.state != State.DISABLED
        return bool(self.abi.stacking) or (self.abi.stacking is None and may_move)

    @property
    def is_up_when_loaded(self) -> bool:
        """Whether loading the file enables the patch."""
        return self.abi.loading_enables or bool(self.file and self.file.enables_itself)

    @property
    def may_disable_others(self) -> bool:
        """Whether loading the file may disable all others: it does not show whether it has the replace flag."""
        return bool(self.abi.loading_enables and self.moves.in_ and self.file and self.file.replace is None)

    @property
    def disables_others(self) -> bool:
        """Whether the kernel disables all others by itself, when the file is loaded or the running transition ends.

        See klp_unpatch_replaced_patches() in kernel/livepatch/core.c.
        """
        if not self.abi.loading_enables:
            return False
        if self.moves.in_:
            return bool(self.file and self.file.replace)
        loaded = self.loaded
        if loaded is None or not (loaded.enabled and loaded.in_transition) or self.moves.down:
            return False
        # Kernels before 6.11 do not show the flag.
        return bool(self.file and self.file.replace if loaded.replace is None else loaded.replace)

    @once
    def lowers_first(self) -> bool:
        """Whether superseded patches are disabled first: with CONFIG_LIVEPATCH_STACK not below an enabled patch.

        A per_task kernel does not load the wanted one beside one of whose system states it does not know enough.
        """
        must = self.abi.stacking is not False or (
            self.abi.loading_enables
            and any(patch.enabled and clash(self.file, self.copies.get(patch.name)) for patch in self.superseded)
        )
        return must and bool(self.superseded) and self.moves.up

    def is_before(self, patch: LoadedPatch, other: LoadedPatch) -> bool:
        """Whether a patch comes before another one in the kernel's order."""
        return self._place(patch) < self._place(other)

    def _place(self, patch: LoadedPatch) -> int:
        place = self.snapshot.place_of(patch)
        if place is None:
            raise ValueError(f"{patch.name} is not in the snapshot.")
        return place

    def behind(self) -> list[LoadedPatch]:
        """With CONFIG_LIVEPATCH_STACK: the enabled patches behind the first lowered one in the kernel's list."""
        patches = self.snapshot.patches
        first = min(map(self._place, self.lowered), default=len(patches))
        return [patch for patch in patches[first:] if patch.enabled and not self.lowers(patch)]

    @property
    def behind_by_order(self) -> bool:
        """Whether the kernel is known to refuse disabling what is lowered, since others are enabled behind it."""
        return bool(self.abi.stacking and self.behind())

    @property
    def may_add_others(self) -> bool:
        """Whether the file may have the replace flag, and a stop_machine kernel other patches that it would add."""
        others = any(patch.name != self.wanted.name for patch in self.snapshot.patches)
        return bool(
            not self.abi.loading_enables and self.moves.in_ and self.file and self.file.replace is None and others
        )


def change_set(snapshot: Snapshot, wanted: Wanted, copies: Stored, other_build: bool) -> ChangeSet:
    """The change that a task asks for. Each value follows from those before it."""
    abi, loaded = abi_of(snapshot), snapshot.patch(wanted.name)
    change = ChangeSet(
        snapshot=snapshot,
        wanted=wanted,
        copies=copies,
        abi=abi,
        loaded=loaded,
        file=wanted.file.loaded_as(copies.get(wanted.name)) if wanted.file else copies.get(wanted.name),
        moves=moves_of(abi, loaded, wanted.state, other_build),
    )
    change = replace(change, superseded=_superseded(change))
    if loaded and loaded.enabled and abi.stacking is not False and any(patch.enabled for patch in change.superseded):
        # The superseded ones cannot be disabled below it.
        change = replace(change, moves=replace(change.moves, down=True, up=True))
        # It comes above what it contains as well then.
        change = replace(change, superseded=_superseded(change))
    change = replace(change, overtaken=_overtaken(change))
    change = replace(change, moves=_raised(change)) if change.overtaken else change
    change = replace(change, lowered=_lowered(change))
    change = replace(change, involved=_involved(change))
    return replace(change, lifted=_lifted(change)) if wanted.on_covered == OnCovered.UNSTACK else change


def _superseded(change: ChangeSet) -> tuple[LoadedPatch, ...]:
    if change.wanted.state != State.ENABLED:
        return ()
    return tuple(
        patch
        for patch in change.snapshot.patches
        if patch.name != change.wanted.name
        # The kernel never lets such a module go, and its patch has no effect.
        and not patch.pinned
        and (patch.name in change.named or (CONTAINED in change.named and _contains(change, patch)))
    )


def _contains(change: ChangeSet, patch: LoadedPatch) -> bool:
    """Whether the wanted patch replaces all functions of the other one, and does not stay below it."""
    moves, is_raised = change.moves, change.wanted.on_covered == OnCovered.UNSTACK
    comes_above = is_raised or (moves.out and moves.in_) or (moves.down and moves.up)
    return bool(
        patch.functions
        and change.function_set.issuperset(patch.functions)
        and (comes_above or not _is_above_mine(change, patch))
    )


def _is_above_mine(change: ChangeSet, patch: LoadedPatch) -> bool:
    """Whether both patches are enabled and this one is above the wanted one, which then does not cover it."""
    loaded = change.loaded
    return bool(loaded and loaded.enabled and patch.enabled and change.is_before(loaded, patch))


def _overtaken(change: ChangeSet) -> tuple[LoadedPatch, ...]:
    """With on_covered: unstack: the patches below which the wanted one would stay, or was loaded."""
    loaded = change.loaded
    asked = (change.wanted.state, change.wanted.on_covered) == (State.ENABLED, OnCovered.UNSTACK)
    if loaded is None or not asked:
        return ()
    if not (loaded.enabled or change.moves.back):
        return tuple(patch for patch in _newer(change, loaded) if not change.supersedes(patch))
    return tuple(
        patch
        for patch in change.snapshot.patches
        if patch.enabled
        and not change.supersedes(patch)
        and change.is_before(loaded, patch)
        and patch.shares(change.function_set)
    )


def _raised(change: ChangeSet) -> Moves:
    """The moves that bring the wanted patch to the top: a disabled one comes there by being enabled."""
    moves, is_enabled = change.moves, bool(change.loaded and change.loaded.enabled)
    if not (is_enabled or moves.back):
        return moves
    anew = change.abi.loading_enables or change.keeps_stacking
    return replace(moves, down=is_enabled, out=moves.out or anew, in_=moves.in_ or anew, up=True, back=False)


def _lowered(change: ChangeSet) -> tuple[LoadedPatch, ...]:
    return tuple(
        patch
        for patch in change.snapshot.patches
        if patch.enabled and (change.supersedes(patch) or (change.moves.down and patch == change.loaded))
    )


def _involved(change: ChangeSet) -> tuple[LoadedPatch, ...]:
    """The other enabled patches that a change would uncover, or cover."""
    loaded = change.loaded
    names = {above.name for patch in _uncovering(change) for above in _above(change, patch)}
    if change.moves.up and loaded and not (loaded.enabled or change.moves.back or change.overtaken):
        names.update(patch.name for patch in _newer(change, loaded))
    if change.keeps_stacking:
        names.update(patch.name for patch in change.behind())
    return tuple(patch for patch in change.snapshot.patches if patch.name in names)


def _uncovering(change: ChangeSet) -> list[LoadedPatch]:
    """The lowered patches, without the wanted one if it is raised: what was above it may stay as it is."""
    return [patch for patch in change.lowered if not (change.overtaken and patch == change.loaded)]


def _above(change: ChangeSet, patch: LoadedPatch) -> t.Iterator[LoadedPatch]:
    """The patches that cover this one, without those that are lowered and the one that supersedes it."""
    for above in change.snapshot.covering(patch):
        if not change.lowers(above) and above.name != change.wanted.name:
            yield above


def _newer(change: ChangeSet, loaded: LoadedPatch) -> list[LoadedPatch]:
    """The enabled patches on the same functions that were loaded later: this one would come above them.

    Where its functions are unknown, any of these may be on them.
    """
    return [
        patch
        for patch in change.snapshot.patches
        if patch.enabled
        and patch.load_index > loaded.load_index
        and not change.lowers(patch)
        and (patch.shares(change.function_set) or not change.is_known)
    ]


def _lifted(change: ChangeSet) -> tuple[LoadedPatch, ...]:
    if not change.involved:
        return ()
    involved = {patch.name for patch in change.involved}
    moved = involved.union(patch.name for patch in _uncovering(change))
    lifted: list[LoadedPatch] = []
    below: set[Function] = set()
    for patch in change.snapshot.patches:
        if patch.enabled and not change.lowers(patch) and (patch.name in involved or patch.shares(below)):
            lifted.append(patch)
            moved.add(patch.name)
        if patch.name in moved:
            below.update(patch.functions)
    return tuple(lifted)
