# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A kernel of our own, with its source, and a build host with kpatch-build for it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import cache
import host
import processes
import roots
from cache import HERE, Entry
from commands import run

RECIPE = HERE / "test_kernel"
COMMON = (cache.RECIPE / "common.packages", cache.RECIPE / "customize-common.sh", cache.RECIPE / "sshd.conf")
FREE_BYTES = 12 * 1024**3


def recipe_key() -> str:
    """A short name for everything that the result depends on."""
    digest = hashlib.sha256()
    for path in [*sorted(RECIPE.iterdir()), *COMMON, HERE / "roots.py", HERE / "test_kernel.py"]:
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def current_entry() -> Entry:
    return Entry(cache.cache_root() / f"kernel-{recipe_key()}")


def kept(entry: Entry) -> Path:
    """What the build host keeps from one run to the next, such as the caches of its builds."""
    return entry.path / "kept"


def prepare(base: Entry) -> Entry:
    """The test kernel and its build host, made now if this machine does not have them yet."""
    entry = current_entry()
    if not entry.path.is_dir():
        host.check_disk(entry.path, FREE_BYTES)
        with cache.locked(cache.cache_root() / "kernel.lock"):
            if not entry.path.is_dir():
                build(base, entry)
    return entry


def build(base: Entry, entry: Entry) -> None:
    """Make everything in a temporary directory, which becomes the entry when it is complete."""
    discard_parts()
    part = Entry(Path(tempfile.mkdtemp(prefix=f"{entry.path.name}.part-", dir=entry.path.parent)))
    part.path.chmod(0o755)
    part.keys.symlink_to(base.keys)
    try:
        with roots.stage("install the root of the build host with kpatch-build"):
            install(part)
        with roots.stage("build the test kernel (about 6 minutes)"):
            compile_kernel(part)
        kept(part).mkdir()
        part.keys.unlink()
        part.path.rename(entry.path)
    except BaseException:
        roots.discard(part.path)
        raise


def discard_parts() -> None:
    """Remove what interrupted runs have left."""
    for path in cache.cache_root().glob("kernel-*.part-*"):
        roots.discard(path)


def install(part: Entry) -> None:
    packages = roots.packages_of("common.packages") + roots.recipe_lines(RECIPE / "kernel-builder.packages")
    hooks = [roots.COMMON, RECIPE / "install-kpatch.sh"]
    command = roots.mmdebstrap(part, part.builder, packages, hooks)
    run(processes.isolated(command, part.path / "pid"))


def compile_kernel(part: Entry) -> None:
    script = ["sh", str(RECIPE / "build-kernel.sh"), str(part.builder), str(RECIPE / "slim.config")]
    run(processes.isolated(script, part.path / "pid"))
    release = roots.kernel_release(part.builder)
    part.release_file.write_text(f"{release}\n", encoding="ascii")
    shutil.copyfile(part.builder / f"boot/vmlinuz-{release}", part.kernel)
