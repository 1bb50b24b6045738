# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the result of a task on a host, as Ansible registers it."""

from __future__ import annotations

import typing as t
from collections.abc import Container, Mapping
from dataclasses import dataclass

NO_ANSWER = "It could not be reached."
NO_MESSAGE = "It failed."
LEFT_ALONE = (
    "To change its kernel now could hang it. Drain and reboot it; the patch is on trial, a reboot takes it out."
)


@dataclass(frozen=True)
class Result:
    """The result of a task on a host. `content` is all that was registered; `message` may be empty."""

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
        return any(mapping(finding).get("reason") in reasons for finding in self.content.get("findings") or ())

    def inner(self, key: str) -> Mapping[str, t.Any]:
        """The dictionary under this key; an empty one if there is none."""
        return mapping(self.content.get(key))


def read_result(registered: t.Any) -> Result:
    """The result from a registered variable. A task that never ran counts as skipped."""
    content = mapping(registered)
    return Result(
        is_skipped=not content or bool(content.get("skipped")),
        is_unreachable=bool(content.get("unreachable")),
        is_failed=bool(content.get("failed")),
        is_changed=bool(content.get("changed")),
        message=str(content.get("msg") or ""),
        content=content,
    )


def mapping(value: t.Any) -> Mapping[str, t.Any]:
    """The value if it is a dictionary, or an empty one."""
    return value if isinstance(value, Mapping) else {}
