# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Why the kernel said no: an operation, its errno and the kernel's log lines make one sentence and one remedy."""

from __future__ import annotations

import errno
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.outcome import errno_name
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import (
    DISABLE,
    ENABLE,
    LOAD,
    LOAD_TARGET,
    UNLOAD,
    UNLOAD_TARGET,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE

PAGE = "docs/docsite/rst/errors.rst"
"""Where this table is for users to read; "make docs" writes it."""


@dataclass(frozen=True)
class Row:
    """When the kernel answers an operation with this errno and prints a line that matches `log`, it is this cause.

    Without `operation` it is any, without `number` any errno, without `abi` both ABIs, without `log` no line is
    needed. What the pattern captures is filled into the cause. The page shows the pattern as text, so that there is a
    row for each wording.
    """

    operation: str | None
    number: int | None
    abi: str | None
    log: str
    finding: Finding


ENOPKG = getattr(errno, "ENOPKG", 65)

# In whose way it is: x86 names the task behind its stack, arm64 before it (arch/*/kernel/livepatch.c).
_IN_USE = r"func (?P<symbol>\S+) is in use!(?:.*\n)*?(?:livepatch: )?(?P<task>.*:\d+) check stack failed"

_IN_USE_ARM64 = r"func (?P<symbol>\S+) is in use!\n(?:livepatch: )?PID: (?P<pid>\d+) Comm: (?P<task>.+)"

_IN_USE_BY_SOMEBODY = r"func (?P<symbol>\S+) is in use!"

# The name of a task may hold blanks. Without CONFIG_ARCH_STACKWALK the kernel puts the name of its own function first.
_UNRELIABLE = r"(?m)^(?:livepatch: )?(?:\w*calltrace: )?(?P<task>.*:\d+) has an unreliable stack"

_LIST_ORDER = {
    ENABLE: "only the first disabled patch can be enabled",
    DISABLE: "only the last enabled patch can be disabled",
}

_SHORT = r"(?:func )?(?P<symbol>\S+) size less than limit"

_IN_FUNCTION = Finding(
    reason="function_busy",
    seen="The task {task} is in the function {symbol}, or sleeps in something that it called.",
    remedy="Try again later or with more retries; if the task never leaves the function, end it first.",
)

_IN_FUNCTION_ARM64 = replace(_IN_FUNCTION, seen=_IN_FUNCTION.seen.replace("{task}", "{task}:{pid}"))

_IN_FUNCTION_OF_SOMEBODY = replace(_IN_FUNCTION, seen=_IN_FUNCTION.seen.replace("The task {task}", "Some task"))

_SOMEBODY_IN_IT = Finding(
    reason="function_busy",
    seen="Some task is in one of the functions.",
    remedy="Try again later or with more retries.",
)

_TOO_SHORT = Finding(
    reason="function_too_short",
    seen="The function {symbol} is shorter than the jump that would replace its start.",
    remedy="Patch a function that calls it instead.",
)

_BAD_STRUCTURES = Finding(
    reason="bad_structures",
    seen="The structures that describe the patch have an empty or too long name, or no new function.",
    remedy="Correct struct klp_object and struct klp_func in the patch's source.",
)

_BAD_RELOCATION = Finding(
    reason="bad_relocation",
    seen="A livepatch relocation or symbol in the file has a form that this kernel does not know.",
    remedy="Build the patch with the tools that belong to this kernel.",
)

_NO_MEMORY = Finding(
    reason="no_memory", seen="The kernel has no memory for the patch.", remedy="Free memory, then run the task again."
)

_SIGNATURE = Finding(
    reason="signature",
    seen="The kernel accepts modules only with a signature that it trusts.",
    remedy="Sign the patch file with a key in the kernel's keyring.",
)

# Whatever the reading returned, the kernel answers ENOMEM (klp_mem_prepare); disabling saves nothing.
_TEXT_NOT_READ = Row(
    ENABLE,
    errno.ENOMEM,
    STOP_MACHINE,
    "save old code failed",
    Finding(
        reason="text_not_read",
        seen="The kernel could not read its own text, which it saves before it writes a jump there.",
        remedy="Read the kernel's log lines; do not use live patching on this host before that is understood.",
    ),
)


def _changing(action: str) -> tuple[Row, ...]:
    """What stop_machine kernels answer when 1 or 0 is written to `enabled`."""

    def row(number: int, log: str, *cause: str) -> Row:
        return Row(action, number, STOP_MACHINE, log, Finding(reason=cause[0], seen=cause[1], remedy=cause[2]))

    return (
        *(
            Row(action, number, STOP_MACHINE, log, cause)
            for log, cause in (
                (_IN_USE, _IN_FUNCTION),
                (_IN_USE_ARM64, _IN_FUNCTION_ARM64),
                (_IN_USE_BY_SOMEBODY, _IN_FUNCTION_OF_SOMEBODY),
            )
            for number in (errno.EAGAIN, errno.EBUSY)
        ),
        Row(action, errno.EAGAIN, STOP_MACHINE, "", _SOMEBODY_IN_IT),
        row(
            errno.EBUSY,
            _LIST_ORDER[action],
            "list_order",
            f"The kernel has CONFIG_LIVEPATCH_STACK: {_LIST_ORDER[action]}.",
            "Change the patches of /proc/livepatch/state in their order.",
        ),
        row(
            errno.EBUSY,
            "failed to add breakpoints",
            "function_busy",
            "A breakpoint is set in one of the functions.",
            "Remove it, then run the task again.",
        ),
        row(
            errno.EINVAL,
            r"func (?P<symbol>\S+) has been probed",
            "kprobe",
            "A kprobe is set in the function {symbol}.",
            "Find it in /sys/kernel/debug/kprobes/list and remove it, then run the task again.",
        ),
        row(
            errno.EINVAL,
            _UNRELIABLE,
            "unreliable_stack",
            "The kernel cannot tell in which functions the task {task} is.",
            "Run the task again; if it stays so, end that task.",
        ),
        Row(action, errno.ENOMEM, STOP_MACHINE, "", _NO_MEMORY),
        row(
            errno.ENODEV,
            "",
            "gone",
            "The patch is being unloaded by somebody else in the same moment.",
            "Run the task again.",
        ),
        Row(
            action,
            errno.ENOENT,
            None,
            "",
            Finding(
                reason="gone",
                seen="The patch was unloaded by somebody else in the same moment.",
                remedy="Run the task again.",
            ),
        ),
        row(
            errno.EFAULT,
            "new address out of range",
            "too_far",
            "The new code is further away than a jump of this architecture reaches.",
            "Boot a kernel with module PLTs (CONFIG_ARM64_MODULE_PLTS).",
        ),
        row(
            errno.EPERM,
            "patch instruction (?P<which>.+) failed",
            "text_not_written",
            "The kernel could not write to its own text.",
            "Read the kernel's log lines; do not use live patching on this host before that is understood.",
        ),
        Row(action, errno.EBUSY, STOP_MACHINE, "", _SOMEBODY_IN_IT),
        Row(
            action,
            errno.EBUSY,
            PER_TASK,
            "",
            Finding(
                reason="busy",
                seen="Another patch's transition is running.",
                remedy="Wait until it has ended, then run the task again.",
            ),
        ),
        row(
            errno.EINVAL,
            "",
            "changed_meanwhile",
            "The patch is in that state already, or not registered any more; or, if the kernel's log does not show it, "
            "there is a kprobe or a task with an unreliable stack.",
            "Look for another tool that changes live patches or sets kprobes on this host, then run the task again.",
        ),
        Row(
            action,
            errno.EINVAL,
            PER_TASK,
            "",
            Finding(
                reason="changed_meanwhile",
                seen="The patch is in that state already, or not registered any more.",
                remedy="Look for another tool that changes live patches on this host, then run the task again.",
            ),
        ),
    )


def _loading() -> tuple[Row, ...]:
    """What finit_module(2) answers: the module loader, and the patch's init function, in which it is registered."""

    def row(number: int | None, abi: str | None, log: str, *cause: str) -> Row:
        return Row(LOAD, number, abi, log, Finding(reason=cause[0], seen=cause[1], remedy=cause[2]))

    return (
        # The kernel passes on whatever the callback returns (klp_enable_patch).
        row(
            None,
            PER_TASK,
            r"pre-patch callback failed for object '(?P<object>[^']+)'",
            "callback",
            "A callback of the patch refused to patch the object {object}.",
            "Read the kernel's log lines, and the patch's source.",
        ),
        row(
            errno.EINVAL,
            None,
            r"symbol '(?P<symbol>[^']+)' not found in symbol table",
            "symbol_missing",
            "The kernel has no function {symbol} to patch.",
            "Build the patch from the source of the running kernel; an inlined function cannot be patched.",
        ),
        row(
            errno.EINVAL,
            None,
            r"unresolvable ambiguity for symbol '(?P<symbol>[^']+)'",
            "symbol_ambiguous",
            "The kernel has several functions named {symbol}, and the patch does not say which.",
            "Set the function's old_sympos to its position in /proc/kallsyms.",
        ),
        row(
            errno.EINVAL,
            None,
            r"symbol position (?P<position>\d+) for symbol '(?P<symbol>[^']+)' in object '(?P<object>[^']+)' not found",
            "sympos_missing",
            "The object {object} has no function {symbol} at position {position}.",
            "Correct old_sympos: positions count the symbols of that name in /proc/kallsyms from 1.",
        ),
        row(
            errno.EINVAL,
            PER_TASK,
            r"failed to find location for function '(?P<symbol>[^']+)'",
            "not_traceable",
            "ftrace cannot call anybody from the function {symbol}, as this kernel's live patching needs.",
            "Patch a function that calls it instead.",
        ),
        row(
            errno.EINVAL,
            PER_TASK,
            r"failed to set ftrace filter for function '(?P<symbol>[^']+)'",
            "not_traceable",
            "ftrace cannot call anybody from the function {symbol}, as this kernel's live patching needs.",
            "Patch a function that calls it instead.",
        ),
        *(
            row(
                errno.ENODEV,
                PER_TASK,
                rf"failed to {done} for function '(?P<symbol>[^']+)'",
                "ftrace_failed",
                "ftrace has failed on this host, so that the kernel cannot redirect the function {symbol}.",
                "Look for the first message of ftrace in the kernel's log; only a reboot brings it back.",
            )
            for done in ("set ftrace filter", "register ftrace handler")
        ),
        row(
            errno.EINVAL,
            PER_TASK,
            r"not compatible with the already installed livepatches",
            "incompatible_states",
            "The patch does not know a system state that a loaded patch has set.",
            "Load a patch that handles this state, or unload the other patch first.",
        ),
        *(
            row(
                number,
                None,
                r"disagrees about version of symbol (?P<symbol>\S+)",
                "symbol_version",
                "The patch was built against another version of {symbol} than the kernel's.",
                "Build the patch against the build tree of the running kernel.",
            )
            # ENOEXEC for module_layout, the version of struct module itself (kernel/module/version.c).
            for number in (errno.EINVAL, errno.ENOEXEC)
        ),
        *(
            row(
                number,
                None,
                r"failed to validate module \[(?P<module>\S+)\] BTF",
                "btf",
                "The type information (BTF) in the file does not fit the kernel's.",
                "Build the patch against the build tree of the running kernel, with the same pahole, or without BTF.",
            )
            for number in (errno.EINVAL, errno.ENOEXEC)
        ),
        row(
            errno.EINVAL,
            STOP_MACHINE,
            r"Replacing is not supported",
            "replace_not_supported",
            "The patch has the replace flag, which this kernel does not implement.",
            "Build the patch without replace (kpatch-build -R).",
        ),
        Row(LOAD, errno.EINVAL, STOP_MACHINE, _SHORT, _TOO_SHORT),
        Row(LOAD, errno.EPERM, STOP_MACHINE, _SHORT, _TOO_SHORT),
        *(
            row(
                errno.EINVAL,
                STOP_MACHINE,
                rf"'(?P<symbol>[^']+)' has {what}",
                "static_key",
                f"The function {{symbol}} has a {what} in the bytes that the jump would replace.",
                "Patch a function that calls it instead.",
            )
            for what in ("static key", "static call")
        ),
        row(
            errno.EINVAL,
            None,
            r"module (?P<module>\S+) is not marked as a livepatch module",
            "not_a_live_patch",
            "The module {module} registers a live patch and is not marked as a live patch module.",
            'Add MODULE_INFO(livepatch, "Y") to its source.',
        ),
        *(
            Row(LOAD, errno.EINVAL, None, line, cause)
            for line, cause in (
                ("old name is invalid", _BAD_STRUCTURES),
                ("new_func is invalid", _BAD_STRUCTURES),
                ("name is too long", _BAD_STRUCTURES),
                ("has an incorrectly formatted name", _BAD_RELOCATION),
                ("is not marked as a livepatch symbol", _BAD_RELOCATION),
                ("invalid access to vmlinux symbol", _BAD_RELOCATION),
            )
        ),
        row(
            ENOPKG,
            STOP_MACHINE,
            r"module '(?P<module>[^']+)' not loaded",
            "target_not_loaded",
            "The patch changes the module {module}, which is not loaded.",
            "Load {module} first: this kernel does not patch modules that are loaded later.",
        ),
        # Nothing else in the registration gives ENOPKG: without the line, only the name is not known.
        row(
            ENOPKG,
            STOP_MACHINE,
            "",
            "target_not_loaded",
            "The patch changes a module that is not loaded.",
            "Load that module first: this kernel does not patch modules that are loaded later.",
        ),
        # A target that is coming or going and a second registration are the refusals that print nothing.
        row(
            errno.EINVAL,
            STOP_MACHINE,
            "",
            "not_registered",
            "If the kernel's log does not say otherwise, a module that the patch changes is being loaded or unloaded, "
            "or the patch is registered already.",
            "Run the task again; if it stays so, read the kernel's log lines.",
        ),
        row(
            errno.ENOENT,
            None,
            r"Unknown symbol (?P<symbol>\S+)",
            "unknown_symbol",
            "The kernel and its modules do not offer {symbol}, which the patch needs.",
            "Build the patch against the running kernel, and load the modules it depends on first.",
        ),
        row(
            errno.ENOENT,
            None,
            r"kallsyms size lookup failed for '(?P<symbol>[^']+)'",
            "symbol_size",
            "The kernel cannot tell the length of the function {symbol}.",
            "Check that the running kernel is the one that the patch was built for.",
        ),
        row(
            errno.ENOEXEC,
            None,
            r"version magic '(?P<magic>[^']*)' should be '(?P<kernel>[^']*)'",
            "wrong_vermagic",
            "The patch is built for '{magic}', the kernel is '{kernel}'.",
            "Build the patch for the running kernel.",
        ),
        row(
            errno.ENOEXEC,
            None,
            "livepatch support is disabled",
            "unsupported_kernel",
            "The kernel is built without CONFIG_LIVEPATCH.",
            "Boot a kernel that is built with CONFIG_LIVEPATCH=y.",
        ),
        row(
            errno.ENOEXEC,
            None,
            "",
            "bad_module",
            "The kernel does not take the file for a module of its own.",
            "Build the patch again.",
        ),
        row(
            errno.EEXIST,
            None,
            "",
            "already_loaded",
            "A module of this name was loaded by somebody else in the same moment.",
            "Run the task again.",
        ),
        row(
            errno.EBUSY,
            PER_TASK,
            r"failed to register ftrace handler for function '(?P<symbol>[^']+)'",
            "ftrace_conflict",
            "ftrace does not redirect the function {symbol}: it is switched off, or another of its users does that.",
            "Set /proc/sys/kernel/ftrace_enabled to 1; look for the flag I in enabled_functions of tracefs.",
        ),
        row(
            errno.EBUSY,
            PER_TASK,
            "",
            "busy",
            "The kernel is busy: another transition is running, or ftrace is switched off or in use.",
            "Check /sys/kernel/livepatch/*/transition and /proc/sys/kernel/ftrace_enabled, then run the task again.",
        ),
        row(
            errno.EBUSY,
            STOP_MACHINE,
            "",
            "already_loaded",
            "Another copy of the module is being loaded in the same moment.",
            "Run the task again.",
        ),
        row(
            errno.ENODEV,
            None,
            "kernel live patch not available",
            "unsupported_kernel",
            "The kernel's live patching did not start.",
            "Look for its messages in the kernel's log since the boot.",
        ),
        row(
            errno.ENODEV,
            None,
            "",
            "callback",
            "The patch's own code refused to be loaded.",
            "Read the kernel's log lines, and the patch's source.",
        ),
        Row(LOAD, errno.EKEYREJECTED, None, "", _SIGNATURE),
        row(
            errno.ENOKEY,
            None,
            "",
            "signature",
            "The kernel has no key for the signature of the patch file.",
            "Sign the patch file with a key in the kernel's keyring.",
        ),
        row(
            errno.EBADMSG,
            None,
            "",
            "signature",
            "The signature at the end of the patch file is damaged.",
            "Sign the patch file again.",
        ),
        row(
            errno.EACCES,
            None,
            "",
            "security_module",
            "A security module of the kernel (SELinux, IMA) does not permit the file to be loaded.",
            "Look for the denial in the audit log (ausearch -m avc), and permit what is in /run/openeuler-livepatch.",
        ),
        Row(LOAD, errno.EPERM, None, "Lockdown: (?P<task>.*): unsigned module loading", _SIGNATURE),
        Row(LOAD, errno.ENOMEM, None, "", _NO_MEMORY),
    )


def _other() -> tuple[Row, ...]:
    def row(operation: str | None, number: int, abi: str | None, log: str, *cause: str) -> Row:
        return Row(operation, number, abi, log, Finding(reason=cause[0], seen=cause[1], remedy=cause[2]))

    return (
        row(
            LOAD_TARGET,
            errno.ENOENT,
            None,
            "",
            "target_not_loaded",
            "modprobe could not load the module.",
            "Load it by hand (modprobe -v) to see why, then run the task again.",
        ),
        row(
            UNLOAD_TARGET,
            errno.EAGAIN,
            None,
            "",
            "module_in_use",
            "The module has found a user.",
            "Leave it loaded, or end its users and unload it.",
        ),
        row(
            UNLOAD,
            errno.EAGAIN,
            None,
            "",
            "module_in_use",
            "The module is still in use.",
            "Look at /sys/module/<name>/refcnt and holders, then run the task again; what was disabled by force stays "
            "until a reboot.",
        ),
        row(
            UNLOAD,
            errno.EBUSY,
            STOP_MACHINE,
            r"module (?P<module>\S+) is in use!",
            "module_in_use",
            "Some task still runs code of the module {module}.",
            "Run the task again.",
        ),
        # The likeliest by far: what has no exit function is refused beforehand.
        row(
            UNLOAD,
            errno.EBUSY,
            STOP_MACHINE,
            "",
            "module_in_use",
            "Some task still runs code of the module, or it is being loaded or unloaded, or it has no exit function.",
            "Run the task again; only a reboot removes a module without an exit function.",
        ),
        row(
            UNLOAD,
            errno.EBUSY,
            PER_TASK,
            "",
            "module_unloadable",
            "The module cannot be unloaded: it has no exit function, or it is being loaded or unloaded.",
            "Only a reboot removes a module without an exit function.",
        ),
        row(
            UNLOAD,
            errno.EINVAL,
            STOP_MACHINE,
            "",
            "unreliable_stack",
            "The kernel cannot tell whether a task still runs the module's code.",
            "Run the task again.",
        ),
        row(
            UNLOAD,
            errno.ENOENT,
            None,
            "",
            "gone",
            "The module was unloaded by somebody else in the same moment.",
            "Run the task again.",
        ),
        row(
            None,
            errno.EROFS,
            None,
            "",
            "read_only",
            "/sys is mounted read-only.",
            "Mount it read-write (mount -o remount,rw /sys), and find out who made it so.",
        ),
        *(
            row(
                None,
                number,
                None,
                "",
                "not_permitted",
                "The kernel does not permit it: not root, module loading switched off, or lockdown.",
                "Run as root; look at /proc/sys/kernel/modules_disabled and /sys/kernel/security/lockdown.",
            )
            for number in (errno.EPERM, errno.EACCES)
        ),
        row(
            None,
            errno.ENOSYS,
            None,
            "",
            "unsupported_kernel",
            "The kernel loads no modules, or this collection does not know how this architecture does.",
            "Boot a kernel with CONFIG_MODULES=y.",
        ),
    )


ROWS = (*_loading(), _TEXT_NOT_READ, *_changing(ENABLE), *_changing(DISABLE), *_other())
"""The first row that fits is taken.

Sources: kernel/livepatch/core.c and patch.c, kernel/module/main.c of Linux 6.12; of openEuler's 4.19, 5.10 and 6.6,
with arch/*/kernel/livepatch.c.
"""


def may_pass(number: int | None, log: t.Sequence[str]) -> bool:
    """Whether the kernel refused because of what some task does at the moment, so that trying again may help.

    A function is on some task's stack: EAGAIN, on openEuler 22.03 GA EBUSY. The stack of some task cannot be read at
    this moment: EINVAL (arch/x86/kernel/livepatch.c).
    """
    if number == errno.EINVAL:
        return _search(_UNRELIABLE, log) is not None
    return number in (errno.EAGAIN, errno.EBUSY) and _search("|".join(_LIST_ORDER.values()), log) is None


def explain(operation: str, number: int, log: t.Sequence[str], abi: str | None = None) -> Finding:
    """The cause of a failed operation (a step's action) from its errno, the kernel's new log lines and its ABI."""
    for row in ROWS:
        fits = row.operation in (None, operation) and row.number in (None, number)
        if fits and (None in (abi, row.abi) or abi == row.abi):
            found = _search(row.log, log)
            if found is not None:
                return Finding(
                    reason=row.finding.reason,
                    seen=row.finding.seen.format(**found),
                    remedy=row.finding.remedy.format(**found),
                )
    return Finding(
        reason="unknown",
        seen=f"The kernel answered {errno_name(number)}, and this collection does not know why.",
        remedy=f"Read the kernel's log lines; {PAGE} of the collection lists what is known.",
    )


def _search(pattern: str, log: t.Sequence[str]) -> dict[str, str] | None:
    if not pattern:
        return {}
    match = re.search(pattern, "\n".join(log))
    return match.groupdict(default="") if match else None
