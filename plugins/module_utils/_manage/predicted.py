# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: what a run would note of the patches that it loads, so that check mode describes them as the run does."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.copies import copy_path


def with_records(after: Snapshot, plan: Plan, books: Books, proves: bool) -> tuple[Snapshot, Books]:
    """The predicted snapshot and the books, with the record of each patch that the plan loads.

    `proves` says that the run proves the effect of the wanted patch, and notes the taint then.
    """
    files = {file.name: file for file in plan.loads}
    patches, copies = list(after.patches), dict(books.copies)
    for place, patch in enumerate(patches):
        file = files.get(patch.name)
        if file:
            # No inode has such a number: a module that is not loaded yet is no other one.
            instance = -1 - place
            patches[place] = replace(patch, instance=instance)
            copies[file.name] = StoredCopy(copy_path(file.name, file.sha256), file.sha256, instance, file, forced=False)
        if proves and patch.name == plan.about and patch.name in copies:
            copies[patch.name] = replace(copies[patch.name], taint=after.taint)
        copy = copies.get(patch.name)
        if plan.fix and patch.name == plan.about and copy and copy.file:
            copies[patch.name] = replace(copy, file=replace(copy.file, fix=plan.fix))
    return replace(after, patches=tuple(patches)), replace(books, copies=copies)
