# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images with another userland than the default one: that of another release, or of another architecture."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path

import cache
import guests
import host
import processes
import roots
from cache import HERE, Entry
from commands import RigError, as_root, run
from guests import Guest

FREE_BYTES = 3 * 1024**3
EMULATORS = ("arch-test", "qemu-system-arm", "qemu-user-static")
"""What another architecture needs on this machine."""

# As the distribution's installer makes it: before Debian 12 no package does.
MERGED_USR = """--setup-hook=for name in bin sbin lib lib64; do
  mkdir -p "$1/usr/$name"; ln -s "usr/$name" "$1/$name"
done"""
# What apt says where a mirror has dropped an old release.
GONE = re.compile(r"^E: The repository '(.*)' (?:does not have|no longer has) a Release file\.$", re.MULTILINE)


def current_entry(base: Entry, guest: Guest) -> Entry:
    """The image of this guest with the keys, and the modules, of this entry."""
    digest = hashlib.sha256(f"{base.path.name} {guest!r}".encode())
    for path in (HERE / "userlands.py", *(cache.RECIPE / name for name in guest.packages)):
        digest.update(path.read_bytes())
    return Entry(cache.cache_root() / f"userland-{guest.machines}-{digest.hexdigest()[:12]}")


def prepare(base: Entry, guest: Guest) -> Entry:
    """The image, made now if this machine does not have it yet."""
    if is_emulated(guest):
        with cache.locked(cache.cache_root() / "rig.lock"):
            roots.install_host_packages(EMULATORS)
    entry = current_entry(base, guest)
    if not entry.path.is_dir():
        host.check_disk(entry.path, FREE_BYTES)
        with cache.locked(cache.cache_root() / "userland.lock"):
            if not entry.path.is_dir():
                build(base, guest, entry)
    return entry


def build(base: Entry, guest: Guest, entry: Entry) -> None:
    """Make everything in a temporary directory, which becomes the entry when it is complete."""
    discard_parts()
    part = Entry(Path(tempfile.mkdtemp(prefix=f"{entry.path.name}.part-", dir=entry.path.parent)))
    part.path.chmod(0o755)
    part.keys.symlink_to(base.keys)
    try:
        with roots.stage(f"install the VM root (Debian {guest.suite}, {guest.architecture})"):
            install(part, guest)
        with roots.stage("make the VM image"):
            if not is_emulated(guest):
                copy_modules(base, roots.vm_root(part))
            roots.make_image(part)
        part.keys.unlink()
        part.path.rename(entry.path)
    except BaseException:
        roots.discard(part.path)
        raise


def discard_parts() -> None:
    """Remove what interrupted runs have left."""
    for path in cache.cache_root().glob("userland-*.part-*"):
        roots.discard(path)


def is_emulated(guest: Guest) -> bool:
    """Whether it is for another architecture, whose kernel has no modules of the distribution's."""
    return guest.architecture != guests.DEFAULT.architecture


def install(part: Entry, guest: Guest) -> None:
    command = roots.mmdebstrap_guest(part, guest)
    if guest.suite != guests.DEFAULT.suite:
        command.insert(command.index("mmdebstrap") + 1, MERGED_USR)
    if is_emulated(guest):
        command = ["sh", str(cache.RECIPE / "run-arm64.sh"), *command]
    try:
        run(processes.isolated(command, part.path / roots.PID))
    except RigError as error:
        gone = GONE.search(str(error))
        if gone is None:
            raise
        raise RigError(
            f"The mirror that this machine's apt uses does not have Debian {guest.suite} (any more): {gone[1]}",
            status=2,
        ) from error


def copy_modules(base: Entry, root: Path) -> None:
    """Copy the modules and the configuration of the kernel out of the default image, without a loop mount."""
    for source, target in (
        (f"/usr/lib/modules/{base.release}", root / "usr/lib/modules"),
        (f"/boot/config-{base.release}", root / "boot"),
    ):
        run(as_root(["mkdir", "-p", str(target)]))
        run(as_root(["debugfs", "-R", f"rdump {source} {target}", str(base.image)]))
    # debugfs succeeds whatever it is told.
    if roots.kernel_release(root) != base.release or not (root / f"boot/config-{base.release}").exists():
        raise RigError(f"The kernel {base.release} cannot be copied out of {base.image}.")
