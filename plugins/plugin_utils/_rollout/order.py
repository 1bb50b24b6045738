# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Which hosts of a rollout are the canaries, and in which order the others follow. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fleet:
    """The names of hosts: those of the rollout, those that the canaries are drawn from, and what was found of them.

    `found` is empty if no host was looked at yet. `needless` are the hosts that the release has no file for: such a
    host cannot show what the patch does.
    """

    hosts: tuple[str, ...]
    canaries: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    needless: tuple[str, ...] = ()


def fleet_of(hosts: Sequence[str], canaries: Sequence[str], found: Sequence[str], needless: Sequence[str]) -> Fleet:
    """The fleet without the hosts that were not looked at, such as those that --limit leaves out."""
    known = frozenset(found or hosts)
    return Fleet(tuple(host for host in hosts if host in known), tuple(canaries), tuple(found), tuple(needless))


def canaries(fleet: Fleet) -> list[str]:
    """The canaries that the release has a file for.

    If it has none for any of them they are all kept: their wave then says that nobody was patched.
    """
    mine = [host for host in fleet.canaries if host in frozenset(fleet.hosts)]
    return [host for host in mine if host not in fleet.needless] or mine


def others(fleet: Fleet) -> list[str]:
    """The hosts after the canaries, those last that the release has no file for."""
    first, needless = frozenset(canaries(fleet)), frozenset(fleet.needless)
    rest = [host for host in fleet.hosts if host not in first]
    return [host for host in rest if host not in needless] + [host for host in rest if host in needless]
