# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The errors that a C compiler prints."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding

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


def compile_error(errors: t.Sequence[Plain], remedy: str, **details: t.Any) -> BuildError:
    """The BuildError for these errors of a compiler, of which there is at least one."""
    first = "{file}:{line}: {message}".format(**errors[0])
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return BuildError(
        Finding(reason="compile_error", seen=f"The compiler says: {first}{more}.", remedy=remedy),
        errors=errors,
        **details,
    )
