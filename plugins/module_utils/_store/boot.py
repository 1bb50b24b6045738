# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The boot store: the accepted patches with their files, and the marker of a boot that loads them.

It survives a reboot. Its files are on disk (fsync) before a function that writes them returns: the machine may stop
at any moment.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
    Quarantined,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import (
    Absent,
    Reading,
    Unreadable,
    known,
    known_or,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

DIRECTORY = "/var/lib/openeuler-livepatch"

ACCEPTED = f"{DIRECTORY}/accepted"

MARKER = f"{DIRECTORY}/marker"

REPORT = f"{copies.DIRECTORY}/boot"
"""The report of the boot program on the current boot. It is in /run, so the next boot begins without one."""

PROGRAM = "/usr/local/lib/openeuler-livepatch/boot.pyz"

VERSION_ENTRY = "VERSION"
"""In the zip file that the program is: the version of the collection that has made it."""

UNIT = "/etc/systemd/system/sysinit.target.wants/openeuler-livepatch.service"
"""The link that starts the unit at boot. The role `boot` installs it, and `PROGRAM`."""

BOOT_ID = "/proc/sys/kernel/random/boot_id"

FORMAT = 1


@dataclass(frozen=True)
class Marker:
    """Says that a boot has loaded patches and is not known to be healthy yet.

    `loading` is the SHA-256 of the file that is being loaded, `loaded` has those of the files loaded before it. `taint`
    is the kernel's taint before the first of them, `release` the kernel's release.
    """

    boot_id: str
    release: str
    taint: int
    loading: str | None = None
    loaded: tuple[str, ...] = ()


def file_path(name: str, sha256: str) -> str:
    """The path of an accepted patch's file in the boot store."""
    return copies.copy_path(name, sha256, DIRECTORY)


class Damaged(Exception):
    """A file of the boot store exists and cannot be parsed. The text says why."""


def read(files: Files) -> Acceptance:
    """The host's accepted and quarantined patches. If the file is damaged, `damaged` and `files.unreadable` say why."""
    try:
        data = _read_json(files, ACCEPTED)
        return Acceptance() if data is None else from_plain(data)
    except (Damaged, KeyError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, Damaged) else "damaged"
        if not any(problem.path == ACCEPTED for problem in files.unreadable):
            files.unreadable.append(Unreadable(ACCEPTED, reason))
        return Acceptance(damaged=f"{ACCEPTED} cannot be read: {reason}.")


def write(files: Files, acceptance: Acceptance) -> None:
    """Write the accepted and quarantined patches to disk. Raises OSError."""
    durable.write(files, ACCEPTED, json.dumps(to_plain(acceptance)).encode(), sync=True)


def restore(files: Files, acceptance: Acceptance) -> bool:
    """Write `acceptance` if the host has another one that is not damaged, and return whether it was written.

    Raises OSError.
    """
    now = read(files)
    if now.damaged or now == acceptance:
        return False
    write(files, acceptance)
    return True


def to_plain(acceptance: Acceptance) -> dict[str, t.Any]:
    """The data in plain types, as `from_plain` reads it."""
    data = dict(asdict(acceptance), format=FORMAT)
    del data["damaged"]
    return data


def from_plain(data: t.Mapping[str, t.Any]) -> Acceptance:
    """Read what `to_plain` returned. Raises Damaged, KeyError, TypeError or ValueError if `data` is anything else."""
    if data["format"] != FORMAT:
        raise Damaged(f"it has the format {data['format']}, and this version knows {FORMAT}")
    return Acceptance(
        tuple(Accepted(**dict(entry, ignore=tuple(entry["ignore"]))) for entry in data["accepted"]),
        tuple(Quarantined(**entry) for entry in data["quarantined"]),
        int(data["unhealthy_boots"]),
    )


def prune(files: Files, acceptance: Acceptance) -> None:
    """Remove the patch files that no accepted patch needs."""
    needed = {os.path.basename(file_path(entry.name, entry.sha256)) for entry in acceptance.accepted}
    for name in known_or(files.names(DIRECTORY), []):
        if name.endswith((".ko", ".part")) and name not in needed:
            with contextlib.suppress(OSError):
                os.unlink(files.path(f"{DIRECTORY}/{name}"))


def keep_file(files: Files, name: str, sha256: str, source: str) -> None:
    """Copy the file of a patch into the boot store, before the patch is accepted. Raises OSError, FileChanged."""
    copies.store(files, name, source, sha256, DIRECTORY)


def flaws(files: Files, entries: t.Iterable[Accepted]) -> dict[str, str]:
    """Why no boot can load the files of these accepted patches: a sentence by the digest of each that is not whole."""
    found = {}
    for entry in entries:
        path = file_path(entry.name, entry.sha256)
        digest = copies.digest(files, path)
        if digest != entry.sha256:
            found[entry.sha256] = f"{path} {_flaw(digest)}."
    return found


def _flaw(digest: Reading[str]) -> str:
    if isinstance(digest, Absent):
        return "is gone"
    if isinstance(digest, Unreadable) and digest.reason != errno.errorcode[errno.EINVAL]:
        return f"cannot be read ({digest.reason})"
    return "is damaged"


def read_marker(files: Files) -> Marker | None:
    """The marker that this or an earlier boot has left; None without one. Raises Damaged."""
    data = _read_json(files, MARKER)
    try:
        return Marker(**dict(data, loaded=tuple(data["loaded"]))) if data is not None else None
    except (KeyError, TypeError) as error:
        raise Damaged("it cannot be understood") from error


def write_marker(files: Files, marker: Marker) -> None:
    """Write the marker to disk. Raises OSError."""
    durable.write(files, MARKER, json.dumps(asdict(marker)).encode(), sync=True)


def remove_marker(files: Files) -> None:
    """Remove the marker, once the boot is known to be healthy. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(files.path(MARKER))
        durable.sync_directory(files.path(DIRECTORY))


def write_report(files: Files, report: dict[str, t.Any]) -> None:
    """Write the report of the boot program, which the facts read. Raises OSError."""
    durable.write(files, REPORT, json.dumps(report).encode())


def read_report(files: Files) -> dict[str, t.Any]:
    """The report of the boot program on the current boot; empty if there is none or it is damaged."""
    try:
        return _read_json(files, REPORT) or {}
    except Damaged:
        return {}


def is_installed(files: Files) -> bool:
    """Whether the boot program and its unit are installed: the unit's link leads to a file."""
    return known(files.inode(PROGRAM)) is not None and os.path.isfile(files.path(UNIT))


def program_version(files: Files) -> Reading[str]:
    """The version of the collection that has made the boot program, empty if it does not tell; Unreadable if no Python
    can run it."""
    content = files.bytes(PROGRAM)
    if not isinstance(content, bytes):
        return content
    # Here and not above: few runs ask for it.
    import io
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.testzip():
                return files.damaged(PROGRAM)
            is_told = VERSION_ENTRY in archive.namelist()
            return archive.read(VERSION_ENTRY).decode("ascii", "replace").strip() if is_told else ""
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
        return files.damaged(PROGRAM)


def _read_json(files: Files, path: str) -> dict[str, t.Any] | None:
    """The object in a JSON file; None if there is no such file. Raises Damaged."""
    text = files.text(path)
    if isinstance(text, Absent):
        return None
    if isinstance(text, Unreadable):
        raise Damaged(text.reason)
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Damaged("damaged") from error
    if not isinstance(data, dict):
        raise Damaged("damaged")
    return data
