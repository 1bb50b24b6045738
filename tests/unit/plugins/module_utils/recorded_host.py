# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a host that tests/rig/record_tree.py has recorded."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.rig import record_tree


class RecordedFiles(Files):
    """The files of a recorded host, with those that could not be read there, and the numbers of its directories."""

    def __init__(self, root: str, document: dict[str, t.Any]) -> None:
        super().__init__(root)
        self.errors = record_tree.unpack(document, root)
        self._inodes: dict[str, int] = document["directories"]

    def bytes(self, path: str) -> bytes | None:
        if path in self.errors:
            self._note(path, OSError(self.errors[path], ""))
            return None
        return super().bytes(path)

    def error(self, path: str) -> int | None:
        return self.errors.get(path) or super().error(path)

    def inode(self, path: str) -> int | None:
        return self._inodes.get(path) or super().inode(path)
