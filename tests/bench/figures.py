# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures of "make bench": what is kept of them, what has grown since, and the table that README.md has of them.

How fast the machine is does not matter: two runs are compared by ratios, of things that are started in the same way.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
KEPT = HERE / "figures.yml"
README = HERE / "README.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"

GROWTH = 1.1
"""How many times as large a ratio may be as the one that is kept."""

WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 8: "eight"}


@dataclass(frozen=True)
class Ratio:
    """A thing of the collection, what it is measured against, and how much of that is wanted at most."""

    thing: str
    of: str
    wanted: float | None = None

    def __str__(self) -> str:
        return f"{self.thing} / {self.of}"


AD_HOC = ", ad hoc"
"""Ends the name of a thing that `ansible` starts. `ansible-playbook` starts the others."""

RATIOS = (
    *(
        Ratio(f"{thing}{how}", f"ping{how}", wanted)
        for how in ("", AD_HOC)
        for thing, wanted in (("facts", 1.1), ("collection, unchanged", 1.15), ("collection, enabling", None))
    ),
    Ratio("collection, enabling", "by hand, enabling", 0.3),
    Ratio(f"collection, enabling{AD_HOC}", "by hand, enabling", 0.3),
    Ratio("collection, unchanged", "by hand, unchanged"),
)


@dataclass(frozen=True)
class Figures:
    """The medians of one run in seconds, and how they were taken."""

    date: str
    machine: str
    load: str
    rounds: int
    medians: t.Mapping[str, float]
    note: str = ""

    def value(self, ratio: Ratio) -> float | None:
        """The ratio in this run; None if one of the two was not measured."""
        thing, of = self.medians.get(ratio.thing), self.medians.get(ratio.of)
        return thing / of if thing is not None and of else None


def read(path: Path = KEPT) -> Figures:
    return Figures(**yaml.safe_load(path.read_text(encoding="utf-8")))


def to_text(figures: Figures, header: str) -> str:
    """The text of the file, below the header of the one before."""
    plain = {**vars(figures), "medians": dict(figures.medians)}
    if not figures.note:
        del plain["note"]
    return header + yaml.safe_dump(plain, sort_keys=False, width=110)


def header_of(text: str) -> str:
    """What stands before the figures in the text of the file."""
    before, mark, _figures = text.partition("---\n")
    return before + mark


def grown(kept: Figures, now: Figures) -> list[str]:
    """The ratios that have grown by more than a tenth, as sentences. What one of both has not measured is left out."""
    found = []
    for ratio in RATIOS:
        was, value = kept.value(ratio), now.value(ratio)
        if was is not None and value is not None and value > was * GROWTH:
            found.append(f"{ratio} has grown by {value / was - 1:.0%}: it was {was:.2f}, and is {value:.2f}.")
    return found


def not_compared(kept: Figures) -> list[Ratio]:
    """The ratios that the kept figures do not have."""
    return [ratio for ratio in RATIOS if kept.value(ratio) is None]


def against_what_is_wanted(figures: Figures) -> list[str]:
    """Each ratio with what is wanted of it, as lines."""
    lines = []
    for ratio in RATIOS:
        value = figures.value(ratio)
        if value is not None:
            verdict = "" if ratio.wanted is None else f" (wanted: at most {ratio.wanted}{_missed(value, ratio.wanted)})"
            lines.append(f"{ratio!s:55}{value:6.2f}{verdict}")
    return lines


def _missed(value: float, wanted: float) -> str:
    return "" if round(value, 2) <= wanted else ", NOT reached"


def table(figures: Figures) -> str:
    """The part of README.md between the two marks."""
    rounds = WORDS.get(figures.rounds, str(figures.rounds))
    said = f"{figures.machine}, {figures.load}, {figures.date}, medians of {rounds}"
    rows = [f"{said[0].upper()}{said[1:]}:", "", "| | seconds | of (wanted) |", "| --- | --- | --- |"]
    for name, seconds in figures.medians.items():
        ratios = "; ".join(_cell(figures, ratio) for ratio in RATIOS if ratio.thing == name)
        rows.append(f"| {name} | {seconds:.2f} | {ratios} |".replace("|  |", "| |"))
    if figures.note:
        rows += ["", figures.note]
    return "\n".join(rows) + "\n"


def _cell(figures: Figures, ratio: Ratio) -> str:
    value = figures.value(ratio)
    wanted = "" if ratio.wanted is None else f" ({ratio.wanted})"
    return f"{'not measured' if value is None else f'{value:.2f}'} of {ratio.of}{wanted}"


def with_table(page: str, figures: Figures) -> str:
    """README.md with the table of these figures."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no lines {BEGIN.strip()} and {END.strip()}.")
    return f"{before}{begin}\n{table(figures)}\n{end}{after}"


def keep(figures: Figures) -> None:
    """Write the figures into the checkout, and the table of README.md."""
    # Before, so that the file and the table have the same ratios.
    figures = replace(figures, medians={name: round(value, 2) for name, value in figures.medians.items()})
    KEPT.write_text(to_text(figures, header_of(KEPT.read_text(encoding="utf-8"))), encoding="utf-8")
    README.write_text(with_table(README.read_text(encoding="utf-8"), figures), encoding="utf-8")
