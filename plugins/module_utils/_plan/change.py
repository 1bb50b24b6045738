# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Pure: what one task changes on a host, in which order, and which other patches have to make room for it."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import (
    DISABLE,
    ENABLE,
    LOAD,
    UNLOAD,
    WAIT,
    Kept,
    Step,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    ABSENT,
    ALLOW,
    COVERED,
    DISABLED,
    ENABLED,
    PRESENT,
    UNSTACK,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    STOP_MACHINE,
    Function,
    LoadedPatch,
    Snapshot,
    added_functions,
)

_ONLY_THE_FIRST = "A kernel with CONFIG_LIVEPATCH_STACK enables only the first disabled patch."


class Change:
    """What becomes of the wanted patch (down, out, in, up), and which others have to make room for it.

    `superseded` go; `involved` are enabled patches whose order with the changed ones matters; `lifted` are those
    of them, and above them, that are disabled for a moment and enabled again in their old order.
    """

    def __init__(self, snapshot: Snapshot, wanted: Wanted, kept: Kept, replacing: bool) -> None:
        self.snapshot = snapshot
        self.wanted = wanted
        self.kept = kept
        self.per_task = snapshot.abi != STOP_MACHINE
        self.list_order = False if self.per_task else snapshot.list_order
        self.file = wanted.file or kept.get(wanted.name)
        loaded = self.loaded = snapshot.patch(wanted.name)
        enabled = loaded is not None and loaded.enabled
        exchanged = loaded is not None and replacing and wanted.state in (ENABLED, PRESENT)
        moving = loaded is not None and loaded.in_transition
        self.turns_back = self.per_task and moving and not (enabled or exchanged) and wanted.state == ENABLED
        reinserted = self.per_task and loaded is not None and not (enabled or moving) and wanted.state == ENABLED
        self.goes_down = enabled and (exchanged or wanted.state in (ABSENT, DISABLED))
        self.goes_out = loaded is not None and (exchanged or reinserted or wanted.state == ABSENT)
        self.comes_in = exchanged or reinserted or (loaded is None and wanted.state in (ENABLED, PRESENT))
        self.goes_up = (
            (self.comes_in and self.per_task) or (exchanged and enabled) or (wanted.state == ENABLED and not enabled)
        )
        self.superseded = self._superseded(exchanged)
        if enabled and self.list_order is not False and any(patch.enabled for patch in self.superseded):
            # The superseded ones cannot be disabled below it.
            self.goes_down = self.goes_up = True
        self.lowered = [patch for patch in snapshot.patches if patch.enabled and self._is_lowered(patch)]
        self.involved = self._involved()
        self.lifted = self._lifted() if wanted.on_covered == UNSTACK else ()

    def _functions(self) -> tuple[Function, ...]:
        """What the wanted patch replaces, as far as it is known."""
        if self.file and self.file.functions is not None:
            return self.file.functions
        return self.loaded.functions if self.loaded else ()

    def _superseded(self, exchanged: bool) -> tuple[LoadedPatch, ...]:
        if self.wanted.state != ENABLED:
            return ()
        mine = set(self._functions())
        return tuple(
            patch
            for patch in self.snapshot.patches
            if patch.name != self.wanted.name
            and (
                patch.name in self.wanted.supersedes
                or (
                    COVERED in self.wanted.supersedes
                    and patch.functions
                    and mine.issuperset(patch.functions)
                    and (exchanged or not self._is_above_mine(patch))
                )
            )
        )

    def _is_above_mine(self, patch: LoadedPatch) -> bool:
        """Whether the patch has come to lie above the wanted one, both being live: then it is not covered by it."""
        return bool(self.loaded and self.loaded.enabled and patch.enabled and self._is_before(self.loaded, patch))

    def _is_lowered(self, patch: LoadedPatch) -> bool:
        return patch in self.superseded or (self.goes_down and patch == self.loaded)

    def _involved(self) -> tuple[LoadedPatch, ...]:
        """The enabled patches, not themselves lowered, that a change would uncover silently or that it would cover."""
        names = {above.name for patch in self.lowered for above in self._above(patch)}
        if self.goes_up and self.loaded and not (self.loaded.enabled or self.turns_back):
            names.update(patch.name for patch in self._newer(self.loaded))
        if self._keeps_list_order():
            names.update(patch.name for patch in self._behind())
        return tuple(patch for patch in self.snapshot.patches if patch.name in names)

    def _above(self, patch: LoadedPatch) -> set[LoadedPatch]:
        """Who covers the patch, apart from those that are lowered too and from the one that supersedes it."""
        covering = self.snapshot.covering(patch)
        return {above for above in covering if above not in self.lowered and above.name != self.wanted.name}

    def _newer(self, loaded: LoadedPatch) -> list[LoadedPatch]:
        """Enabled patches on the same functions that were loaded after this one, which it would jump over."""
        return [
            patch
            for patch in self.snapshot.patches
            if patch.enabled
            and patch.load_index > loaded.load_index
            and patch not in self.lowered
            and patch.shares(self._functions())
        ]

    def _keeps_list_order(self) -> bool:
        """Whether to obey CONFIG_LIVEPATCH_STACK: where it is unknown, only if others may be moved and moved back."""
        may_move = self.wanted.on_covered == UNSTACK and self.wanted.state != DISABLED
        return bool(self.list_order) or (self.list_order is None and may_move)

    def _behind(self) -> list[LoadedPatch]:
        """With CONFIG_LIVEPATCH_STACK: the enabled patches behind the first lowered one in the kernel's list."""
        patches = list(self.snapshot.patches)
        first = min((patches.index(patch) for patch in self.lowered), default=len(patches))
        return [patch for patch in patches[first:] if patch.enabled and patch not in self.lowered]

    def _lifted(self) -> tuple[LoadedPatch, ...]:
        if not self.involved:
            return ()
        moved = [*self.lowered, *self.involved]
        lifted = []
        for patch in self.snapshot.patches:
            if not patch.enabled or patch in self.lowered:
                continue
            below = [other for other in moved if self._is_before(other, patch)]
            if patch in self.involved or any(patch.shares(other.functions) for other in below):
                lifted.append(patch)
                moved.append(patch)
        return tuple(lifted)

    def _is_before(self, one: LoadedPatch, other: LoadedPatch) -> bool:
        return self.snapshot.patches.index(one) < self.snapshot.patches.index(other)

    # ---- steps ----

    def steps(self) -> list[Step]:
        """The order of things: nothing is unprotected longer than needed, and the kernel allows each step."""
        if self.lifted or self._must_lower_first():
            return self._steps_with_room_made()
        steps = self._lower(self.loaded) if self.goes_down and self.loaded else self._settle()
        steps += self._take_out() + self._come_in() + self._go_up()
        for patch in reversed(self.superseded):
            steps += self._lower(patch) if patch.enabled else []
            steps.append(Step(UNLOAD, patch.name))
        return steps

    def _steps_with_room_made(self) -> list[Step]:
        steps = self._settle() if not self.goes_down else []
        registered_early = self.comes_in and not self.goes_out and not self.per_task
        if registered_early:
            # If the kernel does not take the new patch, nothing else was touched.
            steps += self._come_in()
        for patch in reversed(self.snapshot.patches):
            if patch in self.lowered or patch in self.lifted:
                steps += self._lower(patch)
        steps += [Step(UNLOAD, patch.name) for patch in reversed(self.superseded)] + self._take_out()
        rise = self._go_up() if registered_early else self._come_in() + self._go_up()
        place = self._place_among_lifted()
        steps += [step for patch in self.lifted[:place] for step in self._raise(patch)]
        steps += rise
        return steps + [step for patch in self.lifted[place:] for step in self._raise(patch)]

    def _place_among_lifted(self) -> int:
        """How many of the lifted patches are enabled again before the wanted one is.

        A new patch belongs above all, one that was disabled below all, one that was enabled where it was.
        With CONFIG_LIVEPATCH_STACK the kernel's list decides, and a module that comes in is its last.
        """
        loaded = self.loaded
        if loaded is None or (self.comes_in and self._keeps_list_order()):
            return len(self.lifted)
        if loaded.enabled or self._keeps_list_order():
            return sum(self._is_before(patch, loaded) for patch in self.lifted)
        return 0

    def _must_lower_first(self) -> bool:
        """With CONFIG_LIVEPATCH_STACK a superseded patch blocks the way: it cannot be disabled below the new one."""
        return self.list_order is not False and bool(self.superseded) and self.goes_up

    def _could_be_lost(self, patch: LoadedPatch) -> bool:
        is_exchanged = patch == self.loaded and self.goes_out and self.comes_in
        return patch.enabled and patch.name not in self.kept and (is_exchanged or patch in self.superseded)

    def _settle(self) -> list[Step]:
        is_waited_for = self.loaded and self.loaded.in_transition and not self.turns_back
        return [Step(WAIT, self.wanted.name)] if is_waited_for else []

    def _lower(self, patch: LoadedPatch) -> list[Step]:
        if self.per_task and self.comes_in and patch in self.superseded and self.file and self.file.replace:
            # Loading the wanted patch has disabled it already.
            return []
        return [Step(DISABLE, patch.name), *self._wait(patch.name)]

    def _take_out(self) -> list[Step]:
        return [Step(UNLOAD, self.wanted.name)] if self.goes_out else []

    def _come_in(self) -> list[Step]:
        return [Step(LOAD, self.wanted.name, self.file), *self._wait(self.wanted.name)] if self.comes_in else []

    def _go_up(self) -> list[Step]:
        if self.turns_back:
            return [Step(ENABLE, self.wanted.name), *self._wait(self.wanted.name)]
        return [Step(ENABLE, self.wanted.name)] if self.goes_up and not self.per_task else []

    def _raise(self, patch: LoadedPatch) -> list[Step]:
        if not self.per_task:
            return [Step(ENABLE, patch.name)]
        # A per_task kernel drops a disabled patch: only inserting the module again enables it.
        load = Step(LOAD, patch.name, self.kept.get(patch.name))
        return [Step(UNLOAD, patch.name), load, *self._wait(patch.name)]

    def _wait(self, name: str) -> list[Step]:
        return [Step(WAIT, name)] if self.per_task else []

    # ---- refusals ----

    def refusals(self, steps: list[Step]) -> list[Finding]:
        refusals = []
        if self.comes_in:
            refusals += self._refuse_load()
        refusals += self._refuse_enable() + self._refuse_order()
        refusals += self._refuse_unload(steps)
        if not self.wanted.force_owner:
            refusals += self._refuse_owned(steps)
        if steps and not self.snapshot.privileged:
            refusals.append(
                Finding(
                    reason="not_root",
                    seen="The module does not run as root.",
                    remedy="Use become: true.",
                    why="Live patches can be changed by root only.",
                )
            )
        return refusals

    def _refuse_load(self) -> list[Finding]:
        if self.file is None:
            return [_no_file(self.wanted, self.loaded)]
        refusals = []
        staying = [
            patch
            for patch in self.snapshot.patches
            if patch.enabled and patch.name != self.wanted.name and patch not in self.superseded
        ]
        if self.per_task and staying and self.file.replace is not False:
            refusals.append(_replaces_others(self.file, staying))
        if not self.per_task and self.file.replace:
            refusals.append(_replace_not_there(self.file))
        if self._may_add_others() and self.goes_out:
            refusals.append(_may_not_load_again(self.file))
        return refusals

    def _may_add_others(self) -> bool:
        """Whether the file may have the replace flag, and a stop_machine kernel other patches that it would add."""
        others = any(patch.name != self.wanted.name for patch in self.snapshot.patches)
        return bool(not self.per_task and self.comes_in and self.file and self.file.replace is None and others)

    def _refuse_enable(self) -> list[Finding]:
        """Of a module that somebody has registered: openEuler 5.10 takes one with replace, and then hangs CPUs.

        What gives it away is that the kernel has added the functions of other patches to it.
        """
        if self.per_task or self.comes_in or not (self.goes_up and self.loaded):
            return []
        file, loaded = self.file, self.loaded
        earlier = [patch for patch in self.snapshot.patches if patch.load_index < loaded.load_index]
        added = added_functions(loaded, file.functions if file else None, earlier)
        if file and file.functions is not None:
            return [_replace_not_there(file)] if file.replace or added else []
        if not added or loaded.enabled or (file and file.replace is False):
            return []
        return [
            Finding(
                reason="needs_file",
                seen=f"{loaded.name} has every function of {_names(earlier)}, which came before it: it may have the "
                "replace flag.",
                remedy=f"Give src, so that it can be checked; or take {_names(earlier)} out first.",
                why="Kernels that patch by stop_machine lack it: openEuler 5.10 accepts it and then hangs CPUs.",
            )
        ]

    def _refuse_order(self) -> list[Finding]:
        blocking = self._blocking()
        if blocking:
            return [_blocked(self.wanted.name, blocking)]
        if not self.involved:
            return []
        if self.wanted.on_covered == UNSTACK:
            return self._refuse_unstack()
        if self.wanted.on_covered == ALLOW and not self._behind_by_order():
            return []
        return [self._covered()]

    def _behind_by_order(self) -> bool:
        return bool(self.list_order and self._behind())

    def _blocking(self) -> list[LoadedPatch]:
        """With CONFIG_LIVEPATCH_STACK: the disabled patches before the place where the wanted one is to be enabled.

        Where that is unknown the kernel is asked, unless something would have been unloaded by then.
        """
        takes_out_first = self._must_lower_first() or self.goes_out
        must_know = self.list_order or (self.list_order is None and takes_out_first)
        if not must_know or not self.goes_up:
            return []
        patches = list(self.snapshot.patches)
        place = patches.index(self.loaded) if self.loaded and not self.comes_in else len(patches)
        return [
            patch
            for patch in patches[:place]
            if not patch.enabled and patch not in self.superseded and patch.name != self.wanted.name
        ]

    def _refuse_unstack(self) -> list[Finding]:
        names = _names(self.lifted)
        if self.list_order and self.wanted.state == DISABLED:
            return [
                Finding(
                    reason="list_order",
                    seen=f"{names} could not be enabled again behind the disabled {self.wanted.name}.",
                    remedy="Set state: absent, or disable those patches as well.",
                    why=_ONLY_THE_FIRST,
                )
            ]
        comes_back = self.comes_in and self.loaded is not None
        if self._keeps_list_order() and comes_back and any(above.shares(self._functions()) for above in self.lifted):
            return [
                Finding(
                    reason="list_order",
                    seen=f"{self.wanted.name} would come above {names}.",
                    remedy=f"Set state: absent for {names} first, and load them again afterwards.",
                    why="On a kernel with CONFIG_LIVEPATCH_STACK a module that is loaded again comes last.",
                )
            ]
        missing = [patch for patch in self.lifted if self.per_task and patch.name not in self.kept]
        if missing:
            return [
                Finding(
                    reason="needs_file",
                    seen=f"{_names(missing)} could not be enabled again.",
                    remedy="Disable those patches yourself, or set on_covered: allow.",
                    why="On this kernel that needs the patch's file, and this collection did not load it.",
                )
            ]
        replacing = [patch for patch in self.lifted if self.goes_up and self.per_task and self._may_replace(patch)]
        if replacing:
            return [
                Finding(
                    reason="replaces_others",
                    seen=f"{_names(replacing)} would be loaded again above {self.wanted.name}.",
                    remedy=f"Set supersedes to {_names(replacing)}, or leave {self.wanted.name} disabled.",
                    why=f"With the replace flag that disables {self.wanted.name} at once.",
                )
            ]
        return []

    def _may_replace(self, patch: LoadedPatch) -> bool:
        flag = patch.replace if patch.replace is not None else self.kept[patch.name].replace
        return flag is not False

    def _covered(self) -> Finding:
        covered = [
            f"{function} of {patch.name} by {_names(stack)}"
            for patch in self.lowered
            for function, stack in self.snapshot.above(patch).items()
        ]
        if covered:
            allow = "" if self._behind_by_order() else " or allow (leave them live)"
            return Finding(
                reason="covered",
                seen=f"Newer patches cover {'; '.join(covered)}.",
                remedy="Act on the newer patches first, or set on_covered: unstack (disable, act, enable them again)"
                f"{allow}.",
                why="The newer ones stay live, and what lies under them would change unseen.",
            )
        if not self._behind_by_order():
            return Finding(
                reason="would_cover",
                seen=f"{self.wanted.name} was loaded before {_names(self.involved)} and would now come above on "
                f"{_functions_text(self._functions(), self.involved)}.",
                remedy="Set on_covered: unstack to bring it back to its old place, or allow to change the order.",
                why="The older code would become live again.",
            )
        return Finding(
            reason="list_order",
            seen=f"{_names(self.involved)} {'is' if len(self.involved) == 1 else 'are'} enabled behind "
            f"{_names(self.lowered)}.",
            remedy="Disable the later patches first, or set on_covered: unstack.",
            why="A kernel with CONFIG_LIVEPATCH_STACK disables only the last enabled patch.",
        )

    def _refuse_unload(self, steps: list[Step]) -> list[Finding]:
        unloaded = {step.patch for step in steps if step.action == UNLOAD}
        return [
            Finding(
                reason="module_unloadable",
                seen=f"{patch.name} has no exit function.",
                remedy="Set state: disabled to end its effect; only a reboot removes the module.",
                why="The kernel never unloads such a module (EBUSY).",
            )
            for patch in self.snapshot.patches
            if patch.permanent and patch.name in unloaded
        ]

    def _refuse_owned(self, steps: list[Step]) -> list[Finding]:
        touched = {step.patch for step in steps if step.action != WAIT}
        return [
            Finding(
                reason="owned",
                seen=f"{patch.name} is managed by {patch.owner}.",
                remedy=f"Change it with {patch.owner}, or set force_owner: true and tell {patch.owner} afterwards.",
                why=f"{patch.owner} does not notice what others do to its patches.",
            )
            for patch in self.snapshot.patches
            if patch.owner and patch.name in touched
        ]

    def notices(self) -> t.Iterator[str]:
        lowered_first = [patch for patch in self.superseded if patch.enabled]
        if lowered_first and self._must_lower_first():
            yield (
                f"{_names(lowered_first)} must be disabled before {self.wanted.name} is enabled, because the kernel "
                "may have CONFIG_LIVEPATCH_STACK: between the two neither is active."
            )
        if self._may_add_others() and self.file:
            yield (
                f"{self.file.path} does not show whether it has the replace flag. If it has, it is taken out again "
                "before it is enabled."
            )
        lost = [patch for patch in self.snapshot.patches if self._could_be_lost(patch)]
        if lost:
            yield (
                f"If this fails, {_names(lost)} cannot be brought back: this collection did not load "
                f"{'it' if len(lost) == 1 else 'them'}, and has no copy of the file."
            )
        if self.lifted:
            yield f"Disabled for a moment and enabled again in their old order: {_names(self.lifted)}."
        elif self.involved and self.wanted.on_covered == ALLOW:
            yield f"The order with {_names(self.involved)} matters and was allowed to change."


def _names(patches: t.Iterable[LoadedPatch]) -> str:
    return ", ".join(patch.name for patch in patches)


def _functions_text(functions: t.Iterable[Function], patches: t.Iterable[LoadedPatch]) -> str:
    shared = [function for function in functions if any(patch.shares([function]) for patch in patches)]
    return ", ".join(str(function) for function in shared)


def _replaces_others(file: PatchFile, others: list[LoadedPatch]) -> Finding:
    """A patch with `klp_patch.replace` disables every other one; only loading their files again would undo that."""
    names = _names(others)
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
        remedy="Name those patches in supersedes, or set state: absent for them first.",
        why=f"If it has, loading it would disable {names}.",
    )


def _replace_not_there(file: PatchFile) -> Finding:
    return Finding(
        reason="replace_not_supported",
        seen=f"{file.path} has the replace flag, which kernels that patch by stop_machine do not implement.",
        remedy="Build the patch without replace (kpatch-build -R), and use supersedes.",
        why="Newer ones refuse it, openEuler 5.10 accepts it and then hangs CPUs.",
    )


def _shows_no_replace(file: PatchFile) -> str:
    return (
        f"{file.path} does not show whether it has the replace flag (those of kpatch-build have it unless they were "
        "built with -R)."
    )


def _may_not_load_again(file: PatchFile) -> Finding:
    return Finding(
        reason="may_replace_others",
        seen=_shows_no_replace(file),
        remedy="Put the manifest of livepatch_build beside it, or set state: absent first and load it then.",
        why="Kernels that patch by stop_machine do not take it, and the loaded content would be out by then.",
    )


def _blocked(name: str, blocking: list[LoadedPatch]) -> Finding:
    return Finding(
        reason="list_order",
        seen=f"{_names(blocking)} {'is' if len(blocking) == 1 else 'are'} loaded and disabled before {name}.",
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
