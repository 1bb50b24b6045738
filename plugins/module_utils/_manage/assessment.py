# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Observe and plan: what a task finds on a host, what is to be done about it, and the result where nothing is done."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.predicted import with_records
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain, describe_patch, diff
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books, moving_as_in
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.boot_set import Acceptance
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.displaced import all_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.doubt import cannot_read
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, refusals
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action, Displaced, Plan, Step
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    AtBoot,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.boot import BootContext, plan_boot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.caution import cautions, trouble_refusal
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.fix import with_fix
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.next_boot import boot_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.predict import predict
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.reboot import task_needs_reboot
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.books import read_books
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.catalog import Catalog
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.copies import Digests
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import time_now

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol
    from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile


def observe(kernel: KernelProtocol, of_boot: bool = False) -> tuple[Snapshot, Books]:
    """The snapshot of the host, with the digests from the collection's books, and these books (see read_books)."""
    snapshot = kernel.snapshot()
    books = read_books(kernel.files(), snapshot, of_boot)
    return books.identify(snapshot), books


def _with_file(snapshot: Snapshot, wanted: Wanted) -> Snapshot:
    """The snapshot with what the file of the task tells of its patch: somebody else may have loaded that build."""
    loaded, file = snapshot.patch(wanted.name), wanted.file
    if loaded is None or file is None or loaded.identity.compare_builds(file.identity) != "same":
        return snapshot
    known = moving_as_in(file, loaded, snapshot)
    return replace(snapshot, patches=tuple(known if patch == loaded else patch for patch in snapshot.patches))


class Assessment:
    """One observation of the host, or a predicted one, with what is accepted then, and what is to be done about it."""

    def __init__(
        self,
        task: Task,
        kernel: KernelProtocol,
        earlier: Catalog | None = None,
        predicted: Snapshot | None = None,
        accepted: Acceptance | None = None,
        digests: Digests | None = None,
    ) -> None:
        self.task = task
        self.kernel = kernel
        self.before, self.books = observe(kernel, of_boot=task.wanted.boot == AtBoot.ACCEPTED)
        self.before = _with_file(predicted or self.before, task.wanted)
        self.books = replace(self.books, boot=accepted) if accepted else self.books
        self.catalog = Catalog(kernel.files, self.before, self.books, digests)
        if earlier:
            self.catalog.take_over(earlier)
        self.plan = self._make_plan(self.before, self.books)
        file = task.wanted.file
        # A copy of what is loaded is kept where only root can change it: that one is loaded if a plan is rolled back.
        if file and task.file_path and (file in self._needed_files or file not in self.catalog.paths):
            self.catalog.put(file, task.file_path)
        if file and task.packed and file in self._needed_files:
            self.catalog.packed[file] = task.packed

    def steps_left(self, found: Snapshot) -> tuple[Step, ...]:
        """What the next run of the same task does on the host as it is found now, beside waiting for its transition.

        What is forgotten for the next boots is forgotten at the beginning of a run, what is accepted at its end.
        """
        forgotten = self.plan.acceptance if self.plan.forgets else None
        books = replace(self.books, boot=forgotten) if forgotten else self.books
        moving = found.in_transition
        steps = self._make_plan(found, books).all_steps
        return tuple(
            step for step in steps if not (moving and step.action == Action.WAIT and step.patch == moving.name)
        )

    def _make_plan(self, snapshot: Snapshot, books: Books) -> Plan:
        wanted, unread = self.task.wanted, self.books.unread.get(self.task.wanted.name)
        trouble = trouble_refusal(snapshot, books, wanted)
        if trouble:
            return Plan(refusals=(trouble,), about=wanted.name)
        if wanted.state == State.REVERTED and unread and snapshot.privileged:
            # What it took the place of would stay out, and another try may tell it.
            plan = Plan(refusals=(cannot_read([unread]),))
        elif wanted.state == State.REVERTED:
            at_hand = self.catalog.displaced_at_hand(wanted.name)
            came_back = self.catalog.came_back.get(wanted.name)
            # Here and not above: few tasks revert.
            from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.revert import plan_revert

            plan = plan_revert(snapshot, wanted, self.catalog.stored, at_hand, came_back)
        else:
            plan = make_plan(snapshot, wanted, self.catalog.stored)
        plan, displaced = replace(plan, about=wanted.name), self.catalog.displaced_by(wanted.name)
        if plan.steps:
            plan, displaced = self._with_aftermath(snapshot, plan, displaced)
        names = [patch.name for patch in all_of(displaced)]
        context = BootContext(books, self.catalog.at_hand, names, time_now(), self.task.ignore)
        plan = plan_boot(snapshot, wanted, plan, context)
        return with_fix(snapshot, wanted, plan, self.catalog.stored, books.boot)

    def _with_aftermath(
        self, snapshot: Snapshot, plan: Plan, displaced: tuple[Displaced, ...]
    ) -> tuple[Plan, tuple[Displaced, ...]]:
        """The plan with what it says of the host after it, and what the wanted patch has displaced then."""
        # Here and not above: most runs change nothing.
        from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.displaced import (
            displaced_after,
            with_forgotten,
            with_memory_lost,
        )
        from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.live import with_live

        wanted, history, after = self.task.wanted, self.catalog.history, predict(snapshot, plan)
        loaded = snapshot.patch(wanted.name)
        copy = self.books.copy_of(loaded) if loaded else None
        # What was on trial when the host was booted is not known any more.
        is_remembered = copy is not None and bool(displaced or not copy.at_boot)
        can_revert = bool(displaced) and self._can_revert(snapshot, after)
        plan = with_live(plan, snapshot, after, wanted, displaced if is_remembered else None, can_revert)
        if wanted.state == State.ABSENT:
            plan = with_memory_lost(plan, wanted, after, history)
        news = displaced_after(wanted, snapshot, plan, after, self.catalog.stored, history)
        if wanted.state != State.REVERTED and wanted.name in news:
            displaced = news[wanted.name]
            plan = with_forgotten(plan, wanted, displaced, history)
        return plan, displaced

    def _can_revert(self, before: Snapshot, after: Snapshot) -> bool:
        """Whether a revert can bring back what the wanted patch took the place of: it is not too late, nor refused."""
        wanted = self.task.wanted
        if wanted.state == State.REVERTED or (wanted.state == State.ABSENT and not self.task.check_mode):
            return False
        from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.revert import plan_revert

        return bool(
            plan_revert(
                before if wanted.state == State.ABSENT else after,
                replace(wanted, state=State.REVERTED, file=None),
                self.catalog.stored,
                self.catalog.displaced_at_hand(wanted.name),
                self.catalog.came_back.get(wanted.name),
            ).steps
        )

    @property
    def lacks_file(self) -> bool:
        return not all(self.catalog.has(file) for file in self._needed_files)

    @property
    def _needed_files(self) -> tuple[PatchFile, ...]:
        return (*self.plan.loads, *self.plan.accepts)

    @property
    def lacks_proof(self) -> bool:
        """Whether the wanted patch was enabled by a run that could not prove its effect."""
        return self._enables and self.task.wanted.name in self.catalog.unproven

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be done, and nothing was refused."""
        return not (self.plan.refusals or self.plan.all_steps or self.lacks_proof)

    @property
    def proves_unmoved(self) -> bool:
        """Whether the wanted patch stays enabled, and the task says how to prove its effect nevertheless."""
        asked = self.verification_unmoved
        return bool(asked.text or asked.probe)

    @property
    def verification_unmoved(self) -> Verification:
        """How to prove an enabled patch that stays as it is: a probe is asked only of one that may not be effective.

        That is one that is covered, or of which the kernel shows no function. Nothing changes for which the kernel's
        log would have to be watched.
        """
        asked, patch = self.task.verification, self.before.patch(self.task.wanted.name)
        if self.task.check_mode or not (self._enables and patch and patch.enabled):
            return replace(asked, text=False, probe=None, watch=0.0)
        is_doubtful = bool(self.before.above(patch)) or not patch.functions
        return replace(asked, probe=asked.probe if is_doubtful else None, watch=0.0)

    @property
    def brings_effect(self) -> bool:
        """Whether the plan makes a difference to prove: it enables a disabled patch, or another build."""
        name = self.task.wanted.name
        loaded = self.before.patch(name)
        actions = (Action.LOAD,) if loaded and loaded.enabled else (Action.LOAD, Action.ENABLE)
        return self._enables and any(step.patch == name and step.action in actions for step in self.plan.intended)

    @property
    def _enables(self) -> bool:
        return self.task.wanted.state == State.ENABLED

    def unchanged(self, findings: t.Sequence[Finding] = ()) -> Plain:
        """The result of a task that is refused, has nothing to do, or runs in check mode."""
        if refusals(findings):
            needs_reboot = self.needs_reboot(findings, self.before, self.before)
            return {**_refused(self.before, self.task, findings), "reboot_required": needs_reboot}
        books = replace(self.books, boot=self.plan.acceptance or self.books.boot)
        after, books = with_records(predict(self.before, self.plan), self.plan, books, self.brings_effect)
        return self.result(after, books, [*findings, *cautions(after, books, self.task.wanted.name)])

    def result(self, after: Snapshot, books: Books, findings: t.Sequence[Finding]) -> Plain:
        """The result of a task after which the host is as in this snapshot and these books."""
        patch = after.patch(self.task.wanted.name)
        return {
            "changed": self.plan.changes,
            "name": self.task.wanted.name,
            "state": state_of(after, self.task.wanted.name),
            "actions": [str(step) for step in self.plan.all_steps],
            "boot": boot_of(books.boot, after, self.task.wanted.name),
            "patch": describe_patch(patch, after, books) if patch and after.is_known else None,
            "abi": after.abi,
            "release": after.release,
            "diff": diff(self.before, self.books, after, books),
            "findings": [finding.to_plain() for finding in (*findings, *self.plan.notes)],
            "proofs": [],
            "reboot_required": self.needs_reboot(findings, self.before, after),
            # What it is loaded with is told of the patch.
            **({"file": replace(self.task.wanted.file, loaded_with=None).to_dict()} if self.task.wanted.file else {}),
        }

    def needs_reboot(self, findings: t.Iterable[Finding], found: Snapshot, goal: Snapshot) -> bool:
        """Whether only a reboot finishes the task."""
        return task_needs_reboot([*findings, *self.plan.notes], self.plan, found, goal)


def state_of(snapshot: Snapshot, name: str) -> str:
    """The state of a patch as results tell it."""
    if not snapshot.is_known:
        return "unknown"
    patch = snapshot.patch(name)
    if patch is None:
        return "absent"
    if patch.in_transition:
        return "in transition"
    return "enabled" if patch.enabled else "disabled"


def _refused(before: Snapshot, task: Task, findings: t.Sequence[Finding]) -> Plain:
    refused = refusals(findings)
    return {
        "failed": True,
        "changed": False,
        "msg": "Refused: " + " ".join(str(finding) for finding in refused),
        "name": task.wanted.name,
        "state": state_of(before, task.wanted.name),
        "reason": refused[0].reason,
        "cause": refused[0].cause,
        "remedy": refused[0].remedy,
        "findings": [finding.to_plain() for finding in findings],
        "abi": before.abi,
        "release": before.release,
    }
