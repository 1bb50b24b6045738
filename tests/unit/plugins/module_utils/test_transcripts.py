# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real openEuler kernels did, as recorded in tests/rig/stop_machine/transcripts, is what the model does.

The form of the transcripts is told there. The rig replays them on its emulation, with all their cases.
"""

from __future__ import annotations

import errno
import os
import pathlib
import re
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.state_file import Entry, parse
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
    patch_file,
)

TRANSCRIPTS = sorted((pathlib.Path(__file__).parents[3] / "rig/stop_machine/transcripts").glob("*.txt"))

REPLACED = {
    **dict.fromkeys(("lp_a1", "lp_a2", "lp_a3"), ("cmdline_proc_show",)),
    "lp_b1": ("loadavg_proc_show",),
    "lp_c1": ("uptime_proc_show",),
    "lp_ab": ("cmdline_proc_show", "loadavg_proc_show"),
    "lp_busy": ("ep_poll",),
    "lp_replace": ("cmdline_proc_show",),
    "lp_worker": ("worker_thread",),
}

NOT_COMPARED = {
    "11": "the model does not look up symbols: preflight does",
    "12": "the model does not know the modules that patches change",
    "13": "the model does not know the modules that patches change",
    "16": "the model has no kprobes",
    "17": "the model does not know the sizes of functions",
    "18": "the model has no ftrace",
    "21": "the transcript's kernel had no /proc/kcore",
}


def cases(transcript: pathlib.Path) -> dict[str, list[str]]:
    """The lines of each case, by its number."""
    text = transcript.read_text(encoding="utf-8")
    parts = re.split(r"^##### (?:(\d+\w?) )?.*\n", text, flags=re.M)
    return {number: lines.splitlines() for number, lines in zip(parts[1::2], parts[2::2]) if number}


def state_files(lines: list[str]) -> t.Iterator[tuple[str, list[str]]]:
    """Each content of /proc/livepatch/state, and the names that sysfs showed with it."""
    while "--- state:" in lines:
        lines = lines[lines.index("--- state:") + 1 :]
        shown = [line for line in lines[: 1 + [line[-1:] == "$" for line in lines].index(False)] if line[-1:] == "$"]
        names = lines[len(shown)].split() if lines[len(shown)].startswith("lp_") else []
        yield "".join(line[:-1].replace("<TAB>", "\t") + "\n" for line in shown), names


def is_about_live_patching(line: str) -> bool:
    return re.match(r"\[ *\d+\.\d+\] livepatch: ", line) is not None


def comparable(line: str) -> str:
    """A line of the log without its time, and without what is another at each boot."""
    line = re.sub(r"^\[ *\d+\.\d+\] ", "", line)
    line = re.sub(r"\[<[^>]+>\] \S+", "[<...>] frame", line)
    return re.sub(r"kworker/\S+:\d+ check", "kworker/... check", line)


class Replay:
    """The model, which is told what the transcript's kernel was told."""

    def __init__(self, root: pathlib.Path, transcript: pathlib.Path) -> None:
        is_old = "5.10" in transcript.name
        self.kernel = ModelKernel(
            root,
            abi=STOP_MACHINE,
            stacking_enforced="stack-on" in transcript.name,
            accepts_replace=is_old,
            busy={"lp_worker": 1},
        )
        self.files = {}
        for name, functions in REPLACED.items():
            replaced = tuple(Function("vmlinux", function, 1) for function in functions)
            file = patch_file(name, abi=STOP_MACHINE, functions=replaced, replace=name == "lp_replace")
            self.kernel.add_file(file)
            self.files[name] = file
            (root / f"{name}.ko").write_bytes(content_of(name))

    def command(self, command: str) -> int:
        """Do it: the errno, 0 if it succeeded."""
        words = command.split()
        name = words[-1].split("/")[0]
        try:
            if words[0] == "insmod":
                self.kernel.load(f"/{name}.ko", self.files[name].sha256)
            elif words[0] == "rmmod":
                self.kernel.unload(name)
            else:
                self.kernel.write_enabled(name, words[1] == "1")
        except OSError as error:
            return error.errno or 0
        return 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(
            Entry(patch.name, "enabled" if patch.enabled else "disabled", patch.enabled)
            for patch in self.kernel.patches
        )


def expected_errno(output: t.Iterable[str]) -> int:
    """What the transcript's program printed names the errno."""
    text = "\n".join(output)
    return next((number for number in errno.errorcode if f": {os.strerror(number)}" in text), 0)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) == 3


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_every_recorded_state_file_is_understood(transcript: pathlib.Path) -> None:
    seen = 0
    for lines in cases(transcript).values():
        for text, names in state_files(lines):
            state = parse(text)
            assert state.problems == ()
            assert sorted(entry.name for entry in state.entries) == names
            assert all(entry.enabled is not None for entry in state.entries)
            seen += 1
    assert seen == 12


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_model_does_what_the_recorded_kernel_did(tmp_path: pathlib.Path, transcript: pathlib.Path) -> None:
    replay = Replay(tmp_path, transcript)
    commands = states = 0
    for number, lines in cases(transcript).items():
        printed = {comparable(line) for line in lines if is_about_live_patching(line)}
        for place, line in enumerate(lines):
            if line.startswith("$ ") and "banana" not in line:
                output = lines[place + 1 : place + 3]
                output = output[: 1 + [entry.startswith("rc=") for entry in output].index(True)]
                name = line.split()[-1].split("/")[0]
                if number in NOT_COMPARED:
                    if name in REPLACED and output[-1].startswith("rc=0"):
                        replay.command(line[2:])
                    continue
                assert replay.command(line[2:]) == expected_errno(output), (number, line)
                enabled = re.search(r"enabled=(\d)", output[-1])
                if enabled:
                    assert replay.kernel.enabled(name) == (enabled.group(1) == "1"), (number, line)
                commands += 1
            elif line == "--- state:":
                text, _names = next(state_files(lines[place:]))
                assert replay.entries == parse(text).entries, number
                states += 1
        # The model prints what it refuses with, and that the kernel printed too.
        assert {comparable(f"[0.0] {line}") for line in replay.kernel.log.new_lines()} <= printed, number
    assert (commands > 40, states) == (True, 12)
