# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads the ELF file of a kernel module."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.parameters import Parameter
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import ElfObject
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.klp import read_livepatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.livepatch import Livepatch

MOST_MODINFO = 256 * 1024
"""No live patch has more bytes of it."""


class ElfModule(ElfObject):
    """A kernel module's ELF file."""

    @property
    def abi(self) -> str:
        """The ABI that a patch is for. One for stop_machine uses klp_register_patch, which mainline lacks since 5.1."""
        return STOP_MACHINE if "klp_register_patch" in self._undefined() else PER_TASK

    @property
    def enables_itself(self) -> bool:
        """Whether loading enables the patch: for stop_machine kernels that is a second call of the module's own."""
        return self.abi == PER_TASK or "klp_enable_patch" in self._undefined()

    def _undefined(self) -> frozenset[str]:
        return frozenset(symbol.name for symbol in self.symbols() if symbol.section is None)

    def modinfo(self) -> dict[str, str]:
        return dict(self._modinfo_entries())

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the module, by their names."""
        return parameters_in(self._modinfo_entries())

    def _modinfo_entries(self) -> list[tuple[str, str]]:
        section = self.index(".modinfo")
        content = self.content(section) if section is not None else b""
        if len(content) > MOST_MODINFO:
            raise ValueError(f"{len(content)} bytes in .modinfo")
        return parse_modinfo(content)

    def livepatch(self) -> Livepatch:
        """The patch in it, with its functions in order."""
        livepatch = read_livepatch(self, self.abi)
        if livepatch.functions is None:
            return livepatch
        return livepatch._replace(functions=tuple(sorted(livepatch.functions, key=lambda entry: entry.function)))


def parse_modinfo(data: bytes) -> list[tuple[str, str]]:
    """Parse the section .modinfo: `name=value`, each ended by a zero byte. A name may come several times."""
    entries = (clean(entry).partition("=") for entry in data.decode("utf-8", "replace").split("\0"))
    return [(name, value) for name, equals, value in entries if equals]


def parameters_in(entries: t.Iterable[tuple[str, str]]) -> tuple[Parameter, ...]:
    """The parameters that entries of .modinfo tell of: `parmtype=NAME:TYPE`, and `parm=NAME:DESCRIPTION`.

    One of module_param_cb() has no type. A name or type that no C source can have is left out.
    """
    types: dict[str, str] = {}
    for key, value in entries:
        name, colon, rest = value.partition(":")
        if key in ("parm", "parmtype") and colon and re.match(r"[A-Za-z0-9_.-]{1,64}\Z", name):
            found = rest if key == "parmtype" and re.match(r"[A-Za-z0-9_ *]{1,64}\Z", rest) else ""
            types[name] = types.get(name) or found
    return tuple(Parameter(name, types[name]) for name in sorted(types))
