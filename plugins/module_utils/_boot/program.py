# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The program that loads accepted patches at boot, with the same planner and loader as livepatch_module.

It loads no patch again that took the host down at an earlier boot. It writes a marker to disk before it loads a patch;
a boot that finds the marker of an earlier one does not load the patches that the marker names.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
    Quarantined,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known, known_or
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    Patience,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    SERIOUS_TAINTS,
    STOP_MACHINE,
    troubles,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import forbids_changes
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.owners import read_owners
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import read_running_kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, lock
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.boot import Marker
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import time_now

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

OFF = "livepatch=off"
"""With this word on the kernel's command line the program loads nothing."""

ENABLED = "enabled"

FAILED = "failed"

QUARANTINED = "quarantined"

SKIPPED = "skipped"

AMBIGUOUS = "Builds of it are accepted for several builds of the kernel, and nothing tells which of them runs."

PATIENCE = Patience(timeout=50.0)
"""The rest of the boot waits as long as this. It is some times the 15 s after which the kernel wakes the tasks that
stall a transition (kernel/livepatch/transition.c, SIGNALS_TIMEOUT), since a booting machine is busy."""

LOCK_SECONDS = 30.0


@dataclass(frozen=True)
class Result:
    """The outcome for one accepted patch: one of the four words above, and the reason as a sentence.

    `since` is when the patch was accepted, which tells whether it was accepted anew after the boot.
    """

    name: str
    outcome: str
    why: str = ""
    since: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}{f'. {self.why}' if self.why else ''}"


def judge(acceptance: Acceptance, marker: Marker | None, boot_id: str, now: str) -> Acceptance:
    """The acceptance with what follows from the boot before this one, whose marker is given (None: it was healthy).

    The patch that it was loading when it went down is quarantined, as of the time `now`. If it was loading none at that
    moment, all patches that it had loaded are: any of them may have been the cause.
    """
    if marker is None:
        return acceptance if acceptance.is_held else replace(acceptance, unhealthy_boots=0)
    if marker.boot_id == boot_id:
        return acceptance
    suspects = [marker.loading] if marker.loading else marker.loaded
    why = (
        "The host went down while it was being loaded at boot."
        if marker.loading
        else "The host went down, or got into trouble, soon after it had been loaded at boot."
    )
    new = [
        Quarantined(entry.name, entry.sha256, entry.release, now, why)
        for entry in acceptance.accepted
        if entry.sha256 in suspects and acceptance.quarantine_of(entry.sha256) is None
    ]
    return replace(
        acceptance,
        quarantined=(*acceptance.quarantined, *new),
        unhealthy_boots=acceptance.unhealthy_boots + 1,
    )


def _stays_out(superseded: t.Sequence[Accepted]) -> str:
    """A sentence which says that the superseded patches are not loaded instead; empty if there are none.

    Somebody has taken them out, perhaps because they did harm.
    """
    if not superseded:
        return ""
    names = ", ".join(entry.name for entry in superseded)
    return f" What it had superseded is not loaded either, unless it is accepted again: {names}."


class Boot:
    """One boot of one host. `kernel` makes a kernel object, whose log begins at that moment; `say` prints a line."""

    def __init__(self, kernel: t.Callable[[], KernelProtocol], say: t.Callable[[str], None]) -> None:
        self._kernel = kernel
        self._files: Files = kernel().files()
        self._say = say
        self._boot_id = known_or(self._files.text(boot_store.BOOT_ID), "")
        release, marks = read_running_kernel(self._files)
        self._running = KernelId(release, known(marks.build_id))
        self._left_alone = ""

    def load(self) -> int:
        """Load the patches accepted for the running kernel, once in a boot. Returns 0 if all are enabled, else 1."""
        if boot_store.read_report(self._files).get("boot_id") == self._boot_id:
            # A patch loaded now would cover newer ones, and no unit would wait any more for the host to be healthy.
            self._say("This boot has loaded what is accepted already; use livepatch_module for what has changed since.")
            return 0
        acceptance, problem = self._learn()
        due = acceptance.due(self._running)
        ambiguous = {entry.name: entry for entry in acceptance.ambiguous(self._running)}
        for entry in acceptance.lost(self._running):
            if entry.name in ambiguous:
                self._say(f"{entry.name}: {SKIPPED}. {AMBIGUOUS}")
                continue
            self._say(
                f"{entry.name} is accepted for the kernel {entry.kernel}, and nothing of that name for the running "
                f"{self._running}: the host may have lost this fix."
            )
        reason = problem or self._why_nothing(acceptance)
        results = [Result(entry.name, SKIPPED, reason) for entry in due] if reason else self._load_all(acceptance, due)
        due = (*due, *ambiguous.values())
        results += [Result(name, SKIPPED, AMBIGUOUS) for name in ambiguous]
        if reason and (due or acceptance.damaged):
            self._say(f"Nothing is loaded: {reason}")
        boot_store.write_report(
            self._files,
            {
                "boot_id": self._boot_id,
                "nothing": reason,
                "of_store": bool(acceptance.damaged or acceptance.is_held),
                "results": [vars(replace(result, since=entry.since)) for entry, result in zip(due, results)],
            },
        )
        return int(bool(acceptance.damaged) or any(result.outcome != ENABLED for result in results))

    def _learn(self) -> tuple[Acceptance, str]:
        """The acceptance with what follows from the last boot; and a sentence if that could not be written, else "".

        If it could not be written, nothing may be loaded: the next boot would not know of the last one.
        """
        try:
            with lock.lock(self._files, LOCK_SECONDS):
                return self._judge_last_boot(), ""
        except (OSError, lock.Locked) as error:
            return boot_store.read(self._files), f"What follows from the last boot cannot be kept: {error}."

    def _judge_last_boot(self) -> Acceptance:
        before = boot_store.read(self._files)
        if before.damaged:
            return before
        marker = self._earlier_marker(before)
        acceptance = judge(before, marker, self._boot_id, time_now())
        if acceptance != before:
            boot_store.write(self._files, acceptance)
        if marker and marker.boot_id != self._boot_id:
            self._say(f"The last boot did not end well; {acceptance.unhealthy_boots} in a row.")
            boot_store.remove_marker(self._files)
        return acceptance

    def _earlier_marker(self, acceptance: Acceptance) -> Marker | None:
        try:
            return boot_store.read_marker(self._files)
        except boot_store.Damaged:
            # The marker named some of these.
            due = tuple(entry.sha256 for entry in acceptance.due(self._running))
            return Marker("damaged", self._running.release, 0, loaded=due)

    def _why_nothing(self, acceptance: Acceptance) -> str:
        if acceptance.damaged:
            return acceptance.damaged
        if OFF in known_or(self._files.text("/proc/cmdline"), "").split():
            return f"{OFF} is on the kernel's command line."
        if acceptance.is_held:
            return (
                f"{acceptance.unhealthy_boots} boots in a row did not end well. Accept a patch, or take one out, with "
                "livepatch_module to try again."
            )
        return ""

    def _load_all(self, acceptance: Acceptance, due: t.Iterable[Accepted]) -> list[Result]:
        taint = known_or(self._files.number("/proc/sys/kernel/tainted"), 0)
        marker = Marker(self._boot_id, self._running.release, taint)
        owners = read_owners(self._files, self._running.release)
        results = []
        for entry in due:
            quarantine = acceptance.quarantine_of(entry.sha256)
            if quarantine:
                result = Result(
                    entry.name, QUARANTINED, f"{quarantine.why}{_stays_out(acceptance.superseded_by(entry))}"
                )
            elif self._left_alone:
                result = Result(entry.name, SKIPPED, self._left_alone)
            elif entry.name in owners:
                result = Result(entry.name, SKIPPED, f"It is managed by {owners[entry.name]}.")
            else:
                result, marker = self._load_guarded(entry, marker)
                if result.outcome == ENABLED:
                    self._note_displaced(entry, acceptance)
            self._say(str(result))
            results.append(result)
        return results

    def _load_guarded(self, entry: Accepted, marker: Marker) -> tuple[Result, Marker]:
        """Load one patch, with the marker on disk before it is touched."""
        try:
            boot_store.write_marker(self._files, replace(marker, loading=entry.sha256))
        except OSError as error:
            return Result(entry.name, FAILED, f"Its marker could not be written: {error.strerror}."), marker
        try:
            result = self._load_one(entry)
        # Whatever is wrong with one patch, the others are loaded.
        # pylint: disable-next=broad-except
        except Exception as error:
            result = Result(entry.name, FAILED, f"{type(error).__name__}: {error}")
        if result.outcome == ENABLED:
            marker = replace(marker, loaded=(*marker.loaded, entry.sha256))
        if not marker.loaded:
            # A boot without patches can go wrong as well, but not because of them.
            boot_store.remove_marker(self._files)
            return result, marker
        try:
            boot_store.write_marker(self._files, marker)
        except OSError:
            # A marker that still names the patch as being loaded would put it in quarantine.
            boot_store.remove_marker(self._files)
        return result, marker

    def _load_one(self, entry: Accepted) -> Result:
        try:
            file = PatchFile.from_dict(entry.patch_file)
        except (KeyError, TypeError):
            return Result(entry.name, FAILED, "Its record was written by another version of the collection.")
        # Early at boot the modules that it patches may not be loaded yet. A per_task kernel patches them when they are.
        needs_modules = file.abi == STOP_MACHINE or bool(file.depends)
        task = Task(
            Wanted(entry.name, State.ENABLED, file, load_targets=needs_modules),
            self._files.path(boot_store.file_path(entry.name, entry.sha256)),
            patience=PATIENCE,
            verification=Verification(warnings=False),
            ignore=entry.ignore,
        )
        result = manage(task, self._kernel())
        if forbids_changes(result):
            self._left_alone = f"The kernel must not be changed any more: {result['cause']}"
        # A run of this program that was interrupted may have loaded it, and then what is accepted above it.
        if result.get("failed") and (result["reason"], result["state"]) != ("covered", "enabled"):
            return Result(entry.name, FAILED, str(result["msg"]))
        return Result(entry.name, ENABLED)

    def _note_displaced(self, entry: Accepted, acceptance: Acceptance) -> None:
        """Record what the loaded patch had superseded before the reboot, so that reverting it enables that again."""
        superseded = acceptance.superseded_by(entry)
        try:
            patch = self._kernel().snapshot().patch(entry.name)
            copy = known(copies.read(self._files, entry.name))
            if patch and copy and copy.file and superseded:
                copies.note(self._files, patch, copy.file, self._displaced(entry, acceptance), copy.proven)
        except (OSError, FileChanged, KeyError, TypeError) as error:
            names = ", ".join(other.name for other in superseded)
            self._say(f"Reverting {entry.name} will not bring back {names}, which it had superseded: {error!r}.")

    def _displaced(self, entry: Accepted, acceptance: Acceptance) -> tuple[Displaced, ...]:
        """What a patch had superseded, and what that had, with copies of the files.

        Raises OSError, FileChanged; KeyError and TypeError for a file that another version has described.
        """
        displaced = []
        for other in acceptance.superseded_by(entry):
            path = self._files.path(boot_store.file_path(other.name, other.sha256))
            copies.store(self._files, other.name, path, other.sha256)
            file = PatchFile.from_dict(other.patch_file)
            displaced.append(Displaced(other.name, True, file, displaced=self._displaced(other, acceptance)))
        return tuple(displaced)

    def settle(self) -> int:
        """Remove the marker, unless the kernel got into serious trouble since patches were loaded: returns 1 then."""
        try:
            marker = boot_store.read_marker(self._files)
        except boot_store.Damaged as error:
            self._say(f"{boot_store.MARKER} cannot be read: {error}.")
            return 1
        if marker is None or marker.boot_id != self._boot_id:
            return 0
        if marker.loading:
            self._say("The loading of a patch did not end: the next boot does not load it.")
            return 1
        taint = known_or(self._files.number("/proc/sys/kernel/tainted"), 0)
        trouble = troubles(taint & ~marker.taint & SERIOUS_TAINTS)
        if trouble:
            self._say(
                f"The kernel has had {' and '.join(trouble)} since patches were loaded at boot: "
                "the next boot does not load them."
            )
            return 1
        boot_store.remove_marker(self._files)
        if marker.loaded:
            self._say("The host is healthy with the patches that were loaded at boot.")
        return 0


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, and return the exit status."""
    asked_to_end = threading.Event()
    parser = argparse.ArgumentParser(prog="openeuler-livepatch", description="Loads accepted live patches at boot.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True
    commands.add_parser("load", help="load what is accepted for the running kernel")
    healthy = commands.add_parser("healthy", help="say that the boot was healthy, if it was")
    healthy.add_argument("--after", type=float, default=0.0, metavar="SECONDS", help="how long to wait before")
    options = parser.parse_args(arguments)
    try:
        if options.command == "load":
            return Boot(Kernel, _say).load()
        # A clean shutdown asks for the end: a host that gets that far was healthy.
        signal.signal(signal.SIGTERM, lambda _number, _frame: asked_to_end.set())
        asked_to_end.wait(options.after)
        return Boot(Kernel, _say).settle()
    except (OSError, lock.Locked) as error:
        _say(str(error))
        return 1


def _say(text: str) -> None:
    sys.stdout.write(f"openeuler-livepatch: {text}\n")
    sys.stdout.flush()
