# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the replay of transcripts compares, and where: tests/rig/stop_machine/replay.py."""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
import types
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "rig/stop_machine"
TRANSCRIPTS = sorted((FOLDER / "transcripts").glob("*.txt"))
ARM64 = FOLDER / "transcripts/openeuler-6.6-arm64-stack-off.txt"


def load() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("stop_machine_replay", FOLDER / "replay.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


REPLAY = load()

BUSY_ARM64 = """\
[   63.558031] livepatch: func do_sys_poll is in use!
[   63.559539] livepatch: PID: 72 Comm: sshd
[   63.559731] Call trace:
[   63.559785]  __switch_to+0xac/0x100
[   63.559919]  __schedule+0x2a0/0x6f8 (P)
""".splitlines()


def test_the_architecture_of_a_transcript_is_in_its_name() -> None:
    machines = {transcript.name: REPLAY.machine_of(transcript) for transcript in TRANSCRIPTS}
    assert machines.pop(ARM64.name) == "aarch64"
    assert set(machines.values()) == {"x86_64"} and len(machines) == 3


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_name_says_what_the_kernel_printed(transcript: Path) -> None:
    """Of a task in the way, and how long the shortest function is."""
    text = transcript.read_text(encoding="utf-8")
    is_arm64 = REPLAY.machine_of(transcript) == "aarch64"
    assert ("livepatch: PID: " in text, "check stack failed" in text) == (is_arm64, not is_arm64)
    assert re.findall(r"size less than limit \((.*)\)", text) == ["8 < 16" if is_arm64 else "4 < 5"] * 2


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_transcript_of_another_architecture_is_not_replayed(
    transcript: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = REPLAY.machine_of(transcript)
    (other,) = {"x86_64", "aarch64"} - {machine}
    monkeypatch.setattr(platform, "machine", lambda: other)
    monkeypatch.setattr(sys, "argv", ["replay.py", str(transcript), "/nonexistent"])
    assert REPLAY.main() == 2
    assert capsys.readouterr().out == f"{transcript.name}: of {machine}, not replayed on {other}\n"


def test_a_stack_of_arm64_is_compared_without_the_names_of_its_frames() -> None:
    there = REPLAY.comparable(BUSY_ARM64)
    assert there == ["livepatch: func do_sys_poll is in use!", "livepatch: PID: ... Comm: ...", "Call trace:", " frame"]
    other_task = [line.replace("72 Comm: sshd", "1 Comm: init") for line in BUSY_ARM64]
    assert REPLAY.comparable(other_task) == there


@pytest.mark.parametrize("left_out", range(1, 4))
def test_a_line_of_a_stack_of_arm64_that_is_missing_is_seen(left_out: int) -> None:
    lines = [line for place, line in enumerate(BUSY_ARM64[:4]) if place != left_out]
    assert REPLAY.comparable(lines) != REPLAY.comparable(BUSY_ARM64)


def test_a_kernel_worker_stays_one() -> None:
    (worker,) = REPLAY.comparable(["livepatch: PID: 7 Comm: kworker/0:0"])
    assert worker == "livepatch: PID: ... Comm: kworker/..."


def test_a_stack_of_somebody_else_is_not_compared() -> None:
    """An oops, or a warning about a CPU that is slow in a VM, prints such lines as well."""
    stray = ["CPU: 0 UID: 0 PID: 1 Comm: init", "Call trace:", " __switch_to+0xac/0x100"]
    assert REPLAY.comparable(stray) == []
    assert REPLAY.comparable([BUSY_ARM64[0], *stray]) == ["livepatch: func do_sys_poll is in use!"]


@pytest.mark.parametrize("name", REPLAY.STANDS_FOR)
def test_a_function_that_stands_for_one_of_the_transcript(name: str) -> None:
    """It takes the place of a name alone: the lengths are compared."""
    assert any(f" {name} size less than" in transcript.read_text(encoding="utf-8") for transcript in TRANSCRIPTS)
    here = REPLAY.expected_here([f"livepatch: {name} size less than limit (8 < 16)"])
    assert here == [f"livepatch: {REPLAY.STANDS_FOR[name]} size less than limit (8 < 16)"]
