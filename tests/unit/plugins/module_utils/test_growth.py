# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What grows with the patches of a host grows in proportion. Calls are counted, not seconds."""

from __future__ import annotations

import cProfile
import pathlib
import pstats
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import loaded, patch_file
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.shown_kernel import ShownKernel

FEW, MANY = 50, 400
SLACK = 1.3


def kernel_with(root: pathlib.Path, count: int, functions: int) -> ShownKernel:
    """A per_task kernel with this many patches, which are enabled, on this many functions in turn."""
    root.mkdir()
    on = [Function("vmlinux", f"f{number % functions}") for number in range(count)]
    patches = [
        loaded(patch_file(f"p{number}", functions=(function,)), load_index=number + 1)
        for number, function in enumerate(on)
    ]
    return ShownKernel(root, *patches)


def calls_of(work: t.Callable[[], object]) -> int:
    """How many calls of functions this makes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_stacked", [False, True])
def test_facts_grow_with_the_patches(tmp_path: pathlib.Path, is_stacked: bool) -> None:
    """Ten patches on each function, or one."""
    counts = {}
    for count in (FEW, MANY):
        kernel = kernel_with(tmp_path / str(count), count, count // 10 if is_stacked else count)
        files = kernel.files()
        assert len(gather(files)["patches"]) == count
        counts[count] = calls_of(lambda files=files: gather(files))  # type: ignore[misc]
    assert counts[MANY] < SLACK * counts[FEW] * MANY / FEW
