# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The manifest beside a result: what the result was built from."""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import MOST_BYTES, Plain, digest
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.durable import open_regular

MANIFEST_FORMAT = 1


def manifest_path(dest: str) -> str:
    """The path of the manifest of this result."""
    return dest + ".json"


def read_manifest(path: str) -> Plain | None:
    """The manifest of an earlier build; None if there is none, or it is damaged, of others or of another format."""
    try:
        with open_regular(path, os.O_NOFOLLOW) as stream:
            is_ours = os.fstat(stream.fileno()).st_uid in (0, os.geteuid())
            manifest = json.loads(stream.read(MOST_BYTES)) if is_ours else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict) or manifest.get("format") != MANIFEST_FORMAT:
        return None
    parts = (manifest.get("inputs"), manifest.get("patch_file") or {}, manifest.get("fix") or {})
    return manifest if all(isinstance(part, dict) for part in parts) else None


def is_built_from(dest: str, manifest: Plain | None, inputs: Plain) -> bool:
    """Whether the file at `dest` is the one of the manifest, and was built from exactly these inputs."""
    if manifest is None or manifest.get("inputs") != inputs:
        return False
    return bool(manifest.get("sha256") == digest(dest))


def describe(manifest: Plain | None) -> str:
    """What `--diff` shows of a build: what it fixes, and the digests of all that goes into it."""
    if manifest is None:
        return "none\n"
    lines = ["sha256: {}".format(manifest.get("sha256", "(not built yet)"))]
    lines += [f"{key}: {value}" for key, value in _flat({"fix": manifest.get("fix") or {}})]
    lines += [f"{key}: {value}" for key, value in _flat(manifest["inputs"])]
    return "".join(line + "\n" for line in lines)


def _flat(value: t.Mapping[str, t.Any], before: str = "") -> t.Iterator[tuple[str, t.Any]]:
    for key in sorted(value):
        if isinstance(value[key], dict):
            yield from _flat(value[key], f"{before}{key} ")
        else:
            yield before + key, value[key]
