# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads a patch file (one live patch module on disk) into a `PatchFile`, without loading it."""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import replace as with_changes

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import PATCH_FILE_MAX
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import fix_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import build_id_or_none
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    PatchFile,
    TargetBuild,
    is_module_name,
    kernel_name,
    module_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import read_signature
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import digest, open_regular

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.module import ElfModule

COMPRESSED = {b"\xfd7zXZ": "xz", b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

PACKAGE = b"\xed\xab\xee\xdb"
"""How an RPM package begins."""

MAX_MANIFEST = 64 * 1024**2
"""How many bytes of a manifest are read; none of livepatch_build is longer."""


class PatchFileError(FindingError):
    """The file cannot be used as a patch file."""


def read_patch_file(path: str, known_as: str | None = None) -> PatchFile:
    """Read a patch file. `known_as` is the path that messages name, if it is another one, as for a decrypted copy.

    The manifest of livepatch_build beside the file adds what the file does not show, if its digest is the file's.
    Raises PatchFileError, and ImportError without pyelftools.
    """
    # Imported here: most runs on a host read no file, and importing pyelftools takes long.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.budget import OverBudget
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.elf import DAMAGE
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.module import ElfModule

    known_as = known_as or path
    try:
        stream = open_regular(path)
        start = stream.read(8)
    except OSError as error:
        raise PatchFileError(_not_opened(known_as, path, error)) from error
    with stream:
        _check_magic(known_as, start)
        _check_size(known_as, stream.seek(0, os.SEEK_END))
        before = digest(stream)
        try:
            patch_file = _describe(known_as, stream, ElfModule(stream))
        except OverBudget as error:
            raise too_much(known_as, error) from error
        except DAMAGE as error:
            raise damaged(known_as, error) from error
        if patch_file.sha256 != before:
            # The digest would not belong to what was read.
            raise PatchFileError(
                Finding(
                    reason="file_changed",
                    seen=f"{known_as} changed while it was read.",
                    remedy="Find out who writes to that file.",
                )
            )
        return _complete(patch_file, path)


def _not_opened(known_as: str, path: str, error: OSError) -> Finding:
    if os.path.exists(path) and not os.path.isfile(path):
        what = "a directory" if os.path.isdir(path) else "not a regular file"
        return Finding(reason="not_a_file", seen=f"{known_as} is {what}.", remedy="Give the .ko file itself.")
    return Finding(
        reason="unreadable_file",
        seen=f"{known_as} cannot be read: {error.strerror}.",
        remedy="Check the path and its permissions.",
    )


def damaged(path: str, error: Exception) -> PatchFileError:
    """The error for an ELF file that cannot be parsed."""
    return PatchFileError(
        Finding(
            reason="damaged_file",
            seen=f"{path} is a truncated or damaged ELF file ({type(error).__name__}: {error}).",
            remedy="Build or copy it again.",
        ),
    )


def too_much(path: str, error: Exception) -> PatchFileError:
    """The error for a file that would keep whoever reads it busy for ever."""
    return PatchFileError(
        Finding(
            reason="too_big",
            seen=f"{path} describes more than any live patch: {error}.",
            remedy="Find out who made that file; give the .ko file that the build of the live patch made.",
        ),
    )


def _check_size(path: str, size: int) -> None:
    if size > PATCH_FILE_MAX:
        raise PatchFileError(
            Finding(
                reason="too_big",
                seen=f"{path} has {size} bytes, more than any live patch.",
                remedy="Give the .ko file that the build of the live patch made.",
            ),
        )


def _check_magic(path: str, start: bytes) -> None:
    if not start:
        raise PatchFileError(Finding(reason="empty_file", seen=f"{path} is empty.", remedy="Build or copy it again."))
    for magic, program in COMPRESSED.items():
        if start.startswith(magic):
            raise PatchFileError(
                Finding(
                    reason="compressed_file",
                    seen=f"{path} is compressed with {program}.",
                    remedy="Give the uncompressed .ko file.",
                ),
            )
    if start.startswith(PACKAGE):
        raise PatchFileError(
            Finding(
                reason="package",
                seen=f"{path} is an RPM package.",
                why="Packages are unpacked on the controller only.",
                remedy="Give it on the controller, without remote_src; or give the .ko file in it.",
            ),
        )
    if not start.startswith(b"\x7fELF"):
        raise PatchFileError(
            Finding(
                reason="not_elf",
                seen=f"{path} is not an ELF file.",
                remedy="Give the .ko file that the build of the live patch made.",
            ),
        )


def _describe(path: str, stream: t.BinaryIO, elf: ElfModule) -> PatchFile:
    modinfo = elf.modinfo()
    if not elf.is_relocatable or "vermagic" not in modinfo:
        raise PatchFileError(
            Finding(
                reason="not_a_module",
                seen=f"{path} is an ELF file, but not a kernel module.",
                remedy="Give the .ko file that the build of the live patch made.",
            ),
        )
    if modinfo.get("livepatch") != "Y":
        raise PatchFileError(
            Finding(
                reason="not_a_live_patch",
                seen=f"{path} is a kernel module, but not a live patch: its modinfo lacks livepatch=Y.",
                remedy='Add MODULE_INFO(livepatch, "Y") to its source, or give another file.',
            ),
        )
    from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.klp import has_long_symbols

    livepatch = elf.livepatch()
    functions = livepatch.functions
    signature = read_signature(stream)
    return PatchFile(
        path=path,
        name=(modinfo.get("name") or module_name(path)).replace("-", "_"),
        sha256=digest(stream),
        size=stream.seek(0, os.SEEK_END),
        machine=elf.machine,
        vermagic=modinfo["vermagic"].strip(),
        abi=elf.abi,
        builder=livepatch.builder,
        build_id=elf.build_id(),
        srcversion=modinfo.get("srcversion"),
        depends=tuple(_depends(modinfo.get("depends", ""))),
        functions=None if functions is None else tuple(entry.function for entry in functions),
        unnumbered=frozenset(entry.function for entry in functions or () if not entry.numbered),
        replace=livepatch.replace,
        signature=signature,
        objects=livepatch.objects,
        states=livepatch.states,
        parameters=elf.parameters(),
        enables_itself=elf.enables_itself,
        long_symbols=has_long_symbols(elf),
    )


def _depends(names: str) -> t.Iterator[str]:
    # modpost writes the names of the files, and the kernel knows modules by names with underscores.
    for name in map(kernel_name, filter(None, names.split(","))):
        if not is_module_name(name):
            # modprobe would take a path, too.
            raise ValueError(f"{name!r} in depends is no name of a module")
        yield name


def _complete(patch_file: PatchFile, path: str) -> PatchFile:
    """Add what the manifest has and the file does not show.

    Modules of kpatch-build set the replace flag at run time only, hand-written ones may, and no module names its source
    patches, the build-id of its kernel, or what it fixes.
    """
    manifest = _manifest_of(path, patch_file.sha256)
    fix = fix_in(manifest.get("fix"))
    if fix:
        patch_file = with_changes(patch_file, fix=fix)
    kernel_build_id = build_id_or_none(manifest.get("kernel_build_id"))
    if kernel_build_id:
        patch_file = with_changes(patch_file, kernel_build_id=kernel_build_id)
    inputs = manifest.get("inputs")
    made_from = inputs.get("patches") if isinstance(inputs, dict) else None
    if isinstance(made_from, list):
        patch_file = with_changes(patch_file, source_patches=tuple(clean(str(patch)) for patch in made_from))
    said = manifest.get("replace")
    if isinstance(said, bool) and said is not patch_file.replace:
        # Where the two contradict each other, neither is believed.
        patch_file = with_changes(patch_file, replace=said if patch_file.replace is None else None)
    return with_changes(patch_file, made_for=tuple(_made_for(manifest.get("made_for"))))


def _made_for(entries: t.Any) -> t.Iterator[TargetBuild]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.keys() == TargetBuild.__annotations__.keys():
            name, vermagic, *marks = (entry[key] for key in TargetBuild.__annotations__)
            if isinstance(name, str) and isinstance(vermagic, str):
                yield TargetBuild(
                    clean(name), clean(vermagic), *(mark if isinstance(mark, str) else None for mark in marks)
                )


def _manifest_of(path: str, sha256: str) -> dict[str, t.Any]:
    """The manifest of livepatch_build beside a file; empty if there is none, or it is of another file.

    What somebody else has put there decides nothing: it belongs to root, to this user, or to whoever has the file.
    """
    try:
        with open_regular(path + ".json", os.O_NOFOLLOW) as stream:
            if os.fstat(stream.fileno()).st_uid not in (0, os.geteuid(), os.stat(path).st_uid):
                return {}
            manifest = json.loads(stream.read(MAX_MANIFEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) and manifest.get("sha256") == sha256 else {}
