# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Why the kernel said no: an operation, its errno and the kernel's log lines make one sentence and one remedy."""

from __future__ import annotations

import errno
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._steps import DISABLE, ENABLE, LOAD, UNLOAD


@dataclass(frozen=True)
class Cause:
    """C(reason) is a stable key; C(cause) and C(remedy) are a sentence each."""

    reason: str
    cause: str
    remedy: str


class _Row(t.NamedTuple):
    operation: str
    number: int
    log: str
    cause: Cause


# In whose way it is: the lines between belong to that task's stack.
_IN_USE = r"func (?P<symbol>\S+) is in use!(?:.*\n)*?(?:livepatch: )?(?P<task>.*:\d+) check stack failed"

_SOMEBODY_IN_IT = Cause(
    "function_busy",
    "Some task is in one of the functions.",
    "Try again later or with more retries.",
)

_TOO_SHORT = Cause(
    "function_too_short",
    "The function {symbol} is shorter than the jump that would replace its start.",
    "Patch a function that calls it instead.",
)

_LIST_ORDER = r"only the (?P<which>first disabled|last enabled) patch can be (?P<done>enabled|disabled)"


def _rows_of_changing(action: str) -> tuple[_Row, ...]:
    """What stop_machine kernels answer when 1 or 0 is written to C(enabled)."""
    in_use = Cause(
        "function_busy",
        "The task {task} is in the function {symbol}, or sleeps in something that it called.",
        "Try again later or with more retries; if the task never leaves the function, end it first.",
    )
    return (
        _Row(action, errno.EAGAIN, _IN_USE, in_use),
        _Row(action, errno.EBUSY, _IN_USE, in_use),
        _Row(action, errno.EAGAIN, "", _SOMEBODY_IN_IT),
        _Row(
            action,
            errno.EBUSY,
            _LIST_ORDER,
            Cause(
                "list_order",
                "The kernel has CONFIG_LIVEPATCH_STACK: only the {which} patch can be {done}.",
                "Change the patches of /proc/livepatch/state in their order.",
            ),
        ),
        _Row(
            action,
            errno.EBUSY,
            "failed to add breakpoints",
            Cause(
                "function_busy", "A breakpoint is set in one of the functions.", "Remove it, then run the task again."
            ),
        ),
        _Row(
            action,
            errno.EINVAL,
            r"func (?P<symbol>\S+) has been probed",
            Cause(
                "kprobe",
                "A kprobe is set in the function {symbol}.",
                "Find it in /sys/kernel/debug/kprobes/list and remove it, then run the task again.",
            ),
        ),
        _Row(
            action,
            errno.EINVAL,
            r"(?P<task>\S+:\d+) has an unreliable stack",
            Cause(
                "unreliable_stack",
                "The kernel cannot tell in which functions the task {task} is.",
                "Run the task again; if it stays so, end that task.",
            ),
        ),
        _Row(
            action,
            errno.EINVAL,
            "",
            Cause(
                "changed_meanwhile",
                "The patch is in that state already, or not registered any more.",
                "Look for another tool that changes live patches on this host, then run the task again.",
            ),
        ),
    )


def breaks_list_order(log: t.Sequence[str]) -> bool:
    """Whether the kernel refused because of CONFIG_LIVEPATCH_STACK, which trying again does not change."""
    return _search(_LIST_ORDER, log) is not None


# The first row whose operation, errno and pattern fit is taken; an empty pattern needs no log line.
# Sources: kernel/livepatch/core.c, kernel/livepatch/patch.c, kernel/module/main.c of Linux 6.12, and of openEuler's
# 5.10 and 6.6 with arch/x86/kernel/livepatch.c.
_ROWS = (
    _Row(
        LOAD,
        errno.EINVAL,
        r"symbol '(?P<symbol>[^']+)' not found in symbol table",
        Cause(
            "symbol_missing",
            "The kernel has no function {symbol} to patch.",
            "Build the patch from the source of the running kernel; an inlined function cannot be patched.",
        ),
    ),
    _Row(
        LOAD,
        errno.EINVAL,
        r"unresolvable ambiguity for symbol '(?P<symbol>[^']+)'",
        Cause(
            "symbol_ambiguous",
            "The kernel has several functions named {symbol}, and the patch does not say which.",
            "Set the function's old_sympos to its position in /proc/kallsyms.",
        ),
    ),
    _Row(
        LOAD,
        errno.EINVAL,
        r"symbol position (?P<position>\d+) for symbol '(?P<symbol>[^']+)' in object '(?P<object>[^']+)' not found",
        Cause(
            "sympos_missing",
            "The object {object} has no function {symbol} at position {position}.",
            "Correct old_sympos: positions count the symbols of that name in /proc/kallsyms from 1.",
        ),
    ),
    _Row(
        LOAD,
        errno.EINVAL,
        r"not compatible with the already installed livepatches",
        Cause(
            "incompatible_states",
            "The patch does not know a system state that a loaded patch has set.",
            "Load a patch that handles this state, or unload the other patch first.",
        ),
    ),
    _Row(
        LOAD,
        errno.EINVAL,
        r"disagrees about version of symbol (?P<symbol>\S+)",
        Cause(
            "symbol_version",
            "The patch was built against another version of {symbol} than the kernel's.",
            "Build the patch against the build tree of the running kernel.",
        ),
    ),
    _Row(
        LOAD,
        errno.EINVAL,
        r"Replacing is not supported",
        Cause(
            "replace_not_supported",
            "The patch has the replace flag, which this kernel does not implement.",
            "Build the patch without replace (kpatch-build -R).",
        ),
    ),
    _Row(
        LOAD,
        errno.EINVAL,
        r"(?:func )?(?P<symbol>\S+) size less than limit",
        _TOO_SHORT,
    ),
    _Row(
        LOAD,
        errno.EPERM,
        r"(?:func )?(?P<symbol>\S+) size less than limit",
        _TOO_SHORT,
    ),
    _Row(
        LOAD,
        errno.EINVAL,
        r"'(?P<symbol>[^']+)' has (?P<what>static key|static call)",
        Cause(
            "static_key",
            "The function {symbol} has a {what} in the bytes that the jump would replace.",
            "Patch a function that calls it instead.",
        ),
    ),
    _Row(
        LOAD,
        errno.EINVAL,
        r"module (?P<module>\S+) is not marked as a livepatch module",
        Cause(
            "not_a_live_patch",
            "The module {module} registers a live patch and is not marked as a live patch module.",
            'Add MODULE_INFO(livepatch, "Y") to its source.',
        ),
    ),
    _Row(
        LOAD,
        getattr(errno, "ENOPKG", 65),
        r"module '(?P<module>[^']+)' not loaded",
        Cause(
            "target_not_loaded",
            "The patch changes the module {module}, which is not loaded.",
            "Load {module} first: this kernel does not patch modules that are loaded later.",
        ),
    ),
    _Row(
        LOAD,
        errno.ENOENT,
        r"Unknown symbol (?P<symbol>\S+)",
        Cause(
            "unknown_symbol",
            "The kernel and its modules do not offer {symbol}, which the patch needs.",
            "Build the patch against the running kernel, and load the modules it depends on first.",
        ),
    ),
    _Row(
        LOAD,
        errno.ENOENT,
        r"kallsyms size lookup failed for '(?P<symbol>[^']+)'",
        Cause(
            "symbol_size",
            "The kernel cannot tell the length of the function {symbol}.",
            "Check that the running kernel is the one that the patch was built for.",
        ),
    ),
    _Row(
        LOAD,
        errno.ENOEXEC,
        r"version magic '(?P<magic>[^']*)' should be '(?P<kernel>[^']*)'",
        Cause(
            "wrong_vermagic",
            "The patch is built for '{magic}', the kernel is '{kernel}'.",
            "Build the patch for the running kernel.",
        ),
    ),
    _Row(
        LOAD,
        errno.ENOEXEC,
        "",
        Cause("bad_module", "The kernel does not take the file for a module of its own.", "Build the patch again."),
    ),
    _Row(
        LOAD,
        errno.EEXIST,
        "",
        Cause(
            "already_loaded",
            "A module of this name was loaded by somebody else in the same moment.",
            "Run the task again.",
        ),
    ),
    _Row(
        LOAD,
        errno.EBUSY,
        r"failed to register ftrace handler for function '(?P<symbol>[^']+)'",
        Cause(
            "ftrace_conflict",
            "Another user of ftrace already redirects the function {symbol}.",
            "Find it in tracefs (enabled_functions, flag I) and end it, then run the task again.",
        ),
    ),
    _Row(
        LOAD,
        errno.EBUSY,
        "",
        Cause(
            "busy",
            "The kernel is busy: another transition is running, or ftrace is switched off or in use.",
            "Check /sys/kernel/livepatch/*/transition and /proc/sys/kernel/ftrace_enabled, then run the task again.",
        ),
    ),
    _Row(
        LOAD,
        errno.ENODEV,
        "",
        Cause(
            "not_ready",
            "A callback of the patch refused it, or live patching is not available.",
            "Read the kernel's log lines.",
        ),
    ),
    _Row(
        LOAD,
        errno.EKEYREJECTED,
        "",
        Cause(
            "signature",
            "The kernel accepts modules only with a signature that it trusts.",
            "Sign the patch file with a key in the kernel's keyring.",
        ),
    ),
    _Row(
        LOAD,
        errno.ENOKEY,
        "",
        Cause(
            "signature",
            "The kernel has no key for the signature of the patch file.",
            "Sign the patch file with a key in the kernel's keyring.",
        ),
    ),
    _Row(
        LOAD,
        errno.ENOMEM,
        "",
        Cause("no_memory", "The kernel has no memory for the module.", "Free memory, then run the task again."),
    ),
    *_rows_of_changing(ENABLE),
    *_rows_of_changing(DISABLE),
    _Row(ENABLE, errno.EBUSY, "", _SOMEBODY_IN_IT),
    _Row(
        DISABLE,
        errno.EBUSY,
        "",
        Cause("busy", "Another patch's transition is running.", "Wait until it has ended, then run the task again."),
    ),
    _Row(
        UNLOAD,
        errno.EAGAIN,
        "",
        Cause(
            "module_in_use",
            "The module is still in use.",
            "Look at /sys/module/<name>/refcnt and holders, then run the task again.",
        ),
    ),
    _Row(
        UNLOAD,
        errno.EBUSY,
        "",
        Cause(
            "module_unloadable",
            "The module cannot be unloaded: it has no exit function, or it is being loaded or unloaded.",
            "If its transition was forced, only a reboot removes it.",
        ),
    ),
    _Row(
        UNLOAD,
        errno.ENOENT,
        "",
        Cause("gone", "The module was unloaded by somebody else in the same moment.", "Run the task again."),
    ),
)

_NOT_PERMITTED = Cause(
    "not_permitted",
    "The kernel does not permit it: not root, module loading switched off, or lockdown.",
    "Run as root; look at /proc/sys/kernel/modules_disabled and /sys/kernel/security/lockdown.",
)


def errno_name(number: int) -> str:
    """The name of an errno, as C(EINVAL)."""
    return errno.errorcode.get(number, str(number))


def explain(operation: str, number: int, log: t.Sequence[str]) -> Cause:
    """The cause of a failed operation (a step's action) from its errno and the kernel's new log lines."""
    for row in _ROWS:
        if (row.operation, row.number) == (operation, number):
            found = _search(row.log, log)
            if found is not None:
                return Cause(row.cause.reason, row.cause.cause.format(**found), row.cause.remedy.format(**found))
    if number in (errno.EPERM, errno.EACCES):
        return _NOT_PERMITTED
    return Cause(
        "unknown",
        f"The kernel answered {errno_name(number)} and the collection does not know why.",
        "Read the kernel's log lines.",
    )


def _search(pattern: str, log: t.Sequence[str]) -> dict[str, str] | None:
    if not pattern:
        return {}
    match = re.search(pattern, "\n".join(log))
    return match.groupdict(default="") if match else None
