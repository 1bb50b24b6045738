# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading source patches, and trying them."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import source_patch

FILE = """\
#include <x.h>

static int __init
start_it(void)
{
\treturn 1;
}

int used(void)
{
\treturn 2;
}

static int __exit end_it(void)
{
\treturn 3;
}
"""

PATCH = """\
From: somebody
Subject: a fix

--- a/kernel/x.c\t2026-01-01
+++ b/kernel/x.c\t2026-01-02
@@ -8,5 +8,5 @@ start_it(void)
\x20
 int used(void)
 {
-\treturn 2;
+\treturn 22;
 }
"""


def run(command: list[str]) -> tuple[int, str, str]:
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "tree/kernel").mkdir(parents=True)
    (tmp_path / "tree/kernel/x.c").write_text(FILE)
    return tmp_path / "tree"


def read(tmp_path: pathlib.Path, text: str, name: str = "fix.patch") -> source_patch.SourcePatch:
    path = tmp_path / name
    path.write_text(text)
    found = source_patch.read_source_patch(str(path))
    assert found is not None
    return found


def test_changes(tmp_path: pathlib.Path) -> None:
    text = (
        PATCH
        + "--- /dev/null\n+++ b/new.c\n@@ -0,0 +1 @@\n+int x;\n--- a/old.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-int y;\n"
    )
    patch = read(tmp_path, text)
    assert [(change.old, change.new) for change in patch.changes] == [
        ("kernel/x.c", "kernel/x.c"),
        (None, "new.c"),
        ("old.c", None),
    ]
    assert patch.paths == ("kernel/x.c", "new.c", "old.c")


def test_a_path_is_below_the_tree(tmp_path: pathlib.Path) -> None:
    patch = read(tmp_path, "--- /dev/null\n+++ b//etc/x\n@@ -0,0 +1 @@\n+int x;\n")
    assert patch.paths == ("etc/x",)


def test_removed_lines_that_look_like_headers_are_content(tmp_path: pathlib.Path) -> None:
    text = "--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,2 @@\n--- a/y.c\n+++ b/y.c\n context\n"
    assert read(tmp_path, text).paths == ("x.c",)


def test_the_description_does_not_matter(tmp_path: pathlib.Path) -> None:
    first = read(tmp_path, PATCH)
    assert first.sha256 == read(tmp_path, PATCH.replace("a fix", "the fix").replace("01-01", "03-03"), "b").sha256
    assert first.sha256 != read(tmp_path, PATCH.replace("22", "23"), "c").sha256
    assert first.sha256 != read(tmp_path, PATCH.replace("b/kernel/x.c", "b/kernel/y.c"), "d").sha256
    assert first.sha256 != read(tmp_path, PATCH.replace("@@ -8,5 +8,5 @@", "@@ -9,5 +9,5 @@"), "e").sha256


def test_a_patch_that_applies(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    trials, in_init = source_patch.try_patches(str(tree), [read(tmp_path, PATCH)], run)
    assert [trial.applies for trial in trials] == [True]
    assert in_init == []
    assert (tree / "kernel/x.c").read_text() == FILE


def test_a_series_builds_on_itself(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    second = PATCH.replace("-\treturn 2;", "-\treturn 22;").replace("+\treturn 22;", "+\treturn 222;")
    both = [read(tmp_path, PATCH), read(tmp_path, second, "2.patch")]
    assert all(trial.applies for trial in source_patch.try_patches(str(tree), both, run)[0])
    assert not source_patch.try_patches(str(tree), both[1:], run)[0][0].applies


def test_an_applied_patch_is_named_as_such(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tree / "kernel/x.c").write_text(FILE.replace("return 2;", "return 22;"))
    (trial,) = source_patch.try_patches(str(tree), [read(tmp_path, PATCH)], run)[0]
    assert trial.already_applied and not trial.applies


def test_a_failing_hunk_is_named(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (trial,) = source_patch.try_patches(str(tree), [read(tmp_path, PATCH.replace("return 2;", "return 9;"))], run)[0]
    assert trial.failures == (("kernel/x.c", 1, 8),)


def test_a_missing_file_is_named(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (trial,) = source_patch.try_patches(str(tree), [read(tmp_path, PATCH.replace("x.c", "nosuch.c"))], run)[0]
    assert trial.missing == ("kernel/nosuch.c",)


@pytest.mark.parametrize("path", ["a/../../outside.c", "a//etc/passwd"])
def test_nothing_outside_is_touched(tree: pathlib.Path, tmp_path: pathlib.Path, path: str) -> None:
    outside = tmp_path / "outside.c"
    outside.write_text(FILE)
    text = PATCH.replace("a/kernel/x.c", path).replace("b/kernel/x.c", path)
    (trial,) = source_patch.try_patches(str(tree), [read(tmp_path, text)], run)[0]
    assert trial.missing
    assert outside.read_text() == FILE


def test_a_patch_without_changes(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (trial,) = source_patch.try_patches(str(tree), [read(tmp_path, "nothing\n")], run)[0]
    assert trial.says == "it changes no file"


def test_functions_that_are_discarded() -> None:
    assert source_patch.init_functions(FILE) == [("start_it", 5, 7), ("end_it", 15, 17)]


@pytest.mark.parametrize(("old", "new", "found"), [("1", "11", "start_it"), ("3", "33", "end_it"), ("2", "22", None)])
def test_changes_of_discarded_functions(
    tree: pathlib.Path, tmp_path: pathlib.Path, old: str, new: str, found: str | None
) -> None:
    changed = FILE.replace(f"return {old};", f"return {new};")
    (tmp_path / "b").write_text(changed)
    diff = run(
        ["diff", "-u", "--label=a/kernel/x.c", "--label=b/kernel/x.c", str(tree / "kernel/x.c"), str(tmp_path / "b")]
    )[1]
    _trials, in_init = source_patch.try_patches(str(tree), [read(tmp_path, diff)], run)
    assert [function for _patch, _path, function in in_init] == ([found] if found else [])


def test_rejects() -> None:
    said = "patching file 'a b.c'\nHunk #1 succeeded at 3.\nHunk #2 FAILED at 17.\n1 out of 2 hunks FAILED\n"
    assert source_patch.parse_rejects(said) == (("a b.c", 2, 17),)
