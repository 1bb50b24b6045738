# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: in what the two ways in which kernels apply live patches differ, for all who have to know."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE, Snapshot


@dataclass(frozen=True)
class PerTask:
    """Mainline: loading a patch enables it, disabling drops it, a transition follows each (kernel/livepatch/core.c).

    `stacking` is whether the kernel holds patches to the order of its list, `enabling_moves_last` whether a patch that
    is enabled moves to the end of it. `patches_modules_later` is whether the kernel patches a module when that is
    loaded (klp_module_coming). `redirects_by_ftrace` is whether ftrace leads calls to the new function; without it the
    kernel overwrites the first instructions of the old one. `has_transitions` is whether a change takes effect task
    by task.
    """

    redirects_by_ftrace = True
    has_transitions = True
    loading_enables = True
    patches_modules_later = True
    enabling_moves_last = False
    stacking: bool | None = False

    def wait(self, name: str) -> list[Step]:
        return [Step(Action.WAIT, name)]

    def load(self, name: str, file: PatchFile | None) -> list[Step]:
        return [Step(Action.LOAD, name, file), *self.wait(name)]

    def enable(self, name: str) -> list[Step]:
        """Enable a loaded patch. The kernel permits that only while a transition disables the patch."""
        return [Step(Action.ENABLE, name), *self.wait(name)]

    def disable(self, name: str) -> list[Step]:
        return [Step(Action.DISABLE, name), *self.wait(name)]

    def enable_again(self, name: str, file: PatchFile | None) -> list[Step]:
        """Enable a disabled patch. The kernel has dropped it, so its module is unloaded and loaded again."""
        return [Step(Action.UNLOAD, name), *self.load(name, file)]


@dataclass(frozen=True)
class StopMachine:
    """openEuler with CONFIG_LIVEPATCH_WO_FTRACE: loading registers a patch, writing 1 and 0 to `enabled` takes effect
    at once.

    `stacking` is CONFIG_LIVEPATCH_STACK: only the first disabled patch of the kernel's list is enabled, and only the
    last enabled one disabled. It is None where that is not known.
    """

    stacking: bool | None
    redirects_by_ftrace = False
    has_transitions = False
    loading_enables = False
    patches_modules_later = False

    @property
    def enabling_moves_last(self) -> bool:
        return not self.stacking

    def wait(self, name: str) -> list[Step]:
        return []

    def load(self, name: str, file: PatchFile | None) -> list[Step]:
        return [Step(Action.LOAD, name, file)]

    def enable(self, name: str) -> list[Step]:
        return [Step(Action.ENABLE, name)]

    def disable(self, name: str) -> list[Step]:
        return [Step(Action.DISABLE, name)]

    def enable_again(self, name: str, file: PatchFile | None) -> list[Step]:
        return self.enable(name)


Abi = t.Union[PerTask, StopMachine]


def abi_of(snapshot: Snapshot) -> Abi:
    """The strategy for the ABI of this host. Without an ABI it does not matter: such a host is refused."""
    return StopMachine(snapshot.stacking_enforced) if snapshot.abi == STOP_MACHINE else PerTask()
