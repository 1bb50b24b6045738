# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Observe, plan, apply, verify: the whole of livepatch_module between its arguments and its result."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import Assessment
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Task
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol


def manage(task: Task, kernel: KernelProtocol) -> Plain:
    """Bring one patch into the wanted state. The result has `failed` if it did not get there."""
    try:
        result = _manage(task, kernel)
    finally:
        directory_removed = _remove_delivery(task)
    if directory_removed:
        result["directory_removed"] = True
    return result


def _remove_delivery(task: Task) -> bool:
    """Remove the delivered file and its directory, which saves Ansible a round trip. Whether the directory is gone.

    It is not if other files of Ansible's are in it (without pipelining): then Ansible removes it itself.
    """
    if not task.file_path or not task.delivered:
        return False
    try:
        os.unlink(task.file_path)
        os.rmdir(os.path.dirname(task.file_path))
    except OSError:
        return False
    return True


def _manage(task: Task, kernel: KernelProtocol) -> Plain:
    """Observe and plan without the lock first: a run that changes nothing neither waits nor writes anything."""
    assessment = Assessment(task, kernel)
    if assessment.is_settled and not (assessment.before.privileged and journal.is_noted(kernel.files())):
        return _unchanged(assessment)
    # Here and not above: most runs change nothing, and do not load what only a change needs.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.change import change

    return change(assessment)


def _unchanged(assessment: Assessment) -> Plain:
    if not assessment.proves_unmoved:
        return assessment.unchanged()
    from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.covered import with_proofs

    return with_proofs(assessment, assessment.unchanged())
