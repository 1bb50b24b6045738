# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What a patch turns out to be when the kernel has taken it: whether it replaces others, and has replaced them."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.added import added_functions
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Function,
    Snapshot,
)

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol


def check_registered(step: Step, file: PatchFile, observe: t.Callable[[], Snapshot]) -> None:
    """Stop before a patch is enabled that replaces others: openEuler 5.10 takes it, and then hangs CPUs.

    Modules of kpatch-build do not show the flag in the file. What gives it away is that the kernel adds the functions
    of the other patches to it. Raises StepFailed.
    """
    if file.functions is None and file.replace is False:
        return
    now = observe()
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


def still_to_lower(kernel: KernelProtocol, step: Step, done: t.Iterable[Step]) -> list[Step]:
    """The steps that first disable a patch which a load was to replace, and has not: the kernel sees no such flag.

    Raises StepFailed if the kernel does not tell.
    """
    loads = [one.file for one in done if one.action == Action.LOAD and one.file]
    was_to_be_replaced = step.action == Action.UNLOAD and any(file.replace for file in loads)
    try:
        is_enabled = was_to_be_replaced and kernel.enabled(step.patch)
    except FindingError as error:
        raise StepFailed(str(step), error.finding) from error
    if not is_enabled:
        return []
    return [Step(Action.DISABLE, step.patch), Step(Action.WAIT, step.patch)]
