# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Checks of what a patch file is built for, and of what is known about it."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import Unreadable
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances, check

MEMORY_RESERVE = 16 * 1024**2
"""Bytes that should stay free beside the module."""

VERMAGIC_WORDS = frozenset(["SMP", "preempt", "preempt_rt", "mod_unload", "modversions"])
"""Words of other kinds, architectures and the seed of RANDSTRUCT, do not follow from the configuration alone."""


@check("quarantined")
def quarantine(circumstances: Circumstances) -> t.Iterator[Finding]:
    for file in circumstances.files:
        quarantined = circumstances.boot.quarantine_of(file.sha256)
        if quarantined:
            yield Finding(
                reason="quarantined",
                seen=f"{file.path} is in quarantine on this host since {quarantined.since}.",
                remedy=f"Build a better one, or end the quarantine with state: absent for {file.name}.",
                why=quarantined.why,
            )


@check("wrong_architecture")
def architecture(circumstances: Circumstances) -> t.Iterator[Finding]:
    host = circumstances.snapshot
    for file in circumstances.files:
        if file.machine != host.machine:
            yield Finding(
                reason="wrong_architecture",
                seen=f"{file.path} is built for {file.machine}, the host is {host.machine}.",
                remedy=f"Build the patch for {host.machine}.",
                why="The kernel would not take it for a module.",
            )


@check("wrong_vermagic")
def vermagic(circumstances: Circumstances) -> t.Iterator[Finding]:
    host = circumstances.snapshot
    for file in circumstances.files:
        if file.release != host.release:
            yield Finding(
                reason="wrong_vermagic",
                seen=f"{file.path} is built for kernel {file.release}, the host runs {host.release}.",
                remedy=f"Build the patch for {host.release}.",
                # With MODVERSIONS the kernel does not compare the release.
                why="A patch fits only the code that it is made for, even where the kernel would take it.",
            )
        elif host.vermagic_words is not None:
            yield from _vermagic_words(file, host.vermagic_words, host.config_path)


def _vermagic_words(file: PatchFile, kernel: frozenset[str], config_path: str | None) -> t.Iterator[Finding]:
    words = VERMAGIC_WORDS.intersection(file.vermagic.split())
    extra, missing = ", ".join(sorted(words - kernel)), ", ".join(sorted(kernel - words))
    if extra or missing:
        parts = [f"has {extra}, which the kernel lacks"] if extra else []
        parts += [f"lacks {missing}, which the kernel has"] if missing else []
        yield Finding(
            reason="wrong_vermagic",
            seen=f"The vermagic of {file.path}, '{file.vermagic}', {', and '.join(parts)} ({config_path}).",
            remedy="Build the patch against the build tree and the configuration of the running kernel.",
            why="The kernel compares these words and would answer ENOEXEC.",
        )


@check("wrong_kernel")
def kernel_build(circumstances: Circumstances) -> t.Iterator[Finding]:
    host = circumstances.snapshot
    for file in circumstances.files:
        if file.kernel_build_id is None or file.release != host.release:
            continue
        if isinstance(host.marks.build_id, Unreadable):
            yield Finding(
                reason="wrong_kernel",
                seen=f"{file.path} is built for the kernel {file.kernel}; the build-id of the running one cannot be "
                f"read: {host.marks.build_id}.",
                remedy=f"Make sure that the host runs that build of {host.release}.",
                why="A patch fits only the code that it is made for.",
                severity=WARN,
            )
        elif file.kernel.is_other_build(host.kernel):
            yield Finding(
                reason="wrong_kernel",
                seen=f"{file.path} is built for the kernel {file.kernel}, the host runs {host.kernel}.",
                remedy="Build the patch with the vmlinux of the running kernel, or boot the kernel that it is for.",
                why="Two builds of a kernel share this release, and a patch fits only the code that it is made for.",
            )


@check("wrong_abi")
def abi(circumstances: Circumstances) -> t.Iterator[Finding]:
    host = circumstances.snapshot
    for file in circumstances.files:
        if file.abi != host.abi:
            yield Finding(
                reason="wrong_abi",
                seen=f"{file.path} is built for {file.abi} kernels, the host's kernel is {host.abi}.",
                remedy="Build the patch against the host's kernel.",
                why="It calls functions that the kernel does not have.",
            )


@check("bad_relocation")
def symbol_names(circumstances: Circumstances) -> t.Iterator[Finding]:
    host = circumstances.snapshot
    for file in circumstances.files:
        if file.long_symbols and not host.long_symbols:
            is_known = host.long_symbols is False
            lacks = "lacks" if is_known else "may lack"
            yield Finding(
                reason="bad_relocation",
                seen=f"{file.path} has symbols named .klp.sym.OBJECT-NAME,OFFSET, and the kernel {lacks} "
                "CONFIG_LIVEPATCH_LONG_SYMBOL_SUPPORT.",
                remedy="Build the patch without KALLSYMS, or boot a kernel with that option.",
                why="Without it the kernel does not know that form, and would answer EINVAL.",
                severity=REFUSE if is_known else WARN,
            )


@check("memory")
def memory(circumstances: Circumstances) -> t.Iterator[Finding]:
    available = circumstances.conditions.memory
    for file in circumstances.files:
        if available is not None and available < 2 * file.size + MEMORY_RESERVE:
            yield Finding(
                reason="memory",
                seen=f"{available // 1024**2} MiB of memory are available, and {file.path} has {file.size} bytes.",
                remedy="Free memory first.",
                why="The kernel may answer ENOMEM.",
                severity=WARN,
            )
