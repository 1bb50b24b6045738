# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as trouble of the kernel, and what any user can let it print."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._verify.trouble import (
    BAD_PAGE,
    DIE,
    KERNEL,
    MACHINE_CHECK,
    ROOT,
    SOFT_LOCKUP,
    USER,
    WARNED,
    Counts,
    Trouble,
    find,
)

UNTOLD = Counts()
"""What a kernel tells that hides its taint and counts nothing: only its log tells of trouble."""

NOTHING = Counts(taint=0, oopses=0, warnings=0)

TAINTING = {
    "BUG: unable to handle page fault for address: ffffffffc0400000": DIE,
    "kernel BUG at fs/inode.c:123!": DIE,
    "Oops: 0000 [#1] PREEMPT SMP NOPTI": DIE,
    "Oops: int3: 0000 [#1] PREEMPT SMP NOPTI": DIE,
    "Oops: Oops: 0002 [#2] SMP PTI": DIE,
    "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000": DIE,
    "general protection fault, probably for non-canonical address 0xdead00000000: 0000 [#1] PREEMPT SMP": DIE,
    "divide error: 0000 [#1] SMP PTI": DIE,
    "Internal error: synchronous external abort: 96000410 [#1] SMP": DIE,
    "SError Interrupt on CPU3, code 0xbf000000 -- SError": DIE,
    "Bad mode in Error handler detected on CPU3, code 0xbf000000 -- SError": DIE,
    "BUG kmalloc-64 (Tainted: G           OEK): Poison overwritten": BAD_PAGE,
    "BUG: Bad page state in process cat  pfn:12345": BAD_PAGE,
    "BUG: KASAN: slab-use-after-free in cmdline_proc_show+0x1/0x2": BAD_PAGE,
    "WARNING: CPU: 1 PID: 1 at arch/x86/kernel/ftrace.c:99 ftrace_replace_code+0x8d/0x9b": WARNED,
    "WARNING: fs/proc/cmdline.c:9 at cmdline_proc_show+0x1/0x2 [fix], CPU#1: cat/7": WARNED,
    "NMI watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [cat:123]": SOFT_LOCKUP,
    "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [cat:123]": SOFT_LOCKUP,
    "mce: [Hardware Error]: CPU 2: Machine Check Exception: 5 Bank 4: b200000000070f0f": MACHINE_CHECK,
}
"""Lines that the kernel prints with trouble for which it sets a bit of its taint."""

TAINTLESS = {
    "watchdog: CPU3: Watchdog detected hard LOCKUP on cpu 3": "a hard lockup",
    "watchdog: Watchdog detected hard LOCKUP on cpu 3": "a hard lockup",
    "watchdog: CPU 3 self-detected hard LOCKUP @ plpar_hcall_norets+0x1c/0x28": "a hard lockup",
    "INFO: rcu_sched self-detected stall on CPU": "an RCU stall",
    "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-...! }": "an RCU stall",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:": "an RCU stall",
    "INFO: rcu_tasks detected stalls on tasks:": "an RCU stall",
    "rcu: rcu_preempt kthread starved for 2501 jiffies! g4 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=1": "an RCU stall",
    "BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 31s!": "a workqueue lockup",
    "INFO: task migration/1:22 blocked for more than 120 seconds.": "a hung thread of the kernel's scheduler",
    "Kernel panic - not syncing: Hard LOCKUP": "a panic",
    "INFO: task x[1]:77 blocked for more than 120 seconds.": "",
    "INFO: task kworker/0:0:7 blocked for more than 120 seconds.": "",
    "INFO: task jbd2/dm-0-8:1234 blocked in I/O wait for more than 122 seconds.": "",
    "UBSAN: array-index-out-of-bounds in fs/inode.c:12:3": "",
    "WARNING: suspicious RCU usage": "",
    "WARNING: possible circular locking dependency detected": "",
    "BUG: scheduling while atomic: cat/7/0x00000002": "",
    "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580": "",
}
"""Lines of trouble that no bit of the taint tells by itself, and what is grave about them."""

HARMLESS = [
    "livepatch: Call Trace:",
    "Call Trace:",
    "livepatch: kworker/0:0:7 check stack failed, ret=-11",
    "fix: tainting kernel with TAINT_LIVEPATCH",
    "livepatch: enabling patch 'debug_oopsie'",
    "      Not tainted 6.19.0 #1",
    'audit: type=1701 audit(1.5:7): auid=1000 uid=1000 pid=7 comm="Oops: 0 [#1]" exe="/x" sig=11 res=1',
]


@pytest.mark.parametrize("line", [*TAINTING, *TAINTLESS])
def test_a_line_of_trouble_is_found_where_nothing_else_tells(line: str) -> None:
    assert find(["one before", line, "RIP: 0010"], UNTOLD, UNTOLD).lines == (line, "RIP: 0010")


@pytest.mark.parametrize("line", HARMLESS)
def test_a_harmless_line_is_not(line: str) -> None:
    assert not find([line], UNTOLD, UNTOLD)


@pytest.mark.parametrize(("line", "grave"), TAINTLESS.items())
def test_trouble_that_sets_no_taint(line: str, grave: str) -> None:
    found = find([line], NOTHING, NOTHING)
    assert (found.lines, found.taints, found.grave) == ((line,), (), grave)


@pytest.mark.parametrize(("line", "bit"), TAINTING.items())
def test_trouble_that_sets_a_taint_is_told_by_the_taint(line: str, bit: int) -> None:
    """The line alone is no evidence: what the kernel has not marked has not happened."""
    assert not find([line], NOTHING, NOTHING)
    found = find(["usb 1-1: new device", line], NOTHING, Counts(1 << bit, 0, 0))
    assert (found.lines, len(found.taints), bool(found.grave)) == ((line,), 1, bit == SOFT_LOCKUP)
    unexplained = find(["usb 1-1: new device"], NOTHING, Counts(1 << bit, 0, 0))
    assert (unexplained.lines, unexplained.taints, bool(unexplained)) == ((), found.taints, True)


@pytest.mark.parametrize(
    ("bit", "before", "now", "expected"),
    [
        # Three answers: it counts, it does not (before Linux 6.2), it could not be read.
        (WARNED, Counts(1 << WARNED, 1, 4), Counts(1 << WARNED, 1, 4), False),
        (WARNED, Counts(1 << WARNED, 1, 4), Counts(1 << WARNED, 1, 5), True),
        (WARNED, Counts(1 << WARNED), Counts(1 << WARNED), True),
        (WARNED, Counts(1 << WARNED, 1, 4), Counts(1 << WARNED, None, None), True),
        (DIE, Counts(1 << DIE, 1, 4), Counts(1 << DIE, 1, 4), False),
        (DIE, Counts(1 << DIE, 1, 4), Counts(1 << DIE, 2, 4), True),
        (DIE, Counts(1 << DIE), Counts(1 << DIE), True),
        # Nothing counts these.
        (SOFT_LOCKUP, Counts(1 << SOFT_LOCKUP, 0, 0), Counts(1 << SOFT_LOCKUP, 0, 0), True),
        (BAD_PAGE, Counts(1 << BAD_PAGE, 0, 0), Counts(1 << BAD_PAGE, 0, 0), True),
    ],
)
def test_a_taint_that_was_set_before(bit: int, before: Counts, now: Counts, expected: bool) -> None:
    lines = [line for line, of in TAINTING.items() if of == bit]
    assert [bool(find([line], before, now)) for line in lines] == [expected] * len(lines)
    if expected and None not in (now.oopses, before.oopses) and bit in (WARNED, DIE):
        assert find([], before, now).taints


def test_only_what_is_serious_counts_at_boot() -> None:
    warned = Counts(1 << WARNED | 1 << MACHINE_CHECK, 0, 1)
    assert find(list(TAINTING), NOTHING, warned, warnings=False) == Trouble()
    assert not find(["WARNING: suspicious RCU usage"], NOTHING, NOTHING, warnings=False)
    assert find([], NOTHING, Counts(1 << DIE, 1, 0), warnings=False)


@pytest.mark.parametrize(
    ("owner", "is_trouble", "is_grave"), [(KERNEL, True, True), (ROOT, True, False), (USER, False, False)]
)
def test_a_process_with_the_name_of_a_kernel_thread_is_not_one(owner: str, is_trouble: bool, is_grave: bool) -> None:
    line = "INFO: task migration/1:4711 blocked for more than 120 seconds."
    asked: list[str] = []

    def whose(pid: str) -> str:
        asked.append(pid)
        return owner

    found = find([line], NOTHING, NOTHING, True, whose)
    assert (bool(found.lines), bool(found.grave), set(asked)) == (is_trouble, is_grave, {"4711"})
    assert found.besides == (() if is_trouble else (line,))


HANGS = "INFO: task cat:31337 blocked for more than 122 seconds."
NAMED = "task:a [lp_fix]      state:D stack:0     pid:31337 tgid:31337 ppid:1"
OTHERS = [" <TASK>", " __schedule+0x3f5/0xaf0", " request_wait_answer+0x13c/0x220 [fuse]", " </TASK>"]


@pytest.mark.parametrize(
    ("trace", "is_trouble"),
    [
        ([NAMED, *OTHERS], False),
        ([NAMED, " lp_fix+0x1/0x2 [lp_fix_2]"], False),
        ([NAMED, *OTHERS, " 0x0 [lp_fix] [4711]: segfault at 0 ip 0 sp 0 error 4"], False),
        ([NAMED, " 0x0 [lp_fix] invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"], False),
        ([NAMED, " a+0x1/0x2 [lp_fix] invoked oom-killer: gfp_mask=0xcc0"], False),
        ([NAMED, *OTHERS, " cmdline_proc_show+0x12/0x20 [lp_fix]"], False),
        ([NAMED, "usb 1-1: new device", " cmdline_proc_show+0x12/0x20 [lp_fix]"], False),
        ([NAMED, " cmdline_proc_show.constprop.0+0x12/0x20 [lp_fix] (O)"], True),
        ([NAMED, " <TASK>", " cmdline_proc_show+0x12/0x20 [lp_fix]"], True),
        ([NAMED, " <TASK>", " ? cmdline_proc_show+0x12/0x20 [lp_fix 0123456789abcdef]"], True),
        ([HANGS, " cmdline_proc_show+0x12/0x20 [lp_fix]"], True),
        (["INFO: task init:1 blocked for more than 122 seconds."], True),
    ],
)
def test_what_a_user_lets_hang_is_trouble_in_the_patch_alone(trace: list[str], is_trouble: bool) -> None:
    """A file system of FUSE that does not answer is enough, and its user may have any name for the process."""
    found = find([HANGS, *trace], NOTHING, NOTHING, True, lambda pid: ROOT if pid == "1" else USER, "lp_fix")
    is_first_told = is_trouble and trace[0] == NAMED
    assert (bool(found), found.besides) == (is_trouble, () if is_first_told else (HANGS,))


# What the kernel prints with the name of a process in it, which any user can choose: 15 bytes, any but NUL. The name of
# a mapped file is the user's choice as well ("FILE").
FORMATS = [
    # mm/page_alloc.c, warn_alloc(), and mm/vmalloc.c by it
    "{name}: page allocation failure: order:5, mode:0x40dc0(GFP_KERNEL|__GFP_COMP|__GFP_ZERO), nodemask=(null)",
    "{name}: vmalloc error: size 4096, failed to allocate pages, mode:0xcc2(GFP_KERNEL|__GFP_HIGHMEM),nodemask=(null)",
    # mm/oom_kill.c
    "{name} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "Memory cgroup out of memory: Killed process 77 ({name}) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB",
    "Memory cgroup out of memory: OOM victim 77 ({name}) is already exiting. Skip killing the task",
    "Out of memory: Killed process 77 ({name}) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:1000",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a,task_memcg=/a,task={name},pid=77,uid=1000",
    "oom_reaper: reaped process 77 ({name}), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    "[     77]  1000    77      123      456      0    456         0    53248        0             0 {name}",
    "CPU: 1 PID: 77 Comm: {name} Not tainted 6.6.0 #1",
    "CPU: 1 UID: 1000 PID: 77 Comm: {name} Tainted: G           OE K    6.12.0 #1 PREEMPT(voluntary)",
    # arch/*/mm/fault.c, arch/*/kernel/traps.c, signal.c
    "{name}[77]: segfault at 8 ip 00007f43 sp 00007ffe error 4 in FILE[7f43+1000] likely on CPU 1 (core 1, socket 0)",
    "{name}[77]: segfault at 8 ip 00007f43 sp 00007ffe error 4 in FILE[7f43+1000]",
    "traps: {name}[77] general protection fault ip:401136 sp:7ffe error:0 in FILE[401000+1000]",
    "traps: {name}[77] trap invalid opcode ip:7f43ac sp:7ffe error:0 in FILE[7f43ac+1000]",
    "{name}[77] bad frame in rt_sigreturn frame:00007ffe ip:7f43 sp:7ffe orax:ffffffffffffffff in FILE[7f43+1000]",
    "{name}[77]: unhandled exception: DABT (lower EL), ESR 0x0000000092000004, level 0 translation fault in FILE[40+1]",
    "{name} (77): undefined instruction: pc=00000000b6f1",
    "{name}[77] vsyscall attempted with vsyscall=none ip:ffffffffff600000 cs:33 sp:7ffe ax:0 si:0 di:0",
    "umip: {name}[77] ip:401136 sp:7ffe: SGDT instruction cannot be used by applications.",
    "x86/split lock detection: #AC: {name}/77 took a split_lock trap at address: 0x401136",
    # kernel/signal.c, in its three forms
    "FILE: {name}: potentially unexpected fatal signal 11.",
    "{name}/77: potentially unexpected fatal signal 11.",
    "{name}: potentially unexpected fatal signal 11.",
    # kernel/locking/lockdep.c
    "{name}/77 is trying to acquire lock:",
    "{name}/77 is trying to release lock (FILE) at:",
    "{name}/77 is freeing memory 0-1, with a lock still held there!",
    "{name}/77/0x00000001 is leaving the kernel with locks still held!",
    # fs/drop_caches.c, fs/exec.c, fs/locks.c, fs/coredump.c, mm/mmap.c
    "{name} (77): drop_caches: 3",
    "process '{name}' launched '/bin/FILE' with NULL argv: empty string added",
    "{name}(77): Attempt to set a LOCK_MAND lock via flock(2). This support has been removed and the request ignored.",
    "Process 77({name}) has RLIMIT_CORE set to 1",
    "coredump: 77({name}): over coredump resource limit, skipping core dump",
    "mmap: {name} (77): VmData 1 exceed data ulimit 0. Update limits or use boot option ignore_rlimit_data.",
    "mmap: {name} (77) uses deprecated remap_file_pages() syscall. See Documentation/mm/remap_file_pages.rst.",
    # kernel/capability.c, net/core, net/netlink
    "capability: warning: `{name}' uses 32-bit capabilities (legacy support in use)",
    "warning: `{name}' uses wireless extensions which will stop working for Wi-Fi 7 hardware; use nl80211",
    "process `{name}' is using obsolete setsockopt SO_BSDCOMPAT",
    "netlink: 4 bytes leftover after parsing attributes in process `{name}'.",
    "{name} uses obsolete (PF_INET,SOCK_PACKET)",
    "{name} (77) used obsolete MD ioctl, upgrade your software to use new ictls.",
    "{name}: {name}: program is using a deprecated SCSI ioctl, please convert it to SG_IO",
]

LONGEST_NAME = 15

NAMES = sorted(
    {
        "BUG: x",
        "Oops: 0000 [#1]",
        "x: 0000 [#1]",
        "Internal error:",
        "WARNING: a:1 at",
        "INFO: rcu_sched",
        "BUG x (Tainted:",
        "kernel BUG at x",
        "\\x0aBUG: x",
        *(line[:length] for line in (*TAINTING, *TAINTLESS) for length in range(4, LONGEST_NAME + 1)),
    }
)
"""Names that begin as trouble does."""

FILE_NAMES = [
    "libc.so.6",
    *(line[start:].replace("/", "-") for line in (*TAINTING, *TAINTLESS) for start in (0, 5)),
    " [#1] SMP",
    ":7 blocked for more than 9 seconds.",
]


@pytest.mark.parametrize("form", FORMATS)
def test_the_name_of_a_process_is_no_trouble(form: str) -> None:
    files = FILE_NAMES if "FILE" in form else FILE_NAMES[:1]
    taken = [
        line
        for name, file in itertools.product(NAMES, files)
        for line in [form.format(name=name).replace("FILE", file)]
        if find([line], UNTOLD, UNTOLD)
    ]
    assert taken == []


def test_a_hung_process_is_found_whatever_its_name_is() -> None:
    lines = [f"INFO: task {name}:77 blocked for more than 120 seconds." for name in NAMES]
    assert all(find([line], NOTHING, NOTHING).lines == (line,) for line in lines)
    assert not any(find([line], NOTHING, NOTHING).grave for line in lines)


def test_the_names_are_as_long_as_names_can_be() -> None:
    assert max(map(len, NAMES)) == LONGEST_NAME
