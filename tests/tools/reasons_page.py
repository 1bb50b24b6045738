# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the lists on the page of reasons from the tables that the modules use; a unit test compares them.

"make errors-page" runs it; PYTHONPATH must have the directory with ansible_collections.
"""

from __future__ import annotations

import re
import textwrap
import typing as t
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures import (
    blame,
    given,
    host,
    needs,
    patch,
    tool,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.row import Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import REASONS, Reason
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, REFUSE, WARN

PAGE = "docs/docsite/rst/reasons.rst"

BEGIN = ".. make errors-page writes this list from plugins/module_utils/_model/checks.py.\n\n"

END = "\n.. The list ends here.\n"

BEGIN_BUILDS = ".. make errors-page writes this list from plugins/module_utils/_build/_failures.\n\n"

END_BUILDS = "\n.. The list of builds ends here.\n"

BUILDS = {
    "The build host, or what it was given, has to be corrected:": (
        *host.ROWS,
        *needs.ROWS,
        blame.ORIGINAL,
        *given.ROWS,
    ),
    "The tool does not fit the kernel, or the kernel the tool:": tool.ROWS,
    "The patch, or the hand-written module, has to be corrected:": (blame.PATCHED, *patch.ROWS),
}
"""Who can act -> the rows of the causes."""

DOES = {REFUSE: "refuses", WARN: "warns", INFO: "informs"}


def page(text: str) -> str:
    """Return this text of the page with the lists from the tables. Raises ValueError if the marks are missing."""
    text = _with(text, BEGIN, "\n".join(_entry(name, reason) for name, reason in REASONS.items()), END)
    return _with(text, BEGIN_BUILDS, "\n\n".join(_builds(who, rows) for who, rows in BUILDS.items()), END_BUILDS)


def _with(text: str, begin: str, content: str, end: str) -> str:
    before, rest = text.split(begin)
    _old, after = rest.split(end)
    return before + begin + content + "\n" + end + after


def _builds(who: str, rows: t.Sequence[Row]) -> str:
    """The first cause of each reason, with what the log tells in angle brackets."""
    first = {row.reason: row for row in reversed(rows)}
    entries = []
    for name in dict.fromkeys(row.reason for row in rows):
        words = re.sub(r"(?:\{\w+\})+", lambda found: f"<{found[0].split('}')[0][1:]}>", _sentences(first[name]))
        entries.append(_filled(f"* ``{name}``: {words}"))
    return "\n\n".join([who, "\n".join(entries)])


def _sentences(row: Row) -> str:
    return f"{row.cause} {row.remedy}".replace("{work}", "the patch").replace(" ({package})", "")


def _entry(name: str, reason: Reason) -> str:
    does = DOES[reason.severity] + ("; can be ignored" if reason.ignorable else "")
    words = f"{reason.meaning} {reason.remedy}".replace("`", "``")
    return _filled(f"* ``{name}`` ({does}): {words}")


def _filled(entry: str) -> str:
    return textwrap.fill(
        entry,
        118,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / PAGE
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
