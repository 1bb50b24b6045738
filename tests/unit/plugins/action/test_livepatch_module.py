# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller side of livepatch_module: how often the module runs, and with what. Ansible itself is replaced."""

from __future__ import annotations

import hashlib
import os
import pathlib
import sys
import time
import typing as t
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleError
from ansible_collections.openeuler.livepatch.plugins.action import livepatch_module
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_module import MODULE, ActionModule
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.bounds import PATCH_FILE_MAX
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.packed import unpack
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.reader import read_patch_file
from ansible_collections.openeuler.livepatch.plugins.plugin_utils import _job
from ansible_collections.openeuler.livepatch.tests.unit.core import CORE
from ansible_collections.openeuler.livepatch.tests.unit.plugins.plugin_utils.rpm_writer import KERNEL, Rpm

pytest.importorskip("elftools", reason="pyelftools is not installed for this Python")

PATCH_FILE = os.path.join(os.path.dirname(__file__), os.pardir, "module_utils", "fixtures", "livepatch_cmdline.ko")
MODULE_OF_PACKAGES = os.path.join(os.path.dirname(PATCH_FILE), "openeuler_layout.ko")


class Action(ActionModule):
    """The action plugin with a host that gives prepared answers."""

    def __init__(
        self, arguments: dict[str, t.Any], answers: list[dict[str, t.Any]], async_val: int = 0, check_mode: bool = False
    ) -> None:
        task = MagicMock(args=arguments, async_val=async_val, check_mode=check_mode, diff=False)
        super().__init__(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        self._load_name = MODULE
        self._loader.get_real_file = lambda path: path
        self._connection._shell.tmpdir = "/private"
        self._connection._shell.join_path = os.path.join
        self.answers = [dict(answer) for answer in answers]
        self.runs: list[dict[str, t.Any]] = []
        self.jobs: list[int] = []
        self.shown: list[str] = []
        self._display = MagicMock(display=self.shown.append, verbosity=0)
        self.sent: list[tuple[str, str]] = []

    def _find_needle(self, dirname: str, needle: str) -> str:
        return needle

    def _execute_module(
        self,
        module_name: str | None = None,
        module_args: dict[str, t.Any] | None = None,
        task_vars: t.Any = None,
        wrap_async: int = False,
        **kwargs: t.Any,
    ) -> dict[str, t.Any]:
        assert module_name == MODULE
        self.runs.append(module_args or {})
        if wrap_async:
            self.jobs.append(self._task.async_val)
        return self.answers.pop(0)

    def _remote_expand_user(self, path: t.Any, sudoable: bool = True, pathsep: t.Any = None) -> str:
        return "/root/.ansible_async"

    def _transfer_file(self, local_path: str, remote_path: str) -> None:
        self.sent.append((local_path, remote_path))

    def _fixup_perms2(self, remote_paths: list[str], remote_user: t.Any = None, execute: bool = True) -> None:
        pass


@pytest.fixture(name="large")
def fixture_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is small enough to travel with the module."""
    monkeypatch.setattr(livepatch_module, "MOST_PACKED", 10)


@pytest.mark.parametrize("async_val", [0, 30])
def test_a_small_file_travels_with_the_module(async_val: int) -> None:
    action = Action({"src": PATCH_FILE}, [{"changed": True}], async_val)
    assert action.run()["changed"] is True
    assert action.sent == []
    (arguments,) = action.runs
    assert unpack(arguments["_handed_over"]["packed"], PATCH_FILE_MAX) == pathlib.Path(PATCH_FILE).read_bytes()


@pytest.mark.parametrize(
    ("async_val", "options", "warns"),
    [
        (0, {}, False),
        (70, {}, True),
        (71, {}, False),
        (71, {"watch": 5}, True),
        (30, {"timeout": 20, "retries": 2}, False),
        (600, {"timeout": 900}, True),
    ],
)
def test_a_job_that_may_be_ended_while_it_waits(async_val: int, options: dict[str, t.Any], warns: bool) -> None:
    result = Action({"name": "fix", **options}, [{"started": 1}], async_val).run()
    assert bool(result.get("warnings")) == warns
    assert not warns or f"async is {async_val} s" in result["warnings"][0]


@pytest.mark.parametrize("told", ["x", {}, 7, None, ["x"]])
def test_a_host_may_tell_nonsense_as_warnings(told: t.Any) -> None:
    result = Action({"src": PATCH_FILE}, [{"changed": True, "warnings": told}], 30).run()
    assert [text[:9] for text in result["warnings"]] == [*(["x"] if told == ["x"] else []), "async is "]


def test_check_mode_sends_no_file() -> None:
    action = Action({"src": PATCH_FILE}, [{"changed": True}], check_mode=True)
    action.run()
    assert (action.sent, "packed" in action.runs[0]["_handed_over"]) == ([], False)


def test_a_file_that_cannot_get_small_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livepatch_module, "WORTH_PACKING", 10)
    action = Action({"src": PATCH_FILE}, [{"changed": False}])
    action.run()
    assert "packed" not in action.runs[0]["_handed_over"]


@pytest.mark.usefixtures("large")
def test_one_round_trip_if_the_host_has_the_patch() -> None:
    action = Action({"src": PATCH_FILE}, [{"changed": False}])
    assert action.run()["changed"] is False
    assert len(action.runs) == 1
    assert action.sent == []
    assert action.runs[0]["_handed_over"]["file"]["name"] == "livepatch_cmdline"
    assert "path" not in action.runs[0]["_handed_over"]
    assert "packed" not in action.runs[0]["_handed_over"]


NEEDED = {"changed": False, "needs_job": True}
STARTED = {"changed": True, "ansible_job_id": "j1", "started": 1}
ENDED = {"changed": False, "entries": [{"stage": "waiting", "elapsed": 12}], "offset": 1, "running": False}


class TestWatched:
    """A change whose progress is shown."""

    @pytest.fixture(autouse=True)
    def fixture_status(self, monkeypatch: pytest.MonkeyPatch) -> None:
        finished = {"finished": 1, "changed": True, "ansible_job_id": "j1", "directory_removed": True}
        monkeypatch.setattr(
            _job.WatchedJob, "_status", lambda job, name, mode: dict(finished) if mode == "status" else {}
        )

    def test_without_a_change_it_is_one_round_trip(self) -> None:
        action = Action({"src": PATCH_FILE, "progress": True}, [{"changed": False}])
        assert action.run() == {"changed": False}
        ((handed_over),) = (run["_handed_over"] for run in action.runs)
        assert (handed_over["only_if_settled"], sorted(handed_over)) == (True, ["file", "only_if_settled"])

    def test_a_change_is_a_job(self) -> None:
        action = Action({"src": PATCH_FILE, "progress": True}, [NEEDED, STARTED, ENDED])
        action._task.no_log = False
        assert action.run(None, {"inventory_hostname": "host1"}) == {"changed": True}
        asks, does, looks = (run["_handed_over"] for run in action.runs)
        assert sorted(does) == ["file", "packed", "progress"]
        assert looks == {"progress": does["progress"], "offset": 0, "seconds": 10}
        assert action.jobs == [2 * 70 + 1 + 3600]
        assert action.shown == ["[host1] waiting, 12 s"]
        assert (asks["file"], action._task.async_val) == (does["file"], 0)

    @pytest.mark.parametrize(
        ("options", "seconds"),
        [
            ({"watch": 86400}, 2 * (70 + 86400) + 1 + 3600),
            ({"probe": {"path": "/x", "expect": "x", "retries": 9, "timeout": 100}}, 2 * 70 + 10 * 101 + 3600),
            ({"on_stall": "wait"}, 7 * 86400),
        ],
    )
    def test_ansible_does_not_end_the_job_while_it_waits(self, options: dict[str, t.Any], seconds: int) -> None:
        action = Action({"src": PATCH_FILE, "progress": True, **options}, [NEEDED, STARTED, ENDED])
        assert action.run() == {"changed": True}
        assert action.jobs == [seconds]

    @pytest.mark.usefixtures("large")
    def test_a_large_file_is_sent_first(self) -> None:
        action = Action({"src": PATCH_FILE, "progress": True}, [NEEDED, STARTED, ENDED])
        assert action.run() == {"changed": True}
        assert action.sent == [(PATCH_FILE, "/private/patch.ko")]
        assert sorted(action.runs[1]["_handed_over"]) == ["file", "path", "progress"]

    @pytest.mark.parametrize("arguments", [{"name": "x", "state": "absent"}, {"src": "/x.ko", "remote_src": True}])
    def test_a_task_without_a_local_file_is_watched_too(self, arguments: dict[str, t.Any]) -> None:
        action = Action({**arguments, "progress": True}, [NEEDED, STARTED, ENDED])
        assert action.run() == {"changed": True}
        assert [sorted(run["_handed_over"]) for run in action.runs[:2]] == [["only_if_settled"], ["progress"]]

    @pytest.mark.parametrize("settings", [{"check_mode": True}, {"async_val": 1000}])
    def test_check_mode_and_async_are_not_watched(self, settings: dict[str, t.Any]) -> None:
        action = Action({"src": PATCH_FILE, "progress": True}, [{"changed": True}], **settings)
        assert action.run()["changed"] is True
        assert len(action.runs) == 1

    def test_a_job_that_ends_without_a_result(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_job.WatchedJob, "_status", lambda job, name, mode: {"finished": 0})
        monkeypatch.setattr(_job, "GRACE_SECONDS", 0)
        result = Action({"name": "x", "state": "absent", "progress": True}, [NEEDED, STARTED, ENDED]).run()
        assert (result["failed"], result["reason"], result["reboot_required"]) == (True, "no_result", False)
        assert "rolls back what the job has left" in result["remedy"]


@pytest.mark.usefixtures("large")
def test_the_file_is_sent_if_the_host_asks_for_it() -> None:
    action = Action({"src": PATCH_FILE}, [{"changed": False, "needs_file": True}, {"changed": True}])
    assert action.run()["changed"] is True
    assert action.sent == [(PATCH_FILE, "/private/patch.ko")]
    assert action.runs[1]["_handed_over"]["path"] == "/private/patch.ko"


@pytest.mark.usefixtures("large")
def test_what_the_host_did_before_it_asked_for_the_file_is_told_too() -> None:
    first = {"changed": True, "needs_file": True, "findings": ["recovered", "both"], "warnings": ["recovered", "both"]}
    first.update(actions=["unload fix"], diff={"before": "fix", "after": "none"})
    second = {"changed": False, "findings": ["both", "later"], "warnings": ["both", "later"]}
    second.update(actions=["load fix"], diff={"before": "none", "after": "newer"})
    result = Action({"src": PATCH_FILE}, [first, second]).run()
    assert result["changed"] is True
    assert result["findings"] == result["warnings"] == ["recovered", "both", "later"]
    assert result["actions"] == ["unload fix", "load fix"]
    assert result["diff"] == {"before": "fix", "after": "newer"}
    assert "needs_file" not in result


@pytest.mark.usefixtures("large")
def test_it_is_told_also_if_the_second_run_is_refused() -> None:
    first = {"changed": True, "needs_file": True, "findings": ["recovered"], "warnings": ["recovered"]}
    first.update(actions=["unload fix"])
    result = Action({"src": PATCH_FILE}, [first, {"failed": True, "changed": False, "msg": "Refused"}]).run()
    assert (result["failed"], result["changed"], result["warnings"]) == (True, True, ["recovered"])
    assert result["actions"] == ["unload fix"]


@pytest.mark.usefixtures("large")
def test_without_that_the_second_result_is_as_it_is() -> None:
    second = {"changed": False, "state": "enabled"}
    result = Action({"src": PATCH_FILE}, [{"changed": False, "needs_file": True}, second]).run()
    assert (result["changed"], "findings" in result, "warnings" in result) == (False, False, False)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(("removed", "left"), [(True, None), (False, "/private")])
def test_ansible_does_not_remove_the_directory_again_that_the_module_has_removed(
    removed: bool, left: str | None
) -> None:
    answer = {"changed": True, "directory_removed": removed}
    action = Action({"src": PATCH_FILE}, [{"changed": False, "needs_file": True}, answer])
    assert "directory_removed" not in action.run()
    assert action._connection._shell.tmpdir == left


@pytest.mark.usefixtures("large")
def test_an_asynchronous_job_gets_the_file_at_once() -> None:
    action = Action({"src": PATCH_FILE}, [{"started": 1}], async_val=30)
    action.run()
    assert len(action.runs) == 1
    assert action.runs[0]["_handed_over"]["path"] == "/private/patch.ko"


@pytest.mark.parametrize("arguments", [{"name": "fix"}, {"src": "/on/the/host.ko", "remote_src": True}])
def test_nothing_is_read_here_without_a_local_file(arguments: dict[str, t.Any]) -> None:
    action = Action(arguments, [{"changed": False}])
    action.run()
    assert action.runs == [dict(arguments, _handed_over={})]


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("async_val", [0, 30])
@pytest.mark.parametrize("most_packed", [10, livepatch_module.MOST_PACKED])
def test_the_digest_of_what_was_read_goes_with_the_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, most_packed: int, async_val: int, check_mode: bool
) -> None:
    """Whatever is in the file when it is sent: the module compares it."""
    if async_val and check_mode and CORE < (2, 17):
        pytest.skip("This ansible-core itself refuses check mode with async.")
    path, other = tmp_path / "livepatch_cmdline.ko", b"another file"
    content = pathlib.Path(PATCH_FILE).read_bytes()
    path.write_bytes(content)

    def read_and_exchange(*arguments: str) -> t.Any:
        found = read_patch_file(*arguments)
        path.write_bytes(other)
        return found

    monkeypatch.setattr(livepatch_module, "read_patch_file", read_and_exchange)
    monkeypatch.setattr(livepatch_module, "MOST_PACKED", most_packed)
    action = Action({"src": str(path)}, [{"needs_file": True}, {}], async_val, check_mode)
    action.run()
    assert action.runs
    for run in action.runs:
        assert run["_handed_over"]["file"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_what_the_plugin_hands_over_is_no_option() -> None:
    """Neither for a task, which could then say what is in a file, nor in the list of those that there are."""
    action = Action({"name": "fix", "_handed_over": {"file": {}}}, [])
    result = action.run()
    assert (result["reason"], result["reboot_required"], action.runs) == ("bad_argument", False, [])
    assert "Unsupported parameters" in result["msg"]
    assert "_" not in {name.strip()[:1] for name in result["cause"].split("include:")[1].split(",")}


def test_a_failure_of_ansibles_own_is_explained_too() -> None:
    failed = {"failed": True, "changed": False, "msg": "/usr/bin/python9: not found"}
    result = Action({"name": "fix"}, [failed]).run()
    assert (result["reason"], result["cause"]) == ("module_failed", "/usr/bin/python9: not found.")
    assert result["remedy"] and result["reboot_required"] is False


@pytest.mark.parametrize(
    "arguments", [{"timeout": "nan"}, {"delay": -1}, {"watch": 10**400}, {"probe": '{"argv": ["true"], "timeout": -1}'}]
)
def test_a_number_out_of_its_bounds_is_refused_before_the_file_is_read(arguments: dict[str, t.Any]) -> None:
    action = Action({"src": "/nosuch.ko", **arguments}, [])
    result = action.run()
    assert (result["reason"], result["reboot_required"], action.runs) == ("bad_argument", False, [])
    assert "must be a number from " in result["msg"]


def test_a_bad_file_does_not_reach_the_host(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bad.ko"
    path.write_text("text")
    action = Action({"src": str(path)}, [])
    result = action.run()
    assert result["failed"]
    assert (result["reason"], result["reboot_required"]) == ("not_elf", False)
    assert action.runs == []


def test_a_file_with_another_checksum_does_not_reach_the_host() -> None:
    digest = hashlib.sha256(pathlib.Path(PATCH_FILE).read_bytes()).hexdigest()
    assert Action({"src": PATCH_FILE, "checksum": f"sha256:{digest}"}, [{"changed": True}]).run()["changed"]
    action = Action({"src": PATCH_FILE, "checksum": f"sha256:{'0' * 64}"}, [])
    result = action.run()
    assert (result["failed"], result["reason"], action.runs) == (True, "bad_checksum", [])


def test_a_url_is_not_looked_for_among_the_files() -> None:
    action = Action({"src": "https://fixes.example.com/x.ko"}, [])
    result = action.run()
    assert (result["reason"], action.runs) == ("bad_argument", [])
    assert "checksum is missing" in result["msg"]


def test_a_file_that_is_not_found_does_not_reach_the_host() -> None:
    class Lost(Action):
        def _find_needle(self, dirname: str, needle: str) -> str:
            raise AnsibleError(f"Could not find {needle} in {dirname}.")

    action = Lost({"src": "nosuch.ko"}, [])
    result = action.run()
    assert (result["failed"], result["changed"], result["reason"]) == (True, False, "no_such_file")
    assert "Could not find nosuch.ko" in result["msg"]
    assert action.runs == []


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        (
            "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
            "vaulted_file",
            "is encrypted with Ansible Vault, and was not decrypted: No.",
        ),
        ("anything", "unreadable_file", "x.ko cannot be read: No."),
        (None, "not_a_file", "x.ko is a directory."),
    ],
)
def test_a_file_that_cannot_be_read_is_not_called_missing(
    tmp_path: pathlib.Path, content: str | None, reason: str, says: str
) -> None:
    def get_real_file(path: str) -> str:
        raise AnsibleError("No")

    path = tmp_path / "x.ko"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content, encoding="utf-8")
    action = Action({"src": str(path)}, [])
    action._loader.get_real_file = get_real_file
    result = action.run()
    assert (result["reason"], action.runs) == (reason, [])
    assert says in result["msg"]


def test_without_pyelftools_here_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "elftools" or "._patch_file." in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "elftools", None)
    result = Action({"src": PATCH_FILE}, []).run()
    assert (result["failed"], result["reason"]) == (True, "no_pyelftools")
    assert "pyelftools" in result["msg"]


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("before", "after", "told"), [(7, ["a"], ["a"]), (["a"], 7, ["a"]), ({"a": 1}, [], []), ("a", "b", "b")]
)
def test_a_host_may_tell_nonsense(before: t.Any, after: t.Any, told: t.Any) -> None:
    first = {"changed": True, "needs_file": True, "findings": before}
    assert Action({"src": PATCH_FILE}, [first, {"changed": False, "findings": after}]).run()["findings"] == told


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("nonsense", [7, {}, "a", None])
def test_a_host_may_tell_nonsense_of_what_it_did(nonsense: t.Any) -> None:
    known = {"changed": True, "actions": nonsense, "diff": nonsense}
    result = Action({"src": PATCH_FILE}, [{**known, "needs_file": True}, known]).run()
    assert (result["actions"], result["diff"]) == (nonsense, nonsense)


class TestVendor:
    """Packages are stand-ins of openEuler's, see rpm_writer.py."""

    SINGLE = f"patch-kernel-{KERNEL}-SGL_CVE_2023_1111"

    @pytest.fixture(name="package")
    def fixture_package(self, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., str]:
        (tmp_path / "tmp").mkdir()
        monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path / "tmp"))

        def write(**changes: t.Any) -> str:
            path = tmp_path / "x.rpm"
            path.write_bytes(Rpm(pathlib.Path(MODULE_OF_PACKAGES).read_bytes(), **changes).content())
            return str(path)

        return write

    def test_the_module_in_it_is_sent(self, package: t.Callable[..., str]) -> None:
        path = package()
        action = Action({"src": path}, [{"changed": True}])
        result = action.run()
        (arguments,) = action.runs
        assert (
            unpack(arguments["_handed_over"]["packed"], PATCH_FILE_MAX) == pathlib.Path(MODULE_OF_PACKAGES).read_bytes()
        )
        assert arguments["_handed_over"]["file"]["path"] == f"{path}/vmlinux-0d9c1c9e.ko"
        assert arguments["_handed_over"]["file"]["sequence"] == (1, 6)
        fix = {"id": result["vendor"]["package"], "title": "", "severity": "", "cves": result["vendor"]["cves"]}
        assert fix["cves"]
        assert arguments["_handed_over"]["file"]["fix"] == fix
        assert (result["changed"], result["vendor"]["sequence"]) == (True, [1, 6])
        assert result["warnings"] == [
            f"The signature of {path} is not proven: it has none. Make sure that it is from the vendor."
        ]

    @pytest.mark.usefixtures("large")
    def test_it_is_there_until_the_host_has_it(self, package: t.Callable[..., str], tmp_path: pathlib.Path) -> None:
        class Host(Action):
            def _transfer_file(self, local_path: str, remote_path: str) -> None:
                assert pathlib.Path(local_path).read_bytes() == pathlib.Path(MODULE_OF_PACKAGES).read_bytes()
                super()._transfer_file(local_path, remote_path)

        action = Host({"src": package()}, [{"changed": False, "needs_file": True}, {"changed": True}])
        assert action.run()["changed"] is True
        assert [remote for _local, remote in action.sent] == ["/private/patch.ko"]
        assert list((tmp_path / "tmp").iterdir()) == []

    @pytest.mark.parametrize(
        ("changes", "arguments", "supersedes"),
        [
            ({}, {}, ["contained"]),
            ({}, {"state": "enabled", "on_covered": "allow"}, ["contained"]),
            ({}, {"supersedes": []}, []),
            ({}, {"supersedes": ["other"]}, ["other"]),
            ({}, {"state": "present"}, None),
            ({}, {"state": "absent"}, None),
            ({"name": SINGLE}, {}, None),
        ],
    )
    def test_a_cumulative_one_supersedes_its_predecessors(
        self,
        package: t.Callable[..., str],
        changes: dict[str, t.Any],
        arguments: dict[str, t.Any],
        supersedes: list[str] | None,
    ) -> None:
        action = Action({"src": package(**changes), **arguments}, [{"changed": True}])
        action.run()
        assert action.runs[0].get("supersedes") == supersedes
        assert {key: action.runs[0][key] for key in arguments} == arguments

    def test_what_is_wrong_does_not_reach_the_host(self, package: t.Callable[..., str]) -> None:
        action = Action({"src": package(architecture="aarch64")}, [])
        result = action.run()
        assert (result["reason"], result["reboot_required"], action.runs) == ("other_architecture", False, [])


ON_HOST = {"starting": 0.1, "reading": 0.02, "checking": 0.0, "changing": 0.0, "waiting": 0.5, "deciding": 0.01}


def test_with_v_the_task_tells_where_its_time_went(large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.75, 20.0, 21.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    action = Action(
        {"src": PATCH_FILE}, [{"changed": False, "needs_file": True}, {"changed": True, "seconds": ON_HOST}]
    )
    action._display.verbosity = 1
    assert action.run()["seconds"] == {"round_trips": 2, "connecting": 1.62, **ON_HOST}


@pytest.mark.parametrize("told", ["x", [1.0], {"reading": "long", "waiting": None, "more": 1.0}])
def test_a_host_may_tell_nonsense_of_its_time(told: t.Any) -> None:
    action = Action({"src": PATCH_FILE}, [{"changed": True, "seconds": told}])
    action._display.verbosity = 1
    seconds = action.run()["seconds"]
    assert seconds == told if not isinstance(told, dict) else sorted(seconds) == ["connecting", "round_trips"]
