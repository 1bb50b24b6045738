# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller side of livepatch_build: when it watches a build, and what it shows. Ansible itself is replaced."""

from __future__ import annotations

import typing as t
from unittest.mock import MagicMock

import pytest
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_build import MODULE, ActionModule
from ansible_collections.openeuler.livepatch.plugins.plugin_utils import _job

NEEDED = {"changed": False, "needs_build": True}
STARTED = {"changed": True, "ansible_job_id": "j1", "started": 1}


class Action(ActionModule):
    """The action plugin with a host that gives prepared answers."""

    def __init__(
        self,
        arguments: dict[str, t.Any],
        answers: list[dict[str, t.Any]],
        statuses: list[dict[str, t.Any]] | tuple[t.Any, ...] = (),
        async_val: int = 0,
        check_mode: bool = False,
    ) -> None:
        task = MagicMock(
            args={"dest": "/out/", **arguments}, async_val=async_val, check_mode=check_mode, diff=False, no_log=False
        )
        super().__init__(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        self._load_name = "openeuler.livepatch.livepatch_build"
        self.answers, self.statuses = [dict(answer) for answer in answers], list(statuses)
        self.runs: list[tuple[dict[str, t.Any], int | bool, int]] = []
        self.asked: list[tuple[str, str]] = []
        self.shown: list[str] = []
        self._display = MagicMock(display=self.shown.append)

    def _execute_module(
        self,
        module_name: str | None = None,
        module_args: dict[str, t.Any] | None = None,
        task_vars: dict[str, t.Any] | None = None,
        wrap_async: int = False,
        **kwargs: t.Any,
    ) -> dict[str, t.Any]:
        assert module_name == MODULE
        self.runs.append((module_args or {}, wrap_async, self._task.async_val))
        return self.answers.pop(0)

    def _remote_expand_user(self, path: t.Any, sudoable: bool = True, pathsep: t.Any = None) -> str:
        return "/root/.ansible_async"

    def status(self, job: str, mode: str) -> dict[str, t.Any]:
        self.asked.append((job, mode))
        return {} if mode == "cleanup" else self.statuses.pop(0)


def test_what_the_plugin_hands_over_is_no_option() -> None:
    """Neither for a task, which could then say what is in a file, nor in the list of those that there are."""
    action = Action({"patches": ["x"], "_handed_over": {"only_if_current": True}}, [])
    result = action.run()
    assert (result["failed"], result["reason"], action.runs) == (True, "bad_argument", [])
    assert "_handed_over. Supported parameters include: arch," in result["msg"]
    assert "_" not in {name.strip()[:1] for name in result["msg"].split("include:")[1].split(",")}


@pytest.mark.parametrize("value", ["nan", "inf", -5, 0, 10**400], ids=lambda value: f"{value!s:.9}")
def test_a_number_out_of_its_bounds_does_not_reach_the_host(value: t.Any) -> None:
    action = Action({"patches": ["x"], "timeout": value}, [])
    result = action.run()
    assert (result["failed"], result["reason"], action.runs) == (True, "bad_argument", [])
    assert "must be a number from 1 to 604800" in result["msg"]


def news(*entries: t.Any, running: bool = True, offset: int = 7) -> dict[str, t.Any]:
    return {"changed": False, "entries": list(entries), "offset": offset, "running": running}


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: int) -> None:
        self.now += seconds


@pytest.fixture(name="clock", autouse=True)
def fixture_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_job, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def fixture_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """The action of a test answers for Ansible's async_status."""
    monkeypatch.setattr(_job.WatchedJob, "_status", lambda job, name, mode: job._action.status(name, mode))


def test_one_round_trip_if_nothing_is_to_be_built() -> None:
    action = Action({"patches": ["x"]}, [{"changed": False, "path": "/x.ko"}])
    assert action.run() == {"changed": False, "path": "/x.ko"}
    assert [run[0]["_handed_over"] for run in action.runs] == [{"only_if_current": True}]


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ({"method": "kbuild", "sources": ["x"]}, {}),
        ({"sources": ["x"]}, {}),
        ({}, {}),
        ({"patches": ["x"], "sources": ["y"]}, {}),
        ({"patches": ["x"], "progress": False}, {}),
        ({"patches": ["x"], "progress": "no"}, {}),
        ({"patches": ["x"]}, {"check_mode": True}),
        ({"patches": ["x"]}, {"async_val": 100}),
    ],
)
def test_what_is_not_watched_runs_as_it_is(arguments: dict[str, t.Any], settings: dict[str, t.Any]) -> None:
    action = Action(arguments, [{"changed": True}], **settings)
    assert action.run() == {"changed": True}
    ((sent, wrap_async, _seconds),) = action.runs
    assert sent == {**arguments, "dest": "/out/", "_handed_over": {}}
    assert bool(wrap_async) == ("async_val" in settings)


@pytest.mark.parametrize(
    "arguments",
    [
        {"patches": ["x"]},
        {"patches": ["x"], "method": "auto"},
        {"patches": ["x"], "method": "kpatch"},
    ],
)
def test_a_build_of_source_patches_is_watched(arguments: dict[str, t.Any]) -> None:
    action = Action(arguments, [{"changed": False}])
    action.run()
    assert [run[0]["_handed_over"] for run in action.runs] == [{"only_if_current": True}]


def test_a_build_is_watched_to_its_end() -> None:
    finished = {"finished": 1, "changed": True, "ansible_job_id": "j1", "path": "/x.ko", "stderr_lines": ["noise"]}
    action = Action(
        {"patches": ["x"], "timeout": 100},
        [
            NEEDED,
            STARTED,
            news({"pid": 1, "elapsed": 0}, {"stage": "building", "elapsed": 12}),
            news(),
            news({"end": True, "elapsed": 15}, running=False),
        ],
        [{"finished": 0}, {"finished": 0}, finished],
    )
    result = action.run(task_vars={"inventory_hostname": "build1"})
    assert result == {"changed": True, "path": "/x.ko"}
    assert action.shown == ["[build1] building, 12 s"]
    identifier = action.runs[1][0]["_handed_over"]["progress"]
    assert action.runs[1][1:] == (True, 160)
    assert [run[0]["_handed_over"]["offset"] for run in action.runs[2:]] == [0, 7, 7]
    assert {run[0]["_handed_over"]["progress"] for run in action.runs[2:]} == {identifier}
    assert action.asked == [("j1", "status")] * 3 + [("j1", "cleanup")]
    assert action._task.async_val == 0
    # Whoever waits looks where the job writes, whatever HOME it has.
    action._connection._shell.set_option.assert_called_once_with("async_dir", "/root/.ansible_async")


def test_nothing_of_a_task_with_no_log_is_displayed() -> None:
    entries = [{"stage": "building", "elapsed": 12}, {"text": "embargoed.patch: warning", "elapsed": 13}]
    for no_log, lines in ((False, 2), (True, 0)):
        action = Action(
            {"patches": ["/srv/embargoed.patch"]},
            [NEEDED, STARTED, news(*entries), news({"end": True, "elapsed": 15}, running=False)],
            [{"finished": 1, "changed": True}],
        )
        action._task.no_log = no_log
        assert action.run() == {"changed": True}
        assert len(action.shown) == lines


def test_a_build_that_ends_without_a_word_is_noticed() -> None:
    failed = {"finished": 1, "failed": True, "msg": "no", "reason": "config"}
    action = Action({"patches": ["x"]}, [NEEDED, STARTED, news()], [failed, failed])
    result = action.run()
    assert result["failed"] and result["reason"] == "config"


def test_a_job_that_cannot_start_is_an_error() -> None:
    action = Action({"patches": ["x"]}, [NEEDED, {"failed": True, "msg": "no"}])
    result = action.run()
    assert result == {
        "failed": True,
        "msg": "no",
        "reason": "module_failed",
        "cause": "no.",
        "remedy": "Correct what this message of Ansible names, then run the task again.",
    }


def test_a_failure_of_the_modules_own_stays_as_it_is() -> None:
    failed = {"failed": True, "changed": False, "msg": "A b.", "reason": "config", "cause": "A.", "remedy": "B."}
    assert Action({"patches": ["x"]}, [failed]).run() == failed


def test_the_result_counts_if_watching_fails() -> None:
    action = Action(
        {"patches": ["x"]}, [NEEDED, STARTED, {"failed": True, "msg": "no"}], [{"finished": 1, "changed": True}]
    )
    assert action.run() == {"changed": True}


NEVER = {"finished": 0, "started": 1}


def test_a_job_that_was_killed_is_given_up(clock: Clock) -> None:
    action = Action({"patches": ["x"], "timeout": 100}, [NEEDED, STARTED, news(running=False)], [NEVER] * 1000)
    result = action.run()
    assert result["failed"] and result["reason"] == "no_result"
    assert result["msg"] == f"{result['cause']} {result['remedy']}"
    assert result["msg"].startswith("The build job ended without a result. Look at the memory")
    assert clock.now == 1060
    assert action.asked[-1] == ("j1", "cleanup")


def test_a_result_that_comes_late_counts() -> None:
    statuses = [NEVER] * 50 + [{"finished": 1, "changed": True}]
    assert Action({"patches": ["x"]}, [NEEDED, STARTED, news(running=False)], statuses).run() == {"changed": True}


@pytest.mark.parametrize("answer", [news(), {"failed": True, "msg": "no"}], ids=["watched", "unwatched"])
def test_no_job_is_waited_for_longer_than_it_may_take(answer: dict[str, t.Any], clock: Clock) -> None:
    """One that never began to write looks as if it were about to."""
    action = Action({"patches": ["x"], "timeout": 100}, [NEEDED, STARTED, *[answer] * 100], [NEVER] * 1000)
    call = action._call

    def watch(task_vars: dict[str, t.Any] | None, job: t.Any, wrap_async: int | bool = False) -> dict[str, t.Any]:
        clock.now += (job or {}).get("seconds", 0)
        return call(task_vars, job, wrap_async)

    action._call = watch
    result = action.run()
    assert result["reason"] == "no_result"
    assert clock.now == 1160


@pytest.mark.parametrize("job", [7, None, "../x", "", "a b", ["j1"], {}])
def test_a_job_with_another_name_than_one_is_not_waited_for(job: t.Any) -> None:
    """The name becomes a part of paths on the host, and a host may answer anything."""
    action = Action({"patches": ["x"]}, [NEEDED, {**STARTED, "ansible_job_id": job}])
    assert action.run()["reason"] == "no_result"
    assert (len(action.runs), action.asked) == (2, [])


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"entries": 7, "offset": 1, "running": True},
        {"entries": [], "offset": "1", "running": True},
        {"entries": [], "offset": True, "running": True},
        {"entries": [], "offset": 1, "running": "{{ 1 }}"},
    ],
)
def test_a_build_goes_on_unwatched_if_its_host_tells_nonsense(answer: dict[str, t.Any]) -> None:
    action = Action({"patches": ["x"]}, [NEEDED, STARTED, answer], [{"finished": 1, "changed": True}])
    assert action.run() == {"changed": True}


def test_a_host_cannot_fill_the_screen() -> None:
    many = news(*[7, *[{"text": f"\x1b[2J{number}\nx\u202e"} for number in range(10_000)]], running=False)
    action = Action({"patches": ["x"]}, [NEEDED, STARTED, many], [{"finished": 1, "changed": True}])
    assert action.run() == {"changed": True}
    assert len(action.shown) == _job.MOST_ENTRIES - 1
    assert action.shown[0] == "[] \ufffd[2J0 x\ufffd"
