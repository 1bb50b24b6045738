# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: what the next boots do with patches, as it is kept now."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance, Accepted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import AtBoot
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Snapshot

NOTHING = "none"


def boot_of(boot: Acceptance, snapshot: Snapshot, name: str) -> str:
    """Whether the next boots load the patch of this name: `accepted`, `quarantined`, `trial` or `none`.

    A loaded patch that is not accepted is on trial, as is a different build than the accepted one. `none` stands for a
    patch that is neither loaded nor accepted.
    """
    entry = next(iter(boot.due_as(name, snapshot.kernel)), None)
    loaded = snapshot.patch(name)
    if entry is None and loaded is None:
        return NOTHING
    if entry is None or (loaded and loaded.identity.compare(entry.identity) == "different"):
        return AtBoot.TRIAL
    return "quarantined" if boot.quarantine_of(entry.sha256) else AtBoot.ACCEPTED


def covered_at_boot(boot: Acceptance, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """By the name of each patch that the next boot loads, those that cover it then, or may: what they replace is
    unknown."""
    read = [(entry.name, _replaces(entry, snapshot)) for entry in boot.loaded_at(snapshot.kernel)]
    later: list[str] = []
    unknown: list[int] = []
    on_function: dict[Function, list[int]] = {}
    covered = []
    # From the last one on, so that what comes later is known; places count from there.
    for place, (name, functions) in enumerate(reversed(read)):
        if functions is None:
            above: t.Iterable[int] = range(place)
            unknown.append(place)
        else:
            above = {at for function in functions for at in on_function.get(function, ())}.union(unknown)
            for function in functions:
                on_function.setdefault(function, []).append(place)
        covered.append((name, tuple(later[at] for at in sorted(above, reverse=True))))
        later.append(name)
    return dict(reversed(covered))


def _replaces(entry: Accepted, snapshot: Snapshot) -> frozenset[Function] | None:
    """The functions that an accepted patch replaces; None if its file does not show them, and the kernel neither."""
    file = file_of(entry)
    functions = file.functions if file else None
    patch = snapshot.patch(entry.name)
    if functions is None and patch and patch.identity.compare_builds(entry.identity) == "same":
        functions = patch.functions or None
    return None if functions is None else frozenset(functions)


def file_of(entry: Accepted) -> PatchFile | None:
    """What was read in the accepted file; None if another version wrote that in another way."""
    try:
        return PatchFile.from_dict(entry.patch_file)
    except (KeyError, TypeError, ValueError):
        return None


def describe_boot(books: Books, snapshot: Snapshot) -> list[dict[str, t.Any]]:
    """The patches that a boot of the running kernel loads, in order, in plain types."""
    boot = books.boot
    covered = covered_at_boot(boot, snapshot)
    return [
        {
            "name": entry.name,
            "sha256": entry.sha256,
            "release": entry.release,
            "kernel_build_id": entry.kernel_build_id,
            "since": entry.since,
            "flaw": books.boot_flaws.get(entry.sha256),
            "covered_by": list(covered[entry.name]),
            "fix": entry.fix.to_dict() if entry.fix else None,
        }
        for entry in boot.loaded_at(snapshot.kernel)
    ]
