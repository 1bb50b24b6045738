# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads plain data that comes from elsewhere: facts of hosts, releases. What is not of its type is an error."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean

LONGEST_TEXT = 500
_LINE_BREAKS = re.compile(r"[\t-\r]+")


class DataError(Exception):
    """The data are not valid. The message is a sentence that says what is wrong with them."""


def printable(text: str, most: int = LONGEST_TEXT) -> str:
    """The text on one line of at most so many characters, without characters that could disguise it."""
    # Joined, because Ansible's strings may be of a subclass of str. The result is plain data.
    shown = clean(_LINE_BREAKS.sub(" ", "".join(text)))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def listed(texts: Sequence[str], most: int = 5) -> str:
    """The first texts, separated by commas, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def time_of(value: t.Any) -> datetime:
    """The time of a text like `2026-11-25T07:33:31Z`, in UTC. Raises ValueError.

    A datetime is taken as well, because YAML makes one of such a text.
    """
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def time_text(moment: datetime) -> str:
    """The time as a text that `time_of` reads."""
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


class Reader:
    """Takes typed values out of a mapping. Each method raises DataError if a value has another type."""

    def __init__(self, data: t.Any, what: str) -> None:
        if not isinstance(data, Mapping):
            raise DataError(f"{what} is not a dictionary.")
        self._data = data
        self._what = what

    def text(self, key: str) -> str:
        value = self.text_or_none(key)
        if not value:
            raise DataError(f"{self._what} has no {key}.")
        return value

    def text_or_none(self, key: str) -> str | None:
        value = self._data.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise DataError(f"{key} in {self._what} is not a string.")
        return printable(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._data.get(key, default)
        if not isinstance(value, bool):
            raise DataError(f"{key} in {self._what} is not a boolean.")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        value = self._data.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
            raise DataError(f"{key} in {self._what} is not a number.")
        return int(value)

    def numbers(self, key: str) -> list[int]:
        values = self._list(key)
        if not all(isinstance(value, int) and value >= 0 for value in values):
            raise DataError(f"{key} in {self._what} has entries that are not numbers.")
        return list(values)

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise DataError(f"{key} in {self._what} has entries that are not strings.")
        return tuple(printable(value) for value in values)

    def texts_if_known(self, key: str) -> tuple[str, ...] | None:
        """The texts; None if the value is null. Facts of an older version lack the key, and have no texts."""
        return None if key in self._data and self._data[key] is None else self.texts(key)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in choices:
            raise DataError(f"{key} in {self._what} has an unknown value.")
        return value

    def inner(self, key: str) -> Reader:
        """The mapping under this key. It is empty if the key is missing."""
        value = self._data.get(key)
        return Reader({} if value is None else value, f"{key} in {self._what}")

    def each(self, key: str) -> list[Reader]:
        """The mappings of the list under this key. It is empty if the key is missing."""
        return [Reader(entry, f"an entry of {key} in {self._what}") for entry in self._list(key)]

    def value(self, key: str) -> t.Any:
        return self._data.get(key)

    def has(self, key: str) -> bool:
        return self._data.get(key) is not None

    def _list(self, key: str) -> Sequence[t.Any]:
        values = self._data.get(key)
        if values is None:
            return []
        if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
            raise DataError(f"{key} in {self._what} is not a list.")
        return values
