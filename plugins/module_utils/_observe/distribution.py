# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Which distribution a host has (os-release(5)), whose packages it has, and which line of openEuler's kernels."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import known
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of, one_line

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")

OPENEULER, REDHAT, DEBIAN, SUSE = "openEuler", "RedHat", "Debian", "SUSE"

RELATIVES: t.Mapping[str, str] = {
    "alinux": REDHAT,
    "almalinux": REDHAT,
    "anolis": REDHAT,
    "centos": REDHAT,
    "debian": DEBIAN,
    "euleros": OPENEULER,
    "fedora": REDHAT,
    "hce": OPENEULER,
    "kylin": OPENEULER,
    "ol": REDHAT,
    "opencloudos": REDHAT,
    "openeuler": OPENEULER,
    "opensuse": SUSE,
    "opensuse-leap": SUSE,
    "opensuse-tumbleweed": SUSE,
    "rhel": REDHAT,
    "rocky": REDHAT,
    "sles": SUSE,
    "suse": SUSE,
    "tencentos": REDHAT,
    "ubuntu": DEBIAN,
}
"""ID in os-release, in small letters -> the family whose names of packages and paths it has.

An ID that is not here is looked up by its ID_LIKE. So is one whose editions differ: desktops of Kylin and UOS are like
Debian, servers of UOS are of several kinds. Ampere ships kernels, and no distribution.
"""

_ASSIGNMENT = re.compile(r"^([A-Z0-9_]+)=(.*)$")

# The package's release ends in that of the distribution: 5.10.0-216.0.0.115.oe2203sp4.x86_64, 4.19.90-...oe1.x86_64.
_LINE = re.compile(r"\.oe(?:(?P<first>1)|(?P<year>\d\d)(?P<month>\d\d)(?P<pack>sp\d+)?)(?:\.|$)")

_LONG_TERM = ("20.03", "22.03", "24.03")


@dataclass(frozen=True)
class Distribution:
    """What a host says of its distribution. A value is None where it does not say.

    `id` is in small letters. `like` is the family whose names of packages and paths it has. `line` is that of
    openEuler's whose kernel the host runs, such as 22.03-LTS-SP4: the kernel tells it.
    """

    id: str | None = None
    name: str | None = None
    version: str | None = None
    like: str | None = None
    line: str | None = None


def read_distribution(files: Files, release: str) -> Distribution:
    """The distribution of a host that runs the kernel of this release."""
    text = next((found for found in (known(files.text(path)) for path in OS_RELEASE) if found is not None), "")
    fields = parse_os_release(text)
    own = fields.get("ID", "").lower() or None
    return Distribution(
        id=own,
        name=fields.get("PRETTY_NAME") or fields.get("NAME"),
        version=fields.get("VERSION_ID"),
        like=_family(own, fields.get("ID_LIKE", "").lower().split()),
        line=line_of(release),
    )


def _family(own: str | None, others: t.Sequence[str]) -> str | None:
    # A desktop of a distribution whose servers are like openEuler.
    if RELATIVES.get(own or "") == OPENEULER and own != "openeuler" and DEBIAN in map(RELATIVES.get, others):
        return DEBIAN
    return next((RELATIVES[name] for name in (own or "", *others) if name in RELATIVES), None)


def parse_os_release(text: str) -> dict[str, str]:
    """The values of an os-release file, which is written as a shell would read it. Other lines are left out."""
    found = (_ASSIGNMENT.match(line.strip()) for line in lines_of(text))
    return {match.group(1): one_line(_unquoted(match.group(2))) for match in found if match}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return re.sub(r'\\(["$`\\\\])', r"\1", value)


def line_of(release: str) -> str | None:
    """The line of openEuler's distributions that a kernel release is of, or None."""
    match = _LINE.search(release)
    if match is None:
        return None
    if match.group("first"):
        return "20.03-LTS"
    version = f"{match.group('year')}.{match.group('month')}"
    line = version + "-LTS" if version in _LONG_TERM else version
    return line + (f"-{match.group('pack').upper()}" if match.group("pack") else "")
