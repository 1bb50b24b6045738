# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make bench` measures, says of its figures, and keeps of them."""

from __future__ import annotations

import importlib
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.openeuler.livepatch.tests.bench import figures
from ansible_collections.openeuler.livepatch.tests.bench.figures import Figures, Ratio

BENCH = Path(__file__).resolve().parents[1] / "bench"
MEDIANS = {
    "ping": 4.0,
    "facts": 4.2,
    "by hand, enabling": 20.0,
    "by hand, unchanged": 18.0,
    "collection, enabling": 6.0,
    "collection, unchanged": 4.6,
}
KEPT = Figures("2026-11-28", "two cores", "a quiet machine", 5, MEDIANS)


def with_medians(**changes: float) -> Figures:
    """The figures with other medians; the names have `_` for what else they have."""
    names = {name.replace(", ", "_").replace(" ", "_"): name for name in MEDIANS}
    return replace(KEPT, medians={**MEDIANS, **{names[key]: value for key, value in changes.items()}})


def test_what_has_grown_by_more_than_a_tenth_is_named() -> None:
    assert figures.grown(KEPT, with_medians(facts=4.61)) == []
    (sentence,) = figures.grown(KEPT, with_medians(facts=4.7))
    assert sentence == "facts / ping has grown by 12%: it was 1.05, and is 1.18."


def test_each_ratio_of_what_has_grown_is_named() -> None:
    found = figures.grown(KEPT, with_medians(collection_enabling=7.0))
    assert [sentence.partition(" has ")[0] for sentence in found] == [
        "collection, enabling / ping",
        "collection, enabling / by hand, enabling",
    ]


def test_a_machine_of_another_speed_has_the_same_ratios() -> None:
    slow = replace(KEPT, medians={name: 3 * seconds for name, seconds in MEDIANS.items()})
    assert figures.grown(KEPT, slow) == []
    # Nobody has made the collection slower if all else became faster than it: but that is seen.
    assert figures.grown(KEPT, with_medians(ping=3.0))


def test_what_one_of_both_has_not_measured_is_not_compared() -> None:
    medians = {name: seconds for name, seconds in MEDIANS.items() if name != "ping"}
    without = replace(KEPT, medians=medians)
    worse = with_medians(facts=100.0)
    assert figures.grown(without, worse) == [] == figures.grown(worse, without)
    assert figures.grown(KEPT, worse) != []
    assert Ratio("facts", "ping", 1.1) in figures.not_compared(without)
    assert Ratio("facts", "ping", 1.1) not in figures.not_compared(KEPT)


def test_what_is_wanted_is_said_to_be_missed() -> None:
    lines = figures.against_what_is_wanted(with_medians(facts=4.9))
    (facts,) = [line for line in lines if line.startswith("facts / ping")]
    (unchanged,) = [line for line in lines if line.startswith("collection, unchanged / ping")]
    assert facts.endswith("1.23 (wanted: at most 1.1, NOT reached)")
    assert unchanged.endswith("1.15 (wanted: at most 1.15)")
    assert not [line for line in lines if figures.AD_HOC in line]


def test_the_table_is_made_of_the_figures() -> None:
    text = figures.table(replace(KEPT, note="A note."))
    assert text.startswith("Two cores, a quiet machine, 2026-11-28, medians of five:\n\n| |")
    assert "\n| ping | 4.00 | |\n" in text
    assert "| collection, enabling | 6.00 | 1.50 of ping; 0.30 of by hand, enabling (0.3) |" in text
    assert text.endswith("\n\nA note.\n")


def test_the_page_has_the_table_of_the_kept_figures() -> None:
    page = figures.README.read_text(encoding="utf-8")
    assert figures.with_table(page, figures.read()) == page
    assert figures.with_table(page, KEPT) != page


def test_a_page_without_the_marks_is_not_written() -> None:
    page = f"# Title\n{figures.BEGIN}old\n{figures.END}Rest\n"
    assert figures.with_table(page, KEPT) == f"# Title\n{figures.BEGIN}\n{figures.table(KEPT)}\n{figures.END}Rest\n"
    for mark in (figures.BEGIN, figures.END):
        with pytest.raises(ValueError, match="README"):
            figures.with_table(page.replace(mark, ""), KEPT)


def test_figures_are_read_as_they_were_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEPT", "README"):
        copied = tmp_path / getattr(figures, name).name
        copied.write_bytes(getattr(figures, name).read_bytes())
        monkeypatch.setattr(figures, name, copied)
    header = figures.header_of(figures.KEPT.read_text(encoding="utf-8"))
    assert header.startswith("# Copyright") and header.endswith("\n---\n")
    now = with_medians(ping=4.125)
    figures.keep(now)
    assert figures.KEPT.read_text(encoding="utf-8").startswith(header)
    kept = figures.read(figures.KEPT)
    assert kept == replace(now, medians={**now.medians, "ping": 4.12})
    page = figures.README.read_text(encoding="utf-8")
    assert figures.with_table(page, kept) == page and "| ping | 4.12 |" in page


@pytest.fixture(name="run")
def _run(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Any]:
    """The program that measures, as it is started in its folder. No other test sees its modules."""
    monkeypatch.syspath_prepend(str(BENCH))
    before = set(sys.modules)
    yield importlib.import_module("run")
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_each_ratio_is_of_things_that_are_measured(run: t.Any) -> None:
    named = {name for ratio in figures.RATIOS for name in (ratio.thing, ratio.of)}
    measured = {*run.ROUND} - {run.RESET}
    assert named == measured == set(run.commands("/work")) - {run.RESET}
    assert {*run.ROUND_WITH_CLOCKS} == {name for name in run.ROUND if not name.endswith(figures.AD_HOC)}


def test_a_thing_is_measured_against_one_that_is_started_alike(run: t.Any) -> None:
    commands = run.commands("/work")
    for ratio in figures.RATIOS:
        if ratio.of.startswith("ping"):
            assert commands[ratio.thing][0] == commands[ratio.of][0]


def test_each_playbook_of_the_bench_is_there_and_has_one_task_unless_by_hand(run: t.Any) -> None:
    for name, argv in run.commands("/work").items():
        if argv[0] == "ansible-playbook" and name != run.RESET:
            (play,) = yaml.safe_load(Path(argv[-1]).read_text(encoding="utf-8"))
            assert len(play["tasks"]) > 5 if name.startswith("by hand") else len(play["tasks"]) == 1


def test_a_round_enables_what_is_not_loaded_and_ends_as_it_began(run: t.Any) -> None:
    """`enabling` follows a reset, `unchanged` what has enabled the patch, and facts are read while it is enabled."""
    for sequence in (run.ROUND, run.ROUND_WITH_CLOCKS):
        is_enabled = False
        for name in sequence:
            if "enabling" in name:
                assert not is_enabled
                is_enabled = True
            elif "unchanged" in name or "facts" in name:
                assert is_enabled
            elif name == run.RESET:
                is_enabled = False
        assert not is_enabled


def test_figures_of_a_busy_machine_or_of_few_rounds_are_not_kept(run: t.Any) -> None:
    run.check_fit(busy=0.1, rounds=5)
    for busy, rounds in ((0.4, 5), (0.1, 4)):
        with pytest.raises(SystemExit, match="nothing is kept"):
            run.check_fit(busy=busy, rounds=rounds)
