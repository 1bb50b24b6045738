# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""A package of a distribution, and its package URL (purl), by which scanners know it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass
from urllib.parse import quote

RPM, DPKG = "rpm", "dpkg"

LONGEST_TEXT = 200
"""Characters of a name or version. A longer one is none."""

_MOST_EPOCH = 1 << 31

_PATTERNS = {
    "name": re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*\Z"),
    "version": re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^:-]*\Z"),
    "release": re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^]*\Z"),
    "arch": re.compile(r"[a-z][a-z0-9_-]*\Z"),
}

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*\Z")

_TYPES = {RPM: "rpm", DPKG: "deb"}

_NAMESPACES = (("rhel", "redhat"), ("opensuse-leap", "opensuse"), ("opensuse-tumbleweed", "opensuse"))
"""ID in os-release -> the namespace that scanners have in purls instead of it."""


@dataclass(frozen=True)
class Package:
    """A package. `release` is rpm's, or the revision of Debian; None where the version has none. Raises ValueError.

    `manager` is `rpm` or `dpkg`. No text has a character that neither of them allows.
    """

    manager: str
    name: str
    version: str
    arch: str
    release: str | None = None
    epoch: int = 0

    def __post_init__(self) -> None:
        if self.manager not in _TYPES or not 0 <= self.epoch < _MOST_EPOCH:
            raise ValueError("no package manager, or no epoch")
        for key, pattern in _PATTERNS.items():
            text = getattr(self, key)
            if text is not None and not (len(text) <= LONGEST_TEXT and pattern.match(text)):
                raise ValueError(f"no {key}")
        if self.manager == RPM and (self.release is None or not _PATTERNS["release"].match(self.version)):
            raise ValueError("no version of rpm")

    @property
    def full_version(self) -> str:
        """VERSION-RELEASE, with the epoch of dpkg, which is part of its versions."""
        whole = f"{self.version}-{self.release}" if self.release else self.version
        return f"{self.epoch}:{whole}" if self.epoch and self.manager == DPKG else whole

    def purl(self, of: str | None, version: str | None = None) -> str | None:
        """The purl, in the distribution with this ID and this VERSION_ID of os-release; None if nothing tells the ID.

        Without a version it has no qualifier `distro`.
        """
        if not of or not _ID.match(of):
            return None
        qualifiers = {"arch": self.arch}
        if version:
            qualifiers["distro"] = f"{of}-{version}"
        if self.epoch and self.manager == RPM:
            qualifiers["epoch"] = str(self.epoch)
        parts = (_TYPES[self.manager], dict(_NAMESPACES).get(of, of), self.name)
        options = "&".join(f"{key}={encoded(qualifiers[key])}" for key in sorted(qualifiers))
        return f"pkg:{'/'.join(map(encoded, parts))}@{encoded(self.full_version)}?{options}"

    def to_dict(self) -> dict[str, t.Any]:
        """Plain types only, for results."""
        return asdict(self)


def encoded(text: str) -> str:
    """The text as a part of a purl, which leaves a colon as it is."""
    return quote(text, safe=":")
