# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What is known about a host and its live patches at one moment, as values.

The words are the kernel's: a *patch* is a loaded module that replaces *functions* of *objects*, `vmlinux` or modules.
Nothing here reads or changes anything; see `_observe` for the reading.
"""

from __future__ import annotations

import bisect
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import (
    NO_MARKS,
    KernelId,
    KernelMarks,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.once import once
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable, known

PER_TASK = "per_task"
"""Mainline: insmod activates the patch and starts a transition, task by task."""

STOP_MACHINE = "stop_machine"
"""openEuler with CONFIG_LIVEPATCH_WO_FTRACE: insmod registers, writing 1 to `enabled` activates."""

UNKNOWN_OWNER = "unknown"
"""The owner of a patch that this collection did not load and that no tool which it knows claims."""


@dataclass(frozen=True, order=True)
class Function:
    """A function that a patch replaces. Functions are listed by object, name and position everywhere.

    `sympos` is the position among symbols of the same name in the object, counted from 1;
    the kernel shows the patch author's 0 ("there is only one") as 1.
    """

    object: str
    name: str
    sympos: int = 1

    def __str__(self) -> str:
        return f"{self.object}/{self.name},{self.sympos}"


@dataclass(frozen=True)
class PatchedObject:
    """An object of a loaded patch: `vmlinux` or a module, which need not be loaded.

    `patched` says whether calls of its functions go to the patch (`patched` in sysfs since Linux 6.1,
    kernel/livepatch/core.c); None where the kernel does not tell. A per_task kernel patches a module when it is loaded.
    """

    name: str
    patched: bool | None = None


@dataclass(frozen=True)
class Identity:
    """What tells one content of a module from another. Each mark is `None` where it is not known.

    `loaded_with` is the text of the parameters that the module was loaded with, or is to be (see `_model.parameters`).
    It is no mark of a build. For a loaded patch it comes from the collection's books, too.

    `srcversion` needs CONFIG_MODULE_SRCVERSION_ALL or a MODULE_VERSION, `build_id` a linker that writes one,
    `sha256` is of the whole file. The kernel does not know it: for a loaded patch it comes from the collection's books.
    """

    build_id: str | None = None
    srcversion: str | None = None
    sha256: str | None = None
    loaded_with: str | None = None

    def compare(self, expected: Identity) -> str:
        """Return whether this is the expected one, loaded with what that is loaded with, if it says so.

        `same`, `different` or `unknown`.
        """
        relation = self.compare_builds(expected)
        if relation != "same" or expected.loaded_with in (None, self.loaded_with):
            return relation
        return "unknown" if self.loaded_with is None else "different"

    def compare_builds(self, other: Identity) -> str:
        """Return `same`, `different` or, where the two have no mark in common, `unknown`.

        A signed or stripped copy of a file has another digest and the same build-id. Equal sources have one srcversion,
        whatever they are compiled with: it decides only where nothing else does.
        """
        if _equal(self.sha256, other.sha256):
            return "same"
        for mine, theirs in (
            (self.build_id, other.build_id),
            (self.sha256, other.sha256),
            (self.srcversion, other.srcversion),
        ):
            if mine and theirs:
                return "same" if _equal(mine, theirs) else "different"
        return "unknown"

    def __str__(self) -> str:
        marks = (("build-id", self.build_id), ("srcversion", self.srcversion), ("sha256", self.sha256))
        return ", ".join(f"{name} {value}" for name, value in marks if value) or "no mark"


def _equal(mark: str | None, other: str | None) -> bool:
    return bool(mark and other and mark.lower() == other.lower())


@dataclass(frozen=True)
class LoadedPatch:
    """A live patch module in the kernel.

    `functions` and `objects` are empty for a patch that the kernel no longer lists in sysfs: per_task kernels drop a
    disabled patch from /sys/kernel/livepatch although its module stays loaded. An object may have callbacks alone.
    `replace` is `None` where the kernel does not tell.
    `load_index` counts the modules from the oldest: a patch with a higher one was loaded later.
    `instance` is the inode of the module's directory in sysfs: if that has changed, the module was loaded anew.
    `permanent` says that the module has no exit function, so that the kernel never unloads it. `pinned` says that the
    kernel has dropped the patch and holds its module all the same, which it never lets go: the patch was disabled by
    force (klp_force_transition() in kernel/livepatch/transition.c). `marked` says that it may do so with an enabled one
    once that is disabled, since a transition was forced: only `Books.identify` knows.
    `no_ops` are those of its functions that the kernel has added until its transition ends, to end those of the patches
    that it replaces (klp_add_nops() in kernel/livepatch/core.c). Only its file tells them apart: see `Books.identify`.
    `owner` names the other tool that manages the patch, if one does. `Books.identify` sets UNKNOWN_OWNER for a patch
    that neither a tool nor the collection's books claim; `None` is the collection itself then.
    """

    name: str
    enabled: bool
    in_transition: bool = False
    replace: bool | None = None
    functions: tuple[Function, ...] = ()
    refcount: int | None = None
    taint: str = ""
    identity: Identity = Identity()
    load_index: int = 0
    instance: int | None = None
    permanent: bool = False
    owner: str | None = None
    pinned: bool = False
    marked: bool = False
    objects: tuple[PatchedObject, ...] = ()
    no_ops: tuple[Function, ...] = ()

    @property
    def active(self) -> bool:
        """Enabled, and every task runs the new code."""
        return self.enabled and not self.in_transition

    @property
    def users(self) -> int:
        """How many references there are to the module beside that of the patch: it cannot be unloaded then (EAGAIN).

        An enabled patch has one (try_module_get() in kernel/livepatch/core.c). What has just been disabled may still
        have it, since a worker puts it, and what was disabled by force has it until a reboot.
        """
        return max(0, (self.refcount or 0) - 1)

    def is_loaded_anew(self, before: LoadedPatch) -> bool:
        """Whether it is known that the module was loaded once more since."""
        return None not in (self.instance, before.instance) and self.instance != before.instance

    @property
    def tool(self) -> str | None:
        """The other tool that manages the patch, or None."""
        return self.owner if self.owner != UNKNOWN_OWNER else None

    @once
    def function_set(self) -> frozenset[Function]:
        """Its functions, to look one up."""
        return frozenset(self.functions)

    @once
    def no_op_set(self) -> frozenset[Function]:
        """Its no-ops, to look one up."""
        return frozenset(self.no_ops)

    @once
    def patched_by_object(self) -> t.Mapping[str, bool | None]:
        """What the kernel tells of each object."""
        return {entry.name: entry.patched for entry in reversed(self.objects)}

    def shares(self, functions: t.Iterable[Function]) -> bool:
        """Whether the patch replaces one of these functions as well. Of two sets the smaller one is gone through."""
        return not self.function_set.isdisjoint(functions)


@dataclass(frozen=True)
class StallingTask:
    """A task that keeps a transition from ending, with its kernel stack, innermost frame first.

    `is_kernel_thread` is None where the kernel does not tell. `held_by` is the frame for which the kernel does not let
    the task switch; None where the stack does not show it.
    """

    pid: int
    tid: int
    command: str
    stack: tuple[str, ...] = ()
    is_kernel_thread: bool | None = None
    held_by: str | None = None

    def __str__(self) -> str:
        kind = "kernel thread, " if self.is_kernel_thread else ""
        thread = "" if self.tid == self.pid else f", thread {self.tid}"
        frame = self.held_by or (self.stack[0] if self.stack else "")
        return f"{self.command} ({kind}pid {self.pid}{thread}){f' in {frame}' if frame else ''}"


@dataclass(frozen=True)
class Option:
    """A kernel configuration option. `value` is `None` if it is not set, `known` says whether a config was read.

    `needed_by` names the ABIs that need it.
    """

    name: str
    value: str | None
    known: bool = True
    needed_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """One reading of a host.

    `patches` are in the kernel's order: of two enabled patches on one function the later one is live. On per_task
    kernels that is the order of loading, on stop_machine kernels that of /proc/livepatch/state.

    `abi` is `None` where live patching is not supported; `why_unsupported` then says why in a sentence.
    `modules` are the names of all loaded modules. `taint` is /proc/sys/kernel/tainted.
    `stacking_enforced` says whether the kernel is built with openEuler's CONFIG_LIVEPATCH_STACK: then it enables only
    the first disabled patch and disables only the last enabled one; `None` where that is not known.
    `kprobes_isolated` says whether it is built with openEuler's CONFIG_LIVEPATCH_ISOLATE_KPROBE: then live patching and
    the users of a function's entry do not exclude each other; `None` where that is not known, and on per_task kernels.
    `undecided` are the sources that decide and could not be read: the loaded modules, sysfs, the state file.
    `config_contradiction` says in a sentence how the configuration file contradicts the kernel: nothing of it is used.
    `disagreements` are sentences about such sources that contradict each other. With either, nothing can be planned.
    `vermagic_words` are what the configuration puts into the vermagic behind the release; `None` without one.
    `module_plts` says whether CONFIG_ARM64_MODULE_PLTS is set, `long_symbols` whether openEuler's
    CONFIG_LIVEPATCH_LONG_SYMBOL_SUPPORT is; `None` without a configuration.
    `modules_disabled` says that the kernel neither loads nor unloads modules until it is booted again, `ftrace_failed`
    that its ftrace does nothing until then.
    `release` is the name that the kernel was built with, and `marks` are what else tells it.
    """

    release: str
    machine: str
    abi: str | None
    abi_evidence: tuple[str, ...] = ()
    why_unsupported: str | None = None
    options: tuple[Option, ...] = ()
    config_path: str | None = None
    patches: tuple[LoadedPatch, ...] = ()
    modules: frozenset[str] = frozenset()
    taint: int | None = None
    privileged: bool = True
    unreadable: tuple[Unreadable, ...] = ()
    stacking_enforced: bool | None = None
    kprobes_isolated: bool | None = None
    undecided: tuple[Unreadable, ...] = ()
    disagreements: tuple[str, ...] = ()
    vermagic_words: frozenset[str] | None = None
    module_plts: bool | None = None
    long_symbols: bool | None = None
    modules_disabled: bool = False
    ftrace_failed: bool = False
    config_contradiction: str | None = None
    marks: KernelMarks = NO_MARKS

    @property
    def kernel(self) -> KernelId:
        """The identity of the running kernel."""
        return KernelId(self.release, known(self.marks.build_id))

    @property
    def is_known(self) -> bool:
        """Whether everything could be read that decides what is loaded, enabled and live, and fits together."""
        return not (self.undecided or self.disagreements)

    def patch(self, name: str) -> LoadedPatch | None:
        """The loaded patch of this name, or None."""
        places = self._named.get(name)
        return self.patches[places[0]] if places else None

    @once
    def _named(self) -> t.Mapping[str, list[int]]:
        """Name -> the places of the patches that have it."""
        places: dict[str, list[int]] = {}
        for place, patch in enumerate(self.patches):
            places.setdefault(patch.name, []).append(place)
        return places

    def place_of(self, patch: LoadedPatch) -> int | None:
        """The place of this very patch in the kernel's order; None if the snapshot has another one, or none."""
        places = self._named.get(patch.name, ())
        return next((place for place in places if self.patches[place] == patch), None)

    @property
    def in_transition(self) -> LoadedPatch | None:
        """The patch whose transition is running (the kernel allows one at a time), or None."""
        return next((patch for patch in self.patches if patch.in_transition), None)

    def stacks(self) -> t.Mapping[Function, tuple[LoadedPatch, ...]]:
        """Function stacks: for each replaced function the patches on it, oldest first.

        The last is live where its object is patched (`is_patched`). A module that is not loaded gets the same stack
        when it is loaded (klp_module_coming() in kernel/livepatch/core.c).

        A patch that is being disabled is still there: a task that has not yet switched runs it (klp_ftrace_handler in
        kernel/livepatch/patch.c).
        """
        return self._stacks

    @once
    def _stacks(self) -> t.Mapping[Function, tuple[LoadedPatch, ...]]:
        return {function: tuple(self.patches[at] for at in places) for function, places in self._stacked.items()}

    @once
    def _stacked(self) -> t.Mapping[Function, list[int]]:
        """The function stacks, of the places of the patches: these are in order."""
        stacks: dict[Function, list[int]] = {}
        for place, patch in enumerate(self.patches):
            for function in patch.functions if patch.enabled or patch.in_transition else ():
                stacks.setdefault(function, []).append(place)
        return stacks

    def above(self, patch: LoadedPatch) -> dict[Function, tuple[LoadedPatch, ...]]:
        """The patches that cover this one, for each of its functions that is covered."""
        place = self.place_of(patch)
        covered: dict[Function, tuple[LoadedPatch, ...]] = {}
        if place is None or not (patch.enabled or patch.in_transition):
            return covered
        for function in patch.functions:
            places = self._stacked[function]
            if places[-1] != place:
                covered[function] = self._stacks[function][bisect.bisect_left(places, place) + 1 :]
        return covered

    def covering(self, patch: LoadedPatch) -> set[LoadedPatch]:
        """The patches that cover this one on some function."""
        # The hash of a patch is that of all its functions.
        return set({id(above): above for stack in self.above(patch).values() for above in stack}.values())

    def is_patched(self, patch: LoadedPatch, name: str) -> bool:
        """Whether this object of an enabled patch is patched now. Where the kernel does not tell, a loaded one is."""
        shown = patch.patched_by_object.get(name)
        return self.has_object(name) if shown is None else shown

    def has_object(self, name: str) -> bool:
        """Whether the kernel has this object now: `vmlinux`, or a loaded module."""
        return name == "vmlinux" or name in self.modules

    def unpatched(self, patch: LoadedPatch) -> list[str]:
        """The objects of an enabled patch that the kernel does not patch now, as modules that are not loaded."""
        return [entry.name for entry in patch.objects if patch.enabled and not self.is_patched(patch, entry.name)]

    def effect(self, patch: LoadedPatch, added: t.Container[Function] = ()) -> str:
        """`full` if every function of the patch is live, `none` if no one is, else `partial`.

        The functions in `added` are not the patch's own.
        """
        if not patch.enabled:
            return "none"
        covered, own = self.above(patch), [entry for entry in patch.functions if entry not in added]
        live = [entry for entry in own if entry not in covered and self.is_patched(patch, entry.object)]
        if len(live) == len(own):
            return "full"
        return "partial" if live else "none"

    def is_covered(self, patch: LoadedPatch) -> bool:
        """Whether nothing of the patch would be lost without it: it is disabled, or others cover all its functions."""
        covered = self.above(patch)
        return not patch.enabled or (bool(covered) and len(covered) == len(patch.functions))


def users_of(patch: LoadedPatch) -> str:
    """How many more users the module of a patch has than the patch itself, for a sentence."""
    return f"{patch.users} more {'user' if patch.users == 1 else 'users'} than the patch itself"


def names_of(patches: t.Iterable[LoadedPatch]) -> str:
    """The names of patches, for a sentence."""
    return ", ".join(patch.name for patch in patches)
