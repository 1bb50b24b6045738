# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The one reader and writer of what the collection keeps on a host: JSON objects with the number of their format.

A file that another version wrote, or that a fault has changed, is never taken for an empty one, and ends no run with a
traceback: it is `Unreadable`, and whoever asks decides what to do without it.
"""

from __future__ import annotations

import errno
import json
import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Absent, Reading, Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

Data = t.Dict[str, t.Any]

_Value = t.TypeVar("_Value")

FORMAT = 1
"""Of all state files. Version 1.0 wrote it into the acceptance alone: a file without a number has this format."""

DAMAGED = "damaged"

ASIDE = ".damaged"
"""Ends the name of a file that was moved out of the way because it could not be understood."""

MISFITS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a `build` raises on data that it does not understand."""


def read(files: Files, path: str, build: t.Callable[[Data], _Value]) -> Reading[_Value]:
    """What `build` makes of the object in a state file. It raises one of `MISFITS` if the object is another one."""
    text = files.text(path)
    if not isinstance(text, str):
        return text
    try:
        data = dict(_object(json.loads(text)))
        number = data.pop("format", FORMAT)
        if isinstance(number, int) and number != FORMAT:
            return files.damaged(path, f"it has the format {number}, and this version knows {FORMAT}")
        return build(data)
    except MISFITS:
        return files.damaged(path)


def write(files: Files, path: str, data: Data, sync: bool = False) -> None:
    """Write a state file as a whole. With `sync` it is on disk when this returns. Raises OSError."""
    durable.write(files, path, encode(data), sync)


def encode(data: Data) -> bytes:
    """The content of a state file."""
    return json.dumps(dict(data, format=FORMAT)).encode()


def is_foreign(reading: object) -> bool:
    """Whether a file was read, and its content is damaged or of another version."""
    return isinstance(reading, Unreadable) and reading.reason not in errno.errorcode.values()


def place_aside(files: Files, path: str) -> str:
    """A free name for a file that is to be moved out of the way, beside it."""
    number = 1
    while True:
        place = f"{path}{ASIDE}{f'-{number}' if number > 1 else ''}"
        if isinstance(files.read(place, os.lstat), Absent):
            return place
        number += 1


def move_aside(files: Files, path: str, place: str) -> None:
    """Keep a file that cannot be understood under another name. Raises OSError."""
    os.rename(files.path(path), files.path(place))
    durable.sync_directory(os.path.dirname(files.path(path)))


# ---- parts of what is read: each raises one of MISFITS ----


def only(data: object, needed: t.Collection[str], others: t.Collection[str] = ()) -> Data:
    """The object, which has the needed keys, and none beside these and the others: what that says is not known."""
    known = dict(_object(data))
    if not known.keys() >= set(needed) or not known.keys() <= {*needed, *others}:
        raise ValueError("missing or foreign keys")
    return known


def _object(value: object) -> t.Mapping[str, t.Any]:
    return _of(value, dict)


def text(value: object) -> str:
    return _of(value, str)


def number(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError("no number")
    return _of(value, int)


def flag(value: object) -> bool:
    return _of(value, bool)


def items(value: object) -> list[t.Any]:
    return _of(value, list)


def texts(value: object) -> tuple[str, ...]:
    return tuple(text(one) for one in items(value))


def optional(kind: t.Callable[[object], _Value], value: object) -> _Value | None:
    return None if value is None else kind(value)


def _of(value: object, kind: type[_Value]) -> _Value:
    if not isinstance(value, kind):
        raise TypeError(f"no {kind.__name__}")
    return value


def patch_file(value: object) -> PatchFile:
    """What was read in a patch file."""
    file = PatchFile.from_dict(_object(value))
    for mark in (file.path, file.name, file.sha256, file.machine, file.vermagic, file.abi, file.builder):
        text(mark)
    for one in (file.build_id, file.srcversion, file.kernel_build_id, file.loaded_with):
        optional(text, one)
    number(file.size)
    optional(flag, file.replace)
    return file
