# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_boot: the program is put in its place, once, and the Python to run it with is found."""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib
import sys
import typing as t
import zipfile

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.pack import pack
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_boot

Call = t.Callable[..., t.Dict[str, t.Any]]
PACK_ONCE = functools.lru_cache(maxsize=None)(pack)


@pytest.fixture(autouse=True)
def fixture_pack_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests install the same program."""
    monkeypatch.setattr(livepatch_boot, "pack", PACK_ONCE)


@pytest.fixture(name="path")
def fixture_path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "lib/livepatch/boot.pyz"


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_program_is_installed_with_its_directories(call: Call, path: pathlib.Path) -> None:
    result = call(livepatch_boot, path=str(path), mode="0640")
    assert (result["changed"], result["path"], result["sha256"]) == (True, str(path), sha256(path))
    assert path.stat().st_mode & 0o777 == 0o640
    assert result["diff"] == {"before": f"{path} sha256 none\n", "after": f"{path} sha256 {sha256(path)}\n"}
    with zipfile.ZipFile(path) as archive:
        assert "__main__.py" in archive.namelist()
    assert list(path.parent.iterdir()) == [path]


def test_the_same_program_is_left_alone(call: Call, path: pathlib.Path) -> None:
    call(livepatch_boot, path=str(path), mode="0640")
    before = path.stat()
    result = call(livepatch_boot, path=str(path), mode="0640")
    assert (result["changed"], result["diff"]["before"]) == (False, result["diff"]["after"])
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_program_is_replaced(call: Call, path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"of an older version")
    older = sha256(path)
    result = call(livepatch_boot, path=str(path))
    assert (result["changed"], result["diff"]["before"]) == (True, f"{path} sha256 {older}\n")
    assert sha256(path) == result["sha256"] != older


def test_another_mode_alone_is_a_change(call: Call, path: pathlib.Path) -> None:
    call(livepatch_boot, path=str(path), mode="0640")
    assert call(livepatch_boot, path=str(path), mode="0644")["changed"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_check_mode_installs_nothing(call: Call, path: pathlib.Path) -> None:
    result = call(livepatch_boot, check_mode=True, path=str(path), mode="0640")
    assert result["changed"]
    assert not path.parent.exists()
    call(livepatch_boot, path=str(path))
    assert not call(livepatch_boot, check_mode=True, path=str(path))["changed"]


@pytest.mark.parametrize(("status", "is_taken"), [(0, True), (1, False), (None, False)])
def test_the_systems_python_is_taken_where_it_is_there_and_new_enough(
    call: Call,
    path: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int | None,
    is_taken: bool,
) -> None:
    system = tmp_path / "python3"
    if status is not None:
        system.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexit {status}\n', encoding="utf-8")
        system.chmod(0o755)
    monkeypatch.setattr(livepatch_boot, "SYSTEM_PYTHON", str(system))
    assert call(livepatch_boot, path=str(path))["python"] == (str(system) if is_taken else sys.executable)
    if status is not None:
        assert "sys.version_info < (3, 7)" in (tmp_path / "asked").read_text(encoding="utf-8")


def test_a_pipe_in_the_place_of_the_program_is_replaced(call: Call, path: pathlib.Path) -> None:
    """It keeps nobody waiting."""
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    result = call(livepatch_boot, path=str(path))
    assert result["changed"] and path.is_file()
    assert result["diff"]["before"] == f"{path} sha256 none\n"
