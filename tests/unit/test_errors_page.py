# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about errors is the table that the modules use."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_written_from_the_table():
    page = runpy.run_path(str(ROOT / "tests/tools/errors_page.py"))
    written = (ROOT / page["PAGE"]).read_text(encoding="utf-8")
    assert page["page"]() == written, "run tests/tools/errors_page.py"
