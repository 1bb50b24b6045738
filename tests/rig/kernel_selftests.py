# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The livepatch selftests of the Linux kernel, from a source package of the distribution."""

from __future__ import annotations

import shutil
from pathlib import Path

import roots
from cache import HERE
from fetched import Fetched

SELFTESTS = Fetched(
    kind="selftests",
    # Suites of the stable release's own kernel lack scenarios; the newer ones run on its kernel as well.
    suite=roots.BACKPORTS,
    script=HERE / "kernel_selftests" / "fetch.sh",
    title="fetch the kernel's livepatch selftests",
    free_bytes=1024**3,
    uses=(HERE / "download-kernel-source.sh",),
)


def copy(target: Path) -> str:
    """Copy the suite into the directory, and return the name and version of the package that it is from."""
    suite = SELFTESTS.prepare() / "livepatch"
    shutil.copytree(suite, target, dirs_exist_ok=True)
    return (suite / "PACKAGE").read_text(encoding="ascii").strip()
