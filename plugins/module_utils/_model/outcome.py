# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What became of a plan: its failure, if there was one, and what proves its result."""

from __future__ import annotations

import errno
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import (
    Plan,
    Step,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Snapshot,
    StallingTask,
)

UNTOLD = "what it shows cannot be read"
"""In place of what a host differs in, where it cannot be told."""

AS_BEFORE = "The host is as it was before."


@dataclass(frozen=True)
class Failure:
    """A step that did not succeed, and what became of the host.

    `attempted` is the step, `errno` the kernel's answer if there was one, `stalling_tasks` those that keep a transition
    from ending. `rolled_back` are the steps that led the host back, `not_restored` says in what it still differs.
    `stuck` is the transition that did not end in time while the host was rolled back. `overtaken` says what the plan
    relied on and was not so any more when the step failed.
    """

    attempted: str
    finding: Finding
    errno: int | None = None
    kernel_log: tuple[str, ...] = ()
    stalling_tasks: tuple[StallingTask, ...] = ()
    rolled_back: tuple[Step, ...] = ()
    not_restored: tuple[str, ...] = ()
    stuck: Stalled | None = None
    overtaken: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        answer = f" ({errno_name(self.errno)})" if self.errno is not None else ""
        parts = [f"Failed to {self.attempted}{answer}. {self.finding}"]
        if UNTOLD in self.not_restored:
            parts.append("The host may not be as it was before: {}.".format("; ".join(self.not_restored)))
        elif self.not_restored:
            parts.append("The host is not as it was before: {}.".format("; ".join(self.not_restored)))
        else:
            parts.append(AS_BEFORE)
        return " ".join(parts)


class StepFailed(Exception):
    """A step, or the proof of the result, did not succeed."""

    def __init__(
        self,
        attempted: str,
        finding: Finding,
        number: int | None = None,
        log: tuple[str, ...] = (),
        stalling_tasks: tuple[StallingTask, ...] = (),
    ) -> None:
        super().__init__(attempted)
        self.attempted = attempted
        self.finding = finding
        self.number = number
        self.log = log
        self.stalling_tasks = stalling_tasks


class HandsOff(StepFailed):
    """The kernel must not be changed any more before the host is rebooted: nothing is rolled back either."""


class Overtaken(StepFailed):
    """What a step relies on is not so any more. Nothing was done about it."""


class Stalled(Exception):
    """A transition stalls, and the tasks that hold it. Raised where it is to be left as it is."""

    def __init__(self, name: str, stalling_tasks: tuple[StallingTask, ...]) -> None:
        super().__init__(name)
        self.name = name
        self.stalling_tasks = stalling_tasks


@dataclass(frozen=True)
class Outcome:
    """What became of a plan: the host afterwards, the failure if there was one, what proves the result.

    `stalled` is the transition that was left running, `forced` names those that were forced, `pinned` those of them
    whose modules stay loaded for that reason. `reached` is the plan without new patches that it did not get to load,
    `done` are the steps that have changed something. `skipped` are those that a stalled run leaves to the next one.
    `others` are sentences about patches that the plan is not about, and that somebody else has changed meanwhile.
    `hands_off` says why the kernel must not be changed any more before the host is rebooted, if that is so.
    """

    after: Snapshot
    reached: Plan
    done: tuple[Step, ...]
    failure: Failure | None = None
    proofs: tuple[Proof, ...] = ()
    stalled: Stalled | None = None
    forced: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    skipped: tuple[Step, ...] = ()
    others: tuple[str, ...] = ()
    hands_off: Finding | None = None

    @property
    def overtaken(self) -> tuple[str, ...]:
        """What the plan relied on and is not so any more, where that is all that has changed: another plan may do."""
        return self.failure.overtaken if self.failure and not self.failure.not_restored else ()


@dataclass(frozen=True)
class Proof:
    """Whether the result was proven in one way; `None` where this host does not let one see."""

    what: str
    proven: bool | None
    how: str


Prove = t.Callable[[Snapshot], t.Tuple[Proof, ...]]
"""Proves the result beyond what the kernel says of its state. Raises StepFailed."""


class FileChanged(Exception):
    """The file to load is not the one that was inspected."""


def errno_name(number: int) -> str:
    """The name of an errno, as `EINVAL`."""
    return errno.errorcode.get(number, str(number))
