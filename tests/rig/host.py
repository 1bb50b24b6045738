# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks the machine that the rig runs on, and installs the packages that the rig needs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cache import HERE
from commands import RigError, as_root, failure, run

RELEASES = ("12", "13")
FREE_BYTES = 6 * 1024**3

PACKAGES = (
    "debian-archive-keyring",
    "e2fsprogs",
    "mmdebstrap",
    "openssh-client",
    "qemu-system-x86",
    "qemu-utils",
    "util-linux",
)


def check_system() -> None:
    """Raise RigError if this is not a machine that the rig knows."""
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    if system.get("ID") != "debian" or system.get("VERSION_ID") not in RELEASES:
        raise RigError(
            f"The rig needs Debian 12 or 13, and this is {system.get('PRETTY_NAME', 'another system')}.", status=2
        )
    if platform.machine() != "x86_64":
        raise RigError(f"The rig needs an amd64 machine, and this one is {platform.machine()}.", status=2)


def check_root() -> None:
    """Raise RigError if nothing can be run as root. sudo may ask for its password here."""
    if os.geteuid() != 0 and subprocess.run(as_root(["true"]), check=False).returncode != 0:
        raise RigError("The rig needs root: run it as root, or be allowed to use sudo.", status=2)


def check_disk(directory: Path, wanted: int = FREE_BYTES) -> None:
    """Raise RigError if fewer bytes than `wanted` are free."""
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    if free < wanted:
        room = f"{wanted / 1024**3:.0f} GB of free disk for {directory}, and {free / 1024**3:.1f} GB are free"
        raise RigError(f"The rig needs {room}.", status=2)


def missing_packages(names: Sequence[str]) -> list[str]:
    query = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n", *names],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    installed = {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def install_packages(names: list[str]) -> None:
    apt_get("update")
    apt_get("install", "--yes", "--no-install-recommends", *names)


def apt_get(*arguments: str) -> None:
    """Run apt_get.py. Its standard output stays on the screen, so the user sees what it waits for."""
    argv = as_root([sys.executable, "-B", str(HERE / "apt_get.py"), *arguments])
    done = subprocess.run(argv, check=False, stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode != 0:
        raise failure(argv, done.returncode, done.stderr)


def debian_sources(suite: str) -> list[str]:
    """The package sources of another suite, from the mirrors that this machine's apt uses; empty without any."""
    columns = "$(LABEL)\t$(REPO_URI)"
    listed = run(["apt-get", "indextargets", "--format", columns, "Created-By: Packages"])
    archive: str | None = None
    security: str | None = None
    for line in listed.splitlines():
        label, _tab, uri = line.partition("\t")
        if label == "Debian" and archive is None:
            archive = uri
        elif label == "Debian-Security" and security is None:
            security = uri
    sources = []
    if archive:
        sources += [f"deb {archive} {suite} main", f"deb {archive} {suite}-updates main"]
    if archive and security:
        sources.append(f"deb {security} {suite}-security main")
    return sources


def debian_archive(suite: str) -> str:
    """The source of what only this suite has."""
    archive = next(iter(debian_sources(suite)), None)
    if archive is None:
        raise RigError(f"What is needed is in {suite}, and this machine's apt knows no Debian archive.")
    return archive


def proxy_options() -> list[str]:
    """The proxy settings of this machine's apt, for the apt of a new root."""
    dump = run(["apt-config", "dump"])
    return [line for line in dump.splitlines() if line.startswith(("Acquire::http::Proxy", "Acquire::https::Proxy"))]
