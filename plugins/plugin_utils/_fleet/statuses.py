# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The statuses of hosts. They are defined here and nowhere else; the guide "Report" repeats the table."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, BAD, CAUTION, UNKNOWN, PLAIN = "good", "bad", "caution", "unknown", "plain"
"""The tones: protected, exposed, not certain, nothing known, and neither good nor bad."""


@dataclass(frozen=True)
class Status:
    """A status: its key in data, its label for people, its tone, and what it says about a host and a fix."""

    key: str
    label: str
    tone: str
    meaning: str


UNREACHABLE = "unreachable"
FAILED = "failed"
UNSUPPORTED = "unsupported"
NO_PATCH_FILE = "no_patch_file"
QUARANTINED = "quarantined"
NOT_APPLIED = "not_applied"
NOT_EFFECTIVE = "not_effective"
PARTLY_EFFECTIVE = "partly_effective"
DRIFTED = "drifted"
IN_TRANSITION = "in_transition"
UNFINISHED = "unfinished"
TROUBLE_SINCE = "trouble_since"
FORCED = "forced"
PROTECTED = "protected"
SUPERSEDED = "superseded"
FIXED_IN = "fixed_in"
EFFECTIVE = "effective"
NO_PATCHES = "no_patches"
ON_TRIAL = "on_trial"
ACCEPTED = "accepted"

STATUSES = (
    Status(
        UNREACHABLE,
        "unreachable",
        UNKNOWN,
        "The host did not answer, or there are no facts about it that are new enough.",
    ),
    Status(
        FAILED,
        "failed",
        UNKNOWN,
        "The host answered, but its facts could not be read, are not valid or do not tell what is enabled.",
    ),
    Status(UNSUPPORTED, "unsupported", BAD, "The running kernel does not support live patching."),
    Status(NO_PATCH_FILE, "no patch file", BAD, "The release has no patch file for the running kernel."),
    Status(
        QUARANTINED,
        "quarantined",
        BAD,
        "The host went down after boots that loaded the patch, and later boots do not load it.",
    ),
    Status(
        NOT_APPLIED,
        "not applied",
        BAD,
        "The release has a patch file for the running kernel, but the patch is not enabled.",
    ),
    Status(NOT_EFFECTIVE, "not effective", BAD, "The patch is enabled, but none of its functions is live."),
    Status(
        PARTLY_EFFECTIVE,
        "partly effective",
        CAUTION,
        "The patch is enabled, but not all of its functions are live, or that cannot be told.",
    ),
    Status(
        DRIFTED,
        "drifted",
        CAUTION,
        "The loaded patch, or the one that the next boot loads, is a different build than the release's, or that "
        "cannot be told.",
    ),
    Status(
        IN_TRANSITION,
        "in transition",
        CAUTION,
        "The patch is being enabled or disabled, and some tasks still run the code from before.",
    ),
    Status(
        UNFINISHED,
        "unfinished run",
        CAUTION,
        "A run that changes the patch has not ended, and the next one may roll it back.",
    ),
    Status(
        TROUBLE_SINCE,
        "trouble since",
        CAUTION,
        "The kernel has had serious trouble since the patch was proven, or that cannot be told.",
    ),
    Status(
        FORCED,
        "enabled by force",
        CAUTION,
        "The patch was enabled by force, and tasks may run old and new code together.",
    ),
    Status(
        PROTECTED,
        "protected",
        GOOD,
        "The release's patch is enabled, and all of its functions that are loaded are live.",
    ),
    Status(SUPERSEDED, "superseded", GOOD, "Another fix of the report replaces this one and protects the host."),
    Status(FIXED_IN, "fixed in kernel", GOOD, "The running kernel contains the fix."),
    Status(
        EFFECTIVE,
        "effective",
        GOOD,
        "Patches are enabled, and all of their functions that are loaded are live. Only in reports without releases.",
    ),
    Status(NO_PATCHES, "no patches", PLAIN, "No patch is enabled. Only in reports without releases."),
    Status(ON_TRIAL, "on trial", PLAIN, "A patch is enabled, but the next boot does not load it."),
    Status(ACCEPTED, "accepted", PLAIN, "A patch is enabled, and the next boot loads it again."),
)
"""The worst first. The headline of a host is the first of these statuses that it has."""

BY_KEY = {status.key: status for status in STATUSES}
PLACE = {status.key: place for place, status in enumerate(STATUSES)}
NOTHING_KNOWN = frozenset({UNREACHABLE, FAILED})
PROTECTING = frozenset({PROTECTED, SUPERSEDED, FIXED_IN})
UNPROTECTING = frozenset({DRIFTED, UNFINISHED, TROUBLE_SINCE, FORCED})
"""A patch with one of them does not protect, even if it is enabled and all of its functions are live."""

NEVER_HEADLINE = frozenset({ON_TRIAL, ACCEPTED})
"""A host has them beside another status."""


def in_order(keys: set[str] | frozenset[str]) -> tuple[str, ...]:
    """The statuses, the worst first."""
    return tuple(sorted(keys, key=PLACE.__getitem__))
