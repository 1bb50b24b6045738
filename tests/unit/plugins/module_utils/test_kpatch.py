# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building with kpatch-build, as far as a stand-in for openEuler's can show it; Molecule runs the real one."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from ansible_collections.openeuler.livepatch.plugins.module_utils._build import command, source_index
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.builder import BuildError
from ansible_collections.openeuler.livepatch.plugins.module_utils._build.patch_builder import origin, refuse_if_problems
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import builder
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch import request as requests_of_it
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.request import Build, Request
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.tool import find_tool, read_tool
from ansible_collections.openeuler.livepatch.plugins.module_utils._kpatch.versions import (
    OPENEULER_VERSIONS,
    UPSTREAM_VERSIONS,
    Version,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._system import programs
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.progress import Reporter
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils import kpatch_build_stand_in, tiny_elf
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.hurried_clock import HurriedClock
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.patch_place import PatchPlace, Recorder
from ansible_collections.openeuler.livepatch.tests.unit.plugins.module_utils.test_source_patch import FILE, PATCH, run

FIXTURE = pathlib.Path(__file__).parent / "fixtures/openeuler_layout.ko"

STAND_IN = kpatch_build_stand_in.VERSION

RELEASE = "5.10.0-60.18.0.50.oe2203.x86_64"
COMPILER = "GCC: (GNU) 10.3.1"

PER_TASK_CONFIG = """\
# Linux/x86 5.10.0 Kernel Configuration
CONFIG_HAVE_LIVEPATCH_WO_FTRACE=y
CONFIG_LIVEPATCH=y
CONFIG_LIVEPATCH_RESTRICT_KPROBE=y
CONFIG_KALLSYMS=y
CONFIG_KALLSYMS_ALL=y
CONFIG_DEBUG_INFO=y
"""

STOP_MACHINE_CONFIG = PER_TASK_CONFIG + "CONFIG_LIVEPATCH_WO_FTRACE=y\nCONFIG_LIVEPATCH_STOP_MACHINE_CONSISTENCY=y\n"


class Place(PatchPlace):
    """A kernel's source and what belongs to it, in a directory."""

    requests, builder = requests_of_it, builder

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(path)
        (self.source / "kernel").mkdir(parents=True)
        (self.source / "kernel/x.c").write_text(FILE)
        (self.source / "Makefile").write_text("VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 0\nEXTRAVERSION =\n")
        (self.source / "old.o").write_text("not source")
        self.config = self.source / ".config"
        self.config.write_text(STOP_MACHINE_CONFIG)
        self.vmlinux = path / "vmlinux"
        self.vmlinux.write_bytes(tiny_elf.vmlinux(RELEASE, COMPILER))
        self.patch = path / "0001-test.patch"
        self.patch.write_text(PATCH)
        self.tool = path / "kpatch-build"
        self.install()

    def install(self, **changes: t.Any) -> None:
        kpatch_build_stand_in.install(self.tool, FIXTURE, self.calls, **changes)

    def run(self, command: list[str]) -> tuple[int, str, str]:
        """The compiler is a stand-in as well; everything else is the real program."""
        if command[0].endswith("gcc"):
            pathlib.Path(command[3]).write_bytes(tiny_elf.elf({".comment": COMPILER.encode() + b"\0"}, True))
            return 0, "", ""
        return run(command)

    def request(self, **changes: t.Any) -> Request:
        values = {
            "patches": (str(self.patch),),
            "source": str(self.source),
            "dest": f"{self.path}/out/",
            "vmlinux": str(self.vmlinux),
            "kpatch_build": str(self.tool),
            "cache_dir": str(self.cache),
        }
        return Request(**{**values, **changes})


@pytest.fixture(name="place", autouse=True)
def fixture_place(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bc", "bison", "flex", "gawk", "lsdiff", "make", "ld", "objcopy", "readelf", "strings", "patch"):
        # Those that the tests of this file do not run may be missing.
        if not any(os.access(f"{folder}/{name}", os.X_OK) for folder in os.environ["PATH"].split(":")):
            (programs / name).write_text("#!/bin/sh\n")
            (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{programs}")
    return Place(tmp_path)


def number_of(value: object) -> str | None:
    """The identifier of a test with this value."""
    return value.number if isinstance(value, Version) else None


def value_of(call: dict[str, t.Any], option: str) -> str:
    return call["arguments"][call["arguments"].index(option) + 1]


def test_stop_machine_kernels_get_what_they_need(place: Place) -> None:
    manifest = place.build()
    (call,) = place.called()
    assert "-R" in call["arguments"]
    assert call["environ"]["DISABLE_AFTER_LOAD"] == call["environ"]["NO_PROFILING_CALLS"] == "1"
    assert call["environ"]["KEEP_JUMP_LABEL"] == "1"
    assert value_of(call, "-v") == str(place.vmlinux)
    assert value_of(call, "-n") == "livepatch-0001-test"
    assert value_of(call, "-s") != str(place.source)
    assert value_of(call, "-c") == value_of(call, "-s") + "/.config"
    assert call["arguments"][-1] == str(place.patch)
    assert "-t" not in call["arguments"]
    assert manifest["abi"] == "stop_machine"
    assert manifest["replace"] is False
    assert manifest["release"] == RELEASE
    assert manifest["kernel_build_id"] == manifest["patch_file"]["kernel_build_id"] == "01" * 20
    assert manifest["changed_functions"] == [{"object": "cgroup.o", "name": "cgroup_exit", "new": False}]


def test_the_make_above_does_not_decide_what_kpatch_build_builds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"MAKEFLAGS", "MAKELEVEL", "KBUILD_OUTPUT", "O"}
    for name in names:
        monkeypatch.setenv(name, "/somewhere/else")
    monkeypatch.setenv("KCFLAGS", "-O2")
    place.build()
    (call,) = place.called()
    assert names.isdisjoint(call["environ"])
    assert call["environ"]["KCFLAGS"] == "-O2"


def test_per_task_kernels_get_none_of_it(place: Place) -> None:
    place.config.write_text(PER_TASK_CONFIG)
    manifest = place.build()
    (call,) = place.called()
    assert "-R" not in call["arguments"]
    assert "DISABLE_AFTER_LOAD" not in call["environ"]
    assert manifest["replace"] is True
    assert place.build(replace="no")["replace"] is False
    assert "-R" in place.called()[1]["arguments"]


def test_every_option_reaches_the_tool(place: Place) -> None:
    place.build(
        name="klp-x",
        jobs=3,
        targets=("vmlinux", "modules", "fs/x.ko"),
        skip_compiler_check=True,
        debug=2,
        env=(("NO_PROFILING_CALLS", "mine"),),
    )
    (call,) = place.called()
    arguments = call["arguments"]
    assert value_of(call, "-n") == "klp-x"
    assert value_of(call, "-j") == "3"
    assert [arguments[at + 1] for at, word in enumerate(arguments) if word == "-t"] == ["vmlinux", "modules", "fs/x.ko"]
    assert "--skip-compiler-check" in arguments
    assert arguments.count("-d") == 2
    assert call["environ"]["NO_PROFILING_CALLS"] == "mine"


def test_a_build_removes_old_trees_of_the_cache(place: Place) -> None:
    old = place.old_tree()
    given = {"src_dir": str(place.source), "vmlinux": str(place.vmlinux), "kpatch_build": str(place.tool)}
    made = builder.prepare(place.task(**given))
    (place.path / "made").mkdir()
    made.build_into(str(place.path / "made"), made.inputs(None))
    assert [tree["path"] for tree in made.removed_trees] == [str(old)]
    assert os.listdir(place.cache / "trees") == [pathlib.Path(value_of(place.called()[0], "-s")).parent.name]


def test_an_older_tool_is_called_in_its_own_words(place: Place) -> None:
    options = tuple(line.replace("--skip-compiler-check", "--skip-gcc-check") for line in STAND_IN.options)
    place.install(version=replace(STAND_IN, options=options))
    place.build(skip_compiler_check=True)
    assert "--skip-gcc-check" in place.called()[0]["arguments"]


def test_the_release_says_what_the_source_does_not(place: Place) -> None:
    place.build()
    assert place.called()[0]["environ"]["LOCALVERSION"] == "-60.18.0.50.oe2203.x86_64"
    (place.source / "localversion").write_text("-60.18.0.50.oe2203.x86_64\n")
    place.build()
    assert place.called()[1]["environ"]["LOCALVERSION"] == ""


def checks(build: Build) -> list[str]:
    return [problem.reason for problem in build.problems]


@pytest.mark.parametrize(
    ("changes", "config", "expected"),
    [
        ({"replace": "yes"}, STOP_MACHINE_CONFIG, ["replace_not_supported"]),
        ({"replace": "yes"}, PER_TASK_CONFIG, []),
        ({}, PER_TASK_CONFIG.replace("5.10.0", "6.6.0"), ["version_mismatch"]),
        ({}, PER_TASK_CONFIG + "reboot\n", ["config_not_plain"]),
        ({}, PER_TASK_CONFIG.replace("CONFIG_LIVEPATCH=y\n", ""), ["config"]),
        ({}, PER_TASK_CONFIG.replace("CONFIG_DEBUG_INFO=y\n", ""), ["config"]),
        ({}, PER_TASK_CONFIG + "CONFIG_X86_KERNEL_IBT=y\nCONFIG_DEBUG_INFO_SPLIT=y\n", ["config", "config"]),
        ({}, PER_TASK_CONFIG + 'CONFIG_LOCALVERSION="-other"\n', ["version_mismatch"]),
    ],
)
def test_problems_are_found_before_the_build(
    place: Place, changes: dict[str, t.Any], config: str, expected: list[str]
) -> None:
    place.config.write_text(config)
    assert checks(place.prepare(**changes)) == expected


def test_a_kernel_with_btf_is_not_built_without_pahole(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kconfig would drop the option, and struct module would be another one."""
    place.config.write_text(STOP_MACHINE_CONFIG + "CONFIG_DEBUG_INFO_BTF=y\n")
    found: dict[str, str | None] = {"pahole": None}
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *rest, **more: found.get(name, which(name, *rest, **more)))
    assert checks(place.prepare()) == ["missing_program"]
    found["pahole"] = "/usr/bin/pahole"
    assert checks(place.prepare()) == []


def test_options_that_make_has_changed_are_a_warning(place: Place) -> None:
    place.config.write_text(STOP_MACHINE_CONFIG + "".join(f"CONFIG_X{number}=y\n" for number in range(12)))
    made = place.source / "include/config/auto.conf"
    made.parent.mkdir(parents=True)
    made.write_text(STOP_MACHINE_CONFIG)
    (warning,) = place.build()["warnings"]
    assert "CONFIG_X0, CONFIG_X1, " in warning
    assert " and 2 more." in warning
    made.write_text(place.config.read_text())
    assert place.build()["warnings"] == []


def test_upstreams_tool_is_refused_for_stop_machine_kernels(place: Place) -> None:
    place.install(version=UPSTREAM_VERSIONS["0.9.7"])
    build = place.prepare()
    assert checks(build) == ["tool_not_for_abi"]
    assert "openEuler" in build.problems[0].remedy
    place.config.write_text(PER_TASK_CONFIG)
    assert checks(place.prepare()) == []


def test_a_tool_that_always_sets_replace_is_refused_for_stop_machine_kernels(place: Place) -> None:
    place.install(version=OPENEULER_VERSIONS["0.9.1"])
    build = place.prepare()
    assert checks(build) == ["tool_too_old"]
    assert "kpatch 0.9.5 or later" in build.problems[0].remedy


PADDED = STOP_MACHINE_CONFIG.replace("5.10.0", "6.6.0") + "CONFIG_CALL_PADDING=y\n"
UNPADDED = STOP_MACHINE_CONFIG.replace("5.10.0", "6.6.0")
OLD_CALL = '[[ -n "$OOT" ]] || ./scripts/setlocalversion --save-scmversion || die'
NEW_CALL = 'KERNELVERSION="$1" ./scripts/setlocalversion'
OLD_SCRIPT, NEW_SCRIPT = "usage: [--save-scmversion]\n", "usage: [--no-local] [srctree]\n"


def of_6_6(place: Place, version: str, program: bytes | None, calls: t.Sequence[str], script: str) -> None:
    """Make it the source of openEuler's 6.6, and a checkout of kpatch of a version, with its program and its calls."""
    place.vmlinux.write_bytes(tiny_elf.vmlinux("6.6.0-28.0.0.34.oe2403.x86_64", COMPILER))
    (place.source / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 6\nSUBLEVEL = 0\nEXTRAVERSION =\n")
    (place.source / "scripts").mkdir()
    (place.source / "scripts/setlocalversion").write_text(script)
    for folder in ("kpatch-build", "kpatch"):
        (place.path / "kpatch" / folder).mkdir(parents=True)
    if version:
        (place.path / "kpatch/kpatch/kpatch").write_text(f"VERSION={version}\n")
    if program is not None:
        (place.path / "kpatch/kpatch-build/create-diff-object").write_bytes(program)
    place.tool = place.path / "kpatch/kpatch-build/kpatch-build"
    place.install()
    with place.tool.open("a") as stream:
        stream.writelines(f"_ = {call!r}\n" for call in calls)


OLD, KNOWS = b"expected 0\0", b"__pfx_\0expected 0\0"


@pytest.mark.parametrize(
    ("version", "program", "calls", "config", "script", "refused", "doubted"),
    [
        ("0.9.7", OLD, [OLD_CALL], PADDED, NEW_SCRIPT, 2, 0),
        ("0.9.7", OLD, [OLD_CALL], PADDED, OLD_SCRIPT, 1, 0),
        ("0.9.7", OLD, [OLD_CALL], UNPADDED, OLD_SCRIPT, 0, 0),
        ("0.9.7", KNOWS, [OLD_CALL, NEW_CALL], PADDED, NEW_SCRIPT, 0, 0),
        ("0.9.7", KNOWS, [OLD_CALL], PADDED, NEW_SCRIPT, 1, 0),
        ("0.9.7", None, [], PADDED, NEW_SCRIPT, 0, 1),
        ("", OLD, [OLD_CALL], PADDED, NEW_SCRIPT, 0, 2),
        ("", KNOWS, [OLD_CALL, NEW_CALL], PADDED, NEW_SCRIPT, 0, 0),
        ("0.9.9", OLD, [OLD_CALL], PADDED, NEW_SCRIPT, 0, 0),
        ("0.9.10", None, [], PADDED, NEW_SCRIPT, 0, 0),
    ],
)
def test_a_tool_that_fails_on_newer_kernels_is_refused_before_the_build(
    place: Place,
    version: str,
    program: bytes | None,
    calls: t.Sequence[str],
    config: str,
    script: str,
    refused: int,
    doubted: int,
) -> None:
    """What its files say counts: distributions change old versions. Where nothing tells the version it is a warning."""
    place.config.write_text(config)
    of_6_6(place, version, program, calls, script)
    build = place.prepare()
    assert checks(build) == ["tool_too_old"] * refused
    assert [doubt.reason for doubt in build.doubts] == ["tool_too_old"] * doubted
    for finding in (*build.problems, *build.doubts):
        assert finding.remedy == "Use kpatch 0.9.9 or later."
        assert (version or "unknown version") in finding.cause


def test_a_source_without_setlocalversion_is_judged_by_its_version(place: Place) -> None:
    place.config.write_text(UNPADDED)
    of_6_6(place, "0.9.7", KNOWS, [OLD_CALL], "")
    (place.source / "scripts/setlocalversion").unlink()
    assert checks(place.prepare()) == ["tool_too_old"]


OLD_RELEASE = "4.19.90-2112.8.0.0131.oe1.x86_64"


def of_4_19(place: Place, release: str = OLD_RELEASE) -> None:
    """Make it the source of a kernel before 5.1, whose klp_patch has no `replace`."""
    place.config.write_text(place.config.read_text().replace("5.10.0", "4.19.90"))
    place.vmlinux.write_bytes(tiny_elf.vmlinux(release, COMPILER))
    (place.source / "Makefile").write_text("VERSION = 4\nPATCHLEVEL = 19\nSUBLEVEL = 90\nEXTRAVERSION =\n")


@pytest.mark.parametrize(
    ("version", "passes"), [(OPENEULER_VERSIONS["0.9.1"], False), (OPENEULER_VERSIONS["0.9.5"], True)], ids=number_of
)
def test_a_kernel_before_5_1_is_built_with_what_the_tool_knows(place: Place, version: Version, passes: bool) -> None:
    """Tools with -R refuse such a kernel without it; those of 20.03 end with an error at it."""
    of_4_19(place)
    place.install(version=version)
    build = place.prepare()
    assert build.problems == ()
    assert build.replace is False
    flags = builder.inputs(build, origin(build.request, keep=False))["flags"]
    assert flags == (["-R"] if passes else [])
    assert checks(place.prepare(replace="no")) == []


def test_only_kernels_with_replace_get_it(place: Place) -> None:
    place.config.write_text(PER_TASK_CONFIG)
    of_4_19(place)
    assert place.prepare().replace is False
    assert checks(place.prepare(replace="yes")) == ["replace_not_supported"]
    of_4_19(place, "4.19.90-305.el8.x86_64")
    assert checks(place.prepare(replace="yes")) == []
    assert place.prepare(replace="yes").replace is True


@pytest.mark.parametrize(
    ("hook", "sets"),
    [("lpatch->replace = KLP_REPLACE_ENABLE;", True), ("lpatch->objs = lobjects; /* do not replace */", False)],
)
def test_the_source_of_the_hook_tells_whether_patches_have_replace(place: Place, hook: str, sets: bool) -> None:
    """openEuler's 0.9.1 has no -R, and needs none: nothing in it sets replace."""
    for folder in ("kpatch/kpatch-build", "kpatch/kmod/patch"):
        (place.path / folder).mkdir(parents=True)
    (place.path / "kpatch/kpatch-build/create-diff-object").write_text("")
    (place.path / "kpatch/kmod/patch/livepatch-patch-hook.c").write_text(hook)
    place.tool = place.path / "kpatch/kpatch-build/kpatch-build"
    place.install(version=OPENEULER_VERSIONS["0.9.1"])
    assert checks(place.prepare()) == (["tool_too_old"] if sets else [])
    place.config.write_text(PER_TASK_CONFIG)
    build = place.prepare()
    assert (checks(build), build.replace) == ([], sets)
    assert checks(place.prepare(replace="yes")) == ([] if sets else ["tool_too_old"])


def test_vmlinux_must_fit(place: Place) -> None:
    place.vmlinux.write_bytes(tiny_elf.vmlinux("6.6.0-1", COMPILER, debug=False))
    assert checks(place.prepare()) == ["no_debug_info", "version_mismatch"]
    place.vmlinux.write_bytes(tiny_elf.vmlinux(RELEASE, "GCC: (GNU) 7.3.0"))
    build = place.prepare()
    assert checks(build) == ["compiler_mismatch"]
    assert "7.3.0" in build.problems[0].cause and "10.3.1" in build.problems[0].cause
    assert checks(place.prepare(skip_compiler_check=True)) == []


@pytest.mark.parametrize("path", ["lib/x.c", "arch/x86/kernel/x.S", "arch/x86/entry/vdso/x.c"])
def test_what_cannot_be_patched_is_named(place: Place, path: str) -> None:
    target = place.source / path
    target.parent.mkdir(parents=True)
    target.write_text(FILE)
    place.patch.write_text(PATCH.replace("kernel/x.c", path))
    assert checks(place.prepare()) == ["unsupported_path"]


def messages(build: Build) -> str:
    return "\n".join(problem.cause for problem in build.problems)


def test_a_directory_without_the_kernels_makefile_is_no_source(place: Place) -> None:
    (place.source / "Makefile").unlink()
    build = place.prepare()
    assert checks(build) == ["no_source"]
    assert str(place.source) in messages(build)


def test_a_vmlinux_that_names_no_kernel_is_none(place: Place) -> None:
    place.vmlinux.write_bytes(tiny_elf.elf({".debug_info": b"x", ".comment": COMPILER.encode() + b"\0"}))
    build = place.prepare()
    assert checks(build) == ["bad_vmlinux"]
    assert f"{place.vmlinux} is not the vmlinux of a kernel" in messages(build)


def test_a_compiler_that_does_not_work_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "run", lambda command: (127, "", "") if command[0].endswith("gcc") else run(command))
    for arguments in ({}, {"skip_compiler_check": True}, {"cross_compile": "aarch64-linux-gnu-"}):
        build = place.prepare(**arguments)
        assert checks(build) == ["missing_program"]
        assert f"The compiler {arguments.get('cross_compile', '')}gcc does not work" in messages(build)


def test_another_architecture_needs_a_tool_that_builds_for_it(place: Place) -> None:
    build = place.prepare(arch="arm64", cross_compile="aarch64-linux-gnu-")
    assert checks(build) == ["tool_not_for_arch"]
    place.install(version=replace(STAND_IN, variables=(*STAND_IN.variables, "TARGET_ARCH")))
    place.build(arch="arm64", cross_compile="aarch64-linux-gnu-")
    (call,) = place.called()
    assert {name: call["environ"].get(name) for name in ("ARCH", "TARGET_ARCH", "CROSS_COMPILE")} == {
        "ARCH": "arm64",
        "TARGET_ARCH": "arm64",
        "CROSS_COMPILE": "aarch64-linux-gnu-",
    }


def test_a_tool_that_cannot_skip_its_check_is_not_asked_to(place: Place) -> None:
    options = tuple(line for line in STAND_IN.options if not line.startswith("--skip-compiler"))
    place.install(version=replace(STAND_IN, options=options))
    assert checks(place.prepare()) == []
    assert checks(place.prepare(skip_compiler_check=True)) == ["tool_too_old"]


@pytest.mark.parametrize(
    ("patch", "check", "says"),
    [
        (PATCH.replace("kernel/x.c", "kernel/y.c"), "does_not_apply", "changes kernel/y.c, which does not exist"),
        (PATCH.replace("\treturn 2;", "\treturn 7;"), "does_not_apply", "hunk 1 does not apply to kernel/x.c"),
        (
            "--- a/kernel/x.c\n+++ b/kernel/x.c\n@@ -5,3 +5,3 @@\n {\n-\treturn 1;\n+\treturn 11;\n }\n",
            "init_section",
            "changes start_it in kernel/x.c, which the kernel discards",
        ),
    ],
)
def test_what_the_trial_of_a_patch_finds(place: Place, patch: str, check: str, says: str) -> None:
    place.patch.write_text(patch)
    build = place.prepare()
    assert checks(build) == [check]
    assert says in messages(build)


def test_a_patch_that_is_applied_already_is_named(place: Place) -> None:
    (place.source / "kernel/x.c").write_text(FILE.replace("return 2;", "return 22;"))
    build = place.prepare()
    assert checks(build) == ["already_applied"]
    assert f"src_dir already contains {place.patch}." in messages(build)


def test_a_program_that_kpatch_build_calls_is_named_if_it_is_missing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "gawk" else which(name))
    build = place.prepare()
    assert checks(build) == ["missing_program"]
    assert "The program gawk is not installed" in messages(build)


@pytest.mark.parametrize("option", ["cache_dir", "dest"])
def test_a_place_that_cannot_be_written_is_named_by_its_option(place: Place, option: str) -> None:
    (place.path / "file").write_text("not a directory")
    build = place.prepare(**{option: f"{place.path}/file/below/"})
    assert checks(build) == ["not_writable"]
    assert messages(build).startswith(f"{option} {place.path}/file")


def test_a_first_build_needs_more_room_than_the_next(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one of a tree: what other kernels have in the cache is of no use to it, unless it is old and goes."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1 << 30))
    given = {"src_dir": str(place.source), "vmlinux": str(place.vmlinux), "kpatch_build": str(place.tool)}
    given["kernel_release"] = RELEASE
    old = place.old_tree()
    (old / "source").mkdir()
    with pytest.raises(BuildError, match=r"needs 4\.0 GiB .* and 1\.0 GiB are free") as failed:
        builder.prepare(place.task(**given)).check()
    assert failed.value.finding.reason == "disk_full"
    assert not (old / "size").exists()
    (old / "size").write_text(f"0 {3 << 30}")
    builder.prepare(place.task(**given)).check()
    (old / "size").write_text("0 0")
    os.makedirs(builder.tree_of(place.prepare()).source)
    builder.prepare(place.task(**given)).check()


def test_a_source_that_is_not_there_is_told_with_all_else_that_is_missing(place: Place) -> None:
    with pytest.raises(BuildError) as failure:
        place.prepare(source=f"{place.path}/nosuch", vmlinux="/nosuch", kpatch_build="/nosuch")
    found = [problem["reason"] for problem in failure.value.details["problems"]]
    assert found == ["no_source", "no_such_file", "no_such_file", "no_kpatch_build"]
    assert str(failure.value).count(f" on the build host {os.uname().nodename}") == 4


# ---- where kpatch-build is ----


def test_kpatch_build_is_found_in_the_path_or_where_the_user_says(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(place.path))
    assert find_tool(None) == str(place.tool)
    assert find_tool(str(place.tool)) == str(place.tool)
    assert find_tool(str(place.path)) == str(place.tool)
    checkout = place.path / "checkout/kpatch-build"
    checkout.mkdir(parents=True)
    place.tool.rename(checkout / "kpatch-build")
    assert find_tool(f"{place.path}/checkout") == str(checkout / "kpatch-build")
    assert find_tool(None) is None
    (checkout / "kpatch-build").chmod(0o600)
    assert find_tool(str(checkout)) is None


@pytest.mark.parametrize(
    ("tool", "programs", "data"),
    [
        ("kpatch-build/kpatch-build", "kpatch-build", "kmod/patch"),
        ("bin/kpatch-build", "libexec/kpatch", "share/kpatch/patch"),
        ("bin/kpatch-build", "lib/kpatch", "share/kpatch/patch"),
    ],
    ids=["checkout", "packages", "other packages"],
)
def test_what_belongs_to_kpatch_build_is_part_of_its_identity(
    place: Place, tool: str, programs: str, data: str
) -> None:
    root = place.path / "kpatch"
    for file in (f"{programs}/create-diff-object", f"{data}/kpatch.lds"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("of one version")
    (root / tool).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(place.tool, root / tool)
    before = read_tool(str(root / tool), run)
    assert (before.version, before.directory) == ("", str(root / programs))
    assert read_tool(str(root / tool), run) == before
    for file in (f"{programs}/create-diff-object", f"{data}/kpatch.lds"):
        (root / file).write_text(f"of another version: {file}, which knows TARGET_ARCH")
        after = read_tool(str(root / tool), run)
        assert after.identity != before.identity
        assert after.builds_for_others
        before = after


@pytest.mark.parametrize("version", [*OPENEULER_VERSIONS.values(), *UPSTREAM_VERSIONS.values()], ids=number_of)
@pytest.mark.parametrize(("tool", "script"), [("kpatch-build", "kpatch"), ("bin", "sbin")])
def test_the_version_is_found_where_it_is_told(place: Place, version: Version, tool: str, script: str) -> None:
    """Most versions have no --version; the script for the hosts, of the same package, names it."""
    for folder in (tool, script):
        (place.path / "kpatch" / folder).mkdir(parents=True)
    place.tool = place.path / "kpatch" / tool / "kpatch-build"
    place.install(version=version)
    assert read_tool(str(place.tool), run).version == (version.number if version.tells_version else "")
    (place.path / "kpatch" / script / "kpatch").write_text(f'#!/bin/bash\nVERSION="{version.number}"\n')
    found = read_tool(str(place.tool), run)
    assert found.version == version.number
    assert set(version.variables) == {*found.variables, *(["TARGET_ARCH"] if found.builds_for_others else [])}
    assert ("-R" in found.no_replace) == (version.number != "0.9.1")


def test_all_problems_are_reported_at_once(place: Place) -> None:
    place.install(version=UPSTREAM_VERSIONS["0.9.7"])
    place.patch.write_text(PATCH.replace("return 2;", "return 9;"))
    build = place.prepare(replace="yes")
    with pytest.raises(BuildError) as failure:
        refuse_if_problems(build)
    assert failure.value.finding.reason == "replace_not_supported"
    assert [problem["reason"] for problem in failure.value.details["problems"]] == [
        "replace_not_supported",
        "tool_not_for_abi",
        "does_not_apply",
    ]
    assert "hunk 1" in str(failure.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"patches": ("/nosuch.patch",)}, "no_such_file"),
        ({"vmlinux": "/nosuch"}, "no_such_file"),
        ({"config": "/nosuch"}, "no_such_file"),
        ({"vmlinux": __file__}, "unreadable_file"),
        ({"kpatch_build": "/nosuch"}, "no_kpatch_build"),
        ({"name": "a/b"}, "bad_name"),
        ({"name": "x" * 56}, "bad_name"),
        ({"dest": "/tmp/other.ko"}, "bad_dest"),
    ],
)
def test_what_cannot_be_looked_at_is_an_error(place: Place, changes: dict[str, t.Any], reason: str) -> None:
    with pytest.raises(BuildError) as failure:
        place.prepare(**changes)
    assert failure.value.finding.reason == reason
    if reason in ("no_such_file", "unreadable_file", "no_kpatch_build"):
        # A path that is right on the controller is often wrong here.
        assert f" on the build host {os.uname().nodename}" in failure.value.finding.seen


@pytest.mark.parametrize(
    ("patches", "name"),
    [
        (["0001-a.b+c.patch"], "livepatch-0001-a-b-c"),
        (["x.diff"], "livepatch-x"),
        (["x" * 80], "livepatch-" + "x" * 45),
        (["a.patch", "b.patch"], "livepatch-patch"),
    ],
)
def test_names_are_made_as_kpatch_makes_them(place: Place, patches: list[str], name: str) -> None:
    for number, patch in enumerate(patches):
        (place.path / patch).write_text(PATCH if number == 0 else PATCH.replace(" 2;", " 22;").replace(" 22;", " 222;"))
    build = place.prepare(patches=tuple(str(place.path / patch) for patch in patches))
    assert build.name == name


def test_content_decides(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def wanted(**changes: t.Any) -> dict[str, t.Any]:
        build = place.prepare(**changes)
        return builder.inputs(build, origin(build.request, keep=True))

    first = wanted()
    assert wanted() == first
    os.utime(place.source / "kernel/x.c", (1, 1))
    (place.source / "kernel/x.o").write_text("an object")
    assert wanted() == first
    assert wanted(jobs=7) == first
    (place.source / "kernel/y.c").write_text("int y;\n")
    second = wanted()
    assert second != first
    place.vmlinux.write_bytes(tiny_elf.vmlinux(RELEASE, COMPILER, build_id=b"\2" * 20))
    third = wanted()
    assert third != second
    assert wanted(env=(("A", "b"),)) != third
    assert wanted(targets=("vmlinux",)) != third
    monkeypatch.setenv("KCFLAGS", "-O1")
    fourth = wanted()
    assert fourth != third
    place.install(seconds=0.01)
    assert wanted() != fourth


def tree_of(place: Place) -> pathlib.Path:
    (tree,) = (place.cache / "trees").iterdir()
    return tree


def test_the_users_source_is_only_read(place: Place) -> None:
    before = {path: path.stat().st_mtime_ns for path in place.source.rglob("*")}
    place.build()
    assert {path: path.stat().st_mtime_ns for path in place.source.rglob("*")} == before
    copy = tree_of(place) / "source"
    assert (copy / "kernel/x.c").read_text() == FILE
    assert (copy / ".config").read_text() == STOP_MACHINE_CONFIG
    assert not (copy / "old.o").exists()


def compiled(place: Place, name: str = "kernel/.x.o.cmd", text: str | None = None) -> None:
    path = tree_of(place) / "source" / name
    path.write_text(text or "savedcmd_x := gcc -c\n\ndeps_x := \\\n  kernel/x.c \\\n  include/x.h \\\n")


def targets_of(call: dict[str, t.Any]) -> list[str]:
    arguments = call["arguments"]
    return [arguments[at + 1] for at, word in enumerate(arguments) if word == "-t"]


def test_the_second_build_makes_only_what_the_patch_concerns(place: Place) -> None:
    place.build()
    compiled(place)
    assert place.build()["targets"] == ["kernel/x.o"]
    assert targets_of(place.called()[1]) == ["kernel/x.o"]
    assert (tree_of(place) / "source/Module.symvers").read_text() == "original"


def test_the_whole_kernel_is_made_where_that_may_not_be_enough(place: Place) -> None:
    place.build()
    assert targets_of_next(place) == []  # nothing is known about x.c
    compiled(place, text="savedcmd_x := gcc -DMODULE -c\n  kernel/x.c \\\n")
    assert targets_of_next(place) == []
    compiled(place)
    assert targets_of_next(place) == ["kernel/x.o"]
    place.patch.write_text(PATCH + "--- /dev/null\n+++ b/kernel/new.c\n@@ -0,0 +1 @@\n+int x;\n")
    assert targets_of_next(place) == []
    place.patch.write_text(PATCH)
    (tree_of(place) / "Module.symvers").unlink()
    compiled(place)
    assert targets_of_next(place) == []


def targets_of_next(place: Place) -> list[str]:
    place.build()
    return targets_of(place.called()[-1])


def test_the_whole_kernel_is_made_again_when_its_source_is_another(place: Place) -> None:
    place.build()
    compiled(place)
    (place.source / "kernel/y.c").write_text("int y;\n")
    assert targets_of_next(place) == []
    assert targets_of_next(place) == ["kernel/x.o"]


def test_a_source_that_others_include_concerns_their_objects_too(place: Place) -> None:
    place.build()
    compiled(place)
    compiled(
        place, "kernel/.y.o.cmd", "savedcmd_y := gcc -c\n\ndeps_y := \\\n  kernel/y.c \\\n  lib/../kernel/x.c \\\n"
    )
    compiled(place, "kernel/.z.o.cmd", "savedcmd_z := gcc -c\n\ndeps_z := \\\n  kernel/xx.c \\\n  other/x.c \\\n")
    assert targets_of_next(place) == ["kernel/x.o", "kernel/y.o"]


def test_exported_symbols_need_the_whole_kernel_where_they_have_versions(place: Place) -> None:
    place.config.write_text(STOP_MACHINE_CONFIG + "CONFIG_MODVERSIONS=y\n")
    place.build()
    compiled(place)
    assert targets_of_next(place) == ["kernel/x.o"]
    (place.source / "kernel/x.c").write_text(FILE + "EXPORT_SYMBOL(used);\n")
    assert targets_of_next(place) == []
    assert targets_of_next(place) == [], "its source is known by now"


def test_what_an_interrupted_build_left_is_put_back(place: Place) -> None:
    place.build()
    copy = tree_of(place) / "source"
    (copy / "kernel/x.c").write_text("patched")
    (copy / "Makefile").unlink()
    os.utime(copy / "kernel/x.c", (1, 1))
    place.build()
    assert (copy / "kernel/x.c").read_text() == FILE
    assert (copy / "Makefile").exists()
    assert (copy / "kernel/x.c").stat().st_mtime > 1


@pytest.mark.parametrize("state", ["", "{", "[]", '{"primed": 1, "objects": "many"}'])
def test_a_damaged_note_of_the_copy_is_no_note(place: Place, state: str) -> None:
    place.build()
    compiled(place)
    (tree_of(place) / "state.json").write_text(state)
    assert targets_of_next(place) == [], "what was built of it is not known any more"
    assert targets_of_next(place) == ["kernel/x.o"]


def test_links_of_the_source_are_links_of_the_copy(place: Place) -> None:
    (place.source / "arch").mkdir()
    (place.source / "arch/x.c").symlink_to("../kernel/x.c")
    place.build()
    copy = tree_of(place) / "source/arch/x.c"
    assert os.readlink(copy) == "../kernel/x.c"
    (place.source / "arch/x.c").unlink()
    (place.source / "arch/x.c").symlink_to("../Makefile")
    place.build()
    assert os.readlink(copy) == "../Makefile"


def test_a_file_that_an_interrupted_patch_made_is_removed(place: Place) -> None:
    place.patch.write_text(PATCH + "--- /dev/null\n+++ b/kernel/new.c\n@@ -0,0 +1 @@\n+int x;\n")
    place.build()
    (tree_of(place) / "source/kernel/new.c").write_text("int x;\n")
    place.patch.write_text(PATCH)
    place.build()
    assert not (tree_of(place) / "source/kernel/new.c").exists()


def test_the_copy_follows_the_source(place: Place) -> None:
    place.build()
    copy = tree_of(place) / "source"
    first = (copy / "kernel/x.c").stat().st_mtime_ns
    (place.source / "kernel/x.c").write_text(FILE + "/* new */\n")
    os.utime(place.source / "kernel/x.c", (1, 1))
    (place.source / "gone.c").write_text("")
    place.build()
    assert (copy / "kernel/x.c").read_text().endswith("/* new */\n")
    assert (copy / "kernel/x.c").stat().st_mtime_ns > first, "make must see that it changed"
    (place.source / "gone.c").unlink()
    place.build()
    assert not (copy / "gone.c").exists()


def test_a_source_whose_size_and_time_are_as_before_is_read_again(place: Place) -> None:
    """`cp -p`, tar and version control set the time of what they write."""
    path = place.source / "kernel/x.c"
    build = place.prepare()
    before = builder.inputs(build, origin(build.request, keep=True))
    status = path.stat()
    while path.stat().st_ctime_ns == status.st_ctime_ns:  # The clock of a file system goes in steps of milliseconds.
        path.write_text(FILE.replace("return 2;", "return 4;"))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert builder.inputs(build, origin(build.request, keep=True))["source"] != before["source"]


def test_a_name_with_ends_of_lines_is_one_name(place: Place) -> None:
    """It is no entry for another file, neither in the stored index nor in what tells sources apart."""
    line = f"{'0' * 64} 1 1 1 kernel/x.c"
    (place.source / f"a\r{line.replace('/', '|')}").write_text("")
    (place.source / "b\nc").write_text("")
    path = str(place.path / "index")
    index = source_index.refresh(str(place.source), {})
    source_index.store(path, index)
    assert source_index.load(path) == {name: file for name, file in index.items() if "\n" not in name}
    file = index["Makefile"]
    one, two = {f"a\n{file.sha256} b": file}, {"a": file, "b": file}
    assert source_index.identity(one) != source_index.identity(two)


@pytest.mark.parametrize(("mode", "expected"), [(0o755, []), (0o777, ["not_private"]), (0o1777, ["not_private"])])
def test_a_cache_in_which_others_may_write_is_refused(place: Place, mode: int, expected: list[str]) -> None:
    """What is built next is made of the sources and objects in it."""
    place.cache.mkdir()
    place.cache.chmod(mode)
    assert checks(place.prepare()) == expected
    # What is new in a folder such as /tmp belongs to whoever makes it.
    place.cache.chmod(0o1777)
    assert checks(place.prepare(cache_dir=f"{place.cache}/mine")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")
@pytest.mark.parametrize(
    ("mode", "user", "group", "expected"),
    [
        (0o755, 12345, 12345, ["not_private"]),
        (0o755, 0, 12345, []),
        (0o775, 0, 12345, ["not_private"]),
        (0o770, 0, 12345, ["not_private"]),
        (0o775, 0, 0, []),
    ],
)
def test_a_cache_of_another_user_or_group_is_refused(
    place: Place, mode: int, user: int, group: int, expected: list[str]
) -> None:
    place.cache.mkdir()
    place.cache.chmod(mode)
    os.chown(place.cache, user, group)
    assert checks(place.prepare()) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to somebody else")
def test_a_cache_behind_a_link_of_another_user_is_refused(place: Place) -> None:
    place.cache.mkdir()
    link = place.path / "link"
    link.symlink_to(place.cache)
    assert checks(place.prepare(cache_dir=str(link))) == []
    os.lchown(link, 12345, 12345)
    assert checks(place.prepare(cache_dir=str(link))) == ["not_private"]
    place.cache.rmdir()
    assert checks(place.prepare(cache_dir=str(link))) == ["not_writable"]


def test_another_kernel_than_the_one_of_the_task_is_refused(place: Place) -> None:
    build = place.prepare(kernel_release="6.6.0-1.oe2403.x86_64")
    assert checks(build) == ["wrong_release"]
    assert f"is of {RELEASE}, and the task builds for 6.6.0-1.oe2403.x86_64" in messages(build)
    assert checks(place.prepare(kernel_release=RELEASE)) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("certs/signing_key.pem", []),
        ("pkcs11:token=kernel", []),
        ("kernel/x.c", []),
        ("debian/certs/debian-uefi-certs.pem", ["certificates"]),
        ("/nosuch.pem kernel/nosuch.pem", ["certificates", "certificates"]),
    ],
)
def test_certificates_that_the_source_lacks(place: Place, value: str, expected: list[str]) -> None:
    place.config.write_text(STOP_MACHINE_CONFIG + f'CONFIG_MODULE_SIG_KEY="{value}"\n')
    assert checks(place.prepare()) == expected
    # Where the task names what is made, nothing is linked that has certificates in it.
    assert checks(place.prepare(targets=("kernel/x.o",))) == []


@pytest.mark.parametrize("state", ['{"added": 5}', '{"added": null}', '{"added": [5, "kernel/x.c"]}', "[" * 100000])
def test_a_state_that_nobody_can_have_written(place: Place, state: str) -> None:
    place.build()
    (tree_of(place) / "state.json").write_text(state)
    place.build()
    assert (tree_of(place) / "source/kernel/x.c").exists()


SAYS_ALL = """
for name, value in os.environ.items(): say(name + "=" + value)
say("x.o: changed function: " + os.environ["TOKEN"])
with open(log, "a") as stream:
    stream.write("+ login " + os.environ["TOKEN"] + chr(10))
    stream.write("fs/x.c:1:1: error: " + os.environ["TOKEN"] + chr(10))
# save_env of kpatch-build 0.9.9; its cleanup removes the folder, but not if it debugs or is killed.
with open(os.path.join(os.environ["CACHEDIR"], "tmp", "kpatch-build.env"), "w") as stream:
    stream.write("".join(name + "=" + value + chr(10) for name, value in os.environ.items()))
"""


@pytest.mark.parametrize("end", ["sys.exit(1)", "os.kill(os.getpid(), 9)", "", "time.sleep(60)"])
def test_the_values_of_env_are_in_nothing_that_is_kept_or_shown(place: Place, end: str) -> None:
    """kpatch-build and make print commands with all that is in them, and the cache stays."""
    place.install(then=SAYS_ALL + end)
    told = Recorder()
    env = (("PIN", "22"), ("TOKEN", "hunter22-$x"))
    shown = []
    try:
        shown.append(str(place.build(told, env=env, timeout=2 if "sleep" in end else 60)))
    except BuildError as error:
        shown += [str(error), str(error.details)]
        assert pathlib.Path(error.details["log"]).stat().st_mode & 0o777 == 0o600
    shown += told.lines
    (call,) = place.called()
    assert (call["environ"]["TOKEN"], call["environ"]["PIN"]) == ("hunter22-$x", "22")
    kept = [path for path in place.cache.rglob("*") if path.is_file()]
    assert kept
    shown += [path.read_text(errors="replace") for path in kept]
    assert [text for text in shown if "hunter22" in text or "PIN=22" in text] == []


def test_a_link_in_the_place_of_a_log_is_not_followed(place: Place) -> None:
    place.install(then="sys.exit(1)")
    (place.cache / "logs").mkdir(parents=True)
    mine = place.path / "mine"
    mine.write_text("mine")
    (place.cache / f"logs/livepatch-0001-test-{RELEASE}.log").symlink_to(mine)
    with pytest.raises(BuildError) as failure:
        place.build()
    assert failure.value.details["log"] is None
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("change", [lambda path: path.write_text("int other;\n"), pathlib.Path.unlink])
def test_a_source_that_changes_while_it_is_copied(place: Place, change: t.Callable[[pathlib.Path], object]) -> None:
    build = place.prepare()
    content = origin(build.request, keep=True)
    change(place.source / "kernel/x.c")
    with pytest.raises(BuildError) as failure:
        builder.build_module(build, content, builder.inputs(build, content), str(place.path), Reporter())
    assert failure.value.finding.reason == "inputs_changed"
    assert place.called() == []
    (place.source / "kernel/x.c").write_text(FILE)
    place.build()
    assert (tree_of(place) / "source/kernel/x.c").read_text() == FILE


def test_a_patch_that_changes_during_the_build(place: Place) -> None:
    place.install(then=f"open({str(place.patch)!r}, 'a').write({PATCH.replace('x.c', 'y.c')!r})")
    with pytest.raises(BuildError) as failure:
        place.build()
    assert failure.value.finding.reason == "inputs_changed"
    assert_what_ran_is_told(place, failure.value, 0)


def test_the_operator_sees_the_stages(place: Place) -> None:
    recorder = Recorder()
    place.build(recorder)
    assert recorder.stages == [
        "copying the source",
        "testing the patches",
        "building the original source",
        "building the patched source",
        "extracting changed objects",
        "building the module",
    ]
    assert recorder.lines == ["cgroup.o: changed function: cgroup_exit", "Patched objects: vmlinux vmlinux"]


def assert_what_ran_is_told(place: Place, error: BuildError, rc: int | None) -> None:
    """Command, exit status and log of kpatch-build are in the result."""
    assert error.details["cmd"][0] == str(place.tool)
    assert error.details["cmd"][1:] == place.called()[-1]["arguments"]
    assert error.details["rc"] == rc
    # kpatch-build that has succeeded has removed its log, perhaps before it was read.
    expected = "Testing patch file(s)" if rc == 0 else "CC      kernel/a.o"
    assert expected in pathlib.Path(error.details["log"]).read_text()


def test_a_failure_leaves_its_log_and_no_result(place: Place) -> None:
    place.install(then='say("ERROR: no functional changes found."); sys.exit(1)')
    with pytest.raises(BuildError) as failure:
        place.build()
    assert failure.value.finding.reason == "no_change"
    assert_what_ran_is_told(place, failure.value, 1)
    assert not list(place.path.glob("made-*/*"))


def test_a_build_that_takes_too_long_is_killed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = place.path / "begun"
    place.install(then=f'open({str(begun)!r}, "w").close(); say("It has begun."); time.sleep(60)')
    clock = HurriedClock(begun.exists)
    monkeypatch.setattr(command, "time", clock)
    monkeypatch.setattr(programs, "time", clock)
    started = time.monotonic()
    with pytest.raises(BuildError) as failure:
        place.build(timeout=60)
    assert failure.value.finding.reason == "timeout"
    assert time.monotonic() - started < 30
    assert_what_ran_is_told(place, failure.value, None)


def test_a_log_that_cannot_be_written_does_not_hide_the_failure(place: Place) -> None:
    place.install(then='say("ERROR: no functional changes found."); sys.exit(1)')
    place.cache.mkdir()
    (place.cache / "logs").write_text("not a directory")
    with pytest.raises(BuildError) as failure:
        place.build()
    assert (failure.value.finding.reason, failure.value.details["log"]) == ("no_change", None)


UNTIL_IT_MAY_GO_ON = """
open({begun!r}, "w").close()
deadline = time.monotonic() + 30
while not os.path.exists({go_on!r}) and time.monotonic() < deadline:
    time.sleep(0.02)
"""


@contextlib.contextmanager
def build_under_way(place: Place) -> t.Iterator[pathlib.Path]:
    """A build that has the tree. It goes on when the file exists whose path this yields, and ends well."""
    begun, go_on = place.path / "begun", place.path / "go-on"
    place.install(then=UNTIL_IT_MAY_GO_ON.format(begun=str(begun), go_on=str(go_on)))
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(place.build)
        deadline = time.monotonic() + 30
        while not (begun.exists() or build.done()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert begun.exists(), build
        try:
            yield go_on
        finally:
            go_on.touch()
        build.result()


def test_builds_of_one_source_queue_up(place: Place) -> None:
    with build_under_way(place) as go_on:

        class Waiting(Recorder):
            def stage(self, title: str) -> None:
                super().stage(title)
                if title.startswith("waiting"):
                    go_on.touch()

        recorder = Waiting()
        place.build(recorder)
    assert recorder.stages[0].startswith("waiting for the build of livepatch-0001-test by process ")


def test_waiting_for_another_build_ends_as_well(place: Place) -> None:
    with build_under_way(place):
        with pytest.raises(BuildError) as failure:
            place.build(timeout=0.3)
        assert len(place.called()) == 1
    assert failure.value.finding.reason == "timeout"
    assert "Another build of this kernel did not end within 0 s" in str(failure.value)


def test_kernels_that_load_signed_modules_only(place: Place) -> None:
    assert not place.prepare().forces_signatures
    place.config.write_text(STOP_MACHINE_CONFIG + "CONFIG_MODULE_SIG_FORCE=y\n")
    assert place.prepare().forces_signatures


def test_a_module_outside_of_the_kernels_source(place: Place) -> None:
    """Its source has neither a version nor a configuration. Objects in it may have no source."""
    (place.source / "Makefile").write_text("obj-m := x.o\n")
    (place.source / "blob.o").write_bytes(b"no source")
    kernel = place.path / "kernel"
    kernel.mkdir()
    (kernel / "Module.symvers").write_text("0x00000000\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n")
    config = place.path / "config"
    place.config.rename(config)
    module = place.path / "x.ko"
    module.write_bytes(tiny_elf.elf({".modinfo": b"vermagic=6.1.0 SMP \0srcversion=AB\0"}, relocatable=True))
    request: dict[str, t.Any] = {"oot_module": str(module), "config": str(config), "kernel_tree": str(kernel)}
    manifest = place.build(**request, targets=("default",))
    made_for = [{"name": "x", "vermagic": "6.1.0 SMP", "build_id": None, "srcversion": "AB"}]
    assert json.loads(json.dumps([manifest["made_for"], manifest["patch_file"]["made_for"]])) == [made_for, made_for]
    (call,) = place.called()
    assert value_of(call, "--oot-module") == str(module)
    assert value_of(call, "--oot-module-src") == value_of(call, "-s") != str(place.source)
    assert value_of(call, "-t") == "default"
    copy = pathlib.Path(value_of(call, "-s"))
    assert (copy / "blob.o").read_bytes() == b"no source"
    assert str(kernel) in (copy / "GNUmakefile").read_text()
    assert not (place.source / "GNUmakefile").exists()
    place.build(**request)
    assert value_of(place.called()[-1], "-t") == "default-goal"


def schema() -> dict[str, t.Any]:
    return json.loads((pathlib.Path(__file__).parents[4] / "docs/manifest.schema.json").read_text())


def test_a_manifest_is_as_the_documented_schema_says(place: Place) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed for this Python")
    manifest = json.loads(json.dumps(place.build()))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(manifest)
    assert set(manifest) <= set(schema()["properties"]), "a key is not documented"
    assert set(schema()["required"]) <= set(manifest)


def test_the_schema_refuses_another_manifest(place: Place) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed for this Python")
    manifest = place.build()
    for key, value in {"format": 2, "abi": "other", "sha256": "x", "replace": "yes"}.items():
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema()).validate({**manifest, key: value})


def test_a_module_for_another_kernel_is_no_result(place: Place) -> None:
    kpatch_build_stand_in.install(place.tool, FIXTURE.with_name("livepatch_cmdline.ko"), place.calls)
    with pytest.raises(BuildError) as failure:
        place.build()
    assert failure.value.finding.reason == "wrong_release"
    assert_what_ran_is_told(place, failure.value, 0)


def test_a_result_that_is_no_patch_file_is_explained(place: Place, tmp_path: pathlib.Path) -> None:
    (tmp_path / "text.ko").write_text("not a module")
    kpatch_build_stand_in.install(place.tool, tmp_path / "text.ko", place.calls)
    with pytest.raises(BuildError) as failure:
        place.build()
    assert failure.value.finding.reason == "not_elf"
    assert_what_ran_is_told(place, failure.value, 0)
