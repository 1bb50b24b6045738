# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The products that a vendor ships kernels for, and the hosts that have them."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import Distribution

_CPE = re.compile(
    r"cpe:(?:/[aoh]|2\.3:[aoh]):(?P<vendor>[^:]+):(?P<product>[^:]+)(?::(?P<version>[^:]*))?(?::(?P<update>[^:]*))?",
    re.IGNORECASE,
)
_OPENEULER = re.compile(r"openEuler-(\d\d\.\d\d[\w.-]*)\Z", re.IGNORECASE)
_SERVICE_PACK = re.compile(r"sp(\d+)\Z", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"\((LTS[^)]*)\)")
_OLD_LINE = "20.03-LTS"

OPENEULER, RHEL, SLES = "openeuler", "rhel", "sles"

_EXACT = (OPENEULER, SLES)
"""Whose version names one service pack. That of another product is the beginning of the host's: RHEL 9, and 9.4."""

_SAME: t.Mapping[str, str] = {"sle_hpc": SLES, "sled": SLES, "sles_sap": SLES}
"""ID in os-release -> the ID of the product whose kernels it has."""

_BY_CPE: t.Mapping[tuple[str, str], str] = {
    ("canonical", "ubuntu_linux"): "ubuntu",
    ("debian", "debian_linux"): "debian",
    ("opensuse", "leap"): "opensuse-leap",
    ("opensuse", "tumbleweed"): "opensuse-tumbleweed",
    ("suse", "suse-microos"): "sle-micro",
}
"""Vendor and product of a CPE -> ID in os-release, where that is neither the product nor told by its beginning."""

_BEGINNINGS: t.Sequence[tuple[str, str, str]] = (
    ("redhat", "enterprise_linux", RHEL),
    ("redhat", "rhel_", RHEL),
    ("suse", "sle-micro", "sle-micro"),
    ("suse", "sle", SLES),
    ("suse", "suse_sle", SLES),
)
"""Vendor, the beginning of a product, ID: modules of SLES and long streams of RHEL have CPEs of their own."""


@dataclass(frozen=True)
class Product:
    """A product of an advisory: `id` and `version` are those of the os-release of its hosts, as far as they are known.

    For openEuler `version` is the line, such as 22.03-LTS-SP4.
    """

    name: str
    vendor: str = ""
    id: str = ""
    version: str = ""

    @property
    def is_of_suse(self) -> bool:
        return self.vendor in ("suse", "opensuse")

    def is_on(self, host: Distribution) -> bool:
        """Whether the host has this product."""
        if not self.id or self.id != _SAME.get(host.id or "", host.id):
            return False
        version = line_of_host(host) if self.id == OPENEULER else host.version
        if not version or not self.version:
            return False
        return version == self.version or (self.id not in _EXACT and version.startswith(f"{self.version}."))


def product_of(name: str, cpe: str | None) -> Product:
    """The product of this name, which its CPE tells. Without one only openEuler is told by its name."""
    match = _CPE.match(cpe or "")
    if match is None:
        line = _OPENEULER.match(name)
        vendor = "suse" if name.startswith(("SUSE ", "openSUSE ")) else ""
        return Product(name, OPENEULER, OPENEULER, line[1]) if line else Product(name, vendor)
    vendor, product, version = match["vendor"].lower(), match["product"].lower(), match["version"] or ""
    if vendor == OPENEULER:
        # Some have the version behind a hyphen instead of a colon.
        line = _OPENEULER.match(match["product"])
        return Product(name, vendor, OPENEULER, version or (line[1] if line else ""))
    by_beginning = (own for of, start, own in _BEGINNINGS if vendor == of and product.startswith(start))
    pack = _SERVICE_PACK.match(match["update"] or "")
    if pack and vendor == "suse":
        version = f"{version}.{pack[1]}"
    return Product(name, vendor, _BY_CPE.get((vendor, product)) or next(by_beginning, product), version)


def line_of_host(host: Distribution) -> str | None:
    """The line of openEuler that the host has. Kernels of all service packs of 20.03 but the last end in `.oe1`."""
    if host.line != _OLD_LINE:
        return host.line
    named = _IN_BRACKETS.search(host.name or "")
    return f"{host.version}-{named[1]}" if named and host.version == "20.03" else None
