# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Jumps at the entries of functions that no loaded live patch explains."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function


class ForeignJump(t.NamedTuple):
    """A function whose first instructions lead to code of somebody else: of the module `owner`, or of none (None)."""

    function: Function
    target: int
    owner: str | None


class Jumps(t.NamedTuple):
    """What was found at the entries of functions. `why_unknown` is a clause about why some could not be looked at."""

    foreign: tuple[ForeignJump, ...] = ()
    why_unknown: str = ""


NOT_LOOKED_FOR = Jumps()
"""On per_task kernels ftrace tells who redirects a function; a kernel may also have no /proc/kcore."""
