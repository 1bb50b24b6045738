# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook kernels, on scripted hosts: what it prints and writes is what the role build takes."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.openeuler.livepatch.tests.unit.plays.hostile_host import (
    ROOT,
    Fleet,
    facts_of,
    harm,
    template,
)

SP4, LTS = "5.10.0-216.0.0.115.oe2203sp4.x86_64", "6.6.0-28.0.0.34.oe2403.x86_64"
LISTED = {"livepatch_build_kernels": [{"release": SP4}, {"release": LTS}]}


@pytest.fixture(name="fleet")
def fixture_fleet(tmp_path: Path) -> Fleet:
    """The first host does not answer, so that a task that runs once has no host to run on."""
    fleet = Fleet(tmp_path)
    fleet.host("dead", {})
    no_connection = tmp_path / "hosts/no-connection"
    no_connection.write_text("#!/bin/sh\nexit 255\n")
    no_connection.chmod(0o755)
    fleet.hosts["dead"].update(ansible_connection="ssh", ansible_ssh_executable=str(no_connection))
    for name, release in {"new1": LTS, "new2": LTS, "old1": SP4}.items():
        fleet.host(name, {"livepatch_facts": json.dumps(facts_of(release))})
    fleet.host("lies", {"livepatch_facts": json.dumps(facts_of(template(tmp_path)))})
    no_linux = facts_of("14.0", supported=False, why_unsupported="It has no /sys/kernel/livepatch.")
    fleet.host("other", {"livepatch_facts": json.dumps(no_linux)})
    return fleet


def list_of(fleet: Fleet, *options: str, **variables: t.Any) -> str:
    output = fleet.play("kernels", variables, *options)
    assert harm(fleet, output) == []
    assert "failed=0" in output and "failed=1" not in output, output
    return output


def printed(output: str) -> t.Any:
    """The list that is printed for fix.yml, with its lines as they are."""
    task = output.partition("TASK [Print the list as fix.yml has it]")[2]
    message = task.partition('"msg": {\n')[2].partition("\n    }\n")[0]
    return yaml.safe_load(message)


def test_it_prints_the_list_and_names_who_is_not_in_it(fleet: Fleet) -> None:
    before = fleet.files()
    output = list_of(fleet)
    assert printed(output) == LISTED
    for line in (f"{LTS}: x86_64, 2 hosts: new1, new2", f"{SP4}: x86_64, 1 host: old1"):
        assert json.dumps(line) in output
    assert "Not listed: dead: It could not be reached: " in output
    assert f"Not listed: lies: The release of its kernel is no plain name: {template(fleet.folder)}" in output
    assert "Not listed: other: Its kernel 14.0 takes no live patches: It has no /sys/kernel/livepatch." in output
    assert fleet.files() == before


def test_the_file_is_one_that_the_role_takes_and_is_written_once(fleet: Fleet) -> None:
    path, more = fleet.folder / "work/kernels.yml", {"livepatch_kernels_dest": "kernels.yml"}
    predicted = list_of(fleet, "--check", "--diff", **more)
    assert f"+  - release: {SP4}" in predicted and not path.exists()
    first = list_of(fleet, **more)
    content = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o644
    assert "changed=1" in first
    assert "changed=1" not in list_of(fleet, **more)
    assert path.read_bytes() == content
    assert yaml.safe_load(content) == LISTED
    assert f"  # x86_64, 2 hosts: new1, new2\n  - release: {LTS}\n".encode() in content
    assert b"#   dead: It could not be reached: " in content
    specification = yaml.safe_load((ROOT / "roles/build/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = specification["argument_specs"]["main"]["options"]
    fix = {**yaml.safe_load(content), "livepatch_build_fix": {"id": "Fix 1"}}
    assert ArgumentSpecValidator(options).validate(fix).error_messages == []


def test_a_file_in_a_directory_has_a_name(fleet: Fleet) -> None:
    output = fleet.play("kernels", {"livepatch_kernels_dest": "."})
    assert "which is a directory. Name a file in it." in output


def test_no_host_answers(fleet: Fleet) -> None:
    fleet.hosts = {"dead": fleet.hosts["dead"]}
    output = list_of(fleet)
    assert printed(output) == {"livepatch_build_kernels": []}
    assert "Not listed: dead: " in output
