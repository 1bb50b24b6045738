# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Causes that lie between a kernel and the tool that builds for it: configuration, versions, and the tool itself."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.row import NOTE, SUMMARY, Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import Stage

PADS_SINCE = "0.9.9"
"""The first kpatch that builds for kernels with CONFIG_CALL_PADDING, and from sources of 6.3 and later."""

# Source: the messages of kpatch-build 0.9.5 to 0.9.11 and create-diff-object; of kernels from 6.2 on,
# dynup/kpatch#1321, #1360 and #1458; scripts/livepatch/klp-build and tools/objtool/klp-*.c of Linux 7.3.
ROWS = (
    Row(
        reason="tool_too_old",
        has="Usage: ",
        line=r"Usage: \S*scripts/setlocalversion\b",
        cause="This kpatch-build calls scripts/setlocalversion in a way that kernels from 6.3 on do not know.",
        remedy=f"Use kpatch {PADS_SINCE} or later.",
    ),
    Row(
        reason="tool_too_old",
        has="kpatch_bundle_symbols",
        line=r"(?P<object>[^\s:]+): kpatch_bundle_symbols: \d+: symbol (?P<symbol>\S+) at offset (?P<offset>\d+) "
        r"within section \S+, expected 0",
        cause="This kpatch-build does not know functions with instructions before their entries, such as {symbol} of "
        "{object} ({offset} bytes; the kernel has CONFIG_CALL_PADDING or the like).",
        remedy=f"Use kpatch {PADS_SINCE} or later; for arm64, 0.9.11 or later.",
    ),
    Row(
        reason="tool_too_old",
        has="unrecognized option",
        line=r"(?:kpatch-build|getopt): unrecognized option '(?P<option>[^']+)'",
        cause="The builder does not know the option {option}.",
        remedy="Use a newer one.",
    ),
    Row(
        reason="tool_not_for_kernel",
        has="livepatch-patch-hook.c",
        line=r"\A(?P<where>(?:[^:]*/)?livepatch-patch-hook\.c:\d+):(?:\d+:)? (?:fatal )?error: (?P<what>.+)",
        cause="kpatch-build's own code does not compile for this kernel: {where}: {what}.",
        remedy="Use a kpatch-build for this kernel: on openEuler that of its packages, else a newer one.",
    ),
    Row(
        reason="tool_not_for_kernel",
        has="ERROR: ",
        line=r"ERROR: (?P<object>[^\s:]+): \w+: \d+: (?P<says>BUG: \S+ has an unexpected format|bad ORC_STRUCT_SIZE|"
        r"bad \.orc_unwind size|\S+ size mismatch|[Uu]nsupported (?:target )?arch\w*)",
        cause="create-diff-object does not know what this kernel has in {object}: {says}.",
        remedy="Use a kpatch-build for this kernel: on openEuler that of its packages, else a newer one.",
    ),
    Row(
        reason="tool_crashed",
        has="SIGSEGV",
        line=r"ERROR: (?P<program>\S+) SIGSEGV",
        cause="{program} crashed.",
        remedy="Report it to the makers of kpatch.",
    ),
    Row(
        reason="tool_crashed",
        has="egmentation fault",
        line=r"line \d+: *\d+ Segmentation fault .*?(?P<program>create-[\w-]+|objtool)",
        cause="{program} crashed.",
        remedy="Report it to its makers, with the patch and the version of the kernel.",
    ),
    Row(
        reason="tool_incomplete",
        has="can't find supporting tools",
        line=r"ERROR: can't find supporting tools|error: klp-build: can't find fix-patch-lines",
        cause="The programs that the builder calls are not beside it.",
        remedy="Install the whole package, or compile the checkout of kpatch.",
    ),
    Row(
        reason="compiler_mismatch",
        has="/kernel version mismatch",
        line=r"(?:gcc|clang)/kernel version mismatch",
        more=r"\w+ version: +(?P<have>.+)\n\s*kernel version: +(?P<want>.+)",
        cause="The installed compiler ({have}) is not the one that the kernel was built with ({want}).",
        remedy="Install that compiler, or set skip_compiler_check: true if you know that both make the same code.",
    ),
    Row(
        reason="config",
        has="kernel doesn't have '",
        line=r"\AERROR: kernel doesn't have '(?P<option>\w+)' enabled",
        cause="The kernel is configured without {option}.",
        remedy="Build for a kernel that has it.",
    ),
    Row(
        reason="config",
        has="kernel option '",
        line=r"\A(?:ERROR|error: (?P<tool>klp-build)): kernel option '(?P<option>\w+)' not supported",
        cause="The kernel is configured with {option}, which the builder does not support.",
        remedy="Build for a kernel without it.",
    ),
    Row(
        reason="config",
        has="openEuler kernel doesn't have",
        line=r"openEuler kernel doesn't have '(?P<option>\w+)' enabled",
        cause="This kpatch-build patches openEuler's kernels only if they have {option}.",
        remedy="Use the kpatch-build of openEuler's own packages, and give src_dir.",
    ),
    Row(
        reason="config",
        has="not enabled",
        line=r"error: klp-build: (?P<option>CONFIG_\w+) not enabled",
        cause="The kernel is configured without {option}.",
        remedy="Build for a kernel that has it.",
    ),
    Row(
        reason="config",
        has="Module.symvers for kpatch core module",
        line=r"ERROR: unable to find Module\.symvers for kpatch core module",
        cause="The kernel is configured without CONFIG_LIVEPATCH.",
        remedy="Build for a kernel that has it.",
    ),
    Row(
        reason="config",
        has="not built with CONFIG_KLP_BUILD",
        line=r"error: objtool: (?P<object>\S+): missing (?P<section>\S+) section, kernel not built "
        r"with CONFIG_KLP_BUILD",
        cause="{object} was not built for klp-build: it has no section {section}.",
        remedy="Remove the tree from cache_dir, then run the task again; the kernel needs CONFIG_KLP_BUILD.",
    ),
    Row(
        reason="replace_not_supported",
        has="doesn't support klp replace",
        line=r"ERROR: The kernel doesn't support klp replace",
        cause="This kernel lacks replace, which came with Linux 5.1.",
        remedy="Leave replace out, and name the other patches in supersedes of livepatch_module.",
    ),
    Row(
        reason="version_mismatch",
        has="Kernel version mismatch",
        line=r"Kernel version mismatch: (?P<want>\S+) was specified but vmlinux was built for (?P<have>\S+?)\.?\Z",
        cause="The vmlinux is of kernel {have}, not of {want}.",
        remedy="Install the debuginfo package of {want}, and give its vmlinux.",
    ),
    Row(
        reason="no_debug_info",
        has="not installed",
        line=r"\AERROR: (?P<package>(?:kernel-debuginfo|linux-image)-\S+) not installed",
        cause="The kernel's debug information is not installed.",
        remedy="Install {package}, or give vmlinux.",
    ),
    Row(
        reason="no_debug_info",
        has="can't find vmlinux",
        line=r"\AERROR: can't find vmlinux",
        cause="There is no vmlinux with debug information.",
        remedy="Install the kernel's debuginfo package, or give vmlinux.",
    ),
    Row(
        reason="no_special_section",
        has="can't find special struct",
        line=r"can't find special struct (?P<struct>\w+) size",
        cause="The vmlinux does not describe the structure {struct}.",
        remedy="Give the vmlinux with full debug information; check that gawk and readelf are installed.",
    ),
    Row(
        reason="no_special_section",
        has="_STRUCT_SIZE not set",
        line=r"(?P<struct>\w+_STRUCT_SIZE) not set",
        cause="kpatch-build did not tell create-diff-object the size of a structure of this kernel ({struct}).",
        remedy="Give the configuration that the kernel was built with, and the vmlinux with full debug information, or "
        "use a newer kpatch-build.",
    ),
    Row(
        reason="vmlinux_mismatch",
        has="local symbols in",
        line=r"(?P<says>(?P<object>[^\s:]+): find_local_syms\w*: \d+: .*local symbols in .*symbol table)",
        cause="The objects that were built are not those of the vmlinux: create-diff-object says {says}.",
        remedy="Give the source, the configuration and the compiler that the vmlinux was built from. If they are "
        "the same for sure, patch a function of another file than {object}.",
    ),
    Row(
        reason="vmlinux_mismatch",
        has="not found in",
        line=r"(?P<says>(?P<object>[^\s:]+): \w+: \d+: .*not found in (?:vmlinux|\S+) symbol table)",
        cause="The objects that were built are not those of the vmlinux: create-diff-object says {says}.",
        remedy="Give the source, the configuration and the compiler that the vmlinux was built from.",
    ),
    Row(
        reason="vmlinux_mismatch",
        has="symbol",
        line=r"(?P<object>[^\s:]+): (?P<says>\w+: \d+: (?:can't find (?:local )?symbol '\S+' in symbol table|"
        r"duplicate \w+ symbol found for \S+))",
        cause="The objects that were built are not those of the vmlinux: create-diff-object says {says} of {object}.",
        remedy="Give the source, the configuration and the compiler that the vmlinux was built from.",
    ),
    Row(
        reason="vmlinux_mismatch",
        has="stale orig vmlinux",
        line=r"error: objtool: (?P<says>.*address mismatch for symbol (?P<symbol>[^\s,]+))",
        cause="The original vmlinux and its objects do not belong together: {says}.",
        remedy="Remove the tree from cache_dir, then run the task again.",
    ),
    Row(
        reason="vmlinux_mismatch",
        has="error: objtool: ",
        line=r"error: objtool: (?P<says>can't find sympos for \S+|(?:can't find symbol|no \S+ entry for symbol) \S+ in "
        r"orig vmlinux\S*)",
        cause="The original vmlinux and its objects do not belong together: {says}.",
        remedy="Remove the tree from cache_dir, then run the task again.",
    ),
    Row(
        reason="lost_ancestor",
        has="invalid ancestor",
        line=r"ERROR: (?:invalid ancestor (?P<ancestor>\S+) for (?P<object>\S+?)\.?(?:\s|\Z))",
        cause="kpatch-build does not find what {object} is linked into (invalid ancestor {ancestor}).",
        remedy="Name the targets that the patch is for in targets, such as vmlinux or the module's .ko; a file that is "
        "part of neither cannot be patched.",
    ),
    Row(
        reason="lost_ancestor",
        has="ERROR: ",
        line=r"ERROR: (?:ERROR: )?(?P<says>can't find (?:parent \S+|\.ko) for (?P<object>\S+?)|"
        r"(?:two|multiple) parent matches for (?P<other>[^\s:]+?)(?:: .+?)?)\.?(?: Check |\Z)",
        cause="kpatch-build does not find what {object}{other} is linked into ({says}).",
        remedy="Name the targets that the patch is for in targets, such as vmlinux or the module's .ko.",
    ),
    Row(
        reason="no_such_file",
        has="not found",
        line=r"\AERROR: (?P<what>patch file|source dir|config file|vmlinux file|output dir|out-of-tree module(?: "
        r"source dir)?) '(?P<path>[^']+)' not found",
        cause="The {what} {path} does not exist any more.",
        remedy="Run the task again when nothing changes the files.",
    ),
    Row(
        reason="no_such_file",
        has="doesn't exist",
        line=r"\Aerror: klp-build: (?P<path>.+) doesn't exist",
        cause="The patch {path} does not exist any more.",
        remedy="Run the task again when nothing changes the files.",
    ),
    Row(
        reason="tree_left_behind",
        has="klp-build: ",
        line=r"\Aerror: klp-build: (?P<says>-S \d requires completed \S+|--short-circuit requires preserved \S+ dir|"
        r"no file to stash: .+|please run from the kernel root directory)",
        cause="The copy of the kernel's source is not as the build before left it: {says}.",
        remedy="Remove the tree from cache_dir, then run the task again.",
    ),
    Row(
        reason="tool_crashed",
        has="error: objtool:",
        line=r"(?P<says>error: objtool: .+)",
        cause="objtool cannot compare the objects: {says}.",
        remedy="Read the log; change the patch, or report it to the makers of the kernel.",
        rank=SUMMARY,
        stages=(Stage.COMPARING, Stage.MODULE),
    ),
    Row(
        reason="tool_crashed",
        has="ERROR: ",
        # With the function that says it. What it says without one, it says of the patch.
        line=r"(?P<program>create-[\w-]+): ERROR: (?P<object>[^\s:]+): "
        r"(?P<says>\w+: \d+: (?!Found \d+ unsupported ).+?)(?:: Success)?\Z",
        cause="{program} cannot use {object}: {says}.",
        remedy="Read the log; change the patch, or report it to the makers of kpatch.",
        rank=SUMMARY,
        stages=(Stage.COMPARING, Stage.MODULE),
    ),
    Row(
        reason="missing_program",
        has="command not found",
        line=r"(?:kpatch-build|klp-build|fix-patch-lines): line \d+: (?P<program>[\w./+-]+): command not found",
        cause="The program {program} is not installed.",
        remedy="Install {program} on the build host.",
        rank=NOTE,
    ),
)
