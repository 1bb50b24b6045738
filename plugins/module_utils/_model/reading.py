# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The three answers to a read: a value, `Absent` or `Unreadable`. None of them can be taken for another."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

_Value = t.TypeVar("_Value")


@dataclass(frozen=True)
class Absent:
    """There is no such file, or what it was about has ended: a task, a patch.

    `reason` is the name of the errno: ENOENT, ENOTDIR, ESRCH or ENODEV.
    """

    reason: str = "ENOENT"


@dataclass(frozen=True)
class Unreadable:
    """A file that exists and could not be read. `reason` is the name of the errno, or what is wrong in it."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} ({self.reason})"


Reading = t.Union[_Value, Absent, Unreadable]


def known(reading: Reading[_Value]) -> _Value | None:
    """The value; None where there is none, for a source that only informs."""
    return None if isinstance(reading, (Absent, Unreadable)) else reading


def known_or(reading: Reading[_Value], default: _Value) -> _Value:
    """The value; the default where there is none, for a source that only informs."""
    return default if isinstance(reading, (Absent, Unreadable)) else reading
