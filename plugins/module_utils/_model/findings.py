# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""What a check of a host and a patch file finds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.word import Word

REFUSE = "refuse"

WARN = "warn"

INFO = "info"

SEVERITIES = (REFUSE, WARN, INFO)
"""The gravest first."""


class Tells(Word):
    """What code has to know of the sentences of a finding: it never reads them.

    `OPEN`: the kernel alone tells whether it is so, when the plan is carried out. `GAP`: no fix is active in between.
    `UNSTACK`, `ALLOW`: it is so because on_covered has this value.
    """

    OPEN = "open"
    GAP = "gap"
    UNSTACK = "unstack"
    ALLOW = "allow"


@dataclass(frozen=True, init=False)
class Finding:
    """What is wrong, or good to know, why that is so, and what to do: the one shape of trouble in this collection.

    `reason` is a stable key. `seen`, `why` and `remedy` are sentences: what was found, why it matters, what to do.
    `severity` is REFUSE for what would fail or do harm, WARN for what may, INFO for what is good to know.
    `only_reboot` says that nothing but a reboot of the host remedies it, `tells` what the sentences say, as values.
    """

    reason: str
    seen: str
    remedy: str
    why: str
    severity: str
    only_reboot: bool
    tells: tuple[Tells, ...]

    def __init__(
        self,
        *,
        reason: str,
        seen: str,
        remedy: str,
        why: str = "",
        severity: str = REFUSE,
        only_reboot: bool = False,
        tells: tuple[Tells, ...] = (),
    ) -> None:
        # By hand: dataclasses know fields that are given by keyword only since Python 3.10.
        values = {"reason": reason, "seen": seen, "remedy": remedy, "why": why, "severity": severity}
        for name, value in {**values, "only_reboot": only_reboot, "tells": tells}.items():
            object.__setattr__(self, name, value)

    @property
    def cause(self) -> str:
        """What was seen, and why it matters."""
        return f"{self.seen} {self.why}".strip()

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}"

    def to_plain(self) -> dict[str, str]:
        """The finding as results return it: `reason`, `cause`, `remedy`, `severity`."""
        return {"reason": self.reason, "cause": self.cause, "remedy": self.remedy, "severity": self.severity}


def sentence(text: str) -> str:
    """A text of somebody else's, ended with a full stop, so that a sentence of ours can follow it."""
    return text.strip().rstrip(".") + "."


class FindingError(Exception):
    """Work cannot go on because of a finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def bad_argument(seen: str, remedy: str) -> FindingError:
    """The error for arguments that a task may not have, alone or together."""
    return FindingError(Finding(reason="bad_argument", seen=seen, remedy=remedy))


def failure_of(finding: Finding) -> dict[str, t.Any]:
    """What every failed result of a module or an action plugin has: `msg`, `reason`, `cause`, `remedy`."""
    return {
        "failed": True,
        "changed": False,
        "msg": str(finding),
        "reason": finding.reason,
        "cause": finding.cause,
        "remedy": finding.remedy,
    }


def refusals(findings: t.Iterable[Finding]) -> list[Finding]:
    """Those that forbid to go on."""
    return [finding for finding in findings if finding.severity == REFUSE]


def allow(findings: t.Iterable[Finding], ignored: t.Container[str]) -> list[Finding]:
    """The findings, with refusals of the ignored checks turned into warnings that say so."""
    return [
        replace(finding, severity=WARN, why=f"{finding.why} This was ignored as asked.".strip())
        if finding.severity == REFUSE and finding.reason in ignored
        else finding
        for finding in findings
    ]
