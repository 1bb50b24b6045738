# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Trouble after which a kernel must not be changed any more before it is booted again."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CPU_STUCK

TROUBLE_TAINTS = {4: "a machine check", 5: "a bad page", 7: "an oops", 9: "a warning", 14: "a soft lockup"}
"""Bits of /proc/sys/kernel/tainted (Documentation/admin-guide/tainted-kernels.rst)."""

SERIOUS_TAINTS = 1 << 5 | 1 << 7 | 1 << 14
"""A bad page, an oops, a soft lockup: what a live patch does if it does harm, and what seldom comes from elsewhere."""

KERNEL_TROUBLE = "kernel_trouble"

SOFT_LOCKUP = "a soft lockup"

HARD_LOCKUP = "a hard lockup"

RCU_STALL = "an RCU stall"

WORKQUEUE_LOCKUP = "a workqueue lockup"

HUNG_THREAD = "a hung thread of the kernel's scheduler"

PANIC = "a panic"

GRAVE = frozenset({SOFT_LOCKUP, HARD_LOCKUP, RCU_STALL, WORKQUEUE_LOCKUP, HUNG_THREAD, PANIC})
"""What keeps a CPU or the kernel's own threads from going on: whoever changes a patch then waits for that."""


def reboot_remedy(name: str) -> str:
    """What to do about a kernel that must not be changed any more."""
    return f"Drain and reboot the host; {name} is on trial, a reboot takes it out."


def forbids_changes(result: t.Mapping[str, t.Any]) -> bool:
    """Whether the failed result of a run says that the kernel must not be changed any more, not even to roll back."""
    findings = result.get("findings")
    reasons = [finding.get("reason") for finding in findings or () if isinstance(finding, dict)]
    is_told = result.get("reason") in (KERNEL_TROUBLE, CPU_STUCK) or (CPU_STUCK in reasons)
    return bool(result.get("failed")) and result.get("reboot_required") is True and is_told


def troubles(taint: int | None) -> list[str]:
    """The trouble that a kernel with this taint has had since it booted."""
    return [text for bit, text in TROUBLE_TAINTS.items() if (taint or 0) >> bit & 1]
