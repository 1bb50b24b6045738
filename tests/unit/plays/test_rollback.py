# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook rollback with hosts that are this machine, and modules that are replaced."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import (
    LIVEPATCH_MODULE,
    read_task,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Wanted
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import DIGEST, ENABLED, Rollout

OLDER = {**ENABLED, "identity": {"sha256": "00" * 32}}


@pytest.fixture(name="rollout")
def fixture_rollout(tmp_path: Path) -> Rollout:
    return Rollout(tmp_path)


def asked(rollout: Rollout, host: str) -> list[Wanted]:
    """What the module was to do on a host, read as the module reads its arguments."""
    spec = LIVEPATCH_MODULE
    names = ("required_one_of", "required_if", "required_by", "mutually_exclusive")
    rules = {name: spec[name] for name in names}
    tasks = []
    for arguments in rollout.tasks(host):
        checked = ArgumentSpecValidator(spec["argument_spec"], **rules).validate(arguments)
        assert checked.error_messages == []
        tasks.append(read_task(checked.validated_parameters, check_mode=False).wanted)
    return tasks


def test_only_the_build_of_the_release_is_reverted(rollout: Rollout) -> None:
    """Played again, also after a reboot, it leaves what it has brought back; and it needs neither facts nor files."""
    marks = {"build_id": "ab" * 20, "srcversion": "533BB7E5866E52F63B9ACCB"}
    (file,) = rollout.release["files"]
    other = {**file, "kernel_release": "6.7", "sha256": "11" * 32, "parameters": {"level": 1}}
    rollout.release["files"] = [{**file, **marks}, other]
    (rollout.folder / "fix_1.ko").unlink()
    rollout.host("newer", patches=[ENABLED])
    rollout.host("older", patches=[OLDER])
    rollout.host("none")
    output = rollout.play("rollback", rollout.write_release())
    assert [rollout.state(name)["patches"] for name in ("newer", "older", "none")] == [[], [OLDER], []]
    assert [line for line in output.splitlines() if line.startswith("changed: ")] == ["changed: [newer]"]
    for name in rollout.hosts:
        (wanted,) = asked(rollout, name)
        assert (wanted.name, wanted.state.value) == ("fix_1", "reverted")
        assert wanted.builds is not None
        assert [(build.identity.sha256, build.identity.build_id, build.parameters) for build in wanted.builds] == [
            (DIGEST, marks["build_id"], None),
            ("11" * 32, None, {"level": 1}),
        ]


def test_a_release_without_files_reverts_nothing(rollout: Rollout) -> None:
    rollout.release["files"] = []
    rollout.host("older", patches=[OLDER])
    rollout.play("rollback", rollout.write_release())
    assert rollout.state("older")["patches"] == [OLDER]
    assert [wanted.builds for wanted in asked(rollout, "older")] == [()]


@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_patch_is_taken_out_by_its_name_in_whatever_build(rollout: Rollout, flags: tuple[str, ...]) -> None:
    rollout.host("one", patches=[OLDER])
    variables: dict[str, t.Any] = {"livepatch_name": "fix-1", "livepatch_force_owner": True}
    rollout.play("rollback", variables, *flags)
    (wanted,) = asked(rollout, "one")
    assert (wanted.name, wanted.state.value, wanted.builds, wanted.force_owner) == ("fix_1", "absent", None, True)


def test_check_mode_tells_which_hosts_would_change(rollout: Rollout) -> None:
    rollout.host("newer", patches=[ENABLED])
    rollout.host("older", patches=[OLDER])
    output = rollout.play("rollback", rollout.write_release(), "--check")
    assert "changed: [newer]" in output and "ok: [older]" in output
    assert rollout.state("newer")["patches"] == [ENABLED]


def test_a_release_with_a_name_for_each_kernel_is_reverted_by_that_of_the_host(rollout: Rollout) -> None:
    (file,) = rollout.release["files"]
    rollout.release["files"] = [{**file, "name": "fix_1"}, {**file, "kernel_release": "6.7", "name": "fix_of_6_7"}]
    rollout.release["name"] = "livepatch_fix_1"
    rollout.host("host", patches=[ENABLED])
    rollout.play("rollback", rollout.write_release())
    assert rollout.state("host")["patches"] == []
    assert [(task.get("name"), task.get("state")) for task in rollout.tasks("host")][-1] == ("fix_1", "reverted")
