# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads ELF files of a kernel: sections, symbols, relocations and notes, within limits.

pyelftools reads the header. The tables are read here: it takes a hundred times as long for an entry, and reads each
anew for whoever asks, so that a small file of many tables would keep a controller busy for hours.
"""

from __future__ import annotations

import os
import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.budget import Budget, OverBudget

try:
    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile
except ImportError as error:
    PYELFTOOLS_ERROR: ImportError | None = error
    _ELF_ERRORS: tuple[type[Exception], ...] = ()
else:
    PYELFTOOLS_ERROR = None
    _ELF_ERRORS = (ELFError, ConstructError)


# uname -m for the ELF machines that have live patching.
MACHINES = {
    "EM_X86_64": "x86_64",
    "EM_AARCH64": "aarch64",
    "EM_PPC64": "ppc64le",
    "EM_S390": "s390x",
    "EM_RISCV": "riscv64",
    "EM_LOONGARCH": "loongarch64",
    "EM_ARM": "armv7l",
}

DAMAGE: tuple[type[Exception], ...] = (
    *_ELF_ERRORS,
    OverBudget,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
    AssertionError,
    MemoryError,
)
"""What pyelftools and the readers in this folder raise on a damaged file; OSError for impossible offsets."""

MAX_SECTIONS = 20_000

MAX_BYTES_READ = 4 * 1024**2
"""No live patch has more sections, or bytes in one of the sections that are read."""

MAX_NAME = 1024
"""The longest name of a symbol is that of one for livepatch: it has a module's name, and a function's of up to 511."""

_NO_SECTION, _SYMBOLS, _STRINGS, _RELA, _NOTES, _NO_BITS, _REL = 0, 2, 3, 4, 7, 8, 9
"""Types of sections (SHT_SYMTAB and so on)."""

_COMPRESSED = 0x800

_FIRST_SPECIAL = 0xFF00
"""From this number on (SHN_LORESERVE) the section of a symbol is none."""

_BUILD_ID = 3


class Symbol(t.NamedTuple):
    """One symbol; `section` is None for an undefined one and for special ones."""

    name: str
    section: int | None
    value: int
    size: int
    is_object: bool


class Target(t.NamedTuple):
    """Where a relocation points to: a section (None for an undefined symbol), an offset in it, the symbol's name.

    `kind` is the relocation's type, a number of the machine's own.
    """

    section: int | None
    offset: int
    symbol: str
    kind: int


class _Section(t.NamedTuple):
    """The header of a section, in the order of its fields in the file."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class _Layout:
    """How the tables of a file are laid out: 64 or 32 bit, and in which order of bytes."""

    def __init__(self, is_64_bit: bool, is_little_endian: bool) -> None:
        self.order = "<" if is_little_endian else ">"
        self.section = struct.Struct(self.order + ("IIQQQQIIQQ" if is_64_bit else "10I"))
        self.symbol = struct.Struct(self.order + ("IBBHQQ" if is_64_bit else "IIIBBH"))
        self.relocation = struct.Struct(self.order + ("QQq" if is_64_bit else "IIi"))
        self.is_64_bit = is_64_bit

    def symbol_fields(self, fields: tuple[int, ...]) -> tuple[int, int, int, int, int]:
        """Name, type, section, value and size of a symbol."""
        if self.is_64_bit:
            name, info, _other, section, value, size = fields
        else:
            name, value, size, info, _other, section = fields
        return name, info & 0xF, section, value, size

    def symbol_and_kind(self, info: int) -> tuple[int, int]:
        """The number of a relocation's symbol, and its type."""
        return (info >> 32, info & 0xFFFFFFFF) if self.is_64_bit else (info >> 8, info & 0xFF)


class ElfObject:
    """An ELF file of a kernel. Raises ImportError without pyelftools, ValueError if a size exceeds a limit above.

    Each section is read once, and all of them together within `budget`: else this raises OverBudget.
    """

    def __init__(self, stream: t.BinaryIO) -> None:
        if PYELFTOOLS_ERROR is not None:
            raise PYELFTOOLS_ERROR
        self.budget = Budget()
        self._stream = stream
        self._header = ELFFile(stream)
        self._layout = _Layout(self._header.elfclass == 64, self._header.little_endian)
        self._sections = list(self._read_sections())
        self._contents: dict[int, bytes] = {}
        self._symbols: dict[int, list[Symbol]] = {}
        self._relocations: Relocations | None = None
        names = self._content(self._header.get_shstrndx()) if self._sections else b""
        self._names = [_text(names, section.name) for section in self._sections]
        self._indexes = {name: index for index, name in enumerate(self._names)}

    def _read_sections(self) -> t.Iterator[_Section]:
        count, size = self._header.num_sections(), self._header["e_shentsize"]
        if count > MAX_SECTIONS:
            raise ValueError(f"{count} sections")
        if count and size < self._layout.section.size:
            raise ValueError(f"headers of sections with {size} bytes")
        end = self._stream.seek(0, os.SEEK_END)
        self._stream.seek(self._header["e_shoff"])
        table = self._stream.read(count * size)
        for number in range(count):
            section = _Section(*self._layout.section.unpack_from(table, number * size))
            # The kernel refuses it (kernel/module/main.c, validate_section_offset()), and others believe the size.
            if section.type not in (_NO_SECTION, _NO_BITS) and section.offset + section.size > end:
                raise ValueError(f"section {number} ends behind the end of the file")
            yield section

    @property
    def is_relocatable(self) -> bool:
        return bool(self._header["e_type"] == "ET_REL")

    @property
    def machine(self) -> str:
        """The machine that the file is for, as `uname -m` prints it there."""
        machine = str(self._header["e_machine"])
        return MACHINES.get(machine, machine)

    def build_id(self, section: str = ".note.gnu.build-id") -> str | None:
        """The build-id in a section of notes; None if there is none."""
        index = self.index(section)
        if index is None or self._sections[index].type != _NOTES:
            return None
        content, at = self.content(index), 0
        while at + 12 <= len(content):
            self.budget.step()
            owner, length, kind = struct.unpack_from(self._layout.order + "III", content, at)
            start = at + 12 + (owner + 3) // 4 * 4
            if kind == _BUILD_ID and content[at + 12 : at + 12 + owner] == b"GNU\0":
                return content[start : start + length].hex()
            at = start + (length + 3) // 4 * 4
        return None

    def compiler(self) -> str | None:
        """The first compiler in `.comment`, such as `GCC: (GNU) 12.3.1`; None without one."""
        section = self.index(".comment")
        idents = self.content(section).decode("utf-8", "replace").split("\0", 100) if section is not None else []
        return next((clean(ident) for ident in idents if ident.startswith("GCC:") or "clang version" in ident), None)

    def index(self, name: str) -> int | None:
        """The index of the section of this name; None if there is none."""
        return self._indexes.get(name)

    def has_section(self, name: str) -> bool:
        return name in self._indexes

    def section_name(self, section: int) -> str:
        return self._names[section]

    def section_size(self, section: int) -> int:
        return self._sections[section].size

    def is_data(self, section: int) -> bool:
        """Whether the section is in memory and may be written to (SHF_ALLOC, SHF_WRITE)."""
        return self._sections[section].flags & 0x3 == 0x3

    def is_in_memory(self, section: int) -> bool:
        """Whether the section is loaded with the module (SHF_ALLOC)."""
        return bool(self._sections[section].flags & 0x2)

    def has_no_content(self, section: int) -> bool:
        """Whether the file lacks the content (SHT_NOBITS), as files of debug information alone do."""
        return self._sections[section].type == _NO_BITS

    def is_code(self, section: int) -> bool:
        """Whether the section is executable (SHF_EXECINSTR)."""
        return bool(self._sections[section].flags & 0x4)

    def content(self, index: int) -> bytes:
        """The content of a section. Raises ValueError if it is too long or compressed, which no needed section is."""
        if index not in self._contents:
            self._contents[index] = self._content(index)
        return self._contents[index]

    def _content(self, index: int) -> bytes:
        section = self._sections[index]
        if section.size > MAX_BYTES_READ:
            raise ValueError(f"{section.size} bytes in section {index}")
        if section.flags & _COMPRESSED:
            raise ValueError(f"section {index} is compressed")
        self.budget.read(section.size)
        if section.type == _NO_BITS:
            return bytes(section.size)
        self._stream.seek(section.offset)
        return self._stream.read(section.size)

    def string(self, section: int, offset: int) -> str:
        """The text at an offset in a section, up to its zero byte."""
        self.budget.step()
        return _text(self.content(section), offset)

    def number(self, section: int, offset: int, code: str = "Q") -> int:
        """The number at an offset in a section, in the file's byte order; `code` is its format for `struct`."""
        return t.cast(int, struct.unpack_from(self._layout.order + code, self.content(section), offset)[0])

    def symbols(self) -> list[Symbol]:
        """The symbols of the file. Whoever asks looks at all of them: that is what it costs."""
        index = self.index(".symtab")
        symbols = self.symbols_in(index) if index is not None and self._sections[index].type == _SYMBOLS else []
        self.budget.step(len(symbols))
        return symbols

    def symbols_in(self, index: int) -> list[Symbol]:
        """The symbols in the table with this index."""
        if index not in self._symbols:
            self._symbols[index] = list(self._read_symbols(index))
        return self._symbols[index]

    def _read_symbols(self, index: int) -> t.Iterator[Symbol]:
        names = self.content(self._sections[index].link)
        for fields in self.table(index, self._layout.symbol):
            name, kind, section, value, size = self._layout.symbol_fields(fields)
            place = section if 0 < section < _FIRST_SPECIAL else None
            yield Symbol(_text(names, name), place, value, size, kind == 1)

    def table(self, index: int, entry: struct.Struct) -> t.Iterator[tuple[t.Any, ...]]:
        """The entries of a table."""
        if self._sections[index].entry_size != entry.size:
            raise ValueError(f"entries of {self._sections[index].entry_size} bytes in section {index}")
        content = self.content(index)
        self.budget.entries(len(content) // entry.size)
        return entry.iter_unpack(content[: len(content) // entry.size * entry.size])

    def relocations(self) -> Relocations:
        if self._relocations is None:
            tables = {section.info: at for at, section in enumerate(self._sections) if section.type in (_RELA, _REL)}
            self._relocations = Relocations(self, self._layout, tables, self._sections)
        return self._relocations

    def pointers(self, name: str) -> list[tuple[int, int]]:
        """The (section, offset) to which each pointer in a section points; without those to undefined symbols."""
        section = self.index(name)
        targets = self.relocations().of(section).values() if section is not None else ()
        return [(target.section, target.offset) for target in targets if target.section is not None]


class Relocations:
    """The relocations of an ELF file by the section and offset that they apply to."""

    def __init__(
        self, elf: ElfObject, layout: _Layout, tables: t.Mapping[int, int], sections: t.Sequence[_Section]
    ) -> None:
        self._elf, self._layout, self._tables, self._sections = elf, layout, tables, sections
        self._cache: dict[int, dict[int, Target]] = {}

    def sections(self) -> t.Iterable[int]:
        return self._tables

    def of(self, section: int) -> dict[int, Target]:
        """Offset in the section -> target, in the order of offsets."""
        self._elf.budget.step()
        if section not in self._cache:
            self._cache[section] = dict(sorted(self._read(section)))
        return self._cache[section]

    def each(self, section: int) -> t.ItemsView[int, Target]:
        """The same, for those who look at all of them."""
        targets = self.of(section)
        self._elf.budget.step(len(targets))
        return targets.items()

    def _read(self, section: int) -> t.Iterator[tuple[int, Target]]:
        table = self._tables.get(section)
        if table is None or self._sections[table].type != _RELA:
            return
        symbols = self._elf.symbols_in(self._sections[table].link)
        for place, info, addend in self._elf.table(table, self._layout.relocation):
            number, kind = self._layout.symbol_and_kind(info)
            symbol = symbols[number]
            yield place, Target(symbol.section, symbol.value + addend, symbol.name, kind)


def _text(content: bytes, offset: int) -> str:
    """The text at an offset, up to its zero byte. Raises ValueError if there is none, or it is longer than any name."""
    if offset < 0:
        raise ValueError(f"a text at {offset}")
    return clean(content[offset : content.index(b"\0", offset, offset + MAX_NAME + 1)].decode("utf-8", "replace"))
