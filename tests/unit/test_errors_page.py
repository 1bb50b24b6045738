# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page about errors is the table that the modules use."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_written_from_the_table():
    spec = importlib.util.spec_from_file_location("errors_page", ROOT / "tests/tools/errors_page.py")
    errors_page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(errors_page)
    written = (ROOT / errors_page.PAGE).read_text(encoding="utf-8")
    assert errors_page.page() == written, "run tests/tools/errors_page.py"
