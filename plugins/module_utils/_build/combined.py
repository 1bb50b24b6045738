# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What source patches make of each file, all together, and one unified diff of that.

klp-build reads a patch with less care than patch(1), and each one alone; it takes this diff.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.hunks import read_hunks
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of


class Content(t.NamedTuple):
    """The content of a file before and after patches; None where the file does not exist."""

    before: bytes | None
    after: bytes | None

    @property
    def has_other_lines(self) -> bool:
        return (self.before or b"") != (self.after or b"")


Changes = t.Dict[str, Content]
"""Path below the tree -> content, of each file that is not the same before and after."""


def changed_lines(content: Content) -> list[int]:
    """The numbers of the lines of the patched file that are new, or before which lines are removed."""
    lines = lines_of(_diff_of("x", content).decode("latin-1"))
    return [number for hunk in read_hunks(lines) for number in hunk.changed]


def combined_patch(changes: Changes) -> bytes:
    """One unified diff of all changes, for `patch -p1`, in the order of the names. The same changes are the same bytes.

    Names have to be plain ones (see source_checks.py): none is quoted.
    """
    return b"".join(_diff_of(name, changes[name]) for name in sorted(changes))


def _diff_of(name: str, content: Content) -> bytes:
    old = "/dev/null" if content.before is None else f"a/{name}"
    new = "/dev/null" if content.after is None else f"b/{name}"
    before, after = (_lines_with_ends((text or b"").decode("latin-1")) for text in content)
    diff = difflib.unified_diff(before, after, old, new)
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_END}" for line in diff).encode("latin-1")


_NO_END = "\\ No newline at end of file\n"


def _lines_with_ends(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)
