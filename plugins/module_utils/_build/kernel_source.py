# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads a kernel's configuration, its vmlinux, and the version of its source."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import digest, read_bytes, read_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean, lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular

_BANNER = b"Linux version "
"""The beginning of linux_banner (kernel: init/version-timestamp.c), which /proc/version shows."""

_PLAIN_LINE = re.compile(rb'CONFIG_\w+=(?:[ymn]|-?[0-9]+|0x[0-9A-Fa-f]+|"(?:[^"\\$`]|\\["\\])*")\Z')

_OF_TOOLS = re.compile(r"CONFIG_(?:AS|CC|LD|LLD|RUSTC|HAVE|TOOLS)_|CONFIG_\w+_VERSION\Z")
"""The options that tell the versions and the abilities of compiler, assembler and linker."""

_NOT_PRINTABLE = re.compile(rb"[^ -~]")
"""Kconfig writes none of them; tools do not agree on which of them end a line or a word."""


@dataclass(frozen=True)
class Config:
    """A kernel configuration. `odd_line` is the number of the first line that is not an option, if there is one.

    Some versions of kpatch-build read the file as a shell script, and would run such a line.
    """

    path: str
    content: bytes
    sha256: str
    options: t.Mapping[str, str]
    version: str | None
    odd_line: int | None

    @property
    def abi(self) -> str:
        return STOP_MACHINE if self.options.get("CONFIG_LIVEPATCH_WO_FTRACE") == "y" else PER_TASK

    @property
    def forces_signatures(self) -> bool:
        """Whether the kernel loads signed modules only."""
        return self.options.get("CONFIG_MODULE_SIG_FORCE") == "y"

    @property
    def uses_clang(self) -> bool:
        return "CONFIG_CC_IS_CLANG" in self.options


def read_config(path: str) -> Config | None:
    """Read a configuration file; None if it cannot be read."""
    content = read_bytes(path)
    if content is None:
        return None
    options: dict[str, str] = {}
    odd_line = None
    for number, line in enumerate(lines_of(content), 1):
        option = _option(line)
        if option:
            options.update([option])
        elif odd_line is None and not _is_comment(line):
            odd_line = number
    version = re.search(rb"^# Linux/\S+ (\S+) Kernel Configuration$", content, re.M)
    return Config(
        path=path,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        options=options,
        version=version.group(1).decode("ascii", "replace") if version else None,
        odd_line=odd_line,
    )


def changed_options(config: Config, source: str) -> list[str]:
    """The options that make has set otherwise in a tree than the configuration does: Kconfig drops silently what it
    finds no tool for, and types may then have another layout than those of the kernel (kernel: init/Kconfig).

    Texts are not compared, since make's file quotes them in another way, and neither is what tells of tools.
    """
    made = read_config(os.path.join(source, "include/config/auto.conf"))
    if made is None:
        return []
    before, after = _numbers_of(config), _numbers_of(made)
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _numbers_of(config: Config) -> dict[str, str]:
    """The options that are set, but for texts and what tells of tools."""
    return {
        name: value
        for name, value in config.options.items()
        if value != "n" and not value.startswith('"') and not _OF_TOOLS.match(name)
    }


def _option(line: bytes) -> tuple[str, str] | None:
    """The option that a line sets; None if it is no such line."""
    if _NOT_PRINTABLE.search(line) or not _PLAIN_LINE.match(line):
        return None
    name, _equals, value = line.decode("ascii").partition("=")
    return name, value


def _is_comment(line: bytes) -> bool:
    return not _NOT_PRINTABLE.search(line) and (line.startswith(b"#") or not line.strip(b" "))


@dataclass(frozen=True)
class Vmlinux:
    """A kernel with its symbols. `identity` is its build-id, or its SHA-256 if it has none.

    `is_debug_only` is whether its code is in another file, as that of packages that split it (objcopy
    --only-keep-debug): such a file does not tell its release.
    """

    path: str
    release: str | None
    identity: str
    build_id: str | None
    compiler: str | None
    has_debug_info: bool
    is_debug_only: bool = False


def read_vmlinux(path: str) -> Vmlinux | None:
    """Read a vmlinux; None if there is no ELF file. Raises ImportError where pyelftools is not installed."""
    # Imported here, so that a task that builds nothing does not wait for pyelftools.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import DAMAGE, ElfObject

    try:
        with open_regular(path) as stream:
            elf = ElfObject(stream)
            build_id = elf.build_id(".notes") or elf.build_id()
            code = elf.index(".text")
            return Vmlinux(
                path=path,
                release=_release(stream),
                identity=build_id or digest(path) or "",
                build_id=build_id,
                compiler=elf.compiler(),
                has_debug_info=elf.has_section(".debug_info"),
                is_debug_only=code is not None and elf.has_no_content(code),
            )
    except DAMAGE:
        return None


def build_id_in_tree(tree: str, release: str) -> str | None:
    """The build-id of the vmlinux in a build tree, if it has one, and that is of this release."""
    path = os.path.join(tree, "vmlinux")
    vmlinux = read_vmlinux(path) if os.path.isfile(path) else None
    return vmlinux.build_id if vmlinux and vmlinux.release == release else None


def _release(stream: t.BinaryIO) -> str | None:
    """The third word of the banner. Its first words occur elsewhere too, so a digit must follow them."""
    with contextlib.closing(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)) as content:
        at = content.find(_BANNER)
        while at != -1:
            words: list[bytes] = bytes(content[at : at + 200]).split(b" ", 3)
            if len(words) > 3 and words[2][:1].isdigit():
                return clean(words[2].decode("ascii", "replace"))
            at = content.find(_BANNER, at + 1)
    return None


def source_version(tree: str) -> str | None:
    """VERSION.PATCHLEVEL.SUBLEVEL of a source tree, with EXTRAVERSION; None if it is not a kernel's."""
    makefile = read_text(os.path.join(tree, "Makefile"))
    if makefile is None:
        return None
    values = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*) *$", makefile, re.M))
    if not values.get("VERSION") or not values.get("PATCHLEVEL"):
        return None
    numbers = [values[name] for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL") if values.get(name)]
    return ".".join(numbers) + str(values.get("EXTRAVERSION", ""))
