# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rig's apt-get waits for each lock of the package manager, and ends at once with every other error."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[1] / "rig" / "apt_get.py"
# Not as it is: "ansible-test units" has no commands in its PATH.
COMMANDS = "/usr/bin:/bin"
FOLDERS = ("archives/partial", "dpkg/updates", "etc/sources.list.d", "lists/partial")

needs_apt = pytest.mark.skipif(not shutil.which("apt-get", path=COMMANDS), reason="this machine has no apt-get")


@pytest.fixture(name="state")
def _state(tmp_path: Path) -> Path:
    """The state of a package manager that has no sources, and its configuration."""
    for name in FOLDERS:
        (tmp_path / name).mkdir(parents=True)
    for name in ("dpkg/status", "etc/sources.list"):
        (tmp_path / name).touch()
    places = {
        "Dir::Cache": tmp_path,
        "Dir::Etc": tmp_path / "etc",
        "Dir::Log": tmp_path / "log",
        "Dir::State": tmp_path / "state",
        "Dir::State::Lists": tmp_path / "lists",
        "Dir::State::Status": tmp_path / "dpkg/status",
    }
    settings = "".join(f'{name} "{path}";\n' for name, path in places.items())
    (tmp_path / "apt.conf").write_text(settings, encoding="utf-8")
    return tmp_path


def start(*arguments: str, **environ: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-B", str(PROGRAM), *arguments],
        env={**os.environ, "PATH": COMMANDS, **{name: str(value) for name, value in environ.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_apt
@pytest.mark.parametrize(
    ("lock", "arguments"), [("lists/lock", ["update"]), ("dpkg/lock-frontend", ["install", "--yes"])]
)
def test_it_waits_for_a_lock_and_says_who_has_it(state: Path, lock: str, arguments: list[str]) -> None:
    with (state / lock).open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        with start(*arguments, APT_CONFIG=state / "apt.conf") as waiting:
            assert waiting.stdout
            said = waiting.stdout.readline()
            assert waiting.poll() is None
            fcntl.lockf(held, fcntl.LOCK_UN)
            rest, errors = waiting.communicate(timeout=60)
    assert f"Could not get lock {state / lock}. It is held by process {os.getpid()}" in said
    assert (waiting.returncode, rest, errors) == (0, "", "")


@needs_apt
def test_another_error_ends_it_at_once(state: Path) -> None:
    with start("install", "--yes", "no-such-package", APT_CONFIG=state / "apt.conf") as process:
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 100
    assert said == "" and "Unable to locate package no-such-package" in errors


@pytest.fixture(name="program")
def _program(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("apt_get", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "POLL_SECONDS", 0)
    return module


def test_its_patience_ends(
    program: types.ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    locked = "E: Could not get lock /l. It is held by process 7 (apt-get)\nE: Unable to lock directory /\n"
    calls = []

    def run(argv: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        calls.append(argv)
        return subprocess.CompletedProcess(argv, 100, locked)

    clock = iter(range(0, 10**6, 600))
    monkeypatch.setattr(program.subprocess, "run", run)
    monkeypatch.setattr(program.time, "monotonic", lambda: next(clock))
    assert program.apt_get(["update"]) == 100
    said, errors = capfd.readouterr()
    assert len(calls) == 4 and all(argv == ["apt-get", "update"] for argv in calls)
    assert said.count("It is held by process 7 (apt-get)") == 1
    assert errors == locked
