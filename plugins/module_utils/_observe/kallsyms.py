# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The symbols of a kernel and its modules in /proc/kallsyms, and which of them a patch means. Pure functions."""

from __future__ import annotations

import bisect
import io
import re
import typing as t
from dataclasses import dataclass, replace

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function

Name = t.Tuple[str, str]
"""An object, `vmlinux` or a module, and a symbol of it."""


@dataclass(frozen=True)
class Symbol:
    """A symbol. `size` is the number of bytes up to the next one; the kernel may hide it and `address` (None).

    `aliases` are the other names of the same object for this address.
    """

    address: int | None
    size: int | None
    aliases: frozenset[str] = frozenset()


def find_symbols(kallsyms: bytes, names: t.Iterable[Name]) -> dict[Name, tuple[Symbol, ...]]:
    """Name -> its symbols, in the order in which the kernel counts them. `kallsyms` is the text of /proc/kallsyms."""
    modules = _Modules(kallsyms)
    found = {name: tuple(_symbols(kallsyms, *name, modules)) for name in names}
    called = _names_at(kallsyms, {symbol.address for symbols in found.values() for symbol in symbols if symbol.address})
    return {
        (owner, name): tuple(
            replace(symbol, aliases=frozenset(called.get((owner, symbol.address), ())).difference([name]))
            for symbol in symbols
        )
        for (owner, name), symbols in found.items()
    }


def has_symbols(kallsyms: bytes, module: str) -> bool:
    """Whether the text shows any symbol of a module: it shows some of each that is loaded."""
    return b"\t[%s]\n" % module.encode() in kallsyms


def _names_at(kallsyms: bytes, addresses: t.Iterable[int]) -> dict[tuple[str, int | None], set[str]]:
    """(Object, address) -> the names for it. One pass finds all of them: the text may have 10 MB."""
    width = kallsyms.find(b" ")
    starts = {b"%0*x" % (width, address): address for address in addresses}
    names: dict[tuple[str, int | None], set[str]] = {}
    for line in io.BytesIO(kallsyms) if starts else ():
        fields = line.decode("utf-8", "replace").split() if line[:width] in starts else []
        if len(fields) > 2:
            key = (fields[3].strip("[]") if len(fields) > 3 else "vmlinux", starts[line[:width]])
            names.setdefault(key, set()).add(fields[2])
    return names


Symbols = t.Mapping[Name, t.Tuple[Symbol, ...]]


def symbol_of(symbols: Symbols, function: Function) -> Symbol | None:
    """The symbol that a patch means by a function; None if there is none at its position."""
    found = symbols.get((function.object, function.name), ())
    return found[function.sympos - 1] if 0 < function.sympos <= len(found) else None


def names_of(symbols: Symbols, function: Function) -> frozenset[str]:
    """The names under which a kernel may show a function: it shows one of those for its address."""
    symbol = symbol_of(symbols, function)
    return frozenset([function.name]).union(symbol.aliases if symbol else ())


def is_same(symbols: Symbols, function: Function, other: Function) -> bool:
    """Whether two patches mean the same function, perhaps by two names of it."""
    mine, theirs = symbol_of(symbols, function), symbol_of(symbols, other)
    at_one_address = mine and theirs and mine.address is not None and mine.address == theirs.address
    return function == other or (function.object == other.object and bool(at_one_address))


def with_a_name_of(symbols: Symbols, function: Function, others: t.Iterable[Function]) -> int:
    """How many of `others` a kernel may show under a name of `function`. Aliases of one function count once."""
    names = names_of(symbols, function)
    places: set[t.Any] = set()
    for other in others:
        if other.object == function.object and names_of(symbols, other) & names:
            symbol = symbol_of(symbols, other)
            places.add((symbol and symbol.address) or other)
    return len(places)


def _symbols(kallsyms: bytes, object_name: str, name: str, modules: _Modules) -> t.Iterator[Symbol]:
    owner = b"" if object_name == "vmlinux" else b"\t[" + object_name.encode() + b"]"
    needle = b" " + name.encode() + owner + b"\n"
    end = kallsyms.find(needle)
    while end >= 0:
        start = kallsyms.rfind(b"\n", 0, end) + 1
        address = _address(kallsyms[start:end])
        if address is not None:
            size = None
            if address:
                size = modules.size(owner, address) if owner else _size(kallsyms, end, address)
            yield Symbol(address or None, size)
        end = kallsyms.find(needle, end + 1)


def _address(line: bytes) -> int | None:
    digits = line.split(b" ", 1)[0]
    return int(digits, 16) if re.match(rb"[0-9a-f]{8,16}\Z", digits) else None


MANY_ALIASES = 1000


def _size(kallsyms: bytes, at: int, address: int) -> int | None:
    """The bytes up to the next symbol of vmlinux: they are sorted by address (kernel/kallsyms.c, get_symbol_pos)."""
    for _alias in range(MANY_ALIASES):
        start = kallsyms.find(b"\n", at) + 1
        if not start:
            return None
        at = kallsyms.find(b"\n", start)
        following = _address(kallsyms[start : at if at >= 0 else len(kallsyms)])
        if following is None or following < address or at < 0:
            return None
        if following > address:
            return following - address
    return None


class _Modules:
    """The addresses of the symbols of modules: they are not sorted (kernel/module/kallsyms.c). Each is read once."""

    def __init__(self, kallsyms: bytes) -> None:
        self._kallsyms = kallsyms
        self._addresses: dict[bytes, list[int]] = {}

    def size(self, owner: bytes, address: int) -> int | None:
        """The bytes up to the next symbol of the module that the end of its lines names."""
        if owner not in self._addresses:
            lines = re.findall(rb"^([0-9a-f]{8,16}) .*" + re.escape(owner) + rb"$", self._kallsyms, re.M)
            self._addresses[owner] = sorted(int(digits, 16) for digits in lines)
        addresses = self._addresses[owner]
        behind = bisect.bisect_right(addresses, address)
        return addresses[behind] - address if behind < len(addresses) else None


KALLSYMS = "/proc/kallsyms"
