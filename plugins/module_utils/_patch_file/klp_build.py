# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the tables of a module that the kernel's own klp-build has made (include/linux/livepatch_external.h).

The module's code makes `struct klp_patch` of these tables when it is loaded, and sets `replace` there: no table has it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import KLP_BUILD, is_module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.livepatch import (
    CALLBACKS,
    Livepatch,
    Replaced,
    is_possible,
    replaced,
)

KLP_BUILD_OBJECTS = ".init.klp_objects"
"""The section with an entry for each object."""

_OBJECT_SIZE = 64
"""struct klp_object_ext: name 0 (none means vmlinux), funcs 8, four pointers to callbacks from 16 on, nr_funcs 56."""

_FUNCS, _CALLBACKS, _COUNT = 8, 16, 56

_FUNCTION_SIZE = 24
"""struct klp_func_ext: old_name 0, new_func 8, sympos 16."""


Sizes = t.Mapping[t.Tuple[t.Optional[int], int], int]
"""The section and offset of a symbol -> its size."""


def read_klp_build(elf: ElfObject, section: int) -> Livepatch:
    """The patch; without functions and objects if the tables cannot be what they seem to be."""
    targets = elf.relocations().of(section)
    starts = range(0, elf.section_size(section), _OBJECT_SIZE)
    # Before anything is made of each: a section without content has any size.
    elf.budget.step(len(starts) * len(CALLBACKS))
    names = [_object_name(elf, targets.get(start)) for start in starts]
    sizes: Sizes = {(symbol.section, symbol.value): symbol.size for symbol in elf.symbols() if symbol.size}
    functions: list[Replaced] = []
    for start, name in zip(starts, names):
        functions += _functions(elf, section, start, name, sizes)
    is_known = elf.section_size(section) % _OBJECT_SIZE == 0 and all(map(is_module_name, names))
    is_known = is_known and all(map(is_possible, functions))
    set_in = {at % _OBJECT_SIZE for at in targets}
    return Livepatch(
        builder=KLP_BUILD,
        functions=tuple(functions) if is_known else None,
        replace=None,
        callbacks=tuple(name for number, name in enumerate(CALLBACKS) if _CALLBACKS + 8 * number in set_in),
        objects=tuple(dict.fromkeys(names)) if is_known else None,
        # Its code leaves klp_patch.states open (kernel: scripts/livepatch/init.c).
        states=(),
    )


def _object_name(elf: ElfObject, name: Target | None) -> str:
    """The name of an object; empty if it is no text of the file."""
    if name is None:
        return "vmlinux"
    return "" if name.section is None else elf.string(name.section, name.offset)


def _functions(elf: ElfObject, section: int, start: int, object_name: str, sizes: Sizes) -> t.Iterator[Replaced]:
    """The functions of the object whose entry is at `start`; one without a name for the first that cannot be one."""
    first = elf.relocations().of(section).get(start + _FUNCS)
    for number in range(elf.number(section, start + _COUNT, "I")):
        elf.budget.function()
        found = _function(elf, first, number * _FUNCTION_SIZE, object_name, sizes)
        yield found or replaced(object_name, "", 0, force=0, old_size=None, new_size=None)
        if found is None:
            return


def _function(elf: ElfObject, first: Target | None, distance: int, object_name: str, sizes: Sizes) -> Replaced | None:
    if first is None or first.section is None:
        return None
    start = first.offset + distance
    targets = elf.relocations().of(first.section)
    name, code = targets.get(start), targets.get(start + 8)
    if name is None or name.section is None or code is None or code.section is None:
        return None
    return replaced(
        object_name,
        elf.string(name.section, name.offset),
        elf.number(first.section, start + 16),
        force=0,
        old_size=None,
        new_size=sizes.get((code.section, code.offset)),
    )
