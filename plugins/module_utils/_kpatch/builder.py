# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Builds a live patch module from source patches with kpatch-build.

Content decides whether a build is needed: the manifest beside the result has the digests of all inputs. kpatch-build
works in a copy of the source, which stays with its objects for the next build (see work_tree.py). It makes only the
objects that a patch concerns, where that gives the same result (see targets.py).
"""

from __future__ import annotations

import contextlib
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
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.command import run_long
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, digest, digest_of
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
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import out_of_tree
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.log import RunningLog
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.request import (
    Build,
    prepare_build,
    read_request,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.targets import WHOLE, choose_targets
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile, module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.target import read_target
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import TimedOut
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import Reporter


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
    """The digests of all that decides the result of the build, in plain types."""
    request = build.request
    return {
        "name": build.name,
        "release": build.release,
        "patches": [patch.sha256 for patch in build.patches],
        "config": build.config.sha256,
        "vmlinux": build.vmlinux.identity,
        "source": source_index.identity(content),
        "compiler": build.compiler,
        "kpatch_build": build.tool.identity,
        "flags": _flags(build),
        "targets": list(request.targets),
        "environment": _environment_that_decides(build, hidden.digests(dict(request.env))),
        "oot_module": digest(request.oot_module) if request.oot_module else None,
        "kernel_symbols": digest(f"{request.kernel_tree}/Module.symvers") if request.kernel_tree else None,
    }


def _flags(build: Build) -> list[str]:
    """The flags for kpatch-build that decide the result."""
    flags = [] if build.replace else list(build.tool.no_replace)
    if build.request.skip_compiler_check and build.tool.skip_compiler_check:
        flags.append(build.tool.skip_compiler_check)
    return flags


def _environment_that_decides(build: Build, env: t.Mapping[str, str]) -> dict[str, str]:
    """The variables that decide the result: inherited ones, those that the ABI needs, and the user's, which win.

    `env` has the user's, or digests of their values.
    """
    environ = inherited((*MAKE_VARIABLES, *build.tool.variables))
    if build.abi == STOP_MACHINE:
        environ.update(dict.fromkeys(build.tool.variables, "1"))
    if build.request.cross_compile:
        environ["CROSS_COMPILE"] = build.request.cross_compile
    if build.request.arch:
        environ["ARCH"] = environ["TARGET_ARCH"] = build.request.arch
    if build.request.kernel_tree:
        environ.update(out_of_tree.variables(build.request.kernel_tree, build.release))
    environ.update(env)
    return environ


def tree_of(build: Build) -> WorkTree:
    """The work tree for this source, configuration and compiler.

    kpatch-build compiles with other flags if it does not check the compiler, so that needs another tree.
    """
    return work_tree(
        build.request.cache_dir,
        os.path.realpath(build.request.source),
        build.config.sha256,
        build.compiler,
        build.tool.identity,
        build.release_in_tree,
        _environment_that_decides(build, hidden.digests(dict(build.request.env))),
        build.request.skip_compiler_check,
    )


def build_module(build: Build, content: Index, inputs: Plain, directory: str, reporter: Reporter) -> Plain:
    """Build into an empty directory, and return the manifest of NAME.ko there. Raises BuildError."""
    tree = tree_of(build)
    started = time.monotonic()
    with lock_of(tree, build.name, reporter, build.request.timeout):
        reporter.stage("preparing the source" if tree.is_primed(inputs["source"]) else "copying the source")
        tree.prepare(build.request.source, content, build.config.content, build.added_files)
        if build.named.base is not None:
            tree.set_version(build.named.base)
        if build.request.kernel_tree:
            out_of_tree.make_ready(tree.source, os.path.realpath(build.request.kernel_tree), content)
        targets = choose_targets(build, tree, inputs["source"])
        done = _run(build, tree, targets, started, reporter)
        if targets == WHOLE:
            tree.note_primed(inputs["source"], done.objects)
        try:
            patch_file = _take_result(build, tree, directory)
        except FindingError as error:
            log = keep_log(build.request.cache_dir, build.name, build.release, done.printed + done.log)
            raise BuildError(error.finding, cmd=done.command, rc=0, log=log) from error
    return {
        "format": MANIFEST_FORMAT,
        "method": "kpatch",
        "name": module_name(build.name),
        "abi": build.abi,
        "release": build.release,
        "kernel_build_id": build.vmlinux.build_id,
        "vermagic": patch_file.vermagic,
        "replace": build.replace,
        "sha256": patch_file.sha256,
        "inputs": inputs,
        "tools": {"kpatch_build": build.tool.version, "compiler": build.compiler},
        "targets": [target for target in targets if target != out_of_tree.DEFAULT_GOAL],
        "made_for": patch_file.to_dict()["made_for"],
        "patch_file": patch_file.to_dict(),
        "changed_functions": changed_functions(done.printed),
        "warnings": doubts_of_options(build.config, tree.source),
        "duration": round(time.monotonic() - started, 1),
        "cpu_seconds": done.cpu_seconds,
        "log_sha256": digest_of(done.printed + done.log),
    }


def _take_result(build: Build, tree: WorkTree, directory: str) -> PatchFile:
    """Move the result into the directory, and read it. Raises FindingError if it is not what was asked for."""
    refuse_other_patches(build.patches)
    result = shutil.move(os.path.join(tree.out, build.name + ".ko"), directory)
    target = read_target(build.request.oot_module) if build.request.oot_module else None
    patch_file = with_changes(
        read_patch_file(result, build.dest),
        replace=build.replace,
        kernel_build_id=build.vmlinux.build_id,
        made_for=(target,) if target else (),
    )
    refuse_other_release(patch_file, build.release, "the vmlinux")
    return patch_file


def _command(build: Build, tree: WorkTree, targets: tuple[str, ...]) -> list[str]:
    request = build.request
    command = [build.tool.path, "-s", tree.source, "-c", os.path.join(tree.source, ".config")]
    command += ["-v", tree.vmlinux_for(build.vmlinux, build.release)]
    command += ["-o", tree.out, "-n", build.name, "-j", str(request.jobs or os.cpu_count() or 1)]
    for target in targets if targets != WHOLE else ():
        command += ["-t", target]
    if request.oot_module:
        command += ["--oot-module", request.oot_module, "--oot-module-src", tree.source]
    command += _flags(build)
    command += ["-d"] * request.debug
    return command + [os.path.realpath(patch.path) for patch in build.patches]


def _environment(build: Build, tree: WorkTree) -> dict[str, str]:
    decides = _environment_that_decides(build, dict(build.request.env))
    return {**environment(build.named.suffix, tree.path, decides), "CACHEDIR": tree.kpatch}


@dataclass(frozen=True)
class _Done:
    """A run of kpatch-build that ended well. `objects` is how many objects of the original source it compiled."""

    command: list[str]
    printed: str
    log: str
    cpu_seconds: float
    objects: int


def _run(build: Build, tree: WorkTree, targets: tuple[str, ...], started: float, reporter: Reporter) -> _Done:
    """Run kpatch-build. Raises BuildError if it fails, or runs longer than the timeout from `started` on."""
    for directory in (tree.kpatch, tree.out):
        shutil.rmtree(directory, ignore_errors=True)
        # What kpatch-build writes may show values of the environment.
        os.makedirs(directory, mode=0o700)
    hide = hidden.hider(dict(build.request.env), (*MAKE_VARIABLES, *build.tool.variables))
    log = RunningLog(os.path.join(tree.kpatch, "build.log"), hide)
    whole = targets == WHOLE

    def on_line(raw: str) -> None:
        line = hide(raw)
        stage = announced_stage(line)
        if stage is not None:
            reporter.stage(str(stage))
            if stage == Stage.PATCHED and whole:
                log.read()
                objects_of_the_original.append(log.objects)
                tree.store_symvers()
        if "ed function: " in line or "new function: " in line or line.startswith("Patched objects:"):
            reporter.line(line)

    def on_tick() -> None:
        log.read()
        reporter.tick(log.objects, tree.objects if whole else None)

    objects_of_the_original: list[int] = []
    command = _command(build, tree, targets)
    left = build.request.timeout - (time.monotonic() - started)
    cpu = cpu_seconds()
    try:
        rc, printed = run_long(command, _environment(build, tree), left, on_line, on_tick)
    except TimedOut as error:
        log.read()
        raise took_too_long(
            "kpatch-build",
            build.request.timeout,
            cmd=command,
            log=keep_log(build.request.cache_dir, build.name, build.release, log.text),
        ) from error
    finally:
        log.read()
        # What the log shows is in the one that is kept, without values of the environment. kpatch-build writes down all
        # variables (save_env), and leaves that file where it is killed, or debugged.
        for path in (log.path, os.path.join(tree.kpatch, "tmp", "kpatch-build.env")):
            with contextlib.suppress(OSError):
                os.unlink(path)
    printed = hide(printed)
    if rc != 0:
        kept = keep_log(build.request.cache_dir, build.name, build.release, printed + log.text)
        raise failed_build(Failed("kpatch-build", rc, printed, log.text, kept), command)
    return _Done(
        command=command,
        printed=printed,
        log=log.text,
        cpu_seconds=round(cpu_seconds() - cpu, 1),
        objects=max(objects_of_the_original, default=0),
    )
