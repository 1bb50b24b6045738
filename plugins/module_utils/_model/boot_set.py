# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: which patches a host loads again when it boots, and which it does not because they have done harm."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity

UNHEALTHY_BOOTS = 3
"""After so many unhealthy boots in a row nothing is loaded any more."""


@dataclass(frozen=True)
class Accepted:
    """A patch that is loaded again at boot, for one kernel. `patch_file` is what was read in its file.

    `ignore` are the checks that were ignored when it was accepted. `superseded_by` names the accepted patch that took
    its place: it is not loaded, but is accepted again when that one is taken back. `kernel_build_id` is the build-id of
    the kernel, None where it was not known.
    """

    name: str
    sha256: str
    release: str
    since: str
    patch_file: dict[str, t.Any] = field(hash=False)
    ignore: tuple[str, ...] = ()
    superseded_by: str | None = None
    kernel_build_id: str | None = None

    @property
    def kernel(self) -> KernelId:
        """The kernel that it is accepted for."""
        return KernelId(self.release, self.kernel_build_id)

    @property
    def identity(self) -> Identity:
        """What tells its build."""
        return Identity(self.patch_file.get("build_id"), self.patch_file.get("srcversion"), self.sha256)


@dataclass(frozen=True)
class Quarantined:
    """A content that is not loaded any more because the host did not survive it. `why` is a sentence."""

    name: str
    sha256: str
    release: str
    since: str
    why: str


@dataclass(frozen=True)
class Acceptance:
    """What a host keeps over a reboot.

    `accepted` is in the order of loading. `unhealthy_boots` counts those in a row in which patches were loaded and
    which did not end well. `damaged` says why what is kept cannot be understood; it must not be overwritten then.
    """

    accepted: tuple[Accepted, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    unhealthy_boots: int = 0
    damaged: str | None = None

    @property
    def is_held(self) -> bool:
        """Whether nothing is loaded because of too many unhealthy boots."""
        return self.unhealthy_boots >= UNHEALTHY_BOOTS

    def due(self, kernel: KernelId) -> tuple[Accepted, ...]:
        """What a boot of this kernel is to load, quarantined or not. Nothing of what is ambiguous."""
        ambiguous = {entry.name for entry in self.ambiguous(kernel)}
        return tuple(entry for entry in self._candidates(kernel) if entry.name not in ambiguous)

    def ambiguous(self, kernel: KernelId) -> tuple[Accepted, ...]:
        """What is accepted in different files for several builds of a kernel of which the build is not known."""
        candidates = self._candidates(kernel)
        files = {(entry.name, entry.sha256) for entry in candidates}
        names = [name for name, _sha256 in files]
        return tuple(entry for entry in candidates if names.count(entry.name) > 1)

    def _candidates(self, kernel: KernelId) -> list[Accepted]:
        return [entry for entry in self.accepted if entry.kernel.may_be(kernel) and entry.superseded_by is None]

    def loaded_at(self, kernel: KernelId) -> tuple[Accepted, ...]:
        """What a boot of this kernel loads: what is due and not in quarantine."""
        return tuple(entry for entry in self.due(kernel) if self.quarantine_of(entry.sha256) is None)

    def superseded_by(self, entry: Accepted) -> tuple[Accepted, ...]:
        """What this one has taken the place of, for the same kernel."""
        return tuple(
            other for other in self.accepted if other.superseded_by == entry.name and other.kernel.may_be(entry.kernel)
        )

    def quarantine_of(self, sha256: str | None) -> Quarantined | None:
        """The quarantine of this content, if it is in one."""
        return next((entry for entry in self.quarantined if entry.sha256 == sha256), None)

    def lost(self, kernel: KernelId) -> tuple[Accepted, ...]:
        """What other kernels have accepted and this one has not, or may not have."""
        here = {entry.name for entry in self.due(kernel)}
        others = {
            entry.name: entry
            for entry in self.accepted
            if not entry.kernel.may_be(kernel) and entry.superseded_by is None
        }
        others.update((entry.name, entry) for entry in self.ambiguous(kernel))
        return tuple(entry for name, entry in others.items() if name not in here)

    def keeps_the_same_as(self, other: Acceptance) -> bool:
        """Whether both keep the same patches, however the boots went."""
        return replace(self, unhealthy_boots=other.unhealthy_boots) == other

    def with_accepted(self, new: Accepted, supersedes: t.Collection[str], order: t.Sequence[str]) -> Acceptance:
        """Accept a patch. What it supersedes is not loaded any more, but is not forgotten, one level deep.

        `order` is the kernel's: the accepted ones come back in it. That an administrator has acted ends the count of
        unhealthy boots.
        """
        is_known = any(entry == new for entry in self.accepted)
        kept = []
        for entry in self.accepted:
            is_same = (entry.name, entry.sha256) == (new.name, new.sha256)
            if not entry.kernel.may_be(new.kernel):
                kept.append(entry)
            elif entry.superseded_by is not None:
                is_deeper = entry.superseded_by in supersedes or (entry.superseded_by == new.name and not is_known)
                kept += [] if is_deeper or is_same else [entry]
            elif not is_same:
                is_gone = entry.name in supersedes or entry.name == new.name
                kept.append(replace(entry, superseded_by=new.name) if is_gone else entry)
            elif is_known:
                kept.append(entry)
        if not is_known:
            kept.append(new)
        return replace(self, accepted=_in_order(kept, new.kernel, order), unhealthy_boots=0)

    def accepted_at(self, now: str, entry: Accepted) -> Acceptance:
        """The same, with this time of acceptance for an entry."""
        accepted = (replace(other, since=now) if other == entry else other for other in self.accepted)
        return replace(self, accepted=tuple(accepted))

    def without(self, name: str, restore: bool) -> Acceptance:
        """Forget a patch, for every kernel. `restore` accepts again what it had superseded.

        Without that it is gone for good, and its quarantine is, too.
        """
        kept = []
        for entry in self.accepted:
            if entry.superseded_by == name:
                kept += [replace(entry, superseded_by=None)] if restore else []
            elif entry.name != name:
                kept.append(entry)
        quarantined = tuple(entry for entry in self.quarantined if restore or entry.name != name)
        return replace(self, accepted=tuple(kept), quarantined=quarantined, unhealthy_boots=0)


def _in_order(accepted: list[Accepted], kernel: KernelId, order: t.Sequence[str]) -> tuple[Accepted, ...]:
    """Bring those that the kernel has into its order; all others stay in their places."""
    places = [
        place
        for place, entry in enumerate(accepted)
        if entry.kernel.may_be(kernel) and entry.superseded_by is None and entry.name in order
    ]
    moved = sorted((accepted[place] for place in places), key=lambda entry: order.index(entry.name))
    for place, entry in zip(places, moved):
        accepted[place] = entry
    return tuple(accepted)


NOTHING_ACCEPTED = Acceptance()
