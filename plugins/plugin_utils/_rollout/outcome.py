# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Decides after a wave whether the rollout goes on, and counts what became of all hosts so far. Pure functions."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._plain import without_templates
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.hosts import Host, Status
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.waves import Wave, lines, stop_sentence


class End(str, Enum):
    """How a host has ended, for the totals. Each host is counted once."""

    PATCHED = "patched"
    ALREADY = "already"
    FIXED = "fixed"
    NO_PATCH_FILE = "no_patch_file"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    NOT_BEGUN = "not_begun"


_ENDS = {
    Status.ENABLED: End.PATCHED,
    Status.WOULD_BE_ENABLED: End.PATCHED,
    Status.ENABLED_BEFORE: End.ALREADY,
    Status.FIXED: End.FIXED,
    Status.NO_PATCH_FILE: End.NO_PATCH_FILE,
    Status.AS_BEFORE: End.ROLLED_BACK,
    Status.ROLLED_BACK: End.ROLLED_BACK,
    Status.WOULD_BE_ROLLED_BACK: End.ROLLED_BACK,
    Status.UNTOUCHED: End.NOT_BEGUN,
    Status.HAS_FILE: End.NOT_BEGUN,
}

_FAILED_WITH_PROBLEM = frozenset(
    {
        # Such a host has the patch, and for instance it could not be accepted.
        Status.ENABLED,
        Status.WOULD_BE_ENABLED,
        Status.ENABLED_BEFORE,
        # It could not be marked, or it has refused the patch, so that there was nothing to roll back.
        Status.UNTOUCHED,
        Status.HAS_FILE,
        Status.AS_BEFORE,
    }
)
"""The statuses of hosts that have failed if they have a problem."""

_WORDS = {
    End.PATCHED: "{count} patched",
    End.ALREADY: "{count} already enabled",
    End.FIXED: "{count} with a kernel that has the fix",
    End.NO_PATCH_FILE: "{count} without a patch file",
    End.FAILED: "{count} failed",
    End.ROLLED_BACK: "{count} rolled back",
    End.NOT_BEGUN: "{count} not begun",
}

_WELL = (Status.ENABLED, Status.WOULD_BE_ENABLED, Status.ENABLED_BEFORE, Status.FIXED, Status.NO_PATCH_FILE)
"""The statuses of hosts that lack nothing because other hosts of their wave have failed."""

_NOBODY = (
    "No host of this wave was patched, or had the patch already, so it shows nothing for the hosts that follow "
    "(livepatch_rollout_on_empty_wave is stop)."
)
_NOBODY_CHECKED = (
    "No host of this wave would be patched, or has the patch already, so it shows nothing for the hosts that follow "
    "(livepatch_rollout_on_empty_wave is stop)."
)
_NOBODY_AT_ALL = "No host was patched, and none had the patch already (livepatch_rollout_on_empty_wave is stop)."
_NOBODY_AT_ALL_CHECKED = (
    "No host would be patched, and none has the patch already (livepatch_rollout_on_empty_wave is stop)."
)


@dataclass(frozen=True)
class Rollout:
    """A rollout at the end of a wave.

    `names` are all its hosts in the order of the inventory, `earlier` those that waves before this one have ended
    with, `gone` the names of hosts that have left the play before their wave, and `needless` those that the release
    is known to have no file for. `limit` is the percentage of hosts that may fail, as it was given. `release_file` is
    the path of the release, empty if it is in no file.
    """

    fix: str
    limit: str
    names: tuple[str, ...]
    batch: tuple[Host, ...]
    earlier: tuple[Host, ...] = ()
    gone: frozenset[str] = frozenset()
    needless: frozenset[str] = frozenset()
    stops_on_empty_wave: bool = True
    is_check_mode: bool = False
    release_file: str = ""

    @property
    def begun(self) -> dict[str, Host]:
        """The hosts whose wave has begun, by their names."""
        return {host.name: host for host in (*self.earlier, *self.batch)}

    @property
    def not_begun(self) -> tuple[str, ...]:
        begun = self.begun
        return tuple(name for name in self.names if name not in begun)

    @property
    def following(self) -> tuple[str, ...]:
        """The hosts of later waves."""
        return tuple(name for name in self.not_begun if name not in self.gone)


@dataclass(frozen=True)
class Outcome:
    """What a wave has ended with.

    `stop` is a sentence about why the rollout stops, or empty. `hosts` are those of the wave, with their shortfall.
    `lines` are for the operator. `totals` count the hosts of all waves by how they have ended.
    """

    stop: str
    is_last: bool
    hosts: tuple[Host, ...]
    lines: tuple[str, ...]
    totals: Mapping[str, int]
    every_host: tuple[Mapping[str, t.Any], ...]


def conclude(rollout: Rollout, wave: Wave) -> Outcome:
    """The end of a wave: whether the rollout stops, which of its hosts are failed for it, and the totals."""
    stop = _stop(rollout, wave)
    is_last = not rollout.following
    hosts_have_failed = wave.must_stop or any(host.is_untouchable for host in rollout.batch)
    batch = _with_shortfalls(rollout, hosts_have_failed, stop)
    now = {**rollout.begun, **{host.name: host for host in batch}}
    totals = count(rollout.names, now)
    # Check mode stops nowhere, and its last wave lists the hosts of all.
    shown = [now[name] for name in rollout.names if name in now] if rollout.is_check_mode and is_last else batch
    told = ([stop] if stop else []) + lines(shown)
    if stop and not rollout.is_check_mode:
        told.append(f"Not begun: {', '.join(rollout.not_begun) or 'none'}")
    told.append(totals_line(rollout.fix, totals, rollout.is_check_mode))
    entries = tuple(_entry(name, now.get(name)) for name in rollout.names)
    return Outcome(stop, is_last, batch, tuple(told), totals, entries)


def outcome_data(outcome: Outcome, rollout: Rollout) -> dict[str, t.Any]:
    """The outcome as plain data: `summary` is for set_stats, `file` the same with all hosts.

    A workflow hands statistics to the next job as variables, whose texts Ansible would render.
    """
    of_earlier_waves = _of_earlier_waves(rollout)
    # Only check mode goes on after a wave that stops the rollout.
    stopped = outcome.stop or (of_earlier_waves if rollout.is_check_mode else "")
    texts = {"fix": rollout.fix, "release_file": rollout.release_file, "stopped": stopped}
    rest = {
        "is_check_mode": rollout.is_check_mode,
        "is_finished": outcome.is_last and not stopped,
        "reboot_required": any(host.reboot_required for host in (*rollout.earlier, *outcome.hosts)),
        "totals": dict(outcome.totals),
    }
    return {
        "stops": bool(outcome.stop) and not rollout.is_check_mode,
        "is_last": outcome.is_last,
        "lines": list(outcome.lines),
        "shortfalls": {host.name: host.shortfall for host in outcome.hosts},
        "of_earlier_waves": of_earlier_waves,
        "summary": {**{key: without_templates(text) for key, text in texts.items()}, **rest},
        "file": {**texts, **rest, "hosts": list(outcome.every_host)},
    }


def _of_earlier_waves(rollout: Rollout) -> str:
    """Which hosts of earlier waves have a shortfall, as a sentence; empty if none has."""
    names = [host.name for host in rollout.earlier if host.shortfall]
    return f"Hosts of earlier waves would not get the patch: {', '.join(names)}." if names else ""


def end_of(host: Host | None) -> End:
    """How a host has ended; None stands for one whose wave has not begun."""
    if host is None:
        return End.NOT_BEGUN
    end = _ENDS.get(host.status, End.FAILED)
    return End.FAILED if host.problem and host.status in _FAILED_WITH_PROBLEM else end


def count(names: Sequence[str], begun: Mapping[str, Host]) -> dict[str, int]:
    """How many hosts have ended in which way."""
    ends = [end_of(begun.get(name)) for name in names]
    return {"hosts": len(names), **{end.value: ends.count(end) for end in End}}


def totals_line(fix: str, totals: Mapping[str, int], is_check_mode: bool) -> str:
    """The totals in a line."""
    counts = ", ".join(words.format(count=totals[end.value]) for end, words in _WORDS.items())
    what = "What check mode predicts for the rollout" if is_check_mode else "Totals of the rollout"
    return f"{what} of {fix}, {totals['hosts']} hosts: {counts}."


def _stop(rollout: Rollout, wave: Wave) -> str:
    untouchable = [host.name for host in rollout.batch if host.is_untouchable]
    if wave.must_stop or untouchable:
        return stop_sentence(rollout.fix, wave, rollout.limit, rollout.is_check_mode, untouchable)
    if not rollout.stops_on_empty_wave or any(host.has_passed for host in rollout.batch):
        return ""
    if any(name not in rollout.needless for name in rollout.following):
        return _NOBODY_CHECKED if rollout.is_check_mode else _NOBODY
    # Nobody follows whom the patch could harm.
    begun = rollout.begun.values()
    if rollout.following or any(host.has_passed for host in begun):
        return ""
    if all(host.status is Status.FIXED for host in begun):
        return ""
    return _NOBODY_AT_ALL_CHECKED if rollout.is_check_mode else _NOBODY_AT_ALL


def _with_shortfalls(rollout: Rollout, hosts_have_failed: bool, stop: str) -> tuple[Host, ...]:
    return tuple(replace(host, shortfall=_shortfall(host, hosts_have_failed, stop)) for host in rollout.batch)


def _shortfall(host: Host, hosts_have_failed: bool, stop: str) -> str:
    if host.problem or not stop:
        return host.problem
    if hosts_have_failed and host.status in _WELL:
        return ""
    return stop


def _entry(name: str, host: Host | None) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"name": name, "end": end_of(host).value}
    if host:
        entry["status"] = host.status.value
        keys = ("kernel", "problem", "not_rolled_back", "reboot_required")
        entry.update({key: getattr(host, key) for key in keys})
    return entry
