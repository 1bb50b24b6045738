# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The progress of a job: a file of one JSON object a line, which one run of a module writes and another reads."""

from __future__ import annotations

import contextlib
import json
import os
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of

Plain = t.Dict[str, t.Any]

EVERY_SECONDS = 10

FORGOTTEN_AFTER_SECONDS = 86400

POLL_SECONDS = 0.1


class Reporter:
    """Gets the events of a job. This class does nothing with them."""

    def stage(self, title: str) -> None:
        """A stage begins."""

    def goes_on(self, title: str) -> None:
        """The job still waits for this. It is told if nothing else was for `EVERY_SECONDS`."""

    def tick(self, objects: int, of: int | None) -> None:
        """The compiler has made `objects` objects, out of `of` if that number is known."""

    def line(self, text: str) -> None:
        """The builder has a line that the operator wants to see at once."""

    def end(self) -> None:
        """The job is over, whatever its result."""


def progress_path(directory: str, identifier: str) -> str:
    """The path of a job's progress file. It is in one folder, whatever identifier the controller sends."""
    return os.path.join(directory, "progress", os.path.basename(identifier))


def reporter_of(directory: str, identifier: str | None) -> Reporter:
    """The reporter of a job: it writes a progress file, or nothing if there is no identifier or no room."""
    if identifier:
        with contextlib.suppress(OSError):
            return ProgressFile(progress_path(directory, identifier))
    return Reporter()


class ProgressFile(Reporter):
    """Writes a line for each event, but only one tick every `EVERY_SECONDS`. Goes on if the disk is full."""

    def __init__(self, path: str) -> None:
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        _forget_old(folder)
        self._stream = open(path, "w", encoding="utf-8")  # noqa: SIM115
        self._started = self._last = time.monotonic()
        self._stage = ""
        self._write({"pid": os.getpid(), "began": _began(os.getpid())})

    def stage(self, title: str) -> None:
        self._stage = title
        self._last = time.monotonic()
        self._write({"stage": title})

    def goes_on(self, title: str) -> None:
        if time.monotonic() - self._last >= EVERY_SECONDS:
            self.stage(title)

    def tick(self, objects: int, of: int | None) -> None:
        if time.monotonic() - self._last >= EVERY_SECONDS:
            self._last = time.monotonic()
            self._write({"stage": self._stage, "objects": objects, "of": of})

    def line(self, text: str) -> None:
        self._write({"text": text})

    def end(self) -> None:
        self._write({"end": True})
        with contextlib.suppress(OSError):
            self._stream.close()

    def _write(self, entry: Plain) -> None:
        entry["elapsed"] = round(time.monotonic() - self._started)
        with contextlib.suppress(OSError):
            self._stream.write(json.dumps(entry) + "\n")
            self._stream.flush()


def _forget_old(folder: str) -> None:
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if time.time() - os.stat(path).st_mtime > FORGOTTEN_AFTER_SECONDS:
                os.unlink(path)


def watch(directory: str, job: t.Mapping[str, t.Any]) -> Plain:
    """Wait for new lines in the file of the job's `progress` after its `offset`, at most its `seconds`.

    Returns the new `entries`, the `offset` after them, and whether the job is still `running`. Removes the file when
    the job is over.
    """
    path = progress_path(directory, job["progress"])
    deadline = time.monotonic() + job["seconds"]
    while True:
        entries, end = _entries(path, job["offset"])
        running = not any("end" in entry for entry in entries) and _is_alive(path, has_begun=job["offset"] > 0)
        if entries or not running or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    if not running:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return {"changed": False, "entries": entries, "offset": end, "running": running}


def _entries(path: str, offset: int) -> tuple[list[Plain], int]:
    """The entries of the complete lines after an offset, and the offset after these lines."""
    try:
        with open(path, "rb") as stream:
            stream.seek(offset)
            content = stream.read()
    except OSError:
        return [], offset
    complete = content[: content.rfind(b"\n") + 1]
    return [_entry(line) for line in lines_of(complete)], offset + len(complete)


def _entry(line: bytes) -> Plain:
    """The entry in a line; empty if the line is damaged."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _is_alive(path: str, has_begun: bool) -> bool:
    """Whether the process of the job still runs; True if it has not written its first line yet.

    A file that was there is gone after a reboot, and the number of the process may be that of another one then.
    """
    try:
        with open(path, "rb") as stream:
            first = stream.readline()
    except OSError:
        return not has_begun
    if not first.endswith(b"\n"):
        return True
    entry = _entry(first)
    began = _began(entry.get("pid"))
    return began is not None and began == entry.get("began")


def _began(pid: t.Any) -> str | None:
    """When a process has begun, in the kernel's own count (field 22 of /proc/PID/stat, proc(5)); None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
