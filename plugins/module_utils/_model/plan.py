# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What is to be done on a host: the steps of a plan, and what they displace."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.once import once
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.word import Word


class Action(Word):
    """What a step does (see Step)."""

    LOAD = "load"
    ENABLE = "enable"
    DISABLE = "disable"
    WAIT = "wait"
    UNLOAD = "unload"
    LOAD_TARGET = "load target"
    UNLOAD_TARGET = "unload target"
    ACCEPT = "accept"
    FORGET = "forget"
    NOTE_FIX = "note fix"


Stored = t.Mapping[str, PatchFile]
"""The files of which the host has a copy, by the name of the loaded module."""


class CameBack(Word):
    """In the place of what a revert has brought a build back: another one, or the same with other parameters."""

    BUILD = "build"
    PARAMETERS = "parameters"


@dataclass(frozen=True)
class Displaced:
    """A patch that another one took the place of: a superseded one, or an earlier content of the same name.

    `file` is None if no copy of it is kept, because this collection did not load it. `under` names the patches
    that covered it on some function. `displaced` is what it had displaced itself (see `_model/displaced.py`).
    """

    name: str
    enabled: bool
    file: PatchFile | None
    under: tuple[str, ...] = ()
    displaced: tuple[Displaced, ...] = ()

    @property
    def content(self) -> tuple[str, str | None, str]:
        """What was loaded, and with which parameters; all that have no file count as one."""
        return self.name, self.file.sha256 if self.file else None, (self.file.loaded_with or "") if self.file else ""

    def to_dict(self) -> dict[str, t.Any]:
        """Plain types only, for what is kept on the host."""
        return {
            "name": self.name,
            "enabled": self.enabled,
            "file": self.file.to_dict() if self.file else None,
            "under": list(self.under),
            "displaced": [other.to_dict() for other in self.displaced],
        }


@dataclass(frozen=True)
class Step:
    """One thing to do with a patch.

    `load` inserts the module, which on per_task kernels also enables it; `enable` and `disable` write 1 and 0
    to `enabled`, which while a transition is running reverses it; `wait` waits until no transition of the patch
    is running; `unload` removes the module.
    `file` of a load is what will be loaded. `load target` loads another module, named by `patch`, by modprobe;
    `unload target` removes it again if the plan fails. `accept` and `forget` are about the next boot.
    `note fix` writes down what the patch fixes.
    """

    action: Action
    patch: str
    file: PatchFile | None = None

    def __str__(self) -> str:
        if self.action == Action.WAIT:
            return f"wait for the transition of {self.patch}"
        if self.action in (Action.LOAD_TARGET, Action.UNLOAD_TARGET):
            return f"{self.action[: -len(' target')]} the module {self.patch}"
        if self.action == Action.ACCEPT:
            return f"accept {self.patch} for the next boots"
        if self.action == Action.FORGET:
            return f"forget {self.patch} at the next boots"
        if self.action == Action.NOTE_FIX:
            return f"note what {self.patch} fixes"
        loaded_with = f" with {self.file.loaded_with}" if self.file and self.file.loaded_with else ""
        return f"{self.action} {self.patch}{loaded_with}"

    def to_dict(self) -> dict[str, t.Any]:
        """Plain types only, for the note of a run."""
        return {"action": self.action.value, "patch": self.patch, "file": self.file.to_dict() if self.file else None}


def pairs_of(steps: t.Iterable[Step]) -> frozenset[tuple[Action, str]]:
    """What steps do, each with its patch."""
    return frozenset((step.action, step.patch) for step in steps)


REVERTED_ALREADY = "reverted_already"
"""The reason of the note of a plan that an earlier revert has done what is wanted."""

NOT_REVERTED = "not_reverted"
"""The reason of the note of a plan that leaves a build alone because the task names another one."""


@dataclass(frozen=True)
class Plan:
    """Steps, or refusals; never both. `notes` are what the user should know of a plan that is not refused.

    `intended` are the steps, also if they are refused, for whoever wants to know all that is against them.
    `boot` is what is written down, for the next boot above all, after the steps and their proof, and `acceptance` what
    the host then keeps for it; None if that does not change. `fix` is what the wanted patch fixes, None if the host has
    noted that. `about` names the patch that is wanted, also where nothing is done with
    it: what it supersedes can only come back below it if it is moved. `replaced` are the patches that a load has
    disabled although the plan was not about them. `moves_aside` is where the damaged file with what is accepted goes.
    """

    steps: tuple[Step, ...] = ()
    refusals: tuple[Finding, ...] = ()
    intended: tuple[Step, ...] = ()
    notes: tuple[Finding, ...] = ()
    boot: tuple[Step, ...] = ()
    acceptance: Acceptance | None = None
    about: str = ""
    replaced: tuple[str, ...] = ()
    moves_aside: str | None = None
    fix: Fix | None = None

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """All that is to be done, in order."""
        return (*self.steps, *self.boot)

    @property
    def changes(self) -> bool:
        """Whether something would change: waiting for a transition that is already running is no change."""
        return any(step.action != Action.WAIT for step in self.all_steps)

    @once
    def loads(self) -> tuple[PatchFile, ...]:
        """The files that steps load."""
        return tuple(step.file for step in self.steps if step.action == Action.LOAD and step.file)

    @property
    def accepts(self) -> tuple[PatchFile, ...]:
        """The files that are kept for the next boots."""
        return tuple(step.file for step in self.boot if step.action == Action.ACCEPT and step.file)

    @property
    def forgets(self) -> bool:
        """Whether what is kept for the next boots gets less: that is done before the steps."""
        return self.acceptance is not None and any(step.action == Action.FORGET for step in self.boot)

    @once
    def names(self) -> tuple[str, ...]:
        """The patches that something is done with, in the order of the steps."""
        others = (Action.WAIT, Action.LOAD_TARGET, Action.UNLOAD_TARGET)
        names = (step.patch for step in self.steps if step.action not in others)
        return tuple(dict.fromkeys((*names, *self.replaced)))

    @once
    def name_set(self) -> frozenset[str]:
        """The same, to look one up."""
        return frozenset(self.names)

    @once
    def loads_by_name(self) -> t.Mapping[str, list[PatchFile]]:
        """The files that steps load, by the names of their patches."""
        files: dict[str, list[PatchFile]] = {}
        for file in self.loads:
            files.setdefault(file.name, []).append(file)
        return files

    def file_of(self, patch: str) -> PatchFile | None:
        """The first file that the steps load for this patch, or None."""
        return next(iter(self.loads_by_name.get(patch, ())), None)

    @once
    def pairs(self) -> frozenset[tuple[Action, str]]:
        """What the steps do, each with its patch."""
        return pairs_of(self.steps)

    @once
    def last_actions(self) -> t.Mapping[str, Action]:
        """What the last step does with each patch, apart from waiting."""
        return {step.patch: step.action for step in self.steps if step.action != Action.WAIT}

    @property
    def targets(self) -> tuple[str, ...]:
        """The modules that are loaded first."""
        return tuple(step.patch for step in self.steps if step.action == Action.LOAD_TARGET)

    def without(self, names: t.Collection[str]) -> Plan:
        """The plan without these patches, or modules that are loaded first."""
        names = frozenset(names)
        steps = tuple(step for step in self.steps if step.patch not in names)
        replaced = tuple(name for name in self.replaced if name not in names)
        return replace(self, steps=steps, about="" if self.about in names else self.about, replaced=replaced)
