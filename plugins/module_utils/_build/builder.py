# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The interface of a builder: its methods, which `build.py` calls, what it gets for a task, and its error."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import module_name

if t.TYPE_CHECKING:
    from typing import Protocol

    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import Reporter
else:
    # Python 3.7 has no typing.Protocol; only mypy needs one.
    Protocol = object

Run = t.Callable[[t.List[str]], t.Tuple[int, str, str]]
"""Runs a command, and returns exit status, standard output and error. The status of a missing program is 127."""


class BuildError(FindingError):
    """The build cannot be done, or failed. `details` go into the result as they are."""

    def __init__(self, finding: Finding, **details: t.Any) -> None:
        super().__init__(finding)
        self.details = details


@dataclass(frozen=True)
class BuildTask:
    """What a builder gets for a task: the options, a function that runs short programs, the reporter of progress."""

    params: Plain
    check_mode: bool
    run: Run
    reporter: Reporter


def missing(what: str, option: str) -> Finding:
    """The finding that a file which a task names is not on this host. `what` begins the sentence."""
    return Finding(
        reason="no_such_file",
        seen=f"{what} does not exist on the build host {os.uname().nodename}.",
        remedy=f"Correct {option}, or copy the file there first.",
    )


class Builder(Protocol):
    """Builds one live patch by one method. The driver decides whether to build, signs, and puts the result in place."""

    name: str
    """The module's name as the kernel shows it."""
    dest: str
    """The path of the result."""
    release: str
    """The kernel release that the result is for."""
    forces_signatures: bool
    """Whether that kernel loads signed modules only."""
    warnings: t.Sequence[str]
    """What may make the build fail, in sentences."""
    removed_trees: t.Sequence[Plain]
    """After the build, what it has removed from the cache: see cache.py."""

    def check(self) -> None:
        """Raise BuildError with all that is known to make the build fail. `build.py` calls this before `build_into`."""

    def inputs(self, manifest: Plain | None) -> Plain:
        """Return digests of all that decides the result. `manifest` is of the last build, and has what that read."""

    def build_into(self, directory: str, inputs: Plain) -> Plain:
        """Build from these inputs into an empty directory; return the manifest of NAME.ko there. Raises BuildError."""


Prepare = t.Callable[[BuildTask], Builder]
"""Reads what a build needs, and returns its builder. Raises BuildError if something cannot be read."""


def result_path(dest: str, name: str) -> str:
    """The path of the result: in the directory `dest`, or `dest` itself. Raises BuildError if its name is wrong."""
    if os.path.isdir(dest) or dest.endswith("/"):
        return os.path.join(dest, name + ".ko")
    if module_name(dest) != module_name(name) or not dest.endswith(".ko"):
        raise BuildError(
            Finding(
                reason="bad_dest",
                seen=f"dest {dest} is neither a directory nor a file named {name}.ko.",
                remedy="Correct dest or name.",
            ),
        )
    return dest
