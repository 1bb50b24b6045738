# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the ELF file of a live patch module with pyelftools."""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)

try:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.relocation import RelocationSection
    from elftools.elf.sections import NoteSection, SymbolTableSection
except ImportError as error:
    PYELFTOOLS_ERROR: ImportError | None = error
    _ELF_ERRORS: tuple[type[Exception], ...] = ()
else:
    PYELFTOOLS_ERROR = None
    _ELF_ERRORS = (ELFError,)

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
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
    AssertionError,
    MemoryError,
)
"""What pyelftools and the walks below raise on a damaged file."""


class ElfModule:
    """A kernel module's ELF file. Raises ImportError where pyelftools is not installed."""

    def __init__(self, stream: t.BinaryIO) -> None:
        if PYELFTOOLS_ERROR is not None:
            raise PYELFTOOLS_ERROR
        self._elf = ELFFile(stream)

    @property
    def is_relocatable(self) -> bool:
        return bool(self._elf.header["e_type"] == "ET_REL")

    @property
    def machine(self) -> str:
        """What C(uname -m) says on the machine that this is for."""
        machine = str(self._elf.header["e_machine"])
        return MACHINES.get(machine, machine)

    @property
    def builder(self) -> str:
        return "hand-written" if self._elf.get_section_index(".kpatch.funcs") is None else "kpatch"

    @property
    def abi(self) -> str:
        """Patches for openEuler's stop-machine kernels register; mainline's do not, since Linux 5.1."""
        return STOP_MACHINE if "klp_register_patch" in _undefined_symbols(self._elf) else PER_TASK

    def modinfo(self) -> dict[str, str]:
        return _read_modinfo(self._elf)

    def build_id(self) -> str | None:
        return _read_build_id(self._elf)

    def functions_and_replace(self) -> tuple[tuple[Function, ...] | None, bool | None]:
        """What it replaces, and whether it has the replace flag; None where the file does not show it."""
        functions = _read_kpatch_functions(self._elf)
        return (functions, None) if functions is not None else _HandWritten(self._elf).read()


def _read_modinfo(elf: ELFFile) -> dict[str, str]:
    section = elf.get_section_by_name(".modinfo")
    if section is None:
        return {}
    entries = section.data().decode("utf-8", "replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _read_build_id(elf: ELFFile) -> str | None:
    section = elf.get_section_by_name(".note.gnu.build-id")
    if not isinstance(section, NoteSection):
        return None
    return next((note["n_desc"] for note in section.iter_notes() if note["n_type"] == "NT_GNU_BUILD_ID"), None)


def _undefined_symbols(elf: ELFFile) -> set[str]:
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return set()
    return {symbol.name for symbol in table.iter_symbols() if symbol["st_shndx"] == "SHN_UNDEF"}


class _Target(t.NamedTuple):
    """Where a relocation points to: a section (None for an undefined symbol), an offset in it, the symbol's name."""

    section: int | None
    offset: int
    symbol: str


class _Relocations:
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
    data: bytes = elf.get_section(section).data()
    return data[offset : data.index(b"\0", offset)].decode("utf-8", "replace")


def _read_kpatch_functions(elf: ELFFile) -> tuple[Function, ...] | None:
    """The functions of a module made by kpatch-build, or None if another builder made it.

    An entry of .kpatch.funcs starts with the new function's address; sympos is at 32, the name at 40 and the object's
    name at 48. Upstream's entry has 56 bytes and openEuler's 72 (kpatch: kmod/patch/kpatch-patch.h), so entries
    are found by their name relocations, not by their size.
    """
    index = elf.get_section_index(".kpatch.funcs")
    if index is None:
        return None
    data = elf.get_section(index).data()
    targets = _Relocations(elf).of(index)
    functions = []
    for offset, target in targets.items():
        name, object_name = targets.get(offset + 40), targets.get(offset + 48)
        starts_entry = target.section is not None and elf.get_section(target.section).name != ".kpatch.strings"
        if starts_entry and name and object_name and name.section is not None and object_name.section is not None:
            sympos = _unsigned(elf, data, offset + 32)
            functions.append(
                Function(
                    _string_at(elf, object_name.section, object_name.offset),
                    _string_at(elf, name.section, name.offset),
                    sympos or 1,
                )
            )
    return tuple(functions)


def _unsigned(elf: ELFFile, data: bytes, offset: int) -> int:
    return t.cast(int, struct.unpack_from("<Q" if elf.little_endian else ">Q", data, offset)[0])


class _HandWritten:
    """Finds struct klp_patch in the data of a module whose author wrote it down, by the relocations that fill it.

    C(klp_patch) begins with a pointer to __this_module, followed by one to its objects; an object has its name at 0
    (none means vmlinux) and its functions at 8; a function has its old name at 0, its new code at 8 and
    the position of its symbol at 16 (include/linux/livepatch.h, the same in mainline and openEuler).
    The sizes of these structures differ between kernels, so they are not used.
    """

    def __init__(self, elf: ELFFile) -> None:
        self._elf = elf
        self._relocations = _Relocations(elf)
        self._extents = self._object_extents()

    def read(self) -> tuple[tuple[Function, ...] | None, bool | None]:
        """The functions and the replace flag, or (None, None) if the structures are made at run time."""
        for section in self._relocations.sections():
            if not self._is_data(section):
                continue
            targets = self._relocations.of(section)
            for offset, target in targets.items():
                objects = targets.get(offset + 8)
                if target.symbol == "__this_module" and objects is not None and objects.section is not None:
                    functions = tuple(self._functions_of_objects(objects.section, objects.offset))
                    if functions:
                        # klp_patch: mod 0, objs 8, states 16, replace 24
                        return functions, self._elf.get_section(section).data()[offset + 24] != 0
        return None, None

    def _is_data(self, section: int) -> bool:
        flags = self._elf.get_section(section)["sh_flags"]
        writable, allocated = flags & 0x1, flags & 0x2
        return bool(writable and allocated)

    def _is_code(self, section: int | None) -> bool:
        return section is not None and bool(self._elf.get_section(section)["sh_flags"] & 0x4)

    def _object_extents(self) -> list[tuple[int, int, int]]:
        """(section, start, end) of every data symbol: this is what bounds an array."""
        table = self._elf.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return []
        return [
            (symbol["st_shndx"], symbol["st_value"], symbol["st_value"] + symbol["st_size"])
            for symbol in table.iter_symbols()
            if symbol["st_info"]["type"] == "STT_OBJECT" and isinstance(symbol["st_shndx"], int)
        ]

    def _array(self, section: int, start: int) -> t.Iterator[tuple[int, _Target]]:
        """The relocations inside the array that begins at this place."""
        ends = [end for index, begin, end in self._extents if index == section and begin <= start < end]
        end = min(ends) if ends else self._elf.get_section(section)["sh_size"]
        for offset, target in self._relocations.of(section).items():
            if start <= offset < end:
                yield offset, target

    def _functions_of_objects(self, section: int, start: int) -> t.Iterator[Function]:
        names = self._relocations.of(section)
        for offset, target in self._array(section, start):
            if target.section is not None and self._is_function(target.section, target.offset):
                name = names.get(offset - 8)
                object_name = "vmlinux"
                if name is not None and name.section is not None:
                    object_name = _string_at(self._elf, name.section, name.offset)
                yield from self._functions(target.section, target.offset, object_name)

    def _is_function(self, section: int, offset: int) -> bool:
        targets = self._relocations.of(section)
        name, code = targets.get(offset), targets.get(offset + 8)
        return bool(name and code and not self._is_code(name.section) and self._is_code(code.section))

    def _functions(self, section: int, start: int, object_name: str) -> t.Iterator[Function]:
        data = self._elf.get_section(section).data()
        for offset, name in self._array(section, start):
            if self._is_function(section, offset) and name.section is not None:
                sympos = _unsigned(self._elf, data, offset + 16)
                yield Function(object_name, _string_at(self._elf, name.section, name.offset), sympos or 1)
