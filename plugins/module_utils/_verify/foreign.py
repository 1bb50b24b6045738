# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Looks, before a patch is enabled, whether another tool has written a jump into one of its functions.

A tool without ftrace, such as another live patcher or a root kit, is in no list of the kernel's. Its jump and that of a
stop_machine kernel would overwrite each other.
"""

from __future__ import annotations

import bisect
import os
import re
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.jumps import (
    NOT_LOOKED_FOR,
    ForeignJump,
    Jumps,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import (
    KALLSYMS,
    Symbols,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.jump import LENGTHS
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.text import KCORE, CannotTell, entry_of

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Snapshot
    from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

FURTHEST = 1 << 20
"""No function is longer than so many bytes: what is further behind the last symbol is of nobody known."""


def with_jumps(circumstances: Circumstances, files: Files) -> Circumstances:
    """The circumstances with what another tool has written into the functions that the steps enable."""
    symbols, functions = circumstances.conditions.symbols, circumstances.coming_up
    return replace(circumstances, jumps=find_jumps(files, circumstances.snapshot, symbols, functions))


def find_jumps(files: Files, host: Snapshot, symbols: Symbols | None, functions: t.Sequence[Function]) -> Jumps:
    """What another tool has written at the entries of these functions of a stop_machine kernel."""
    looked_for = [function for function in functions if host.has_object(function.object)]
    is_possible = not abi_of(host).redirects_by_ftrace and host.machine in LENGTHS
    if not (looked_for and is_possible and symbols and os.path.exists(files.path(KCORE))):
        return NOT_LOOKED_FOR
    targets: list[tuple[Function, int]] = []
    unknown: list[str] = []
    try:
        with open(files.path(KCORE), "rb", buffering=0) as core:
            for function in looked_for:
                try:
                    target = entry_of(core, host.machine, symbols, function).target
                except CannotTell as reason:
                    unknown.append(str(reason))
                else:
                    targets += [] if target is None else [(function, target)]
    except OSError as error:
        unknown.append(f"{KCORE} cannot be read ({error.strerror})")
    # The symbols are many, and few functions begin with a jump.
    kallsyms = known(files.bytes(KALLSYMS)) if targets else None
    owners = _owners(kallsyms or b"", [target for _function, target in targets])
    enabled = {patch.name for patch in host.patches if patch.enabled}
    return Jumps(
        tuple(
            ForeignJump(function, target, owners[target])
            for function, target in targets
            if owners[target] not in enabled and not _is_natural(function, owners[target])
        ),
        "; ".join(dict.fromkeys(unknown)),
    )


def _is_natural(function: Function, owner: str | None) -> bool:
    """Whether compilers or the kernel make such a jump: a call at the end of a function that does nothing else.

    Other users of entries have names that no module can have, such as `__builtin__kprobes` and `bpf`.
    """
    return owner in (function.object, "vmlinux", "bpf") or bool(owner and owner.startswith("__builtin__"))


def _owners(kallsyms: bytes, addresses: t.Collection[int]) -> dict[int, str | None]:
    """Address -> the object whose code it is: `vmlinux`, a module, or None."""
    owners: dict[int, bytes] = {}
    for digits, owner in re.findall(rb"^([0-9a-f]{16}) . \S+(?:\t\[(\S+)\])?$", kallsyms, re.M):
        owners.setdefault(int(digits, 16), owner)
    symbols = sorted(owners)
    found: dict[int, str | None] = {}
    for address in addresses:
        behind = bisect.bisect_right(symbols, address)
        is_near = behind > 0 and address - symbols[behind - 1] < FURTHEST
        found[address] = (owners[symbols[behind - 1]].decode("utf-8", "replace") or "vmlinux") if is_near else None
    return found
