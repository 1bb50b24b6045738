# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The journal: the note of the run that is changing a host, from which the next run recovers an interrupted one.

A run writes the note before its first step and removes it after its last. It has the lock of the host meanwhile. A
note on a host whose lock is free is of a run that was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Reading
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Function,
    Identity,
    LoadedPatch,
    PatchedObject,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.copies import DIRECTORY
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import write

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

NOTE = f"{DIRECTORY}/run"


@dataclass(frozen=True)
class Note:
    """What a run does: the loaded patches before it, its steps, and the loaded patches that it leads to.

    `who` and `what` are texts for people, `started` is a time. `stored` has the SHA-256 of the host's patch files
    before the run, by the names of their patches. `name` and `state` are what the task asks for. `boot` has the
    accepted patches from before the run, if the run changes them. `proven` says whether the result was proven, `forced`
    names the patches whose transition it has forced. Notes of older versions lack `boot`, `proven`, `forced` and the
    objects of patches.
    """

    who: str
    what: str
    started: str
    before: tuple[LoadedPatch, ...]
    steps: tuple[Step, ...]
    goal: tuple[LoadedPatch, ...]
    stored: t.Mapping[str, str]
    name: str
    state: State
    boot: Acceptance | None = None
    proven: bool = False
    forced: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.who} since {self.started}: {self.what}"


def who_am_i() -> str:
    """The user of this process, the one who called sudo for it, and its number, as a text."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{user}{f' ({behind} by sudo)' if behind else ''}, process {os.getpid()}"


def is_noted(files: Files) -> bool:
    """Whether a run is changing the host, or was interrupted, or nobody can tell."""
    return not isinstance(files.inode(NOTE), Absent)


def write_note(files: Files, note: Note) -> None:
    """Write the note of a run that is about to begin. Raises OSError."""
    write(files, NOTE, json.dumps(to_plain(note)).encode())


def to_plain(note: Note) -> dict[str, t.Any]:
    """The note in plain types."""
    boot = boot_store.to_plain(note.boot) if note.boot else None
    return dict(asdict(note), steps=[step.to_dict() for step in note.steps], boot=boot)


def remove_note(files: Files) -> None:
    """Remove the note of a run that is complete or rolled back.

    If that fails, the next run finds the note, and sees on the host that nothing is left to recover.
    """
    with contextlib.suppress(OSError):
        os.unlink(files.path(NOTE))


def read_note(files: Files) -> Reading[Note]:
    """The note on the host.

    It is of the run that has the lock. If that is the caller, it is of an interrupted run.
    """
    text = files.text(NOTE)
    if not isinstance(text, str):
        return text
    try:
        data = json.loads(text)
        return Note(
            who=data["who"],
            what=data["what"],
            started=data["started"],
            before=_patches(data["before"]),
            steps=tuple(_step(step) for step in data["steps"]),
            goal=_patches(data["goal"]),
            stored=dict(data["stored"]),
            name=data["name"],
            state=State(data["state"]),
            boot=boot_store.from_plain(data["boot"]) if data.get("boot") else None,
            proven=data.get("proven") is True,
            forced=tuple(data.get("forced") or ()),
        )
    except (ValueError, KeyError, TypeError, AttributeError, boot_store.Damaged):
        return files.damaged(NOTE)


def _patches(data: t.Iterable[dict[str, t.Any]]) -> tuple[LoadedPatch, ...]:
    return tuple(
        LoadedPatch(
            functions=tuple(Function(**function) for function in patch.pop("functions")),
            objects=tuple(PatchedObject(**entry) for entry in patch.pop("objects", ())),
            identity=Identity(**patch.pop("identity")),
            **patch,
        )
        for patch in data
    )


def _step(data: dict[str, t.Any]) -> Step:
    file = data["file"]
    return Step(Action(data["action"]), data["patch"], PatchFile.from_dict(file) if file else None)
