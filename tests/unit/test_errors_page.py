# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages about errors and reasons say what the modules say."""

from __future__ import annotations

import errno
import importlib.util
import re
import types
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain import explain
from ansible_collections.openeuler.livepatch.plugins.module_utils._explain.row import Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Action
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import PER_TASK, STOP_MACHINE

ROOT = Path(__file__).resolve().parents[2]


PRINTED = {"task": "tmux: server:7", "pid": "7", "position": "9", "cpu": "3", "type": "42"}
"""What the kernel prints for a name on the page, if it is not a word."""


@pytest.fixture(scope="module", name="errors_page")
def _errors_page() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("errors_page", ROOT / "tests/tools/errors_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers(errors_page: types.ModuleType, row: Row) -> t.Iterator[tuple[t.Any, ...]]:
    """What is explained with all that the page says of a row, and what the row itself says."""
    log = [
        "livepatch: " + re.sub(r"<(\w+)>", lambda name: PRINTED.get(name[1], name[1]), line)
        for line in errors_page.lines(row.log)
    ]
    found = re.search(row.log, "\n".join(log))
    assert found, (row, log)
    said = (
        row.finding.reason,
        row.finding.seen.format(**found.groupdict()),
        row.finding.remedy.format(**found.groupdict()),
    )
    for number in [row.number] if row.number is not None else errno.errorcode:
        for abi in [row.abi] if row.abi else [PER_TASK, STOP_MACHINE]:
            cause = explain.explain(row.operation or Action.UNLOAD, number, log, abi)
            yield row, number, abi, (cause.reason, cause.cause, cause.remedy), said


def test_what_the_page_says_of_a_row_leads_to_it(errors_page: types.ModuleType) -> None:
    """No row is hidden by an earlier one, and the page shows lines that its pattern matches."""
    for row in explain.ROWS:
        for *when, explained, said in answers(errors_page, row):
            assert explained == said, when


def test_the_rows_fit_in_the_order_that_the_page_tells(
    errors_page: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = re.sub(r"\n +", " ", errors_page.page())
    order = sorted(
        explain.ROWS,
        key=lambda row: (not row.log, row.operation is None, page.index(f"* {errors_page.when(row)}\n")),
    )
    monkeypatch.setattr(explain, "ROWS", tuple(order))
    test_what_the_page_says_of_a_row_leads_to_it(errors_page)


def test_the_page_shows_what_the_kernel_prints(errors_page: types.ModuleType) -> None:
    page = errors_page.page()
    shown = [line for row in explain.ROWS for line in errors_page.lines(row.log)]
    assert [line for line in shown if re.search(r"[\\|^*+?]|\.\.\.", line.replace("[<module>]", ""))] == []
    assert "* ``disable``: EBUSY, stop_machine, with ``only the last enabled patch can be disabled`` in the log" in page
    assert page.index("failed to add breakpoints") < page.index("Some task is in one of the functions")


def test_the_page_is_written_from_the_table(errors_page: types.ModuleType) -> None:
    written = (ROOT / errors_page.PAGE).read_text(encoding="utf-8")
    assert errors_page.page() == written, "run tests/tools/errors_page.py"


@pytest.mark.parametrize(
    "name",
    [
        "_plan/refusals",
        "_plan/plan",
        "_plan/revert",
        "_plan/displaced",
        "_plan/live",
        "_plan/boot",
        "_apply/executor",
        "_verify/prover",
        "_manage/transaction",
    ],
)
def test_every_reason_is_on_the_page_of_reasons(name: str) -> None:
    source = (ROOT / f"plugins/module_utils/{name}.py").read_text(encoding="utf-8")
    reasons = set(re.findall(r'reason="(\w+)"', source))
    page = (ROOT / "docs/docsite/rst/reasons.rst").read_text(encoding="utf-8")
    assert reasons
    assert [reason for reason in sorted(reasons) if f"``{reason}``" not in page] == []
