# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How `make bench` divides the seconds of a command, by what its calls and modules have told."""

from __future__ import annotations

import base64
import importlib
import io
import subprocess
import sys
import typing as t
import zipfile

import pytest
from ansible_collections.openeuler.livepatch.tests.bench import phases, split
from ansible_collections.openeuler.livepatch.tests.bench.connection import recorded_ssh
from ansible_collections.openeuler.livepatch.tests.bench.split import Payload, Split

TOLD = (
    "0.000000+start_of_Python 0.100000- 0.100000+transfer 0.150000- 0.200000+other_imports 0.500000- "
    "0.600000=rest_of_the_module 0.600000+arguments 0.610000- 0.700000+verifying 0.800000+waiting_on_purpose "
    "1.800000- 1.900000+reading 2.000000- 2.100000- 2.200000+result 2.210000."
)


def rounded(seconds: t.Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in seconds.items()}


def test_a_phase_in_another_one_counts_for_itself_alone() -> None:
    assert rounded(split.seconds_of_phases(TOLD)) == {
        "unpacking": 0.15,
        "start of Python": 0.1,
        "transfer": 0.05,
        "other imports": 0.3,
        "rest of the module": 0.19,
        "arguments": 0.01,
        "verifying": 0.3,
        "waiting on purpose": 1.0,
        "reading": 0.1,
        "result": 0.01,
    }


@pytest.mark.parametrize("told", [TOLD[:-1], "0.000000+reading 0.100000- 0.200000- 0.300000."])
def test_what_a_module_told_must_be_whole(told: str) -> None:
    with pytest.raises(ValueError):
        split.seconds_of_phases(told)


CALLS = [
    ("command", 0.3, "", Payload(0, 0)),
    ("file", 0.4, "", Payload(1000, 0)),
    ("command", 2.5, TOLD, Payload(2048, 7)),
]


def test_all_seconds_of_a_command_are_divided() -> None:
    found = split.split(4.0, CALLS)
    assert round(sum(found.seconds.values()), 6) == found.whole == 4.0
    seconds = rounded(found.seconds)
    assert (seconds["controller"], seconds["connection"]) == (0.8, 0.29)
    assert (seconds["commands that are no module"], seconds["files by sftp"]) == (0.3, 0.4)
    assert (found.round_trips, found.payload) == (3, Payload(3048, 7))
    assert split.split(4.0, []) == Split(4.0, {"controller": 4.0}, 0, Payload(0, 0))


def test_of_several_runs_the_middle_one_is_shown() -> None:
    runs = [split.split(whole, CALLS) for whole in (9.0, 5.0, 4.0)]
    assert split.middle(runs) == runs[1]
    assert split.middle(runs[:2]) == runs[1]


def test_the_table_has_a_row_for_each_phase_that_there_is() -> None:
    lines = split.to_lines({"by hand, enabling": split.split(4.0, CALLS), "none": split.split(1.0, [])})
    assert [line.split() for line in lines[:2]] == [["seconds", "by", "hand", "none"], ["enabling"]]
    assert len({len(line) for line in lines}) == 1
    rows = {line[:28].strip(): line[28:].split() for line in lines}
    assert rows["controller"] == ["0.80", "1.00"] and rows["waiting on purpose"] == ["1.00"]
    assert rows["together"] == ["4.00", "1.00"] and rows["round trips"] == ["3", "0"]
    assert rows["KiB sent"] == ["3", "0"] and rows["files in payloads"] == ["7", "0"]
    assert "kernel" not in rows


def payload(zip_data: bytes) -> bytes:
    """A stand-in for what Ansible sends; tests/unit/plays/test_bench_calls.py has what it really sends."""
    return b"_ansiballz_main(\nzip_data='" + base64.b64encode(zip_data) + b"',\nansible_module='ping',\n)\n"


def test_the_files_of_a_payload_are_counted() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("a.py", "b.py"):
            archive.writestr(name, "")
    sent = payload(stream.getvalue())
    assert split.payload_of(sent) == Payload(len(sent), 2)
    assert split.payload_of(b"a file") == Payload(6, 0)


@pytest.mark.parametrize("name", [name for name in phases.PHASES if name != "time"])
def test_each_function_with_a_clock_exists(name: str) -> None:
    module = importlib.import_module(name)
    for path in phases.PHASES[name]:
        holder, _dot, function = path.rpartition(".")
        place = getattr(module, holder) if holder else module
        # A method of a base class would get its clock twice.
        assert callable(vars(place)[function]), f"{name} has no {path}"


def test_each_phase_that_is_told_has_a_row() -> None:
    told = {phase for functions in phases.PHASES.values() for phase in functions.values()}
    assert told <= set(split.PHASES)
    assert len(split.PHASES) == len(set(split.PHASES))


def test_a_program_is_put_between_python_and_a_module() -> None:
    program = "import sys\nprint('it''s \"$HOME\" \\\\', sys.stdin.read())\n"
    command = recorded_ssh.with_phases(f"/bin/sh -c '{sys.executable} && sleep 0'", program)
    done = subprocess.run(command, shell=True, input="a module", capture_output=True, text=True, check=True)
    assert done.stdout == 'its "$HOME" \\ a module\n'
    assert recorded_ssh.with_phases(f"/bin/sh -c {sys.executable}", program) == command
    assert recorded_ssh.with_phases("/bin/sh -c 'echo ~ && sleep 0'", program) == "/bin/sh -c 'echo ~ && sleep 0'"


def test_what_a_module_told_is_taken_off_its_errors() -> None:
    assert f"\n{phases.MARK} ".encode() == recorded_ssh.MARK
    assert recorded_ssh.split_off(b"a warning\n" + recorded_ssh.MARK + b"0.100000.\n") == (b"a warning\n", "0.100000.")
    assert recorded_ssh.split_off(b"a warning\n") == (b"a warning\n", "")
