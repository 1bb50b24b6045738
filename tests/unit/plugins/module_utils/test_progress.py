# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that tells how a job goes, its reader, and what the operator sees of it."""

from __future__ import annotations

import json
import os
import pathlib
import time
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import (
    ProgressFile,
    Reporter,
    progress_path,
    reporter_of,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import watch as watch_job


def watch(path: pathlib.Path, offset: int, seconds: float) -> dict[str, t.Any]:
    """What the reader tells of the progress file at this path, without what is always the same."""
    news = watch_job(str(path.parent.parent), {"progress": path.name, "offset": offset, "seconds": seconds})
    assert news.pop("changed") is False
    return news


def test_stages_lines_and_the_end(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "progress/abc"
    progress = reporter_of(str(tmp_path), "abc")
    progress.stage("building")
    progress.tick(10, 20)
    progress.line("x.o: changed function: f")
    first = watch(path, 0, 0)
    assert first["running"]
    assert [entry.get("stage") or entry.get("text") for entry in first["entries"]] == [
        None,
        "building",
        "x.o: changed function: f",
    ]
    progress.end()
    second = watch(path, first["offset"], 60)
    assert [list(entry) for entry in second["entries"]] == [["end", "elapsed"]]
    assert not second["running"]
    assert not os.path.exists(path)


def test_ticks_are_ten_seconds_apart(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    path = str(tmp_path / "progress/x")
    progress = ProgressFile(path)
    progress.stage("building")
    for second in range(35):
        now[0] = 100.0 + second
        progress.tick(second, None)
    with open(path, encoding="utf-8") as stream:
        told = [entry["objects"] for entry in map(json.loads, stream) if "objects" in entry]
    assert told == [10, 20, 30]


def test_what_a_job_waits_for_is_told_once_in_ten_seconds(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = reporter_of(str(tmp_path), "x")
    for second in range(35):
        now[0] = 100.0 + second
        progress.goes_on(f"waiting, {second} s")
        if second == 12:
            progress.stage("building")
    told = [json.loads(line) for line in (tmp_path / "progress/x").read_text().splitlines()]
    assert [(entry.get("stage"), entry["elapsed"]) for entry in told] == [
        (None, 0),
        ("waiting, 10 s", 10),
        ("building", 12),
        ("waiting, 22 s", 22),
        ("waiting, 32 s", 32),
    ]


@pytest.mark.parametrize("identifier", [None, "", "x"])
def test_without_an_identifier_or_a_place_nobody_is_told(identifier: str | None) -> None:
    assert not isinstance(reporter_of("/proc/nosuch", identifier), ProgressFile)


def test_a_build_that_was_killed_is_over(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "progress/x"
    path.parent.mkdir()
    path.write_text('{"pid": 999999999}\n{"stage": "building", "ela')
    news = watch(path, 0, 60)
    assert not news["running"]
    assert news["entries"] == [{"pid": 999999999}]


def test_a_job_whose_file_is_gone_is_over_after_a_reboot(tmp_path: pathlib.Path) -> None:
    assert watch(tmp_path / "progress/nosuch", 7, 60) == {"entries": [], "offset": 7, "running": False}


@pytest.mark.parametrize("began", [None, "1"])
def test_another_process_with_the_number_of_the_job_is_not_it(tmp_path: pathlib.Path, began: str | None) -> None:
    path = tmp_path / "progress/x"
    path.parent.mkdir()
    path.write_text(json.dumps({"pid": os.getpid(), "began": began}) + "\n")
    assert not watch(path, 0, 60)["running"]


@pytest.mark.parametrize("line", ["{", "7", "\udcff"])
def test_a_damaged_line_tells_nothing(tmp_path: pathlib.Path, line: str) -> None:
    path = tmp_path / "progress/x"
    reporter_of(str(tmp_path), "x").stage("building")
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{line}\n{second}\n", errors="surrogateescape")
    news = watch(path, 0, 0)
    assert (news["running"], news["entries"][1]) == (True, {})


def test_a_build_that_has_not_begun_may_begin(tmp_path: pathlib.Path) -> None:
    assert watch(tmp_path / "progress/nosuch", 0, 0.2) == {"entries": [], "offset": 0, "running": True}


def test_the_identifier_leads_nowhere_else() -> None:
    assert progress_path("/cache", "../../etc/passwd") == "/cache/progress/passwd"


def test_old_files_are_forgotten(tmp_path: pathlib.Path) -> None:
    old = tmp_path / "progress/old"
    old.parent.mkdir()
    old.write_text("")
    os.utime(old, (1, 1))
    ProgressFile(str(tmp_path / "progress/new")).end()
    assert [path.name for path in old.parent.iterdir()] == ["new"]


@pytest.mark.parametrize("reporter", [Reporter()])
def test_nobody_needs_to_be_told(reporter: Reporter) -> None:
    reporter.stage("x")
    reporter.tick(1, 2)
    reporter.line("x")
    reporter.goes_on("x")
    reporter.end()


def test_a_full_disk_does_not_end_the_build(tmp_path: pathlib.Path) -> None:
    os.symlink("/dev/full", tmp_path / "job")
    progress = ProgressFile(str(tmp_path / "job"))
    progress.stage("build")
    progress.end()
