# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build with kpatch-build makes of the options of livepatch_build."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.arguments import LIVEPATCH_BUILD
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.request import (
    Request,
    prepare_build,
    read_request,
)

NEEDED = {"patches": ["/x.patch"], "dest": "/out/", "kernel_release": "6.6.0-nosuch"}
MODULE = {"oot_module": "/m/x.ko", "oot_module_src": "/m"}


def checked(arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    """The module's parameters, as Ansible makes them of a task's arguments."""
    spec = LIVEPATCH_BUILD
    validator = ArgumentSpecValidator(spec["argument_spec"], required_together=spec["required_together"])
    result = validator.validate({**NEEDED, **arguments})
    assert result.error_messages == []
    return result.validated_parameters


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, {"skip_compiler_check": False, "oot_module": None, "jobs": None, "debug": 0, "env": (), "targets": ()}),
        ({"skip_compiler_check": True}, {"skip_compiler_check": True}),
        ({"jobs": 3}, {"jobs": 3}),
        ({"debug": 2}, {"debug": 2}),
        ({"env": {"KCFLAGS": "-O2", "A_NUMBER": 1}}, {"env": (("A_NUMBER", "1"), ("KCFLAGS", "-O2"))}),
        ({"name": "fix", "targets": ["vmlinux"]}, {"name": "fix", "targets": ("vmlinux",)}),
        ({"arch": "arm64", "cross_compile": "x-"}, {"arch": "arm64", "cross_compile": "x-"}),
        ({"replace": "no", "kpatch_build": "/k", "timeout": 5}, {"replace": "no", "kpatch_build": "/k", "timeout": 5}),
        ({"vmlinux": "/v", "config": "/c", "cache_dir": "/d"}, {"vmlinux": "/v", "config": "/c", "cache_dir": "/d"}),
        ({}, {"source": "/usr/src/linux-6.6.0-nosuch"}),
        ({"src_dir": "/src"}, {"source": "/src"}),
        (MODULE, {"oot_module": "/m/x.ko", "source": "/m"}),
        ({**MODULE, "src_dir": "/src"}, {"oot_module": "/m/x.ko", "source": "/m"}),
    ],
)
def test_every_option_gets_into_the_request(arguments: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    request = read_request(checked(arguments))
    assert {name: getattr(request, name) for name in expected} == expected


def test_the_first_of_the_usual_files_that_is_there(tmp_path: pathlib.Path) -> None:
    request = read_request(checked({"src_dir": str(tmp_path)}))
    assert request.vmlinux == "/usr/lib/debug/lib/modules/6.6.0-nosuch/vmlinux"
    assert request.config == f"{tmp_path}/.config"
    (tmp_path / "vmlinux").touch()
    assert read_request(checked({"src_dir": str(tmp_path)})).vmlinux == f"{tmp_path}/vmlinux"


ODD = ["$(reboot)", "a b", "a;b", "a\nb", "a`b`", "a'b", "a#b", "a:b", "a\u2028b"]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
@pytest.mark.parametrize("option", ["patches", "vmlinux", "oot_module", "kpatch_build", "cache_dir"])
def test_a_path_that_a_shell_would_run_is_refused(tmp_path: pathlib.Path, option: str, odd: str) -> None:
    """Also where only a link leads to it: kpatch-build resolves links."""
    place = tmp_path / odd
    place.mkdir()
    (place / "kpatch-build").write_text("")
    (place / "kpatch-build").chmod(0o700)
    link = tmp_path / "link"
    link.symlink_to(place)
    for path in (str(place), str(link)):
        given = f"{path}/kpatch-build"
        values: dict[str, t.Any] = {"patches": ("/x.patch",), "source": "/s", "dest": "/d"}
        with pytest.raises(BuildError) as failure:
            prepare_build(Request(**{**values, option: (given,) if option == "patches" else given}), nothing_runs)
        assert failure.value.finding.reason == "bad_argument"
        assert option in failure.value.finding.cause and "\n" not in failure.value.finding.cause


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("targets", ("$(shell reboot)",)),
        ("targets", ("-f/tmp/Makefile",)),
        ("arch", "$(shell reboot)"),
        ("cross_compile", "x;reboot;"),
        ("env", (("A B", "x"),)),
        ("env", (("BASH_FUNC_make%%", "() { reboot; }"),)),
    ],
)
def test_a_word_that_a_shell_would_run_is_refused(option: str, value: t.Any) -> None:
    with pytest.raises(BuildError) as failure:
        prepare_build(Request(**{"patches": ("/x.patch",), "source": "/s", "dest": "/d", option: value}), nothing_runs)
    assert failure.value.finding.reason == "bad_argument"


def nothing_runs(command: list[str]) -> tuple[int, str, str]:
    raise AssertionError(command)
