# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""One run at a time changes a host's live patches, and leaves a note of what it is about, in case it is interrupted.

The lock is flock(2) on the collection's directory: the kernel drops it with the process, however that ends. The note
is written before the first step and removed after the last; a note without a lock is what a killed run has left.
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
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import State
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Identity, LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.copies import DIRECTORY
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import write

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

NOTE = f"{DIRECTORY}/run"


@dataclass(frozen=True)
class Note:
    """What a run is about: the patches before it, its steps, and the patches that it should lead to.

    `stored` are the digests of the files that the host had copies of before it, by their patches. `name` and
    `state` are what was wanted. `boot` is what the host kept for its next boots before it, if the run changes
    that. `proven` says whether the result was proven. Notes of older versions do not have them.
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

    def __str__(self) -> str:
        return f"{self.who} since {self.started}: {self.what}"


def who_am_i() -> str:
    """The user behind this process, also behind sudo, and its number."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{user}{f' ({behind} by sudo)' if behind else ''}, process {os.getpid()}"


def is_noted(files: Files) -> bool:
    """Whether a run is changing the host, or was interrupted."""
    return files.inode(NOTE) is not None


def write_note(files: Files, note: Note) -> None:
    """Say what is about to be done."""
    write(files, NOTE, json.dumps(to_plain(note)).encode())


def to_plain(note: Note) -> dict[str, t.Any]:
    """The note in plain types."""
    boot = boot_store.to_plain(note.boot) if note.boot else None
    return dict(asdict(note), steps=[step.to_dict() for step in note.steps], boot=boot)


def remove_note(files: Files) -> None:
    """Say that it is done, or rolled back. If that fails, the next run finds a note of what it can see to be so."""
    with contextlib.suppress(OSError):
        os.unlink(files.path(NOTE))


def read_note(files: Files) -> Note | None:
    """The note of the run that holds the lock or, with the lock in hand, of an interrupted one."""
    if not is_noted(files):
        return None
    try:
        data = json.loads(files.text(NOTE) or "")
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
        )
    except (ValueError, KeyError, TypeError, AttributeError, boot_store.Damaged):
        return None


def _patches(data: t.Iterable[dict[str, t.Any]]) -> tuple[LoadedPatch, ...]:
    return tuple(
        LoadedPatch(
            functions=tuple(Function(**function) for function in patch.pop("functions")),
            identity=Identity(**patch.pop("identity")),
            **patch,
        )
        for patch in data
    )


def _step(data: dict[str, t.Any]) -> Step:
    file = data["file"]
    return Step(Action(data["action"]), data["patch"], PatchFile.from_dict(file) if file else None)
