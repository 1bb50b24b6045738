# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The text of a release's file."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import release_in
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import CONTAINED, FORMAT, kernel_name
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._plain import plain_data
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.given import KEY, ReleaseError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.release_file import check_release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._vendor.vendor_patch import CUMULATIVE
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._yaml_text import yaml_text

_HEAD = """\
# Made by the role openeuler.livepatch.build. The digests are checked before anything is rolled out.
---
"""


Shown = t.Mapping[str, t.Any]


def release_text(asked: t.Mapping[str, t.Any], files: t.Iterable[tuple[str, Shown]]) -> str:
    """The content of release.yml, from what was asked for and what the patch files show. Raises ReleaseError.

    `files` are pairs of a kernel release and what livepatch_file_info has read of its patch file.
    """
    fix = asked["fix"]
    data = {
        "format": FORMAT,
        "fix": {
            "id": fix["id"],
            "title": fix.get("title") or "",
            "severity": fix.get("severity") or "",
            "cves": fix.get("cves") or [],
        },
        "name": kernel_name(asked["name"]),
        "supersedes": asked["supersedes"],
        "fixed_in": asked["fixed_in"],
        "end_of_life": str(asked["end_of_life"]) if asked.get("end_of_life") else None,
        "files": [_file(asked, release, shown) for release, shown in sorted(files, key=lambda file: file[0])],
    }
    plain = plain_data(data)
    check_release(plain, "the release")
    return _HEAD + yaml_text({KEY: plain})


def asked_of_vendor(asked: Shown, patches: t.Sequence[Shown]) -> dict[str, t.Any]:
    """What was asked for, with what the vendor's packages say: the name, their CVEs, and that they are cumulative.

    The vendor gives the patch of each kernel another name. The release's own is then the one that was asked for.
    """
    vendors = [patch["vendor"] for patch in patches]
    named = [cve for vendor in vendors for cve in vendor["cves"]]
    supersedes = asked["supersedes"]
    if not supersedes and all(vendor["kind"] == CUMULATIVE for vendor in vendors):
        supersedes = [CONTAINED]
    cves = list(dict.fromkeys([*(asked["fix"].get("cves") or []), *named]))
    names = {patch["file"]["name"] for patch in patches}
    name = names.pop() if len(names) == 1 else asked["name"]
    return {**asked, "name": name, "supersedes": supersedes, "fix": {**asked["fix"], "cves": cves}}


def _file(asked: t.Mapping[str, t.Any], release: str, shown: Shown) -> dict[str, t.Any]:
    # Only the vendor's files have names of their own.
    name = shown["name"] if asked.get("vendor") else kernel_name(asked["name"])
    if (shown["name"], release_in(shown["vermagic"])) != (name, release):
        raise ReleaseError(
            reason="bad_release",
            cause=f"{release}/{name}.ko is not the patch file {name} for the kernel {release}.",
            remedy="Build the release again.",
        )
    return {
        "kernel_release": release,
        **{key: shown.get(key) for key in ("kernel_build_id", "machine", "abi")},
        "path": f"{release}/{name}.ko",
        **{key: shown.get(key) for key in ("sha256", "build_id", "srcversion")},
        "parameters": asked["parameters"] or None,
        **({"name": name} if name != kernel_name(asked["name"]) else {}),
    }
