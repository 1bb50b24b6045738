# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The vendor's hot patches: packages and directories as SysCare has them, and what they say of themselves.

SysCare's own metadata, the file `patch_info`, is not read: it is a dump of structures of its program, which have
changed from version to version under one mark. What is said here is from the package's header and from the module.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import one_line
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.cpio import MOST_ENTRIES, File
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.package import Package
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.payload import MOST_UNPACKED
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.refused import Refused, too_big, unsafe
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.signature import NOT_CHECKED

CUMULATIVE, SINGLE = "cumulative", "single"

PATCHES = "usr/lib/syscare/patches/"
METADATA = "patch_info"

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PLACE = re.compile(rf"{PATCHES}({_UUID})/")
_MODULE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}\.ko\Z")
"""SysCare calls its modules vmlinux-DIGITS.ko or MODULE-DIGITS.ko."""

_NAME = re.compile(r"patch-(.+)-([^-]+)-([^-]+)-([^-]+)\Z")
"""The package of the target with its version and release, and the name of the patch, which has no hyphen."""

_SINGLE = re.compile(r"SGL(_|\Z)")
_CVE = re.compile(r"CVE[-_]([0-9]{4})[-_]([0-9]{4,7})(?![0-9])", re.IGNORECASE)
_VERMAGIC = re.compile(rb"\0vermagic=([^\0 ]+)")
MOST_CVES = 1000


@dataclass(frozen=True)
class VendorPatch:
    """What is known of a vendor's patch. None where nothing says it, as for directories, which have no header.

    `kind` is by the patch's name: openEuler calls cumulative ones ACC and others SGL. `sequence` is the version and the
    release of the patch, which grow with each cumulative one of a kernel. `cves` are those that the header names: the
    vendor's advisories may have more. `kernel` is the release of the kernel that it is for.
    """

    package: str | None = None
    uuid: str | None = None
    kind: str | None = None
    sequence: tuple[int, int] | None = None
    cves: tuple[str, ...] = ()
    target: str | None = None
    kernel: str | None = None
    architecture: str | None = None
    signature: str = NOT_CHECKED

    def to_dict(self) -> dict[str, t.Any]:
        """Plain types, with lists for tuples."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def joined(self, machine: str, release: str) -> VendorPatch:
        """The same with what the module in it says. Raises Refused if that is for another machine or kernel."""
        if self.architecture not in (None, machine):
            raise Refused(
                "other_architecture",
                f"is a package for {self.architecture}, and the patch in it is for {machine}",
                "Give the package as the vendor has it.",
            )
        # The release of a running kernel ends with the architecture, and the package's does not.
        if self.kernel is not None and release not in (self.kernel, f"{self.kernel}.{machine}"):
            raise _two_kernels([self.kernel, release])
        return replace(self, architecture=machine, kernel=release)


def from_package(package: Package) -> tuple[VendorPatch, File]:
    """The patch in a package, and its module. Raises Refused."""
    places = {file: _PLACE.match(file.path) for file in package.files}
    modules = [file for file, place in places.items() if place and _MODULE.match(file.path[place.end() :])]
    uuids = {place.group(1) for place in places.values() if place}
    if len(uuids) > 1:
        raise _several(sorted(uuids))
    module = _only(modules)
    # Advisories of openEuler have the numbers in the name as well.
    named = _NAME.match(re.sub(rf"-{re.escape(package.version)}-{re.escape(package.release)}\Z", "", package.name))
    target, kernel = None, None
    if named:
        target = "-".join(named.groups()[:3])
        if named.group(1) == "kernel":
            kernel = f"{named.group(2)}-{named.group(3)}"
    return VendorPatch(
        package=one_line(package.full_name),
        uuid=uuids.pop(),
        kind=_kind(named.group(4)) if named else None,
        sequence=_sequence(package),
        cves=_cves(package),
        target=target and one_line(target),
        kernel=kernel and one_line(kernel),
        architecture=one_line(package.architecture),
    ), module


def is_directory_of_a_patch(path: str) -> bool:
    """Whether this is a directory as SysCare has them: its name is a UUID, or it has the metadata of SysCare."""
    name = os.path.basename(os.path.normpath(path))
    return os.path.isdir(path) and (
        re.fullmatch(_UUID, name) is not None or os.path.lexists(os.path.join(path, METADATA))
    )


def from_directory(path: str) -> tuple[VendorPatch, File]:
    """The patch in an installed directory, and its module. Raises Refused and OSError."""
    name = os.path.basename(os.path.normpath(path))
    with os.scandir(path) as found:
        entries = [entry for _number, entry in zip(range(MOST_ENTRIES + 1), found, strict=False)]
    if len(entries) > MOST_ENTRIES:
        raise too_big(f"more than {MOST_ENTRIES} entries")
    for entry in entries:
        if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
            raise unsafe(f"{entry.name} is {'a link' if entry.is_symlink() else 'no regular file'}")
    modules = sorted(entry.path for entry in entries if _MODULE.match(entry.name))
    left, files = MOST_UNPACKED, []
    for module in modules:
        with contextlib.closing(open_regular(module, os.O_NOFOLLOW)) as stream:
            content = stream.read(left + 1)
        left -= len(content)
        if left < 0:
            raise too_big(f"modules of more than {MOST_UNPACKED} bytes")
        files.append(File(os.path.basename(module), content))
    uuid = name if re.fullmatch(_UUID, name) else None
    return VendorPatch(uuid=uuid), _only(files)


def _only(modules: t.Sequence[File]) -> File:
    if not modules:
        raise Refused(
            "not_a_vendor_patch",
            "has no kernel module below usr/lib/syscare/patches/UUID/",
            "Give a package of a kernel hot patch, patch-kernel-VERSION-NAME. Patches of programs are SysCare's alone.",
        )
    if len(modules) > 1:
        releases = sorted({_release(module) for module in modules})
        if len(releases) > 1:
            raise _two_kernels(releases)
        raise _several(sorted(os.path.basename(module.path) for module in modules))
    return modules[0]


def _several(names: t.Sequence[str]) -> Refused:
    what = f"has more than one patch: {', '.join(names[:10])}"
    return Refused("several_patches", what, "Unpack it, and give each .ko file.")


def _release(module: File) -> str:
    found = _VERMAGIC.search(b"\0" + module.content)
    return found.group(1).decode("ascii", "replace") if found else "unknown"


def _two_kernels(releases: t.Sequence[str]) -> Refused:
    return Refused(
        "two_kernels",
        f"is for more than one kernel: {', '.join(releases)}",
        "Give the package as the vendor has it; it is for one kernel.",
    )


def _kind(patch: str) -> str | None:
    if patch == "ACC":
        return CUMULATIVE
    return SINGLE if _SINGLE.match(patch) else None


def _sequence(package: Package) -> tuple[int, int] | None:
    numbers = [part for part in (package.version, package.release) if re.fullmatch(r"[0-9]{1,9}", part)]
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None


def _cves(package: Package) -> tuple[str, ...]:
    text = "\n".join((package.name, package.summary, package.description))
    found = {(int(year), int(number), f"CVE-{year}-{number}") for year, number in _CVE.findall(text)}
    return tuple(cve for _year, _number, cve in sorted(found)[:MOST_CVES])
