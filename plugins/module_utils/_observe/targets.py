# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads which builds the modules are that patches change: a name may stand for several."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import MODULES, read_build_id

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

OUT_OF_TREE, UNSIGNED = "O", "E"
"""Taints of a module in /proc/modules (Documentation/admin-guide/tainted-kernels.rst)."""

_ADDED = ("extra/", "updates/", "weak-updates/")
"""Where packages put modules that do not come with the kernel, below /lib/modules/RELEASE (depmod.d(5))."""


@dataclass(frozen=True)
class LoadedTarget:
    """A loaded module. `is_unsigned` says that its signature lacks where other modules have one."""

    identity: Identity
    is_out_of_tree: bool = False
    is_unsigned: bool = False


def read_targets(files: Files, names: t.Collection[str]) -> dict[str, LoadedTarget]:
    """Those of the modules that are loaded."""
    rows = [line.split() for line in lines_of(known_or(files.text(MODULES), "")) if line.strip()]
    taints = {fields[0]: fields[-1] if fields[-1].startswith("(") else "" for fields in rows}
    # A kernel whose modules nobody signs marks all of them.
    signs = any(UNSIGNED not in taint for taint in taints.values())
    return {
        name: LoadedTarget(
            Identity(read_build_id(files, name), known(files.text(f"/sys/module/{name}/srcversion"))),
            is_out_of_tree=OUT_OF_TREE in taints[name],
            is_unsigned=signs and UNSIGNED in taints[name],
        )
        for name in names
        if name in taints
    }


def added_paths(paths: t.Iterable[str]) -> list[str]:
    """Those of the paths below /lib/modules/RELEASE of modules that did not come with the kernel."""
    return [path for path in paths if path.startswith(_ADDED)]
