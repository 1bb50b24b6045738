# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which userland a machine of the rig has goes by its name, and a mirror that has dropped a release is told apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RIG = Path(__file__).resolve().parents[1] / "rig"


def rig(code: str) -> str:
    """What this code prints among the modules of the rig, which are no package."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=RIG, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("machine", "suite"),
    [
        ("vm1", "trixie"),
        ("slim1", "trixie"),
        ("bullseye1", "bullseye"),
        ("bookworm-2", "bookworm"),
        ("my-bookworm", "trixie"),
        ("arm64-1", "trixie"),
    ],
)
def test_the_name_of_a_machine_says_what_it_runs(machine: str, suite: str) -> None:
    assert rig(f"import guests; print(guests.named({machine!r}).suite)") == suite


def test_other_userlands_run_the_kernel_of_the_default_image() -> None:
    kernels = rig("import guests; print(guests.DEFAULT.kernel, *(guest.kernel for guest in guests.OTHERS))")
    assert kernels == "linux-image-cloud-amd64 None None None"


APT = "E: The repository 'http://mirror/debian buster Release' does not have a Release file.\n"


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (f"Err:1 http://mirror/debian buster Release\n{APT}N: Updating from such a repository", True),
        ("E: Failed to fetch http://mirror/debian/dists/bullseye/InRelease  Could not resolve 'mirror'\n", False),
    ],
)
def test_a_mirror_that_has_dropped_a_release_is_told_apart_from_one_that_is_not_reached(
    output: str, found: bool
) -> None:
    assert rig(f"import userlands; print(userlands.GONE.search({output!r}) is not None)") == str(found)


def test_the_recipe_of_one_userland_alone_is_part_of_its_key() -> None:
    code = """
import pathlib, tempfile, cache, guests, userlands
base = cache.Entry(pathlib.Path("rig-0"))
with tempfile.TemporaryDirectory() as directory:
    for name in {name for guest in guests.OTHERS for name in guest.packages}:
        pathlib.Path(directory, name).write_text(name)
    pathlib.Path(directory, "python37.packages").write_text("other")
    cache.RECIPE = pathlib.Path(directory)
    changed = [userlands.current_entry(base, guest).path for guest in guests.OTHERS]
    pathlib.Path(directory, "python37.packages").write_text("another")
    again = [userlands.current_entry(base, guest).path for guest in guests.OTHERS]
print([one == other for one, other in zip(changed, again)])
"""
    assert rig(code) == "[False, True, True]"
