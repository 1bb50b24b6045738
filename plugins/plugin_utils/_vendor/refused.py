# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Why a package is not taken. Whoever knows its name makes a finding of it."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import one_line

DOWNLOAD = "Download it again, from a place that you trust."


class Refused(Exception):
    """The package is not taken. `what` completes a sentence that begins with its name."""

    def __init__(self, reason: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self._reason, self._what, self._remedy = reason, what, remedy

    def finding(self, name: str) -> Finding:
        return Finding(reason=self._reason, seen=one_line(f"{name} {self._what}."), remedy=self._remedy)


def damaged(what: str) -> Refused:
    """The error for a file that is not what it seems to be, or not all of it."""
    return Refused("damaged_package", f"is a damaged RPM package: {what}", DOWNLOAD)


def bad_digest(of_what: str) -> Refused:
    """The error for content that is not what the package was made of."""
    return Refused("bad_digest", f"is not as it was made: the SHA digest of {of_what} is another one", DOWNLOAD)


def too_big(what: str) -> Refused:
    """The error for what no package of a live patch has."""
    return Refused("too_big", f"has {what}, more than any package of a live patch", "Find out who made that file.")


def unsafe(what: str) -> Refused:
    """The error for an entry that has nothing to do in a package of a live patch."""
    return Refused("unsafe_package", f"is not unpacked: {what}", "Find out who made that package, and do not use it.")
