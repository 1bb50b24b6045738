# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Words of which a value is one: the choices of an option, the kinds of a step."""

from __future__ import annotations

from enum import Enum


class Word(str, Enum):
    """A string that is one of a few. In a text it reads as its value, with every version of Python."""

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def values(cls) -> list[str]:
        """All of them, as plain strings."""
        return [word.value for word in cls]

    # Python 3.12 has changed what a format of such a value is.
    def __format__(self, format_spec: str) -> str:
        return format(str(self.value), format_spec)
