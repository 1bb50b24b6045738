# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A synthetic fleet: invented hosts and releases, the same ones each time for the same number and seed."""

from __future__ import annotations

import hashlib
import random
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.labels import Labels
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, Fleet, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import time_text
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import read_releases

Plain = dict[str, t.Any]

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=timezone.utc)
KERNELS = (
    "5.10.0-216.0.0.115.oe2203sp4.x86_64",
    "5.10.0-230.0.0.129.oe2203sp4.x86_64",
    "6.6.0-28.0.0.34.oe2403.x86_64",
    "6.6.0-72.0.0.76.oe2403sp1.x86_64",
    "6.12.9-amd64",
)
FIXES = (
    (
        "CVE-2026-0001",
        "A missing check in the TCP stack",
        "important",
        ["tcp_v4_rcv", "tcp_ack", "tcp_rcv_established"],
    ),
    ("CVE-2026-0107", "Use after free in netfilter", "critical", ["nft_set_destroy", "nft_setelem_activate"]),
    ("CVE-2026-0212", "Out-of-bounds read in ext4", "moderate", ["ext4_find_extent", "ext4_ext_map_blocks"]),
    ("HOTFIX-17", "The scheduler's clock goes backwards", "", ["update_rq_clock", "sched_clock_tick"]),
)


def digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def patch_name(fix: str) -> str:
    return f"livepatch_{fix.lower().replace('-', '_')}"


def release(place: int, more: Plain | None = None) -> Plain:
    """A release with files for most kernels; the last kernel has the first fix itself."""
    fix, title, severity, _functions = FIXES[place]
    return {
        "format": 1,
        "fix": {
            "id": fix,
            "title": title,
            "severity": severity,
            "cves": [fix] if fix.startswith("CVE") else [],
        },
        "name": patch_name(fix),
        "supersedes": [],
        "fixed_in": [KERNELS[4]] if place == 0 else [],
        "files": [
            {"kernel_release": kernel, "machine": "x86_64", "abi": "per_task", "sha256": digest(fix, kernel)}
            for kernel in kernels_with_file(place)
        ],
        **(more or {}),
    }


def kernels_with_file(place: int) -> tuple[str, ...]:
    """The kernels that a release is for: the second fix lacks one."""
    return tuple(kernel for kernel in KERNELS if not (place == 1 and kernel == KERNELS[1]))


def releases() -> list[Plain]:
    return [release(place) for place in range(len(FIXES))]


def patch(fix: str, kernel: str, **more: t.Any) -> Plain:
    """A loaded patch as livepatch_facts returns it, as far as the report looks."""
    return {
        "name": patch_name(fix),
        "enabled": True,
        "in_transition": False,
        "effective": "full",
        "covered": [],
        "boot": "accepted",
        "identity": {"sha256": digest(fix, kernel), "build_id": None, "srcversion": None},
        "fix": {"id": fix, "title": "", "severity": "", "cves": [fix] if fix.startswith("CVE") else []},
        **more,
    }


def host_facts(kernel: str, patches: list[Plain], functions: list[Plain], **more: t.Any) -> Plain:
    return {
        "read_at": time_text(NOW - timedelta(minutes=2)),
        "unfinished_run": None,
        "supported": True,
        "why_unsupported": None,
        "abi": "per_task",
        "release": kernel,
        "machine": "x86_64",
        "patches": patches,
        "functions": functions,
        "transition": None,
        "boot": {
            "installed": True,
            "version": "1.0.0",
            "outdated": False,
            "accepted": [],
            "quarantined": [],
            "lost": [],
            "unclean_ends": 0,
            "nothing": None,
        },
        "trouble": [],
        "disagreements": [],
        "unreadable": [],
        **more,
    }


def random_state(dice: random.Random, fix: str, kernel: str, fate: float, *, may_change: bool) -> Plain:
    """What is special about the patch of a fix on one host; only one patch of a host may be in transition."""
    state: Plain = {"boot": dice.choice(["accepted", "accepted", "trial"])}
    if fate < 0.13:
        state["identity"] = {"sha256": digest(fix, kernel, dice.random())}
    elif fate < 0.16:
        state["enabled"] = False
        state["effective"] = "none"
    elif fate < 0.18 and may_change:
        state["in_transition"] = True
    elif 0.18 <= fate < 0.195:
        state["forced"] = True
    elif 0.195 <= fate < 0.21:
        state["trouble_since"] = ["an oops"]
    return state


def random_host(dice: random.Random) -> Plain:
    """One host: a kernel, and patches in all conditions, the good ones more often."""
    kernel = dice.choices(KERNELS, (30, 4, 40, 20, 6))[0]
    patches: list[Plain] = []
    functions: list[Plain] = []
    notes: Plain = {}
    boot: Plain = {"accepted": [], "quarantined": [], "lost": [], "unclean_ends": 0, "nothing": None}
    is_well = dice.random() < 0.75
    has_hotfix_over_tcp = not is_well and dice.random() < 0.4
    for place, (fix, _title, _severity, names) in enumerate(FIXES):
        if kernel not in kernels_with_file(place) or (place == 0 and kernel == KERNELS[4]):
            continue
        fate = 1.0 if is_well else dice.random()
        if fate < 0.05:
            boot["quarantined"].append(
                {
                    "name": patch_name(fix),
                    "release": kernel,
                    "sha256": digest(fix, kernel),
                    "why": "The boot did not end well.",
                }
            )
            continue
        if fate < 0.1:
            continue
        state = random_state(dice, fix, kernel, fate, may_change="transition" not in notes)
        if state.get("in_transition"):
            task = {"pid": dice.randrange(100, 30000), "tid": 1, "command": "kworker/u8:2", "stack": []}
            notes["transition"] = {"patch": patch_name(fix), "enabling": True, "stalling_tasks": [task]}
        if state.get("enabled", True):
            stacked = (
                [f"livepatch_local_{dice.randrange(40)}"] if fix == "CVE-2026-0001" and has_hotfix_over_tcp else []
            )
            covered = names if dice.random() < 0.3 else names[:1]
            for name in names:
                above = stacked if name in covered else []
                stack = [patch_name(fix), *above]
                functions.append({"object": "vmlinux", "name": name, "sympos": 1, "stack": stack, "live": stack[-1]})
            if stacked:
                state["effective"] = "none" if covered == names else "partial"
                state["covered"] = [{"object": "vmlinux", "name": name, "sympos": 1, "by": stacked} for name in covered]
                patches.append(patch(fix, kernel, **state))
                patches.append(patch(fix, kernel, name=stacked[0], boot="trial"))
                continue
        patches.append(patch(fix, kernel, **state))
    # Functions that no two hosts have in common are the worst case for the size of the page.
    for _number in range(dice.randrange(12)):
        if patches and patches[-1]["enabled"]:
            name = f"synthetic_{dice.randrange(3000)}"
            on_it = patches[-1]["name"]
            functions.append({"object": "vmlinux", "name": name, "sympos": 1, "stack": [on_it], "live": on_it})
    if dice.random() < 0.05:
        notes["trouble"] = ["a warning"]
    age = timedelta(minutes=dice.choice([1, 2, 3, 5, 9, 60, 300, 4000]))
    return host_facts(
        kernel, patches, functions, boot={"installed": True, **boot}, read_at=time_text(NOW - age), **notes
    )


def answers(hosts: int, seed: int = 1) -> dict[str, Answer]:
    """So many hosts, of which the first ones have one story each."""
    dice = random.Random(seed)
    found: dict[str, Answer] = {}
    for place in range(hosts):
        facts, fate = random_host(dice), dice.random()
        answer = Answer(facts)
        if fate < 0.02:
            answer = Answer(
                None, "Failed to connect to the host via ssh: connect to host port 22: Connection timed out"
            )
        elif fate < 0.03:
            answer = Answer(facts, "Failed to connect to the host via ssh: No route to host")
        elif fate < 0.035:
            answer = Answer({**facts, "patches": "?"})
        elif fate < 0.045:
            why = "The kernel is built without CONFIG_LIVEPATCH."
            answer = Answer(host_facts(facts["release"], [], [], supported=False, abi=None, why_unsupported=why))
        role = ("web", "db", "cache", "build")[place % 4]
        stage = "staging" if place % 10 == 9 else "production"
        owner = None if place % 7 == 6 else f"team {place % 3 + 1}"
        labels = Labels((stage, role), {"owner": owner})
        found[f"{role}-{place // 4 + 1:04}.example.org"] = replace(answer, labels=labels)
    return found


def fleet(hosts: int, seed: int = 1, with_releases: bool = True) -> Fleet:
    sources = [(f"release {data['fix']['id']}", data) for data in releases()] if with_releases else []
    return fleet_of(answers(hosts, seed), read_releases(sources), NOW, variables=["owner"])
