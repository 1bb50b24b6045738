# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: which patch a per_task kernel does not load beside another one, since it does not know its system states.

That is klp_is_patch_compatible() in kernel/livepatch/state.c, the same from Linux 5.5 to 7.3. Which states a loaded
patch has is known from the copy of its file alone.
"""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step, Stored
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.walk import Walk


def clash(file: PatchFile | None, earlier: PatchFile | None) -> str | None:
    """What the file does not know of the states of an earlier one, as the end of a sentence; None if it knows all.

    None also where that is not known.
    """
    if file is None or earlier is None or file.states is None:
        return None
    # The kernel takes the first one of an id.
    known = {state.id: state.version for state in reversed(file.states)}
    for state in earlier.states or ():
        if state.id not in known and file.replace:
            return f"has the replace flag and does not know the system state {state.id}, which {earlier.name} has set"
        if known.get(state.id, state.version) < state.version:
            return (
                f"knows the system state {state.id} in version {known[state.id]}, and {earlier.name} has version "
                f"{state.version}"
            )
    return None


def refuse_states(snapshot: Snapshot, steps: t.Iterable[Step], stored: Stored) -> list[Finding]:
    """Refuse steps that load a patch while one is enabled of whose states it does not know enough."""
    refusals: list[Finding] = []
    if not abi_of(snapshot).loading_enables:
        return refusals
    files = {name: file for name, file in stored.items() if file.states}
    walk = Walk(snapshot)
    for step in steps:
        if step.action == Action.LOAD and step.file:
            for patch in walk.among(files):
                unknown = clash(step.file, files[patch.name]) if patch.enabled or patch.in_transition else None
                if unknown:
                    refusals.append(_incompatible(step.file, unknown, patch.name))
            files.pop(step.patch, None)
            files.update({step.patch: step.file} if step.file.states else {})
        walk.take(step)
    return refusals


def _incompatible(file: PatchFile, unknown: str, other: str) -> Finding:
    return Finding(
        reason="incompatible_states",
        seen=f"{file.path} {unknown}.",
        remedy=f"Load a patch that handles this state, or set state: absent for {other} first.",
        why="The kernel would answer EINVAL.",
    )
