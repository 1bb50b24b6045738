# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the next boot keeps a fix: a table."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.filter.livepatch_rollout import livepatch_rollout
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.facts import Facts, Patch, read_facts
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.next_boot import judge
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import File, Release

RELEASE = Release("fix-1", "lp", fixed_in=("6.9",), files=(File("6.6", "x86_64"), File("6.7", "x86_64")))
ACCEPTED = Patch("lp", enabled=True, effective="full", boot="accepted")
TRIAL = Patch("lp", enabled=True, effective="full", boot="trial")
QUARANTINED = Patch("lp", enabled=True, effective="full", boot="quarantined")
COVERED = replace(ACCEPTED, effective="none", covered_by=("top",))
NOT_INSTALLED = {"has_boot_program": False}


@pytest.mark.parametrize(
    ("patch", "more", "kernel", "is_safe", "says"),
    [
        (ACCEPTED, {}, "6.6", True, "the kernel 6.6 will boot again and load it."),
        (TRIAL, {}, "6.6", False, "again without it: lp is on trial. Accept it (boot: accepted) before the reboot."),
        (QUARANTINED, {}, "6.6", False, "again without it: lp is in quarantine."),
        (
            ACCEPTED,
            NOT_INSTALLED,
            "6.6",
            False,
            "and nothing loads it at boot. Apply the role openeuler",
        ),
        (COVERED, {}, "6.6", False, "fix-1 is enabled on the kernel 6.6, and not effective: top cover it,"),
        (
            replace(TRIAL, effective="none", unpatched=("ext4",)),
            {},
            "6.6",
            False,
            "the kernel does not patch ext4. Look",
        ),
        (replace(ACCEPTED, effective="none", not_loaded=("xfs",)), {}, "6.6", True, "will boot again and load it."),
        (replace(COVERED, effective="partial"), {}, "6.8", False, "Raise it (on_covered: unstack), or check the"),
        (
            replace(ACCEPTED, effective=None),
            {},
            "6.6",
            False,
            "cannot be told: nothing shows which of its",
        ),
        (replace(ACCEPTED, effective=None), {}, "6.9", True, "will boot, which contains the fix."),
        (COVERED, {}, "6.9", True, "fix-1 is enabled on the kernel 6.6, and the kernel 6.9 will boot, which contains"),
        (
            ACCEPTED,
            {},
            "6.7",
            False,
            "the release has a file that nothing loads at that boot. If you roll",
        ),
        (ACCEPTED, {}, "6.8", False, "the kernel 6.8 will boot, for which the release has no file: build one"),
        (TRIAL, {}, "6.9", True, "the kernel 6.9 will boot, which contains the fix."),
        (ACCEPTED, {}, "", False, "which kernel will boot is unknown: name it with -e livepatch_boot_kernel."),
        (None, {}, "", True, "fix-1 is not active on this host."),
        (Patch("lp", enabled=False), {}, "6.8", True, "fix-1 is not active on this host."),
        (None, {"doubt": "It cannot be told."}, "6.9", False, "It cannot be told."),
    ],
)
def test_a_boot(patch: Patch | None, more: dict[str, t.Any], kernel: str, is_safe: bool, says: str) -> None:
    facts = Facts("6.6", "x86_64", patches=(patch,) if patch else (), **more)
    verdict = judge(facts, RELEASE, kernel, follows=False)
    assert verdict.is_safe == is_safe
    assert says in verdict.says


@pytest.mark.parametrize(
    ("boot", "is_safe", "says"),
    [
        ({}, True, "boot again and load it."),
        ({"flaw": "Its file is gone."}, False, "may not load it. Its file is gone. Mend that; then accept it anew"),
        ({"covered_by": ["top"]}, False, "but loads top above it, with the fix or without. Accept it again"),
        ({"outcome": "failed"}, False, "may not load it. This boot has not loaded it: Refused."),
        ({"outcome": "skipped"}, False, "may not load it. This boot has not loaded it: Refused."),
        ({"outcome": "failed", "then": None}, False, "may not load it. This boot has not loaded it: Refused."),
        ({"outcome": "failed", "then": "before"}, True, "boot again and load it."),
        ({"outcome": "enabled"}, True, "boot again and load it."),
        ({"nothing": "livepatch=off."}, False, "but this boot has loaded nothing. livepatch=off. Mend that"),
        ({"outdated": True, "version": "0.1.0"}, False, "by a boot program of version 0.1.0, which is older than"),
    ],
)
def test_what_is_accepted_may_not_be_effective_after_a_boot(boot: dict[str, t.Any], is_safe: bool, says: str) -> None:
    entry = {"name": "lp", "release": "6.6", "since": "now", "flaw": None, "covered_by": [], **boot}
    result = {"name": "lp", "outcome": "enabled", "why": "Refused.", "since": boot.get("then", "now"), **boot}
    state = {"installed": True, "accepted": [entry], "results": [result, {**result, "name": "other"}], **boot}
    lp = {"name": "lp", "enabled": True, "in_transition": False, "effective": "full", "boot": "accepted"}
    data = {"release": "6.6", "machine": "x86_64", "supported": True, "patches": [lp], "boot": state}
    verdict = judge(read_facts(data), RELEASE, "6.6", follows=False)
    assert (verdict.is_safe, says in verdict.says) == (is_safe, True), verdict.says
    assert judge(read_facts(data), RELEASE, "6.6", follows=True).is_safe


@pytest.mark.parametrize(("kernel", "is_safe"), [("6.6", True), ("6.7", True), ("6.8", False), ("", False)])
def test_a_rollout_that_follows_needs_a_file(kernel: str, is_safe: bool) -> None:
    assert judge(Facts("6.6", "x86_64", patches=(TRIAL,)), RELEASE, kernel, follows=True).is_safe == is_safe


def test_facts_that_are_not_valid_are_no_good_news() -> None:
    release = {"format": 1, "fix": {"id": "fix-1"}, "name": "lp", "files": []}
    verdict = livepatch_rollout({"release": "6.6"}, "next_boot", release, "6.6", False)
    assert not verdict["is_safe"]
    assert "are not valid" in verdict["says"]


def test_files_for_several_builds_are_files() -> None:
    builds = tuple(replace(RELEASE.files[0], kernel_release="6.7", kernel_build_id=build) for build in ("aa", "bb"))
    facts = Facts("6.6", "x86_64", patches=(TRIAL,))
    assert judge(facts, replace(RELEASE, files=builds), "6.7", follows=True).is_safe


@pytest.mark.parametrize(
    ("build_id", "says"),
    [
        ("aa", "will boot again and load it."),
        ("bb", "The loaded patch is a different build than the release's. Look at the host."),
        (None, "Whether the loaded patch is the release's build cannot be told. Look at the host."),
    ],
)
def test_another_build_of_the_name_is_not_the_fix(build_id: str | None, says: str) -> None:
    release = replace(RELEASE, files=(File("6.6", "x86_64", build_id="aa"),))
    verdict = judge(Facts("6.6", "x86_64", patches=(replace(ACCEPTED, build_id=build_id),)), release, "6.6", False)
    assert (verdict.is_safe, verdict.says.endswith(says)) == (build_id == "aa", True), verdict
