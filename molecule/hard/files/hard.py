# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is hard, done on this host by the collection's own code in one process, and compared with what the kernel shows.

Usage: PYTHONPATH=COLLECTIONS hard.py MODULES PART [SEED MINUTES]
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import mmap
import os
import random
import re
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.patch_file import PatchFile
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import (
    OnCovered,
    OnStall,
    Patience,
    State,
    Task,
    Verification,
    Wanted,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

Plain = dict[str, t.Any]

MODULES = sys.argv[1]
BUILT = json.loads(Path(f"{MODULES}/patches.json").read_text(encoding="utf-8"))
FILES = {name: PatchFile.from_dict(data) for name, data in BUILT.items()}
PARTS = [f"klp_part{number}" for number in range(1, 6)]
MANY = sorted(name for name in FILES if name.startswith("lp_n"))
SHOWN = {"/proc/cmdline": "cmdline_proc_show", "/proc/loadavg": "loadavg_proc_show", "/proc/uptime": "uptime_proc_show"}
PATIENCE = Patience(20, 10, 0.2)
IS_PER_TASK = Kernel().snapshot().abi == PER_TASK

# All of the host that the collection may change, apart from the kernel's taint, which never goes.
OBSERVE = """
awk '{print $1, $3, $7}' /proc/modules
find /sys/kernel/livepatch
grep -s . /sys/kernel/livepatch/*/enabled /sys/kernel/livepatch/*/transition
cat /proc/livepatch/state 2>/dev/null
cat /proc/cmdline
ls -A /run/openeuler-livepatch /var/lib/openeuler-livepatch 2>/dev/null
"""


# ---- tasks, and what the kernel shows ----


def attempt(
    name: str,
    state: str = State.ENABLED,
    patience: Patience = PATIENCE,
    text: bool = False,
    kernel: Kernel | None = None,
    with_file: bool = True,
    **wanted: t.Any,
) -> Plain:
    """What livepatch_module would return."""
    file = FILES[name] if with_file else None
    task = Task(
        Wanted(name, State(state), file, **wanted),
        f"{MODULES}/{name}.ko" if file else None,
        patience=patience,
        verification=Verification(text=text),
    )
    result = manage(task, kernel or Kernel())
    check_facts()
    return result


def succeed(name: str, state: str = State.ENABLED, **more: t.Any) -> Plain:
    result = attempt(name, state, **more)
    expect(not result.get("failed"), f"{name} becomes {state}", result)
    return result


def expect(condition: object, what: str, result: object) -> None:
    if not condition:
        raise AssertionError(f"{what}: {json.dumps(result, indent=1, default=str)}")


def shown(path: str = "/proc/cmdline") -> str:
    """What the function of this file prints: the text of a patch, or the kernel's own."""
    return Path(path).read_text(encoding="utf-8").strip()


def text_of(name: str) -> str:
    return name.replace("lp_", "").upper()


def check_facts() -> None:
    """The patch that the facts call live is the one whose text is shown."""
    facts = gather(Files())
    expect(facts["functions"] is not None, "the facts tell", [facts["undecided"], facts["disagreements"]])
    live = {one["name"]: one["live"] for one in facts["functions"] if one["object"] == "vmlinux"}
    for path, function in SHOWN.items():
        if facts["transition"] is None:
            text = shown(path)
            own = not re.fullmatch(r"[NUBC][0-9]+", text)
            expect(own if function not in live else text == text_of(live[function]), f"{path} is {text}", facts)


def observe() -> str:
    return subprocess.run(["sh", "-c", OBSERVE], stdout=subprocess.PIPE, check=False, text=True).stdout


def shell(script: str) -> None:
    subprocess.run(["sh", "-ec", script], check=True, timeout=120)


def clean() -> None:
    """Take everything out."""
    for patch in reversed(Kernel().snapshot().patches):
        result = manage(
            Task(Wanted(patch.name, State.ABSENT, on_covered=OnCovered.UNSTACK, force_owner=True)), Kernel()
        )
        expect(not result.get("failed"), f"{patch.name} goes", result)
    for module in [*PARTS, "klp_target"]:
        if Path(f"/sys/module/{module}").exists():
            shell(f"rmmod {module}")


@contextlib.contextmanager
def beside(*scripts: str) -> t.Iterator[None]:
    """Run these scripts meanwhile, each some times in a second.

    Without the pauses they get one of two emulated processors, which is half of what the host gives to both.
    """
    argv = [["nice", "sh", "-c", f"while :; do {script}; sleep 0.3; done"] for script in scripts]
    running = [
        subprocess.Popen(one, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        for one in argv
    ]
    try:
        yield
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def child(work: t.Callable[[], object], is_ready: t.Callable[[int], bool]) -> t.Iterator[int]:
    """A child process does this work; its number, once it has got where it is to be."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    try:
        deadline = time.monotonic() + 60
        while not is_ready(pid):
            assert time.monotonic() < deadline, "the child does not get there"
            time.sleep(0.1)
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def stack_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stack").read_text(encoding="ascii")


# ---- the parts ----


def fifteen() -> None:
    """Fifteen patches on one function, and out in every kind of order that is allowed."""
    mixed = random.Random(1).sample(MANY, len(MANY))
    orders = {
        "newest first": MANY[::-1],
        "oldest first": MANY,
        "every second first": MANY[::2] + MANY[1::2],
        "mixed": mixed,
    }
    for what, order in orders.items():
        for name in MANY:
            result = succeed(name)
            expect(shown() == text_of(name) and result["patch"]["effective"] == "full", f"{name} is live", result)
        up = list(MANY)
        for number, name in enumerate(order):
            if name != up[-1]:
                if number < 2:
                    refused = attempt(name, State.ABSENT)
                    expect(refused.get("reason") == "covered", f"{name} is covered", refused)
                succeed(name, State.ABSENT, on_covered=OnCovered.ALLOW)
            else:
                succeed(name, State.ABSENT)
            up.remove(name)
            expect(not up or shown() == text_of(up[-1]), f"after {name}, {up[-1:]} is live", shown())
        print("fifteen patches out,", what, flush=True)
    for name in MANY[:5]:
        succeed(name)
    for name in MANY[:4]:
        result = succeed(name, State.ABSENT, on_covered=OnCovered.UNSTACK)
        expect(shown() == text_of(MANY[4]), "the newest stays live", result)
    result = succeed(MANY[4], State.ABSENT)
    expect(shown() not in map(text_of, MANY), "the kernel's own code runs", result)


def chain() -> None:
    """Each patch takes the place of the one before, and is reverted to it."""
    succeed("lp_u1")
    succeed("lp_u2", supersedes=("lp_u1",))
    succeed("lp_u3", supersedes=("lp_u2",))
    for name, below in (("lp_u3", "U2"), ("lp_u2", "U1")):
        result = succeed(name, State.REVERTED)
        expect(shown() == below, f"{below} is back", result)
    result = succeed("lp_u1", State.REVERTED)
    expect(shown() not in ("U1", "U2", "U3"), "the kernel's own code runs", result)
    # The first one comes again as the last.
    succeed("lp_u1")
    succeed("lp_u2", supersedes=("lp_u1",))
    succeed("lp_u3", supersedes=("contained",))
    succeed("lp_u1", supersedes=("lp_u3",))
    result = succeed("lp_u1", State.REVERTED)
    expect(shown() == "U3", "U3 is back", result)
    result = attempt("lp_u3", State.REVERTED)
    told = [finding for finding in result["findings"] if "cmdline_proc_show" in finding["cause"]]
    expect(result.get("failed") or shown() == "U2" or told, "no fix goes in silence", [shown(), result])
    print("after the chain:", shown(), [finding["cause"] for finding in result["findings"]], flush=True)
    clean()


def parts() -> None:
    """Five modules under one patch, which come and go under load."""
    for part in PARTS:
        shell(f"insmod {MODULES}/{part}.ko")
    readers = [f"cat /proc/{part}" for part in PARTS]
    with beside(*readers):
        for _cycle in range(2):
            result = succeed("lp_parts", text=True)
            expect(result["patch"]["effective"] == "full", "it is effective", result)
            expect({shown(f"/proc/{part}") for part in PARTS} == {"patched"}, "all are patched", result)
            succeed("lp_parts", State.ABSENT)
    if not IS_PER_TASK:
        shell("rmmod klp_part3")
        refused = attempt("lp_parts")
        expect(refused.get("reason") == "target_not_loaded", "it needs all five", refused)
        expect("klp_part3" in refused["msg"], "it names what is missing", refused)
        clean()
        return
    come_and_go = [f"rmmod {part}; insmod {MODULES}/{part}.ko" for part in PARTS]
    with beside(*readers, *come_and_go):
        for cycle in range(4):
            result = succeed("lp_parts", text=True)
            print("while they come and go:", [proof["how"] for proof in result["proofs"]][:2], flush=True)
            again = attempt("lp_parts", text=True)
            expect(not again.get("failed") and not again["changed"], "the same again", again)
            succeed("lp_parts", State.ABSENT if cycle % 2 else State.DISABLED)
    for part in PARTS:
        if not Path(f"/sys/module/{part}").exists():
            shell(f"insmod {MODULES}/{part}.ko")
    shell("rmmod klp_part1")
    result = succeed("lp_parts", text=True)
    live = {one["object"] for one in gather(Files())["functions"]}
    print("without klp_part1:", sorted(live), [proof["how"] for proof in result["proofs"]][:2], flush=True)
    shell(f"insmod {MODULES}/klp_part1.ko")
    expect(shown("/proc/klp_part1") == "patched", "what comes later is patched", result)
    clean()


def traced() -> None:
    """A caller sleeps in a function, on mainline one that is traced."""
    tracing = "/sys/kernel/tracing"
    for part in PARTS:
        shell(f"insmod {MODULES}/{part}.ko")
    if IS_PER_TASK:
        shell(f"echo klp_part1_show > {tracing}/set_ftrace_filter; echo function_graph > {tracing}/current_tracer")
    shell("echo 1 > /sys/module/klp_part1/parameters/nap")
    with child(lambda: shown("/proc/klp_part1"), lambda pid: "klp_part1_show" in stack_of(pid)) as pid:
        try:
            before = observe()
            result = attempt("lp_parts", patience=Patience(3, 2, 0.2))
            after = observe()
        finally:
            # No signal wakes it.
            shell("echo 0 > /sys/module/klp_part1/parameters/nap")
        expect(result.get("failed"), "the sleeper is in the way", result)
        expect(result["reason"] == ("transition_stalled" if IS_PER_TASK else "function_busy"), "the reason", result)
        expect(str(pid) in result["cause"], "the sleeper is named", result)
        expect(result["not_restored"] == [], "it is rolled back", result)
        expect(after == before, "the host is as before", [before, after])
    result = succeed("lp_parts", text=IS_PER_TASK)
    expect(shown("/proc/klp_part1") == "patched", "it is patched", result)
    print("findings:", [finding["reason"] for finding in result["findings"]], flush=True)
    if IS_PER_TASK:
        shell(f"echo nop > {tracing}/current_tracer; echo > {tracing}/set_ftrace_filter")
    clean()


UFFDIO_API, UFFDIO_REGISTER, SYS_USERFAULTFD = 0xC018AA3F, 0xC020AA00, 323
"""include/uapi/linux/userfaultfd.h, arch/x86/entry/syscalls/syscall_64.tbl."""


def fault(in_kernel: bool) -> None:
    """Sleep in a page fault that nobody answers: of this process, or of the kernel that copies to it."""
    libc = ctypes.CDLL(None, use_errno=True)
    page = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    handler = libc.syscall(SYS_USERFAULTFD, os.O_CLOEXEC)
    assert handler >= 0, os.strerror(ctypes.get_errno())
    api = (ctypes.c_uint64 * 3)(0xAA, 0, 0)
    area = (ctypes.c_uint64 * 4)(address, mmap.PAGESIZE, 1, 0)
    for request, argument in ((UFFDIO_API, api), (UFFDIO_REGISTER, area)):
        assert libc.ioctl(handler, ctypes.c_ulong(request), argument) == 0, os.strerror(ctypes.get_errno())
    if in_kernel:
        descriptor = os.open("/proc/uptime", os.O_RDONLY)
        libc.read(descriptor, ctypes.c_void_p(address), ctypes.c_size_t(16))
    else:
        ctypes.c_char.from_address(address).value = b"x"


def page_fault() -> None:
    """Tasks sleep in page faults, as on memory that has to be fetched from somewhere."""
    for in_kernel in (False, True):
        with child(functools.partial(fault, in_kernel), lambda pid: "handle_userfault" in stack_of(pid)) as pid:
            before = observe()
            result = attempt("lp_n01", patience=Patience(5, 2, 0.2))
            where = "the kernel" if in_kernel else "a program"
            if result.get("failed"):
                expect(str(pid) in result["cause"], "the sleeper is named", result)
                expect(result["not_restored"] == [], "it is rolled back", result)
                expect(observe() == before, "the host is as before", before)
                print(f"asleep in a fault of {where}:", result["cause"], flush=True)
            else:
                expect(shown() == "N01", "it is patched", result)
                print(f"asleep in a fault of {where}: patched", flush=True)
        succeed("lp_n01")
        succeed("lp_n01", State.ABSENT)


def thread() -> None:
    """A kernel thread holds a transition, which is taken back at once; it sits in a function, which is told."""
    shell(f"insmod {MODULES}/klp_target.ko hold=1")
    before = observe()
    if not IS_PER_TASK:
        result = attempt("lp_hold", patience=Patience(3, 2, 0.2))
        expect(result.get("reason") == "function_busy", "the thread is in the way", result)
        expect("klp_target" in result["cause"], "it is named", result)
        expect(observe() == before, "the host is as before", before)
        clean()
        return
    for state in (State.REVERTED, State.ABSENT):
        result = succeed("lp_hold", patience=Patience(2, 2, 0.2, OnStall.REPORT))
        expect(result["state"] == "in transition", "it is reported", result)
        expect("klp_target" in json.dumps(result["findings"]), "the thread is named", result)
        began = time.monotonic()
        result = succeed("lp_hold", state, patience=Patience(60, 2, 0.2))
        took = time.monotonic() - began
        expect(took < 40, "it is taken back without a wait", [took, result])
        expect([line for line in observe().splitlines() if "lp_hold" in line] == [], "nothing is left", observe())
        print(f"{state} after {took:.1f} s: {result['actions']}", flush=True)
    clean()


class RacedKernel(Kernel):
    """Somebody does something in the very moment before `enabled` is written for the first time."""

    def __init__(self, act: t.Callable[[], None]) -> None:
        super().__init__()
        self.acts = [act]

    def write_enabled(self, name: str, value: bool) -> None:
        for act in self.acts:
            act()
        self.acts = []
        super().write_enabled(name, value)


def race() -> None:
    """The end of a transition, just before it would be reversed; and a patch that somebody else has just disabled."""
    if IS_PER_TASK:
        shell(f"insmod {MODULES}/klp_target.ko")
        succeed("lp_sits")
        shell("echo 1 > /sys/module/lp_sits/parameters/sits; sleep 1")
        reporting = Patience(2, 2, 0.2, OnStall.REPORT)
        result = succeed("lp_sits", State.DISABLED, patience=reporting)
        expect(result["state"] == "in transition", "it is reported", result)

        def end() -> None:
            shell("echo 0 > /sys/module/lp_sits/parameters/sits")
            shell("while [ -e /sys/kernel/livepatch/lp_sits ]; do sleep 0.1; done")

        result = attempt("lp_sits", kernel=RacedKernel(end))
        print("raced:", result.get("msg", result["actions"]), flush=True)
        expect(not result.get("failed") and result["state"] == "enabled", "it is enabled all the same", result)
    else:
        succeed("lp_n01")
        kernel = RacedKernel(lambda: shell("echo 0 > /sys/kernel/livepatch/lp_n01/enabled"))
        result = attempt("lp_n01", State.ABSENT, kernel=kernel)
        print("raced:", result.get("msg", result["actions"]), flush=True)
        expect(not result.get("failed") and result["state"] == "absent", "it is out all the same", result)
    clean()


def call() -> None:
    """A system call that is hammered keeps to give the right answer."""
    hammers = []
    for _number in range(2):
        pid = os.fork()
        if pid == 0:
            parent = os.getppid()
            # Idle tasks switch when they run: without a pause that takes minutes (klp_try_complete_transition()).
            while all(os.getppid() == parent for _call in range(5000)):
                time.sleep(0.001)
            os._exit(1)
        hammers.append(pid)
    try:
        for _cycle in range(4):
            result = succeed("lp_call", text=True)
            made = int(shown("/sys/module/lp_call/parameters/calls"))
            time.sleep(1)
            expect(int(shown("/sys/module/lp_call/parameters/calls")) > made, "the patched code is called", result)
            succeed("lp_call", State.DISABLED)
            succeed("lp_call", State.ABSENT)
        for pid in hammers:
            expect(os.waitpid(pid, os.WNOHANG) == (0, 0), "the answers are right", pid)
    finally:
        for pid in hammers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    print("four cycles under two hammers", flush=True)


def available() -> int:
    """Free memory in MiB."""
    return int(re.findall(r"MemAvailable: +(\d+)", shown("/proc/meminfo"))[0]) // 1024


def eat() -> None:
    """Take nearly all memory; if the kernel must end somebody, it is this process."""
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    eaten = []
    while True:
        if available() > 24:
            eaten.append(b"x" * (4 << 20))
        else:
            time.sleep(0.2)


def memory() -> None:
    """Memory is nearly gone: a task succeeds, or fails and leaves the host as it was."""
    failed = 0
    with child(eat, lambda pid: available() < 40):
        for name in MANY[:5]:
            before = observe()
            result = attempt(name)
            if result.get("failed"):
                failed += 1
                expect(result.get("not_restored", []) == [], "it is rolled back", result)
                after = observe()
                expect(after == before, "the host is as before", [before, after])
            else:
                expect(shown() == text_of(name), "it is live", result)
        print(f"{failed} of 5 tasks failed, with {available()} MiB left", flush=True)
    clean()


def slab() -> int:
    """Memory of the kernel's own in KiB."""
    return int(re.findall(r"Slab: +(\d+)", shown("/proc/meminfo"))[0])


def cycles() -> None:
    """Twenty cycles, with files, slab and times compared."""

    def cycle() -> float:
        began = time.monotonic()
        succeed("lp_n01")
        succeed("lp_n02", supersedes=("lp_n01",))
        succeed("lp_n02", State.REVERTED)
        succeed("lp_n01", State.DISABLED)
        succeed("lp_n01", State.ABSENT)
        return time.monotonic() - began

    for _number in range(3):
        cycle()
    files, memory_before = observe(), slab()
    took = [cycle() for _number in range(20)]
    after, grown = observe(), slab() - memory_before
    expect(after == files, "nothing is left", [files, after])
    expect(grown < 8192, "the kernel keeps no memory", f"{grown} KiB")
    first, last = sorted(took[:5])[2], sorted(took[-5:])[2]
    expect(last < 2 * first, "no cycle takes longer than the first ones", took)
    print(f"twenty cycles: {first:.1f} s each at first and {last:.1f} s at last, {grown} KiB of slab more", flush=True)


def walk() -> None:
    """Random tasks, other tools' acts, modules that come and go, and callers that sleep in a function for a while."""
    seed, minutes = sys.argv[3:]
    choice, deadline = random.Random(int(seed)), time.monotonic() + 60 * float(minutes)
    names = [*MANY[:3], "lp_u1", "lp_u2", "lp_b1", "lp_c1", "lp_parts"]
    for part in PARTS:
        shell(f"insmod {MODULES}/{part}.ko")
    seen: dict[str, int] = {}
    while time.monotonic() < deadline:
        kind = by_hand(choice, names) if choice.random() < 0.3 else by_task(choice, names)
        seen[kind] = seen.get(kind, 0) + 1
    print(f"walked from seed {seed}:", seen, flush=True)
    expect(seen.get("done", 0) > sum(seen.values()) // 10, "something was done", seen)
    shell("while grep -qs 1 /sys/module/klp_part1/parameters/nap; do sleep 0.1; done")
    settle()
    clean()


SLEEPER = """
nap=/sys/module/klp_part1/parameters/nap
test -e $nap || exit
echo 1 > $nap
(cat /proc/klp_part1 & sleep 6; echo 0 > $nap) > /dev/null 2>&1 &
"""


def by_hand(choice: random.Random, names: list[str]) -> str:
    """What others do on the host."""
    name, part = choice.choice(names), choice.choice(PARTS)
    acts = {
        "by another tool": [
            f"insmod {MODULES}/{name}.ko",
            f"echo 0 > /sys/kernel/livepatch/{name}/enabled",
            f"rmmod {name}",
        ],
        "a module": [f"rmmod {part}", f"insmod {MODULES}/{part}.ko"],
        "a sleeper": [SLEEPER],
    }
    kind = choice.choice(list(acts))
    subprocess.run(["sh", "-c", choice.choice(acts[kind])], stderr=subprocess.DEVNULL, check=False)
    return kind


def settle() -> None:
    """Wait until no transition runs, for as long as somebody sleeps in a function."""
    shell("while grep -qs 1 /sys/kernel/livepatch/*/transition; do sleep 0.1; done")


def apart_from_readers() -> str:
    """The host, without how many have the file of a module open."""
    return re.sub(r"^(klp_part1) [0-9]+", r"\1", observe(), flags=re.MULTILINE)


def by_task(choice: random.Random, names: list[str]) -> str:
    name, state = choice.choice(names), choice.choice([*State, State.ENABLED, State.ENABLED])
    supersedes = choice.sample([*names, "contained"], choice.choice([0, 1, 2])) if state == State.ENABLED else []
    on_stall = choice.choice([OnStall.ROLL_BACK, OnStall.ROLL_BACK, OnStall.WAIT, OnStall.REPORT])
    settle()
    before, stacks = apart_from_readers(), stacks_now()
    result = attempt(
        name,
        state,
        Patience(choice.choice([2, 20]), 10, 0.2, on_stall),
        supersedes=tuple(supersedes),
        on_covered=choice.choice(list(OnCovered)),
        force_owner=choice.random() < 0.5,
        reload=choice.random() < 0.2,
    )
    if result.get("failed"):
        after = apart_from_readers()
        expect(after == before or result.get("not_restored") or result["changed"], "it tells", [before, after, result])
        return "refused" if "attempted" not in result else "failed"
    words = json.dumps([result["actions"], result["findings"], result.get("replaced", ())])
    lost = {function: patches for function, patches in stacks.items() if function not in stacks_now()}
    meant = {name, *supersedes} if state != State.ENABLED else set(supersedes)
    untold = {patch for patches in lost.values() for patch in patches - meant if patch not in words}
    expect(not untold, "what is not fixed any more is told", [lost, result])
    if result["state"] == "in transition":
        return "in transition"
    return "done" if result["changed"] else "unchanged"


def stacks_now() -> dict[str, set[str]]:
    """The functions that enabled patches replace -> these patches."""
    return {str(function): {patch.name for patch in stack} for function, stack in Kernel().snapshot().stacks().items()}


def main() -> None:
    clean()
    parts_by_name = (fifteen, chain, parts, traced, page_fault, thread, race, call, memory, cycles, walk)
    {part.__name__: part for part in parts_by_name}[sys.argv[2]]()
    left = Kernel().snapshot().patches
    expect(not left, "nothing is left", left)


main()
