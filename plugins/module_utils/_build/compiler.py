# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The errors that a C compiler prints."""

from __future__ import annotations

import re

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain

_COMPILER_ERROR = re.compile(
    r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?:(?P<column>\d+):)? (?:fatal )?error: (?P<message>.*)$", re.M
)


def parse_errors(output: str) -> list[Plain]:
    """The errors in a compiler's output, each with `file`, `line`, `column` (None if it is not given) and `message`."""
    return [
        {
            "file": match.group("file"),
            "line": int(match.group("line")),
            "column": int(match.group("column")) if match.group("column") else None,
            "message": match.group("message"),
        }
        for match in _COMPILER_ERROR.finditer(output)
    ]
