# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the builders of source patches have in common: the options of a task, what is read for it, and the builder."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, replace
from functools import partial

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildTask, missing
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.cache import prunable, prune
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config, Vmlinux
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.preparation import (
    check_room,
    no_source,
    no_vmlinux,
    refused,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.release_name import ReleaseName
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_index import Index
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_patch import SourcePatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.work_tree import (
    WorkTree,
    origin_content,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import REFUSE, Finding, refusals
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import module_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import own_release
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import Reporter


@dataclass(frozen=True)
class PatchRequest:
    """The options of a task, of the same names (`source` is src_dir). Paths are on the build host."""

    patches: tuple[str, ...]
    source: str
    dest: str
    name: str | None = None
    vmlinux: str | None = None
    config: str | None = None
    jobs: int | None = None
    arch: str | None = None
    cross_compile: str | None = None
    skip_compiler_check: bool = False
    oot_module: str | None = None
    replace: str = "auto"
    debug: int = 0
    env: tuple[tuple[str, str], ...] = ()
    cache_dir: str = "/var/cache/livepatch_build"
    timeout: float = 7200
    cache_max_age: float = 30
    cache_max_size: float = 40
    kernel_release: str | None = None
    searched: tuple[str, ...] = ()
    """Where the vmlinux was looked for, unless the task names it."""

    @property
    def release(self) -> str:
        """The release that the defaults are of. The kernel to build for may tell another one."""
        return self.kernel_release or own_release()

    @property
    def config_path(self) -> str:
        return self.config or os.path.join(self.source, ".config")

    def missing_files(self, vmlinux: str | None) -> list[Finding]:
        """What a task needs and is not there. `vmlinux` is None where none is needed or named."""
        wanted = [(path, "patches") for path in self.patches] + [(self.config_path, "config")]
        wanted += [(vmlinux, "vmlinux")] if vmlinux and not self.searched else []
        # The source comes first: without it, nothing is in its usual place.
        problems = [] if os.path.isdir(self.source) else [no_source(self.source, self.release)]
        problems += [missing(path, option) for path, option in wanted if not os.path.isfile(path)]
        if vmlinux and self.searched and not os.path.isfile(vmlinux):
            problems.append(no_vmlinux(self.searched, self.release))
        return problems


def options_of(params: Plain) -> Plain:
    """The fields of a request that are the module's options as they are."""
    names = ("dest", "name", "jobs", "arch", "cross_compile", "skip_compiler_check", "oot_module", "replace", "debug")
    return {
        **{name: params[name] for name in (*names, "timeout", "cache_max_age", "cache_max_size", "kernel_release")},
        "patches": tuple(params["patches"]),
        "env": tuple(sorted((name, str(value)) for name, value in (params["env"] or {}).items())),
        "cache_dir": os.path.abspath(params["cache_dir"]),
    }


@dataclass(frozen=True)
class PatchBuild:
    """What was read for a request.

    `found` has what would make the build fail, and what may. `named` is how the kernel's release is made.
    """

    name: str
    dest: str
    patches: tuple[SourcePatch, ...]
    config: Config
    compiler: str | None
    named: ReleaseName
    found: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What would make the build fail."""
        return tuple(refusals(self.found))

    @property
    def doubts(self) -> tuple[Finding, ...]:
        """What may."""
        return tuple(finding for finding in self.found if finding.severity != REFUSE)

    @property
    def forces_signatures(self) -> bool:
        return self.config.forces_signatures

    @property
    def release_in_tree(self) -> t.Any:
        """What tells apart the trees in which releases are made in other ways, as plain data."""
        return self.named.suffix if self.named.base is None else list(self.named)

    @property
    def added_files(self) -> list[str]:
        return [change.new for patch in self.patches for change in patch.changes if change.new and not change.old]


def with_release(vmlinux: Vmlinux, release: str | None) -> Vmlinux:
    """The vmlinux. Where it is debug information alone, which does not tell the release, it is of this one."""
    if vmlinux.release is None and vmlinux.is_debug_only:
        return replace(vmlinux, release=release)
    return vmlinux


def refuse_if_problems(build: PatchBuild, more: t.Iterable[Finding] = ()) -> None:
    """Raise BuildError with every problem that was found, and with more of them."""
    problems = [*build.problems, *more]
    if problems:
        raise refused(problems)


def origin(request: PatchRequest, keep: bool) -> Index:
    """The index of the user's source tree. With `keep` the cache stores it for the next task.

    A module that is not in the kernel's tree may be made of objects that have no source.
    """
    return origin_content(request.cache_dir, request.source, keep, with_objects=bool(request.oot_module))


class PatchBuilder:
    """Builds a live patch from source patches, as `livepatch_build` asks for it.

    `tree_of`, `inputs_of` and `build_module` are of the method: the tree of the cache, the digests of all that decides
    the result, and the build itself.
    """

    def __init__(
        self,
        task: BuildTask,
        request: PatchRequest,
        build: PatchBuild,
        release: str,
        *,
        tree_of: t.Callable[[], WorkTree],
        inputs_of: t.Callable[[Index], Plain],
        build_module: t.Callable[[Index, Plain, str, Reporter], Plain],
    ) -> None:
        self._build, self._request, self._reporter = build, request, task.reporter
        self._tree_of, self._inputs_of, self._build_module = tree_of, inputs_of, build_module
        self._keeps_index = not task.check_mode
        self._content: Index | None = None
        self.name = module_name(build.name)
        self.dest, self.release = build.dest, release
        self.forces_signatures = build.forces_signatures
        self.removed_trees: t.Sequence[Plain] = ()
        self.warnings: t.Sequence[str] = [str(doubt) for doubt in build.doubts]

    def check(self) -> None:
        refuse_if_problems(self._build, self._room())

    def _room(self) -> t.Iterator[Finding]:
        request, own = self._request, self._tree_of()
        freed = partial(prunable, request.cache_dir, own.path, request.cache_max_age, request.cache_max_size)
        return check_room(request.cache_dir, not os.path.isdir(own.source), freed)

    def inputs(self, manifest: Plain | None) -> Plain:
        return self._inputs_of(self._source())

    def build_into(self, directory: str, inputs: Plain) -> Plain:
        request = self._request
        own = self._tree_of().path
        self.removed_trees = prune(request.cache_dir, own, request.cache_max_age, request.cache_max_size)
        return self._build_module(self._source(), inputs, directory, self._reporter)

    def _source(self) -> Index:
        """The index of the source tree. It takes a second to make, and not every task needs it."""
        if self._content is None:
            self._content = origin(self._request, keep=self._keeps_index)
        return self._content
