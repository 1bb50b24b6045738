# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Proves the argument of a call from the instructions of AArch64 before it.

The registers are followed from the function's start. Where a jump may lead to, nothing is known of them; an
instruction that is not known counts as one that writes all registers that it may name.
"""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.place import (
    Call,
    Place,
    entrances,
    places,
)

_CALLS = frozenset([282, 283])
"""R_AARCH64_JUMP26 and CALL26."""

_PAGES = frozenset([275, 276])
"""R_AARCH64_ADR_PREL_PG_HI21 and its kind without a check: adrp, which ADD_ABS_LO12_NC completes."""

_WHOLE, REST = 274, 277
"""R_AARCH64_ADR_PREL_LO21 and ADD_ABS_LO12_NC."""

ADDRESSES = frozenset([_WHOLE, REST, *_PAGES])
"""The relocations of instructions that make an address."""

SAVED = range(19, 29)
"""The registers that a call leaves alone."""

_WRITES: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (0xFFFFF01F, 0xD503201F, ()),
    (0xBFC00000, 0xB9000000, ()),
    (0xBFC00000, 0xB9400000, (0,)),
    (0xFE400000, 0xA8000000, (5,)),
    (0xFE400000, 0xA8400000, (0, 5, 10)),
    (0x1F800000, 0x12800000, (0,)),
    (0x1F000000, 0x11000000, (0,)),
    (0x1F000000, 0x10000000, (0,)),
    (0xFFE0FFE0, 0xAA0003E0, (0,)),
    (0xFF000010, 0x54000000, ()),
    (0x7C000000, 0x34000000, ()),
)
"""(mask, bits, where the numbers of the registers are that are written) of: hints, str, ldr, stp, ldp, movz and movk,
add and sub of a number, adr and adrp, mov, b.cond, cbz and tbz."""

ANY_REGISTER = (0, 5, 10, 16)
"""Where an instruction that is not known may name registers."""


class Address(t.NamedTuple):
    """What is in a register: the address of a place, or of the place's page only."""

    place: Place
    is_whole: bool


def proven_on_arm(elf: ElfObject, call: Call) -> Place | None:
    """The place that is in x0 whenever the call is made; None if that is not certain."""
    targets = elf.relocations().of(call.section)
    content = elf.content(call.section)
    elf.budget.step(len(content) // 4)
    words = [word for (word,) in struct.iter_unpack("<I", content[: len(content) // 4 * 4])]
    if targets[call.offset].kind not in _CALLS or call.offset % 4 or _jumps_by_register(words, call.function):
        return None
    entered = entrances(elf, call.section)
    entered.update(_jump(at, word) for at, word in _by_offset(words) if at not in targets)
    registers: dict[int, Address] = {}
    for offset, word in _by_offset(words[: call.offset // 4]):
        if offset in entered or offset not in call.function:
            registers.clear()
        if stores_by(word, registers) and offset not in targets:
            # What is stored may be a part of the patch.
            return None
        registers = after(elf, word, targets.get(offset), registers)
    found = None if call.offset in entered else registers.get(0)
    return found.place if found and found.is_whole else None


def _by_offset(words: t.Sequence[int]) -> t.Iterator[tuple[int, int]]:
    return ((number * 4, word) for number, word in enumerate(words))


def _jumps_by_register(words: t.Sequence[int], function: range) -> bool:
    return any(offset in function and word & 0xFEFFF000 == 0xD61F0000 for offset, word in _by_offset(words))


def _jump(offset: int, word: int) -> int:
    """Where a jump leads to; -1 for any other instruction."""
    for mask, bits, shift, size in (
        (0x7C000000, 0x14000000, 0, 26),
        (0xFF000000, 0x54000000, 5, 19),
        (0x7E000000, 0x34000000, 5, 19),
        (0x7E000000, 0x36000000, 5, 14),
    ):
        if word & mask == bits:
            step = word >> shift & (1 << size) - 1
            return offset + 4 * (step - (1 << size) if step >> size - 1 else step)
    return -1


def stores_by(word: int, registers: t.Mapping[int, Address]) -> bool:
    """Whether the instruction may store where a known address points to."""
    return is_store(word) and (word >> 5 & 31) in registers


def is_store(word: int) -> bool:
    return word & 0x0A400000 == 0x08000000


def is_known(word: int) -> bool:
    """Whether it is known which registers the instruction writes."""
    return any(word & mask == bits for mask, bits, _where in _WRITES)


def after(elf: ElfObject, word: int, target: Target | None, registers: t.Mapping[int, Address]) -> dict[int, Address]:
    """What is in the registers after an instruction."""
    if word & 0xFC000000 == 0x94000000:
        return {number: address for number, address in registers.items() if number in SAVED}
    # b; brk and its like; br, blr and ret.
    if word & 0xFC000000 == 0x14000000 or word & 0xFF000000 == 0xD4000000 or word & 0xFE000000 == 0xD6000000:
        return {}
    where = next((where for mask, bits, where in _WRITES if word & mask == bits), ANY_REGISTER)
    written = {word >> at & 31 for at in where}
    left = {number: address for number, address in registers.items() if number not in written}
    address = _relocated(elf, word, target, registers) if target else _computed(word, registers)
    # 31 is the stack's pointer, or zero.
    return {**left, word & 31: address} if address and word & 31 != 31 else left


def _relocated(elf: ElfObject, word: int, target: Target, registers: t.Mapping[int, Address]) -> Address | None:
    place = next(places(elf, [target]), None)
    if place is None:
        return None
    if word & 0x1F000000 == 0x10000000 and target.kind in (_WHOLE, *_PAGES):
        return Address(place, target.kind == _WHOLE)
    is_rest = target.kind == REST and word & 0xFF800000 == 0x91000000
    return Address(place, True) if is_rest and registers.get(word >> 5 & 31) == (place, False) else None


def _computed(word: int, registers: t.Mapping[int, Address]) -> Address | None:
    read = registers.get(word >> 5 & 31)
    if word & 0xFF800000 == 0x91000000 and read and read.is_whole:
        # add xd, xn, #imm, which may be shifted by 12
        step = (word >> 10 & 0xFFF) << (12 if word >> 22 & 1 else 0)
        return Address(Place(read.place.section, read.place.offset + step), True)
    # mov xd, xm
    return registers.get(word >> 16 & 31) if word & 0xFFE0FFE0 == 0xAA0003E0 else None
