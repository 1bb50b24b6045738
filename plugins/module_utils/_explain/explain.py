# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Why the kernel said no: an operation, its errno and the kernel's log lines make one sentence and one remedy."""

from __future__ import annotations

import errno
import re
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._explain import enabling, loading, unloading
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.row import (
    IDLE_PATH,
    ONLY_THE_FIRST,
    ONLY_THE_LAST,
    UNRELIABLE_STACK,
    Row,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import errno_name

PAGE = "docs/docsite/rst/errors.rst"
"""Where these tables are for users to read; "make docs" writes it."""

ROWS: tuple[Row, ...] = (*enabling.WHEN_LOADED, *loading.ROWS, *enabling.ROWS, *unloading.ROWS)
"""The first row that fits is taken.

Sources: kernel/livepatch/core.c and patch.c, kernel/module/main.c of Linux 6.12; of openEuler's 4.19, 5.10 and 6.6,
with arch/*/kernel/livepatch.c.
"""


def may_pass(number: int | None, log: t.Sequence[str]) -> bool:
    """Whether the kernel refused because of what some task does at the moment, so that trying again may help.

    A function is on some task's stack: EAGAIN, on openEuler 22.03 GA EBUSY. An idle task never leaves it. The stack of
    some task cannot be read at this moment: EINVAL (arch/x86/kernel/livepatch.c).
    """
    if _search(IDLE_PATH, log) is not None:
        return False
    if number == errno.EINVAL:
        return _search(UNRELIABLE_STACK, log) is not None
    return number in (errno.EAGAIN, errno.EBUSY) and _search(f"{ONLY_THE_FIRST}|{ONLY_THE_LAST}", log) is None


def explain(operation: str, number: int, log: t.Sequence[str], abi: str | None = None) -> Finding:
    """Why an operation (a step's action) failed, from its errno, the kernel's new log lines and its ABI."""
    for row in ROWS:
        fits = row.operation in (None, operation) and row.number in (None, number)
        if fits and (None in (abi, row.abi) or abi == row.abi):
            found = _search(row.log, log)
            if found is not None:
                return replace(
                    row.finding,
                    seen=row.finding.seen.format(**found),
                    remedy=row.finding.remedy.format(**found),
                )
    return Finding(
        reason="unknown",
        seen=f"The kernel answered {errno_name(number)}, and this collection does not know why.",
        remedy=f"Read the kernel's log lines; {PAGE} of the collection lists what is known.",
    )


def _search(pattern: str, log: t.Sequence[str]) -> dict[str, str] | None:
    if not pattern:
        return {}
    match = re.search(pattern, "\n".join(log))
    return match.groupdict(default="") if match else None
