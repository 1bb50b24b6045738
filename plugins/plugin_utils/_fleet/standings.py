# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds the statuses of a host for each fix, and those from its other patches. Pure functions."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses as words
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.builds import drift
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.caution import cautions
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, Patch
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import listed
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import File, Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.stored import StoredPatch


@dataclass(frozen=True)
class Standing:
    """The statuses of a host for a fix, the worst first. `why` is a sentence on the first one, the headline.

    `replaced_by` is the fix that protects the host instead, empty if none does.
    """

    fix: str
    statuses: tuple[str, ...]
    why: str
    replaced_by: str = ""

    @functools.cached_property
    def headline(self) -> str:
        return self.statuses[0]

    @functools.cached_property
    def place(self) -> int:
        """The place of the headline among the statuses, of which the worst is first."""
        return words.PLACE[self.headline]

    @functools.cached_property
    def is_protected(self) -> bool:
        """Whether the host is known to be protected from what the fix is for."""
        return _is_protected(self.statuses)


def standing_of(release: Release, facts: Facts) -> Standing:
    file = release.file_for(facts.release, facts.machine, facts.kernel_build_id)
    patch = facts.patch(release.name)
    has_fix = facts.runs_one_of(release.fixed_in)
    found = {words.FIXED_IN: f"Kernel {facts.release} contains the fix."} if has_fix else {}
    if patch and patch.enabled:
        found.update(_effect(patch))
        if patch.boot in (words.ACCEPTED, "trial"):
            found[_at_boot(patch, facts)] = ""
    else:
        if not has_fix:
            found.update(_absence(release, facts, file))
        if patch and patch.in_transition:
            found[words.IN_TRANSITION] = f"{patch.name} is being disabled."
    found.update(drift(release, facts, file, patch))
    if facts.unfinished and facts.unfinished.concerns(release.name):
        found[words.UNFINISHED] = facts.unfinished.why
    found.update(cautions(patch))
    if not words.UNPROTECTING.isdisjoint(found):
        found.pop(words.PROTECTED, None)
    found.update(_quarantine(release, facts, file, patch))
    ordered = words.in_order(set(found))
    return Standing(release.id, ordered, found[ordered[0]])


def _at_boot(patch: Patch, facts: Facts) -> str:
    """`accepted` if the next boot loads the patch: if something does that, and does not hold."""
    return words.ACCEPTED if patch.boot == words.ACCEPTED and facts.is_loaded_at_boot(patch.name) else words.ON_TRIAL


def _effect(patch: Patch) -> dict[str, str]:
    """The status of an enabled patch, with a sentence."""
    if patch.in_transition:
        return {words.IN_TRANSITION: f"{patch.name} is being enabled."}
    if patch.effective is None:
        why = f"{patch.name} is enabled, and whether its functions are live cannot be told."
        return {words.PARTLY_EFFECTIVE: why}
    if patch.is_live:
        return {words.PROTECTED: f"{patch.name} is enabled, and all of its functions {_are_live(patch.not_loaded)}."}
    above = f"covered by {listed(patch.covered_by) or 'newer patches'}"
    if patch.not_loaded or patch.unpatched:
        others = f"not patched in {listed((*patch.not_loaded, *patch.unpatched))}"
        above = f"{above} or {others}" if patch.covered_by else others
    if patch.effective == "none":
        return {words.NOT_EFFECTIVE: f"{patch.name} is enabled, but all of its functions are {above}."}
    return {words.PARTLY_EFFECTIVE: f"{patch.name} is enabled, but some of its functions are {above}."}


def _are_live(not_loaded: Sequence[str]) -> str:
    return f"that are loaded are live (not loaded: {listed(not_loaded)})" if not_loaded else "are live"


def _absence(release: Release, facts: Facts, file: File | None) -> dict[str, str]:
    """Why the fix is missing, as a status with a sentence."""
    if not facts.supported:
        return {words.UNSUPPORTED: facts.why_unsupported or "The kernel does not support live patching."}
    if file is None:
        return {words.NO_PATCH_FILE: release.why_no_file(facts.release, facts.machine, facts.kernel_build_id)}
    loaded = "loaded but not enabled" if facts.patch(release.name) else "not loaded"
    return {words.NOT_APPLIED: f"{release.name} is {loaded}."}


def _quarantine(release: Release, facts: Facts, file: File | None, patch: Patch | None) -> dict[str, str]:
    for stored in facts.quarantined:
        is_same_build = bool(file and file.sha256 and stored.sha256 == file.sha256)
        is_loaded = bool(patch and patch.boot == words.QUARANTINED and stored.name == patch.name)
        if is_same_build or is_loaded:
            return _in_quarantine(stored)
    return {}


def _in_quarantine(stored: StoredPatch) -> dict[str, str]:
    return {words.QUARANTINED: f"{stored.name} is in quarantine: {stored.reason}"}


def of_other_patches(facts: Facts, names_of_releases: t.Collection[str], has_releases: bool) -> dict[str, str]:
    """The statuses from patches, loaded or in quarantine, that belong to no release of the report."""
    found: dict[str, str] = {}
    enabled = [patch for patch in facts.patches if patch.enabled]
    for patch in facts.patches:
        if patch.name in names_of_releases:
            continue
        if patch.enabled:
            found.update({**_effect(patch), **cautions(patch), _at_boot(patch, facts): ""})
        elif patch.in_transition:
            found[words.IN_TRANSITION] = f"{patch.name} is being disabled."
    found.pop(words.PROTECTED, None)
    if facts.unfinished and not all(name in names_of_releases for name in facts.unfinished.patches or ("",)):
        found[words.UNFINISHED] = facts.unfinished.why
    for stored in facts.quarantined:
        if stored.release == facts.release and stored.name not in names_of_releases:
            found.update(_in_quarantine(stored))
    if not facts.supported:
        found[words.UNSUPPORTED] = facts.why_unsupported or "The kernel does not support live patching."
    if not has_releases and words.in_order(set(found))[:1] in ((), (words.ON_TRIAL,), (words.ACCEPTED,)):
        if enabled:
            names = listed([patch.name for patch in enabled])
            not_loaded = [target for patch in enabled for target in patch.not_loaded]
            found[words.EFFECTIVE] = f"All functions of {names} {_are_live(not_loaded)}."
        else:
            found[words.NO_PATCHES] = "No patch is enabled."
    return found


def _is_protected(statuses: Iterable[str]) -> bool:
    known = set(statuses)
    return known.isdisjoint(words.NOTHING_KNOWN) and not known.isdisjoint(words.PROTECTING)
