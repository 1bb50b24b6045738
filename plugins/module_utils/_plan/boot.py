# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Pure: what a task changes in what the host loads at its next boot."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance, Accepted, Damaged
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import (
    NOT_REVERTED,
    REVERTED_ALREADY,
    Action,
    Plan,
    Step,
    Stored,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import AtBoot, State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.version import VERSION, is_older
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.named import relation_to_named
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.next_boot import covered_at_boot, file_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict


@dataclass(frozen=True)
class BootContext:
    """What an acceptance depends on beside the kernel.

    `books` has what is accepted now. `stored` are the patch files that the host has copies of, `displaced` names what
    the wanted patch has taken the place of, to any depth, `now` is the time, and `ignore` are the checks that the task
    overrides, as the boot will.
    """

    books: Books
    stored: Stored
    displaced: t.Sequence[str]
    now: str
    ignore: tuple[str, ...]


def plan_boot(snapshot: Snapshot, wanted: Wanted, plan: Plan, context: BootContext) -> Plan:
    """Add to a plan of the same task what it does about the next boots.

    A patch that the plan unloads is not accepted any more: the next boot would load it again.
    """
    if plan.refusals:
        return plan
    plan = _plan_boot(snapshot, wanted, plan, context)
    overtaken = _overtaken_only_then(snapshot, wanted, plan, plan.acceptance or context.books.boot)
    if not overtaken:
        return plan
    active = {patch.name for patch in predict(snapshot, plan).patches if patch.enabled}
    others = [name for name in overtaken if name not in active]
    return _warn(
        plan,
        reason="boot_order",
        seen=f"The next boot loads {', '.join(overtaken)} above {wanted.name} again.",
        remedy=f"Set boot: trial for {', '.join(others)}." if others else "Set boot: accepted to keep the new order.",
    )


def _plan_boot(snapshot: Snapshot, wanted: Wanted, plan: Plan, context: BootContext) -> Plan:
    is_asked = wanted.boot is not None or wanted.state in (State.ABSENT, State.REVERTED)
    boot = context.books.boot
    damage = context.books.boot_damage
    if damage and is_asked and snapshot.privileged:
        return _with_damaged_store(wanted, plan, damage)
    if wanted.boot == AtBoot.ACCEPTED:
        return _accept(snapshot, wanted, plan, context)
    if wanted.boot == AtBoot.TRIAL or wanted.state in (State.ABSENT, State.REVERTED):
        return _forget(snapshot, wanted, plan, boot)
    if wanted.state == State.DISABLED and any(entry.name == wanted.name for entry in boot.due(snapshot.kernel)):
        return _warn(
            plan,
            reason="still_accepted",
            seen=f"{wanted.name} is accepted: the next boot enables it.",
            remedy="Set boot: trial to keep it out.",
        )
    return _warn_of_other_build(snapshot, wanted, plan, boot)


def _warn_of_other_build(snapshot: Snapshot, wanted: Wanted, plan: Plan, boot: Acceptance) -> Plan:
    """The plan, with a warning where it loads another build than the next boots do, or with other parameters."""
    loads = [(file.sha256, file.loaded_with or "") for file in plan.loads if file.name == wanted.name]
    due = [(entry.sha256, entry.loaded_with) for entry in boot.due(snapshot.kernel) if entry.name == wanted.name]
    if not (loads and due) or loads[-1] in due:
        return plan
    return _warn(
        plan,
        reason="other_accepted",
        seen=f"Another build of {wanted.name} is accepted, or other parameters: the next boot loads it with those.",
        remedy="Set boot: accepted when this one is to be loaded at boot.",
    )


def _with_damaged_store(wanted: Wanted, plan: Plan, damage: Damaged) -> Plan:
    """Refuse to accept anything into a store that is not known. Taking out goes on: it needs nothing of it.

    The file goes out of the way then, so that no boot, of another version perhaps, loads from it what was taken out.
    """
    if wanted.state not in (State.ABSENT, State.REVERTED):
        return _refuse(
            plan,
            Finding(
                reason="boot_store_damaged",
                seen=damage.why,
                remedy="Put the file back from a backup; or remove it, and accept again what is to be loaded at boot.",
                why="What is accepted, and what is in quarantine, would be lost.",
            ),
        )
    is_going = bool(plan.steps) and damage.aside is not None
    plan = _warn(
        plan,
        reason="boot_store_damaged",
        seen=damage.why,
        remedy="Accept again what is to be loaded at boot, then remove that file."
        if is_going
        else "Put the file back from a backup; or remove it, and accept again what is to be loaded at boot.",
        why=f"It is kept as {damage.aside}, and boots load nothing until something is accepted again."
        if is_going
        else f"Until then no boot loads a patch. Afterwards boots load {wanted.name} again if the file has it.",
    )
    return replace(plan, moves_aside=damage.aside) if is_going else plan


def _overtaken_only_then(snapshot: Snapshot, wanted: Wanted, plan: Plan, boot: Acceptance) -> list[str]:
    """The accepted patches that the next boot covers the wanted one with, and that do not cover it after the plan."""
    if wanted.state != State.ENABLED or plan.refusals or all(entry.name != wanted.name for entry in boot.accepted):
        return []
    after = predict(snapshot, plan)
    patch = after.patch(wanted.name)
    now = {above.name for above in after.covering(patch)} if patch else set()
    return [name for name in covered_at_boot(boot, after).get(wanted.name, ()) if name not in now]


def _accept(snapshot: Snapshot, wanted: Wanted, plan: Plan, context: BootContext) -> Plan:
    file = _file(wanted, context.stored)
    refusal = _why_not_accepted(snapshot, wanted, file, context.books)
    if file is None or refusal:
        return Plan(refusals=tuple(filter(None, [refusal])), intended=plan.intended)
    boot, after = context.books.boot, predict(snapshot, plan)
    loaded = {patch.name for patch in after.patches}
    before = {patch.name for patch in snapshot.patches}
    gone = before.union(context.displaced, wanted.supersedes).difference(loaded)
    # The copy may be older than what the user says of the flag.
    flag = wanted.file.replace if wanted.file and wanted.file.replace is not None else file.replace
    if abi_of(snapshot).loading_enables and flag is not False:
        # What is not enabled beside it now must not be at boot either: there it would be refused above the others.
        active = {patch.name for patch in after.patches if patch.enabled}
        gone = gone.union(entry.name for entry in boot.due(snapshot.kernel) if entry.name not in {*active, wanted.name})
    known = next(
        (
            entry
            for entry in boot.due(snapshot.kernel)
            if (entry.sha256, entry.loaded_with) == (file.sha256, file.loaded_with or "")
        ),
        None,
    )
    ignore = context.ignore
    new = known or Accepted(
        name=wanted.name,
        sha256=file.sha256,
        release=snapshot.release,
        since=context.now,
        patch_file=file.to_dict(),
        ignore=ignore,
        kernel_build_id=snapshot.kernel.build_id,
    )
    if ignore and new.ignore != ignore:
        new = replace(new, ignore=ignore)
    if flag not in (None, new.patch_file.get("replace")):
        new = replace(new, patch_file={**new.patch_file, "replace": flag})
    acceptance = boot.with_accepted(new, gone, [patch.name for patch in after.patches])
    flaw = context.books.boot_flaws.get(file.sha256)
    if flaw:
        acceptance = acceptance.accepted_at(context.now, new)
        plan = _warn(
            plan,
            reason="boot_file",
            seen=flaw,
            remedy="Find out what changes the boot store.",
            why="No boot could load it. The task stores the file again.",
        )
    quarantine = boot.quarantine_of(file.sha256)
    if quarantine:
        plan = _warn(
            plan,
            reason="quarantined",
            seen=f"{wanted.name} is in quarantine: no boot loads it.",
            remedy=f"Build a better one; or end the quarantine, with state: absent for {wanted.name}.",
            why=quarantine.why,
        )
    if not context.books.has_boot_program:
        plan = _warn(
            plan,
            reason="no_boot_program",
            seen="Nothing loads accepted patches at boot.",
            remedy="Apply the role openeuler.livepatch.boot to the host.",
        )
    elif is_older(context.books.boot_program_version or ""):
        plan = _warn(
            plan,
            reason="old_boot_program",
            seen=f"The version of the boot program is {context.books.boot_program_version or 'unknown'}, that of the "
            f"collection {VERSION}.",
            remedy="Apply the role openeuler.livepatch.boot to the host again.",
            why="At boot it would load the patch by older rules.",
        )
    if acceptance == boot and not flaw:
        return plan
    return replace(plan, boot=(Step(Action.ACCEPT, wanted.name, file),), acceptance=acceptance)


def _why_not_accepted(snapshot: Snapshot, wanted: Wanted, file: PatchFile | None, books: Books) -> Finding | None:
    due = [entry for entry in books.boot.due(snapshot.kernel) if entry.name == wanted.name]
    loaded = snapshot.patch(wanted.name)
    if file is None:
        flaw = next((books.boot_flaws.get(entry.sha256) for entry in due), None)
        return Finding(
            reason="needs_file",
            seen=f"{wanted.name} cannot be accepted for the next boot.",
            remedy="Give src.",
            why=f"{flaw} No other copy of it is whole."
            if flaw
            else "This collection did not load it, and has no copy of its file.",
        )
    if loaded and loaded.tool:
        return Finding(
            reason="owned",
            seen=f"{wanted.name} is managed by {loaded.tool}.",
            remedy=f"Let {loaded.tool} load it at boot.",
            why="Two tools would load it.",
        )
    if any(entry.name == wanted.name for entry in books.boot.ambiguous(snapshot.kernel)):
        return Finding(
            reason="kernel_unknown",
            seen=f"Builds of {wanted.name} are accepted for several builds of the kernel {snapshot.release}.",
            remedy=f"Make /sys/kernel/notes readable; or set boot: trial for {wanted.name}, then accept it.",
            why="Nothing tells which of them runs: no boot loads any.",
        )
    return None


def _file(wanted: Wanted, stored: Stored) -> PatchFile | None:
    """The patch file to accept: the copy on the host if it is of the same file, so that nothing is sent."""
    copy = stored.get(wanted.name)
    file = wanted.file.loaded_as(copy) if wanted.file else None
    is_copy = copy and (file is None or (file.sha256, file.loaded_with) == (copy.sha256, copy.loaded_with))
    return copy if is_copy else file


def _forget(snapshot: Snapshot, wanted: Wanted, plan: Plan, boot: Acceptance) -> Plan:
    acceptance = boot.without(wanted.name, restore=wanted.state != State.ABSENT)
    if acceptance == boot or (wanted.state == State.REVERTED and _stays_accepted(snapshot, wanted, plan, boot)):
        return plan
    return replace(plan, boot=(Step(Action.FORGET, wanted.name),), acceptance=acceptance)


def _stays_accepted(snapshot: Snapshot, wanted: Wanted, plan: Plan, boot: Acceptance) -> bool:
    """Whether a revert leaves what boots load as it is: nothing goes, or what goes is another build than they load."""
    if any(note.reason in (REVERTED_ALREADY, NOT_REVERTED) for note in plan.notes):
        return True
    if wanted.boot is not None:
        return False
    due = [entry for entry in boot.due(snapshot.kernel) if entry.name == wanted.name]
    return bool(due) and not any(_may_go(entry, snapshot, wanted) for entry in due)


def _may_go(entry: Accepted, snapshot: Snapshot, wanted: Wanted) -> bool:
    """Whether a revert may be about this accepted build: it is the loaded one, or one that the task names."""
    loaded = snapshot.patch(wanted.name)
    if loaded:
        return loaded.identity.compare(entry.identity) != "different"
    return relation_to_named(entry.identity, wanted, file_of(entry)) == "same"


def _refuse(plan: Plan, finding: Finding) -> Plan:
    return Plan(refusals=(finding,), intended=plan.intended)


def _warn(plan: Plan, *, reason: str, seen: str, remedy: str, why: str = "") -> Plan:
    note = Finding(reason=reason, seen=seen, remedy=remedy, why=why, severity=WARN)
    return replace(plan, notes=(*plan.notes, note))
