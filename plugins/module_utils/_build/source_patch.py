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
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.combined import (
    Changes,
    Content,
    changed_lines,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import read_bytes
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.hunks import (
    HUNK,
    Hunk,
    consume,
    count,
    places_in_order,
    read_hunks,
    results_in_order,
    stands_at,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.patch_header import (
    FileChange,
    below_tree,
    changes_in,
    name_in,
    says_nowhere,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import lines_of


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
    decisive: list[str] = []
    hunks: set[int] = set()
    left, begun = (0, 0), False
    for index, line in enumerate(lines):
        begun = begun or _BEGIN.match(line) is not None
        if left != (0, 0):
            left = consume(line, left)
            decisive.append(line)
            hunks.add(index)
            continue
        hunk = HUNK.match(line)
        if hunk:
            left = (count(hunk.group("old")), count(hunk.group("new")))
            decisive.append(hunk.group("place"))
        elif begun and not _is_signature(lines, index):
            decisive.append(_without_time(line) if line.startswith(("--- ", "+++ ")) else line)
    together = hashlib.sha256("\n".join(decisive).encode("utf-8", "surrogateescape")).hexdigest()
    return SourcePatch(path, together, tuple(changes_in(lines, hunks) or changes_in(_not_indented(lines), ())))


def _without_time(line: str) -> str:
    return line.partition("\t")[0] + ("\tnever" if says_nowhere(line) else "")


def _not_indented(lines: t.Sequence[str]) -> list[str]:
    """The lines of a patch in a letter, which patch(1) reads without what stands before each line."""
    indents = (re.match(r"([ \tX]+)(?:--- |\*\*\* )", line) for line in lines)
    indent = next((found.group(1) for found in indents if found), "")
    return [line[len(indent) :] if indent and line.startswith(indent) else line for line in lines]


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


@dataclass(frozen=True)
class Trial:
    """How one patch applies: `failures` are (file, number of the hunk, its line); `says` is any other trouble.

    `fuzzy` are (file, line, fuzz) of hunks that patch(1) takes though lines around them differ. `elsewhere` are the
    lines where the result of a patch that does not apply stands already, but in other functions.
    """

    patch: str
    failures: tuple[tuple[str, int, int], ...] = ()
    already_applied: bool = False
    missing: tuple[str, ...] = ()
    says: str = ""
    fuzzy: tuple[tuple[str, int, int], ...] = ()
    elsewhere: tuple[int, ...] = ()

    @property
    def applies(self) -> bool:
        return not (self.failures or self.already_applied or self.missing or self.says)


class Tried(t.NamedTuple):
    """How each patch applies, up to the first that does not, and what they change.

    `in_init` are (patch, file, function) for each changed function marked __init or __exit. `changes` are those of all
    patches together; there are none unless all apply.
    """

    trials: list[Trial]
    in_init: list[tuple[str, str, str]]
    changes: Changes

    @property
    def all_apply(self) -> bool:
        return bool(self.trials) and all(trial.applies for trial in self.trials)


def try_patches(tree: str, patches: t.Sequence[SourcePatch], run: Run) -> Tried:
    """Apply the patches in their order to copies of the files. Nothing is tried where patch is not installed."""
    trials: list[Trial] = []
    in_init: list[tuple[str, str, str]] = []
    if shutil.which("patch") is None:
        return Tried(trials, in_init, {})
    first: dict[str, bytes | None] = {}
    last: dict[str, bytes | None] = {}
    with tempfile.TemporaryDirectory(prefix="livepatch-") as directory:
        _copy_files(tree, directory, patches)
        for patch in patches:
            before = _contents(directory, patch)
            trial = _refused_by_links(tree, patch) or _try(directory, patch, run)
            trials.append(trial)
            if not trial.applies:
                return Tried(trials, in_init, {})
            after = _contents(directory, patch)
            in_init.extend(_changes_in_init(patch, before, after))
            first = {**before, **first}
            last.update(after)
    changes = {name: Content(first[name], last[name]) for name in last if first[name] != last[name]}
    return Tried(trials, in_init, changes)


def _contents(directory: str, patch: SourcePatch) -> dict[str, bytes | None]:
    """The content of each file that a patch names; None for one that is not there."""
    names = (name for change in patch.changes for name in change.names if _inside(name))
    return {name: read_bytes(os.path.join(directory, name)) for name in names}


def _copy_files(tree: str, directory: str, patches: t.Sequence[SourcePatch]) -> None:
    """Copy each file that a patch names: patch(1) chooses among the names by which of the files are there."""
    for patch in patches:
        for name in (name for change in patch.changes for name in change.names):
            source, target = os.path.join(tree, name), os.path.join(directory, name)
            if _inside(name) and os.path.isfile(source) and not os.path.exists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(source, target)


def _inside(path: str) -> bool:
    return not os.path.isabs(path) and ".." not in path.split("/") and "\0" not in path


def _refused_by_links(tree: str, patch: SourcePatch) -> Trial | None:
    """How a patch does not apply if one of its files is a symbolic link, or behind one that leads out of the tree.

    patch(1) changes none of these. What the patches are tried on are copies, in which there are no links.
    """
    root = os.path.join(os.path.realpath(tree), "")
    for name in (name for change in patch.changes for name in (change.old, change.new) if name and _inside(name)):
        path = os.path.join(tree, name)
        folder = os.path.join(os.path.realpath(os.path.dirname(path)), "")
        if os.path.islink(path) or not folder.startswith(root):
            return Trial(patch.path, says=f"patch does not change {name}, which is a symbolic link or behind one")
    return None


def _try(directory: str, patch: SourcePatch, run: Run) -> Trial:
    outside = tuple(name for change in patch.changes for name in change.names if not _inside(name))
    if outside:
        return Trial(patch.path, missing=outside)
    if not patch.changes:
        return Trial(patch.path, says="it changes no file")
    # With --batch instead of --force, patch would reverse a patch that is applied already, and succeed.
    # patch goes to the directory before it opens the patch.
    path = os.path.abspath(patch.path)
    command = ["patch", "-p1", "--force", "-d", directory, "-i", path]
    rc, out, err = run([*command, "--dry-run"])
    if rc == 0 and _OTHER_VERSION.search(out):
        return Trial(patch.path, says="its line Prereq: names another version of the file, and patch would ask")
    if _is_applied(directory, patch, rc, out):
        return Trial(patch.path, already_applied=True)
    if rc == 0 and parse_fuzz(out):
        # kpatch-build calls it so. Where the patch fits with fuzz, and backwards as well, patch takes it for applied.
        skips, _out, _err = run(["patch", "-N", "-p1", "--batch", "--dry-run", "-d", directory, "-i", path])
        if skips:
            return Trial(patch.path, says="it fits only with fuzz, and patch would skip it as one that is applied")
    if rc == 0:
        whole = _hunks_by_file(directory, patch)
        rc, out, err = run([*command, "--no-backup-if-mismatch", "-r", "-"])
    if rc == 0:
        return Trial(patch.path, fuzzy=() if _all_stand(whole) else parse_fuzz(out))
    missing = tuple(change.path for change in patch.changes if change.old and not _is_there(directory, change))
    failures = () if missing else parse_rejects(out)
    says = "" if missing or failures else _last_line(err or out)
    elsewhere = _stands_elsewhere(directory, patch) if failures else ()
    return Trial(patch.path, failures, missing=missing, says=says, elsewhere=elsewhere)


def _is_applied(directory: str, patch: SourcePatch, rc: int, out: str) -> bool:
    """Whether the patch is in the source already. `rc` and `out` tell how it applies.

    Code that is like it may stand elsewhere: where the patch itself fits exactly, it is not applied; where it only fits
    elsewhere, it is if all of its result stands, line for line, where the patch has it. Where it fits nowhere, it is if
    its result stands in the functions that it is about.
    """
    if rc == 0 and not _ELSEWHERE.search(out):
        return False
    hunks = _hunks_by_file(directory, patch)
    return bool(hunks) and all(
        all(stands_at(lines, hunk.new, hunk.new_start) for hunk in of_file)
        or (rc != 0 and results_in_order(lines, of_file) is not None)
        for lines, of_file in hunks
    )


def _stands_elsewhere(directory: str, patch: SourcePatch) -> tuple[int, ...]:
    """The first lines of what the patch makes of its files, where all of it stands somewhere in them."""
    hunks = _hunks_by_file(directory, patch)
    places = [places_in_order(lines, [hunk.new for hunk in of_file]) for lines, of_file in hunks]
    return tuple(found[0] for found in places if found) if all(places) else ()


def _all_stand(hunks: t.Iterable[tuple[list[str], list[Hunk]]]) -> bool:
    """Whether all lines that the patch is for are in the files: patch(1) wants fuzz also where a hunk ends early."""
    return all(places_in_order(lines, [hunk.old for hunk in of_file]) is not None for lines, of_file in hunks)


_OTHER_VERSION = re.compile(r"^Warning: this file doesn't appear to be the .* version", re.M)

_ELSEWHERE = re.compile(r"^Hunk #\d+ succeeded at \d+ ", re.M)


def _hunks_by_file(directory: str, patch: SourcePatch) -> list[tuple[list[str], list[Hunk]]]:
    """The lines of each file that the patch changes, and its hunks for it; none for a file that is not there."""
    lines = _lines(patch.path) or []
    by_header: dict[int, list[Hunk]] = {}
    for hunk in read_hunks(lines):
        by_header.setdefault(hunk.header, []).append(hunk)
    found = []
    for header, hunks in by_header.items():
        names = [below_tree(name_in(lines[number][len("+++ ") :])) for number in (header, header - 1)]
        content = next((_lines(os.path.join(directory, name)) for name in names if name and _inside(name)), None)
        found.append((content if content is not None else ["\0"], hunks))
    return found


def _is_there(directory: str, change: FileChange) -> bool:
    return any(os.path.isfile(os.path.join(directory, name)) for name in change.names)


_PROGRESS = ("checking file ", "patching file ", "Hunk #")


def _last_line(text: str) -> str:
    """The last line that tells of trouble: those of the next files follow it."""
    lines = [line for line in lines_of(text.strip()) if not line.startswith(_PROGRESS)]
    return lines[-1].rstrip(".") if lines else "patch says nothing"


def parse_rejects(output: str) -> tuple[tuple[str, int, int], ...]:
    """The hunks that `patch` could not apply: (file, number of the hunk, line)."""
    found = _hunks(output, r"Hunk #(\d+) (?:FAILED|ignored) at (\d+)")
    return tuple((name, int(match.group(1)), int(match.group(2))) for name, match in found)


def parse_fuzz(output: str) -> tuple[tuple[str, int, int], ...]:
    """The hunks whose surroundings `patch` has ignored: (file, line, how many lines of them)."""
    found = _hunks(output, r"Hunk #\d+ succeeded at (\d+) with fuzz (\d+)")
    return tuple((name, int(match.group(1)), int(match.group(2))) for name, match in found)


def _hunks(output: str, pattern: str) -> t.Iterator[tuple[str, t.Match[str]]]:
    name = ""
    for line in lines_of(output):
        if line.startswith(("patching file ", "checking file ")):
            name = line.split(" ", 2)[2].strip("'")
        match = re.match(pattern, line)
        if match:
            yield name, match


_FUNCTION_START = re.compile(r"^[A-Za-z_][\w\s*]*?\b(?P<name>\w+)\s*\(")


def _changes_in_init(
    patch: SourcePatch, before: t.Mapping[str, bytes | None], after: t.Mapping[str, bytes | None]
) -> list[tuple[str, str, str]]:
    """The functions marked __init or __exit in whose bodies the patch changes a line."""
    found = []
    old_names = {change.new: change.old for change in patch.changes if change.new and change.old}
    for name, content in after.items():
        if content is None or content == before[name] or not name.endswith(".c"):
            continue
        old = before[name] if before[name] is not None else before.get(old_names.get(name, name))
        numbers = changed_lines(Content(old, content))
        for function, first, last in init_functions(lines_of(content.decode("utf-8", "surrogateescape"))):
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
