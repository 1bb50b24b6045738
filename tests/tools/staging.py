# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the collection where Ansible's tools look for it: <somewhere>/ansible_collections/openeuler/livepatch.

`tree` mirrors the checkout there (what git tracks or would track); `artifact` builds and installs it as a user would.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from toolbox import CHECKOUT, WORK, Stop, capture, lock, tool_environ, tools

COLLECTIONS = WORK / "collections"
INSTALLED = WORK / "installed"
ARTIFACT = WORK / "artifact"
STAGED = COLLECTIONS / "ansible_collections" / "openeuler" / "livepatch"
KEEP = (".git", "tests/output")


def tree() -> Path:
    """Make the staged tree equal to the checkout and return it. Unchanged files stay as they are."""
    listed = capture(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    wanted = {name for name in listed.split("\0") if name and is_staged(CHECKOUT / name)}
    if not wanted:
        raise Stop(f"{CHECKOUT} has no files that git knows of: work in a git clone.")
    with lock(f"stage-{WORK.name}"):
        STAGED.mkdir(parents=True, exist_ok=True)
        if not (STAGED / ".git").exists():
            capture(["git", "init", "--quiet", "."], cwd=STAGED)
        prune(STAGED, wanted)
        for name in sorted(wanted):
            copy(CHECKOUT / name, STAGED / name)
        capture(["git", "add", "--all"], cwd=STAGED)  # ansible-test, ansible-lint and reuse ask git which files count
    return STAGED


def is_staged(path: Path) -> bool:
    """Whether a file that git tracks or would track exists, and is not a link to a folder.

    ansible-test allows no such link. The only one, extensions/molecule, is for Molecule and not in the artifact.
    """
    return os.path.lexists(path) and not (path.is_symlink() and path.is_dir())


def prune(folder: Path, wanted: set[str]) -> None:
    """Remove every file that is not wanted, and the folders that this leaves empty."""
    for entry in folder.iterdir():
        name = str(entry.relative_to(STAGED))
        if name in KEEP:
            continue
        if entry.is_dir() and not entry.is_symlink():
            prune(entry, wanted)
            if not any(entry.iterdir()):
                entry.rmdir()
        elif name not in wanted:
            entry.unlink()


def copy(source: Path, target: Path) -> None:
    """Copy one file or symbolic link, with its time stamp, unless the target is the same already."""
    if source.is_dir() and not source.is_symlink():
        raise Stop(f"{source} is a git repository inside the checkout: move it away.")
    if same(source, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def same(source: Path, target: Path) -> bool:
    """Whether two files agree in kind, mode, size and time stamp, or two symbolic links in their targets."""
    if not os.path.lexists(target):
        return False
    old, new = source.lstat(), target.lstat()
    if source.is_symlink() and target.is_symlink():
        return os.readlink(source) == os.readlink(target)
    return (old.st_mode, old.st_size, old.st_mtime_ns) == (new.st_mode, new.st_size, new.st_mtime_ns)


def artifact() -> Path:
    """Build the collection's artifact, install it without a server, and return the collections path that has it."""
    galaxy = tools() / "bin" / "ansible-galaxy"
    environ = tool_environ(ANSIBLE_COLLECTIONS_PATH=INSTALLED, ANSIBLE_NOCOLOR="1")
    staged = tree()
    with lock(f"artifact-{WORK.name}"):
        shutil.rmtree(ARTIFACT, ignore_errors=True)
        capture([galaxy, "collection", "build", "--output-path", ARTIFACT, staged], env=environ)
        built = built_artifact()
        options = ["--force", "--offline", "--no-deps"]
        capture([galaxy, "collection", "install", *options, "-p", INSTALLED, built], env=environ)
    print(f"    built {built}")
    print(f"    installed into {INSTALLED}", flush=True)
    return INSTALLED


def built_artifact() -> Path:
    """Return the file that artifact() has built."""
    (built,) = ARTIFACT.glob("openeuler-livepatch-*.tar.gz")
    return built
