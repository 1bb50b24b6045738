# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Which words of a task, and names of files, may reach make and kpatch-build.

make expands `$(...)` in its arguments, in the names that a makefile lists and in the makefile itself, and gives what it
has to a shell; kpatch-build is a shell script. So there is nothing in these words that either takes for anything else.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*\Z")

PATH = re.compile(r"/[A-Za-z0-9._+,=@%~/-]*\Z")

TARGET = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9._+/-]*\Z")
"""What make builds, or how the names of a compiler and its tools begin."""

ARCHITECTURE = re.compile(r"[A-Za-z0-9_]+\Z")

FLAG = re.compile(r"[A-Za-z0-9._+,:=/@%-]+\Z")

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def refuse_odd_words(rule: t.Pattern[str], option: str, words: t.Iterable[str | None]) -> None:
    """Raise BuildError if one of the words of an option, or of what it leads to, does not follow the rule."""
    for word in words:
        if word is not None and not rule.match(word):
            raise BuildError(
                Finding(
                    reason="bad_argument",
                    seen=f"{option} leads to {clean(word)!r}, which has characters that make or a shell may run.",
                    remedy="Use a name of letters, digits and the signs . _ + - only; a path has slashes besides.",
                )
            )
