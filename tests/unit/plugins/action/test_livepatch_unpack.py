# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The patches of a directory of packages: stand-ins of openEuler's, see rpm_writer.py. Ansible itself is replaced."""

from __future__ import annotations

import os
import pathlib
import sys
import typing as t
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_unpack import ActionModule
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_unpack
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor import unpacked
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import tiny_module
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.rpm_writer import KERNEL, UUID, Rpm

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

FIXTURE = pathlib.Path(__file__).parent.parent / "module_utils/fixtures/openeuler_layout.ko"
OTHER = "6.6.0-28.0.0.34.oe2403"
SINGLE = f"patch-kernel-{KERNEL}-SGL_CVE_2023_1111"


def module(name: str = "vmlinux_1", kernel: str = KERNEL) -> bytes:
    return tiny_module.TinyModule().content(("livepatch=Y", f"name={name}", f"vermagic={kernel}.x86_64 SMP "))


class Action(ActionModule):
    def __init__(self, arguments: dict[str, t.Any], check_mode: bool = False) -> None:
        task = MagicMock(args=arguments, async_val=0, check_mode=check_mode, diff=False)
        super().__init__(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        self._loader.get_real_file = lambda path: path

    def _find_needle(self, dirname: str, needle: str) -> str:
        if not os.path.exists(needle):
            raise AnsibleError("not found.")
        return needle


@pytest.fixture(name="unpack")
def fixture_unpack(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "packages").mkdir()
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path / "tmp"))

    def unpack(*packages: Rpm, check_mode: bool = False, src: str = "packages") -> dict[str, t.Any]:
        for number, package in enumerate(packages):
            (tmp_path / f"packages/{number}.rpm").write_bytes(package.content())
        arguments = {"src": str(tmp_path / src), "dest": str(tmp_path / "release")}
        result: dict[str, t.Any] = Action(arguments, check_mode).run()
        assert list((tmp_path / "tmp").iterdir()) == []
        return result

    return unpack


def test_one_patch_for_each_kernel(unpack: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path) -> None:
    newest, old = module("vmlinux_9"), module("vmlinux_8")
    other = Rpm(module(kernel=OTHER), name=f"patch-kernel-{OTHER}-ACC", release="1")
    packages = [Rpm(old, release="9"), Rpm(newest, release="10"), other, Rpm(module("vmlinux_7"), release="2")]
    for is_check_mode, is_changed in ((True, True), (False, True), (False, False)):
        result = unpack(*packages, check_mode=is_check_mode)
        assert result["changed"] is is_changed
        assert (tmp_path / "release").exists() is not is_check_mode
    first, second = result["patches"]
    assert (first["kernel"], first["file"]["name"], first["vendor"]["sequence"]) == (
        f"{KERNEL}.x86_64",
        "vmlinux_9",
        [1, 10],
    )
    assert second["vendor"]["target"] == f"kernel-{OTHER}"
    written = tmp_path / f"release/{KERNEL}.x86_64/vmlinux_9.ko"
    assert first["path"] == str(written)
    assert written.read_bytes() == newest
    assert len(list((tmp_path / "release").rglob("*.ko"))) == 2
    assert len(result["warnings"]) == 2 and "1.rpm is not proven: it has none" in result["warnings"][0]


def test_what_is_returned_is_documented(unpack: t.Callable[..., dict[str, t.Any]]) -> None:
    documented = yaml.safe_load(livepatch_unpack.RETURN)["patches"]["contains"]
    (patch,) = unpack(Rpm(module()))["patches"]
    assert set(documented) == set(patch)
    assert set(documented["vendor"]["contains"]) == set(patch["vendor"])


def test_one_package_and_one_directory(unpack: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path) -> None:
    assert len(unpack(Rpm(module()), Rpm(module("b"), name=SINGLE), src="packages/1.rpm")["patches"]) == 1
    (tmp_path / f"mirror/{UUID}").mkdir(parents=True)
    (tmp_path / f"mirror/{UUID}/a.ko").write_bytes(FIXTURE.read_bytes())
    for src in ("mirror", f"mirror/{UUID}"):
        (patch,) = unpack(src=src)["patches"]
        assert (patch["vendor"]["uuid"], patch["file"]["name"]) == (UUID, "openeuler_layout")


def test_the_same_patch_twice(unpack: t.Callable[..., dict[str, t.Any]]) -> None:
    assert len(unpack(Rpm(module(), name=SINGLE), Rpm(module(), release="7"))["patches"]) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"name": SINGLE}),
        ({"name": SINGLE}, {"name": SINGLE, "release": "7"}),
        ({}, {}),
        ({}, {"version": "1.0"}),
    ],
)
def test_no_patch_is_chosen_that_does_not_contain_the_others(
    unpack: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path, one: dict[str, t.Any], other: dict[str, t.Any]
) -> None:
    result = unpack(Rpm(module("a"), **one), Rpm(module("b"), **other))
    assert (result["failed"], result["reason"]) == (True, "several_patches")
    assert "0.rpm and " in result["cause"] and "1.rpm are both for the kernel" in result["cause"]
    assert not (tmp_path / "release").exists()


def test_one_bad_package_and_nothing_is_written(
    unpack: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path
) -> None:
    bad = Rpm(module(kernel=OTHER), name=f"patch-kernel-{OTHER}-ACC", payload=b"")
    assert unpack(Rpm(module()), bad)["reason"] == "damaged_package"
    assert not (tmp_path / "release").exists()


@pytest.mark.parametrize("release", ["..", "../../x", "a/b", "-x", "x" * 100])
def test_a_kernel_that_leads_elsewhere(
    unpack: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path, release: str
) -> None:
    content = tiny_module.TinyModule().content(("livepatch=Y", "name=a", f"vermagic={release} SMP "))
    assert unpack(Rpm(content, name="patch-driver-1-1-ACC"))["reason"] == "unsafe_package"
    assert not (tmp_path / "release").exists()


def test_a_name_that_leads_elsewhere(unpack: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path) -> None:
    assert unpack(Rpm(module("../x")))["reason"] == "unsafe_package"
    assert not (tmp_path / "release").exists()


class TestNothingToUnpack:
    def test_no_package(self, unpack: t.Callable[..., dict[str, t.Any]]) -> None:
        assert unpack()["reason"] == "not_a_vendor_patch"

    def test_no_directory(self, unpack: t.Callable[..., dict[str, t.Any]]) -> None:
        assert unpack(src="nosuch")["reason"] == "no_such_file"

    def test_a_patch_file(self, unpack: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path) -> None:
        (tmp_path / "packages/x.rpm").write_bytes(FIXTURE.read_bytes())
        assert unpack()["reason"] == "not_a_vendor_patch"

    def test_more_than_any_mirror(
        self, unpack: t.Callable[..., dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(unpacked, "MOST_PACKAGES", 0)
        assert unpack(Rpm(module()))["reason"] == "too_big"

    def test_a_directory_that_cannot_be_read(
        self, unpack: t.Callable[..., dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        list_names = os.listdir

        def fail(path: t.Any) -> t.Any:
            if str(path).endswith("packages"):
                raise PermissionError(13, "Permission denied", path)
            return list_names(path)

        monkeypatch.setattr(os, "listdir", fail)
        assert unpack()["reason"] == "unreadable_file"

    def test_no_pyelftools(self, unpack: t.Callable[..., dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name.endswith("._patch_file.info")]:
            monkeypatch.setitem(sys.modules, name, None)
        assert unpack(Rpm(module()))["reason"] == "no_pyelftools"


def test_a_folder_that_cannot_be_written(unpack: t.Callable[..., dict[str, t.Any]], tmp_path: pathlib.Path) -> None:
    (tmp_path / "release").write_text("a file", encoding="utf-8")
    assert unpack(Rpm(module()))["reason"] == "not_written"
