# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Proves that an enabled patch has its effect, and that the kernel has no trouble since it was enabled."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import HandsOff, Proof, StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Probe, Verification
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import KERNEL_TROUBLE, reboot_remedy
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.probe import holds
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.text_proof import prove_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.trouble import (
    KERNEL,
    ROOT,
    USER,
    Counts,
    find,
)

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol

PROBE_SECONDS = 1.0
"""Between two runs of a probe."""

LOG_SECONDS = 1.0
"""Between two reads of the kernel's log while it is watched."""


class Prover:
    """Proves the result of one run for the patch `name`.

    `before` is the host before the run. `since` is the event after which trouble counts, as messages name it.
    """

    def __init__(
        self, kernel: KernelProtocol, name: str, before: Snapshot, verification: Verification, since: str
    ) -> None:
        self._kernel = kernel
        self._name = name
        self._before = before
        self._verification = verification
        self._since = since
        self._counts_before = replace(self._read_counts(), taint=before.taint)
        self._taint: int | None = None
        self._trouble = ""
        self._besides: tuple[str, ...] = ()
        self._owners: dict[str, str] = {}

    @property
    def trouble(self) -> str:
        """The trouble for which the kernel must be left alone; empty if there is none."""
        return self._trouble

    @property
    def taint(self) -> int | None:
        """The kernel's taint when the result was proven; None if that is not known."""
        return self._taint

    def prove(self, after: Snapshot, prove_state: t.Callable[[], Snapshot] | None = None) -> tuple[Proof, ...]:
        """Return the proofs of the result, `after` being the host now. Raises StepFailed if one fails.

        `prove_state` proves the state once more, if the other proofs have taken time.
        """
        proofs = [Proof("state", True, "The kernel shows every patch and function as planned.")]
        self._check_trouble()
        if self._verification.text:
            proofs.append(prove_text(self._kernel, self._name, after))
        if self._verification.probe:
            proofs.append(self._probe(self._verification.probe, after))
        left = self._verification.watch
        while left > 0:
            # The kernel overwrites its log: what nobody has read in time is lost.
            self._kernel.sleep(min(left, LOG_SECONDS), f"watching the kernel, {left:g} s are left")
            left -= LOG_SECONDS
            self._check_trouble()
        self._check_trouble()
        if prove_state and (self._verification.watch or self._verification.probe):
            prove_state()
        log = self._kernel.log
        knows_taint = self._taint is not None and self._before.taint is not None
        taint = "its taint is unchanged" if knows_taint else "its taint cannot be read"
        how = "The kernel's log shows no trouble"
        if not log.readable:
            how = f"The kernel's log cannot be read; {taint}"
        elif log.lost:
            how = f"Some of the kernel's log was overwritten before it was read; {taint}"
        if self._besides:
            how += f", but that a user's program hangs ({self._besides[0].rstrip('.')})"
        proven = True if log.readable and not log.lost else None
        proofs.append(Proof("log", proven, f"{how}, {self._verification.watch:g} s after {self._since}."))
        return tuple(proofs)

    def _check_trouble(self) -> None:
        """Raise StepFailed if log or taint show trouble that is new since the run began."""
        log = self._kernel.log
        log.new_lines()
        now = self._read_counts()
        self._taint = now.taint
        asked = (log.lines, self._counts_before, now, self._verification.warnings, self._whose, self._name)
        found = find(*asked)
        self._besides = found.besides
        if not found:
            return
        says = f"its log says: {found.lines[0]}" if found.lines else f"its taint shows {' and '.join(found.taints)}"
        seen = f"The kernel got into trouble after {self._since}; {says.rstrip('.')}."
        lines = found.lines or tuple(log.lines)
        self._trouble = found.grave
        if found.grave:
            raise HandsOff("prove the result", _leave_alone(self._name, seen, found.grave), log=lines)
        raise StepFailed(
            "prove the result",
            Finding(
                reason=KERNEL_TROUBLE,
                seen=seen,
                remedy="Do not use this patch before that is understood; consider a reboot of the host.",
            ),
            log=lines,
        )

    def _whose(self, pid: str) -> str:
        """Whose the task is. It is asked for once, when the line about it is read: another may get its number later."""
        if pid not in self._owners:
            self._owners[pid] = self._owner_of(pid)
        return self._owners[pid]

    def _owner_of(self, pid: str) -> str:
        """The kernel's tasks are children of kthreadd, which is process 2; others have a user (proc(5)).

        The real user counts: anybody may run a program that is root by its file.
        """
        files = self._kernel.files()
        stat = known(files.text(f"/proc/{pid}/stat")) or ""
        if stat.rpartition(")")[2].split()[1:2] == ["2"]:
            return KERNEL
        status = known(files.text(f"/proc/{pid}/status")) or ""
        return ROOT if re.search(r"^Uid:\t0\t", status, re.MULTILINE) else USER

    def _read_counts(self) -> Counts:
        """What tells of trouble now. Before Linux 6.2 the kernel counts neither oopses nor warnings."""
        files = self._kernel.files()
        return Counts(
            known(files.number("/proc/sys/kernel/tainted")),
            known(files.number("/sys/kernel/oops_count")),
            known(files.number("/sys/kernel/warn_count")),
        )

    def _probe(self, probe: Probe, after: Snapshot) -> Proof:
        earlier = self._before.patch(self._name)
        contrast = "" if earlier and earlier.enabled else " and did not before"
        for tries_left in range(probe.retries, -1, -1):
            held, shown = holds(probe, self._kernel)
            if held:
                return Proof("probe", True, f"{probe} holds now{contrast}.")
            if tries_left:
                self._kernel.sleep(PROBE_SECONDS, f"waiting until the probe {probe} holds")
        patch = after.patch(self._name)
        is_covered = patch is not None and bool(after.above(patch))
        standing = "enabled and covered by others" if is_covered else "enabled"
        # Also with that option, if somebody else has covered it meanwhile.
        raise_it = "With on_covered: unstack the next run raises it above the others."
        raise StepFailed(
            "prove the result",
            Finding(
                reason="probe_failed",
                seen=f"The patch is {standing}, but the probe {probe} does not hold. It showed: {shown[:500]!r}.",
                remedy=raise_it if is_covered else "Check the patch and the probe.",
            ),
        )


def _leave_alone(name: str, seen: str, grave: str) -> Finding:
    return Finding(
        reason=KERNEL_TROUBLE,
        seen=seen,
        remedy=reboot_remedy(name),
        why=f"After {grave} nothing is rolled back: that can wait for ever, and hang the whole host.",
        only_reboot=True,
    )
