# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cumulative patches of the vendor's: an older one is not enabled above a newer one, whose fixes it would take out."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import CONTAINED, State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import loaded, patch_file

F, G, H = (Function("vmlinux", name) for name in "fgh")
on_both_kernels = pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])


def acc(name: str, abi: str, *functions: Function, sequence: tuple[int, ...] | None = None) -> PatchFile:
    return patch_file(name, abi=abi, functions=functions, sequence=sequence)


def host_with(root: pathlib.Path, file: PatchFile, is_ours: bool = True) -> ModelHost:
    return ModelHost(root, loaded(file, load_index=1), kept=[file] if is_ours else [], abi=file.abi)


def run(host: ModelHost, file: PatchFile, **wanted: t.Any) -> dict[str, t.Any]:
    (host.root / "sys/module" / file.name).mkdir(parents=True, exist_ok=True)
    return host.run(file.name, file=file, **{"supersedes": (CONTAINED,), **wanted})


@on_both_kernels
def test_an_older_one_is_refused_by_its_numbers(tmp_path: pathlib.Path, abi: str) -> None:
    """Also where both replace the same functions, so that each contains the other."""
    host = host_with(tmp_path, acc("newer", abi, F, G, sequence=(1, 10)))
    result = run(host, acc("older", abi, F, G, sequence=(1, 9)))
    assert (result["failed"], result["reason"]) == (True, "older_cumulative")
    assert "It is number 1-10, and older is number 1-9." in result["msg"]
    assert host.stack == ["newer"]


@on_both_kernels
@pytest.mark.parametrize("functions", [(H,), None])
def test_numbers_count_where_functions_are_shared_or_unknown(
    tmp_path: pathlib.Path, abi: str, functions: tuple[Function, ...] | None
) -> None:
    host = host_with(tmp_path, acc("newer", abi, F, G, sequence=(1, 10)))
    other = dataclasses.replace(acc("other", abi, H, sequence=(1, 9)), functions=functions)
    assert (run(host, other, boot=None).get("reason") == "older_cumulative") is (functions is None)


@on_both_kernels
@pytest.mark.parametrize("sequence", [(1, 11), (2, 1)])
def test_a_newer_one_supersedes_it(tmp_path: pathlib.Path, abi: str, sequence: tuple[int, ...]) -> None:
    host = host_with(tmp_path, acc("older", abi, F, G, sequence=(1, 10)))
    result = run(host, acc("newer", abi, F, G, sequence=sequence))
    assert not result.get("failed"), result
    assert host.stack == ["newer"]


@on_both_kernels
@pytest.mark.parametrize("is_ours", [True, False])
def test_without_numbers_the_functions_tell(tmp_path: pathlib.Path, abi: str, is_ours: bool) -> None:
    """As of a patch that another tool has loaded, or a file of a release."""
    host = host_with(tmp_path, acc("newer", abi, F, G, H), is_ours)
    result = run(host, acc("older", abi, F, G, sequence=(1, 9)))
    assert (result["failed"], result["reason"]) == (True, "older_cumulative")
    assert "It replaces all functions that older replaces, and more." in result["msg"]
    assert host.stack == ["newer"]


@on_both_kernels
def test_a_file_without_numbers_is_a_warning(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with(tmp_path, acc("newer", abi, F, G, H))
    result = run(host, acc("older", abi, F, G))
    assert not result.get("failed"), result
    (finding,) = [finding for finding in result["findings"] if finding["reason"] == "older_cumulative"]
    assert finding["severity"] == "warn"
    assert host.stack == ["newer", "older"]


@on_both_kernels
@pytest.mark.parametrize(
    ("of_loaded", "of_file", "supersedes"),
    [
        ((F, G), (F, G, H), (CONTAINED,)),
        ((F, G), (F, G), (CONTAINED,)),
        ((F, G), (H,), (CONTAINED,)),
        ((F, G, H), (F, G), ()),
    ],
)
def test_others_are_none(
    tmp_path: pathlib.Path,
    abi: str,
    of_loaded: tuple[Function, ...],
    of_file: tuple[Function, ...],
    supersedes: tuple[str, ...],
) -> None:
    host = host_with(tmp_path, acc("one", abi, *of_loaded))
    for sequence in (None, (1, 9)):
        result = run(host, acc("two", abi, *of_file, sequence=sequence), supersedes=supersedes)
        assert not result.get("failed"), result
        assert "older_cumulative" not in [finding["reason"] for finding in result["findings"]]
        host.run("two", State.ABSENT)


@on_both_kernels
def test_an_enabled_one_is_not_refused_for_what_lies_above_it(tmp_path: pathlib.Path, abi: str) -> None:
    host = host_with(tmp_path, acc("older", abi, F, sequence=(1, 9)))
    assert not run(host, acc("newer", abi, F, G, sequence=(1, 10)), supersedes=()).get("failed")
    assert "older_cumulative" not in str(run(host, acc("older", abi, F, sequence=(1, 9)), on_covered="allow"))


def test_the_numbers_reach_the_host_and_its_records() -> None:
    file = acc("fix", STOP_MACHINE, F, sequence=(1, 6))
    assert PatchFile.from_dict(json.loads(json.dumps(file.to_dict()))).sequence == (1, 6)
    without = acc("fix", STOP_MACHINE, F)
    assert "sequence" not in without.to_dict()
    assert PatchFile.from_dict(without.to_dict()).sequence is None
    assert file == without
