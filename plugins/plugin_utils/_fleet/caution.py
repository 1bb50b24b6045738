# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What an enabled patch does not show by itself, and how old the facts are that a host is judged by. Pure functions."""

from __future__ import annotations

from datetime import datetime

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, Patch
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import listed

SKEW_SECONDS = 300
"""The report has a note on a host whose clock is further ahead than this."""

LOOK = "Look at the kernel's log, then reboot the host or take the patch out."
REBOOT = "Reboot the host."


def cautions(patch: Patch | None) -> dict[str, str]:
    """The statuses of an enabled patch that does not count as protecting, each with a sentence and what to do."""
    found: dict[str, str] = {}
    if patch is None or not patch.enabled:
        return found
    if patch.trouble_since is None:
        found[words.TROUBLE_SINCE] = (
            f"Whether its kernel has had trouble since {patch.name} was proven cannot be told. {LOOK}"
        )
    elif patch.trouble_since:
        trouble = listed(patch.trouble_since)
        found[words.TROUBLE_SINCE] = f"Its kernel has had {trouble} since {patch.name} was proven. {LOOK}"
    if patch.forced:
        found[words.FORCED] = f"{patch.name} was enabled by force: tasks may run old and new code together. {REBOOT}"
    return found


def age_of(facts: Facts, now: datetime) -> tuple[int | None, tuple[str, ...]]:
    """The age of the facts in seconds, None if it is not known, with notes on the clock of the host."""
    if not facts.read_at:
        return None, ()
    passed = int((now - facts.read_at).total_seconds())
    is_ahead = passed < -SKEW_SECONDS
    notes = (f"Its clock is {-passed} seconds ahead of the clock of the report.",) if is_ahead else ()
    return max(passed, 0), notes


def why_too_old(facts: Facts, now: datetime, max_age: float | None) -> str | None:
    """Why the facts are too old to count, or may be, as a sentence; None if they are not. None allows any age."""
    if max_age is None:
        return None
    if not facts.read_at:
        return "How old its facts are is not known."
    passed = (now - facts.read_at).total_seconds()
    if passed < -SKEW_SECONDS:
        return f"How old its facts are is not known: by its clock they are of {-passed:.0f} seconds after the report."
    if passed <= max_age:
        return None
    return f"Its facts are {_lasting(passed)} old, and count for {_lasting(max_age)} (max_age)."


def _lasting(seconds: float) -> str:
    """A duration in whole units, of which there are two at least."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:g} seconds"
