# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Who can correct what a line tells: a line has another cause before the patch is applied than after."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures import patch
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.row import Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import Stage

ORIGINAL = Row(
    reason="original_does_not_build",
    has="",
    line="",
    cause="The kernel's own source does not build, without the patch: {decisive}.",
    remedy="Install the compiler that the kernel was built with, and give the source and the configuration of exactly "
    "this kernel.",
)

PATCHED = Row(
    reason="patched_does_not_build",
    has="",
    line="",
    cause="The source builds without the patch, and not with it: {decisive}.",
    remedy="Correct the patch: add the files that it needs, and leave Kconfig and the options of the compiler as they "
    "are.",
)

_HAD_BY_THE_ORIGINAL = ("incomplete_source", "no_target", "config_incomplete", "compiler_unfit")
"""Reasons of what the original source has not lacked, or it would not have been built."""


def blame(row: Row, stage: Stage) -> Row:
    """What a row means in a stage: no patch is to blame while the original source is built, nor that source later."""
    if stage == Stage.ORIGINAL and row in patch.ROWS:
        return ORIGINAL
    if stage == Stage.PATCHED and row.reason in _HAD_BY_THE_ORIGINAL:
        return PATCHED
    return row
