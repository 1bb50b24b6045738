# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds what a module's code passes to the calls that enable its live patch."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.argument_arm import proven_on_arm
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.argument_x86 import proven_on_x86
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.place import Call, Place, places

ENABLING = frozenset(["klp_enable_patch", "klp_register_patch"])
"""Each takes a pointer to struct klp_patch and nothing else (include/linux/livepatch.h)."""

MOST_CALLS = 16
"""A module has one such call, seldom two, and asks for the states of its patch a few times."""

_SMALLEST_PATCH = 96
"""struct klp_patch has two pointers, a list and a struct kobject at least (include/linux/livepatch.h)."""

_PROVEN: dict[str, t.Callable[[ElfObject, Call], Place | None]] = {
    "x86_64": proven_on_x86,
    "aarch64": proven_on_arm,
}


class Passed(t.NamedTuple):
    """The places that may be the argument of the enabling calls; `is_proven` if the machine's code shows it."""

    places: frozenset[Place]
    is_proven: bool


def passed_places(elf: ElfObject) -> Passed:
    """What may be the argument; no places if one of the calls does not tell anything.

    Where the machine's code does not show the argument, these are all places to which the calling function refers.
    """
    calls = list(calls_of(elf, ENABLING))
    proven = [_PROVEN.get(elf.machine, _proves_nothing)(elf, call) for call in calls[:MOST_CALLS]]
    each = [{place} if place else _candidates(elf, call) for place, call in zip(proven, calls)]
    is_known = len(calls) == len(each) and all(each)
    return Passed(frozenset().union(*each) if is_known else frozenset(), None not in proven)


def calls_of(elf: ElfObject, names: t.Container[str]) -> t.Iterator[Call]:
    """The calls of functions of the kernel with these names; a pointer to one is a call without a function."""
    relocations = elf.relocations()
    for section in relocations.sections():
        if elf.is_in_memory(section):
            for offset, target in relocations.each(section):
                if target.section is None and target.symbol in names:
                    is_code = elf.is_code(section)
                    yield Call(section, offset, _function(elf, section, offset) if is_code else range(0))


def _function(elf: ElfObject, section: int, offset: int) -> range:
    around = [
        (symbol.value, symbol.value + symbol.size)
        for symbol in elf.symbols()
        if symbol.section == section and symbol.value <= offset < symbol.value + symbol.size
    ]
    if not around:
        return range(elf.section_size(section))
    return range(min(start for start, _end in around), max(end for _start, end in around))


def _candidates(elf: ElfObject, call: Call) -> set[Place]:
    """The places in data to which the calling function refers, without those where another patch cannot begin."""
    targets = elf.relocations().each(call.section)
    found: list[Place] = []
    for place in sorted(set(places(elf, (target for offset, target in targets if offset in call.function)))):
        is_inside = found and found[-1].section == place.section and place.offset - found[-1].offset < _SMALLEST_PATCH
        if elf.is_data(place.section) and not is_inside and not is_too_small(elf, place):
            found.append(place)
    return set(found)


def is_too_small(elf: ElfObject, place: Place) -> bool:
    """Whether the place is in an object that is smaller than any live patch."""
    return any(
        symbol.is_object
        and symbol.section == place.section
        and symbol.size < _SMALLEST_PATCH
        and symbol.value <= place.offset < symbol.value + symbol.size
        for symbol in elf.symbols()
    )


def _proves_nothing(_elf: ElfObject, _call: Call) -> Place | None:
    return None
