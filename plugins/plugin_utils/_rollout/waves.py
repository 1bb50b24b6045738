# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Decides whether a wave begins, passes, and which hosts are rolled back, and writes the summary. Pure functions."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import listed
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.hosts import Host, Status

_LINE_BREAKS = re.compile(r"\s*[\n-\r\x1c-\x1e\x85\u2028\u2029]\s*")


@dataclass(frozen=True)
class Wave:
    """The judgement of a wave: whether the rollout stops, which hosts have failed, and which are rolled back."""

    size: int
    must_stop: bool
    failed: tuple[str, ...]
    to_roll_back: tuple[str, ...]


def wave_data(wave: Wave) -> dict[str, t.Any]:
    """The wave as plain data."""
    return {**asdict(wave), "failed": list(wave.failed), "to_roll_back": list(wave.to_roll_back)}


def read_wave(data: Mapping[str, t.Any]) -> Wave:
    """The wave for which `wave_data` returned `data`."""
    return Wave(data["size"], data["must_stop"], tuple(data["failed"]), tuple(data["to_roll_back"]))


def number_trouble(bad_numbers: Sequence[Sequence[str]], names: Sequence[str]) -> list[str]:
    """A sentence for each number that is out of its bounds, with the hosts that have it unless all do.

    `bad_numbers` are the sentences of each host, an empty text for one that goes its own way; `names` are their names.
    """
    if "" in bad_numbers:
        return ["The hosts do not go through the play together, and must: give it the strategy linear."]
    hosts_of: dict[str, list[str]] = {}
    for name, sentences in zip(names, bad_numbers, strict=True):
        for sentence in sentences:
            hosts_of.setdefault(sentence, []).append(name)
    return [
        sentence if len(hosts) == len(names) else f"{sentence} That is so on {listed(hosts)}."
        for sentence, hosts in hosts_of.items()
    ]


def judge(hosts: Sequence[Host], max_fail_percentage: float) -> Wave:
    """Judge a wave: the rollout stops if more than this percentage of its hosts have failed.

    It stops for one host whose kernel must not be changed any more, too. That one is not rolled back.
    """
    failed = tuple(host.name for host in hosts if host.problem)
    untouchable = tuple(host.name for host in hosts if host.is_untouchable)
    must_stop = bool(untouchable) or len(failed) * 100 > max_fail_percentage * len(hosts)
    on_trial = (host for host in hosts if host.is_on_trial and host.name not in untouchable)
    to_roll_back = tuple(host.name for host in on_trial if must_stop or host.problem)
    return Wave(len(hosts), must_stop, failed, to_roll_back)


def lines(hosts: Iterable[Host]) -> list[str]:
    """A line about each host. Line breaks are removed, so that no host can add a line."""
    return [_LINE_BREAKS.sub(" ", _line(host)) for host in hosts]


def _line(host: Host) -> str:
    of_kernel = f" (kernel {host.kernel})" if host.status in (Status.NO_PATCH_FILE, Status.FIXED) else ""
    problem = f". {host.problem}" if host.problem else ""
    not_rolled_back = f" It was not rolled back: {host.not_rolled_back}" if host.not_rolled_back else ""
    line = f"{host.name}: {host.status.value}{of_kernel}{problem}{not_rolled_back}"
    return f"{line.rstrip('.')}. A reboot is required." if host.reboot_required else line


def stop_sentence(fix: str, wave: Wave, limit: str, is_check_mode: bool, untouchable: Sequence[str] = ()) -> str:
    """Why the rollout of a fix stops, or would stop: too many hosts of a wave have failed, or one is `untouchable`."""
    stops = "would stop here" if is_check_mode else "has stopped"
    if untouchable:
        return f"The rollout of {fix} {stops}: the kernel must not be changed any more on {', '.join(untouchable)}."
    count = f"{len(wave.failed)} of the {wave.size} hosts of this wave did not pass"
    return f"The rollout of {fix} {stops}: {count} (livepatch_rollout_max_fail_percentage is {limit})."
