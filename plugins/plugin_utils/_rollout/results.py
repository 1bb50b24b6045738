# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the result of a task on a host, as Ansible registers it."""

from __future__ import annotations

import typing as t
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable

NO_ANSWER = "It could not be reached."
NO_MESSAGE = "It failed."
LEFT_ALONE = (
    "To change its kernel now could hang it. Drain and reboot it; the patch is on trial, a reboot takes it out."
)
LONGEST_MESSAGE = 4000
"""In characters. A refusal of livepatch_module for several reasons is shorter."""


@dataclass(frozen=True)
class Result:
    """The result of a task on a host. `content` is all that was registered; `message` is one line, and may be empty."""

    is_skipped: bool
    is_unreachable: bool
    is_failed: bool
    is_changed: bool
    message: str
    content: Mapping[str, t.Any]

    @property
    def is_bad(self) -> bool:
        return self.is_unreachable or self.is_failed

    @property
    def why(self) -> str:
        """Why the task failed or did not reach the host, as a sentence."""
        return self.message or (NO_ANSWER if self.is_unreachable else NO_MESSAGE)

    def has_found(self, reasons: Container[str]) -> bool:
        """Whether livepatch_module has found one of the reasons."""
        return any(str(finding.get("reason")) in reasons for finding in self.each("findings"))

    @property
    def actions(self) -> list[str]:
        """What livepatch_module has done on a host, or would do. Whatever else a host may put there is one text."""
        actions = self.content.get("actions") or []
        return list(map(str, actions)) if isinstance(actions, (list, tuple)) else [str(actions)]

    def inner(self, key: str) -> Mapping[str, t.Any]:
        """The dictionary under this key; an empty one if there is none."""
        return mapping(self.content.get(key))

    def each(self, key: str) -> list[Mapping[str, t.Any]]:
        """The dictionaries of the list under this key. Whatever else a host may put there is left out."""
        entries = self.content.get(key)
        return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, Sequence) else []


def read_result(registered: t.Any) -> Result:
    """The result from a registered variable. A task that never ran counts as skipped."""
    content = mapping(registered)
    return Result(
        is_skipped=not content or bool(content.get("skipped")),
        is_unreachable=bool(content.get("unreachable")),
        is_failed=bool(content.get("failed")),
        is_changed=bool(content.get("changed")),
        message=printable(str(content.get("msg") or ""), LONGEST_MESSAGE),
        content=content,
    )


def found_data(result: Result) -> dict[str, t.Any]:
    """What livepatch_module has found on a host and would do there, as texts that can be displayed."""
    keys, actions = ("severity", "reason", "cause", "remedy"), result.content.get("actions")
    return {
        "findings": [
            {key: printable(str(finding.get(key) or ""), LONGEST_MESSAGE) for key in keys}
            for finding in result.each("findings")
        ],
        "actions": list(map(printable, result.actions)) if isinstance(actions, (list, tuple)) else [],
    }


def mapping(value: t.Any) -> Mapping[str, t.Any]:
    """The value if it is a dictionary, or an empty one."""
    return value if isinstance(value, Mapping) else {}
