# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments of livepatch_module that do not fit together."""

from __future__ import annotations

import pathlib
import sys
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import (
    LIVEPATCH_MODULE,
    read_task,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import FindingError
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Build, Task
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.snapshot import Identity

FIXTURE = pathlib.Path(__file__).parent / "fixtures/openeuler_layout.ko"


def checked(**arguments: t.Any) -> ValidationResult:
    """What Ansible makes of a task's arguments, before the module sees them."""
    spec = LIVEPATCH_MODULE
    names = ("required_one_of", "required_if", "required_by", "mutually_exclusive")
    rules = {name: spec[name] for name in names}
    return ArgumentSpecValidator(spec["argument_spec"], **rules).validate(arguments)


def task(**arguments: t.Any) -> Task:
    result = checked(**{"name": "lp_a1", **arguments})
    assert result.error_messages == []
    return read_task(result.validated_parameters, check_mode=False)


@pytest.mark.parametrize(
    ("arguments", "says", "instead"),
    [
        ({"supersedes": ["lp_a2"], "state": "disabled"}, "supersedes goes with state: enabled", {"state": "enabled"}),
        ({"boot": "accepted", "state": "present"}, "boot: accepted goes with state: enabled", {"state": "enabled"}),
        (
            {"builds": [{"sha256": "00"}], "state": "absent"},
            "builds goes with state: reverted only",
            {"state": "reverted"},
        ),
        (
            {"builds": [{"sha256": "00"}, {"sha256": "", "build_id": None}], "state": "reverted"},
            "An entry of builds has no mark. Give it one of sha256, build_id, srcversion",
            {"builds": [{"sha256": "00"}]},
        ),
        ({"checksum": "sha256:00"}, "checksum goes with a src on the controller only", {"checksum": None}),
        ({"on_stall": "force"}, "needs i_accept_inconsistency", {"i_accept_inconsistency": True}),
        (
            {"probe": {"argv": ["true"], "expect": "a("}},
            r"'a\(' in probe is not a regular",
            {"probe": {"argv": ["true"]}},
        ),
        (
            {"probe": {"argv": ["true"], "reject": "a["}},
            r"'a\[' in probe is not a regular",
            {"probe": {"argv": ["true"]}},
        ),
        (
            {"probe": {"path": "/proc/uptime"}},
            "needs expect or reject",
            {"probe": {"path": "/proc/uptime", "reject": "x"}},
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    arguments: dict[str, t.Any], says: str, instead: dict[str, t.Any]
) -> None:
    with pytest.raises(FindingError, match=says) as refused:
        task(**arguments)
    assert refused.value.finding.reason == "bad_argument"
    assert task(**{**arguments, **instead}).wanted.name == "lp_a1"


def test_a_file_that_is_on_the_host_has_to_be_named() -> None:
    assert checked(name="lp_a1").error_messages == []
    (error,) = checked(name="lp_a1", remote_src=True).error_messages
    assert "remote_src is True" in error and "src" in error.split("missing")[1]


def test_the_file_on_the_host_is_the_one_that_a_link_leads_to_now(tmp_path: pathlib.Path) -> None:
    link = tmp_path / "link.ko"
    link.symlink_to(FIXTURE)
    assert task(name=FIXTURE.stem, src=str(link), remote_src=True).file_path == str(FIXTURE.resolve())


@pytest.mark.parametrize(
    ("arguments", "reason", "says"),
    [
        ({"name": "../x"}, "bad_name", "'../x' is not the name of a kernel module"),
        ({"name": "x" * 56}, "bad_name", "is not the name of a kernel module"),
        ({"name": "lp_a1", "src": str(FIXTURE), "remote_src": True}, "name_differs", "is the patch openeuler_layout"),
        ({"src": str(FIXTURE.with_suffix(".s")), "remote_src": True}, "not_elf", "is not an ELF file"),
        ({"src": "/nosuch/x.ko", "remote_src": True}, "unreadable_file", "/nosuch/x.ko cannot be read"),
    ],
)
def test_what_is_no_patch_of_that_name_is_refused(arguments: dict[str, t.Any], reason: str, says: str) -> None:
    with pytest.raises(FindingError, match=says) as refused:
        task(**arguments)
    assert refused.value.finding.reason == reason


def test_what_the_user_says_of_a_flag_that_the_file_does_not_show() -> None:
    for said in (None, False, True):
        wanted = task(name=None, src=str(FIXTURE), remote_src=True, replace=said).wanted
        assert wanted.file is not None
        assert wanted.file.replace is said


def test_what_the_user_says_against_the_file_is_refused() -> None:
    shows = str(FIXTURE.with_name("two_objects.ko"))
    assert task(name=None, src=shows, remote_src=True, replace=True).wanted.file.replace is True
    with pytest.raises(FindingError, match="has the replace flag, and the task says replace: false") as refused:
        task(name=None, src=shows, remote_src=True, replace=False)
    assert refused.value.finding.reason == "replace_differs"
    shows = str(FIXTURE.with_name("livepatch_cmdline.ko"))
    with pytest.raises(FindingError, match="does not have the replace flag, and the task says replace: true"):
        task(name=None, src=shows, remote_src=True, replace=True)


def test_what_the_user_says_of_a_file_needs_a_file() -> None:
    (error,) = checked(name="lp_a1", replace=False).error_messages
    assert "replace" in error and "src" in error


def test_the_builds_that_a_task_is_about() -> None:
    assert task(state="reverted").wanted.builds is None
    assert task(state="reverted", builds=[]).wanted.builds == ()
    given = [{"sha256": "00", "parameters": {"level": 1}}, {"build_id": "ab", "srcversion": "cd"}]
    assert task(state="reverted", builds=given).wanted.builds == (
        Build(Identity(sha256="00"), {"level": 1}),
        Build(Identity("ab", "cd")),
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"builds": [{"parameters": {}}]}, "one of the following is required: sha256, build_id, srcversion"),
        ({"builds": [{"sha256": "00"}], "src": "x.ko"}, "parameters are mutually exclusive: src|builds"),
        ({"builds": [{"build_id": "00", "sha265": "00"}]}, "builds.sha265"),
    ],
)
def test_builds_that_are_not_named_as_they_should_be(arguments: dict[str, t.Any], says: str) -> None:
    (error,) = checked(name="lp_a1", state="reverted", **arguments).error_messages
    assert says in error


def test_the_name_may_come_from_the_file_and_may_have_hyphens() -> None:
    wanted = task(name=None, src=str(FIXTURE), remote_src=True).wanted
    assert wanted.name == FIXTURE.stem
    assert wanted.file is not None
    assert task(name="openeuler-layout", src=str(FIXTURE), remote_src=True).wanted == wanted


def test_without_pyelftools_on_the_host_an_import_error_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "elftools" or "._patch_file." in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "elftools", None)
    with pytest.raises(ImportError):
        task(name=FIXTURE.stem, src=str(FIXTURE), remote_src=True)
