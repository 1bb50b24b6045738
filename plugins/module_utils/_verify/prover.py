# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Proves that an enabled patch has its effect, and that the kernel has no trouble since it was enabled."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import Proof, StepFailed
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Probe, Verification
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    SERIOUS_TAINTS,
    Snapshot,
    troubles,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify import trouble
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.probe import holds
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.text_proof import prove_text

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
        self._taint: int | None = None

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
            self._kernel.sleep(min(left, LOG_SECONDS))
            left -= LOG_SECONDS
            self._kernel.log.new_lines()
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
        proven = True if log.readable and not log.lost else None
        proofs.append(Proof("log", proven, f"{how}, {self._verification.watch:g} s after {self._since}."))
        return tuple(proofs)

    def _check_trouble(self) -> None:
        """Raise StepFailed if log or taint show trouble that is new since the run began."""
        log = self._kernel.log
        log.new_lines()
        lines = trouble.trouble(log.lines, self._verification.warnings)
        first = log.lines.index(lines[0]) if lines else 0
        self._taint = known(self._kernel.files().number("/proc/sys/kernel/tainted"))
        new = (self._taint or 0) & ~(self._before.taint or 0)
        taints = troubles(new if self._verification.warnings else new & SERIOUS_TAINTS)
        if lines or taints:
            seen = f"its log says: {lines[0]}" if lines else f"its taint shows {' and '.join(taints)}"
            raise StepFailed(
                "prove the result",
                Finding(
                    reason="kernel_trouble",
                    seen=f"The kernel got into trouble after {self._since}; {seen}.",
                    remedy="Do not use this patch before that is understood; consider a reboot of the host.",
                ),
                log=tuple(log.lines[first:]),
            )

    def _probe(self, probe: Probe, after: Snapshot) -> Proof:
        earlier = self._before.patch(self._name)
        contrast = "" if earlier and earlier.enabled else " and did not before"
        for tries_left in range(probe.retries, -1, -1):
            held, shown = holds(probe, self._kernel)
            if held:
                return Proof("probe", True, f"{probe} holds now{contrast}.")
            if tries_left:
                self._kernel.sleep(PROBE_SECONDS)
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
