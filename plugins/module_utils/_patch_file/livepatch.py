# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What is read of the live patch in an ELF file."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import SystemState, is_module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function

CALLBACKS = ("pre_patch", "post_patch", "pre_unpatch", "post_unpatch")


class Replaced(t.NamedTuple):
    """A function that is replaced.

    `numbered` says whether the file gives its position among the functions of its name. `force` is the number by which
    the patch tells stop_machine kernels to skip checks. The sizes are in bytes, None if the file does not show them.
    """

    function: Function
    numbered: bool
    force: int
    old_size: int | None
    new_size: int | None


class Livepatch(t.NamedTuple):
    """The patch in a file.

    `functions`, `objects`, `states` and `replace` are None if the file does not show them. `objects` are the names of
    those that it patches, or has callbacks for. `callbacks` names those of mainline that are set, `hooks` those of
    openEuler's kernels.
    """

    builder: str
    functions: tuple[Replaced, ...] | None
    replace: bool | None
    callbacks: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    objects: tuple[str, ...] | None = None
    states: tuple[SystemState, ...] | None = None


def replaced(
    object_name: str, name: str, sympos: int, *, force: int, old_size: int | None, new_size: int | None
) -> Replaced:
    # 0 says that the name is the only one; the kernel shows the function as the first one then.
    return Replaced(Function(object_name, name, sympos or 1), sympos > 0, force, old_size, new_size)


def is_symbol_name(name: str) -> bool:
    """Whether a function can have this name: KSYM_NAME_LEN is 512 with the closing zero (include/linux/kallsyms.h)."""
    return re.match(r"[A-Za-z_.$][\w.$]{0,510}\Z", name, re.ASCII) is not None


def is_possible(entry: Replaced) -> bool:
    """Whether a function and its object can have these names."""
    return is_symbol_name(entry.function.name) and is_module_name(entry.function.object)
