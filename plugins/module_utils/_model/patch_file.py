# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""A patch file (one live patch module on disk), as it was read, and the names that modules have."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import asdict, dataclass, field
from dataclasses import replace as with_changes

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.parameters import Parameter
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, Identity

MODULE_NAME_MAX = 55
"""MODULE_NAME_LEN is 64 - sizeof(unsigned long) including the closing zero (include/linux/moduleparam.h)."""


KPATCH = "kpatch"

KPATCH_OPENEULER = "kpatch-openeuler"

KLP_BUILD = "klp-build"

HAND_WRITTEN = "hand-written"
"""Who made a file: kpatch-build of upstream, that of openEuler's packages, the kernel's own klp-build, or an author who
filled `klp_patch`."""


@dataclass(frozen=True)
class Signature:
    """The signature at the end of a module. It is not verified.

    `signer` is the common name of the certificate's issuer, `key_id` its serial number or the identifier of its key in
    hex; each is None where the signature does not tell. An unreadable one tells nothing.
    """

    signer: str | None = None
    hash: str | None = None
    key_id: str | None = None
    readable: bool = True


def release_in(vermagic: str) -> str:
    """The kernel release that a module was built for: the first word of its vermagic."""
    return vermagic.split(" ", 1)[0]


@dataclass(frozen=True)
class TargetBuild:
    """The build of a module for which a patch was made."""

    name: str
    vermagic: str
    build_id: str | None = None
    srcversion: str | None = None

    @property
    def release(self) -> str:
        return release_in(self.vermagic)

    @property
    def identity(self) -> Identity:
        return Identity(build_id=self.build_id, srcversion=self.srcversion)


@dataclass(frozen=True)
class SystemState:
    """A state of the system that a patch changes, and that later patches have to know (include/linux/livepatch.h).

    A later patch of per_task kernels must know it in the same version or a higher one, and may lack it only if it does
    not replace the earlier one (kernel/livepatch/state.c).
    """

    id: int
    version: int


@dataclass(frozen=True)
class PatchFile:
    """What a patch file says of itself.

    `name` is the module's name, `abi` what it was built for: `stop_machine` if it calls klp_register_patch,
    else `per_task`. `functions` and `replace` are `None` where the file does not show them: modules of kpatch-build and
    klp-build set `replace` at run time only, and a hand-written one may build its structures at run time.
    `objects` are the names of what it patches, or has callbacks for, in the file's order, and `states` the system
    states that it changes; both are `None` where the file does not show them, or the record is of version 1.0.
    `unnumbered` are the functions whose position the file does not give, so that their names must be unique.
    `source_patches` are the digests of the source patches that livepatch_build made it from, where its manifest
    is at hand. `kernel_build_id` is the build-id of the kernel that it was built for, from the same manifest, and
    `made_for` the builds of out-of-tree modules that it patches.
    `enables_itself` says that loading the module also enables the patch, as on all per_task kernels. `long_symbols`
    says that it has symbols of a form that only new kernels of openEuler know.
    `sequence` are the numbers of a cumulative patch of the vendor's, which grow with each; None of any other.
    `fix` is what it fixes, as its manifest or a task says; None where neither does.
    `parameters` are those that the module has. `loaded_with` is the text of those that it is loaded with, or was (see
    `_model.parameters`); None where nothing says it. Two files that differ in that alone are equal: the bytes are.
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
    unnumbered: frozenset[Function] = frozenset()
    replace: bool | None = None
    signature: Signature | None = None
    source_patches: tuple[str, ...] = ()
    kernel_build_id: str | None = None
    made_for: tuple[TargetBuild, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    loaded_with: str | None = field(default=None, compare=False)
    objects: tuple[str, ...] | None = None
    states: tuple[SystemState, ...] | None = None
    enables_itself: bool = False
    long_symbols: bool = False
    sequence: tuple[int, ...] | None = field(default=None, compare=False)
    fix: Fix | None = field(default=None, compare=False)

    @property
    def targets(self) -> tuple[str, ...]:
        """The modules that it patches, or has callbacks for, as far as the file shows them."""
        shown = [entry.object for entry in self.functions or ()] if self.objects is None else self.objects
        return tuple(name for name in dict.fromkeys(shown) if name != "vmlinux")

    @property
    def release(self) -> str:
        """The kernel release that the file was built for."""
        return release_in(self.vermagic)

    @property
    def kernel(self) -> KernelId:
        """The kernel that the file was built for."""
        return KernelId(self.release, self.kernel_build_id)

    @property
    def identity(self) -> Identity:
        return Identity(self.build_id, self.srcversion, self.sha256, self.loaded_with)

    def loaded_as(self, copy: PatchFile | None) -> PatchFile:
        """The file with what it is loaded with and what it fixes: where nothing says it, as another file of the same
        build."""
        is_same = copy is not None and copy.identity.compare_builds(self.identity) == "same"
        same = copy if is_same else None
        loaded_with = (same.loaded_with if same else None) if self.loaded_with is None else self.loaded_with
        return with_changes(self, loaded_with=loaded_with or "", fix=self.fix or (same.fix if same else None))

    def to_dict(self) -> dict[str, t.Any]:
        """Plain types only, for results and for the way from the controller to the host.

        Each function has `numbered` there: whether the file gives its position, or 1 stands for a unique name.
        `loaded_with` and `sequence` are there if they are known.
        """
        values = asdict(with_changes(self, functions=None, unnumbered=frozenset()))
        del values["unnumbered"]
        if self.loaded_with is None:
            del values["loaded_with"]
        if self.sequence is None:
            del values["sequence"]
        values["fix"] = self.fix.to_dict() if self.fix else None
        if self.functions is not None:
            values["functions"] = [
                dict(asdict(function), numbered=function not in self.unnumbered) for function in self.functions
            ]
        return values

    @classmethod
    def from_dict(cls, data: t.Mapping[str, t.Any]) -> PatchFile:
        """The inverse of to_dict(). Raises TypeError, KeyError or ValueError on anything else."""
        values = dict(data)
        functions, signature = values.pop("functions"), values.pop("signature")
        # Records of version 1.0 lack what has a default here.
        objects, states = values.pop("objects", None), values.pop("states", None)
        sequence, fix = values.pop("sequence", None), values.pop("fix", None)
        return cls(
            depends=tuple(values.pop("depends")),
            functions=None if functions is None else tuple(sorted(map(_function, functions))),
            unnumbered=frozenset(_function(entry) for entry in functions or () if not entry["numbered"]),
            signature=None if signature is None else Signature(**signature),
            source_patches=tuple(values.pop("source_patches")),
            objects=None if objects is None else tuple(objects),
            states=None if states is None else tuple(SystemState(**state) for state in states),
            made_for=tuple(TargetBuild(**target) for target in values.pop("made_for", ())),
            sequence=None if sequence is None else tuple(map(int, sequence)),
            fix=None if fix is None else Fix.from_dict(fix),
            parameters=tuple(Parameter(**parameter) for parameter in values.pop("parameters", ())),
            **values,
        )


def _function(data: t.Mapping[str, t.Any]) -> Function:
    return Function(object=data["object"], name=data["name"], sympos=data["sympos"])


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
