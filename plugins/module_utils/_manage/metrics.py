# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""The state of a host as metrics, in a file for the textfile collector of node_exporter, where one is wanted."""

from __future__ import annotations

import errno
import os
import typing as t
from collections import Counter
from dataclasses import replace
from datetime import datetime, timezone

from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.assessment import observe
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import (
    boot_report,
    describe_host,
    is_known,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.result import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.exposition import exposition, labels_text
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.reading import (
    Absent,
    Unreadable,
    known,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import journal, state
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import durable
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import time_now

if t.TYPE_CHECKING:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel_protocol import KernelProtocol
    from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files

FILE_NAME = "openeuler-livepatch.prom"

Samples = t.List[t.Tuple[str, float]]
"""The labels as they are written, and the value."""


def directory_of(files: Files) -> str | None:
    """The directory in which the file is wanted; None for none. Raises OSError if the settings cannot be read."""
    found = state.read(files, boot_store.SETTINGS, _directory)
    if isinstance(found, Unreadable):
        raise OSError(errno.EINVAL, f"it cannot be read ({found.reason})", boot_store.SETTINGS)
    return None if isinstance(found, Absent) else found


def _directory(settings: Plain) -> str:
    return state.text(state.only(settings, ("metrics_directory",))["metrics_directory"])


def write_metrics(kernel: KernelProtocol, directory: str) -> None:
    """Write the file whole, or leave the old one. Raises OSError."""
    files = kernel.files()
    read_at = time_now()
    snapshot, books = observe(kernel, of_boot=True)
    snapshot = replace(snapshot, unreadable=tuple(files.unreadable))
    facts = describe_host(snapshot, books, (), boot_report(files, books), None)
    text = metrics_text(facts, read_at, known(journal.last_change(files)))
    durable.publish(files, os.path.join(directory, FILE_NAME), text.encode())


def remove_metrics(files: Files) -> None:
    """Remove the file, if one is wanted and there. Raises OSError."""
    directory = directory_of(files)
    if directory is not None and not isinstance(files.inode(os.path.join(directory, FILE_NAME)), Absent):
        os.unlink(files.path(os.path.join(directory, FILE_NAME)))


def metrics_after_change(kernel: KernelProtocol) -> list[Finding]:
    """Write the file after a run, where one is wanted; what kept it from being written."""
    try:
        directory = directory_of(kernel.files())
        if directory is not None:
            write_metrics(kernel, directory)
    except OSError as error:
        return [
            Finding(
                reason="no_metrics",
                seen=f"The metrics of the host could not be written ({error.filename}: {error.strerror}).",
                remedy="Apply the role openeuler.livepatch.boot with a livepatch_boot_metrics_directory that is there.",
                why="Until then they tell of the host as it was.",
                severity=WARN,
            )
        ]
    return []


def metrics_text(facts: Plain, read_at: str, changed_at: str | None) -> str:
    """The metrics of a host with these facts, which were read at this time. Pure.

    What cannot be told has no sample: 0 would be an answer.
    """
    patches, boot = facts["patches"], facts["boot"]
    live = None if facts["functions"] is None else Counter(function["live"] for function in facts["functions"])
    failed = [result for result in boot["results"] if result["outcome"] != "enabled"]
    metrics: list[tuple[str, str, Samples]] = [
        ("known", "Whether the kernel tells which patches are live.", [("", is_known(facts))]),
        ("patch_enabled", "Whether a loaded patch is enabled.", _of_patches(patches, _is_enabled)),
        (
            "patch_effective",
            "The part of a loaded patch's functions that is live, from 0 to 1.",
            _of_patches(patches, lambda patch: _live_part(patch, live)),
        ),
        ("patch_in_transition", "Whether a transition of a loaded patch is running.", _of_patches(patches, _is_moving)),
        ("patch_accepted", "Whether boots load a loaded patch again.", _of_patches(patches, _is_accepted)),
        ("boot_installed", "Whether something loads accepted patches at boot.", [("", boot["installed"])]),
        ("boot_accepted", "A patch that boots of this kernel load.", _of_entries(boot["accepted"])),
        ("boot_lost", "A patch that is accepted for other kernels alone.", _of_entries(boot["lost"])),
        ("boot_quarantined", "Builds that no boot loads, since the host went down.", [("", len(boot["quarantined"]))]),
        ("boot_failed", "Accepted patches that this boot has not loaded.", [("", len(failed))]),
        ("boot_loaded_nothing", "Whether something kept this boot from loading.", [("", bool(boot["nothing"]))]),
        ("boot_unclean_ends", "Boots in a row that ended without a clean shutdown.", [("", boot["unclean_ends"])]),
        ("reboot_required", "Whether only a reboot finishes what was begun.", [("", bool(facts["reboot_required"]))]),
        ("last_change_timestamp_seconds", "When a task or a boot has changed the patches last.", _at(changed_at)),
        ("read_timestamp_seconds", "When this was read.", _at(read_at)),
    ]
    return exposition((name, text, dict(samples)) for name, text, samples in metrics)


def _of_patches(patches: t.Iterable[Plain], value: t.Callable[[Plain], float | None]) -> Samples:
    values = ((_named(patch), value(patch)) for patch in patches)
    return [(labels, number) for labels, number in values if number is not None]


def _of_entries(entries: t.Iterable[Plain]) -> Samples:
    return [(_named(entry), 1) for entry in {entry["name"]: entry for entry in entries}.values()]


def _named(entry: Plain) -> str:
    return labels_text({"patch": entry["name"], "fix": entry["fix"]["id"] if entry["fix"] else ""})


def _is_enabled(patch: Plain) -> float | None:
    return None if patch["enabled"] is None else float(patch["enabled"])


def _is_moving(patch: Plain) -> float | None:
    return None if patch["in_transition"] is None else float(patch["in_transition"])


def _is_accepted(patch: Plain) -> float:
    return float(patch["boot"] == "accepted")


def _live_part(patch: Plain, live: t.Mapping[str, int] | None) -> float | None:
    """The part of its functions whose code runs, and no other patch's; None where that is not known.

    `live` is on how many functions each patch is live.
    """
    if patch["enabled"] is None or live is None:
        return None
    if not patch["enabled"] or patch["in_transition"]:
        return 0.0
    if patch["effective"] is None:
        return None
    return live.get(patch["name"], 0) / len(patch["functions"])


def _at(moment: str | None) -> Samples:
    if moment is None:
        return []
    return [("", int(datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()))]
