# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Modules that come and go: whether a step has changed that, and what a module shows that was loaded right now."""

from __future__ import annotations

import errno
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Function,
    Snapshot,
    added_functions,
)

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol


def unloads(kernel: KernelProtocol, name: str) -> bool:
    """Remove a module. Returns whether it was there. Raises OSError."""
    try:
        kernel.unload(name)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def loads_target(kernel: KernelProtocol, name: str) -> bool:
    """Load a module that a patch needs. Returns whether it was not there. Raises OSError."""
    if name in kernel.snapshot().modules:
        return False
    kernel.load_target(name)
    return True


def check_registered(step: Step, file: PatchFile, now: Snapshot) -> None:
    """Stop before a patch is enabled that replaces others: openEuler 5.10 takes it, and then hangs CPUs.

    Modules of kpatch-build do not show the flag in the file. What gives it away is that the kernel adds the functions
    of the other patches to it. Raises StepFailed.
    """
    patch = now.patch(step.patch)
    if patch is None:
        return
    added = added_functions(patch, file.functions, [other for other in now.patches if other != patch])
    if added:
        raise _adds(step, added)


def _adds(step: Step, added: t.Iterable[Function]) -> StepFailed:
    """What is said of a patch to which the kernel has added functions."""
    functions = ", ".join(map(str, added))
    finding = Finding(
        reason="replaces_others",
        seen=f"The patch has the replace flag: the kernel added {functions} to it, which its file does not show, and "
        "enabling it would hang CPUs.",
        remedy="Build the patch with kpatch-build -R.",
    )
    return StepFailed(str(step), finding)
