# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the builders of source patches share while they build: the lock, the environment, the log, the last checks."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config, changed_options
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.source_patch import (
    SourcePatch,
    read_source_patch,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.work_tree import WorkTree
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import Reporter


def environment(suffix: str, folder: str, decides: t.Mapping[str, str]) -> dict[str, str]:
    """The environment of a build in a folder of the cache. `suffix` is the end of the kernel's release.

    `decides` has the variables that decide the result.
    """
    environ = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}
    for name in ("MAKEFLAGS", "MAKELEVEL", "KBUILD_OUTPUT", "O"):
        environ.pop(name, None)
    # scripts/setlocalversion asks git, and the copy has no repository: the suffix comes from the kernel.
    environ["LOCALVERSION"] = suffix
    # Without the map the result would contain the path of the cache.
    environ["KCPPFLAGS"] = f"-fdebug-prefix-map={folder}/="
    environ.update(decides)
    return environ


@contextlib.contextmanager
def lock_of(tree: WorkTree, name: str, reporter: Reporter, timeout: float) -> t.Iterator[None]:
    """Lock the tree for a build of this module. Raises BuildError if another build has it for so many seconds."""
    who = f"the build of {name} by process {os.getpid()}"
    with tree.locked(who, lambda other: reporter.stage(f"waiting for {other}"), timeout) as mine:
        if not mine:
            raise BuildError(
                Finding(
                    reason="timeout",
                    seen=f"Another build of this kernel did not end within {timeout:.0f} s.",
                    remedy="Run the task again later.",
                )
            )
        yield


def took_too_long(program: str, timeout: float, **details: t.Any) -> BuildError:
    return BuildError(
        Finding(
            reason="timeout",
            seen=f"{program} did not end within {timeout:.0f} s.",
            remedy="Give a longer timeout or more jobs.",
        ),
        rc=None,
        **details,
    )


def refuse_other_release(patch_file: PatchFile, release: str, whose: str) -> None:
    """Raise FindingError if the module is for another kernel than the one of this release, which `whose` names."""
    if patch_file.release != release:
        raise FindingError(
            Finding(
                reason="wrong_release",
                seen=f"The module is for {patch_file.release}, and {whose} is of {release}.",
                remedy="Give the source and the configuration that the kernel was built from.",
            ),
        )


def refuse_other_patches(patches: t.Iterable[SourcePatch]) -> None:
    """Raise BuildError if a source patch has changed since `prepare` read it."""
    for patch in patches:
        if read_source_patch(patch.path) != patch:
            raise BuildError(
                Finding(
                    reason="inputs_changed",
                    seen=f"{patch.path} changed during the build.",
                    remedy="Run the task again.",
                )
            )


MOST_OPTIONS = 10


def doubts_of_options(config: Config, source: str) -> list[str]:
    """A warning if the build has configured the kernel otherwise than it is."""
    changed = changed_options(config, source)
    if not changed:
        return []
    more = f" and {len(changed) - MOST_OPTIONS} more" if len(changed) > MOST_OPTIONS else ""
    doubt = (
        f"make has set other options than {config.path}: {', '.join(changed[:MOST_OPTIONS])}{more}. The module may "
        "take the kernel's structures for others than they are. Install what the build host lacks, such as pahole or "
        "rustc, in the versions of the kernel's distribution, and build again."
    )
    return [doubt]


def cpu_seconds() -> float:
    """CPU seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def keep_log(cache_dir: str, name: str, release: str, text: str) -> str | None:
    """Write the log of a failed build of a module for a kernel, and return its path.

    None if it cannot be written, such as on a full disk.
    """
    folder = os.path.join(cache_dir, "logs")
    kernel = re.sub(r"[^A-Za-z0-9._+~-]", "-", release)
    path = os.path.join(folder, f"{name}-{kernel}.log")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="replace", opener=_open_own) as stream:
            stream.write(text)
    except OSError:
        return None
    return path


def _open_own(path: str, flags: int) -> int:
    """Open a file for its user alone. A link or a pipe in its place is an error."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
