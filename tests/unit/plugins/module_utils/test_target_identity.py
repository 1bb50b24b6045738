# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A target module is more than its name: whole runs on a host with an out-of-tree, another or a built-in one."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile, TargetBuild
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions, read_conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.target import read_target
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import RELEASE, patch_file
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.shown_kernel import ShownKernel
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.tiny_module import TinyModule

FUNCTIONS = (Function("fuse", "cmdline_proc_show"), Function("fuse", "two", 2))
SYMBOLS = """\
ffffffffc0100000 t cmdline_proc_show\t[fuse]
ffffffffc0100100 t two\t[fuse]
ffffffffc0100200 t two\t[fuse]
"""
TARGET = TargetBuild("fuse", RELEASE + " SMP ", None, "533BB7E5866E52F63B9ACCB")


class KernelWithTarget(ShownKernel):
    """A kernel with the modules fuse, unless that is built in, and ext4, which came with the kernel."""

    taint: str | None = ""

    def conditions(self, release: str, name: str, functions: t.Iterable[Function]) -> Conditions:
        return read_conditions(self.files(), release, name, functions)

    def _show(self) -> None:
        super()._show()
        self._write("/proc/sys/kernel/ftrace_enabled", "1")
        if self.taint is None:
            self._write(f"/lib/modules/{RELEASE}/modules.builtin", "kernel/fs/fuse/fuse.ko\n")
            self._write(f"/lib/modules/{RELEASE}/modules.dep", "kernel/fs/xfs/xfs.ko:\n")
            self._write("/proc/kallsyms", "ffffffff81200040 t cmdline_proc_show\n")
            return
        others = pathlib.Path(self.root + "/proc/modules").read_text()
        self._write("/proc/modules", f"{others}fuse 163840 1 - Live 0x0000000000000000 {self.taint}\n")
        self._write("/proc/kallsyms", SYMBOLS)
        self._write("/sys/module/fuse/srcversion", "000000000000000000000")


class Host(ModelHost):
    kind = KernelWithTarget
    kernel: KernelWithTarget


def run(root: pathlib.Path, taint: str | None, abi: str = PER_TASK, **changes: t.Any) -> tuple[Host, dict[str, t.Any]]:
    host = Host(root, abi=abi)
    host.kernel.taint = taint
    return host, host.run("fix", State.ENABLED, patch_file("fix", abi=abi, functions=FUNCTIONS, **changes))


def found(result: dict[str, t.Any]) -> list[tuple[str, str]]:
    return [
        (finding["severity"], finding["cause"])
        for finding in result["findings"]
        if finding["reason"].startswith("target_")
    ]


@pytest.mark.parametrize(
    ("taint", "says"),
    [("(OE)", "out-of-tree build of that name"), ("(E)", "is not signed"), ("(O)", "out-of-tree build of that name")],
)
def test_an_out_of_tree_module_of_the_targets_name_is_warned_about(
    tmp_path: pathlib.Path, taint: str, says: str
) -> None:
    host, result = run(tmp_path, taint)
    assert (host.stack, result["state"]) == (["fix"], "enabled")
    ((severity, cause),) = found(result)
    assert severity == "warn"
    assert f"The loaded module fuse {'is not signed' if taint == '(E)' else 'is an out-of-tree build'}" in cause
    assert says in cause


def test_the_kernels_own_module_is_nothing_to_tell(tmp_path: pathlib.Path) -> None:
    host, result = run(tmp_path, "")
    assert (host.stack, found(result)) == (["fix"], [])


@pytest.mark.parametrize(("srcversion", "warned"), [("000000000000000000000", False), (TARGET.srcversion, True)])
def test_the_build_that_the_manifest_names(tmp_path: pathlib.Path, srcversion: str, warned: bool) -> None:
    target = TargetBuild("fuse", TARGET.vermagic, None, srcversion)
    _host, result = run(tmp_path, "(OE)", made_for=(target,))
    assert bool(found(result)) is warned
    assert not warned or "made for a build of fuse with srcversion 533BB7E5866E52F63B9ACCB" in found(result)[0][1]


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_a_target_that_is_built_in_is_refused_and_said_to_be_so(tmp_path: pathlib.Path, abi: str) -> None:
    host, result = run(tmp_path, None, abi)
    assert (result["failed"], result["reason"], host.stack) == (True, "target_built_in", [])
    assert "built into this kernel" in result["cause"]
    assert "vmlinux" in result["remedy"]
    assert "Nothing needs to be done" not in json.dumps(result)


def test_what_a_file_was_made_for_travels_to_the_host_and_older_records_lack_it() -> None:
    file = patch_file(made_for=(TARGET,))
    plain = json.loads(json.dumps(file.to_dict()))
    assert PatchFile.from_dict(plain) == file
    del plain["made_for"]
    assert PatchFile.from_dict(plain).made_for == ()


@pytest.mark.parametrize(
    ("made_for", "expected"),
    [
        ([{"name": "fuse", "vermagic": "6.1.0 SMP ", "build_id": None, "srcversion": "AB"}], 1),
        ([{"name": "fuse", "vermagic": None, "build_id": None, "srcversion": "AB"}], 0),
        ([{"name": "fuse"}], 0),
        (["default"], 0),
        ("fuse", 0),
        (None, 0),
    ],
)
def test_the_manifest_tells_which_build_a_patch_was_made_for(
    tmp_path: pathlib.Path, made_for: t.Any, expected: int
) -> None:
    pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")
    path = tmp_path / "fix.ko"
    path.write_bytes(TinyModule().content())
    manifest = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "made_for": made_for}
    (tmp_path / "fix.ko.json").write_text(json.dumps(manifest))
    assert len(read_patch_file(str(path)).made_for) == expected
    assert len(read_file_info(str(path))["made_for"]) == expected


def test_which_build_a_module_file_is(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")
    path = tmp_path / "my-module.ko"
    path.write_bytes(TinyModule().content(["vermagic=6.1.0 SMP ", "srcversion=AB"]))
    assert read_target(str(path)) == TargetBuild("my_module", "6.1.0 SMP", None, "AB")
    for content in (b"text", TinyModule().content(["srcversion=AB"])):
        path.write_bytes(content)
        assert read_target(str(path)) is None
