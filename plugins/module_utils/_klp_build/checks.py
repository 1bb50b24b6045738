# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds, before the long build, what would make klp-build fail."""

from __future__ import annotations

import os
import re
import tempfile
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import Run
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.combined import Changes, combined_patch
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import read_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_checks import check_plain, check_refused
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean, lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.config import REQUIRED_OPTIONS

SCRIPT = "scripts/livepatch/klp-build"

SINCE = "6.19"

_SCRIPTS = (SCRIPT, "scripts/livepatch/fix-patch-lines")
"""klp-build calls the other one as a program."""

REFUSED_OPTIONS = (
    "CONFIG_GCC_PLUGIN_LATENT_ENTROPY",
    "CONFIG_GCC_PLUGIN_RANDSTRUCT",
    "CONFIG_LD_DEAD_CODE_DATA_ELIMINATION",
)
"""The options of a kernel that klp-build refuses (kernel: scripts/livepatch/klp-build, validate_config)."""

_FIRST_CLANG = 200000
"""The first assembler of clang that klp-build takes."""

PROGRAMS = (
    *("awk", "bash", "cut", "diff", "find", "gawk", "getconf", "getopt", "objcopy", "patch", "recountdiff", "sed"),
    *("bc", "bison", "flex", "ld", "make", "perl"),
)
"""The programs that klp-build and the build of a kernel call."""

_OLDEST_BASH = (4, 4)

_HEADERS = {
    "xxhash 0.8": (
        "#include <xxhash.h>\n#if XXH_VERSION_NUMBER < 800\n#error too old\n#endif\n",
        "libxxhash-dev or xxhash-devel, 0.8 or later",
    ),
    "libelf": ("#include <gelf.h>\n", "libelf-dev, elfutils-libelf-devel or libelf-devel"),
}
"""Library -> C that needs its headers, and its packages. Without xxhash, objtool is built but cannot compare."""


def has_script(source: str) -> bool:
    return all(os.access(os.path.join(source, name), os.X_OK) for name in _SCRIPTS)


def check_config(config: Config) -> t.Iterator[Finding]:
    """Whether the configuration has only options, and is of a kernel that klp-build can patch."""
    yield from check_plain(config, "klp-build")
    needed = [name for name, needed_by in REQUIRED_OPTIONS.items() if PER_TASK in needed_by]
    for name in (*needed, "CONFIG_KLP_BUILD"):
        if config.options.get(name) != "y":
            yield Finding(
                reason="config",
                seen=f"{config.path} lacks {name}=y.",
                remedy="Build for a kernel that has it, correct config, or set method: kpatch.",
            )
    yield from check_refused(config, REFUSED_OPTIONS, "klp-build")
    assembler = config.options.get("CONFIG_AS_VERSION", "0")
    if "CONFIG_AS_IS_LLVM" in config.options and (not assembler.isdigit() or int(assembler) < _FIRST_CLANG):
        yield Finding(
            reason="config",
            seen=f"{config.path} is of a kernel that an assembler of clang before 20 has assembled, and klp-build does "
            "not support that.",
            remedy="Build for another kernel.",
        )


def check_source(source: str) -> t.Iterator[Finding]:
    """Whether the source has klp-build."""
    if not has_script(source):
        yield Finding(
            reason="no_klp_build",
            seen=f"{source} has no program {SCRIPT}, which Linux has since {SINCE}.",
            remedy=f"Give the source of Linux {SINCE} or later, or set method: kpatch.",
        )


def check_options(arch: str | None, oot_module: str | None) -> t.Iterator[Finding]:
    """Whether klp-build can do what the task asks for."""
    if arch not in (None, "x86", "x86_64"):
        yield Finding(
            reason="tool_not_for_arch",
            seen=f"klp-build builds for x86_64 only, not for {clean(arch or '')}.",
            remedy="Set method: kpatch, or leave arch out.",
        )
    if oot_module:
        yield Finding(
            reason="bad_argument",
            seen="klp-build patches the modules of the kernel's own source only, and the task gives oot_module.",
            remedy="Set method: kpatch, or leave oot_module out.",
        )


def check_changes(changes: Changes) -> t.Iterator[Finding]:
    """Whether klp-build reads the one patch of all changes as patch(1) does, and loses nothing of it."""
    contents = changes.values()
    for what, is_lacking in (
        ("add files", all(content.before is None for content in contents)),
        ("remove files", all(content.after is None for content in contents)),
    ):
        if changes and is_lacking:
            yield Finding(
                reason="empty_patch",
                seen=f"The patches only {what}, and klp-build takes such patches for empty.",
                remedy="Give the patch that changes the code around them as well.",
            )
    for name, content in sorted(changes.items()):
        if not content.has_other_lines or b"\0" in (content.before or b"") + (content.after or b""):
            yield Finding(
                reason="unsupported_path",
                seen=f"The patches change {clean(name)}, which is empty or no text, and klp-build loses that.",
                remedy="Leave the file as it is, or give it a line of text.",
            )
        if any(line.startswith(_LIKE_NAMES) for line in lines_of(combined_patch({name: content}))[2:]):
            yield Finding(
                reason="does_not_apply",
                seen=f"The patches change a line of {clean(name)} that begins with '-- ' or '++ ', and klp-build takes "
                "what follows for the name of a file.",
                remedy="Leave that line as it is.",
            )


_LIKE_NAMES = (b"--- ", b"+++ ")
"""How the lines begin that klp-build takes names from, wherever they stand (kernel: get_patch_input_files)."""


def check_compiler_of_config(config: Config, program: str, run: Run) -> t.Iterator[Finding]:
    """Whether the compiler is the one that the configuration names, where no vmlinux tells it."""
    wanted = config.options.get("CONFIG_CC_VERSION_TEXT", "").strip('"')
    said = lines_of(run([program, "--version"])[1])
    # The first word is the name under which it was called.
    if wanted and said and said[0].partition(" ")[2] != wanted.partition(" ")[2]:
        yield Finding(
            reason="compiler_mismatch",
            seen=f"{program} is {said[0]!r}, and the kernel was configured for {wanted!r}.",
            remedy="Install that compiler, or set skip_compiler_check: true if you know that both make the same code.",
        )


def check_bash(run: Run) -> t.Iterator[Finding]:
    """Whether bash is new enough."""
    rc, out, _err = run(["bash", "-c", "echo $BASH_VERSION"])
    found = re.match(r"(\d+)\.(\d+)", out)
    if rc == 0 and found and tuple(map(int, found.groups())) < _OLDEST_BASH:
        yield Finding(
            reason="tool_too_old",
            seen=f"bash is {out.strip()}, and klp-build needs {'.'.join(map(str, _OLDEST_BASH))} or later.",
            remedy="Build on a newer distribution.",
        )


def check_headers(program: str, run: Run) -> t.Iterator[Finding]:
    """Whether the kernel's objtool can be built with all that klp-build needs. `program` is a compiler that works."""
    with tempfile.TemporaryDirectory(prefix="livepatch-") as directory:
        path = os.path.join(directory, "header.c")
        for library, (text, packages) in _HEADERS.items():
            with open(path, "w", encoding="ascii") as stream:
                stream.write(text)
            if run([program, "-E", "-o", os.path.join(directory, "header.i"), path])[0] != 0:
                yield Finding(
                    reason="missing_header",
                    seen=f"The headers of {library} are not installed, and the kernel's objtool needs them.",
                    remedy=f"Install {packages} on the build host.",
                )


def local_suffix_is_plain(suffix: str) -> bool:
    """Whether the end of a release can be given to klp-build, which writes it into a script."""
    return re.match(r"[A-Za-z0-9._+~-]*\Z", suffix) is not None


def check_suffix(suffix: str) -> t.Iterator[Finding]:
    if not local_suffix_is_plain(suffix):
        yield Finding(
            reason="bad_argument",
            seen=f"{clean(suffix)!r} is no end of a kernel's release.",
            remedy="Correct kernel_release.",
        )


def is_for(source: str, config_path: str) -> bool:
    """Whether this source has klp-build, and the kernel is configured for it."""
    text = read_text(config_path) or ""
    return has_script(source) and re.search(r"^CONFIG_KLP_BUILD=y$", text, re.M) is not None
