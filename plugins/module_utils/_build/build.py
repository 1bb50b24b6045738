# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""One task of `livepatch_build`, from arguments to result: decides whether a build is needed, and calls a builder."""

from __future__ import annotations

import errno
import json
import os
import resource
import tempfile
import time
import typing as t
from dataclasses import asdict
from types import MappingProxyType

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import signing
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.arguments import Conditions, method_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import (
    Builder,
    BuildError,
    BuildTask,
    Prepare,
    Run,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, digest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.hidden import hider
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.manifest import (
    describe,
    is_built_from,
    manifest_path,
    read_manifest,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import check_numbers
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import (
    Finding,
    FindingError,
    failure_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix, fix_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import no_pyelftools
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import read_signature
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import programs
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import (
    Reporter,
    reporter_of,
    watch,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

MOST_PRINTED = 4 * 1024**2
"""How many characters of what a program prints are kept, the last ones: a result has them."""

NEEDS_BUILD = {"changed": False, "needs_build": True}
"""The result if the action plugin asks only whether a build is needed, and one is."""


def run_build(
    module: AnsibleModule,
    builders: t.Mapping[str, Prepare],
    job: Plain,
    conditions: Conditions = MappingProxyType({}),
) -> Plain:
    """Build if that is needed, with the builder of the task's method. Returns the result of the task.

    `job` is how the action plugin splits the work: `only_if_current` returns instead of building; `progress` names the
    progress file of the build; `offset` in that file and `seconds` only watch it. Empty for the whole work.
    """
    params = module.params
    if job.get("offset") is not None:
        return watch(params["cache_dir"], job)
    try:
        check_numbers("livepatch_build", params)
        method, fix = method_of(params, conditions), fix_of(params["fix"])
    except FindingError as error:
        return failure_of(error.finding)
    signing.take_passphrase(params["env"])
    reporter = reporter_of(params["cache_dir"], job.get("progress"))
    task = BuildTask(params=params, check_mode=module.check_mode, run=_runner(module, reporter), reporter=reporter)
    try:
        result = _run_build(module, builders[method](task), task.run, bool(job.get("only_if_current")), fix)
    except BuildError as error:
        result = {**failure_of(error.finding), **error.details}
    except OSError as error:
        result = failure_of(_cannot_go_on(error))
    except ImportError:
        result = failure_of(no_pyelftools("to read the patch file that was built"))
    finally:
        reporter.end()
    return {**result, "method": method}


def _cannot_go_on(error: OSError) -> Finding:
    is_full = error.errno == errno.ENOSPC
    return Finding(
        reason="disk_full" if is_full else "system_error",
        seen=f"The build cannot go on: {error}.",
        remedy="Free space, then run the task again." if is_full else "Check that file or program on the build host.",
    )


def _runner(module: AnsibleModule, reporter: Reporter) -> Run:
    hide = hider({})
    timeout = module.params["timeout"]
    deadline = time.monotonic() + timeout

    def run(command: list[str]) -> tuple[int, str, str]:
        try:
            rc, *printed = programs.run_apart(
                command,
                deadline - time.monotonic(),
                {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"},
                meanwhile=lambda: reporter.goes_on(f"running {os.path.basename(command[0])}"),
            )
        except FileNotFoundError as error:
            return 127, "", str(error)
        except (programs.TimedOut, programs.TooMuchOutput) as error:
            raise BuildError(_too_long(command, timeout, error), cmd=command, rc=None) from error
        out, err = (hide(clean(text.decode("utf-8", "replace")[-MOST_PRINTED:])) for text in printed)
        return rc, out, err

    return run


def _too_long(command: t.Sequence[str], timeout: float, error: Exception) -> Finding:
    program = os.path.basename(command[0])
    if isinstance(error, programs.TooMuchOutput):
        return Finding(
            reason="too_much_output",
            seen=f"{program} printed without an end, and was killed.",
            remedy="Run it by hand to see what it prints.",
        )
    return Finding(
        reason="timeout",
        seen=f"{program} did not end before the {timeout:.0f} s of the task were over.",
        remedy="Give a longer timeout.",
    )


def _run_build(module: AnsibleModule, builder: Builder, run: Run, only_if_current: bool, fix: Fix | None) -> Plain:
    params, fixes = module.params, {"fix": fix.to_dict()} if fix else {}
    seal = signing.prepare(params["sign"], builder.release)
    if builder.forces_signatures and not seal:
        module.warn(f"The kernel {builder.release} loads signed modules only, and {builder.name} is not signed.")
    old = read_manifest(manifest_path(builder.dest))
    if only_if_current and old is None and params["rebuild"] != "never":
        builder.check()
        signing.check(seal, run)
        return dict(NEEDS_BUILD)
    inputs = dict(builder.inputs(old), sign=seal.inputs() if seal else None)
    changed = params["rebuild"] == "always" or not is_built_from(builder.dest, old, inputs)
    manifest = old
    if changed:
        builder.check()
        signing.check(seal, run)
        if params["rebuild"] == "never":
            raise BuildError(_outdated(builder.dest))
        if only_if_current:
            return dict(NEEDS_BUILD)
        for warning in builder.warnings:
            module.warn(warning)
        said = {"inputs": inputs, **fixes}
        manifest = said if module.check_mode else _build(module, builder, said, seal, run)
    elif old and {**old, **fixes} != old:
        changed, manifest = True, {**old, **fixes}
        if not module.check_mode:
            with tempfile.TemporaryDirectory(prefix="livepatch-", dir=module.tmpdir) as directory:
                module.atomic_move(_write_manifest(directory, manifest), manifest_path(builder.dest))
    if os.path.exists(builder.dest):
        file_args = module.load_file_common_arguments(params, path=builder.dest)
        changed = module.set_fs_attributes_if_different(file_args, changed)
    return _result(builder, old, manifest, changed)


def _outdated(dest: str) -> Finding:
    return Finding(
        reason="outdated",
        seen=f"{dest} is missing, or was built from something else.",
        remedy="Set rebuild: auto to build it.",
    )


def _result(builder: Builder, old: Plain | None, new: Plain | None, changed: bool) -> Plain:
    """The result of a task, from the manifest before it and the one after it."""
    manifest = new or {}
    return {
        "changed": changed,
        "path": builder.dest,
        "name": builder.name,
        "release": builder.release,
        "kernel_build_id": manifest.get("kernel_build_id"),
        "manifest": manifest_path(builder.dest),
        "patch_file": {**manifest["patch_file"], "fix": manifest.get("fix")} if manifest.get("patch_file") else None,
        "duration": manifest.get("duration"),
        "changed_functions": manifest.get("changed_functions", []),
        "cpu_seconds": _cpu_seconds(new) if new is not old else None,
        "removed_trees": list(builder.removed_trees),
        "diff": {
            "before_header": builder.dest,
            "after_header": builder.dest,
            "before": describe(old),
            "after": describe(new),
        },
    }


def _build(module: AnsibleModule, builder: Builder, said: Plain, seal: signing.Seal | None, run: Run) -> Plain:
    """Build and sign, move the result into place, and then its manifest, which has what is `said` as well.

    Returns the manifest. Raises BuildError.
    """
    inputs = said["inputs"]
    with tempfile.TemporaryDirectory(prefix="livepatch-", dir=module.tmpdir) as directory:
        manifest = {**said, **builder.build_into(directory, inputs)}
        # The file does not say what it fixes: that stands in the manifest alone.
        manifest["patch_file"].pop("fix", None)
        (result,) = [os.path.join(directory, name) for name in os.listdir(directory) if _is_result(name, builder.name)]
        if seal:
            signing.sign(result, seal, run)
            manifest["sha256"] = manifest["patch_file"]["sha256"] = digest(result)
            with open(result, "rb") as stream:
                signature = read_signature(stream)
            manifest["patch_file"].update(
                signature=asdict(signature) if signature else None, size=os.path.getsize(result)
            )
        # The builder learns more about its inputs while it builds, such as the headers.
        manifest["inputs"] = dict(manifest["inputs"], sign=inputs["sign"])
        os.makedirs(os.path.dirname(os.path.abspath(builder.dest)), exist_ok=True)
        text = _write_manifest(directory, manifest)
        module.atomic_move(result, builder.dest)
        module.atomic_move(text, manifest_path(builder.dest))
    for warning in manifest.get("warnings", ()):
        module.warn(warning)
    return manifest


def _write_manifest(directory: str, manifest: Plain) -> str:
    text = os.path.join(directory, "manifest.json")
    with open(text, "w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, sort_keys=True)
    return text


def _cpu_seconds(manifest: Plain | None) -> Plain:
    """CPU seconds: `build` of the build, `besides` of all else that the module did."""
    build = (manifest or {}).get("cpu_seconds") or 0.0
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    together = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return {"build": build, "besides": round(max(0.0, together - build), 1)}


def _is_result(file_name: str, name: str) -> bool:
    return file_name.endswith(".ko") and module_name(file_name) == name
