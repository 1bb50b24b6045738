# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_file_info on a host: the file as data, or why it cannot be read."""

from __future__ import annotations

import pathlib
import sys
import typing as t

import pytest

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_file_info

Call = t.Callable[..., t.Dict[str, t.Any]]

FIXTURE = pathlib.Path(__file__).parents[1] / "module_utils/fixtures/two_objects.ko"


def test_a_file_as_data(call: Call) -> None:
    result = call(livepatch_file_info, src=str(FIXTURE), remote_src=True)
    assert (result["changed"], result["file"]["name"]) == (False, "two_objects")


def test_what_is_no_patch_is_explained(call: Call) -> None:
    result = call(livepatch_file_info, src=str(FIXTURE.with_suffix(".c")), remote_src=True)
    assert (result["failed"], result["reason"]) == (True, "not_elf")
    assert "is not an ELF file. Give the .ko file" in result["msg"]


def test_without_pyelftools_it_is_named(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "elftools" or "._patch_file." in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "elftools", None)
    result = call(livepatch_file_info, src=str(FIXTURE), remote_src=True)
    assert (result["failed"], result["reason"]) == (True, "no_pyelftools")
