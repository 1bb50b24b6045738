# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the boot program lists: on hosts that were recorded (see test_recorded_hosts.py), and by itself on this one."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.listing import listed, listing
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.pack import pack
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather, is_known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.recorded_host import RECORDED, files_of

FIX = {"id": "CVE-2026-0001", "title": "A missing check", "severity": "important", "cves": ["CVE-2026-0002"]}

Plain = t.Dict[str, t.Any]


def facts_of(abi: str, folder: pathlib.Path) -> Plain:
    return gather(files_of(abi, folder))


@pytest.mark.parametrize("abi", RECORDED)
def test_a_recorded_host(abi: str, tmp_path: pathlib.Path) -> None:
    facts = facts_of(abi, tmp_path)
    patches = {patch["name"]: patch for patch in facts["patches"]}
    patches["lp_boot_a"]["fix"] = FIX
    patches["lp_boot_b"].update(effective="partial", forced=True)
    patches["lp_boot_trial"].update(enabled=False)
    facts["boot"].update(
        installed=True,
        nothing="livepatch=off is on the kernel's command line.",
        quarantined=[{"name": "lp_bad", "sha256": "0", "release": "6.1", "since": "", "why": "The host went down."}],
        lost=[{"name": "lp_lost", "release": "6.1", "kernel_build_id": None, "fix": FIX}],
        # The files of the patches are not recorded.
        accepted=[{**entry, "flaw": None} for entry in (*facts["boot"]["accepted"], {"name": "lp_next", "fix": None})],
    )
    assert list(listing({**facts, "reboot_required": True})) == [
        "kernel 6.12.118+deb13-cloud-amd64",
        "",
        "lp_boot_e: enabled, all of its functions are live",
        "  fix: unknown",
        "  next boot: loads it",
        "",
        "lp_boot_a: enabled, none of its functions is live",
        "  fix: CVE-2026-0001 (CVE-2026-0002), important, A missing check",
        "  next boot: loads it",
        "",
        "lp_boot_b: enabled, not all of its functions are live, by force",
        "  fix: unknown",
        "  next boot: loads it",
        "",
        "lp_boot_trial: disabled",
        "  fix: unknown",
        "  next boot: without it, it is on trial",
        "",
        "lp_next: not loaded",
        "  fix: unknown",
        "  next boot: loads it",
        "",
        "lp_bad: not loaded",
        "  fix: unknown",
        "  next boot: in quarantine. The host went down.",
        "",
        "lp_lost: accepted for the kernel 6.1",
        "  fix: CVE-2026-0001 (CVE-2026-0002), important, A missing check",
        "  next boot: not with this kernel",
        "This boot has loaded nothing. livepatch=off is on the kernel's command line.",
        "A reboot is required.",
    ]


def test_what_the_next_boot_cannot_load_is_told(tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    facts["boot"]["installed"] = True
    flaws = [entry["flaw"] for entry in facts["boot"]["accepted"]]
    assert len(flaws) == 3 and all(flaws)
    lines = list(listing(facts))
    assert [line for line in lines if line.startswith("  next boot: accepted")] == [
        f"  next boot: accepted, and cannot be loaded. {flaw}" for flaw in flaws
    ]


def test_what_this_boot_has_not_loaded_is_told(tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    failed = {"name": "lp_next", "outcome": "failed", "why": "The kernel answered EIO.", "since": ""}
    entry = {"name": "lp_next", "fix": None, "flaw": None}
    facts["boot"].update(installed=True, results=[failed], accepted=[entry])
    assert "  next boot: loads it. This boot has not: The kernel answered EIO." in list(listing(facts))


def test_without_what_loads_them_nothing_is_loaded(tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    assert not facts["boot"]["installed"]
    assert list(listing(facts)).count("  next boot: accepted, and nothing loads it") == 3


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"enabled": None}, "state unknown"),
        ({"in_transition": True}, "in transition"),
        ({"effective": None}, "enabled, which of its functions are live is unknown"),
        ({"boot": "quarantined"}, "enabled, all of its functions are live"),
    ],
)
def test_the_state_of_a_patch(changes: Plain, state: str, tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    facts["patches"][0].update(changes)
    lines = list(listing(facts))
    assert lines[2] == f"lp_boot_e: {state}"
    assert (lines[4] == "  next boot: in quarantine") is ("boot" in changes)


def test_what_cannot_be_told_is_not_told(tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    assert is_known(facts)
    doubtful = {**facts, "disagreements": ["They differ."]}
    assert not is_known(doubtful)
    assert "Which patches are loaded, enabled and live cannot be told." in listing(doubtful)


def test_nothing_commands_the_terminal(tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    evil = "\x1b[2Jx\ny"
    facts["patches"][0].update(name=evil, fix={**FIX, "title": evil})
    facts["boot"].update(nothing=evil, lost=[{"name": evil, "release": evil, "fix": None}])
    assert not {"\x1b", "\n"}.intersection("".join(listing({**facts, "release": evil})))


def test_the_data_has_the_keys_of_the_facts(tmp_path: pathlib.Path) -> None:
    facts = facts_of(PER_TASK, tmp_path)
    data = json.loads(json.dumps(listed(facts)))
    assert data["patches"][0] == {key: facts["patches"][0][key] for key in data["patches"][0]}
    assert [patch["fix"] for patch in data["patches"]] == [None] * 4
    assert data["boot"] == {key: facts["boot"][key] for key in data["boot"]}


def test_the_program_itself(tmp_path: pathlib.Path) -> None:
    """It reads this machine, whatever that has: a boot program is one file, and needs nothing beside Python."""
    program = tmp_path / "boot.pyz"
    program.write_bytes(pack())

    def run(*arguments: str) -> str:
        command = [sys.executable, "-I", str(program), "list", *arguments]
        done = subprocess.run(command, env={"LANG": "C"}, check=False, capture_output=True, encoding="utf-8")
        assert (done.returncode in (0, 1), done.stderr) == (True, "")
        return done.stdout

    data = json.loads(run("--json"))
    assert run().splitlines()[0] == f"kernel {data['release']}"
    assert data.keys() >= {"patches", "boot", "supported"}
