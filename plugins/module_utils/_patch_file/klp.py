# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the live patch in an ELF file: `struct klp_*`, `.kpatch.funcs`, and symbols of livepatch."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    HAND_WRITTEN,
    KPATCH,
    KPATCH_OPENEULER,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target

_CALLBACKS = ("pre_patch", "post_patch", "pre_unpatch", "post_unpatch")

_KPATCH_FUNCS = ".kpatch.funcs"

_KPATCH_BUILDERS = {56: KPATCH, 72: KPATCH_OPENEULER}
"""The size of an entry of .kpatch.funcs tells the two kpatch-builds apart (kpatch: kmod/patch/kpatch-patch.h)."""


class Replaced(t.NamedTuple):
    """A function that is replaced.

    `numbered` says whether the file gives its position among the functions of its name. `force` is the number by which
    the patch tells stop_machine kernels to skip checks. The sizes are in bytes, None if the file does not show them.
    """

    function: Function
    numbered: bool
    force: int
    old_size: int | None
    new_size: int | None


class Livepatch(t.NamedTuple):
    """The patch in a file.

    `functions` and `replace` are None if the file does not show them. `callbacks` names those of mainline that are set,
    `hooks` those of openEuler's kernels.
    """

    builder: str
    functions: tuple[Replaced, ...] | None
    replace: bool | None
    callbacks: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()


def read_livepatch(elf: ElfObject, abi: str) -> Livepatch:
    """The patch in a file that was built for this ABI."""
    section = elf.index(_KPATCH_FUNCS)
    return _HandWritten(elf, abi).read() if section is None else _read_kpatch(elf, section)


def _read_kpatch(elf: ElfObject, section: int) -> Livepatch:
    functions = tuple(_kpatch_functions(elf, section))
    size = elf.section_size(section) // len(functions) if functions else 0
    return Livepatch(
        builder=_KPATCH_BUILDERS.get(size, KPATCH),
        functions=functions,
        replace=None,
        callbacks=tuple(name for name in _CALLBACKS if elf.pointers(f".kpatch.callbacks.{name}")),
    )


def _kpatch_functions(elf: ElfObject, section: int) -> t.Iterator[Replaced]:
    """The functions of a module made by kpatch-build.

    An entry of .kpatch.funcs starts with the new function's address; its size is at 8, the old one's at 24, sympos at
    32, the name at 40 and the object's name at 48. Upstream's entry has 56 bytes and openEuler's 72 (kpatch:
    kmod/patch/kpatch-patch.h), so entries are found by their name relocations, not by their size.
    """
    targets = elf.relocations().of(section)
    forced = set(elf.pointers(".kpatch.force"))
    for offset, code in targets.items():
        name, object_name = targets.get(offset + 40), targets.get(offset + 48)
        if code.section is None or elf.section_name(code.section) == ".kpatch.strings":
            continue
        if name and object_name and name.section is not None and object_name.section is not None:
            yield _replaced(
                elf.string(object_name.section, object_name.offset),
                elf.string(name.section, name.offset),
                elf.number(section, offset + 32),
                force=int((code.section, code.offset) in forced),
                old_size=elf.number(section, offset + 24),
                new_size=elf.number(section, offset + 8),
            )


def _replaced(
    object_name: str, name: str, sympos: int, *, force: int, old_size: int | None, new_size: int | None
) -> Replaced:
    # 0 says that the name is the only one; the kernel shows the function as the first one then.
    return Replaced(Function(object_name, name, sympos or 1), sympos > 0, force, old_size, new_size)


class _Object(t.NamedTuple):
    """One `struct klp_object`; `pointers` are the offsets behind `funcs` that are filled with a pointer."""

    functions: tuple[Replaced, ...]
    pointers: frozenset[int]


class _HandWritten:
    """Finds struct klp_patch in the data of a hand-written module, by the relocations for its pointers.

    `klp_patch` begins with a pointer to __this_module, followed by one to its objects; an object has its name at 0
    (none means vmlinux) and its functions at 8; a function has its old name at 0, its new code at 8 and
    the position of its symbol at 16 (include/linux/livepatch.h, the same in mainline and openEuler).
    The sizes of these structures differ between kernels, so they are not used.
    """

    def __init__(self, elf: ElfObject, abi: str) -> None:
        self._elf = elf
        self._is_stop_machine = abi == STOP_MACHINE
        self._relocations = elf.relocations()
        symbols = elf.symbols()
        # What bounds an array: (section, start, end) of every data symbol.
        self._extents = [
            (symbol.section, symbol.value, symbol.value + symbol.size)
            for symbol in symbols
            if symbol.is_object and symbol.section is not None
        ]
        self._sizes = {(symbol.section, symbol.value): symbol.size for symbol in symbols if symbol.size}

    def read(self) -> Livepatch:
        """The patch; without functions if the structures are made at run time."""
        found = self._find()
        if found is None:
            return Livepatch(HAND_WRITTEN, functions=None, replace=None)
        section, offset, objects = found
        pointers = frozenset(at for klp_object in objects for at in klp_object.pointers)
        return Livepatch(
            HAND_WRITTEN,
            functions=tuple(function for klp_object in objects for function in klp_object.functions),
            # klp_patch: mod 0, objs 8, states 16, replace 24
            replace=self._elf.number(section, offset + 24, "B") != 0,
            callbacks=self._callbacks(pointers),
            hooks=self._hooks(pointers),
        )

    def _callbacks(self, pointers: frozenset[int]) -> tuple[str, ...]:
        """The callbacks that are set. openEuler has two pointers to hooks before them (include/linux/livepatch.h)."""
        start = 32 if self._is_stop_machine else 16
        return tuple(name for number, name in enumerate(_CALLBACKS) if start + 8 * number in pointers)

    def _hooks(self, pointers: frozenset[int]) -> tuple[str, ...]:
        places = ((16, "load"), (24, "unload")) if self._is_stop_machine else ()
        return tuple(name for at, name in places if at in pointers)

    def _find(self) -> tuple[int, int, list[_Object]] | None:
        """Where struct klp_patch is (section, offset), and its objects."""
        for section in self._relocations.sections():
            if not self._elf.is_data(section):
                continue
            targets = self._relocations.of(section)
            for offset, target in targets.items():
                objects = targets.get(offset + 8)
                if target.symbol == "__this_module" and objects is not None and objects.section is not None:
                    found = list(self._objects(objects.section, objects.offset))
                    if found:
                        return section, offset, found
        return None

    def _array(self, section: int, start: int) -> t.Iterator[tuple[int, Target]]:
        """The relocations inside the array that begins at this place."""
        ends = [end for index, begin, end in self._extents if index == section and begin <= start < end]
        end = min(ends) if ends else self._elf.section_size(section)
        for offset, target in self._relocations.of(section).items():
            if start <= offset < end:
                yield offset, target

    def _objects(self, section: int, start: int) -> t.Iterator[_Object]:
        targets = self._relocations.of(section)
        for offset, target in self._array(section, start):
            if target.section is None or not self._is_function(target.section, target.offset):
                continue
            name = targets.get(offset - 8)
            object_name = "vmlinux"
            if name is not None and name.section is not None:
                object_name = self._elf.string(name.section, name.offset)
            functions = tuple(self._functions(target.section, target.offset, object_name))
            if functions:
                yield _Object(functions, frozenset(at for at in range(16, 64, 8) if offset - 8 + at in targets))

    def _is_function(self, section: int, offset: int) -> bool:
        targets = self._relocations.of(section)
        name, code = targets.get(offset), targets.get(offset + 8)
        return bool(name and code and not self._is_code(name) and self._is_code(code))

    def _is_code(self, target: Target) -> bool:
        return target.section is not None and self._elf.is_code(target.section)

    def _functions(self, section: int, start: int, object_name: str) -> t.Iterator[Replaced]:
        elf = self._elf
        for offset, name in self._array(section, start):
            code = self._relocations.of(section).get(offset + 8)
            if self._is_function(section, offset) and name.section is not None and code is not None:
                yield _replaced(
                    object_name,
                    elf.string(name.section, name.offset),
                    elf.number(section, offset + 16),
                    # Mainline has no such field.
                    force=elf.number(section, offset + 24, "i") if self._is_stop_machine else 0,
                    old_size=None,
                    new_size=self._sizes.get((code.section, code.offset)),
                )


class LivepatchSymbol(t.NamedTuple):
    """A symbol named `.klp.sym.OBJECT.NAME,SYMPOS` (kernel: Documentation/livepatch/module-elf-format.rst)."""

    object: str
    name: str
    sympos: int


def livepatch_symbols(elf: ElfObject) -> list[LivepatchSymbol]:
    """The symbols that the kernel's livepatch code resolves, since they are not exported to modules."""
    matches = (re.match(r"\.klp\.sym\.([^.]+)\.(.+),(\d+)\Z", symbol.name) for symbol in elf.symbols())
    return [LivepatchSymbol(match.group(1), match.group(2), int(match.group(3))) for match in matches if match]
