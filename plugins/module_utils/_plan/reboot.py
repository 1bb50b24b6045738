# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: where only a reboot finishes what was begun."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import LoadedPatch, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of


def stays_until_reboot(patch: LoadedPatch, snapshot: Snapshot) -> bool:
    """Whether a disabled patch can be neither unloaded nor enabled again.

    Where loading enables a patch, a disabled one must be unloaded for that; elsewhere it is enabled where it is.
    """
    if patch.enabled or patch.in_transition or not abi_of(snapshot).loading_enables:
        return False
    return patch.permanent or patch.pinned or snapshot.modules_disabled


def host_needs_reboot(snapshot: Snapshot) -> bool:
    """Whether only a reboot takes out a patch of this host, or lets its kernel patch functions again.

    A kernel that was told to load no modules any more needs none for that alone: perhaps nobody wants to load one.
    """
    # What loading enables is redirected by ftrace; the other ABI does without it.
    lacks_ftrace = snapshot.ftrace_failed and snapshot.abi is not None and abi_of(snapshot).loading_enables
    return lacks_ftrace or any(stays_until_reboot(patch, snapshot) for patch in snapshot.patches)


def task_needs_reboot(findings: t.Iterable[Finding], plan: Plan, found: Snapshot, goal: Snapshot) -> bool:
    """Whether only a reboot finishes a task: by what was found, or by a patch that the task is about.

    `found` is the host, before a change or after it, `goal` what it should be: what the plan leads to, or after a
    failure what it was before.
    """
    names = plan.name_set.union([plan.about])
    stays = any(
        stays_until_reboot(patch, snapshot)
        for snapshot in (found, goal)
        for patch in snapshot.patches
        if patch.name in names
    )
    is_left = any(_is_left_behind(patch, goal) for patch in found.patches if patch.name in names)
    return stays or is_left or any(finding.only_reboot for finding in findings)


def _is_left_behind(patch: LoadedPatch, goal: Snapshot) -> bool:
    """Whether it should have gone, and the kernel never unloads it."""
    wanted = goal.patch(patch.name)
    return patch.permanent and (wanted is None or wanted.identity.compare(patch.identity) == "different")
