# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which trees of a cache are removed, and that none is that a build uses."""

from __future__ import annotations

import fcntl
import os
import pathlib
import time
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import cache
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.work_tree import WorkTree

MIB = 1024**2


def tree(folder: pathlib.Path, letter: str, days: float, mib: int = 1) -> pathlib.Path:
    """A tree that was used so many days ago, of a size."""
    path = folder / "trees" / (letter * 16)
    (path / "source/fs").mkdir(parents=True)
    (path / "source/fs/a.o").write_bytes(os.urandom(4096) * (256 * mib))
    (path / "lock").write_text("")
    used = time.time() - days * cache.DAY_SECONDS
    os.utime(path / "lock", (used, used))
    return path


def names(removed: t.Iterable[dict[str, t.Any]]) -> list[tuple[str, str]]:
    return [(pathlib.Path(entry["path"]).name[0], entry["why"]) for entry in removed]


def test_what_is_old_goes(tmp_path: pathlib.Path) -> None:
    own, young, old = tree(tmp_path, "0", 99), tree(tmp_path, "1", 29), tree(tmp_path, "2", 31)
    removed = cache.prune(str(tmp_path), str(own), 30, 40)
    assert names(removed) == [("2", "age")]
    assert removed[0]["unused_days"] == pytest.approx(31, abs=0.1)
    assert MIB <= removed[0]["size"] < 2 * MIB  # a directory takes room on disks, and none in memory
    assert (own.exists(), young.exists(), old.exists()) == (True, True, False)
    assert sorted(path.name[0] for path in (tmp_path / "trees").iterdir()) == ["0", "1"]


def test_the_oldest_go_until_the_rest_is_small_enough(tmp_path: pathlib.Path) -> None:
    own = tree(tmp_path, "0", 0, 2)
    for letter, days in (("1", 1), ("2", 3), ("3", 2)):
        tree(tmp_path, letter, days, 2)
    assert names(cache.prune(str(tmp_path), str(own), 30, 5 * MIB / cache.GIB)) == [("2", "size"), ("3", "size")]
    assert names(cache.prune(str(tmp_path), str(own), 30, 5 * MIB / cache.GIB)) == []


def test_one_s_own_tree_stays_even_if_it_alone_is_too_large(tmp_path: pathlib.Path) -> None:
    own = tree(tmp_path, "0", 99, 2)
    tree(tmp_path, "1", 1)
    assert names(cache.prune(str(tmp_path), str(own), 30, 0)) == [("1", "size")]
    assert own.exists()


def test_what_would_go_is_known_before(tmp_path: pathlib.Path) -> None:
    own, old = tree(tmp_path, "0", 99), tree(tmp_path, "2", 31)
    freed = cache.prunable(str(tmp_path), str(own), 30, 40)
    assert (old.exists(), (old / "size").exists()) == (True, False)
    assert [entry["size"] for entry in cache.prune(str(tmp_path), str(own), 30, 40)] == [freed]


def test_a_tree_in_use_stays(tmp_path: pathlib.Path) -> None:
    used = tree(tmp_path, "1", 99)
    with open(used / "lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cache.prune(str(tmp_path), str(tmp_path / "own"), 30, 0) == []
    assert names(cache.prune(str(tmp_path), str(tmp_path / "own"), 30, 0)) == [("1", "age")]


def test_what_is_no_tree_stays(tmp_path: pathlib.Path) -> None:
    elsewhere = tree(tmp_path / "elsewhere", "1", 99)
    (tmp_path / "trees").mkdir()
    (tmp_path / "trees" / ("2" * 16)).symlink_to(elsewhere)
    (tmp_path / "trees" / ("3" * 16)).mkdir()
    (tmp_path / "trees/mine").mkdir()
    (tmp_path / "trees" / ("4" * 16)).write_text("")
    assert cache.prune(str(tmp_path), str(tmp_path / "own"), 30, 0) == []
    assert (elsewhere / "source/fs/a.o").exists()
    assert len(list((tmp_path / "trees").iterdir())) == 4
    assert cache.prune(str(tmp_path / "nosuch"), str(tmp_path / "own"), 30, 0) == []


def test_what_an_interrupted_run_has_begun_to_remove_goes(tmp_path: pathlib.Path) -> None:
    begun = tmp_path / "trees" / f".gone-{'1' * 16}-7"
    (begun / "source").mkdir(parents=True)
    cache.prune(str(tmp_path), str(tmp_path / "own"), 30, 40)
    assert not begun.exists()


def test_a_size_is_measured_once_for_each_use(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = tree(tmp_path, "1", 1)
    cache.prune(str(tmp_path), str(tmp_path / "own"), 30, 40)
    measured: list[str] = []

    def size(path: str) -> int:
        measured.append(path)
        return 0

    monkeypatch.setattr(cache, "_size", size)
    cache.prune(str(tmp_path), str(tmp_path / "own"), 30, 40)
    assert str(used) not in measured
    os.utime(used / "lock")
    cache.prune(str(tmp_path), str(tmp_path / "own"), 30, 40)
    assert str(used) in measured


def test_who_waits_for_a_tree_that_goes_makes_it_anew(tmp_path: pathlib.Path) -> None:
    """The lock that he gets is no longer the tree's."""
    work = WorkTree(str(tree(tmp_path, "1", 99)))
    told: list[str] = []

    def remove(who: str) -> None:
        told.append(who)
        os.rename(work.path, f"{work.path}.gone")
        holder.close()

    holder = open(os.path.join(work.path, "lock"), "a", encoding="utf-8")  # noqa: SIM115
    fcntl.flock(holder, fcntl.LOCK_EX)
    with work.locked("me", remove, 60) as mine:
        assert mine
        assert pathlib.Path(work.path, "lock").read_text() == "me"
        assert cache.prune(str(tmp_path), str(tmp_path / "own"), 30, 0) == []
    assert told == ["another build"]


def test_a_lock_that_somebody_else_has_written_is_shown_as_far_as_it_is_text(tmp_path: pathlib.Path) -> None:
    work = WorkTree(str(tree(tmp_path, "1", 0)))
    told: list[str] = []
    with open(os.path.join(work.path, "lock"), "wb", buffering=0) as holder:
        holder.write(b"a build \xff")
        fcntl.flock(holder, fcntl.LOCK_EX)
        with work.locked("me", told.append, 0) as mine:
            assert not mine
    assert told == ["a build \N{REPLACEMENT CHARACTER}"]


def test_a_tree_that_goes_before_its_lock_is_opened_is_made_anew(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trees").mkdir()
    work = WorkTree(str(tmp_path / "trees" / ("1" * 16)))
    made = os.makedirs
    times: list[str] = []

    def make_and_lose(path: str, **more: t.Any) -> None:
        made(path, **more)
        times.append(path)
        if len(times) == 1:
            os.rmdir(path)

    monkeypatch.setattr(os, "makedirs", make_and_lose)
    with work.locked("me", lambda _who: None, 0) as mine:
        assert mine
    assert times == [work.path, work.path]
