# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a build failed: the reason, the line that decides and the remedy, for each builder and each log of the corpus."""

from __future__ import annotations

import re
import time

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures import (
    explain,
    given,
    host,
    needs,
    patch,
    tool,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.explain import (
    MOST_LINES,
    Explained,
    Failed,
    explain_failure,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import Stage
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import versions
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.build_logs import (
    APPLIED,
    COMPARING,
    FAILED,
    KPATCH,
    LOGS,
    MAKE,
    ORIGINAL,
    PATCHED,
    Log,
)

SIZE, SECONDS = 3_000_000, 4
"""Of the processor, for so many characters, which take 0.3. Coverage multiplies that; a fault makes it minutes."""


def explained(log: Log) -> Explained:
    stage, work = (Stage.SOURCE, "the source") if log.builder == MAKE else (None, "the patch")
    return explain_failure(Failed(log.builder, 1, log.printed, log.log, "/cache/logs/lp.log", work, stage))


def name_of(log: Log) -> str:
    return f"{log.builder}: {log.name}"


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_the_reason_of_a_log(log: Log) -> None:
    found = explained(log)
    assert (found.finding.reason, log.says in found.finding.seen) == (log.reason, True), found.finding
    assert any(log.decides in line for line in found.lines), found.lines
    assert not re.search(r"\{\w+\}|\(\)\.|\.\.\Z|None", f"{found.finding.seen}|{found.finding.remedy}"), found.finding


def test_there_are_logs_of_every_row() -> None:
    """Each row decides about a log; so none is hidden by an earlier one."""
    assert len(LOGS) >= 60
    deciding = set()
    for log in LOGS:
        hit = explain.decisive_row(Failed(log.builder, 1, log.printed, log.log, None, "", explained(log).stage))
        deciding.add(hit)
    assert [(row.reason, row.line) for row in explain.ROWS if row not in deciding] == []


OF_THE_HOST = {row.reason for row in (*host.ROWS, *needs.ROWS, *given.ROWS)}


@pytest.mark.parametrize("log", [log for log in LOGS if log.reason in OF_THE_HOST], ids=name_of)
def test_the_patch_is_not_blamed_for_the_build_host(log: Log) -> None:
    assert "orrect the patch" not in explained(log).finding.remedy
    assert "hange the patch" not in explained(log).finding.remedy


OF_THE_PATCH = {row.reason for row in patch.ROWS}


@pytest.mark.parametrize("log", [log for log in LOGS if log.reason in OF_THE_PATCH], ids=name_of)
def test_no_patch_is_to_blame_while_the_original_source_is_built(log: Log) -> None:
    """Whatever the line is: no patch is applied then."""
    failed = Failed(log.builder, 1, log.printed, log.log, "/cache/logs/lp.log", stage=Stage.ORIGINAL)
    finding = explain_failure(failed).finding
    assert finding.reason not in OF_THE_PATCH, finding
    assert "patch" not in finding.remedy.replace("no patch was applied", ""), finding


def test_the_version_of_kpatch_is_told_in_one_way() -> None:
    assert tool.PADS_SINCE == versions.PADS_SINCE


def test_what_was_built_before_does_not_decide() -> None:
    """The same error in the log of the original source, which has been built, is a note there."""
    log = APPLIED + "fs/p.c:1:1: error: tried and worked around\n  CC      fs/p.o\n"
    log += APPLIED + "fs/q.c:2:2: error: real\n"
    found = explain_failure(Failed(KPATCH, 1, PATCHED + FAILED, log))
    assert "fs/q.c:2: real" in found.finding.seen
    assert [error["file"] for error in found.errors] == ["fs/q.c"]
    after = explain_failure(Failed(KPATCH, 1, COMPARING + "ERROR: no functional changes found.\n", log))
    assert after.finding.reason == "no_change"


def test_the_stage_is_told() -> None:
    for printed, stage in ((ORIGINAL, Stage.ORIGINAL), (PATCHED, Stage.PATCHED), ("", Stage.UNKNOWN)):
        assert explain_failure(Failed(KPATCH, 1, printed)).stage == stage
    assert (
        explain_failure(Failed("klp-build", 1, "error: klp-build: objtool klp diff failed\n")).stage == Stage.COMPARING
    )


def test_the_errors_of_the_compiler_are_counted() -> None:
    log = "a.c:1:2: error: one\na.c:3: fatal error: two\n"
    found = explain_failure(Failed(KPATCH, 1, PATCHED, log))
    assert found.finding.seen == "The compiler says: a.c:1: one (and 1 more)."
    assert [(error["line"], error["column"]) for error in found.errors] == [(1, 2), (3, None)]


def test_colours_and_quotes_of_other_languages() -> None:
    log = "\x1b[01m\x1b[Kfs/q.c:10:2:\x1b[m\x1b[K \x1b[01;31m\x1b[Kerror: \x1b[m\x1b[Kwhat \u2018x\u2019\n"
    found = explain_failure(Failed(KPATCH, 1, PATCHED, log))
    assert found.finding.seen == "The compiler says: fs/q.c:10: what 'x'."


def test_source_that_a_compiler_shows_is_no_line_of_the_log() -> None:
    """Compilers before gcc 9 and clang 17 show it without a margin, and marks below it."""
    source, marks = '  q_say("Killed, No such file");', "  \x1b[01;31m\x1b[K  ^~~~\x1b[m\x1b[K ~"
    log = f"fs/q.c:9:8: error: what\n{source}\n"
    assert source in explain_failure(Failed(KPATCH, 1, PATCHED, log)).lines
    assert source not in explain_failure(Failed(KPATCH, 1, PATCHED, f"{log}{marks}\n")).lines


def test_the_path_of_the_log_is_in_the_remedy_where_nobody_knows() -> None:
    assert "/srv/lp.log" in explain_failure(Failed(KPATCH, 1, PATCHED, "", "/srv/lp.log")).finding.remedy
    assert "None" not in str(explain_failure(Failed(KPATCH, 1, PATCHED, "", None)).finding)


def test_the_lines_that_are_shown() -> None:
    noise = "".join(f"q{number}: error: again\n" for number in range(40))
    found = explain_failure(Failed(KPATCH, 1, PATCHED, f"{noise}fs/q.c:1:1: error: x\nfs/q.c:1:1: error: x\n{noise}"))
    assert len(found.lines) <= MOST_LINES
    assert found.lines.count("fs/q.c:1:1: error: x") == 1
    assert explain_failure(Failed(KPATCH, 1, "ERROR: x\nERROR: x\n  CC  a.o\n")).lines == ["ERROR: x"]


@pytest.mark.parametrize(
    "line",
    [
        "  CC      drivers/some/where/in/the/tree/file.o",
        "fs/q.c:1:1: error: x",
        "x error: " * 400,
        "ERROR: " + "a:" * 400,
        "No such file or directory",
    ],
)
def test_a_log_of_some_megabytes(line: str) -> None:
    """The time is that of its length, whatever its lines are."""
    log = f"{line}\n" * (SIZE // (len(line) + 1))
    begin = time.process_time()
    found = explain_failure(Failed(KPATCH, 1, PATCHED + FAILED, f"{log}gcc: fatal error: q\n"))
    assert time.process_time() - begin < SECONDS
    assert found.finding.seen


def test_a_log_of_one_line() -> None:
    for text in ("x" * SIZE, "error: " * (SIZE // 7)):
        begin = time.process_time()
        explain_failure(Failed(KPATCH, 1, PATCHED + FAILED, text))
        assert time.process_time() - begin < SECONDS
