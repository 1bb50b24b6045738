# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""Which packages are kernels, what `uname -r` prints of them, and which kernels an update comes after."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from urllib.parse import unquote

from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import line_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._advisory.products import Product

RPM, DEB = "rpm", "deb"

LONGEST = 200
"""Characters of the name of a package, with its version. A longer one is none."""

_PURL = re.compile(r"pkg:(rpm|deb)/(?:[^/@?#]+/)*([^/@?#]+)(?:@([^?#]*))?(?:\?([^#]*))?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^]*\Z")
_ARCH = re.compile(r"[a-z][a-z0-9_]*\Z")
_NO_KERNELS = ("src", "nosrc", "noarch", "source", "all")
_RPM_KERNEL = re.compile(r"kernel(?:-(rt|64k|debug|rt-debug|64k-debug|rt-64k|rt-64k-debug))?(?:-core)?\Z")
_SUSE_KERNEL = re.compile(
    r"kernel-(64kb|azure|coco|debug|default|kvmsmall|longterm|pae|preempt|rt|rt_debug|vanilla|xen|zfcpdump)\Z"
)
_DEB_KERNEL = re.compile(r"linux-image-(?:unsigned-)?(\d[\w.+~-]*)\Z")
_DEB_RELEASE = re.compile(r"(\d+\.\d+)\S*?-([a-z][a-z0-9-]*)\Z")
_DEB_VERSION = re.compile(r"\bDebian (\d\S*)")
_REAL_TIME = re.compile(r"\.rt\d")
_MACHINES: t.Mapping[str, str] = {"amd64": "x86_64", "arm64": "aarch64", "ppc64el": "ppc64le"}
"""What dpkg calls an architecture -> what the kernel does."""


@dataclass(frozen=True)
class Package:
    """A package of an advisory. `version` is VERSION-RELEASE as its format compares it, empty where it is not told."""

    name: str
    version: str = ""
    machine: str = ""
    rules: str = RPM


@dataclass(frozen=True)
class Running:
    """A kernel, by what its release tells. `line` names those that an update of it comes after."""

    release: str
    version: str
    flavour: str
    line: str


@dataclass(frozen=True)
class Kernel(Running):
    """A kernel that an advisory names as fixed: `cves` are those that are fixed in it."""

    package: str
    machine: str
    product: Product
    rules: str = RPM
    cves: tuple[str, ...] = ()


def package_of(purl: str | None, *names: str) -> Package | None:
    """The package that a purl or a name is of, such as kernel-core-0:5.14.0-427.31.1.el9_4.x86_64; None for neither."""
    match = _PURL.match(purl or "") if len(purl or "") <= 2 * LONGEST else None
    if match:
        kind, name, version, rest = (unquote(part or "") for part in match.groups())
        options = dict(option.partition("=")[::2] for option in rest.split("&"))
        machine = _MACHINES.get(options.get("arch", ""), options.get("arch", ""))
        return _checked(Package(name, version, machine, kind))
    found = (_of_name(name) for name in names if len(name) <= LONGEST)
    return next((package for package in found if package), None)


def _of_name(text: str) -> Package | None:
    text = text.removesuffix(".rpm")
    if _RPM_KERNEL.match(text) or _SUSE_KERNEL.match(text):
        return Package(text)
    rest, _dot, arch = text.rpartition(".")
    parts = rest.rsplit("-", 2)
    if len(parts) != 3:
        return None
    name, version, release = parts
    return _checked(Package(name, f"{version.rpartition(':')[2]}-{release}", arch))


def _checked(package: Package) -> Package | None:
    parts = package.version.split("-") if package.version else []
    is_plain = all(_WORD.match(part) for part in parts) and (not package.machine or _ARCH.match(package.machine))
    return package if is_plain and len(package.name) + len(package.version) <= LONGEST else None


def flavour_of(package: Package, product: Product) -> str | None:
    """The flavour of kernel that the package is, empty for the usual one of most products; None if it is no kernel."""
    if package.rules == DEB:
        match = _DEB_KERNEL.match(package.name)
        release = _DEB_RELEASE.match(match[1]) if match else None
        return release[2] if release else None
    match = (_SUSE_KERNEL if product.is_of_suse else _RPM_KERNEL).match(package.name)
    return match[1] or "" if match else None


def kernel_of(package: Package, product: Product) -> Kernel | None:
    """The kernel in this package of the product; None if a host runs none of it, or the version is missing."""
    flavour = flavour_of(package, product)
    if flavour is None or not package.version or not package.machine or package.machine in _NO_KERNELS:
        return None
    version = package.version
    if package.rules == DEB:
        release = package.name.removeprefix("linux-image-").removeprefix("unsigned-")
        whole = f"{package.name}_{version}"
    elif product.is_of_suse:
        # The last number counts rebuilds of one source, and is in no name of a kernel.
        version = version.rpartition(".")[0] or version
        release = f"{version}-{flavour}"
        whole = f"{package.name}-{package.version}.{package.machine}"
    else:
        release = f"{version}.{package.machine}" + _ending(version, flavour)
        whole = f"{package.name}-{version}.{package.machine}"
    line = _line(release if package.rules == DEB else version, package.rules)
    return Kernel(release, version, flavour, line, whole, package.machine, product, package.rules)


def _ending(version: str, flavour: str) -> str:
    """What follows the architecture. Older kernels for real time have it in their version."""
    return f"+{flavour}" if flavour and not (flavour == "rt" and _REAL_TIME.search(version)) else ""


def running_kernel(release: str, machine: str, product: Product, rules: str, built: str) -> Running | None:
    """The kernel that a host with this product runs; None if its release is not as the product's packages have it.

    `built` is what `uname -v` prints: Debian has the version of the package there.
    """
    if rules == DEB:
        match, version = _DEB_RELEASE.match(release), _DEB_VERSION.search(built)
        return Running(release, version[1], match[2], match[1]) if match and version else None
    if product.is_of_suse:
        own, _hyphen, flavour = release.rpartition("-")
        return _running(release, own, flavour)
    if not machine:
        return None
    own, _dot, flavour = release.rpartition(f".{machine}")
    flavour = flavour.lstrip("+.")
    return _running(release, own, flavour or ("rt" if _REAL_TIME.search(own) else ""))


def _running(release: str, version: str, flavour: str) -> Running | None:
    is_one = version.count("-") == 1 and all(_WORD.match(part) for part in version.split("-"))
    return Running(release, version, flavour, _line(version, RPM)) if is_one and len(release) <= LONGEST else None


def _line(version: str, rules: str) -> str:
    if rules == DEB:
        match = _DEB_RELEASE.match(version)
        return match[1] if match else version
    # The first number of a release is that of the minor release or service pack; openEuler's grows within one.
    upstream, _hyphen, release = version.partition("-")
    return line_of(version) or f"{upstream}-{release.partition('.')[0]}"
