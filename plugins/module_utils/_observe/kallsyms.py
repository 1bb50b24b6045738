# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The symbols of a kernel and its modules in /proc/kallsyms, and which of them a patch means. Pure functions."""

from __future__ import annotations

import bisect
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


FEW = 16
"""So many texts are looked for one after the other. More are looked for in one pass, which takes as long as this."""


def find_symbols(kallsyms: bytes, names: t.Iterable[Name]) -> dict[Name, tuple[Symbol, ...]]:
    """Name -> its symbols, in the order in which the kernel counts them. `kallsyms` is the text of /proc/kallsyms.

    The text may have 10 MB: many names are looked for together.
    """
    found: dict[Name, list[Symbol]] = {name: [] for name in names}
    wanted = {b" " + name.encode() + _owner(module): (module, name) for module, name in found}
    sizes = _Sizes(kallsyms, {module for module, _name in found if module != "vmlinux"})
    for start, end, tail in _lines_that_end(kallsyms, wanted):
        address = _address(kallsyms[start:end])
        if address is not None:
            found[wanted[tail]].append(Symbol(address or None, sizes.of(wanted[tail][0], end, address)))
    called = _names_at(kallsyms, {symbol.address for symbols in found.values() for symbol in symbols if symbol.address})
    return {
        (owner, name): tuple(
            replace(symbol, aliases=frozenset(called.get((owner, symbol.address), ())).difference([name]))
            for symbol in symbols
        )
        for (owner, name), symbols in found.items()
    }


def _lines_that_end(kallsyms: bytes, tails: t.Collection[bytes]) -> t.Iterator[tuple[int, int, bytes]]:
    """The lines that end so: where each starts and where its tail does, and the tail, which begins with a blank."""
    if len(tails) <= FEW:
        for tail in tails:
            for end in _places(kallsyms, tail + b"\n"):
                yield kallsyms.rfind(b"\n", 0, end) + 1, end, tail
        return
    start = 0
    # What is behind the last end of a line is no whole one.
    for line in kallsyms.split(b"\n")[:-1]:
        tail = line[line.rfind(b" ") :]
        if tail in tails:
            yield start, start + len(line) - len(tail), tail
        start += len(line) + 1


def _lines_that_begin(kallsyms: bytes, heads: t.Collection[bytes], width: int) -> t.Iterator[bytes]:
    """The lines that begin so. Each head has this width."""
    if len(heads) > FEW:
        yield from (line for line in kallsyms.split(b"\n") if line[:width] in heads)
        return
    for head in heads:
        first = [0] if kallsyms.startswith(head) else []
        for start in [*first, *(place + 1 for place in _places(kallsyms, b"\n" + head))]:
            end = kallsyms.find(b"\n", start)
            yield kallsyms[start : end if end >= 0 else len(kallsyms)]


def _places(kallsyms: bytes, needle: bytes) -> t.Iterator[int]:
    place = kallsyms.find(needle)
    while place >= 0:
        yield place
        place = kallsyms.find(needle, place + 1)


def shown_modules(kallsyms: bytes) -> set[str]:
    """The modules of which the text shows any symbol: it shows some of each that is loaded."""
    return {name.decode("utf-8", "replace") for name in set(re.findall(rb"\t\[([^\]\n]*)\]\n", kallsyms))}


def addresses_of(kallsyms: bytes, module: str) -> set[int]:
    """The addresses of all symbols of a module. `kallsyms` is the text of /proc/kallsyms."""
    lines = [line for line in kallsyms.split(b"\n") if line.endswith(_owner(module))]
    return {int(line[:16], 16) for line in lines if re.match(rb"[0-9a-f]{16} . \S+\t[^\t]+\Z", line)}


def _owner(module: str) -> bytes:
    """What a line of the text has behind a name."""
    return b"" if module == "vmlinux" else b"\t[" + module.encode() + b"]"


def _names_at(kallsyms: bytes, addresses: t.Iterable[int]) -> dict[tuple[str, int | None], set[str]]:
    """(Object, address) -> the names for it."""
    width = kallsyms.find(b" ")
    heads = ((b"%0*x" % (width, address), address) for address in addresses)
    starts = {head: address for head, address in heads if len(head) == width}
    names: dict[tuple[str, int | None], set[str]] = {}
    for line in _lines_that_begin(kallsyms, starts, width):
        fields = line.decode("utf-8", "replace").split()
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


class Meant:
    """Functions that patches mean, by what tells that others mean the same: perhaps by another name of it."""

    def __init__(self, symbols: Symbols, functions: t.Iterable[Function]) -> None:
        self._symbols = symbols
        self._by_name: dict[Name, set[t.Any]] = {}
        for function in functions:
            symbol = symbol_of(symbols, function)
            for name in names_of(symbols, function):
                place = (symbol and symbol.address) or function
                self._by_name.setdefault((function.object, name), set()).add(place)

    def with_a_name_of(self, function: Function) -> int:
        """How many of them a kernel may show under a name of this one. Aliases of one function count once."""
        names = names_of(self._symbols, function)
        return len(set().union(*(self._by_name.get((function.object, name), ()) for name in names)))


def marks_of(symbols: Symbols, function: Function) -> list[t.Any]:
    """What tells the function that a patch means: two mean the same, perhaps by two names, if they share a mark."""
    symbol = symbol_of(symbols, function)
    return [function, *([(function.object, symbol.address)] if symbol and symbol.address is not None else [])]


def _address(line: bytes) -> int | None:
    digits = line.split(b" ", 1)[0]
    return int(digits, 16) if re.match(rb"[0-9a-f]{8,16}\Z", digits) else None


MANY_ALIASES = 1000


class _Sizes:
    """How many bytes there are from a symbol up to the next one of its object."""

    def __init__(self, kallsyms: bytes, modules: t.Iterable[str]) -> None:
        self._kallsyms = kallsyms
        # The symbols of modules are not sorted (kernel/module/kallsyms.c).
        self._of_modules: dict[bytes, list[int]] = {_owner(module): [] for module in modules}
        for line in kallsyms.split(b"\n") if self._of_modules else ():
            addresses = self._of_modules.get(line[line.rfind(b"\t") :]) if line.endswith(b"]") else None
            address = _address(line) if addresses is not None else None
            if addresses is not None and address is not None:
                addresses.append(address)
        for addresses in self._of_modules.values():
            addresses.sort()

    def of(self, module: str, at: int, address: int) -> int | None:
        """The size of the symbol at this place, which has this address; None if that is hidden, or nothing follows."""
        if not address:
            return None
        if module == "vmlinux":
            return self._in_vmlinux(at, address)
        addresses = self._of_modules[_owner(module)]
        behind = bisect.bisect_right(addresses, address)
        return addresses[behind] - address if behind < len(addresses) else None

    def _in_vmlinux(self, at: int, address: int) -> int | None:
        """The symbols of vmlinux are sorted by address (kernel/kallsyms.c, get_symbol_pos)."""
        kallsyms = self._kallsyms
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


KALLSYMS = "/proc/kallsyms"
