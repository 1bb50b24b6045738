# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Invented hosts, files and logs of any size, for the tests of growth and the bench of it."""

from __future__ import annotations

import errno
import hashlib
import pathlib
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.explain import (
    explain,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
    Quarantined,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    CONTAINED,
    OnCovered,
    State,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
    LoadedPatch,
    PatchedObject,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe import state_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Symbol, find_symbols
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import Kprobe, Traced
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.displaced import displaced_after
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.live import with_live
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import deviations, predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.rollback import rollback_steps
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import find
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import state
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.copies import DIRECTORY
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    content_of,
    loaded,
    patch_file,
    snapshot,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.shown_kernel import ShownKernel
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.tiny_module import (
    MODULE,
    TinyModule,
    Value,
)

SINCE = "2026-12-01T00:00:00Z"


def functions_of(count: int, on_each: int = 1) -> list[Function]:
    """As many functions in turn, each of them as often as `on_each`."""
    return [Function("vmlinux", f"function_{number % max(1, count // on_each):06}") for number in range(count)]


def files_of(count: int, on_each: int = 1, **changes: t.Any) -> list[PatchFile]:
    """As many patch files, each of one function, of which `on_each` replace the same one."""
    return [
        patch_file(f"patch_{number:06}", functions=(function,), **changes)
        for number, function in enumerate(functions_of(count, on_each))
    ]


def patches_of(files: t.Iterable[PatchFile], enabled: bool = True) -> list[LoadedPatch]:
    """These files, as loaded."""
    objects = (PatchedObject("vmlinux", True),)
    return [
        loaded(file, enabled, objects=objects, load_index=place, instance=place) for place, file in enumerate(files, 1)
    ]


def accepted_of(files: t.Iterable[PatchFile]) -> Acceptance:
    """The acceptance of these files, and as many others in quarantine."""
    accepted = [
        Accepted(file.name, file.sha256, RELEASE, SINCE, file.to_dict(), number=number)
        for number, file in enumerate(files, 1)
    ]
    quarantined = [
        Quarantined(f"bad_{number:06}", hashlib.sha256(b"%d" % number).hexdigest(), RELEASE, SINCE, "It went down.")
        for number in range(len(accepted))
    ]
    return Acceptance(tuple(accepted), tuple(quarantined))


def shown_host(root: pathlib.Path, files: t.Sequence[PatchFile], abi: str = PER_TASK, kept: bool = True) -> ShownKernel:
    """A host on which these files are loaded; if they are `kept`, the collection has loaded and accepted them."""
    kernel = ShownKernel(root, *patches_of(files), abi=abi)
    host = kernel.files()
    if kept:
        pathlib.Path(host.path(DIRECTORY)).mkdir(parents=True, exist_ok=True)
        pathlib.Path(host.path(boot_store.DIRECTORY)).mkdir(parents=True, exist_ok=True)
        for file in files:
            record = {
                "sha256": file.sha256,
                "sysfs_inode": host.inode(f"/sys/module/{file.name}"),
                "patch_file": file.to_dict(),
            }
            pathlib.Path(host.path(f"{DIRECTORY}/{file.name}.json")).write_bytes(state.encode(record))
            place = host.path(boot_store.file_path(file.name, file.sha256))
            pathlib.Path(place).write_bytes(content_of(file.name))
        boot_store.write(host, accepted_of(files))
    return kernel


def abi_of_files(abi: str) -> dict[str, t.Any]:
    """What tells files for an ABI from those for the other one."""
    return {"abi": abi, "replace": None if abi == STOP_MACHINE else False}


def kallsyms_of(count: int, modules: int = 0) -> bytes:
    """The text of /proc/kallsyms with as many functions of vmlinux, and as many of modules if there are any."""
    lines = [f"{0xFFFFFFFF81000000 + 64 * number:016x} T function_{number:06}\n" for number in range(count)]
    for number in range(count if modules else 0):
        address = 0xFFFFFFFFC0000000 + 64 * number
        lines.append(f"{address:016x} t function_{number:06}\t[module_{number * modules // count}]\n")
    return "".join(lines).encode()


def module_with(functions: int) -> bytes:
    """A hand-written module that replaces as many functions."""
    module = TinyModule()
    entries: list[dict[int, Value]] = [{0: f"function_{number}", 8: module.code} for number in range(functions)]
    objects = module.put(120, {8: module.put(128, *entries, {})}, {})
    module.pass_to_enable(module.put(200, {0: MODULE, 8: objects}))
    return module.content()


LOGS: dict[str, t.Callable[[int], str]] = {
    "in use, and no task": lambda number: f"livepatch: func function_{number} is in use!",
    "in use on arm64, and no task": lambda number: (
        f"livepatch: func function_{number} is in use!" if number % 2 else "x"
    ),
    "tasks, and no end": lambda number: f"livepatch: klp_x: a:{number}:1:2:3:4:5:6:7:8:9:10 check stack",
    "calltraces": lambda number: f"livepatch: {'klp_calltrace' * 5}: klp_x: a:{number} has an unreliable",
    "quotes": lambda number: f"symbol '{number} 'symbol position 1 for symbol 'in object 'x",
    "open quotes": lambda number: "symbol '" if number == 0 else "symbol position object for function",
    "lockdown": lambda number: "Lockdown: a: " * 6,
    "instructions": lambda number: "patch instruction restore instruction " * 3,
    "words of 900 characters": lambda number: "a:b" * 300,
    "blanks": lambda number: " " * 90,
    "digits": lambda number: f"a:{'1' * 80}",
}
"""Lines that begin as those do which the collection knows, and do not end so, by their number."""


def log_of(shape: str, count: int) -> list[str]:
    """A log of as many lines of a shape."""
    return [LOGS[shape](number) for number in range(count)]


def explained(log: t.Sequence[str]) -> list[Finding]:
    """What the collection says of this log, for the three answers of the kernel that have the most rows."""
    answers = ((Action.ENABLE, errno.EAGAIN), (Action.LOAD, errno.EINVAL), (Action.LOAD, errno.ENOEXEC))
    return [explain(operation, number, log) for operation, number in answers]


ASKED: dict[str, dict[str, t.Any]] = {
    "another one": {},
    "contained": {"supersedes": (CONTAINED,)},
    "named": {},
    "raised": {"on_covered": OnCovered.UNSTACK},
    "absent": {"on_covered": OnCovered.UNSTACK},
}
"""What a task may ask for on a host with many patches: one more patch, one that contains all of them, one that names
all of them in `supersedes`, that the first is raised, that the first goes.
"""

Work = t.Callable[[], object]

Maker = t.Callable[[int, pathlib.Path], Work]
"""Makes, for a number and in an empty folder, the work to measure."""


def facts(abi: str, on_each: int, kept: bool) -> Maker:
    """The facts of a host with as many patches."""

    def make(count: int, root: pathlib.Path) -> Work:
        kernel = shown_host(root, files_of(count, on_each, **abi_of_files(abi)), abi, kept)
        return lambda: gather(kernel.files())

    return make


def facts_of_objects(count: int, root: pathlib.Path) -> Work:
    """The facts of a host with one patch of as many functions, each in an object of its own."""
    functions = tuple(Function(f"module_{number:06}", "function") for number in range(count))
    kernel = shown_host(root, [patch_file("patch", functions=functions)])
    return lambda: gather(kernel.files())


def parsing(count: int, _root: pathlib.Path) -> Work:
    """The state file of a host with as many patches."""
    rows = [f"{number}\tpatch_{number:06}\tenabled\n" for number in range(count)]
    return lambda: state_file.parse("".join(rows))


def accepting(count: int, _root: pathlib.Path) -> Work:
    """The acceptance of a patch that takes the place of as many."""
    files = files_of(count)
    new = accepted_of([patch_file("new")]).accepted[0]
    names = [file.name for file in files]
    return lambda: accepted_of(files).with_accepted(new, names, [*names, "new"]).without("new", restore=True)


def preflight(abi: str) -> Maker:
    """The checks of a patch of as many functions."""

    def make(count: int, _root: pathlib.Path) -> Work:
        circumstances = circumstances_of(count, abi)
        return lambda: find(replace(circumstances, snapshot=anew(circumstances.snapshot)))

    return make


def symbols(in_all: int, modules: int = 0) -> Maker:
    """The symbols of as many functions, among so many."""

    def make(count: int, _root: pathlib.Path) -> Work:
        text = kallsyms_of(in_all // (2 if modules else 1), modules)
        names = names_in(count, in_all // (2 if modules else 1), modules)
        return lambda: find_symbols(text, names)

    return make


def names_in(count: int, in_all: int, modules: int) -> list[tuple[str, str]]:
    """As many of the functions that `kallsyms_of` has."""
    numbers = [number * in_all // count for number in range(count)]
    return [
        (f"module_{number * modules // in_all}" if modules else "vmlinux", f"function_{number:06}")
        for number in numbers
    ]


def planning(asked: str, abi: str, on_each: int) -> Maker:
    """The plan of a task for a host with as many patches, and the way back from it."""
    return lambda count, _root: plan_work(count, abi, on_each, asked)


def wanted_of(asked: str, files: t.Sequence[PatchFile], abi: str) -> Wanted:
    """The task that asks for this on a host with these files."""
    first, options = files[0], dict(ASKED[asked])
    if asked == "absent":
        return Wanted(first.name, State.ABSENT, **options)
    if asked == "raised":
        return Wanted(first.name, State.ENABLED, first, **options)
    functions = tuple(dict.fromkeys(function for file in files for function in file.functions or ()))
    if asked == "named":
        options["supersedes"] = tuple(file.name for file in files)
    return Wanted("new", State.ENABLED, patch_file("new", functions=functions, **abi_of_files(abi)), **options)


def plan_work(count: int, abi: str, on_each: int, asked: str) -> Work:
    """The work to plan such a task, to say what it leads to, and to roll it back."""
    files = files_of(count, on_each, **abi_of_files(abi))
    wanted, stored = wanted_of(asked, files, abi), {file.name: file for file in files}
    host = host_of(files, abi)

    def plan() -> None:
        before = anew(host)
        found = replace(make_plan(before, wanted, stored), about=wanted.name)
        assert found.steps, found.refusals
        after = predict(before, found)
        with_live(found, before, after, wanted, ())
        displaced_after(wanted, before, found, after, stored, {})
        assert rollback_steps(before, after, found, stored)
        assert not deviations(after, after, found.names)

    return plan


def host_of(files: t.Iterable[PatchFile], abi: str) -> Snapshot:
    """The snapshot of a host on which these files are loaded."""
    return snapshot(*patches_of(files), abi=abi, stacking_enforced=False if abi == STOP_MACHINE else None)


def anew(host: Snapshot) -> Snapshot:
    """The same, of which nothing is worked out yet."""
    return replace(host, patches=tuple(replace(patch) for patch in host.patches))


def circumstances_of(count: int, abi: str) -> Circumstances:
    """A patch that replaces as many functions, which as many others replace, and in which kprobes and tracers are."""
    functions = functions_of(count)
    files = files_of(count, **abi_of_files(abi))
    file = patch_file("new", functions=tuple(functions), **abi_of_files(abi))
    places = {function: 0xFFFFFFFF81000000 + 64 * number for number, function in enumerate(functions)}
    conditions = Conditions(
        symbols={(each.object, each.name): (Symbol(at, 64),) for each, at in places.items()},
        kprobes=tuple(Kprobe(each.object, each.name, 8, at + 8) for each, at in places.items()),
        traced=tuple(Traced(each.object, each.name, 2) for each in functions),
        traceable=frozenset((each.object, each.name) for each in functions),
    )
    steps = [Step(Action.LOAD, "new", file)]
    steps += [Step(Action.ENABLE, "new")] if abi == STOP_MACHINE else [Step(Action.WAIT, "new")]
    return Circumstances(host_of(files, abi), conditions, tuple(steps))


BY_PATCHES: dict[str, Maker] = {
    "facts, per_task": facts(PER_TASK, 1, kept=False),
    "facts, stop_machine": facts(STOP_MACHINE, 1, kept=False),
    "facts, ten on each function": facts(STOP_MACHINE, 10, kept=False),
    "facts, all accepted": facts(PER_TASK, 1, kept=True),
    "facts, an object for each": facts_of_objects,
    "state file": parsing,
    "acceptance": accepting,
    **{
        f"plan, {asked}, {abi}": planning(asked, abi, on_each=10) for asked in ASKED for abi in (PER_TASK, STOP_MACHINE)
    },
    "preflight, per_task": preflight(PER_TASK),
    "preflight, stop_machine": preflight(STOP_MACHINE),
}
"""What grows with the patches of a host, or with the functions of a patch."""
