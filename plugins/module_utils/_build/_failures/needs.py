# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Causes that the build host has to remedy by something that it lacks: a program, a header, a library, the compiler."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.row import SUMMARY, Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import Stage

PACKAGES: t.Mapping[str, str] = {
    "openssl/": "libssl-dev, openssl-devel or libopenssl-devel",
    "libelf.h": "libelf-dev, elfutils-libelf-devel or libelf-devel",
    "gelf.h": "libelf-dev, elfutils-libelf-devel or libelf-devel",
    "elfutils/": "libdw-dev, elfutils-devel or libdw-devel",
    "dwarf.h": "libdw-dev, elfutils-devel or libdw-devel",
    "zlib.h": "zlib1g-dev or zlib-devel",
    "zstd.h": "libzstd-dev or libzstd-devel",
    "lzma.h": "liblzma-dev or xz-devel",
    "xxhash.h": "libxxhash-dev, xxhash-devel or libxxhash-devel",
    "gmp.h": "libgmp-dev or gmp-devel",
    "mpc.h": "libmpc-dev, libmpc-devel or mpc-devel",
    "mpfr.h": "libmpfr-dev or mpfr-devel",
    "gcc-plugin.h": "gcc-N-plugin-dev or gcc-plugin-devel",
    "ncurses": "libncurses-dev or ncurses-devel",
    "yaml.h": "libyaml-dev or libyaml-devel",
    "stdio.h": "libc6-dev or glibc-devel",
    "stdlib.h": "libc6-dev or glibc-devel",
    "sys/types.h": "libc6-dev or glibc-devel",
}
"""The beginning of a header that programs of the build host include -> the packages that have it, by distribution."""

_HEADERS = "|".join(header.replace(".", r"\.") for header in PACKAGES)

_FOLDERS = r"scripts/(?:basic|genksyms|kconfig|mod)|tools/(?:arch|bpf|build|include|lib|objtool)"

_OF_THE_TREE = rf"(?:(?:\.\.?/)?(?:scripts|tools|usr|certs|arch/\w+/tools)/|/(?:[^:\s]*/)?(?:{_FOLDERS})/)"
"""Where a kernel's tree has the programs that build it, from within the tree, and by whole paths.

Folders of other sources have such names too, as below /usr.
"""

_CALLED_BY = r"(?:\bmake(?:\[\d+\])?|\bsh(?:: line \d+)?): "
"""Who says that it cannot start a program: make itself, or bash as the shell."""

_PAHOLE = (
    "Install the pahole (package dwarves) that the kernel was built with, or give a copy of the configuration without "
    "CONFIG_DEBUG_INFO_BTF (config)."
)

_BEFORE_THE_PATCH = (Stage.UNKNOWN, Stage.TESTING, Stage.READING, Stage.ORIGINAL)

_NOT_PREPARED = (
    "Use a tree that was prepared on the build host: run make modules_prepare in it, or install the development "
    "package anew."
)

ROWS = (
    Row(
        reason="no_build_tree",
        has="not found",
        line=rf"(?:\A|[: ])(?P<program>{_OF_THE_TREE}[\w./+-]+): (?:cannot execute: required file )?not found\Z",
        cause="The program {program} of the kernel's tree is missing, or was made for another system.",
        remedy=_NOT_PREPARED,
        then=r"\*\*\* \[.*Error 127",
    ),
    Row(
        reason="no_build_tree",
        has="No such file or directory",
        line=rf"{_CALLED_BY}(?P<program>{_OF_THE_TREE}[\w./+-]+): No such file or directory\Z",
        cause="The program {program} of the kernel's tree is missing, or was made for another system.",
        remedy=_NOT_PREPARED,
        then=r"\*\*\* \[.*Error 127",
    ),
    Row(
        reason="missing_program",
        has="not found",
        line=r"(?:\A|[: ])(?P<program>[\w./+-]+): (?:command )?not found\Z",
        cause="The program {program} is not installed.",
        remedy="Install {program} on the build host.",
        then=r"\*\*\* \[.*Error 127|failed: error 127|: can't find special struct",
    ),
    Row(
        reason="missing_program",
        has="No such file or directory",
        line=rf"{_CALLED_BY}(?P<program>[\w./+-]+): No such file or directory\Z",
        cause="The program {program} is not installed.",
        remedy="Install {program} on the build host.",
        then=r"\*\*\* \[.*Error 127",
    ),
    Row(
        reason="missing_program",
        has="No such file or directory",
        line=r"\benv: ['`\u2018]?(?P<program>[\w.+-]+)['\u2019]?: No such file or directory",
        cause="The program {program} is not installed.",
        remedy="Install {program} on the build host.",
    ),
    Row(
        reason="missing_program",
        has="cannot execute",
        line=r"cannot execute ['`]?(?P<program>cc1plus|cc1|as|ld|collect2)",
        cause="The compiler is not complete: {program} is not installed.",
        remedy="Install the whole compiler (the packages gcc and binutils; g++ for cc1plus) on the build host.",
    ),
    Row(
        reason="missing_program",
        has=" not installed",
        line=r"\AERROR: (?P<program>gawk|yumdownloader[^.]*?) not installed",
        cause="The program {program} is not installed.",
        remedy="Install {program} on the build host.",
    ),
    Row(
        reason="missing_program",
        has="not found (install",
        line=r"error: klp-build: (?P<program>\S+) not found \(install (?P<package>[\w.+-]+)\)",
        cause="The program {program} is not installed.",
        remedy="Install the package {package} on the build host.",
    ),
    Row(
        reason="missing_program",
        has="Error 127",
        line=r"\*\*\* \[(?:[^]]*: )?(?P<target>[^]:]+)\] Error 127",
        cause="A program that makes {target} is not installed.",
        remedy="Run the command of the log that makes it, and install the program that is missing.",
        rank=SUMMARY,
    ),
    Row(
        reason="missing_header",
        has="objtool not built with KLP support",
        line=r"objtool not built with KLP support|error: objtool: klp not implemented",
        cause="The kernel's objtool was built without the library xxhash, so it cannot compare objects.",
        remedy="Install xxhash 0.8 or later with its headers (libxxhash-dev, xxhash-devel), and remove the tree from "
        "cache_dir.",
    ),
    Row(
        reason="missing_header",
        has=" fatal error: ",
        line=rf"\A(?P<file>[^\s:][^:]*):\d+:(?:\d+:)? fatal error: '?(?P<header>(?:{_HEADERS})[\w./-]*)'?"
        r"(?: file not found|: No such file or directory)",
        cause="The header {header}, which {file} includes, is not installed.",
        remedy="Install the package that has it on the build host ({package}).",
        stages=_BEFORE_THE_PATCH,
    ),
    Row(
        reason="missing_header",
        has=" fatal error: ",
        line=rf"\A(?P<file>{_OF_THE_TREE}[^:]*):\d+:(?:\d+:)? fatal error: "
        r"'?(?P<header>[\w./-]+)'?(?: file not found|: No such file or directory)",
        cause="The header {header}, which {file} includes, is not installed.",
        remedy="Install the package that has it on the build host ({package}).",
        stages=_BEFORE_THE_PATCH,
    ),
    Row(
        reason="missing_header",
        has="libelf",
        line=r"(?:please )?install (?:libelf-dev|libelf-devel|elfutils-libelf-devel)",
        cause="The headers of libelf are not installed, and the kernel's objtool needs them.",
        remedy="Install the package that has them on the build host (libelf-dev, elfutils-libelf-devel or "
        "libelf-devel).",
    ),
    Row(
        reason="missing_library",
        has="cannot find -l",
        line=r"cannot find -l(?P<library>[\w+.-]+)",
        cause="The library {library} is not installed, or not for the linker.",
        remedy="Install its development package on the build host.",
    ),
    Row(
        reason="missing_library",
        has="error while loading shared libraries",
        line=r"(?P<program>[\w./+-]+): error while loading shared libraries: (?P<library>[\w.+-]+)",
        cause="{program} cannot run: the library {library} is not installed.",
        remedy="Install the package that has {library} on the build host.",
    ),
    Row(
        reason="missing_python_module",
        has="No module named",
        line=r"(?:ModuleNotFoundError|ImportError): No module named '?(?P<module>[\w.]+)'?",
        cause="A script of the build needs the Python module {module}.",
        remedy="Install it on the build host.",
    ),
    Row(
        reason="btf",
        has="BTF",
        line=r"BTF: .*: pahole (?:\([^)]*\) )?is not available|Failed to generate BTF for (?P<file>\S+)",
        cause="The configuration has CONFIG_DEBUG_INFO_BTF, and pahole cannot make the type information.",
        remedy="Install pahole (package dwarves) of the kernel's time on the build host, or give a copy of the "
        "configuration without CONFIG_DEBUG_INFO_BTF (config).",
    ),
    Row(
        reason="btf",
        has="load BTF from ",
        line=r"FAILED:? load BTF from \S+: (?P<why>.+)",
        cause="The type information (BTF) that pahole made of vmlinux cannot be used ({why}).",
        remedy=_PAHOLE,
    ),
    Row(
        reason="btf",
        has="Failed to encode BTF",
        line=r"Failed to encode BTF",
        cause="pahole cannot make the type information (BTF) of the kernel.",
        remedy=_PAHOLE,
    ),
    Row(
        reason="btf",
        has="FAILED unresolved symbol",
        line=r"FAILED unresolved symbol (?P<symbol>\S+)",
        cause="The type information (BTF) that pahole made of vmlinux lacks {symbol}.",
        remedy=_PAHOLE,
    ),
    Row(
        reason="btf",
        has="Segmentation fault",
        line=r"\bline \d+: +\d+ Segmentation fault .*\bpahole\b",
        cause="pahole crashed while it made the type information (BTF) of the kernel.",
        remedy=_PAHOLE,
    ),
    Row(
        reason="btf",
        has="pahole",
        line=r"\Apahole: (?P<why>.+)",
        cause="pahole cannot make the type information of the kernel ({why}).",
        remedy=_PAHOLE,
        then=r"\*\*\* \[.*Error",
    ),
    Row(
        reason="compiler_unfit",
        has="unrecognized ",
        line=r"\A(?P<program>[\w+./-]+): (?:fatal )?error: unrecognized (?:command[- ]line option|argument)s? "
        r"(?:in option )?['\"]?(?P<option>[^\s'\"]+)",
        cause="The compiler {program} does not know {option}, which this kernel or configuration needs.",
        remedy="Install the compiler that the kernel was built with.",
    ),
    Row(
        reason="compiler_unfit",
        has="unknown argument",
        line=r"\A(?P<program>[\w+./-]+): (?:fatal )?error: unknown argument:? '(?P<option>[^']+)'",
        cause="The compiler {program} does not know {option}, which this kernel or configuration needs.",
        remedy="Install the compiler that the kernel was built with.",
    ),
    Row(
        reason="compiler_unfit",
        has="too old",
        line=r"\*\*\* (?P<program>[\w .+-]+?) is too old",
        cause="{program} of the build host is too old for this kernel.",
        remedy="Install the compiler and binutils that the kernel was built with.",
    ),
    Row(
        reason="compiler_unfit",
        has="gcc/plugin versions",
        line=r"incompatible gcc/plugin versions",
        cause="The compiler's plugins in the tree are for another compiler.",
        remedy="Install the compiler that the kernel was built with, and its plugin headers.",
    ),
    Row(
        reason="compiler_unfit",
        has="cannot load plugin",
        line=r"cannot load plugin (?P<plugin>\S+)",
        cause="The compiler cannot use its plugin {plugin} in the tree, which may be for another compiler.",
        remedy="Install the compiler that the kernel was built with, and its plugin headers.",
    ),
    Row(
        reason="compiler_crashed",
        has="internal compiler error",
        line=r"\A(?P<where>.*?)(?:: )?internal compiler error: (?P<why>.+)",
        cause="The compiler crashed: {where}: {why}.",
        remedy="Run the task again; if it crashes at the same place, use another build of that compiler.",
    ),
)
