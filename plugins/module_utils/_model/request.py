# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What one task asks for: the wanted state, how patiently, how it is verified, with which file."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.word import Word


class State(Word):
    """What the wanted patch is to be."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    PRESENT = "present"
    ABSENT = "absent"
    REVERTED = "reverted"


class OnCovered(Word):
    """What to do where the order of patches on a function matters."""

    REFUSE = "refuse"
    UNSTACK = "unstack"
    ALLOW = "allow"


class OnStall(Word):
    """What to do about a transition that does not end in time."""

    ROLL_BACK = "roll_back"
    WAIT = "wait"
    REPORT = "report"
    FORCE = "force"


class AtBoot(Word):
    """Whether the next boots load the patch again."""

    TRIAL = "trial"
    ACCEPTED = "accepted"


CONTAINED = "contained"
"""In `supersedes`: every loaded patch whose functions are all replaced by the wanted one."""


@dataclass(frozen=True)
class Build:
    """A build that a task names without its file. `parameters` are what it is loaded with, None if it does not say."""

    identity: Identity
    parameters: t.Mapping[str, t.Any] | None = field(default=None, hash=False)


@dataclass(frozen=True)
class Wanted:
    """What the user asks for. `file` is the patch file given with the task, None if only a name was given.

    `builds` are the builds that the task is about, None if it does not say.
    `on_covered` says what to do where the order of patches on a function matters, `supersedes` which patches go
    when this one is enabled (names, or CONTAINED), `force_owner` that patches of other tools may be touched,
    `load_targets` that modules which the patch needs are loaded first, `boot` whether it is loaded again at boot
    (None leaves that as it is). `fix` is what the patch fixes, None if neither the task nor its file says it.
    """

    name: str
    state: State
    file: PatchFile | None = None
    reload: bool = False
    on_covered: OnCovered = OnCovered.REFUSE
    supersedes: tuple[str, ...] = ()
    force_owner: bool = False
    load_targets: bool = False
    boot: AtBoot | None = None
    builds: tuple[Build, ...] | None = None
    fix: Fix | None = None


ROLLBACK_SECONDS = 60.0
"""The least time that rolling back may take: it matters more than a short timeout of the user's."""

ROLLBACK_RETRIES = 30
"""Likewise for functions that are busy, with a second between two tries."""


@dataclass(frozen=True)
class Patience:
    """How long to try: `timeout` seconds for a transition, `retries` more tries `delay` seconds apart if busy.

    `on_stall` says what happens when the timeout has passed.
    """

    timeout: float = 60.0
    retries: int = 10
    delay: float = 1.0
    on_stall: OnStall = OnStall.ROLL_BACK

    @property
    def for_rollback(self) -> Patience:
        return Patience(max(self.timeout, ROLLBACK_SECONDS), max(self.retries, ROLLBACK_RETRIES), max(self.delay, 1.0))


@dataclass(frozen=True)
class Probe:
    """What shows the effect of a patch: a command's output, or a file's content.

    It holds if `expect` matches and `reject` does not; with neither, if the command returns 0.
    `retries` more tries are made, a second apart; a command may take `timeout` seconds.
    """

    argv: tuple[str, ...] = ()
    path: str | None = None
    expect: str | None = None
    reject: str | None = None
    retries: int = 0
    timeout: float = 10.0

    def __str__(self) -> str:
        conditions = [f"expect '{self.expect}'"] if self.expect is not None else []
        conditions += [f"reject '{self.reject}'"] if self.reject is not None else []
        return f"{self.path or ' '.join(self.argv)} ({', '.join(conditions) or 'return code 0'})"


@dataclass(frozen=True)
class Verification:
    """How to prove a result. `watch` seconds pass before the kernel's log is read a last time.

    `warnings` says whether a warning of the kernel counts as trouble: at boot those of drivers come at any time.
    """

    text: bool = False
    probe: Probe | None = None
    watch: float = 0.0
    warnings: bool = True


@dataclass(frozen=True)
class Task:
    """The arguments of one task.

    `file_path` is where its file lies on the host; None if it was not sent. `delivered` says that Ansible has put
    it there for this task only. `packed` is the file itself (`_patch_file.packed`) where it came with the arguments.
    With `only_if_settled` nothing is done if something is to be done: a job does it then, which can be watched.
    `ignore` names the checks whose refusals are only warned about.
    """

    wanted: Wanted
    file_path: str | None = None
    delivered: bool = False
    packed: str | None = field(default=None, repr=False)
    only_if_settled: bool = False
    patience: Patience = field(default_factory=Patience)
    check_mode: bool = False
    verification: Verification = field(default_factory=Verification)
    ignore: tuple[str, ...] = ()
