# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: the jump that a stop_machine kernel writes into a patched function (arch/*/kernel/livepatch.c).

It stands at the entry. With CONFIG_LIVEPATCH_ISOLATE_KPROBE (openEuler's kernel/livepatch/Kconfig) the kernel keeps the
instructions that are free for ftrace, and the jump stands behind them; a function that ftrace cannot trace has none.
"""

from __future__ import annotations

import struct
import typing as t
from dataclasses import dataclass

WORD = 0xFFFFFFFFFFFFFFFF

LENGTHS = {"x86_64": 14, "aarch64": 28, "riscv64": 24}
"""Architecture -> the bytes at the entry of a function that read_entry() needs: the longest site, and a jump."""

_ENDBR64 = b"\xf3\x0f\x1e\xfa"

_NOPS = (b"\x0f\x1f\x44\x00\x00", b"\x66\x66\x66\x66\x90")

_CALL, _JUMP, _INT3 = 0xE8, 0xE9, 0xCC

_RISCV_JUMP = struct.pack("<3I", 0x00000F97, 0x010FBF83, 0x000F8067)
"""`auipc t6, 0; ld t6, 16(t6); jr t6`: the address is 16 bytes behind the first of these, after an unused word."""

_RISCV_BREAKPOINTS = (b"\x02\x90", b"\x73\x00\x10\x00")

_NOP, _BTI_C, _MOV_X9_X30, _BRK_OF_KPROBES = 0xD503201F, 0xD503245F, 0xAA1E03E9, 0xD4200080

_IMMEDIATE = 0xFFE0001F

_FAR_JUMP = ((0x92800010, _IMMEDIATE), (0xF2A00010, _IMMEDIATE), (0xF2C00010, _IMMEDIATE), (0xD61F0200, 0xFFFFFFFF))
"""`movn x16, #a; movk x16, #b, lsl 16; movk x16, #c, lsl 32; br x16`: each word, and its bits that are not operands."""


@dataclass(frozen=True)
class Entry:
    """How a function begins: with the bytes `code`.

    `target` is the address that its jump leads to, None if there is no jump. `is_understood` says that no jump can be
    elsewhere: what stands before the place for it, and at that place, is known. `is_hidden` says that a kprobe's
    breakpoint may have taken the place of a jump at the entry.
    """

    target: int | None
    is_understood: bool
    code: bytes
    is_hidden: bool = False


def read_entry(machine: str, address: int, code: bytes) -> Entry:
    """How the function at `address` begins. `code` has its first LENGTHS[machine] bytes."""
    target_at, site_of, hides = _HOW[machine]
    target = target_at(address, code)
    if target is not None:
        return Entry(target, True, code)
    site = site_of(code)
    behind = code[site:]
    target = target_at(address + site, behind) if site else None
    if target is not None:
        return Entry(target, True, code)
    return Entry(None, bool(site and not hides(behind)), code, is_hidden=hides(code))


def _x86_target(address: int, code: bytes) -> int | None:
    """The target of `jmp rel32`, which is relative to the next instruction."""
    return (address + 5 + struct.unpack_from("<i", code, 1)[0]) & WORD if code[0] == _JUMP else None


def _x86_site(code: bytes) -> int:
    """The length of what ftrace has at the entry: nop, its call, or either with a kprobe on it; 0 without that."""
    start = len(_ENDBR64) if code.startswith(_ENDBR64) else 0
    site = code[start : start + 5]
    return start + 5 if site in _NOPS or site[0] == _CALL or _is_probed_nop(site) else 0


def _is_probed_nop(code: bytes) -> bool:
    return code[0] == _INT3 and any(code[1:5] == nop[1:] for nop in _NOPS)


def _x86_hides(code: bytes) -> bool:
    """Whether a breakpoint has taken the place of an instruction that may be the jump: of its first byte."""
    return code[0] == _INT3 and not _is_probed_nop(code)


def _arm64_target(address: int, code: bytes) -> int | None:
    words = struct.unpack_from("<4I", code)
    return _branch(address, words[0]) or _far_jump(words)


def _arm64_site(code: bytes) -> int:
    """The length of what ftrace has at the entry: two words, each perhaps with a kprobe on it; 0 without that."""
    first, *words = struct.unpack_from("<3I", code)
    start = 4 if first == _BTI_C else 0
    saves, calls = words if start else (first, words[0])
    is_site = saves in (_NOP, _MOV_X9_X30, _BRK_OF_KPROBES) and (
        calls in (_NOP, _BRK_OF_KPROBES) or calls >> 26 == 0b100101
    )
    return start + 8 if is_site else 0


def _arm64_hides(code: bytes) -> bool:
    """Whether breakpoints have taken the place of instructions that may be the jump: of a near one, or in a far one."""
    words = struct.unpack_from("<4I", code)
    fits = (word == _BRK_OF_KPROBES or word & mask == kind for word, (kind, mask) in zip(words, _FAR_JUMP))
    return bool(words[0] == _BRK_OF_KPROBES) or all(fits)


def _branch(address: int, word: int) -> int | None:
    """The target of `b`, whose distance is 26 bits, signed, in words of 4 bytes; None for another instruction."""
    if word >> 26 != 0b000101:
        return None
    distance = word & 0x3FFFFFF
    if distance >> 25:
        distance -= 1 << 26
    return (address + 4 * distance) & WORD


def _far_jump(words: t.Sequence[int]) -> int | None:
    """The target of what _FAR_JUMP describes; None for other code."""
    if any(word & mask != kind for word, (kind, mask) in zip(words, _FAR_JUMP)):
        return None
    low, middle, high = (word >> 5 & 0xFFFF for word in words[:3])
    return 0xFFFF000000000000 | high << 32 | middle << 16 | (~low & 0xFFFF)


def _riscv_target(_address: int, code: bytes) -> int | None:
    return t.cast(int, struct.unpack_from("<Q", code, 16)[0]) if code.startswith(_RISCV_JUMP) else None


def _riscv_hides(code: bytes) -> bool:
    """Whether a breakpoint has taken the place of the first instruction: a kprobe's `ebreak` has two or four bytes."""
    return code.startswith(_RISCV_BREAKPOINTS)


def _no_site(_code: bytes) -> int:
    """No kernel is known that keeps instructions for ftrace there."""
    return 0


_HOW: dict[str, tuple[t.Callable[[int, bytes], int | None], t.Callable[[bytes], int], t.Callable[[bytes], bool]]] = {
    "x86_64": (_x86_target, _x86_site, _x86_hides),
    "aarch64": (_arm64_target, _arm64_site, _arm64_hides),
    "riscv64": (_riscv_target, _no_site, _riscv_hides),
}
