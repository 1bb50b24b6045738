# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A revert takes out the build that the task names, and no other one: named by the file, or by marks of a release."""

from __future__ import annotations

import pathlib
import shutil
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.parameters import Parameter
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    Build,
    State,
    Task,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    Identity,
    LoadedPatch,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.revert import plan_revert
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    snapshot,
)

on_both_kernels = pytest.mark.parametrize("abi", [PER_TASK, STOP_MACHINE])
TYPES = (Parameter("level", "int"),)


def build(content: str = "2", **parameters: t.Any) -> Build:
    """What a release tells of the file with this content."""
    identity = patch_file("fix", content).identity
    return Build(Identity(sha256=identity.sha256), parameters or None)


class Host(ModelHost):
    """A host to which builds of one patch are given in turn."""

    def file(self, content: str, loaded_with: str | None = None) -> PatchFile:
        (self.root / "sys/module/fix").mkdir(parents=True, exist_ok=True)
        return patch_file("fix", content, abi=self.kernel.abi, parameters=TYPES, loaded_with=loaded_with)

    def up(self, content: str, loaded_with: str | None = None, boot: AtBoot | None = None) -> None:
        file = self.file(content, loaded_with)
        result = self.run("fix", State.ENABLED, file, content, reload=True, boot=boot)
        assert not result.get("failed"), result

    def revert(self, *builds: Build, file: PatchFile | None = None, check_mode: bool = False) -> dict[str, t.Any]:
        wanted = Wanted("fix", State.REVERTED, file, builds=None if file else builds)
        result = manage(Task(wanted, str(self.root / "sent.ko") if file else None, check_mode=check_mode), self.kernel)
        assert not result.get("failed"), result
        return result

    def reboot(self) -> None:
        """What is loaded stays so, as if the boot program had loaded it; what was remembered is gone."""
        file = self.kernel.known_files[self.kernel.stored_digest("fix") or ""]
        shutil.rmtree(self.root / copies.DIRECTORY[1:])
        self.kernel.note_copy(file)

    @property
    def due(self) -> list[str]:
        return [one.sha256 for one in boot_store.read(self.kernel.files()).due(self.kernel.snapshot().kernel)]


def reasons(result: dict[str, t.Any]) -> list[str]:
    return [finding["reason"] for finding in result["findings"]]


@on_both_kernels
@pytest.mark.parametrize("boot", [None, AtBoot.ACCEPTED])
def test_a_revert_of_a_release_that_is_played_again_after_a_reboot_leaves_the_older_build(
    tmp_path: pathlib.Path, abi: str, boot: AtBoot | None
) -> None:
    host = Host(tmp_path, abi=abi)
    host.up("1", boot=AtBoot.ACCEPTED)
    host.up("2", boot=boot)
    assert host.revert(build())["changed"]
    assert host.identities == {"fix": "id-fix1"}
    for reboot in (False, True):
        if reboot:
            host.reboot()
        for check_mode in (True, False):
            again = host.revert(build(), check_mode=check_mode)
            assert (again["changed"], again["actions"], reasons(again)) == (False, [], ["not_reverted"])
            assert again["diff"]["before"] == again["diff"]["after"]
    assert (host.identities, host.due) == ({"fix": "id-fix1"}, [host.file("1").sha256])


@on_both_kernels
def test_only_the_named_build_is_forgotten_at_the_next_boots(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    host.up("1", boot=AtBoot.ACCEPTED)
    host.kernel.patches = []
    assert not host.revert(build("2"))["changed"]
    assert host.due == [host.file("1").sha256]
    assert host.revert(build("2"), build("1"))["actions"] == ["forget fix at the next boots"]
    assert host.due == []


@on_both_kernels
def test_a_build_is_named_by_the_parameters_of_the_release_too(tmp_path: pathlib.Path, abi: str) -> None:
    """The release may differ from the one before in nothing else."""
    host = Host(tmp_path, abi=abi)
    host.up("1", "level=1", boot=AtBoot.ACCEPTED)
    host.up("1", "level=2", boot=AtBoot.ACCEPTED)
    assert host.revert(build("1", level="0x2"))["changed"]
    for builds in ([build("1", level=2)], [build("1", nosuch=1)], []):
        assert (host.revert(*builds)["changed"], host.kernel.parameters) == (False, {"fix": "level=1"})
    assert reasons(host.revert(build("1"))) == ["reverted_already"]
    assert host.due == [host.file("1").sha256]
    assert host.revert(build("1", level=1))["changed"]
    assert (host.stack, host.due) == ([], [])


@on_both_kernels
def test_a_file_without_parameters_reverts_a_reload_with_other_ones_once(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    host.up("1", "level=1")
    host.up("1", "level=2")
    assert host.revert(file=host.file("1"))["changed"]
    for check_mode in (True, False):
        again = host.revert(file=host.file("1"), check_mode=check_mode)
        assert (again["changed"], reasons(again)) == (False, ["reverted_already"])
        assert "name it by src and parameters" in again["findings"][0]["remedy"]
    assert (host.stack, host.kernel.parameters) == (["fix"], {"fix": "level=1"})
    assert not host.revert(file=host.file("1", "level=2"))["changed"]
    assert host.revert(file=host.file("1", "level=1"))["changed"]
    assert host.stack == []


@on_both_kernels
def test_a_file_still_reverts_what_came_back_in_the_place_of_another_one(tmp_path: pathlib.Path, abi: str) -> None:
    host = Host(tmp_path, abi=abi)
    host.up("1", "level=1")
    host.up("2", "level=2")
    assert host.revert(file=host.file("2"))["changed"]
    assert host.revert(file=host.file("1"))["changed"]
    assert host.stack == []


@pytest.mark.parametrize(
    ("marks", "is_taken_out"),
    [
        ({"sha256": patch_file("fix").sha256.upper()}, True),
        ({"build_id": "id-fix1"}, True),
        ({"build_id": "id-fix2"}, False),
        # A signed copy has another digest.
        ({"build_id": "id-fix1", "sha256": "00"}, True),
        ({"sha256": "00"}, False),
    ],
)
def test_each_mark_names_a_build(marks: dict[str, str], is_taken_out: bool) -> None:
    file = replace(patch_file("fix"), srcversion=None)
    patch: LoadedPatch = loaded(file, identity=file.identity)
    wanted = Wanted("fix", State.REVERTED, builds=(Build(Identity(**marks)),))
    plan = plan_revert(snapshot(patch), wanted, {}, ())
    assert not plan.refusals
    assert (bool(plan.steps), [note.reason for note in plan.notes].count("not_reverted")) == (
        is_taken_out,
        int(not is_taken_out),
    )


def test_a_build_that_nothing_tells_from_a_named_one_is_not_taken_out() -> None:
    patch = loaded(patch_file("fix"))
    plan = plan_revert(snapshot(patch), Wanted("fix", State.REVERTED, builds=(build("1"),)), {}, ())
    assert ([refusal.reason for refusal in plan.refusals], plan.steps) == (["build_unknown"], ())


def test_parameters_of_a_patch_of_which_no_file_is_known_are_not_compared() -> None:
    patch = loaded(patch_file("fix"), identity=patch_file("fix").identity)
    plan = plan_revert(snapshot(patch), Wanted("fix", State.REVERTED, builds=(build("1", level=3),)), {}, ())
    assert plan.steps
