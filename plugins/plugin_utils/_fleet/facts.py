# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads what livepatch_facts has returned of a host, which is not trusted and may be of another version."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

LONGEST_TEXT = 500
_LINE_BREAKS = re.compile(r"[\t-\r]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class DataError(Exception):
    """Data are not what they should be; the message is a sentence that says in what."""


@dataclass(frozen=True)
class Patch:
    """A loaded patch. C(effective) is C(full), C(partial) or C(none), C(boot) C(accepted), C(quarantined) or C(trial).

    C(covered_by) are the enabled patches above it. C(sha256) is C(None) where the content is not known.
    """

    name: str
    enabled: bool
    in_transition: bool = False
    effective: str = "none"
    boot: str = "trial"
    sha256: str | None = None
    covered_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stack:
    """A replaced function with the enabled patches on it, oldest first; the last one is live."""

    object: str
    function: str
    sympos: int
    patches: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """A content that a host has accepted or put into quarantine, for a kernel release."""

    name: str
    release: str
    sha256: str | None = None
    why: str | None = None

    @property
    def reason(self) -> str:
        """Why it is in quarantine, as a sentence."""
        return self.why or "it is not told why."


@dataclass(frozen=True)
class Facts:
    """What is known about a host's kernel. C(read_at) is C(None) if the facts do not tell. C(notes) are sentences."""

    release: str
    machine: str
    abi: str | None = None
    supported: bool = True
    why_unsupported: str | None = None
    read_at: datetime | None = None
    patches: tuple[Patch, ...] = ()
    stacks: tuple[Stack, ...] = ()
    accepted: tuple[Kept, ...] = ()
    quarantined: tuple[Kept, ...] = ()
    notes: tuple[str, ...] = ()

    def patch(self, name: str) -> Patch | None:
        """The loaded patch of this name, or None."""
        return next((patch for patch in self.patches if patch.name == name), None)


def printable(text: str) -> str:
    """The text on one line of reasonable length, without what could disguise it."""
    # Joined, because a text of Ansible may be of a class of its own, which is not plain data.
    clean = _UNPRINTABLE.sub("\ufffd", _LINE_BREAKS.sub(" ", "".join(text)))
    return clean if len(clean) <= LONGEST_TEXT else clean[: LONGEST_TEXT - 1] + "…"


def time_of(value: t.Any) -> datetime:
    """The moment that a text like C(2026-11-25T07:33:31Z) names, in UTC. Raises ValueError.

    YAML makes a moment of such a text by itself.
    """
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def time_text(moment: datetime) -> str:
    """The moment as L(time_of) reads it."""
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


class Reader:
    """Takes typed values out of a mapping; what has another type is a L(DataError)."""

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
            raise DataError(f"{self._what} has a {key} that is not a text.")
        return printable(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._data.get(key, default)
        if not isinstance(value, bool):
            raise DataError(f"{self._what} does not say {key}.")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        value = self._data.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
            raise DataError(f"{self._what} has a {key} that is not a number.")
        return int(value)

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise DataError(f"{self._what} has {key} that are not texts.")
        return tuple(printable(value) for value in values)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in choices:
            raise DataError(f"{self._what} has an unknown {key}.")
        return value

    def inner(self, key: str) -> Reader:
        """The mapping under this key, an empty one if there is none."""
        value = self._data.get(key)
        return Reader({} if value is None else value, f"{key} of {self._what}")

    def each(self, key: str) -> list[Reader]:
        """The mappings of the list under this key, which may be missing."""
        return [Reader(one, f"one of the {key} of {self._what}") for one in self._list(key)]

    def value(self, key: str) -> t.Any:
        return self._data.get(key)

    def has(self, key: str) -> bool:
        return self._data.get(key) is not None

    def _list(self, key: str) -> Sequence[t.Any]:
        values = self._data.get(key)
        if values is None:
            return []
        if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
            raise DataError(f"{self._what} has {key} that are not a list.")
        return values


def read_facts(data: t.Any) -> Facts:
    """The facts of a host. Raises L(DataError) where they are not understood: a guess would be worse than none."""
    facts = Reader(data, "ansible_facts.livepatch")
    boot = facts.inner("boot")
    read_at, notes = _read_at(facts)
    return Facts(
        release=facts.text("release"),
        machine=facts.text_or_none("machine") or "",
        abi=facts.text_or_none("abi"),
        supported=facts.flag("supported"),
        why_unsupported=facts.text_or_none("why_unsupported"),
        read_at=read_at,
        patches=tuple(_patch(one) for one in facts.each("patches")),
        stacks=tuple(_stack(one) for one in facts.each("functions")),
        accepted=tuple(_kept(one) for one in boot.each("accepted")),
        quarantined=tuple(_kept(one) for one in boot.each("quarantined")),
        notes=(*notes, *_transition_notes(facts), *_boot_notes(boot), *_other_notes(facts)),
    )


def _read_at(facts: Reader) -> tuple[datetime | None, list[str]]:
    if not facts.has("read_at"):
        return None, ["The facts do not tell when they were read."]
    try:
        return time_of(facts.value("read_at")).replace(microsecond=0), []
    except ValueError:
        return None, ["The facts tell a time that is not understood."]


def _patch(patch: Reader) -> Patch:
    above = [name for function in patch.each("covered") for name in function.texts("by")]
    return Patch(
        name=patch.text("name"),
        enabled=patch.flag("enabled"),
        in_transition=patch.flag("in_transition", False),
        effective=patch.choice("effective", ("full", "partial", "none")),
        boot=patch.choice("boot", ("accepted", "quarantined", "trial")) if patch.has("boot") else "trial",
        sha256=patch.inner("identity").text_or_none("sha256"),
        covered_by=tuple(dict.fromkeys(above)),
    )


def _stack(function: Reader) -> Stack:
    return Stack(function.text("object"), function.text("name"), function.number("sympos", 1), function.texts("stack"))


def _kept(kept: Reader) -> Kept:
    return Kept(kept.text("name"), kept.text("release"), kept.text_or_none("sha256"), kept.text_or_none("why"))


def _transition_notes(facts: Reader) -> t.Iterator[str]:
    if not facts.has("transition"):
        return
    transition = facts.inner("transition")
    tasks = [
        f"{task.text_or_none('command') or 'a task'} (pid {task.number('pid', 0)})"
        for task in transition.each("stalling_tasks")
    ]
    doing = "enabled" if transition.flag("enabling", True) else "disabled"
    stalled = f", stalled by {listed(tasks)}" if tasks else ""
    yield f"{transition.text('patch')} is being {doing}{stalled}."


def _boot_notes(boot: Reader) -> t.Iterator[str]:
    for kept in (_kept(one) for one in boot.each("quarantined")):
        yield f"{kept.name} is in quarantine on kernel {kept.release}: {kept.reason}"
    for kept in (_kept(one) for one in boot.each("lost")):
        yield f"{kept.name} is accepted for kernel {kept.release}, and nothing of that name for the running one."
    if boot.flag("held", False):
        yield "Nothing is loaded at boot any more, after too many unhealthy boots."
    if boot.has("nothing"):
        yield boot.text("nothing")


def _other_notes(facts: Reader) -> t.Iterator[str]:
    trouble = facts.texts("trouble")
    if trouble:
        yield f"The kernel has had {' and '.join(trouble)} since it booted."
    yield from facts.texts("disagreements")
    unreadable = [f"{one.text('path')} ({one.text_or_none('reason')})" for one in facts.each("unreadable")]
    if unreadable:
        yield f"Not read: {listed(unreadable)}."


def listed(texts: Sequence[str], most: int = 5) -> str:
    """The texts in a row; only so many, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
