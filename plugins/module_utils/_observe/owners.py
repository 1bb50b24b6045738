# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds which live patches belong to other tools that manage them: SysCare and kpatch's boot service.

Each has its own directory of patch files. A loaded module with the name of such a file belongs to the tool.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import module_name

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

SYSCARE = "/usr/lib/syscare/patches"
"""SysCare (syscared, src/patch): one directory for each installed patch package."""

KPATCH = "/var/lib/kpatch"
"""kpatch's `kpatch install`: one directory for each kernel release, loaded at boot by kpatch.service."""


def read_owners(files: Files, release: str) -> dict[str, str]:
    """Name of a patch module -> the tool that owns it."""
    kpatch = dict.fromkeys(_modules_below(files, f"{KPATCH}/{release}"), "kpatch.service")
    return {**kpatch, **dict.fromkeys(_modules_below(files, SYSCARE), "SysCare")}


def _modules_below(files: Files, directory: str) -> t.Iterator[str]:
    for _directory, _directories, names in os.walk(files.path(directory)):
        for name in names:
            if name.endswith(".ko"):
                yield module_name(name)
