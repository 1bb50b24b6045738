# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Makes lines for the operator from the progress of a build."""

from __future__ import annotations

import typing as t

from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import printable


def describe(entry: t.Mapping[str, t.Any]) -> str | None:
    """The line for one entry of a progress file; None if there is nothing to show.

    The host may have put anything there, also what moves the cursor of a terminal.
    """
    if "text" in entry:
        return printable(str(entry["text"]))
    if "stage" not in entry:
        return None
    parts = [str(entry["stage"])]
    if entry.get("objects"):
        of = " of {}".format(entry["of"]) if entry.get("of") else ""
        parts.append("{}{} objects".format(entry["objects"], of))
    elapsed = entry.get("elapsed")
    if elapsed and isinstance(elapsed, int):
        parts.append(duration(elapsed))
    return printable(", ".join(parts))


def duration(seconds: int) -> str:
    """Seconds as `2 min 10 s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
