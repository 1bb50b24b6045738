# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The request for a build with kpatch-build, and all that is read and checked before the build."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import (
    kernel_places,
    kernel_source,
    source_checks,
    source_patch,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import (
    Run,
    missing,
    result_path,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain, read_text
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
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.release_name import (
    AS_IT_IS,
    ReleaseName,
    name_release,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_checks import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_patch import (
    SourcePatch,
    try_patches,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.words import (
    ARCHITECTURE,
    PATH,
    TARGET,
    VARIABLE,
    refuse_odd_words,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import checks
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.tool import Tool, find_tool, read_tool
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.versions import lacks_replace
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import own_release


@dataclass(frozen=True)
class Request(PatchRequest):
    """The request, with what only kpatch-build has."""

    targets: tuple[str, ...] = ()
    kpatch_build: str | None = None
    kernel_tree: str | None = None
    """The built tree of the kernel, or of its headers, for a module that is not in the kernel's source."""

    @property
    def vmlinux_path(self) -> str:
        return self.vmlinux or os.path.join(self.source, "vmlinux")


def read_request(params: Plain) -> Request:
    """The request from the module's options, with the usual paths of the files that they leave out."""
    release = params["kernel_release"] or own_release()
    source = params["oot_module_src"] or params["src_dir"] or kernel_places.source_of(release)
    kernel_tree = (params["src_dir"] or kernel_places.build_tree_of(release)) if params["oot_module"] else None
    places = [*kernel_places.vmlinux_places(release), f"{kernel_tree or source}/vmlinux"]
    return Request(
        **options_of(params),
        source=source,
        vmlinux=params["vmlinux"] or first_file(*places),
        config=params["config"] or first_file(*kernel_places.config_places(release, kernel_tree or source)),
        searched=() if params["vmlinux"] else tuple(places),
        targets=tuple(params["targets"]),
        kpatch_build=params["kpatch_build"],
        kernel_tree=kernel_tree,
    )


@dataclass(frozen=True)
class Build(PatchBuild):
    """A request, and what `prepare_build` has read for it."""

    request: Request
    vmlinux: Vmlinux
    tool: Tool

    @property
    def abi(self) -> str:
        return self.config.abi

    @property
    def release(self) -> str:
        return self.vmlinux.release or ""

    @property
    def replace(self) -> bool:
        if self.abi == STOP_MACHINE or lacks_replace(self.release) or not self.tool.sets_replace:
            return False
        return self.request.replace != "no"


def prepare_build(request: Request, run: Run) -> Build:
    """Read everything that the build needs. Raises BuildError where that cannot be read."""
    _refuse_odd_words(request)
    absent = request.missing_files(request.vmlinux_path)
    symbols = f"{request.kernel_tree}/Module.symvers"
    if request.kernel_tree and not os.path.isfile(symbols):
        absent.append(missing(f"{symbols}, which a built tree of the kernel or its headers has,", "src_dir"))
    tool_path = find_tool(request.kpatch_build)
    if tool_path is None:
        absent.append(
            Finding(
                reason="no_kpatch_build",
                seen=f"There is no kpatch-build in {request.kpatch_build or 'PATH'} on the build host "
                f"{os.uname().nodename}.",
                remedy="Install kpatch-build (package kpatch or kpatch-build), or name it with kpatch_build.",
            ),
        )
    if absent or tool_path is None:
        raise refused(absent)
    tool = read_tool(tool_path, run)
    patches = [source_patch.read_source_patch(path) for path in request.patches]
    name = name_of(request.name, request.patches)
    config_path = request.config_path
    config = kernel_source.read_config(config_path)
    vmlinux = kernel_source.read_vmlinux(request.vmlinux_path)
    contents = ((config_path, config), (request.vmlinux_path, vmlinux), *zip(request.patches, patches))
    unread = [unreadable(path) for path, content in contents if content is None]
    if unread or config is None or vmlinux is None:
        raise refused(unread)
    known = tuple(patch for patch in patches if patch is not None)
    compiler_program = f"{request.cross_compile or ''}{'clang' if config.uses_clang else 'gcc'}"
    compiler = compiler_ident(compiler_program, run)
    vmlinux = with_release(vmlinux, request.kernel_release)
    named, found = _look(request, known, config, vmlinux, tool, compiler, compiler_program, run)
    return Build(
        request=request,
        name=name,
        dest=result_path(request.dest, name),
        patches=known,
        config=config,
        vmlinux=vmlinux,
        tool=tool,
        compiler=compiler,
        named=named,
        found=tuple(found),
    )


def _refuse_odd_words(request: Request) -> None:
    """Raise BuildError if something that kpatch-build and make are given may be taken for a command."""
    tool = find_tool(request.kpatch_build)
    paths = {
        "patches": request.patches,
        "vmlinux": [request.vmlinux_path],
        "oot_module": [request.oot_module] if request.oot_module else [],
        "src_dir": [request.kernel_tree] if request.kernel_tree else [],
        "kpatch_build": [tool] if tool else [],
        "cache_dir": [request.cache_dir],
    }
    for option, named in paths.items():
        refuse_odd_words(PATH, option, [os.path.abspath(path) for path in named])
        # kpatch-build resolves links.
        refuse_odd_words(PATH, option, [os.path.realpath(path) for path in named])
    refuse_odd_words(TARGET, "targets", request.targets)
    refuse_odd_words(TARGET, "cross_compile", [request.cross_compile])
    refuse_odd_words(ARCHITECTURE, "arch", [request.arch])
    refuse_odd_words(VARIABLE, "env", [name for name, _value in request.env])


def _look(
    request: Request,
    patches: tuple[SourcePatch, ...],
    config: Config,
    vmlinux: Vmlinux,
    tool: Tool,
    compiler: str | None,
    compiler_program: str,
    run: Run,
) -> tuple[ReleaseName, list[Finding]]:
    """How the kernel's release is made, and every problem."""
    problems = list(checks.check_config(config))
    package = debug_package_here(vmlinux.release or request.release)
    problems += checks.check_debug_info(vmlinux, package, request.kernel_release)
    named: ReleaseName | None = None
    if not request.oot_module:
        version = kernel_source.source_version(request.source)
        local = local_versions(request.source)
        kernel = Kernel(vmlinux.release, vmlinux.path)
        problems += source_checks.check_version(kernel, config, request.source, version, local)
        named = name_release(vmlinux.release, config, version, local)
        script = read_text(os.path.join(request.source, "scripts/setlocalversion"))
        problems += checks.check_tool_for_kernel(tool, config, version, script)
        if not request.targets:
            problems += source_checks.check_certificates(config, request.source)
    problems += checks.check_tool(
        tool, config.abi, vmlinux.release or "", request.replace, request.skip_compiler_check, request.arch
    )
    if not request.skip_compiler_check or compiler is None:
        problems += source_checks.check_compiler(vmlinux, compiler, compiler_program)
    problems += source_checks.check_programs(checks.PROGRAMS, config)
    problems += source_checks.check_patches(patches, try_patches(request.source, patches, run), config)
    problems += check_places(request.cache_dir, request.dest)
    return named or AS_IT_IS, problems
