# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What is said of a host whose state cannot be told."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot


def doubts(snapshot: Snapshot) -> list[Finding]:
    """The refusals of a snapshot that does not tell what is loaded, enabled and live; none if it does."""
    found = [cannot_read(snapshot.undecided)] if snapshot.undecided else []
    return [*found, _contradiction(snapshot.disagreements)] if snapshot.disagreements else found


def check_known(snapshot: Snapshot) -> None:
    """Raise FindingError unless the snapshot tells what is loaded, enabled and live."""
    for doubt in doubts(snapshot):
        raise FindingError(doubt)


def cannot_read(problems: t.Iterable[Unreadable]) -> Finding:
    """The refusal of a source that decides and cannot be read."""
    return Finding(
        reason="unreadable",
        seen=f"The host does not tell what is loaded and enabled: cannot read {', '.join(map(str, problems))}.",
        remedy="Make that readable for root, then run the task again.",
        why="A plan that takes what cannot be read for absent does harm.",
    )


def _contradiction(sentences: t.Iterable[str]) -> Finding:
    return Finding(
        reason="contradiction",
        seen=f"What the kernel shows of its live patches contradicts itself: {' '.join(sentences)}",
        remedy="Look for another tool that changes live patches on this host, then run the task again.",
        why="A plan would rely on one side of it.",
    )
