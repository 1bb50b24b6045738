# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Places in a module's file, and which of them code refers to or can be entered at."""

from __future__ import annotations

import bisect
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target

_X86_RELATIVE = frozenset([2, 4, 9, 41, 42])
"""R_X86_64_PC32, PLT32, GOTPCREL, GOTPCRELX, REX_GOTPCRELX count from the end of their four bytes."""

_TABLES = frozenset([".orc_unwind_ip", ".call_sites", "__mcount_loc", "__patchable_function_entries"])
"""They name instructions, to which nothing jumps."""


class Place(t.NamedTuple):
    """A place in a file: a section and an offset in it."""

    section: int
    offset: int


class Call(t.NamedTuple):
    """The relocation of a call: its section and offset, and the function that makes the call."""

    section: int
    offset: int
    function: range


def places(elf: ElfObject, targets: t.Iterable[Target]) -> t.Iterator[Place]:
    """Where instructions with these relocations refer to."""
    for target in targets:
        if target.section is not None:
            yield Place(target.section, target.offset + _behind(elf, target))


def places_in_code(elf: ElfObject) -> t.Iterator[Place]:
    """Every place to which code refers."""
    relocations = elf.relocations()
    for section in relocations.sections():
        if elf.is_code(section):
            yield from places(elf, (target for _offset, target in relocations.each(section)))


def any_of(places_by_section: t.Mapping[int, list[int]], section: int, start: int, end: int) -> bool:
    """Whether one of the places, which are in order, is between these two."""
    offsets = places_by_section.get(section, [])
    return bisect.bisect_left(offsets, start) < bisect.bisect_left(offsets, end)


def entrances(elf: ElfObject, section: int) -> set[int]:
    """The offsets in a section of code that symbols and relocations name: a jump may come from elsewhere."""
    found = {symbol.value for symbol in elf.symbols() if symbol.section == section}
    relocations = elf.relocations()
    for index in relocations.sections():
        if elf.is_in_memory(index) and elf.section_name(index) not in _TABLES:
            targets = [target for _offset, target in relocations.each(index)]
            # A difference in data counts from its own start, not from its end.
            found.update(target.offset for target in targets if target.section == section)
            if elf.is_code(index):
                found.update(offset for place, offset in places(elf, targets) if place == section)
    return found


def _behind(elf: ElfObject, target: Target) -> int:
    return 4 if elf.machine == "x86_64" and target.kind in _X86_RELATIVE else 0
