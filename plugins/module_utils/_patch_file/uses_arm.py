# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Follows the address of a live patch through the instructions of AArch64.

The instructions are taken in the order in which they stand, also behind a jump: an address stays in a register until
something else is written there, or another function begins.
"""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.argument_arm import (
    ADDRESSES,
    ANY_REGISTER,
    REST,
    SAVED,
    Address,
    after,
    is_known,
    is_store,
    stores_by,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.place import Place, places

_ARGUMENTS = range(8)

_SIZES = {0x39000000: 1, 0x79000000: 2, 0xB9000000: 4, 0xF9000000: 8}
"""str of so many bytes, to a register's address and a multiple of them."""

Registers = t.Dict[int, Address]


class _Patch:
    """The patch that is followed: its place, the fields that must stay, and the calls that may be given its address."""

    def __init__(self, place: Place, fields: range, calls: t.Container[tuple[int, int]]) -> None:
        self.place = place
        self.fields = fields
        self.calls = calls

    def held(self, registers: t.Mapping[int, Address]) -> set[int]:
        """The registers that point into the patch, up to the end of the fields."""
        return {
            number
            for number, address in registers.items()
            if address.is_whole
            and address.place.section == self.place.section
            and self.place.offset <= address.place.offset < self.fields.stop
        }

    def is_used(self, at: tuple[int, int], word: int, target: Target | None, registers: Registers) -> bool:
        """Whether the instruction at (section, offset) may write to the fields, or give the address away."""
        held = self.held(registers)
        if stores_by(word, registers) and target is None and self._reaches(word, registers[word >> 5 & 31]):
            return True
        if not held:
            return False
        if _is_call(word, target):
            passed = held.intersection(_ARGUMENTS)
            return bool(passed) and not (at in self.calls and passed == {0})
        if _is_return(word):
            return 0 in held
        if is_store(word):
            pair = {word >> 10 & 31} if word & 0x3A000000 == 0x28000000 else set()
            return not held.isdisjoint({word & 31, *pair})
        if _is_sub(word):
            # Where the result points to is not followed.
            return word >> 5 & 31 in held
        return not is_known(word) and not held.isdisjoint({word >> at & 31 for at in ANY_REGISTER})

    def _reaches(self, word: int, base: Address) -> bool:
        """Whether a store by a known address may be one to the fields."""
        if not base.is_whole or base.place.section != self.place.section:
            return False
        size = _SIZES.get(word & 0xFFC00000)
        if size is None:
            return self.place.offset <= base.place.offset < self.fields.stop
        start = base.place.offset + (word >> 10 & 0xFFF) * size
        return start < self.fields.stop and start + size > self.fields.start


def only_passes_on_arm(elf: ElfObject, patch: Place, fields: range, calls: t.Container[tuple[int, int]]) -> bool:
    """Whether code only gives the patch's address to these calls, as far as the instructions show it."""
    followed = _Patch(patch, fields, calls)
    relocations = elf.relocations()
    return not any(_is_used_in(elf, section, followed) for section in relocations.sections() if elf.is_code(section))


def _is_used_in(elf: ElfObject, section: int, patch: _Patch) -> bool:
    content = elf.content(section)
    elf.budget.step(len(content) // 4)
    targets = elf.relocations().of(section)
    starts = {symbol.value for symbol in elf.symbols() if symbol.section == section and not symbol.name.startswith("$")}
    registers: Registers = {}
    for number, (word,) in enumerate(struct.iter_unpack("<I", content[: len(content) // 4 * 4])):
        offset = number * 4
        target = targets.get(offset)
        if offset in starts:
            registers = {}
        if _is_odd(elf, target, patch.place) or patch.is_used((section, offset), word, target, registers):
            return True
        registers = _after(elf, word, target, registers)
    return False


def _is_odd(elf: ElfObject, target: Target | None, place: Place) -> bool:
    """Whether an instruction refers to the patch, and is none of those that make its address."""
    return target is not None and target.kind not in ADDRESSES and place in places(elf, [target])


def _after(elf: ElfObject, word: int, target: Target | None, registers: Registers) -> Registers:
    if _is_call(word, target) and not _is_jump(word):
        return {number: address for number, address in registers.items() if number in SAVED}
    if _is_jump(word) or _is_return(word):
        return registers
    place = next(places(elf, [target]), None) if target and target.kind == REST else None
    # The page may have been made elsewhere.
    whole = {word & 31: Address(place, True)} if place and word & 0xFF800000 == 0x91000000 else {}
    return {**after(elf, word, target, registers), **whole}


def _is_jump(word: int) -> bool:
    return word & 0xFC000000 == 0x14000000 or word & 0xFFFFFC1F == 0xD61F0000


def _is_call(word: int, target: Target | None) -> bool:
    """Whether the instruction is bl or blr, or a jump that may lead out of the function."""
    leads_out = _is_jump(word) and (target is not None or word & 0xFC000000 != 0x14000000)
    return leads_out or word & 0xFC000000 == 0x94000000 or word & 0xFFFFFC1F == 0xD63F0000


def _is_return(word: int) -> bool:
    return word & 0xFFFFFC1F == 0xD65F0000


def _is_sub(word: int) -> bool:
    """Whether a number is subtracted from a register."""
    return word & 0x5F000000 == 0x51000000
