# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The collection's own books on a host: what it noted there of patches, beside what the kernel says of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    NOTHING_ACCEPTED,
    Acceptance,
    Damaged,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import CameBack, Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    UNKNOWN_OWNER,
    Function,
    LoadedPatch,
    Snapshot,
)


@dataclass(frozen=True)
class StoredCopy:
    """The copy of a patch file that this collection loaded, and what it noted of the patch.

    `path` is where the copy is, `sha256` the digest of the file; both are empty for a patch that somebody else loaded
    and a task enabled. `instance` is that of the loaded module (see LoadedPatch). `file` is what was read in the copy;
    None if another version of this collection wrote that in another way. `displaced` is what the patch took the place
    of. `proven` is false from when the patch was enabled until its effect was proven, if the run that enabled it could
    not do that. `forced` says whether it was enabled or disabled by force, None if that is not known. `taint` is the
    kernel's when the effect was proven, None if that is not known. `trouble` names the trouble for which the run that
    enabled it has left the kernel alone, as a lockup; until the next boot no run proves it. `came_back` says in
    the place of what a revert has brought this build back, if one has, and that had its name; `at_boot` that a boot has
    loaded it: what it had taken the place of, and was on trial, is not known since.
    """

    path: str
    sha256: str
    instance: int | None = None
    file: PatchFile | None = None
    displaced: tuple[Displaced, ...] = ()
    proven: bool = True
    forced: bool | None = None
    taint: int | None = None
    trouble: str = ""
    came_back: CameBack | None = None
    at_boot: bool = False


@dataclass(frozen=True)
class Books:
    """What the collection keeps on a host.

    `copies` are the stored copies by the names of their patches, `unreadable_copies` the names of patches whose record
    cannot be read or understood, `unread` what kept those from being read that another try may read, `unrecorded` those
    without a readable record of which a copy is there. `boot` is what is kept for the next boots, as far as it is
    known: where `boot_damage` says that it is not, it must not be written back. `unclean_ends` counts those of the last
    boots in a row. `has_boot_program` says whether something loads what is accepted. `boot_program_version` is the
    version of the collection that has made the program, None where that is not known or was not asked for.
    `boot_flaws` says by the digest of an accepted patch's file why no boot can load it. `damaged_copies` names those of
    these patches whose stored copy is gone or damaged, too. Both are empty where they were not asked for.
    """

    copies: t.Mapping[str, StoredCopy] = field(default_factory=dict)
    unreadable_copies: frozenset[str] = frozenset()
    unread: t.Mapping[str, Unreadable] = field(default_factory=dict)
    unrecorded: frozenset[str] = frozenset()
    boot: Acceptance = NOTHING_ACCEPTED
    boot_damage: Damaged | None = None
    unclean_ends: int = 0
    has_boot_program: bool = False
    boot_program_version: str | None = None
    boot_flaws: t.Mapping[str, str] = field(default_factory=dict)
    damaged_copies: frozenset[str] = frozenset()

    def copy_of(self, patch: LoadedPatch) -> StoredCopy | None:
        """The copy that this patch was loaded from; None if somebody else loaded it, or loaded it anew."""
        copy = self.copies.get(patch.name)
        return copy if copy and copy.instance is not None and copy.instance == patch.instance else None

    def claim(self, patch: LoadedPatch, kernel: KernelId) -> bool:
        """Whether this collection has loaded the patch, or loads this build of it at the boots of this kernel."""
        if self.copy_of(patch) or patch.name in self.unrecorded:
            return True
        accepted = self.boot.due_as(patch.name, kernel)
        return any(patch.identity.compare_builds(entry.identity) == "same" for entry in accepted)

    def identify(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with what the kernel does not know, or not show: the digest of each patch that this collection
        loaded, what it was loaded with, whose it is, and while it is in transition its flag and its own functions, and
        whether force holds it."""
        has_forced = any(copy.forced for copy in self.copies.values())
        patches = (self._identify_patch(patch, snapshot, has_forced) for patch in snapshot.patches)
        return replace(snapshot, patches=tuple(patches))

    def _identify_patch(self, patch: LoadedPatch, snapshot: Snapshot, has_forced: bool) -> LoadedPatch:
        owner = patch.owner or (None if self.claim(patch, snapshot.kernel) else UNKNOWN_OWNER)
        copy = self.copy_of(patch)
        # Force may be why the kernel holds a module; else somebody uses it, and can be ended. Before Linux 5.18 the
        # kernel marks all patches when the transition of one is forced.
        may_be_forced = copy is None or copy.forced is not False or has_forced
        pinned, marked = patch.pinned and may_be_forced, patch.enabled and has_forced
        patch = replace(patch, owner=owner, pinned=pinned, marked=marked)
        if copy is None:
            return patch
        file = copy.file
        identity = replace(patch.identity, sha256=copy.sha256 or None, loaded_with=file.loaded_with if file else None)
        patch = replace(patch, identity=identity)
        return moving_as_in(file, patch, snapshot) if file else patch


def moving_as_in(file: PatchFile, patch: LoadedPatch, snapshot: Snapshot) -> LoadedPatch:
    """A patch of this file with its flag and its own functions, as long as it is in transition.

    Kernels before 6.11 do not show the flag, which decides what is left when the transition ends.
    """
    if not patch.in_transition:
        return patch
    flag = file.replace if patch.replace is None else patch.replace
    return replace(patch, replace=flag, no_ops=_no_ops(patch, file.functions, snapshot))


def _no_ops(patch: LoadedPatch, own: tuple[Function, ...] | None, snapshot: Snapshot) -> tuple[Function, ...]:
    """The functions that the kernel has added to a patch in transition. `own` are those of its file."""
    if own is None:
        return ()
    others = {function for other in snapshot.patches if other.name != patch.name for function in other.functions}
    return tuple(sorted(others.intersection(patch.functions).difference(own)))
