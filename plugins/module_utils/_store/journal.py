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
import os
import pwd
import re
import typing as t
from dataclasses import asdict, dataclass
from dataclasses import replace as with_changes
from functools import partial

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
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
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import state
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.copies import DIRECTORY
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import time_now

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

NOTE = f"{DIRECTORY}/run"

CHANGED = f"{DIRECTORY}/changed"
"""Says when a run has changed the host last, since it was booted."""


@dataclass(frozen=True)
class Note:
    """What a run does: the loaded patches before it, its steps, and the loaded patches that it leads to.

    `who` and `what` are texts for people, `started` is a time. `stored` has the SHA-256 of the host's patch files
    before the run, by the names of their patches. `name` and `state` are what the task asks for. `boot` has the
    accepted patches from before the run, if the run changes them. `proven` says whether the result was proven, `forced`
    names the patches whose transition it has forced, `moved` those that rolling it back moves although none of its
    steps does. Notes of older versions lack these four, and the objects and no-ops of patches.
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
    moved: tuple[str, ...] = ()

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
    state.write(files, NOTE, to_plain(note))


def to_plain(note: Note) -> dict[str, t.Any]:
    """The note in plain types."""
    boot = boot_store.to_plain(note.boot) if note.boot else None
    others = asdict(with_changes(note, steps=(), boot=None))
    return dict(others, steps=[step.to_dict() for step in note.steps], boot=boot)


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
    return state.read(files, NOTE, _note)


_NEEDED = ("who", "what", "started", "before", "steps", "goal", "stored", "name", "state")


def _note(data: object) -> Note:
    # Notes of older versions lack the others.
    note = state.only(data, _NEEDED, ("boot", "proven", "forced", "moved"))
    stored = state.only(note["stored"], (), note["stored"])
    return Note(
        who=state.text(note["who"]),
        what=state.text(note["what"]),
        started=state.text(note["started"]),
        before=_patches(note["before"]),
        steps=tuple(_step(step) for step in state.items(note["steps"])),
        goal=_patches(note["goal"]),
        stored={name: state.text(digest) for name, digest in stored.items()},
        name=state.text(note["name"]),
        state=State(note["state"]),
        boot=boot_store.from_plain(note["boot"]) if note.get("boot") else None,
        proven=note.get("proven") is True,
        forced=state.texts(note.get("forced") or []),
        moved=state.texts(note.get("moved") or []),
    )


def note_change(files: Files) -> None:
    """Note that the host has been changed now. Nothing depends on it."""
    with contextlib.suppress(OSError):
        state.write(files, CHANGED, {"at": time_now()})


def last_change(files: Files) -> Reading[str]:
    """When a run has changed the host last, in the format of `time_now`."""
    return state.read(files, CHANGED, lambda data: moment(state.text(state.only(data, ("at",))["at"])))


def moment(text: str) -> str:
    """The same text. Raises ValueError if it is no time in the format of `time_now`."""
    if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", text):
        raise ValueError("no time")
    return text


def keep_unknown(files: Files) -> str:
    """Keep a note that cannot be understood where no run replaces it, and return its path there. Raises OSError."""
    place = state.place_aside(files, NOTE)
    state.move_aside(files, NOTE, place)
    return place


def _patches(data: object) -> tuple[LoadedPatch, ...]:
    return tuple(map(_patch, state.items(data)))


def _patch(data: object) -> LoadedPatch:
    patch = state.only(data, ("name", "enabled", "functions", "identity"), ("objects", "no_ops", *_FIELDS_OF_PATCH))
    return LoadedPatch(
        functions=tuple(map(_function, state.items(patch["functions"]))),
        objects=tuple(_patched_object(entry) for entry in state.items(patch.get("objects", []))),
        no_ops=tuple(map(_function, state.items(patch.get("no_ops", [])))),
        identity=_identity(patch["identity"]),
        **{name: kind(patch[name]) for name, kind in _FIELDS_OF_PATCH.items() if name in patch},
    )


_FIELDS_OF_PATCH: dict[str, t.Callable[[object], t.Any]] = {
    "name": state.text,
    "enabled": state.flag,
    "in_transition": state.flag,
    "replace": partial(state.optional, state.flag),
    "refcount": partial(state.optional, state.number),
    "taint": state.text,
    "load_index": state.number,
    "instance": partial(state.optional, state.number),
    "permanent": state.flag,
    "owner": partial(state.optional, state.text),
    "pinned": state.flag,
    "marked": state.flag,
}


def _function(data: object) -> Function:
    function = state.only(data, ("object", "name", "sympos"))
    return Function(state.text(function["object"]), state.text(function["name"]), state.number(function["sympos"]))


def _patched_object(data: object) -> PatchedObject:
    entry = state.only(data, ("name", "patched"))
    return PatchedObject(state.text(entry["name"]), state.optional(state.flag, entry["patched"]))


def _identity(data: object) -> Identity:
    names = ("build_id", "srcversion", "sha256")
    marks = state.only(data, names, ("loaded_with",))
    return Identity(*(state.optional(state.text, marks.get(name)) for name in (*names, "loaded_with")))


def _step(data: object) -> Step:
    step = state.only(data, ("action", "patch", "file"))
    file = step["file"]
    return Step(Action(step["action"]), state.text(step["patch"]), state.patch_file(file) if file else None)
