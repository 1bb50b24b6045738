# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What kpatch-build and klp-build print: the functions that they change, and why they failed."""

from __future__ import annotations

import re

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.explain import (
    Failed,
    explain_failure,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain


def failed_build(failed: Failed, cmd: list[str]) -> BuildError:
    """The error for a run of `cmd` that failed, from what it printed and from its log."""
    explained = explain_failure(failed)
    details: Plain = {"cmd": cmd, "rc": failed.rc, "log": failed.log_path, "log_lines": explained.lines}
    details["stage"] = str(explained.stage)
    if explained.errors:
        details["errors"] = explained.errors
    return BuildError(explained.finding, **details)


_CHANGED = re.compile(r"^(?P<object>\S+): (?P<what>changed|new) function: (?P<function>\S+)$", re.M)


def changed_functions(printed: str) -> list[Plain]:
    """The functions that the builder says it replaces or adds: object file, name, and whether it is new."""
    return [
        {"object": match.group("object"), "name": match.group("function"), "new": match.group("what") == "new"}
        for match in _CHANGED.finditer(printed)
    ]
