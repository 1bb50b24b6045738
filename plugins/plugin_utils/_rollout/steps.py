# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The steps of the filter livepatch_rollout: registered results and plain data in, plain data out."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Sequence
from dataclasses import asdict, replace

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.next_boot import judge as judge_boot
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import read_release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout import given, hosts, order, outcome, waves
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.host_facts import on_this_host
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.results import (
    found_data,
    mapping,
    read_result,
)

Data = dict[str, t.Any]


def load(value: t.Any) -> t.Any:
    """The value itself: whoever asks for it has loaded all that the other steps need."""
    return value


def choose(read: Data, name: str, release: Data, is_file_required: bool) -> Data:
    """The host after its facts were read."""
    chosen = hosts.choose(name, read_result(read), read_release(release, "the release"), is_file_required)
    return hosts.host_data(chosen)


def name(read: Data, release: Data) -> str:
    """The name that the release's patch has for the kernel of the host whose facts were read."""
    return on_this_host(read_result(read), read_release(release, "the release")).name


def check(host: Data, marked: Data, mark_read: Data, prediction: Data) -> Data:
    """The host after check mode has predicted the patch on it, and after its mark was read."""
    results = (read_result(result) for result in (marked, mark_read, prediction))
    return hosts.host_data(hosts.check(hosts.read_host(host), *results))


def mark(host: Data, marking: Data) -> Data:
    """The host after it was marked as being on trial."""
    return hosts.host_data(hosts.mark(hosts.read_host(host), read_result(marking)))


def apply(host: Data, applied: Data) -> Data:
    """The host after the patch was applied."""
    return hosts.host_data(hosts.apply(hosts.read_host(host), read_result(applied)))


def effect(host: Data, read: Data, patch_name: str) -> str:
    """Why the patch on trial fails, as a sentence; empty if it passes."""
    return hosts.effect(hosts.read_host(host), read_result(read), patch_name)


def fail(host: Data, task: str, result: Data, read: Data, patch_name: str) -> Data:
    """The host after a test of its patch has failed, `read` being the facts that were read last."""
    failed = hosts.fail(hosts.read_host(host), task, read_result(result), read_result(read), patch_name)
    return hosts.host_data(failed)


def settle(host: Data, rollback: Data, is_check_mode: bool) -> Data:
    """The host after its rollback, or without one, with the status that it has at the end of the wave."""
    return hosts.host_data(hosts.settle(hosts.read_host(host), read_result(rollback), is_check_mode))


def accept(host: Data, acceptance: Data) -> Data:
    """The host after its patch was accepted, or was not to be."""
    return hosts.host_data(hosts.accept(hosts.read_host(host), read_result(acceptance)))


def judge(of_wave: Sequence[Data], max_fail_percentage: t.Any) -> Data:
    """The judgement of the wave."""
    return waves.wave_data(waves.judge(_hosts(of_wave), float(max_fail_percentage)))


def survey(read: Data, name: str, release: Data) -> Data:
    """What is known of a host before the first wave."""
    chosen = hosts.choose(name, read_result(read), read_release(release, "the release"), is_file_required=False)
    return {"name": name, "is_needless": chosen.is_needless}


def canaries(names: Sequence[str], wanted: Sequence[str], surveys: Sequence[Data]) -> list[str]:
    """The hosts of the first wave, if canaries are wanted."""
    return order.canaries(_fleet(names, wanted, surveys))


def others(names: Sequence[str], wanted: Sequence[str], surveys: Sequence[Data]) -> list[str]:
    """The hosts of the other waves, in their order."""
    return order.others(_fleet(names, wanted, surveys))


def _fleet(names: Sequence[str], wanted: Sequence[str], surveys: Sequence[Data]) -> order.Fleet:
    found = [name for name, _is_needless in map(_surveyed, surveys) if name]
    return order.fleet_of(names, wanted, found, _needless(surveys))


def _needless(surveys: Sequence[Data]) -> list[str]:
    return [name for name, is_needless in map(_surveyed, surveys) if name and is_needless]


def _surveyed(survey: t.Any) -> tuple[str, bool]:
    """The name of a host and whether it is needless. A host may put anything in this place before it is looked at."""
    found = mapping(survey)
    name = found.get("name")
    return (name if isinstance(name, str) else "", found.get("is_needless") is True)


def _earlier(names: Sequence[str], known: Sequence[t.Any], fix: str) -> t.Iterator[hosts.Host]:
    """The hosts that this rollout has begun with. A host may put anything in this place before its wave."""
    for name, data in zip(names, known, strict=False):
        if mapping(data).get("name") == name and data.get("fix") == fix:
            with contextlib.suppress(KeyError, TypeError, ValueError, DataError):
                yield hosts.read_host(data)


def conclude(
    of_wave: Sequence[Data],
    release: Data,
    wave: Data,
    *,
    limit: t.Any,
    on_empty_wave: str,
    names: Sequence[str],
    known: Sequence[Data],
    surveys: Sequence[Data],
    gone: Sequence[str],
    is_check_mode: bool,
    release_file: str,
) -> Data:
    """The end of the wave. `known` are all hosts of the rollout, an empty dictionary for each that has not begun."""
    batch, fix = tuple(_hosts(of_wave)), release["fix"]["id"]
    in_batch = {host.name for host in batch}
    # Another rollout of the same playbook leaves hosts as well.
    earlier = _earlier(names, known, fix)
    rollout = outcome.Rollout(
        fix=fix,
        limit=str(limit),
        names=tuple(names),
        batch=batch,
        earlier=tuple(host for host in earlier if host.name not in in_batch),
        gone=frozenset(gone),
        needless=frozenset(_needless(surveys)),
        stops_on_empty_wave=on_empty_wave == "stop",
        is_check_mode=is_check_mode,
        release_file=release_file,
    )
    return outcome.outcome_data(outcome.conclude(rollout, waves.read_wave(wave)), rollout)


def end(host: Data, shortfall: str) -> Data:
    """The host with its shortfall."""
    return hosts.host_data(replace(hosts.read_host(host), shortfall=shortfall))


def next_boot(facts: Data, release: Data, kernel: str, follows: t.Any) -> Data:
    """Whether the next boot keeps the fix of the release, and why."""
    try:
        verdict = judge_boot(read_facts(facts), read_release(release, "the release"), kernel, bool(follows))
    except DataError as error:
        return {"is_safe": False, "says": f"The facts of the host are not valid: {error}"}
    return asdict(verdict)


def found(prediction: Data) -> Data:
    """What livepatch_module has found on a host and would do there, to be displayed."""
    return found_data(read_result(prediction))


def number_trouble(bad_numbers: Sequence[Sequence[str]], names: Sequence[str]) -> list[str]:
    """What is wrong with the numbers of the hosts with these names, as sentences."""
    return waves.number_trouble(bad_numbers, names)


def fix_trouble(names: Sequence[str]) -> str:
    """Why the playbook build cannot begin with variables of these names, as a sentence; empty if it can."""
    return given.fix_trouble(names)


def _hosts(of_wave: Sequence[Data]) -> list[hosts.Host]:
    return [hosts.read_host(host) for host in of_wave]


STEPS: dict[str, t.Callable[..., t.Any]] = {
    step.__name__: step
    for step in (
        load,
        survey,
        canaries,
        others,
        choose,
        name,
        check,
        mark,
        apply,
        effect,
        fail,
        settle,
        accept,
        judge,
        conclude,
        end,
        found,
        number_trouble,
        fix_trouble,
        next_boot,
    )
}
