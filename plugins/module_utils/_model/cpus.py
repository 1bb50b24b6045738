# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Whether the CPUs of a host schedule, and what is said where one does not, or may not."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding

CPU_STUCK = "cpu_stuck"


@dataclass(frozen=True)
class CpuAnswers:
    """What the online CPUs have answered to the question whether they schedule.

    `stuck` are those that have run nothing for the `seconds` of the question, `unknown` says of others why they could
    not be asked. `problem` is a sentence about why none could. `taken` are those that a real-time task keeps for
    itself, with its name; `is_unlimited` says that the kernel gives nobody else a share there.
    """

    stuck: tuple[int, ...] = ()
    unknown: t.Mapping[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    problem: str = ""
    taken: t.Mapping[int, str] = field(default_factory=dict)
    is_unlimited: bool = False

    @property
    def refusal(self) -> Finding | None:
        """The refusal of any change to the kernel of a host with a CPU that is stuck; None if none is."""
        if not self.stuck:
            return None
        names, verb = _names(self.stuck), "have" if len(self.stuck) > 1 else "has"
        return Finding(
            reason=CPU_STUCK,
            seen=f"{names} {verb} run nothing for {self.seconds:g} s, not even a real-time task.",
            remedy="Drain and reboot the host; its log may tell what locks the CPU up.",
            why="A change of a live patch waits for every CPU, and while it waits it can hang the whole host.",
            only_reboot=True,
        )

    @property
    def doubt(self) -> str:
        """Which CPUs could not be asked, as a sentence; empty if all were."""
        if self.problem or not self.unknown:
            return self.problem
        said = [f"{_names(numbers)} ({why})" for why, numbers in _by_reason(self.unknown).items()]
        return f"Whether these CPUs schedule cannot be told: {', '.join(said)}."


NOT_ASKED = CpuAnswers()


def _by_reason(unknown: t.Mapping[int, str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, why in sorted(unknown.items()):
        found.setdefault(why, []).append(number)
    return found


def _names(numbers: t.Sequence[int]) -> str:
    return f"CPU{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
