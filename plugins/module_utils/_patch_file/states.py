# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the system states of a hand-written module: the array of struct klp_state that its patch points to."""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import SystemState
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject, Target
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.place import any_of

_SIZE, _VERSION, _DATA = 24, 8, 16
"""struct klp_state: id 0, version 8, data 16 (include/linux/livepatch.h, the same from Linux 5.5 to 7.3)."""

_MOST = 1000


def read_states(
    elf: ElfObject, first: Target | None, in_code: t.Mapping[int, list[int]]
) -> tuple[SystemState, ...] | None:
    """The states from the first one up to the one whose id is 0; None where the file does not show them.

    `first` is what the patch points to, None if it points to nothing. `in_code` are the places to which code refers, by
    sections and in order.
    """
    if first is None:
        return ()
    states: list[SystemState] = []
    try:
        while first.section is not None and len(states) < _MOST:
            start = first.offset + _SIZE * len(states)
            number, version = elf.number(first.section, start), elf.number(first.section, start + _VERSION, "I")
            pointers = elf.relocations().of(first.section)
            if start < 0 or any(start + at in pointers for at in range(_DATA)):
                return None
            if any_of(in_code, first.section, start, start + _DATA):
                return None
            if number == 0:
                return tuple(states)
            states.append(SystemState(number, version))
    except (ValueError, struct.error):
        return None
    return None
