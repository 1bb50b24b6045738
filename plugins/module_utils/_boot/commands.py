# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.
"""The commands of the boot program: for the units of systemd, and for people who have logged in."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._boot.program import HOUR, Boot
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import boot as boot_store
from ansible_collections.openeuler.livepatch.plugins.module_utils._store import lock
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.programs import TimedOut, run

SYSTEMCTL_SECONDS = 10.0


def is_shutting_down() -> bool:
    """Whether the system goes down in order, so that this is not a service manager that stops a unit by hand."""
    try:
        _status, printed = run(["systemctl", "is-system-running"], SYSTEMCTL_SECONDS)
    except (OSError, TimedOut):
        printed = ""
    # Where nothing tells, that somebody has asked for the end is enough: a shutdown is why units are stopped.
    return printed.strip() not in ("initializing", "starting", "running", "degraded", "maintenance")


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, and return the exit status."""
    parser = argparse.ArgumentParser(prog="openeuler-livepatch", description="Loads accepted live patches at boot.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.required = True
    commands.add_parser("load", help="load what is accepted for the running kernel")
    healthy = commands.add_parser("healthy", help="note that the host has been up for long enough, if it has")
    healthy.add_argument("--after", type=float, default=HOUR, metavar="SECONDS", help="how long is enough")
    commands.add_parser("shutdown", help="note that the host shuts down in order, if it does")
    listing = commands.add_parser("list", help="print the patches, what they fix, and what the next boot does")
    listing.add_argument("--json", action="store_true", help="print it as data, with the keys of livepatch_facts")
    metrics = commands.add_parser("metrics", help="write the metrics of the host, if that is set up")
    metrics.add_argument("--remove", action="store_true", help="remove them")
    options = parser.parse_args(arguments)
    try:
        if options.command == "load":
            return Boot(Kernel, _say).load()
        if options.command == "healthy":
            return Boot(Kernel, _say).settle(options.after)
        if options.command == "list":
            return _list(options.json)
        if options.command == "metrics":
            return _metrics(options.remove)
        return Boot(Kernel, _say).settle() if is_shutting_down() else 0
    except (OSError, lock.Locked) as error:
        _say(str(error))
        return 1


def _list(as_json: bool) -> int:
    """Print what is loaded and what it fixes. Returns 0 if the kernel tells that, else 1."""
    # Here and not above: a boot does not need them.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._boot import listing
    from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.facts import gather, is_known

    facts = gather(Files())
    text = json.dumps(listing.listed(facts), indent=1) if as_json else "\n".join(listing.listing(facts))
    sys.stdout.write(f"{text}\n")
    return int(not is_known(facts))


def _metrics(removes: bool) -> int:
    from ansible_collections.openeuler.livepatch.plugins.module_utils._manage import metrics

    if removes:
        metrics.remove_metrics(Files())
        return 0
    directory = metrics.directory_of(Files())
    if directory is None:
        _say(f"{boot_store.SETTINGS} names no directory for metrics.")
        return 1
    metrics.write_metrics(Kernel(), directory)
    return 0


def _say(text: str) -> None:
    line = clean(text).encode("ascii", "replace").decode()
    # Whoever reads that may be gone, or the console takes no other letters. The patches are loaded all the same.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(f"openeuler-livepatch: {line}\n")
        sys.stdout.flush()
