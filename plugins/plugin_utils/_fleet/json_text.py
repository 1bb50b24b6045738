# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""JSON whose long lists have an entry a line. One text of all of it at once would take several times the memory."""

from __future__ import annotations

import json
import typing as t

Plain = dict[str, t.Any]


def line(data: Plain) -> str:
    """An entry of a list."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True)


def with_lists(data: Plain, lists: t.Mapping[str, t.Sequence[str]]) -> str:
    """A file with an object: the data, and then the lists, whose entries are lines."""
    parts = [json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True).removesuffix("\n}")]
    for key, lines in lists.items():
        parts += [f',\n "{key}": [\n', ",\n".join(lines), "\n ]"]
    return "".join([*parts, "\n}\n"])
