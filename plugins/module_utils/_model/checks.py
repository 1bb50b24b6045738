# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The reasons that are found before a change: the one table of them, light enough for every run to import."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import INFO, REFUSE, WARN

PROBE = "probe"
"""The reason of a probe that holds beforehand. No function of `_preflight` finds it: it runs a user's command."""

BUILD = "different_build"
"""The reason of the plan that a patch of the name is loaded in a different build."""

NO_WAY_BACK = "no_way_back"
"""The reason of a plan that could not be rolled back. No function of `_preflight` finds it: the plan tells it."""

OF_OTHER_KERNELS = frozenset({"wrong_architecture", "wrong_vermagic", "wrong_kernel"})
"""The reasons of a file for another kernel. They tell more of it than BUILD."""


@dataclass(frozen=True)
class Reason:
    """What a reason means and what to do about it, in sentences for the page of reasons.

    `severity` is the gravest that a finding of this reason can have. `ignorable` says whether a user may turn its
    refusals into warnings.
    """

    severity: str
    meaning: str
    remedy: str
    ignorable: bool = False


REASONS = {
    "quarantined": Reason(
        REFUSE,
        "The host went down again and again within an hour of boots that loaded this build.",
        "Build a better one, or end the quarantine with `state: absent`.",
        ignorable=True,
    ),
    "wrong_architecture": Reason(
        REFUSE,
        "The file is built for another architecture.",
        "Build the patch for that of the host.",
        ignorable=True,
    ),
    "wrong_vermagic": Reason(
        REFUSE,
        "The file is built for another kernel release or configuration.",
        "Build the patch against the build tree of the running kernel.",
        ignorable=True,
    ),
    "wrong_kernel": Reason(
        REFUSE,
        "The file is built for another build of the kernel, which has the same release.",
        "Build the patch with the `vmlinux` of the running kernel.",
        ignorable=True,
    ),
    "wrong_abi": Reason(
        REFUSE,
        "The file is built for the other ABI.",
        "Build the patch against the host's kernel.",
        ignorable=True,
    ),
    "bad_relocation": Reason(
        REFUSE,
        "The file names symbols in a form that the kernel does not know, or that it may not know.",
        "Build the patch without `KALLSYMS`, or for a kernel with `CONFIG_LIVEPATCH_LONG_SYMBOL_SUPPORT`.",
        ignorable=True,
    ),
    "signature": Reason(
        REFUSE,
        "The kernel demands a signature that it trusts, or the signature of the file is damaged.",
        "Sign the file, after the last change to it, with a key that the kernel trusts.",
        ignorable=True,
    ),
    "symbols": Reason(
        WARN,
        "The file does not show which functions it replaces, or the kernel does not show which it has.",
        "Look for the functions in the source of the patch, or build the kernel with `CONFIG_KALLSYMS`.",
    ),
    "symbol_missing": Reason(
        REFUSE,
        "The kernel does not have the function that the patch replaces.",
        "Build the patch from the source of the running kernel; an inlined function cannot be patched.",
        ignorable=True,
    ),
    "symbol_ambiguous": Reason(
        REFUSE,
        "The kernel has several functions of this name, and the patch does not say which one it replaces.",
        "Set `old_sympos` in the source of the patch.",
        ignorable=True,
    ),
    "sympos_missing": Reason(
        REFUSE,
        "The kernel has fewer functions of this name than the position that the patch gives.",
        "Correct `old_sympos` in the source of the patch.",
        ignorable=True,
    ),
    "function_too_short": Reason(
        REFUSE,
        "The function is shorter than the jump that a `stop_machine` kernel writes to its start.",
        "Patch a function that calls it.",
        ignorable=True,
    ),
    "target_built_in": Reason(
        REFUSE,
        "A module that the patch changes is built into this kernel, which would wait for the module for ever.",
        "Build the patch for `vmlinux`.",
        ignorable=True,
    ),
    "target_not_loaded": Reason(
        REFUSE,
        "A module that the patch changes is not loaded, and a `stop_machine` kernel does not patch it later.",
        "Load it, or set `load_targets: true` if it is installed.",
        ignorable=True,
    ),
    "target_build": Reason(
        WARN,
        "A module that the patch changes is, or may be, another build than the one that the patch was made for.",
        "Compare the sources of the two.",
    ),
    "dependency": Reason(
        REFUSE,
        "A module that the patch needs is not loaded.",
        "Load it, or set `load_targets: true` if it is installed.",
        ignorable=True,
    ),
    "module_in_use": Reason(
        REFUSE,
        "A patch is to be unloaded whose module is in use beside the patch itself.",
        "End what uses it: a module that needs it, a program with an open file of it, a tracer or BPF program on it.",
        ignorable=True,
    ),
    NO_WAY_BACK: Reason(
        REFUSE,
        "What the task takes out could not come back if the task fails, since a patch above it cannot be moved.",
        "Leave that enabled, or free the other one: end what uses it, or take it out with the tool that it belongs to.",
        ignorable=True,
    ),
    "memory": Reason(
        WARN,
        "The host has little memory available.",
        "Free memory first.",
    ),
    "kprobe": Reason(
        REFUSE,
        "A kprobe is set in a function that changes, at a place where a `stop_machine` kernel does not permit it.",
        "Remove the kprobe first.",
        ignorable=True,
    ),
    "foreign_jump": Reason(
        REFUSE,
        "A function of the patch begins, or may begin, with a jump that another tool has written without ftrace.",
        "Find out which tool that is, and take its patch out first.",
        ignorable=True,
    ),
    "ftrace_disabled": Reason(
        REFUSE,
        "A `per_task` kernel patches by means of ftrace, and ftrace is off or has failed.",
        "Set `kernel.ftrace_enabled` to 1, or reboot the host if ftrace has failed.",
        ignorable=True,
    ),
    "ftrace_user": Reason(
        REFUSE,
        "ftrace is in use on a function that changes, under any of its names.",
        "End that use first.",
        ignorable=True,
    ),
    "already_patched": Reason(
        WARN,
        "Another enabled patch replaces the same function.",
        "Make sure that the new patch contains the earlier fix.",
    ),
    "no_capability": Reason(
        REFUSE,
        "The task runs as root and may not load or unload modules (`CAP_SYS_MODULE`), as in a container.",
        "Run the task on the host itself.",
    ),
    "cpu_stuck": Reason(
        REFUSE,
        "A CPU runs nothing, so that a change of a live patch could hang the host; or some CPU could not be asked.",
        "Drain and reboot the host; after a warning, look for lockups in the kernel's log.",
    ),
    "cpu_taken": Reason(
        REFUSE,
        "A real-time task of the highest priority keeps a CPU for itself, and a `per_task` kernel that does not limit "
        "it could wait for that CPU for ever; elsewhere it is a warning.",
        "End that task, lower its priority, or set `kernel.sched_rt_runtime_us`.",
        ignorable=True,
    ),
    "modules_disabled": Reason(
        REFUSE,
        "The kernel neither loads nor unloads modules until it is booted again.",
        "Reboot the host.",
        ignorable=True,
    ),
    "transition": Reason(
        INFO,
        "The transition of another patch is running; the task waits for it, or reverses it.",
        "Nothing needs to be done.",
    ),
    "renamed_kernel": Reason(
        WARN,
        "A live patch has changed the name that `uname -r` shows, or may have changed it; the collection goes by the "
        "one that the kernel was built with.",
        "Make sure that this is the running kernel, if only names of files or the boot loader tell it.",
    ),
    "taint": Reason(
        WARN,
        "The kernel has had trouble since it booted.",
        "Look at its log; consider a reboot instead of a live patch.",
    ),
    "config_contradiction": Reason(
        WARN,
        "The configuration file contradicts what the running kernel shows of itself, and is not used.",
        "Put the configuration of the running kernel there.",
    ),
    "panic": Reason(
        INFO,
        "The host is set to panic on trouble, so that a bad patch takes it down.",
        "Nothing needs to be done.",
    ),
    "owned": Reason(
        WARN,
        "Another tool keeps a file for a patch of this name.",
        "Load it with that tool, or give the patch another name.",
    ),
    PROBE: Reason(
        REFUSE,
        "The probe holds before the change, so that it cannot prove the effect of the patch.",
        "Give a probe that shows the difference.",
        ignorable=True,
    ),
}
"""Findings are told in this order, refusals first."""

IGNORABLE = tuple(name for name, reason in REASONS.items() if reason.ignorable)
"""What the option `ignore` of livepatch_module takes."""
