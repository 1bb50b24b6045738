# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The patches of a directory of the vendor's packages: one for each kernel, and where their modules go."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError, sentence
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import is_module_name, release_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import one_line
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._local_file import content_of, replace_file
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.vendor_patch import (
    CUMULATIVE,
    VendorPatch,
    is_directory_of_a_patch,
)

MOST_PACKAGES = 1000

_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,64}\Z")
"""What a kernel release may look like that names a folder; the kernel's own are at most 64 characters long."""

Shown = dict[str, t.Any]


@dataclass(frozen=True)
class Unpacked:
    """A patch of the vendor's: what was given, what the file shows, what the vendor says, and the file itself."""

    given: str
    file: Shown
    vendor: VendorPatch
    content: bytes

    @property
    def kernel(self) -> str:
        return release_in(self.file["vermagic"])


def packages_in(path: str) -> list[str]:
    """What to unpack: this package or directory of a patch, or all that are in this directory. Raises FindingError."""
    if not os.path.isdir(path) or is_directory_of_a_patch(path):
        return [path]
    try:
        inside = sorted(os.path.join(path, name) for name in os.listdir(path))
    except OSError as error:
        raise _not_taken("unreadable_file", f"{path} cannot be read: {error.strerror}.", "Check it.") from error
    found = [each for each in inside if each.endswith(".rpm") or is_directory_of_a_patch(each)]
    if not found:
        raise _not_taken(
            "not_a_vendor_patch", f"{path} has no package of a hot patch.", "Put patch-kernel-VERSION-NAME.rpm there."
        )
    if len(found) > MOST_PACKAGES:
        raise _not_taken("too_big", f"{path} has more than {MOST_PACKAGES} packages.", "Leave there what is needed.")
    return found


def newest_of(patches: t.Iterable[Unpacked]) -> list[Unpacked]:
    """The patch for each kernel: of cumulative ones the one with the highest numbers. Raises FindingError."""
    chosen: dict[str, Unpacked] = {}
    for patch in patches:
        other = chosen.setdefault(patch.kernel, patch)
        if other.file["sha256"] != patch.file["sha256"]:
            chosen[patch.kernel] = _newer(other, patch)
    return [chosen[kernel] for kernel in sorted(chosen)]


def _newer(one: Unpacked, other: Unpacked) -> Unpacked:
    """The one that contains the other. Only cumulative patches do."""
    numbers = [patch.vendor.sequence for patch in (one, other) if patch.vendor.kind == CUMULATIVE]
    if len(numbers) < 2 or None in numbers or numbers[0] == numbers[1]:
        raise _not_taken(
            "several_patches",
            f"{one.given} and {other.given} are both for the kernel {one_line(one.kernel)}, and neither contains the "
            "other.",
            "Leave one of them there.",
        )
    return max(one, other, key=lambda patch: patch.vendor.sequence or (0, 0))


def put(patch: Unpacked, folder: str, is_check_mode: bool) -> tuple[str, bool]:
    """Write the module into the folder of its kernel; its path, and whether that changes it. Raises FindingError."""
    name = patch.file["name"]
    if not _RELEASE.match(patch.kernel) or not is_module_name(name):
        raise _not_taken(
            "unsafe_package",
            f"{patch.given} is not unpacked: its kernel is {one_line(patch.kernel)!r} and its name {one_line(name)!r}.",
            "Find out who made that package, and do not use it.",
        )
    path = os.path.join(folder, patch.kernel, f"{name}.ko")
    try:
        is_new = content_of(path) != patch.content
        if is_new and not is_check_mode:
            replace_file(path, patch.content)
    except OSError as error:
        raise _not_taken("not_written", f"{path} cannot be written: {sentence(str(error))}", "Check dest.") from error
    return path, is_new


def _not_taken(reason: str, seen: str, remedy: str) -> FindingError:
    return FindingError(Finding(reason=reason, seen=seen, remedy=remedy))
