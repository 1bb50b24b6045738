# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds what a module's code passes to the calls that enable its live patch."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target

ENABLING = frozenset(["klp_enable_patch", "klp_register_patch"])
"""Each takes a pointer to struct klp_patch and nothing else (include/linux/livepatch.h)."""

_X86_CALLS = (b"\xe8", b"\xe9")

_X86_RELATIVE = frozenset([2, 4, 9, 41, 42])
"""R_X86_64_PC32, PLT32, GOTPCREL, GOTPCRELX, REX_GOTPCRELX count from the end of their four bytes."""

_X86_LOADS_OF_RDI = (b"\x48\x8d\x3d", b"\x48\x8b\x3d", b"\x48\xc7\xc7", b"\x48\xbf", b"\xbf")
"""lea and mov to rdi and edi, the register of the first argument, up to the bytes that a relocation fills."""

_ARM_ADDRESSES = frozenset([274, 277])
"""R_AARCH64_ADR_PREL_LO21 and ADD_ABS_LO12_NC: the instruction completes an address in its register."""

_ARM_CALLS = frozenset([282, 283])
"""R_AARCH64_JUMP26 and CALL26."""

_ARM_SAVED = range(19, 29)
"""The registers that a call leaves alone."""


_MOST_CALLS, _LONGEST = 16, 4096
"""A module has one such call, seldom two; its argument is loaded not many bytes before."""


class Place(t.NamedTuple):
    """A place in a file: a section and an offset in it."""

    section: int
    offset: int


def passed_places(elf: ElfObject) -> set[Place]:
    """The places in data that may be the argument of a call that enables a patch.

    Where the machine's code does not show the argument, these are all places to which the calling function refers.
    """
    found: set[Place] = set()
    calls = list(_calls(elf))
    for section, call in calls if len(calls) <= _MOST_CALLS else ():
        start = max(_start_of_function(elf, section, call), call - _LONGEST)
        before = {at: target for at, target in elf.relocations().of(section).items() if start <= at < call}
        shown = _SHOWN.get(elf.machine, _shows_nothing)(elf, section, before, call)
        found.update(shown or _places(elf, before.values()))
    return {place for place in found if elf.is_data(place.section)}


def _calls(elf: ElfObject) -> t.Iterator[Place]:
    """The calls that enable a patch."""
    relocations = elf.relocations()
    for section in relocations.sections():
        if elf.is_code(section):
            for offset, target in relocations.of(section).items():
                if target.section is None and target.symbol in ENABLING:
                    yield Place(section, offset)


def places_in_code(elf: ElfObject) -> t.Iterator[Place]:
    """Every place to which code refers."""
    relocations = elf.relocations()
    for section in relocations.sections():
        if elf.is_code(section):
            yield from _places(elf, relocations.of(section).values())


def _start_of_function(elf: ElfObject, section: int, offset: int) -> int:
    starts = (
        symbol.value
        for symbol in elf.symbols()
        if symbol.section == section and symbol.value <= offset < symbol.value + symbol.size
    )
    return max(starts, default=0)


def _places(elf: ElfObject, targets: t.Iterable[Target]) -> t.Iterator[Place]:
    for target in targets:
        if target.section is not None:
            yield Place(target.section, target.offset + _behind(elf, target))


def _behind(elf: ElfObject, target: Target) -> int:
    return 4 if elf.machine == "x86_64" and target.kind in _X86_RELATIVE else 0


def _shows_nothing(_elf: ElfObject, _section: int, _before: t.Mapping[int, Target], _call: int) -> set[Place]:
    return set()


def _shown_by_x86(elf: ElfObject, section: int, before: t.Mapping[int, Target], _call: int) -> set[Place]:
    """What is loaded into rdi since the call before this one."""
    content = elf.content(section)
    found: set[Place] = set()
    for offset in sorted(before, reverse=True):
        if content[offset - 1 : offset] in _X86_CALLS:
            break
        if content[max(0, offset - 3) : offset].endswith(_X86_LOADS_OF_RDI):
            found.update(_places(elf, [before[offset]]))
    return found


def _shown_by_arm(elf: ElfObject, section: int, before: t.Mapping[int, Target], call: int) -> set[Place]:
    """What is in x0 if the instructions before the call run one after the other."""
    registers: dict[int, Place] = {}
    for offset in range(min(before, default=call), call, 4):
        target = before.get(offset)
        word = elf.number(section, offset, "I")
        written, read, moved = word & 31, word >> 5 & 31, word >> 16 & 31
        value = None
        if target and target.kind in _ARM_CALLS:
            registers = {number: place for number, place in registers.items() if number in _ARM_SAVED}
            continue
        if target and target.kind in _ARM_ADDRESSES:
            value = next(_places(elf, [target]), None)
        elif word & 0xFF800000 == 0x91000000 and read in registers:
            # add xd, xn, #imm, which may be shifted by 12
            step = (word >> 10 & 0xFFF) << (12 if word >> 22 & 1 else 0)
            value = Place(registers[read].section, registers[read].offset + step)
        elif word & 0xFFE0FFE0 == 0xAA0003E0:
            # mov xd, xm
            value = registers.get(moved)
        else:
            continue
        registers.pop(written, None)
        if value:
            registers[written] = value
    return {registers[0]} if 0 in registers else set()


_SHOWN: dict[str, t.Callable[[ElfObject, int, t.Mapping[int, Target], int], set[Place]]] = {
    "x86_64": _shown_by_x86,
    "aarch64": _shown_by_arm,
}
