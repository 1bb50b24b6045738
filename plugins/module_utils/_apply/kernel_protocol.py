# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What may be asked of a kernel, and told to it: the calls that the real one and the model of the tests both have."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from typing import Protocol

    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.cpus import CpuAnswers
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
        Function,
        Snapshot,
        StallingTask,
    )
    from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
else:
    # Python 3.7 has no typing.Protocol; only mypy needs one.
    Protocol = object


class LogProtocol(Protocol):
    """The kernel's log from one moment on: `lines` are those that were read, `lost` says that others were not."""

    lines: list[str]
    lost: bool

    @property
    def readable(self) -> bool:
        """Whether the log can be read at all."""

    def new_lines(self) -> tuple[str, ...]:
        """Return what the kernel has printed since the last call."""

    def begin(self) -> None:
        """Forget what was printed so far."""


class KernelProtocol(Protocol):
    """One host's kernel. The calls that change it raise OSError with the kernel's errno."""

    @property
    def log(self) -> LogProtocol:
        """The log from the moment on when this object was made."""

    def files(self) -> Files:
        """Return a new reader of the host's files."""

    def snapshot(self) -> Snapshot:
        """Read the host."""

    def load(self, path: str, sha256: str, parameters: str = "") -> None:
        """Insert the module at this path with these parameters (see `_model.parameters`).

        Raises FileChanged if it has another digest.
        """

    def load_target(self, name: str, seconds: float) -> None:
        """Load a module that a patch changes, with its dependencies. Raises OSError; ETIMEDOUT after `seconds`."""

    def unload(self, name: str) -> None:
        """Remove a module, without waiting for those who use it."""

    def write_enabled(self, name: str, value: bool) -> None:
        """Enable or disable a patch; this begins a transition on per_task kernels."""

    def force(self, name: str) -> None:
        """End a transition although tasks are in the way (per_task)."""

    def enabled(self, name: str) -> bool | None:
        """Return what the kernel says of the patch; None if it does not know it."""

    def transition_target(self, name: str) -> bool | None:
        """Return whether the running transition of the patch enables it; None if none is running."""

    def stalling_tasks(self, enabling: bool) -> tuple[StallingTask, ...]:
        """Return the tasks that hold the running transition."""

    def conditions(self, release: str, name: str, functions: t.Iterable[Function]) -> Conditions:
        """Read what preflight asks of the host about these functions."""

    def ask_cpus(self) -> CpuAnswers:
        """Ask every online CPU whether it schedules."""

    def journal(self, line: str) -> None:
        """Leave a line in the host's log."""

    def now(self) -> float:
        """Return the seconds on a clock that never goes back."""

    def sleep(self, seconds: float, waits_for: str) -> None:
        """Let this time pass, and tell whoever watches the run what it waits for."""
