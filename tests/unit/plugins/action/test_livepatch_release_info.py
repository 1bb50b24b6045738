# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_release_info. Ansible itself is replaced; the files are real ones."""

from __future__ import annotations

import errno
import os
import pathlib
import typing as t
from unittest.mock import MagicMock

import pytest
import yaml
from ansible_collections.openeuler.livepatch.plugins.action.livepatch_release_info import (
    LIVEPATCH_RELEASE_INFO,
    ActionModule,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import LIVEPATCH_MODULE
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_release_info
from ansible_collections.openeuler.livepatch.plugins.plugin_utils._rollout import given

FILE = {"kernel_release": "6.6", "machine": "x86_64", "abi": "per_task", "path": "6.6/a.ko", "sha256": "00"}
RELEASE = {
    "format": 1,
    "fix": {"id": "Fix 1", "title": "A fix", "severity": "low", "cves": ["CVE-1"]},
    "name": "fix-1",
    "supersedes": ["fix-0"],
    "fixed_in": ["6.7"],
    "files": [FILE],
}


def read(variables: t.Sequence[str] = (), check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    """The result of the task. The values of these variables raise, since nothing may read them."""
    task = MagicMock(args=arguments, async_val=0, check_mode=check_mode)
    action = ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    return action.run(task_vars=Unreadable.fromkeys(variables, ""))


class Unreadable(dict[str, t.Any]):
    def __getitem__(self, key: str) -> t.NoReturn:
        raise AssertionError(key)


@pytest.fixture
def written(tmp_path: pathlib.Path) -> t.Callable[[object], pathlib.Path]:
    def write(content: object) -> pathlib.Path:
        path = tmp_path / "release.yml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
        return path

    return write


def test_the_documentation_is_of_these_options() -> None:
    options = yaml.safe_load(livepatch_release_info.DOCUMENTATION)["options"]
    assert {name: option["type"] for name, option in options.items()} == {
        name: option["type"] for name, option in LIVEPATCH_RELEASE_INFO["argument_spec"].items()
    }


@pytest.mark.parametrize("check_mode", [True, False])
def test_the_check_mode_of_the_task_is_told(written: t.Callable[[object], pathlib.Path], check_mode: bool) -> None:
    """A task can have it from a keyword, which no variable tells."""
    path = written({"livepatch_release": RELEASE})
    assert read(file=str(path), check_mode=check_mode)["check_mode"] is check_mode


def test_a_release_from_a_file_its_folder_and_a_variable(
    written: t.Callable[[object], pathlib.Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written({"livepatch_release": RELEASE})
    found = read(file=str(path))
    assert found["changed"] is False
    assert found["directory"] == str(path.parent)
    unknown = dict.fromkeys(("kernel_build_id", "build_id", "srcversion", "parameters", "name"))
    files = [{**{key: value for key, value in FILE.items() if key != "abi"}, **unknown}]
    assert found["release"] == {
        **RELEASE,
        "name": "fix_1",
        "supersedes": ["fix_0"],
        "end_of_life": None,
        "files": files,
    }
    assert found["builds"] == [{"sha256": "00"}]
    assert read(file=str(path.parent)) == found
    monkeypatch.chdir(path.parent)
    assert read(file="release.yml") == read(release=RELEASE, file="") == found


def test_the_builds_are_told_as_livepatch_module_takes_them() -> None:
    marks = {"build_id": "ab" * 20, "srcversion": "533BB7E5866E52F63B9ACCB", "parameters": {"level": 1}}
    files = [{**FILE, **marks}, {**FILE, "sha256": "11", "parameters": {}}]
    (first, second) = read(release={**RELEASE, "files": files})["builds"]
    assert first == {"sha256": "00", **marks}
    assert second == {"sha256": "11", "parameters": {}}
    options = LIVEPATCH_MODULE["argument_spec"]["builds"]["options"]
    assert set(first) == set(options)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("{", "is not YAML: line 1, column 2."),
        ("- 1", "is not a release: it has no key livepatch_release."),
        ("text", "is not a release: it has no key livepatch_release."),
        ("", "is not a release: it has no key livepatch_release."),
        ({"livepatch_build_fix": {}}, "is a fix and not a release."),
        ({"format": 1, "modules": []}, "is not a release: it has no key livepatch_release."),
        ({"livepatch_release": []}, "is not a dictionary."),
        ({"livepatch_release": {**RELEASE, "format": 2}}, "this collection reads the format 1."),
        ({"livepatch_release": {**RELEASE, "format": None}}, "is not a number."),
        ({"livepatch_release": {**RELEASE, "fix": {}}}, "has no id."),
        ({"livepatch_release": {**RELEASE, "name": "../x"}}, "has a name that is not one of a kernel module."),
        ({"livepatch_release": {**RELEASE, "name": "{{ x }}"}}, "has a name that is not one of a kernel module."),
        ({"livepatch_release": {**RELEASE, "files": [{**FILE, "path": "/x"}]}}, "a path that leads out of its folder."),
        ({"livepatch_release": {**RELEASE, "files": [{**FILE, "path": "a/../x"}]}}, "leads out of its folder."),
        ({"livepatch_release": {**RELEASE, "files": "6.6"}}, "is not a list."),
        ({"livepatch_release": {**RELEASE, "files": [{**FILE, "sha256": None}]}}, "has no sha256 for the kernel 6.6."),
        ({"livepatch_release": {**RELEASE, "files": [{**FILE, "path": None}]}}, "has no path for the kernel 6.6."),
    ],
)
def test_a_file_that_is_no_release(written: t.Callable[[object], pathlib.Path], content: object, cause: str) -> None:
    path = written(content)
    result = read(file=str(path))
    assert (result["failed"], result["reason"]) == (True, "bad_release")
    assert cause in result["cause"]
    assert str(path) in result["cause"]
    assert result["msg"] == f"{result['cause']} {result['remedy']}"
    assert result["cause"].endswith(".") and result["remedy"].endswith(".")
    assert "\n" not in result["msg"]


def test_bytes_that_are_no_text(tmp_path: pathlib.Path) -> None:
    (tmp_path / "release.yml").write_bytes(b"\xff\xfe\xff")
    assert read(file=str(tmp_path))["cause"] == f"{tmp_path}/release.yml is not YAML."


def test_what_is_no_file(tmp_path: pathlib.Path) -> None:
    """Reading a pipe would never end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "release.yml").mkdir()
    for path in (tmp_path / "pipe", tmp_path):
        result = read(file=str(path))
        assert result["reason"] == "bad_release" and result["cause"].endswith(" is not a file.")


@pytest.mark.parametrize(
    ("variables", "arguments", "reason", "said"),
    [
        (["livepatch_release"], {}, "bad_argument", "(-e @release.yml does that)"),
        (["livepatch_release"], {"file": "release.yml"}, "bad_argument", "(-e @release.yml does that)"),
        (["_raw_params"], {"file": ""}, "no_release", "a text without an equals sign"),
        (["livepatch_build_fix"], {}, "no_release", "A fix is given, and no release. Build the fix with the playbook"),
        (["other"], {}, "no_release", "No release is given. Set livepatch_release_file to the path"),
    ],
)
def test_a_release_that_is_given_in_another_way(
    variables: list[str], arguments: dict[str, t.Any], reason: str, said: str
) -> None:
    result = read(variables, **arguments)
    assert (result["failed"], result["reason"]) == (True, reason)
    assert said in result["msg"] and "livepatch_release_file" in result["msg"]
    assert "\n" not in result["msg"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (["livepatch_build_fix", "_raw_params"], ""),
        ([], "No fix is given. Give the fix with -e @fix.yml."),
        (["_raw_params"], "No fix is given: an option -e has a file name without @, which sets no variable. Give the"),
        (["livepatch_release"], "A release is given, and no fix. Give the fix with -e @fix.yml."),
        (["livepatch_release_file"], "A release is given, and no fix. Give the fix with -e @fix.yml."),
        (["livepatch_build_kernels"], "The fix has no livepatch_build_fix."),
    ],
)
def test_a_fix_that_is_given_in_another_way(variables: list[str], said: str) -> None:
    trouble = given.fix_trouble(variables)
    assert trouble.startswith(said) and bool(trouble) == bool(said)


@pytest.mark.parametrize("of_file", [errno.EACCES, errno.EIO])
def test_a_file_that_cannot_be_read(
    written: t.Callable[[object], pathlib.Path], monkeypatch: pytest.MonkeyPatch, of_file: int
) -> None:
    def refuse(*_arguments: object, **_options: object) -> t.NoReturn:
        raise OSError(of_file, os.strerror(of_file))

    path = written({"livepatch_release": RELEASE})
    monkeypatch.setattr("builtins.open", refuse)
    assert read(file=str(path))["cause"] == f"{path} cannot be read: {os.strerror(of_file)}."


@pytest.mark.parametrize(
    ("arguments", "reason", "cause"),
    [
        ({}, "no_release", "No release is given."),
        ({"file": "", "release": {}}, "no_release", "No release is given."),
        ({"file": "/no/such"}, "no_such_release", "/no/such cannot be read: No such file or directory."),
        ({"file": "~/no/such"}, "no_such_release", os.path.expanduser("~/no/such") + " cannot be read: "),
        ({"file": "/dev/null/x"}, "no_such_release", "/dev/null/x cannot be read: Not a directory."),
        ({"release": {"name": "x"}}, "bad_release", "Format in the release is not a number."),
        ({"release": RELEASE, "file": "x"}, "bad_argument", "A release is given twice"),
    ],
)
def test_what_is_missing_is_said(arguments: dict[str, t.Any], reason: str, cause: str) -> None:
    result = read(**arguments)
    assert (result["failed"], result["reason"]) == (True, reason)
    assert result["cause"].startswith(cause)
    assert result["remedy"].endswith(".")


def test_a_host_does_not_choose_the_release(written: t.Callable[[object], pathlib.Path]) -> None:
    """The variables that name it would be those of its facts."""
    path = written({"livepatch_release": RELEASE})
    task = MagicMock(args={"file": str(path)}, async_val=0, check_mode=False)
    action = ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    result = action.run(task_vars={"ansible_facts": {"livepatch_release_file": "/x", "livepatch": {}}})
    assert (result["failed"], result["reason"]) == (True, "set_by_host")
    assert result["msg"] == f"{result['cause']} {result['remedy']}"
    assert action.run(task_vars={"ansible_facts": {"livepatch": {}}})["release"]["name"] == "fix_1"
