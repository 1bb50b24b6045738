# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make bench` writes down of each call: what Ansible sends runs, and tells its phases.

The host is this machine: the connection plugin is the one of the bench, with `local` for `ssh`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.bench.split import Split, read_split

ROOT = Path(__file__).resolve().parents[3]
BENCH = ROOT / "tests" / "bench"
ANSIBLE = "from ansible.cli.adhoc import main; main()"

OF_EACH_MODULE = {
    "controller",
    "connection",
    "transfer",
    "start of Python",
    "unpacking",
    "other imports",
    "arguments",
    "result",
    "rest of the module",
}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    collections = tmp_path / "ansible_collections" / "openeuler"
    collections.mkdir(parents=True)
    (collections / "livepatch").symlink_to(ROOT)
    plugins = tmp_path / "bench" / "connection"
    plugins.mkdir(parents=True)
    source = (BENCH / "connection" / "recorded_ssh.py").read_text(encoding="utf-8")
    (plugins / "recorded_local.py").write_text(re.sub(r"\bssh\b", "local", source), encoding="utf-8")
    (tmp_path / "bench" / "phases.py").write_bytes((BENCH / "phases.py").read_bytes())
    (tmp_path / "calls").mkdir()
    return tmp_path


def run(folder: Path, module: str, *arguments: str, check: bool = True) -> tuple[str, Split]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", ANSIBLE, "localhost", "--inventory=localhost,", "--module-name", module, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_CONNECTION_PLUGINS": str(folder / "bench" / "connection"),
            "ANSIBLE_TRANSPORT": "recorded_local",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "LIVEPATCH_BENCH_CALLS": str(folder / "calls"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is check, done.stdout + done.stderr
    return done.stdout + done.stderr, read_split(time.monotonic() - started, folder / "calls")


def test_a_ping_is_one_round_trip_and_tells_its_phases(folder: Path) -> None:
    printed, found = run(folder, "ansible.builtin.ping")
    assert '"ping": "pong"' in printed and "livepatch-bench" not in printed
    assert set(found.seconds) == OF_EACH_MODULE
    assert all(seconds >= 0 for seconds in found.seconds.values()), found.seconds
    assert found.seconds["start of Python"] > 0.001 and found.seconds["other imports"] > 0.001
    assert abs(sum(found.seconds.values()) - found.whole) < 0.001
    assert found.round_trips == 1
    assert found.payload.size > 10_000 and found.payload.files > 10


def test_the_facts_tell_what_is_of_the_collection(folder: Path) -> None:
    printed, found = run(folder, "openeuler.livepatch.livepatch_facts")
    assert '"ansible_livepatch"' in printed
    assert set(found.seconds) == OF_EACH_MODULE | {"imports of the collection", "reading"}
    (call,) = [json.loads(line) for line in (folder / "calls" / "calls").read_text(encoding="utf-8").splitlines()]
    assert (folder / "calls" / call["sent"]).stat().st_size == found.payload.size


def test_a_module_that_fails_fails_and_tells_its_phases(folder: Path) -> None:
    printed, found = run(folder, "ansible.builtin.command", "--args=false", check=False)
    assert "non-zero return code" in printed
    assert set(found.seconds) == OF_EACH_MODULE


def test_what_is_waited_for_on_purpose_counts_for_itself(folder: Path) -> None:
    _printed, found = run(folder, "ansible.builtin.wait_for", "--args=timeout=2")
    assert 1.5 < found.seconds["waiting on purpose"] < 2.5
    assert found.seconds["rest of the module"] < 1


def test_a_file_that_is_sent_is_a_round_trip_of_its_own(folder: Path) -> None:
    (folder / "file").write_text("content\n", encoding="utf-8")
    _printed, found = run(folder, "ansible.builtin.copy", f"--args=src={folder}/file dest={folder}/copied")
    assert (folder / "copied").read_text(encoding="utf-8") == "content\n"
    assert {"files by sftp", "commands that are no module"} < set(found.seconds)
    assert found.round_trips >= 4
