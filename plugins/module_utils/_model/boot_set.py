# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: which patches a host loads again when it boots, and which it does not because they have done harm."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix, fix_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import KernelId
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.once import once
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity

NEWEST_GOES = 2
"""After so many unclean ends in a row the patch that was accepted last is put into quarantine."""

ALL_GO = 3
"""After so many all patches are."""

MOST_STEPS_BACK = 16
"""So many reverts in a row are remembered, not more: the files of what they bring back are kept as long."""


@dataclass(frozen=True)
class Accepted:
    """A patch that is loaded again at boot, for one kernel. `patch_file` is what was read in its file.

    `ignore` are the checks that were ignored when it was accepted. `superseded_by` names the accepted patch that took
    its place, and, if others took the place of that, those in turn, with a space between two names: the last is the one
    that boots load. This one is not loaded, but is accepted again when all of those are taken back. `kernel_build_id`
    is the build-id of the kernel, None where it was not known. `number` counts the acceptances of a host, since the
    clock that `since` is of may jump. Version 1.0 did not count them.
    """

    name: str
    sha256: str
    release: str
    since: str
    patch_file: dict[str, t.Any] = field(hash=False)
    ignore: tuple[str, ...] = ()
    superseded_by: str | None = None
    kernel_build_id: str | None = None
    number: int = field(default=0, compare=False)

    @property
    def superseders(self) -> tuple[str, ...]:
        """What took its place, and the place of that, to the one that boots load; empty if they load this one."""
        return tuple((self.superseded_by or "").split())

    @property
    def lineage(self) -> tuple[str, ...]:
        """What `superseders` of what this one has superseded are."""
        return (self.name, *self.superseders)

    def below(self, superseders: tuple[str, ...]) -> Accepted:
        """The same, superseded by these in turn; by nothing if there are none."""
        return replace(self, superseded_by=" ".join(superseders) or None)

    @property
    def kernel(self) -> KernelId:
        """The kernel that it is accepted for."""
        return KernelId(self.release, self.kernel_build_id)

    @property
    def identity(self) -> Identity:
        """What tells its build, and what it is loaded with."""
        return Identity(
            self.patch_file.get("build_id"), self.patch_file.get("srcversion"), self.sha256, self.loaded_with
        )

    @property
    def loaded_with(self) -> str:
        """The parameters that it is loaded with (see `PatchFile`)."""
        return self.patch_file.get("loaded_with") or ""

    @property
    def fix(self) -> Fix | None:
        """What it fixes, as far as that is known."""
        return fix_in(self.patch_file.get("fix"))

    @property
    def content(self) -> tuple[str, str, str]:
        """What is loaded, and with which parameters."""
        return self.name, self.sha256, self.loaded_with


@dataclass(frozen=True)
class Quarantined:
    """A content that is not loaded any more because the host went down with it. `why` is a sentence."""

    name: str
    sha256: str
    release: str
    since: str
    why: str


@dataclass(frozen=True)
class Damaged:
    """What a host keeps over a reboot cannot be read or understood: nothing is known of it, and it is not empty.

    `why` is a sentence. `aside` is where the file can be moved out of the way; None if it could not be read, and may be
    whole.
    """

    why: str
    aside: str | None = None


class _Of(t.NamedTuple):
    """What is accepted for one kernel."""

    due: tuple[Accepted, ...]
    ambiguous: tuple[Accepted, ...]
    by_name: t.Mapping[str, list[Accepted]]


@dataclass(frozen=True)
class Acceptance:
    """What a host keeps over a reboot. `accepted` is in the order of loading."""

    accepted: tuple[Accepted, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()

    def due(self, kernel: KernelId) -> tuple[Accepted, ...]:
        """What a boot of this kernel is to load, quarantined or not. Nothing of what is ambiguous."""
        return self._of(kernel).due

    def due_as(self, name: str, kernel: KernelId) -> t.Sequence[Accepted]:
        """What of this name a boot of this kernel is to load."""
        return self._of(kernel).by_name.get(name, ())

    def ambiguous(self, kernel: KernelId) -> tuple[Accepted, ...]:
        """What is accepted in different files for several builds of a kernel of which the build is not known."""
        return self._of(kernel).ambiguous

    @once
    def _by_kernel(self) -> dict[KernelId, _Of]:
        return {}

    def _of(self, kernel: KernelId) -> _Of:
        if kernel not in self._by_kernel:
            candidates = self._candidates(kernel)
            contents = Counter(name for name, *_rest in {entry.content for entry in candidates})
            due = tuple(entry for entry in candidates if contents[entry.name] == 1)
            by_name: dict[str, list[Accepted]] = {}
            for entry in due:
                by_name.setdefault(entry.name, []).append(entry)
            ambiguous = tuple(entry for entry in candidates if contents[entry.name] > 1)
            self._by_kernel[kernel] = _Of(due, ambiguous, by_name)
        return self._by_kernel[kernel]

    def _candidates(self, kernel: KernelId) -> list[Accepted]:
        return [entry for entry in self.accepted if entry.kernel.may_be(kernel) and entry.superseded_by is None]

    def loaded_at(self, kernel: KernelId) -> tuple[Accepted, ...]:
        """What a boot of this kernel loads: what is due and not in quarantine."""
        return tuple(entry for entry in self.due(kernel) if self.quarantine_of(entry.sha256) is None)

    def after_unclean_end(self, kernel: KernelId, ends: int, now: str) -> Acceptance:
        """The same after the last of so many unclean ends in a row, which was of a boot of this kernel.

        The first only counts: the power may have failed. After the second the patch that was accepted last is put into
        quarantine, as of the time `now`, after the third all are.
        """
        suspects = self.loaded_at(kernel)
        if ends < NEWEST_GOES or not suspects:
            return self
        newest = max(enumerate(suspects), key=lambda item: (item[1].number, item[1].since, item[0]))[1]
        going = suspects if ends >= ALL_GO else (newest,)
        why = f"The host went down within an hour of a boot, {ends} times in a row."
        new = (Quarantined(entry.name, entry.sha256, entry.release, now, why) for entry in going)
        return replace(self, quarantined=(*self.quarantined, *new))

    def superseded_by(self, entry: Accepted) -> tuple[Accepted, ...]:
        """What this one has taken the place of, for the same kernel."""
        return tuple(
            other for other in self.accepted if other.superseders == entry.lineage and other.kernel.may_be(entry.kernel)
        )

    def quarantine_of(self, sha256: str | None) -> Quarantined | None:
        """The quarantine of this content, if it is in one."""
        return self._quarantined_by_digest.get(sha256)

    @once
    def _quarantined_by_digest(self) -> t.Mapping[str | None, Quarantined]:
        return {entry.sha256: entry for entry in reversed(self.quarantined)}

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

    def with_accepted(self, new: Accepted, supersedes: t.Collection[str], order: t.Sequence[str]) -> Acceptance:
        """Accept a patch. What it supersedes is not loaded any more, but is not forgotten, nor what that superseded.

        Of that each build is kept where it was superseded last, as in `_model/displaced.py`. `order` is the kernel's:
        the accepted ones come back in it.
        """
        is_known = any(entry == new for entry in self.accepted)
        due = [entry for entry in self._candidates(new.kernel) if entry.content != new.content]
        gone = {entry.name for entry in due}.intersection((*supersedes, new.name))
        kept = []
        for entry in self.accepted:
            is_same = entry.content == new.content and not entry.superseders
            if not entry.kernel.may_be(new.kernel):
                kept.append(entry)
            elif entry.lineage[-1] in gone and not is_same:
                kept.append(entry.below((*entry.superseders, new.name)))
            elif is_known or not is_same:
                kept.append(entry)
        superseded = _superseded_by_content(kept)
        again = [entry for entry in kept if _comes_again(entry, new) or _is_repeated(entry, superseded)]
        kept = _without(kept, again)
        kept = [entry for entry in kept if len(entry.superseders) <= MOST_STEPS_BACK]
        if not is_known:
            number = 1 + max((entry.number for entry in self.accepted), default=0)
            kept.append(replace(new, number=new.number or number))
        return replace(self, accepted=_in_order(kept, new.kernel, order))

    def accepted_at(self, now: str, entry: Accepted) -> Acceptance:
        """The same, with this time of acceptance for an entry."""
        accepted = (replace(other, since=now) if other == entry else other for other in self.accepted)
        return replace(self, accepted=tuple(accepted))

    def with_fix(self, sha256: str, fix: Fix) -> Acceptance:
        """The same, with what the file of this digest fixes."""
        accepted = (
            replace(entry, patch_file={**entry.patch_file, "fix": fix.to_dict()})
            if entry.sha256 == sha256 and entry.fix != fix
            else entry
            for entry in self.accepted
        )
        return replace(self, accepted=tuple(accepted))

    def without(self, name: str, restore: bool) -> Acceptance:
        """Forget a patch, for every kernel. `restore` accepts again what it had superseded.

        Without that it is gone for good, with all that it had superseded, and its quarantine is, too. What boots load
        again meanwhile, in this file or another one, does not come back beside that.
        """
        named = [entry for entry in self.accepted if entry.name == name]
        due = [entry for entry in named if not entry.superseders]
        if restore:
            # A build that is remembered below itself stays there.
            out = [entry for entry in named if entry in due or not any(entry.kernel.may_be(one.kernel) for one in due)]
            kept = _without(_pruned(self.accepted, self._in_the_way(due)), out)
        else:
            kept = _pruned(self.accepted, named)
        quarantined = tuple(entry for entry in self.quarantined if restore or entry.name != name)
        return replace(self, accepted=tuple(kept), quarantined=quarantined)

    def _in_the_way(self, going: t.Sequence[Accepted]) -> list[Accepted]:
        """What these have superseded, and boots load again meanwhile, in this file or another one of its name."""
        back = [other for entry in going for other in self.superseded_by(entry)]
        due: dict[str, list[Accepted]] = {}
        for entry in self.accepted:
            if not entry.superseders and entry not in going:
                due.setdefault(entry.name, []).append(entry)
        return [entry for entry in back if any(entry.kernel.may_be(one.kernel) for one in due.get(entry.name, ()))]


def _is_below(entry: Accepted, other: Accepted) -> bool:
    """Whether the other one, or what that has superseded, has superseded the entry."""
    return entry.kernel.may_be(other.kernel) and entry.superseders[-len(other.lineage) :] == other.lineage


def _without(entries: t.Sequence[Accepted], out: t.Collection[Accepted]) -> list[Accepted]:
    """The entries without these. What those had superseded is in their places."""
    kept = list(entries)
    for gone in sorted(out, key=lambda entry: len(entry.superseders), reverse=True):
        kept = [
            entry.below((*entry.superseders[: -len(gone.lineage)], *gone.superseders))
            if _is_below(entry, gone)
            else entry
            for entry in kept
            if entry != gone
        ]
    return kept


def _pruned(entries: t.Sequence[Accepted], out: t.Collection[Accepted]) -> list[Accepted]:
    """The entries without these, and without all that those had superseded."""
    return [entry for entry in entries if not any(entry == gone or _is_below(entry, gone) for gone in out)]


def _comes_again(entry: Accepted, new: Accepted) -> bool:
    """Whether the entry is what others, which stay accepted, have superseded, and is the build that comes now."""
    return bool(
        entry.kernel.may_be(new.kernel)
        and entry.superseders
        and entry.superseders[-1] != new.name
        and entry.content == new.content
    )


_ByContent = t.Dict[t.Tuple[str, str, str], t.List[Accepted]]


def _superseded_by_content(entries: t.Iterable[Accepted]) -> _ByContent:
    found: _ByContent = {}
    for entry in entries:
        if entry.superseders:
            found.setdefault(entry.content, []).append(entry)
    return found


def _is_repeated(entry: Accepted, superseded: _ByContent) -> bool:
    """Whether the same build was superseded once more since."""
    return any(_is_below(entry, other) for other in superseded.get(entry.content, ()))


def _in_order(accepted: list[Accepted], kernel: KernelId, order: t.Sequence[str]) -> tuple[Accepted, ...]:
    """Bring those that the kernel has into its order; all others stay in their places."""
    wanted = {name: at for at, name in reversed(list(enumerate(order)))}
    places = [
        place
        for place, entry in enumerate(accepted)
        if entry.kernel.may_be(kernel) and entry.superseded_by is None and entry.name in wanted
    ]
    moved = sorted((accepted[place] for place in places), key=lambda entry: wanted[entry.name])
    for place, entry in zip(places, moved):
        accepted[place] = entry
    return tuple(accepted)


NOTHING_ACCEPTED = Acceptance()
