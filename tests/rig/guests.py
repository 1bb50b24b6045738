# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the images of the VMs are made of, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guest:
    """What the image of a VM is made of."""

    machines: str
    """What the names of its machines begin with; empty if any other name is one."""

    suite: str
    """The name of the distribution's release."""

    architecture: str
    """The distribution's name of the machine's architecture."""

    packages: tuple[str, ...]
    """The files of the recipe that list the packages."""

    kernel: str | None
    """The package of its kernel; None if it runs that of the default image, or one of the rig's own."""


DEFAULT = Guest(
    "", "trixie", "amd64", ("common.packages", "vm.packages", "kpatch.packages"), kernel="linux-image-cloud-amd64"
)
ARM64 = Guest("arm64", "trixie", "arm64", ("common.packages", "vm.packages"), kernel=None)
OTHERS = (
    # The versions of Python and systemd that openEuler 22.03-LTS and 24.03-LTS have, or nearly these.
    Guest("bullseye", "bullseye", "amd64", ("common.packages", "vm.packages", "python37.packages"), kernel=None),
    Guest("bookworm", "bookworm", "amd64", ("common.packages", "vm.packages"), kernel=None),
    ARM64,
)


def named(machine: str) -> Guest:
    """What the machine with this name runs: another userland if the name begins so, else the default."""
    return next((guest for guest in OTHERS if machine.startswith(guest.machines)), DEFAULT)
