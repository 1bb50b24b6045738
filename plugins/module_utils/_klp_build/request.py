# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The request for a build with klp-build, and all that is read and checked before the build."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import (
    kernel_places,
    kernel_source,
    source_checks,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import Run, result_path
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_places import debug_package_here
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config, Vmlinux
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.patch_builder import (
    PatchBuild,
    PatchRequest,
    options_of,
    with_release,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.preparation import (
    check_places,
    compiler_ident,
    first_file,
    local_versions,
    name_of,
    refused,
    unreadable,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.release_name import AS_IT_IS, name_release
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_checks import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_patch import (
    Tried,
    read_source_patch,
    try_patches,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.words import (
    PATH,
    TARGET,
    VARIABLE,
    refuse_odd_words,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._klp_build import checks
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import own_release


@dataclass(frozen=True)
class Request(PatchRequest):
    """The request. `release` is that of the kernel to build for where no vmlinux tells it.

    `vmlinux` is None where the usual places have none: klp-build needs none, it tells which build of a kernel it is.
    """


def is_for(params: t.Mapping[str, t.Any]) -> bool:
    """Whether `method: auto` takes klp-build: kernel and source have it, and the task wants nothing of kpatch-build."""
    if params["kpatch_build"] or params["targets"] or params["oot_module"] or params["arch"] not in (None, "x86_64"):
        return False
    source, config = _source_and_config(params)
    return checks.is_for(source, config)


def _source_and_config(params: t.Mapping[str, t.Any]) -> tuple[str, str]:
    release = params["kernel_release"] or own_release()
    source = params["src_dir"] or kernel_places.source_of(release)
    return source, params["config"] or first_file(*kernel_places.config_places(release, source))


def read_request(params: Plain) -> Request:
    """The request from the module's options, with the usual paths of the files that they leave out."""
    source, config = _source_and_config(params)
    # Not vmlinux of the source: klp-build itself leaves one there, which is of no kernel that runs.
    places = kernel_places.vmlinux_places(params["kernel_release"] or own_release())
    usual = first_file(*places)
    return Request(
        **options_of(params),
        source=source,
        config=config,
        vmlinux=params["vmlinux"] or (usual if os.path.isfile(usual) else None),
        searched=() if params["vmlinux"] else tuple(places),
    )


@dataclass(frozen=True)
class Build(PatchBuild):
    """A request, and what `prepare_build` has read for it. `version` is the source's.

    `tried` has what the patches make of the source: klp-build gets that instead of the patches.
    """

    request: Request
    vmlinux: Vmlinux | None
    version: str
    tried: Tried

    @property
    def kernel(self) -> Kernel:
        return _kernel(self.request, self.vmlinux)

    @property
    def release(self) -> str:
        return self.kernel.release or ""

    @property
    def replace(self) -> bool:
        return self.request.replace != "no"


def _kernel(request: Request, vmlinux: Vmlinux | None) -> Kernel:
    if vmlinux is not None:
        return Kernel(vmlinux.release, vmlinux.path)
    return Kernel(request.release, "the kernel to build for (kernel_release)")


def prepare_build(request: Request, run: Run) -> Build:
    """Read everything that the build needs. Raises BuildError where that cannot be read."""
    _refuse_odd_words(request)
    absent = request.missing_files(request.vmlinux)
    if absent:
        raise refused(absent)
    name = name_of(request.name, request.patches)
    patches = [read_source_patch(path) for path in request.patches]
    config = kernel_source.read_config(request.config_path)
    vmlinux = kernel_source.read_vmlinux(request.vmlinux) if request.vmlinux else None
    contents: list[tuple[str, t.Any]] = [(request.config_path, config), *zip(request.patches, patches)]
    contents += [(request.vmlinux, vmlinux)] if request.vmlinux else []
    if vmlinux is not None:
        # The usual places are named by the release.
        vmlinux = with_release(vmlinux, request.release if request.searched else request.kernel_release)
    unread = [unreadable(path) for path, content in contents if content is None]
    if unread or config is None:
        raise refused(unread)
    known = tuple(patch for patch in patches if patch is not None)
    version = kernel_source.source_version(request.source)
    compiler_program = f"{request.cross_compile or ''}{'clang' if config.uses_clang else 'gcc'}"
    compiler = compiler_ident(compiler_program, run)
    kernel = _kernel(request, vmlinux)
    local = local_versions(request.source)
    named = name_release(kernel.release, config, version, local) or AS_IT_IS
    tried = try_patches(request.source, known, run)
    found = [
        *checks.check_options(request.arch, request.oot_module),
        *checks.check_config(config),
        *checks.check_source(request.source),
        *_check_vmlinux(request, vmlinux),
        *source_checks.check_version(kernel, config, request.source, version, local),
        *checks.check_suffix(named.suffix),
        *source_checks.check_certificates(config, request.source),
        *_check_compiler(request, config, vmlinux, compiler, compiler_program, run),
        *source_checks.check_programs(checks.PROGRAMS, config),
        *checks.check_bash(run),
        *(checks.check_headers("clang" if config.uses_clang else "gcc", run) if compiler else ()),
        *source_checks.check_patches(known, tried, config),
        *checks.check_changes(tried.changes),
        *check_places(request.cache_dir, request.dest),
    ]
    return Build(
        request=request,
        name=name,
        dest=result_path(request.dest, name),
        patches=known,
        config=config,
        vmlinux=vmlinux,
        compiler=compiler,
        version=version or "",
        tried=tried,
        named=named,
        found=tuple(found),
    )


def _check_vmlinux(request: Request, vmlinux: Vmlinux | None) -> t.Iterator[Finding]:
    if vmlinux is not None:
        yield from source_checks.check_banner(vmlinux, debug_package_here(request.release), request.kernel_release)


def _check_compiler(
    request: Request, config: Config, vmlinux: Vmlinux | None, compiler: str | None, program: str, run: Run
) -> t.Iterator[Finding]:
    if compiler is None:
        yield from source_checks.no_compiler(program)
    elif not request.skip_compiler_check:
        if vmlinux is not None:
            yield from source_checks.check_compiler(vmlinux, compiler, program)
        else:
            yield from checks.check_compiler_of_config(config, program, run)


def _refuse_odd_words(request: Request) -> None:
    """Raise BuildError if something that klp-build and make are given may be taken for a command."""
    for path in (os.path.abspath(request.cache_dir), os.path.realpath(request.cache_dir)):
        refuse_odd_words(PATH, "cache_dir", [path])
    refuse_odd_words(TARGET, "cross_compile", [request.cross_compile])
    refuse_odd_words(VARIABLE, "env", [name for name, _value in request.env])
