# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The lock of a host: one run at a time changes its live patches.

It is flock(2) on a file of its own, which stands outside of the collection's directory: whoever cleans that up does not
take the lock away. The kernel drops it when the process ends, in whatever way.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.copies import DIRECTORY
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.journal import read_note
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import make_directory

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

PATH = f"{DIRECTORY}.lock"

POLL_SECONDS = 0.2


class Locked(Exception):
    """Another run has the lock. The text says which."""


@contextlib.contextmanager
def lock(files: Files, seconds: float) -> t.Iterator[None]:
    """Take the host's lock. Raises Locked if another run keeps it for longer than `seconds`, OSError without root."""
    make_directory(files, DIRECTORY)
    deadline = time.monotonic() + seconds
    descriptor = _locked(files, deadline)
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(files: Files, deadline: float) -> int:
    """A descriptor of the file at PATH, locked. Raises Locked when the time is up, OSError."""
    while True:
        descriptor = os.open(files.path(PATH), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _wait(files, descriptor, deadline)
            if _is_at(files.path(PATH), descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # Somebody has removed the file meanwhile: a later run would lock another one.
        os.close(descriptor)


def _wait(files: Files, descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                note = known(read_note(files))
                raise Locked(str(note) if note else "a run that has not said what it does") from None
            time.sleep(POLL_SECONDS)


def _is_at(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False
