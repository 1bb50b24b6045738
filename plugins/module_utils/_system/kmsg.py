# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the lines that the kernel prints after a moment. `_verify/trouble` finds trouble in them."""

from __future__ import annotations

import os

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean, lines_of

RECORD_MAX = 8192
"""The size of the buffer. A read returns one record, or fails if it is longer (Documentation/ABI/testing/dev-kmsg)."""


class KernelLog:
    """Reads /dev/kmsg from its end on. Without permission there are no lines, and `readable` is false.

    `lines` has all lines that were read since `begin`. `lost` says that the kernel has overwritten some unread.
    """

    def __init__(self, path: str = "/dev/kmsg") -> None:
        self.lines: list[str] = []
        self.lost = False
        try:
            self._descriptor: int | None = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError:
            self._descriptor = None

    @property
    def readable(self) -> bool:
        return self._descriptor is not None

    def new_lines(self) -> tuple[str, ...]:
        """The lines of the kernel since the last call, without their prefixes and without the lines of user space."""
        lines: list[str] = []
        while self._descriptor is not None:
            try:
                record = os.read(self._descriptor, RECORD_MAX)
            except BlockingIOError:
                break
            except BrokenPipeError:
                # Records were overwritten before they were read: the next read goes on with the oldest one left.
                self.lost = True
                continue
            except OSError:
                break
            if not record:
                break
            lines.extend(parse_record(clean(record.decode("utf-8", "replace"))))
        self.lines += lines
        return tuple(lines)

    def begin(self) -> None:
        """Forget the lines that were printed so far."""
        self.new_lines()
        self.lines = []
        self.lost = False

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def parse_record(record: str) -> list[str]:
    """The text of one record `<priority>,<sequence>,<time>,<flags>;<text>` if it comes from the kernel itself.

    The priority holds the facility above its three lowest bits; 0 is the kernel's.
    """
    head, separator, text = record.partition(";")
    priority = head.split(",", 1)[0]
    if not separator or not priority.isdecimal() or int(priority) >> 3 != 0:
        return []
    # Lines below the first that begin with a blank are the record's key-value dictionary. The first may begin with one
    # too: frames of a stack do.
    first, *others = lines_of(text) or [""]
    return [line for line in (first, *(line for line in others if not line.startswith(" "))) if line.strip()]
