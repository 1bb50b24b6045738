# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""One row of the tables that tell why the kernel said no, and what several of them share."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding


@dataclass(frozen=True)
class Row:
    """When the kernel answers an operation with this errno and prints a line that matches `log`, this is the finding.

    Without `operation` it is any, without `number` any errno, without `abi` both ABIs, without `log` no line is
    needed. What the pattern captures is filled into the finding. The page shows the pattern as text, so that there is
    a row for each wording. A pattern that begins with any text says what may not be before it: else each place of a
    long line would be tried anew.
    """

    finding: Finding
    operation: str | None = None
    number: int | None = None
    abi: str | None = None
    log: str = ""


# The name of a task may hold blanks. Without CONFIG_ARCH_STACKWALK the kernel puts the name of its own function first.
UNRELIABLE_STACK = r"(?m)^(?:livepatch: )?(?:\w*calltrace: )?(?:klp_\w+: )?(?P<task>.*:\d+) has an unreliable stack"

IDLE_PATH = (
    r"(?m)^(?:livepatch: )?(?:klp_\w+: )?"
    r"(?:swapper/\d+:0 (?:check stack failed|is sleeping on function)|PID: 0 Comm: swapper/)"
)
"""An idle task, which never leaves the functions of the idle loop (kernel/sched/idle.c), is in the way."""

ONLY_THE_FIRST = "only the first disabled patch can be enabled"

ONLY_THE_LAST = "only the last enabled patch can be disabled"

NO_MEMORY = Finding(
    reason="no_memory",
    seen="The kernel has no memory for the patch.",
    remedy="Free memory, then run the task again.",
)
