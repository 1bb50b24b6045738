# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patches that are loaded with parameters, on the model of a kernel: whatever loads one again uses the same ones."""

from __future__ import annotations

import dataclasses
import errno
import json
import pathlib
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import LIVEPATCH_MODULE, read_task
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import StoredCopy
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.parameters import Parameter
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    OnCovered,
    State,
    Task,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_host import ModelHost
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    loaded,
    patch_file,
)

OLD, NEW = "level=1", "level=2"


class Cut(BaseException):
    """The run is gone."""


class SysfsKernel(ModelKernel):
    """The model with the directories of /sys/module. The run is gone after the call `last`."""

    last = ""

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        super().load(path, sha256, parameters)
        (pathlib.Path(self.root) / "sys/module" / self.known_files[sha256].name).mkdir(parents=True, exist_ok=True)
        self._die_after("load")

    def unload(self, name: str) -> None:
        super().unload(name)
        self._die_after("unload")

    def _die_after(self, operation: str) -> None:
        if self.last == operation:
            self.last = ""
            raise Cut


class Host(ModelHost):
    kind = SysfsKernel
    kernel: SysfsKernel

    def file(self, name: str = "fix", loaded_with: str | None = None, **changes: t.Any) -> PatchFile:
        return patch_file(name, abi=self.kernel.abi, loaded_with=loaded_with, **changes)

    def enable(
        self, loaded_with: str | None = None, name: str = "fix", content: str = "1", **wanted: t.Any
    ) -> dict[str, t.Any]:
        return self.run(name, file=self.file(name, loaded_with, content=content), content=content, **wanted)

    @property
    def record(self) -> str | None:
        copy = copies.read(self.kernel.files(), "fix")
        assert isinstance(copy, StoredCopy)
        return copy.file.loaded_with if copy.file else "no file"

    @property
    def accepted(self) -> list[tuple[str, str, str | None]]:
        boot = boot_store.read(self.kernel.files())
        return [(entry.name, entry.loaded_with, entry.superseded_by) for entry in boot.accepted]


@pytest.fixture(name="host", params=[PER_TASK, STOP_MACHINE])
def fixture_host(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path, abi=request.param)


def reasons(result: dict[str, t.Any]) -> list[str]:
    return [finding["reason"] for finding in result["findings"]]


def test_the_kernel_gets_them_and_the_result_tells_them(host: Host) -> None:
    result = host.enable(OLD)
    assert result["changed"] and result["actions"][0] == "load fix with level=1"
    assert host.kernel.parameters == {"fix": OLD}
    assert result["patch"]["loaded_with"] == OLD
    assert "loaded_with" not in result["patch"]["identity"]
    assert "  loaded_with: level=1\n" in result["diff"]["after"] and OLD not in result["diff"]["before"]
    assert not host.enable(OLD)["changed"]


def test_without_the_option_it_is_loaded_without_and_any_are_fine(host: Host) -> None:
    assert host.enable()["patch"]["loaded_with"] == ""
    assert not host.enable("")["changed"]
    host.run("fix", State.ABSENT)
    host.enable(OLD)
    result = host.enable()
    assert (result["changed"], result["patch"]["loaded_with"], reasons(result)) == (False, OLD, [])


@pytest.mark.parametrize("asked", [NEW, ""])
def test_others_than_those_it_is_loaded_with_are_refused(host: Host, asked: str) -> None:
    host.enable(OLD)
    calls = len(host.kernel.calls)
    result = host.enable(asked)
    assert result["reason"] == "other_parameters"
    assert "level=1" in result["cause"] and (asked or "no parameters") in result["cause"]
    assert "reload: true" in result["remedy"]
    assert len(host.kernel.calls) == calls
    assert host.kernel.parameters == {"fix": OLD}


def test_a_different_build_is_told_before_its_parameters(host: Host) -> None:
    host.enable(OLD)
    assert host.enable(NEW, content="2")["reason"] == "different_build"


def test_with_reload_they_are_exchanged_and_reverting_brings_the_earlier_back(host: Host) -> None:
    host.enable(OLD)
    result = host.enable(NEW, reload=True)
    assert (host.kernel.parameters, host.record) == ({"fix": NEW}, NEW)
    assert "  loaded_with: level=1\n" in result["diff"]["before"] and OLD not in result["diff"]["after"]
    assert host.run("fix", State.REVERTED)["changed"]
    assert (host.kernel.parameters, host.record, host.stack) == ({"fix": OLD}, OLD, ["fix"])


def test_reverting_with_the_file_is_about_the_build_unless_parameters_are_given(host: Host) -> None:
    host.enable(OLD)
    assert not host.run("fix", State.REVERTED, host.file(loaded_with=NEW))["changed"]
    assert host.run("fix", State.REVERTED, host.file())["changed"]
    assert host.kernel.parameters == {}


def test_a_different_build_does_not_inherit_them(host: Host) -> None:
    host.enable(OLD)
    host.enable(content="2", reload=True)
    assert (host.kernel.parameters, host.record) == ({"fix": ""}, "")


@pytest.mark.parametrize("build_id", ["id", None])
def test_a_failed_reload_brings_it_back_with_the_earlier_ones(host: Host, build_id: str | None) -> None:
    old, new = host.file(loaded_with=OLD, build_id=build_id), host.file(loaded_with=NEW, build_id=build_id)
    host.run("fix", file=old)
    host.kernel.fail["load"] = (errno.EINVAL, "fix: `2' invalid for parameter `level'")
    result = host.run("fix", file=new, reload=True)
    assert (result["reason"], result["cause"]) == (
        "bad_parameter",
        "The parameter level of the patch does not take the value 2.",
    )
    assert (result["not_restored"], result["rolled_back"][0]) == ([], "load fix with level=1")
    assert (host.kernel.parameters, host.record, host.stack) == ({"fix": OLD}, OLD, ["fix"])
    assert "copies_stay" not in reasons(result)
    assert not host.run("fix", file=old)["changed"]


def test_a_reload_that_stalls_is_undone_to_the_earlier_ones(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    host.enable(OLD)
    host.kernel.stall_once = {"fix"}
    result = host.enable(NEW, reload=True)
    assert (result["reason"], result["not_restored"]) == ("transition_stalled", [])
    assert (host.kernel.parameters, host.record, host.stack) == ({"fix": OLD}, OLD, ["fix"])


@pytest.mark.parametrize("last", ["unload", "load"])
def test_an_interrupted_reload_is_undone_to_the_earlier_ones(host: Host, last: str) -> None:
    host.enable(OLD)
    host.kernel.last = last
    host.kernel.stall_once = {"fix"}
    with pytest.raises(Cut):
        host.enable(NEW, reload=True)
    host.run("other", State.ABSENT)
    assert (host.kernel.parameters, host.record, host.stack) == ({"fix": OLD}, OLD, ["fix"])


def test_what_is_lifted_comes_back_with_its_own(host: Host) -> None:
    host.enable("below=1", name="below")
    host.enable(OLD)
    assert host.run("below", State.ABSENT, on_covered=OnCovered.UNSTACK)["changed"]
    assert (host.kernel.parameters, host.stack) == ({"fix": OLD}, ["fix"])


@pytest.mark.parametrize("with_file", [False, True])
def test_a_disabled_one_is_enabled_with_its_own(host: Host, with_file: bool) -> None:
    host.enable(OLD)
    host.run("fix", State.DISABLED)
    assert host.run("fix", file=host.file() if with_file else None)["changed"]
    assert (host.kernel.parameters, host.record, host.stack) == ({"fix": OLD}, OLD, ["fix"])


def test_what_was_superseded_comes_back_with_its_own(host: Host) -> None:
    host.enable(OLD)
    host.enable("x=1", name="new", supersedes=("fix",))
    assert host.kernel.parameters == {"new": "x=1"}
    host.run("new", State.REVERTED)
    assert (host.kernel.parameters, host.stack) == ({"fix": OLD}, ["fix"])


@pytest.mark.parametrize("reload", [False, True])
def test_those_of_a_patch_that_somebody_else_has_loaded_are_unknown(tmp_path: pathlib.Path, reload: bool) -> None:
    host = Host(tmp_path, loaded(patch_file("fix")))
    result = host.enable(OLD, reload=reload)
    assert (result["changed"], reasons(result), host.kernel.calls) == (False, ["parameters_unknown"], [])
    assert result["patch"]["loaded_with"] is None
    assert reasons(host.enable()) == []


def test_a_record_of_version_1_0_says_that_there_were_none(host: Host) -> None:
    host.enable()
    path = host.root / "run/openeuler-livepatch/fix.json"
    record = json.loads(path.read_text())
    assert record["patch_file"].pop("loaded_with") == ""
    del record["patch_file"]["parameters"]
    path.write_text(json.dumps(record))
    assert not host.enable("")["changed"]
    assert host.enable(OLD)["reason"] == "other_parameters"


def test_boots_load_it_with_the_same_ones(host: Host) -> None:
    host.enable(OLD, boot=AtBoot.ACCEPTED)
    assert host.accepted == [("fix", OLD, None)]
    assert not host.enable(OLD, boot=AtBoot.ACCEPTED)["changed"]
    assert not host.enable(boot=AtBoot.ACCEPTED)["changed"]


def test_acceptance_with_other_parameters_is_another_acceptance(host: Host) -> None:
    host.enable(OLD, boot=AtBoot.ACCEPTED)
    assert host.enable(NEW, reload=True)["boot"] == "trial"
    assert host.accepted == [("fix", OLD, None)]
    result = host.enable(NEW, boot=AtBoot.ACCEPTED)
    assert result["boot"] == "accepted"
    assert "loaded_with level=1)" in result["diff"]["before"] and "loaded_with level=2)" in result["diff"]["after"]
    assert host.accepted == [("fix", OLD, "fix"), ("fix", NEW, None)]
    assert host.run("fix", State.REVERTED)["boot"] == "accepted"
    assert (host.accepted, host.kernel.parameters) == ([("fix", OLD, None)], {"fix": OLD})


def test_a_failed_reload_leaves_the_acceptance(host: Host) -> None:
    host.enable(OLD, boot=AtBoot.ACCEPTED)
    host.kernel.fail["load"] = (errno.ENOMEM, "")
    assert host.enable(NEW, reload=True, boot=AtBoot.ACCEPTED)["failed"]
    assert host.accepted == [("fix", OLD, None)]


FILE = dataclasses.replace(patch_file(), parameters=(Parameter("level", "int"), Parameter("pids", "array of int")))


def task(file: PatchFile = FILE, **arguments: t.Any) -> Task:
    spec = LIVEPATCH_MODULE
    checked = ArgumentSpecValidator(spec["argument_spec"], required_by=spec["required_by"]).validate(arguments)
    if checked.error_messages:
        raise ValueError(checked.error_messages[0])
    return read_task(checked.validated_parameters, False, {"file": file.to_dict(), "path": "/tmp/fix.ko"})


def test_the_option_becomes_what_the_file_is_loaded_with() -> None:
    asked = task(src="fix.ko", parameters={"pids": [1, 2], "level": "0x2"}).wanted.file
    assert asked and asked.loaded_with == "level=2 pids=1,2"
    assert PatchFile.from_dict(json.loads(json.dumps(asked.to_dict()))).loaded_with == "level=2 pids=1,2"
    assert task(src="fix.ko", parameters={}).wanted.file.loaded_with == ""
    assert task(src="fix.ko").wanted.file.loaded_with is None


@pytest.mark.parametrize(
    ("parameters", "reason"), [({"levle": 1}, "unknown_parameter"), ({"level": "high"}, "bad_parameter")]
)
def test_a_bad_option_is_refused(parameters: dict[str, t.Any], reason: str) -> None:
    with pytest.raises(FindingError) as refused:
        task(src="fix.ko", parameters=parameters)
    assert refused.value.finding.reason == reason


def test_the_option_needs_the_file() -> None:
    with pytest.raises(ValueError, match="src"):
        task(name="fix", parameters={"level": 1})


def test_files_that_differ_in_what_they_are_loaded_with_are_the_same_bytes() -> None:
    one, other = (dataclasses.replace(FILE, loaded_with=text) for text in (OLD, NEW))
    assert one == other and hash(one) == hash(other)
    assert one.identity.compare(other.identity) == "different"
    assert one.identity.compare_builds(other.identity) == "same"
    assert one.identity.compare(FILE.identity) == "same" and FILE.identity.compare(one.identity) == "unknown"
