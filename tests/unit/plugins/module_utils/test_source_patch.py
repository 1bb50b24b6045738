# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading source patches, and trying them."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import source_checks, source_patch
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean

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
    path.write_bytes(text.encode())
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


SEPARATORS = ["\v", "\f", "\r", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
"""str.splitlines() splits at each, and patch takes it for content."""


@pytest.mark.parametrize("separator", SEPARATORS, ids=ascii)
def test_a_separator_that_patch_does_not_know_is_content(
    tree: pathlib.Path, tmp_path: pathlib.Path, separator: str
) -> None:
    """Two fixes that differ behind it differ, and are counted as patch counts them."""
    fixes = [PATCH.replace("+\treturn 22;", f"+\treturn {number};{separator}+}}{separator}") for number in (22, 23)]
    first, second = (read(tmp_path, text, str(number)) for number, text in enumerate(fixes))
    assert first.sha256 != second.sha256
    assert first.changes == second.changes and len(first.changes) == 1
    (trial,) = source_patch.try_patches(str(tree), [first], run)[0]
    assert trial.applies
    # What stands behind the last line that is counted decides as well: here lines that were taken for one more.
    cut = [PATCH.replace("int used(void)", f"int used(void){separator}{separator}{separator}")]
    cut.append(cut[0].replace("return 22", "return 24"))
    assert len({read(tmp_path, text, "cut").sha256 for text in cut}) == 2


def test_each_byte_decides(tmp_path: pathlib.Path) -> None:
    """Bytes that are no UTF-8, ends of lines, and all that patch may read besides unified hunks."""
    path = tmp_path / "fix.patch"
    texts = [
        PATCH.encode(),
        PATCH.replace("22", "\xe9").encode("latin-1"),
        PATCH.replace("22", "\xe8").encode("latin-1"),
        PATCH.replace("22;", "22;\r").encode(),
        *(PATCH.encode() + b"Index: x.c\n5c5\n< 1\n---\n> %d\n" % number for number in (2, 3)),
        *(PATCH.encode() + b"diff --git a/y b/z\nrename from y\nrename to z%d\n" % number for number in (2, 3)),
    ]
    digests = []
    for text in texts:
        path.write_bytes(text)
        digests.append(source_patch.read_source_patch(str(path)).sha256)
    assert len(set(digests)) == len(texts)


def test_the_version_of_git_does_not_matter(tmp_path: pathlib.Path) -> None:
    texts = [PATCH, *(f"{PATCH}-- \n{version}\n\n" for version in ("2.39.5", "2.50.1 (Apple Git-155)"))]
    _without, old, new = (read(tmp_path, text, str(number)).sha256 for number, text in enumerate(texts))
    assert old == new


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("lib/kstrtox.c", "code in lib/"),
        ("arch/x86/entry/vdso/vclock_gettime.c", "the vDSO"),
        ("arch/x86/realmode/rm/wakemain.c", "code that runs before the kernel"),
        ("arch/x86/entry/entry_64.S", "assembly"),
        ("fs/lib/x.c", ""),
        ("arch/x86/realmode/init.c", ""),
    ],
)
def test_code_that_no_builder_takes_is_refused(tmp_path: pathlib.Path, path: str, what: str) -> None:
    patch = read(tmp_path, f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-int x;\n+int y;\n")
    found = [problem.cause for problem in source_checks.check_paths([patch])]
    assert found == ([f"{patch.path} changes {path}: {what} cannot be live-patched."] if what else [])


@pytest.mark.parametrize(
    "path", ["b/../../etc/x.c", "b/x$(reboot).c", "b/x\u2028.c", "b/x\x1b[2J.c", "b/a b.c\t", "b/x;y.c"]
)
def test_a_name_that_is_not_plain_is_refused(tmp_path: pathlib.Path, path: str) -> None:
    """The names of added files reach `rm`, `make` and kpatch-build's shell."""
    patch = read(tmp_path, f"--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+int x;\n")
    (problem,) = source_checks.check_paths([patch])
    assert problem.reason == "unsupported_path"
    assert problem.remedy == "Leave the file out of the patch."
    assert clean(problem.cause) == problem.cause


def test_a_patch_that_applies(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    tried = source_patch.try_patches(str(tree), [read(tmp_path, PATCH)], run)
    assert [trial.applies for trial in tried.trials] == [True]
    assert tried.in_init == []
    changed = FILE.replace("return 2;", "return 22;")
    assert tried.changes == {"kernel/x.c": (FILE.encode(), changed.encode())}
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


@pytest.mark.parametrize("path", ["a/../../outside.c", "a//etc/passwd", "a/kernel/\0x.c"])
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


def test_what_patch_says_of_the_trouble_is_told(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Not what it says last, which is of the next file."""
    (tree / "kernel/y.h").write_text("int y;\nint more;\n")
    deletes = "--- a/kernel/y.h\n+++ /dev/null\n@@ -1 +0,0 @@\n-int y;\n"
    text = f"diff --git a/kernel/y.h b/kernel/y.h\ndeleted file mode 100644\n{deletes}{PATCH}"
    (trial,) = source_patch.try_patches(str(tree), [read(tmp_path, text)], run).trials
    assert trial.says == "Not deleting file kernel/y.h as content differs from patch"


def test_functions_that_are_discarded() -> None:
    assert source_patch.init_functions(FILE.split("\n")) == [("start_it", 5, 7), ("end_it", 15, 17)]


@pytest.mark.parametrize(("old", "new", "found"), [("1", "11", "start_it"), ("3", "33", "end_it"), ("2", "22", None)])
def test_changes_of_discarded_functions(
    tree: pathlib.Path, tmp_path: pathlib.Path, old: str, new: str, found: str | None
) -> None:
    changed = FILE.replace(f"return {old};", f"return {new};")
    (tmp_path / "b").write_text(changed)
    diff = run(
        ["diff", "-u", "--label=a/kernel/x.c", "--label=b/kernel/x.c", str(tree / "kernel/x.c"), str(tmp_path / "b")]
    )[1]
    tried = source_patch.try_patches(str(tree), [read(tmp_path, diff)], run)
    assert [function for _patch, _path, function in tried.in_init] == ([found] if found else [])


def test_a_line_counts_where_the_patch_lands(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The patch is of an older source, where used() stood where this one has start_it(), which is discarded."""
    older = PATCH.replace("@@ -8,5 +8,5 @@", "@@ -2,5 +2,5 @@")
    tried = source_patch.try_patches(str(tree), [read(tmp_path, older)], run)
    assert (tried.all_apply, tried.in_init) == (True, [])


def test_an_indented_change_of_a_discarded_function(tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    text = "--- a/kernel/x.c\n+++ b/kernel/x.c\n@@ -5,3 +5,3 @@\n {\n-\treturn 1;\n+\treturn 11;\n }\n"
    indented = "".join(f"  {line}\n" for line in text.split("\n")[:-1])
    tried = source_patch.try_patches(str(tree), [read(tmp_path, indented)], run)
    assert [function for _patch, _path, function in tried.in_init] == ["start_it"]


def test_rejects() -> None:
    said = "patching file 'a b.c'\nHunk #1 succeeded at 3.\nHunk #2 FAILED at 17.\n1 out of 2 hunks FAILED\n"
    assert source_patch.parse_rejects(said) == (("a b.c", 2, 17),)
