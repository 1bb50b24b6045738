# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator sees of a build."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._progress import describe


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"pid": 1, "elapsed": 0}, None),
        ({"end": True, "elapsed": 9}, None),
        ({"stage": "building", "elapsed": 0}, "building"),
        ({"stage": "building", "elapsed": 59}, "building, 59 s"),
        ({"stage": "building", "objects": 12, "of": None, "elapsed": 130}, "building, 12 objects, 2 min 10 s"),
        ({"stage": "building", "objects": 12, "of": 1038, "elapsed": 60}, "building, 12 of 1038 objects, 1 min 0 s"),
        ({"text": "x.o: changed function: f", "elapsed": 3}, "x.o: changed function: f"),
        ({"text": "\x1b[2J\u202ea\nb"}, "\ufffd[2J\ufffda b"),
        ({"text": 7}, "7"),
        ({"text": "a" * 600}, "a" * 499 + "\u2026"),
        ({"stage": "\x07", "objects": ["\r"], "of": {}, "elapsed": "soon"}, "\ufffd, ['\\r'] objects"),
        ({"text": "\x1b[2J\x9b\u202e\nok: [host]"}, "\ufffd[2J\ufffd\ufffd ok: [host]"),
    ],
)
def test_lines(entry: dict[str, t.Any], line: str | None) -> None:
    assert describe(entry) == line
