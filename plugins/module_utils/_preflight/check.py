# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""What a check is given, and how a function becomes one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import NOTHING_ACCEPTED, Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import REASONS
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import NOT_ASKED, CpuAnswers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.jumps import NOT_LOOKED_FOR, Jumps
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.once import once
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of


@dataclass(frozen=True)
class Circumstances:
    """What is about to be done, to which kernel, and what is kept for the next boots of the host."""

    snapshot: Snapshot
    conditions: Conditions
    steps: tuple[Step, ...]
    load_targets: bool = False
    boot: Acceptance = NOTHING_ACCEPTED
    cpus: CpuAnswers = NOT_ASKED
    jumps: Jumps = NOT_LOOKED_FOR

    @once
    def files(self) -> tuple[PatchFile, ...]:
        """The files that steps load."""
        return tuple(dict.fromkeys(step.file for step in self.steps if step.action == Action.LOAD and step.file))

    def file_of(self, patch: str) -> PatchFile | None:
        """The file that is loaded for this patch, or None."""
        return self._file_by_name.get(patch)

    @once
    def _file_by_name(self) -> t.Mapping[str, PatchFile]:
        return {file.name: file for file in self.files[::-1]}

    @once
    def functions(self) -> tuple[Function, ...]:
        """Every function whose stack of patches changes."""
        # Loading a patch only registers it on stop_machine kernels: they look at the functions when it is enabled.
        comes_up = Action.LOAD if abi_of(self.snapshot).loading_enables else Action.ENABLE
        functions: list[Function] = []
        for step in self.steps:
            loaded, file = self.snapshot.patch(step.patch), self.file_of(step.patch)
            if step.action == comes_up and file:
                functions += file.functions or ()
            elif step.action in (Action.ENABLE, Action.DISABLE) and loaded:
                functions += loaded.functions
        return tuple(sorted(set(functions)))

    @property
    def coming_up(self) -> tuple[Function, ...]:
        """Every function of the patches that steps enable. Loading a patch of per_task kernels is no such step."""
        functions: list[Function] = []
        for step in self.steps:
            loaded, file = self.snapshot.patch(step.patch), self.file_of(step.patch)
            if step.action == Action.ENABLE:
                functions += (file.functions or ()) if file else loaded.functions if loaded else ()
        return tuple(sorted(set(functions)))

    def has_object(self, name: str) -> bool:
        """Whether the kernel has this object now: `vmlinux`, or a loaded module."""
        return self.snapshot.has_object(name)

    def can_load(self, module: str) -> bool:
        """Whether modprobe would find this module."""
        return module in (self.conditions.loadable or ())


@dataclass(frozen=True)
class Check:
    """A pure function that finds what speaks against a change, and the reasons that its findings can have."""

    name: str
    reasons: tuple[str, ...]
    function: t.Callable[[Circumstances], t.Iterator[Finding]]

    def __call__(self, circumstances: Circumstances) -> t.Iterator[Finding]:
        return self.function(circumstances)


def check(*reasons: str) -> t.Callable[[t.Callable[[Circumstances], t.Iterator[Finding]]], Check]:
    """Make a function a check that finds these reasons. Raises ValueError for a reason that REASONS does not have."""
    unknown = sorted(set(reasons).difference(REASONS))
    if unknown:
        raise ValueError(f"Not in REASONS of _model/checks.py: {', '.join(unknown)}.")
    return lambda function: Check(function.__name__, reasons, function)
