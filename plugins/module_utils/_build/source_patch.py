# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Reads source patches (unified diffs) and tries them on copies of the files that they change."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import Run
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import read_bytes
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of

NOWHERE = "/dev/null"


@dataclass(frozen=True)
class FileChange:
    """What a patch does to a file. `old` is None if the patch adds the file, `new` is None if it removes the file."""

    old: str | None
    new: str | None

    @property
    def path(self) -> str:
        return self.new or self.old or ""


@dataclass(frozen=True)
class SourcePatch:
    """A source patch. `sha256` is the digest of all that `patch` reads of it, without its description and times."""

    path: str
    sha256: str
    changes: tuple[FileChange, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(change.path for change in self.changes)


def read_source_patch(path: str) -> SourcePatch | None:
    """Read a patch; None if it cannot be read."""
    lines = _lines(path)
    if lines is None:
        return None
    changes, decisive = [], []
    left, begun = (0, 0), False
    for index, line in enumerate(lines):
        begun = begun or _BEGIN.match(line) is not None
        if left != (0, 0):
            left = _consume(line, left)
            decisive.append(line)
            continue
        if line.startswith("--- ") and lines[index + 1 : index + 2] and lines[index + 1].startswith("+++ "):
            changes.append(FileChange(_name(line), _name(lines[index + 1])))
        hunk = _HUNK.match(line)
        if hunk:
            left = (_count(hunk.group("old")), _count(hunk.group("new")))
            decisive.append(hunk.group("place"))
        elif begun and not _is_signature(lines, index):
            decisive.append(line.partition("\t")[0] if line.startswith(("--- ", "+++ ")) else line)
    together = hashlib.sha256("\n".join(decisive).encode("utf-8", "surrogateescape")).hexdigest()
    return SourcePatch(path, together, tuple(changes))


def _lines(path: str) -> list[str] | None:
    """The lines of a patch, as `patch` splits them, with each byte that is not UTF-8; None if it cannot be read."""
    content = read_bytes(path)
    return None if content is None else lines_of(content.decode("utf-8", "surrogateescape"))


# patch also takes an indented patch, one with X before each line, and others than unified ones (patch: src/pch.c).
_BEGIN = re.compile(r"[ \tX]*(?:diff |Index:|Prereq:|--- |\*\*\* )")

_VERSION_OF_GIT = re.compile(r"\d+\.[\w.() -]*\Z")


def _is_signature(lines: t.Sequence[str], index: int) -> bool:
    """Whether the line is one of the two with which `git format-patch` ends a patch; they change nothing."""
    following = lines[index + 1 : index + 2]
    if lines[index] == "-- ":
        return bool(following) and _VERSION_OF_GIT.match(following[0]) is not None
    return index > 0 and lines[index - 1] == "-- " and _VERSION_OF_GIT.match(lines[index]) is not None


_HUNK = re.compile(r"(?P<place>@@ -\d+(?:,(?P<old>\d+))? \+\d+(?:,(?P<new>\d+))? @@)")


def _count(number: str | None) -> int:
    return 1 if number is None else int(number)


def _consume(line: str, left: tuple[int, int]) -> tuple[int, int]:
    """How many old and new lines of a hunk are left after this one."""
    old, new = left
    kind = line[:1]
    if kind == "\\":
        return left
    return max(0, old - (kind != "+")), max(0, new - (kind != "-"))


def _name(line: str) -> str | None:
    """The file's path below the source tree, as `patch -p1` takes it."""
    name = line[4:].split("\t")[0].strip(" \r")
    # patch takes several slashes for one.
    return None if name == NOWHERE else name.partition("/")[2].lstrip("/") or name


@dataclass(frozen=True)
class Trial:
    """How one patch applies: `failures` are (file, number of the hunk, its line); `says` is any other trouble."""

    patch: str
    failures: tuple[tuple[str, int, int], ...] = ()
    already_applied: bool = False
    missing: tuple[str, ...] = ()
    says: str = ""

    @property
    def applies(self) -> bool:
        return not (self.failures or self.already_applied or self.missing or self.says)


def try_patches(
    tree: str, patches: t.Sequence[SourcePatch], run: Run
) -> tuple[list[Trial], list[tuple[str, str, str]]]:
    """Apply the patches in their order to copies of the files, up to the first that does not apply.

    Returns how each applies, and (patch, file, function) for each changed function marked __init or __exit.
    """
    trials, in_init = [], []
    with tempfile.TemporaryDirectory(prefix="livepatch-") as directory:
        _copy_files(tree, directory, patches)
        for patch in patches:
            trial = _try(directory, patch, run)
            trials.append(trial)
            if not trial.applies:
                break
            in_init.extend(_changes_in_init(directory, patch))
    return trials, in_init


def _copy_files(tree: str, directory: str, patches: t.Sequence[SourcePatch]) -> None:
    for patch in patches:
        for change in patch.changes:
            source = os.path.join(tree, change.old or "")
            if change.old and _inside(change.old) and os.path.isfile(source):
                target = os.path.join(directory, change.old)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(source, target)


def _inside(path: str) -> bool:
    return not os.path.isabs(path) and ".." not in path.split("/")


def _try(directory: str, patch: SourcePatch, run: Run) -> Trial:
    missing = tuple(
        change.old
        for change in patch.changes
        if change.old and not (_inside(change.old) and os.path.isfile(os.path.join(directory, change.old)))
    )
    if missing:
        return Trial(patch.path, missing=missing)
    if not patch.changes:
        return Trial(patch.path, says="it changes no file")
    # With --batch instead of --force, patch would reverse a patch that is applied already, and succeed.
    command = ["patch", "-p1", "--force", "-d", directory, "-i", patch.path]
    if run([*command, "-R", "--dry-run"])[0] == 0:
        return Trial(patch.path, already_applied=True)
    rc, out, err = run([*command, "--no-backup-if-mismatch", "-r", "-"])
    if rc == 0:
        return Trial(patch.path)
    failures = parse_rejects(out)
    return Trial(patch.path, failures=failures, says="" if failures else _last_line(err or out))


def _last_line(text: str) -> str:
    return (lines_of(text.strip()) or ["patch says nothing"])[-1]


def parse_rejects(output: str) -> tuple[tuple[str, int, int], ...]:
    """The hunks that `patch` could not apply: (file, number of the hunk, line)."""
    failures, name = [], ""
    for line in lines_of(output):
        if line.startswith(("patching file ", "checking file ")):
            name = line.split(" ", 2)[2].strip("'")
        match = re.match(r"Hunk #(\d+) (?:FAILED|ignored) at (\d+)", line)
        if match:
            failures.append((name, int(match.group(1)), int(match.group(2))))
    return tuple(failures)


_FUNCTION_START = re.compile(r"^[A-Za-z_][\w\s*]*?\b(?P<name>\w+)\s*\(")


def _changes_in_init(directory: str, patch: SourcePatch) -> list[tuple[str, str, str]]:
    """The functions marked __init or __exit in whose bodies the patch changes a line."""
    found = []
    for name, numbers in _changed_lines(patch).items():
        lines = _lines(os.path.join(directory, name)) if _inside(name) and name.endswith(".c") else None
        for function, first, last in init_functions(lines or ()):
            if any(first <= number <= last for number in numbers):
                found.append((patch.path, name, function))
    return found


def init_functions(lines: t.Iterable[str]) -> list[tuple[str, int, int]]:
    """(name, first line, last line) of each function marked __init or __exit whose braces are at the margin."""
    functions = []
    start, head = 0, ""
    for number, line in enumerate(lines, 1):
        if line.startswith("{") and head:
            start = number
        elif line.startswith("}"):
            match = _FUNCTION_START.match(head) if start else None
            if match and re.search(r"\b__(?:mem)?(?:init|exit)\b", head):
                functions.append((match.group("name"), start, number))
            start, head = 0, ""
        elif not start:
            head = "" if line.endswith(";") or line.startswith("#") else (head + " " + line).strip()
    return functions


def _changed_lines(patch: SourcePatch) -> dict[str, list[int]]:
    """File -> the numbers of the lines of the patched file that the patch adds, or before which it removes lines."""
    changed: dict[str, list[int]] = {}
    name, left, number = "", (0, 0), 0
    lines = _lines(patch.path) or []
    for index, line in enumerate(lines):
        if left != (0, 0):
            if line[:1] in "+-":
                changed.setdefault(name, []).append(number)
            if line[:1] != "-" and line[:1] != "\\":
                number += 1
            left = _consume(line, left)
        elif line.startswith("+++ ") and index and lines[index - 1].startswith("--- "):
            name = _name(line) or ""
        else:
            hunk = _HUNK.match(line)
            if hunk:
                left = (_count(hunk.group("old")), _count(hunk.group("new")))
                number = int(line.split("+", 1)[1].split(" ")[0].split(",")[0])
    return changed
