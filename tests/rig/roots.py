# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making the builder root and the VM image."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cache
import guests
import host
import processes
from cache import RECIPE, Entry
from commands import RigError, as_root, failure, run
from guests import Guest

SUITE = guests.DEFAULT.suite
BACKPORTS = f"{SUITE}-backports"
HOST_KEY_ALIAS = "openeuler-livepatch-rig"
JOURNAL_MIB = 8
PID = "install.pid"
"""The file of a part that tells which process makes it, for discard()."""
IMAGE_BYTES = 1280 * 1024**2
COMMON = RECIPE / "customize-common.sh"

# The guest boots without an initrd, which saves seconds under emulation.
BUILT_IN = ("CONFIG_BLK_DEV_NVME=y", "CONFIG_EXT4_FS=y", "CONFIG_LIVEPATCH=y")

NOT_INSTALLED = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/man/*", "/usr/share/locale/*")


@contextlib.contextmanager
def stage(title: str) -> Iterator[None]:
    """Print what is being done and how long it took."""
    started = time.monotonic()
    print(f"rig: {title} ...", flush=True)
    yield
    print(f"rig: {title}: done in {time.monotonic() - started:.1f} s", flush=True)


def check_machine(entry: Entry) -> None:
    """Stop if the rig cannot be made or run here."""
    host.check_system()
    host.check_root()
    if not entry.path.is_dir():
        host.check_disk(entry.path)


def prepare() -> Entry:
    """The prepared rig, made now if this machine does not have it yet."""
    entry = cache.current_entry()
    check_machine(entry)
    with cache.locked(cache.cache_root() / "rig.lock"):
        install_host_packages()
        if not entry.path.is_dir():
            build(entry)
    return entry


def install_host_packages(names: Sequence[str] = host.PACKAGES) -> None:
    missing = host.missing_packages(names)
    if missing:
        with stage(f"install on this machine: {' '.join(missing)}"):
            host.install_packages(missing)


def build(entry: Entry) -> None:
    """Make everything in a temporary directory, which becomes the entry when it is complete."""
    discard_parts()
    part = Entry(Path(tempfile.mkdtemp(prefix=f"{entry.path.name}.part-", dir=entry.path.parent)))
    part.path.chmod(0o755)
    try:
        with stage("make the ssh keys"):
            make_keys(part)
        with stage(f"install the builder root and the VM root (Debian {SUITE})"):
            make_roots(part)
        with stage("make the VM image"):
            check_kernel(part)
            shutil.copyfile(vm_root(part) / f"boot/vmlinuz-{part.release}", part.kernel)
            make_image(part)
        part.path.rename(entry.path)
    except BaseException:
        discard(part.path)
        raise


def discard_parts() -> None:
    """Remove what interrupted runs have left."""
    for path in cache.cache_root().glob("rig-*.part-*"):
        discard(path)


def discard(part: Path) -> None:
    for pid_file in part.glob("*.pid"):
        processes.stop(pid_file, part)
    processes.remove_tree(part)


def make_keys(part: Entry) -> None:
    part.keys.mkdir(mode=0o700)
    host_key = part.keys / "ssh_host_ed25519_key"
    for path, comment in ((part.private_key, "openeuler-livepatch rig"), (host_key, HOST_KEY_ALIAS)):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    public = host_key.with_suffix(".pub").read_text(encoding="ascii")
    part.known_hosts.write_text(f"{HOST_KEY_ALIAS} {public}", encoding="ascii")


def recipe_lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def packages_of(*names: str) -> list[str]:
    """The packages that these files of the recipe list."""
    return [package for name in names for package in recipe_lines(RECIPE / name)]


def vm_root(part: Entry) -> Path:
    return part.path / "vm"


@dataclass(frozen=True)
class Install:
    """One running mmdebstrap."""

    argv: list[str]
    log: Path
    process: subprocess.Popen[bytes]


def make_roots(part: Entry) -> None:
    """Install both roots side by side."""
    names = packages_of("common.packages", "builder.packages")
    installs = [
        start_install(part, part.builder, mmdebstrap(part, part.builder, names, [COMMON])),
        start_install(part, vm_root(part), mmdebstrap_guest(part, guests.DEFAULT)),
    ]
    for install in installs:
        finish_install(install)
    for pid_file in part.path.glob("*.pid"):
        pid_file.unlink()


def mmdebstrap_guest(part: Entry, guest: Guest) -> list[str]:
    """The command that installs the VM root."""
    names = packages_of(*guest.packages) + ([guest.kernel] if guest.kernel else [])
    return mmdebstrap(part, vm_root(part), names, [COMMON, RECIPE / "customize-vm.sh"], guest)


def start_install(part: Entry, root: Path, command: list[str]) -> Install:
    log = part.path / f"{root.name}.log"
    argv = processes.isolated(command, part.path / f"{root.name}.pid")
    with log.open("wb") as output:
        # pylint: disable-next=consider-using-with
        process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)
    return Install(argv, log, process)


def finish_install(install: Install) -> None:
    status = install.process.wait()
    if status != 0:
        raise failure(install.argv, status, install.log.read_text(encoding="utf-8", errors="replace"))


def mmdebstrap(
    part: Entry,
    root: Path,
    packages: list[str],
    scripts: list[Path],
    guest: Guest = guests.DEFAULT,
    suites: Sequence[str] = (),
) -> list[str]:
    """The command that installs a root of the guest's release and architecture, with these suites beside it."""
    # INITRD=No: the kernel's package shall not make the initrd that nothing needs.
    argv = ["env", "INITRD=No", "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"]
    argv += ["--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude={pattern}" for pattern in NOT_INSTALLED)]
    argv += [f"--aptopt={option}" for option in host.proxy_options()]
    argv += [f"--architectures={guest.architecture}", f"--include={','.join(packages)}"]
    for script in scripts:
        hook = shlex.join(["sh", str(script)])
        argv.append(f'--customize-hook={hook} "$1" {shlex.join([str(RECIPE), str(part.keys)])}')
    sources = part.path / f"{root.name}.list"
    lines = [*host.debian_sources(guest.suite), *map(host.debian_archive, suites)]
    sources.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    # Without sources of its own, mmdebstrap takes its default mirror.
    return [*argv, guest.suite, str(root), *([str(sources)] if sources.stat().st_size else [])]


def kernel_release(root: Path) -> str:
    releases = [path.name for path in (root / "lib/modules").iterdir()]
    if len(releases) != 1:
        raise RigError(
            f"One kernel was expected in the root {root.name}, and there are: {' '.join(releases) or 'none'}."
        )
    return releases[0]


def check_kernel(part: Entry) -> None:
    """Stop when the builder cannot make modules for the guest, or the guest cannot boot."""
    release = kernel_release(vm_root(part))
    headers = kernel_release(part.builder)
    if release != headers:
        raise RigError(
            f"The VM's kernel is {release}, but the builder's headers are for {headers}: "
            "the mirror is changing, try again later."
        )
    config = (vm_root(part) / f"boot/config-{release}").read_text(encoding="utf-8").splitlines()
    missing = [option for option in BUILT_IN if option not in config]
    if missing:
        raise RigError(f"The kernel {release} cannot be used: it is built without {', '.join(missing)}.")
    part.release_file.write_text(f"{release}\n", encoding="ascii")


def make_image(part: Entry) -> None:
    """Put the VM root into an ext4 image, without loop mounts."""
    with part.image.open("wb") as image:
        os.truncate(image.fileno(), IMAGE_BYTES)
    # A small journal: some tests cut the power, and what was written must be whole at the next boot.
    options = ["-O", "^metadata_csum", "-J", f"size={JOURNAL_MIB}"]
    run(as_root(["mkfs.ext4", "-q", "-F", *options, "-d", str(vm_root(part)), str(part.image)]))
    processes.remove_tree(vm_root(part))
