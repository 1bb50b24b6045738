# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The whole of livepatch_build between its arguments and its result."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import tempfile
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import kbuild, signing
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.manifest import (
    BuildError,
    Run,
    describe,
    digest,
    is_built_from,
    manifest_path,
    read_manifest,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.progress import (
    ProgressFile,
    Reporter,
    progress_path,
    watch,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import builder, request
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.source_index import Index
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, failure_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import no_pyelftools
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import signature_values
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.signature import read_signature

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Plain = t.Dict[str, t.Any]


class _Work:
    """One thing to build, by whatever method."""

    name: str
    dest: str
    release: str
    forces_signatures: bool
    """Whether the kernel loads signed modules only."""

    def check(self) -> None:
        """Raise BuildError if it is known that the build would fail."""

    def inputs(self, manifest: Plain | None) -> Plain:
        """The digests of what would be built from now; the manifest of the last build knows what it read."""
        raise NotImplementedError

    def make(self, directory: str, wanted: Plain) -> Plain:
        """Build from these inputs in an empty directory: the manifest of the result, which is there under its name."""
        raise NotImplementedError


class _KbuildWork(_Work):
    def __init__(self, params: Plain, run: Run) -> None:
        self._run = run
        self.build = kbuild.prepare(
            params["name"],
            params["sources"],
            params["dest"],
            params["kernel_build"],
            params["kernel_release"],
            params["cflags"],
            kbuild.Cross(params["arch"], params["cross_compile"]),
        )
        self.name, self.dest, self.release = self.build.name, self.build.dest, self.build.release
        self.forces_signatures = self.build.forces_signatures

    def inputs(self, manifest: Plain | None) -> Plain:
        known = manifest if manifest and manifest.get("method") == "kbuild" else {}
        compiler = (known.get("inputs") or {}).get("compiler") or {}
        return kbuild.inputs(self.build, known.get("headers") or [], compiler.get("program", ""), self._run)

    def make(self, directory: str, wanted: Plain) -> Plain:
        return kbuild.build_module(self.build, directory, self._run)[1]


class _KpatchWork(_Work):
    def __init__(self, module: AnsibleModule, run: Run, reporter: Reporter) -> None:
        self._reporter = reporter
        self._keeps_index = not module.check_mode
        self._content: Index | None = None
        self.build = request.prepare(_request(module.params), run)
        self.name = module_name(self.build.name)
        self.dest, self.release = self.build.dest, self.build.release
        self.forces_signatures = self.build.forces_signatures

    def check(self) -> None:
        request.refuse_if_problems(self.build)

    def _source(self) -> Index:
        """What is in the source tree: that takes a second to find out, and is not always needed."""
        if self._content is None:
            self._content = builder.origin(self.build, keep=self._keeps_index)
        return self._content

    def inputs(self, manifest: Plain | None) -> Plain:
        return builder.inputs(self.build, self._source())

    def make(self, directory: str, wanted: Plain) -> Plain:
        return builder.build_module(self.build, self._source(), wanted, directory, self._reporter)


def _request(params: Plain) -> request.Request:
    release = params["kernel_release"] or os.uname().release
    source = params["oot_module_src"] or params["src_dir"] or f"/usr/src/linux-{release}"
    return request.Request(
        patches=tuple(params["patches"]),
        source=source,
        dest=params["dest"],
        name=params["name"],
        vmlinux=params["vmlinux"] or _first_file(f"/usr/lib/debug/lib/modules/{release}/vmlinux", f"{source}/vmlinux"),
        config=params["config"] or _first_file(f"{source}/.config", f"/boot/config-{release}"),
        targets=tuple(params["targets"]),
        jobs=params["jobs"],
        arch=params["arch"],
        cross_compile=params["cross_compile"],
        skip_compiler_check=params["skip_compiler_check"],
        oot_module=params["oot_module"],
        replace=params["replace"],
        debug=params["debug"],
        env=tuple(sorted((name, str(value)) for name, value in (params["env"] or {}).items())),
        kpatch_build=params["kpatch_build"],
        cache_dir=os.path.abspath(params["cache_dir"]),
        timeout=params["timeout"],
    )


def _first_file(*paths: str) -> str:
    return next((path for path in paths if os.path.isfile(path)), paths[0])


def run_build(module: AnsibleModule) -> Plain:
    """Build if it is needed. The result has `failed` if it did not succeed."""
    job = module.params["_job"] or {}
    if job.get("offset") is not None:
        return _watch(module.params["cache_dir"], job)
    reporter = _reporter(module.params["cache_dir"], job.get("progress"))
    try:
        return _run_build(module, reporter, bool(job.get("only_if_current")))
    except BuildError as error:
        return {**failure_of(error.finding), **error.details}
    except OSError as error:
        return failure_of(_cannot_go_on(error))
    except ImportError:
        return failure_of(no_pyelftools("to read the patch file that was built"))
    finally:
        reporter.end()


def _cannot_go_on(error: OSError) -> Finding:
    is_full = error.errno == errno.ENOSPC
    return Finding(
        reason="disk_full" if is_full else "system_error",
        seen=f"The build cannot go on: {error}.",
        remedy="Free space, then run the task again." if is_full else "Look at that file or program of the build host.",
    )


def _reporter(cache_dir: str, identifier: str | None) -> Reporter:
    """Who is told how the build goes. Without a place to write, nobody is, and the build itself says what is wrong."""
    if identifier:
        with contextlib.suppress(OSError):
            return ProgressFile(progress_path(cache_dir, identifier))
    return Reporter()


def _watch(cache_dir: str, job: Plain) -> Plain:
    path = progress_path(cache_dir, job["progress"])
    return dict(watch(path, job["offset"], job["seconds"]), changed=False)


def _run_build(module: AnsibleModule, reporter: Reporter, only_if_current: bool) -> Plain:
    params = module.params
    module.run_command_environ_update = {"LC_ALL": "C", "LANGUAGE": "C"}

    def run(command: list[str]) -> tuple[int, str, str]:
        try:
            return t.cast(t.Tuple[int, str, str], module.run_command(command, handle_exceptions=False))
        except FileNotFoundError as error:
            return 127, "", str(error)

    work: _Work = _KbuildWork(params, run) if params["method"] == "kbuild" else _KpatchWork(module, run, reporter)
    seal = signing.prepare(params["sign"], work.release)
    if work.forces_signatures and not seal:
        module.warn(f"The kernel {work.release} loads signed modules only, and {work.name} is not signed.")
    old = read_manifest(manifest_path(work.dest))
    if only_if_current and old is None and params["rebuild"] != "never":
        work.check()
        return {"changed": False, "needs_build": True}
    wanted = dict(work.inputs(old), sign=seal.inputs() if seal else None)
    changed = params["rebuild"] == "always" or not is_built_from(work.dest, old, wanted)
    manifest = old
    if changed:
        work.check()
        if params["rebuild"] == "never":
            raise BuildError(
                Finding(
                    reason="outdated",
                    seen=f"{work.dest} is missing, or was made from something else.",
                    remedy="Set rebuild: auto to build it.",
                ),
            )
        if only_if_current:
            return {"changed": False, "needs_build": True}
        manifest = {"inputs": wanted} if module.check_mode else _make(module, work, wanted, seal, run)
    if os.path.exists(work.dest):
        file_args = module.load_file_common_arguments(params, path=work.dest)
        changed = module.set_fs_attributes_if_different(file_args, changed)
    return {
        "changed": changed,
        "path": work.dest,
        "name": work.name,
        "release": work.release,
        "manifest": manifest_path(work.dest),
        "patch_file": (manifest or {}).get("patch_file"),
        "duration": (manifest or {}).get("duration"),
        "changed_functions": (manifest or {}).get("changed_functions", []),
        "cpu_seconds": _cpu_seconds(manifest) if manifest is not old else None,
        "diff": {
            "before_header": work.dest,
            "after_header": work.dest,
            "before": describe(old),
            "after": describe(manifest),
        },
    }


def _make(module: AnsibleModule, work: _Work, wanted: Plain, seal: signing.Seal | None, run: Run) -> Plain:
    """Build, and put the result and its manifest in place, the manifest last: it vouches for the result."""
    with tempfile.TemporaryDirectory(prefix="livepatch-", dir=module.tmpdir) as directory:
        manifest = work.make(directory, wanted)
        (result,) = [os.path.join(directory, name) for name in os.listdir(directory) if _is_result(name, work.name)]
        if seal:
            signing.sign(result, seal, run)
            manifest["sha256"] = manifest["patch_file"]["sha256"] = digest(result)
            with open(result, "rb") as stream:
                manifest["patch_file"].update(signature_values(read_signature(stream)), size=os.path.getsize(result))
        # The build has found out more about its inputs, such as the headers.
        manifest["inputs"] = dict(manifest["inputs"], sign=wanted["sign"])
        os.makedirs(os.path.dirname(os.path.abspath(work.dest)), exist_ok=True)
        text = os.path.join(directory, "manifest.json")
        with open(text, "w", encoding="utf-8") as stream:
            json.dump(manifest, stream, indent=1, sort_keys=True)
        module.atomic_move(result, work.dest)
        module.atomic_move(text, manifest_path(work.dest))
    return manifest


def _cpu_seconds(manifest: Plain | None) -> Plain:
    """Of kpatch-build with all that it started, and of the module's own work."""
    build = (manifest or {}).get("cpu_seconds") or 0.0
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    together = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return {"build": build, "besides": round(max(0.0, together - build), 1)}


def _is_result(file_name: str, name: str) -> bool:
    return file_name.endswith(".ko") and module_name(file_name) == name
