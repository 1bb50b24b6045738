# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""A patch file (one live patch module on disk), as it was read, and the names that modules have."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Identity

MODULE_NAME_MAX = 55
"""MODULE_NAME_LEN is 64 - sizeof(unsigned long) including the closing zero (include/linux/moduleparam.h)."""


@dataclass(frozen=True)
class PatchFile:
    """What a patch file says of itself.

    `name` is the module's name, `abi` what it was built for: `stop_machine` if it calls klp_register_patch,
    else `per_task`. `functions` and `replace` are `None` where the file does not show them: modules of
    kpatch-build set `replace` at run time only, and a hand-written one may build its structures at run time.
    `unnumbered` are the functions whose author gave no position, so that their names must be unique.
    `signer` is who issued the certificate of its signature, where that tells, `key_id` the serial number of that or
    the identifier of its key. `damaged_signature` says that the file ends as a signed one, and its signature cannot be
    read. `source_patches` are the digests of the source patches that livepatch_build made it from, where its manifest
    is at hand.
    """

    path: str
    name: str
    sha256: str
    size: int
    machine: str
    vermagic: str
    abi: str
    builder: str
    build_id: str | None = None
    srcversion: str | None = None
    depends: tuple[str, ...] = ()
    functions: tuple[Function, ...] | None = None
    unnumbered: tuple[Function, ...] = ()
    replace: bool | None = None
    signed: bool = False
    signer: str | None = None
    source_patches: tuple[str, ...] = ()
    key_id: str | None = None
    damaged_signature: bool = False

    @property
    def release(self) -> str:
        """The kernel release that the file was built for: the first word of its vermagic."""
        return self.vermagic.split(" ", 1)[0]

    @property
    def identity(self) -> Identity:
        return Identity(build_id=self.build_id, srcversion=self.srcversion, sha256=self.sha256)

    def to_dict(self) -> dict[str, t.Any]:
        """Plain types only, for results and for the way from the controller to the host."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: t.Mapping[str, t.Any]) -> PatchFile:
        """The inverse of to_dict(). Raises TypeError or KeyError on anything else."""
        values = dict(data)
        functions = values.pop("functions")
        return cls(
            depends=tuple(values.pop("depends")),
            functions=None if functions is None else _functions(functions),
            unnumbered=_functions(values.pop("unnumbered")),
            source_patches=tuple(values.pop("source_patches")),
            **values,
        )


def _functions(functions: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Function, ...]:
    return tuple(Function(**function) for function in functions)


NAME_RULE = f"Use 1 to {MODULE_NAME_MAX} letters, digits, underscores and hyphens, without path and suffix."


def is_module_name(name: str) -> bool:
    """Whether a module can have this name in the kernel. Names end up in paths below /sys and /run."""
    return len(name) <= MODULE_NAME_MAX and re.match(r"[A-Za-z0-9_]+\Z", name) is not None


def module_name(file_name: str) -> str:
    """The name under which the kernel knows a module file: without `.ko`, and with `_` for `-`."""
    base = os.path.basename(file_name)
    return (base[: -len(".ko")] if base.endswith(".ko") else base).replace("-", "_")


def kernel_name(name: str) -> str:
    """The name as the kernel spells it."""
    return name.replace("-", "_")
