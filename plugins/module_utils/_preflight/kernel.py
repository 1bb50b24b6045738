# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Checks of the kernel as a whole, whichever functions change."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, REFUSE, WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import troubles
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.irreversible import FTRACE_ENABLED
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.abi import abi_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances, check


@check("no_capability")
def no_capability(circumstances: Circumstances) -> t.Iterator[Finding]:
    incapable = circumstances.conditions.incapable
    if incapable and circumstances.snapshot.privileged and _moves_modules(circumstances):
        yield Finding(
            reason="no_capability",
            seen=f"The task runs as root and may not load modules: {incapable}.",
            remedy="Run the task on the host itself, not in a container.",
            why="The kernel would answer EPERM, as it does in a container.",
        )


@check("cpu_stuck")
def cpu_stuck(circumstances: Circumstances) -> t.Iterator[Finding]:
    cpus = circumstances.cpus
    if cpus.refusal:
        yield cpus.refusal
    if cpus.doubt:
        yield Finding(
            reason="cpu_stuck",
            seen=cpus.doubt,
            remedy="Look for lockups in the kernel's log.",
            why="A change of a live patch waits for every CPU.",
            severity=WARN,
        )


@check("cpu_taken")
def cpu_taken(circumstances: Circumstances) -> t.Iterator[Finding]:
    """A real-time task does not hold up stop_machine, whose threads go before it.

    To release what it has patched, ftrace has an ordinary thread run on every CPU, and waits for it: for ever, if the
    kernel gives it no share of one (ftrace_shutdown() in kernel/trace/ftrace.c, rcu_tasks_rude_wait_gp()).
    """
    cpus = circumstances.cpus
    waits = cpus.is_unlimited and abi_of(circumstances.snapshot).redirects_by_ftrace
    for number, task in sorted(cpus.taken.items()):
        yield Finding(
            reason="cpu_taken",
            seen=f"CPU {number} runs {task}, a real-time task of the highest priority, and nothing else.",
            remedy="End it, lower its priority, or let the kernel limit it (sysctl kernel.sched_rt_runtime_us=950000)."
            if waits
            else "Nothing needs to be done for the patch; look whether that task is meant to do so.",
            why="To disable a patch, this kernel waits for an ordinary thread on every CPU, and would wait for ever."
            if waits
            else "The kernel changes live patches all the same.",
            severity=REFUSE if waits else WARN,
        )


@check("modules_disabled")
def modules_disabled(circumstances: Circumstances) -> t.Iterator[Finding]:
    if circumstances.conditions.modules_disabled and _moves_modules(circumstances):
        yield Finding(
            reason="modules_disabled",
            seen="/proc/sys/kernel/modules_disabled is 1.",
            remedy="Only a reboot lets the kernel load and unload modules again.",
            why="The kernel neither loads nor unloads modules any more (EPERM).",
            only_reboot=True,
        )


def _moves_modules(circumstances: Circumstances) -> bool:
    """Whether a module is loaded or unloaded."""
    return bool(circumstances.files) or any(step.action == Action.UNLOAD for step in circumstances.steps)


@check("ftrace_disabled")
def ftrace_disabled(circumstances: Circumstances) -> t.Iterator[Finding]:
    conditions = circumstances.conditions
    by_ftrace = abi_of(circumstances.snapshot).redirects_by_ftrace
    if not by_ftrace or not (circumstances.functions or circumstances.files):
        return
    if conditions.ftrace_failed:
        yield Finding(
            reason="ftrace_disabled",
            seen=f"ftrace has failed on this host ({FTRACE_ENABLED} answers ENODEV).",
            remedy="Reboot the host; its log tells why, at the first message of ftrace.",
            why="This kernel patches by means of ftrace, and would answer ENODEV.",
            only_reboot=True,
        )
    elif conditions.ftrace_enabled is None:
        yield Finding(
            reason="ftrace_disabled",
            seen=conditions.why(FTRACE_ENABLED),
            remedy="Make sure that ftrace is enabled.",
            why="This kernel patches by means of ftrace, and would answer EBUSY if that is off.",
            severity=WARN,
        )
    elif not conditions.ftrace_enabled:
        yield Finding(
            reason="ftrace_disabled",
            seen=f"{FTRACE_ENABLED} is 0.",
            remedy="Set it to 1 (sysctl kernel.ftrace_enabled=1).",
            why="This kernel patches by means of ftrace, and would answer EBUSY.",
        )


@check("transition")
def transition(circumstances: Circumstances) -> t.Iterator[Finding]:
    moving, steps = circumstances.snapshot.in_transition, circumstances.steps
    if moving and steps and moving.name != steps[-1].patch:
        first = next((step.action for step in steps if step.patch == moving.name), Action.WAIT)
        is_reversed = first in (Action.ENABLE, Action.DISABLE)
        yield Finding(
            reason="transition",
            seen=f"The transition of {moving.name} is running.",
            remedy="Nothing needs to be done.",
            why=f"The kernel runs one at a time; the task {'reverses it' if is_reversed else 'waits until it ends'}.",
            severity=INFO,
        )


@check("renamed_kernel")
def renamed(circumstances: Circumstances) -> t.Iterator[Finding]:
    host = circumstances.snapshot
    if host.marks.shown_release:
        yield Finding(
            reason="renamed_kernel",
            seen=f"uname -r shows {host.marks.shown_release}, but the kernel was built as {host.release} "
            f"({host.marks.evidence}).",
            remedy="Nothing needs to be done."
            if host.marks.is_certain
            else f"Make sure that the host runs {host.release}.",
            why="A live patch has changed the name.",
            severity=INFO if host.marks.is_certain else WARN,
        )
    if host.marks.contradiction:
        yield Finding(
            reason="renamed_kernel",
            seen=f"uname -r shows {host.release}. {host.marks.contradiction}",
            remedy=f"Make sure that the host runs {host.release}.",
            why="A live patch may have changed the name, or kexec has booted another kernel than the boot loader.",
            severity=WARN,
        )


@check("taint")
def taint(circumstances: Circumstances) -> t.Iterator[Finding]:
    bits = circumstances.snapshot.taint
    trouble = troubles(bits)
    if trouble:
        yield Finding(
            reason="taint",
            seen=f"The kernel has had {' and '.join(trouble)} since it booted (taint {bits}).",
            remedy="Look at its log; consider a reboot instead of a live patch.",
            why="Another change may make the trouble worse.",
            severity=WARN,
        )


@check("config_contradiction")
def configuration(circumstances: Circumstances) -> t.Iterator[Finding]:
    host = circumstances.snapshot
    if host.config_contradiction:
        yield Finding(
            reason="config_contradiction",
            seen=host.config_contradiction,
            remedy=f"Put the configuration of the running kernel into {host.config_path}.",
            why="What the kernel shows counts. Of the vermagic of the patch only the release is compared then.",
            severity=WARN,
        )


@check("panic")
def panic(circumstances: Circumstances) -> t.Iterator[Finding]:
    panics = circumstances.conditions.panics
    if panics:
        yield Finding(
            reason="panic",
            seen=f"{', '.join(panics)} {'is' if len(panics) == 1 else 'are'} set.",
            remedy="Nothing needs to be done.",
            why="A bad patch makes this host panic, and reboot if kernel.panic says so.",
            severity=INFO,
        )


@check("owned")
def owner(circumstances: Circumstances) -> t.Iterator[Finding]:
    tool = circumstances.conditions.owner
    # Where the patch is loaded already as that tool's own, the plan has asked for force_owner.
    if tool and any(not _is_owned(circumstances.snapshot, file.name) for file in circumstances.files):
        yield Finding(
            reason="owned",
            seen=f"{tool} keeps a file for a patch of this name.",
            remedy=f"Load it with {tool}, or give the patch another name.",
            why=f"{tool} would take it for its own.",
            severity=WARN,
        )


def _is_owned(snapshot: Snapshot, name: str) -> bool:
    patch = snapshot.patch(name)
    return bool(patch and patch.tool)
