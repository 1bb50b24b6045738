# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Turns snapshots into the plain data and the diffs that the modules return."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Holder,
    LoadedPatch,
    Snapshot,
    troubles,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.transition import read_holders
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.boot import boot_of, describe_boot
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files, time_now

Plain = t.Dict[str, t.Any]


def describe_patch(patch: LoadedPatch, snapshot: Snapshot) -> Plain:
    """One loaded patch, and whether its code runs."""
    data = asdict(patch)
    data["identity"] = asdict(patch.identity)
    data["source_patches"] = list(patch.source_patches)
    data["functions"] = [asdict(function) for function in patch.functions]
    data["objects"] = sorted({function.object for function in patch.functions})
    data["boot"] = boot_of(snapshot, patch.name)
    data["effective"] = snapshot.effect(patch)
    data["covered"] = [
        dict(asdict(function), by=[above.name for above in stack]) for function, stack in snapshot.above(patch).items()
    ]
    return data


def describe_holders(holders: t.Iterable[Holder]) -> list[Plain]:
    """The tasks that hold a transition."""
    return [dict(asdict(holder), stack=list(holder.stack)) for holder in holders]


def gather(files: Files) -> Plain:
    """Read a host and describe it, with the moment in UTC."""
    read_at = time_now()
    snapshot = read_snapshot(files)
    moving = snapshot.in_transition
    holders = read_holders(files, moving.enabled) if moving else ()
    report = boot_store.read_report(files)
    facts = describe_host(replace(snapshot, unreadable=tuple(files.unreadable)), holders, report)
    return {"read_at": read_at, **facts}


def describe_host(snapshot: Snapshot, holders: tuple[Holder, ...], boot_report: Plain) -> Plain:
    """All facts about a host."""
    moving = snapshot.in_transition
    return {
        "supported": snapshot.abi is not None,
        "why_unsupported": snapshot.why_unsupported,
        "abi": snapshot.abi,
        "abi_evidence": list(snapshot.abi_evidence),
        "list_order": snapshot.list_order,
        "release": snapshot.release,
        "machine": snapshot.machine,
        "config_path": snapshot.config_path,
        "config": {
            option.name: {
                "set": option.value is not None if option.known else None,
                "value": option.value,
                "needed_by": list(option.needed_by),
            }
            for option in snapshot.options
        },
        "patches": [describe_patch(patch, snapshot) for patch in snapshot.patches],
        "functions": [
            {
                "object": function.object,
                "name": function.name,
                "sympos": function.sympos,
                "stack": [patch.name for patch in stack],
                "live": stack[-1].name,
            }
            for function, stack in sorted(snapshot.stacks().items(), key=lambda item: str(item[0]))
        ],
        "transition": {
            "patch": moving.name,
            "enabling": moving.enabled,
            "holders": describe_holders(holders),
        }
        if moving
        else None,
        "boot": {
            "installed": snapshot.has_boot_program,
            "accepted": describe_boot(snapshot.boot, snapshot.release),
            "quarantined": [asdict(one) for one in snapshot.boot.quarantined],
            "lost": [{"name": one.name, "release": one.release} for one in snapshot.boot.lost(snapshot.release)],
            "unhealthy_boots": snapshot.boot.unhealthy_boots,
            "held": snapshot.boot.is_held,
            "nothing": boot_report.get("nothing") or None,
            "results": boot_report.get("results", []),
        },
        "taint": snapshot.taint,
        "trouble": troubles(snapshot.taint),
        "disagreements": list(snapshot.disagreements),
        "unreadable": [asdict(unreadable) for unreadable in snapshot.unreadable],
    }


def diff(before: Snapshot, after: Snapshot) -> Plain:
    """What --diff shows: the loaded patches before and after, oldest first."""
    return {
        "before_header": "live patches before",
        "after_header": "live patches after",
        "before": _diff_text(before),
        "after": _diff_text(after),
    }


def _diff_text(snapshot: Snapshot) -> str:
    lines = []
    for patch in snapshot.patches:
        lines.append(f"{patch.name}:")
        lines.append(f"  enabled: {str(patch.enabled).lower()}")
        if patch.in_transition:
            lines.append("  in_transition: true")
        lines.append(f"  identity: {patch.identity}")
        above = snapshot.above(patch)
        for function in patch.functions:
            covered = f" (covered by {', '.join(other.name for other in above[function])})" if function in above else ""
            lines.append(f"  function: {function}{covered}")
    accepted = [f"{one.name} (sha256 {one.sha256[:12]})" for one in snapshot.boot.due(snapshot.release)]
    if accepted:
        lines.append(f"accepted for the next boots: {', '.join(accepted)}")
    return "".join(line + "\n" for line in lines) or "none\n"
