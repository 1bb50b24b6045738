# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads what livepatch_facts has returned about the patches that a host keeps for its boots."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import Reader


@dataclass(frozen=True)
class StoredPatch:
    """A patch that a host keeps for a kernel release, because it is accepted or in quarantine.

    `kernel_build_id` tells for which build of the kernel; None if that is not known. `flaw` is a sentence on why the
    next boot cannot load it, or this one has not; None if nothing is known against it. `covered_by` are those that
    the next boot loads above it.
    """

    name: str
    release: str
    sha256: str | None = None
    why: str | None = None
    kernel_build_id: str | None = None
    flaw: str | None = None
    covered_by: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why it is in quarantine, as a sentence."""
        return self.why or "the reason is unknown."


def read_stored(patch: Reader) -> StoredPatch:
    """A patch that is accepted, lost or in quarantine. Raises DataError, as the other functions do."""
    return StoredPatch(
        name=patch.text("name"),
        release=patch.text("release"),
        sha256=patch.text_or_none("sha256"),
        why=patch.text_or_none("why"),
        kernel_build_id=patch.text_or_none("kernel_build_id"),
    )


def read_accepted(boot: Reader) -> tuple[StoredPatch, ...]:
    """What the next boot loads, in order, with what is known against each."""
    results = [(entry.text("name"), entry) for entry in boot.each("results")]
    return tuple(
        replace(
            read_stored(patch),
            flaw=patch.text_or_none("flaw") or next(_failures(patch, results), None),
            covered_by=patch.texts("covered_by"),
        )
        for patch in boot.each("accepted")
    )


def _failures(patch: Reader, results: Sequence[tuple[str, Reader]]) -> t.Iterator[str]:
    """Why this boot has not loaded a patch that was accepted before it, and not anew since."""
    for name, result in results:
        since = result.text_or_none("since") or patch.text_or_none("since")
        is_same = name == patch.text("name") and since == patch.text_or_none("since")
        if is_same and result.text("outcome") in ("failed", "skipped"):
            yield f"This boot has not loaded it: {result.text_or_none('why') or 'the reason is unknown.'}"
