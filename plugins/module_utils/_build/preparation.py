# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the builders of source patches read and check of a build host, and how they tell several problems at once."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError, Run
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import read_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_places import (
    debug_package_here,
    packed_source,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    MODULE_NAME_MAX,
    NAME_RULE,
    is_module_name,
)

GIB = 1024**3

FREE_FOR_A_TREE = 4 * GIB

FREE_FOR_A_BUILD = GIB // 4


def first_file(*paths: str) -> str:
    """The first of these files that is there, or else the first."""
    return next((path for path in paths if os.path.isfile(path)), paths[0])


def refused(problems: t.Sequence[Finding]) -> BuildError:
    """One error for all problems: its reason is that of the first, its details have all of them."""
    first = problems[0]
    more = (
        ""
        if len(problems) == 1
        else " ({} more: {})".format(len(problems) - 1, " ".join(problem.cause for problem in problems[1:]))
    )
    return BuildError(
        Finding(reason=first.reason, seen=first.cause + more, remedy=first.remedy),
        problems=[problem.to_plain() for problem in problems],
    )


def unreadable(path: str) -> Finding:
    return Finding(
        reason="unreadable_file",
        seen=f"{path} on the build host {os.uname().nodename} cannot be read, or has another format.",
        remedy="Correct the path.",
    )


def no_source(source: str, release: str) -> Finding:
    """The finding that there is no source. An archive that the distribution has for this release is named."""
    archive = packed_source(release)
    return Finding(
        reason="no_source",
        seen=f"{source} is not a directory on the build host {os.uname().nodename}.",
        remedy=f"Unpack {archive}, and give src_dir."
        if archive
        else "Install the kernel's source, or correct src_dir.",
    )


def no_vmlinux(searched: t.Sequence[str], release: str) -> Finding:
    """The finding that none of the places has a vmlinux of this release."""
    return Finding(
        reason="no_debug_info",
        seen=f"There is no vmlinux on the build host {os.uname().nodename}: neither {', nor '.join(searched)}.",
        remedy=f"Install {debug_package_here(release)}, or give vmlinux.",
    )


def name_of(name: str | None, patches: t.Sequence[str]) -> str:
    """The user's name, or the one that kpatch-build and klp-build make from the patches. Raises BuildError."""
    if name is not None:
        if not is_module_name(name.replace("-", "_")):
            raise BuildError(
                Finding(reason="bad_name", seen=f"{name!r} is not the name of a kernel module.", remedy=NAME_RULE)
            )
        return name
    base = os.path.basename(patches[0]) if len(patches) == 1 else "patch"
    stem = re.sub(r"\.(?:patch|diff)\Z", "", base)
    return re.sub(r"[^A-Za-z0-9_-]", "-", "livepatch-" + stem)[:MODULE_NAME_MAX]


def compiler_ident(program: str, run: Run) -> str | None:
    """What the compiler writes into the section .comment of each object; None if it does not work."""
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject

    with tempfile.TemporaryDirectory(prefix="livepatch-") as directory:
        source, target = os.path.join(directory, "empty.c"), os.path.join(directory, "empty.o")
        with open(source, "w", encoding="ascii") as stream:
            stream.write("int nothing;\n")
        if run([program, "-c", "-o", target, source])[0] != 0:
            return None
        with open(target, "rb") as stream:
            return ElfObject(stream).compiler()


def local_versions(source: str) -> str:
    """What the files `localversion*` of a source tree add to the release (kernel: scripts/setlocalversion)."""
    names = sorted(name for name in os.listdir(source) if name.startswith("localversion") and not name.endswith("~"))
    return "".join("".join((read_text(os.path.join(source, name)) or "").split()) for name in names)


def _existing(folder: str) -> str:
    """The folder, or the nearest path above it that exists."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    return folder


def check_places(cache_dir: str, dest: str) -> t.Iterator[Finding]:
    """Whether the cache and the result can be written, and only this user may write where sources and objects are."""
    folders = {"cache_dir": cache_dir, "dest": os.path.dirname(os.path.abspath(dest))}
    for option, folder in folders.items():
        existing = _existing(folder)
        if not (os.path.isdir(existing) and os.access(existing, os.W_OK)):
            yield Finding(
                reason="not_writable",
                seen=f"{option} {folder} cannot be written.",
                remedy=f"Run as root, or give another {option}.",
            )
    existing = _existing(cache_dir)
    if os.path.isdir(existing) and not _is_private(existing, is_new=existing != cache_dir):
        yield Finding(
            reason="not_private",
            seen=f"Other users may write in {existing}, and the cache in it decides what is built.",
            remedy="Give a cache_dir of this user's own.",
        )


def _is_private(folder: str, is_new: bool) -> bool:
    """Whether only this user and root may write in a folder, or in a new one below it, of which builds are made.

    The group may be root's or, as many distributions have it, the user's own, which has the same number.
    """
    link, status = os.lstat(folder), os.stat(folder)
    others = stat.S_IWOTH | (0 if status.st_gid in (0, status.st_uid) else stat.S_IWGRP)
    # In a folder such as /tmp, a new one is this user's.
    may_others = bool(status.st_mode & others) and not (is_new and status.st_mode & stat.S_ISVTX)
    return not may_others and {link.st_uid, status.st_uid} <= {0, os.geteuid()}


def check_room(cache_dir: str, is_first: bool, freed: t.Callable[[], int]) -> t.Iterator[Finding]:
    """Whether there is room for the objects and, if this build is the first of its tree, for the copy of the source.

    `freed` tells how many bytes go before the build.
    """
    wanted = FREE_FOR_A_TREE if is_first else FREE_FOR_A_BUILD
    free = shutil.disk_usage(_existing(cache_dir)).free
    if free < wanted and free + freed() < wanted:
        yield Finding(
            reason="disk_full",
            seen=f"The build needs {wanted / GIB:.1f} GiB in {cache_dir}, and {free / GIB:.1f} GiB are free.",
            remedy="Free space, or name another cache_dir.",
        )
