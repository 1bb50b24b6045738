# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Reads the collection's own books on a host, each of their files once."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import NOTHING_ACCEPTED, Damaged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Unreadable, known
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot, copies, state

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files


def read_books(files: Files, snapshot: Snapshot, of_boot: bool = False) -> Books:
    """The stored copies of the patches that are loaded, and what is kept for the next boots.

    `of_boot` asks as well whether a boot can use that: it reads the boot program and the files of the accepted patches,
    which are larger than all others together.
    """
    read = {patch.name: copies.read(files, patch.name) for patch in snapshot.patches}
    found = {name: copy for name, copy in read.items() if isinstance(copy, StoredCopy)}
    kept = boot.read(files)
    acceptance = NOTHING_ACCEPTED if isinstance(kept, Damaged) else kept
    due = acceptance.loaded_at(snapshot.kernel) if of_boot else ()
    flaws = boot.flaws(files, due)
    marker = known(boot.read_marker(files)) if of_boot else None
    version = boot.program_version(files) if of_boot else None
    return Books(
        copies=found,
        unreadable_copies=frozenset(name for name, copy in read.items() if isinstance(copy, Unreadable)),
        unread={
            name: copy for name, copy in read.items() if isinstance(copy, Unreadable) and not state.is_foreign(copy)
        },
        unrecorded=copies.unrecorded(files, set(read).difference(found)),
        boot=acceptance,
        boot_damage=kept if isinstance(kept, Damaged) else None,
        unclean_ends=marker.most_unclean_ends if marker else 0,
        boot_flaws=flaws,
        damaged_copies=frozenset(
            name
            for name, copy in found.items()
            if copy.sha256 in flaws and copies.digest(files, copy.path) != copy.sha256
        ),
        has_boot_program=boot.is_installed(files) and not isinstance(version, (Absent, Unreadable)),
        boot_program_version=version if isinstance(version, str) else None,
    )
