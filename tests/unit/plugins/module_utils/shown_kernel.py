# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model of a kernel that shows its state in files, which the real code reads, and of which some cannot be read."""

from __future__ import annotations

import os
import pathlib
import shutil
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Reading
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import RELEASE, ModelKernel

CONFIG = "".join(f"CONFIG_{name}=y\n" for name in ("LIVEPATCH", "SMP", "PREEMPT_BUILD", "MODULE_UNLOAD", "MODVERSIONS"))
WITHOUT_FTRACE = "CONFIG_LIVEPATCH_WO_FTRACE=y\n"

_Value = t.TypeVar("_Value")


class Trouble:
    """Which reads fail, and with which errno: those of a path, or the one with a number. `asked` are all paths."""

    def __init__(self, errno: int = 0, path: str | None = None, number: int | None = None) -> None:
        self.errno = errno
        self.path = path
        self.number = number
        self.asked: list[str] = []

    def fails(self, path: str) -> bool:
        self.asked.append(path)
        return path == self.path or len(self.asked) - 1 == self.number


class TroubledFiles(Files):
    """The files of a host with such trouble."""

    def __init__(self, root: str, trouble: Trouble) -> None:
        super().__init__(root)
        self._trouble = trouble

    def _read(self, path: str, read: t.Callable[[str], _Value]) -> Reading[_Value]:
        def broken(_place: str) -> _Value:
            raise OSError(self._trouble.errno, "")

        return super()._read(path, broken if self._trouble.fails(path) else read)


class ShownKernel(ModelKernel):
    """The model with the files of a host, as the real `Kernel` reads them."""

    trouble = Trouble()
    shown: tuple[tuple[LoadedPatch, ...], frozenset[str]] | None = None

    def files(self) -> Files:
        now = tuple(self.patches), frozenset(self.targets)
        if self.shown != now:
            self.shown = now
            self._show()
        return TroubledFiles(self.root, self.trouble)

    def snapshot(self) -> Snapshot:
        return read_snapshot(self.files(), pause=lambda seconds: None)

    enabled = Kernel.enabled
    transition_target = Kernel.transition_target
    _flag = Kernel._flag

    def _show(self) -> None:
        """Write what the kernel shows now."""
        root = pathlib.Path(self.root)
        self._write("/proc/sys/kernel/osrelease", RELEASE)
        self._write("/proc/sys/kernel/tainted", "0")
        self._write(f"/boot/config-{RELEASE}", CONFIG + (WITHOUT_FTRACE if self.abi == STOP_MACHINE else ""))
        modules = sorted(self.patches, key=lambda patch: -patch.load_index)
        lines = [f"{patch.name} 12288 {self.references(patch)} - Live 0x0000000000000000 (OEK)\n" for patch in modules]
        lines += [f"{target} 1163264 1 - Live 0x0000000000000000\n" for target in sorted(self.targets)]
        self._write("/proc/modules", "".join(lines))
        if self.abi == STOP_MACHINE:
            rows = [f"{place}\t{patch.name}\t{_word(patch)}\n" for place, patch in enumerate(self.patches, 1)]
            self._write("/proc/livepatch/state", "Index\tPatch\tState\n" + "".join(rows))
        shutil.rmtree(root / "sys/kernel/livepatch", ignore_errors=True)
        (root / "sys/kernel/livepatch").mkdir(parents=True)
        for patch in self.patches:
            if self.lists(patch):
                self._show_in_sysfs(patch)
        self._show_modules(root / "sys/module")

    def references(self, patch: LoadedPatch) -> int:
        """How many references there are to the module of a patch."""
        return 1

    def _show_in_sysfs(self, patch: LoadedPatch) -> None:
        sysfs = f"/sys/kernel/livepatch/{patch.name}"
        self._write(f"{sysfs}/enabled", str(int(patch.enabled)))
        if self.abi == PER_TASK:
            self._write(f"{sysfs}/transition", str(int(patch.in_transition)))
            self._write(f"{sysfs}/replace", str(int(patch.replace or False)))
        for entry in self.with_objects(patch).objects:
            pathlib.Path(self.root + sysfs, entry.name).mkdir()
            if entry.patched is not None:
                self._write(f"{sysfs}/{entry.name}/patched", str(int(entry.patched)))
        for function in patch.functions:
            pathlib.Path(self.root + sysfs, function.object, f"{function.name},{function.sympos}").mkdir()

    def _show_modules(self, folder: pathlib.Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in set(os.listdir(folder)).difference(patch.name for patch in self.patches):
            shutil.rmtree(folder / old)
        for patch in self.patches:
            self._write(f"/sys/module/{patch.name}/srcversion", patch.identity.srcversion or "")

    def _write(self, path: str, content: str) -> None:
        place = pathlib.Path(self.root + path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


def _word(patch: LoadedPatch) -> str:
    return "enabled" if patch.enabled else "disabled"
