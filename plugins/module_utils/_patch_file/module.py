# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the ELF file of a kernel module."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.klp import read_livepatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.livepatch import Livepatch


class ElfModule(ElfObject):
    """A kernel module's ELF file."""

    @property
    def abi(self) -> str:
        """The ABI that a patch is for. One for stop_machine uses klp_register_patch, which mainline lacks since 5.1."""
        undefined = {symbol.name for symbol in self.symbols() if symbol.section is None}
        return STOP_MACHINE if "klp_register_patch" in undefined else PER_TASK

    def modinfo(self) -> dict[str, str]:
        section = self.index(".modinfo")
        return parse_modinfo(self.content(section)) if section is not None else {}

    def livepatch(self) -> Livepatch:
        """The patch in it, with its functions in order."""
        livepatch = read_livepatch(self, self.abi)
        if livepatch.functions is None:
            return livepatch
        return livepatch._replace(functions=tuple(sorted(livepatch.functions, key=lambda entry: entry.function)))


def parse_modinfo(data: bytes) -> dict[str, str]:
    """Parse the section .modinfo: `name=value`, each ended by a zero byte."""
    entries = data.decode("utf-8", "replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)
