# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller side of livepatch_file_info. Ansible itself is replaced."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import typing as t
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleError
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_file_info import MODULE, ActionModule
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.rpm_writer import KERNEL, UUID, Rpm

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

FIXTURES = os.path.join(os.path.dirname(__file__), os.pardir, "module_utils", "fixtures")


class Action(ActionModule):
    def __init__(self, arguments: dict[str, t.Any]) -> None:
        task = MagicMock(args=arguments, async_val=0, check_mode=False, diff=False)
        super().__init__(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        self._loader.get_real_file = lambda path: path
        self.runs: list[str | None] = []

    def _find_needle(self, dirname: str, needle: str) -> str:
        path = os.path.join(FIXTURES, needle)
        if not os.path.exists(path):
            raise AnsibleError("not found.")
        return path

    def _execute_module(
        self, module_name: str | None = None, task_vars: t.Any = None, wrap_async: int = False, **kwargs: t.Any
    ) -> dict[str, t.Any]:
        self.runs.append(module_name)
        return {"changed": False, "file": {}}


def test_a_file_here_needs_no_host() -> None:
    action = Action({"src": "two_objects.ko"})
    result = action.run()
    assert result["file"]["name"] == "two_objects"
    assert result["file"]["path"] == "two_objects.ko"
    assert result["changed"] is False
    assert action.runs == []


def test_a_file_there_is_read_there() -> None:
    action = Action({"src": "/x.ko", "remote_src": True})
    assert action.run() == {"changed": False, "file": {}}
    assert action.runs == [MODULE]


@pytest.mark.parametrize(("src", "reason"), [("nosuch.ko", "no_such_file"), ("two_objects.c", "not_elf")])
def test_failures_are_explained(src: str, reason: str) -> None:
    result = Action({"src": src}).run()
    assert result["failed"] and result["reason"] == reason


def test_without_pyelftools_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.endswith("._patch_file.info")]:
        monkeypatch.setitem(sys.modules, name, None)
    result = Action({"src": "two_objects.ko"}).run()
    assert (result["failed"], result["reason"]) == (True, "no_pyelftools")
    assert "pyelftools" in result["msg"]


MODULE_OF_PACKAGES = "openeuler_layout.ko"


def read_module(name: str = MODULE_OF_PACKAGES) -> bytes:
    return pathlib.Path(FIXTURES, name).read_bytes()


def answer_to(path: pathlib.Path) -> dict[str, t.Any]:
    action = Action({"src": str(path)})
    result: dict[str, t.Any] = action.run()
    assert action.runs == []
    return result


class TestVendor:
    """Packages are stand-ins of openEuler's, see rpm_writer.py."""

    @pytest.fixture(autouse=True)
    def _temporary(self, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
        """No rpm, and a temporary directory that can be looked at."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "tmp").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path / "tmp"))

    def test_a_package(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "x.rpm"
        path.write_bytes(Rpm(read_module(), compressor="xz").content())
        result = answer_to(path)
        plain = Action({"src": MODULE_OF_PACKAGES}).run()
        assert result["file"] == {**plain["file"], "path": f"{path}/vmlinux-0d9c1c9e.ko"}
        assert result["vendor"] == {
            "package": f"patch-kernel-{KERNEL}-ACC-1-6.x86_64",
            "uuid": UUID,
            "kind": "cumulative",
            "sequence": [1, 6],
            "cves": ["CVE-2022-30594", "CVE-2023-3389"],
            "target": f"kernel-{KERNEL}",
            "kernel": f"{KERNEL}.x86_64",
            "architecture": "x86_64",
            "signature": "unsigned",
        }
        assert "vendor" not in plain
        assert list((tmp_path / "tmp").iterdir()) == []

    def test_a_directory(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / UUID
        path.mkdir()
        shutil.copy(os.path.join(FIXTURES, MODULE_OF_PACKAGES), path / "vmlinux-0d9c1c9e.ko")
        result = answer_to(path)
        assert (result["file"]["name"], result["file"]["path"]) == (
            "openeuler_layout",
            f"{path}/vmlinux-0d9c1c9e.ko",
        )
        assert (result["vendor"]["uuid"], result["vendor"]["package"], result["vendor"]["kernel"]) == (
            UUID,
            None,
            f"{KERNEL}.x86_64",
        )

    @pytest.mark.parametrize(
        ("rpm", "reason"),
        [
            (Rpm(b"text"), "not_elf"),
            (Rpm(read_module("livepatch_cmdline_aarch64.ko")), "other_architecture"),
            (Rpm(read_module(), name="patch-kernel-6.6.0-1-ACC"), "two_kernels"),
            (Rpm(), "not_a_vendor_patch"),
            (Rpm(read_module(), payload=b""), "damaged_package"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_is_wrong_is_said_of_what_was_given(self, tmp_path: pathlib.Path, rpm: Rpm, reason: str) -> None:
        path = tmp_path / "x.rpm"
        path.write_bytes(rpm.content())
        result = answer_to(path)
        assert (result["failed"], result["reason"]) == (True, reason)
        assert result["cause"].startswith(f"{path}{'/vmlinux-0d9c1c9e.ko' if reason == 'not_elf' else ''} ")
        assert list((tmp_path / "tmp").iterdir()) == []

    def test_a_file_of_gigabytes_is_not_read(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "x.rpm"
        path.write_bytes(Rpm(read_module()).content())
        os.truncate(path, 1 << 40)
        assert answer_to(path)["reason"] == "too_big"

    def test_a_directory_that_cannot_be_read(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: t.Any) -> t.Any:
            raise PermissionError(13, "Permission denied", path)

        (tmp_path / UUID).mkdir()
        monkeypatch.setattr(os, "scandir", fail)
        result = answer_to(tmp_path / UUID)
        assert (result["reason"], result["cause"]) == (
            "unreadable_file",
            f"{tmp_path / UUID} cannot be read: Permission denied.",
        )
