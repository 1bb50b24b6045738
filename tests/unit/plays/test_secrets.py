# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible shows of a play, at its most talkative, has no value of env, no passphrase, and no path of a key."""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.openeuler.livepatch.tests.unit.plays.hostile_host import (
    KERNEL,
    NAME,
    Fleet,
    honest,
)

NOT_THERE = json.dumps({"stat": {"exists": False}})
OPTIONS = {
    "env": {"KBUILD_SIGN_PIN": "seCret-pin-of-all", "TOKEN": "seCret-token-of-all"},
    "sign": {"key": "/nosuch/seCret-of-all.pem", "cert": "/nosuch/cert.pem"},
}
KERNEL_OPTIONS = {
    "env": {"KBUILD_SIGN_PIN": "seCret-pin", "TOKEN": "seCret-token"},
    "sign": {"key": "/nosuch/seCret.pem", "cert": "/nosuch/cert.pem"},
}
FIX = {
    "livepatch_build_fix": {"id": "Fix 1"},
    "livepatch_build_name": NAME,
    "livepatch_build_patches": ["fix.patch"],
    "livepatch_build_packages": [],
}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    fleet = Fleet(tmp_path)
    (tmp_path / "work/fix.patch").write_text("--- a\n", encoding="utf-8")
    return fleet


def lines_with(output: str, secret: str = "seCret") -> list[str]:
    """The lines of an output that have a secret, from where it is."""
    return [line[max(0, line.index(secret) - 100) :][:200] for line in output.split("\n") if secret in line]


def build(fleet: Fleet, kernel: dict[str, t.Any], *options: str, **variables: t.Any) -> str:
    given = {**FIX, "livepatch_build_work": str(fleet.folder / "built"), **variables}
    return fleet.play("build", {**given, "livepatch_build_kernels": [kernel]}, "-vvv", "--diff", *options)


def add_real_host(fleet: Fleet) -> None:
    """This machine, which has no kernel of this release to build for."""
    fleet.hosts["builder"] = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("place", ["kernel", "all"])
def test_a_build_that_fails_shows_no_secret(fleet: Fleet, place: str, check_mode: bool) -> None:
    add_real_host(fleet)
    kernel = {"release": KERNEL, "host": "builder", **(KERNEL_OPTIONS if place == "kernel" else {})}
    of_all = OPTIONS if place == "all" else {}
    output = build(fleet, kernel, *(["--check"] if check_mode else []), livepatch_build_options=of_all)
    assert ("failed=1" in output, f"item={KERNEL}" in output) == (not check_mode, True), output
    assert lines_with(output) == []


@pytest.mark.parametrize(
    "options",
    [
        {"env": ["seCret"]},
        {"env": "seCret", "jobs": 0},
        {"sign": {"key": "/seCret", "cert": "/x", "pin": "seCret"}},
    ],
)
def test_options_that_are_refused_show_no_secret(fleet: Fleet, options: dict[str, t.Any]) -> None:
    add_real_host(fleet)
    output = build(fleet, {"release": KERNEL, "host": "builder", **options})
    assert "failed=1" in output, output
    assert lines_with(output) == []


def test_a_build_that_succeeds_shows_no_secret(fleet: Fleet) -> None:
    answers: dict[str, t.Any] = {module: json.dumps(honest(module)) for module in ("livepatch_build", "command", "*")}
    fleet.host("builder", {**answers, "stat": NOT_THERE})
    output = build(
        fleet, {"release": KERNEL, "host": "builder", **KERNEL_OPTIONS}, livepatch_build_options={"progress": False}
    )
    assert "livepatch_build" in fleet.asked("builder")
    assert lines_with(output) == []


def test_each_kernel_gets_its_own_options(fleet: Fleet) -> None:
    """What hides them must not mix them up: two kernels of one host, and what is set for all."""
    add_real_host(fleet)
    kernels = [
        {"release": "6.1.0-a", "host": "builder", "src_dir": "/nosuch/a"},
        {"release": "6.1.0-x", "host": "nobody", "src_dir": "/nosuch/x"},
        {"release": "6.1.0-b", "host": "builder"},
    ]
    given = {**FIX, "livepatch_build_work": str(fleet.folder / "built"), "livepatch_build_kernels": kernels}
    given["livepatch_build_options"] = {"src_dir": "/nosuch/all", "progress": False}
    output = fleet.play("build", given, "-vvv")
    shown = re.findall(r'"cause": "(/nosuch/\w+) is not a directory', output)
    # The result tells the first problem, and then all of them.
    assert list(dict.fromkeys(shown)) == ["/nosuch/a", "/nosuch/all"], output
