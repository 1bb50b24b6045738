# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Splits what a command took into phases, from the calls that `connection/recorded_ssh.py` has written down."""

from __future__ import annotations

import base64
import io
import json
import re
import statistics
import typing as t
import zipfile
from dataclasses import dataclass
from pathlib import Path

CONTROLLER = "controller"
CONNECTION = "connection"
OTHER_COMMANDS = "commands that are no module"
FILES = "files by sftp"
UNPACKING = "unpacking"
"""What Ansible's wrapper does before the module reads its arguments, besides imports."""

PHASES = (
    CONTROLLER,
    CONNECTION,
    OTHER_COMMANDS,
    FILES,
    "transfer",
    "start of Python",
    UNPACKING,
    "other imports",
    "imports of the collection",
    "arguments",
    "reading",
    "planning",
    "preflight",
    "kernel",
    "waiting on purpose",
    "verifying",
    "writing",
    "result",
    "rest of the module",
)
"""In the order in which they are shown. `phases.py` tells those from `transfer` on, except for `unpacking`."""

_TOLD = re.compile(r"(?P<seconds>\d+\.\d{6})(?P<what>[+=.-])(?P<phase>\S*)")
_ZIP = re.compile(rb"(?:zip_data=|ZIPDATA = )[\"']+([A-Za-z0-9+/=]+)")


@dataclass(frozen=True)
class Payload:
    """What was sent to be run: all of it in bytes, and the files in the module's zip."""

    size: int
    files: int


@dataclass(frozen=True)
class Split:
    """One command, such as a playbook: its seconds, how they are divided, and what went over the connection."""

    whole: float
    seconds: t.Mapping[str, float]
    round_trips: int
    payload: Payload


def seconds_of_phases(told: str) -> dict[str, float]:
    """The seconds of each phase of a module. What passes in a phase that is in another one counts for it alone."""
    seconds: dict[str, float] = {}
    inside = [UNPACKING]
    before = 0.0
    for moment, what, phase in _TOLD.findall(told):
        now = float(moment)
        seconds[inside[-1]] = seconds.get(inside[-1], 0.0) + now - before
        before = now
        if what == "+":
            inside.append(phase.replace("_", " "))
        elif what == "=":
            inside[0] = phase.replace("_", " ")
        elif what == "-":
            if len(inside) == 1:
                raise ValueError(f"A phase ends that has not begun, at {moment} s: {told}")
            inside.pop()
    if not told.endswith("."):
        raise ValueError(f"The module has not told its end: {told}")
    return seconds


def payload_of(sent: bytes) -> Payload:
    found = _ZIP.search(sent)
    if not found:
        return Payload(len(sent), 0)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(found[1]))) as archive:
        return Payload(len(sent), len(archive.namelist()))


def split(whole: float, calls: t.Iterable[tuple[str, float, str, Payload]]) -> Split:
    """Divide the seconds of a command. A call is its kind, its seconds, what a module told, and what was sent."""
    seconds = {CONTROLLER: whole}
    count, size, files = 0, 0, 0
    for kind, took, told, payload in calls:
        inside = seconds_of_phases(told) if told else {}
        outside = CONNECTION if told else FILES if kind == "file" else OTHER_COMMANDS
        parts = {**inside, outside: took - sum(inside.values()), CONTROLLER: -took}
        for phase, part in parts.items():
            seconds[phase] = seconds.get(phase, 0.0) + part
        count, size, files = count + 1, size + payload.size, files + payload.files
    return Split(whole, seconds, count, Payload(size, files))


def read_split(whole: float, folder: Path) -> Split:
    """The same from the folder in which the calls were written down."""
    lines = (folder / "calls").read_text(encoding="utf-8").splitlines() if (folder / "calls").exists() else []
    calls = [json.loads(line) for line in lines]
    return split(
        whole,
        [
            (call["kind"], call["seconds"], call["phases"], payload_of((folder / call["sent"]).read_bytes()))
            for call in calls
        ],
    )


def middle(splits: t.Iterable[Split]) -> Split:
    """The one that took the median of the seconds, so that its phases make up its whole."""
    found = sorted(splits, key=lambda one: one.whole)
    whole = statistics.median_low(one.whole for one in found)
    return next(one for one in found if one.whole == whole)


def to_lines(splits: t.Mapping[str, Split]) -> list[str]:
    """A table: a column for each command, a row for each phase that any of them has."""
    titles = [(*name.split(", "), "")[:2] for name in splits]
    width = max(len(part) for title in titles for part in title) + 2
    rows = [("seconds", [first for first, _second in titles]), ("", [second for _first, second in titles])]
    for phase in (*PHASES, *sorted({name for one in splits.values() for name in one.seconds} - set(PHASES))):
        cells = [f"{one.seconds[phase]:.2f}" if phase in one.seconds else "" for one in splits.values()]
        if any(cells):
            rows.append((phase, cells))
    rows.append(("together", [f"{one.whole:.2f}" for one in splits.values()]))
    rows.append(("round trips", [str(one.round_trips) for one in splits.values()]))
    rows.append(("KiB sent", [f"{one.payload.size / 1024:.0f}" for one in splits.values()]))
    rows.append(("files in payloads", [str(one.payload.files) for one in splits.values()]))
    return [f"{title:28}" + "".join(f"{cell:>{width}}" for cell in cells) for title, cells in rows]
