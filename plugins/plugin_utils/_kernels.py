# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The kernels of an inventory, as `livepatch_build_kernels` lists them. Pure functions."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import yaml
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.kernel_id import build_id_or_none
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import build_id_of, is_release_certain
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import DataError, Reader, printable
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._plain import is_name, plain_data
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.results import Result, mapping

KEY = "livepatch_build_kernels"
MOST_NAMES = 3
NOT_READ = "It left the play before its kernel was read."
_HEAD = "# Made by the playbook openeuler.livepatch.kernels: a part of fix.yml."
_SEVERAL_MACHINES = (
    "Hosts of several machines run this release, and a directory has one patch file for it: build one for each machine."
)
_SEVERAL_BUILDS = "Several builds of the kernel have this release, and a patch file is for one of them:"


@dataclass(frozen=True)
class Answer:
    """The kernel that a host runs, or why it is not listed, as a sentence in `problem`."""

    name: str
    release: str = ""
    machine: str = ""
    build_id: str | None = None
    is_certain: bool = True
    problem: str = ""


@dataclass(frozen=True)
class Kernel:
    """A kernel of the list. `remarks` say who runs it, and what to mind."""

    release: str
    remarks: tuple[str, ...]


def answer_of(name: str, read: Result) -> Answer:
    """What a host has answered to livepatch_facts."""
    found = read.inner("ansible_facts")
    if read.is_unreachable or "ansible_livepatch" not in found:
        what = "It could not be reached" if read.is_unreachable else "Its facts could not be read"
        return Answer(name, problem=printable(f"{what}: {read.message}" if read.message else f"{what}."))
    try:
        return _kernel_of(name, Reader(found["ansible_livepatch"], "ansible_facts.livepatch"))
    except DataError as error:
        return Answer(name, problem=printable(f"Its facts are not valid: {error}"))


def _kernel_of(name: str, facts: Reader) -> Answer:
    release, machine = facts.text("release"), facts.text("machine")
    if not (is_name(release) and is_name(machine)):
        return Answer(name, problem=printable(f"The release of its kernel is no plain name: {release} ({machine})."))
    if not facts.flag("supported"):
        why = facts.text_or_none("why_unsupported") or "The reason is unknown."
        return Answer(name, problem=printable(f"Its kernel {release} takes no live patches: {why}"))
    build_id = build_id_or_none(build_id_of(facts))
    return Answer(name, release, machine, build_id, is_release_certain(facts))


def read_answer(name: str, data: t.Any) -> Answer:
    """The answer that was noted for a host. Whatever else a host may put there does not count."""
    noted = mapping(data)
    release, machine, problem = (noted.get(key) for key in ("release", "machine", "problem"))
    if noted.get("name") != name or not (isinstance(release, str) and isinstance(machine, str)):
        return Answer(name, problem=NOT_READ)
    if problem or not (is_name(release) and is_name(machine)):
        return Answer(name, problem=printable(str(problem or NOT_READ)))
    is_certain = noted.get("is_certain") is True
    return Answer(name, release, machine, build_id_or_none(noted.get("build_id")), is_certain)


def kernels_of(answers: Iterable[Answer]) -> tuple[Kernel, ...]:
    """The kernels that the hosts run: one for each release and machine, the lowest release first."""
    groups: dict[tuple[str, str], list[Answer]] = {}
    for answer in answers:
        if not answer.problem:
            groups.setdefault((answer.release, answer.machine), []).append(answer)
    releases = [release for release, _machine in groups]
    return tuple(
        Kernel(release, tuple(_remarks(machine, groups[release, machine], releases.count(release) > 1)))
        for release, machine in sorted(groups, key=lambda kernel: (_order(kernel[0]), kernel))
    )


def _order(release: str) -> list[t.Any]:
    """What sorts 6.6 before 6.12. Texts and numbers take turns, so that only like is compared with like."""
    parts = re.split(r"([0-9]+)", release)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _remarks(machine: str, hosts: Sequence[Answer], is_shared: bool) -> t.Iterator[str]:
    yield f"{machine}, {_named(hosts)}"
    if is_shared:
        yield _SEVERAL_MACHINES
    build_ids = sorted({host.build_id for host in hosts if host.build_id})
    if len(build_ids) > 1:
        yield _SEVERAL_BUILDS
        for build_id in build_ids:
            yield f"build-id {build_id}, {_named([host for host in hosts if host.build_id == build_id])}"
        unknown = [host for host in hosts if not host.build_id]
        if unknown:
            yield f"build-id not known, {_named(unknown)}"
    uncertain = [host for host in hosts if not host.is_certain]
    if uncertain:
        yield f"That it runs is not certain, {_named(uncertain)}"


def _named(hosts: Sequence[Answer]) -> str:
    """How many hosts these are, with the names of the first ones."""
    names = ", ".join(printable(host.name) for host in hosts[:MOST_NAMES])
    more = f" and {len(hosts) - MOST_NAMES} more" if len(hosts) > MOST_NAMES else ""
    return f"{len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}: {names}{more}"


def list_of(names: Sequence[str], noted: Sequence[t.Any]) -> Mapping[str, t.Any]:
    """The list as data, as lines for people, and as the text of a file. `noted` is that of the hosts in the play."""
    by_name = {str(mapping(data).get("name")): data for data in noted}
    answers = [read_answer(name, by_name.get(name)) for name in names]
    kernels = kernels_of(answers)
    left_out = [f"{printable(answer.name)}: {answer.problem}" for answer in answers if answer.problem]
    return {
        "kernels": [{"release": kernel.release} for kernel in kernels],
        "lines": [
            *(f"{kernel.release}: {remark}" for kernel in kernels for remark in kernel.remarks),
            *(f"Not listed: {line}" for line in left_out),
        ],
        "text": "\n".join(_text(kernels, left_out)) + "\n",
    }


def _text(kernels: Sequence[Kernel], left_out: Sequence[str]) -> t.Iterator[str]:
    yield _HEAD
    yield f"{KEY}:" if kernels else f"{KEY}: []"
    for kernel in kernels:
        yield from (f"  # {remark}" for remark in kernel.remarks)
        # Some releases are numbers for YAML.
        yield f"  - {yaml.safe_dump(plain_data({'release': kernel.release}), width=1000).strip()}"
    if left_out:
        yield "# Not listed:"
        yield from (f"#   {line}" for line in left_out)
