# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The note of a run, which says more as the run goes on."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol


class RunNote:
    """The note of a run that has the host's lock. What is added is noted before it is done.

    If the run is interrupted then, the next one knows. What cannot be noted is done all the same.
    """

    def __init__(self, kernel: KernelProtocol, note: journal.Note) -> None:
        self._kernel = kernel
        self._note = note

    @property
    def forced(self) -> tuple[str, ...]:
        """The patches whose transition was forced."""
        return self._note.forced

    def write(self) -> None:
        """Write the note for the first time. Raises OSError."""
        journal.write_note(self._kernel.files(), self._note)

    def add_forced(self, name: str) -> None:
        self._add(forced=(*self._note.forced, name))

    def add_moved(self, names: tuple[str, ...]) -> None:
        self._add(moved=names)

    def add_proof(self) -> None:
        self._add(proven=True)

    def _add(self, **news: t.Any) -> None:
        self._note = replace(self._note, **news)
        with contextlib.suppress(OSError):
            self.write()
