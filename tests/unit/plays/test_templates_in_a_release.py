# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release or a host says is never a template: each of these texts would leave a file if Ansible rendered it."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import ENABLED, Rollout


def sly(field: str) -> str:
    return "{{ lookup('ansible.builtin.pipe', 'touch ${HIT}FIELD') }}".replace("FIELD", field)


@pytest.fixture(name="rollout")
def fixture_rollout(tmp_path: Path) -> Rollout:
    """A release of which every text is a template, and three hosts that say such things."""
    rollout = Rollout(tmp_path)
    # Modules expand variables in a path.
    path = sly("path").replace("${HIT}", f"{tmp_path}/hits/")
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(b"patch")
    parameters = {sly("parameter"): [sly("value"), 1, True]}
    file = {"path": path, "sha256": hashlib.sha256(b"patch").hexdigest(), "parameters": parameters}
    rollout.release = {
        "format": 1,
        "name": "fix_1",
        "fix": {**{field: sly(field) for field in ("id", "title", "severity")}, "cves": [sly("cves")]},
        **{field: [sly(field)] for field in ("supersedes", "fixed_in")},
        "files": [{"kernel_release": sly("kernel_release"), "machine": sly("machine"), **file}],
    }
    kernel: dict[str, t.Any] = {"release": sly("kernel_release"), "machine": sly("machine")}
    rollout.host("takes-it", trouble=[sly("trouble")], **kernel)
    rollout.host("refuses-it", refuses=sly("message"), **kernel)
    rollout.host("needs-none", **{**kernel, "release": sly("fixed_in")})
    return rollout


def hits(rollout: Rollout) -> list[str]:
    return sorted(path.name for path in (rollout.folder / "hits").iterdir())


def test_a_template_of_the_operator_is_rendered(rollout: Rollout) -> None:
    """Otherwise the other tests would prove nothing."""
    rollout.play("rollback", {"livepatch_name": sly("operator")})
    assert hits(rollout) == ["operator"]


def test_a_release_is_rolled_out_as_data(rollout: Rollout) -> None:
    output = rollout.run("livepatch_rollout_max_fail_percentage=50 livepatch_rollout_accept=true", returns=2)
    assert hits(rollout) == []
    assert "takes-it: enabled" in output
    assert f"refuses-it: refused. {sly('message')}" in output
    assert f"needs-none: fixed (kernel {sly('fixed_in')})" in output
    assert rollout.state("takes-it")["accepted"]


def test_a_rollout_stops_and_rolls_back_with_data(rollout: Rollout) -> None:
    mark = f"{sly('id')}\nbefore {json.dumps({'disabled': False, 'trouble': [sly('before')]})}\n"
    (rollout.folder / "run" / "openeuler-livepatch-trial-fix_1-takes-it").write_text(mark, encoding="utf-8")
    output = rollout.run(returns=2)
    assert hits(rollout) == []
    assert f"The rollout of {sly('id')} has stopped: 1 of the 3 hosts" in output


def test_a_name_that_is_a_template_is_refused(rollout: Rollout) -> None:
    rollout.release["name"] = sly("name")
    assert "has a name that is not one of a kernel module." in rollout.run(returns=2)
    assert hits(rollout) == []


def test_a_file_that_is_not_that_of_the_release_is_named_as_data(rollout: Rollout) -> None:
    (file,) = rollout.release["files"]
    rollout.release["files"] = [{**file, "path": sly("other_path")}, {**file, "sha256": sly("other_sha256")}]
    output = rollout.run(returns=2)
    assert hits(rollout) == []
    assert f"{sly('other_path')} is missing." in output
    assert f"{file['path']} is not the file that the release was made with: its digest differs." in output


@pytest.mark.parametrize(
    ("playbook", "variables", "returns", "said"),
    [
        ("preflight", {}, 2, f"The kernel {sly('fixed_in')} has the fix itself."),
        ("check_next_boot", {"livepatch_boot_kernel": "9.9"}, 2, f"{sly('id')} is active on the kernel "),
        ("rollback", {}, 0, ""),
        ("report", {}, 0, "livepatch.html"),
    ],
)
def test_every_playbook_takes_a_release_as_data(
    rollout: Rollout, playbook: str, variables: dict[str, t.Any], returns: int, said: str
) -> None:
    rollout.host("enabled", patches=[ENABLED], release=sly("kernel_release"))
    output = rollout.play(playbook, {**rollout.write_release(), **variables}, returns=returns)
    assert hits(rollout) == []
    assert said in output


@pytest.mark.parametrize("playbook", ["rollout", "preflight", "check_next_boot", "rollback", "report", "build"])
def test_a_release_that_is_loaded_as_variables_is_refused_unread(rollout: Rollout, playbook: str) -> None:
    rollout.write_release()
    output = rollout.play(playbook, {}, "@release.yml", returns=2)
    assert hits(rollout) == []
    if playbook == "build":
        assert "A release is given, and no fix. Give the fix with -e @fix.yml." in output
    else:
        assert "The release was loaded into the variable livepatch_release (-e @release.yml does that)" in output
        assert "Give its path instead: -e livepatch_release_file=release.yml." in output
    assert not [host for host in rollout.hosts if any("src" in task for task in rollout.tasks(host))]


BAD = {
    "rollout": ({}, "release.yml", "No release is given: an option -e has a text without an equals sign"),
    "preflight": ({"livepatch_release_file": "states"}, "", "/states/release.yml cannot be read: No such file"),
    "check_next_boot": ({"livepatch_release_file": "new.yml"}, "", "this collection reads the format 1."),
    "rollback": ({"livepatch_release_file": "fix.yml"}, "", "/fix.yml is a fix and not a release. Build it"),
    "report": (
        {"livepatch_release_file": "fix_1.ko"},
        "",
        "/fix_1.ko is not a dictionary. List releases that the role",
    ),
    "build": ({}, "fix.yml", "No fix is given: an option -e has a file name without @"),
}


@pytest.mark.parametrize("playbook", BAD)
def test_a_release_that_cannot_be_used_is_told_in_a_sentence(rollout: Rollout, playbook: str) -> None:
    variables, option, said = BAD[playbook]
    (rollout.folder / "new.yml").write_text("livepatch_release: {format: 2}", encoding="utf-8")
    (rollout.folder / "fix.yml").write_text("livepatch_build_fix: {id: Fix 1}", encoding="utf-8")
    output = rollout.play(playbook, variables, *([option] if option else []), returns=2)
    assert said in output
    assert not [host for host in rollout.hosts if any("src" in task for task in rollout.tasks(host))]
