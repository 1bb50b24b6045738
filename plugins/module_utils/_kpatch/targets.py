# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Chooses what make builds: only some objects, if the result is the same as with the whole kernel."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import read_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_index import walk
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.work_tree import WorkTree
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.out_of_tree import DEFAULT_GOAL
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.request import Build

WHOLE = ("vmlinux", "modules")
"""kpatch-build's own targets: the whole kernel."""


def choose_targets(build: Build, tree: WorkTree, identity: str) -> tuple[str, ...]:
    """The targets of make: the user's, the whole kernel, or only the objects of the sources that the patches change.

    The last two give the same result if only these objects can change. That is so for C files of vmlinux on which no
    symbol version depends, in a tree where all else was compiled from the same source (`identity`).
    """
    if build.request.targets:
        return build.request.targets
    if build.request.oot_module:
        return (DEFAULT_GOAL,)
    if not tree.is_primed(identity):
        return WHOLE
    paths = [change.path for patch in build.patches for change in patch.changes if change.old == change.new]
    changes = sum(len(patch.changes) for patch in build.patches)
    if len(paths) != changes or not all(path.endswith(".c") for path in paths):
        return WHOLE
    if "CONFIG_MODVERSIONS" in build.config.options and any(_exports(tree, path) for path in paths):
        return WHOLE
    objects = _objects_of(tree.source, paths)
    if not objects or not tree.bring_symvers():
        return WHOLE
    return objects


def _exports(tree: WorkTree, path: str) -> bool:
    return "EXPORT_SYMBOL" in (read_text(os.path.join(tree.source, path)) or "EXPORT_SYMBOL")


def _objects_of(source: str, paths: t.Sequence[str]) -> tuple[str, ...]:
    """The objects that these sources are compiled into; none if one of them is not a part of vmlinux itself."""
    wanted = set(paths)
    bases = {os.path.basename(path).encode() for path in wanted}
    objects: list[str] = []
    seen: set[str] = set()
    for command, entry in walk(source):
        if not (entry.name.startswith(".") and entry.name.endswith(".o.cmd")):
            continue
        with open(os.path.join(source, command), "rb") as stream:
            text = stream.read()
        if not any(base in text for base in bases):
            continue
        # A source that another one includes may be written with "..".
        found = wanted.intersection(os.path.normpath(os.fsdecode(word)) for word in text.split())
        if found:
            path = os.path.join(os.path.dirname(command), entry.name[1 : -len(".cmd")])
            if b" -DMODULE " in text or path.startswith(("scripts/", "tools/")):
                return ()
            objects.append(path)
            seen.update(found)
    return tuple(sorted(objects)) if seen == wanted else ()
