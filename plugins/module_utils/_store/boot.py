# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The boot store: the accepted patches with their files, and the marker of the last boot that loaded them.

It survives a reboot. Its files are on disk (fsync) before a function that writes them returns: the machine may stop
at any moment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
    Damaged,
    Quarantined,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import (
    Absent,
    Reading,
    Unreadable,
    known,
    known_or,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, state
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

SETTINGS = "/etc/openeuler-livepatch.json"
"""Says in `metrics_directory` where the metrics of the host are wanted. The role `boot` writes it."""

BOOT_ID = "/proc/sys/kernel/random/boot_id"

MARKER_BYTES = 512
"""The marker is padded to a multiple of a disk's sector: rewritten in its place it needs no room on a full disk, and is
there either before or after."""


@dataclass(frozen=True)
class Count:
    """How many boots of a kernel in a row that have loaded patches had an unclean end."""

    release: str
    build_id: str | None
    unclean_ends: int

    @property
    def kernel(self) -> KernelId:
        return KernelId(self.release, self.build_id)


@dataclass(frozen=True)
class Marker:
    """Says how the boot ended that wrote it, as far as that is known.

    `loads` is true from before it loaded patches until it was up for an hour or shut down in order: another boot that
    finds it so knows that it ended otherwise. `unclean_ends` counts such ends in a row before it, of boots of its
    kernel, and `others` those of other kernels: that a boot loader falls back to one of these acquits no patch.
    `release` and `build_id` are those of its kernel. `nothing_left` says that quarantine has left it nothing to load.
    """

    boot_id: str = ""
    release: str = ""
    build_id: str | None = None
    loads: bool = False
    unclean_ends: int = 0
    nothing_left: bool = False
    others: tuple[Count, ...] = ()

    @property
    def count(self) -> Count:
        return Count(self.release, self.build_id, self.unclean_ends)

    @property
    def most_unclean_ends(self) -> int:
        """The highest of the counts: where a fallback kernel runs, it is that of the kernel that went down."""
        return max(count.unclean_ends for count in (self.count, *self.others))


def file_path(name: str, sha256: str) -> str:
    """The path of an accepted patch's file in the boot store."""
    return copies.copy_path(name, sha256, DIRECTORY)


def read(files: Files) -> Acceptance | Damaged:
    """The host's accepted and quarantined patches. If they are not known, `files.unreadable` says why as well."""
    found = state.read(files, ACCEPTED, from_plain)
    if isinstance(found, Absent):
        return Acceptance()
    if isinstance(found, Unreadable):
        aside = state.place_aside(files, ACCEPTED) if state.is_foreign(found) else None
        return Damaged(f"{ACCEPTED} cannot be read: {found.reason}.", aside)
    return found


def write(files: Files, acceptance: Acceptance) -> None:
    """Write the accepted and quarantined patches to disk. Raises OSError."""
    state.write(files, ACCEPTED, to_plain(acceptance), sync=True)


def move_aside(files: Files, place: str) -> None:
    """Keep a damaged file with what is accepted under another name. Raises OSError."""
    state.move_aside(files, ACCEPTED, place)


def move_back(files: Files, place: str) -> None:
    """Put it back, unless there is another one by now. Raises OSError."""
    if isinstance(files.inode(ACCEPTED), Absent) and not isinstance(files.inode(place), Absent):
        state.move_aside(files, place, ACCEPTED)


def restore(files: Files, acceptance: Acceptance) -> bool:
    """Write `acceptance` if the host has another one that is not damaged, and return whether it was written.

    Raises OSError, also if it cannot be read which one the host has.
    """
    now = read(files)
    if isinstance(now, Damaged) and now.aside is None:
        raise OSError(errno.EIO, now.why)
    if isinstance(now, Damaged) or now == acceptance:
        return False
    write(files, acceptance)
    return True


def to_plain(acceptance: Acceptance) -> dict[str, t.Any]:
    """The data in plain types, as `from_plain` reads it."""
    return asdict(acceptance)


def from_plain(data: t.Mapping[str, t.Any]) -> Acceptance:
    """Read what `to_plain` returned. Raises one of `state.MISFITS` if `data` is anything else."""
    # Version 1.0 counted unhealthy boots there, and wrote the format also where it was part of another file.
    data = state.only(data, ("accepted", "quarantined"), ("unhealthy_boots", "format"))
    return Acceptance(
        tuple(_accepted(entry) for entry in state.items(data["accepted"])),
        tuple(_quarantined(entry) for entry in state.items(data["quarantined"])),
    )


def _accepted(data: object) -> Accepted:
    entry = state.only(
        data,
        ("name", "sha256", "release", "since", "patch_file", "ignore"),
        ("superseded_by", "kernel_build_id", "number"),
    )
    shown = entry["patch_file"]
    for key in ("build_id", "srcversion", "loaded_with"):
        state.optional(state.text, shown.get(key))
    return Accepted(
        name=state.text(entry["name"]),
        sha256=state.text(entry["sha256"]),
        release=state.text(entry["release"]),
        since=state.text(entry["since"]),
        patch_file=shown,
        ignore=state.texts(entry["ignore"]),
        superseded_by=state.optional(state.text, entry.get("superseded_by")),
        kernel_build_id=state.optional(state.text, entry.get("kernel_build_id")),
        number=state.number(entry.get("number", 0)),
    )


def _quarantined(data: object) -> Quarantined:
    keys = ("name", "sha256", "release", "since", "why")
    entry = state.only(data, keys)
    return Quarantined(*(state.text(entry[key]) for key in keys))


def prune(files: Files) -> None:
    """Remove the patch files that no accepted patch needs.

    Nothing is removed where what is needed was not read whole a moment ago, nor while a file that could not be
    understood, and may name others, is kept beside it.
    """
    acceptance = state.read(files, ACCEPTED, from_plain)
    names = known_or(files.names(DIRECTORY), [])
    if not isinstance(acceptance, Acceptance) or any(state.ASIDE in name for name in names):
        return
    needed = {os.path.basename(file_path(entry.name, entry.sha256)) for entry in acceptance.accepted}
    for name in names:
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
        try:
            state.patch_file(entry.patch_file)
        except state.MISFITS:
            found[entry.sha256] = f"The record of {entry.name} was written by another version of the collection."
            continue
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


def read_marker(files: Files) -> Reading[Marker]:
    """What the last boot that loaded patches has left."""
    return state.read(files, MARKER, _marker)


def _marker(data: object) -> Marker:
    known_keys = ("boot_id", "release", "build_id", "loads", "unclean_ends", "nothing_left", "others")
    marker = state.only(data, known_keys)
    return Marker(
        state.text(marker["boot_id"]),
        state.text(marker["release"]),
        state.optional(state.text, marker["build_id"]),
        state.flag(marker["loads"]),
        state.number(marker["unclean_ends"]),
        state.flag(marker["nothing_left"]),
        tuple(map(_count, state.items(marker["others"]))),
    )


def _count(data: object) -> Count:
    count = state.only(data, ("release", "build_id", "unclean_ends"))
    build_id = state.optional(state.text, count["build_id"])
    return Count(state.text(count["release"]), build_id, state.number(count["unclean_ends"]))


def write_marker(files: Files, marker: Marker) -> None:
    """Write the marker to disk, in the place of the old one if there is room for it. Raises OSError."""
    content = state.encode(asdict(marker))
    content = content.ljust(-(-len(content) // MARKER_BYTES) * MARKER_BYTES)
    if not durable.overwrite(files, MARKER, content):
        durable.write(files, MARKER, content, sync=True)


def reserve_marker(files: Files) -> None:
    """See that the next boot can write its marker also on a disk that is full by then. Raises OSError."""
    if isinstance(read_marker(files), Absent):
        write_marker(files, Marker())


def write_report(files: Files, report: dict[str, t.Any]) -> None:
    """Write the report of the boot program, which the facts read. Raises OSError."""
    state.write(files, REPORT, report)


def read_report(files: Files) -> dict[str, t.Any]:
    """The report of the boot program on the current boot; empty if there is none or it is damaged."""
    return known_or(state.read(files, REPORT, _report), {})


def _report(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    results = [state.only(result, ("name", "outcome", "why", "since")) for result in state.items(data["results"])]
    report = state.only(data, ("boot_id", "nothing", "of_store", "results"))
    return dict(report, boot_id=state.text(report["boot_id"]), nothing=state.text(report["nothing"]), results=results)


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
