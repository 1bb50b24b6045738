# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the list of checks on the page of reasons from the table that the modules use; a unit test compares them.

"make errors-page" runs it; PYTHONPATH must have the directory with ansible_collections.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import REASONS, Reason
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, REFUSE, WARN

PAGE = "docs/docsite/rst/reasons.rst"

BEGIN = ".. make errors-page writes this list from plugins/module_utils/_model/checks.py.\n\n"

END = "\n.. The list ends here.\n"

DOES = {REFUSE: "refuses", WARN: "warns", INFO: "informs"}


def page(text: str) -> str:
    """Return this text of the page with the list from the table. Raises ValueError if the marks are missing."""
    before, rest = text.split(BEGIN)
    _old, after = rest.split(END)
    return before + BEGIN + "\n".join(_entry(name, reason) for name, reason in REASONS.items()) + "\n" + END + after


def _entry(name: str, reason: Reason) -> str:
    does = DOES[reason.severity] + ("; can be ignored" if reason.ignorable else "")
    words = f"{reason.meaning} {reason.remedy}".replace("`", "``")
    return textwrap.fill(
        f"* ``{name}`` ({does}): {words}",
        118,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[2] / PAGE
    target.write_text(page(target.read_text(encoding="utf-8")), encoding="utf-8")
