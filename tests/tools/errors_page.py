# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the page about the kernel's errors from the table that the modules use; a unit test compares them.

"make errors-page" runs it; PYTHONPATH must have the directory with ansible_collections.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.explain import PAGE, ROWS
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.row import Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import errno_name

HEADER = """\
.. Copyright (c) 2026, openeuler.livepatch contributors
.. GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
.. SPDX-License-Identifier: GPL-3.0-or-later

.. _ansible_collections.openeuler.livepatch.docsite.errors:

What the kernel's errors mean
=============================

When the kernel refuses a step, ``livepatch_module`` looks up the operation, the kernel's errno, its ABI and its new log
lines in this table, and returns ``reason``, ``cause`` and ``remedy``. If several rows fit, it prefers a row with a line
of the log, then a row of one step, then the first row. ``make errors-page`` writes this page from the table.

:ref:`ansible_collections.openeuler.livepatch.docsite.reasons` lists what the collection refuses beforehand, and what
fails without an answer of the kernel.

"""


def page() -> str:
    """Return the text of the page."""
    reasons = dict.fromkeys(row.finding.reason for row in ROWS)
    return HEADER + "\n".join(
        _section(reason, [row for row in ROWS if row.finding.reason == reason]) for reason in reasons
    )


def _section(reason: str, rows: list[Row]) -> str:
    causes: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: not row.log):
        causes.setdefault((row.finding.seen, row.finding.remedy), []).append(row)
    parts = [f"{reason}\n{'-' * len(reason)}\n"]
    for (cause, remedy), same in causes.items():
        parts += [_wrap(f"**{_words(cause)}** {_words(remedy)}"), ""]
        parts.extend(_wrap("* " + when(row), "  ") for row in same)
        parts.append("")
    return "\n".join(parts)


def when(row: Row) -> str:
    """Return when a row fits, in one line."""
    operation = f"``{row.operation}``" if row.operation else "any step"
    abi = f", {row.abi}" if row.abi else ""
    log = f", with {' and '.join(f'``{line}``' for line in lines(row.log))} in the log" if row.log else ""
    return f"{operation}: {errno_name(row.number) if row.number is not None else 'any errno'}{abi}{log}"


def _words(sentence: str) -> str:
    return re.sub(r"{(\w+)}", r"<\1>", sentence).replace("*", r"\*")


def lines(pattern: str) -> list[str]:
    """Return the lines that a pattern matches, with names in place of its groups and without optional parts."""
    plain = re.sub(r"\(\?P<(\w+)>[^()]*\)", r"<\1>", pattern)
    plain = re.sub(r"\(\?m\)\^|\(\?:[^()]*\)\?|\(\?<![^()]*\)", "", plain)
    return [re.sub(r"\\(.)", r"\1", line) for line in re.split(r"\(\?:\.\*\\n\)\{0,200\}\?|\\n", plain) if line]


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / PAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(), encoding="utf-8")
