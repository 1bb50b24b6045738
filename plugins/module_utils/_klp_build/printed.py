# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What klp-build prints of a build that succeeds: that it has come to its end, and what patched functions lose."""

from __future__ import annotations

import re

_SUCCESS = re.compile(r"SUCCESS$", re.M)


def says_success(printed: str) -> bool:
    """Whether klp-build has come to its end. It ends with 0 as well where it has made nothing.

    Late lines of the programs that it has called may come after its last one.
    """
    return _SUCCESS.search(printed) is not None


_DISABLED = re.compile(r"disabling unsupported (?:(?P<what>tracepoint) (?P<name>[\w.]+)|(?P<print>pr_debug\(\)))", re.M)


def warnings_in(printed: str) -> list[str]:
    """What the patched functions will not do any more, in sentences."""
    points = sorted({match.group("name") for match in _DISABLED.finditer(printed) if match.group("name")})
    found = []
    if points:
        found.append(f"The patched functions do not have these trace points any more: {', '.join(points)}.")
    if any(match.group("print") for match in _DISABLED.finditer(printed)):
        found.append("Messages of pr_debug() in the patched functions cannot be switched on any more.")
    return found
