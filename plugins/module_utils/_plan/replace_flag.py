# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: why a patch is not loaded or enabled that has the replace flag, or may have it."""

from __future__ import annotations

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.added import added_functions
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import (
    HAND_WRITTEN,
    KLP_BUILD,
    PatchFile,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    names_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.change import ChangeSet


def refuse_load_by_flag(change: ChangeSet, file: PatchFile) -> list[Finding]:
    """Refuse to load a file whose replace flag does harm, or may."""
    refusals = []
    staying = [
        patch
        for patch in change.snapshot.patches
        if patch.enabled and patch.name != change.wanted.name and not change.supersedes(patch)
    ]
    if change.abi.loading_enables and staying and file.replace is not False:
        refusals.append(_replaces_others(change.wanted, file, staying))
    if not change.abi.loading_enables and file.replace:
        refusals.append(_replace_not_there(change, file))
    if change.may_add_others and change.moves.out:
        refusals.append(_may_not_load_again(change.wanted, file))
    return refusals


def refuse_enable_by_flag(change: ChangeSet) -> list[Finding]:
    """Refuse to enable a registered patch with the replace flag: openEuler 5.10 accepts it, and hangs CPUs then.

    Such a patch has the functions of other patches as well: the kernel has added them.
    """
    if change.abi.loading_enables or change.moves.in_ or not (change.moves.up and change.loaded):
        return []
    file, loaded = change.file, change.loaded
    earlier = [patch for patch in change.snapshot.patches if patch.load_index < loaded.load_index]
    added = added_functions(loaded, file.functions if file else None, earlier)
    if file and file.functions is not None:
        return [_replace_not_there(change, file)] if file.replace or added else []
    if not added or loaded.enabled or (file and file.replace is False):
        return []
    return [
        Finding(
            reason="needs_file",
            seen=f"{loaded.name} has every function of {names_of(earlier)}, which came before it: it may have the "
            "replace flag.",
            remedy=f"{_tell_the_flag(file)}; or take {names_of(earlier)} out first.",
            why="Kernels that patch by stop_machine lack it: openEuler 5.10 accepts it and then hangs CPUs.",
        )
    ]


def note_unknown(file: PatchFile, why: str) -> Finding:
    """The note about a file that does not show its flag, and is loaded nevertheless."""
    return Finding(
        reason="may_replace_others",
        seen=f"{_shows_no_flag(file)}.",
        remedy="Nothing needs to be done.",
        why=why,
        severity=INFO,
    )


def _tell_the_flag(file: PatchFile | None) -> str:
    return "Put the manifest of livepatch_build beside src, which tells it" if file else "Give src, which may tell it"


def _replaces_others(wanted: Wanted, file: PatchFile, others: list[LoadedPatch]) -> Finding:
    """Refuse a file whose replace flag would disable other patches, which only loading their files enables again."""
    names = names_of(others)
    if file.replace:
        return Finding(
            reason="replaces_others",
            seen=f"{file.path} has the replace flag.",
            remedy="Name those patches in supersedes, or build this one without replace.",
            why=f"Loading it would disable {names}.",
        )
    return Finding(
        reason="may_replace_others",
        seen=_shows_no_replace(file),
        remedy=f"{_say_the_flag(wanted)} name those patches in supersedes, or set state: absent for them first.",
        why=f"If it has, loading it would disable {names}.",
    )


def _replace_not_there(change: ChangeSet, file: PatchFile) -> Finding:
    instead = "" if change.wanted.supersedes else ", and use supersedes"
    return Finding(
        reason="replace_not_supported",
        seen=f"{file.path} has the replace flag, which kernels that patch by stop_machine do not implement.",
        remedy=f"Build the patch without replace (kpatch-build -R){instead}.",
        why="Newer ones refuse it, openEuler 5.10 accepts it and then hangs CPUs.",
    )


def _shows_no_replace(file: PatchFile) -> str:
    if file.builder == HAND_WRITTEN:
        return f"{_shows_no_flag(file)}."
    tool, option = ("klp-build", "--no-replace") if file.builder == KLP_BUILD else ("kpatch-build", "-R")
    return f"{_shows_no_flag(file)} (those of {tool} have it unless they were built with {option})."


def _shows_no_flag(file: PatchFile) -> str:
    return f"{file.path} does not show whether it has the replace flag"


def _say_the_flag(wanted: Wanted) -> str:
    option = "replace: false" if wanted.file else "src and replace: false"
    return f"Set {option} if it has not, or put the manifest of livepatch_build beside src, which tells; else"


def _may_not_load_again(wanted: Wanted, file: PatchFile) -> Finding:
    return Finding(
        reason="may_replace_others",
        seen=_shows_no_replace(file),
        remedy=f"{_say_the_flag(wanted)} set state: absent first and load it then.",
        why="Kernels that patch by stop_machine do not take it, and the loaded build would be out by then.",
    )
