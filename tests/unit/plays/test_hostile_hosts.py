# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hostile host gains nothing on the controller: every role, playbook, action plugin and filter gets its answers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import File
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_file import find_release
from ansible_collections.openeuler.livepatch.tests.unit.plays.hostile_host import (
    KERNEL,
    NAME,
    PATCH_FILE,
    Data,
    Fleet,
    facts_of,
    harm,
    liars,
    template,
    with_engine_keys,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.signing_keys import make_key, signed
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.advisories import openeuler

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

BUILD_ID = "12ebc946d48d5ba56740ddb2a945b2e050087bb7"
DIGEST = hashlib.sha256(PATCH_FILE).hexdigest()
RELEASE = {
    "format": 1,
    "fix": {"id": "Fix 1"},
    "name": NAME,
    "files": [{"kernel_release": KERNEL, "machine": "x86_64", "path": f"{NAME}.ko", "sha256": DIGEST}],
}
TITLE = "{{ 1 + 1 }} checks"
BUILD: Data = {
    "livepatch_build_fix": {"id": "Fix 1", "title": f"{{% raw %}}{TITLE}{{% endraw %}}"},
    "livepatch_build_name": NAME,
    "livepatch_build_patches": ["fix.patch"],
    "livepatch_build_options": {"progress": False},
    "livepatch_build_packages": [],
}
NOT_THERE = json.dumps({"stat": {"exists": False}})
ROLLOUT: Data = {
    "livepatch_waves": "100%",
    "livepatch_rollout_soak": 0,
    "livepatch_rollout_max_fail_percentage": 100,
    "livepatch_rollout_accept": True,
}


@pytest.fixture(name="fleet")
def fixture_fleet(tmp_path: Path) -> Fleet:
    fleet = Fleet(tmp_path)
    (tmp_path / "work/release.yml").write_text(yaml.safe_dump({"livepatch_release": RELEASE}), encoding="utf-8")
    (tmp_path / "work/fix.patch").write_text("--- a\n", encoding="utf-8")
    (tmp_path / "work/advisory.json").write_text(json.dumps(openeuler()), encoding="utf-8")
    return fleet


PLAYBOOKS: dict[str, tuple[Data, tuple[str, ...]]] = {
    "rollout": ({"livepatch_release_file": "release.yml", **ROLLOUT}, ()),
    "preflight": ({"livepatch_release_file": "release.yml"}, ()),
    "check_next_boot": ({"livepatch_release_file": "release.yml"}, ()),
    "rollback": ({"livepatch_release_file": "release.yml", "livepatch_max_fail_percentage": 100}, ()),
    "report": ({"livepatch_release_file": "release.yml"}, ("livepatch-report",)),
    "advisory": ({"livepatch_advisory_source": "advisory.json"}, ("fix.yml",)),
    "boot": ({}, ()),
    "build": (BUILD, ()),
    "kernels": ({"livepatch_kernels_dest": "kernels.yml"}, ("kernels.yml",)),
    "check_python": ({}, ()),
}
"""Playbook -> the variables that it is given, and the folders that it writes."""

OF_ONE_HOST = {"alert"}
"""The playbooks that ask one host alone: test_alert.py has lies for them."""


def test_every_playbook_is_tried() -> None:
    folder = Path(__file__).resolve().parents[3] / "playbooks"
    assert sorted({*PLAYBOOKS, *OF_ONE_HOST}) == sorted(path.stem for path in folder.glob("*.yml"))


SAID = {
    "rollout": ("well: enabled",),
    "report": ("livepatch-report/livepatch.json", "not_applied: 1"),
    "kernels": (f'"release": "{KERNEL}"', "Not listed: nothing: Its facts could not be read"),
    "advisory": ("well: unknown. The advisory is for openEuler-22.03-LTS-SP4", "fix.yml: created."),
}
"""What a playbook says of the host that does not lie: the others do not keep it from its patch, or out of a report."""


def well() -> dict[str, str | list[str]]:
    """The answers of a host that takes the patch. It is asked for its facts before, twice, and after."""
    patch = {"name": NAME, "enabled": True, "effective": "full", "in_transition": False, "identity": {"sha256": DIGEST}}
    facts = [json.dumps(facts_of(patches=patches)) for patches in ([], [], [patch])]
    changed = json.dumps({"changed": True, "actions": ["enable"], "findings": []})
    return {
        "livepatch_facts": facts,
        "stat": NOT_THERE,
        "livepatch_module": changed,
        "*": json.dumps({"changed": True}),
    }


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_no_answer_of_a_host_does_harm(playbook: str, fleet: Fleet) -> None:
    variables, written = PLAYBOOKS[playbook]
    for name, answers in liars(fleet.folder).items():
        # Ansible's own copy and template stumble over the answers of stat, and fail the host.
        fleet.host(name, {**answers, "stat": NOT_THERE} if playbook in ("boot", "build") else answers)
    fleet.host("well", well())
    if playbook == "build":
        kernels = [{"release": f"{KERNEL}{place}", "host": name} for place, name in enumerate(fleet.hosts)]
        variables = {**variables, "livepatch_build_kernels": kernels}
    before = fleet.files()
    output = fleet.play(playbook, variables)
    assert harm(fleet, output) == []
    for text in SAID.get(playbook, ()):
        assert text in output
    new = [path for path in fleet.files() - before if not path.startswith(tuple(f"work/{name}" for name in written))]
    assert new == []
    assert [name for name in fleet.hosts if not fleet.asked(name)] == []


OF_ROLES: dict[str, Data] = {
    "build": {**BUILD, "livepatch_build_kernels": [{"release": KERNEL, "host": "builder"}]},
    "report": {"livepatch_report_releases": ["release.yml"]},
    "rollout": {"livepatch_rollout_release_file": "release.yml"},
}


@pytest.mark.parametrize("role", OF_ROLES)
def test_a_host_that_sets_variables_of_ours_is_left_out(role: str, fleet: Fleet) -> None:
    """Whatever has asked it for its facts before the role."""
    sets = {
        "option": f"livepatch_{role}_directory",
        "internal": f"__livepatch_{role}_options",
        "name": "inventory_hostname",
    }
    for name, fact in sets.items():
        answer = json.dumps({"ansible_facts": {fact: f"{fleet.folder}/hits"}})
        fleet.host(name, {"setup": answer, "stat": NOT_THERE})
    setup = {"ansible.builtin.setup": {"gather_subset": "min"}}
    play = {
        "hosts": "all:!controller",
        "gather_facts": False,
        "pre_tasks": [setup],
        "roles": [f"openeuler.livepatch.{role}"],
    }
    (fleet.folder / "work/site.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    output = fleet.play("site.yml", OF_ROLES[role])
    assert harm(fleet, output) == []
    for name, fact in sets.items():
        assert f"set_by_host: The facts of the host set {fact}." in output
        assert fleet.asked(name) == ["setup"]


@pytest.mark.parametrize("omit", ["2000-01-01T00:00:00Z", "x"])
def test_a_host_does_not_choose_the_time_of_a_report(omit: str, fleet: Fleet) -> None:
    """The task that writes it runs once for all, with the variables of the first host."""
    answer = facts_of()
    answer["ansible_facts"]["omit"] = omit
    said = json.dumps({"changed": False, **answer})
    fleet.host("aaa", {"*": said, "stat": NOT_THERE, "livepatch_facts": said})
    fleet.host("well", well())
    fleet.play("report", {"livepatch_report_releases": ["release.yml"]})
    report = fleet.folder / "work/livepatch-report/livepatch.json"
    assert '"2000-01-01' not in report.read_text(encoding="utf-8")


def test_no_task_on_the_controller_takes_omit() -> None:
    """A host that has answered may have a fact of that name, and such a task is everybody's."""
    root = Path(__file__).resolve().parents[3]
    files = [*root.glob("roles/*/tasks/*.yml"), *root.glob("playbooks/*.yml")]
    for path in files:
        for task in re.split(r"\n *- name: ", path.read_text(encoding="utf-8")):
            on_controller = re.search(
                r"delegate_to: localhost|livepatch_(advisory|report|fetch|release_info|unpack):", task
            )
            assert not (on_controller and re.search(r"\bomit\b", task)), (path, task)


def build_host(fleet: Fleet, name: str, file: bytes) -> None:
    """A build host that gives this file, and lies about everything else."""
    evil = template(fleet.folder)
    manifest = {"format": 1, "sha256": hashlib.sha256(file).hexdigest(), "kernel_build_id": "AB" * 20, "x": evil}
    given = [base64.b64encode(content).decode() for content in (file, json.dumps(manifest).encode())]
    slurped = [json.dumps({"content": content, "encoding": "base64", "source": "/../x"}) for content in given]
    shown = {
        "kernel_build_id": evil,
        "machine": evil,
        "abi": evil,
        "sha256": evil,
        "build_id": evil,
        "srcversion": evil,
    }
    built = {
        "changed": True,
        "path": "/etc/passwd",
        "manifest": "/etc/passwd",
        "release": "../hits",
        "patch_file": shown,
    }
    answers: dict[str, str | list[str]] = {
        "livepatch_build": json.dumps(with_engine_keys(built, fleet.folder)),
        "slurp": slurped,
    }
    facts = json.dumps(with_engine_keys({"changed": True}, fleet.folder))
    fleet.host(name, {"*": facts, "stat": NOT_THERE, **answers})


def test_a_build_host_decides_nothing_but_what_is_in_its_file(fleet: Fleet) -> None:
    build_host(fleet, "builder", PATCH_FILE)
    before = fleet.files()
    variables = {**BUILD, "livepatch_build_kernels": [{"release": KERNEL, "host": "builder"}]}
    (fleet.folder / "work/release.yml").unlink()
    output = fleet.play("build", variables)
    assert harm(fleet, output) == []
    folder = f"work/{KERNEL}"
    assert fleet.files() - before == {folder, f"{folder}/{NAME}.ko", f"{folder}/{NAME}.ko.json"}, output
    release = fleet.folder / "work/release.yml"
    (file,) = find_release(str(release), None).release.files
    assert file == File(KERNEL, "x86_64", DIGEST, f"{KERNEL}/{NAME}.ko", kernel_build_id="ab" * 20, build_id=BUILD_ID)
    # What no guide asks for.
    show = {"hosts": "localhost", "gather_facts": False, "tasks": [{"debug": {"var": "livepatch_release"}}]}
    (fleet.folder / "work/show.yml").write_text(yaml.safe_dump([show]), encoding="utf-8")
    shown = fleet.play("show.yml", {}, "-e", "@release.yml")
    assert TITLE in shown
    assert harm(fleet, shown) == []
    again = fleet.play("build", variables)
    assert "changed=0" in again.rpartition("localhost")[2] or "ok: [builder -> localhost]" in again


@pytest.mark.parametrize("signer", ["site", "namesake", None])
def test_a_build_host_has_to_sign_with_the_key_of_the_certificate(fleet: Fleet, signer: str | None) -> None:
    """The path of the certificate is relative to the directory of the fix."""
    work = fleet.folder / "work"
    for name in ("site", "namesake"):
        make_key(work, name)
    file = signed(PATCH_FILE, work, signer, "-nocerts") if signer else PATCH_FILE
    build_host(fleet, "builder", file)
    variables = {**BUILD, "livepatch_build_kernels": [{"release": KERNEL, "host": "builder"}]}
    output = fleet.play("build", {**variables, "livepatch_build_certificate": "site.pem"})
    is_fetched = (work / KERNEL / f"{NAME}.ko").exists()
    assert is_fetched == (signer == "site"), output
    assert ("has not signed this patch file" in output) == (signer == "namesake")
    assert ("has no signature" in output) == (signer is None)


DISGUISES = "\u202e\u200f\x9b\ufeff"


@pytest.mark.parametrize(
    ("playbook", "reads"),
    [("preflight", "refuse: x\ufffd"), ("preflight", "load \ufffd"), ("check_python", "Python 3.1 ????")],
)
def test_no_playbook_displays_what_disguises(playbook: str, reads: str, fleet: Fleet) -> None:
    """Ansible itself escapes no more than JSON does."""
    finding = {"severity": "refuse", "reason": f"x{DISGUISES}", "cause": DISGUISES, "remedy": DISGUISES}
    findings = [finding] if reads.startswith("refuse") else []
    predicted = {"changed": True, "actions": [f"load {DISGUISES}"], "findings": findings}
    facts, answer = json.dumps(facts_of()), json.dumps(predicted)
    fleet.host("sly", {"livepatch_facts": facts, "livepatch_module": answer, "-c": f"3.1 {DISGUISES}"})
    output = fleet.play(playbook, PLAYBOOKS[playbook][0])
    assert reads in output
    assert not set(DISGUISES) & set(output)


def by_hand() -> Data:
    """A play with each module that asks a host, and each filter. What hosts answer is kept, and rendered again."""
    modules: dict[str, Data] = {
        "livepatch_facts": {},
        "livepatch_file_info": {"src": "/x.ko", "remote_src": True},
        "livepatch_module": {"src": f"{NAME}.ko"},
        "livepatch_boot": {},
        "livepatch_build": {"patches": ["/x.patch"], "dest": "/nosuch/"},
        "livepatch_fetch": {"src": "/x.ko", "dest": "new", "name": NAME, "kernel_release": KERNEL},
    }
    tasks: list[Data] = []
    for name, arguments in modules.items():
        tasks.append({f"openeuler.livepatch.{name}": arguments, "register": f"read_{name}"})
    found = "{{ read_livepatch_facts | openeuler.livepatch.livepatch_query('[msg, path, ansible_facts, findings]') }}"
    bad = (
        "{{ {'livepatch_report_max_age': read_livepatch_facts.msg} | openeuler.livepatch.livepatch_numbers('report') }}"
    )
    told = "{{ read_livepatch_module | openeuler.livepatch.livepatch_options({}) }}"
    tasks.append({"set_fact": {"found": found}})
    kernel = "{{ read_livepatch_facts | openeuler.livepatch.livepatch_kernels('answer', inventory_hostname) }}"
    tasks.append({"set_fact": {"bad": bad, "told": told}})
    tasks.append({"set_fact": {"kernel": kernel}})
    shown = [f"{{{{ {name} | default('') }}}}" for name in ("found", "bad", "told", "kernel")]
    tasks.append({"debug": {"msg": shown}})
    ignored = [{**task, "ignore_errors": True, "ignore_unreachable": True} for task in tasks]
    return {"hosts": "all:!controller", "gather_facts": False, "tasks": ignored}


def test_no_action_plugin_and_no_filter_does_harm(fleet: Fleet) -> None:
    for name, answers in liars(fleet.folder).items():
        fleet.host(name, answers)
    evil = "\x1b[2J" + template(fleet.folder)
    progress = [
        {"changed": False, "needs_build": True},
        {
            "entries": [{"text": evil}, {"stage": [evil], "elapsed": evil, "objects": {}}, 7],
            "offset": 1,
            "running": True,
        },
        {"entries": 7, "offset": evil, "running": evil},
    ]
    started = {"started": 1, "finished": 0, "ansible_job_id": "j1.1"}
    done = {"started": 1, "finished": 1, "ansible_job_id": "../x", "stdout": evil, "msg": evil}
    shown: dict[str, str | list[str]] = {
        "livepatch_build": [json.dumps(answer) for answer in progress],
        "async_status": json.dumps(done),
    }
    fleet.host("shows", {**shown, "async_wrapper": json.dumps(started)})
    fleet.host("names", {**shown, "async_wrapper": json.dumps({**started, "ansible_job_id": "../../x"})})
    (fleet.folder / "work/by_hand.yml").write_text(yaml.safe_dump([by_hand()]), encoding="utf-8")
    before = fleet.files()
    output = fleet.play("by_hand.yml", {})
    assert harm(fleet, output) == []
    assert fleet.files() == before
    assert f"[shows] \ufffd[2J{template(fleet.folder)}" in output
