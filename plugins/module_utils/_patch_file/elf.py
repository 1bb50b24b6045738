# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads ELF files of a kernel with pyelftools: sections, symbols, relocations and notes, within limits."""

from __future__ import annotations

import functools
import struct
import typing as t

try:
    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.relocation import RelocationSection
    from elftools.elf.sections import NoteSection, SymbolTableSection
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

MAX_ENTRIES = 50_000

MAX_BYTES_READ = 4 * 1024**2
"""No live patch has more sections, entries in one table, or bytes in one of the sections that are read."""

_SECTIONS_IN_MEMORY = 8
"""How many contents the cache keeps: readers alternate between a table and its strings."""


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


class ElfObject:
    """An ELF file of a kernel. Raises ImportError without pyelftools, ValueError if a size exceeds a limit above."""

    def __init__(self, stream: t.BinaryIO) -> None:
        if PYELFTOOLS_ERROR is not None:
            raise PYELFTOOLS_ERROR
        self._elf = ELFFile(stream)
        if self._elf.num_sections() > MAX_SECTIONS:
            raise ValueError(f"{self._elf.num_sections()} sections")
        self._symbols: list[Symbol] | None = None
        self._relocations: Relocations | None = None
        self.content = functools.lru_cache(_SECTIONS_IN_MEMORY)(self._content)

    @property
    def is_relocatable(self) -> bool:
        return bool(self._elf.header["e_type"] == "ET_REL")

    @property
    def machine(self) -> str:
        """The machine that the file is for, as `uname -m` prints it there."""
        machine = str(self._elf.header["e_machine"])
        return MACHINES.get(machine, machine)

    def build_id(self, section: str = ".note.gnu.build-id") -> str | None:
        """The build-id in a section of notes; None if there is none."""
        notes = self._elf.get_section_by_name(section)
        if not isinstance(notes, NoteSection):
            return None
        return next((note["n_desc"] for note in notes.iter_notes() if note["n_type"] == "NT_GNU_BUILD_ID"), None)

    def compiler(self) -> str | None:
        """The first compiler in `.comment`, such as `GCC: (GNU) 12.3.1`; None without one."""
        section = self.index(".comment")
        idents = self.content(section).decode("utf-8", "replace").split("\0") if section is not None else []
        return next((ident for ident in idents if ident.startswith("GCC:") or "clang version" in ident), None)

    def index(self, name: str) -> int | None:
        """The index of the section of this name; None if there is none."""
        return t.cast(t.Optional[int], self._elf.get_section_index(name))

    def has_section(self, name: str) -> bool:
        return self.index(name) is not None

    def section_name(self, section: int) -> str:
        return str(self._elf.get_section(section).name)

    def section_size(self, section: int) -> int:
        return t.cast(int, self._elf.get_section(section)["sh_size"])

    def is_data(self, section: int) -> bool:
        """Whether the section is in memory and may be written to (SHF_ALLOC, SHF_WRITE)."""
        return bool(self._elf.get_section(section)["sh_flags"] & 0x3 == 0x3)

    def is_in_memory(self, section: int) -> bool:
        """Whether the section is loaded with the module (SHF_ALLOC)."""
        return bool(self._elf.get_section(section)["sh_flags"] & 0x2)

    def is_code(self, section: int) -> bool:
        """Whether the section is executable (SHF_EXECINSTR)."""
        return bool(self._elf.get_section(section)["sh_flags"] & 0x4)

    def _content(self, index: int) -> bytes:
        """The content of a section. Raises ValueError if it is too long or compressed, which no needed section is."""
        section = self._elf.get_section(index)
        if section["sh_size"] > MAX_BYTES_READ:
            raise ValueError("{} bytes in {}".format(section["sh_size"], section.name))
        if section.compressed:
            raise ValueError(f"{section.name} is compressed")
        return t.cast(bytes, section.data())

    def string(self, section: int, offset: int) -> str:
        """The text at an offset in a section, up to its zero byte."""
        content = self.content(section)
        return content[offset : content.index(b"\0", offset)].decode("utf-8", "replace")

    def number(self, section: int, offset: int, code: str = "Q") -> int:
        """The number at an offset in a section, in the file's byte order; `code` is its format for `struct`."""
        order = "<" if self._elf.little_endian else ">"
        return t.cast(int, struct.unpack_from(order + code, self.content(section), offset)[0])

    def symbols(self) -> list[Symbol]:
        if self._symbols is None:
            self._symbols = list(_read_symbols(self._elf))
        return self._symbols

    def relocations(self) -> Relocations:
        if self._relocations is None:
            self._relocations = Relocations(self._elf)
        return self._relocations

    def pointers(self, name: str) -> list[tuple[int, int]]:
        """The (section, offset) to which each pointer in a section points; without those to undefined symbols."""
        section = self.index(name)
        targets = self.relocations().of(section).values() if section is not None else ()
        return [(target.section, target.offset) for target in targets if target.section is not None]


class Relocations:
    """The relocations of an ELF file by the section and offset that they apply to."""

    def __init__(self, elf: ELFFile) -> None:
        self._elf = elf
        self._cache: dict[int, dict[int, Target]] = {}
        self._sections = {
            section["sh_info"]: section for section in elf.iter_sections() if isinstance(section, RelocationSection)
        }

    def sections(self) -> t.Iterable[int]:
        return self._sections

    def of(self, section: int) -> dict[int, Target]:
        """Offset in the section -> target, in the order of offsets."""
        if section not in self._cache:
            self._cache[section] = dict(sorted(self._read(section)))
        return self._cache[section]

    def _read(self, section: int) -> t.Iterator[tuple[int, Target]]:
        relocations = self._sections.get(section)
        if relocations is None or not relocations.is_RELA():
            return
        symbols = self._elf.get_section(relocations["sh_link"])
        _check_count(relocations)
        for relocation in relocations.iter_relocations():
            symbol = symbols.get_symbol(relocation["r_info_sym"])
            offset = symbol["st_value"] + relocation["r_addend"]
            yield relocation["r_offset"], Target(_section_of(symbol), offset, symbol.name, relocation["r_info_type"])


def _read_symbols(elf: ELFFile) -> t.Iterator[Symbol]:
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return
    _check_count(table)
    for symbol in table.iter_symbols():
        is_object = symbol["st_info"]["type"] == "STT_OBJECT"
        yield Symbol(symbol.name, _section_of(symbol), symbol["st_value"], symbol["st_size"], is_object)


def _section_of(symbol: t.Any) -> int | None:
    index = symbol["st_shndx"]
    return index if isinstance(index, int) else None


def _check_count(section: t.Any) -> None:
    size = section["sh_entsize"]
    count = section["sh_size"] // size if size else 0
    if count > MAX_ENTRIES:
        raise ValueError(f"{count} entries in {section.name}")
