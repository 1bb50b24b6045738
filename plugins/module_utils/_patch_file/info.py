# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Everything that a patch file says of itself, in plain types."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import (
    DAMAGE,
    ElfModule,
    HandWritten,
    KlpObject,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import damaged, read_patch_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import read_signature

Plain = t.Dict[str, t.Any]

_CALLBACKS = ("pre_patch", "post_patch", "pre_unpatch", "post_unpatch")

KPATCH_ENTRY_SIZES = {56: "kpatch", 72: "kpatch of openEuler"}
"""The size of an entry of .kpatch.funcs tells the two kpatch-builds apart (kpatch: kmod/patch/kpatch-patch.h)."""


def read_file_info(path: str, known_as: str | None = None) -> Plain:
    """Read a patch file. Raises PatchFileError; ImportError where pyelftools is not installed."""
    patch_file = read_patch_file(path, known_as)
    try:
        with open(path, "rb") as stream:
            return _describe(patch_file, stream, ElfModule(stream))
    except DAMAGE as error:
        raise damaged(patch_file.path, error) from error


def _describe(patch_file: PatchFile, stream: t.BinaryIO, elf: ElfModule) -> Plain:
    signature = read_signature(stream)
    details = (
        _details_of_kpatch(elf) if patch_file.builder == "kpatch" else _details(elf.hand_written(), patch_file.abi)
    )
    return dict(
        patch_file.to_dict(),
        signature=asdict(signature) if signature else None,
        relocations=[dict(symbol._asdict()) for symbol in elf.relocated_symbols()],
        modinfo=elf.modinfo(),
        **details,
    )


def _details_of_kpatch(elf: ElfModule) -> Plain:
    forced = set(elf.pointers(".kpatch.force"))
    entries = elf.kpatch_entries()
    functions = [
        dict(
            asdict(entry.replaced.function),
            force=int(entry.code in forced),
            old_size=entry.old_size,
            new_size=entry.new_size,
        )
        for entry in entries
    ]
    size = elf.section_size(".kpatch.funcs") // len(entries) if entries else 0
    callbacks = [name for name in _CALLBACKS if elf.pointers(f".kpatch.callbacks.{name}")]
    return {
        "builder": KPATCH_ENTRY_SIZES.get(size, "kpatch"),
        "functions": functions,
        "callbacks": callbacks,
        "hooks": [],
    }


def _details(structures: HandWritten, abi: str) -> Plain:
    objects = structures.objects()
    functions = [
        dict(
            asdict(entry.replaced.function),
            force=entry.force if abi == STOP_MACHINE else 0,
            old_size=None,
            new_size=entry.new_size,
        )
        for klp_object in objects
        for entry in klp_object.functions
    ]
    return {
        "builder": "hand-written",
        "functions": functions or None,
        "callbacks": _callbacks(objects, abi),
        "hooks": _hooks(objects) if abi == STOP_MACHINE else [],
    }


def _callbacks(objects: t.Sequence[KlpObject], abi: str) -> list[str]:
    """Mainline's four callbacks; openEuler has two pointers to hooks before them (include/linux/livepatch.h)."""
    start = 32 if abi == STOP_MACHINE else 16
    return [
        name
        for number, name in enumerate(_CALLBACKS)
        if any(start + 8 * number in klp_object.pointers for klp_object in objects)
    ]


def _hooks(objects: t.Sequence[KlpObject]) -> list[str]:
    return [name for at, name in ((16, "load"), (24, "unload")) if any(at in item.pointers for item in objects)]
