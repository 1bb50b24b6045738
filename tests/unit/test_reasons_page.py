# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of reasons says of the checks what their table says."""

from __future__ import annotations

import importlib.util
import re
import types
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures import blame, explain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.checks import IGNORABLE, REASONS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", name="reasons_page")
def _reasons_page() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("reasons_page", ROOT / "tests/tools/reasons_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="written")
def _written(reasons_page: types.ModuleType) -> str:
    return (ROOT / reasons_page.PAGE).read_text(encoding="utf-8")


def test_the_list_of_checks_is_written_from_the_table(reasons_page: types.ModuleType, written: str) -> None:
    assert reasons_page.page(written) == written, "run make errors-page"


def test_the_page_names_every_reason_and_says_which_can_be_ignored(written: str) -> None:
    entries = dict(re.findall(r"^\* ``(\w+)`` \((\w+s(?:; can be ignored)?)\): ", written, re.M))
    assert list(entries) == list(REASONS)
    assert [name for name, does in entries.items() if "ignored" in does] == list(IGNORABLE)


def test_the_page_names_every_reason_of_a_failed_build(reasons_page: types.ModuleType, written: str) -> None:
    _before, _begin, rest = written.partition(reasons_page.BEGIN_BUILDS)
    listed = re.findall(r"^\* ``(\w+)``: ", rest.partition(reasons_page.END_BUILDS)[0], re.M)
    assert set(listed) == {row.reason for row in (*explain.ROWS, blame.ORIGINAL, blame.PATCHED)}
    assert not re.search(r"[{}]", rest.partition(reasons_page.END_BUILDS)[0])


BY_THE_KERNEL_TOO = {
    *(
        "stacking",
        "not_loaded",
        "module_not_removable",
        "no_such_file",
        "vaulted_file",
        "unreadable_file",
        "not_a_file",
    ),
    *("empty_file", "too_big", "compressed_file", "not_elf", "not_a_module", "damaged_file", "package"),
    *("damaged_package", "bad_digest", "bad_signature", "not_a_vendor_patch", "several_patches"),
    *("two_kernels", "other_architecture", "no_decompressor", "unsupported_kernel", "wrong_architecture"),
    *("wrong_vermagic", "signature", "symbol_missing", "symbol_ambiguous", "sympos_missing", "function_too_short"),
    *("target_not_loaded", "dependency", "ftrace_disabled", "no_capability", "modules_disabled"),
}
"""What a kernel refuses as well, or what never reaches one."""


def test_the_table_has_each_refusal_of_what_the_kernel_would_allow(written: str) -> None:
    refused, table = written.split("Failed\n------")[0].split("What the kernel would allow\n")
    keys = {key for heads in re.findall(r"^\* ((?:``\w+``,? ?)+):", refused, re.M) for key in re.findall(r"\w+", heads)}
    keys |= {name for name, does in re.findall(r"^\* ``(\w+)`` \((\w+)", refused, re.M) if does == "refuses"}
    rows = dict(re.findall(r"^   \* - (.*)\n     - (?:.*\n       )*.*\n     - (.*)$", table, re.M))
    told = {key: how for heads, how in rows.items() for key in re.findall(r"``(\w+)``", heads)}
    assert keys == told.keys() | BY_THE_KERNEL_TOO, "see CONTRIBUTING.md, Add a check"
    assert not told.keys() & BY_THE_KERNEL_TOO
    assert {key for key, how in told.items() if how == "``ignore``"} <= set(IGNORABLE)
    assert {key for key, how in told.items() if how == "nothing"}.isdisjoint(IGNORABLE)


def test_a_page_without_the_marks_is_refused(reasons_page: types.ModuleType) -> None:
    with pytest.raises(ValueError):
        reasons_page.page("Reasons\n")
