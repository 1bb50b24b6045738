# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions are listed by object, name and position, whoever lists them."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State, Task, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Function,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.info import read_file_info
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    patch_file,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.shown_kernel import ShownKernel

FIXTURES = pathlib.Path(__file__).parent / "fixtures"

IN_ORDER = (
    Function("ext4", "z", 1),
    Function("vmlinux", "a", 2),
    # As texts, 10 comes before 2.
    Function("vmlinux", "a", 10),
    Function("vmlinux", "b", 1),
)


def listed(functions: t.Iterable[dict[str, t.Any]]) -> list[Function]:
    return [Function(entry["object"], entry["name"], entry["sympos"]) for entry in functions]


def sent(file: PatchFile) -> PatchFile:
    """The file as the host gets it from the controller."""
    return PatchFile.from_dict(file.to_dict())


@pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
def test_check_mode_the_run_and_facts_list_functions_in_one_order(tmp_path: pathlib.Path, abi: str) -> None:
    path = tmp_path / "sent.ko"
    path.write_bytes(content_of())
    file = sent(patch_file(abi=abi, functions=IN_ORDER[::-1]))
    kernel = ShownKernel(tmp_path, abi=abi)
    kernel.add_file(file)
    for check_mode in (True, False):
        wanted = Wanted("fix", State.ENABLED, file)
        result = manage(Task(wanted, str(path), check_mode=check_mode, ignore=("sympos_missing",)), kernel)
        assert "msg" not in result, result["msg"]
        assert listed(result["patch"]["functions"]) == list(IN_ORDER)
        assert listed(result["file"]["functions"]) == list(IN_ORDER)
    facts = gather(kernel.files())
    assert listed(facts["patches"][0]["functions"]) == listed(facts["functions"]) == list(IN_ORDER)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.ko")), ids=lambda path: path.name)
def test_files_list_functions_in_the_same_order(path: pathlib.Path) -> None:
    for functions in (read_patch_file(str(path)).to_dict()["functions"], read_file_info(str(path))["functions"]):
        assert listed(functions or ()) == sorted(listed(functions or ()))


def test_checks_look_at_functions_in_the_same_order(tmp_path: pathlib.Path) -> None:
    kernel = ShownKernel(tmp_path)
    host, file = kernel.snapshot(), patch_file(functions=IN_ORDER[::-1])
    plan = make_plan(host, Wanted("fix", State.ENABLED, file))
    conditions = kernel.conditions(host.release, "fix", IN_ORDER)
    assert Circumstances(host, conditions, plan.steps, False).functions == IN_ORDER
