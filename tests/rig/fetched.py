# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is taken out of packages of a suite without installing them, and kept in the cache."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cache
import host
import processes
import roots
from cache import HERE
from commands import run


@dataclass(frozen=True)
class Fetched:
    """A script takes it: a hook of mmdebstrap, which gets the directory and whose APT_CONFIG knows the suite."""

    kind: str
    suite: str
    script: Path
    title: str
    free_bytes: int
    uses: tuple[Path, ...] = ()
    """What the script uses."""

    @property
    def entry(self) -> Path:
        digest = hashlib.sha256(self.suite.encode())
        for path in (self.script, *self.uses, HERE / "fetched.py"):
            digest.update(path.read_bytes())
        return cache.cache_root() / f"{self.kind}-{digest.hexdigest()[:12]}"

    @property
    def root(self) -> Path:
        return self.entry / "root"

    def prepare(self) -> Path:
        """The directory that the script has filled, which is done now if this machine does not have it yet."""
        if not self.entry.is_dir():
            host.check_disk(self.entry, self.free_bytes)
            with cache.locked(cache.cache_root() / f"{self.kind}.lock"):
                if not self.entry.is_dir():
                    self.fetch()
        return self.root

    def fetch(self) -> None:
        """Fill a temporary directory, which becomes the entry when it is complete."""
        self.discard_parts()
        part = Path(tempfile.mkdtemp(prefix=f"{self.entry.name}.part-", dir=self.entry.parent))
        part.chmod(0o755)
        try:
            with roots.stage(self.title):
                run(processes.isolated(self.command(part), part / roots.PID))
            part.rename(self.entry)
        except BaseException:
            roots.discard(part)
            raise

    def command(self, part: Path) -> list[str]:
        """The mmdebstrap that installs nothing: its package manager fetches the packages for the hook."""
        archive = host.debian_archive(self.suite)
        argv = ["mmdebstrap", "--mode=root", "--variant=custom", "--format=directory"]
        argv += [f"--aptopt={option}" for option in host.proxy_options()]
        return [*argv, f'--customize-hook=sh {self.script} "$1"', roots.SUITE, str(part / "root"), archive]

    def parts(self) -> Iterator[Path]:
        """What interrupted runs have left."""
        return cache.cache_root().glob(f"{self.kind}-*.part-*")

    def discard_parts(self) -> None:
        for path in self.parts():
            roots.discard(path)
