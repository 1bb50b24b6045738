# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The livepatch selftests of the Linux kernel, from a source package of the distribution."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import cache
import host
import processes
import roots
from cache import HERE
from commands import RigError, run

FETCH = HERE / "kernel_selftests" / "fetch.sh"
# Suites of the stable release's own kernel lack scenarios; the newer ones run on its kernel as well.
SUITE = f"{roots.SUITE}-backports"
FREE_BYTES = 1024**3


def recipe_key() -> str:
    """A short name for everything that the result depends on."""
    digest = hashlib.sha256()
    for path in (FETCH, HERE / "kernel_selftests.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def current_entry() -> Path:
    return cache.cache_root() / f"selftests-{recipe_key()}"


def copy(target: Path) -> str:
    """Copy the suite into the directory, and return the name and version of the package that it is from."""
    suite = prepare()
    shutil.copytree(suite, target, dirs_exist_ok=True)
    return (suite / "PACKAGE").read_text(encoding="ascii").strip()


def prepare() -> Path:
    """The directory with the suite, which is fetched now if this machine does not have it yet."""
    entry = current_entry()
    if not entry.is_dir():
        host.check_disk(entry, FREE_BYTES)
        with cache.locked(cache.cache_root() / "selftests.lock"):
            if not entry.is_dir():
                fetch(entry)
    return entry / "root" / "livepatch"


def fetch(entry: Path) -> None:
    """Fetch the suite into a temporary directory, which becomes the entry when it is complete."""
    discard_parts()
    part = Path(tempfile.mkdtemp(prefix=f"{entry.name}.part-", dir=entry.parent))
    part.chmod(0o755)
    try:
        with roots.stage("fetch the kernel's livepatch selftests"):
            run(processes.isolated(command(part), part / "pid"))
        part.rename(entry)
    except BaseException:
        roots.discard(part)
        raise


def command(part: Path) -> list[str]:
    """The mmdebstrap that installs nothing: its package manager fetches the package for the hook."""
    archive = next(iter(host.debian_sources(SUITE)), None)
    if archive is None:
        raise RigError(f"The kernel's selftests are in {SUITE}, and this machine's apt knows no Debian archive.")
    argv = ["mmdebstrap", "--mode=root", "--variant=custom", "--format=directory"]
    argv += [f"--aptopt={option}" for option in host.proxy_options()]
    return [*argv, f'--customize-hook=sh {FETCH} "$1"', roots.SUITE, str(part / "root"), archive]


def discard_parts() -> None:
    """Remove what interrupted runs have left."""
    for path in cache.cache_root().glob("selftests-*.part-*"):
        roots.discard(path)
