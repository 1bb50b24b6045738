# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds whether code may write to a live patch by its address, as `patch->replace = true` does by a register.

What code writes by a relocation to the very field is seen by whoever reads the field.
"""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.argument import (
    ENABLING,
    MOST_CALLS,
    calls_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.argument_x86 import load_on_x86
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.place import Call, Place, places
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.uses_arm import only_passes_on_arm

_READING = ENABLING | {"klp_unregister_patch", "klp_disable_patch", "klp_get_state"}
"""What takes a patch and leaves the fields alone that its author fills (kernel/livepatch/core.c and state.c)."""


def may_be_written(elf: ElfObject, patch: Place, fields: range) -> bool:
    """Whether code does, or may do, more with the address of a patch than pass it to functions that only read it.

    `fields` are the offsets in the patch's section that must stay as they are.
    """
    calls = list(calls_of(elf, _READING))
    if len(calls) > MOST_CALLS:
        return True
    if elf.machine == "aarch64":
        return not only_passes_on_arm(elf, patch, fields, {(call.section, call.offset) for call in calls})
    return not _only_passes_on_x86(elf, patch, calls)


def _only_passes_on_x86(elf: ElfObject, patch: Place, calls: t.Iterable[Call]) -> bool:
    passed = {(call.section, load_on_x86(elf, call)) for call in calls}
    relocations = elf.relocations()
    return all(
        (section, offset) in passed
        for section in relocations.sections()
        if elf.is_code(section)
        for offset, target in relocations.each(section)
        if patch in places(elf, [target])
    )
