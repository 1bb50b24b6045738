# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Whether a file that a build host gives is the patch file that was asked for. Nothing else that it says is used."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    bad_argument,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    KLP_BUILD,
    KPATCH,
    KPATCH_OPENEULER,
    PatchFile,
    is_module_name,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import no_pyelftools
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._plain import is_name

LIVEPATCH_FETCH: dict[str, t.Any] = {
    "argument_spec": {
        "src": {"type": "path", "required": True},
        "dest": {"type": "path", "required": True},
        "name": {"type": "str", "required": True},
        "kernel_release": {"type": "str", "required": True},
        "method": {"type": "str", "choices": ["auto", "kpatch", "klp_build", "kbuild"], "default": "auto"},
        "certificate": {"type": "path"},
    },
}
_LOOK = "Look at the build host, and do not use what it has built before you know why."


@dataclass(frozen=True)
class Asked:
    """The patch file that is asked for. `method` is as of livepatch_build, None for any."""

    name: str
    kernel_release: str
    method: str | None = None


def read_asked(arguments: Mapping[str, t.Any]) -> Asked:
    """What the arguments ask for. The name and the release become parts of paths. Raises FindingError."""
    method = None if arguments["method"] == "auto" else arguments["method"]
    asked = Asked(arguments["name"].replace("-", "_"), arguments["kernel_release"], method)
    if not is_module_name(asked.name):
        raise bad_argument(f"name is {printable(asked.name)}, which is no name of a kernel module.", "Correct name.")
    if not is_name(asked.kernel_release):
        raise bad_argument(
            f"kernel_release is {printable(asked.kernel_release)}, which is no release of a kernel.",
            "Correct kernel_release.",
        )
    return asked


def content_in(answer: t.Any, what: str, most: int) -> bytes:
    """The file in the answer of slurp. Raises FindingError."""
    if not isinstance(answer, Mapping) or answer.get("failed") or not isinstance(answer.get("content"), str):
        said = printable(str(answer.get("msg") or "")) if isinstance(answer, Mapping) else ""
        raise FindingError(
            Finding(
                reason="not_fetched",
                seen=f"The build host did not give {what}{': ' + said if said else ''}.",
                remedy="Check that the build has ended well there, then run it again.",
            )
        )
    try:
        content = base64.b64decode(answer["content"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise FindingError(
            Finding(reason="not_fetched", seen=f"What the build host gave as {what} is not base64.", remedy=_LOOK)
        ) from error
    if len(content) > most:
        raise FindingError(
            Finding(reason="too_big", seen=f"{what} has {len(content)} bytes; {most} are allowed.", remedy=_LOOK)
        )
    return content


def read_fetched(asked: Asked, file: bytes, manifest: bytes, folder: str) -> PatchFile:
    """What the file itself says, after a check that it is the one that was asked for. Raises FindingError.

    Both are written into the folder, which is empty and private.
    """
    _check_manifest(manifest, hashlib.sha256(file).hexdigest())
    path = os.path.join(folder, f"{asked.name}.ko")
    for name, content in ((path, file), (f"{path}.json", manifest)):
        with open(name, "wb") as stream:
            stream.write(content)
    try:
        found = read_patch_file(path, f"{asked.name}.ko")
    except ImportError as error:
        raise FindingError(no_pyelftools("to read the patch file on the controller")) from error
    _check_found(asked, found)
    return found


def _check_manifest(manifest: bytes, sha256: str) -> None:
    try:
        content = json.loads(manifest)
    except (ValueError, RecursionError) as error:
        raise FindingError(
            Finding(reason="bad_manifest", seen="The manifest of the patch file is not JSON.", remedy=_LOOK)
        ) from error
    if not isinstance(content, dict) or content.get("sha256") != sha256:
        raise FindingError(
            Finding(
                reason="bad_manifest",
                seen="The manifest is not of the patch file: it has another digest.",
                remedy="Build it again; nothing else may write there.",
            )
        )


def _check_found(asked: Asked, found: PatchFile) -> None:
    wanted = {"name": asked.name, "kernel release": asked.kernel_release}
    shown = {"name": found.name, "kernel release": found.release}
    if asked.method:
        wanted["method"], shown["method"] = asked.method, _method_of(found)
    for key, value in wanted.items():
        if shown[key] != value:
            raise _not_as_asked(f"its {key} is {printable(shown[key])}, and {value} was asked for")
    for key in ("machine", "abi", "build_id", "srcversion", "kernel_build_id"):
        text = getattr(found, key)
        if text is not None and not is_name(text):
            raise _not_as_asked(f"its {key} is {printable(text)}, which it cannot be")


def _method_of(found: PatchFile) -> str:
    return {KPATCH: "kpatch", KPATCH_OPENEULER: "kpatch", KLP_BUILD: "klp_build"}.get(found.builder, "kbuild")


def _not_as_asked(what: str) -> FindingError:
    return FindingError(
        Finding(
            reason="not_as_asked", seen=f"The build host gave another file than it was asked for: {what}.", remedy=_LOOK
        )
    )


def fetched_data(asked: Asked, found: PatchFile) -> dict[str, t.Any]:
    """What a release has of the file. Every text has only the characters of a name."""
    return {
        "kernel_release": asked.kernel_release,
        "name": found.name,
        "machine": found.machine,
        "abi": found.abi,
        "sha256": found.sha256,
        "build_id": found.build_id,
        "srcversion": found.srcversion,
        "kernel_build_id": found.kernel_build_id,
    }
