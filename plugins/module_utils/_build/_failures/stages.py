# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The stages of a build, as kpatch-build and klp-build announce them: what fails in one tells who can correct it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.word import Word


class Stage(Word):
    """A stage. Its value is the title that the operator reads."""

    UNKNOWN = "starting"
    TESTING = "testing the patches"
    READING = "reading the kernel's structures"
    ORIGINAL = "building the original source"
    PATCHED = "building the patched source"
    COMPARING = "extracting changed objects"
    MODULE = "building the module"
    SOURCE = "compiling the sources"


ANNOUNCED: t.Mapping[str, Stage] = {
    # kpatch-build
    "Testing patch file(s)": Stage.TESTING,
    "Reading special section data": Stage.READING,
    "Building original source": Stage.ORIGINAL,
    "Building patched source": Stage.PATCHED,
    "Extracting new and modified ELF sections": Stage.COMPARING,
    "Building patch module": Stage.MODULE,
    # klp-build
    "Validating patch(es)": Stage.TESTING,
    "Building original kernel": Stage.ORIGINAL,
    "Copying original object files": Stage.ORIGINAL,
    "Fixing patch(es)": Stage.TESTING,
    "Building patched kernel": Stage.PATCHED,
    "Copying patched object files": Stage.PATCHED,
    "Generating original checksums": Stage.COMPARING,
    "Generating patched checksums": Stage.COMPARING,
    "Diffing objects": Stage.COMPARING,
}
"""The beginning of the line that a builder prints for a stage -> the stage."""

ENDED_IN: t.Mapping[str, Stage] = {
    "error: klp-build: original kernel build failed": Stage.ORIGINAL,
    "error: klp-build: patched kernel build failed": Stage.PATCHED,
    "error: klp-build: no changes detected": Stage.COMPARING,
    "error: klp-build: objtool klp checksum failed": Stage.COMPARING,
    "error: klp-build: objtool klp diff failed": Stage.COMPARING,
    "error: klp-build: objtool klp post-link failed": Stage.MODULE,
    "ERROR: no functional changes found": Stage.COMPARING,
    "ERROR: no changed objects found": Stage.COMPARING,
    "ERROR: Undefined symbols": Stage.MODULE,
}
"""The beginning of a line by which a builder ends -> the stage in which it does: output may have lost the first."""

_ENDED_IN = re.compile(r"ERROR: \d+ error\(s\) encountered")


def announced_stage(line: str) -> Stage | None:
    """The stage that a line of a builder announces; None of any other line."""
    return next((stage for begin, stage in ANNOUNCED.items() if line.startswith(begin)), None)


def ended_in(line: str) -> Stage | None:
    """The stage in which a builder says that it ends; None of any other line."""
    if _ENDED_IN.match(line):
        return Stage.COMPARING
    return next((stage for begin, stage in ENDED_IN.items() if line.startswith(begin)), None)
