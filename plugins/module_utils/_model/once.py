# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What follows from a value that never changes, and is asked for again and again: worked out once.

`functools.cached_property` is that from Python 3.8 on.
"""

from __future__ import annotations

import typing as t

_Value = t.TypeVar("_Value")


class once(t.Generic[_Value]):
    """A property that is worked out once. In a dataclass it is no field: no comparison or copy depends on it."""

    def __init__(self, work: t.Callable[[t.Any], _Value]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __get__(self, instance: t.Any, owner: type | None = None) -> _Value:
        # The next time the attribute is found before this.
        value = instance.__dict__[self._work.__name__] = self._work(instance)
        return value
