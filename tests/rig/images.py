# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines from a disk image that the rig has not made: an official openEuler image, or a stand-in for one."""

from __future__ import annotations

import hashlib
import lzma
import os
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import acceleration
import cache
import machines
from cache import Entry
from commands import RigError
from machines import LOOPBACK, Machine

DEFAULT_IMAGE = (
    "https://repo.openeuler.org/openEuler-24.03-LTS/virtual_machine_img/x86_64/openEuler-24.03-LTS-x86_64.qcow2.xz"
)
# The password that openEuler gives to root in its images.
DEFAULT_PASSWORD = "openEuler12#$"

BOOT_SECONDS = 900
DOWNLOAD_TRIES = 5
CONNECT_SECONDS = 30
BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """The variables OPENEULER_IMAGE, OPENEULER_PASSWORD and OPENEULER_SSH_KEY of the environment."""

    image: str
    password: str
    key: str | None


def settings() -> Settings:
    return Settings(
        image=os.environ.get("OPENEULER_IMAGE") or DEFAULT_IMAGE,
        password=os.environ.get("OPENEULER_PASSWORD") or DEFAULT_PASSWORD,
        key=os.environ.get("OPENEULER_SSH_KEY"),
    )


# ---- getting the image ----


def obtain(source: str) -> Path:
    """The path of the image as qcow2, from a path or URL of a .qcow2 or .qcow2.xz file, whose digest is checked."""
    file = download(source) if "://" in source else local(source)
    if file.suffix != ".xz":
        return file
    unpacked = cache.cache_root() / "images" / digest_of(file)[:12] / file.stem
    if not unpacked.exists():
        print(f"rig: unpack {file.name} ...", flush=True)
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        unpack(file, unpacked)
    return unpacked


def local(source: str) -> Path:
    file = Path(source).expanduser().resolve()
    if not file.is_file():
        raise RigError(f"OPENEULER_IMAGE names {source}, and there is no such file.", status=2)
    checksum = file.with_name(file.name + ".sha256sum")
    if checksum.exists():
        check_digest(file, checksum.read_text(encoding="utf-8"))
    else:
        print(f"rig: {checksum.name} is not there: the image is not checked", flush=True)
    return file


def download(url: str) -> Path:
    folder = cache.cache_root() / "images" / hashlib.sha256(url.encode()).hexdigest()[:12]
    file = folder / url.rpartition("/")[2]
    with cache.locked(cache.cache_root() / "images.lock"):
        folder.mkdir(parents=True, exist_ok=True)
        if file.exists():
            return file
        part = file.with_name(file.name + ".part")
        try:
            with urllib.request.urlopen(url + ".sha256sum", timeout=CONNECT_SECONDS) as response:
                checksum = response.read(4096).decode()
            print(f"rig: download {url} ...", flush=True)
            download_all(url, part)
        except (OSError, urllib.error.URLError) as error:
            raise RigError(
                f"No openEuler image: set OPENEULER_IMAGE to the path or URL of a .qcow2 or .qcow2.xz file "
                f"({url}: {getattr(error, 'reason', error)}).",
                status=2,
            ) from error
        try:
            check_digest(part, checksum)
        except RigError:
            part.unlink()
            raise
        part.rename(file)
    return file


def download_all(url: str, part: Path) -> None:
    """Download a file into `part`. Resumes an earlier try that was interrupted, also one of an earlier run."""
    for number in range(DOWNLOAD_TRIES):
        size = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={size}-"})
        try:
            with urllib.request.urlopen(request, timeout=CONNECT_SECONDS) as response:
                resumed = response.status == 206
                expected = int(response.headers.get("Content-Length", -1))
                if size:
                    print(f"rig: {'go on' if resumed else 'start again'} after {size} bytes", flush=True)
                with part.open("ab" if resumed else "wb") as stream:
                    start = stream.tell()
                    shutil.copyfileobj(response, stream, BLOCK)
                    if expected < 0 or stream.tell() - start == expected:
                        return
        except urllib.error.HTTPError as error:
            if error.code == 416 and size:  # nothing is left to fetch
                return
            raise
        except (ConnectionError, TimeoutError):
            if number == DOWNLOAD_TRIES - 1:
                raise
    raise OSError("the connection was cut off again and again")


def digest_of(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def check_digest(file: Path, checksum: str) -> None:
    expected = checksum.split()[0].lower() if checksum.split() else ""
    found = digest_of(file)
    if found != expected:
        raise RigError(f"{file.name} is damaged: its SHA-256 is {found}, and {expected or 'none'} was published.")


def unpack(file: Path, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    with lzma.open(file) as packed, part.open("wb") as stream:
        while block := packed.read(BLOCK):
            if block.strip(b"\0"):
                stream.write(block)
            else:
                stream.seek(len(block), os.SEEK_CUR)
        stream.truncate()
    part.rename(target)


# ---- booting it and logging in ----


def start(vm: Machine, entry: Entry, image: Path) -> None:
    """Boot the image with firmware, its own boot loader, a virtio disk and a virtio network card."""
    port = vm.claim(entry.path.name)
    overlay = machines.make_overlay(vm, image, "qcow2")
    argv = ["qemu-system-x86_64", "-name", vm.name, *acceleration.options(entry.kernel)]
    argv += ["-smp", "2", "-m", "2048", "-display", "none"]
    argv += ["-drive", f"if=virtio,file={overlay},format=qcow2,cache=unsafe"]
    argv += ["-netdev", f"user,id=net,hostfwd=tcp:{LOOPBACK}:{port}-:22"]
    argv += ["-device", "virtio-net-pci,netdev=net"]
    machines.run_vm(vm, argv)


def wait_and_take_over(vm: Machine, entry: Entry, wanted: Settings, deadline: float) -> None:
    """Wait for sshd, log in with the given password or key, and add the rig's key. Raises RigError."""
    while not machines.answers(vm.port):
        if not vm.running() or time.monotonic() > deadline:
            raise RigError(f"{vm.name} did not come up. The last lines of its console:\n{vm.console_tail()}")
        time.sleep(1)
    public = entry.private_key.with_suffix(".pub").read_text(encoding="ascii")
    append = "umask 077 && mkdir -p ~/.ssh && cat >> ~/.ssh/authorized_keys && uname -r"
    done = subprocess.run(
        [*first_login(vm, wanted), append],
        check=False,
        input=public,
        capture_output=True,
        text=True,
        env={**os.environ, **askpass(vm, wanted)},
    )
    if done.returncode != 0:
        how = "OPENEULER_SSH_KEY" if wanted.key else "the password (OPENEULER_PASSWORD)"
        raise RigError(f"{vm.name} does not let root in with {how}: {done.stderr.strip()}")
    vm.release_file.write_text(done.stdout.strip(), encoding="ascii")


def first_login(vm: Machine, wanted: Settings) -> list[str]:
    argv = ["ssh", *machines.image_ssh_options(vm), "-o", "StrictHostKeyChecking=accept-new", "-p", str(vm.port)]
    if wanted.key:
        argv += ["-i", wanted.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    else:
        argv += ["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1"]
    return [*argv, f"root@{LOOPBACK}"]


def askpass(vm: Machine, wanted: Settings) -> dict[str, str]:
    """The environment in which ssh gets the password from a program. That needs neither a terminal nor sshpass."""
    program = vm.directory / "askpass"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(wanted.password)}\n", encoding="utf-8")
    program.chmod(0o700)
    return {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force"}
