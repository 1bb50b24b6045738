# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Writes files on the controller."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible import constants
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular


def content_of(path: str) -> bytes | None:
    """What is in the file; None if there is none. Raises OSError."""
    try:
        with open_regular(path) as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def replace_file(path: str, content: bytes) -> None:
    """Write the complete file or nothing, because somebody may be reading it. Raises OSError."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # A leading dot and another suffix keep collectors from reading the unfinished file.
    beside = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}")
    try:
        with open(beside, "wb", opener=_open_new) as handle:
            handle.write(content)
        os.replace(beside, path)
    except BaseException:
        if os.path.exists(beside):
            os.unlink(beside)
        raise


def _open_new(path: str, flags: int) -> int:
    """Open a new file: others may write in that folder, and have put a link there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def diff_of(path: str, old: bytes, new: bytes) -> dict[str, t.Any]:
    """What Ansible shows with `--diff` of a file whose content changes."""
    most = constants.MAX_FILE_SIZE_FOR_DIFF
    if len(old) > most:
        return {"dst_larger": most}
    if len(new) > most:
        return {"src_larger": most}
    return {
        "before_header": path,
        "after_header": path,
        "before": old.decode(errors="replace"),
        "after": new.decode(),
    }
