# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model for random walks: transitions that end later, modules that come and go, other tools, and what is live.

The collection reads it by its own readers, from the files of a host. What is live is worked out here a second time,
from the rules of the kernel alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import pathlib
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Reading
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Symbol
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import RELEASE
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.shown_kernel import (
    CONFIG,
    WITHOUT_FTRACE,
    ShownKernel,
)

VMLINUX = "vmlinux"

Stacks = t.Dict[Function, t.List[str]]


class WalkedFiles(Files):
    """The files of the model. Each load of a module gives its directory another inode, as in sysfs."""

    def __init__(self, kernel: WalkedKernel) -> None:
        super().__init__(kernel.root)
        self._instances = {f"/sys/module/{patch.name}": patch.instance for patch in kernel.patches}

    def inode(self, path: str) -> Reading[int]:
        return self._instances.get(path) or super().inode(path)


class WalkedKernel(ShownKernel):
    """One of the kernels in `KINDS`. `meddle` are acts of others, by the number of the event that they come before.

    An event is a call of the kernel, a look at it, or a pause. `shows` names the files of sysfs that not all kernels
    have. `foreign` has the instances of modules that others have loaded, `used` the names of those that somebody uses.
    `refused` are the calls that it has refused, `fail_too` is one that it refuses beside that of `fail_at`.
    """

    def __init__(
        self, root: str, abi: str, shows: t.Container[str] = (), forces_all: bool = False, **kernel: t.Any
    ) -> None:
        super().__init__(root, abi=abi, **kernel)
        self.shows = shows
        self.shows_replace = "replace" in shows
        self.shows_patched = "patched" in shows
        self.forces_all = forces_all
        self.foreign: set[int] = set()
        self.used: set[str] = set()
        self.refused: list[str] = []
        self.fail_too: tuple[str, int] | None = None
        self.meddle: dict[int, t.Callable[[], None]] = {}
        self.meddled = False
        self.events = 0
        self._is_other = False

    # ---- acts of others ----

    def by_other(self, act: t.Callable[[], None]) -> None:
        """Somebody else does something with the kernel, and takes its answer."""
        instances = {patch.instance for patch in self.patches}
        self._is_other = True
        try:
            act()
        except OSError:
            pass
        finally:
            self._is_other = False
        self.foreign.update(patch.instance or 0 for patch in self.patches if patch.instance not in instances)

    def _event(self) -> None:
        if self._is_other:
            return
        act = self.meddle.pop(self.events, None)
        self.events += 1
        if act:
            self.meddled = True
            self.by_other(act)

    def _call(self, operation: str, name: str) -> None:
        if self._is_other:
            return
        self._event()
        count = len([call for call in self.calls if call.startswith(operation + " ")])
        super()._call(operation, name)
        if self.fail_too == (operation, count):
            raise OSError(errno.EIO, "trouble")

    def snapshot(self) -> Snapshot:
        self._event()
        return read_snapshot(self.files(), pause=lambda seconds: None)

    def sleep(self, seconds: float, waits_for: str) -> None:
        self._event()
        moving = [patch.name for patch in self.patches if patch.in_transition]
        self.ends_after = {name: left for name, left in self.ends_after.items() if name in moving}
        super().sleep(seconds, waits_for)

    def conditions(self, release: str, name: str, functions: t.Iterable[Function]) -> Conditions:
        """As the model, which has all functions at one address."""
        found = super().conditions(release, name, functions)
        places = sorted(found.symbols or ())
        symbols = {place: (Symbol(0xFFFF0000 + 64 * number, 64),) for number, place in enumerate(places)}
        return dataclasses.replace(found, symbols=symbols)

    # ---- what the kernel does ----

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        file = self.known_files[sha256]
        missing = {function.object for function in file.functions or ()}.difference(self.objects)
        if self.abi == STOP_MACHINE and missing and all(patch.name != file.name for patch in self.patches):
            self._call("load", file.name)
            self._refuse(errno.ENOPKG, f"livepatch: module '{missing.pop()}' not loaded")
        with self._noting(f"load {file.name}"):
            super().load(path, sha256, parameters)

    def unload(self, name: str) -> None:
        with self._noting(f"unload {name}"):
            if name in self.used:
                self._call("unload", name)
                raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
            super().unload(name)

    def write_enabled(self, name: str, value: bool) -> None:
        with self._noting(f"{'enable' if value else 'disable'} {name}"):
            super().write_enabled(name, value)

    @contextlib.contextmanager
    def _noting(self, call: str) -> t.Iterator[None]:
        """Note the call if the kernel refuses it."""
        try:
            yield
        except OSError:
            if not self._is_other:
                self.refused.append(call)
            raise

    def use(self, name: str, is_used: bool = True) -> None:
        """Somebody uses the module of a patch, or does not any more."""
        there = [patch.name for patch in self.patches]
        self.used = self.used.intersection(there).union([name] if is_used and name in there else []) - (
            set() if is_used else {name}
        )
        self.shown = None

    def end_stall(self) -> None:
        """The tasks that hold transitions move on."""
        self.stall.clear()
        for patch in self.patches:
            if patch.in_transition:
                self.end_transition(patch.name)

    def end_later(self) -> None:
        """The tasks that hold transitions move on a while after the next run has begun to wait."""
        self.stall.clear()
        self.ends_after = {patch.name: 1.0 for patch in self.patches if patch.in_transition}

    # ---- what is so ----

    def nops_of(self, patch: LoadedPatch) -> tuple[Function, ...]:
        """The functions that the kernel adds to a patch that replaces others, until its transition has ended.

        See klp_add_nops() in kernel/livepatch/core.c.
        """
        if not (patch.in_transition and patch.enabled and self._is_replacing(patch)):
            return ()
        older = self.patches[: self.patches.index(patch)]
        return tuple(sorted({function for other in older for function in other.functions}.difference(patch.functions)))

    @property
    def nops(self) -> set[Function]:
        return {function for patch in self.patches for function in self.nops_of(patch)}

    def is_replacing(self, name: str) -> bool:
        return any(patch.name == name and self._is_replacing(patch) for patch in self.patches)

    @property
    def objects(self) -> set[str]:
        return {VMLINUX, *self.targets}

    def stacks(self) -> Stacks:
        """The patches on each function that is there, oldest first."""
        stacks: Stacks = {}
        for patch in self.patches:
            if patch.enabled or patch.in_transition:
                for function in patch.functions:
                    if function.object in self.objects:
                        stacks.setdefault(function, []).append(patch.name)
        return stacks

    def settled(self) -> tuple[dict[str, LoadedPatch], Stacks]:
        """The patches and the stacks that are left when the running transition has ended."""
        patches = self.patches
        for patch in patches:
            if patch.in_transition:
                self.end_transition(patch.name)
        settled = {patch.name: patch for patch in self.patches}, self.stacks()
        self.patches = patches
        return settled

    # ---- what it shows ----

    def files(self) -> Files:
        super().files()
        return WalkedFiles(self)

    def _show(self) -> None:
        super()._show()
        config = pathlib.Path(f"{self.root}/boot/config-{RELEASE}")
        if self.hidden:
            config.unlink()
        elif self.stacking_enforced:
            config.write_text(CONFIG + WITHOUT_FTRACE + "CONFIG_LIVEPATCH_STACK=y\n")
        for patch in self.patches:
            self._write(f"/sys/module/{patch.name}/refcnt", str(self.references(patch)))

    def references(self, patch: LoadedPatch) -> int:
        return int(patch.enabled or patch.in_transition or patch.pinned) + (patch.name in self.used)

    def _show_in_sysfs(self, patch: LoadedPatch) -> None:
        replaces = self._is_replacing(patch)
        functions = (*patch.functions, *self.nops_of(patch))
        super()._show_in_sysfs(dataclasses.replace(patch, functions=functions, replace=replaces))
        sysfs = pathlib.Path(f"{self.root}/sys/kernel/livepatch/{patch.name}")
        if self.abi == PER_TASK and not self.shows_replace:
            (sysfs / "replace").unlink()
        if "stack_order" in self.shows:
            listed = [other.name for other in self.patches if self.lists(other)]
            (sysfs / "stack_order").write_text(str(listed.index(patch.name) + 1))


KINDS: dict[str, dict[str, t.Any]] = {
    "per_task 5.10": {"abi": PER_TASK, "forces_all": True},
    "per_task 6.1": {"abi": PER_TASK, "shows": ("patched",)},
    "per_task 6.12": {"abi": PER_TASK, "shows": ("patched", "replace")},
    "per_task 6.14": {"abi": PER_TASK, "shows": ("patched", "replace", "stack_order")},
    "stop_machine": {"abi": STOP_MACHINE, "stacking_enforced": False},
    "stop_machine, stacking": {"abi": STOP_MACHINE, "stacking_enforced": True},
    "stop_machine, hidden": {"abi": STOP_MACHINE, "stacking_enforced": False, "hidden": True},
    "stop_machine, stacking, hidden": {"abi": STOP_MACHINE, "stacking_enforced": True, "hidden": True},
}
"""The kernels of walks. `hidden` is one that shows no configuration, and so not whether it enforces stacking."""
