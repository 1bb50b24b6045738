# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Turns snapshots into the plain data and the diffs that the modules return."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.fix import Fix
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    LoadedPatch,
    Snapshot,
    StallingTask,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.caution import (
    is_forced,
    runs_mixed,
    trouble_since,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.next_boot import boot_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.reboot import stays_until_reboot

Plain = t.Dict[str, t.Any]

INTERNAL = ("instance", "load_index", "marked", "no_ops", "pinned", "refcount")
"""What planning needs of a loaded patch, and nobody else."""


def with_notes(result: Plain, before: t.Iterable[Finding] = (), after: t.Iterable[Finding] = ()) -> Plain:
    """The result with more findings, before and after those that it has."""
    here = [finding.to_plain() for finding in before]
    result["findings"] = [*here, *result.get("findings", []), *(finding.to_plain() for finding in after)]
    return result


def describe_patch(patch: LoadedPatch, snapshot: Snapshot, books: Books) -> Plain:
    """One loaded patch, and whether its code runs."""
    data = asdict(patch)
    for internal in INTERNAL:
        del data[internal]
    data["identity"] = asdict(patch.identity)
    data["loaded_with"] = data["identity"].pop("loaded_with")
    copy = books.copy_of(patch)
    data["stored_copy"] = copy.path or None if copy else None
    data["source_patches"] = list(copy.file.source_patches) if copy and copy.file else []
    data["fix"] = copy.file.fix.to_dict() if copy and copy.file and copy.file.fix else None
    if patch.replace is None and copy and copy.file:
        # Older kernels show the flag of no patch, and none shows that of a disabled one (per_task).
        data["replace"] = copy.file.replace
    added = patch.no_op_set
    functions = [function for function in patch.functions if function not in added]
    added_objects = {function.object for function in added}.difference(function.object for function in functions)
    data["functions"] = [asdict(function) for function in functions]
    data["objects"] = [entry.name for entry in patch.objects if entry.name not in added_objects]
    data["boot"] = boot_of(books.boot, snapshot, patch.name)
    # Of an enabled patch whose functions nothing shows it is not known whether they are live.
    data["effective"] = None if patch.enabled and not functions else snapshot.effect(patch, added)
    data["forced"] = is_forced(patch, books)
    data["trouble_since"] = trouble_since(copy, snapshot.taint)
    data["reboot_required"] = stays_until_reboot(patch, snapshot) or runs_mixed(patch, books)
    data["covered"] = [
        dict(asdict(function), by=[above.name for above in stack]) for function, stack in snapshot.above(patch).items()
    ]
    data["unpatched"] = [
        {"object": name, "loaded": snapshot.has_object(name)}
        for name in snapshot.unpatched(patch)
        if name not in added_objects
    ]
    if not snapshot.is_known:
        data.update(dict.fromkeys(("enabled", "in_transition", "effective", "covered", "unpatched", "reboot_required")))
    return data


def describe_stalling_tasks(stalling_tasks: t.Iterable[StallingTask]) -> list[Plain]:
    """The tasks that hold a transition."""
    return [dict(asdict(holder), stack=list(holder.stack)) for holder in stalling_tasks]


def diff(before: Snapshot, books_before: Books, after: Snapshot, books_after: Books) -> Plain:
    """What --diff shows: the loaded patches before and after, oldest first, and what is accepted."""
    return {
        "before_header": "live patches before",
        "after_header": "live patches after",
        "before": _diff_text(before, books_before),
        "after": _diff_text(after, books_after),
    }


def _diff_text(snapshot: Snapshot, books: Books) -> str:
    lines = []
    for patch in snapshot.patches:
        lines.append(f"{patch.name}:")
        lines.append(f"  enabled: {str(patch.enabled).lower()}")
        if patch.in_transition:
            lines.append("  in_transition: true")
        lines.append(f"  identity: {patch.identity}")
        if patch.identity.loaded_with:
            lines.append(f"  loaded_with: {patch.identity.loaded_with}")
        copy = books.copy_of(patch)
        if copy and copy.file and copy.file.fix:
            lines.append(f"  fix: {_shown(copy.file.fix)}")
        above = snapshot.above(patch)
        for function in patch.functions:
            covered = f" (covered by {', '.join(other.name for other in above[function])})" if function in above else ""
            lines.append(f"  function: {function}{covered}")
    accepted = [
        f"{entry.name} (sha256 {entry.sha256[:12]}{entry.loaded_with and f', loaded_with {entry.loaded_with}'}"
        f"{f', fix {_shown(entry.fix)}' if entry.fix else ''})"
        for entry in books.boot.due(snapshot.kernel)
    ]
    if accepted:
        lines.append(f"accepted for the next boots: {', '.join(accepted)}")
    return "".join(line + "\n" for line in lines) or "none\n"


def _shown(fix: Fix) -> str:
    """All of a fix on one line: a change of any part of it is a change."""
    return ", ".join(filter(None, [str(fix), fix.severity, fix.title]))
