# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Proves the argument of a call from the instructions of x86-64 before it.

Nothing but the load of rdi and a few instructions that leave rdi alone may be before the call, and no jump may lead
between them. What is not known to be harmless proves nothing.
"""

from __future__ import annotations

import re
import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.place import (
    Call,
    Place,
    entrances,
    places,
)

_CALLS = (b"\xe8", b"\xe9")

_LOADS = (
    (b"\x48\x8d\x3d", 4, frozenset([2, 4])),
    (b"\x48\x8b\x3d", 4, frozenset([9, 41, 42])),
    (b"\x48\xc7\xc7", 4, frozenset([11])),
    (b"\x48\xbf", 8, frozenset([1])),
    (b"\xbf", 4, frozenset([10])),
)
"""lea and mov to rdi and edi, the register of the first argument: the bytes before the relocation, how many it fills,
and its types. mov from memory counts from the table of offsets only: elsewhere a pointer is kept, which may change."""

_HARMLESS = re.compile(
    # nop and endbr64
    rb"(?:\x66?\x90|\x0f\x1f(?:\x00|\x40.|\x44..)|\xf3\x0f\x1e\xfa"
    # push and pop of others than rdi, mov %rsp, %rbp, add to and sub from rsp, leave, xor %eax, %eax
    rb"|\x41[\x50-\x5f]|[\x50-\x5e]|\x48\x89\xe5|\x48\x83[\xc4\xec].|\xc9|\x31\xc0"
    # test of two registers; mov and setcc to a place: a store to the patch is seen by its relocation
    rb"|\x48?\x85[\xc0-\xff]|[\x48\x4c]?\x89[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]....|\x0f[\x90-\x9f]\x05...."
    # lea and mov of an address to another register
    rb"|[\x48\x4c][\x8b\x8d][\x05\x0d\x15\x1d\x25\x2d\x35]....|\x48\xc7[\xc0-\xc6]....|[\xb8-\xbe]....)*",
    re.DOTALL,
)

_LONG_JUMP = re.compile(rb"\xe9|\x0f[\x80-\x8f]")

_SHORT_JUMP = re.compile(rb"[\x70-\x7f\xe0-\xe3\xeb]")

_JUMP_BY_REGISTER = re.compile(rb"\xff[\x20-\x27\x60-\x67\xa0-\xa7\xe0-\xe7]")


def proven_on_x86(elf: ElfObject, call: Call) -> Place | None:
    """The place that is in rdi whenever the call is made; None if that is not certain."""
    offset = load_on_x86(elf, call)
    return None if offset is None else next(places(elf, [elf.relocations().of(call.section)[offset]]), None)


def load_on_x86(elf: ElfObject, call: Call) -> int | None:
    """The offset of the relocation that fills rdi whenever the call is made; None if that is not certain."""
    content = elf.content(call.section)
    opcode = call.offset - 1
    targets = elf.relocations().of(call.section)
    if content[opcode : call.offset] not in _CALLS:
        return None
    elf.budget.step(len(targets))
    for offset in sorted((at for at in targets if at in call.function and at < opcode), reverse=True):
        found = _load(content, offset, targets[offset].kind)
        if found:
            start, end = found
            is_straight = _HARMLESS.fullmatch(content, end, opcode) and not _is_entered(elf, call, start, opcode)
            return offset if is_straight else None
    return None


def _load(content: bytes, offset: int, kind: int) -> tuple[int, int] | None:
    """Where the load of rdi that the relocation fills starts and ends; None if it is none."""
    for code, size, kinds in _LOADS:
        start = offset - len(code)
        if content[max(0, start) : offset] == code and kind in kinds:
            # With such a byte before it, mov loads r15.
            is_other = code == b"\xbf" and 0x40 <= content[max(0, start - 1)] <= 0x4F
            return None if is_other else (start, offset + size)
    return None


def _is_entered(elf: ElfObject, call: Call, start: int, end: int) -> bool:
    """Whether a jump may lead behind the start, up to the end. Bytes that only look like a jump count as one."""
    content = elf.content(call.section)
    inside = range(start + 1, end + 1)
    elf.budget.step(len(content) // 4)
    function = content[: call.function.stop]
    return (
        any(offset in inside for offset in entrances(elf, call.section))
        or any(target in inside for target in _jumps(content, _LONG_JUMP, 0, "<i"))
        or any(target in inside for target in _jumps(function, _SHORT_JUMP, call.function.start, "<b"))
        or _JUMP_BY_REGISTER.search(function, call.function.start) is not None
        or any(
            target.symbol.startswith("__x86_indirect_") and content[offset - 1 : offset] != b"\xe8"
            for offset, target in elf.relocations().each(call.section)
            if offset in call.function
        )
    )


def _jumps(content: bytes, pattern: t.Pattern[bytes], start: int, code: str) -> t.Iterator[int]:
    size = struct.calcsize(code)
    for match in pattern.finditer(content, start):
        behind = match.end() + size
        if behind <= len(content):
            yield behind + struct.unpack_from(code, content, match.end())[0]
