# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Builds a live patch module from source patches with the kernel's own klp-build.

klp-build edits the tree that it works in, and leaves its edits when it is killed. It works in our copy of the source,
which stays with the objects of the original kernel for the next build. After a run that did not end by itself the copy
is made anew.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import os
import shutil
import time
import typing as t
from dataclasses import dataclass
from dataclasses import replace as with_changes
from functools import partial

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import hidden, source_index
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.explain import Failed
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import Stage, announced_stage
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import Builder, BuildError, BuildTask
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.combined import combined_patch
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.command import run_long
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, digest_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.environment import MAKE_VARIABLES, inherited
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.manifest import MANIFEST_FORMAT
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.patch_builder import PatchBuilder
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.printed import changed_functions, failed_build
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.running import (
    cpu_seconds,
    doubts_of_options,
    environment,
    keep_log,
    lock_of,
    refuse_other_patches,
    refuse_other_release,
    took_too_long,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_index import Index
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.work_tree import (
    WorkTree,
    work_tree,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build.checks import SCRIPT
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build.printed import says_success, warnings_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build.request import (
    Build,
    prepare_build,
    read_request,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile, module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import TimedOut
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import EVERY_SECONDS, Reporter

_KEPT = "klp-tmp"
"""The folder in the tree in which klp-build keeps the objects of the original kernel."""

_ORIGINAL = os.path.join(_KEPT, "1-orig", ".complete")

_NOBODY = {"KBUILD_BUILD_USER": "livepatch", "KBUILD_BUILD_HOST": "livepatch"}
"""Who builds, as the kernel's version has it (kernel: init/version.c). Else klp-build takes it for data that the patch
changes if the objects of the original were built under another name of the host or by another user."""

_LINES_OF_A_TIMEOUT = 1000

_ALL_LINES = ("bash", "-o", "pipefail", "-c", '"$@" 2>&1 | cat', "klp-build")
"""klp-build ends before the programs do that copy its last lines; `cat` ends after them."""


def prepare(task: BuildTask) -> Builder:
    """Read everything that the build needs. Raises BuildError where that cannot be read."""
    build = prepare_build(read_request(task.params), task.run)
    return PatchBuilder(
        task,
        build.request,
        build,
        build.release,
        tree_of=partial(tree_of, build),
        inputs_of=partial(inputs, build),
        build_module=partial(build_module, build),
    )


def inputs(build: Build, content: Index) -> Plain:
    """The digests of all that decides the result of the build, in plain types. klp-build itself is in the source."""
    return {
        "name": build.name,
        "release": build.release,
        "patches": [patch.sha256 for patch in build.patches],
        "config": build.config.sha256,
        "vmlinux": build.vmlinux.identity if build.vmlinux else None,
        "source": source_index.identity(content),
        "compiler": build.compiler,
        "flags": _flags(build),
        "environment": _environment_that_decides(build, hidden.digests(dict(build.request.env))),
    }


def _flags(build: Build) -> list[str]:
    """The options of klp-build that decide the result."""
    return [] if build.replace else ["--no-replace"]


def _environment_that_decides(build: Build, env: t.Mapping[str, str]) -> dict[str, str]:
    """The variables that decide the result, the user's win. `env` has these, or digests of their values."""
    environ = {**_NOBODY, **inherited(MAKE_VARIABLES)}
    if build.config.uses_clang:
        environ.setdefault("LLVM", "1")
    if build.request.cross_compile:
        environ["CROSS_COMPILE"] = build.request.cross_compile
    environ.update(env)
    return environ


def tree_of(build: Build) -> WorkTree:
    """The work tree for this source, configuration and compiler. It is not one that kpatch-build works in."""
    return work_tree(
        build.request.cache_dir,
        "klp-build",
        os.path.realpath(build.request.source),
        build.config.sha256,
        build.compiler,
        build.release_in_tree,
        _environment_that_decides(build, hidden.digests(dict(build.request.env))),
    )


def build_module(build: Build, content: Index, inputs: Plain, directory: str, reporter: Reporter) -> Plain:
    """Build into an empty directory, and return the manifest of NAME.ko there. Raises BuildError."""
    refuse_other_patches(build.patches)
    _refuse_other_source(build, content)
    tree = tree_of(build)
    started = time.monotonic()
    with lock_of(tree, build.name, reporter, build.request.timeout):
        if not tree.ended_well:
            tree.discard()
        is_warm = tree.is_primed(inputs["source"]) and os.path.isfile(os.path.join(tree.source, _ORIGINAL))
        reporter.stage("preparing the source" if is_warm else "copying the source")
        tree.prepare(build.request.source, content, build.config.content, build.added_files)
        if build.named.base is not None:
            tree.set_version(build.named.base)
        if not is_warm:
            # klp-build removes it later, and not if it ends before: then it would count as of this source.
            shutil.rmtree(os.path.join(tree.source, _KEPT), ignore_errors=True)
        try:
            done = _run(build, tree, is_warm, started, reporter)
        finally:
            if tree.ended_well and os.path.isfile(os.path.join(tree.source, _ORIGINAL)):
                tree.note_primed(inputs["source"], count_objects(tree.source) if not is_warm else 0)
        try:
            patch_file = _take_result(build, tree, directory)
        except FindingError as error:
            log = keep_log(build.request.cache_dir, build.name, build.release, done.printed)
            raise BuildError(error.finding, cmd=done.command, rc=0, log=log) from error
    build_id = build.vmlinux.build_id if build.vmlinux else None
    return {
        "format": MANIFEST_FORMAT,
        "method": "klp_build",
        "name": module_name(build.name),
        "abi": PER_TASK,
        "release": build.release,
        "kernel_build_id": build_id,
        "vermagic": patch_file.vermagic,
        "replace": build.replace,
        "sha256": patch_file.sha256,
        "inputs": inputs,
        "tools": {"klp_build": build.version, "compiler": build.compiler},
        "made_for": [],
        "patch_file": patch_file.to_dict(),
        "changed_functions": changed_functions(done.printed),
        "warnings": [*warnings_in(done.printed), *doubts_of_options(build.config, tree.source)],
        "duration": round(time.monotonic() - started, 1),
        "cpu_seconds": done.cpu_seconds,
        "log_sha256": digest_of(done.printed),
    }


def _take_result(build: Build, tree: WorkTree, directory: str) -> PatchFile:
    """Move the result into the directory, and read it. Raises FindingError if it is not what was asked for."""
    result = shutil.move(_result(build, tree), directory)
    patch_file = with_changes(
        read_patch_file(result, build.dest),
        replace=build.replace,
        kernel_build_id=build.vmlinux.build_id if build.vmlinux else None,
    )
    refuse_other_release(patch_file, build.release, build.kernel.named)
    return patch_file


def _result(build: Build, tree: WorkTree) -> str:
    return os.path.join(tree.out, build.name + ".ko")


def _command(build: Build, tree: WorkTree, patch: str, is_warm: bool) -> list[str]:
    """The command. It never starts behind step 2: what is left there may be of another patch."""
    command = [os.path.join(tree.source, SCRIPT), *(("-S", "2") if is_warm else ("-T",))]
    command += ["-j", str(build.request.jobs or os.cpu_count() or 1), "-o", _result(build, tree), *_flags(build)]
    return [*command, *["-d"] * min(1, build.request.debug), patch]


def _write_patch(build: Build, tree: WorkTree) -> str:
    """Write what all patches change as one patch, under a name that a shell takes as it is, and return its path.

    klp-build applies each patch by itself to the original source, and reads names by the beginnings of lines: a patch
    that builds on another one, or has more than plain hunks in it, would fail after the original is built.
    """
    folder = os.path.join(tree.path, "patches")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    path = os.path.join(folder, "0001.patch")
    with open(path, "wb") as stream:
        stream.write(combined_patch(build.tried.changes))
    return path


def _refuse_other_source(build: Build, content: Index) -> None:
    """Raise BuildError if a file has changed since the patches were tried on it."""
    for name, change in build.tried.changes.items():
        if name in content and content[name].sha256 != hashlib.sha256(change.before or b"").hexdigest():
            raise BuildError(
                Finding(
                    reason="inputs_changed",
                    seen=f"{os.path.join(build.request.source, name)} changed before the build.",
                    remedy="Run the task again when nothing changes the source.",
                )
            )


@dataclass(frozen=True)
class _Done:
    """A run of klp-build that ended well."""

    command: list[str]
    printed: str
    cpu_seconds: float


def _run(build: Build, tree: WorkTree, is_warm: bool, started: float, reporter: Reporter) -> _Done:
    """Run klp-build. Raises BuildError if it fails, or runs longer than the timeout from `started` on."""
    shutil.rmtree(tree.out, ignore_errors=True)
    os.makedirs(tree.out, mode=0o700)
    hide = hidden.hider(dict(build.request.env), MAKE_VARIABLES)
    stages = [Stage.UNKNOWN]
    last: collections.deque[str] = collections.deque(maxlen=_LINES_OF_A_TIMEOUT)

    def on_line(raw: str) -> None:
        line = hide(raw)
        last.append(line)
        stage = announced_stage(line)
        if stage not in (None, stages[-1]):
            stages.append(stage)
            reporter.stage(str(stage))
        if changed_functions(line):
            reporter.line(line)

    def on_tick() -> None:
        # make prints no names of objects here.
        if stages[-1] == Stage.ORIGINAL:
            reporter.tick(count_objects(tree.source), tree.objects)

    command = _command(build, tree, _write_patch(build, tree), is_warm)
    decides = _environment_that_decides(build, dict(build.request.env))
    environ = environment(build.named.suffix, tree.path, decides)
    left = build.request.timeout - (time.monotonic() - started)
    cpu = cpu_seconds()
    tree.note_running(True)
    try:
        rc, printed = run_long([*_ALL_LINES, *command], environ, left, on_line, on_tick, EVERY_SECONDS, tree.source)
    except TimedOut as error:
        log = keep_log(build.request.cache_dir, build.name, build.release, "".join(f"{line}\n" for line in last))
        raise took_too_long("klp-build", build.request.timeout, cmd=command, log=log) from error
    printed = hide(printed)
    if 0 <= rc < 128:
        tree.note_running(False)
    if rc != 0 or not says_success(printed) or not os.path.isfile(_result(build, tree)):
        log = keep_log(build.request.cache_dir, build.name, build.release, printed)
        raise failed_build(Failed("klp-build", rc, printed, log_path=log), command)
    return _Done(command, printed, round(cpu_seconds() - cpu, 1))


def count_objects(source: str) -> int:
    """How many objects the tree has, without those that klp-build keeps. make may remove folders at the same time."""
    count, pending = 0, [source]
    while pending:
        with contextlib.suppress(FileNotFoundError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != _KEPT:
                        pending.append(entry.path)
                elif entry.name.endswith(".o"):
                    count += 1
    return count
