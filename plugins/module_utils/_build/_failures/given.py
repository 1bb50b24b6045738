# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Causes that lie in what the build was given: the source, its configuration and its certificates, or the tree."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.row import SUMMARY, Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import Stage

_UNDEFINED = r"(?m)^ERROR: .*undefined!"

ROWS = (
    Row(
        reason="certificates",
        has="No rule to make target",
        line=r"No rule to make target '(?P<file>[^']+)', needed by '(?P<for>certs/[^']+)'",
        cause="The configuration builds the certificates of {file} into the kernel (CONFIG_SYSTEM_TRUSTED_KEYS, "
        "CONFIG_SYSTEM_REVOCATION_KEYS or CONFIG_MODULE_SIG_KEY), and the source has no such file.",
        remedy='Give a copy of the configuration with these options set to "" (config); no function depends on them.',
    ),
    Row(
        reason="certificates",
        has="[certs/",
        line=r"\*\*\* \[(?:[^]]*: )?(?P<file>certs/(?:signing_key|x509|extract|blacklist|revocation)[^]:]*)\] Error",
        cause="The certificates that the configuration builds into the kernel cannot be made ({file}).",
        remedy="Give a copy of the configuration with CONFIG_SYSTEM_TRUSTED_KEYS, CONFIG_SYSTEM_REVOCATION_KEYS and "
        'CONFIG_MODULE_SIG_KEY set to "" (config); no function depends on them.',
        rank=SUMMARY,
    ),
    Row(
        reason="certificates",
        has="extract-cert:",
        line=r"extract-cert: (?P<file>[^:]+): ",
        cause="The certificate {file} that the configuration builds into the kernel cannot be read.",
        remedy="Give a copy of the configuration with CONFIG_SYSTEM_TRUSTED_KEYS, CONFIG_SYSTEM_REVOCATION_KEYS and "
        'CONFIG_MODULE_SIG_KEY set to "" (config); no function depends on them.',
    ),
    Row(
        reason="no_build_tree",
        has="Kernel configuration is invalid",
        line=r"Kernel configuration is invalid",
        cause="The kernel's tree is configured but not prepared: include/generated/autoconf.h is missing.",
        remedy="Run make olddefconfig and make modules_prepare in it, or install the development package.",
    ),
    Row(
        reason="config_incomplete",
        has="Console input/output is redirected",
        line=r"Console input/output is redirected",
        cause="The configuration does not answer all options that this source has.",
        remedy="Give the configuration of exactly this source (config), or run make olddefconfig on it first.",
    ),
    Row(
        reason="config_incomplete",
        has=".config mismatch",
        line=r"error: klp-build: \.config mismatch",
        cause="The configuration does not answer all options that this source has.",
        remedy="Give the configuration of exactly this source (config), or run make olddefconfig on it first.",
    ),
    Row(
        reason="config_incomplete",
        has="onfiguration file",
        line=r"\*\*\* Configuration file \"?(?P<file>[^\"\s]+)\"? not found",
        cause="The kernel's tree has no configuration ({file}).",
        remedy="Give it with config.",
    ),
    Row(
        reason="incomplete_source",
        has="No rule to make target",
        line=r"No rule to make target '(?P<file>[^']+)', needed by '(?P<for>[^']+)'",
        cause="The source lacks {file}, which {for} needs.",
        remedy="Give the whole source that the kernel was built from; for a development package, install it anew.",
    ),
    Row(
        reason="incomplete_source",
        has="akefile:",
        line=r"akefile:\d+: (?P<file>\S+): No such file or directory",
        cause="The kernel's tree lacks {file}, which its makefiles include.",
        remedy="Install the development package anew, with that of its common files, or give the whole source.",
        then=r"\*\*\* No rule to make target",
    ),
    Row(
        reason="no_target",
        has="No rule to make target",
        line=r"No rule to make target '(?P<target>[^']+)'\.  Stop",
        cause="The kernel's makefiles do not know the target {target}.",
        remedy="Correct targets, or give the whole source that the kernel was built from.",
    ),
    Row(
        reason="no_symvers",
        has=" is missing.",
        # The first form is that of kernels before 6.0.
        line=r'WARNING: (?:Symbol version dump ")?(?P<file>[^"\s]*Module\.symvers)"? is missing\.',
        cause="The kernel's tree has no {file}, so no symbol of the kernel is known.",
        remedy="Use a tree in which the kernel was built, or install the development package.",
        then=_UNDEFINED,
    ),
    Row(
        reason="no_symvers",
        has=" is missing.",
        line=r'WARNING: (?:Symbol version dump ")?(?P<file>vmlinux\.(?:o|symvers))"? is missing\.',
        cause="The kernel's tree has no {file}, so its modules know no symbol of the kernel.",
        remedy="Name vmlinux in targets before the module, or leave targets out.",
        then=_UNDEFINED,
    ),
    Row(
        reason="no_symvers",
        has="malformed Module.symvers",
        line=r"error: objtool: malformed Module\.symvers.* at line (?P<number>\d+)",
        cause="Line {number} of Module.symvers in the tree is damaged.",
        remedy="Remove the tree from cache_dir, then run the task again.",
    ),
    Row(
        reason="no_symvers",
        has="Module.symvers",
        line=r"Module\.symvers: invalid format|ERROR: Malformed \S*Module\.symvers file",
        cause="Module.symvers in the tree is damaged.",
        remedy="Remove the tree from cache_dir, then run the task again.",
    ),
    Row(
        reason="no_symvers",
        has="truncated ",
        line=r"ERROR: truncated (?P<file>\S*Module\.symvers) file",
        cause="{file} has no symbol of vmlinux.",
        remedy="Name vmlinux and modules in targets, or leave targets out.",
    ),
    Row(
        reason="original_does_not_build",
        has="error: objtool:",
        line=r"(?P<what>\S+: error: objtool: .+)",
        cause="objtool refuses what the compiler made of the kernel's own source: {what}.",
        remedy="Install the compiler and binutils that the kernel was built with.",
        stages=(Stage.ORIGINAL,),
    ),
)
