# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The patch files that are at hand on a host, what they are copies of, and what their patches took the place of."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Displaced, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, StoredCopy
    from ansible_collections.openeuler.livepatch.plugins.module_utils._store.journal import Note
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


class Catalog:
    """The patch files that lie on the host: copies of what is loaded, and what the task has brought.

    `files` makes a new reader of the host each time: what one could not read is not told by the next. `stored` are the
    files of the copies by their patches, `paths` is where each file is, and `unproven` names the patches whose effect
    is still to be proven.
    """

    def __init__(self, files: t.Callable[[], Files], snapshot: Snapshot, books: Books) -> None:
        self._files = files
        self.stored: dict[str, PatchFile] = {}
        self.paths: dict[PatchFile, str] = {}
        self._displaced: dict[str, tuple[Displaced, ...]] = {}
        self.unproven: set[str] = set()
        for patch in snapshot.patches:
            self._add(patch.name, books.copy_of(patch))

    def _add(self, name: str, copy: StoredCopy | None) -> None:
        if not copy or not copy.file:
            return
        self.stored[name] = copy.file
        self.paths[copy.file] = copy.path
        self._displaced[name] = copy.displaced
        if not copy.proven:
            self.unproven.add(name)
        for other in copy.displaced:
            if other.file:
                self.paths.setdefault(other.file, copies.copy_path(other.name, other.file.sha256))

    def displaced_by(self, name: str) -> tuple[Displaced, ...]:
        """What the loaded patch of this name took the place of."""
        return self._displaced.get(name, ())

    def take_over(self, earlier: Catalog) -> None:
        """Add what was known of patches that are not loaded any more: rolling a run back may have left them out."""
        for name in set(earlier.stored).difference(self.stored):
            file = self.stored[name] = earlier.stored[name]
            self.paths[file] = earlier.paths[file]
            self._displaced[name] = earlier.displaced_by(name)
            self.unproven.update(earlier.unproven.intersection([name]))
            for other in self._displaced[name]:
                if other.file:
                    self.paths.setdefault(other.file, earlier.paths[other.file])

    def add_of(self, note: Note) -> None:
        """Add what an interrupted run had: what was stored before it, and the files that it brought."""
        for name, sha256 in note.stored.items():
            copy = copies.read(self._files(), name)
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
    ) -> list[Finding]:
        """Keep the files of what is loaded now, and of what it displaced; forget the others. Returns what went wrong.

        `rolled_back` are the steps that led the host back, if the run failed. Without `prune` copies stay.
        """
        news = displaced if displaced and rolled_back is None else {}
        self._displaced.update(news)
        # Rolling back may have loaded any of the plan's patches again.
        changed = [*plan.names, plan.about, *news]
        notes = []
        for name in dict.fromkeys(changed):
            try:
                self._update_one(name, plan, before.patch(name), after.patch(name), rolled_back)
            except OSError as error:
                notes.append(
                    Finding(
                        reason="not_noted",
                        seen=f"What is loaded as {name} could not be noted in {copies.DIRECTORY} ({error.strerror}).",
                        remedy="Make room there. Enabling the patch again may need src.",
                        severity=WARN,
                    )
                )
        if prune:
            copies.prune(self._files(), after.patches)
        return notes

    def _update_one(
        self,
        name: str,
        plan: Plan,
        was: LoadedPatch | None,
        loaded: LoadedPatch | None,
        rolled_back: t.Collection[Step] | None,
    ) -> None:
        if loaded is None:
            return
        # Where the kernel shows no mark of a content, this tells which of two it is.
        stayed = was is None or was.instance in (None, loaded.instance)
        is_the_earlier = rolled_back is not None and (stayed or _loads(rolled_back, name))
        brought = [file for file in plan.loads if file.name == name]
        earlier = [self.stored[name]] if name in self.stored else []
        for file in [*earlier, *brought] if is_the_earlier else [*brought, *earlier]:
            if file.identity.compare(loaded.identity) != "different":
                copies.note(self._files(), loaded, file, self.displaced_by(name), name not in self.unproven)
                return


def _loads(steps: t.Iterable[Step], name: str) -> bool:
    return any((step.action, step.patch) == (Action.LOAD, name) for step in steps)
