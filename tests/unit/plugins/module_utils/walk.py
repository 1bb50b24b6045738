# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random walks: tasks, modules that come and go, and other tools' acts, on one host that remembers.

No step that succeeds leaves a host with fewer functions fixed than its result says: the checks of `Step` and `Walk` say
that, and what belongs to it. A walk that goes wrong is made as short as it can be.

Usage: python -m ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walk MINUTES [SEED]
It walks for so many minutes, from a seed that it prints; with 0 minutes it shows the walk of SEED act by act.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import random
import sys
import tempfile
import time
import traceback
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    OnStall,
    Patience,
    Probe,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Function, LoadedPatch
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import copies
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    content_of,
    patch_file,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walk_plot import (
    BUILDS,
    FUNCTIONS,
    LENGTH,
    NAMES,
    TARGET,
    Act,
    Other,
    Patch,
    Plot,
    Run,
    draw,
    shorter,
)
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.walked_kernel import (
    KINDS,
    Stacks,
    WalkedKernel,
)

Plain = t.Dict[str, t.Any]

# ---- how it is done, and looked at ----


@dataclasses.dataclass(frozen=True)
class Moment:
    """What is so at a moment, when the running transition has ended."""

    patches: dict[str, LoadedPatch]
    stacks: Stacks

    def conditions(self) -> dict[str, tuple[bool, str | None]]:
        return {name: (patch.enabled, patch.identity.srcversion) for name, patch in self.patches.items()}


class Wrong(AssertionError):
    """A check fails. `kind` names it."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


def demand(condition: object, kind: str, *text: object) -> None:
    if not condition:
        raise Wrong(kind, " ".join(map(str, text)))


class Walk:
    """One host on its way."""

    def __init__(self, root: str, plot: Plot, tell: t.Callable[[str], None] = lambda line: None) -> None:
        self.tell = tell
        self.kernel = WalkedKernel(root, **KINDS[plot.kind])
        self.kernel.targets.add(TARGET)
        self.files: dict[tuple[str, str], PatchFile] = {}
        # What was fixed by the patches that a task took out for a patch: reverting it brings them back, or says no.
        self.fixed_before: dict[str, set[Function]] = {}
        # What a revert of a patch brings back if it comes next.
        self.due: tuple[str, set[Function]] = ("", set())
        self.meddled_since: set[str] = set()
        self.has_replaced = False
        # The patches whose files tell another replace flag, or none.
        self.surprises = {name for name, patch in zip(NAMES, plot.patches) if patch.told is not patch.replace}
        for name, patch in zip(NAMES, plot.patches):
            for build in BUILDS:
                self._add(name, build, patch)

    def _add(self, name: str, build: str, patch: Patch) -> None:
        real = patch_file(
            name,
            build,
            abi=self.kernel.abi,
            functions=patch.functions,
            replace=patch.replace,
            build_id=None,
            srcversion=f"{name}-{build}",
        )
        self.kernel.add_file(real)
        self.files[name, build] = dataclasses.replace(real, replace=patch.told)
        with open(f"{self.kernel.root}/{name}-{build}.ko", "wb") as stream:
            stream.write(content_of(name, build))

    def moment(self) -> Moment:
        return Moment(*self.kernel.settled())

    def carry_out(self, act: Act) -> None:
        if isinstance(act, Other):
            self.kernel.by_other(lambda: self.do_other(act))
            self.note_meddling(act)
        else:
            self.run(act)
        self.check_facts()

    def note_meddling(self, act: Other) -> None:
        """What is remembered of patches before somebody else acts is worth nothing afterwards."""
        if act.what not in ("hold", "busy", "use", "end_use"):
            self.fixed_before.clear()
            self.due = ("", set())

    def do_other(self, act: Other) -> None:
        kernel = self.kernel
        acts: dict[str, t.Callable[[], object]] = {
            "load": lambda: kernel.load(f"/{act.name}-{act.build}.ko", self.files[act.name, act.build].sha256),
            "enable": lambda: kernel.write_enabled(act.name, True),
            "disable": lambda: kernel.write_enabled(act.name, False),
            "unload": lambda: kernel.unload(act.name),
            "hold": lambda: kernel.stall.add(act.name),
            "busy": lambda: kernel.busy.update({act.name: 2}),
            "end_stall": kernel.end_stall,
            "use": lambda: kernel.use(act.name),
            "end_use": lambda: kernel.use(act.name, False),
            "end_later": kernel.end_later,
            "load_target": lambda: kernel.targets.add(TARGET),
            "unload_target": lambda: kernel.unload(TARGET) if TARGET in kernel.targets else None,
        }
        if act.what in ("enable", "disable") and act.name not in [patch.name for patch in kernel.patches]:
            return
        acts[act.what]()

    def meddle(self, act: Other) -> None:
        """Do this in the middle of a run. What it has replaced may be gone with it at the end."""
        self.do_other(act)
        self.has_replaced = self.kernel.is_replacing(act.name)

    def task(self, run: Run, check_mode: bool = False) -> Plain:
        file = self.files[run.name, run.build] if run.build else None
        wanted = Wanted(
            name=run.name,
            state=State(run.state),
            file=file,
            reload=run.reload,
            on_covered=OnCovered(run.on_covered),
            supersedes=run.supersedes,
            force_owner=run.force_owner,
            load_targets=run.load_targets,
        )
        path = f"{self.kernel.root}/{run.name}-{run.build}.ko" if file else None
        patience = Patience(3, 2, 0.1, OnStall(run.on_stall))
        proof = Verification(probe=Probe(argv=("false",), retries=0) if run.disproved else None)
        task = Task(wanted, path, verification=proof, patience=patience, check_mode=check_mode, ignore=run.ignore)
        return manage(task, self.kernel)

    def run(self, run: Run) -> None:
        kernel, before, foreign = self.kernel, self.moment(), set(self.kernel.foreign)
        shown, at_hand = tuple(kernel.patches), self.at_hand()
        predicted = self.task(run, check_mode=True)
        demand(tuple(kernel.patches) == shown, "check_mode", "check mode has changed the kernel")
        kernel.events, kernel.meddled, kernel.calls, kernel.refused = 0, False, [], []
        self.has_replaced = False
        if run.meddle:
            number, act = run.meddle
            kernel.meddle = {number: lambda: self.meddle(act)}
        if run.fail:
            kernel.fail_later(*run.fail)
        kernel.fail_too = run.fail_too
        result = self.task(run)
        kernel.fail_at, kernel.fail_too, kernel.meddle = None, None, {}
        self.tell(f"      {'FAILED ' if result.get('failed') else ''}{result.get('msg', result.get('actions'))}")
        self.tell(f"      findings {[finding['reason'] for finding in result['findings']]} calls {kernel.calls}")
        step = Step(self, run, shown, before, self.moment(), predicted, result, foreign, at_hand)
        step.check_always()
        if kernel.meddled and run.meddle:
            self.note_meddling(run.meddle[1])
            self.due = ("", set())
            return
        step.check_undisturbed()
        self.remember(run, step)
        if not (step.failed or step.stalled or any(patch.pinned for patch in kernel.patches)):
            self.check_second(run, step)

    def at_hand(self) -> set[str]:
        """The loaded patches of whose files the collection has copies."""
        found = [(patch, known(copies.read(self.kernel.files(), patch.name))) for patch in self.kernel.patches]
        return {patch.name for patch, copy in found if copy and copy.file and copy.instance == patch.instance}

    def remember(self, run: Run, step: Step) -> None:
        self.due = (run.name, step.displaced() if run.state == State.ENABLED else set())
        if step.failed:
            return
        was, is_now = step.before.patches.get(run.name), step.after.patches.get(run.name)
        if is_now and (was is None or was.instance != is_now.instance) and run.state == State.ENABLED:
            self.fixed_before[run.name] = {
                function
                for function, stack in step.before.stacks.items()
                if not set(stack).intersection(step.after.stacks.get(function, ())).difference([run.name])
            }
        for name in set(self.fixed_before).difference(step.after.patches):
            del self.fixed_before[name]

    def check_second(self, run: Run, step: Step) -> None:
        """The same task once more has nothing to do."""
        shown = tuple(self.kernel.patches)
        again = self.task(run)
        demand(not again.get("failed"), "second_failed", again.get("msg"))
        demand(not again["changed"], "second_changed", again["actions"])
        demand(tuple(self.kernel.patches) == shown, "second_changed", "the kernel is another one")

    def check_facts(self) -> None:
        """The facts tell what is so. What a kernel cannot tell is not asked."""
        facts = gather(self.kernel.files())
        stacks, patches = self.kernel.stacks(), {patch.name: patch for patch in self.kernel.patches}
        demand(facts["functions"] is not None, "facts_unknown", facts["undecided"], facts["disagreements"])
        told = {one["name"]: (one["enabled"], one["in_transition"]) for one in facts["patches"]}
        demand(told == {name: (one.enabled, one.in_transition) for name, one in patches.items()}, "facts_state", told)
        nops = self.kernel.nops
        live = {Function(one["object"], one["name"], one["sympos"]): one["live"] for one in facts["functions"]}
        for function in FUNCTIONS:
            if function.object in self.kernel.objects and function not in nops:
                expected = stacks.get(function, [None])[-1]
                demand(live.get(function) == expected, "facts_live", function, live.get(function), "is", expected)
            elif function not in nops:
                demand(live.get(function) is None, "facts_absent", function, live)
        for one in facts["patches"]:
            self.check_effect(one, patches[one["name"]], "facts")

    def check_effect(self, told: Plain, patch: LoadedPatch, where: str) -> None:
        moving = [other for other in self.kernel.patches if self.kernel.nops_of(other)]
        if patch.in_transition or any(other.instance in self.kernel.foreign for other in moving):
            # Of a patch that somebody else has loaded, nothing tells what is its own.
            return
        stacks = self.kernel.stacks()
        nops = self.kernel.nops
        own = [function for function in patch.functions if function not in nops]
        at_top = [function for function in own if stacks.get(function, [None])[-1] == patch.name]
        effect = "none" if not patch.enabled or not at_top else "full" if len(at_top) == len(patch.functions) else None
        demand(told["effective"] == (effect or "partial"), where + "_effect", patch.name, told["effective"], stacks)


@dataclasses.dataclass(frozen=True)
class Step:
    """A task that has run, and what it has left.

    `shown` is what the kernel has shown before it, `at_hand` names the patches of whose files there were copies.
    """

    walk: Walk
    run: Run
    shown: tuple[LoadedPatch, ...]
    before: Moment
    after: Moment
    predicted: Plain
    result: Plain
    foreign: set[int]
    at_hand: set[str]

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def refused(self) -> bool:
        return self.failed and "attempted" not in self.result

    @property
    def stalled(self) -> bool:
        return any(finding["reason"] == "transition_stalled" for finding in self.result["findings"])

    @property
    def words(self) -> str:
        """All that the result says, but for what lies under the patch."""
        said = [finding for finding in self.result["findings"] if finding["reason"] != "already_patched"]
        findings = [f"{finding['cause']} {finding['remedy']}" for finding in said]
        return " ".join(
            [self.result.get("msg", ""), *self.result.get("not_restored", ()), *self.result["actions"], *findings]
            if "actions" in self.result
            else [self.result.get("msg", ""), *findings]
        )

    def displaced(self) -> set[Function]:
        """The functions whose fixes the run has taken out for its patch, and has copies of, also if it has failed."""
        was, is_now = (moment.patches.get(self.run.name) for moment in (self.before, self.after))
        is_new = is_now and (was is None or was.identity.srcversion != is_now.identity.srcversion)
        if not (is_now and is_now.enabled and is_new):
            return set()
        loaded = {name for name, patch in self.after.patches.items() if patch.enabled}.difference([self.run.name])
        return {
            function
            for function, stack in self.before.stacks.items()
            if self.at_hand.issuperset(stack) and not loaded.intersection(stack)
        }

    def names_of_others(self) -> set[str]:
        """The patches that somebody else has changed in the middle, or may have."""
        act = self.run.meddle[1] if self.walk.kernel.meddled and self.run.meddle else None
        if act is None or act.what in ("busy", "hold", "load_target", "unload_target"):
            return set()
        is_wide = act.what in ("end_stall", "end_later") or self.walk.has_replaced
        is_wide = is_wide or self.walk.kernel.is_replacing(act.name)
        return set(NAMES) if is_wide else {act.name}

    def check_always(self) -> None:
        """What holds whatever others do in the middle."""
        reasons = [finding["reason"] for finding in self.result["findings"]] + [self.result.get("reason")]
        demand("internal_error" not in reasons, "internal_error", self.result.get("msg"))
        if self.failed:
            self.check_failed()
        else:
            self.check_succeeded()
        self.check_foreign()

    def check_failed(self) -> None:
        """The host is as it was, or the result says what is not."""
        was, is_now = self.before.conditions(), self.after.conditions()
        names = {name for name in {*was, *is_now} if was.get(name) != is_now.get(name)} - self.names_of_others()
        told = " ".join([*self.result.get("not_restored", ()), self.result["msg"] if self.result["changed"] else ""])
        # What a transition would have replaced that was reversed is still there.
        untold = {name for name in names if name not in told and not self._is_as_shown(name)}
        if "in transition" in told:
            # What a patch with replace will have replaced when that ends is not told of each.
            untold -= {name for name in untold if was.get(name) and is_now.get(name)}
        demand(not untold, "failed_differs", untold, was, is_now, self.result.get("msg"))
        if not (self.names_of_others() or self.result.get("not_restored") or self.result["changed"]):
            stacks = [
                {function: stack for function, stack in moment.stacks.items() if self._is_there(function)}
                for moment in (self.before, self.after)
            ]
            demand(self.walk.kernel.meddled or stacks[0] == stacks[1], "failed_stacks", *stacks)
        self.check_restored()

    def check_restored(self) -> None:
        """The result does not say that the host differs where it is as it was."""
        is_same = (self.before.conditions(), self.before.stacks) == (self.after.conditions(), self.after.stacks)
        is_alone = not (self.walk.kernel.meddled or self.walk.kernel.stall)
        demand(not (is_same and is_alone and self.result.get("not_restored")), "told_in_vain", self.result.get("msg"))

    def _is_as_shown(self, name: str) -> bool:
        was, is_now = (
            [(one.enabled, one.in_transition, one.instance) for one in patches if one.name == name]
            for patches in (self.shown, self.walk.kernel.patches)
        )
        return was == is_now

    def check_succeeded(self) -> None:
        """What the result tells is so, and what is not fixed any more is told."""
        patch = next((patch for patch in self.walk.kernel.patches if patch.name == self.run.name), None)
        state = "absent" if patch is None else "in transition" if patch.in_transition else None
        state = state or ("enabled" if patch and patch.enabled else "disabled")
        demand(self.result["state"] == state, "result_state", self.result["state"], "is", state)
        if patch and self.result["patch"]:
            self.walk.check_effect(self.result["patch"], patch, "result")
        others = self.names_of_others()
        for function, stack in self.before.stacks.items():
            if function not in self.after.stacks and not others.intersection(stack) and self._is_there(function):
                untold = [name for name in stack if not self._is_told(name)]
                demand(not untold, "fix_lost", function, "of", untold, "in silence:", self.words)
                self._check_reverted(function)

    def _is_there(self, function: Function) -> bool:
        return function.object in self.walk.kernel.objects

    def _is_told(self, name: str) -> bool:
        lowering = (State.ABSENT, State.DISABLED, State.REVERTED, State.PRESENT)
        if (name == self.run.name and self.run.state in lowering) or name in self.run.supersedes:
            return True
        return name in self.words

    def _check_reverted(self, function: Function) -> None:
        name, due = self.walk.due
        is_due = self.run.state == State.REVERTED and self.run.name == name and function in due
        demand(not is_due, "reverted_forgot", function, self.words)
        if self.run.state == State.REVERTED and function in self.walk.fixed_before.get(self.run.name, ()):
            told = [finding["cause"] for finding in self.result["findings"] if finding["reason"] == "fix_lost"]
            demand(str(function) in " ".join(told), "reverted_lost", function, self.words)

    def check_foreign(self) -> None:
        """Nothing is done with patches of others without force_owner."""
        others = self.names_of_others()
        kernel, own = self.walk.kernel, self.after.patches.get(self.run.name)
        if own and (own.enabled or not self.failed) and f"enable {own.name}" in kernel.calls:
            # Whose task enables a patch, has it from then on.
            kernel.foreign.discard(own.instance or 0)
        for name, was in self.before.patches.items():
            if was.instance not in self.foreign or name in others:
                continue
            is_now = self.after.patches.get(name)
            same = is_now and (was.instance, was.enabled) == (is_now.instance, is_now.enabled)
            is_wanted = self.run.state == State.REVERTED or (name, State.ENABLED) == (self.run.name, self.run.state)
            may_enable = is_wanted and not was.enabled
            told = name in " ".join(self.result.get("not_restored", ()))
            # A transition that would have replaced it, and was reversed, has not touched it.
            same = same or self._is_as_shown(name)
            demand(same or may_enable or told or self.run.force_owner, "foreign_touched", was, is_now)

    def check_undisturbed(self) -> None:
        """What holds where nobody else did anything in the middle."""
        kernel = self.walk.kernel
        if self.refused:
            demand(tuple(kernel.patches) == self.shown, "refused_changed", self.result["msg"])
            demand(not kernel.calls, "refused_changed", kernel.calls)
        if self.failed and not self.refused:
            self.check_kept()
        if not (self.run.fail or self.run.fail_too):
            demand(bool(self.predicted.get("failed")) == self.refused or self.failed, "predicted_failed")
        self.check_spurious()
        if self.failed:
            return
        settled = (self.before.conditions(), self.before.stacks) != (self.after.conditions(), self.after.stacks)
        instances = [
            {name: patch.instance for name, patch in moment.patches.items()} for moment in (self.before, self.after)
        ]
        reordered = list(self.before.patches) != list(self.after.patches)
        changed = settled or reordered or instances[0] != instances[1]
        demand(self.result["changed"] or not changed, "changed_untold", self.result["actions"])
        self.check_actions()
        if not self.stalled:
            # Check mode cannot know that a transition will have to be forced.
            is_foreseen = self.predicted.get("failed") or self.predicted["changed"] == self.result["changed"]
            demand(is_foreseen or any(call.startswith("force ") for call in kernel.calls), "predicted")
            self.check_reached()

    def check_kept(self) -> None:
        """A failed run leaves no function without a patch that had one, whatever it tells.

        That is asked where the kernel has refused one call alone, nothing stalls, and all files are at hand.
        """
        kernel = self.walk.kernel
        is_quiet = not (kernel.stall or kernel.busy or any(patch.in_transition or patch.pinned for patch in self.shown))
        is_ours = self.at_hand.issuperset(self.before.patches)
        # A module in use that a patch has replaced against expectation cannot come back.
        # So it is with what force has marked: the kernel holds it once it is disabled.
        is_stuck = bool(kernel.held) or (bool(kernel.used) and self.run.name in self.walk.surprises)
        if is_stuck or not (is_quiet and is_ours and len(kernel.refused) <= 1):
            return
        for function in self.before.stacks:
            demand(function in self.after.stacks or not self._is_there(function), "failed_lost", function, self.words)

    def check_spurious(self) -> None:
        """What check mode has foretold succeeds, where no call fails, nothing stalls, and no flag is a surprise."""
        kernel = self.walk.kernel
        run = self.run
        is_disturbed = any((run.fail, run.fail_too, run.disproved, kernel.stall, kernel.busy, kernel.used))
        if kernel.hidden and kernel.stacking_enforced:
            # The kernel decides about the order then.
            return
        is_disturbed = is_disturbed or bool(self.walk.surprises)
        demand(self.predicted.get("failed") or not self.failed or is_disturbed, "spurious", self.result.get("msg"))

    def check_actions(self) -> None:
        """What is told as done is what the kernel was called for."""
        done = {action for action in self.result["actions"] if not action.startswith("wait ")}
        called = {call.replace("load_target ", "load the module ") for call in self.walk.kernel.calls}
        # What was once forced stays loaded, whoever tries to unload it.
        stays = [f"unload {patch.name}" for patch in self.walk.kernel.patches if patch.pinned]
        called = {call for call in called if not call.startswith("force ") and call not in stays}
        demand(done == called, "actions", sorted(done), "for", sorted(called))

    def check_reached(self) -> None:
        patch = next((patch for patch in self.walk.kernel.patches if patch.name == self.run.name), None)
        enabled, gone = bool(patch and patch.enabled and not patch.in_transition), patch is None
        pinned = bool(patch and patch.pinned)
        reached = {
            State.ENABLED: enabled,
            State.DISABLED: not (patch and patch.enabled),
            State.PRESENT: not gone,
            State.ABSENT: gone or pinned,
            State.REVERTED: True,
        }
        demand(reached[State(self.run.state)], "not_reached", self.run, self.words)
        if self.run.state == State.ENABLED and self.run.on_covered != OnCovered.ALLOW and patch:
            for function in patch.functions:
                stack = self.walk.kernel.stacks().get(function)
                demand(not self._is_there(function) or (stack or [""])[-1] == patch.name, "not_effective", stack)


# ---- walking, and making short what has failed ----


def walk(plot: Plot, tell: t.Callable[[str], None] = lambda line: None) -> None:
    """Raises what goes wrong on this walk: `Wrong`, or what the collection raises."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as root:
        host = Walk(root, plot, tell)
        for act in plot.acts:
            tell(f"  {act!r}")
            host.carry_out(act)
            state = ", ".join(
                f"{patch.name}{'+' if patch.enabled else '-'}{'~' if patch.in_transition else ''}"
                f"{'!' if patch.pinned else ''}"
                for patch in host.kernel.patches
            )
            tell(f"      {state or 'nothing'}; {'target' if host.kernel.targets else 'no target'}")


def failure_of(plot: Plot) -> str | None:
    """The kind of what goes wrong on this walk."""
    try:
        walk(plot)
    except Wrong as wrong:
        return wrong.kind
    # Whatever is raised is what this looks for.
    # pylint: disable-next=broad-except
    except Exception as error:
        return type(error).__name__
    return None


def shorten(plot: Plot) -> Plot:
    """A walk that goes wrong in the same way, of which nothing can be left out."""
    kind = failure_of(plot)
    while True:
        for one in shorter(plot):
            if failure_of(one) == kind:
                plot = one
                break
        else:
            return plot


def report(seed: int, plot: Plot) -> str:
    """What goes wrong on this walk, step by step."""
    short = shorten(plot)
    lines = [f"The walk of SEED={seed} goes wrong. Made short:", str(short), ""]
    try:
        walk(short, lines.append)
    # As above.
    # pylint: disable-next=broad-except
    except Exception:
        lines.append(traceback.format_exc())
    return "\n".join(lines)


def walk_on(first: int, stride: int, deadline: float) -> tuple[int, dict[str, int]]:
    """Walk until the deadline, from every seed of a stride: how many walks, and how often what went wrong."""
    found: dict[str, int] = {}
    seed = first
    while seed == first or time.monotonic() < deadline:
        plot = draw(seed)
        kind = failure_of(plot)
        if kind and kind not in found:
            print(report(seed, plot), flush=True)
        if kind:
            found[kind] = found.get(kind, 0) + 1
        seed += stride
    return (seed - first) // stride, found


def walk_for(minutes: float, seed: int) -> int:
    """Walk with all processors. The exit status is 1 if something went wrong."""
    print(f"walking for {minutes:g} minutes from SEED={seed}", flush=True)
    count, deadline = os.cpu_count() or 1, time.monotonic() + 60 * minutes
    with concurrent.futures.ProcessPoolExecutor(count) as pool:
        done = [pool.submit(walk_on, seed + number, count, deadline) for number in range(count)]
        walks, found = zip(*(future.result() for future in done))
    kinds = sorted(set().union(*found))
    wrong = ", ".join(f"{kind} {sum(one.get(kind, 0) for one in found)} times" for kind in kinds)
    print(f"{sum(walks)} walks of {LENGTH} acts each from SEED={seed}; went wrong: {wrong or 'none'}", flush=True)
    return 1 if kinds else 0


def walk_again(seed: int) -> int:
    """The walk of one seed, act by act. The exit status is 1 if it goes wrong."""
    plot = draw(seed)
    print(plot, flush=True)
    try:
        walk(plot, print)
    # As above.
    # pylint: disable-next=broad-except
    except Exception:
        traceback.print_exc()
        print(report(seed, plot), flush=True)
        return 1
    return 0


def main() -> int:
    minutes = float(sys.argv[1])
    if not minutes:
        return walk_again(int(sys.argv[2]))
    return walk_for(minutes, int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32))


if __name__ == "__main__":
    sys.exit(main())
