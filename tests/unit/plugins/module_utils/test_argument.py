# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which patch code enables: what the instructions before the call prove, and what they leave unknown."""

from __future__ import annotations

import pathlib
import struct
import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.tiny_module import (
    ENABLE,
    MODULE,
    Ref,
    TinyModule,
    Value,
)

CODE = TinyModule.code[0]
# The first instruction of a TinyModule is there.
START = 16
LOAD_RDI, LOAD_RAX, LOAD_RBX = b"\x48\xc7\xc7\0\0\0\0", b"\x48\xc7\xc0\0\0\0\0", b"\x48\xc7\xc3\0\0\0\0"


class Patches(TinyModule):
    """A module with two patches, of which each replaces one function."""

    def __init__(self, machine: str = "x86_64") -> None:
        super().__init__(machine)
        self.first, self.second = self.patch("one"), self.patch("other")

    def patch(self, name: Value) -> Ref:
        functions = self.put(152, {0: name, 8: TinyModule.code}, {})
        return self.put(200, {0: MODULE, 8: self.put(168, {8: functions}, {})})

    def load(self, place: Ref, code: bytes = LOAD_RDI) -> None:
        self.run(code, 11, place)

    def enable(self) -> None:
        self.run(b"\xe8\0\0\0\0", 4, ENABLE, -4)

    def read(self, folder: pathlib.Path) -> tuple[list[str] | None, bool | None]:
        (folder / "fix.ko").write_bytes(self.content())
        file = read_patch_file(str(folder / "fix.ko"))
        return None if file.functions is None else [function.name for function in file.functions], file.replace


FIRST, UNKNOWN = (["one"], False), (None, None)

X86: dict[str, tuple[bytes, bool]] = {
    "nothing": (b"", True),
    "nop": (b"\x90\x66\x90\x0f\x1f\x00\x0f\x1f\x44\x00\x00", True),
    "pop of rbx, r12 and r15, leave": (b"\x5b\x41\x5c\x41\x5f\xc9", True),
    "start of the frame": (b"\x55\x48\x89\xe5\x48\x83\xec\x08", True),
    "pop of rdi": (b"\x5f", False),
    "cmovne rdi, rax": (b"\x48\x0f\x45\xf8", False),
    "mov to rdi": (b"\x48\x89\xc7", False),
    "mov from memory": (b"\x48\x8b\x3b", False),
    "lea": (b"\x48\x8d\x7f\x08", False),
    "mov to a part of the patch": (b"\xc6\x47\x18\x01", False),
    "call": (b"\xff\xd0", False),
}


@pytest.mark.parametrize("name", X86)
def test_instructions_after_the_load_on_x86(tmp_path: pathlib.Path, name: str) -> None:
    code, is_proven = X86[name]
    module = Patches()
    module.load(module.second, LOAD_RAX)
    module.load(module.first)
    if code:
        module.run(code)
    module.enable()
    assert module.read(tmp_path) == (FIRST if is_proven else UNKNOWN)


@pytest.mark.parametrize("jump", [b"\xeb\x0c", b"\x74\x0c", b"\xe9\x0c\0\0\0", b"\x0f\x85\x0c\0\0\0"])
def test_a_jump_over_the_load_on_x86(tmp_path: pathlib.Path, jump: bytes) -> None:
    module = Patches()
    module.load(module.second)
    module.run(jump)
    module.run(b"\xe8\0\0\0\0", 4, MODULE, -4)
    module.load(module.first)
    module.enable()
    assert module.read(tmp_path) == UNKNOWN


@pytest.mark.parametrize("back", [b"\xeb\xf2", b"\xe9\xef\xff\xff\xff"])
def test_a_jump_back_behind_the_load_on_x86(tmp_path: pathlib.Path, back: bytes) -> None:
    module = Patches()
    module.load(module.first)
    module.enable()
    module.load(module.second)
    module.run(back)
    assert module.read(tmp_path) == UNKNOWN


def test_a_jump_that_a_table_names(tmp_path: pathlib.Path) -> None:
    module = Patches()
    module.load(module.second, LOAD_RAX)
    module.load(module.first)
    module.enable()
    module.put(8, {0: (CODE, START + 14)})
    assert module.read(tmp_path) == UNKNOWN


def test_a_table_that_names_the_start_of_the_function(tmp_path: pathlib.Path) -> None:
    """As .eh_frame does, by the distance from the entry of the table."""
    module = Patches()
    module.load(module.first)
    module.enable()
    at = module.put(8, {0: (CODE, START)})[1]
    module.make_difference(at)
    assert module.read(tmp_path) == FIRST


@pytest.mark.parametrize("jump", [b"\xff\xe0", b"\xff\x24\xc5\0\0\0\0"])
def test_a_jump_by_register_on_x86(tmp_path: pathlib.Path, jump: bytes) -> None:
    module = Patches()
    module.load(module.second, LOAD_RAX)
    module.run(jump)
    module.load(module.first)
    module.enable()
    assert module.read(tmp_path) == UNKNOWN


def test_a_pointer_in_memory_shows_no_patch(tmp_path: pathlib.Path) -> None:
    module = Patches()
    chosen = module.put(8, {0: module.first})
    module.load(module.second, LOAD_RAX)
    module.run(b"\x48\x89\x05\0\0\0\0", 2, chosen, -4)
    module.run(b"\x48\x8b\x3d\0\0\0\0", 2, chosen, -4)
    module.enable()
    assert module.read(tmp_path) == UNKNOWN


def test_r15_is_not_the_argument(tmp_path: pathlib.Path) -> None:
    module = Patches()
    module.load(module.second, LOAD_RAX)
    module.run(b"\x41\xbf\0\0\0\0", 10, module.first)
    module.enable()
    assert module.read(tmp_path) == UNKNOWN


def test_another_patch_of_the_module_may_be_the_argument(tmp_path: pathlib.Path) -> None:
    """As in a function that is given the patch, and compares it with one."""
    module = Patches()
    module.load(module.first, LOAD_RBX)
    module.enable()
    assert module.read(tmp_path) == UNKNOWN


def test_the_flag_of_the_only_patch_is_unknown_if_the_argument_is_not_proven(tmp_path: pathlib.Path) -> None:
    only = TinyModule()
    functions = only.put(152, {0: "one", 8: TinyModule.code}, {})
    made = only.put(200, {0: MODULE, 8: only.put(168, {8: functions}, {})})
    only.run(LOAD_RBX, 11, made)
    # mov %al, patch+24(%rip)
    only.run(b"\x88\x05\0\0\0\0", 2, (made[0], made[1] + 24), -4)
    only.pass_to_enable()
    assert Patches.read(t.cast(Patches, only), tmp_path) == (["one"], None)


def test_a_second_call_with_an_unknown_argument(tmp_path: pathlib.Path) -> None:
    module = Patches()
    module.load(module.first)
    module.enable()
    module.put(8, {0: ENABLE})
    assert module.read(tmp_path) == UNKNOWN


def test_two_calls_with_two_patches_of_which_one_is_filled_at_run_time(tmp_path: pathlib.Path) -> None:
    module = Patches()
    module.load(module.first)
    module.enable()
    module.load(module.put(200, {}))
    module.enable()
    assert module.read(tmp_path) == UNKNOWN


def test_a_name_that_may_be_written_to_is_unknown(tmp_path: pathlib.Path) -> None:
    module = Patches()
    module.load(module.patch(module.put(8, {0: int.from_bytes(b"two", "little")})))
    module.enable()
    assert module.read(tmp_path) == UNKNOWN


def test_an_argument_at_the_end_of_its_section_is_no_damage(tmp_path: pathlib.Path) -> None:
    module = Patches()
    module.load(module.put(16, {0: MODULE, 8: module.first}))
    module.enable()
    assert module.read(tmp_path) == UNKNOWN


def arm(module: TinyModule, *words: int) -> None:
    for word in words:
        module.run(struct.pack("<I", word))


def arm_load(module: TinyModule, place: Ref, register: int = 0) -> None:
    module.run(struct.pack("<I", 0x90000000 | register), 275, place)
    module.run(struct.pack("<I", 0x91000000 | register << 5 | register), 277, place)


def arm_enable(module: TinyModule) -> None:
    module.run(struct.pack("<I", 0x94000000), 283, ENABLE)


ARM: dict[str, tuple[list[int], bool]] = {
    "nothing": ([], True),
    "nop, mov x29, sp": ([0xD503201F, 0x910003FD], True),
    "ldr x19, ldp x29, x30": ([0xF9400BF3, 0xA8C27BFD], True),
    "cmp and b.ne": ([0x7100003F, 0x54000001 | 8 << 5], True),
    "csel x0, x0, x1, ne": ([0x9A811000], False),
    "mov x0, x2": ([0xAA0203E0], False),
    "movz x0": ([0xD2800000], False),
    "movk x0": ([0xF2A00020], False),
    "sub x0, x0, #8": ([0xD1002000], False),
    "ldr x0, [x1]": ([0xF9400020], False),
    "strb w2, [x0, #24]": ([0x39006002], False),
    "bl": ([0x94000000 | 64], False),
    "blr x3": ([0xD63F0060], False),
    "br x3": ([0xD61F0060], False),
    "brk": ([0xD4210000], False),
}


@pytest.mark.parametrize("name", ARM)
def test_instructions_after_the_load_on_arm(tmp_path: pathlib.Path, name: str) -> None:
    words, is_proven = ARM[name]
    module = Patches("aarch64")
    arm_load(module, module.second, 1)
    arm_load(module, module.first)
    arm(module, *words)
    arm_enable(module)
    assert module.read(tmp_path) == (FIRST if is_proven else UNKNOWN)


@pytest.mark.parametrize(
    "jump",
    # b, cbz, b.ne and tbz over one call and two instructions
    [0x14000004, 0x34000081, 0x54000081, 0x36000081],
)
def test_a_jump_over_the_load_on_arm(tmp_path: pathlib.Path, jump: int) -> None:
    module = Patches("aarch64")
    arm_load(module, module.second)
    arm(module, jump)
    module.run(struct.pack("<I", 0x94000000), 283, MODULE)
    arm_load(module, module.first)
    arm_enable(module)
    assert module.read(tmp_path) == UNKNOWN


def test_a_jump_back_behind_the_load_on_arm(tmp_path: pathlib.Path) -> None:
    module = Patches("aarch64")
    arm_load(module, module.first)
    arm_enable(module)
    arm_load(module, module.second)
    arm(module, 0x14000000 | (1 << 26) - 3)
    assert module.read(tmp_path) == UNKNOWN


def test_the_page_of_one_place_is_not_completed_by_another(tmp_path: pathlib.Path) -> None:
    module = Patches("aarch64")
    module.run(struct.pack("<I", 0x90000000), 275, module.second)
    module.run(struct.pack("<I", 0x91000000), 277, module.first)
    arm_enable(module)
    assert module.read(tmp_path) == UNKNOWN


def test_a_flag_that_is_set_by_register_is_unknown_on_arm(tmp_path: pathlib.Path) -> None:
    module = TinyModule("aarch64")
    functions = module.put(152, {0: "one", 8: TinyModule.code}, {})
    arm_load(module, module.put(200, {0: MODULE, 8: module.put(168, {8: functions}, {})}))
    # strb w2, [x0, #24]
    arm(module, 0x39006002)
    arm_enable(module)
    assert Patches.read(t.cast(Patches, module), tmp_path) == (["one"], None)
