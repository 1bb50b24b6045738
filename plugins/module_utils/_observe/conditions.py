# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Reads, once before a change, what decides whether a kernel accepts a patch, apart from the loaded patches."""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.irreversible import (
    FTRACE_ENABLED,
    MODULES_DISABLED,
    ftrace_has_failed,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import (
    KALLSYMS,
    Name,
    Symbol,
    find_symbols,
    shown_modules,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.keyring import (
    Key,
    parse_doubtful,
    parse_key_ids,
    parse_signers,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.owners import read_owners
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.targets import (
    LoadedTarget,
    added_paths,
    read_targets,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import (
    Kprobe,
    Traced,
    read_kprobes,
    read_traceable,
    read_traced,
)

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

MODULES = "/sys/module"

READINGS = 3
"""How often a list of the kernel is read in which modules come and go."""

_Value = t.TypeVar("_Value")

SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

STATUS = "/proc/self/status"

CAP_SYS_MODULE = 16

UID_MAP = "/proc/self/uid_map"

ALL_USERS = ["0", "0", "4294967295"]

LOCKDOWN = "/sys/kernel/security/lockdown"

PANICS = ("panic_on_oops", "panic_on_warn", "softlockup_panic", "hung_task_panic")


@dataclass(frozen=True)
class Conditions:
    """The conditions at one moment. A value that could not be read is `None`; `unreadable` has path -> reason.

    `symbols` are those of the functions that were asked for. `moving` are the modules of these functions that came or
    went while the symbols were read, which tell nothing of them. `traced` are the functions in which ftrace calls a
    user, `traceable` those of the functions with a kprobe that ftrace can trace;
    `ftrace_failed` says that ftrace has disabled itself. `loadable` has the modules that modprobe finds or that are
    built in, `built_in` only the latter, `added` those that did not come with the kernel. `targets` are the loaded ones
    that patches change. `signers` are the names of the certificates in the keyrings that are in use, `key_ids` the
    identifiers of their keys, `doubtful_keys` those that are not used or share their names. `panics` names the settings
    in /proc/sys/kernel that turn trouble into a panic. `memory` is MemAvailable in bytes. `incapable` says what shows
    that this process may not load modules, though it is root's. `owner` is the other tool that has a file for the
    patch.
    """

    symbols: t.Mapping[Name, tuple[Symbol, ...]] | None = None
    moving: frozenset[str] = frozenset()
    kprobes: tuple[Kprobe, ...] | None = None
    traced: tuple[Traced, ...] | None = None
    traceable: frozenset[Name] | None = None
    ftrace_enabled: bool | None = None
    ftrace_failed: bool = False
    loadable: frozenset[str] | None = None
    built_in: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    targets: t.Mapping[str, LoadedTarget] = field(default_factory=dict)
    modules_disabled: bool | None = None
    sig_enforce: bool | None = None
    lockdown: str | None = None
    secure_boot: bool | None = None
    signers: frozenset[str] | None = None
    key_ids: frozenset[str] = frozenset()
    doubtful_keys: tuple[Key, ...] = ()
    memory: int | None = None
    incapable: str | None = None
    panics: tuple[str, ...] = ()
    owner: str | None = None
    unreadable: t.Mapping[str, str] = field(default_factory=dict)

    def why(self, path: str) -> str:
        """A sentence about why a path could not be read."""
        return f"{path} cannot be read ({self.unreadable.get(path, 'it does not exist')})."


def read_conditions(files: Files, release: str, name: str, functions: t.Iterable[Function]) -> Conditions:
    """Read the conditions for a patch of this name that replaces these functions."""
    names = {(function.object, function.name) for function in functions}
    modules = {owner for owner, _name in names}.difference(["vmlinux"])
    readings, are_steady = _while_modules_stay(files, lambda: known(files.bytes(KALLSYMS)))
    kallsyms = readings[-1]
    built_in = _built_in(files, release)
    installed = _installed(files, release)
    keys = known(files.text("/proc/keys"))
    kprobes = read_kprobes(files)
    probed = names.intersection((probe.object, probe.function) for probe in kprobes or ())
    return Conditions(
        symbols=None if kallsyms is None else find_symbols(kallsyms, names),
        moving=frozenset(modules.difference(shown_modules(kallsyms or b"") if modules and are_steady else ())),
        kprobes=kprobes,
        traced=_traced(files),
        # The list has some 60,000 functions, which the kernel looks up one by one.
        traceable=read_traceable(files, probed) if probed else frozenset(),
        ftrace_enabled=known(files.flag(FTRACE_ENABLED)),
        ftrace_failed=ftrace_has_failed(files),
        loadable=None if installed is None else _module_names(installed),
        built_in=built_in,
        added=_module_names(added_paths(installed or ())),
        targets=read_targets(files, {owner for owner, _name in names}),
        modules_disabled=known(files.flag(MODULES_DISABLED)),
        sig_enforce=_yes(known(files.text("/sys/module/module/parameters/sig_enforce"))),
        lockdown=_lockdown(files),
        secure_boot=_secure_boot(files),
        signers=None if keys is None else parse_signers(keys),
        key_ids=parse_key_ids(keys or ""),
        doubtful_keys=parse_doubtful(keys or ""),
        memory=_available_memory(files),
        incapable=_incapable(files),
        panics=tuple(panic for panic in PANICS if known(files.flag("/proc/sys/kernel/" + panic))),
        owner=read_owners(files, release).get(name),
        unreadable={unreadable.path: unreadable.reason for unreadable in files.unreadable},
    )


def _while_modules_stay(files: Files, read: t.Callable[[], _Value]) -> tuple[list[_Value], bool]:
    """What `read` returns each time until no module came or went meanwhile, and whether there was such a time.

    The kernel finds the place to go on reading at by counting anew: where a module is unloaded, it skips as much behind
    it (module_get_kallsym() in kernel/module/kallsyms.c, t_start() in kernel/trace/ftrace.c). What is loaded anew has
    another inode in sysfs.
    """
    values: list[_Value] = []
    for _reading in range(READINGS):
        modules = known(files.inodes(MODULES))
        values.append(read())
        if known(files.inodes(MODULES)) == modules:
            return values, True
    return values, False


def _traced(files: Files) -> tuple[Traced, ...] | None:
    """The functions in which ftrace calls a user: what any reading has shown, if modules come and go at each."""
    readings, are_steady = _while_modules_stay(files, lambda: read_traced(files))
    if are_steady or None in readings:
        return readings[-1]
    return tuple(dict.fromkeys(entry for reading in readings for entry in reading or ()))


def _built_in(files: Files, release: str) -> frozenset[str]:
    return _module_names(known_or(files.text(f"/lib/modules/{release}/modules.builtin"), "").split())


def _installed(files: Files, release: str) -> list[str] | None:
    """The paths of the modules in modules.dep, below /lib/modules/RELEASE; None if it cannot be read."""
    dependencies = known(files.text(f"/lib/modules/{release}/modules.dep"))
    if dependencies is None:
        return None
    return [path for path in (line.partition(":")[0] for line in lines_of(dependencies)) if path]


def _module_names(paths: t.Iterable[str]) -> frozenset[str]:
    """The names of modules from the paths of their files, which may be compressed."""
    return frozenset(os.path.basename(path).partition(".ko")[0].replace("-", "_") for path in paths)


def _yes(text: str | None) -> bool | None:
    return None if text is None else text in ("Y", "1")


def _lockdown(files: Files) -> str | None:
    """The lockdown in force, `none`, `integrity` or `confidentiality`: the word in brackets."""
    _before, bracket, rest = known_or(files.text(LOCKDOWN), "").partition("[")
    return rest.partition("]")[0] if bracket else None


def _secure_boot(files: Files) -> bool | None:
    """Whether Secure Boot is on: the byte after four of attributes (Documentation/filesystems/efivarfs.rst)."""
    content = known(files.bytes(SECURE_BOOT))
    return content[4] == 1 if content and len(content) == 5 else None


def _incapable(files: Files) -> str | None:
    """What shows that this process lacks CAP_SYS_MODULE (include/uapi/linux/capability.h) outside of any namespace."""
    for line in lines_of(known_or(files.text(STATUS), "")):
        name, _colon, value = line.partition(":")
        if name == "CapEff":
            with contextlib.suppress(ValueError):
                if not int(value, 16) >> CAP_SYS_MODULE & 1:
                    return f"CapEff in {STATUS} lacks CAP_SYS_MODULE"
    # In a user namespace root has every capability, and the kernel asks for that of the first one (capable()).
    users = known_or(files.text(UID_MAP), "").split()
    return f"{UID_MAP} is that of a user namespace" if users and users != ALL_USERS else None


def _available_memory(files: Files) -> int | None:
    for line in lines_of(known_or(files.text("/proc/meminfo"), "")):
        name, _colon, value = line.partition(":")
        if name == "MemAvailable" and value.split()[:1] and value.split()[0].isdecimal():
            return int(value.split()[0]) * 1024
    return None
