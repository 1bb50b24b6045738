# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Which kernel is running. Its name alone does not tell: a live patch may change what `uname -r` shows.

The name that the kernel was built with has other witnesses: the text that the kernel made for crash dumps when it
booted, and the salt of its build. Where the kernel has neither, the boot loader and the installed kernels tell it.
"""

from __future__ import annotations

import os
import re
import struct
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelMarks
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import (
    Absent,
    Reading,
    known,
    known_or,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.abi import SYSFS
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.notes import (
    DamagedNotes,
    Note,
    build_id,
    parse_notes,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

OSRELEASE = "/proc/sys/kernel/osrelease"

VERSION = "/proc/sys/kernel/version"

COMMAND_LINE = "/proc/cmdline"

NOTES = "/sys/kernel/notes"
"""The notes of vmlinux (kernel/ksysfs.c)."""

KCORE = "/proc/kcore"

VMCOREINFO = b"VMCOREINFO"
"""The owner of a note in /proc/kcore with lines KEY=VALUE, which the kernel makes once, when it boots
(kernel/crash_core.c, kernel/vmcore_info.c). Its OSRELEASE is the release of that moment."""

BUILD_SALT = 0x100
"""The type of a note of Linux that has CONFIG_BUILD_SALT (include/linux/build-salt.h). Debian and Fedora set that to
the release."""

_ELF64 = b"\x7fELF\x02"

_PT_NOTE = 4

_MOST_HEADERS = 1 << 16

_MOST_NOTES = 1 << 20

_IMAGE = re.compile(r"(?:^|\s)BOOT_IMAGE=\S*?/?(?:vmlinuz|vmlinux|bzImage|Image|zImage)-(\S+)")


_LONGER = re.compile(r"(.+)[.+_~-][A-Za-z0-9]+")
"""A name, and the word that a live patch may have appended to it."""


class Witness(t.NamedTuple):
    """The release of a kernel, and what tells it: `is_certain` if that is the kernel itself.

    `contradiction` says in a sentence what names another kernel.
    """

    release: str
    evidence: str
    is_certain: bool
    contradiction: str | None = None


def read_running_kernel(files: Files) -> tuple[str, KernelMarks]:
    """The release that the running kernel was built with, and what else tells it."""
    shown = known(files.text(OSRELEASE)) or os.uname().release
    notes = files.bytes(NOTES)
    marks = KernelMarks(_read_build_id(files, notes), known(files.text(VERSION)))
    witness = _witness(files, shown, notes)
    if witness is None:
        return shown, marks
    if witness.release == shown:
        return shown, replace(marks, is_certain=witness.is_certain, contradiction=witness.contradiction)
    return witness.release, replace(
        marks, shown_release=shown, evidence=witness.evidence, is_certain=witness.is_certain
    )


def own_release() -> str:
    """The release of the kernel that this host runs."""
    return read_running_kernel(Files())[0]


def _read_build_id(files: Files, notes: Reading[bytes]) -> Reading[str]:
    if not isinstance(notes, bytes):
        return notes
    try:
        return build_id(notes) or Absent("ENODATA")
    except DamagedNotes:
        return files.damaged(NOTES)


def _witness(files: Files, shown: str, notes: Reading[bytes]) -> Witness | None:
    """What tells the release better than `shown`; None where that can be believed, or nothing else tells."""
    others = _other_names(files, shown, notes)
    is_installed = _is_installed(files, shown)
    if is_installed and not others:
        return None
    if not known_or(files.folders(SYSFS), []):
        return None
    release = _of_crash_dumps(files)
    if release:
        return Witness(release, f"OSRELEASE in {KCORE}", True)
    if is_installed and not others[0].is_certain:
        # After kexec the command line may be that of the kernel before.
        return Witness(
            shown, OSRELEASE, False, f"{others[0].evidence} names {others[0].release}, which is installed too."
        )
    return others[0] if others else _shorter(files, shown)


def _other_names(files: Files, shown: str, notes: Reading[bytes]) -> list[Witness]:
    """The names of other installed kernels that the kernel has by its build, or by its boot loader."""
    salt = _salt(notes)
    if salt == shown:
        return []
    witnesses = (
        Witness(salt or shown, f"the build salt in {NOTES}", True),
        Witness(_of_boot_loader(files) or shown, f"BOOT_IMAGE in {COMMAND_LINE}", False),
    )
    return [one for one in witnesses if one.release != shown and _is_installed(files, one.release)]


def _shorter(files: Files, shown: str) -> Witness | None:
    longer = _LONGER.fullmatch(shown)
    if longer and _is_installed(files, longer.group(1)):
        return Witness(longer.group(1), "the installed kernel whose name it begins with", False)
    return None


def _is_installed(files: Files, release: str) -> bool:
    paths = (f"/lib/modules/{release}", f"/boot/config-{release}", f"/boot/vmlinuz-{release}")
    return any(not isinstance(files.inode(path), Absent) for path in paths)


def _salt(notes: Reading[bytes]) -> str | None:
    try:
        found = parse_notes(notes) if isinstance(notes, bytes) else []
    except DamagedNotes:
        return None
    salts = (note.content for note in found if (note.owner, note.type) == (b"Linux", BUILD_SALT))
    return next((_name(salt) for salt in salts), None)


def _of_boot_loader(files: Files) -> str | None:
    match = _IMAGE.search(known_or(files.text(COMMAND_LINE), ""))
    return _name(match.group(1).encode()) if match else None


def _of_crash_dumps(files: Files) -> str | None:
    # Not among what could not be read: only root may, and not on every kernel.
    files = Files(files.root)
    for note in _kcore_notes(files):
        if note.owner == VMCOREINFO:
            lines = (line.partition(b"=") for line in lines_of(note.content))
            return next((_name(value) for key, _equals, value in lines if key == b"OSRELEASE"), None)
    return None


def _kcore_notes(files: Files) -> t.Sequence[Note]:
    """The notes in /proc/kcore, an ELF file of as many bytes as there are addresses."""
    start = known_or(files.part(KCORE, 0, _MOST_HEADERS), b"")
    if not start.startswith(_ELF64) or len(start) < 64:
        return ()
    order = "<" if start[5] == 1 else ">"
    headers_at, size, count = _unpack(order + "Q", start, 32) + _unpack(order + "HH", start, 54)
    for number in range(count):
        at = headers_at + number * size
        if at + 56 > len(start):
            break
        if _unpack(order + "I", start, at) == (_PT_NOTE,):
            offset, length = _unpack(order + "Q", start, at + 8) + _unpack(order + "Q", start, at + 32)
            if length > _MOST_NOTES or offset >= 1 << 63:
                break
            try:
                return parse_notes(
                    known_or(files.part(KCORE, offset, length), b""), "little" if order == "<" else "big"
                )
            except DamagedNotes:
                break
    return ()


def _unpack(code: str, content: bytes, at: int) -> tuple[int, ...]:
    return struct.unpack_from(code, content, at)


def _name(content: bytes) -> str | None:
    """The name of a kernel; None if it is none. It becomes part of paths."""
    text = content.rstrip(b"\0").decode("ascii", "replace")
    return text if re.match(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}\Z", text) else None
