# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The whole of livepatch_build between its arguments and its result."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.openeuler.livepatch.plugins.module_utils._builders import kbuild

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Plain = t.Dict[str, t.Any]


def run_build(module: AnsibleModule) -> Plain:
    """Build if it is needed. The result has C(failed) if it did not succeed."""
    try:
        return _run_build(module)
    except kbuild.BuildError as error:
        return dict(error.details, failed=True, msg=str(error), reason=error.reason)
    except ImportError:
        message = missing_required_lib("pyelftools", reason="to read the patch file that was built")
        return {"failed": True, "msg": message, "reason": "no_pyelftools"}


def _run_build(module: AnsibleModule) -> Plain:
    params = module.params
    module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C"}

    def run(command: list[str]) -> tuple[int, str, str]:
        try:
            return t.cast(t.Tuple[int, str, str], module.run_command(command, handle_exceptions=False))
        except FileNotFoundError as error:
            return 127, "", str(error)

    build = kbuild.prepare(
        params["name"],
        params["sources"],
        params["dest"],
        params["kernel_build"],
        params["kernel_release"],
        params["cflags"],
    )
    old = kbuild.read_manifest(build)
    changed = not kbuild.is_current(build, old, run)
    manifest = old
    if changed:
        manifest = {"inputs": kbuild.inputs(build, [], "", run)} if module.check_mode else _make(module, build, run)
    if os.path.exists(build.dest):
        file_args = module.load_file_common_arguments(params, path=build.dest)
        changed = module.set_fs_attributes_if_different(file_args, changed)
    return {
        "changed": changed,
        "path": build.dest,
        "name": build.name,
        "release": build.release,
        "manifest": build.manifest_path,
        "patch_file": (manifest or {}).get("patch_file"),
        "diff": {
            "before_header": build.dest,
            "after_header": build.dest,
            "before": kbuild.describe(old),
            "after": kbuild.describe(manifest),
        },
    }


def _make(module: AnsibleModule, build: kbuild.Build, run: kbuild.Run) -> Plain:
    """Build, and put the result and its manifest in place, the manifest last: it vouches for the result."""
    directory = tempfile.mkdtemp(prefix="livepatch-", dir=module.tmpdir)
    module.add_cleanup_file(directory)
    manifest = kbuild.build_module(build, directory, run)[1]
    os.makedirs(os.path.dirname(os.path.abspath(build.dest)), exist_ok=True)
    text = os.path.join(directory, "manifest.json")
    with open(text, "w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, sort_keys=True)
    module.atomic_move(os.path.join(directory, build.name + ".ko"), build.dest)
    module.atomic_move(text, build.manifest_path)
    return manifest
