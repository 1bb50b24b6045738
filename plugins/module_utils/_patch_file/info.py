# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads everything that a patch file shows, in plain types."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.budget import OverBudget
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import DAMAGE
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.klp import livepatch_symbols
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.livepatch import Replaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.module import ElfModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import (
    damaged,
    read_patch_file,
    too_much,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular

Plain = t.Dict[str, t.Any]


def read_file_info(path: str, known_as: str | None = None) -> Plain:
    """Read a patch file. Raises PatchFileError; ImportError where pyelftools is not installed."""
    patch_file = read_patch_file(path, known_as)
    try:
        with open_regular(path) as stream:
            return _describe(patch_file, ElfModule(stream))
    except OverBudget as error:
        raise too_much(patch_file.path, error) from error
    except DAMAGE as error:
        raise damaged(patch_file.path, error) from error


def _describe(patch_file: PatchFile, elf: ElfModule) -> Plain:
    """What livepatch_module returns of a file, with more about its functions, and its other content."""
    livepatch = elf.livepatch()
    return dict(
        patch_file.to_dict(),
        functions=None if livepatch.functions is None else [_plain(entry) for entry in livepatch.functions],
        callbacks=list(livepatch.callbacks),
        hooks=list(livepatch.hooks),
        relocations=[dict(symbol._asdict()) for symbol in livepatch_symbols(elf)],
        modinfo=elf.modinfo(),
    )


def _plain(entry: Replaced) -> Plain:
    return dict(
        asdict(entry.function),
        numbered=entry.numbered,
        force=entry.force,
        old_size=entry.old_size,
        new_size=entry.new_size,
    )
