# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the live patch in an ELF file: `struct klp_*`, the tables of the builders, and symbols of livepatch."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    KPATCH,
    KPATCH_OPENEULER,
    is_module_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.hand_written import HandWritten
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.klp_build import (
    KLP_BUILD_OBJECTS,
    read_klp_build,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.livepatch import (
    CALLBACKS,
    Livepatch,
    Replaced,
    is_possible,
    replaced,
)

_KPATCH_FUNCS = ".kpatch.funcs"

_KPATCH_BUILDERS = {56: KPATCH, 72: KPATCH_OPENEULER}
"""The size of an entry of .kpatch.funcs tells the two kpatch-builds apart (kpatch: kmod/patch/kpatch-patch.h)."""


def read_livepatch(elf: ElfObject, abi: str) -> Livepatch:
    """The patch in a file that was built for this ABI."""
    kpatch, klp_build = elf.index(_KPATCH_FUNCS), elf.index(KLP_BUILD_OBJECTS)
    if kpatch is not None:
        return _read_kpatch(elf, kpatch)
    return HandWritten(elf, abi).read() if klp_build is None else read_klp_build(elf, klp_build)


def _read_kpatch(elf: ElfObject, section: int) -> Livepatch:
    functions = tuple(_kpatch_functions(elf, section))
    size, rest = divmod(elf.section_size(section), len(functions) or 1)
    # A patch of callbacks alone has an empty section.
    is_known = (size in _KPATCH_BUILDERS and not rest) if functions else not size
    is_known = is_known and all(map(is_possible, functions))
    return Livepatch(
        builder=_KPATCH_BUILDERS.get(size if functions else 0, KPATCH),
        functions=functions if is_known else None,
        replace=None,
        callbacks=tuple(name for name in CALLBACKS if elf.pointers(f".kpatch.callbacks.{name}")),
        objects=_kpatch_objects(elf, functions) if is_known else None,
        # No kpatch-build sets klp_patch.states (kpatch: kmod/patch/livepatch-patch-hook.c).
        states=(),
    )


def _kpatch_objects(elf: ElfObject, functions: t.Iterable[Replaced]) -> tuple[str, ...] | None:
    """The names of the objects of the functions, and of the callbacks; None if the latter do not tell.

    An entry of a section of callbacks is the callback and the object's name (kpatch: kmod/patch/kpatch-patch.h).
    """
    names = [entry.function.object for entry in functions]
    for section in (elf.index(f".kpatch.callbacks.{name}") for name in CALLBACKS):
        targets = {} if section is None else elf.relocations().of(section)
        named = {at: target for at, target in targets.items() if _is_string(elf, target)}
        if any(at + 8 not in named for at in targets if at not in named):
            return None
        names += [elf.string(target.section, target.offset) for target in named.values() if target.section is not None]
    return tuple(dict.fromkeys(names)) if all(map(is_module_name, names)) else None


def _is_string(elf: ElfObject, target: Target) -> bool:
    return target.section is not None and elf.section_name(target.section) == ".kpatch.strings"


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
        if code.section is None or _is_string(elf, code):
            continue
        if name and object_name and name.section is not None and object_name.section is not None:
            elf.budget.function()
            yield replaced(
                elf.string(object_name.section, object_name.offset),
                elf.string(name.section, name.offset),
                elf.number(section, offset + 32),
                force=int((code.section, code.offset) in forced),
                old_size=elf.number(section, offset + 24),
                new_size=elf.number(section, offset + 8),
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


def has_long_symbols(elf: ElfObject) -> bool:
    """Whether the file has symbols named `.klp.sym.OBJECT-REF,OFFSET`, by the name of another one and a distance.

    openEuler's kpatch-build writes them for static functions of one name; kernels take them with
    CONFIG_LIVEPATCH_LONG_SYMBOL_SUPPORT (openEuler's kernel/livepatch/core.c).
    """
    return any(re.match(r"\.klp\.sym\.\w+-[^,]+,\w+\Z", symbol.name, re.ASCII) for symbol in elf.symbols())
