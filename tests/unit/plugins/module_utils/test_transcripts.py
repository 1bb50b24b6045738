# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real openEuler kernels did, as recorded in tests/rig/stop_machine/transcripts, is what the model does.

The form of the transcripts is told there. The rig replays them on its emulation, with all their cases.
"""

from __future__ import annotations

import errno
import itertools
import os
import pathlib
import re
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.explain import explain, may_pass
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE, Function
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.state_file import Entry, parse
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify import trouble
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
    "lp_busy": ("do_sys_poll",),
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
    "21": "whether there is /proc/kcore depends on the configuration",
}

BUSY_LINES_ARM64 = ("livepatch: PID: 7 Comm: kworker/0:0",)

EXPLAINED = {
    "11": "symbol_missing",
    "12": "target_not_loaded",
    "14": "replace_not_supported",
    "15": "function_busy",
    "15b": "function_busy",
    "16": "kprobe",
    "17": "function_too_short",
}
"""Why the kernel refused what it refused in each case."""

OPERATIONS = {"insmod": "load", "rmmod": "unload", "echo 1": "enable", "echo 0": "disable"}


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
        # On one line, or one on each.
        rest = lines[len(shown) :]
        names = [rest.pop(0) for _number in range(len(rest)) if rest[0].startswith("lp_")]
        yield "".join(line[:-1].replace("<TAB>", "\t") + "\n" for line in shown), " ".join(names).split()


def is_about_live_patching(line: str) -> bool:
    return re.match(r"\[ *\d+\.\d+\] livepatch: ", line) is not None


def comparable(line: str) -> str:
    """A line of the log without its time, and without what is another at each boot."""
    line = re.sub(r"^\[ *\d+\.\d+\] ", "", line)
    line = re.sub(r"\[<[^>]+>\] \S+", "[<...>] frame", line)
    line = re.sub(r"PID: \d+ Comm: .*", "PID: ... Comm: ...", line)
    return re.sub(r"kworker/\S+:\d+ check", "kworker/... check", line)


def operation_of(command: str) -> str:
    return next(name for start, name in OPERATIONS.items() if command.startswith(f"$ {start}"))


def refusals(lines: list[str]) -> t.Iterator[tuple[str, int, list[str]]]:
    """What was refused: the operation, the errno, and the lines of the log, if there are any right behind it."""
    for command, said, rc, heading, *rest in (lines[place:] for place in range(len(lines) - 3)):
        if command.startswith("$ ") and rc.startswith("rc=") and heading == "--- dmesg:":
            log = [line.partition("] ")[2] for line in itertools.takewhile(lambda line: line.startswith("["), rest)]
            if log:
                yield operation_of(command), expected_errno([said]), log


def is_of_arm64(transcript: pathlib.Path) -> bool:
    return "-arm64-" in transcript.name


class Replay:
    """The model, which is told what the transcript's kernel was told."""

    def __init__(self, root: pathlib.Path, transcript: pathlib.Path) -> None:
        is_old = "5.10" in transcript.name
        self.kernel = ModelKernel(
            root,
            abi=STOP_MACHINE,
            stacking_enforced="stack-on" in transcript.name,
            accepts_replace=is_old,
            # The kernel of arm64 had a userland with an sshd.
            busy={"lp_worker": 1, "lp_busy": 1 if is_of_arm64(transcript) else 0},
        )
        if is_of_arm64(transcript):
            self.kernel.busy_lines = BUSY_LINES_ARM64
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
    assert len(TRANSCRIPTS) == 4
    assert [is_of_arm64(transcript) for transcript in TRANSCRIPTS].count(True) == 1


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


def causes(transcript: pathlib.Path) -> dict[str, list[Finding]]:
    """Why each case was refused, as the collection says it."""
    found: dict[str, list[Finding]] = {}
    for number in EXPLAINED:
        for operation, code, log in refusals(cases(transcript)[number]):
            found.setdefault(number, []).append(explain(operation, code, log, STOP_MACHINE))
    return found


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_cause_of_every_recorded_refusal_is_found(transcript: pathlib.Path) -> None:
    found = causes(transcript)
    # 5.10 takes a patch with replace, and on x86_64 nobody was in do_sys_poll().
    missing = {"14"} if "5.10" in transcript.name else set()
    assert set(EXPLAINED) - set(found) == missing | (set() if is_of_arm64(transcript) else {"15"})
    for number, findings in found.items():
        assert {finding.reason for finding in findings} == {EXPLAINED[number]}, number


def test_the_task_that_is_in_the_way_is_named_on_arm64() -> None:
    (transcript,) = filter(is_of_arm64, TRANSCRIPTS)
    found = causes(transcript)
    assert found["15"][0].cause.startswith("The task sshd:72 is in the function do_sys_poll, or sleeps in")
    assert found["15b"][0].cause.startswith("The task kworker/0:0:7 is in the function worker_thread, or sleeps in")
    assert found["17"][0].cause.startswith("The function dummy_set_flag is shorter")


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_recorded_busy_function_is_tried_again_and_nothing_else(transcript: pathlib.Path) -> None:
    recorded = cases(transcript)
    tried = {number for number in EXPLAINED for _what, code, log in refusals(recorded[number]) if may_pass(code, log)}
    assert tried == ({"15", "15b"} if is_of_arm64(transcript) else {"15b"})


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_no_recorded_line_of_live_patching_is_taken_for_trouble(transcript: pathlib.Path) -> None:
    """A stack that is shown with a busy function looks as that of an oops does. In case 18 ftrace fails for real."""
    unknown = trouble.Counts()
    recorded = {
        number: re.findall(r"^\[ *\d+\.\d+\] (.*)", "\n".join(lines), re.M)
        for number, lines in cases(transcript).items()
    }
    assert sum(map(len, recorded.values())) > 40
    for number, lines in recorded.items():
        if number != "18":
            assert not trouble.find(lines, unknown, unknown), number
