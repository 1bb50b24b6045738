# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads a host and describes it in plain types: what `livepatch_facts` returns."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, replace

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import (
    Plain,
    describe_patch,
    describe_stalling_tasks,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.books import Books
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import (
    Absent,
    Reading,
    Unreadable,
    known,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    Snapshot,
    StallingTask,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.stalling import with_held_by
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.trouble import troubles
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.version import is_older
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.distribution import (
    Distribution,
    read_distribution,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.host import read_snapshot
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.transition import read_stalling_tasks
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.caution import runs_mixed
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.next_boot import describe_boot
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.reboot import host_needs_reboot
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal
from ansible_collections.openeuler.livepatch.plugins.module_utils._store.books import read_books
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files, time_now


def gather(files: Files, next_kernel: bool = False, kernel_package: bool = False) -> Plain:
    """Read a host and describe it, with the moment in UTC.

    `next_kernel` asks which kernel boots next as well, `kernel_package` which package the running one is from. Both run
    programs.
    """
    read_at = time_now()
    snapshot = read_snapshot(files)
    moving = snapshot.in_transition
    stalling_tasks = with_held_by(read_stalling_tasks(files, moving.enabled), snapshot) if moving else ()
    books = read_books(files, snapshot, of_boot=True)
    unfinished = describe_unfinished(journal.read_note(files))
    report = boot_report(files, books)
    distribution = read_distribution(files, snapshot.release)
    package = _kernel_package(files, snapshot.release, distribution) if kernel_package else None
    snapshot = replace(books.identify(snapshot), unreadable=tuple(files.unreadable))
    following = _next_kernel(files) if next_kernel else None
    facts = describe_host(snapshot, books, stalling_tasks, report, unfinished, following, package)
    changed_at = known(journal.last_change(files))
    return {"read_at": read_at, "last_change": changed_at, "distribution": asdict(distribution), **facts}


def boot_report(files: Files, books: Books) -> Plain:
    """What the boot program reports of this boot; empty if a task has mended since what kept it from loading."""
    report = boot_store.read_report(files)
    return {} if report.get("of_store") and not books.boot_damage else report


def is_known(facts: Plain) -> bool:
    """Whether the facts tell which patches are loaded, enabled and live."""
    return not (facts["undecided"] or facts["disagreements"])


def describe_unfinished(note: Reading[journal.Note]) -> Plain | None:
    """The run that is changing the host or was interrupted, of which nothing may be known; None without one."""
    if isinstance(note, Absent):
        return None
    if isinstance(note, Unreadable):
        return dict.fromkeys(("who", "what", "since", "patches"))
    patches = sorted({note.name, *Plan(note.steps).names})
    return {"who": note.who, "what": note.what, "since": note.started, "patches": patches}


def _next_kernel(files: Files) -> Plain:
    # Here and not above: few runs ask for it.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.next_kernel import read_next_kernel

    return asdict(read_next_kernel(files))


def _kernel_package(files: Files, release: str, of: Distribution) -> Plain | None:
    # Here and not above: only livepatch_facts asks for it.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kernel_package import (
        read_kernel_package,
    )

    package = known(read_kernel_package(files, release, of.like))
    return {**package.to_dict(), "purl": package.purl(of.id, of.version)} if package else None


def _describe_kernel(snapshot: Snapshot) -> Plain:
    marks = snapshot.marks
    return {
        "build_id": known(marks.build_id),
        "version": marks.version,
        "shown_release": marks.shown_release or snapshot.release,
        "evidence": marks.evidence,
        "is_certain": marks.is_certain,
        "contradiction": marks.contradiction,
    }


def _describe_functions(snapshot: Snapshot) -> t.Iterator[Plain]:
    """Each replaced function with its stack, without the patches that only end what others do with it."""
    added = {patch.name: patch.no_op_set for patch in snapshot.patches}
    for function, patches in sorted(snapshot.stacks().items(), key=lambda item: item[0]):
        stack = [patch.name for patch in patches if function not in added[patch.name]]
        top = patches[-1]
        is_live = function not in added[top.name] and snapshot.is_patched(top, function.object)
        yield {
            "object": function.object,
            "name": function.name,
            "sympos": function.sympos,
            "stack": stack,
            "live": top.name if is_live else None,
        }


def describe_host(
    snapshot: Snapshot,
    books: Books,
    stalling_tasks: tuple[StallingTask, ...],
    boot_report: Plain,
    unfinished: Plain | None,
    next_kernel: Plain | None = None,
    kernel_package: Plain | None = None,
) -> Plain:
    """All facts about a host."""
    moving = snapshot.in_transition
    return {
        "unfinished_run": unfinished,
        "supported": snapshot.abi is not None,
        "why_unsupported": snapshot.why_unsupported,
        "abi": snapshot.abi,
        "abi_evidence": list(snapshot.abi_evidence),
        "stacking_enforced": snapshot.stacking_enforced,
        "kprobes_isolated": snapshot.kprobes_isolated,
        "release": snapshot.release,
        "machine": snapshot.machine,
        "kernel": {**_describe_kernel(snapshot), "package": kernel_package},
        "config_path": snapshot.config_path,
        "config_contradiction": snapshot.config_contradiction,
        "config": {
            option.name: {
                "set": option.value is not None if option.known else None,
                "value": option.value,
                "needed_by": list(option.needed_by),
            }
            for option in snapshot.options
        },
        "reboot_required": host_needs_reboot(snapshot) or any(runs_mixed(patch, books) for patch in snapshot.patches),
        "patches": [describe_patch(patch, snapshot, books) for patch in snapshot.patches],
        "functions": list(_describe_functions(snapshot)) if snapshot.is_known else None,
        "transition": {
            "patch": moving.name,
            "enabling": moving.enabled,
            "stalling_tasks": describe_stalling_tasks(stalling_tasks),
        }
        if moving
        else None,
        "boot": {
            "installed": books.has_boot_program,
            "version": books.boot_program_version,
            "outdated": books.has_boot_program and is_older(books.boot_program_version or ""),
            "next_kernel": next_kernel,
            "accepted": describe_boot(books, snapshot),
            "quarantined": [asdict(entry) for entry in books.boot.quarantined],
            "lost": [
                {
                    "name": entry.name,
                    "release": entry.release,
                    "kernel_build_id": entry.kernel_build_id,
                    "fix": entry.fix.to_dict() if entry.fix else None,
                }
                for entry in books.boot.lost(snapshot.kernel)
            ],
            "unclean_ends": books.unclean_ends,
            "nothing": boot_report.get("nothing") or None,
            "results": boot_report.get("results", []),
        },
        "taint": snapshot.taint,
        "trouble": troubles(snapshot.taint),
        "undecided": [asdict(unreadable) for unreadable in snapshot.undecided],
        "disagreements": list(snapshot.disagreements),
        "unreadable": [asdict(unreadable) for unreadable in snapshot.unreadable],
    }
