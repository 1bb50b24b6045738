# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What steps do with the patches of a snapshot, one after the other. Each step costs what it changes, not the host."""

from __future__ import annotations

import heapq
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    PatchedObject,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of

Changed = t.Tuple[t.Optional[LoadedPatch], t.Optional[LoadedPatch]]
"""A patch before a step and after it; None where it is not loaded."""


class Walk:
    """The patches of a host on which steps are carried out. A place of one that has gone stays empty."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot, self._abi = snapshot, abi_of(snapshot)
        self._modules = set(snapshot.modules)
        self._patches: list[LoadedPatch | None] = []
        self._places: dict[str, list[int]] = {}
        self._newest: list[tuple[int, int]] = []
        for patch in snapshot.patches:
            self._append(patch)

    def snapshot(self) -> Snapshot:
        """The host after the steps so far."""
        patches = tuple(patch for patch in self._patches if patch is not None)
        return replace(self._snapshot, patches=patches, modules=frozenset(self._modules))

    def among(self, names: t.Iterable[str]) -> list[LoadedPatch]:
        """The patches of these names, in the kernel's order."""
        places = sorted(place for name in names for place in self._places.get(name, ()))
        return [patch for patch in (self._patches[place] for place in places) if patch is not None]

    def take(self, step: Step) -> list[Changed]:
        """Carry out a step. Returns what it changes."""
        if step.action in (Action.LOAD, Action.LOAD_TARGET):
            self._modules.add(step.patch)
        elif step.action == Action.UNLOAD:
            self._modules.discard(step.patch)
        if step.action == Action.LOAD and step.file:
            return self._load(step.patch, step.file)
        if step.action == Action.LOAD_TARGET:
            return self._change_all(lambda patch: _with_target(patch, step.patch))
        places = self._places.get(step.patch)
        return self._take(step.action, places[0]) if places else []

    def _take(self, action: str, place: int) -> list[Changed]:
        patch = self._at(place)
        if action == Action.UNLOAD:
            self._remove(place)
            return [(patch, None)]
        if action == Action.DISABLE:
            return [self._change(place, replace(patch, enabled=False))]
        if action == Action.WAIT:
            # klp_unpatch_replaced_patches() in kernel/livepatch/core.c
            replaces = patch.replace and patch.enabled and patch.in_transition
            changed = self._change_all(_replaced) if replaces else []
            settled = _without_no_ops(patch) if patch.enabled else _dropped(patch)
            return [*changed, self._change(place, replace(settled, in_transition=False))]
        if action == Action.ENABLE:
            enabled = replace(patch, enabled=True)
            if not self._abi.enabling_moves_last:
                return [self._change(place, enabled)]
            self._remove(place)
            self._append(enabled)
            return [(patch, enabled)]
        return []

    def _load(self, name: str, file: PatchFile) -> list[Changed]:
        by_kernel = self._abi.loading_enables
        changed = self._change_all(_replaced) if by_kernel and file.replace else []
        loaded = LoadedPatch(
            name=name,
            enabled=by_kernel or file.enables_itself,
            replace=file.replace,
            functions=file.functions or (),
            identity=file.identity,
            load_index=self._highest_index() + 1,
            objects=_objects_of(file),
        )
        self._append(loaded)
        return [*changed, (None, loaded)]

    def _highest_index(self) -> int:
        while self._newest:
            index, place = self._newest[0]
            if self._patches[place] is not None:
                return -index
            heapq.heappop(self._newest)
        return 0

    def _append(self, patch: LoadedPatch) -> None:
        place = len(self._patches)
        self._places.setdefault(patch.name, []).append(place)
        heapq.heappush(self._newest, (-patch.load_index, place))
        self._patches.append(patch)

    def _remove(self, place: int) -> None:
        patch = self._at(place)
        self._places[patch.name].remove(place)
        self._patches[place] = None

    def _at(self, place: int) -> LoadedPatch:
        patch = self._patches[place]
        if patch is None:
            raise ValueError(f"The patch in place {place} has gone.")
        return patch

    def _change(self, place: int, patch: LoadedPatch) -> Changed:
        was, self._patches[place] = self._patches[place], patch
        return was, patch

    def _change_all(self, change: t.Callable[[LoadedPatch], LoadedPatch]) -> list[Changed]:
        return [self._change(place, change(patch)) for place, patch in enumerate(self._patches) if patch is not None]


def _objects_of(file: PatchFile) -> tuple[PatchedObject, ...]:
    """The objects of a file. Which of them are patched follows from the modules."""
    names = {function.object for function in file.functions or ()} if file.objects is None else file.objects
    return tuple(map(PatchedObject, sorted(names)))


def _replaced(patch: LoadedPatch) -> LoadedPatch:
    return replace(_dropped(patch), enabled=False)


def _dropped(patch: LoadedPatch) -> LoadedPatch:
    """A disabled patch of a per_task kernel, of which sysfs shows nothing."""
    return replace(patch, functions=(), objects=(), replace=None, no_ops=())


def _without_no_ops(patch: LoadedPatch) -> LoadedPatch:
    """A patch whose transition has ended: what it has replaced is gone, and so is what ended that."""
    functions = tuple(function for function in patch.functions if function not in patch.no_op_set)
    added = {function.object for function in patch.no_ops}.difference(function.object for function in functions)
    objects = tuple(entry for entry in patch.objects if entry.name not in added)
    return replace(patch, functions=functions, objects=objects, no_ops=())


def _with_target(patch: LoadedPatch, name: str) -> LoadedPatch:
    """A patch after a module is loaded: the modules tell then whether that is patched."""
    if name not in patch.patched_by_object:
        return patch
    return replace(
        patch, objects=tuple(replace(entry, patched=None) if entry.name == name else entry for entry in patch.objects)
    )
