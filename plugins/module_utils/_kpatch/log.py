# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The log of a running kpatch-build."""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.command import MOST_KEPT
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean

_COMPILED = re.compile(r"^  (?:CC|AS)(?: \[M\])? ", re.M)


class RunningLog:
    """The log of a running kpatch-build. kpatch-build removes the file at its end, so `text` has what was read."""

    def __init__(self, path: str, hide: t.Callable[[str], str]) -> None:
        self.path = path
        self.objects = 0
        self._hide = hide
        self._read = ""
        self._stream: t.TextIO | None = None

    @property
    def text(self) -> str:
        """What was read, without values of the environment."""
        return self._hide(self._read)

    def read(self) -> None:
        """Read what is new in the file."""
        if self._stream is None:
            with contextlib.suppress(OSError):
                self._stream = open(self.path, encoding="utf-8", errors="replace")  # noqa: SIM115
        if self._stream is not None:
            new = clean(self._stream.read(MOST_KEPT))
            self._read = (self._read + new)[-MOST_KEPT:]
            self.objects += len(_COMPILED.findall(new))
