# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes small live patch modules of any layout: structures in data, and code that enables one of them."""

from __future__ import annotations

import struct
import typing as t

MODULE = "__this_module"
ENABLE = "klp_enable_patch"
GET_STATE = "klp_get_state"
UNREGISTER = "klp_unregister_patch"

_PROGBITS, _SYMTAB, _STRTAB, _RELA, _NOBITS = 1, 2, 3, 4, 8
_ALLOC, _WRITE, _EXEC = 2, 1, 4
_SECTIONS = (".text", ".data", ".rodata", ".bss", ".modinfo")
_TEXT, _DATA, _RODATA, _BSS, _MODINFO = range(1, 6)
_MACHINES = {"x86_64": 62, "aarch64": 183}
_POINTER = {"x86_64": 1, "aarch64": 257}

Ref = t.Tuple[int, int]
"""A section and an offset in it."""

Value = t.Union[int, str, Ref]
"""A number, a pointer to a text (`__this_module` and `klp_enable_patch` stand for those), or a pointer to a place."""


class TinyModule:
    """A module in the making. `code` is a place in the section of code."""

    code: Ref = (_TEXT, 0)
    nothing: Ref = (_BSS, 0)

    def __init__(self, machine: str = "x86_64", has_symbols: bool = True) -> None:
        self._machine = machine
        self._has_symbols = has_symbols
        self._content = {_TEXT: bytearray(16), _DATA: bytearray(), _RODATA: bytearray(b"\0")}
        self._pointers: dict[int, list[tuple[int, int, str | int, int]]] = {_TEXT: [], _DATA: []}
        self._symbols: list[tuple[str, int, int, int, int]] = []
        self._more: list[str] = []

    def section(self, name: str) -> int:
        """Add a section of data, and return its number for `put`."""
        self._more.append(name)
        number = len(_SECTIONS) + len(self._more)
        self._content[number], self._pointers[number] = bytearray(), []
        return number

    def function(self, name: str, place: Ref, size: int) -> None:
        """A symbol of this size for a function."""
        self._symbols.append((name, 2, *place, size))

    def put(self, size: int, *fields: dict[int, Value], spare: int = 0, section: int = _DATA) -> Ref:
        """An array of entries of this size with such fields by offset, and as many bytes of zero behind it."""
        data = self._content[section]
        start = len(data)
        data.extend(bytes(size * len(fields) + spare))
        for number, entry in enumerate(fields):
            for offset, value in entry.items():
                self._set(section, start + number * size + offset, value)
        if self._has_symbols:
            self._symbols.append((f"array{start}", 1, section, start, len(data) - start))
        return section, start

    def _set(self, section: int, at: int, value: Value) -> None:
        if isinstance(value, int):
            struct.pack_into("<Q", self._content[section], at, value)
            return
        pointer = _POINTER[self._machine]
        if value in (MODULE, ENABLE):
            self._pointers[section].append((at, pointer, str(value), 0))
            return
        target, offset = (_RODATA, self.text(value)) if isinstance(value, str) else value
        self._pointers[section].append((at, pointer, target, offset))

    def move_pointer(self, at: int, place: Ref) -> None:
        """Let the pointer at this offset of data point to another place."""
        entries = self._pointers[_DATA]
        entries[:] = [(where, kind, *(place if where == at else (to, addend))) for where, kind, to, addend in entries]

    def make_difference(self, at: int) -> None:
        """Let the pointer at this offset of data be a distance from there (R_X86_64_PC32)."""
        entries = self._pointers[_DATA]
        entries[:] = [(place, 2 if place == at else kind, to, addend) for place, kind, to, addend in entries]

    def text(self, text: str) -> int:
        start = len(self._content[_RODATA])
        self._content[_RODATA].extend(text.encode() + b"\0")
        return start

    def run(self, instruction: bytes, kind: int = 0, target: str | Ref = "", addend: int = 0, back: int = 4) -> None:
        """Add an instruction; a relocation of this kind fills its last bytes, `back` of them."""
        code = self._content[_TEXT]
        code.extend(instruction)
        if target:
            name, offset = (target, 0) if isinstance(target, str) else target
            self._pointers[_TEXT].append((len(code) - back, kind, name, offset + addend))

    def pass_to_enable(self, *places: Ref) -> None:
        """The instructions `mov $place, %rdi` for each place, then the call."""
        for place in places:
            self.run(b"\x48\xc7\xc7\0\0\0\0", 11, place)
        self.run(b"\xe8\0\0\0\0", 4, ENABLE, -4)

    def content(self, modinfo: t.Iterable[str] = ("livepatch=Y", "name=fix", "vermagic=6.1.0 SMP ")) -> bytes:
        """The file."""
        names, symbols, index = self._make_symbols()
        texts = "".join(text + "\0" for text in modinfo).encode()
        sections: list[tuple[str, int, int, bytes, int, int, int]] = [
            (".text", _PROGBITS, _ALLOC | _EXEC, bytes(self._content[_TEXT]), 0, 0, 0),
            (".data", _PROGBITS, _ALLOC | _WRITE, bytes(self._content[_DATA]), 0, 0, 0),
            (".rodata", _PROGBITS, _ALLOC, bytes(self._content[_RODATA]), 0, 0, 0),
            (".bss", _NOBITS, _ALLOC | _WRITE, bytes(64), 0, 0, 0),
            (".modinfo", _PROGBITS, _ALLOC, texts, 0, 0, 0),
        ]
        sections += [
            (name, _PROGBITS, _ALLOC | _WRITE, bytes(self._content[number]), 0, 0, 0)
            for number, name in enumerate(self._more, len(_SECTIONS) + 1)
        ]
        by_number = [name for name, *_rest in sections]
        table = len(sections) + 1
        sections += [
            (".symtab", _SYMTAB, 0, symbols, table + 1, 0, 24),
            (".strtab", _STRTAB, 0, names, 0, 0, 0),
        ]
        for section in self._pointers:
            entries = b"".join(
                struct.pack("<QQq", at, (index[target] << 32) | kind, addend)
                for at, kind, target, addend in self._pointers[section]
            )
            sections.append((".rela" + by_number[section - 1], _RELA, 0, entries, table, section, 24))
        return self._link(sections)

    def _make_symbols(self) -> tuple[bytes, bytes, dict[str | int, int]]:
        """The names, the table, and the number of each section's and name's symbol."""
        numbers = range(1, len(_SECTIONS) + len(self._more) + 1)
        entries = [("", 0, 0, 0, 0), *(("", 3, number, 0, 0) for number in numbers), *self._symbols]
        called = {
            name for kept in self._pointers.values() for _at, _kind, name, _addend in kept if isinstance(name, str)
        }
        undefined = sorted({MODULE, ENABLE} | called)
        entries += [(name, 16, 0, 0, 0) for name in undefined]
        names, table = b"\0", b""
        for name, info, section, value, size in entries:
            table += struct.pack("<IBBHQQ", len(names) if name else 0, info, 0, section, value, size)
            names += name.encode() + b"\0" if name else b""
        index: dict[str | int, int] = {number: number for number in numbers}
        index.update({name: len(entries) - len(undefined) + at for at, name in enumerate(undefined)})
        return names, table, index

    def _link(self, sections: list[tuple[str, int, int, bytes, int, int, int]]) -> bytes:
        names = b"\0"
        body = b""
        headers = [bytes(64)]
        for name, kind, flags, content, link, info, entry in [*sections, (".shstrtab", _STRTAB, 0, b"", 0, 0, 0)]:
            at, offset = len(names), 64 + len(body)
            names += name.encode() + b"\0"
            data = content if content or name != ".shstrtab" else names
            headers.append(struct.pack("<IIQQQQIIQQ", at, kind, flags, 0, offset, len(data), link, info, 8, entry))
            body += b"" if kind == _NOBITS else data + bytes(-len(data) % 8)
        ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
        counts = (64, 0, 0, 64, len(headers), len(headers) - 1)
        start = 64 + len(body)
        header = struct.pack("<HHIQQQIHHHHHH", 1, _MACHINES[self._machine], 1, 0, 0, start, 0, *counts)
        return ident + header + body + b"".join(headers)
