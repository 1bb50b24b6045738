# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes, boots and stops the hosts that the tests and the demo need. See README.md."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import cache
import guests
import host
import images
import inventory
import kernel_selftests
import machines
import module_sources
import processes
import roots
import stand_in
import test_kernel
import userlands
from cache import Entry
from commands import RigError
from machines import Machine, Parts

BOOT_SECONDS = 180
INTERRUPTED_SECONDS = 20
KINDS = ("rig", *(kernel.prefix for kernel in test_kernel.KERNELS), "selftests", "headers", "userland")
"""What the names of the entries in the cache begin with."""


def prepare(_options: argparse.Namespace) -> int:
    entry = roots.prepare()
    print(f"rig: prepared in {entry.path} (kernel {entry.release})")
    return 0


def prepare_kernel(_options: argparse.Namespace) -> int:
    entry = test_kernel.prepare(roots.prepare(), test_kernel.X86)
    print(f"rig: test kernel in {entry.path} (kernel {entry.release})")
    return 0


def prepare_kernel_7(_options: argparse.Namespace) -> int:
    entry = test_kernel.prepare(roots.prepare(), test_kernel.X86_7)
    print(f"rig: kernel for klp-build in {entry.path} (kernel {entry.release})")
    return 0


def prepare_arm64(_options: argparse.Namespace) -> int:
    base = roots.prepare()
    entry = test_kernel.prepare(base, test_kernel.ARM64)
    image = userlands.prepare(base, guests.ARM64).image
    print(f"rig: kernel for arm64 in {entry.path} (kernel {entry.release}), VM image {image}")
    return 0


def up(options: argparse.Namespace) -> int:
    instance = cache.run_directory(options.instance)
    bring_up(options.names, instance, roots.prepare())
    print(f"rig: inventory {inventory.inventory_path(instance)}")
    return 0


def bring_up(names: list[str], instance: Path, entry: Entry) -> None:
    """Start the machines that do not run yet at the same time, and wait for them."""
    wanted = [(one, parts_of(one, entry)) for one in (machines.machine(name, instance) for name in names)]
    with cache.locked(instance / "lock"):
        try:
            start_and_wait([(one, parts) for one, parts in wanted if not one.is_up(parts)], entry)
        finally:
            inventory.write(instance, entry)


def parts_of(one: Machine, entry: Entry) -> Parts:
    """The entries that it is made of. Makes the test kernel, or the image, if that is missing."""
    guest = guests.named(one.name)
    return Parts(
        entry,
        system=entry if one.test_kernel is None else test_kernel.prepare(entry, one.test_kernel),
        disk=entry if guest == guests.DEFAULT else userlands.prepare(entry, guest),
    )


def restart(options: argparse.Namespace) -> int:
    """Cut the power of a VM and start it again with its disk."""
    instance = cache.run_directory(options.instance)
    entry = roots.prepare()
    one = machines.machine(options.name, instance)
    if one.is_builder or not one.disk.exists():
        raise RigError(f"{one.name} is not a VM that is up.", status=2)
    with cache.locked(instance / "lock"):
        started = time.monotonic()
        parts = parts_of(one, entry)
        if options.test_kernel and one.test_kernel is None:
            parts = dataclasses.replace(parts, system=test_kernel.prepare(entry, test_kernel.X86))
        one.restart(parts, options.append)
    machines.wait_for_ssh(one, entry, started + boot_seconds())
    print(f"rig: {one.name} answers after {time.monotonic() - started:.1f} s on port {one.port}", flush=True)
    return 0


def up_image(options: argparse.Namespace) -> int:
    """Start one machine from the image that the environment names."""
    instance = cache.run_directory(options.instance)
    wanted = images.settings()
    roots.check_machine(cache.current_entry())
    missing = host.missing_packages(userlands.EMULATORS)
    if missing:
        print(f"rig: the first VM for arm64 installs on this machine: {' '.join(missing)}")
    image = images.obtain(wanted.image)
    entry = roots.prepare()
    one = machines.machine(options.name, instance)
    with cache.locked(instance / "lock"):
        try:
            started = time.monotonic()
            print(f"rig: start {one.name} from {image.name} ...", flush=True)
            images.start(one, entry, image)
            images.wait_and_take_over(one, entry, wanted, started + boot_seconds(images.BOOT_SECONDS))
            print(f"rig: {one.name} answers after {time.monotonic() - started:.1f} s on port {one.port}", flush=True)
        except BaseException:
            one.stop()
            raise
        finally:
            inventory.write(instance, entry)
    print(f"rig: inventory {inventory.inventory_path(instance)}")
    return 0


def pack_stand_in(options: argparse.Namespace) -> int:
    print(f"rig: {stand_in.pack(roots.prepare(), options.directory.resolve())}")
    return 0


def copy_kernel_selftests(options: argparse.Namespace) -> int:
    print(f"rig: livepatch selftests of {kernel_selftests.copy(options.directory.resolve())}")
    return 0


def compile_sources(options: argparse.Namespace) -> int:
    module_sources.compile_all(roots.prepare(), options.trees)
    return 0


def check(_options: argparse.Namespace) -> int:
    roots.check_machine(cache.current_entry())
    missing = host.missing_packages(userlands.EMULATORS)
    if missing:
        print(f"rig: the first VM for arm64 installs on this machine: {' '.join(missing)}")
    return 0


def start_and_wait(wanted: list[tuple[Machine, Parts]], entry: Entry) -> None:
    started = time.monotonic()
    deadline = started + boot_seconds()
    waiting = [one for one, _parts in wanted]
    try:
        for one, parts in wanted:
            print(f"rig: start {one.name} ...", flush=True)
            one.start(parts)
        for one, _parts in wanted:
            machines.wait_for_ssh(one, entry, deadline)
            waiting.remove(one)
            print(f"rig: {one.name} answers after {time.monotonic() - started:.1f} s on port {one.port}", flush=True)
    finally:
        for one in waiting:
            one.stop()


def boot_seconds(default: float = BOOT_SECONDS) -> float:
    value = os.environ.get("RIG_BOOT_TIMEOUT", str(default))
    try:
        return float(value)
    except ValueError as error:
        raise RigError(f"RIG_BOOT_TIMEOUT is not a number of seconds: {value}", status=2) from error


def down(options: argparse.Namespace) -> int:
    instance = cache.run_directory(options.instance)
    take_down(options.names, instance)
    return 0


def take_down(names: list[str], instance: Path) -> None:
    """Stop the named machines, or all of the instance."""
    if not instance.is_dir():
        return
    with cache.locked(instance / "lock"):
        if names:
            for name in names:
                machines.machine(name, instance).stop()
        else:
            for path in sorted(instance.glob("*/")):
                Machine(path.name, instance).stop()
        entry = cache.current_entry()
        if entry.path.is_dir():
            inventory.write(instance, entry)


def shell(options: argparse.Namespace) -> int:
    instance = cache.run_directory(options.instance)
    entry = roots.prepare()
    bring_up([options.name], instance, entry)
    argv = machines.ssh_command(machines.machine(options.name, instance), entry)
    return subprocess.run(argv, check=False).returncode


def status(options: argparse.Namespace) -> int:
    entry = cache.current_entry()
    prepared = f"prepared in {entry.path} (kernel {entry.release})" if entry.path.is_dir() else "not prepared"
    print(f"rig: {prepared}")
    instance = cache.run_directory(options.instance)
    running = machines.running_machines(instance)
    for one in running:
        print(f"rig: {one.name} runs, ssh on port {one.port}")
    if not running:
        print(f"rig: nothing runs in the instance {options.instance}")
    return 0


def console(options: argparse.Namespace) -> int:
    one = machines.machine(options.name, cache.run_directory(options.instance))
    if not one.console.exists():
        raise RigError(f"{one.name} has no console log: it is not up.")
    print(f"{one.console}:\n{one.console_tail()}")
    return 0


def run_command(options: argparse.Namespace) -> int:
    """Run a command while the named machines run, and stop the instance at its end or on an error."""
    instance = cache.run_directory(options.instance)
    try:
        bring_up(options.names, instance, roots.prepare())
        environment = {**os.environ, "RIG_INVENTORY": str(inventory.inventory_path(instance))}
        return wait_for_command(options.command, environment)
    finally:
        # A second Ctrl-C must not leave machines behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        take_down([], instance)


def wait_for_command(argv: list[str], environment: dict[str, str]) -> int:
    """Run a command, and return its exit status. On an interrupt this waits until the command has ended."""
    try:
        with subprocess.Popen(argv, env=environment) as process:
            try:
                status_code = process.wait()
            except KeyboardInterrupt:
                # The terminal has interrupted the command, too: let it end by itself.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(INTERRUPTED_SECONDS)
                process.terminate()
                raise
            except SystemExit:
                process.terminate()
                raise
    except OSError as error:
        raise RigError(f"Cannot run {argv[0]}: {error.strerror}", status=127) from error
    return status_code if status_code >= 0 else 128 - status_code


def clean(_options: argparse.Namespace) -> int:
    """Remove all that the rig has made, unless something of it is in use."""
    used = [directory.name for directory in sorted(cache.runs().glob("*/")) if machines.running_machines(directory)]
    if used:
        raise RigError(f"Still running: {', '.join(used)}. Stop it first: rig.py --instance NAME down")
    with cache.locked(cache.cache_root() / "rig.lock"):
        roots.discard_parts()
        for kernel in test_kernel.KERNELS:
            test_kernel.discard_parts(kernel)
        for fetched in (kernel_selftests.SELFTESTS, *module_sources.HEADERS):
            fetched.discard_parts()
        userlands.discard_parts()
        for path in [*(path for kind in KINDS for path in cache.cache_root().glob(f"{kind}-*")), cache.runs()]:
            processes.remove_tree(path)
    return 0


def parser() -> argparse.ArgumentParser:
    main_parser = argparse.ArgumentParser(prog="rig.py", description=__doc__)
    default = os.environ.get("RIG_INSTANCE", "default")
    main_parser.add_argument(
        "--instance", default=default, help="separates users of the rig (default: $RIG_INSTANCE or 'default')"
    )
    commands = main_parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        return command

    add("check", check, "say whether this machine can run the rig: its system, root, free disk")
    add("prepare", prepare, "make the builder root and the VM image, unless they are in the cache")
    add("prepare-kernel", prepare_kernel, "make the test kernel and its build host, unless they are in the cache")
    add("prepare-kernel-7", prepare_kernel_7, "make the newest kernel and klp-build's build host, unless cached")
    add("prepare-arm64", prepare_arm64, "make the kernel for arm64, its build host and the VM image, unless cached")
    names = (
        "'builder', 'kernel-builder', 'kernel-builder-7', 'kernel-builder-arm64', 'slim...' or 'seven...' for a VM "
        "with a test kernel, 'arm64...' for an arm64 VM, 'bullseye...' or 'bookworm...' for one with that userland, or "
        "any other name for a VM"
    )
    add("up", up, "start machines and write the inventory").add_argument("names", nargs="+", metavar="NAME", help=names)
    again = add("restart", restart, "cut the power of a VM and start it again with its disk")
    again.add_argument("name", metavar="NAME", help="a VM that is up")
    again.add_argument("--append", default="", metavar="WORDS", help="more for its kernel's command line, this time")
    again.add_argument("--test-kernel", action="store_true", help="with the test kernel, this time")
    add("up-image", up_image, "start a machine from the image OPENEULER_IMAGE (a path or URL)").add_argument(
        "name", metavar="NAME", help="any name for a VM"
    )
    add("stand-in", pack_stand_in, "pack a stand-in for an openEuler image, to try up-image with").add_argument(
        "directory", metavar="DIRECTORY", type=Path, help="where to put it"
    )
    add("kernel-selftests", copy_kernel_selftests, "copy the kernel's livepatch selftests").add_argument(
        "directory", metavar="DIRECTORY", type=Path, help="where to put them"
    )
    compiling = add("compile-sources", compile_sources, "compile the modules of the tests for several kernels")
    compiling.add_argument("trees", nargs="*", metavar="TREE", type=Path, help="a build tree of one more kernel")
    add("down", down, "stop machines (default: all of the instance)").add_argument(
        "names", nargs="*", metavar="NAME", help=names
    )
    add("shell", shell, "log in; the machine is started if needed").add_argument("name", metavar="NAME", help=names)
    add("status", status, "show what is prepared and what runs")
    add("console", console, "show the end of a machine's console log").add_argument("name", metavar="NAME", help=names)
    running = add(
        "run", run_command, "start machines, run a command after '--', stop them; RIG_INVENTORY names the inventory"
    )
    running.add_argument("names", nargs="+", metavar="NAME", help=names)
    add("clean", clean, "remove all that the rig has made")
    return main_parser


def parse(arguments: list[str]) -> argparse.Namespace:
    # argparse would drop the "--" and mix names and command.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    own = arguments[:end]
    command = arguments[end:][1:]
    options = parser().parse_args(own)
    if (options.function is run_command) != bool(command):
        parser().error("'run' needs a command after '--', and only 'run' takes one")
    options.command = command
    return options


def end_by_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, end_by_signal)
    signal.signal(signal.SIGHUP, end_by_signal)
    try:
        function: Callable[[argparse.Namespace], int] = options.function
        return function(options)
    except RigError as error:
        print(f"rig: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("rig: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
