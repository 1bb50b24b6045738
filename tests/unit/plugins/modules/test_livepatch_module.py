# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""livepatch_module from its arguments to its result, on the model of a kernel."""

from __future__ import annotations

import errno
import pathlib
import time
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.packed import pack
from ansible_collections.openeuler.livepatch.plugins.modules import livepatch_module
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.model_kernel import (
    ModelKernel,
    content_of,
    loaded,
    patch_file,
)

Call = t.Callable[..., t.Dict[str, t.Any]]

FIX = patch_file("fix")


@pytest.fixture(name="kernel")
def fixture_kernel(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> ModelKernel:
    kernel = ModelKernel(tmp_path / "root")
    kernel.add_file(FIX)

    def watched(waits: t.Callable[[str], None] = lambda what: None) -> ModelKernel:
        kernel.waits = waits
        return kernel

    monkeypatch.setattr(livepatch_module, "Kernel", watched)
    monkeypatch.setattr(livepatch_module, "Files", kernel.files)
    (tmp_path / "sent.ko").write_bytes(content_of("fix"))
    return kernel


def inspected(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    """What the action plugin hands on when it has sent the file."""
    return {"_handed_over": {"file": FIX.to_dict(), "path": str(tmp_path / "sent.ko")}}


def test_a_file_that_was_sent_is_enabled(call: Call, kernel: ModelKernel, tmp_path: pathlib.Path) -> None:
    result = call(livepatch_module, src="fix.ko", **inspected(tmp_path))
    assert (result["changed"], result["name"], result["state"]) == (True, "fix", "enabled")
    assert kernel.calls == ["load fix"]
    assert not call(livepatch_module, src="fix.ko", **inspected(tmp_path))["changed"]


def packed(content: bytes = content_of("fix")) -> dict[str, t.Any]:
    """What the action plugin hands on of a small file."""
    return {"_handed_over": {"file": FIX.to_dict(), "packed": pack(content)}}


def test_a_file_that_came_with_the_arguments_is_enabled(call: Call, kernel: ModelKernel) -> None:
    result = call(livepatch_module, src="fix.ko", **packed())
    assert (result["changed"], result["state"], kernel.calls) == (True, "enabled", ["load fix"])
    assert not call(livepatch_module, src="fix.ko", **packed())["changed"]


def test_another_file_that_came_with_them_is_not_loaded(call: Call, kernel: ModelKernel) -> None:
    result = call(livepatch_module, src="fix.ko", **packed(content_of("other")))
    assert (result["reason"], result["changed"], kernel.calls) == ("file_changed", False, [])


def test_the_bytes_are_in_no_result_and_in_no_log(
    call: Call, kernel: ModelKernel, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _module, *text, **more: logged.append(f"{text} {more}"))
    result = call(livepatch_module, src="fix.ko", **packed())
    assert logged
    for text in (str(result), *logged):
        assert packed()["_handed_over"]["packed"] not in text
    assert list((tmp_path / "ansible-tmp").iterdir()) == []


def test_check_mode_reaches_the_plan(call: Call, kernel: ModelKernel, tmp_path: pathlib.Path) -> None:
    assert call(livepatch_module, check_mode=True, src="fix.ko", **inspected(tmp_path))["changed"]
    assert kernel.calls == []


def test_who_only_asks_is_told_that_a_job_is_needed(call: Call, kernel: ModelKernel) -> None:
    asked = {"_handed_over": {"only_if_settled": True}}
    kernel.patches = [loaded(FIX)]
    assert not call(livepatch_module, name="fix", **asked).get("needs_job")
    result = call(livepatch_module, name="fix", state="absent", force_owner=True, **asked)
    assert (result["needs_job"], result["changed"], kernel.calls) == (True, False, [])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"timeout": 25}, ["waiting for the transition of fix", "waiting for the transition of fix"]),
        (
            {"on_stall": "wait", "watch": 25},
            ["waiting for the transition of fix", "watching the kernel, 17 s are left"],
        ),
    ],
)
def test_a_job_tells_what_it_waits_for(
    call: Call,
    kernel: ModelKernel,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, t.Any],
    expected: list[str],
) -> None:
    monkeypatch.setattr(time, "monotonic", kernel.now)
    kernel.stall = {"fix"}
    kernel.ends_after = {"fix": 12} if "watch" in options else {}
    sent = {"file": FIX.to_dict(), "packed": pack(content_of("fix")), "progress": "job"}
    result = call(livepatch_module, src="fix.ko", **options, _handed_over=sent)
    assert result.get("reason") == (None if "watch" in options else "transition_stalled")
    news = call(livepatch_module, name="fix", _handed_over={"progress": "job", "offset": 0, "seconds": 0})
    told = [entry["stage"] for entry in news["entries"] if "stage" in entry]
    assert told[:2] == expected
    assert (news["running"], news["changed"]) == (False, False)


def test_a_failure_fails_the_module(call: Call, kernel: ModelKernel, tmp_path: pathlib.Path) -> None:
    kernel.fail["load"] = (errno.EINVAL, "")
    result = call(livepatch_module, src="fix.ko", **inspected(tmp_path))
    assert (result["failed"], result["errno"], result["changed"]) == (True, "EINVAL", False)
    assert result["cause"] in result["msg"]


def test_what_the_operator_should_know_is_a_warning(call: Call, kernel: ModelKernel) -> None:
    kernel.patches = [loaded(FIX)]
    kernel.stall = {"fix"}
    result = call(livepatch_module, name="fix", state="absent", timeout=1, on_stall="report", force_owner=True)
    assert any("The transition of fix is still running" in warning for warning in result["warnings"])


def test_arguments_that_do_not_fit_together_reach_no_kernel(call: Call, kernel: ModelKernel) -> None:
    result = call(livepatch_module, name="fix", state="absent", boot="accepted")
    assert (result["failed"], result["reason"], kernel.calls) == (True, "bad_argument", [])
    assert result["reboot_required"] is False


def test_without_pyelftools_on_the_host_it_is_named(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_task(*_arguments: t.Any) -> t.NoReturn:
        raise ImportError

    monkeypatch.setattr(livepatch_module, "read_task", read_task)
    result = call(livepatch_module, src="/fix.ko", remote_src=True)
    assert (result["reason"], result["reboot_required"]) == ("no_pyelftools", False)


def test_with_v_the_module_tells_where_its_time_went(
    call: Call, kernel: ModelKernel, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = kernel.load

    def slow_load(*arguments: t.Any) -> None:
        time.sleep(0.2)
        load(*arguments)

    monkeypatch.setattr(kernel, "load", slow_load)
    # ansible-test forks a process for each test, which may have begun just now.
    time.sleep(0.2)
    result = call(livepatch_module, name="fix", _ansible_verbosity=1, **inspected(tmp_path))
    seconds = result["seconds"]
    assert list(seconds) == ["starting", "reading", "checking", "changing", "waiting", "deciding"]
    assert seconds["changing"] >= 0.2 > seconds["reading"] >= 0
    assert seconds["starting"] >= 0.2
    assert "seconds" not in call(livepatch_module, name="fix", **inspected(tmp_path))
