# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decisions of a rollout, as tables."""

from __future__ import annotations

import base64
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._fleet.releases import File, Release
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout import hosts, order, outcome, waves
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.host_facts import Baseline
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.hosts import Host, Status
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout.results import Result, read_result

OK, CHANGED, SKIPPED = {"changed": False}, {"changed": True}, {"skipped": True}
FAILED, SILENT = {"failed": True, "msg": "It broke."}, {"failed": True}
UNREACHABLE = {"unreachable": True, "msg": "No route."}
NOT_VALID = "Its facts are not valid: {} in an entry of patches in ansible_facts.livepatch is not a {}."
RELEASE = Release(
    id="Fix 1",
    name="fix_1",
    fixed_in=("6.7",),
    files=(File("6.6", "x86_64", "00", "6.6/a.ko"), File("6.6", "aarch64", "00", "6.6/b.ko")),
)
READY = Host("h", Status.HAS_FILE, "6.6", "6.6/a.ko", build=Identity(sha256="00"))
TRIAL = replace(READY, is_due=True, is_on_trial=True)


def facts(
    *patches: dict[str, t.Any], release: str | None = "6.6", machine: str = "x86_64", trouble: t.Sequence[str] = ()
) -> dict[str, t.Any]:
    known = {"release": release, "machine": machine, "patches": list(patches), "trouble": list(trouble)}
    return {"ansible_facts": {"ansible_livepatch": known}}


def patch(name: str = "fix_1", **more: t.Any) -> dict[str, t.Any]:
    known = {"name": name, "enabled": True, "effective": "full", "in_transition": False, "identity": {"sha256": "00"}}
    return {**known, **more}


def with_more(read: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    return {"ansible_facts": {"ansible_livepatch": {**read["ansible_facts"]["ansible_livepatch"], **more}}}


RUN = {"who": "root", "since": "noon", "what": "load fix_1", "patches": ["fix_1"]}
UNKNOWN_BUILD = "Whether the loaded patch is the release's build cannot be told."


def result(registered: dict[str, t.Any]) -> Result:
    return read_result(registered)


def marked(text: str) -> dict[str, str]:
    return {"content": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("read", "required", "expected"),
    [
        (facts(), False, READY),
        (facts(machine="aarch64"), False, replace(READY, file="6.6/b.ko")),
        (facts(machine="riscv64"), False, Host("h", Status.NO_PATCH_FILE, "6.6")),
        (facts(release="6.5"), False, Host("h", Status.NO_PATCH_FILE, "6.5")),
        (
            facts(release="6.5"),
            True,
            Host("h", Status.NO_PATCH_FILE, "6.5", problem="The release has no patch file for kernel 6.5."),
        ),
        (facts(release="6.7"), True, Host("h", Status.FIXED, "6.7")),
        (facts(release=None), False, Host("h", Status.NO_PATCH_FILE)),
        (UNREACHABLE, False, Host("h", Status.UNREACHABLE, problem="No route.")),
        ({"unreachable": True}, False, Host("h", Status.UNREACHABLE, problem="It could not be reached.")),
        (FAILED, False, Host("h", Status.FAILED, problem="It broke.")),
        (SILENT, False, Host("h", Status.FAILED, problem="It failed.")),
        (
            facts({"name": 7}),
            False,
            Host(
                "h",
                Status.FAILED,
                problem=NOT_VALID.format("name", "string"),
            ),
        ),
    ],
)
def test_which_file_fits_a_host(read: dict[str, t.Any], required: bool, expected: Host) -> None:
    chosen = hosts.choose("h", result(read), RELEASE, required)
    assert replace(chosen, flaw="", patch="") == replace(expected, fix="Fix 1")


@pytest.mark.parametrize(
    ("patches", "trouble", "baseline"),
    [
        ((), (), Baseline()),
        ((patch(),), ("an oops",), Baseline(False, ("an oops",))),
        ((patch(enabled=False),), (), Baseline(True)),
        ((patch(enabled=False, identity={}),), (), Baseline(True)),
        ((patch(enabled=False, identity={"sha256": "11"}),), ("an oops",), Baseline(False, ("an oops",))),
        ((patch("other", enabled=False),), (), Baseline()),
    ],
)
def test_what_a_host_was_like_before(
    patches: tuple[dict[str, t.Any], ...], trouble: tuple[str, ...], baseline: Baseline
) -> None:
    assert hosts.choose("h", result(facts(*patches, trouble=trouble)), RELEASE, False).baseline == baseline


BEFORE = Baseline(False, ("a warning",))
MARKED = {"stat": {"exists": True}}
NOT_MARKED = {"stat": {"exists": False}}
WOULD = {"actions": ["enable"]}
DAMAGED = "The mark of the trial is damaged, so the state before the trial is unknown."


@pytest.mark.parametrize(
    ("mark", "mark_read", "prediction", "expected"),
    [
        (NOT_MARKED, SKIPPED, WOULD, {"is_due": True}),
        (NOT_MARKED, SKIPPED, OK, {}),
        (NOT_MARKED, SKIPPED, {"actions": []}, {}),
        (SKIPPED, SKIPPED, SKIPPED, {}),
        ({}, {}, {}, {}),
        (MARKED, marked("Fix 1\n"), OK, {"is_on_trial": True}),
        (
            MARKED,
            marked('Fix 1\nbefore {"disabled": true, "trouble": []}\n'),
            WOULD,
            {"is_due": True, "is_on_trial": True, "baseline": Baseline(True)},
        ),
        (MARKED, marked("before {"), OK, {"status": Status.FAILED, "is_on_trial": True, "problem": DAMAGED}),
        (MARKED, marked("before []"), OK, {"status": Status.FAILED, "is_on_trial": True, "problem": DAMAGED}),
        (MARKED, {"content": "%"}, OK, {"status": Status.FAILED, "is_on_trial": True, "problem": DAMAGED}),
        (
            MARKED,
            marked("before {"),
            FAILED,
            {"status": Status.REFUSED, "is_on_trial": True, "problem": "It broke."},
        ),
        (NOT_MARKED, SKIPPED, FAILED, {"status": Status.REFUSED, "problem": "It broke."}),
        (NOT_MARKED, SKIPPED, UNREACHABLE, {"status": Status.UNREACHABLE, "problem": "No route."}),
        (FAILED, SKIPPED, OK, {"status": Status.FAILED, "problem": "It broke."}),
        (UNREACHABLE, SKIPPED, OK, {"status": Status.UNREACHABLE, "problem": "No route."}),
        (MARKED, FAILED, OK, {"status": Status.FAILED, "is_on_trial": True, "problem": "It broke."}),
        (SILENT, SKIPPED, FAILED, {"status": Status.REFUSED, "problem": "It broke."}),
        (NOT_MARKED, SKIPPED, {"actions": [], "findings": [{"reason": "unproven"}]}, {"is_due": True}),
        (NOT_MARKED, SKIPPED, {"actions": [], "findings": [{"reason": "interrupted_run"}]}, {"is_due": True}),
        (NOT_MARKED, SKIPPED, {"actions": [], "findings": [{"reason": "taint"}]}, {}),
    ],
)
def test_what_is_due_and_why_a_host_would_not_take_it(
    mark: dict[str, t.Any], mark_read: dict[str, t.Any], prediction: dict[str, t.Any], expected: dict[str, t.Any]
) -> None:
    host = replace(READY, baseline=BEFORE)
    checked = hosts.check(host, result(mark), result(mark_read), result(prediction))
    assert checked == replace(host, **expected)


FLAW = "Not all of its functions are live."


@pytest.mark.parametrize(
    ("patches", "flaw"),
    [
        ((patch(),), ""),
        ((patch(effective="none"),), FLAW),
        # A module that is loaded later gets the fix then.
        ((patch(effective="none", unpatched=[{"object": "xfs", "loaded": False}]),), ""),
        ((patch(effective="partial", unpatched=[{"object": "xfs", "loaded": True}]),), FLAW),
        ((patch(effective=None),), "Whether its functions are live cannot be told."),
        ((patch(in_transition=True),), "The patch is in transition."),
        ((), "The patch is not loaded any more."),
    ],
)
def test_whether_the_patch_was_effective_before(patches: tuple[dict[str, t.Any], ...], flaw: str) -> None:
    assert hosts.choose("h", result(facts(*patches)), RELEASE, False).flaw == flaw


@pytest.mark.parametrize(
    ("mark", "prediction", "status"),
    [
        (NOT_MARKED, OK, Status.FAILED),
        (NOT_MARKED, WOULD, Status.HAS_FILE),
        # It is tested as well, and rolled back if it is not effective then.
        (MARKED, OK, Status.HAS_FILE),
    ],
)
def test_what_is_enabled_and_not_effective_has_failed(
    mark: dict[str, t.Any], prediction: dict[str, t.Any], status: Status
) -> None:
    checked = hosts.check(replace(READY, flaw=FLAW), result(mark), result(SKIPPED), result(prediction))
    assert (checked.status, checked.problem) == (status, FLAW if status is Status.FAILED else "")


@pytest.mark.parametrize(
    ("mark", "actions", "problem"), [(NOT_MARKED, [], UNKNOWN_BUILD), (NOT_MARKED, ["enable"], ""), (MARKED, [], "")]
)
def test_what_may_be_another_build_was_not_enabled_before(
    mark: dict[str, t.Any], actions: list[str], problem: str
) -> None:
    unknown = result({"actions": actions, "findings": [{"reason": "build_unknown"}]})
    checked = hosts.check(READY, result(mark), result(SKIPPED), unknown)
    assert (checked.problem, checked.status is Status.FAILED) == (problem, bool(problem))
    assert hosts.apply(TRIAL, unknown).problem == UNKNOWN_BUILD


def test_what_may_be_loaded_with_other_parameters_was_not_enabled_before() -> None:
    unknown = result({"actions": [], "findings": [{"reason": "parameters_unknown"}]})
    checked = hosts.check(READY, result(NOT_MARKED), result(SKIPPED), unknown)
    assert checked.problem == "The parameters that the loaded patch was loaded with cannot be told."
    assert checked.status is Status.FAILED


def test_a_host_gets_the_parameters_of_its_file() -> None:
    (file, other) = RELEASE.files
    release = replace(RELEASE, files=(replace(file, parameters={"level": 1}), other))
    chosen = [hosts.choose("h", result(facts(machine=machine)), release, False) for machine in ("x86_64", "aarch64")]
    assert [host.parameters for host in chosen] == [{"level": 1}, None]
    assert hosts.read_host(hosts.host_data(chosen[0])) == chosen[0]


def test_the_module_tells_the_build_of_an_older_release() -> None:
    file = {"sha256": "00", "build_id": "1a", "srcversion": "S"}
    checked = hosts.check(READY, result(MARKED), result(SKIPPED), result({"actions": [], "file": file}))
    assert checked.build == Identity("1a", "S", "00")
    theirs = result(facts(patch(identity={"sha256": None, "build_id": "1b"})))
    assert hosts.effect(checked, theirs, "fix_1") == "The loaded patch is a different build than the release's."


def test_another_build_of_the_kernel_during_the_trial() -> None:
    before, after = (with_more(facts(patch()), kernel={"build_id": mark * 20}) for mark in ("1a", "1b"))
    chosen = hosts.choose("h", result(before), RELEASE, False)
    assert hosts.effect(chosen, result(before), "fix_1") == ""
    assert hosts.effect(chosen, result(after), "fix_1").startswith(f"The build-id of the running kernel is {'1b' * 20}")


def test_a_host_that_needs_no_file_keeps_its_problem() -> None:
    host = Host("h", Status.NO_PATCH_FILE, "6.5", problem="None.")
    assert hosts.check(host, result(SKIPPED), result({}), result(SKIPPED)) == host


@pytest.mark.parametrize(
    ("host", "is_to_be_marked", "is_to_be_applied", "is_to_be_tested"),
    [
        (READY, False, False, False),
        (replace(READY, is_due=True), True, False, False),
        (TRIAL, False, True, True),
        (replace(TRIAL, is_due=False), False, False, True),
        (replace(TRIAL, problem="It broke."), False, True, False),
        (replace(TRIAL, status=Status.REFUSED), False, False, True),
        (Host("h", Status.NO_PATCH_FILE), False, False, False),
    ],
)
def test_what_is_to_be_done_with_a_host(
    host: Host, is_to_be_marked: bool, is_to_be_applied: bool, is_to_be_tested: bool
) -> None:
    data = hosts.host_data(host)
    assert data["is_to_be_marked"] is is_to_be_marked
    assert data["is_to_be_applied"] is is_to_be_applied
    assert data["is_to_be_tested"] is is_to_be_tested


@pytest.mark.parametrize(
    ("actions", "is_due", "lacks_fix"),
    [
        ([], False, False),
        (["note what fix_1 fixes"], False, True),
        (["note what another fixes"], True, False),
        (["enable fix_1", "note what fix_1 fixes"], True, True),
        ("note what fix_1 fixes, and more", True, False),
        (5, True, False),
        ([{"a": 1}], True, False),
    ],
)
def test_to_note_what_is_fixed_is_no_reason_for_a_trial(actions: t.Any, is_due: bool, lacks_fix: bool) -> None:
    """What is live already could be reverted with the wave otherwise."""
    predicted = result({**OK, "actions": actions})
    checked = hosts.check(replace(READY, patch="fix_1"), result({}), result(SKIPPED), predicted)
    assert (checked.is_due, checked.lacks_fix) == (is_due, lacks_fix)
    assert checked.is_to_be_noted is (lacks_fix and not is_due)
    assert not replace(checked, is_on_trial=True).is_to_be_noted
    assert not replace(checked, problem="It broke.").is_to_be_noted


@pytest.mark.parametrize(
    ("registered", "trial", "problem"),
    [
        (CHANGED, True, ""),
        (OK, True, ""),
        (SKIPPED, False, ""),
        (FAILED, False, "It broke."),
        ({"unreachable": True}, False, "It could not be reached."),
    ],
)
def test_a_host_is_on_trial_if_it_could_be_marked(registered: dict[str, t.Any], trial: bool, problem: str) -> None:
    expected = replace(READY, is_due=True, is_on_trial=trial, problem=problem)
    assert hosts.mark(replace(READY, is_due=True), result(registered)) == expected


def test_marking_that_is_skipped_keeps_a_problem_and_a_trial() -> None:
    host = replace(TRIAL, problem="It broke.")
    assert hosts.mark(host, result(SKIPPED)) == host


@pytest.mark.parametrize(
    ("registered", "problem"),
    [(CHANGED, ""), (SKIPPED, ""), (FAILED, "It broke."), (SILENT, "It failed."), (UNREACHABLE, "No route.")],
)
def test_what_does_not_work_is_noted(registered: dict[str, t.Any], problem: str) -> None:
    assert hosts.apply(TRIAL, result(registered)) == replace(TRIAL, problem=problem)
    assert hosts.accept(TRIAL, result(registered)) == replace(TRIAL, problem=problem)


REBOOT = {"reboot_required": True}


@pytest.mark.parametrize("result_of", [OK, CHANGED, FAILED])
def test_a_reboot_that_the_module_asks_for_is_noted(result_of: dict[str, t.Any]) -> None:
    asks, asks_not = result({**result_of, **REBOOT}), result({**result_of, "reboot_required": False})
    nothing = result(SKIPPED)
    for noted in (
        hosts.check(READY, nothing, nothing, asks),
        hosts.apply(TRIAL, asks),
        hosts.settle(TRIAL, asks, False),
        hosts.accept(TRIAL, asks),
    ):
        assert noted.reboot_required is True
        # No later result takes it back.
        assert hosts.accept(hosts.settle(hosts.apply(noted, asks_not), asks_not, False), nothing).reboot_required
    assert not hosts.apply(TRIAL, asks_not).reboot_required
    assert not hosts.apply(TRIAL, result(result_of)).reboot_required


def test_a_test_that_fails_is_named() -> None:
    failed = hosts.fail(TRIAL, "Check the gate url", result(SILENT), result(facts(patch())), "fix_1")
    assert (failed.problem, failed.is_untouchable) == ("Check the gate url: It failed.", False)


LEAVE_ALONE = {**FAILED, "reason": "kernel_trouble", "reboot_required": True}


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        (LEAVE_ALONE, True),
        ({**LEAVE_ALONE, "reason": "cpu_stuck"}, True),
        ({**LEAVE_ALONE, "reason": "probe_failed", "findings": [{"reason": "cpu_stuck"}]}, True),
        # An oops is rolled back, and so is what needs a reboot for another reason.
        ({**LEAVE_ALONE, "reboot_required": False}, False),
        ({**LEAVE_ALONE, "reason": "probe_failed"}, False),
        ({**LEAVE_ALONE, "failed": False}, False),
        ({**LEAVE_ALONE, "reason": "probe_failed", "findings": "cpu_stuck"}, False),
    ],
)
def test_a_kernel_that_must_not_be_changed_stops_the_rollout_and_is_not_rolled_back(
    applied: dict[str, t.Any], expected: bool
) -> None:
    host = hosts.apply(TRIAL, result(applied))
    assert host.is_untouchable is expected
    others = [replace(TRIAL, name=f"o{place}") for place in range(9)]
    wave = waves.judge([host, *others], 50)
    assert wave.must_stop is expected
    assert wave.to_roll_back == (
        tuple(other.name for other in others) if expected else (("h",) if host.problem else ())
    )
    settled = hosts.settle(host, result(SKIPPED if expected else CHANGED), False)
    assert (settled.status is Status.NOT_ROLLED_BACK, settled.is_decided) == (expected, not expected)
    if expected:
        assert "Drain and reboot it; the patch is on trial, a reboot takes it out." in settled.not_rolled_back
        assert settled.reboot_required
        rollout = outcome.Rollout("Fix 1", "50", ("h", "o"), (settled,))
        assert outcome.conclude(rollout, wave).stop == (
            "The rollout of Fix 1 has stopped: the kernel must not be changed any more on h."
        )


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (facts(patch(), trouble=["a warning"]), False),
        (facts(patch(), trouble=["a soft lockup"]), True),
        (facts(patch(trouble_since=["an RCU stall"])), True),
        (facts(patch(trouble_since=["an oops"]), trouble=["an oops"]), False),
        ({}, False),
    ],
)
def test_a_lockup_while_the_wave_soaks_is_not_rolled_back(read: dict[str, t.Any], expected: bool) -> None:
    assert hosts.fail(TRIAL, "Check", result(SILENT), result(read), "fix_1").is_untouchable is expected
    had_it = replace(TRIAL, baseline=Baseline(False, ("a soft lockup", "an RCU stall")))
    assert not hosts.fail(had_it, "Check", result(SILENT), result(read), "fix_1").is_untouchable


def test_a_rollback_that_the_module_refuses_for_the_kernel_stops_the_rollout() -> None:
    """No more hosts have failed than may: the next wave would go on."""
    host = hosts.settle(replace(TRIAL, problem="It broke."), result({**LEAVE_ALONE, "reason": "cpu_stuck"}), False)
    assert (host.status, host.is_untouchable) == (Status.NOT_ROLLED_BACK, True)
    other = replace(READY, name="o", status=Status.ENABLED)
    ended = outcome.conclude(outcome.Rollout("Fix 1", "50", ("h", "o", "l"), (host, other)), PASSES)
    assert ended.stop.endswith("the kernel must not be changed any more on h.")
    assert [one.shortfall for one in ended.hosts] == ["It broke.", ""]


def test_an_interrupted_trial_on_such_a_kernel_is_left_alone_too() -> None:
    marked_as = result({"stat": {"exists": True}})
    nothing = result(SKIPPED)
    assert hosts.check(READY, marked_as, nothing, result(LEAVE_ALONE)).is_untouchable
    # Where nothing is on trial, the host refuses the patch like any other.
    assert not hosts.check(READY, nothing, nothing, result(LEAVE_ALONE)).is_untouchable


@pytest.mark.parametrize(
    ("read", "problem"),
    [
        (facts(patch()), ""),
        (facts(patch(), trouble=["a warning"]), ""),
        (
            facts(patch(), trouble=["a warning", "an oops", "a lockup"]),
            "The kernel has had an oops and a lockup since.",
        ),
        (facts(trouble=["an oops"]), "The kernel has had an oops since."),
        (facts(), "The patch is not loaded any more."),
        (facts(patch("other")), "The patch is not loaded any more."),
        (facts(patch(in_transition=True)), "The patch is in transition."),
        (facts(patch(effective="partial")), "Not all of its functions are live."),
        (facts(patch(enabled=False, effective="none")), "Not all of its functions are live."),
        (facts(patch(trouble_since=[])), ""),
        (facts(patch(trouble_since=["an oops"])), "The kernel has had an oops since."),
        (
            facts(patch(trouble_since=None)),
            "Whether the kernel has had trouble since the patch was proven cannot be told.",
        ),
        (facts(patch(identity={})), UNKNOWN_BUILD),
        (facts(patch(identity={"sha256": None, "build_id": "1a"})), UNKNOWN_BUILD),
        (facts(patch(identity={"sha256": "01"})), "The loaded patch is a different build than the release's."),
        (facts(patch(), release="6.7"), "The running kernel is 6.7 and was 6.6 before the trial."),
        (
            with_more(facts(patch()), kernel={"build_id": "1a"}),
            "The build-id of the running kernel is 1a and was unknown before the trial.",
        ),
        (
            with_more(facts(patch()), unfinished_run=RUN),
            "A run of root since noon has not ended: load fix_1.",
        ),
        (with_more(facts(patch()), unfinished_run={**RUN, "patches": ["other"]}), ""),
        (UNREACHABLE, "The host cannot be reached."),
        (
            facts({"name": "fix_1"}),
            NOT_VALID.format("enabled", "boolean"),
        ),
    ],
)
def test_whether_a_patch_on_trial_passes(read: dict[str, t.Any], problem: str) -> None:
    assert hosts.effect(replace(TRIAL, baseline=BEFORE), result(read), "fix-1") == problem


@pytest.mark.parametrize(
    ("host", "rollback", "check_mode", "status"),
    [
        (TRIAL, FAILED, False, Status.NOT_ROLLED_BACK),
        (TRIAL, UNREACHABLE, False, Status.NOT_ROLLED_BACK),
        (TRIAL, CHANGED, False, Status.ROLLED_BACK),
        (TRIAL, CHANGED, True, Status.WOULD_BE_ROLLED_BACK),
        (TRIAL, OK, False, Status.AS_BEFORE),
        (TRIAL, SKIPPED, False, Status.ENABLED),
        (TRIAL, SKIPPED, True, Status.WOULD_BE_ENABLED),
        (replace(READY, is_due=True), SKIPPED, False, Status.UNTOUCHED),
        (READY, SKIPPED, False, Status.ENABLED_BEFORE),
        *[
            (Host("h", status), SKIPPED, False, status)
            for status in (Status.UNREACHABLE, Status.FAILED, Status.REFUSED, Status.FIXED, Status.NO_PATCH_FILE)
        ],
    ],
)
def test_what_has_become_of_a_host(host: Host, rollback: dict[str, t.Any], check_mode: bool, status: Status) -> None:
    settled = hosts.settle(host, result(rollback), check_mode)
    assert settled.status is status
    assert bool(settled.not_rolled_back) == (status is Status.NOT_ROLLED_BACK)
    assert hosts.host_data(settled)["is_decided"] == (host.is_on_trial and status is not Status.NOT_ROLLED_BACK)
    passed = (Status.ENABLED, Status.WOULD_BE_ENABLED, Status.ENABLED_BEFORE)
    assert hosts.host_data(settled)["is_acceptable"] == (status in passed)


def test_a_host_survives_the_way_through_ansible() -> None:
    host = replace(TRIAL, baseline=BEFORE, problem="It broke.", not_rolled_back="No route.", reboot_required=True)
    host = replace(
        host, fix="Fix 1", flaw=FLAW, shortfall="It broke.", kernel_build_id="1a", build=Identity("1b", sha256="00")
    )
    assert hosts.read_host(hosts.host_data(host)) == host
    assert hosts.host_data(host)["baseline"] == {"disabled": False, "trouble": ["a warning"]}


def fleet(*kinds: str) -> list[Host]:
    """Hosts by a letter: b has failed, t is on trial, T is on trial and has failed, anything else is well."""
    on_trial = {"t": True, "T": True}
    bad = {"b": "It broke.", "T": "It broke."}
    return [
        replace(READY, name=f"{kind}{place}", is_on_trial=on_trial.get(kind, False), problem=bad.get(kind, ""))
        for place, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("kinds", "limit", "must_stop", "to_roll_back"),
    [
        ("wwww", 0, False, ""),
        ("wwtw", 0, False, ""),
        ("wwtb", 0, True, "t2"),
        ("wwtb", 24.9, True, "t2"),
        ("wwtb", 25, False, ""),
        ("wtTw", 25, False, "T2"),
        ("wtTT", 25, True, "t1 T2 T3"),
        ("bbbb", 100, False, ""),
        ("", 0, False, ""),
    ],
)
def test_whether_a_wave_stops_and_who_is_rolled_back(
    kinds: str, limit: float, must_stop: bool, to_roll_back: str
) -> None:
    wave = waves.judge(fleet(*kinds), limit)
    assert wave.must_stop is must_stop
    assert wave.to_roll_back == tuple(to_roll_back.split())
    assert wave.size == len(kinds)
    assert len(wave.failed) == kinds.count("b") + kinds.count("T")


@pytest.mark.parametrize(
    ("host", "line"),
    [
        (Host("h", Status.ENABLED, "6.6"), "h: enabled"),
        (Host("h", Status.FIXED, "6.7"), "h: fixed (kernel 6.7)"),
        (Host("h", Status.NO_PATCH_FILE, "6.5"), "h: no_patch_file (kernel 6.5)"),
        (Host("h", Status.NO_PATCH_FILE, "6.5", problem="None."), "h: no_patch_file (kernel 6.5). None."),
        (Host("h", Status.REFUSED, problem="Two\nlines.\r\n\u2028x: enabled"), "h: refused. Two lines. x: enabled"),
        (
            Host("h", Status.NOT_ROLLED_BACK, problem="It broke.", not_rolled_back="No route."),
            "h: not rolled back. It broke. It was not rolled back: No route.",
        ),
        (Host("h", Status.ENABLED, reboot_required=True), "h: enabled. A reboot is required."),
        (Host("h", Status.REFUSED, problem="No.", reboot_required=True), "h: refused. No. A reboot is required."),
    ],
)
def test_the_line_of_a_host(host: Host, line: str) -> None:
    assert waves.lines([host]) == [line]


@pytest.mark.parametrize(
    ("canaries", "needless", "found", "first", "then"),
    [
        ("", "", "", "", "a b c d"),
        ("", "a c", "a b c d", "", "b d a c"),
        ("a b", "", "", "a b", "c d"),
        ("a b", "a", "a b c d", "b", "c d a"),
        # Their wave stops the rollout, since it patches nobody.
        ("a b", "a b d", "a b c d", "a b", "c d"),
        ("b x", "", "", "b", "a c d"),
        # As with --limit, which does not come into the patterns.
        ("a b", "b", "b c", "b", "c"),
        ("a", "c", "b c", "", "b c"),
    ],
)
def test_who_comes_first(canaries: str, needless: str, found: str, first: str, then: str) -> None:
    fleet = order.fleet_of(list("abcd"), canaries.split(), found.split(), needless.split())
    assert order.canaries(fleet) == first.split()
    assert order.others(fleet) == then.split()


ENDS = {
    "p": Host("", Status.ENABLED),
    "w": Host("", Status.WOULD_BE_ENABLED),
    "e": Host("", Status.ENABLED_BEFORE),
    "a": Host("", Status.ENABLED, problem="It was not accepted."),
    "x": Host("", Status.FIXED),
    "n": Host("", Status.NO_PATCH_FILE),
    "N": Host("", Status.NO_PATCH_FILE, problem="None."),
    "u": Host("", Status.UNREACHABLE, problem="No route."),
    "f": Host("", Status.FAILED, problem="It broke."),
    "r": Host("", Status.REFUSED, problem="It is covered."),
    "t": Host("", Status.UNTOUCHED),
    "T": Host("", Status.UNTOUCHED, problem="No space left on device"),
    "h": Host("", Status.HAS_FILE, problem="It was not marked."),
    "b": Host("", Status.ROLLED_BACK),
    "B": Host("", Status.ROLLED_BACK, problem="It broke."),
    "c": Host("", Status.AS_BEFORE),
    "C": Host("", Status.AS_BEFORE, problem="It was refused."),
    "s": Host("", Status.NOT_ROLLED_BACK, problem="It broke.", not_rolled_back="No route."),
}
KINDS = {
    **dict.fromkeys("pw", 1),
    "e": 2,
    "x": 3,
    **dict.fromkeys("nN", 4),
    **dict.fromkeys("aufrsThC", 5),
    **dict.fromkeys("bBc", 6),
    "t": 7,
}


def ended(letters: str, start: int = 0) -> tuple[Host, ...]:
    """Hosts by a letter each, named by it and by their place."""
    return tuple(replace(ENDS[kind], name=f"{kind}{start + place}") for place, kind in enumerate(letters))


def a_rollout(batch: str, earlier: str = "", following: int = 0, needless: int = 0, **more: t.Any) -> outcome.Rollout:
    """A rollout whose last hosts the release has no file for."""
    before, now = ended(earlier), ended(batch, len(earlier))
    later = [f"l{place}" for place in range(following)]
    names = (*(host.name for host in (*before, *now)), *later)
    of_no_use = frozenset(later[following - needless :])
    return outcome.Rollout("Fix 1", "0", names, now, before, needless=of_no_use, **more)


PASSES = waves.Wave(1, False, (), ())
FAILS = waves.Wave(2, True, ("r1",), ())


@pytest.mark.parametrize("letter", ENDS)
def test_each_host_is_counted_once(letter: str) -> None:
    """Also one that has a problem and is rolled back, or lacks a file and has failed for it."""
    totals = outcome.count(["h", "later"], {"h": ENDS[letter]})
    assert sum(totals.values()) == 4
    found = list(totals.values())
    found[-1] -= 1
    assert found.index(1) == KINDS[letter]
    assert "2 hosts: " in outcome.totals_line("Fix 1", totals, False)


@pytest.mark.parametrize(
    ("given", "stops"),
    [
        (a_rollout("p"), ""),
        (a_rollout("p", following=2), ""),
        (a_rollout("en", following=2), ""),
        (a_rollout("w", following=2, is_check_mode=True), ""),
        (a_rollout("n", following=1), "No host of this wave was patched, or had the patch already"),
        (a_rollout("x", following=1), "No host of this wave was patched, or had the patch already"),
        (a_rollout("a", following=1), "No host of this wave was patched, or had the patch already"),
        (a_rollout("rn", "p", following=1), "No host of this wave was patched, or had the patch already"),
        (a_rollout("n", following=1, is_check_mode=True), "No host of this wave would be patched"),
        (a_rollout("n", following=1, stops_on_empty_wave=False), ""),
        # Nobody is left whom the patch could harm.
        (a_rollout("n", "p"), ""),
        (a_rollout("n", "e", following=2, needless=2), ""),
        (a_rollout("n", following=2, needless=2), ""),
        (a_rollout("n", following=1, gone=frozenset(["l0"])), "No host was patched, and none had"),
        (a_rollout("n", "x"), "No host was patched, and none had the patch already"),
        (a_rollout("n", "x", is_check_mode=True), "No host would be patched, and none has the patch already"),
        (a_rollout("n", "x", stops_on_empty_wave=False), ""),
        (a_rollout("x", "x"), ""),
    ],
)
def test_a_wave_that_shows_nothing_stops_the_rollout(given: outcome.Rollout, stops: str) -> None:
    concluded = outcome.conclude(given, PASSES)
    assert concluded.stop.startswith(stops) and bool(concluded.stop) == bool(stops)
    assert all(host.shortfall == (host.problem or concluded.stop) for host in concluded.hosts)
    assert outcome.outcome_data(concluded, given)["stops"] == (bool(stops) and not given.is_check_mode)


def test_who_ends_without_the_patch_after_a_wave_that_stops() -> None:
    given = a_rollout("trbBxne", following=1)
    concluded = outcome.conclude(given, FAILS)
    stop = "The rollout of Fix 1 has stopped: 1 of the 2 hosts of this wave did not pass"
    assert concluded.stop == f"{stop} (livepatch_rollout_max_fail_percentage is 0)."
    assert [host.shortfall for host in concluded.hosts] == [
        concluded.stop,
        "It is covered.",
        concluded.stop,
        "It broke.",
        "",
        "",
        "",
    ]
    assert concluded.lines[0] == concluded.stop
    assert concluded.lines[1] == "t0: untouched"
    assert concluded.lines[-2] == "Not begun: l0"
    assert concluded.lines[-1] == (
        "Totals of the rollout of Fix 1, 8 hosts: 0 patched, 1 already enabled, 1 with a kernel that has the fix, "
        "1 without a patch file, 1 failed, 2 rolled back, 2 not begun."
    )


def test_check_mode_stops_nowhere_and_lists_all_hosts_at_the_end() -> None:
    given = a_rollout("tr", is_check_mode=True, following=1)
    concluded = outcome.conclude(given, FAILS)
    assert concluded.stop.startswith("The rollout of Fix 1 would stop here: 1 of the 2 hosts")
    assert [line[:2] for line in concluded.lines[1:-1]] == ["t0", "r1"]
    assert not outcome.outcome_data(concluded, given)["stops"]
    last = outcome.Rollout("Fix 1", "0", ("w2", "t0", "r1"), ended("w", 2), concluded.hosts, is_check_mode=True)
    concluded = outcome.conclude(last, PASSES)
    data = outcome.outcome_data(concluded, last)
    assert [line[:2] for line in concluded.lines[:-1]] == ["w2", "t0", "r1"]
    assert concluded.lines[-1].startswith("What check mode predicts for the rollout of Fix 1, 3 hosts: 1 patched, ")
    assert (data["summary"]["is_finished"], data["summary"]["stopped"]) == (False, data["of_earlier_waves"])
    assert data["is_last"] and data["of_earlier_waves"] == "Hosts of earlier waves would not get the patch: t0, r1."


def test_the_summary_names_every_host_in_its_order() -> None:
    given = a_rollout("pf", "e", following=1)
    data = outcome.outcome_data(outcome.conclude(given, PASSES), given)
    assert {key: data["file"][key] for key in data["summary"]} == data["summary"]
    assert [(host["name"], host["end"]) for host in data["file"]["hosts"]] == [
        ("e0", "already"),
        ("p1", "patched"),
        ("f2", "failed"),
        ("l0", "not_begun"),
    ]
    assert data["file"]["hosts"][2]["problem"] == "It broke."
    assert (data["summary"]["is_finished"], data["summary"]["stopped"]) == (False, "")


def test_the_next_job_of_a_workflow_gets_no_template() -> None:
    """It gets the summary as a variable, in which Ansible would render what begins a template."""
    fix, file = "{{ 1 + 1 }} {% if x %} {# x #} {{{ {x}", "/srv/{{{% x"
    given = replace(a_rollout("r", "p"), fix=fix, release_file=file)
    data = outcome.outcome_data(outcome.conclude(given, FAILS), given)
    assert (data["file"]["fix"], data["file"]["release_file"]) == (fix, file)
    assert data["summary"]["fix"] == "{ { 1 + 1 }} { % if x %} { # x #} { { { {x}"
    assert data["summary"]["release_file"] == "/srv/{ { { % x"
    assert data["summary"]["stopped"].startswith("The rollout of { { 1 + 1 }} { % if x %}")


def test_the_summary_says_whether_any_host_needs_a_reboot() -> None:
    for place in range(3):
        given = a_rollout("pp", "p")
        every = [*given.batch, *given.earlier]
        every[place] = replace(every[place], reboot_required=True)
        given = replace(given, batch=tuple(every[:2]), earlier=tuple(every[2:]))
        data = outcome.outcome_data(outcome.conclude(given, PASSES), given)
        assert data["summary"]["reboot_required"] is data["file"]["reboot_required"] is True
    given = a_rollout("pp", "p")
    assert outcome.outcome_data(outcome.conclude(given, PASSES), given)["summary"]["reboot_required"] is False


BUILDS = Release(
    id="Fix 1",
    name="fix_1",
    files=(
        File("6.6", "x86_64", "00", "6.6/any.ko"),
        File("6.6", "x86_64", "00", "6.6/a.ko", "aa" * 20),
        File("6.6", "x86_64", "00", "6.6/b.ko", "bb" * 20),
        File("6.7", "x86_64", "00", "6.7/a.ko", "aa" * 20),
        File("6.8", "x86_64", "00", "6.8/a.ko", "aa" * 20),
        File("6.8", "x86_64", "00", "6.8/b.ko", "bb" * 20),
    ),
)


@pytest.mark.parametrize("is_certain", [True, False])
def test_a_kernel_that_is_a_guess_is_not_taken_for_a_fixed_one(is_certain: bool) -> None:
    read = facts(release="6.7")
    read["ansible_facts"]["ansible_livepatch"]["kernel"] = {"is_certain": is_certain}
    host = hosts.choose("h", result(read), RELEASE, is_file_required=True)
    assert host.status == (Status.FIXED if is_certain else Status.NO_PATCH_FILE)
    assert not is_certain or not host.problem


@pytest.mark.parametrize(
    ("kernel", "build_id", "file", "problem"),
    [
        ("6.6", "aa" * 20, "6.6/a.ko", ""),
        ("6.6", "bb" * 20, "6.6/b.ko", ""),
        ("6.6", "cc" * 20, "6.6/any.ko", ""),
        ("6.6", None, "", "for several builds of kernel 6.6, and the build-id of the running one is not known."),
        ("6.7", "aa" * 20, "6.7/a.ko", ""),
        ("6.7", None, "6.7/a.ko", ""),
        ("6.7", "cc" * 20, "", f"patch files for other builds of kernel 6.7, not for {'cc' * 20}."),
        ("6.8", None, "", "for several builds of kernel 6.8"),
        ("6.9", "aa" * 20, "", "The release has no patch file for kernel 6.9."),
    ],
)
def test_the_build_id_chooses_among_files_for_one_release(
    kernel: str, build_id: str | None, file: str, problem: str
) -> None:
    read = facts(release=kernel)
    read["ansible_facts"]["ansible_livepatch"]["kernel"] = {"build_id": build_id}
    host = hosts.choose("h", result(read), BUILDS, is_file_required=True)
    assert (host.status, host.file) == (Status.HAS_FILE if file else Status.NO_PATCH_FILE, file)
    assert problem in host.problem if problem else not host.problem
