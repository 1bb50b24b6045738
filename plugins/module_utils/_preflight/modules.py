# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Checks of other modules: those that a patch changes, and those that it needs."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances, check


@check("target_not_loaded")
def targets(circumstances: Circumstances) -> t.Iterator[Finding]:
    for file in circumstances.files:
        for target in sorted({function.object for function in file.functions or ()}):
            if not circumstances.has_object(target):
                yield _absent(circumstances, target, f"{file.path} patches the module {target}, which is not loaded")


def _absent(circumstances: Circumstances, target: str, seen: str) -> Finding:
    can_load = circumstances.can_load(target)
    if abi_of(circumstances.snapshot).patches_modules_later:
        comfort = "The kernel patches it when it is loaded."
    elif circumstances.load_targets and can_load:
        comfort = "The task loads it first, as load_targets asks."
    else:
        return Finding(
            reason="target_not_loaded",
            seen=f"{seen}{'' if can_load else ' and not installed'}.",
            remedy="Load it first, or set load_targets: true.",
            why="This kernel does not patch modules that are loaded later, and would answer ENOPKG.",
        )
    return Finding(
        reason="target_not_loaded",
        seen=f"{seen}.",
        remedy="Nothing needs to be done.",
        why=comfort,
        severity=INFO,
    )


@check("dependency")
def dependencies(circumstances: Circumstances) -> t.Iterator[Finding]:
    there = circumstances.snapshot.modules | circumstances.conditions.built_in
    for file in circumstances.files:
        for module in file.depends:
            can_load = circumstances.can_load(module)
            if module not in there and not (circumstances.load_targets and can_load):
                yield Finding(
                    reason="dependency",
                    seen=f"{file.path} needs the module {module}, which is not loaded"
                    f"{'' if can_load else ' and not installed'}.",
                    remedy="Load it first, or set load_targets: true.",
                    why="Its symbols would be unknown to the kernel (ENOENT).",
                )
