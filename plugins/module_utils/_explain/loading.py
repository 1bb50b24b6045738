# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What finit_module(2) answers: the module loader, and the patch's init function, in which it is registered."""

from __future__ import annotations

import errno
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._explain import module_loader
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.row import NO_MEMORY, Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE

ENOPKG = getattr(errno, "ENOPKG", 65)

_SYMBOL_VERSION_LINE = r"disagrees about version of symbol (?P<symbol>\S+)"

_BTF_LINE = r"failed to validate module \[(?P<module>\S+)\] BTF"

_TOO_SHORT_LINE = r"(?<!\S)(?:func )?(?P<symbol>\S+) size less than limit"

_NOT_TRACEABLE = Finding(
    reason="not_traceable",
    seen="ftrace cannot call anybody from the function {symbol}, as this kernel's live patching needs.",
    remedy="Patch a function that calls it instead.",
)

_FTRACE_FAILED = Finding(
    reason="ftrace_failed",
    seen="ftrace has failed on this host, so that the kernel cannot redirect the function {symbol}.",
    remedy="Look for the first message of ftrace in the kernel's log; only a reboot brings it back.",
    only_reboot=True,
)

_SYMBOL_VERSION = Finding(
    reason="symbol_version",
    seen="The patch was built against another version of {symbol} than the kernel's.",
    remedy="Build the patch against the build tree of the running kernel.",
)

_BTF = Finding(
    reason="btf",
    seen="The type information (BTF) in the file does not fit the kernel's.",
    remedy="Build the patch against the build tree of the running kernel, with the same pahole, or without BTF.",
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

_NOT_REGISTERED = Finding(
    reason="no_memory",
    seen="The kernel could not register the static keys or static calls that the patch itself has.",
    remedy="Free memory, then run the task again; if it stays so, build the patch without them.",
)

_NOT_TRUSTED = Finding(
    reason="signature",
    seen="The kernel accepts modules only with a signature that it trusts.",
    remedy="Sign the patch file with a key in the kernel's keyring.",
)

_ANSWERS: tuple[Row, ...] = (
    *module_loader.ROWS,
    # The kernel passes on whatever the callback returns (klp_enable_patch).
    Row(
        abi=PER_TASK,
        log=r"pre-patch callback failed for object '(?P<object>[^']+)'",
        finding=Finding(
            reason="callback",
            seen="A callback of the patch refused to patch the object {object}.",
            remedy="Read the kernel's log lines, and the patch's source.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        log=r"symbol '(?P<symbol>[^']+)' not found in symbol table",
        finding=Finding(
            reason="symbol_missing",
            seen="The kernel has no function {symbol} to patch.",
            remedy="Build the patch from the source of the running kernel; an inlined function cannot be patched.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        log=r"unresolvable ambiguity for symbol '(?P<symbol>[^']+)'",
        finding=Finding(
            reason="symbol_ambiguous",
            seen="The kernel has several functions named {symbol}, and the patch does not say which.",
            remedy="Set the function's old_sympos to its position in /proc/kallsyms.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        log=r"symbol position (?P<position>\d+) for symbol '(?P<symbol>[^']+)' in object '(?P<object>[^']+)' not found",
        finding=Finding(
            reason="sympos_missing",
            seen="The object {object} has no function {symbol} at position {position}.",
            remedy="Correct old_sympos: positions count the symbols of that name in /proc/kallsyms from 1.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        abi=PER_TASK,
        log=r"failed to find location for function '(?P<symbol>[^']+)'",
        finding=_NOT_TRACEABLE,
    ),
    Row(
        number=errno.EINVAL,
        abi=PER_TASK,
        log=r"failed to set ftrace filter for function '(?P<symbol>[^']+)'",
        finding=_NOT_TRACEABLE,
    ),
    Row(
        number=errno.ENODEV,
        abi=PER_TASK,
        log=r"failed to set ftrace filter for function '(?P<symbol>[^']+)'",
        finding=_FTRACE_FAILED,
    ),
    Row(
        number=errno.ENODEV,
        abi=PER_TASK,
        log=r"failed to register ftrace handler for function '(?P<symbol>[^']+)'",
        finding=_FTRACE_FAILED,
    ),
    Row(
        number=errno.EINVAL,
        abi=PER_TASK,
        log=r"not compatible with the already installed livepatches",
        finding=Finding(
            reason="incompatible_states",
            seen="The patch does not know a system state that a loaded patch has set, or only in an older version.",
            remedy="Load a patch that handles this state, or unload the other patch first.",
        ),
    ),
    Row(number=errno.EINVAL, log=_SYMBOL_VERSION_LINE, finding=_SYMBOL_VERSION),
    # For module_layout, the version of struct module itself (kernel/module/version.c).
    Row(number=errno.ENOEXEC, log=_SYMBOL_VERSION_LINE, finding=_SYMBOL_VERSION),
    Row(number=errno.EINVAL, log=_BTF_LINE, finding=_BTF),
    Row(number=errno.ENOEXEC, log=_BTF_LINE, finding=_BTF),
    Row(
        number=errno.EINVAL,
        abi=STOP_MACHINE,
        log=r"Replacing is not supported",
        finding=Finding(
            reason="replace_not_supported",
            seen="The patch has the replace flag, which this kernel does not implement.",
            remedy="Build the patch without replace (kpatch-build -R).",
        ),
    ),
    Row(number=errno.EINVAL, abi=STOP_MACHINE, log=_TOO_SHORT_LINE, finding=_TOO_SHORT),
    Row(number=errno.EPERM, abi=STOP_MACHINE, log=_TOO_SHORT_LINE, finding=_TOO_SHORT),
    Row(
        number=errno.EINVAL,
        abi=STOP_MACHINE,
        log=r"'(?P<symbol>[^']+)' has static key",
        finding=Finding(
            reason="static_key",
            seen="The function {symbol} has a static key in the bytes that the jump would replace.",
            remedy="Patch a function that calls it instead.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        abi=STOP_MACHINE,
        log=r"'(?P<symbol>[^']+)' has static call",
        finding=Finding(
            reason="static_key",
            seen="The function {symbol} has a static call in the bytes that the jump would replace.",
            remedy="Patch a function that calls it instead.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        log=r"module (?P<module>\S+) is not marked as a livepatch module",
        finding=Finding(
            reason="not_a_live_patch",
            seen="The module {module} registers a live patch and is not marked as a live patch module.",
            remedy='Add MODULE_INFO(livepatch, "Y") to its source.',
        ),
    ),
    # The kernel passes on what was returned (klp_init_object_loaded, klp_register_patch).
    Row(
        abi=STOP_MACHINE,
        log="apply object relocations failed",
        finding=Finding(
            reason="bad_relocation",
            seen="The kernel could not apply the relocations of the patch.",
            remedy="Build the patch with the tools that belong to this kernel.",
        ),
    ),
    Row(abi=STOP_MACHINE, log="register jump label failed", finding=_NOT_REGISTERED),
    Row(abi=STOP_MACHINE, log="register static call failed", finding=_NOT_REGISTERED),
    Row(number=errno.EINVAL, log="old name is invalid", finding=_BAD_STRUCTURES),
    Row(number=errno.EINVAL, log="new_func is invalid", finding=_BAD_STRUCTURES),
    Row(number=errno.EINVAL, log="name is too long", finding=_BAD_STRUCTURES),
    Row(number=errno.EINVAL, log="has an incorrectly formatted name", finding=_BAD_RELOCATION),
    Row(number=errno.EINVAL, log="is not marked as a livepatch symbol", finding=_BAD_RELOCATION),
    Row(number=errno.EINVAL, log="invalid access to vmlinux symbol", finding=_BAD_RELOCATION),
    Row(
        number=ENOPKG,
        abi=STOP_MACHINE,
        log=r"module '(?P<module>[^']+)' not loaded",
        finding=Finding(
            reason="target_not_loaded",
            seen="The patch changes the module {module}, which is not loaded.",
            remedy="Load {module} first: this kernel does not patch modules that are loaded later.",
        ),
    ),
    # Nothing else in the registration gives ENOPKG: without the line, only the name is not known.
    Row(
        number=ENOPKG,
        abi=STOP_MACHINE,
        finding=Finding(
            reason="target_not_loaded",
            seen="The patch changes a module that is not loaded.",
            remedy="Load that module first: this kernel does not patch modules that are loaded later.",
        ),
    ),
    # A target that is coming or going and a second registration are the refusals that print nothing.
    Row(
        number=errno.EINVAL,
        abi=STOP_MACHINE,
        finding=Finding(
            reason="not_registered",
            seen="If the kernel's log does not say otherwise, a module that the patch changes is being loaded or "
            "unloaded, or the patch is registered already.",
            remedy="Run the task again; if it stays so, read the kernel's log lines.",
        ),
    ),
    Row(
        number=errno.ENOENT,
        log=r"Unknown symbol (?P<symbol>\S+)",
        finding=Finding(
            reason="unknown_symbol",
            seen="The kernel and its modules do not offer {symbol}, which the patch needs.",
            remedy="Build the patch against the running kernel, and load the modules it depends on first.",
        ),
    ),
    Row(
        number=errno.ENOENT,
        log=r"kallsyms size lookup failed for '(?P<symbol>[^']+)'",
        finding=Finding(
            reason="symbol_size",
            seen="The kernel cannot tell the length of the function {symbol}.",
            remedy="Check that the running kernel is the one that the patch was built for.",
        ),
    ),
    Row(
        number=errno.ENOEXEC,
        log=r"version magic '(?P<magic>[^']*)' should be '(?P<kernel>[^']*)'",
        finding=Finding(
            reason="wrong_vermagic",
            seen="The patch is built for '{magic}', the kernel is '{kernel}'.",
            remedy="Build the patch for the running kernel.",
        ),
    ),
    Row(
        number=errno.ENOEXEC,
        log="livepatch support is disabled",
        finding=Finding(
            reason="unsupported_kernel",
            seen="The kernel is built without CONFIG_LIVEPATCH.",
            remedy="Boot a kernel that is built with CONFIG_LIVEPATCH=y.",
        ),
    ),
    Row(
        number=errno.ENOEXEC,
        finding=Finding(
            reason="bad_module",
            seen="The kernel does not take the file for a module of its own.",
            remedy="Build the patch again.",
        ),
    ),
    Row(
        number=errno.EEXIST,
        finding=Finding(
            reason="already_loaded",
            seen="A module of this name was loaded by somebody else in the same moment.",
            remedy="Run the task again.",
        ),
    ),
    Row(
        number=errno.EBUSY,
        abi=PER_TASK,
        log=r"failed to register ftrace handler for function '(?P<symbol>[^']+)'",
        finding=Finding(
            reason="ftrace_conflict",
            seen="ftrace does not redirect the function {symbol}: it is switched off, or another of its users does "
            "that.",
            remedy="Set /proc/sys/kernel/ftrace_enabled to 1; look for the flag I in enabled_functions of tracefs.",
        ),
    ),
    Row(
        number=errno.EBUSY,
        abi=PER_TASK,
        finding=Finding(
            reason="busy",
            seen="The kernel is busy: another transition is running, or ftrace is switched off or in use.",
            remedy="Check /sys/kernel/livepatch/*/transition and /proc/sys/kernel/ftrace_enabled, then run the task "
            "again.",
        ),
    ),
    Row(
        number=errno.EBUSY,
        abi=STOP_MACHINE,
        finding=Finding(
            reason="already_loaded",
            seen="Another copy of the module is being loaded in the same moment.",
            remedy="Run the task again.",
        ),
    ),
    Row(
        number=errno.ENODEV,
        log="kernel live patch not available",
        finding=Finding(
            reason="unsupported_kernel",
            seen="The kernel's live patching did not start.",
            remedy="Look for its messages in the kernel's log since the boot.",
        ),
    ),
    Row(
        number=errno.ENODEV,
        finding=Finding(
            reason="callback",
            seen="The patch's own code refused to be loaded.",
            remedy="Read the kernel's log lines, and the patch's source.",
        ),
    ),
    Row(number=errno.EKEYREJECTED, finding=_NOT_TRUSTED),
    Row(
        number=errno.ENOKEY,
        finding=Finding(
            reason="signature",
            seen="The kernel has no key for the signature of the patch file.",
            remedy="Sign the patch file with a key in the kernel's keyring.",
        ),
    ),
    Row(
        number=errno.EBADMSG,
        finding=Finding(
            reason="signature",
            seen="The signature at the end of the patch file is damaged.",
            remedy="Sign the patch file again.",
        ),
    ),
    Row(
        number=errno.EACCES,
        finding=Finding(
            reason="security_module",
            seen="A security module of the kernel (SELinux, IMA) does not permit the file to be loaded.",
            remedy="Look for the denial in the audit log (ausearch -m avc), and permit what is in "
            "/run/openeuler-livepatch.",
        ),
    ),
    Row(
        number=errno.EPERM,
        log="Lockdown: (?P<task>.*): unsigned module loading",
        finding=_NOT_TRUSTED,
    ),
    Row(number=errno.ENOMEM, finding=NO_MEMORY),
)

ROWS: tuple[Row, ...] = tuple(replace(row, operation=Action.LOAD) for row in _ANSWERS)
