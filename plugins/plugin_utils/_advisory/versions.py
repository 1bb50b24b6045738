# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Compares versions of packages by the rules of their format. The format's own library knows them, and nothing else."""

from __future__ import annotations

import importlib
import typing as t

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.kernels import DEB, RPM

Compare = t.Callable[[str, str, str], "int | None"]

NEEDED: t.Mapping[str, str] = {
    RPM: "Install python3-rpm on the controller, for the Python that runs Ansible.",
    DEB: "Install python3-apt or python3-debian on the controller, for the Python that runs Ansible.",
}
"""What to do where versions cannot be compared, by the rules."""


def compare(rules: str, left: str, right: str) -> int | None:
    """Below, at or above zero as the left version is older, equal or newer; None if no library at hand can tell."""
    if left == right:
        return 0
    try:
        return {RPM: _by_rpm, DEB: _by_dpkg}[rules](left, right)
    except (ImportError, AttributeError, TypeError, ValueError):
        return None


def _by_rpm(left: str, right: str) -> int:
    rpm: t.Any = importlib.import_module("rpm")
    # Kernels have no epoch.
    return int(rpm.labelCompare(("0", *left.split("-", 1)), ("0", *right.split("-", 1))))


def _by_dpkg(left: str, right: str) -> int:
    try:
        apt_pkg: t.Any = importlib.import_module("apt_pkg")
    except ImportError:
        support: t.Any = importlib.import_module("debian.debian_support")
        return int(support.version_compare(left, right))
    apt_pkg.init_system()
    return int(apt_pkg.version_compare(left, right))
