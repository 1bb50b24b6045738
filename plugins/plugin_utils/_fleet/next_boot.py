# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Whether the next boot of a host keeps a fix that the host has now. A pure function."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.builds import NO_BUILD, build_of, flaw_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, Patch
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import listed
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import Release

ACCEPT = "Accept it (boot: accepted) before the reboot."
RAISE = "Raise it (on_covered: unstack), or check the release of what covers it."
ACCEPT_ANEW = "Mend that; then accept it anew (boot: trial, then boot: accepted with src)."
REORDER = "Accept it again (boot: accepted) if it is above now; else set boot: trial for what is loaded above it."
APPLY_ROLE = "Apply the role openeuler.livepatch.boot before the reboot."


@dataclass(frozen=True)
class Verdict:
    """Whether the host can be booted without losing the fix, and why in sentences."""

    is_safe: bool
    says: str


def judge(facts: Facts, release: Release, kernel: str, follows: bool) -> Verdict:
    """The verdict on a boot of this kernel, an empty text if that is not known.

    `follows` says that the release is rolled out after the boot: then a file for another kernel is enough.
    """
    if facts.doubt:
        return Verdict(False, facts.doubt)
    release = release.on(facts.release, facts.machine)
    patch = facts.patch(release.name)
    if patch is None or not patch.enabled:
        return Verdict(True, f"{release.id} is not active on this host.")
    is_effective = patch.is_live
    has_now = f"{release.id} is {'active' if is_effective else 'enabled'} on the kernel {facts.release}, and"
    if not kernel:
        return Verdict(False, f"{has_now} which kernel will boot is unknown: name it with -e livepatch_boot_kernel.")
    boots = f"the kernel {kernel} will boot"
    if kernel in release.fixed_in:
        return Verdict(True, f"{has_now} {boots}, which contains the fix.")
    flaw = _why_unknown(patch, facts, release)
    if flaw:
        return Verdict(False, f"{has_now} whether it protects cannot be told: {flaw} Look at the host.")
    if not is_effective:
        return Verdict(False, f"{has_now} not effective: {_why_not_effective(patch)}")
    if not release.files_for(kernel, facts.machine):
        return Verdict(False, f"{has_now} {boots}, for which the release has no file: build one before the reboot.")
    if kernel != facts.release:
        return _on_another_kernel(f"{has_now} {boots}", release, follows)
    lost = _why_lost(patch, facts)
    if lost:
        return Verdict(follows, f"{has_now} {boots} again without it: {lost}")
    doubt = _why_doubted(patch, facts)
    if doubt:
        return Verdict(follows, f"{has_now} {boots} again, but {doubt}")
    return Verdict(True, f"{has_now} {boots} again and load it.")


def _why_not_effective(patch: Patch) -> str:
    """Why not all functions of the enabled patch are live, with what to do."""
    if patch.unpatched and not patch.covered_by:
        return f"the kernel does not patch {listed(patch.unpatched)}. Look at the host."
    return f"{listed(patch.covered_by) or 'other patches'} cover it, with the fix or without. {RAISE}"


def _why_unknown(patch: Patch, facts: Facts, release: Release) -> str:
    """Why nobody can tell whether the enabled patch is the fix, as a sentence; empty if that is known."""
    if patch.effective is None:
        return "nothing shows which of its functions are live."
    file = release.file_for(facts.release, facts.machine, facts.kernel_build_id)
    return flaw_of(patch, file) if file and build_of(file) != NO_BUILD else ""


def _on_another_kernel(begins: str, release: Release, follows: bool) -> Verdict:
    has_file = f"{begins}, for which the release has a file that nothing loads at that boot"
    if follows:
        return Verdict(True, f"{has_file}: roll {release.id} out again after it.")
    return Verdict(
        False, f"{has_file}. If you roll it out again after the boot, say so: -e livepatch_rollout_follows=true."
    )


def _why_lost(patch: Patch, facts: Facts) -> str:
    """Why a boot of the running kernel does not load the patch again, with what to do; empty if it does."""
    if patch.boot == "quarantined":
        return f"{patch.name} is in quarantine. Build a better one."
    if patch.boot != "accepted":
        return f"{patch.name} is on trial. {ACCEPT}"
    if not facts.has_boot_program:
        return f"{patch.name} is accepted, and nothing loads it at boot. {APPLY_ROLE}"
    return ""


def _why_doubted(patch: Patch, facts: Facts) -> str:
    """Why a boot of the running kernel may not make an accepted patch effective, with what to do; empty if it does."""
    if facts.nothing:
        return f"this boot has loaded nothing. {facts.nothing} Mend that before the reboot."
    stored = facts.accepted_as(patch.name)
    if stored and stored.flaw:
        return f"may not load it. {stored.flaw} {ACCEPT_ANEW}"
    if stored and stored.covered_by:
        return f"loads {listed(stored.covered_by)} above it, with the fix or without. {REORDER}"
    if facts.old_boot_program:
        version = facts.old_boot_program
        return f"by a boot program of version {version}, which is older than the collection. {APPLY_ROLE}"
    return ""
