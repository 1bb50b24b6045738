# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts, finds and stops the builder and the VMs of one instance."""

from __future__ import annotations

import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import acceleration
import cache
import guests
import processes
import test_kernel
from cache import RECIPE, Entry
from commands import RigError, last_lines, run
from roots import HOST_KEY_ALIAS
from test_kernel import Kernel

BUILDER = "builder"
KERNEL_BUILDERS = {
    "kernel-builder": test_kernel.X86,
    "kernel-builder-7": test_kernel.X86_7,
    "kernel-builder-arm64": test_kernel.ARM64,
}
TEST_KERNELS = {"slim": test_kernel.X86, "seven": test_kernel.X86_7, guests.ARM64.machines: test_kernel.ARM64}
"""Those that a VM runs whose name begins so."""

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Parts:
    """The entries of the cache that a machine is made of: others have other keys, kernels and images."""

    keys: Entry
    system: Entry
    """Its kernel, or the builder's root."""

    disk: Entry
    """The image of a VM."""

    @property
    def names(self) -> str:
        return " ".join(entry.path.name for entry in (self.keys, self.system, self.disk))


@dataclass(frozen=True)
class Machine:
    """One host of an instance. The files in its directory tell its state."""

    name: str
    instance: Path

    @property
    def directory(self) -> Path:
        return self.instance / self.name

    @property
    def pid_file(self) -> Path:
        return self.directory / "pid"

    @property
    def console(self) -> Path:
        return self.directory / "console.log"

    @property
    def disk(self) -> Path:
        return self.directory / "disk.qcow2"

    @property
    def port_file(self) -> Path:
        return self.directory / "port"

    @property
    def entry_file(self) -> Path:
        return self.directory / "entry"

    @property
    def release_file(self) -> Path:
        """The file with the release of its kernel, for machines from another image only."""
        return self.directory / "kernel-release"

    @property
    def port(self) -> int:
        return int(self.port_file.read_text(encoding="ascii"))

    @property
    def is_builder(self) -> bool:
        return self.name == BUILDER or self.name in KERNEL_BUILDERS

    @property
    def is_arm64(self) -> bool:
        return guests.named(self.name) == guests.ARM64

    @property
    def is_counted(self) -> bool:
        """Whether its clocks count the instructions of its only CPU, whatever else this machine does."""
        return self.name.startswith("counted")

    @property
    def test_kernel(self) -> Kernel | None:
        """The rig's own kernel that it builds for or runs; None for the distribution's."""
        if self.is_builder:
            return KERNEL_BUILDERS.get(self.name)
        return next((kernel for start, kernel in TEST_KERNELS.items() if self.name.startswith(start)), None)

    def running(self) -> bool:
        return processes.running(self.pid_file, self.directory) is not None

    def is_up(self, parts: Parts) -> bool:
        """Whether it runs, and was started from these entries."""
        return self.running() and self.entry_file.read_text(encoding="ascii") == parts.names

    def claim(self, names: str) -> int:
        """Make its directory anew, record these names of entries, and return the port for its ssh."""
        self.stop()
        self.directory.mkdir(parents=True)
        self.entry_file.write_text(names, encoding="ascii")
        port = free_port()
        self.port_file.write_text(f"{port}\n", encoding="ascii")
        return port

    def start(self, parts: Parts) -> None:
        port = self.claim(parts.names)
        if self.is_builder:
            start_builder(self, parts, port)
        else:
            make_overlay(self, parts.disk.image, "raw")
            start_vm(self, parts, port)

    def restart(self, parts: Parts, append: str) -> None:
        """Cut the VM's power and start it again with its disk, with these words on its kernel's command line."""
        processes.stop(self.pid_file, self.directory)
        self.entry_file.write_text(parts.names, encoding="ascii")
        start_vm(self, parts, self.port, append)

    def stop(self) -> None:
        processes.stop(self.pid_file, self.directory)
        processes.remove_tree(self.directory)

    def console_tail(self) -> str:
        try:
            return last_lines(self.console.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return ""


def machine(name: str, instance: Path) -> Machine:
    cache.check_name(name)
    return Machine(name, instance)


def running_machines(instance: Path) -> list[Machine]:
    pid_files = sorted(instance.glob("*/pid"))
    return [found for found in (Machine(path.parent.name, instance) for path in pid_files) if found.running()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def start_builder(builder: Machine, parts: Parts, port: int) -> None:
    script = ["sh", str(RECIPE / "serve-builder.sh"), str(parts.system.builder), str(builder.directory), str(port)]
    script.append(str(parts.keys.keys))
    if builder.test_kernel is not None:
        script.append(str(test_kernel.kept(parts.system)))
    processes.start_isolated(script, builder.pid_file, builder.console)


def make_overlay(vm: Machine, image: Path, form: str) -> Path:
    """The path of a new disk over an image of this format. Writes go to the disk, not to the image."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", form, str(vm.disk)])
    return vm.disk


def start_vm(vm: Machine, parts: Parts, port: int, more: str = "") -> None:
    if vm.is_arm64:
        qemu, terminal, options = "qemu-system-aarch64", "ttyAMA0", acceleration.ARM64
    else:
        qemu, terminal = "qemu-system-x86_64", "ttyS0"
        options = acceleration.COUNTING if vm.is_counted else acceleration.options(parts.keys.kernel)
    # The kernel has NVMe built in, virtio-blk only as a module: so no initrd is needed.
    append = f"root=/dev/nvme0n1 rw console={terminal} net.ifnames=0 systemd.hostname={vm.name} {more}".rstrip()
    argv = [qemu, "-name", vm.name, *options]
    argv += ["-smp", "1" if vm.is_counted else "2", "-m", "1024", "-no-user-config", "-nodefaults", "-display", "none"]
    argv += ["-kernel", str(parts.system.kernel), "-append", append]
    # What the guest has synced must be on the disk when its power is cut, so no cache=unsafe.
    argv += [
        "-drive",
        f"if=none,id=disk,file={vm.disk},format=qcow2,cache=writeback",
        "-device",
        "nvme,drive=disk,serial=rig",
    ]
    argv += [
        "-netdev",
        f"user,id=net,hostfwd=tcp:{LOOPBACK}:{port}-:22",
        "-device",
        "virtio-net-pci,netdev=net,romfile=",
    ]
    run_vm(vm, argv)


def run_vm(vm: Machine, argv: list[str]) -> None:
    """Start QEMU, and a new QEMU for each later boot.

    After a reset in the same QEMU an emulated guest takes two to four times as long: QEMU keeps the code that it has
    translated, and each write to memory that had such code is slow.
    """
    console = ["-chardev", f"file,id=console,path={vm.console},append=on", "-serial", "chardev:console"]
    processes.start_repeated([*argv, *console, "-no-reboot"], vm.pid_file, vm.console)


def ssh_options(entry: Entry) -> list[str]:
    """The options of ssh. They exclude the user's own configuration, so that ssh works the same for every user."""
    options = [
        "-F",
        "/dev/null",
        "-o",
        f"HostKeyAlias={HOST_KEY_ALIAS}",
        "-o",
        f"UserKnownHostsFile={entry.known_hosts}",
    ]
    return [
        *options,
        "-o",
        "GlobalKnownHostsFile=/dev/null",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "IdentitiesOnly=yes",
    ]


def image_ssh_options(vm: Machine) -> list[str]:
    """The options of ssh for a machine from another image, whose host key ssh accepts at the first login."""
    known_hosts = vm.directory / "known_hosts"
    options = ["-F", "/dev/null", "-o", f"UserKnownHostsFile={known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null"]
    return [*options, "-o", "ConnectTimeout=60"]


def ssh_command(target: Machine, entry: Entry) -> list[str]:
    return ["ssh", *ssh_options(entry), "-i", str(entry.private_key), "-p", str(target.port), f"root@{LOOPBACK}"]


def wait_for_ssh(target: Machine, entry: Entry, deadline: float) -> None:
    """Wait until a login works. Raises RigError with the last lines of the console if it does not."""
    problem = "did not come up in time"
    while time.monotonic() < deadline:
        if not target.running():
            problem = "has stopped"
            break
        if answers(target.port) and logs_in(target, entry):
            return
        time.sleep(0.2)
    raise RigError(f"{target.name} {problem}. The last lines of its console:\n{target.console_tail()}")


def answers(port: int) -> bool:
    """Whether an sshd greets. A login instead would slow down the boot."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def logs_in(target: Machine, entry: Entry) -> bool:
    argv = ssh_command(target, entry)
    argv[1:1] = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]
    done = subprocess.run(
        [*argv, "true"], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return done.returncode == 0
