# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads which build a module is for which a patch is made."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import TargetBuild, module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import DAMAGE
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.module import ElfModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular


def read_target(path: str) -> TargetBuild | None:
    """The build of a module file; None if that is none."""
    try:
        with open_regular(path) as stream:
            elf = ElfModule(stream)
            modinfo, build_id = elf.modinfo(), elf.build_id()
    except DAMAGE:
        return None
    if "vermagic" not in modinfo:
        return None
    name = (modinfo.get("name") or module_name(path)).replace("-", "_")
    return TargetBuild(name, modinfo["vermagic"].strip(), build_id, modinfo.get("srcversion"))
