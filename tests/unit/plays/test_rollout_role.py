# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role rollout with hosts that are this machine, and modules that are replaced. The scenario has real ones."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.tests.unit.plays.rollout_stand_in import DISABLED, ENABLED, Rollout

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(name="rollout")
def fixture_rollout(tmp_path: Path) -> Rollout:
    return Rollout(tmp_path)


def test_all_goes_well(rollout: Rollout) -> None:
    rollout.host("fresh")
    rollout.host("done", patches=[ENABLED])
    rollout.host("fixed", release="6.7")
    options = "livepatch_rollout_soak=0.5 livepatch_rollout_on_no_patch_file=fail livepatch_rollout_accept=false"
    output = rollout.run(options)
    for line in ("fresh: enabled", "done: enabled before", "fixed: fixed (kernel 6.7)"):
        assert f'"{line}"' in output
    assert "Pausing for 1 second" in output
    assert not any(rollout.state(name)["accepted"] for name in rollout.hosts)
    assert "FAILED" not in output and "...ignoring" not in output


def test_what_a_killed_run_has_left_is_rolled_back_if_the_wave_does_not_begin(rollout: Rollout) -> None:
    rollout.host("left", patches=[ENABLED], mark='Fix 1\nbefore {"disabled": true, "trouble": []}\n')
    rollout.host("done", patches=[ENABLED])
    rollout.host("covered", refuses="It is covered.")
    output = rollout.run("livepatch_rollout_accept=true", returns=2)
    assert '"left: rolled back"' in output
    assert "covered: refused. It is covered." in output
    assert rollout.state("left")["patches"] == [DISABLED]
    assert not any(rollout.state(name)["accepted"] for name in rollout.hosts)


def test_what_a_patch_has_superseded_comes_back_though_the_patch_was_loaded_before(rollout: Rollout) -> None:
    """Disabled it would cover nothing, and what it took the place of would stay out."""
    rollout.release["supersedes"] = ["fix_0"]
    rollout.host("left", patches=[ENABLED], mark='Fix 1\nbefore {"disabled": true, "trouble": []}\n')
    rollout.host("covered", refuses="It is covered.")
    rollout.run(returns=2)
    assert [task["state"] for task in rollout.tasks("left") if "state" in task] == ["reverted"]


def test_a_release_with_a_name_for_each_kernel_is_watched_by_that_of_the_host(rollout: Rollout) -> None:
    (file,) = rollout.release["files"]
    rollout.release["files"] = [{**file, "name": "fix-1"}, {**file, "kernel_release": "6.8", "name": "fix_of_6_8"}]
    rollout.release["name"] = "livepatch_fix"
    rollout.host("fresh")
    output = rollout.run("livepatch_rollout_accept=true")
    assert '"fresh: enabled"' in output
    assert rollout.state("fresh")["accepted"]


def test_what_was_before_is_what_the_killed_run_found(rollout: Rollout) -> None:
    """And no more hosts than permitted fail."""
    rollout.host(
        "left", patches=[ENABLED], trouble=["a warning"], mark='Fix 1\nbefore {"disabled": false, "trouble": []}\n'
    )
    rollout.host("fresh", trouble=["an oops"])
    output = rollout.run("livepatch_rollout_accept=true livepatch_rollout_max_fail_percentage=50", returns=2)
    assert "The kernel has had a warning since." in output
    assert '"left: rolled back. ' in output
    assert '"fresh: enabled"' in output
    assert rollout.state("left")["patches"] == []
    assert [rollout.state(name)["accepted"] for name in ("left", "fresh")] == [False, True]


@pytest.mark.parametrize("parameters", [{"verbose": True, "text": "yes, 'so'", "levels": [1, "2"]}, {}, None])
def test_the_patch_gets_the_parameters_of_the_release(rollout: Rollout, parameters: dict[str, object] | None) -> None:
    rollout.release["files"][0]["parameters"] = parameters
    rollout.host("fresh")
    rollout.run("livepatch_rollout_accept=true")
    of_module = [task for task in rollout.tasks("fresh") if "src" in task]
    assert [task.get("parameters") for task in of_module] == [parameters] * 3
    rollout.play("preflight", rollout.write_release())
    assert rollout.tasks("fresh")[-1].get("parameters") == parameters


@pytest.mark.parametrize(
    ("was_disabled", "state", "parameters"), [(False, "reverted", {"level": 2}), (True, "disabled", None)]
)
def test_a_host_is_rolled_back_from_the_parameters_of_the_release_alone(
    rollout: Rollout, was_disabled: bool, state: str, parameters: dict[str, object] | None
) -> None:
    """The module may have rolled it back to the same file with other ones, which would be taken out."""
    rollout.release["files"][0]["parameters"] = {"level": 2}
    before = json.dumps({"disabled": was_disabled, "trouble": []})
    rollout.host("left", patches=[ENABLED], mark=f"Fix 1\nbefore {before}\n")
    rollout.host("covered", refuses="It is covered.")
    rollout.run(returns=2)
    (task,) = [task for task in rollout.tasks("left") if "state" in task]
    assert (task["state"], task.get("parameters")) == (state, parameters)


REPORTED = """
- import_playbook: openeuler.livepatch.report
- import_playbook: openeuler.livepatch.rollout
- import_playbook: openeuler.livepatch.report
"""


def test_a_report_does_not_count_what_was_known_before_a_rollback(rollout: Rollout) -> None:
    rollout.host("good")
    rollout.host("bad", patches=[ENABLED], mark='Fix 1\nbefore {"disabled": false, "trouble": []}\n')
    (rollout.folder / "site.yml").write_text(REPORTED, encoding="utf-8")
    variables = {
        "livepatch_waves": "100%",
        "livepatch_rollout_max_fail_percentage": 60,
        "livepatch_rollout_gates": [{"that": "inventory_hostname != 'bad'"}],
        "livepatch_report_formats": ["json"],
        **rollout.write_release(),
    }
    rollout.play("site.yml", variables, returns=2)
    assert rollout.state("bad")["patches"] == []
    data = json.loads((rollout.folder / "livepatch-report/livepatch.json").read_text(encoding="utf-8"))
    bad = next(host for host in data["hosts"] if host["name"] == "bad")
    assert (bad["headline"], bad["protected"]) == ("unreachable", False)
    assert bad["why"].startswith("It left the play before it was read")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("livepatch_rollout_soak=-1", "livepatch_rollout_soak is -1, and must be a number from 0 to 604800."),
        ("livepatch_rollout_timeout=nan", "livepatch_rollout_timeout is nan, and must be a number from 0 to 86400."),
    ],
)
def test_a_number_out_of_its_bounds_stops_the_rollout_before_a_host_is_read(
    rollout: Rollout, options: str, says: str
) -> None:
    rollout.host("one")
    output = rollout.run(options, returns=2)
    assert f"bad_argument: {says}" in output
    assert "Read the release" not in output


def test_a_number_of_one_host_out_of_its_bounds_stops_all(rollout: Rollout) -> None:
    rollout.host("one")
    rollout.host("two", variables={"livepatch_rollout_timeout": -1})
    output = rollout.run("livepatch_waves=1", returns=2)
    assert (
        "bad_argument: livepatch_rollout_timeout is -1, and must be a number from 0 to 86400. That is so on two."
        in output
    )
    assert not any(rollout.tasks(name) for name in rollout.hosts)


@pytest.mark.parametrize(
    ("release", "says"),
    [
        (None, "which kernel will boot is unknown: name it with -e livepatch_boot_kernel."),
        ("9.9", "the kernel 9.9 will boot, for which the release has no file: build one before the reboot."),
    ],
)
def test_a_host_that_would_lose_its_fix_fails_before_the_reboot(
    rollout: Rollout, release: str | None, says: str
) -> None:
    boot = {"next_kernel": {"release": release}}
    rollout.host("enabled", patches=[ENABLED], boot=boot)
    rollout.host("other", boot=boot)
    output = rollout.play("check_next_boot", rollout.write_release(), returns=2)
    assert says in output
    assert "is not active on this host." in output


def test_one_release_for_all_hosts(rollout: Rollout) -> None:
    rollout.host("one", variables={"livepatch_rollout_directory": "/one"})
    rollout.host("other", variables={"livepatch_rollout_directory": "/other"})
    assert "The hosts of this play do not all have the same livepatch_rollout_release_file" in rollout.run(returns=2)


OF_THEIR_OWN = """\
- hosts: all
  gather_facts: false
  vars:
    livepatch_rollout_release_file: release.yml
  tasks:
    - block:
        - ansible.builtin.include_role:
            name: openeuler.livepatch.rollout
      always:
        - ansible.builtin.debug:
            msg: "{{ inventory_hostname }} must reboot: {{ livepatch_rollout_reboot_required is true }}"
"""


def test_a_play_learns_where_only_a_reboot_finishes_the_job(rollout: Rollout) -> None:
    rollout.host("stuck", refuses="It is stuck.", reboot_required=True)
    rollout.host("fresh")
    rollout.write_release()
    (rollout.folder / "own.yml").write_text(OF_THEIR_OWN, encoding="utf-8")
    output = rollout.play("own.yml", {"livepatch_rollout_max_fail_percentage": 50}, returns=2)
    assert "stuck: refused. It is stuck. A reboot is required." in output
    assert '"fresh: enabled"' in output
    assert "stuck must reboot: True" in output and "fresh must reboot: False" in output


LOCKED = {"failed": True, "msg": "It locked up.", "reason": "kernel_trouble", "reboot_required": True}


@pytest.mark.parametrize("then", [{"fails_then": LOCKED}, {"trouble_then": ["a soft lockup"]}])
def test_a_host_that_locks_up_is_left_alone_and_stops_the_rollout(rollout: Rollout, then: dict[str, t.Any]) -> None:
    """Its rollback would wait for the CPU, whether the module has seen the lockup or the facts tell of it."""
    rollout.host("locked", **then)
    rollout.host("well")
    variables = {"livepatch_waves": "100%", "livepatch_rollout_max_fail_percentage": 99, **rollout.write_release()}
    output = rollout.play("rollout", {**variables, "livepatch_rollout_accept": True}, returns=2)
    assert "The rollout of Fix 1 has stopped: the kernel must not be changed any more on locked." in output
    assert '"locked: not rolled back. ' in output
    assert "Drain and reboot it; the patch is on trial, a reboot takes it out. A reboot is required." in output
    assert '"well: rolled back"' in output
    assert [rollout.state(name)["patches"] for name in ("locked", "well")] == [[ENABLED], []]
    assert not any(rollout.state(name)["accepted"] for name in rollout.hosts)
    assert [task["state"] for task in rollout.tasks("locked") if "state" in task] == []
    assert [path.name[-6:] for path in (rollout.folder / "run").iterdir()] == ["locked"], "it is still on trial"


def test_each_gate_can_refuse(rollout: Rollout) -> None:
    gates = {
        "command": ({"command": ["false"]}, "Check the gate command: "),
        "url": ({"url": "http://127.0.0.1:1/"}, "Check the gate url: "),
        "services": ({"services": ["no-such.service"]}, "Check the gate services: "),
        "load": ({"load_average": 0}, "Check the gate load_average: The load is "),
        "that": ({"that": ["ansible_facts.livepatch.patches == []"]}, "Check the gate that: "),
    }
    for name, (gate, _problem) in gates.items():
        rollout.host(name, variables={"livepatch_rollout_gates": [gate]})
    well = [{"command": ["true"]}, {"load_average": 100000}, {"that": ["ansible_facts.livepatch.patches != []"]}]
    rollout.host("well", variables={"livepatch_rollout_gates": well})
    output = rollout.run(returns=2)
    for name, (_gate, problem) in gates.items():
        assert f"{name}: rolled back. {problem}" in output
        assert rollout.state(name)["patches"] == []
    assert '"well: rolled back"' in output


def test_the_mark_of_a_trial_is_in_run_and_for_root_alone(rollout: Rollout) -> None:
    variables = yaml.safe_load((ROOT / "roles/rollout/vars/main.yml").read_text(encoding="utf-8"))
    name = "/run/openeuler-livepatch-trial-{{ __livepatch_rollout_release.name }}"
    assert variables["__livepatch_rollout_mark"] == name
    rollout.host("fresh")
    mark, seen = rollout.folder / "run/openeuler-livepatch-trial-fix_1-fresh", rollout.folder / "seen"
    gates = [{"command": ["cp", "--preserve=mode", str(mark), str(seen)]}]
    rollout.run(json.dumps({"livepatch_rollout_gates": gates}))
    assert seen.read_text(encoding="utf-8").startswith("Fix 1\nbefore ")
    assert seen.stat().st_mode & 0o777 == 0o600


def test_every_option_reaches_the_module(rollout: Rollout) -> None:
    rollout.host("host")
    wanted = {
        "timeout": 61,
        "retries": 11,
        "delay": 2,
        "on_covered": "allow",
        "on_stall": "wait",
        "force_owner": True,
        "ignore": ["taint"],
        "load_targets": True,
        "reload": True,
        "verify": "text",
        "watch": 4,
    }
    rollout.run(json.dumps({f"livepatch_rollout_{name}": value for name, value in wanted.items()}), as_variable=True)
    applied = [task for task in rollout.tasks("host") if "watch" in task]
    assert [{name: task[name] for name in wanted} for task in applied] == [wanted]


def test_preflight_takes_a_release_or_a_patch_file(rollout: Rollout) -> None:
    rollout.host("fresh")
    rollout.host("other", release="6.5")
    output = rollout.play("preflight", rollout.write_release(), returns=2)
    assert "The release has a file for the kernel 6.6." in output
    assert "The release has no patch file for kernel 6.5." in output
    assert [task["src"] for task in rollout.tasks("fresh") if task] == [str(rollout.folder / "fix_1.ko")]
    rollout.play("preflight", {"livepatch_src": "fix_1.ko"})
    assert [task["src"] for task in rollout.tasks("other") if task] == [str(rollout.folder / "fix_1.ko")]
