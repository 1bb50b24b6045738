# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The patch files that lie on a host, the loaded patches that they belong to, and what those patches displaced."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import PATCH_FILE_MAX
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import (
    Action,
    CameBack,
    Displaced,
    Plan,
    Step,
    pairs_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.packed import unpack
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, StoredCopy
    from ansible_collections.openeuler.livepatch.plugins.module_utils._store.journal import Note
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


class Catalog:
    """The patch files on the host: the copies of what is loaded, and the files that the task has brought.

    `files` makes a new reader of the host for each call, so that no reader repeats what an earlier one could not read.
    `stored` has the files of the copies by their patches, `paths` the path of each file that lies on the host,
    `packed` the text of one that came with the task's arguments, `unproven` the names of the patches whose effect is
    not proven yet, and `came_back` those of which a revert has brought back the build that is loaded. `digests` are
    those of the copies that this run has read.
    """

    def __init__(
        self,
        files: t.Callable[[], Files],
        snapshot: Snapshot,
        books: Books,
        digests: copies.Digests | None = None,
    ) -> None:
        self._files = files
        self.digests = digests or copies.Digests()
        self.stored: dict[str, PatchFile] = {}
        self.paths: dict[PatchFile, str] = {}
        self.packed: dict[PatchFile, str] = {}
        self._displaced: dict[str, tuple[Displaced, ...]] = {}
        self.unproven: set[str] = set()
        self.came_back: dict[str, CameBack] = {}
        self._unrecorded = set(books.unrecorded)
        self._damaged: set[PatchFile] = set()
        for patch in snapshot.patches:
            self._add(patch.name, books.copy_of(patch))
            if patch.name in books.damaged_copies and patch.name in self.stored:
                self._damaged.add(self.stored[patch.name])
        if snapshot.privileged:
            # Whether these were proven is not known: it is proven again. Only root can read them, and prove anything.
            self.unproven.update(books.unreadable_copies)

    def _add(self, name: str, copy: StoredCopy | None) -> None:
        if not copy or not copy.file:
            return
        self.stored[name] = copy.file
        self.paths[copy.file] = copy.path
        self._remember(name, copy.displaced)
        if not copy.proven:
            self.unproven.add(name)
        if copy.came_back:
            self.came_back[name] = copy.came_back

    def _remember(self, name: str, displaced: tuple[Displaced, ...]) -> None:
        self._displaced[name] = displaced
        for other in displaced:
            if other.file:
                self.paths.setdefault(other.file, copies.copy_path(other.name, other.file.sha256))

    def has(self, file: PatchFile) -> bool:
        """Whether the bytes of this file are at hand."""
        return (file in self.paths and file not in self._damaged) or file in self.packed

    @property
    def at_hand(self) -> dict[str, PatchFile]:
        """The files of the copies by their patches, without copies that are known to be gone or damaged."""
        return {name: file for name, file in self.stored.items() if file not in self._damaged}

    def put(self, file: PatchFile, path: str) -> None:
        """Tell where a file lies on the host."""
        self.paths[file] = path
        self._damaged.discard(file)

    def store(self, file: PatchFile) -> str:
        """Copy a file that is at hand to where only root can change it, and return its path there.

        Raises FileChanged if it is not the file that was inspected any more, and OSError.
        """
        packed = self.packed.pop(file, None)
        source = unpack(packed, PATCH_FILE_MAX) if packed else self.paths[file]
        self.paths[file] = copies.store(self._files(), file.name, source, file.sha256)
        return self.paths[file]

    def displaced_by(self, name: str) -> tuple[Displaced, ...]:
        """What the loaded patch of this name displaced."""
        return self._displaced.get(name, ())

    def displaced_at_hand(self, name: str) -> tuple[Displaced, ...]:
        """The same, without the files of which no whole copy is on the host any more."""
        files = self._files()
        return tuple(
            other
            if other.file and self.digests.of(files, self.paths[other.file]) == other.file.sha256
            else replace(other, file=None)
            for other in self.displaced_by(name)
        )

    @property
    def history(self) -> t.Mapping[str, tuple[Displaced, ...]]:
        """What each loaded patch displaced, by its name."""
        return self._displaced

    def take_over(self, earlier: Catalog) -> None:
        """Add what `earlier` has of patches that are not loaded now, as after the recovery from an interrupted run."""
        self.unproven.update(earlier.unproven)
        for name in set(earlier.stored).difference(self.stored):
            file = self.stored[name] = earlier.stored[name]
            self.paths[file] = earlier.paths[file]
            self._remember(name, earlier.displaced_by(name))

    def add_of(self, note: Note) -> None:
        """Add the files of an interrupted run: the copies from before it, and the files that it brought."""
        for name, sha256 in note.stored.items():
            copy = known(copies.read(self._files(), name))
            self._add(name, copy if copy and copy.sha256 == sha256 else None)
        for step in note.steps:
            if step.file:
                self.paths.setdefault(step.file, copies.copy_path(step.file.name, step.file.sha256))

    def update(
        self,
        plan: Plan,
        before: Snapshot,
        after: Snapshot,
        rolled_back: t.Collection[Step] | None = None,
        displaced: t.Mapping[str, tuple[Displaced, ...]] | None = None,
        prune: bool = True,
        reverts: bool = False,
    ) -> list[Finding]:
        """Record the files of the patches that are loaded after a run, and what they displaced.

        `rolled_back` are the steps that rolled the host back, if the run failed; `displaced` is what stays so then.
        `prune` removes the copies that are not needed any more. `reverts` says that the plan brings back what was
        displaced. Returns a warning for each patch whose file could not be recorded.
        """
        news = displaced or {}
        for name, of_it in news.items():
            self._remember(name, of_it)
        # Rolling back may have loaded any of the plan's patches again, and those that the plan raised one above.
        changed = [
            *plan.names,
            plan.about,
            *news,
            *(step.patch for step in rolled_back or () if step.patch in self.stored),
        ]
        back = plan.about if reverts and rolled_back is None else None
        pairs_back = None if rolled_back is None else pairs_of(rolled_back)
        notes = []
        for name in dict.fromkeys(changed):
            try:
                self._update_one(name, plan, before.patch(name), after.patch(name), pairs_back, name == back)
            except OSError as error:
                self._unrecorded.add(name)
                notes.append(
                    Finding(
                        reason="not_noted",
                        seen=f"What is loaded as {name} could not be noted in {copies.DIRECTORY} ({error.strerror}).",
                        remedy="Make room there. Enabling the patch again may need src.",
                        severity=WARN,
                    )
                )
        if prune:
            copies.prune(self._files(), after.patches, self._unrecorded)
        else:
            self.remove_brought(plan, before, after)
        return notes

    def remove_brought(self, plan: Plan, before: Snapshot, after: Snapshot) -> None:
        """Remove the copies of what the plan was to load for the first time, and what is not loaded."""
        names = [file.name for file in plan.loads if not (before.patch(file.name) or after.patch(file.name))]
        copies.remove_brought(self._files(), names)

    def _update_one(
        self,
        name: str,
        plan: Plan,
        was: LoadedPatch | None,
        loaded: LoadedPatch | None,
        rolled_back: t.Container[tuple[Action, str]] | None,
        comes_back: bool,
    ) -> None:
        if loaded is None:
            return
        # Where the kernel shows neither build-id nor srcversion, this tells which of two builds is loaded.
        stayed = was is None or was.instance in (None, loaded.instance)
        is_back = rolled_back is not None and (Action.LOAD, name) in rolled_back
        is_by_other = not (stayed or is_back or (Action.LOAD, name) in plan.pairs)
        is_the_earlier = rolled_back is not None and (stayed or is_back)
        brought = plan.loads_by_name.get(name, [])
        earlier = [self.stored[name]] if name in self.stored else []
        files = [*earlier, *brought] if is_the_earlier else [*brought, *earlier]
        for file in [] if is_by_other else files:
            if file.identity.compare(loaded.identity) != "different":
                # Nothing is known of what somebody else has done to a module that was there before.
                forced = None if was is not None and stayed else False
                is_proven = name not in self.unproven
                came_back = _in_the_place_of(was, file) if comes_back and file in brought else None
                noted = replace(file, fix=plan.fix) if plan.fix and name == plan.about and rolled_back is None else file
                copies.note(self._files(), loaded, noted, self.displaced_by(name), is_proven, forced, came_back)
                return
        if name == plan.about and loaded.enabled and (Action.ENABLE, name) in plan.pairs:
            copies.note_enabled(self._files(), loaded)


def _in_the_place_of(was: LoadedPatch | None, file: PatchFile) -> CameBack:
    is_same = was is not None and was.identity.compare_builds(file.identity) == "same"
    return CameBack.PARAMETERS if is_same else CameBack.BUILD
