# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: why a change is refused, and what the user should know of one that is not."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, WARN, Finding, Tells
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    STOP_MACHINE,
    Function,
    LoadedPatch,
    names_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import Abi
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.change import ChangeSet
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.cumulative import note_older, refuse_older
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.effect import notes_of_effect, refuse_covered
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.owners import (
    refuse_owned,
    refuse_unknown_owner,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.replace_flag import (
    note_unknown,
    refuse_enable_by_flag,
    refuse_load_by_flag,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.states import refuse_states

_ONLY_THE_FIRST = "A kernel with CONFIG_LIVEPATCH_STACK enables only the first disabled patch."


def _why_first(abi: Abi) -> str:
    """Why superseded patches are disabled first, as the beginning of a sentence."""
    if abi.loading_enables:
        return "The kernel takes no patch beside one of whose system states it does not know enough"
    return f"The kernel {'has' if abi.stacking else 'may have'} CONFIG_LIVEPATCH_STACK"


def refusals_of(change: ChangeSet, steps: list[Step]) -> list[Finding]:
    """The findings that forbid the change, which these steps would make."""
    refusals = [] if change.wanted.force_owner else refuse_unknown_owner(change, steps)
    if change.moves.in_:
        refusals += _refuse_load(change)
    refusals += refuse_older(change)
    refusals += refuse_states(change.snapshot, steps, change.copies)
    refusals += refuse_enable_by_flag(change) + (_refuse_order(change) or refuse_covered(change, steps))
    refusals += _refuse_unload(change, steps)
    if not change.wanted.force_owner:
        refusals += refuse_owned(change, steps)
    if steps and not change.snapshot.privileged:
        refusals.append(
            Finding(
                reason="not_root",
                seen="The module does not run as root.",
                remedy="Use become: true.",
                why="Live patches can be changed by root only.",
            )
        )
    return refusals


def _refuse_load(change: ChangeSet) -> list[Finding]:
    if change.file is None:
        return [_no_file(change.wanted, change.loaded)]
    return refuse_load_by_flag(change, change.file) + _refuse_present(change, change.file)


def _refuse_present(change: ChangeSet, file: PatchFile) -> list[Finding]:
    """Refuse to load a file to be registered only, if loading it enables it as well."""
    # A file for the other ABI is refused as such.
    is_meant = file.enables_itself and file.abi == STOP_MACHINE
    if change.abi.loading_enables or change.moves.up or not is_meant:
        return []
    return [
        Finding(
            reason="enables_itself",
            seen=f"{file.path} calls klp_enable_patch: loading it enables {change.wanted.name} at once.",
            remedy="Set state: enabled, or build it so that it only registers itself: kpatch-build does so with "
            "DISABLE_AFTER_LOAD.",
            why=f"state: {change.wanted.state} is to load a patch and leave it disabled on this kernel.",
        )
    ]


def _refuse_order(change: ChangeSet) -> list[Finding]:
    blocking = _blocking(change)
    if blocking:
        return [_blocked(change.wanted.name, blocking)]
    if not change.involved:
        return []
    if change.wanted.on_covered == OnCovered.UNSTACK:
        return _refuse_unstack(change)
    if change.wanted.on_covered == OnCovered.ALLOW and not change.behind_by_order:
        return []
    return [_covered(change)]


def _blocking(change: ChangeSet) -> list[LoadedPatch]:
    """With CONFIG_LIVEPATCH_STACK: the disabled patches before the place where the wanted one is to be enabled.

    Where the option is unknown there are none, and the kernel decides, unless something was unloaded before that.
    """
    takes_out_first = change.lowers_first or change.moves.out
    must_know = change.abi.stacking or (change.abi.stacking is None and takes_out_first)
    if not must_know or not change.moves.up:
        return []
    patches = list(change.snapshot.patches)
    place = patches.index(change.loaded) if change.loaded and not change.moves.in_ else len(patches)
    return [
        patch
        for patch in patches[:place]
        if not patch.enabled and not change.supersedes(patch) and patch.name != change.wanted.name
    ]


def _refuse_unstack(change: ChangeSet) -> list[Finding]:
    names = names_of(change.lifted)
    if change.abi.stacking and change.wanted.state == State.DISABLED:
        return [
            Finding(
                reason="stacking",
                seen=f"{names} could not be enabled again behind the disabled {change.wanted.name}.",
                remedy="Set state: absent, or disable those patches as well.",
                why=_ONLY_THE_FIRST,
            )
        ]
    comes_back = change.moves.in_ and change.loaded is not None and not change.overtaken
    if change.keeps_stacking and comes_back and any(above.shares(change.function_set) for above in change.lifted):
        return [
            Finding(
                reason="stacking",
                seen=f"{change.wanted.name} would come above {names}.",
                remedy=f"Set state: absent for {names} first, and load them again afterwards.",
                why="On a kernel with CONFIG_LIVEPATCH_STACK a module that is loaded again comes last.",
            )
        ]
    missing = [patch for patch in change.lifted if change.abi.loading_enables and patch.name not in change.copies]
    if missing:
        return [
            Finding(
                reason="needs_file",
                seen=f"{names_of(missing)} could not be enabled again.",
                remedy="Disable those patches yourself, or set on_covered: allow.",
                why="On this kernel that needs the patch's file, and this collection did not load it.",
            )
        ]
    replacing = [
        patch
        for patch in change.lifted
        if change.moves.up and change.abi.loading_enables and _may_replace(change, patch)
    ]
    if replacing:
        return [
            Finding(
                reason="replaces_others",
                seen=f"{names_of(replacing)} would be loaded again above {change.wanted.name}.",
                remedy=f"{_supersede(change, replacing)}, or leave {change.wanted.name} disabled.",
                why=f"With the replace flag that disables {change.wanted.name} at once.",
            )
        ]
    return []


def _supersede(change: ChangeSet, patches: t.Iterable[LoadedPatch]) -> str:
    """How to let patches go for the wanted one, which the option does with state: enabled alone."""
    state = "" if change.wanted.state == State.ENABLED else "state: enabled and "
    return f"Set {state}supersedes to {names_of(patches)}"


def _may_replace(change: ChangeSet, patch: LoadedPatch) -> bool:
    flag = patch.replace if patch.replace is not None else change.copies[patch.name].replace
    return flag is not False


def _covered(change: ChangeSet) -> Finding:
    covered = [
        f"{function} of {patch.name} by {names_of(stack)}"
        for patch in change.lowered
        for function, stack in change.snapshot.above(patch).items()
    ]
    if covered:
        allow = "" if change.behind_by_order else " or allow (leave them live)"
        return Finding(
            reason="covered",
            seen=f"Newer patches cover {'; '.join(covered)}.",
            remedy="Act on the newer patches first, or set on_covered: unstack (disable, act, enable them again)"
            f"{allow}.",
            why="The newer ones stay live, and what lies under them would change unseen.",
        )
    if not (change.behind_by_order or change.is_known):
        return Finding(
            reason="would_cover",
            seen=f"{change.wanted.name} was loaded before {names_of(change.involved)} and would now come above. Which "
            "functions it replaces is unknown.",
            remedy="Set on_covered: allow if they share no function, or unstack to raise it above them.",
            why="Older code would become live again on the functions that they share.",
        )
    if not change.behind_by_order:
        is_raised = change.wanted.state == State.ENABLED
        return Finding(
            reason="would_cover",
            seen=f"{change.wanted.name} was loaded before {names_of(change.involved)} and would now come above on "
            f"{_functions_text(change.functions, change.involved)}.",
            remedy="Set on_covered: unstack or allow to let it come above them; or leave it disabled."
            if is_raised
            else "Set on_covered: unstack to bring it back to its old place, or allow to change the order.",
            why="The older code would become live again.",
        )
    return Finding(
        reason="stacking",
        seen=f"{names_of(change.involved)} {'is' if len(change.involved) == 1 else 'are'} enabled behind "
        f"{names_of(change.lowered)}.",
        remedy="Disable the later patches first, or set on_covered: unstack.",
        why="A kernel with CONFIG_LIVEPATCH_STACK disables only the last enabled patch.",
    )


def _refuse_unload(change: ChangeSet, steps: list[Step]) -> list[Finding]:
    unloaded = {step.patch for step in steps if step.action == Action.UNLOAD}
    if change.loaded and change.loaded.pinned and change.moves.out and change.moves.in_:
        return [
            Finding(
                reason="module_not_removable",
                seen=f"{change.wanted.name} is disabled, and the kernel holds its module, as after force.",
                remedy="Reboot the host, then run the task again.",
                why="To enable it again, the module must be unloaded and loaded.",
                only_reboot=True,
            )
        ]
    if change.loaded and change.loaded.pinned and change.moves.out:
        return [
            Finding(
                reason="module_not_removable",
                seen=f"{change.wanted.name} is disabled, and the kernel holds its module, as after force.",
                remedy="Leave it so: it has no effect. Only a reboot removes the module.",
                why="The kernel does not unload a module that is in use (EAGAIN).",
                only_reboot=True,
            )
        ]
    again = {step.patch for step in steps if step.action == Action.LOAD}.intersection(unloaded)
    marked = [patch for patch in change.snapshot.patches if patch.marked and patch.name in again]
    if marked and change.abi.loading_enables:
        return [
            Finding(
                reason="module_not_removable",
                seen=f"{names_of(marked)} could not be enabled again: the kernel may hold its module once it is "
                "disabled, since a transition was forced.",
                remedy=f"{_instead_of_unloading(change, marked[0])} Or reboot the host, then run the task again.",
                why="To enable a patch again, its module must be unloaded and loaded.",
                only_reboot=True,
            )
        ]
    return [
        Finding(
            reason="module_not_removable",
            seen=f"{patch.name} has no exit function.",
            remedy=f"{_instead_of_unloading(change, patch)} Only a reboot removes the module.",
            why="The kernel never unloads such a module (EBUSY).",
            only_reboot=True,
        )
        for patch in change.snapshot.patches
        if patch.permanent and patch.name in unloaded
    ]


def _instead_of_unloading(change: ChangeSet, patch: LoadedPatch) -> str:
    """What can be done about a patch whose module stays, as a sentence."""
    if patch == change.loaded and change.moves.in_:
        return "Build the patch under another name."
    if change.lifts(patch):
        return f"Set on_covered: allow, which leaves {patch.name} as it is."
    leave = f"Leave {patch.name} out of supersedes. " if change.supersedes(patch) else ""
    return leave + (f"The effect of {patch.name} ends with state: disabled." if patch.enabled else "It has no effect.")


def notes_of(change: ChangeSet, steps: list[Step]) -> t.Iterator[Finding]:
    """The notes about a change that is not refused."""
    lowered_first = [patch for patch in change.superseded if patch.enabled]
    if lowered_first and change.lowers_first:
        yield Finding(
            reason="lowered_first",
            seen=f"{names_of(lowered_first)} must be disabled before {change.wanted.name} is enabled.",
            remedy="Nothing needs to be done.",
            why=f"{_why_first(change.abi)}: between the two neither is active.",
            severity=INFO,
            tells=(Tells.GAP,),
        )
    if change.may_add_others and change.file:
        yield note_unknown(change.file, "If it has, it is taken out again before it is enabled.")
    lost = [patch for patch in change.snapshot.patches if _could_be_lost(change, patch)]
    if lost:
        yield Finding(
            reason="no_copy",
            seen=f"If this fails, {names_of(lost)} cannot be loaded again.",
            remedy="Keep the file at hand.",
            why="This collection did not load what is unloaded here, and has no copy of its file.",
            severity=WARN,
        )
    yield from note_older(change)
    yield from notes_of_effect(change, steps)
    if change.lifted:
        yield Finding(
            reason="lifted",
            seen=f"{names_of(change.lifted)} is disabled for a moment and enabled again in the old order."
            if len(change.lifted) == 1
            else f"{names_of(change.lifted)} are disabled for a moment and enabled again in their old order.",
            remedy="Nothing needs to be done.",
            why="on_covered: unstack asks for that.",
            severity=INFO,
            tells=(Tells.UNSTACK,),
        )
    elif change.involved and change.wanted.on_covered == OnCovered.ALLOW:
        yield Finding(
            reason="order_changes",
            seen=f"The order with {names_of(change.involved)} changes.",
            remedy="Nothing needs to be done.",
            why="on_covered: allow permits that.",
            severity=INFO,
            tells=(Tells.ALLOW,),
        )


def _could_be_lost(change: ChangeSet, patch: LoadedPatch) -> bool:
    """Whether the change unloads the patch, and the host has no file of it to load again."""
    is_exchanged = patch == change.loaded and change.moves.out and change.moves.in_
    return patch.enabled and patch.name not in change.copies and (is_exchanged or change.supersedes(patch))


def _functions_text(functions: t.Iterable[Function], patches: t.Iterable[LoadedPatch]) -> str:
    theirs = {function for patch in patches for function in patch.functions}
    return ", ".join(str(function) for function in functions if function in theirs)


def _blocked(name: str, blocking: list[LoadedPatch]) -> Finding:
    return Finding(
        reason="stacking",
        seen=f"{names_of(blocking)} {'is' if len(blocking) == 1 else 'are'} loaded and disabled before {name}.",
        remedy="Enable or unload those patches first.",
        why=_ONLY_THE_FIRST,
    )


def _no_file(wanted: Wanted, loaded: LoadedPatch | None) -> Finding:
    if loaded is None:
        return Finding(
            reason="not_loaded",
            seen=f"No patch named {wanted.name} is loaded.",
            remedy="Give src.",
            why="No file was given to load.",
        )
    return Finding(
        reason="needs_file",
        seen=f"{wanted.name} is loaded and disabled.",
        remedy="Give src.",
        why="On this kernel only loading its file again enables it.",
    )
