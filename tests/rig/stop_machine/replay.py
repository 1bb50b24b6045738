# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do what a transcript of a real openEuler kernel shows, on a guest with the emulation, and compare.

Usage: replay.py TRANSCRIPT MODULES
The transcript is the test: each of its commands is carried out, and what it printed there (errno, enabled, the patched
files, /proc/livepatch/state, sysfs, log lines) must be seen here. See transcripts/README.md for its form. A transcript
of another architecture is refused, with status 2: what it shows is not what this machine's kernel does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import select
import stat
import sys
import threading
import typing as t
from pathlib import Path

SYSFS = Path("/sys/kernel/livepatch")
TRACING = Path("/sys/kernel/tracing")
FINIT_MODULE = {"x86_64": 313, "aarch64": 273}.get(platform.machine(), 0)

LEFT_OUT = {
    18: "ftrace would be dead on this guest afterwards; that it dies is the kernel's ftrace, not the emulated ABI",
    19: "what /sys/module shows depends on the kernel's configuration, not on the ABI",
    21: "whether there is /proc/kcore depends on the kernel's configuration, not on the ABI",
}

# What a transcript names, and this guest's kernel has not: a function of the same length takes its place.
STANDS_FOR = {"dummy_set_flag": "tracing_write_stub"}

# Lines that show what a file printed: their form, the file, and whether a patch printed it.
SHOWN = (
    (r"A[123]|AB-A", "/proc/cmdline", True),
    (r"B1|AB-B", "/proc/loadavg", True),
    (r"C1", "/proc/uptime", True),
    (r"T", "/proc/klp_target", True),
    (r".*\bconsole=.*", "/proc/cmdline", False),
    (r"\d+\.\d+ \d+\.\d+ \d+\.\d+ \d+/\d+ \d+", "/proc/loadavg", False),
    (r"\d+\.\d+ \d+\.\d+", "/proc/uptime", False),
)

# Lines that are not compared, by their form.
NOT_COMPARED = {
    r"[0-9a-f]{16} [tT] klp_\w+(\.cold)?": "a function of that kernel, which the guest has elsewhere or not at all",
    r"/sys/kernel/livepatch/\S+:|total 0|": "a heading of a listing of sysfs, whose entries are compared",
    r"rmmod target while registered:": "a heading of the commands that follow",
    r"/sys/kernel/debug/tracing/kprobe_events": "the file that sets the kprobe, which is done in another way here",
    r"[0-9a-f]{16}  k  cmdline_proc_show\+0x[04]    (\[DISABLED\])?(\[FTRACE\])?": "where the compiler put the kprobe",
    r"kprobe enable rc=[01]|sh: write error: No such device": "kprobes and ftrace are not of the emulated ABI",
}

libc = ctypes.CDLL(None, use_errno=True)


class Log:
    """The kernel's lines about live patching, as the transcripts' script printed them: all since the last time."""

    def __init__(self) -> None:
        self.descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.descriptor, 0, os.SEEK_END)

    def lines(self) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                record = os.read(self.descriptor, 8192).decode(errors="replace")
            except BlockingIOError:
                return comparable(lines)
            lines.append(record.partition(";")[2].partition("\n")[0])


def comparable(lines: t.Iterable[str]) -> list[str]:
    """Only the lines of live patching; stack frames and numbers of tasks differ, and so do repetitions.

    On x86_64 the stack of a task that is in the way is among these lines. On arm64 it is what the kernel prints of any
    stack, behind a line that names the task, which is whichever task of the guest sits there.
    """
    result: list[str] = []
    is_stack = False
    for line in lines:
        text = re.sub(r"^\[ *\d+\.\d+\] ", "", line)
        is_frame = is_stack and re.match(r" \S+\+0x[0-9a-f]+/0x", text) is not None
        is_stack = is_frame or text.startswith("livepatch: PID: ") or (is_stack and text == "Call trace:")
        if is_frame:
            text = " frame"
        elif not is_stack and not re.match(r"livepatch: |\S+: tainting kernel with TAINT_LIVEPATCH", text):
            continue
        text = re.sub(r"\[<.*>\] \S+\+0x.*", "[<...>] frame", text)
        text = re.sub(r"kworker/\S+:\d+ check", "kworker/... check", text)
        text = re.sub(r"PID: \d+ Comm: (kworker/)?.*", r"PID: ... Comm: \1...", text)
        # These are said once for each boot.
        if "TAINT_LIVEPATCH" not in text and (not result or result[-1] != text):
            result.append(text)
    return result


def expected_here(lines: t.Iterable[str]) -> list[str]:
    """The lines that the transcript's kernel printed, with the functions that the guest's kernel has."""
    there = comparable(lines)
    for name, here in STANDS_FOR.items():
        there = [line.replace(f" {name} ", f" {here} ") for line in there]
    return there


def machine_of(transcript: Path) -> str:
    """The architecture of the kernel that a transcript is of, as uname names it."""
    return "aarch64" if "-arm64-" in transcript.name else "x86_64"


class Case(t.NamedTuple):
    number: int
    title: str
    lines: list[str]


def cases(transcript: Path) -> t.Iterator[Case]:
    """The transcript in its cases; those that have a letter behind their number belong to that number."""
    title, lines = "", []
    for line in [*transcript.read_text(encoding="utf-8").splitlines(), "##### end"]:
        if not line.startswith("##### "):
            lines.append(line)
            continue
        number = re.match(r"\d+", title)
        if number:
            yield Case(int(number.group()), title, lines)
        title, lines = line[len("##### ") :], []


class Mismatch(Exception):
    """The emulation did something else than the real kernel."""


def same(what: str, expected: object, found: object) -> None:
    if expected != found:
        raise Mismatch(f"{what}\n    there: {expected}\n    here:  {found}")


def write(path: Path, text: str) -> None:
    """One write(2): a buffered stream would try again when it is closed, and O_TRUNC clears tracefs' lists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def take_while(lines: list[str], wanted: t.Callable[[str], bool]) -> list[str]:
    taken = []
    while lines and wanted(lines[0]):
        taken.append(lines.pop(0))
    return taken


class Probe:
    """A kprobe in cmdline_proc_show, by tracefs; the transcripts do not show the commands that set it."""

    def __init__(self) -> None:
        self.events = TRACING / "kprobe_events"
        self.switch = TRACING / "events/kprobes/replay/enable"
        self.enabling = self.disabling = 0

    def set(self) -> None:
        write(self.events, "p:replay cmdline_proc_show")
        write(self.switch, "1")

    def remove(self) -> None:
        if self.switch.exists():
            write(self.switch, "0")
            write(self.events, "-:replay")

    def before(self, value: str) -> None:
        """In the way when 1 is first written; only registered at the second time; gone at the third. So for 0."""
        if value == "1":
            self.enabling += 1
            if self.enabling == 2:
                write(self.switch, "0")
        else:
            self.disabling += 1
        if (self.enabling == 3 and not self.disabling) or self.disabling == 2:
            self.remove()


class Replay:
    """Carries out the commands of cases and compares."""

    def __init__(self, modules: Path) -> None:
        self.modules = modules
        self.log = Log()
        self.probe: Probe | None = None
        # As the sshd of the transcript of arm64, somebody sits in do_sys_poll() at any time.
        threading.Thread(target=select.poll().poll, daemon=True).start()

    def run(self, case: Case) -> None:
        self.probe = Probe() if case.title.endswith(" kprobe") else None
        if self.probe:
            self.probe.set()
        try:
            self.carry_out(list(case.lines))
        finally:
            if self.probe:
                self.probe.remove()

    def carry_out(self, lines: list[str]) -> None:
        while lines:
            line = lines.pop(0)
            if line.startswith("$ "):
                output = take_while(lines, lambda text: not text.startswith(("$ ", "--- ", "rc=")))
                self.command(line[2:], output + lines[:1])
                del lines[:1]
            elif line == "--- state:":
                self.state(lines)
            elif line == "--- dmesg:":
                there = take_while(lines, lambda text: text.startswith("["))
                same("log", expected_here(there), self.log.lines())
            elif line.startswith("kprobe after patch") and self.probe:
                self.probe.set()
            else:
                self.shown(line)

    def command(self, command: str, output: list[str]) -> None:
        """Carry it out. What the transcript's program printed, or its status, names the errno."""
        words = command.split()
        name = words[-1].split("/")[0]
        if words[0] == "echo":
            if self.probe:
                self.probe.before(words[1])
            found = self.write(name, words[1])
        elif words[0] == "insmod":
            found = self.insmod(name)
        else:
            found = libc_errno(libc.delete_module(name.encode(), os.O_NONBLOCK))
        text = "\n".join(output)
        there = next((code for code in errno.errorcode if f": {os.strerror(code)}" in text), 0)
        same("$ " + command, errno.errorcode.get(there, "success"), errno.errorcode.get(found, "success"))
        enabled = re.search(r"enabled=(\d)", text)
        if enabled:
            same("enabled after $ " + command, enabled.group(1), (SYSFS / name / "enabled").read_text().strip())

    def insmod(self, name: str) -> int:
        with open(self.modules / f"{name}.ko", "rb") as stream:
            return libc_errno(libc.syscall(FINIT_MODULE, stream.fileno(), b"", 0))

    def write(self, name: str, value: str) -> int:
        try:
            write(SYSFS / name / "enabled", value)
        except OSError as error:
            return error.errno or 0
        return 0

    def state(self, lines: list[str]) -> None:
        there = take_while(lines, lambda text: text.endswith("$"))
        here = Path("/proc/livepatch/state").read_text(encoding="ascii").replace("\t", "<TAB>").splitlines()
        same("/proc/livepatch/state", there, [line + "$" for line in here])
        listing = take_while(lines, lambda text: bool(re.fullmatch(r"lp_\S+(  lp_\S+)*", text)))
        same("/sys/kernel/livepatch", " ".join(listing).split(), sorted(os.listdir(SYSFS)))

    def shown(self, line: str) -> None:
        """A line that some file printed, or one of a listing of sysfs."""
        entry = re.match(r"([-d][rwx-]{9}) .* (\S+)$", line)
        if entry:
            folder = SYSFS / "lp_a1" / ("vmlinux" if "," in entry.group(2) else "")
            mode = stat.filemode((folder / entry.group(2)).stat().st_mode)
            same(f"mode of {entry.group(2)}", entry.group(1), mode)
            return
        for pattern, path, is_patch in SHOWN:
            if re.fullmatch(pattern, line.strip()):
                here = Path(path).read_text(encoding="utf-8").strip()
                if here != line if is_patch else not re.fullmatch(pattern, here):
                    raise Mismatch(f"{path}\n    there: {line}\n    here:  {here}")
                return
        if not any(re.fullmatch(pattern, line) for pattern in NOT_COMPARED):
            raise Mismatch(f"what this line of the transcript shows is not known: {line!r}")


def libc_errno(result: int) -> int:
    return ctypes.get_errno() if result else 0


def main() -> int:
    transcript, modules = (Path(argument) for argument in sys.argv[1:])
    if machine_of(transcript) != platform.machine():
        print(f"{transcript.name}: of {machine_of(transcript)}, not replayed on {platform.machine()}")
        return 2
    replay = Replay(modules)
    done = failed = 0
    for case in cases(transcript):
        if case.number in LEFT_OUT:
            print(f"{case.title}: left out: {LEFT_OUT[case.number]}")
            continue
        try:
            replay.run(case)
        except Mismatch as mismatch:
            print(f"{case.title}: {mismatch}")
            failed += 1
        done += 1
    print(f"{transcript.name}: {done} cases, {failed} different")
    return 1 if failed or not done else 0


if __name__ == "__main__":
    sys.exit(main())
