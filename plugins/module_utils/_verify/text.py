# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Finds out, from the kernel's memory or ftrace, whether a call of a patched function reaches the patch's code."""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Function,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import (
    KALLSYMS,
    Meant,
    Symbols,
    addresses_of,
    find_symbols,
    symbol_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import (
    ENABLED_FUNCTIONS,
    TRACEFS,
    Entries,
    read_traced,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.jump import LENGTHS, Entry, read_entry

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.tracers import Traced
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

KCORE = "/proc/kcore"

FTRACE_HANDLER = "klp_ftrace_handler"
"""The function of live patching that ftrace calls for a patched function (kernel/livepatch/patch.c)."""

_PT_LOAD = 1

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")

_PHDR = struct.Struct("<IIQQQQQQ")


class CannotTell(Exception):
    """The host does not show whether the code is reached. The text says why."""


def unreached(files: Files, snapshot: Snapshot, patch: str, functions: t.Iterable[Function]) -> dict[Function, str]:
    """Those of these functions whose calls do not reach the patch's code, each with a clause about it.

    If there is none, all calls reach it. Raises CannotTell.
    """
    if abi_of(snapshot).redirects_by_ftrace:
        return _without_hook(files, snapshot, list(functions))
    return _without_jump(files, snapshot, patch, list(functions))


def _without_hook(files: Files, snapshot: Snapshot, functions: list[Function]) -> dict[Function, str]:
    traced = read_traced(files)
    if traced is None:
        raise CannotTell(f"{TRACEFS[0]}/{ENABLED_FUNCTIONS} cannot be read")
    replaced = {*functions, *snapshot.stacks()}
    kallsyms = known_or(files.bytes(KALLSYMS), b"")
    symbols = find_symbols(kallsyms, {(function.object, function.name) for function in replaced})
    clauses: dict[Function, str] = {}
    meant, shown = Meant(symbols, replaced), Entries(symbols, traced)
    unnamed = []
    for function in functions:
        # An entry shows no position: each of the patched functions of this name must have one.
        wanted = meant.with_a_name_of(function)
        entries = shown.of(function)
        hooks = [entry for entry in entries if entry.ip_modify]
        named = [entry for entry in hooks if entry.users > 1 or FTRACE_HANDLER in entry.text]
        # Only a trampoline or CALL_OPS is named; some architectures have neither (kernel/trace/ftrace.c, t_show).
        nameless = [entry for entry in hooks if entry.users == 1 and not entry.text]
        if len(named) + len(nameless) < wanted:
            clauses[function] = _unhooked(function, hooks, len(named) + len(nameless), wanted)
        elif len(named) < wanted:
            unnamed.append(str(function))
    if unnamed and not clauses:
        raise CannotTell(f"the kernel does not name whom ftrace calls for {', '.join(unnamed)}")
    return clauses


def _unhooked(function: Function, hooks: t.Sequence[Traced], count: int, wanted: int) -> str:
    if wanted > 1:
        return f"ftrace calls live patching for {count} of the {wanted} patched functions named {function.name}"
    if hooks:
        return f"ftrace calls {hooks[0].text} for {function}, not live patching"
    return f"ftrace calls nothing for {function} that could redirect it"


def _without_jump(files: Files, snapshot: Snapshot, patch: str, functions: list[Function]) -> dict[Function, str]:
    if snapshot.machine not in LENGTHS:
        raise CannotTell(f"the jumps of {snapshot.machine} are not known to this collection")
    kallsyms = known(files.bytes(KALLSYMS))
    if kallsyms is None:
        raise CannotTell(f"{KALLSYMS} cannot be read")
    symbols = find_symbols(kallsyms, {(function.object, function.name) for function in functions})
    clauses: dict[Function, str] = {}
    own = addresses_of(kallsyms, patch)
    strange = []
    try:
        with open(files.path(KCORE), "rb", buffering=0) as core:
            for function in functions:
                entry = entry_of(core, snapshot.machine, symbols, function)
                if entry.target is not None and entry.target not in own:
                    clauses[function] = f"{function} jumps to {entry.target:#x}, which is no function of {patch}"
                elif entry.target is None and _has_no_jump(entry, snapshot.kprobes_isolated):
                    clauses[function] = f"{function} does not begin with a jump"
                elif entry.target is None:
                    strange.append(f"{function} ({entry.code.hex()})")
    except OSError as error:
        raise CannotTell(f"{KCORE} cannot be read ({error.strerror})") from error
    if strange and not clauses:
        raise CannotTell(f"the first instructions are not understood of {', '.join(strange)}")
    return clauses


def _has_no_jump(entry: Entry, isolated: bool | None) -> bool:
    """Whether it is sure of an entry without a visible jump that there is none, if the kernel isolates kprobes or not.

    A kernel that does not has its jump at the entry, whatever stands behind it.
    """
    if isolated:
        return entry.is_understood
    return not entry.is_hidden and (entry.is_understood or isolated is False)


def entry_of(core: t.BinaryIO, machine: str, symbols: Symbols, function: Function) -> Entry:
    """How a function begins in the kernel's memory. Raises CannotTell, OSError."""
    symbol = symbol_of(symbols, function)
    if symbol is None or symbol.address is None:
        raise CannotTell(f"{KALLSYMS} does not show the address of {function}")
    code = read_memory(core, symbol.address, LENGTHS[machine])
    if len(code) < LENGTHS[machine]:
        raise CannotTell(f"{KCORE} ends within {function}")
    return read_entry(machine, symbol.address, code)


def read_memory(core: t.BinaryIO, address: int, size: int) -> bytes:
    """Read `size` bytes of the kernel's memory at `address`.

    /proc/kcore is an ELF file whose segments are ranges of that memory (fs/proc/kcore.c). Raises CannotTell if the
    address is in none of them, OSError.
    """
    core.seek(0)
    header = core.read(_EHDR.size)
    if len(header) < _EHDR.size or not header.startswith(b"\x7fELF\2\1"):
        raise CannotTell(f"{KCORE} is not a 64 bit little-endian ELF file")
    fields = _EHDR.unpack(header)
    offset, count = fields[5], fields[10]
    core.seek(offset)
    table = core.read(_PHDR.size * count)
    for place in range(0, len(table) - _PHDR.size + 1, _PHDR.size):
        kind, _flags, start, virtual, _physical, length, _memory, _align = _PHDR.unpack_from(table, place)
        if kind == _PT_LOAD and virtual <= address and address + size <= virtual + length:
            core.seek(start + address - virtual)
            return core.read(size)
    raise CannotTell(f"{KCORE} does not show the address {address:#x}")
