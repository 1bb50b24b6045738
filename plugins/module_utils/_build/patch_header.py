# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Which files a source patch is about, as patch(1) and git read it from the headers."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

NOWHERE = "/dev/null"

BLANKS = " \t\r\v\f"
"""What isspace(3) knows, besides the end of a line."""


@dataclass(frozen=True)
class FileChange:
    """What a patch does to a file. `old` is None if the patch adds the file, `new` is None if it removes the file.

    `others` are further names by which patch(1) may find the file.
    """

    old: str | None
    new: str | None
    others: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.new or self.old or ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in (self.old, self.new, *self.others) if name))


def name_in(text: str) -> str | None:
    """The name at the beginning of what follows `--- ` or `+++ `; None if it says that there is no file.

    A name in quotes is read as in C. Another one may have blanks in it only if a tab follows it (patch: src/util.c).
    """
    text = text.lstrip(BLANKS)
    if text.startswith('"'):
        name = _unquoted(text)
    else:
        before, tab, _time = text.partition("\t")
        name = before.rstrip(BLANKS) if tab else re.split(f"[{BLANKS}]", text, maxsplit=1)[0]
    return None if name == NOWHERE else name


_ESCAPE = re.compile(r"\\([0-7]{1,3}|.)")

_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _unquoted(text: str) -> str:
    match = re.match(r'"((?:[^"\\]|\\.)*)"', text)
    return _ESCAPE.sub(_character, match.group(1)) if match else text


def _character(escape: t.Match[str]) -> str:
    word = escape.group(1)
    if not word.isdigit():
        return _LETTERS.get(word, word)
    # A byte of a name in UTF-8; the name is looked for as bytes.
    number = int(word, 8) & 0xFF
    return chr(number) if number < 0x80 else chr(0xDC00 + number)


def below_tree(name: str | None) -> str | None:
    """The path below the source tree, as `patch -p1` takes it: several slashes are one."""
    return None if name is None else name.partition("/")[2].lstrip("/") or name


_EPOCH = re.compile(r"[ \t]19(?:69-12-31|70-01-01) \d\d:\d\d:\d\d")


def says_nowhere(line: str) -> bool:
    """Whether the time behind a name is the first one of all, by which diff -N says that there is no file."""
    return _EPOCH.search(line) is not None


def names_of_git(line: str) -> tuple[str | None, str | None]:
    """The two names in `diff --git a/x b/x`, which are the same below the tree where nothing is renamed."""
    rest = line[len("diff --git ") :].rstrip("\r")
    quoted = re.match(r'("(?:[^"\\]|\\.)*") ("(?:[^"\\]|\\.)*")\Z', rest)
    if quoted:
        return below_tree(_unquoted(quoted.group(1))), below_tree(_unquoted(quoted.group(2)))
    middle = len(rest) // 2
    one, two = rest[:middle], rest[middle + 1 :]
    if rest[middle : middle + 1] == " " and below_tree(one) == below_tree(two):
        return below_tree(one), below_tree(two)
    words = rest.split(" ")
    return (below_tree(words[0]), below_tree(words[1])) if len(words) == 2 else (None, None)


class GitHeader:
    """The lines between `diff --git` and the first hunk, as far as they name files."""

    def __init__(self, line: str) -> None:
        self.old, self.new = names_of_git(line)
        self.adds = self.removes = self.is_shown = False

    def read(self, line: str) -> None:
        for begin, attribute in (
            ("rename from ", "old"),
            ("copy from ", "old"),
            ("rename to ", "new"),
            ("copy to ", "new"),
        ):
            if line.startswith(begin):
                text = line[len(begin) :].rstrip("\r")
                setattr(self, attribute, _unquoted(text) if text.startswith('"') else text)
        self.adds = self.adds or line.startswith("new file mode ")
        self.removes = self.removes or line.startswith("deleted file mode ")

    def change(self) -> FileChange:
        return FileChange(None if self.adds else self.old, None if self.removes else self.new)


def changes_in(lines: t.Sequence[str], hunks: t.Container[int]) -> list[FileChange]:
    """What the patch changes, in its order. `hunks` are the numbers of the lines that belong to hunks."""
    changes: list[FileChange] = []
    git: GitHeader | None = None
    index: tuple[str, ...] = ()
    for number, line in enumerate(lines):
        if number in hunks:
            continue
        if line.startswith("diff --git "):
            changes += [git.change()] if git and not git.is_shown else []
            git = GitHeader(line)
        elif line.startswith("Index:"):
            index = tuple(filter(None, [name_in(line[len("Index:") :])]))
        elif _is_header(lines, number):
            changes.append(_change(line, lines[number + 1], git, index))
            if git:
                git.is_shown = True
            index = ()
        elif git:
            git.read(line)
    changes += [git.change()] if git and not git.is_shown and (git.old or git.new) else []
    return changes


def _is_header(lines: t.Sequence[str], number: int) -> bool:
    """Whether a header of a unified or of a context diff begins here."""
    following = lines[number + 1 : number + 3]
    if lines[number].startswith("--- "):
        return bool(following) and following[0].startswith("+++ ")
    is_context = lines[number].startswith("*** ") and len(following) == 2
    return is_context and following[0].startswith("--- ") and following[1].startswith("***************")


def _change(old_line: str, new_line: str, git: GitHeader | None, index: tuple[str, ...]) -> FileChange:
    old, new = (
        None if says_nowhere(line) else below_tree(name_in(line[len("--- ") :])) for line in (old_line, new_line)
    )
    named = (below_tree(name_in(line[len("--- ") :])) for line in (old_line, new_line))
    others = [*named, *(map(below_tree, index)), *((git.old, git.new) if git else ())]
    if git and (git.old, git.new) != (None, None) and git.old != git.new:
        old, new = (old and git.old), (new and git.new)
    return FileChange(old, new, tuple(dict.fromkeys(name for name in others if name and name not in (old, new))))
