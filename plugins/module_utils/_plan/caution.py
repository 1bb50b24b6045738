# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: what an enabled patch does not show by itself, and the collection's record of it does."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import (
    KERNEL_TROUBLE,
    SERIOUS_TAINTS,
    reboot_remedy,
    troubles,
)


def trouble_since(copy: StoredCopy | None, taint: int | None) -> list[str] | None:
    """The serious trouble that the kernel has had since a patch was proven; None if that cannot be told.

    The kernel does not say when a bit of its taint was set: without a record nobody knows whether it was before.
    """
    noted = [copy.trouble] if copy and copy.trouble else []
    if taint is None:
        return noted or None
    serious = taint & SERIOUS_TAINTS
    if serious and (copy is None or copy.taint is None):
        return noted or None
    return list(dict.fromkeys([*noted, *troubles(serious & ~(copy.taint or 0))])) if copy else []


def is_forced(patch: LoadedPatch, books: Books) -> bool | None:
    """Whether a transition of the patch was forced; None if that is not known, as with somebody else's patch."""
    if patch.pinned:
        return True
    copy = books.copy_of(patch)
    return copy.forced if copy else None


def runs_mixed(patch: LoadedPatch, books: Books) -> bool:
    """Whether the patch was enabled by force: tasks may run old and new code together until the host is rebooted."""
    return patch.enabled and is_forced(patch, books) is True


def cautions(snapshot: Snapshot, books: Books, name: str, told: t.Container[str] = ()) -> list[Finding]:
    """What is to be known of an enabled patch that is otherwise as it should be.

    `told` are the patches of which the run itself has said that they were forced.
    """
    patch = snapshot.patch(name)
    if patch is None or not patch.enabled or not snapshot.is_known:
        return []
    found = []
    if runs_mixed(patch, books) and name not in told:
        found.append(
            Finding(
                reason="forced",
                seen=f"An earlier run has forced the transition of {name}: tasks may run old and new code together.",
                remedy="Plan a reboot: until then the kernel may not let live patch modules go.",
                severity=WARN,
                only_reboot=True,
            )
        )
    copy = books.copy_of(patch)
    trouble = trouble_since(copy, snapshot.taint)
    since = f"since the effect of {name} was proven"
    if trouble:
        seen = f"The kernel has had {' and '.join(trouble)} {since}."
    elif trouble is None and copy:
        seen = f"Whether the kernel has had trouble {since} cannot be told."
    else:
        return found
    return [*found, Finding(reason="trouble_since", seen=seen, remedy=TROUBLE_REMEDY, severity=WARN)]


def trouble_refusal(snapshot: Snapshot, books: Books, wanted: Wanted) -> Finding | None:
    """The refusal to enable, prove or accept a patch with which the kernel got into trouble since it was loaded."""
    patch = snapshot.patch(wanted.name)
    copy = books.copy_of(patch) if patch else None
    if wanted.state not in (State.ENABLED, State.PRESENT) or not (copy and copy.trouble):
        return None
    return Finding(
        reason=KERNEL_TROUBLE,
        seen=f"The kernel has had {copy.trouble} since {wanted.name} was enabled.",
        remedy=reboot_remedy(wanted.name),
        why="Its effect is not proven, and it is not accepted, before the host is booted again.",
        only_reboot=True,
    )


TROUBLE_REMEDY = "Look at the kernel's log; do not use this patch further before it is understood."
