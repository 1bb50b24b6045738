# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of modules that the kernel's own klp-build has made."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    PatchFileError,
    read_patch_file,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.tiny_module import (
    Ref,
    TinyModule,
    Value,
)

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
OBJECT, FUNC = 64, 24
Entry = t.Dict[int, Value]


class Tables:
    """A module with the tables of klp-build."""

    def __init__(self) -> None:
        self.module = TinyModule()
        self._functions = self.module.section(".init.klp_funcs")
        self._objects = self.module.section(".init.klp_objects")

    def functions(self, *entries: Entry) -> Ref:
        return self.module.put(FUNC, *entries, section=self._functions)

    def objects(self, *entries: Entry, spare: int = 0) -> None:
        self.module.put(OBJECT, *entries, spare=spare, section=self._objects)

    def write(self, folder: pathlib.Path) -> str:
        path = folder / "fix.ko"
        path.write_bytes(self.module.content(("livepatch=Y", "name=fix", "vermagic=7.3.4 SMP ")))
        return str(path)


@pytest.fixture(name="tables")
def fixture_tables() -> Tables:
    return Tables()


def func(name: Value = "one", sympos: int = 0, **more: Value) -> Entry:
    return {0: name, 8: more.get("code", TinyModule.code), 16: sympos}


def test_objects_and_functions(tables: Tables, tmp_path: pathlib.Path) -> None:
    tables.module.function("new_one", (1, 0), 13)
    first = tables.functions(func("two", 2), func("one"))
    second = tables.functions(func("ext", code=(1, 8)))
    tables.objects({8: first, 56: 2}, {0: "hello", 8: second, 56: 1})
    info = read_file_info(tables.write(tmp_path))
    assert (info["builder"], info["abi"], info["enables_itself"]) == ("klp-build", PER_TASK, True)
    assert (info["replace"], info["states"], info["hooks"], info["callbacks"]) == (None, (), [], [])
    assert info["objects"] == ("vmlinux", "hello")
    shown = [(entry["object"], entry["name"], entry["sympos"], entry["numbered"]) for entry in info["functions"]]
    assert shown == [("hello", "ext", 1, False), ("vmlinux", "one", 1, False), ("vmlinux", "two", 2, True)]
    assert [(entry["new_size"], entry["old_size"]) for entry in info["functions"]] == [
        (None, None),
        (13, None),
        (13, None),
    ]


def test_callbacks_and_an_object_that_has_nothing_else(tables: Tables, tmp_path: pathlib.Path) -> None:
    code = TinyModule.code
    tables.objects({8: tables.functions(func()), 16: code, 56: 1}, {0: "hello", 40: code})
    info = read_file_info(tables.write(tmp_path))
    assert info["callbacks"] == ["pre_patch", "post_unpatch"]
    assert info["objects"] == ("vmlinux", "hello")
    assert [entry["name"] for entry in info["functions"]] == ["one"]


def test_the_manifest_says_whether_it_replaces(tables: Tables, tmp_path: pathlib.Path) -> None:
    tables.objects({8: tables.functions(func()), 56: 1})
    path = tables.write(tmp_path)
    manifest = {"sha256": read_patch_file(path).sha256, "replace": False}
    pathlib.Path(path + ".json").write_text(json.dumps(manifest), encoding="utf-8")
    assert read_patch_file(path).replace is False


@pytest.mark.parametrize(
    "entries",
    [
        [{0: "hello", 8: "text", 56: 1}],
        [{56: 1}],
        [{0: "../hello", 8: "first", 56: 1}],
        [{0: "__this_module", 8: "first", 56: 1}],
        [{8: "unnamed", 56: 1}],
        [{8: "no code", 56: 1}],
        [{8: "klp_enable_patch", 56: 1}],
    ],
    ids=["no table", "no pointer", "a path", "no text", "no name", "no code", "another's table"],
)
def test_tables_that_cannot_be_such(tables: Tables, tmp_path: pathlib.Path, entries: list[Entry]) -> None:
    places: dict[str, Ref] = {
        "first": tables.functions(func()),
        "unnamed": tables.functions({8: TinyModule.code}),
        "no code": tables.functions({0: "one"}),
    }
    for entry in entries:
        filled: Entry = {at: places.get(str(value), value) for at, value in entry.items()}
        tables.objects(filled)
    file = read_patch_file(tables.write(tmp_path))
    assert (file.builder, file.functions, file.objects) == ("klp-build", None, None)


def test_a_table_with_a_rest(tables: Tables, tmp_path: pathlib.Path) -> None:
    tables.objects({8: tables.functions(func()), 56: 1}, spare=8)
    with pytest.raises(PatchFileError) as caught:
        read_patch_file(tables.write(tmp_path))
    assert caught.value.finding.reason == "damaged_file"


def test_more_functions_than_the_table_has(tables: Tables, tmp_path: pathlib.Path) -> None:
    tables.objects({8: tables.functions(func()), 56: (1 << 32) - 1})
    assert read_patch_file(tables.write(tmp_path)).functions is None


def test_objects_that_share_one_long_table_are_refused(tables: Tables, tmp_path: pathlib.Path) -> None:
    functions = tables.functions(*(func() for _number in range(2000)))
    entry: Entry = {8: functions, 56: 2000}
    tables.objects(*[entry] * 60)
    with pytest.raises(PatchFileError) as caught:
        read_patch_file(tables.write(tmp_path))
    assert caught.value.finding.reason == "too_big"


def test_functions_are_those_that_a_host_will_show(tables: Tables, tmp_path: pathlib.Path) -> None:
    tables.objects({8: tables.functions(func("cmdline_proc_show")), 56: 1})
    file = read_patch_file(tables.write(tmp_path))
    assert file.functions == (Function("vmlinux", "cmdline_proc_show", 1),)
    assert file.unnumbered == set(file.functions)


def test_a_file_laid_out_as_klp_build_does() -> None:
    """Sections, symbols and relocations as an assembler makes them, with those that klp-build adds."""
    info = read_file_info(str(FIXTURES / "klp_build_layout.ko"))
    assert (info["builder"], info["abi"], info["replace"], info["srcversion"]) == ("klp-build", PER_TASK, None, None)
    shown = [(entry["object"], entry["name"], entry["sympos"], entry["numbered"]) for entry in info["functions"]]
    assert shown == [("some_module", "in_module", 2, True), ("vmlinux", "version_proc_show", 1, False)]
    assert [entry["new_size"] for entry in info["functions"]] == [2, 6]
    assert info["callbacks"] == ["pre_patch", "post_unpatch"]
    assert info["objects"] == ("vmlinux", "some_module")
    assert info["relocations"] == [{"object": "vmlinux", "name": "seq_printf_of_it", "sympos": 2}]
    assert info["long_symbols"] is False


def test_a_file_that_klp_build_has_made() -> None:
    """Built by klp-build, objtool and kbuild of Linux 7.3.4 with --no-replace; debug information removed.

    The kernel that it is for was linked of four objects of a small one, with fs/proc/version.o twice in it, so that
    version_proc_show is no unique name there. The patch changes what /proc/cmdline and /proc/version show, and has two
    callbacks.
    """
    info = read_file_info(str(FIXTURES / "klp_build_two.ko"))
    assert (info["builder"], info["name"], info["srcversion"]) == ("klp-build", "livepatch_two", None)
    assert (info["replace"], info["states"], info["enables_itself"]) == (None, (), True)
    shown = [(entry["name"], entry["sympos"], entry["numbered"], entry["new_size"]) for entry in info["functions"]]
    assert shown == [("cmdline_proc_show", 1, False, 43), ("version_proc_show", 1, True, 78)]
    assert info["callbacks"] == ["pre_patch", "post_unpatch"]
    assert info["objects"] == ("vmlinux",)
    assert [entry["name"] for entry in info["relocations"]] == ["linux_proc_banner", "const_current_task"]
    assert info["modinfo"]["description"] == "Livepatch module"
