# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise is made to code outside of it.

"""Explains why a build failed: its stage, the line that decides, the reason and the remedy. For all builders."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures import (
    given,
    host,
    needs,
    patch,
    tool,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.blame import ORIGINAL, blame
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.patch import COMPILER
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.row import Row
from ansible_collections.openeuler.livepatch.plugins.module_utils._build._failures.stages import (
    ANNOUNCED,
    ENDED_IN,
    Stage,
    announced_stage,
    ended_in,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.compiler import parse_errors
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.content import Plain
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.text import clean, lines_of

MOST_LINES = 20
"""How many lines a result shows."""

MOST_HITS = 500
"""How many lines are looked at for each word of the tables. A makefile prints what it wants."""

MOST_IN_A_LINE = 1000

MOST_FOLLOWING = 8

MOST_AT_THE_END = 1 << 16

ROWS = (*host.ROWS, *needs.ROWS, *given.ROWS, *tool.ROWS, *patch.ROWS)
"""All causes. Of several that fit the same line, the first one counts."""

_BY_WORD: dict[str, list[tuple[int, Row]]] = {}
for _number, _row in enumerate(ROWS):
    _BY_WORD.setdefault(_row.has, []).append((_number, _row))

_INITIALS = frozenset(begin[0] for begin in (*ANNOUNCED, *ENDED_IN))

_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
"""Compilers print these where the language is not C."""

_COLOUR = re.compile(r"\ufffd\[[0-9;]*[mK]")
"""How a compiler colours its messages; `clean` has taken the first character."""

_QUOTED_SOURCE = re.compile(r"\s*\d* \| ")
"""How compilers show the line of the source: whoever wrote the source wrote that."""

_MARKS = re.compile(r"[ \t]*[\^~][ \t^~]*\Z")
"""What they show below it. Those before gcc 9 and clang 17 show the source itself as it is."""

_KLP_BUILD = "error: klp-build: "

_SCRIPTS_OWN = re.compile(r"error: klp-build: line \d+: '")
"""klp-build ends so wherever it does, after the line that decides."""

_SIGN = re.compile(
    r"\b(?:ERROR|[Ee]rror|FAILED|fatal|undefined|unreconcilable|not selected|unable to patch|mismatch|not found"
    r"|[Ff]ailed|cannot|can't|No such file|denied|not recognized|truncated|Segmentation fault|Killed|\w+Error)\b"
    r"|No space left|\*\*\*"
)
"""What a line that tells of trouble has in it."""

_TELLS_LITTLE = re.compile(
    r"ERROR: (?:kpatch build failed|\d+ error\(s\) encountered)"
    r"|error: klp-build: (?:original|patched) kernel build failed|error: klp-build: objtool klp \S+ failed"
    r"|[Ww]arning\b|WARNING\b|make(?:\[\d+\])?: \*\*\* |make(?:\[\d+\])?: Leaving|cc1: (?:all|some) warnings being"
)
"""Lines that say that something failed, not what, or that nothing did."""


@dataclass(frozen=True)
class Failed:
    """A program that failed. `log` is what it wrote elsewhere, `work` what the user has written.

    `stage` is None if its lines announce the stages.
    """

    program: str
    rc: int
    printed: str
    log: str = ""
    log_path: str | None = None
    work: str = "the patch"
    stage: Stage | None = None


class Explained(t.NamedTuple):
    """Why it failed. `lines` are the most telling ones, `errors` those of the compiler."""

    finding: Finding
    stage: Stage
    lines: list[str]
    errors: list[Plain]


class _Part(t.NamedTuple):
    """A text, and where in it the stage begins that failed."""

    text: str
    begin: int


class _Hit(t.NamedTuple):
    """A line that a row fits; the least one decides. `row` is the number of the row."""

    earlier: bool
    rank: int
    part: int
    at: int
    row: int
    line: str
    found: dict[str, str]


def explain_failure(failed: Failed) -> Explained:
    """Why it failed: the cause of the first line that decides; else the first line that tells of an error."""
    stage, parts = _parts(failed)
    hit = _decisive(parts, stage, failed.program)
    lines = _telling(parts)
    if hit is None:
        decisive = _first_telling(parts, lines)
        finding = _unknown(failed, stage, decisive)
    else:
        row, decisive = blame(ROWS[hit.row], stage), hit.line
        found = {**hit.found, "decisive": decisive}
        finding = Finding(
            reason=row.reason, seen=_filled(row.cause, found, failed), remedy=_filled(row.remedy, found, failed)
        )
    errors = _errors(parts) if finding.reason in (COMPILER.reason, ORIGINAL.reason) else []
    if finding.reason == COMPILER.reason and len(errors) > 1:
        more = f"{finding.seen.rstrip('.')} (and {len(errors) - 1} more)."
        finding = Finding(reason=finding.reason, seen=more, remedy=finding.remedy)
    return Explained(finding, stage, _lines_to_show(lines, decisive), errors)


def decisive_row(failed: Failed) -> Row | None:
    """The row of the line that decides; None if there is no such line."""
    stage, parts = _parts(failed)
    hit = _decisive(parts, stage, failed.program)
    return ROWS[hit.row] if hit else None


def _parts(failed: Failed) -> tuple[Stage, list[_Part]]:
    printed = _with_lines_apart(failed.printed)
    announced, begin = _stage(printed)
    stage = failed.stage or announced
    return stage, [_Part(printed, begin), _Part(failed.log, _patched_from(failed.log, stage))]


def _with_lines_apart(printed: str) -> str:
    """The same, where each line of klp-build begins a line: programs that print in blocks may have begun another."""
    *pieces, last = printed.split(_KLP_BUILD)
    return "".join(f"{piece}\n{_KLP_BUILD}" if _is_cut(piece) else piece + _KLP_BUILD for piece in pieces) + last


def _is_cut(piece: str) -> bool:
    return bool(piece) and not piece.endswith("\n")


def _decisive(parts: t.Sequence[_Part], stage: Stage, program: str) -> _Hit | None:
    return min(_hits(parts, stage, program), default=None, key=lambda hit: hit[:5])


def _stage(printed: str) -> tuple[Stage, int]:
    """The stage that failed, and where it was announced."""
    stage, begin, at = Stage.UNKNOWN, 0, 0
    for line in lines_of(printed):
        if line[:1] in _INITIALS:
            announced = announced_stage(line)
            stage = announced or ended_in(line) or stage
            begin = at if announced else begin
        at += len(line) + 1
    return stage, begin


def _patched_from(log: str, stage: Stage) -> int:
    """Where in kpatch-build's log the build of the patched source begins, if that has begun."""
    if stage not in (Stage.PATCHED, Stage.COMPARING, Stage.MODULE):
        return 0
    return max(0, log.rfind("\npatching file "))


def _hits(parts: t.Sequence[_Part], stage: Stage, program: str) -> t.Iterator[_Hit]:
    for number, part in enumerate(parts):
        for begin, end in ((part.begin, len(part.text)), (0, part.begin)):
            for word, rows in _BY_WORD.items():
                wanted = [(index, row) for index, row in rows if _counts(row, stage, program)]
                for at, line in _lines_with(word, part.text, begin, end) if wanted else ():
                    yield from _fits(wanted, line, part.text, number, at, end < len(part.text))


def _counts(row: Row, stage: Stage, program: str) -> bool:
    return (not row.stages or stage in row.stages) and row.program in ("", program)


def _fits(
    rows: t.Sequence[tuple[int, Row]], line: str, text: str, part: int, at: int, earlier: bool
) -> t.Iterator[_Hit]:
    if _SCRIPTS_OWN.match(line):
        return
    for index, row in rows:
        match = re.search(row.line, line)
        if match is None:
            continue
        following = _following(text, at) if row.then or row.more else ""
        if row.then and not re.search(row.then, following):
            continue
        found = match.groupdict(default="")
        more = re.search(row.more, following) if row.more else None
        found.update(more.groupdict() if more else dict.fromkeys(re.compile(row.more).groupindex, ""))
        yield _Hit(earlier, row.rank, part, at, index, line, found)
        return


def _lines_with(word: str, text: str, begin: int, end: int) -> t.Iterator[tuple[int, str]]:
    """The first lines between two places that have the word in them, and where they begin."""
    for _number in range(MOST_HITS):
        at = text.find(word, begin, end)
        if at == -1:
            return
        start = text.rfind("\n", begin, at) + 1 or begin
        stop = text.find("\n", at)
        begin = len(text) if stop == -1 else stop
        line = _plain(text[start : min(begin, start + MOST_IN_A_LINE)])
        if word in line and not _QUOTED_SOURCE.match(line) and not _is_marked(text, stop):
            yield start, line


def _plain(line: str) -> str:
    return _COLOUR.sub("", clean(line)).translate(_QUOTES).rstrip(" \t")


def _is_marked(text: str, stop: int) -> bool:
    """Whether a compiler marks a place in the line that ends here, which is source then."""
    if stop == -1:
        return False
    below = text[stop + 1 : stop + 1 + MOST_IN_A_LINE].split("\n", 1)[0]
    return _MARKS.match(_plain(below)) is not None


def _following(text: str, at: int) -> str:
    """The lines after the one that begins at this place."""
    begin = text.find("\n", at) + 1
    if not begin:
        return ""
    return "\n".join(_plain(line) for line in text[begin : begin + 8 * MOST_IN_A_LINE].split("\n")[:MOST_FOLLOWING])


def _filled(sentence: str, found: t.Mapping[str, str], failed: Failed) -> str:
    values = {name: value.rstrip(". ") for name, value in found.items()}
    values = {"package": _package(values.get("header", "")), **values, "work": failed.work}
    return _BRACKETS.sub(
        lambda brackets: brackets.group() if brackets.group().format(**values) != " ()" else "", sentence
    ).format(**values)


_BRACKETS = re.compile(r" \((?:\{\w+\})+\)")
"""What the line may not have told."""


def _package(header: str) -> str:
    return next((packages for begin, packages in needs.PACKAGES.items() if header.startswith(begin)), "")


def _errors(parts: t.Sequence[_Part]) -> list[Plain]:
    return [
        error
        for part in parts
        for _at, line in _lines_with(COMPILER.has, part.text, part.begin, len(part.text))
        for error in parse_errors(line)
    ]


def _telling(parts: t.Sequence[_Part]) -> list[str]:
    """The lines of the failed stage that tell of trouble, each once: the first ones, and the last ones."""
    found: dict[str, None] = {}
    for part in parts:
        found.update(_signs(part.text, part.begin))
        found.update(_signs(part.text, max(part.begin, len(part.text) - MOST_AT_THE_END)))
    return [line for line in found if not _QUOTED_SOURCE.match(line) and not _SCRIPTS_OWN.match(line)]


def _signs(text: str, begin: int) -> dict[str, None]:
    known: dict[str, None] = {}
    end = -1
    for match in _SIGN.finditer(text, begin):
        if match.start() < end:
            continue
        start = text.rfind("\n", 0, match.start()) + 1
        stop = text.find("\n", match.start())
        end = len(text) if stop == -1 else stop
        if not _is_marked(text, stop):
            known[text[start : min(end, start + MOST_IN_A_LINE)]] = None
        if len(known) > MOST_HITS:
            break
    return {_plain(line): None for line in known}


def _first_telling(parts: t.Sequence[_Part], lines: t.Sequence[str]) -> str:
    """The first line that says what went wrong; else the first that says that something did, or the last of all."""
    first = next((line for line in lines if not _TELLS_LITTLE.match(line) and not _is_warning(line)), None)
    made = next((line for line in lines if " *** " in line), None)
    last = [_plain(line) for part in parts for line in lines_of(part.text[-MOST_IN_A_LINE:].strip())[-1:]]
    return (
        first
        or made
        or next((line for line in lines if not _is_warning(line)), None)
        or next((line for line in last if line and not _SCRIPTS_OWN.match(line)), "it said nothing")
    )


def _is_warning(line: str) -> bool:
    return re.search(r"\b(?:warning|Warning|WARNING)\b", line) is not None


def _unknown(failed: Failed, stage: Stage, line: str) -> Finding:
    where = "" if stage == Stage.UNKNOWN else f" while {stage}"
    # What a line names may be hidden, and the file has all of it.
    log = f"Read {failed.log_path}" if failed.log_path else "Read what it printed"
    if stage == Stage.ORIGINAL:
        return Finding(
            reason=ORIGINAL.reason,
            seen=f"{failed.program} ended with {failed.rc}{where}: {line.rstrip('.')}.",
            remedy=f"{log}, and correct the build host: no patch was applied yet.",
        )
    return Finding(
        reason="build_failed",
        seen=f"{failed.program} ended with {failed.rc}{where}: {line.rstrip('.')}.",
        remedy=f"{log}.",
    )


def _lines_to_show(lines: list[str], decisive: str) -> list[str]:
    """The line that decides with those that follow it, and the last ones: each once, and not too many."""
    if decisive not in lines:
        lines = [decisive, *lines]
    at = lines.index(decisive)
    half = MOST_LINES // 2
    return lines if len(lines) <= MOST_LINES else list(dict.fromkeys([*lines[at : at + half], *lines[-half:]]))
