# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the ELF file of a live patch module with pyelftools."""

from __future__ import annotations

import re
import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)

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
"""What pyelftools and the walks below raise on a damaged file; OSError for offsets that no file can have."""

MAX_SECTIONS = 20_000

MAX_ENTRIES = 50_000

MAX_BYTES_READ = 4 * 1024**2
"""More than any live patch has: sections, symbols or relocations in one table, bytes in one section that is read."""


class ElfObject:
    """Any ELF file of a kernel. Raises ImportError where pyelftools is not installed, ValueError on absurd sizes."""

    def __init__(self, stream: t.BinaryIO) -> None:
        if PYELFTOOLS_ERROR is not None:
            raise PYELFTOOLS_ERROR
        self._elf = ELFFile(stream)
        if self._elf.num_sections() > MAX_SECTIONS:
            raise ValueError(f"{self._elf.num_sections()} sections")

    def has_section(self, name: str) -> bool:
        return self._elf.get_section_index(name) is not None

    def build_id(self, section: str = ".note.gnu.build-id") -> str | None:
        return _read_build_id(self._elf, section)

    def compiler(self) -> str | None:
        """What the compiler wrote into `.comment` first, such as `GCC: (GNU) 12.3.1`."""
        section = self._elf.get_section_by_name(".comment")
        idents = section_data(section).decode("utf-8", "replace").split("\0") if section is not None else []
        return next((ident for ident in idents if ident.startswith("GCC:") or "clang version" in ident), None)


class ElfModule(ElfObject):
    """A kernel module's ELF file."""

    def __init__(self, stream: t.BinaryIO) -> None:
        super().__init__(stream)
        self._symbols: list[_Symbol] | None = None

    def symbols(self) -> list[_Symbol]:
        if self._symbols is None:
            self._symbols = _read_symbols(self._elf)
        return self._symbols

    @property
    def is_relocatable(self) -> bool:
        return bool(self._elf.header["e_type"] == "ET_REL")

    @property
    def machine(self) -> str:
        """What `uname -m` says on the machine that this is for."""
        machine = str(self._elf.header["e_machine"])
        return MACHINES.get(machine, machine)

    @property
    def builder(self) -> str:
        return "kpatch" if self.has_section(".kpatch.funcs") else "hand-written"

    @property
    def abi(self) -> str:
        """Patches for openEuler's stop-machine kernels register; mainline's do not, since Linux 5.1."""
        undefined = {symbol.name for symbol in self.symbols() if symbol.section is None}
        return STOP_MACHINE if "klp_register_patch" in undefined else PER_TASK

    def modinfo(self) -> dict[str, str]:
        return _read_modinfo(self._elf)

    def replaced_and_replace(self) -> tuple[tuple[Replaced, ...] | None, bool | None]:
        """What it replaces, and whether it has the replace flag; None where the file does not show it."""
        if self.has_section(".kpatch.funcs"):
            return tuple(entry.replaced for entry in self.kpatch_entries()), None
        return HandWritten(self._elf, self.symbols()).read()

    def kpatch_entries(self) -> list[KpatchEntry]:
        """The entries of .kpatch.funcs."""
        return _read_kpatch_entries(self._elf)

    def hand_written(self) -> HandWritten:
        return HandWritten(self._elf, self.symbols())

    def relocated_symbols(self) -> list[LivepatchSymbol]:
        """The symbols that the kernel's livepatch code resolves, which no module could reach otherwise."""
        found = (_parse_livepatch_symbol(symbol.name) for symbol in self.symbols())
        return [symbol for symbol in found if symbol is not None]

    def pointers(self, section: str) -> list[tuple[int, int]]:
        """Where the pointers in a section point to: (section, offset); those to other places are left out."""
        index = self._elf.get_section_index(section)
        targets = Relocations(self._elf).of(index).values() if index is not None else ()
        return [(target.section, target.offset) for target in targets if target.section is not None]

    def section_size(self, name: str) -> int:
        """The size of a section, 0 if there is none."""
        section = self._elf.get_section_by_name(name)
        return t.cast(int, section["sh_size"]) if section is not None else 0


def _read_modinfo(elf: ELFFile) -> dict[str, str]:
    section = elf.get_section_by_name(".modinfo")
    if section is None:
        return {}
    return parse_modinfo(section_data(section))


def parse_modinfo(data: bytes) -> dict[str, str]:
    """What a module says of itself: `name=value`, each ended by a zero byte."""
    entries = data.decode("utf-8", "replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _read_build_id(elf: ELFFile, name: str) -> str | None:
    section = elf.get_section_by_name(name)
    if not isinstance(section, NoteSection):
        return None
    return next((note["n_desc"] for note in section.iter_notes() if note["n_type"] == "NT_GNU_BUILD_ID"), None)


class _Symbol(t.NamedTuple):
    """One symbol; `section` is None for an undefined one and for special ones."""

    name: str
    section: int | None
    value: int
    size: int
    is_object: bool


def _read_symbols(elf: ELFFile) -> list[_Symbol]:
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return []
    _check_count(table)
    return [
        _Symbol(
            symbol.name,
            symbol["st_shndx"] if isinstance(symbol["st_shndx"], int) else None,
            symbol["st_value"],
            symbol["st_size"],
            symbol["st_info"]["type"] == "STT_OBJECT",
        )
        for symbol in table.iter_symbols()
    ]


def _check_count(section: t.Any) -> None:
    size = section["sh_entsize"]
    count = section["sh_size"] // size if size else 0
    if count > MAX_ENTRIES:
        raise ValueError(f"{count} entries in {section.name}")


def section_data(section: t.Any) -> bytes:
    """The content of a section, unless it is absurdly long, or compressed: nothing that is read of a module is."""
    if section["sh_size"] > MAX_BYTES_READ:
        raise ValueError("{} bytes in {}".format(section["sh_size"], section.name))
    if section.compressed:
        raise ValueError(f"{section.name} is compressed")
    return t.cast(bytes, section.data())


class LivepatchSymbol(t.NamedTuple):
    """A symbol named `.klp.sym.OBJECT.NAME,SYMPOS` (kernel: Documentation/livepatch/module-elf-format.rst)."""

    object: str
    name: str
    sympos: int


def _parse_livepatch_symbol(name: str) -> LivepatchSymbol | None:
    match = re.match(r"\.klp\.sym\.([^.]+)\.(.+),(\d+)\Z", name)
    return LivepatchSymbol(match.group(1), match.group(2), int(match.group(3))) if match else None


class _Target(t.NamedTuple):
    """Where a relocation points to: a section (None for an undefined symbol), an offset in it, the symbol's name."""

    section: int | None
    offset: int
    symbol: str


class Relocations:
    """The relocations of an ELF file by the section and offset that they apply to."""

    def __init__(self, elf: ELFFile) -> None:
        self._elf = elf
        self._cache: dict[int, dict[int, _Target]] = {}
        self._sections = {
            section["sh_info"]: section for section in elf.iter_sections() if isinstance(section, RelocationSection)
        }

    def sections(self) -> t.Iterable[int]:
        return self._sections

    def of(self, section: int) -> dict[int, _Target]:
        """Offset in the section -> target, in the order of offsets."""
        if section not in self._cache:
            self._cache[section] = dict(sorted(self._read(section)))
        return self._cache[section]

    def _read(self, section: int) -> t.Iterator[tuple[int, _Target]]:
        relocations = self._sections.get(section)
        if relocations is None or not relocations.is_RELA():
            return
        symbols = self._elf.get_section(relocations["sh_link"])
        _check_count(relocations)
        for relocation in relocations.iter_relocations():
            symbol = symbols.get_symbol(relocation["r_info_sym"])
            index = symbol["st_shndx"]
            yield (
                relocation["r_offset"],
                _Target(
                    index if isinstance(index, int) else None,
                    symbol["st_value"] + relocation["r_addend"],
                    symbol.name,
                ),
            )


def _string_at(elf: ELFFile, section: int, offset: int) -> str:
    data = section_data(elf.get_section(section))
    return data[offset : data.index(b"\0", offset)].decode("utf-8", "replace")


class Replaced(t.NamedTuple):
    """A function that is replaced. `numbered` says whether the author gave its position among those of its name."""

    function: Function
    numbered: bool


class KpatchEntry(t.NamedTuple):
    """One entry of .kpatch.funcs: the function, where its new code is (section, offset), sizes of old and new code."""

    replaced: Replaced
    code: tuple[int, int]
    old_size: int
    new_size: int


def _read_kpatch_entries(elf: ELFFile) -> list[KpatchEntry]:
    """The functions of a module made by kpatch-build.

    An entry of .kpatch.funcs starts with the new function's address; its size is at 8, the old one's at 24, sympos at
    32, the name at 40 and the object's name at 48. Upstream's entry has 56 bytes and openEuler's 72 (kpatch:
    kmod/patch/kpatch-patch.h), so entries are found by their name relocations, not by their size.
    """
    index = elf.get_section_index(".kpatch.funcs")
    data = section_data(elf.get_section(index))
    targets = Relocations(elf).of(index)
    entries = []
    for offset, target in targets.items():
        name, object_name = targets.get(offset + 40), targets.get(offset + 48)
        if target.section is None or elf.get_section(target.section).name == ".kpatch.strings":
            continue
        if name and object_name and name.section is not None and object_name.section is not None:
            sympos = _unsigned(elf, data, offset + 32)
            function = Function(
                _string_at(elf, object_name.section, object_name.offset),
                _string_at(elf, name.section, name.offset),
                sympos or 1,
            )
            sizes = _unsigned(elf, data, offset + 24), _unsigned(elf, data, offset + 8)
            entries.append(KpatchEntry(Replaced(function, sympos > 0), (target.section, target.offset), *sizes))
    return entries


def _unsigned(elf: ELFFile, data: bytes, offset: int) -> int:
    return t.cast(int, struct.unpack_from("<Q" if elf.little_endian else ">Q", data, offset)[0])


class HandWritten:
    """Finds struct klp_patch in the data of a module whose author wrote it down, by the relocations that fill it.

    `klp_patch` begins with a pointer to __this_module, followed by one to its objects; an object has its name at 0
    (none means vmlinux) and its functions at 8; a function has its old name at 0, its new code at 8 and
    the position of its symbol at 16 (include/linux/livepatch.h, the same in mainline and openEuler).
    The sizes of these structures differ between kernels, so they are not used.
    """

    def __init__(self, elf: ELFFile, symbols: t.Sequence[_Symbol]) -> None:
        self._elf = elf
        self._relocations = Relocations(elf)
        # What bounds an array: (section, start, end) of every data symbol.
        self._extents = [
            (symbol.section, symbol.value, symbol.value + symbol.size)
            for symbol in symbols
            if symbol.is_object and symbol.section is not None
        ]
        self._sizes = {(symbol.section, symbol.value): symbol.size for symbol in symbols if symbol.size}

    def read(self) -> tuple[tuple[Replaced, ...] | None, bool | None]:
        """The functions and the replace flag, or (None, None) if the structures are made at run time."""
        found = self._find()
        if found is None:
            return None, None
        section, offset, objects = found
        functions = tuple(entry.replaced for klp_object in objects for entry in klp_object.functions)
        # klp_patch: mod 0, objs 8, states 16, replace 24
        return functions, self._data(section)[offset + 24] != 0

    def objects(self) -> list[KlpObject]:
        """Every object with its functions, callbacks and hooks; none if the structures are made at run time."""
        found = self._find()
        return found[2] if found else []

    def _find(self) -> tuple[int, int, list[KlpObject]] | None:
        """Where struct klp_patch is (section, offset), and its objects."""
        for section in self._relocations.sections():
            if not self._is_data(section):
                continue
            targets = self._relocations.of(section)
            for offset, target in targets.items():
                objects = targets.get(offset + 8)
                if target.symbol == "__this_module" and objects is not None and objects.section is not None:
                    found = list(self._objects(objects.section, objects.offset))
                    if found:
                        return section, offset, found
        return None

    def _data(self, section: int) -> bytes:
        return section_data(self._elf.get_section(section))

    def _is_data(self, section: int) -> bool:
        flags = self._elf.get_section(section)["sh_flags"]
        writable, allocated = flags & 0x1, flags & 0x2
        return bool(writable and allocated)

    def _is_code(self, section: int | None) -> bool:
        return section is not None and bool(self._elf.get_section(section)["sh_flags"] & 0x4)

    def _array(self, section: int, start: int) -> t.Iterator[tuple[int, _Target]]:
        """The relocations inside the array that begins at this place."""
        ends = [end for index, begin, end in self._extents if index == section and begin <= start < end]
        end = min(ends) if ends else self._elf.get_section(section)["sh_size"]
        for offset, target in self._relocations.of(section).items():
            if start <= offset < end:
                yield offset, target

    def _objects(self, section: int, start: int) -> t.Iterator[KlpObject]:
        names = self._relocations.of(section)
        for offset, target in self._array(section, start):
            if target.section is not None and self._is_function(target.section, target.offset):
                name = names.get(offset - 8)
                object_name = "vmlinux"
                if name is not None and name.section is not None:
                    object_name = _string_at(self._elf, name.section, name.offset)
                functions = tuple(self._functions(target.section, target.offset, object_name))
                if functions:
                    pointers = {
                        place - offset + 8: self._relocations.of(section).get(place)
                        for place in range(offset + 8, offset + 56, 8)
                    }
                    yield KlpObject(object_name, functions, frozenset(at for at, to in pointers.items() if to))

    def _is_function(self, section: int, offset: int) -> bool:
        targets = self._relocations.of(section)
        name, code = targets.get(offset), targets.get(offset + 8)
        return bool(name and code and not self._is_code(name.section) and self._is_code(code.section))

    def _functions(self, section: int, start: int, object_name: str) -> t.Iterator[KlpFunction]:
        data = self._data(section)
        for offset, name in self._array(section, start):
            code = self._relocations.of(section).get(offset + 8)
            if self._is_function(section, offset) and name.section is not None and code is not None:
                sympos = _unsigned(self._elf, data, offset + 16)
                function = Function(object_name, _string_at(self._elf, name.section, name.offset), sympos or 1)
                force = t.cast(int, struct.unpack_from("<i" if self._elf.little_endian else ">i", data, offset + 24)[0])
                yield KlpFunction(Replaced(function, sympos > 0), force, self._sizes.get((code.section, code.offset)))


class KlpFunction(t.NamedTuple):
    """One `struct klp_func`; `force` means something on stop_machine kernels only. `new_size` None: not known."""

    replaced: Replaced
    force: int
    new_size: int | None


class KlpObject(t.NamedTuple):
    """One `struct klp_object`; `pointers` are the offsets behind `funcs` that are filled with a pointer."""

    name: str
    functions: tuple[KlpFunction, ...]
    pointers: frozenset[int]
