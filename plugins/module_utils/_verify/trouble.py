# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Finds trouble of the kernel: by its taint, by what it counts, and by lines of its log that no process can forge.

Any user can let the kernel print a line that begins with the name of a process: a name has 15 characters at most, and
may be `BUG: x`. So a line counts only as a whole, from its beginning on, with more fixed text than a name is long. What
taints the kernel is evidence by the taint; a line explains it then. Pure functions.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import (
    HARD_LOCKUP,
    HUNG_THREAD,
    PANIC,
    RCU_STALL,
    SERIOUS_TAINTS,
    TROUBLE_TAINTS,
    WORKQUEUE_LOCKUP,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import SOFT_LOCKUP as A_SOFT_LOCKUP

MACHINE_CHECK, BAD_PAGE, DIE, WARNED, SOFT_LOCKUP = 4, 5, 7, 9, 14
"""Bits of the taint (Documentation/admin-guide/tainted-kernels.rst)."""


@dataclass(frozen=True)
class Counts:
    """What tells of trouble at one moment; None where the kernel does not tell it.

    `taint` is /proc/sys/kernel/tainted, `oopses` and `warnings` are /sys/kernel/oops_count and warn_count, which Linux
    has since 6.2 (kernel/exit.c, kernel/panic.c).
    """

    taint: int | None = None
    oopses: int | None = None
    warnings: int | None = None


@dataclass(frozen=True)
class Trouble:
    """The trouble that a kernel has got into: its log from the first line of it on, and what its taint shows anew.

    `grave` names what keeps a CPU or the kernel's own threads from going on: whoever changes a patch then would wait
    for that, and can hang the host. It is empty for other trouble. `besides` are lines about programs of users that
    hang, which is no trouble of the kernel's.
    """

    lines: tuple[str, ...] = ()
    taints: tuple[str, ...] = ()
    grave: str = ""
    besides: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lines or self.taints)


@dataclass(frozen=True)
class _Phrase:
    """A line of the kernel's log that tells of trouble. `bit` is that of the taint which the kernel sets with it.

    A pattern with a `pid` tells of the task of that number. It is grave only if the task is the kernel's own.
    """

    pattern: t.Pattern[str]
    bit: int | None = None
    grave: str = ""


_NAME = r".{1,64}"
"""The name of a process, in which the kernel writes `\\x1b` for one character (msg_add_ext_text() in printk.c)."""

_SYMBOL = r"(?:\S+\+0x[0-9a-f]+/0x[0-9a-f]+|0x[0-9a-f]+)"

_TRAP = (
    "(?:general protection fault|divide error|invalid opcode|int3|debug|overflow|bounds|double fault|invalid TSS"
    "|segment not present|stack segment|alignment check|coprocessor segment overrun|control protection|SIMD exception)"
)
"""How x86 names its traps, where it does not write `Oops` (arch/x86/kernel/traps.c)."""

_BLOCKED = r"blocked (?:in I/O wait )?for more than [0-9]+ seconds\.$"

_HUNG_TASK = rf"INFO: task {_NAME}:(?P<pid>[0-9]+) {_BLOCKED}"

_WARNING = "WARNING: "

KERNEL, ROOT, USER = "kernel", "root", "user"
"""Whose a task is. That of a user is anybody's, and nobody's is one that is gone."""

_OOPS = r"[0-9a-f]{4,16} \[#[0-9]+\](?: [A-Z][\w()]*)*"
"""How the first line of an oops ends: error code, count, properties of the kernel (die() of each architecture)."""


def _phrases(bit: int | None, grave: str, *patterns: str) -> t.Iterator[_Phrase]:
    for pattern in patterns:
        yield _Phrase(re.compile(f"^{pattern}", re.ASCII), bit, grave)


_PHRASES = (
    # kernel/watchdog.c
    *_phrases(
        SOFT_LOCKUP,
        A_SOFT_LOCKUP,
        rf"(?:(?:NMI )?watchdog: )?BUG: soft lockup - CPU#[0-9]+ stuck for [0-9]+s! \[{_NAME}:[0-9]+\]$",
    ),
    # kernel/watchdog.c, watchdog_hld.c; arch/powerpc/kernel/watchdog.c
    *_phrases(
        None,
        HARD_LOCKUP,
        r"(?:NMI )?watchdog: (?:CPU[0-9]+: )?Watchdog detected hard LOCKUP on cpu ?[0-9]+",
        r"(?:NMI )?watchdog: CPU [0-9]+ (?:self-detected hard LOCKUP @|detected hard LOCKUP on other CPUs) ",
    ),
    # kernel/rcu/tree_stall.h, tasks.h
    *_phrases(
        None,
        RCU_STALL,
        r"(?:rcu: )?INFO: \w+ (?:self-)?detected (?:expedited )?stalls? on (?:CPU|tasks)",
        r"(?:rcu: )?\s*\w+ kthread (?:starved for [0-9]+ jiffies!|timer wakeup didn't happen for [0-9]+ jiffies!)",
    ),
    # kernel/workqueue.c
    *_phrases(None, WORKQUEUE_LOCKUP, r"BUG: workqueue lockup - pool "),
    # kernel/hung_task.c; the threads of kernel/stop_machine.c, cpu.c and livepatch's own
    *_phrases(
        None,
        HUNG_THREAD,
        rf"INFO: task (?:migration|stopper|cpuhp)/[0-9]+:(?P<pid>[0-9]+) {_BLOCKED}",
    ),
    *_phrases(None, "", _HUNG_TASK),
    # kernel/panic.c; arch/x86/kernel/cpu/mce
    *_phrases(None, PANIC, r"Kernel panic - not syncing: ", r"PANIC: double fault, error_code: 0x"),
    # kernel/panic.c, before and since 6.18
    *_phrases(
        WARNED,
        "",
        rf"WARNING: CPU: [0-9]+ PID: [0-9]+ at \S+:[0-9]+ {_SYMBOL}",
        rf"WARNING: \S+:[0-9]+ at {_SYMBOL}(?: \[[\w-]+\])?, CPU#[0-9]+: ",
    ),
    # They set the taint of a warning and are not counted as one: kernel/sched/core.c, kernel/workqueue.c
    *_phrases(
        None,
        "",
        r"BUG: scheduling while atomic: ",
        r"BUG: sleeping function called from invalid context at ",
        r"BUG: workqueue leaked (?:lock or atomic|atomic, lock or RCU): ",
        r"BUG: using \w+\(\) in preemptible \[",
        r"BUG: assuming \w+ context at ",
        r"BUG: Bad rss-counter state mm:",
        r"BUG: non-zero pgtables_bytes on freeing mm: ",
        r"BUG: K(?:CSAN: (?:data-race|assert: race)|MSAN: [a-z-]+) in ",
    ),
    # lib/ubsan.c, kernel/locking/lockdep.c: no taint
    *_phrases(
        None,
        "",
        r"UBSAN: [a-z-]+ in \S+:[0-9]+:[0-9]+$",
        r"WARNING: possible [a-z -]+ detected$",
        r"WARNING: (?:suspicious RCU usage|inconsistent lock state|bad unlock balance detected!|held lock freed!)$",
    ),
    # mm/page_alloc.c, mm/slub.c, mm/kasan/report.c, mm/kfence/report.c
    *_phrases(
        BAD_PAGE,
        "",
        r"BUG: Bad page (?:state|map|cache) in process ",
        r"BUG: K(?:ASAN|FENCE): [a-z -]+ in ",
        r"BUG \S+ \((?:Not tainted|Tainted: [A-Z ,=_\[\]]+)\): [A-Z]",
    ),
    # arch/*/kernel/traps.c, arch/*/mm/fault.c, lib/bug.c
    *_phrases(
        DIE,
        "",
        r"kernel BUG at \S+:[0-9]+!$",
        r"BUG: unable to handle (?:page fault|kernel (?:paging request|NULL pointer dereference)) ",
        r"BUG: kernel NULL pointer dereference, address: ",
        r"BUG: (?:\S+ )?stack guard page was hit at ",
        r"Unable to handle kernel (?:paging request|NULL pointer dereference|\S+ at|\S+ \S+ at)",
        rf"(?:Oops|Internal error|{_TRAP})(?:[:,][\w ,:'-]*)?: {_OOPS}$",
        r"SError Interrupt on CPU[0-9]+, code ",
        r"Bad mode in [\w -]+ handler detected on CPU[0-9]+, code ",
        r"(?:livepatch: )?Unrecoverable livepatch detected\.",
    ),
    # arch/x86/kernel/cpu/mce/core.c
    *_phrases(MACHINE_CHECK, "", r"mce: \[Hardware Error\]: CPU [0-9]+: Machine Check"),
)


def find(
    lines: t.Sequence[str],
    before: Counts,
    now: Counts,
    warnings: bool = True,
    whose: t.Callable[[str], str] = lambda pid: KERNEL,
    module: str = "",
) -> Trouble:
    """The trouble since `before`, from the lines printed since then; without `warnings` only serious trouble.

    `whose` says whose the task of this pid is: its name can be anybody's. A user's program that hangs is trouble only
    if it does so in the code of `module`. A user can let one hang, for example in a file system of his own (FUSE).
    """
    looked_at = [bit for bit in TROUBLE_TAINTS if warnings or SERIOUS_TAINTS >> bit & 1]
    new = [bit for bit in looked_at if _is_new(bit, before, now)]
    untold = [bit for bit in looked_at if bit not in new and _is_untold(bit, before, now)]
    first, grave, besides = None, "", []
    for place, line in enumerate(lines):
        phrase = _phrase_of(line)
        if phrase is None or not (phrase.bit is None or phrase.bit in new or phrase.bit in untold):
            continue
        if not warnings and line.startswith(_WARNING):
            continue
        pid = _pid_in(phrase, line)
        owner = whose(pid) if pid else KERNEL
        if owner not in (KERNEL, ROOT) and not _hangs_in(module, (lines[at] for at in range(place + 1, len(lines)))):
            besides.append(line)
            continue
        first = place if first is None else first
        if not grave and owner == KERNEL:
            grave = phrase.grave
    if SOFT_LOCKUP in new:
        grave = grave or A_SOFT_LOCKUP
    told = tuple(lines[first:]) if first is not None else ()
    return Trouble(told, tuple(TROUBLE_TAINTS[bit] for bit in new), grave, tuple(besides))


_OF_A_FILE = re.compile(r": potentially unexpected fatal signal [0-9]+\.$")
"""The end of the one line that begins with the name of a file, which is as long as a user wants it to be: the program
that a signal has ended (kernel/signal.c, print_fatal_signal())."""


def _phrase_of(line: str) -> _Phrase | None:
    if _OF_A_FILE.search(line):
        return None
    return next((phrase for phrase in _PHRASES if phrase.pattern.search(line)), None)


def _pid_in(phrase: _Phrase, line: str) -> str | None:
    found = phrase.pattern.search(line)
    return found.groupdict().get("pid") if found else None


_OF_A_TRACE = re.compile(r"\s|task:|Call [Tt]race:|Workqueue:|\"echo 0 >", re.ASCII)
"""How lines begin between the one about a hung task and the end of its trace (sched_show_task() in kernel/sched)."""


def _hangs_in(module: str, lines: t.Iterable[str]) -> bool:
    """Whether the trace of a hung task, which the lines after the one about it begin with, has a frame of this module.

    A frame is a whole line: the name of a process, with which others begin, may look like one.
    """
    symbol = r"[\w.$]+\+0x[0-9a-f]+/0x[0-9a-f]+"
    frame = re.compile(rf"\s+(?:\? )?{symbol} \[{re.escape(module)}(?: [0-9a-f]+)?\](?: \([\w+-]*\))?\s*$", re.ASCII)
    for line in lines:
        if not _OF_A_TRACE.match(line) or "</TASK>" in line:
            break
        if module and frame.match(line):
            return True
    return False


def _is_new(bit: int, before: Counts, now: Counts) -> bool:
    """Whether the kernel says by itself that there was trouble of this kind since."""
    if before.taint is not None and now.taint is not None and (now.taint & ~before.taint) >> bit & 1:
        return True
    was, is_now = _counted(bit, before), _counted(bit, now)
    return was is not None and is_now is not None and is_now > was


def _is_untold(bit: int, before: Counts, now: Counts) -> bool:
    """Whether neither taint nor counter can tell of new trouble of this kind, so that only the log does."""
    is_set = before.taint is None or now.taint is None or bool(before.taint >> bit & 1)
    return is_set and None in (_counted(bit, before), _counted(bit, now))


def _counted(bit: int, counts: Counts) -> int | None:
    return {DIE: counts.oopses, WARNED: counts.warnings}.get(bit)
