# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs a stand-in for an openEuler image: a bootable disk, which tests use as they use an image.

It is Debian with the emulation of openEuler's ABI, and says so on its console and in /etc/issue.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import guests
import processes
import roots
from cache import RECIPE, Entry
from commands import as_root, run

NAME = "openEuler-stand-in.qcow2.xz"
HOST_PACKAGES = ("dosfstools", "fdisk", "mtools", "syslinux", "syslinux-common", "xz-utils")
MASTER_BOOT_RECORD = Path("/usr/lib/syslinux/mbr/mbr.bin")

MIB = 1024**2
BOOT_START = 1 * MIB
BOOT_BYTES = 127 * MIB
ROOT_START = BOOT_START + BOOT_BYTES
ROOT_BYTES = 2048 * MIB

BOOT_LOADER = """\
DEFAULT linux
LABEL linux
  KERNEL vmlinuz
  APPEND initrd=initrd.img root=/dev/vda2 rw console=ttyS0 net.ifnames=0
"""


def pack(entry: Entry, target: Path) -> Path:
    """Make the image and its .sha256sum in the target directory, unless they are there. Returns the image."""
    image = target / NAME
    checksum = image.with_name(image.name + ".sha256sum")
    if image.exists() and checksum.exists():
        return image
    target.mkdir(parents=True, exist_ok=True)
    roots.install_host_packages(HOST_PACKAGES)
    with tempfile.TemporaryDirectory(dir=target) as directory:
        part = Entry(Path(directory))
        part.keys.symlink_to(entry.keys)
        with roots.stage("install the stand-in's root"):
            root = install(part)
        with roots.stage("make its disk"):
            disk = make_disk(part.path, root)
            processes.remove_tree(root)
        with roots.stage("pack it"):
            packed = part.path / image.name
            run(["qemu-img", "convert", "-O", "qcow2", str(disk), str(packed.with_suffix(""))])
            run(["xz", "-1", "-T0", str(packed.with_suffix(""))])
            digest = run(["sha256sum", str(packed)]).split()[0]
            packed.rename(image)
    checksum.write_text(f"{digest}  {image.name}\n", encoding="ascii")
    return image


def install(part: Entry) -> Path:
    root = part.path / "root"
    packages = roots.packages_of(*guests.DEFAULT.packages, "builder.packages", "stand-in.packages")
    packages += [guests.DEFAULT.kernel] if guests.DEFAULT.kernel else []
    scripts = [RECIPE / f"customize-{what}.sh" for what in ("common", "vm", "stand-in")]
    command = roots.mmdebstrap(part, root, packages, scripts)
    run(processes.isolated([word for word in command if word != "INITRD=No"], part.path / roots.PID))
    return root


def make_disk(directory: Path, root: Path) -> Path:
    """A disk with a boot partition and a root partition, without loop mounts."""
    boot, disk = directory / "boot.fat", directory / "disk.raw"
    run(["mkfs.fat", "-C", str(boot), str(BOOT_BYTES // 1024)])
    loader = directory / "syslinux.cfg"
    loader.write_text(BOOT_LOADER, encoding="ascii")
    release = roots.kernel_release(root)
    files = {root / f"boot/vmlinuz-{release}": "vmlinuz", root / f"boot/initrd.img-{release}": "initrd.img"}
    for source, name in {**files, loader: "syslinux.cfg"}.items():
        run(as_root(["mcopy", "-i", str(boot), str(source), f"::{name}"]))
    run(["syslinux", "--install", str(boot)])
    with disk.open("wb") as stream:
        stream.write(MASTER_BOOT_RECORD.read_bytes())
        os.truncate(stream.fileno(), ROOT_START + ROOT_BYTES)
    table = directory / "partitions"
    table.write_text(
        f"label: dos\nstart={BOOT_START // 512}, size={BOOT_BYTES // 512}, type=c, bootable\n"
        f"start={ROOT_START // 512}, size={ROOT_BYTES // 512}, type=83\n",
        encoding="ascii",
    )
    run(["sh", "-c", 'sfdisk --quiet "$1" < "$2"', "sh", str(disk), str(table)])
    run(["dd", f"if={boot}", f"of={disk}", "bs=1M", f"seek={BOOT_START // MIB}", "conv=notrunc,sparse"])
    options = ["-O", "^has_journal,^metadata_csum", "-E", f"offset={ROOT_START}"]
    run(as_root(["mkfs.ext4", "-q", "-F", *options, "-d", str(root), str(disk), f"{ROOT_BYTES // 1024}k"]))
    return disk
