# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernels of our own with their source and a build host: for kpatch-build, for klp-build, and with a cross compiler."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cache
import host
import processes
import roots
from cache import HERE, Entry
from commands import run

RECIPE = HERE / "test_kernel"
BUILD = RECIPE / "build-kernel.sh"
SLIM = RECIPE / "slim.config"
COMMON = (cache.RECIPE / "common.packages", cache.RECIPE / "customize-common.sh", cache.RECIPE / "sshd.conf")
CODE = (HERE / "roots.py", HERE / "test_kernel.py")
FREE_BYTES = 12 * 1024**3


@dataclass(frozen=True)
class Kernel:
    """One kernel of our own: the files that it is made from."""

    prefix: str
    """What the names of its entries in the cache begin with."""
    arch: str
    image: str
    configs: Sequence[Path]
    packages: Path
    hook: Path
    """What puts more into the root than its package manager does."""
    hook_uses: Sequence[Path] = ()
    suites: Sequence[str] = ()
    """Suites that its packages come from, besides the release's own."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that the result depends on."""
        return (BUILD, *self.configs, self.packages, self.hook, *self.hook_uses, *COMMON, *CODE)

    @property
    def recipe_key(self) -> str:
        """A short name for these files with their content."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return digest.hexdigest()[:12]


X86 = Kernel(
    prefix="kernel",
    arch="x86",
    image="bzImage",
    configs=(SLIM,),
    packages=RECIPE / "kernel-builder.packages",
    hook=RECIPE / "install-kpatch.sh",
)
ARM64 = Kernel(
    prefix="kernel_arm64",
    arch="arm64",
    image="Image",
    configs=(SLIM, RECIPE / "slim-arm64.config"),
    packages=RECIPE / "kernel-builder-arm64.packages",
    hook=RECIPE / "install-source.sh",
    hook_uses=(HERE / "download-kernel-source.sh",),
    # The stable release's own kernel has no live patching there.
    suites=(roots.BACKPORTS,),
)
# The first Linux with klp-build is 6.19: it is built of the same source.
X86_7 = replace(
    ARM64,
    prefix="kernel_7",
    arch="x86",
    image="bzImage",
    configs=(SLIM,),
    packages=RECIPE / "kernel-builder-7.packages",
)
KERNELS = (X86, X86_7, ARM64)


def current_entry(kernel: Kernel) -> Entry:
    return Entry(cache.cache_root() / f"{kernel.prefix}-{kernel.recipe_key}")


def kept(entry: Entry) -> Path:
    """What the build host keeps from one run to the next, such as the caches of its builds."""
    return entry.path / "kept"


def prepare(base: Entry, kernel: Kernel) -> Entry:
    """The test kernel and its build host, made now if this machine does not have them yet."""
    entry = current_entry(kernel)
    if not entry.path.is_dir():
        host.check_disk(entry.path, FREE_BYTES)
        with cache.locked(cache.cache_root() / f"{kernel.prefix}.lock"):
            if not entry.path.is_dir():
                build(base, entry, kernel)
    return entry


def build(base: Entry, entry: Entry, kernel: Kernel) -> None:
    """Make everything in a temporary directory, which becomes the entry when it is complete."""
    discard_parts(kernel)
    part = Entry(Path(tempfile.mkdtemp(prefix=f"{entry.path.name}.part-", dir=entry.path.parent)))
    part.path.chmod(0o755)
    part.keys.symlink_to(base.keys)
    try:
        with roots.stage(f"install the root of the test kernel's build host ({kernel.arch})"):
            install(part, kernel)
        with roots.stage(f"build the test kernel for {kernel.arch} (6 to 12 minutes)"):
            compile_kernel(part, kernel)
        kept(part).mkdir()
        part.keys.unlink()
        part.path.rename(entry.path)
    except BaseException:
        roots.discard(part.path)
        raise


def discard_parts(kernel: Kernel) -> None:
    """Remove what interrupted runs have left."""
    for path in cache.cache_root().glob(f"{kernel.prefix}-*.part-*"):
        roots.discard(path)


def install(part: Entry, kernel: Kernel) -> None:
    packages = roots.packages_of("common.packages") + roots.recipe_lines(kernel.packages)
    hooks = [roots.COMMON, kernel.hook]
    command = roots.mmdebstrap(part, part.builder, packages, hooks, suites=kernel.suites)
    run(processes.isolated(command, part.path / roots.PID))


def compile_kernel(part: Entry, kernel: Kernel) -> None:
    script = ["sh", str(BUILD), str(part.builder), kernel.arch, kernel.image, *map(str, kernel.configs)]
    run(processes.isolated(script, part.path / roots.PID))
    release = roots.kernel_release(part.builder)
    part.release_file.write_text(f"{release}\n", encoding="ascii")
    shutil.copyfile(part.builder / f"boot/vmlinuz-{release}", part.kernel)
