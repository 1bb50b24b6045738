# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One unified diff of all that source patches change: patch(1) makes the same files of it."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import tempfile

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.combined import (
    Changes,
    Content,
    changed_lines,
    combined_patch,
)

needs_patch = pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")

A_C = b"int a;\nint b;\nint c;\n"

CASES = {
    "a change": Content(A_C, A_C.replace(b"b", b"B")),
    "a new file": Content(None, A_C),
    "a file that goes": Content(A_C, None),
    "a file that had no lines": Content(b"", A_C),
    "a file that loses its lines": Content(A_C, b""),
    "no end of the last line before": Content(A_C[:-1], A_C.replace(b"a", b"A")),
    "no end of the last line after": Content(A_C, A_C[:-1]),
    "no end of the last line": Content(A_C[:-1], A_C[:-1] + b"; int d;"),
    "the ends of lines of DOS": Content(A_C.replace(b"\n", b"\r\n"), A_C.replace(b"b", b"B").replace(b"\n", b"\r\n")),
    "bytes that are no UTF-8": Content(A_C + b"/* \xe4 */\n", A_C + b"/* \xf6 */\n"),
    "separators that patch does not know": Content(A_C + b"\f\v\x1c\r\n", b"\r" + A_C + b"\f\v\x1c\n"),
    "lines that begin as those of a patch do": Content(b"-\n+\n\\ No\n@@ -1 +1 @@\n", b"@@ -1 +1 @@\n\\ No\n+ \n-\n"),
}


def applied(path: pathlib.Path, changes: Changes, text: bytes) -> Changes:
    """What patch(1) makes of the files, without fuzz and without a word."""
    with tempfile.TemporaryDirectory(dir=path) as directory:
        root = pathlib.Path(directory)
        for name, content in changes.items():
            if content.before is not None:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(content.before)
        command = ["patch", "-p1", "--batch", "--fuzz=0", "--silent", "-d", str(root)]
        done = subprocess.run(command, check=False, input=text, capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        after = {name: root / name for name in changes}
        return {
            name: Content(changes[name].before, file.read_bytes() if file.exists() else None)
            for name, file in after.items()
        }


@needs_patch
@pytest.mark.parametrize("name", CASES)
def test_patch_makes_the_same_files_of_it(tmp_path: pathlib.Path, name: str) -> None:
    changes = {"fs/a.c": CASES[name]}
    assert applied(tmp_path, changes, combined_patch(changes)) == changes


@needs_patch
def test_all_files_are_in_one_patch_in_the_order_of_their_names(tmp_path: pathlib.Path) -> None:
    changes = {f"fs/{number}.c": content for number, content in enumerate(CASES.values())}
    text = combined_patch(changes)
    assert applied(tmp_path, changes, text) == changes
    assert combined_patch(dict(reversed(list(changes.items())))) == text
    assert text.index(b"+++ b/fs/0.c\n") < text.index(b"+++ b/fs/1.c\n")


def test_a_plain_patch_is_what_diff_prints() -> None:
    before = b"".join(b"%d\n" % number for number in range(1, 20))
    hunk = b"@@ -6,7 +6,7 @@\n 6\n 7\n 8\n-9\n+nine\n 10\n 11\n 12\n"
    text = combined_patch({"fs/a.c": Content(before, before.replace(b"9\n", b"nine\n", 1))})
    assert text == b"--- a/fs/a.c\n+++ b/fs/a.c\n" + hunk


def test_changed_lines() -> None:
    assert changed_lines(Content(A_C, A_C.replace(b"b", b"B"))) == [2, 2]
    assert changed_lines(Content(A_C, A_C.replace(b"int b;\n", b""))) == [2]
    assert changed_lines(Content(None, A_C)) == [1, 2, 3]
    assert changed_lines(Content(A_C, A_C)) == []
