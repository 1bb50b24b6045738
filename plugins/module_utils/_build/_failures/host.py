# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Causes for which any line may follow: the build host ran out of something, or does not run what was built on it."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.row import HOST, Row

_FREE = (
    "Free space for cache_dir and for the directory of temporary files, or name another one, then run the task again."
)
_MEMORY = "Give the build host more memory, or build with fewer jobs."
_EXEC = "Name a cache_dir on a file system without noexec, or remount that one with exec."

ROWS = (
    Row(
        reason="disk_full",
        has="No space left on device",
        line=r"No space left on device",
        cause="The disk was full.",
        remedy=_FREE,
        rank=HOST,
    ),
    Row(
        reason="disk_full",
        has="Disk quota exceeded",
        line=r"Disk quota exceeded",
        cause="The disk quota of the user who builds was used up.",
        remedy=_FREE,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="Killed",
        line=r"(?:Killed signal terminated program |internal compiler error: Killed \(program )(?P<program>[\w+.-]+)",
        cause="The kernel of the build host killed {program}, as it does when memory runs out.",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="[Killed]",
        line=r"\b(?P<program>[\w+.-]+) terminated with signal 9 \[Killed\]",
        cause="The kernel of the build host killed {program}, as it does when memory runs out.",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="Killed",
        # How a shell says it of a program that make does not run, such as objtool, create-diff-object and pahole.
        line=r"(?:\A|\S+: )line \d+: +\d+ Killed\b",
        cause="The kernel of the build host killed a program of the build, as it does when memory runs out.",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="Killed",
        line=r"\AKilled\Z",
        cause="The kernel of the build host killed pahole, as it does when memory runs out.",
        remedy=_MEMORY,
        rank=HOST,
        # The second line is that of Linux 7.3, in which resolve_btfids is not called then.
        then=r"FAILED:? load BTF from |Failed to generate BTF for ",
    ),
    Row(
        reason="no_memory",
        has="Killed",
        line=r"(?:\A|: +(?:\d+ )?|\d )Killed\b",
        cause="The kernel of the build host killed a program of the build, as it does when memory runs out.",
        remedy=_MEMORY,
        rank=HOST,
        then=r"\*\*\* \[.*Error 137",
    ),
    Row(
        reason="no_memory",
        has="] Killed",
        # How make says it of a program that it starts without a shell.
        line=r"\*\*\* \[(?:[^]]*: )?(?P<target>[^]:]+)\] Killed\Z",
        cause="The kernel of the build host killed a program that made {target}, as it does when memory runs out.",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="unable to execute command: Killed",
        line=r"(?P<program>[\w+.-]+): error: unable to execute command: Killed",
        cause="The kernel of the build host killed a program that {program} called, as it does when memory runs out.",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="Error 137",
        line=r"\*\*\* \[(?:[^]]*: )?(?P<target>[^]:]+)\] Error 137",
        cause="A program that made {target} was killed, as the kernel of the build host does when memory runs out.",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="out of memory",
        line=r"(?P<program>[\w+.-]+): (?:error: )?out of memory|LLVM ERROR: (?P<other>out of memory)",
        cause="The memory of the build host was used up ({program}{other}).",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="Cannot allocate memory",
        line=r"(?P<program>[\w+./-]+)?:? ?(?:[\w ]+: )?Cannot allocate memory",
        cause="The memory of the build host was used up ({program}).",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="no_memory",
        has="memory exhausted",
        line=r"(?P<program>[\w+.-]+): (?:final link failed: |fatal error: )?(?:virtual )?memory exhausted",
        cause="The memory of the build host was used up ({program}).",
        remedy=_MEMORY,
        rank=HOST,
    ),
    Row(
        reason="too_many_processes",
        has="Resource temporarily unavailable",
        line=r"(?:fork|vfork|clone|posix_spawn)[\w() ]*: (?:retry: )?Resource temporarily unavailable",
        cause="The user who builds may start no more processes.",
        remedy="Build with fewer jobs, or raise the limit of processes (ulimit -u, TasksMax).",
        rank=HOST,
    ),
    Row(
        reason="too_many_files",
        has="Too many open files",
        line=r"Too many open files",
        cause="The user who builds may open no more files.",
        remedy="Raise the limit of open files (ulimit -n), or build with fewer jobs.",
        rank=HOST,
    ),
    Row(
        reason="not_writable",
        has="Read-only file system",
        line=r"(?P<path>[\w./+-]+)'?: Read-only file system",
        cause="{path} is on a file system that is mounted read-only.",
        remedy="Name a cache_dir that can be written.",
        rank=HOST,
    ),
    Row(
        reason="bad_disk",
        has="Input/output error",
        line=r"(?P<path>[\w./+-]+)'?: Input/output error",
        cause="The disk with {path} fails.",
        remedy="Look into the kernel's log of the build host, and build on another disk.",
        rank=HOST,
    ),
    Row(
        reason="noexec",
        has="Permission denied",
        line=r"(?:\A|[: ])(?P<program>[\w./+-]+): (?:cannot execute: )?Permission denied",
        cause="The build host may not run {program}, which the build has made: its file system may be mounted noexec.",
        remedy=_EXEC,
        rank=HOST,
        # make 4.3 gives 127 where it starts the program without a shell.
        then=r"\*\*\* \[.*Error 12[67]",
    ),
    Row(
        reason="noexec",
        has="Permission denied",
        line=r"(?:kpatch-build|klp-build): line \d+: (?P<program>[\w./+-]+): Permission denied",
        cause="The build host may not run {program}: its file system may be mounted noexec.",
        remedy=_EXEC,
        rank=HOST,
    ),
    Row(
        reason="noexec",
        has="failed to map segment from shared object",
        line=r"(?P<program>[\w./+-]+): failed to map segment from shared object",
        cause="The build host may not run {program}: its file system may be mounted noexec.",
        remedy=_EXEC,
        rank=HOST,
    ),
    Row(
        reason="foreign_programs",
        has="xec format error",
        line=r"(?P<program>[\w./+-]+): (?:cannot execute binary file: )?Exec format error",
        cause="{program} in the kernel's tree is a program for another architecture than the build host's.",
        remedy="Use a tree that was prepared on this architecture: run make modules_prepare in it, or install the "
        "development package for the build host's architecture.",
        rank=HOST,
    ),
)
