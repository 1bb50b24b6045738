# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""What a check of a host and a patch file finds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

REFUSE = "refuse"

WARN = "warn"

INFO = "info"


@dataclass(frozen=True)
class Finding:
    """`check` is a stable key, `seen`, `remedy` and `why` are a sentence each.

    `severity` is REFUSE for what would fail or do harm, WARN for what may, INFO for what is good to know.
    """

    check: str
    seen: str
    remedy: str
    why: str = ""
    severity: str = REFUSE

    @property
    def cause(self) -> str:
        """What was seen, and why it matters."""
        return f"{self.seen} {self.why}".strip()


def refusals(findings: t.Iterable[Finding]) -> list[Finding]:
    """Those that forbid to go on."""
    return [finding for finding in findings if finding.severity == REFUSE]


def allow(findings: t.Iterable[Finding], ignored: t.Container[str]) -> list[Finding]:
    """The findings, with refusals of the ignored checks turned into warnings that say so."""
    return [
        replace(finding, severity=WARN, why=f"{finding.why} This was ignored as asked.".strip())
        if finding.severity == REFUSE and finding.check in ignored
        else finding
        for finding in findings
    ]


@dataclass(frozen=True)
class Cause:
    """`reason` is a stable key; `cause` and `remedy` are a sentence each."""

    reason: str
    cause: str
    remedy: str


IGNORABLE = (
    "quarantined",
    "wrong_architecture",
    "wrong_vermagic",
    "wrong_abi",
    "signature",
    "modules_disabled",
    "symbol_missing",
    "symbol_ambiguous",
    "sympos_missing",
    "function_too_short",
    "target_not_loaded",
    "dependency",
    "kprobe",
    "ftrace_user",
    "ftrace_disabled",
)
"""The checks whose refusals a user may turn into warnings."""
