# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Source patches are taken as patch(1) and git take them: the real programs say what is right."""

from __future__ import annotations

import difflib
import pathlib
import shutil
import subprocess
import tempfile
import typing as t
from dataclasses import replace

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed for this Python")

from ansible_collections.openeuler.livepatch.plugins.module_utils._build import source_checks, source_patch
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.kernel_source import Config
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.patch_header import name_in, names_of_git
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_source_patch import run
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

needs_patch = pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

CONFIG = Config("", b"", "", {"CONFIG_X86": "y"}, None, None)
A_C = "int a(void)\n{\n\treturn 1;\n}\n"
HUNK = "@@ -1,4 +1,4 @@\n int a(void)\n {\n-\treturn 1;\n+\treturn 2;\n }\n"

TWINS = (
    "static int get_{0}(struct ctx *c)\n{{\n\tstruct item *it;\n\n\tit = lookup(c, c->{0});\n\tif (!it)\n"
    "\t\treturn -EINVAL;\n\tif (it->len > c->max{1})\n\t\treturn -EINVAL;\n\tuse(it);\n\treturn 0;\n}}\n\n"
)
FIXED = " || it->len == 0"


def tree_with(path: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, content in files.items():
        target = path / "tree" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode())
    return path / "tree"


def read(path: pathlib.Path, text: str, name: str = "fix.patch") -> source_patch.SourcePatch:
    file = path / name
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    found = source_patch.read_source_patch(str(file))
    assert found is not None
    return found


def tried(path: pathlib.Path, files: dict[str, str], text: str) -> source_patch.Trial:
    (trial,) = source_patch.try_patches(str(tree_with(path, files)), [read(path, text)], run)[0]
    return trial


def patch_takes(path: pathlib.Path, files: dict[str, str], text: str) -> bool:
    """Whether patch(1) takes it, called as kpatch-build calls it."""
    with tempfile.TemporaryDirectory(dir=path) as directory:
        root = tree_with(pathlib.Path(directory), files)
        command = ["patch", "-N", "-p1", "--batch", "--dry-run", "-d", str(root)]
        done = subprocess.run(command, check=False, input=text.encode("utf-8", "surrogateescape"), capture_output=True)
    return done.returncode == 0


def git_takes(path: pathlib.Path, files: dict[str, str], text: str) -> bool:
    with tempfile.TemporaryDirectory(dir=path) as directory:
        root = tree_with(pathlib.Path(directory), files)
        command = ["git", "-c", "core.autocrlf=false", "apply", "--check", "-"]
        done = subprocess.run(
            command,
            check=False,
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            cwd=root,
            env={"PATH": "/usr/bin:/bin", "HOME": directory, "GIT_CEILING_DIRECTORIES": directory},
        )
    return done.returncode == 0


GIT = "diff --git a/fs/a.c b/fs/a.c\nindex 1234567..89abcde 100644\n--- a/fs/a.c\n+++ b/fs/a.c\n"

TAKEN = {
    "times behind a blank": f"--- a/fs/a.c 2021-04-29 10:30:49.1 +0800\n+++ b/fs/a.c 2021-05-02 12:04:56\n{HUNK}",
    "times behind a tab": f"--- a/fs/a.c\t2021-04-29 10:30:49.1 +0800\n+++ b/fs/a.c\t2021-05-02 12:04:56\n{HUNK}",
    "a revision": f"--- a/fs/a.c\t(revision 1)\n+++ b/fs/a.c\t(working copy)\n{HUNK}",
    "blanks behind the name": f"--- a/fs/a.c   \n+++ b/fs/a.c   \n{HUNK}",
    "other folders": f"--- linux-6.1.orig/fs/a.c\n+++ linux-6.1/fs/a.c\n{HUNK}",
    "a backup as the old file": f"--- a/fs/a.c.orig\n+++ b/fs/a.c\n{HUNK}",
    "quotes": f'--- "a/fs/a.c"\n+++ "b/fs/a.c"\n{HUNK}',
    "git": GIT + HUNK,
    "git in a letter": f"From 12 Mon Sep 17\nSubject: [PATCH] x\n\n---\n fs/a.c | 2 +-\n\n{GIT}{HUNK}-- \n2.39.5\n\n",
    "an index line": f"Index: linux/fs/a.c\n{'=' * 67}\n--- linux.orig/fs/a.c\n+++ linux/fs/a.c\n{HUNK}",
    "the ends of lines of DOS": (GIT + HUNK).replace("\n", "\r\n"),
    "a context diff": "*** a/fs/a.c\n--- b/fs/a.c\n***************\n*** 1,4 ****\n  int a(void)\n  {\n! \treturn 1;\n"
    "  }\n--- 1,4 ----\n  int a(void)\n  {\n! \treturn 2;\n  }\n",
    "an indented patch": "".join(f"  {line}\n" for line in (GIT + HUNK).split("\n")[:-1]),
    "a section": GIT + HUNK.replace("@@\n", "@@ int a(void)\n", 1).replace("+1,4 @@", "+1,4 @@ struct x"),
}


@needs_patch
@pytest.mark.parametrize("name", TAKEN)
def test_what_patch_takes_is_taken(tmp_path: pathlib.Path, name: str) -> None:
    files = {"fs/a.c": A_C}
    assert patch_takes(tmp_path, files, TAKEN[name])
    trial = tried(tmp_path, files, TAKEN[name])
    assert (trial.applies, trial.fuzzy) == (True, ())
    assert "fs/a.c" in read(tmp_path, TAKEN[name]).paths
    assert list(source_checks.check_paths([read(tmp_path, TAKEN[name])])) == []


WITH_BLANKS = GIT.replace("a/fs/a.c b/fs/a.c", "a/fs/a b.c b/fs/a b.c").replace("fs/a.c\n", "fs/a b.c\t\n") + HUNK
RENAME = "diff --git a/fs/a.c b/fs/b.c\nsimilarity index 70%\nrename from fs/a.c\nrename to fs/b.c\n"
NEW = "diff --git a/fs/n.c b/fs/n.c\nnew file mode 100644\nindex 0000000..1234567\n"
GONE = "diff --git a/fs/a.c b/fs/a.c\ndeleted file mode 100644\nindex 1234567..0000000\n"
OF_GIT = {
    "a rename": (
        RENAME + f"--- a/fs/a.c\n+++ b/fs/b.c\n{HUNK}",
        [("fs/a.c", "fs/b.c")],
    ),
    "a rename alone": (
        RENAME.replace("70%", "100%"),
        [("fs/a.c", "fs/b.c")],
    ),
    "a mode": (
        "diff --git a/fs/a.c b/fs/a.c\nold mode 100644\nnew mode 100755\n",
        [("fs/a.c", "fs/a.c")],
    ),
    "a mode and a change": (
        GIT.replace("index 1234567..89abcde 100644", "old mode 100644\nnew mode 100755") + HUNK,
        None,
    ),
    "a new file": (
        NEW + "--- /dev/null\n+++ b/fs/n.c\n@@ -0,0 +1 @@\n+int n;\n",
        [(None, "fs/n.c")],
    ),
    "a file that goes": (
        GONE + "--- a/fs/a.c\n+++ /dev/null\n@@ -1,4 +0,0 @@\n-int a(void)\n-{\n-\treturn 1;\n-}\n",
        [("fs/a.c", None)],
    ),
    "a name with blanks": (WITH_BLANKS, [("fs/a b.c", "fs/a b.c")]),
}


@needs_patch
@needs_git
@pytest.mark.parametrize("name", OF_GIT)
def test_what_git_takes_is_taken(tmp_path: pathlib.Path, name: str) -> None:
    text, changes = OF_GIT[name]
    files = {"fs/a.c": A_C, "fs/a b.c": A_C}
    assert git_takes(tmp_path, files, text)
    assert patch_takes(tmp_path, files, text)
    assert tried(tmp_path, files, text).applies
    found = [(change.old, change.new) for change in read(tmp_path, text).changes]
    assert found == (changes or [("fs/a.c", "fs/a.c")])


def test_names() -> None:
    assert name_in('"a/\\303\\244\\t\\"x.c"') == 'a/\udcc3\udca4\t"x.c'
    assert name_in("a/x y.c\t2021") == "a/x y.c"
    assert name_in("a/x y.c") == "a/x"
    assert name_in("/dev/null\t1970-01-01") is None
    assert names_of_git('diff --git "a/x y" "b/x y"') == ("x y", "x y")
    assert names_of_git("diff --git a/x y b/x y") == ("x y", "x y")
    assert names_of_git("diff --git a/x b/y") == ("x", "y")
    assert names_of_git("diff --git a/x y b/z y") == (None, None)


def test_a_file_that_was_not_there_by_its_time(tmp_path: pathlib.Path) -> None:
    text = (
        "--- a/fs/n.c\t1970-01-01 00:00:00.0 +0000\n+++ b/fs/n.c\t2021-05-02 12:04:56.7 +0800\n@@ -0,0 +1 @@\n+int n;\n"
    )
    patch = read(tmp_path, text)
    assert [(change.old, change.new) for change in patch.changes] == [(None, "fs/n.c")]
    assert patch.sha256 != read(tmp_path, text.replace("1970-01-01", "2020-01-01")).sha256


FIX = (
    "--- a/fs/k.c\n+++ b/fs/k.c\n@@ -5,7 +5,7 @@ static int get_one(struct ctx *c)\n \tit = lookup(c, c->one);\n"
    " \tif (!it)\n \t\treturn -EINVAL;\n-\tif (it->len > c->max)\n+\tif (it->len > c->max || it->len == 0)\n"
    " \t\treturn -EINVAL;\n \tuse(it);\n \treturn 0;\n"
)


@needs_patch
@pytest.mark.parametrize(
    ("one", "two", "above", "applied"),
    [
        ("", FIXED, 0, False),
        ("", "", 0, False),
        ("", "", 3, False),
        (FIXED, "", 0, True),
        (FIXED, FIXED, 0, True),
        (FIXED, FIXED, 3, True),
        ("", FIXED, 3, False),
    ],
)
def test_code_that_is_like_it_elsewhere_does_not_decide(
    tmp_path: pathlib.Path, one: str, two: str, above: int, applied: bool
) -> None:
    """The patch is of get_one; get_two, whose lines are the same but one, has its own fix."""
    text = "int x;\n" * above + TWINS.format("one", one) + TWINS.format("two", two)
    trial = tried(tmp_path, {"fs/k.c": text}, FIX)
    assert (trial.already_applied, trial.applies) == (applied, not applied)


BACK = HUNK.replace("return 1", "return X").replace("return 2", "return 1").replace("return X", "return 2")
NOTHING = {
    "a mode": ["diff --git a/fs/a.c b/fs/a.c\nold mode 100644\nnew mode 100755\n"],
    "an empty file": ["diff --git a/fs/e.h b/fs/e.h\nnew file mode 100644\nindex 0000000..e69de29\n"],
    "there and back": [GIT + HUNK, GIT + BACK],
}


def found_in(path: pathlib.Path, files: dict[str, str], *texts: str) -> list[tuple[str, str]]:
    patches = [read(path, text, f"{number}.patch") for number, text in enumerate(texts)]
    tried = source_patch.try_patches(str(tree_with(path, files)), patches, run)
    return [(finding.reason, finding.seen) for finding in source_checks.check_patches(patches, tried, CONFIG)]


@needs_patch
@pytest.mark.parametrize("name", NOTHING)
def test_patches_that_change_no_line_are_refused(tmp_path: pathlib.Path, name: str) -> None:
    """A builder would compile the whole kernel to find that nothing has changed."""
    found = found_in(tmp_path, {"fs/a.c": A_C}, *NOTHING[name])
    assert found == [("no_change", "The patches change no line of any file.")]
    assert found_in(tmp_path, {"fs/a.c": A_C}, GIT + HUNK) == []


@needs_patch
@pytest.mark.parametrize(
    ("folder", "options", "expected"),
    [
        ("fs", ["CONFIG_X86"], ["init_section"]),
        ("arch/x86/kernel", ["CONFIG_X86"], ["init_section"]),
        ("arch/arm64/kernel", ["CONFIG_X86"], []),
        ("arch/arm64/kernel", ["CONFIG_ARM64"], ["init_section"]),
        ("arch/powerpc/mm", ["CONFIG_PPC"], ["init_section"]),
        ("arch/powerpc/mm", ["CONFIG_ARM64"], []),
    ],
)
def test_discarded_code_of_another_architecture_is_not_compiled(
    tmp_path: pathlib.Path, folder: str, options: list[str], expected: list[str]
) -> None:
    """A fix of all architectures changes their start as well."""
    text = (GIT + HUNK).replace("fs/a.c", f"{folder}/a.c").replace("int a", "int __init a")
    patches = [read(tmp_path, text)]
    tree = tree_with(tmp_path, {f"{folder}/a.c": A_C.replace("int a", "int __init a")})
    tried = source_patch.try_patches(str(tree), patches, run)
    config = replace(CONFIG, options=dict.fromkeys(options, "y"))
    assert [finding.reason for finding in source_checks.check_patches(patches, tried, config)] == expected


@needs_patch
def test_the_old_name_of_a_file_counts(tmp_path: pathlib.Path) -> None:
    text = RENAME.replace("fs/a.c", "lib/a.c") + f"--- a/lib/a.c\n+++ b/fs/b.c\n{HUNK}"
    (found,) = found_in(tmp_path, {"lib/a.c": A_C}, text)
    assert found == ("unsupported_path", "The patches change lib/a.c: code in lib/ cannot be live-patched.")


KEY = (
    "static int {0}_key(struct ctx *c)\n{{\n\tint err;\n\n\terr = prepare(c);\n\tif (err)\n\t\treturn {1};\n{2}"
    "\tmemcpy(c->out, c->buf, c->len);\n\treturn 0;\n}}\n"
)
LENGTH = "\tif (c->len > MAX)\n\t\treturn -EINVAL;\n"
KEY_FIX = (
    "--- a/fs/k.c\n+++ b/fs/k.c\n@@ -3,8 +3,10 @@{0}\n \tint err;\n \n \terr = prepare(c);\n \tif (err)\n"
    " \t\treturn err;\n+\tif (c->len > MAX)\n+\t\treturn -EINVAL;\n \tmemcpy(c->out, c->buf, c->len);\n"
    " \treturn 0;\n }}\n"
)


@needs_patch
@pytest.mark.parametrize(
    ("function", "between", "applied"),
    [
        (" static int get_key(struct ctx *c)", 60, False),
        (" static int get_key(struct ctx *c)", 0, False),
        (" static int set_key(struct ctx *c)", 60, True),
        (" static int set_key(struct", 60, True),
        ("", 60, False),
        ("", 0, True),
        (" out:", 60, False),
    ],
)
def test_the_fix_of_another_function_is_not_this_one(
    tmp_path: pathlib.Path, function: str, between: int, applied: bool
) -> None:
    """get_key() is another one here than in the patch, and lacks the check that set_key() has had for years."""
    text = KEY.format("get", "-EIO", "") + "int filler;\n" * between + KEY.format("set", "err", LENGTH)
    trial = tried(tmp_path, {"fs/k.c": text}, KEY_FIX.format(function))
    assert (trial.already_applied, trial.applies) == (applied, False)
    assert trial.elsewhere == (() if applied else (13 + between,))
    findings = [finding for finding in source_checks.check_trials([trial], ()) if "already" in finding.seen]
    assert [finding.reason for finding in findings] == ["already_applied" if applied else "does_not_apply"]
    assert applied or f"from line {13 + between} on" in findings[0].seen


@needs_patch
def test_a_fix_that_has_moved_with_its_function_is_applied(tmp_path: pathlib.Path) -> None:
    head = "@@ -1,4 +1,4 @@ static int elsewhere(void)\n"
    text = "int filler;\n" * 90 + A_C.replace("1", "2")
    trial = tried(tmp_path, {"fs/a.c": text}, GIT + head + HUNK.partition("\n")[2])
    assert trial.already_applied
    label = "static int f(void)\n{\n" + "\tx();\n" * 40 + "out:\n\ty();\n\tz({0});\n\treturn 0;\n}\n"
    fix = "@@ -3,4 +3,4 @@ static int f(void)\n \ty();\n-\tz(1);\n+\tz(2);\n \treturn 0;\n }\n"
    assert tried(tmp_path, {"fs/a.c": label.replace("{0}", "2")}, GIT + fix).already_applied


@needs_patch
def test_fuzz_is_told(tmp_path: pathlib.Path) -> None:
    moved = A_C.replace("int a(void)", "long a(void)")
    trial = tried(tmp_path, {"fs/a.c": moved}, GIT + HUNK)
    assert (trial.applies, trial.fuzzy) == (True, (("fs/a.c", 1, 1),))
    (doubt,) = source_checks.check_trials([trial], ())
    assert (doubt.reason, doubt.severity) == ("fuzzy_patch", "warn")


NEW_FILE = "--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+int z;\n"


@needs_patch
@pytest.mark.parametrize(
    ("link", "to", "text", "applies"),
    [
        ("fs/l.c", "a.c", (GIT + HUNK).replace("fs/a.c", "fs/l.c"), False),
        ("out", "{path}", NEW_FILE.format("out/z.c"), False),
        ("out", "../outside", NEW_FILE.format("out/z.c"), False),
        ("in", "fs", (GIT + HUNK).replace("fs/a.c", "in/a.c"), True),
        ("fs/l.c", "a.c", GIT + HUNK, True),
    ],
)
def test_patch_does_not_change_through_links(
    tmp_path: pathlib.Path, link: str, to: str, text: str, applies: bool
) -> None:
    (tmp_path / "outside").mkdir()
    tree = tree_with(tmp_path, {"fs/a.c": A_C})
    (tree / link).symlink_to(to.format(path=tmp_path / "outside"))
    (trial,) = source_patch.try_patches(str(tree), [read(tmp_path, text)], run).trials
    assert trial.applies is applies
    assert applies or "is a symbolic link or behind one" in trial.says
    # A dry run does not find all of it.
    command = ["patch", "-N", "-p1", "--batch", "-d", str(tree)]
    assert (subprocess.run(command, check=False, input=text.encode(), capture_output=True).returncode == 0) is applies


@needs_patch
def test_a_tree_may_be_behind_a_link(tmp_path: pathlib.Path) -> None:
    tree_with(tmp_path, {"fs/a.c": A_C})
    (tmp_path / "linux").symlink_to("tree")
    assert source_patch.try_patches(str(tmp_path / "linux"), [read(tmp_path, GIT + HUNK)], run).all_apply


@needs_patch
def test_a_version_that_the_patch_asks_for(tmp_path: pathlib.Path) -> None:
    text = f"Prereq: 1.2\n--- a/fs/a.c\n+++ b/fs/a.c\n{HUNK}"
    files = {"fs/a.c": A_C}
    assert not patch_takes(tmp_path, files, text)
    assert "Prereq" in tried(tmp_path, files, text).says
    files = {"fs/a.c": A_C + "/* 1.2 */\n"}
    assert patch_takes(tmp_path, files, text)
    assert tried(tmp_path, files, text).applies


@needs_patch
@pytest.mark.parametrize("files", [{"fs/a.c": A_C}, {"fs/a.c": A_C.replace("int a", "long a")}])
def test_a_patch_by_its_name_in_this_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
) -> None:
    """patch goes to another folder before it opens the patch; with fuzz it is asked once more."""
    read(tmp_path, GIT + HUNK)
    monkeypatch.chdir(tmp_path)
    patch = source_patch.read_source_patch("fix.patch")
    assert patch is not None
    assert source_patch.try_patches(str(tree_with(tmp_path, files)), [patch], run).all_apply


@needs_patch
def test_a_patch_whose_words_are_not_for_patch(tmp_path: pathlib.Path) -> None:
    binary = "diff --git a/fs/a.c b/fs/a.c\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZQz\n\n"
    trial = tried(tmp_path, {"fs/a.c": A_C}, binary)
    assert not trial.applies and trial.says


FEW = max(1, settings.default.max_examples // 10)
"""Each example starts patch and git several times."""

LINES = st.lists(st.sampled_from(["a", "b", "{", "}", "", "\treturn;"]), min_size=1, max_size=9)
EDITS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "x", "y\nz"])), min_size=1, max_size=2)
STYLES = ["--- a/{0}\n+++ b/{0}\n", "--- a/{0} 2021-01-01\n+++ b/{0} 2021-01-02\n", GIT.replace("fs/a.c", "{0}")]


def edited(lines: t.Sequence[str], edits: t.Iterable[tuple[int, str]]) -> list[str]:
    after = list(lines)
    for place, text in edits:
        at = min(place, len(after) - 1)
        after[at : at + 1] = text.split("\n") if text else []
        after = after or ["x"]
    return after


@needs_patch
@needs_git
@settings(max_examples=FEW, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=LINES, edits=EDITS, moved=EDITS, moves=st.booleans(), style=st.sampled_from(STYLES))
@example(before=["a", "a", "b"], edits=[(0, "")], moved=[(0, ""), (1, "")], moves=True, style=STYLES[0])
def test_small_patches_as_the_real_programs_have_them(
    tmp_path: pathlib.Path,
    before: list[str],
    edits: list[tuple[int, str]],
    moved: list[tuple[int, str]],
    moves: bool,
    style: str,
) -> None:
    """What git takes applies; what applies, or is said to be applied, patch(1) takes or knows as reversed."""
    after = edited(before, edits)
    hunks = list(difflib.unified_diff(before, after, n=3, lineterm=""))[2:]
    if not hunks:
        return
    text = style.format("fs/a.c") + "\n".join(hunks) + "\n"
    files = {"fs/a.c": "\n".join(edited(before, moved) if moves else before) + "\n"}
    with tempfile.TemporaryDirectory(dir=tmp_path) as directory:
        trial = tried(pathlib.Path(directory), files, text)
    takes = patch_takes(tmp_path, files, text)
    assert not trial.applies or takes
    if git_takes(tmp_path, files, text) and not moves:
        assert trial.applies
    if takes and not trial.applies:
        assert trial.already_applied
    if trial.already_applied:
        assert all(line[1:] in files["fs/a.c"] for line in hunks if line.startswith("+"))
    with tempfile.TemporaryDirectory(dir=tmp_path) as directory:
        again = tried(pathlib.Path(directory), {"fs/a.c": "\n".join(after) + "\n"}, text)
    assert again.already_applied or patch_takes(tmp_path, {"fs/a.c": "\n".join(after) + "\n"}, text)
