# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""How the release of a kernel comes from the version of its source. Pure functions."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config


def numbers(text: str) -> tuple[int, ...]:
    """The numbers that a version or a kernel's release begins with; none if it begins with none."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(number) for number in found.group().split(".")) if found else ()


def three_numbers(version: str) -> tuple[int, ...]:
    """VERSION, PATCHLEVEL and SUBLEVEL; what is not told is 0."""
    return (*numbers(version), 0, 0, 0)[:3]


def base_of(release: str, version: str) -> str | None:
    """The beginning of a release that stands for the version of its source; None if it is another kernel's.

    Debian and Ubuntu count their own numbers behind VERSION.PATCHLEVEL.0, whatever stable release the source is.
    """
    if re.match(rf"{re.escape(version)}(?!\d)", release):
        return version
    own = re.match(r"\d+\.\d+(?:\.0(?![\d.]))?(?=-)", release)
    return own.group() if own and three_numbers(own.group())[:2] == three_numbers(version)[:2] else None


class ReleaseName(t.NamedTuple):
    """How to make a kernel's release: `base` is what the Makefile has to say, None for what it says; then `suffix`."""

    base: str | None
    suffix: str


AS_IT_IS = ReleaseName(None, "")
"""The release is what the source makes."""


def name_release(release: str | None, config: Config, version: str | None, local: str) -> ReleaseName | None:
    """How source, `localversion` files and configuration make this release. None if they contradict it."""
    release, version = release or "", version or ""
    base = base_of(release, version)
    if base is None:
        return None
    said = base + local + config.options.get("CONFIG_LOCALVERSION", "").strip('"')
    if not release.startswith(said):
        return None
    return ReleaseName(base if base != version else None, release[len(said) :])
