# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Makes lines for the operator from the progress of a build."""

from __future__ import annotations

import typing as t


def describe(entry: t.Mapping[str, t.Any]) -> str | None:
    """The line for one entry of a progress file; None if there is nothing to show."""
    if "text" in entry:
        return str(entry["text"])
    if "stage" not in entry:
        return None
    parts = [str(entry["stage"])]
    if entry.get("objects"):
        of = " of {}".format(entry["of"]) if entry.get("of") else ""
        parts.append("{}{} objects".format(entry["objects"], of))
    if entry.get("elapsed"):
        parts.append(duration(entry["elapsed"]))
    return ", ".join(parts)


def duration(seconds: int) -> str:
    """Seconds as `2 min 10 s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
