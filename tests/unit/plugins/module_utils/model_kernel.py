# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model of both kinds of kernel, named so: it has the calls of `KernelProtocol` and the rules that they obey."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import pathlib
import struct
import typing as t
import zipfile

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CpuAnswers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    LoadedPatch,
    PatchedObject,
    Snapshot,
    StallingTask,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.version import VERSION
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.abi import detect_stacking
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Symbol
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import read_running_kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

RELEASE = "6.12.48-amd64"

STALLING = StallingTask(42, 42, "sleep", ("hrtimer_nanosleep+0x9d/0x120", "do_syscall_64+0x82/0x190"))


def acceptance_of(files: Files) -> Acceptance:
    """What the host keeps for its boots, which must not be damaged."""
    acceptance = boot_store.read(files)
    assert isinstance(acceptance, Acceptance)
    return acceptance


def said(result: dict[str, t.Any]) -> list[str]:
    """The findings of a result, each in its sentences."""
    return [f"{finding['cause']} {finding['remedy']}" for finding in result.get("findings", ())]


def content_of(name: str = "fix", content: str = "1") -> bytes:
    """The bytes of such a file."""
    return f"{name} {content}".encode()


def patch_file(name: str = "fix", content: str = "1", **changes: t.Any) -> PatchFile:
    """A patch file; another content has another build-id and digest."""
    values: dict[str, t.Any] = {
        "path": name + ".ko",
        "name": name,
        "sha256": hashlib.sha256(content_of(name, content)).hexdigest(),
        "size": 1000,
        "machine": "x86_64",
        "vermagic": RELEASE + " SMP preempt mod_unload modversions ",
        "abi": PER_TASK,
        "builder": "hand-written",
        "build_id": "id-" + name + content,
        "functions": (Function("vmlinux", "cmdline_proc_show", 1),),
        "replace": False,
    }
    values.update(changes)
    return PatchFile(**values)


def loaded(file: PatchFile, enabled: bool = True, **changes: t.Any) -> LoadedPatch:
    """The patch of this file, as loaded. A per_task kernel does not show the functions of a disabled patch."""
    values: dict[str, t.Any] = {
        "name": file.name,
        "enabled": enabled,
        "replace": file.replace,
        "functions": file.functions if enabled or file.abi == STOP_MACHINE else (),
        "identity": dataclasses.replace(file.identity, sha256=None, loaded_with=None),
        "taint": "OEK",
    }
    values.update(changes)
    return LoadedPatch(**values)


def snapshot(*patches: LoadedPatch, **changes: t.Any) -> Snapshot:
    """A host with these patches."""
    values: dict[str, t.Any] = {
        "release": RELEASE,
        "machine": "x86_64",
        "abi": PER_TASK,
        "patches": tuple(patches),
        "modules": frozenset(["ext4"] + [patch.name for patch in patches]),
        "taint": 0,
    }
    values.update(changes)
    return Snapshot(**values)


def note_build_id(root: pathlib.Path, digest: bytes) -> None:
    """Let the kernel show this build-id."""
    (root / "sys/kernel").mkdir(parents=True, exist_ok=True)
    (root / "sys/kernel/notes").write_bytes(struct.pack("=3I4s", 4, len(digest), 3, b"GNU") + digest)


class ModelLog:
    def __init__(self) -> None:
        self.coming: list[str] = []
        self.lines: list[str] = []
        self.readable = True
        self.lost = False

    def new_lines(self) -> tuple[str, ...]:
        lines, self.coming = tuple(self.coming), []
        self.lines += lines
        return lines

    def begin(self) -> None:
        self.new_lines()
        self.lines = []


BUSY_LINES: tuple[str, ...] = (
    "livepatch: Call Trace:",
    "livepatch: [<00000000a0b9e6dc>] __schedule+0x281/0x700",
    "livepatch: kworker/0:0:7 check stack failed, ret=-11",
)
"""What x86_64 says of a task that sits in a function."""


class ModelKernel:
    """A per_task kernel, or with `abi` a stop_machine one, with CONFIG_LIVEPATCH_STACK if `stacking_enforced` is true.

    Transitions of patches in `stall` do not end, nor does that of one in `stall_once` when it is loaded first, nor one
    that is reversed of those in `stall_back`.
    `fail` maps calls to errnos, `busy` maps patches to the number of times that a task sits in one of their
    functions. `hidden` hides the configuration. `parameters` has what the loaded modules were loaded with, by their
    names: as the real one, the kernel tells it to nobody. A module is there if it is in `targets`; without
    `shows_patched` it is a kernel before Linux 6.1. `replaces` has the replace flag of files, by their digests, that
    show another one; `shows_replace` is false for kernels older than 6.11. `forces_all` is true for kernels older than
    5.18. `before_call` has what happens on the host right before a call, `before_look` before the transition of a patch
    is looked at, once: the kernel's own doing, or somebody else's. `ends_after` has the seconds that a patch's
    transition takes from then on. `stuck_cpus` do not schedule; `questions` counts how often that was asked.
    """

    def __init__(
        self,
        root: pathlib.Path | str,
        *patches: LoadedPatch,
        abi: str = PER_TASK,
        stacking_enforced: bool = False,
        hidden: bool = False,
        accepts_replace: bool = False,
        stall: t.Iterable[str] = (),
        fail: dict[str, tuple[int, str]] | None = None,
        busy: dict[str, int] | None = None,
        busy_errno: int = errno.EAGAIN,
        busy_unloads: int = 0,
    ) -> None:
        self.root = str(root)
        self.patches: list[LoadedPatch] = list(patches)
        self.abi = abi
        self.stacking_enforced = stacking_enforced
        self.hidden = hidden
        self.accepts_replace = accepts_replace
        self.stall = set(stall)
        self.stall_once: set[str] = set()
        self.stall_back: set[str] = set()
        self.fail = dict(fail or {})
        self.busy = dict(busy or {})
        self.busy_errno = busy_errno
        self.busy_lines = BUSY_LINES
        self.busy_unloads = busy_unloads
        self.log = ModelLog()
        self.calls: list[str] = []
        self.known_files: dict[str, PatchFile] = {}
        self.conditions_now = Conditions(kprobes=(), traced=(), ftrace_enabled=True)
        self.journal_lines: list[str] = []
        self.clock = 0.0
        self.waits: t.Callable[[str], None] = lambda what: None
        self.install_boot_program()
        self.replaces: dict[str, bool] = {}
        self.shows_replace = True
        self.forces_all = False
        self.held: set[str] = set()
        self.before_call: dict[str, t.Callable[[], None]] = {}
        self.stuck_cpus: tuple[int, ...] = ()
        self.questions = 0
        self.before_look: dict[str, t.Callable[[], None]] = {}
        self.ends_after: dict[str, float] = {}
        self.fail_at: tuple[str, int] | None = None
        self.targets: set[str] = {"ext4"}
        self.shows_patched = abi == PER_TASK
        self.parameters: dict[str, str] = {}
        self.newest = max([patch.load_index for patch in patches], default=0)
        self.patches = [dataclasses.replace(patch, instance=-place) for place, patch in enumerate(patches, 1)]

    def install_boot_program(self, version: str = VERSION) -> None:
        root = Files(self.root)
        for path in (boot_store.PROGRAM, boot_store.UNIT):
            place = pathlib.Path(root.path(path))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        with zipfile.ZipFile(root.path(boot_store.PROGRAM), "w") as archive:
            archive.writestr(boot_store.VERSION_ENTRY, version)

    def note_copy(self, file: PatchFile) -> None:
        """Note what the collection notes when it has loaded this file."""
        patch = self.snapshot().patch(file.name) or LoadedPatch(file.name, enabled=False)
        copies.note(self.files(), patch, file, (), proven=True)

    def stored_digest(self, name: str) -> str | None:
        """The digest of the copy that the collection has noted for this patch."""
        copy = known(copies.read(self.files(), name))
        return copy.sha256 if copy else None

    def add_file(self, file: PatchFile) -> None:
        """Tell what is in a file: the model knows it by its digest."""
        self.known_files[file.sha256] = file

    def conditions(self, release: str, name: str, functions: t.Iterable[Function]) -> Conditions:
        symbols = {(function.object, function.name): (Symbol(0xFFFF0000, 64),) for function in functions}
        return dataclasses.replace(self.conditions_now, symbols=symbols)

    def ask_cpus(self) -> CpuAnswers:
        self.questions += 1
        return CpuAnswers(self.stuck_cpus, seconds=10.0)

    def journal(self, line: str) -> None:
        self.journal_lines.append(line)

    def files(self) -> Files:
        return Files(self.root)

    def snapshot(self) -> Snapshot:
        stacking_enforced = None
        if self.abi == STOP_MACHINE:
            stacking_enforced = detect_stacking(None, {}, self.patches)[0] if self.hidden else self.stacking_enforced
        return snapshot(
            *map(self.with_objects, self.patches),
            abi=self.abi,
            stacking_enforced=stacking_enforced,
            taint=known_or(self.files().number("/proc/sys/kernel/tainted"), 0),
            modules=frozenset([*self.targets, *(patch.name for patch in self.patches)]),
            marks=read_running_kernel(self.files())[1],
        )

    def lists(self, patch: LoadedPatch) -> bool:
        """Whether the patch is in sysfs."""
        return self.abi == STOP_MACHINE or patch.enabled or patch.in_transition

    def with_objects(self, patch: LoadedPatch) -> LoadedPatch:
        """The patch with its objects as sysfs has them (kernel/livepatch/core.c).

        klp_module_coming() and klp_module_going() patch and unpatch them for each patch that is in sysfs; what is being
        disabled is unpatched when its transition has ended.
        """
        there = {"vmlinux", *self.targets}
        names = {entry.name for entry in patch.objects}.union(function.object for function in patch.functions)
        objects = (PatchedObject(name, name in there if self.shows_patched else None) for name in sorted(names))
        return dataclasses.replace(patch, objects=tuple(objects) if self.lists(patch) else ())

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        with open(self.root + path, "rb") as stream:
            content = stream.read()
        assert hashlib.sha256(content).hexdigest() == sha256
        file = self.known_files[sha256]
        self._call("load", file.name)
        if any(patch.name == file.name for patch in self.patches):
            raise OSError(errno.EEXIST, "File exists")
        self.newest += 1
        self.parameters[file.name] = parameters
        if self.abi == STOP_MACHINE:
            self._register(file)
            return
        self._refuse_states(file)
        self._refuse_second_transition(file.name)
        moving = file.name in self.stall or file.name in self.stall_once
        self.stall_once.discard(file.name)
        self.held.discard(file.name)
        flag = self.replaces.get(file.sha256, file.replace) if self.shows_replace else None
        patch = loaded(file, in_transition=True, load_index=self.newest, instance=self.newest, replace=flag)
        self.patches.append(patch)
        if not moving:
            self.end_transition(file.name)

    def _refuse_states(self, file: PatchFile) -> None:
        """kernel/livepatch/state.c: klp_is_patch_compatible()."""
        version = {state.id: state.version for state in reversed(file.states or ())}
        there = [patch.identity.build_id for patch in self.patches if patch.enabled or patch.in_transition]
        files = [other for other in self.known_files.values() if other.build_id in there]
        for state in (state for other in files for state in other.states or ()):
            if (state.id not in version and file.replace) or version.get(state.id, state.version) < state.version:
                line = f"Livepatch patch ({file.name}) is not compatible with the already installed livepatches."
                self._refuse(errno.EINVAL, f"livepatch: {line}")

    def _register(self, file: PatchFile) -> None:
        functions = list(file.functions or ())
        if file.replace or file.name.startswith("hidden_replace"):
            if not self.accepts_replace:
                self._refuse(errno.EINVAL, "livepatch: Replacing is not supported")
            added = [function for patch in self.patches for function in patch.functions]
            functions += [function for function in added if function not in functions]
        patch = loaded(file, enabled=False, load_index=self.newest, instance=self.newest, replace=None)
        self.patches.append(dataclasses.replace(patch, functions=tuple(functions)))
        if file.enables_itself:
            try:
                self._change_stopped(self.patches[-1], True)
            except OSError:
                self.patches.pop()
                raise

    def load_target(self, name: str, seconds: float) -> None:
        self._call("load_target", name)
        self.targets.add(name)

    def unload(self, name: str) -> None:
        self._call("unload", name)
        if name in self.targets:
            # kernel/livepatch/core.c of openEuler, klp_find_object_module(): a registered patch holds its modules.
            held = [patch.name for patch in self.patches for entry in patch.functions if entry.object == name]
            if held and self.abi == STOP_MACHINE:
                raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
            self.targets.remove(name)
            return
        patch = self._patch(name)
        if self.busy_unloads or patch.enabled or patch.in_transition or patch.pinned:
            self.busy_unloads = max(0, self.busy_unloads - 1)
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        self.patches = [patch for patch in self.patches if patch.name != name]
        self.parameters.pop(name, None)

    def write_enabled(self, name: str, value: bool) -> None:
        self._call("enable" if value else "disable", name)
        patch = self._patch(name)
        if self.abi == PER_TASK and not patch.enabled and not patch.in_transition:
            raise OSError(errno.ENOENT, "No such file or directory")
        if patch.enabled == value:
            raise OSError(errno.EINVAL, "Invalid argument")
        if self.abi == STOP_MACHINE:
            self._change_stopped(patch, value)
            return
        self._refuse_second_transition(name)
        # The tasks that hold a transition never left the old side, to which it is reversed. Others may hold it there.
        moving = name in (self.stall_back if patch.in_transition else self.stall)
        self._replace(dataclasses.replace(patch, enabled=value, in_transition=True))
        if not moving:
            self.end_transition(name)

    def end_transition(self, name: str) -> None:
        """kernel/livepatch/transition.c, klp_complete_transition(): until here what is replaced stays enabled.

        That is what is older: klp_unpatch_replaced_patches() in core.c goes down the list as far as the patch itself.
        The kernel drops each patch that is disabled then, and lets its module go unless it is held.
        """
        patch = self._patch(name)
        older = self.patches[: self.patches.index(patch)]
        self._replace(dataclasses.replace(patch, in_transition=False))
        others = [other.name for other in older if other.enabled]
        for gone in [name] if not patch.enabled else others if self._is_replacing(patch) else []:
            held = gone in self.held
            patch = self._patch(gone)
            self._replace(dataclasses.replace(patch, enabled=False, functions=(), replace=None, pinned=held))

    def _is_replacing(self, patch: LoadedPatch) -> bool:
        files = [file for file in self.known_files.values() if file.identity.compare(patch.identity) == "same"]
        return any(self.replaces.get(file.sha256, file.replace) for file in files) if files else bool(patch.replace)

    def force(self, name: str) -> None:
        """kernel/livepatch/transition.c, klp_force_transition(): the modules of what is removed so are never let go.

        Before Linux 5.18 those of all patches are not.
        """
        self._call("force", name)
        patch = self._patch(name)
        others = {other.name for other in self.patches if other.enabled and other.name != name}
        if not patch.enabled:
            self.held.add(name)
        elif self._is_replacing(patch):
            self.held.update(others)
        if self.forces_all:
            self.held.update({name, *others})
        self.end_transition(name)

    def _refuse_second_transition(self, name: str) -> None:
        """kernel/livepatch/core.c: EBUSY while the transition of another patch is running."""
        if any(patch.in_transition and patch.name != name for patch in self.patches):
            raise OSError(errno.EBUSY, "Device or resource busy")

    def _change_stopped(self, patch: LoadedPatch, value: bool) -> None:
        place = self.patches.index(patch)
        if self.stacking_enforced and value and place and not self.patches[place - 1].enabled:
            self._refuse(errno.EBUSY, "livepatch: only the first disabled patch can be enabled")
        if (
            self.stacking_enforced
            and not value
            and any(behind.enabled for behind in self.patches[place + 1 : place + 2])
        ):
            self._refuse(errno.EBUSY, "livepatch: only the last enabled patch can be disabled")
        if self.busy.get(patch.name):
            self.busy[patch.name] -= 1
            self._refuse(
                self.busy_errno,
                f"livepatch: func {patch.functions[0].name} is in use!",
                *self.busy_lines,
            )
        changed = dataclasses.replace(patch, enabled=value)
        self._replace(changed)
        if value and not self.stacking_enforced:
            self.patches.append(self.patches.pop(place))

    def _refuse(self, number: int, *lines: str) -> t.NoReturn:
        self.log.coming += lines
        raise OSError(number, "")

    def enabled(self, name: str) -> bool | None:
        patch = next((patch for patch in self.patches if patch.name == name), None)
        return patch.enabled if patch and (self.abi == STOP_MACHINE or patch.enabled or patch.in_transition) else None

    def transition_target(self, name: str) -> bool | None:
        self.before_look.pop(name, lambda: None)()
        patch = next((patch for patch in self.patches if patch.name == name), None)
        return patch.enabled if patch and patch.in_transition else None

    def stalling_tasks(self, enabling: bool) -> tuple[StallingTask, ...]:
        return (STALLING,)

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float, waits_for: str) -> None:
        self.waits(waits_for)
        self.clock += seconds
        for name in list(self.ends_after):
            self.ends_after[name] -= seconds
            if self.ends_after[name] <= 0:
                del self.ends_after[name]
                self.end_transition(name)

    def fail_later(self, operation: str, number: int) -> None:
        """Let the call of this kind with this number fail, once."""
        self.fail_at = (operation, number)

    def _call(self, operation: str, name: str) -> None:
        self.before_call.pop(f"{operation} {name}", lambda: None)()
        count = len([call for call in self.calls if call.startswith(operation + " ")])
        self.calls.append(operation + " " + name)
        if self.fail_at == (operation, count):
            raise OSError(errno.EIO, "trouble")
        if operation in self.fail:
            number, line = self.fail.pop(operation)
            self.log.coming.append(line)
            raise OSError(number, "")

    def _patch(self, name: str) -> LoadedPatch:
        patch = next((patch for patch in self.patches if patch.name == name), None)
        if patch is None:
            raise OSError(errno.ENOENT, "No such file or directory")
        return patch

    def _replace(self, changed: LoadedPatch) -> None:
        self.patches = [changed if patch.name == changed.name else patch for patch in self.patches]
