# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths of the rig in the cache, and the locks on them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import guests
from commands import RigError

HERE = Path(__file__).resolve().parent
RECIPE = HERE / "recipe"

# These files decide the content of the default images; NOT_IN_IMAGES does not.
RECIPE_CODE = (HERE / "roots.py",)
NOT_IN_IMAGES = ("serve-builder.sh", "customize-stand-in.sh", "stand-in.packages", "python37.packages")

# Paths go into mount options, QEMU options and ssh options, which each have their own special characters.
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/@+-]+")
PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")


def cache_root() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(home).resolve() / "openeuler-livepatch"
    if not PLAIN_PATH.fullmatch(str(root)):
        raise RigError(
            f"The cache cannot be in {root}: use a path of letters, digits and ._/@+- (XDG_CACHE_HOME).", status=2
        )
    return root


def recipe_key() -> str:
    """The start of a digest of all files that the images depend on."""
    digest = hashlib.sha256()
    files = [path for path in sorted(RECIPE.iterdir()) if path.name not in NOT_IN_IMAGES]
    for path in [*files, *RECIPE_CODE]:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.name} {content}\n".encode())
    digest.update(repr(guests.DEFAULT).encode())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Entry:
    """The files of one prepared rig."""

    path: Path

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def private_key(self) -> Path:
        return self.keys / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.keys / "known_hosts"

    @property
    def builder(self) -> Path:
        return self.path / "builder"

    @property
    def image(self) -> Path:
        return self.path / "vm.raw"

    @property
    def kernel(self) -> Path:
        return self.path / "vmlinuz"

    @property
    def release_file(self) -> Path:
        return self.path / "kernel-release"

    @property
    def release(self) -> str:
        return self.release_file.read_text(encoding="ascii").strip()


def current_entry() -> Entry:
    return Entry(cache_root() / f"rig-{recipe_key()}")


def runs() -> Path:
    return cache_root() / "run"


def run_directory(instance: str) -> Path:
    check_name(instance)
    return runs() / instance


def check_name(name: str) -> None:
    if not PLAIN_NAME.fullmatch(name):
        raise RigError(f"{name!r} is not a usable name: small letters, digits, - and _ only.", status=2)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; wait for another rig that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"rig: waiting for another rig that holds {path}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
