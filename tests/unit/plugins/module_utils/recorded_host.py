# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a host that tests/rig/record_tree.py has recorded."""

from __future__ import annotations

import json
import pathlib
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Reading
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.rig import record_tree

_FIXTURES = pathlib.Path(__file__).parent / "fixtures"
RECORDED = {PER_TASK: "recorded_per_task.json", STOP_MACHINE: "recorded_stop_machine_emulation.json"}

_Value = t.TypeVar("_Value")


class RecordedFiles(Files):
    """The files of a recorded host, with those that could not be read there, and the numbers of its directories."""

    def __init__(self, root: str, document: dict[str, t.Any]) -> None:
        super().__init__(root)
        self.errors = record_tree.unpack(document, root)
        self._inodes: dict[str, int] = document["directories"]

    def _read(self, path: str, read: t.Callable[[str], _Value]) -> Reading[_Value]:
        def as_recorded(place: str) -> _Value:
            if path in self.errors:
                raise OSError(self.errors[path], "")
            return read(place)

        return super()._read(path, as_recorded)

    def inode(self, path: str) -> Reading[int]:
        return self._inodes.get(path) or super().inode(path)


def files_of(abi: str, folder: pathlib.Path) -> RecordedFiles:
    """The recorded host with this ABI, unpacked into the folder."""
    return RecordedFiles(str(folder), json.loads((_FIXTURES / RECORDED[abi]).read_text(encoding="utf-8")))
