# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statuses of hosts: each by its definition, their order, and the counts."""

from __future__ import annotations

import json
import random
import typing as t
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet import statuses
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_csv import as_csv
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_html import as_html
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_json import as_json
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.as_prometheus import as_prometheus
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.model import Answer, Host, fleet_of
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.reader import (
    LONGEST_TEXT,
    DataError,
    printable,
    time_of,
    time_text,
)
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import read_releases
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils import synthetic_fleet as synthetic

KERNEL = "6.6.0-28"
SHA, OTHER_SHA = "a" * 64, "b" * 64
ID, OTHER_ID = "1a" * 20, "1b" * 20
FORMATS = (as_json, as_csv, as_prometheus, as_html)


def release(fix: str = "fix-1", name: str = "lp", cves: t.Sequence[str] = (), **more: t.Any) -> dict[str, t.Any]:
    marks = {"sha256": SHA, "build_id": ID, "srcversion": "S"}
    files = [{"kernel_release": KERNEL, "machine": "x86_64", **marks}]
    return {"format": 1, "fix": {"id": fix, "cves": list(cves)}, "name": name, "files": files, **more}


def patch(name: str = "lp", sha256: str | None = SHA, **more: t.Any) -> dict[str, t.Any]:
    return synthetic.patch("any", KERNEL, **{"name": name, "identity": {"sha256": sha256}, **more})


def facts(*patches: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    return synthetic.host_facts(KERNEL, list(patches), [], **more)


def stored(name: str = "lp", sha256: str | None = SHA, kernel: str = KERNEL) -> dict[str, str | None]:
    return {"name": name, "sha256": sha256, "release": kernel, "since": "", "why": "It fell over."}


def boot(**more: t.Any) -> dict[str, t.Any]:
    return {"installed": True, "accepted": [], "quarantined": [], "lost": [], **more}


def host_of(
    data: dict[str, t.Any] | None, *releases: dict[str, t.Any], problem: str | None = None, kind: str = "unreachable"
) -> Host:
    answers = {"host": Answer(data, problem, kind)}
    (host,) = fleet_of(answers, read_releases(("here", data) for data in releases), synthetic.NOW).hosts
    return host


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            {"effective": "partial", "unpatched": [{"object": "xfs", "loaded": False}]},
            "lp is enabled, and all of its functions that are loaded are live (not loaded: xfs).",
        ),
        (
            {"effective": "partial", "unpatched": [{"object": "ext4", "loaded": True}]},
            "lp is enabled, but some of its functions are not patched in ext4.",
        ),
        (
            {
                "effective": "none",
                "covered": [{"by": ["new"]}],
                "unpatched": [{"object": "xfs", "loaded": False}],
            },
            "lp is enabled, but all of its functions are covered by new or not patched in xfs.",
        ),
    ],
)
def test_which_functions_are_not_live_is_told(more: dict[str, t.Any], why: str) -> None:
    host = host_of(facts(patch(**more)), release())
    assert host.standings[0].why == why


def test_a_module_that_is_not_loaded_does_not_take_the_effect_away() -> None:
    data = facts(patch(effective="none", unpatched=[{"object": "xfs", "loaded": False}]))
    host = host_of(data)
    assert (host.headline, host.why) == (
        "effective",
        "All functions of lp that are loaded are live (not loaded: xfs).",
    )


def test_what_an_older_release_does_not_tell_is_not_protected() -> None:
    older = release(files=[{"kernel_release": KERNEL, "machine": "x86_64", "sha256": SHA}])
    assert host_of(facts(patch()), older).headline == "protected"
    host = host_of(facts(patch(identity={"sha256": None, "build_id": OTHER_ID})), older)
    assert (host.headline, host.is_protected) == ("drifted", False)
    assert host.why == "fix-1: Whether the loaded lp is the release's build cannot be told."


def test_a_patch_of_unknown_effect_makes_nobody_else_unprotected() -> None:
    data = facts(patch(), patch("agent", effective=None))
    host = host_of(data, release())
    assert (host.headline, host.is_protected) == ("protected", True)
    assert (host_of(data).headline, host_of(facts(patch())).headline) == ("partly_effective", "effective")
    why = "agent is enabled, and whether its functions are live cannot be told."
    assert host_of(data).why == why and host_of(data, release(name="agent")).why == f"fix-1: {why}"
    assert not host_of(data, release(name="agent")).is_protected


def unfinished(*patches: str) -> dict[str, t.Any]:
    return {"who": "root, process 1", "what": "load lp", "since": "2026-11-25T07:00:00Z", "patches": list(patches)}


def test_a_run_that_has_not_ended_protects_from_nothing() -> None:
    data = facts(patch(), patch("other"), unfinished_run=unfinished("lp"))
    host = host_of(data, release())
    assert (host.headline, host.is_protected) == ("unfinished", False)
    assert host.why == "fix-1: A run of root, process 1 since 2026-11-25T07:00:00Z has not ended: load lp."
    assert host_of(data, release(name="other")).is_protected
    assert host_of(data).headline == "unfinished"
    elsewhere = facts(patch(), unfinished_run=unfinished("new"))
    assert (host_of(elsewhere, release()).headline, host_of(elsewhere).headline) == ("protected", "unfinished")
    assert "unfinished" in host_of(elsewhere, release()).statuses
    fixed = host_of(facts(unfinished_run=unfinished("lp")), release(fixed_in=[KERNEL]))
    assert fixed.is_protected


def test_a_note_that_cannot_be_read_protects_from_nothing() -> None:
    unknown = dict.fromkeys(("who", "what", "since", "patches"))
    host = host_of(facts(patch(), unfinished_run=unknown), release())
    assert (host.headline, host.is_protected) == ("unfinished", False)
    assert "cannot be told" in host.why
    assert host_of(facts(patch(), unfinished_run=unknown)).headline == "unfinished"


@pytest.mark.parametrize(
    ("more", "status", "note"),
    [
        ({}, "accepted", None),
        ({"installed": False}, "on_trial", "no boot loads them: the boot program is not installed"),
        ({"unclean_ends": 1}, "accepted", "gone down within an hour of a boot, without a clean shutdown; in a row: 1."),
        ({"outdated": True, "version": "0.9.0"}, "accepted", "of version 0.9.0, older than the collection"),
        ({"outdated": True, "version": None}, "accepted", "of version unknown, older than the collection"),
        ({"nothing": "livepatch=off."}, "on_trial", "livepatch=off."),
        ({"accepted": [{**stored(), "flaw": "It is gone."}]}, "on_trial", "the next boot may not load it. It is gone."),
        ({"accepted": [{**stored(), "covered_by": ["top"]}]}, "accepted", "The next boot loads top above lp, with"),
        (
            {"results": [{"name": "lp", "outcome": "failed", "why": "Refused."}]},
            "on_trial",
            "This boot has not loaded it: Refused.",
        ),
        ({"results": [{"name": "lp", "outcome": "failed", "since": "before"}]}, "accepted", None),
    ],
)
def test_what_the_next_boot_does_not_load_is_not_accepted(
    more: dict[str, t.Any], status: str, note: str | None
) -> None:
    data = facts(patch(), boot=boot(**{"accepted": [stored()], **more}))
    for host in (host_of(data, release()), host_of(data)):
        assert {"accepted", "on_trial"}.intersection(host.statuses) == {status}
        assert [note in text for text in host.notes] == [True] if note else not host.notes


COVERED_BY_NEW: dict[str, t.Any] = {"effective": "none", "covered": [{"by": ["new"]}]}
NOT_LOADED, UNPATCHED = [{"object": "xfs", "loaded": False}], [{"object": "ext4", "loaded": True}]
HAS_PART: dict[str, t.Any] = {"effective": "partial", "covered": [{"by": ["new"]}]}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (facts(patch()), ["protected", "accepted"]),
        (facts(patch(boot="trial")), ["protected", "on_trial"]),
        (facts(patch(sha256=None)), ["drifted", "accepted"]),
        (facts(patch(sha256=None, enabled=False, effective="none")), ["not_applied"]),
        (facts(patch(identity={"sha256": None, "build_id": OTHER_ID})), ["drifted", "accepted"]),
        (facts(patch(identity={"sha256": None, "build_id": ID.upper()})), ["protected", "accepted"]),
        # A signed copy.
        (facts(patch(identity={"sha256": OTHER_SHA, "build_id": ID})), ["protected", "accepted"]),
        (facts(patch(identity={"sha256": OTHER_SHA, "srcversion": "S"})), ["drifted", "accepted"]),
        (facts(patch(identity={"srcversion": "S"})), ["protected", "accepted"]),
        (facts(patch(identity={"srcversion": "T"})), ["drifted", "accepted"]),
        (facts(patch(sha256=SHA.upper())), ["protected", "accepted"]),
        (facts(), ["not_applied"]),
        (facts(patch(enabled=False, effective="none")), ["not_applied"]),
        (facts(patch(**COVERED_BY_NEW)), ["not_effective", "accepted"]),
        (facts(patch(**HAS_PART)), ["partly_effective", "accepted"]),
        (facts(patch(effective=None)), ["partly_effective", "accepted"]),
        (facts(patch(effective="partial", unpatched=NOT_LOADED)), ["protected", "accepted"]),
        (facts(patch(effective="none", unpatched=NOT_LOADED)), ["protected", "accepted"]),
        (facts(patch(**{**HAS_PART, "unpatched": NOT_LOADED})), ["partly_effective", "accepted"]),
        (facts(patch(**{**COVERED_BY_NEW, "unpatched": NOT_LOADED})), ["not_effective", "accepted"]),
        (facts(patch(effective="partial", unpatched=NOT_LOADED + UNPATCHED)), ["partly_effective", "accepted"]),
        (facts(patch(effective="none", unpatched=UNPATCHED)), ["not_effective", "accepted"]),
        (facts(patch(), patch("agent", effective=None)), ["protected", "accepted"]),
        (facts(patch(in_transition=True)), ["in_transition", "accepted"]),
        (facts(patch(in_transition=True, enabled=False, effective="none")), ["not_applied", "in_transition"]),
        (facts(patch(sha256=OTHER_SHA)), ["drifted", "accepted"]),
        (facts(patch(sha256=OTHER_SHA, enabled=False)), ["not_applied", "drifted"]),
        (facts(patch(sha256=OTHER_SHA, **HAS_PART)), ["partly_effective", "drifted", "accepted"]),
        (facts(boot=boot(accepted=[stored(sha256=OTHER_SHA)])), ["not_applied", "drifted"]),
        (facts(patch(), boot=boot(accepted=[stored(sha256=OTHER_SHA)])), ["drifted", "accepted"]),
        (facts(patch(), boot=boot(accepted=[stored(sha256=OTHER_SHA, kernel="5.10")])), ["protected", "accepted"]),
        (facts(boot=boot(quarantined=[stored()])), ["quarantined", "not_applied"]),
        (facts(boot=boot(quarantined=[stored(sha256=OTHER_SHA)])), ["not_applied"]),
        (facts(patch(boot="quarantined"), boot=boot(quarantined=[stored()])), ["quarantined", "protected"]),
        ({**facts(), "release": "6.6.0-99"}, ["no_patch_file"]),
        ({**facts(), "machine": "aarch64"}, ["no_patch_file"]),
        ({**facts(patch()), "release": "6.6.0-99"}, ["drifted", "accepted"]),
        ({**facts(), "release": "6.6.0-100"}, ["fixed_in"]),
        ({**facts(), "supported": False, "why_unsupported": "No."}, ["unsupported"]),
        ({**facts(), "supported": False, "release": "6.6.0-100"}, ["fixed_in"]),
    ],
)
def test_the_statuses_of_a_host_for_a_fix(data: dict[str, t.Any], expected: list[str]) -> None:
    (standing,) = host_of(data, release(fixed_in=["6.6.0-100"])).standings
    assert list(standing.statuses) == expected
    assert standing.headline == expected[0]
    assert standing.why
    assert standing.is_protected == (not {"protected", "fixed_in"}.isdisjoint(expected))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"supersedes": ["lp-old"]}, "superseded"),
        ({"cves": ["CVE-1"]}, {"supersedes": ["contained"], "cves": ["CVE-1", "CVE-2"]}, "superseded"),
        ({"cves": ["CVE-1", "CVE-3"]}, {"supersedes": ["contained"], "cves": ["CVE-1", "CVE-2"]}, "not_applied"),
        ({}, {"supersedes": ["contained"], "cves": ["CVE-1"]}, "not_applied"),
        ({}, {"supersedes": []}, "not_applied"),
    ],
)
def test_a_fix_that_another_one_contains_is_no_gap(old: dict[str, t.Any], new: dict[str, t.Any], expected: str) -> None:
    host = host_of(facts(patch("new")), release("old", "lp_old", **old), release("new", "new", **new))
    assert {standing.fix: standing.headline for standing in host.standings} == {"old": expected, "new": "protected"}
    assert host.is_protected == (expected == "superseded")


def test_supersedes_is_followed_and_may_go_in_circles() -> None:
    chain = [
        release("a", "a", supersedes=["c"]),
        release("b", "b", supersedes=["a"]),
        release("c", "c", supersedes=["b"]),
        release("d", "d", supersedes=["a", "d"]),
    ]
    with_c = host_of(facts(patch("c")), *chain).standings
    assert [standing.headline for standing in with_c] == ["superseded", "superseded", "protected", "not_applied"]
    without = host_of(facts(), *chain).standings
    assert {standing.headline for standing in without} == {"not_applied"}


def test_the_worst_fix_gives_the_headline() -> None:
    host = host_of(facts(patch()), release(), release("fix-2", "other"))
    assert host.headline == "not_applied"
    assert host.why == "fix-2: other is not loaded."
    assert host.statuses == ("not_applied", "protected", "accepted")
    assert host.is_protected is False


def test_patches_of_no_release_are_statuses_and_no_headline() -> None:
    others = [patch("other", **COVERED_BY_NEW), patch("gone", enabled=False, in_transition=True)]
    host = host_of(facts(patch(), *others, boot=boot(quarantined=[stored("third", OTHER_SHA)])), release())
    assert host.headline == "protected"
    assert host.statuses == ("quarantined", "not_effective", "in_transition", "protected", "accepted")


@pytest.mark.parametrize(
    ("fix", "expected"),
    [
        (
            {"id": "fix-1", "title": "", "severity": "", "cves": ["CVE-2026-1", "CVE-2026-2"]},
            ["CVE-2026-1", "CVE-2026-2"],
        ),
        ({"id": "fix-1", "title": "", "severity": "", "cves": []}, ["fix-1"]),
        ({"id": "fix\x1b[2J-1", "title": "", "severity": "", "cves": []}, None),
        (None, []),
        ("CVE-2026-1", []),
        ({"id": ["x"]}, []),
    ],
)
def test_what_a_host_has_noted_is_shown_and_protects_nobody(fix: t.Any, expected: list[str] | None) -> None:
    releases = read_releases([("here", release(cves=["CVE-2026-1"]))])
    fleet = fleet_of({"host": Answer(facts({**patch("other"), "fix": fix}))}, releases, synthetic.NOW)
    (host,) = json.loads(as_json(fleet))["hosts"]
    (shown,) = host["patches"]
    assert expected is None or shown["fixes"] == expected
    assert "\x1b" not in json.dumps(shown)
    assert (host["headline"], host["protected"]) == ("not_applied", False)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (facts(), ["no_patches"]),
        (facts(patch(), patch("b", boot="trial")), ["effective", "on_trial", "accepted"]),
        (facts(patch(), patch("b", **HAS_PART)), ["partly_effective", "accepted"]),
        (facts(patch(enabled=False)), ["no_patches"]),
        (facts(boot=boot(quarantined=[stored()])), ["quarantined"]),
        ({**facts(), "supported": False}, ["unsupported"]),
    ],
)
def test_without_releases_the_loaded_patches_count(data: dict[str, t.Any], expected: list[str]) -> None:
    host = host_of(data)
    assert list(host.statuses) == expected
    assert host.headline == expected[0]
    assert host.why
    assert host.is_protected is None


def test_a_host_without_facts_is_unreachable() -> None:
    host = host_of(None, release())
    assert (host.headline, host.why, host.age) == ("unreachable", "There are no facts about it.", None)
    assert [standing.headline for standing in host.standings] == ["unreachable"]
    assert host.is_protected is False


def test_what_was_known_about_a_host_is_shown_and_does_not_count() -> None:
    host = host_of(facts(patch()), release(), problem="No route\nto host")
    assert host.statuses == ("unreachable", "protected", "accepted")
    assert (host.headline, host.why) == ("unreachable", "No route to host")
    (standing,) = host.standings
    assert (standing.is_protected, host.is_protected) == (False, False)
    assert standing.why == "Last known: lp is enabled, and all of its functions are live."


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        ({"patches": "?"}, "patches in ansible_facts.livepatch is not a list."),
        ({"patches": [7]}, "is not a dictionary."),
        ({"patches": [{"name": "x"}]}, "enabled in an entry of patches in ansible_facts.livepatch is not a boolean."),
        (
            {"patches": [patch(effective="very")]},
            "effective in an entry of patches in ansible_facts.livepatch has an unknown value.",
        ),
        ({"release": None}, "has no release."),
        ({"release": 6}, "release in ansible_facts.livepatch is not a string."),
        ({"functions": [{"object": "vmlinux", "name": "f", "stack": [1]}]}, "has entries that are not strings."),
        (
            {"functions": [{"object": "vmlinux", "name": "f", "sympos": True}]},
            "sympos in an entry of functions in ansible_facts.livepatch is not a number.",
        ),
        ({"boot": []}, "boot in ansible_facts.livepatch is not a dictionary."),
    ],
)
def test_facts_that_are_not_valid_make_their_host_failed(damage: dict[str, t.Any], cause: str) -> None:
    broken = {**facts(), **damage}
    with pytest.raises(DataError, match=cause.replace(".", r"\.")):
        read_facts(broken)
    host = host_of(broken, release())
    assert host.headline == "failed"
    assert host.why.endswith(cause)


def test_old_facts_without_boot_and_time_are_understood() -> None:
    old = facts(patch())
    for key in ("boot", "read_at", "trouble", "unreadable", "transition", "machine"):
        del old[key]
    assert "reboot_required" not in old
    host = host_of(old, release())
    assert host.headline == "protected"
    assert (host.age, host.notes) == (None, ("The facts do not say when they were read.",))


def test_age_and_a_clock_that_is_ahead() -> None:
    assert host_of(facts()).age == 120
    slightly = host_of(facts(read_at=time_text(synthetic.NOW + timedelta(seconds=10))))
    assert (slightly.age, slightly.notes) == (0, ())
    ahead = host_of(facts(read_at=time_text(synthetic.NOW + timedelta(hours=1))))
    assert (ahead.age, ahead.notes) == (0, ("Its clock is 3600 seconds ahead of the clock of the report.",))
    strange = host_of(facts(read_at="yesterday"))
    assert (strange.age, strange.notes) == (None, ("The facts contain a time that is not valid.",))


@pytest.mark.parametrize(
    "text", ["2026-11-25T08:00:00Z", "2026-11-25T09:00:00+01:00", "2026-11-25 08:00:00", synthetic.NOW]
)
def test_times_in_several_spellings(text: str | datetime) -> None:
    assert time_text(time_of(text)) == "2026-11-25T08:00:00Z"


def test_notes() -> None:
    host = host_of(
        facts(
            transition={"patch": "lp", "enabling": False, "stalling_tasks": [{"pid": 7, "command": "sleep"}] * 7},
            boot=boot(quarantined=[stored()], lost=[stored(kernel="5.10")], unclean_ends=2, nothing="livepatch=off"),
            trouble=["an oops", "a warning"],
            reboot_required=True,
            unreadable=[{"path": "/proc/x", "reason": "EACCES"}],
        )
    )
    tasks = ", ".join(["sleep (pid 7)"] * 5)
    assert host.notes == (
        f"lp is being disabled, stalled by {tasks} and 2 more.",
        f"lp is in quarantine on kernel {KERNEL}: It fell over.",
        "lp is accepted for kernel 5.10, but not for the running kernel.",
        "It has gone down within an hour of a boot, without a clean shutdown; in a row: 2.",
        "livepatch=off",
        "The kernel has had an oops and a warning since it booted.",
        "Only a reboot finishes what was begun with its patches.",
        "These files could not be read: /proc/x (EACCES).",
    )


@pytest.mark.parametrize(
    ("doubt", "why"),
    [
        (
            {"undecided": [{"path": "/proc/modules", "reason": "EACCES"}]},
            "What is loaded and enabled cannot be told: cannot read /proc/modules (EACCES).",
        ),
        ({"disagreements": ["One says so."]}, "What its kernel shows contradicts itself: One says so."),
    ],
)
@pytest.mark.parametrize("releases", [True, False])
def test_a_host_that_does_not_tell_what_is_enabled_is_not_protected(
    doubt: dict[str, t.Any], why: str, releases: bool
) -> None:
    unknown = dict.fromkeys(("enabled", "in_transition", "effective", "covered"))
    data = facts(patch(), patch("other", **unknown), **doubt)
    host = host_of(dict(data, functions=None), *([release()] if releases else []))
    is_protected = False if releases else None
    assert (host.headline, host.why, host.is_known, host.is_protected) == ("failed", why, False, is_protected)
    assert [standing.why for standing in host.standings] == ([why] if releases else [])


def test_texts_that_could_disguise_themselves() -> None:
    assert printable("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
    assert printable("one\r\ntwo") == "one two"
    assert printable("\x1b[2J\x9b\u200f\u200b\ufeff\u061c\xad\u2060") == "\ufffd[2J" + 7 * "\ufffd"
    assert len(printable("x" * 1000)) == LONGEST_TEXT


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        ([], "is not a dictionary"),
        ({}, "format in here is not a number"),
        (release() | {"format": 2}, "here has the format 2, and this collection reads the format 1"),
        (release(""), "fix in here has no id"),
        (release() | {"fix": "fix-1"}, "fix in here is not a dictionary"),
        (release() | {"files": [{}]}, "has no kernel_release"),
        ({"livepatch_release": []}, "is not a dictionary"),
    ],
)
def test_releases_that_are_none(data: dict[str, t.Any] | list[t.Any], cause: str) -> None:
    with pytest.raises(DataError, match=cause):
        read_releases([("here", data)])


def test_a_second_release_of_a_fix() -> None:
    with pytest.raises(DataError, match="there is a second release with the id fix-1"):
        read_releases([("here", release()), ("there", {"livepatch_release": release()})])


def test_the_best_release_counts_for_a_cve() -> None:
    cves = ["CVE-1"]
    releases = read_releases([("a", release("a", "a", cves=cves)), ("b", release("b", "b", cves=cves))])
    fleet = fleet_of({"x": Answer(facts(patch("a"))), "y": Answer(facts()), "z": Answer()}, releases, synthetic.NOW)
    tally = fleet.by_cve()["CVE-1"]
    assert (tally.hosts, tally.protected, tally.unprotected, tally.unknown) == (3, 1, 1, 1)
    assert [tally.protected for tally in fleet.by_fix().values()] == [1, 0]


def test_every_number_adds_up() -> None:
    fleet = synthetic.fleet(400)
    with_facts = sum(host.facts is not None for host in fleet.hosts)
    kernels = fleet.by_kernel().values()
    assert sum(tally.hosts for tally in kernels) == with_facts
    for tally in (fleet.tally(), *fleet.by_fix().values(), *fleet.by_cve().values(), *kernels):
        assert sum(tally.headlines.values()) == tally.hosts
        assert (tally.protected or 0) + (tally.unprotected or 0) + tally.unknown == tally.hosts
    for status, count in fleet.with_status().items():
        assert count >= fleet.tally().headlines.get(status, 0)
    seen = {status for status, count in fleet.with_status().items() if count}
    left_out = {"superseded", "effective", "no_patches", "unfinished"}
    assert seen >= {status.key for status in statuses.STATUSES} - left_out


@pytest.mark.parametrize("write", FORMATS)
def test_the_same_bytes_whatever_the_order(write: t.Callable[..., t.Any]) -> None:
    answers = list(synthetic.answers(60).items())
    sources = [("a release", data) for data in synthetic.releases()]
    expected = write(fleet_of(dict(answers), read_releases(sources), synthetic.NOW))
    for seed in range(3):
        random.Random(seed).shuffle(answers)
        random.Random(seed).shuffle(sources)
        assert write(fleet_of(dict(answers), read_releases(sources), synthetic.NOW)) == expected


def test_the_order_of_the_keys_of_facts_does_not_matter() -> None:
    def turned(data: t.Any) -> t.Any:
        if isinstance(data, dict):
            return {key: turned(data[key]) for key in reversed(list(data))}
        return [turned(entry) for entry in data] if isinstance(data, list) else data

    answers = synthetic.answers(20)
    others = {name: replace(answer, facts=turned(answer.facts)) for name, answer in answers.items()}
    for write in FORMATS:
        assert write(fleet_of(answers, (), synthetic.NOW)) == write(fleet_of(others, (), synthetic.NOW))


def test_what_is_written_can_be_encoded() -> None:
    name = "h\ud800\x00"
    fleet = fleet_of({name: Answer({**facts(), "release": "\udfff"})}, (), synthetic.NOW)
    for write in FORMATS:
        content = write(fleet)
        assert content if isinstance(content, bytes) else content.encode()
    assert json.loads(as_json(fleet))["hosts"][0]["name"] == "h\ufffd\ufffd"


def test_the_build_of_the_kernel_decides_which_file_a_host_needs() -> None:
    builds = [
        {"kernel_release": KERNEL, "machine": "x86_64", "sha256": SHA, "kernel_build_id": "aa" * 20},
        {"kernel_release": KERNEL, "machine": "x86_64", "sha256": OTHER_SHA, "kernel_build_id": "BB" * 20},
    ]

    def standing(build_id: str | None, *patches: dict[str, t.Any]) -> Host:
        return host_of({**facts(*patches), "kernel": {"build_id": build_id}}, release(files=builds))

    assert standing("aa" * 20, patch()).is_protected
    assert standing("bb" * 20, patch()).headline == "drifted"
    assert standing("bb" * 20, patch(sha256=OTHER_SHA)).is_protected
    assert standing("cc" * 20, patch()).headline == "drifted"
    assert standing("cc" * 20).headline == "no_patch_file"
    assert "other builds of kernel" in standing("cc" * 20).why
    assert not standing(None, patch()).is_protected
    answer = Answer({**facts(), "kernel": {"build_id": "aa" * 20}})
    (shown,) = json.loads(as_json(fleet_of({"h": answer}, (), synthetic.NOW)))["hosts"]
    assert shown["kernel_build_id"] == "aa" * 20


def test_a_changed_name_and_another_build_are_noted() -> None:
    kernel = {
        "shown_release": "6.6.0-28.1",
        "evidence": "OSRELEASE in /proc/kcore",
        "is_certain": True,
        "build_id": "aa" * 20,
    }
    lost = [{"name": "lp", "release": KERNEL, "kernel_build_id": "bb" * 20}, {"name": "x", "release": "6.1"}]
    host = host_of({**facts(boot=boot(lost=lost)), "kernel": kernel})
    assert host.notes == (
        f"uname -r shows 6.6.0-28.1, but the kernel was built as {KERNEL} (OSRELEASE in /proc/kcore).",
        f"lp is accepted for another build of kernel {KERNEL}, but not for the running kernel.",
        "x is accepted for kernel 6.1, but not for the running kernel.",
    )
    assert host_of(facts(boot=boot(lost=lost[:1]))).notes == (
        f"lp is accepted for builds of kernel {KERNEL}, and nothing tells which build runs.",
    )


@pytest.mark.parametrize(
    ("kernel", "note"),
    [
        ({"evidence": "BOOT_IMAGE in /proc/cmdline"}, "Which kernel runs is not certain."),
        ({"evidence": "BOOT_IMAGE in /proc/cmdline", "is_certain": False}, "Which kernel runs is not certain."),
        (
            {"contradiction": "BOOT_IMAGE in /proc/cmdline names 6.1.", "is_certain": False},
            f"uname -r shows {KERNEL}. BOOT_IMAGE in /proc/cmdline names 6.1.",
        ),
    ],
)
def test_a_kernel_that_is_a_guess_does_not_contain_a_fix(kernel: dict[str, t.Any], note: str) -> None:
    fix = release(fixed_in=[KERNEL])
    host = host_of({**facts(), "kernel": kernel}, fix)
    assert (host.headline, host.is_protected, host.notes[-1]) == ("not_applied", False, note)
    certain = host_of({**facts(), "kernel": {**kernel, "is_certain": True}}, fix)
    assert (certain.headline, certain.is_protected) == ("fixed_in", True)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ("level=1", "not a dictionary"),
        ([1], "not a dictionary"),
        ({"level": 1.5}, "neither a text, a number"),
        ({"level": {"a": 1}}, "neither a text, a number"),
        ({"level": None}, "neither a text, a number"),
        ({"levels": [[1]]}, "neither a text, a number"),
        ({None: 1}, "neither a text, a number"),
        ({"level": "1\n2"}, "cannot be printed"),
        ({"le\x1bvel": 1}, "cannot be printed"),
    ],
)
def test_parameters_in_a_release_are_ones_that_the_module_takes(parameters: t.Any, says: str) -> None:
    good = {"level": 1, "verbose": True, "names": ["a", "b"]}
    files = [{"kernel_release": KERNEL, "parameters": good}, {"kernel_release": KERNEL}]
    (read,) = read_releases([("here", release(files=files))])
    assert [file.parameters for file in read.files] == [good, None]
    with pytest.raises(DataError, match=says):
        read_releases([("here", release(files=[{"kernel_release": KERNEL, "parameters": parameters}]))])


def test_a_build_id_in_a_release_is_one() -> None:
    files = [{"kernel_release": KERNEL, "kernel_build_id": "{{ x }}"}]
    with pytest.raises(DataError, match="not a build-id"):
        read_releases([("here", release(files=files))])
