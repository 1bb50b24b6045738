# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No remedy names an option that the task has already, or one that its state does not take."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import Finding, refusals
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.plan import Displaced
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import OnCovered, State, Wanted
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import (
    PER_TASK,
    STOP_MACHINE,
    UNKNOWN_OWNER,
    Function,
    LoadedPatch,
    Snapshot,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.conditions import Conditions
from ansible_collections.openeuler.livepatch.plugins.module_utils._observe.kallsyms import Symbol
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.plan import make_plan
from ansible_collections.openeuler.livepatch.plugins.module_utils._plan.revert import plan_revert
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.check import Circumstances
from ansible_collections.openeuler.livepatch.plugins.module_utils._preflight.checks import find
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    loaded,
    patch_file,
    snapshot,
)

CONDITIONS = Conditions(
    symbols={("vmlinux", "cmdline_proc_show"): (Symbol(0xFFFF0000, 64),)},
    kprobes=(),
    traced=(),
    ftrace_enabled=True,
    loadable=frozenset(["xfs"]),
)

A, B = Function("vmlinux", "a"), Function("vmlinux", "b")

IN_XFS, IN_ZFS = Function("xfs", "sync"), Function("zfs", "sync")


def told_in_vain(remedy: str, wanted: Wanted) -> list[str]:
    """The options that a remedy names although the task has them so, or may not have them."""
    values = {
        "load_targets: true": wanted.load_targets,
        "reload: true": wanted.reload,
        "force_owner: true": wanted.force_owner,
        "Give src": wanted.file is not None,
        "(?<!out of )supersedes": bool(wanted.supersedes)
        or (wanted.state != State.ENABLED and "state: enabled" not in remedy),
        "unstack": wanted.on_covered == OnCovered.UNSTACK,
        r"\ballow\b": wanted.on_covered == OnCovered.ALLOW,
        f"Set state: {wanted.state.value}": True,
    }
    return [name for name, is_set in values.items() if is_set and re.search(name, remedy)]


def refused(before: Snapshot, wanted: Wanted, **conditions: t.Any) -> list[Finding]:
    plan = make_plan(before, wanted)
    observed = dataclasses.replace(CONDITIONS, **conditions)
    found = find(Circumstances(before, observed, plan.intended, wanted.load_targets))
    return [*plan.refusals, *refusals(found)]


def enabled(**changes: t.Any) -> Wanted:
    return Wanted("fix", State.ENABLED, **changes)


def on(name: str, *functions: Function, abi: str = PER_TASK, **changes: t.Any) -> LoadedPatch:
    return loaded(patch_file(name, abi=abi, functions=functions or (A,)), **changes)


STOPPED = {"abi": STOP_MACHINE, "stacking_enforced": False}

STACKED = {"abi": STOP_MACHINE, "stacking_enforced": True}

FIX = patch_file("fix", functions=(A,))

OPAQUE = patch_file("fix", abi=STOP_MACHINE, functions=None, replace=None)

NEEDS_IT = patch_file(depends=("nowhere",))

NEEDS_XFS = patch_file(depends=("xfs",))

OWN = patch_file("fix", "2", functions=(A,))

TWO = (on("fix", A, load_index=1), on("late", A, load_index=2))

DOWN = (on("fix", A, B, abi=STOP_MACHINE, enabled=False, load_index=2), on("late", A, abi=STOP_MACHINE, load_index=1))

STAYS = on("old", A, permanent=True)


@pytest.mark.parametrize(
    ("before", "wanted", "reason", "remedy"),
    [
        (snapshot(), enabled(file=NEEDS_XFS), "dependency", "Load it first, or set load_targets: true."),
        (snapshot(), enabled(file=NEEDS_IT), "dependency", "Install it, then load it or set load_targets: true."),
        (snapshot(), enabled(file=NEEDS_IT, load_targets=True), "dependency", "Install it first."),
        (
            snapshot(**STOPPED),
            enabled(file=patch_file(abi=STOP_MACHINE, functions=(IN_XFS,))),
            "target_not_loaded",
            "Load it first, or set load_targets: true.",
        ),
        (
            snapshot(**STOPPED),
            enabled(file=patch_file(abi=STOP_MACHINE, functions=(IN_ZFS,)), load_targets=True),
            "target_not_loaded",
            "Install it first.",
        ),
        (snapshot(*TWO), enabled(), "covered", "Set on_covered: unstack to raise it above the others, or allow"),
        (
            snapshot(*TWO),
            Wanted("fix", State.ABSENT, on_covered=OnCovered.UNSTACK),
            "needs_file",
            "Disable those patches yourself, or set on_covered: allow.",
        ),
        (
            snapshot(*DOWN, **STOPPED),
            enabled(file=OPAQUE),
            "needs_file",
            "Put the manifest of livepatch_build beside src, which tells it; or take late out first.",
        ),
        (
            snapshot(*DOWN, **STOPPED),
            enabled(),
            "needs_file",
            "Give src, which may tell it; or take late out first.",
        ),
        (
            snapshot(**STOPPED),
            enabled(file=patch_file(abi=STOP_MACHINE, replace=True)),
            "replace_not_supported",
            "Build the patch without replace (kpatch-build -R), and use supersedes.",
        ),
        (
            snapshot(on("old", abi=STOP_MACHINE), **STOPPED),
            enabled(file=patch_file(abi=STOP_MACHINE, replace=True), supersedes=("old",)),
            "replace_not_supported",
            "Build the patch without replace (kpatch-build -R).",
        ),
        (
            snapshot(on("fix", A)),
            enabled(file=OWN),
            "different_build",
            "Build the patch under another name, or set reload: true to unload the loaded one and load the file.",
        ),
        (
            snapshot(on("fix", A)),
            Wanted("fix", State.ABSENT, OWN),
            "different_build",
            "Give name, and not src, if the loaded build is meant; reload: true means that one as well.",
        ),
        (
            snapshot(on("fix", A, permanent=True)),
            Wanted("fix", State.ABSENT),
            "module_not_removable",
            "The effect of fix ends with state: disabled. Only a reboot removes the module.",
        ),
        (
            snapshot(on("fix", A, permanent=True, enabled=False)),
            Wanted("fix", State.ABSENT),
            "module_not_removable",
            "It has no effect. Only a reboot removes the module.",
        ),
        (
            snapshot(on("fix", A, permanent=True)),
            enabled(file=OWN, reload=True),
            "module_not_removable",
            "Build the patch under another name. Only a reboot removes the module.",
        ),
        (
            snapshot(STAYS),
            enabled(file=FIX, supersedes=("old",)),
            "module_not_removable",
            "Leave old out of supersedes. The effect of old ends with state: disabled. Only a reboot removes the",
        ),
        (
            snapshot(*TWO, **STACKED),
            Wanted("fix", State.DISABLED, on_covered=OnCovered.ALLOW),
            "covered",
            "Act on the newer patches first, or set on_covered: unstack (disable, act, enable them again).",
        ),
        (
            snapshot(dataclasses.replace(TWO[0], owner=UNKNOWN_OWNER)),
            Wanted("fix", State.ABSENT),
            "owner_unknown",
            "Change it with the tool that loaded it; or set force_owner: true if no tool did",
        ),
        (snapshot(), enabled(), "not_loaded", "Give src."),
    ],
)
def test_what_is_left_to_be_done(before: Snapshot, wanted: Wanted, reason: str, remedy: str) -> None:
    found = refused(before, wanted)
    assert reason in [finding.reason for finding in found]
    assert [finding.remedy.startswith(remedy) for finding in found if finding.reason == reason] == [True]
    assert not [name for finding in found for name in told_in_vain(finding.remedy, wanted)]


def test_a_listing_of_modules_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    (finding,) = refused(snapshot(), enabled(file=NEEDS_IT, load_targets=True), loadable=None)
    assert "not installed" not in finding.seen
    assert "modules.dep cannot be read" in finding.seen
    assert finding.remedy == "Load it first."


@pytest.mark.parametrize("replaces", [True, None])
def test_reverting_takes_no_supersedes(replaces: bool | None) -> None:
    before = snapshot(on("mine", A, load_index=1), on("others", B, load_index=2))
    displaced = Displaced("old", True, patch_file("old", functions=(A,), replace=replaces))
    wanted = Wanted("mine", State.REVERTED)
    (refusal,) = plan_revert(before, wanted, {}, [displaced]).refusals
    assert refusal.reason == ("replaces_others" if replaces else "may_replace_others")
    assert not told_in_vain(refusal.remedy, wanted)
