# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages about errors and reasons say what the modules say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_written_from_the_table():
    spec = importlib.util.spec_from_file_location("errors_page", ROOT / "tests/tools/errors_page.py")
    errors_page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(errors_page)
    written = (ROOT / errors_page.PAGE).read_text(encoding="utf-8")
    assert errors_page.page() == written, "run tests/tools/errors_page.py"


@pytest.mark.parametrize("name", ["_change", "_plan", "_revert", "_boot_plan", "_apply", "_proof", "_carry_out"])
def test_every_reason_is_on_the_page_of_reasons(name):
    source = (ROOT / f"plugins/module_utils/{name}.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r'(?:Finding|Cause|_refuse)\(\s*(?:plan,\s*)?"(\w+)"', source))
    page = (ROOT / "docs/docsite/rst/reasons.rst").read_text(encoding="utf-8")
    assert reasons
    assert [reason for reason in sorted(reasons) if f"``{reason}``" not in page] == []
