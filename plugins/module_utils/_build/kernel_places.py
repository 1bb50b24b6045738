# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Where the distributions put what a kernel was built from, and what they call the packages."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import (
    DEBIAN,
    OPENEULER,
    REDHAT,
    SUSE,
    Distribution,
    read_distribution,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

_VMLINUX = (
    "/usr/lib/debug/lib/modules/{release}/vmlinux",  # openEuler, RHEL, Fedora
    "/usr/lib/debug/usr/lib/modules/{release}/vmlinux",
    "/usr/lib/debug/boot/vmlinux-{release}",  # Debian, Ubuntu
    "/usr/lib/debug/boot/vmlinux-{release}.debug",  # SUSE
    "/usr/lib/debug/lib/modules/{release}/vmlinux.debug",
    "/usr/lib/debug/usr/lib/modules/{release}/vmlinux.debug",
)

_CONFIGS = ("/boot/config-{release}", "/lib/modules/{release}/config", "/usr/lib/modules/{release}/config")

_SOURCES = (
    "/usr/src/linux-{release}",  # openEuler
    "/usr/src/linux-{without_flavour}",  # SUSE
    "/usr/src/linux-source-{line}",  # Debian, where somebody has unpacked it
    "/usr/src/linux-source-{line}.0",  # Ubuntu
)

_PACKED = ("/usr/src/linux-source-{line}.tar.xz", "/usr/src/linux-source-{line}.0/linux-source-{line}.0.tar.bz2")

DEBUG_PACKAGES: t.Mapping[str, str] = {
    OPENEULER: "kernel-debuginfo-{release}",
    REDHAT: "kernel-debuginfo-{release}",
    DEBIAN: "linux-image-{release}-dbg",
    "ubuntu": "linux-image-{release}-dbgsym",
    SUSE: "kernel-{flavour}-debuginfo",
}
"""Family, or ID of a distribution whose name is another -> the package with the vmlinux that has debug information."""


def _named(pattern: str, release: str) -> str:
    line = re.match(r"\d+\.\d+", release)
    flavour = release.rpartition("-")[2] if re.search(r"-[a-z_]+\Z", release) else "default"
    return pattern.format(
        release=release,
        line=line.group() if line else release,
        flavour=flavour,
        without_flavour=re.sub(r"-[a-z_]+\Z", "", release),
    )


def vmlinux_places(release: str) -> list[str]:
    """Where the distributions put the vmlinux of a release, the likeliest first."""
    return [_named(place, release) for place in _VMLINUX]


def config_places(release: str, source: str) -> list[str]:
    return [f"{source}/.config", *(_named(place, release) for place in _CONFIGS)]


def build_tree_of(release: str) -> str:
    """Where the build tree of a release is, or its headers."""
    return f"/lib/modules/{release}/build"


def source_of(release: str) -> str:
    """The source of a release: the first of the usual places that is there, or else the first."""
    places = [_named(place, release) for place in _SOURCES]
    return next((place for place in places if os.path.isdir(place)), places[0])


def packed_source(release: str) -> str | None:
    """An archive with the source of a release, which somebody has to unpack."""
    return next((path for path in (_named(place, release) for place in _PACKED) if os.path.isfile(path)), None)


def debug_package_here(release: str) -> str:
    """What to install on this host for the vmlinux of a release."""
    return debug_package(read_distribution(Files(), release), release)


def debug_package(distribution: Distribution, release: str) -> str:
    """What to install for the vmlinux of a release, in words for a sentence."""
    pattern = DEBUG_PACKAGES.get(distribution.id or "") or DEBUG_PACKAGES.get(distribution.like or "")
    if pattern:
        return _named(pattern, release)
    return _named("the kernel's package with debug information, such as kernel-debuginfo-{release}", release)
