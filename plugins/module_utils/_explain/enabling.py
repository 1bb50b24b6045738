# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""What the kernel answers when 1 or 0 is written to `enabled`."""

from __future__ import annotations

import errno
from dataclasses import replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.row import (
    NO_MEMORY,
    ONLY_THE_FIRST,
    ONLY_THE_LAST,
    UNRELIABLE_STACK,
    Row,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE

# In whose way it is: x86 names the task behind its stack, arm64 and 4.19 before it (arch/*/kernel/livepatch.c). 4.19
# puts the name of its own function first.
_IN_USE_LINES = (
    r"func (?P<symbol>\S+) is in use!(?:.*\n){0,200}?(?:livepatch: )?(?:klp_\w+: )?(?P<task>.*:\d+) check stack failed"
)

_IN_USE_LINES_ARM64 = (
    r"func (?P<symbol>\S+) is in use!\n(?:livepatch: )?(?:klp_\w+: )?PID: (?P<pid>\d+) Comm: (?P<task>.+)"
)

_SLEEPING_LINE = r"(?m)^(?:livepatch: )?(?:klp_\w+: )?(?P<task>.*:\d+) is sleeping on function (?P<symbol>\S+)"

_IDLE_LINES = _IN_USE_LINES.replace(r"(?P<task>.*:\d+)", r"swapper/(?P<cpu>\d+):0")

_IDLE_LINES_ARM64 = _IN_USE_LINES_ARM64.replace(r"(?P<pid>\d+) Comm: (?P<task>.+)", r"0 Comm: swapper/(?P<cpu>\d+)")

_IDLE_LINE = _SLEEPING_LINE.replace(r"(?P<task>.*:\d+)", r"swapper/(?P<cpu>\d+):0")

_IN_IDLE_PATH = Finding(
    reason="idle_path",
    seen="The idle task swapper/{cpu} is in the function {symbol}, and never leaves it.",
    remedy="Patch another function: what the idle loop is in cannot be patched on this kernel.",
)

_IN_USE_LINE = r"func (?P<symbol>\S+) is in use!"

_IN_USE = Finding(
    reason="function_busy",
    seen="The task {task} is in the function {symbol}, or sleeps in something that it called.",
    remedy="Try again later or with more retries; if the task never leaves the function, end it first.",
)

_IN_USE_ARM64 = Finding(
    reason="function_busy",
    seen="The task {task}:{pid} is in the function {symbol}, or sleeps in something that it called.",
    remedy="Try again later or with more retries; if the task never leaves the function, end it first.",
)

_IN_USE_BY_SOME_TASK = Finding(
    reason="function_busy",
    seen="Some task is in the function {symbol}, or sleeps in something that it called.",
    remedy="Try again later or with more retries; if the task never leaves the function, end it first.",
)

_SOME_FUNCTION_IN_USE = Finding(
    reason="function_busy",
    seen="Some task is in one of the functions.",
    remedy="Try again later or with more retries.",
)

_TEXT_NOT_WRITTEN = Finding(
    reason="text_not_written",
    seen="The kernel could not write to its own text.",
    remedy="Read the kernel's log lines; do not use live patching on this host before that is understood.",
)

# EPERM on arm64; riscv64 passes on what the writing returned. Disabling "restores".
_NOT_WRITTEN: tuple[Row, ...] = (
    Row(abi=STOP_MACHINE, log="patch instruction(?P<which>.*) failed", finding=_TEXT_NOT_WRITTEN),
    Row(abi=STOP_MACHINE, log="restore instruction(?P<which>.*) failed", finding=_TEXT_NOT_WRITTEN),
)

# EAGAIN, on openEuler 22.03 GA EBUSY.
_FUNCTION_IN_USE: tuple[Row, ...] = (
    Row(number=errno.EAGAIN, abi=STOP_MACHINE, log=_IDLE_LINES, finding=_IN_IDLE_PATH),
    Row(number=errno.EAGAIN, abi=STOP_MACHINE, log=_IDLE_LINES_ARM64, finding=_IN_IDLE_PATH),
    Row(number=errno.EAGAIN, abi=STOP_MACHINE, log=_IDLE_LINE, finding=_IN_IDLE_PATH),
    Row(number=errno.EAGAIN, abi=STOP_MACHINE, log=_SLEEPING_LINE, finding=_IN_USE),
    Row(number=errno.EBUSY, abi=STOP_MACHINE, log=_SLEEPING_LINE, finding=_IN_USE),
    Row(number=errno.EAGAIN, abi=STOP_MACHINE, log=_IN_USE_LINES, finding=_IN_USE),
    Row(number=errno.EBUSY, abi=STOP_MACHINE, log=_IN_USE_LINES, finding=_IN_USE),
    Row(number=errno.EAGAIN, abi=STOP_MACHINE, log=_IN_USE_LINES_ARM64, finding=_IN_USE_ARM64),
    Row(number=errno.EBUSY, abi=STOP_MACHINE, log=_IN_USE_LINES_ARM64, finding=_IN_USE_ARM64),
    Row(number=errno.EAGAIN, abi=STOP_MACHINE, log=_IN_USE_LINE, finding=_IN_USE_BY_SOME_TASK),
    Row(number=errno.EBUSY, abi=STOP_MACHINE, log=_IN_USE_LINE, finding=_IN_USE_BY_SOME_TASK),
    Row(number=errno.EAGAIN, abi=STOP_MACHINE, finding=_SOME_FUNCTION_IN_USE),
)

_FIRST = (*_NOT_WRITTEN, *_FUNCTION_IN_USE)

_ENABLED_OUT_OF_ORDER = Row(
    number=errno.EBUSY,
    abi=STOP_MACHINE,
    log=ONLY_THE_FIRST,
    finding=Finding(
        reason="stacking",
        seen=f"The kernel has CONFIG_LIVEPATCH_STACK: {ONLY_THE_FIRST}.",
        remedy="Change the patches of /proc/livepatch/state in their order.",
    ),
)

_DISABLED_OUT_OF_ORDER = Row(
    number=errno.EBUSY,
    abi=STOP_MACHINE,
    log=ONLY_THE_LAST,
    finding=Finding(
        reason="stacking",
        seen=f"The kernel has CONFIG_LIVEPATCH_STACK: {ONLY_THE_LAST}.",
        remedy="Change the patches of /proc/livepatch/state in their order.",
    ),
)

_ANYTHING_ELSE: tuple[Row, ...] = (
    Row(
        number=errno.EBUSY,
        abi=STOP_MACHINE,
        log="failed to add breakpoints",
        finding=Finding(
            reason="function_busy",
            seen="A breakpoint is set in one of the functions.",
            remedy="Remove it, then run the task again.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        abi=STOP_MACHINE,
        log=r"func (?P<symbol>\S+) has been probed",
        finding=Finding(
            reason="kprobe",
            seen="A kprobe is set in the function {symbol}.",
            remedy="Find it in /sys/kernel/debug/kprobes/list and remove it, then run the task again.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        abi=STOP_MACHINE,
        log=UNRELIABLE_STACK,
        finding=Finding(
            reason="unreliable_stack",
            seen="The kernel cannot tell in which functions the task {task} is.",
            remedy="Run the task again; if it stays so, end that task.",
        ),
    ),
    Row(number=errno.ENOMEM, abi=STOP_MACHINE, finding=NO_MEMORY),
    Row(
        number=errno.ENODEV,
        abi=STOP_MACHINE,
        finding=Finding(
            reason="gone",
            seen="The patch is being unloaded by somebody else in the same moment.",
            remedy="Run the task again.",
        ),
    ),
    Row(
        number=errno.ENOENT,
        finding=Finding(
            reason="gone",
            seen="The patch was unloaded by somebody else in the same moment.",
            remedy="Run the task again.",
        ),
    ),
    Row(
        number=errno.EFAULT,
        abi=STOP_MACHINE,
        log="new address out of range",
        finding=Finding(
            reason="too_far",
            seen="The new code is further away than a jump of this architecture reaches.",
            remedy="Boot a kernel with module PLTs (CONFIG_ARM64_MODULE_PLTS).",
        ),
    ),
    Row(number=errno.EBUSY, abi=STOP_MACHINE, finding=_SOME_FUNCTION_IN_USE),
    Row(
        number=errno.EBUSY,
        abi=PER_TASK,
        finding=Finding(
            reason="busy",
            seen="Another patch's transition is running.",
            remedy="Wait until it has ended, then run the task again.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        abi=STOP_MACHINE,
        finding=Finding(
            reason="changed_meanwhile",
            seen="The patch is in that state already, or not registered any more; or, if the kernel's log does not "
            "show it, there is a kprobe or a task with an unreliable stack.",
            remedy="Look for another tool that changes live patches or sets kprobes on this host, then run the task "
            "again.",
        ),
    ),
    Row(
        number=errno.EINVAL,
        abi=PER_TASK,
        finding=Finding(
            reason="changed_meanwhile",
            seen="The patch is in that state already, or not registered any more.",
            remedy="Look for another tool that changes live patches on this host, then run the task again.",
        ),
    ),
)

WHEN_LOADED: tuple[Row, ...] = tuple(
    replace(row, operation=Action.LOAD)
    for row in (*_FIRST, _ENABLED_OUT_OF_ORDER, *_ANYTHING_ELSE)
    if row.abi == STOP_MACHINE and row.log
)
"""What the kernel answers to a module that enables itself: its init function returns what klp_enable_patch does."""

ROWS: tuple[Row, ...] = (
    # Whatever the reading returned, the kernel answers ENOMEM (klp_mem_prepare); disabling saves nothing.
    Row(
        operation=Action.ENABLE,
        number=errno.ENOMEM,
        abi=STOP_MACHINE,
        log="save old code failed",
        finding=Finding(
            reason="text_not_read",
            seen="The kernel could not read its own text, which it saves before it writes a jump there.",
            remedy="Read the kernel's log lines; do not use live patching on this host before that is understood.",
        ),
    ),
    *(replace(row, operation=Action.ENABLE) for row in (*_FIRST, _ENABLED_OUT_OF_ORDER, *_ANYTHING_ELSE)),
    *(replace(row, operation=Action.DISABLE) for row in (*_FIRST, _DISABLED_OUT_OF_ORDER, *_ANYTHING_ELSE)),
)
