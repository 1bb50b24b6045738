# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What a builder is: what the driver `build.py` asks of it, what it gets to work with, and its error."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import module_name

if t.TYPE_CHECKING:
    from typing import Protocol

    from ansible_collections.openeuler.livepatch.plugins.module_utils._build.progress import Reporter
else:
    # Python 3.7 has no typing.Protocol; only mypy needs one.
    Protocol = object

Run = t.Callable[[t.List[str]], t.Tuple[int, str, str]]
"""Runs a command: its exit status, standard output and standard error. A program that is missing is status 127."""


class BuildError(FindingError):
    """The build cannot be done, or failed. `details` go into the result as they are."""

    def __init__(self, finding: Finding, **details: t.Any) -> None:
        super().__init__(finding)
        self.details = details


@dataclass(frozen=True)
class BuildTask:
    """What a builder gets: the module's options, how to run short programs, and whom to tell how the build goes."""

    params: Plain
    check_mode: bool
    run: Run
    reporter: Reporter


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

    def check(self) -> None:
        """Raise BuildError with everything that is known to make the build fail. Called before `build_into`."""

    def inputs(self, manifest: Plain | None) -> Plain:
        """Return digests of all that decides the result; the manifest of the last build tells what that one read."""

    def build_into(self, directory: str, inputs: Plain) -> Plain:
        """Build from these inputs into an empty directory; return the manifest of NAME.ko there. Raises BuildError."""


Prepare = t.Callable[[BuildTask], Builder]
"""Reads what a build needs and makes its builder. Raises BuildError where that cannot be read."""


def result_path(dest: str, name: str) -> str:
    """The path of the result: in a directory, or the file that the user names, which must be named like the module."""
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
