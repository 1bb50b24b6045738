# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The program that loads accepted patches at boot, with the same planner and loader as livepatch_module.

It writes a marker to disk before it loads patches, and takes it back when the host has been up for an hour, or shuts
down in order. A boot that finds the marker of an earlier one counts an unclean end of that kernel: the first may have
been a power cut, the second puts the patch that was accepted last into quarantine, the third all. The wall clock is not
asked.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import (
    Acceptance,
    Accepted,
    Damaged,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import FileChanged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import (
    Absent,
    Unreadable,
    known,
    known_or,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    Patience,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import STOP_MACHINE
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import forbids_changes
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.owners import read_owners
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.running_kernel import read_running_kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies, lock, state
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.boot import Marker
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import seconds_since_boot, time_now

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

MOST_OTHERS = 1
"""Of how many other kernels the ends are counted: a boot loader falls back to one, and the marker has one sector."""

HOUR = 3600.0
"""How long a host is on trial after a boot that has loaded patches."""

VMCORE = "/proc/vmcore"
"""There only in the kernel that saves the dump of a crashed one (kdump): it has little memory, and ends without an
orderly shutdown."""


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


NO_BOOT_ID = f"Nobody can tell this boot from another one: {boot_store.BOOT_ID} cannot be read."


def judge(
    acceptance: Acceptance, marker: Marker, running: KernelId, boot_id: str, now: str
) -> tuple[Acceptance, Marker]:
    """What follows from the boot that has left this marker: the acceptance, and the marker of this boot, which begins.

    A boot that loads nothing is not on trial: whatever ends it, no patch has done that. Nor does it acquit one. Where
    nothing is accepted any more for a kernel, nothing is left to be counted.
    """
    last = marker.count
    if marker.boot_id == boot_id:
        return acceptance, marker
    if marker.loads:
        last = replace(last, unclean_ends=last.unclean_ends + 1)
        acceptance = acceptance.after_unclean_end(last.kernel, last.unclean_ends, now)
    elif marker.nothing_left:
        # All that it counted against is in quarantine. What has been accepted since begins anew.
        last = replace(last, unclean_ends=0)
    counts = [count for count in (last, *marker.others) if count.unclean_ends and acceptance.due(count.kernel)]
    here = sum(count.unclean_ends for count in counts if count.kernel == running)
    others = [count for count in counts if count.kernel != running]
    return acceptance, Marker(
        boot_id, running.release, running.build_id, unclean_ends=here, others=tuple(others[:MOST_OTHERS])
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
        earlier = boot_store.read_report(self._files)
        if self._boot_id and earlier.get("boot_id") == self._boot_id:
            # A patch loaded now would cover newer ones, and no unit would wait any more for the host to be healthy.
            return self._tell_again(earlier)
        if self._is_crash_kernel:
            self._say("This kernel saves the dump of a crashed one. It loads nothing, and does not count as a boot.")
            return 0
        acceptance, reason = self._learn()
        if isinstance(acceptance, Damaged):
            self._say(f"Nothing is loaded: {reason}")
            self._report(reason, is_of_store=True)
            return 1
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
        results = [Result(entry.name, SKIPPED, reason) for entry in due] if reason else self._load_all(acceptance, due)
        due = (*due, *ambiguous.values())
        results += [Result(name, SKIPPED, AMBIGUOUS) for name in ambiguous]
        if reason and due:
            self._say(f"Nothing is loaded: {reason}")
        self._report(reason, [replace(result, since=entry.since) for entry, result in zip(due, results)])
        return int(any(result.outcome != ENABLED for result in results))

    def _tell_again(self, report: dict[str, t.Any]) -> int:
        """Say what this boot has loaded, which is not tried again. Returns as `load` did."""
        results = [Result(**result) for result in report["results"]]
        out = [result for result in results if result.outcome != ENABLED]
        if not (report["nothing"] or out):
            self._say("This boot has loaded what is accepted already; use livepatch_module for what has changed since.")
            return 0
        if report["nothing"]:
            self._say(f"This boot has loaded nothing: {report['nothing']}")
        for result in out:
            self._say(str(result))
        self._say("A boot tries once. Mend that, then use livepatch_module.")
        return int(bool(out) or report["of_store"] is True)

    @property
    def _is_crash_kernel(self) -> bool:
        return not isinstance(self._files.inode(VMCORE), Absent)

    def _report(self, nothing: str, results: t.Sequence[Result] = (), is_of_store: bool = False) -> None:
        boot_store.write_report(
            self._files,
            {
                "boot_id": self._boot_id,
                "nothing": nothing,
                "of_store": is_of_store,
                "results": list(map(vars, results)),
            },
        )

    def _learn(self) -> tuple[Acceptance | Damaged, str]:
        """What is accepted, with what follows from the last boot; and why nothing may be loaded, "" if it may.

        What cannot be written down keeps all patches out: the next boot would not know how this one ended.
        """
        if not self._boot_id:
            acceptance = boot_store.read(self._files)
            return acceptance, acceptance.why if isinstance(acceptance, Damaged) else NO_BOOT_ID
        try:
            with lock.lock(self._files, LOCK_SECONDS):
                return self._judge_last_boot()
        except (OSError, lock.Locked) as error:
            acceptance = boot_store.read(self._files)
            why = acceptance.why if isinstance(acceptance, Damaged) else ""
            return acceptance, why or f"That this boot loads patches cannot be noted on disk: {error}."

    def _judge_last_boot(self) -> tuple[Acceptance | Damaged, str]:
        """The same, written to disk. Raises OSError, and has changed nothing then."""
        before = boot_store.read(self._files)
        if isinstance(before, Damaged):
            return before, before.why
        reading = boot_store.read_marker(self._files)
        if isinstance(reading, Unreadable) and not state.is_foreign(reading):
            # Each boot would begin to count anew, and none ever come to two.
            raise OSError(f"{reading.path} cannot be read ({reading.reason})")
        # What is damaged tells nothing of the boots before the last one, and may be of one that did not end well.
        damaged = Marker("damaged", self._running.release, self._running.build_id, loads=True)
        earlier = Marker() if isinstance(reading, Absent) else known_or(reading, damaged)
        acceptance, marker = judge(before, earlier, self._running, self._boot_id, time_now())
        reason = f"{OFF} is on the kernel's command line." if self._is_off else ""
        is_left = bool(acceptance.loaded_at(self._running))
        nothing_left = not is_left and bool(acceptance.due(self._running))
        marker = replace(marker, loads=is_left and not reason, nothing_left=nothing_left)
        if earlier.loads and earlier.boot_id != self._boot_id:
            ends = earlier.unclean_ends + 1
            self._say(f"The last boot had no clean end within an hour; that makes {ends} in a row.")
        if any(one.loads or one.unclean_ends or one.others for one in (marker, earlier)):
            boot_store.write_marker(self._files, marker)
        try:
            if acceptance != before:
                boot_store.write(self._files, acceptance)
        except OSError:
            # This boot loads nothing, and the next one judges the last one anew.
            boot_store.write_marker(self._files, earlier)
            raise
        return acceptance, reason

    @property
    def _is_off(self) -> bool:
        return OFF in known_or(self._files.text("/proc/cmdline"), "").split()

    def _load_all(self, acceptance: Acceptance, due: t.Iterable[Accepted]) -> list[Result]:
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
                result = self._load_guarded(entry)
                if result.outcome == ENABLED:
                    self._note_displaced(entry, acceptance)
            self._say(str(result))
            results.append(result)
        return results

    def _load_guarded(self, entry: Accepted) -> Result:
        try:
            return self._load_one(entry)
        # Whatever is wrong with one patch, the others are loaded.
        # pylint: disable-next=broad-except
        except Exception as error:
            return Result(entry.name, FAILED, f"{type(error).__name__}: {error}")

    def _load_one(self, entry: Accepted) -> Result:
        try:
            file = state.patch_file(entry.patch_file)
        except state.MISFITS:
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
            if patch:
                copies.note_boot(self._files, patch)
            copy = known(copies.read(self._files, entry.name))
            if patch and copy and copy.file and superseded:
                copies.note(self._files, patch, copy.file, self._displaced(entry, acceptance), copy.proven)
        except (OSError, FileChanged, *state.MISFITS) as error:
            names = ", ".join(other.name for other in superseded)
            self._say(f"Reverting {entry.name} will not bring back {names}, which it had superseded: {error!r}.")

    def _displaced(self, entry: Accepted, acceptance: Acceptance) -> tuple[Displaced, ...]:
        """What a patch had superseded, and what that had, with copies of the files.

        Raises OSError, FileChanged; one of MISFITS for a file that another version has described.
        """
        displaced = []
        for other in acceptance.superseded_by(entry):
            path = self._files.path(boot_store.file_path(other.name, other.sha256))
            copies.store(self._files, other.name, path, other.sha256)
            file = state.patch_file(other.patch_file)
            displaced.append(Displaced(other.name, True, file, displaced=self._displaced(other, acceptance)))
        return tuple(displaced)

    def settle(self, after: float = 0.0) -> int:
        """Set the count of unclean ends back, if the host has been up for so many seconds. Raises OSError."""
        if self._is_crash_kernel:
            return 0
        uptime = seconds_since_boot()
        if uptime < after:
            self._say(f"The host has been up for {uptime:.0f} s: it is on trial until it has been for {after:.0f} s.")
            return 0
        if not self._boot_id:
            self._say(NO_BOOT_ID)
            return 1
        marker = boot_store.read_marker(self._files)
        if isinstance(marker, Absent) or (known(marker) or Marker(self._boot_id)).boot_id != self._boot_id:
            # No boot that has loaded patches, or an earlier one, which only a boot judges.
            return 0
        before = known(marker)
        if before is None or before.loads:
            others = before.others if before else ()
            clean = Marker(self._boot_id, self._running.release, self._running.build_id, others=others)
            boot_store.write_marker(self._files, clean)
        return 0
