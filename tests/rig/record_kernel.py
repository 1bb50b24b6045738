# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record what only a real openEuler kernel can tell of kprobes, tracers and short functions, as one JSON document.

Usage: record_kernel.py DIRECTORY > NAME.json
It runs on a host that may go down, as root, with the standard library of Python 3.7. DIRECTORY has the modules that
molecule/openeuler/prepare.yml builds: the patches lp_c1, lp_untraced and lp_any, and klp_target and klp_probe.
It loads and unloads patches, sets kprobes and traces. What it has is in DIRECTORY/recording.json after each part, in
case the host goes down. It records the kernel's release and options, bytes of two
functions, answers of the kernel and its log lines about them: no address, no name of the host, nothing of its users.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import gzip
import json
import os
import re
import struct
import subprocess
import sys
import time
import typing as t

Plain = t.Dict[str, t.Any]
Symbol = t.Tuple[int, int]

PLACEHOLDER = b"a_name_that_leaves_room_for_the_name_of_any_function"
TRACEABLE, UNTRACED = "uptime_proc_show", "klp_target_untraced_show"
PROBE = "klp_probe"

MAXIMUM_BYTES = 64
MAXIMUM_SIZE = 40
MAXIMUM_LINES = 12
MAXIMUM_LINE = 200

OPTIONS = re.compile(
    r"CONFIG_(\w*LIVEPATCH\w*|DYNAMIC_FTRACE\w*|KPROBES\w*|OPTPROBES|CALL_PADDING|PREFIX_SYMBOLS|X86_KERNEL_IBT"
    r"|ARM64_MODULE_PLTS|ARM64_BTI_KERNEL|RANDOMIZE_BASE|RANDOMIZE_MODULE_REGION_FULL|FUNCTION_ALIGNMENT\w*)\b"
)
CONCERNS = re.compile(r"livepatch|klp_|kprobe|ftrace|func |patch|probe", re.IGNORECASE)
NAME = re.compile(r"(?!__pfx_|__cfi_|__SCT__)[A-Za-z_]\w*\Z")
WHEN = re.compile(r"^\[ *[0-9.]+\] ")
ADDRESS = re.compile(r"\b(0x)?[0-9a-f]{12,16}\b")

NUMBERS = {"x86_64": (175, 176), "aarch64": (105, 106)}
"""The numbers of the system calls init_module and delete_module."""


class Kernel:
    """The calls that change the kernel. Each returns the name of its errno, or `ok`."""

    def __init__(self) -> None:
        self._numbers = NUMBERS[os.uname().machine]
        self._libc = ctypes.CDLL(None, use_errno=True)

    def insert(self, image: bytes, parameters: str = "") -> str:
        return self._call(self._numbers[0], image, ctypes.c_ulong(len(image)), parameters.encode())

    def remove(self, name: str) -> str:
        return self._call(self._numbers[1], name.encode(), ctypes.c_ulong(os.O_NONBLOCK))

    def _call(self, number: int, *arguments: t.Any) -> str:
        answer = self._libc.syscall(ctypes.c_long(number), *arguments)
        return "ok" if answer == 0 else errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))

    def log(self) -> str:
        done = subprocess.run(["dmesg"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.stdout.decode("ascii", "replace")


class Recorder:
    """Reads and tries one host, or a directory and a kernel that look like one."""

    def __init__(self, modules: str, kernel: Kernel, root: str = "/", machine: str = os.uname().machine) -> None:
        self.modules = modules
        self.kernel = kernel
        self.root = root
        self.machine = machine
        # ftrace has this many bytes at an entry, and a jump may reach as far.
        self.near, self.step = (10, 1) if machine == "x86_64" else (24, 4)
        self.tracing = next((path for path in TRACEFS if self._exists(path + "/current_tracer")), TRACEFS[0])
        self.steps = 0

    # ---- the document ----

    def record(self) -> Plain:
        """Return the document. What comes last may break tracing until the next boot, or the host."""
        document = self.host()
        self.kernel.insert(self.image("klp_target"))
        patches = [(TRACEABLE, "lp_c1", "/proc/uptime"), (UNTRACED, "lp_untraced", "/proc/klp_target_untraced")]
        try:
            document["sizes"] = self.sizes()
            document["shortest"] = shortest(document["sizes"])
            document["functions"] = [self.function(*patch) for patch in patches]
            document["tracer"] = self.traced_before(*patches[0])
            self.keep(document)
            document["tracer"].update(self.traced_after(*patches[0]))
            self.keep(document)
            for row, patch in zip(document["functions"], patches):
                for probe in row["kprobes"]:
                    probe.update(self.probed_after(probe["offset"], *patch))
                    self.keep(document)
        finally:
            self.kernel.remove("klp_target")
        return document

    def keep(self, document: Plain) -> None:
        with open(os.path.join(self.modules, "recording.json"), "w", encoding="utf-8") as stream:
            json.dump(document, stream)
            stream.flush()
            os.fsync(stream.fileno())

    def host(self) -> Plain:
        release = self.text("/proc/sys/kernel/osrelease").strip()
        named = re.search(r'^PRETTY_NAME="?([^"\n]*)', self.text("/etc/os-release"), re.MULTILINE)
        config = self.text("/boot/config-" + release) or self.text("/proc/config.gz")
        return {
            "format": 1,
            "recorded_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "stand_in": self._exists("/etc/stand-in") or self._exists(EMULATION),
            "system": named.group(1) if named else "",
            "kernel": {
                "release": release,
                "version": self.text("/proc/sys/kernel/version").strip(),
                "machine": self.machine,
            },
            "options": sorted(line for line in config.split("\n") if OPTIONS.search(line)),
        }

    def function(self, name: str, patch: str, shows: str) -> Plain:
        """The bytes of a function, and what a patch does where kprobes are set already."""
        _address, size = self.symbol(name)
        row: Plain = {"name": name, "size": size, "traceable": self.traceable(name), "kprobes": []}
        row["bytes"] = {"before": self.code(name)}
        with self.loaded(patch, row):
            if row["load"]["answer"] != "ok":
                return row
            row["enable"] = self.enable(patch, 1)
            row["bytes"]["enabled"] = self.code(name)
            row["shows"] = self.text(shows).strip()[:20]
            row["disable"] = self.enable(patch, 0)
            row["bytes"]["disabled"] = self.code(name)
            row["kprobes"] = [self.probed_before(offset, name, patch, shows) for offset in self.offsets(name, size)]
        return row

    @contextlib.contextmanager
    def loaded(self, patch: str, row: Plain) -> t.Iterator[None]:
        row["load"] = self.ask(lambda: self.kernel.insert(self.image(patch)))
        try:
            yield
        finally:
            self.enable(patch, 0)
            self.kernel.remove(patch)

    def offsets(self, name: str, size: int) -> t.Iterator[int]:
        """The entry, and the first places further on and near to it that take a kprobe while nothing is patched."""
        yield 0
        for places in (range(self.near, min(size, 80), self.step), range(self.step, self.near, self.step)):
            for offset in places:
                if self.set_probe(name, offset) == "ok":
                    self.kernel.remove(PROBE)
                    yield offset
                    break

    def probed_before(self, offset: int, name: str, patch: str, shows: str) -> Plain:
        row: Plain = {"offset": offset, "set_before": self.ask(lambda: self.set_probe(name, offset))}
        try:
            row["then_enable"] = self.enable(patch, 1)
            row["then_called"] = self.called(shows)
            row["then_disable"] = self.enable(patch, 0)
        finally:
            self.kernel.remove(PROBE)
            self.enable(patch, 0)
        return row

    def probed_after(self, offset: int, name: str, patch: str, shows: str) -> Plain:
        row: Plain = {"tracing_works": self.works()}
        with self.loaded(patch, {}):
            row["enable_before"] = self.enable(patch, 1)
            row["then_set"] = self.ask(lambda: self.set_probe(name, offset))
            try:
                row["then_set_called"] = self.called(shows)
                row["then_set_disable"] = self.enable(patch, 0)
            finally:
                self.kernel.remove(PROBE)
        return row

    def called(self, shows: str) -> Plain:
        """Whether the kprobe is reached, and what is shown, when the function is called once more."""
        before = self.text(HITS)
        shown = self.text(shows).strip()[:20]
        return {"shows": shown, "reached": self.text(HITS) != before}

    def traced_before(self, name: str, patch: str, shows: str) -> Plain:
        """What a patch does where its function is traced already."""
        row: Plain = {"function": name, "tracing_works": self.works()}
        with self.loaded(patch, row):
            row["trace_before"] = self.trace(name)
            row["then_enable"] = self.enable(patch, 1)
            row["then_called"] = self.lines_traced(name, shows)
            row["then_disable"] = self.enable(patch, 0)
            self.trace("")
        return row

    def traced_after(self, name: str, patch: str, shows: str) -> Plain:
        row: Plain = {"tracing_works_after": self.works()}
        with self.loaded(patch, {}):
            row["enable_before"] = self.enable(patch, 1)
            row["then_trace"] = self.trace(name)
            row["then_trace_called"] = self.lines_traced(name, shows)
            row["bytes"] = self.code(name)
            self.trace("")
        return row

    def works(self) -> bool:
        """Whether ftrace has not failed, which it does for the whole host."""
        return self.write(self.tracing + "/set_ftrace_filter", "") == "ok"

    def sizes(self) -> list[Plain]:
        """What the kernel says to a patch of a function of each size, which is loaded and never enabled."""
        image, rows = self.image("lp_any"), []
        for (size, traceable), name in sorted(self.by_size().items()):
            of_one = image.replace(PLACEHOLDER, name.encode().ljust(len(PLACEHOLDER), b"\0"))
            asked = self.ask(functools.partial(self.kernel.insert, of_one))
            self.kernel.remove("lp_any")
            rows.append({"size": size, "traceable": traceable, "function": name, **asked})
        return rows

    # ---- what it is made of ----

    def ask(self, call: t.Callable[[], str]) -> Plain:
        """What the kernel answers to a call, and the lines of its log that concern it."""
        self.steps += 1
        mark = f"record_kernel: step {self.steps} of {os.getpid()}"
        self.write("/dev/kmsg", mark)
        answer: Plain = {"answer": call()}
        lines = self.kernel.log().rpartition(mark)[2].split("\n")[1:]
        told = [ADDRESS.sub("ADDRESS", WHEN.sub("", line))[:MAXIMUM_LINE] for line in lines if CONCERNS.search(line)]
        return dict(answer, log=told[:MAXIMUM_LINES]) if told else answer

    def enable(self, patch: str, value: int) -> Plain:
        return self.ask(lambda: self.write(f"/sys/kernel/livepatch/{patch}/enabled", str(value)))

    def set_probe(self, name: str, offset: int) -> str:
        return self.kernel.insert(self.image(PROBE), f"symbol={name} offset={offset}")

    def trace(self, name: str) -> Plain:
        def switch() -> str:
            answers = [self.write(self.tracing + "/current_tracer", "nop")]
            answers.append(self.write(self.tracing + "/set_ftrace_filter", name))
            if name:
                answers.append(self.write(self.tracing + "/trace", ""))
                answers.append(self.write(self.tracing + "/current_tracer", "function"))
            return next((answer for answer in answers if answer != "ok"), "ok")

        return self.ask(switch)

    def lines_traced(self, name: str, shows: str) -> Plain:
        shown = self.text(shows).strip()[:20]
        found = sum(name in line for line in self.text(self.tracing + "/trace").split("\n") if not line.startswith("#"))
        return {"shows": shown, "traced": found > 0}

    def by_size(self) -> dict[tuple[int, bool], str]:
        """One function of the kernel itself for each size, of those that ftrace traces and of the others."""
        found: dict[tuple[int, bool], str] = {}
        traceable = self.traceable_names()
        for name, (_address, size) in self.symbols().items():
            if 0 < size <= MAXIMUM_SIZE and len(name) < len(PLACEHOLDER):
                found.setdefault((size, name in traceable), name)
        return found

    def traceable(self, name: str) -> bool:
        return name in self.traceable_names()

    def traceable_names(self) -> set[str]:
        lines = self.text(self.tracing + "/available_filter_functions").split("\n")
        return {line.split()[0] for line in lines if line.strip()}

    def symbols(self) -> dict[str, Symbol]:
        """Address and size of each function of the kernel itself whose name no other symbol has."""
        lines = [line.split() for line in self.text("/proc/kallsyms").split("\n") if line]
        code = sorted((int(line[0], 16), line[1], line[2]) for line in lines if len(line) == 3)
        names = [name for _address, _kind, name in code]
        often = {name for name, following in zip(sorted(names), sorted(names)[1:]) if name == following}
        addresses = sorted({address for address, _kind, _name in code})
        behind = dict(zip(addresses, addresses[1:]))
        return {
            name: (address, behind[address] - address)
            for address, kind, name in code
            if kind in "tT" and name not in often and address in behind and NAME.match(name)
        }

    def symbol(self, name: str) -> Symbol:
        """Address and size of one function, of the kernel or of a module."""
        lines = [line.split() for line in self.text("/proc/kallsyms").split("\n") if line]
        address = next((int(line[0], 16) for line in lines if line[2] == name), 0)
        behind = [int(line[0], 16) for line in lines if int(line[0], 16) > address]
        return address, min(behind) - address if address and behind else 0

    def code(self, name: str) -> str | None:
        """The first bytes of a function, read from the running kernel."""
        address, size = self.symbol(name)
        try:
            with open(self._path("/proc/kcore"), "rb") as core:
                return " ".join(f"{byte:02x}" for byte in read_core(core, address, min(size, MAXIMUM_BYTES)))
        except (OSError, struct.error):
            return None

    def image(self, name: str) -> t.Any:
        with open(os.path.join(self.modules, name + ".ko"), "rb") as stream:
            return stream.read()

    def text(self, path: str) -> str:
        try:
            with open(self._path(path), "rb") as stream:
                content = stream.read()
        except OSError:
            return ""
        return (gzip.decompress(content) if path.endswith(".gz") else content).decode("utf-8", "replace")

    def write(self, path: str, text: str) -> str:
        """Write into a file that is there, in one call. Return the name of the errno, or `ok`."""
        try:
            with open(self._path(path), "wb" if path.endswith(TRUNCATED) else "r+b", buffering=0) as stream:
                stream.write(text.encode() + b"\n")
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error.errno))
        return "ok"

    def _path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def _exists(self, path: str) -> bool:
        return os.path.exists(self._path(path))


TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
TRUNCATED = ("/trace", "/set_ftrace_filter")
EMULATION = "/sys/module/klp_stop_machine_emulation"
HITS = f"/sys/module/{PROBE}/parameters/hits"


def shortest(sizes: t.Sequence[Plain]) -> Plain:
    """The size of the shortest function of each kind that the kernel accepts, and of the longest that it does not."""
    found: Plain = {}
    for kind, traceable in (("traceable", True), ("untraced", False)):
        rows = [row for row in sizes if row["traceable"] is traceable]
        accepted = [row["size"] for row in rows if row["answer"] == "ok"]
        refused = [row["size"] for row in rows if row["answer"] in ("EINVAL", "EPERM")]
        found[kind] = {"accepted": min(accepted) if accepted else None, "refused": max(refused) if refused else None}
    return found


def read_core(core: t.IO[bytes], address: int, size: int) -> bytes:
    """Read memory at a virtual address from /proc/kcore, a 64-bit ELF file of segments; empty where none has it."""
    header = core.read(64)
    start, width, count = struct.unpack("<Q", header[32:40])[0], *struct.unpack("<HH", header[54:58])
    for number in range(count):
        core.seek(start + number * width)
        _kind, _flags, offset, virtual, _physical, length = struct.unpack("<IIQQQQ", core.read(40))
        if virtual <= address < virtual + length:
            core.seek(offset + address - virtual)
            return core.read(size)
    return b""


def main() -> None:
    """Print the document of this host."""
    document = Recorder(sys.argv[1], Kernel()).record()
    json.dump(document, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
