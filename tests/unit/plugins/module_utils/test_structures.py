# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The structures of hand-written modules: what is taken for a live patch, and what makes its functions unknown."""

from __future__ import annotations

import pathlib
import struct
import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile, SystemState
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    RELEASE,
    loaded,
    patch_file,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.tiny_module import (
    ENABLE,
    MODULE,
    Ref,
    TinyModule,
    Value,
)

LOOK_ALIKES = pathlib.Path(__file__).parent / "fixtures/look_alikes.ko"
FUNC, OBJECT, PATCH = 152, 168, 200
Entry = t.Dict[int, Value]


@pytest.fixture(name="module")
def fixture_module() -> TinyModule:
    return TinyModule()


def func(name: Value = "one", **more: Value) -> Entry:
    """A struct klp_func: old_name, new_func, old_sympos."""
    return {0: name, 8: more.get("code", TinyModule.code), 16: more.get("sympos", 0)}


def funcs(module: TinyModule, *entries: Entry, size: int = FUNC) -> Ref:
    return module.put(size, *(entries or (func(),)), {})


def objects(module: TinyModule, *entries: Entry) -> Ref:
    return module.put(OBJECT, *(entries or ({8: funcs(module)},)), {})


def patch(module: TinyModule, objs: Ref | None = None, replace: int = 0, **more: Value) -> Ref:
    fields: Entry = {0: more.get("mod", MODULE), 8: objs or objects(module), 16: more.get("states", 0), 24: replace}
    return module.put(PATCH, fields)


def read(module: TinyModule, tmp_path: pathlib.Path) -> PatchFile:
    modinfo = ("livepatch=Y", "name=fix", f"vermagic={RELEASE} SMP ")
    (tmp_path / "fix.ko").write_bytes(module.content(modinfo))
    return read_patch_file(str(tmp_path / "fix.ko"))


def names(file: PatchFile) -> list[str] | None:
    return None if file.functions is None else [str(function) for function in file.functions]


def test_the_patch_among_look_alikes_is_the_one_that_is_enabled() -> None:
    file = read_patch_file(str(LOOK_ALIKES))
    assert file.functions == (Function("vmlinux", "one", 1), Function("vmlinux", "two", 2))
    assert file.unnumbered == {Function("vmlinux", "one", 1)}
    assert file.replace is True


def test_a_replacing_patch_among_look_alikes_is_refused_beside_another(tmp_path: pathlib.Path) -> None:
    file = read_patch_file(str(LOOK_ALIKES))
    host = ModelHost(tmp_path, loaded(patch_file("livepatch_old", functions=(Function("vmlinux", "mid"),))))
    result = host.run(file.name, file=file, force_owner=True)
    assert (result["failed"], result["reason"]) == (True, "replaces_others")
    assert "livepatch_old" in result["cause"]
    assert host.stack == ["livepatch_old"]


def test_another_table_of_the_same_shape_is_not_taken(module: TinyModule, tmp_path: pathlib.Path) -> None:
    patch(module, objects(module, {8: funcs(module, func("reset"))}), replace=1)
    module.pass_to_enable(patch(module))
    file = read(module, tmp_path)
    assert (names(file), file.replace) == (["vmlinux/one,1"], False)


def test_a_patch_that_no_code_enables_is_unknown(module: TinyModule, tmp_path: pathlib.Path) -> None:
    patch(module)
    file = read(module, tmp_path)
    assert (file.functions, file.replace) == (None, None)


@pytest.mark.parametrize(
    ("instruction", "kind", "addend"),
    [
        (b"\x48\x8d\x3d\0\0\0\0", 2, -4),
        (b"\x48\x8b\x3d\0\0\0\0", 42, -4),
        (b"\x48\xc7\xc7\0\0\0\0", 11, 0),
        (b"\xbf\0\0\0\0", 10, 0),
    ],
    ids=["lea", "mov from the table of offsets", "mov", "mov of 32 bits"],
)
def test_the_argument_on_x86(
    module: TinyModule, tmp_path: pathlib.Path, instruction: bytes, kind: int, addend: int
) -> None:
    decoy = patch(module, objects(module, {8: funcs(module, func("reset"))}))
    wanted = patch(module)
    module.run(b"\x48\xc7\xc7\0\0\0\0", 11, decoy)
    module.run(b"\xe8\0\0\0\0", 4, MODULE, -4)
    module.run(instruction, kind, wanted, addend)
    # mov to rsi
    module.run(b"\x48\xc7\xc6\0\0\0\0", 11, decoy)
    module.pass_to_enable()
    assert names(read(module, tmp_path)) == ["vmlinux/one,1"]


def arm(word: int) -> bytes:
    return struct.pack("<I", word)


@pytest.mark.parametrize("by", ["itself", "anchor", "saved register"])
def test_the_argument_on_arm(tmp_path: pathlib.Path, by: str) -> None:
    module = TinyModule("aarch64")
    decoy = patch(module, objects(module, {8: funcs(module, func("reset"))}))
    wanted = patch(module)
    place, register = ((2, 0), 19) if by == "saved register" else (((2, 0), 0) if by == "anchor" else (wanted, 0))
    module.run(arm(0x90000000 | register), 275, place)
    module.run(arm(0x91000000 | register << 5 | register), 277, place)
    if by == "saved register":
        module.run(arm(0x94000000), 283, MODULE)
    if by != "itself":
        # add x0, xn, #imm, of which 12 bits may be shifted by as many
        assert wanted[1] < 1 << 12
        module.run(arm(0x91000000 | wanted[1] << 10 | register << 5))
    module.run(arm(0x91000000 | 1 << 5 | 1), 277, decoy)
    module.run(arm(0x94000000), 283, ENABLE)
    assert names(read(module, tmp_path)) == ["vmlinux/one,1"]


def test_an_argument_in_another_register_is_the_only_patch_of_that_code(
    module: TinyModule, tmp_path: pathlib.Path
) -> None:
    module.run(b"\x48\xc7\xc3\0\0\0\0", 11, module.put(16, {0: MODULE, 8: "text"}))
    module.run(b"\x48\xc7\xc3\0\0\0\0", 11, patch(module))
    module.pass_to_enable()
    assert names(read(module, tmp_path)) == ["vmlinux/one,1"]


def test_one_of_two_patches_is_unknown(module: TinyModule, tmp_path: pathlib.Path) -> None:
    module.run(b"\x48\xc7\xc3\0\0\0\0", 11, patch(module))
    module.run(b"\x48\xc7\xc3\0\0\0\0", 11, patch(module))
    module.pass_to_enable()
    assert names(read(module, tmp_path)) is None


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([func("one"), {}, func("three"), {}], ["vmlinux/one,1"]),
        ([func("one"), {}, func("three")], ["vmlinux/one,1"]),
        ([func("one"), func("two", sympos=3), {}, {}], ["vmlinux/one,1", "vmlinux/two,3"]),
        ([{}, func("two")], []),
        ([func("one")], None),
        ([func("one"), func("two")], None),
        ([func("one"), {0: "two"}, {}], None),
        ([{8: TinyModule.code}, {}], None),
        ([func(""), {}], None),
        ([func("1one"), {}], None),
        ([func("a b"), {}], None),
        ([func("\x01"), {}], None),
        ([func("a" * 511), {}], ["vmlinux/" + "a" * 511 + ",1"]),
        ([func("a" * 512), {}], None),
        ([func("one.isra.0"), {}], ["vmlinux/one.isra.0,1"]),
        ([func("one", code="text"), {}], None),
        ([func("one", sympos=1 << 40), {}], None),
        ([func("one", sympos="text"), {}], None),
    ],
)
def test_functions(
    module: TinyModule, tmp_path: pathlib.Path, entries: list[Entry], expected: list[str] | None
) -> None:
    module.pass_to_enable(patch(module, objects(module, {8: module.put(FUNC, *entries)})))
    file = read(module, tmp_path)
    assert names(file) == expected
    assert file.replace is (None if expected is None else False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (0, ["vmlinux/one,1"]),
        ("ext4", ["ext4/one,1"]),
        ("vmlinux", None),
        ("", None),
        ("a-b", None),
        ("a b", None),
        ("a" * 56, None),
        (TinyModule.code, None),
        (5, None),
    ],
)
def test_names_of_objects(module: TinyModule, tmp_path: pathlib.Path, name: Value, expected: list[str] | None) -> None:
    module.pass_to_enable(patch(module, objects(module, {0: name, 8: funcs(module)})))
    assert names(read(module, tmp_path)) == expected


def test_objects_end_at_the_zero_one(module: TinyModule, tmp_path: pathlib.Path) -> None:
    first, second, third = (funcs(module, func(name)) for name in ("one", "two", "three"))
    objs = module.put(OBJECT, {8: first}, {0: "ext4", 8: second, 16: TinyModule.code}, {}, {0: "xfs", 8: third}, {})
    module.pass_to_enable(patch(module, objs))
    assert names(read(module, tmp_path)) == ["ext4/two,1", "vmlinux/one,1"]


@pytest.mark.parametrize(
    "entries", [[{}, {}], [{0: "ext4"}, {}], [{8: "text"}, {}], [{8: TinyModule.code}, {}], [{8: 5}, {}]]
)
def test_no_objects(module: TinyModule, tmp_path: pathlib.Path, entries: list[Entry]) -> None:
    module.pass_to_enable(patch(module, module.put(OBJECT, *entries)))
    assert names(read(module, tmp_path)) is None


def test_a_patch_of_callbacks_alone_has_no_functions(module: TinyModule, tmp_path: pathlib.Path) -> None:
    module.pass_to_enable(patch(module, objects(module, {8: TinyModule.nothing, 16: TinyModule.code})))
    assert names(read(module, tmp_path)) == []


def test_objects_with_callbacks_alone_are_objects(module: TinyModule, tmp_path: pathlib.Path) -> None:
    """As in test_klp_callbacks_demo.c of the kernel's selftests, whose second object is a module without functions."""
    only_callbacks: Entry = {0: "ext4", 8: TinyModule.nothing, 16: TinyModule.code}
    module.pass_to_enable(patch(module, objects(module, only_callbacks, {8: funcs(module)})))
    file = read(module, tmp_path)
    assert (names(file), file.objects, file.targets) == (["vmlinux/one,1"], ("ext4", "vmlinux"), ("ext4",))


def states(module: TinyModule, *entries: Entry, spare: int = 24) -> Ref:
    return module.put(24, *entries, spare=spare)


STATES: dict[str, tuple[list[Entry], tuple[tuple[int, int], ...] | None]] = {
    "none": ([], ()),
    "one": ([{0: 1, 8: 2}], ((1, 2),)),
    "two": ([{0: 7, 8: 2}, {0: 1 << 40, 8: 0}], ((7, 2), (1 << 40, 0))),
    "up to the one without an id": ([{0: 7, 8: 2}, {8: 3}, {0: 8}], ((7, 2),)),
    "with data": ([{0: 7, 8: 2, 16: TinyModule.code}], ((7, 2),)),
    "an id that is a pointer": ([{0: TinyModule.code, 8: 2}], None),
    "a version that is a pointer": ([{0: 7, 8: TinyModule.code}], None),
}


@pytest.mark.parametrize("name", STATES)
def test_system_states(module: TinyModule, tmp_path: pathlib.Path, name: str) -> None:
    entries, expected = STATES[name]
    module.pass_to_enable(patch(module, states=states(module, *entries)))
    file = read(module, tmp_path)
    assert file.states == (None if expected is None else tuple(SystemState(*state) for state in expected))
    assert (names(file), file.replace) == (["vmlinux/one,1"], False)


def test_a_patch_without_states(module: TinyModule, tmp_path: pathlib.Path) -> None:
    module.pass_to_enable(patch(module))
    assert read(module, tmp_path).states == ()


def test_states_without_an_end_are_unknown(module: TinyModule, tmp_path: pathlib.Path) -> None:
    made = patch(module, states=(2, 0))
    module.pass_to_enable(made)
    # The section of data ends with the array.
    entry: Entry = {0: 1, 8: 1}
    end = module.put(24, entry, entry)
    module.move_pointer(made[1] + 16, end)
    assert read(module, tmp_path).states is None


@pytest.mark.parametrize("at", [0, 8])
def test_states_that_code_sets_are_unknown(module: TinyModule, tmp_path: pathlib.Path, at: int) -> None:
    section, start = states(module, {0: 1, 8: 1})
    # mov %eax, states+8(%rip)
    module.run(b"\x89\x05\0\0\0\0", 2, (section, start + at), -4)
    module.pass_to_enable(patch(module, states=(section, start)))
    file = read(module, tmp_path)
    assert (file.states, file.replace) == (None, False)


def test_states_of_a_patch_that_code_writes_to_are_unknown(module: TinyModule, tmp_path: pathlib.Path) -> None:
    made = patch(module, states=states(module, {0: 1, 8: 1}))
    # mov %rax, patch+16(%rip)
    module.run(b"\x48\x89\x05\0\0\0\0", 2, (made[0], made[1] + 16), -4)
    module.pass_to_enable(made)
    assert read(module, tmp_path).states is None


@pytest.mark.parametrize("fields", [{"mod": "text"}, {"mod": 0}, {"mod": TinyModule.code}, {"replace": 2}])
def test_what_cannot_be_a_patch(module: TinyModule, tmp_path: pathlib.Path, fields: dict[str, t.Any]) -> None:
    module.pass_to_enable(patch(module, **fields))
    file = read(module, tmp_path)
    assert (file.functions, file.replace) == (None, None)


def test_the_flag_of_kernels_without_states_is_unknown(module: TinyModule, tmp_path: pathlib.Path) -> None:
    module.pass_to_enable(patch(module, states=1))
    file = read(module, tmp_path)
    assert (names(file), file.replace) == (["vmlinux/one,1"], None)


def test_a_flag_that_code_sets_is_unknown(module: TinyModule, tmp_path: pathlib.Path) -> None:
    """As in the kernel's tools/testing/selftests/livepatch/test_modules/test_klp_atomic_replace.c."""
    made = patch(module)
    # mov %al, patch+24(%rip)
    module.run(b"\x88\x05\0\0\0\0", 2, (made[0], made[1] + 24), -4)
    module.pass_to_enable(made)
    file = read(module, tmp_path)
    assert (names(file), file.replace) == (["vmlinux/one,1"], None)


def test_states_beside_a_flag_that_code_sets(module: TinyModule, tmp_path: pathlib.Path) -> None:
    made = patch(module, states=states(module, {0: 1, 8: 2}))
    module.run(b"\x88\x05\0\0\0\0", 2, (made[0], made[1] + 24), -4)
    module.pass_to_enable(made)
    file = read(module, tmp_path)
    assert (file.states, file.replace) == ((SystemState(1, 2),), None)


def test_a_flag_that_is_a_parameter_is_unknown(module: TinyModule, tmp_path: pathlib.Path) -> None:
    made = patch(module)
    module.put(8, {0: (made[0], made[1] + 24)})
    module.pass_to_enable(made)
    assert read(module, tmp_path).replace is None


@pytest.mark.parametrize("what", ["functions", "objects", "patch"])
def test_what_code_fills_in_is_unknown(module: TinyModule, tmp_path: pathlib.Path, what: str) -> None:
    functions = funcs(module)
    objs = objects(module, {8: functions})
    made = patch(module, objs)
    section, start = {"functions": functions, "objects": objs, "patch": (made[0], made[1] + 8)}[what]
    # mov %rax, place(%rip)
    module.run(b"\x48\x89\x05\0\0\0\0", 2, (section, start), -4)
    module.pass_to_enable(made)
    assert names(read(module, tmp_path)) is None


def test_arrays_without_symbols(tmp_path: pathlib.Path) -> None:
    module = TinyModule(has_symbols=False)
    several = funcs(module, func("one"), func("two"), func("three"))
    alone = funcs(module, func("four"))
    module.pass_to_enable(patch(module, objects(module, {8: several}, {0: "ext4", 8: alone})))
    expected = ["ext4/four,1", "vmlinux/one,1", "vmlinux/three,1", "vmlinux/two,1"]
    assert names(read(module, tmp_path)) == expected


def test_a_task_with_unknown_functions_says_so(module: TinyModule, tmp_path: pathlib.Path) -> None:
    module.pass_to_enable(patch(module, objects(module, {8: funcs(module, func(""))})))
    file = read(module, tmp_path)
    task = Task(Wanted(file.name, State.ENABLED, file), str(tmp_path / "fix.ko"), check_mode=True)
    result = manage(task, ModelHost(tmp_path).kernel)
    assert (result["state"], result["patch"]["effective"]) == ("enabled", None)
    (finding,) = (finding for finding in result["findings"] if finding["reason"] == "symbols")
    assert finding["severity"] == "warn"
    assert "does not show which functions it replaces" in finding["cause"]


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"some_module\0", b"some module\0"), (b"\0one\0", b"\x001ne\0"), (b"\0two\0", b"\0\0\0\0\0")],
)
def test_impossible_names_in_a_module_of_kpatch_build(tmp_path: pathlib.Path, old: bytes, new: bytes) -> None:
    content = LOOK_ALIKES.with_name("openeuler_layout.ko").read_bytes()
    # The names of the section of strings come first; the same ones of symbols stay.
    assert old in content
    (tmp_path / "fix.ko").write_bytes(content.replace(old, new, 1))
    assert read_patch_file(str(tmp_path / "fix.ko")).functions is None


def test_an_entry_without_a_name_in_a_module_of_kpatch_build(tmp_path: pathlib.Path) -> None:
    content = LOOK_ALIKES.with_name("openeuler_layout.ko").read_bytes()
    # The relocation of the second entry's name is moved to where nothing is expected.
    name, elsewhere = (struct.pack("<QII", at, 1, 5) for at in (0x70, 0x88))
    assert content.count(name) == 1
    (tmp_path / "fix.ko").write_bytes(content.replace(name, elsewhere))
    assert read_patch_file(str(tmp_path / "fix.ko")).functions is None
