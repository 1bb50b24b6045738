# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What a patch fixes. It travels with the patch: in the manifest of its file, and in what a host notes of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import bad_argument
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import one_line

FIX: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "id": {"type": "str", "required": True},
        "title": {"type": "str"},
        "severity": {"type": "str"},
        "cves": {"type": "list", "elements": "str"},
    },
}
"""The argument of the modules."""

LONGEST_TEXT = 1000
"""Characters of a text. Records with a fix are read at each run."""

MOST_CVES = 1000


@dataclass(frozen=True)
class Fix:
    """A fix: what people call it, what it fixes in a sentence, how severe that is in their words, and its CVEs.

    What is not said is empty. No text has a character that could command a terminal, or end a line. Raises ValueError
    for any other.
    """

    id: str
    title: str = ""
    severity: str = ""
    cves: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in (self.id, self.title, self.severity, *self.cves):
            if len(text) > LONGEST_TEXT:
                raise ValueError(f"a text of {len(text)} characters, and {LONGEST_TEXT} are allowed")
            if text != one_line(text):
                raise ValueError(f"{one_line(text)!r}, which has a character that cannot be printed")
        if not self.id.strip() or not all(cve.strip() for cve in self.cves):
            raise ValueError("an empty id or CVE")
        if len(self.cves) > MOST_CVES:
            raise ValueError(f"{len(self.cves)} CVEs, and {MOST_CVES} are allowed")

    def __str__(self) -> str:
        others = ", ".join(cve for cve in self.cves if cve != self.id)
        return f"{self.id} ({others})" if others else self.id

    def to_dict(self) -> dict[str, t.Any]:
        """Plain types only, for results, and for what is kept on the host."""
        return {"id": self.id, "title": self.title, "severity": self.severity, "cves": list(self.cves)}

    @classmethod
    def from_dict(cls, data: t.Mapping[str, t.Any]) -> Fix:
        """The inverse of to_dict(). Raises KeyError, TypeError or ValueError on anything else."""
        texts = {key: data[key] for key in ("id", "title", "severity")}
        cves = data["cves"]
        if data.keys() != {*texts, "cves"} or not isinstance(cves, list):
            raise TypeError("missing or foreign keys")
        if not all(isinstance(text, str) for text in (*texts.values(), *cves)):
            raise TypeError("no text")
        return cls(cves=tuple(dict.fromkeys(cves)), **texts)


def fix_in(data: t.Any) -> Fix | None:
    """The fix in data of somebody else's; None if there is none, or it is anything else."""
    try:
        return Fix.from_dict(data)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def fix_of(argument: t.Mapping[str, t.Any] | None) -> Fix | None:
    """The fix that a task names, None if it names none. Raises FindingError."""
    if argument is None:
        return None
    try:
        return Fix(
            cves=tuple(dict.fromkeys(map(_words, argument["cves"] or ()))),
            **{key: _words(argument[key] or "") for key in ("id", "title", "severity")},
        )
    except ValueError as error:
        raise bad_argument(f"fix has {error}.", "Correct fix.") from error


def _words(text: str) -> str:
    """The text without the line breaks and blanks that YAML may have added."""
    return " ".join(text.split())
