# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.


"""What a kernel is: its release, which two builds may share, and the build-id of its vmlinux."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Reading


@dataclass(frozen=True)
class KernelId:
    """The identity of a kernel. `build_id` is that of its vmlinux, None where it is not known."""

    release: str
    build_id: str | None = None

    def may_be(self, other: KernelId) -> bool:
        """Whether both may be one kernel: the releases are equal, and the build-ids where both are known."""
        return self.release == other.release and not self.is_other_build(other)

    def is_other_build(self, other: KernelId) -> bool:
        """Whether both have one release, and are known to be different builds of it."""
        return self.release == other.release and None not in (self.build_id, other.build_id) and self != other

    def __str__(self) -> str:
        return f"{self.release} with build-id {self.build_id}" if self.build_id else self.release


NOT_THERE = Absent()


@dataclass(frozen=True)
class KernelMarks:
    """What tells a running kernel, beside its release.

    `version` is what `uname -v` shows. `shown_release` is what `uname -r` shows, if that is not the release that the
    kernel was built with: a live patch may change it. `evidence` names then what tells the release, and `is_certain`
    says whether that is the kernel itself. `contradiction` says in a sentence what names another installed kernel where
    that may be out of date: the release is what `uname -r` shows then, and not certain.
    """

    build_id: Reading[str] = NOT_THERE
    version: str | None = None
    shown_release: str | None = None
    evidence: str | None = None
    is_certain: bool = True
    contradiction: str | None = None


NO_MARKS = KernelMarks()


def build_id_or_none(value: object) -> str | None:
    """The value if it is a build-id in hex; else None. It comes from a file that somebody else may have written."""
    is_one = isinstance(value, str) and re.match(r"[0-9a-f]{8,128}\Z", value.lower())
    return str(value).lower() if is_one else None
