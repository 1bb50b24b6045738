# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Code that has the address of a live patch: what may write its replace flag, and what leaves it alone.

The instructions are those that gcc 12 and 14 make of `patch.replace = replace` and the like, in another order here and
there.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import struct

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.tiny_module import (
    ENABLE,
    GET_STATE,
    MODULE,
    UNREGISTER,
    Ref,
    TinyModule,
)

DATA = 2


class Enabling(TinyModule):
    """A module with a number at the start of its data, and a patch behind it that replaces one function."""

    def __init__(self, machine: str) -> None:
        super().__init__(machine)
        self.number = self.put(32, {})
        functions = self.put(152, {0: "one", 8: TinyModule.code}, {})
        self.made = self.put(200, {0: MODULE, 8: self.put(168, {8: functions}, {})})

    def read(self, folder: pathlib.Path) -> tuple[int | None, bool | None]:
        """How many functions the file shows, and its flag."""
        (folder / "fix.ko").write_bytes(self.content())
        file = read_patch_file(str(folder / "fix.ko"))
        return None if file.functions is None else len(file.functions), file.replace


class X86(Enabling):
    def __init__(self) -> None:
        super().__init__("x86_64")

    def load(self, register: int, place: Ref | None = None) -> None:
        self.run(b"\x48\xc7" + bytes([0xC0 + register]) + bytes(4), 11, place or self.made)

    def call(self, name: str, opcode: bytes = b"\xe8") -> None:
        self.run(opcode + bytes(4), 4, name, -4)

    def enable(self) -> None:
        self.load(7)
        self.call(ENABLE)


@pytest.mark.parametrize("register", [0, 3])
def test_a_flag_that_is_stored_through_another_register(tmp_path: pathlib.Path, register: int) -> None:
    module = X86()
    module.load(register)
    # movb $1, 24(%rax or %rbx)
    module.run(bytes([0xC6, 0x40 + register, 24, 1]))
    module.enable()
    assert module.read(tmp_path) == (1, None)


def test_a_flag_that_another_function_stores(tmp_path: pathlib.Path) -> None:
    module = X86()
    module.enable()
    module.load(0)
    module.run(b"\xc6\x40\x18\x01\xc3")
    assert module.read(tmp_path) == (1, None)


def test_a_patch_that_is_given_to_a_function_of_the_module(tmp_path: pathlib.Path) -> None:
    module = X86()
    module.load(7)
    module.call(MODULE)
    module.enable()
    assert module.read(tmp_path) == (1, None)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_patch_to_which_data_points(tmp_path: pathlib.Path, machine: str) -> None:
    module: X86 | Arm = X86() if machine == "x86_64" else Arm()
    module.put(8, {0: module.made})
    module.enable()
    assert module.read(tmp_path) == (1, None)


def test_a_patch_to_which_code_copies(tmp_path: pathlib.Path) -> None:
    module = X86()
    # mov %rax, patch(%rip)
    module.run(b"\x48\x89\x05\0\0\0\0", 2, module.made, -4)
    module.enable()
    assert module.read(tmp_path) == (1, None)


def test_what_asks_for_a_state_or_unregisters_the_patch_leaves_the_flag_alone(tmp_path: pathlib.Path) -> None:
    """As in test_klp_state.c of the kernel's selftests, and in the samples of openEuler's kernels."""
    module = X86()
    module.load(7)
    module.run(b"\xbe\x01\0\0\0")
    module.call(GET_STATE)
    module.run(b"\x48\x85\xc0\x74\x00")
    module.enable()
    module.load(7)
    module.call(UNREGISTER, b"\xe9")
    assert module.read(tmp_path) == (1, False)


def test_stores_to_other_places_before_the_call(tmp_path: pathlib.Path) -> None:
    """As in test_klp_syscall.c of the kernel's selftests: mov %eax, number(%rip) behind the load of rdi."""
    module = X86()
    module.load(7)
    module.run(b"\x85\xc0")
    module.run(b"\x89\x05\0\0\0\0", 2, module.number, -4)
    module.call(ENABLE)
    assert module.read(tmp_path) == (1, False)


def test_a_flag_that_is_set_by_a_condition(tmp_path: pathlib.Path) -> None:
    """As in test_klp_atomic_replace.c of the kernel's selftests: test, setne patch+24(%rip) behind the load of rdi."""
    module = X86()
    module.load(7)
    module.run(b"\x85\xc0")
    module.run(b"\x0f\x95\x05\0\0\0\0", 2, (module.made[0], module.made[1] + 24), -4)
    module.call(ENABLE, b"\xe9")
    assert module.read(tmp_path) == (1, None)


def test_too_many_calls_with_a_patch(tmp_path: pathlib.Path) -> None:
    module = X86()
    for _number in range(16):
        module.load(7)
        module.call(GET_STATE)
    module.enable()
    assert module.read(tmp_path) == (1, None)


class Arm(Enabling):
    def __init__(self) -> None:
        super().__init__("aarch64")

    def word(self, *words: int) -> None:
        for word in words:
            self.run(struct.pack("<I", word))

    def load(self, register: int, place: Ref | None = None, page: int | None = None) -> None:
        place = place or self.made
        page = register if page is None else page
        self.run(struct.pack("<I", 0x90000000 | page), 275, place)
        self.run(struct.pack("<I", 0x91000000 | page << 5 | register), 277, place)

    def call(self, name: str, opcode: int = 0x94000000) -> None:
        self.run(struct.pack("<I", opcode), 283 if opcode == 0x94000000 else 282, name)

    def enable(self) -> None:
        self.load(0)
        self.call(ENABLE)


STRB_W2 = 0x39000002
RET = 0xD65F03C0

USING: dict[str, list[int]] = {
    "strb w2, [x19, #24]": [STRB_W2 | 24 << 10 | 19 << 5],
    "mov x3, x19; strb w2, [x3, #24]": [0xAA1303E3, STRB_W2 | 24 << 10 | 3 << 5],
    "add x3, x19, #24; strb w2, [x3]": [0x91000000 | 24 << 10 | 19 << 5 | 3, STRB_W2 | 3 << 5],
    "str x2, [x19, #24]": [0xF9000002 | 3 << 10 | 19 << 5],
    "stp x2, x3, [x19, #16]": [0xA9000C02 | 2 << 15 | 19 << 5],
    "sturb w2, [x19, #24]": [0x38000002 | 24 << 12 | 19 << 5],
    "sub x3, x19, #8": [0xD1002000 | 19 << 5 | 3],
    "str x19, [sp]": [0xF90003F3],
    "stp x2, x19, [sp]": [0xA9004FE2],
    "csel x0, x19, x1, ne": [0x9A811260],
    "b.ne behind the next; strb w2, [x19, #24]": [0x54000041, 0xD503201F, STRB_W2 | 24 << 10 | 19 << 5],
    "mov x0, x19; bl": [0xAA1303E0, 0x94000000 | 64],
    "mov x1, x19; blr x3": [0xAA1303E1, 0xD63F0060],
    "mov x0, x19; ret": [0xAA1303E0, RET],
}

LEAVING_ALONE: dict[str, list[int]] = {
    "nothing": [],
    "ldr x2, [x19]": [0xF9400000 | 19 << 5 | 2],
    "mov x19, x2; strb w2, [x19, #24]": [0xAA0203F3, STRB_W2 | 24 << 10 | 19 << 5],
    "strb w2, [sp, #24]": [STRB_W2 | 24 << 10 | 31 << 5],
    "cbz w2; ret": [0x34000042, RET],
}


@pytest.mark.parametrize("name", [*USING, *LEAVING_ALONE])
def test_instructions_with_the_address_on_arm(tmp_path: pathlib.Path, name: str) -> None:
    """They stand behind the call, in what may be another function."""
    module = Arm()
    module.enable()
    module.load(19)
    module.word(*({**USING, **LEAVING_ALONE})[name])
    assert module.read(tmp_path) == (1, None if name in USING else False)


@pytest.mark.parametrize(("at", "is_flag"), [(24, True), (16, True), (32, False), (-1, False)])
def test_a_store_by_the_address_of_something_else_on_arm(tmp_path: pathlib.Path, at: int, is_flag: bool) -> None:
    """gcc counts from one anchor to all that a module's source has in its data."""
    module = Arm()
    module.enable()
    module.load(1, (DATA, 0))
    module.word(STRB_W2 | (module.made[1] + at) << 10 | 1 << 5)
    assert module.read(tmp_path) == (1, None if is_flag else False)


def test_an_address_of_which_the_page_was_made_elsewhere_on_arm(tmp_path: pathlib.Path) -> None:
    module = Arm()
    module.enable()
    module.run(struct.pack("<I", 0x91000000 | 20 << 5 | 19), 277, module.made)
    module.word(STRB_W2 | 24 << 10 | 19 << 5)
    assert module.read(tmp_path) == (1, None)


def test_another_use_of_the_address_on_arm(tmp_path: pathlib.Path) -> None:
    module = Arm()
    module.enable()
    # R_AARCH64_LDST64_ABS_LO12_NC of str x2, [x19]
    module.run(struct.pack("<I", 0xF9000262), 286, module.made)
    assert module.read(tmp_path) == (1, None)


def test_what_asks_for_a_state_leaves_the_flag_alone_on_arm(tmp_path: pathlib.Path) -> None:
    module = Arm()
    module.load(0)
    module.word(0xD2800021)
    module.call(GET_STATE)
    module.word(0xB4000040, 0xF9000802)
    module.enable()
    module.load(0)
    module.call(UNREGISTER, 0x14000000)
    assert module.read(tmp_path) == (1, False)


def test_a_second_argument_is_no_argument_on_arm(tmp_path: pathlib.Path) -> None:
    module = Arm()
    module.enable()
    module.load(1)
    module.call(GET_STATE)
    assert module.read(tmp_path) == (1, None)


@pytest.mark.parametrize(
    ("is_stored", "said", "expected"),
    [
        (True, True, True),
        (True, False, False),
        (True, None, None),
        (False, False, False),
        (False, True, None),
        (False, "yes", False),
    ],
)
def test_the_manifest_tells_of_a_flag_that_code_stores(
    tmp_path: pathlib.Path, is_stored: bool, said: object, expected: bool | None
) -> None:
    """Where it contradicts what the file shows, neither is believed."""
    module = X86()
    if is_stored:
        module.load(0)
        module.run(b"\xc6\x40\x18\x01")
    module.enable()
    sha256 = hashlib.sha256(module.content()).hexdigest()
    (tmp_path / "fix.ko.json").write_text(json.dumps({"sha256": sha256, "replace": said}))
    assert module.read(tmp_path) == (1, expected)
