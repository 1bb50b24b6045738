# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: everything that is known to keep a kernel from taking the steps of a plan, or to make them do harm.

All findings at once. What could not be read is a finding too. The order of patches is the plan's business, not this.
"""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import REASONS
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import SEVERITIES, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight import (
    file,
    functions,
    kernel,
    modules,
    others,
    signature,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Check, Circumstances

SUBJECTS = (file, signature, functions, others, modules, kernel)

CHECKS = tuple(value for subject in SUBJECTS for value in vars(subject).values() if isinstance(value, Check))
"""Every check: each function in a module of SUBJECTS that has the decorator `check`."""


def find(circumstances: Circumstances) -> list[Finding]:
    """Everything that the checks find, refusals first, then in the order of REASONS."""
    found = [finding for check in CHECKS for finding in check(circumstances)]
    order = list(REASONS)
    return sorted(found, key=lambda finding: (SEVERITIES.index(finding.severity), order.index(finding.reason)))
