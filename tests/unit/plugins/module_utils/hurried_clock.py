# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock for what waits for a command: the time is up as soon as the command has done what a test needs."""

from __future__ import annotations

import time
import typing as t


class HurriedClock:
    """Its first reading is true: that one tells until when the command may run."""

    def __init__(self, is_done: t.Callable[[], bool]) -> None:
        self._is_done = is_done
        self._is_read = False

    sleep = staticmethod(time.sleep)

    def monotonic(self) -> float:
        is_up = self._is_read and self._is_done()
        self._is_read = True
        return time.monotonic() + (3600 if is_up else 0)
