# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds out whether KVM works here. Some machines have /dev/kvm, and every guest under it hangs."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

import cache

PROBE_SECONDS = 10
KVM = ["-accel", "kvm", "-cpu", "host", "-machine", "q35"]
# With a thread for each CPU, QEMU 7.2 can run code that another CPU has just rewritten: the kernel then meets one of
# its own breakpoints too late and panics ("Oops: int3") while it patches itself, which is what these tests are about.
EMULATION = ["-accel", "tcg,thread=single", "-cpu", "max", "-machine", "q35"]

# One instruction takes a nanosecond of the guest's time: so its clocks count instructions.
COUNTING = ["-accel", "tcg,thread=single", "-icount", "shift=0", "-cpu", "max", "-machine", "q35"]

# A machine for arm64 is emulated everywhere. Later processors have instructions that take QEMU longer.
ARM64 = ["-accel", "tcg,thread=single", "-cpu", "cortex-a72", "-machine", "virt"]


def options(kernel: Path) -> list[str]:
    """QEMU's options for KVM if it works, else for emulation. This is probed once for each boot of the machine."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    answer_file = cache.cache_root() / "rig-kvm"
    with cache.locked(cache.cache_root() / "rig-kvm.lock"):
        answer = answer_file.read_text(encoding="ascii") if answer_file.exists() else ""
        if not answer.startswith(boot):
            answer = f"{boot} {'yes' if kvm_works(kernel) else 'no'}"
            answer_file.write_text(answer, encoding="ascii")
    return KVM if answer.endswith(" yes") else EMULATION


def kvm_works(kernel: Path) -> bool:
    """Whether a kernel prints its first message under KVM."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    print(f"rig: try KVM (at most {PROBE_SECONDS} s) ...", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        console = Path(directory) / "console.log"
        argv = [
            "qemu-system-x86_64",
            *KVM,
            "-m",
            "512",
            "-no-user-config",
            "-nodefaults",
            "-display",
            "none",
            "-no-reboot",
        ]
        argv += ["-kernel", str(kernel), "-append", "console=ttyS0 panic=-1", "-serial", f"file:{console}"]
        with subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as guest:
            try:
                works = says_version(guest, console)
            finally:
                guest.kill()
    print(f"rig: KVM {'works' if works else 'does not work here: guests are emulated'}", flush=True)
    return works


def says_version(guest: subprocess.Popen[bytes], console: Path) -> bool:
    deadline = time.monotonic() + PROBE_SECONDS
    while time.monotonic() < deadline:
        if console.exists() and b"Linux version" in console.read_bytes():
            return True
        if guest.poll() is not None:
            return False
        time.sleep(0.1)
    return False
